/* The gate of the rate limits: two workers at once. Run it under TSan too. */
#include "budget/rates_gate.h"
#include "rates_fixture.h"

#include <pthread.h>

enum { WORKERS = 2, CALLS = 20000, OPEN = 8, LIMIT = 1000 };

struct worker {
    struct rates_gate *gate;
    const struct rate_limit *limit;
    int64_t passed;
    uint64_t random;
};

static int64_t below(struct worker *worker, int64_t bound)
{
    worker->random = worker->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (int64_t)((worker->random >> 33) % (uint64_t)bound);
}

static void *work(void *context)
{
    struct worker *worker = context;
    struct rates_pass *passes[OPEN] = {NULL};
    struct subject subject = {.id = {[SCOPE_KEY] = TEXT("alice")}};
    const struct rates_ask ask = {.limits = worker->limit,
                                  .limit_count = 1,
                                  .subject = &subject,
                                  .scopes = CALLER,
                                  .now_us = SECOND};
    for (int i = 0; i < CALLS; i++) {
        struct rates_answer answer;
        struct rates_pass **pass = &passes[below(worker, OPEN)];
        rates_gate_leave(worker->gate, *pass, RATES_UNKNOWN, 0);
        *pass = NULL;
        rates_gate_enter(worker->gate, pass, &ask, NULL, &answer);
        worker->passed += answer.verdict == RATES_PASSED ? 1 : 0;
    }
    for (int i = 0; i < OPEN; i++)
        rates_gate_leave(worker->gate, passes[i], RATES_UNKNOWN, 0);
    return NULL;
}

START_TEST(two_workers_together_get_the_limit)
{
    struct rates_gate *gate = rates_gate_open(10);
    struct rate_limit limit = {.who = {.scope = SCOPE_KEY}, .limit = {LIMIT, LIMIT_NONE, 3}};
    struct worker workers[WORKERS];
    pthread_t threads[WORKERS];
    rates_seal(&limit);
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){gate, &limit, 0, (uint64_t)i + 1};
        pthread_create(&threads[i], NULL, work, &workers[i]);
    }
    int64_t passed = 0;
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(threads[i], NULL);
        passed += workers[i].passed;
    }
    ck_assert_int_eq(passed, LIMIT);
    ck_assert_uint_eq(rates_gate_passes(gate), 0);
    ck_assert_uint_eq(rates_gate_accounts(gate), 1);
    rates_gate_close(gate);
}
END_TEST

UNIT_MAIN(two_workers_together_get_the_limit)
