/*
 * For bench.py: times the admission of a call that finds headroom: a hold on a global, a key's and
 * a session's budget, and its settlement.
 *
 *     admission SESSIONS...
 *
 * A line for each: the median nanoseconds of an admission, of a settlement, while so many sessions
 * have live accounts, and the KB of memory that they take.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "budget/headroom.h"
#include "measure.h"

#define ROUNDS  100000
#define START_S INT64_C(1795262400) /* 2026-11-21 12:00 UTC */

struct bench {
    struct zone *zone;
    struct budget budgets[3];
    struct core *core;
    struct price price;
    size_t sessions;
    uint64_t random;
    char id[32];
    struct subject subject;
};

static long resident_kb(void)
{
    long pages = 0, resident = 0;
    FILE *in = fopen("/proc/self/statm", "r");
    ASSERT(in != NULL);
    int fields = fscanf(in, "%ld %ld", &pages, &resident);
    ASSERT(fields == 2);
    (void)fclose(in);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static struct budget budget_of(const struct bench *bench, const char *name, enum scope scope)
{
    return (struct budget){.name = text_of(name),
                           .scope = scope,
                           .window = WINDOW_MONTH,
                           .timezone = TEXT("UTC"),
                           .zone = bench->zone,
                           .limit = {MONEY_MOST.nano, LIMIT_NONE, LIMIT_NONE}};
}

static void bench_open(struct bench *bench, size_t sessions)
{
    *bench = (struct bench){.sessions = sessions, .random = 1, .price = {.tier_count = 1}};
    bench->zone = zone_open(NULL, TEXT("UTC"), NULL);
    ASSERT(bench->zone != NULL);
    bench->price.tiers[0].above_input_tokens = -1;
    for (int bucket = 0; bucket < BUCKET_COUNT; bucket++)
        bench->price.tiers[0].rates.pico[bucket] = 1000;
    bench->budgets[0] = budget_of(bench, "org", SCOPE_GLOBAL);
    bench->budgets[1] = budget_of(bench, "key", SCOPE_KEY);
    bench->budgets[2] = budget_of(bench, "session", SCOPE_SESSION);
    const struct core_options options = {.budgets = bench->budgets,
                                         .budget_count = 3,
                                         .max_waiting = 1000,
                                         .max_accounts = 200000,
                                         .leased = true,
                                         .lease_s = 2,
                                         .usd_step = 1};
    bench->core = core_open(&options);
}

static void bench_close(struct bench *bench)
{
    core_close(bench->core);
    zone_close(bench->zone);
}

/* The lessor: grants a thousandfold of whatever is wanted. */
static void grant_all(struct bench *bench)
{
    struct growth growths[8];
    size_t count;
    while ((count = headroom_take(bench->core, growths, 8)) > 0) {
        for (size_t i = 0; i < count; i++) {
            const struct growth_answer answer = {.grown = growths[i].most * 1000};
            headroom_answer(bench->core, growths[i].account, &answer);
        }
    }
}

/* What admit knows of a call before it asks. */
static void name_caller(struct bench *bench, size_t session)
{
    int size = snprintf(bench->id, sizeof bench->id, "alice/run-%zu", session);
    bench->subject.id[SCOPE_GLOBAL] = TEXT("all");
    bench->subject.id[SCOPE_KEY] = TEXT("alice");
    bench->subject.id[SCOPE_SESSION] = text_make(bench->id, (size_t)size);
}

static void reserve(struct bench *bench, struct grant *grant)
{
    const struct ask ask = {.subject = &bench->subject,
                            .price = &bench->price,
                            .bound = {.input_tokens = 300, .choices = 1},
                            .wanted_output = 500,
                            .named = true,
                            .now_s = START_S};
    core_reserve(bench->core, &ask, grant);
}

static void settle(struct bench *bench, const struct grant *grant)
{
    const struct spend used = {{400, 400, 1}};
    core_settle(bench->core, grant->hold, &used, NULL);
}

/* Each session has an account with headroom. */
static void fill(struct bench *bench)
{
    struct grant grant;
    struct cookie cookie;
    for (size_t session = 0; session < bench->sessions; session++) {
        name_caller(bench, session);
        reserve(bench, &grant);
        grant_all(bench);
        if (grant.verdict == VERDICT_WAIT) {
            bool woken = core_next_wake(bench->core, &cookie, &grant);
            ASSERT(woken);
        }
        ASSERT(grant.verdict == VERDICT_GRANTED);
        settle(bench, &grant);
    }
}

static size_t next_session(struct bench *bench)
{
    bench->random = bench->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (size_t)(bench->random >> 33) % bench->sessions;
}

static int compare(const void *a, const void *b)
{
    int64_t one = *(const int64_t *)a, other = *(const int64_t *)b;
    return (one > other) - (one < other);
}

static long long median(int64_t *times)
{
    qsort(times, ROUNDS, sizeof *times, compare);
    return times[ROUNDS / 2];
}

static void measure(size_t sessions)
{
    static int64_t admissions[ROUNDS], settlements[ROUNDS];
    struct bench bench;
    struct grant grant;
    long before_kb = resident_kb();
    bench_open(&bench, sessions);
    fill(&bench);
    long after_kb = resident_kb();
    for (int round = 0; round < ROUNDS; round++) {
        name_caller(&bench, next_session(&bench));
        int64_t begun = measure_ns();
        reserve(&bench, &grant);
        int64_t admitted = measure_ns();
        ASSERT(grant.verdict == VERDICT_GRANTED);
        settle(&bench, &grant);
        int64_t settled = measure_ns();
        admissions[round] = admitted - begun;
        settlements[round] = settled - admitted;
        grant_all(&bench);
    }
    printf("%lld %lld %ld\n", median(admissions), median(settlements), after_kb - before_kb);
    bench_close(&bench);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        measure(strtoul(argv[i], NULL, 10));
    return 0;
}
