/* The gate of the rate limits: two workers at once. Run it under TSan too. */
#include "budget/rates_gate.h"
#include "budget/rates_lessee.h"
#include "rates_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

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

/* ---- shared ---- */

/* What the warden does, with the reference for Redis. */
struct warden {
    struct rates_gate *gate;
    struct rates_lessee *lessee;
    struct rates_store *store;
    atomic_bool stopping;
};

static void *guard(void *context)
{
    static struct rates_reply reply;
    struct warden *warden = context;
    struct rates_request request;
    int64_t until_us;
    rates_gate_hold(warden->gate);
    while (!atomic_load(&warden->stopping)) {
        if (!rates_lessee_next(warden->lessee, SECOND, &request, &until_us)) {
            rates_gate_doze(warden->gate, 1000);
            continue;
        }
        rates_gate_note_waiters(warden->gate);
        rates_gate_exit(warden->gate);
        rates_store_apply(warden->store, SECOND, &request, &reply);
        rates_gate_hold(warden->gate);
        rates_lessee_take(warden->lessee, SECOND, SECOND, &reply);
        rates_gate_wake_waiters(warden->gate);
    }
    rates_gate_exit(warden->gate);
    return NULL;
}

static void deliver(void *context, struct letter *letter)
{
    ck_assert_int_eq(letter->kind, RATES_LETTER);
    *(bool *)context = true;
    letter_free(letter);
}

/* Asks until it passes or is refused; now and then it does not wait for the letter. */
static bool ask_patiently(struct worker *worker, struct loop *loop, struct rates_waiter *waiter,
                          bool *letter)
{
    struct subject subject = {.id = {[SCOPE_KEY] = TEXT("alice")}};
    const struct rates_ask ask = {.limits = worker->limit,
                                  .limit_count = 1,
                                  .subject = &subject,
                                  .scopes = CALLER,
                                  .now_us = SECOND,
                                  .patient = true};
    struct rates_answer answer;
    struct rates_pass *pass = NULL;
    for (;;) {
        *letter = false;
        rates_gate_enter(worker->gate, &pass, &ask, waiter, &answer);
        if (answer.verdict != RATES_WAIT)
            break;
        while (!*letter && below(worker, 100) > 0)
            loop_turn(loop, 1000);
        rates_gate_forget(worker->gate, waiter);
    }
    rates_gate_leave(worker->gate, pass, RATES_UNKNOWN, 0);
    return answer.verdict == RATES_PASSED;
}

static void *work_shared(void *context)
{
    struct worker *worker = context;
    bool letter = false;
    struct loop *loop = loop_open(clock_real());
    struct mailbox *mailbox = mailbox_open(loop, deliver, &letter);
    struct rates_waiter waiter = {.mailbox = mailbox};
    for (int i = 0; i < LIMIT; i++)
        worker->passed += ask_patiently(worker, loop, &waiter, &letter) ? 1 : 0;
    mailbox_close(mailbox);
    loop_turn(loop, 0);
    loop_close(loop);
    return NULL;
}

START_TEST(who_waits_for_a_share_is_woken)
{
    const char id[RATES_ID_SIZE] = "one";
    struct rate_limit limit = {.who = {.scope = SCOPE_KEY},
                               .limit = {LIMIT, LIMIT_NONE, LIMIT_NONE}};
    struct warden warden = {.gate = rates_gate_open(10), .store = rates_store_open()};
    struct worker workers[WORKERS];
    pthread_t threads[WORKERS], thread;
    rates_seal(&limit);
    struct rates_core *core = rates_gate_hold(warden.gate);
    rates_lease(core, 0);
    warden.lessee = rates_lessee_open(core, id, 0);
    rates_gate_exit(warden.gate);
    pthread_create(&thread, NULL, guard, &warden);
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){warden.gate, &limit, 0, (uint64_t)i + 1};
        pthread_create(&threads[i], NULL, work_shared, &workers[i]);
    }
    for (int i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    atomic_store(&warden.stopping, true);
    rates_gate_rouse(warden.gate);
    pthread_join(thread, NULL);
    ck_assert_int_eq(workers[0].passed + workers[1].passed, LIMIT);
    rates_lessee_close(warden.lessee);
    rates_store_close(warden.store);
    rates_gate_close(warden.gate);
}
END_TEST

UNIT_MAIN(two_workers_together_get_the_limit, who_waits_for_a_share_is_woken)
