/*
 * The treasury: requests that need growth get their letters once it is on disk, a disk that fails
 * is told to those who wait, and at the end only what is spent is kept. Run it under TSan too.
 */
#include "budget/treasury.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "../disk.h"
#include "budget/ceilings.h"
#include "fixture.h"

enum { CALLS = 200, WORKERS = 2 };

struct place {
    char dir[64];
    struct fixture f;
    struct ceilings *ceilings;
    struct vault *vault;
    struct gate *gate;
    struct treasury *treasury;
};

static void place_open(struct place *place, int64_t limit)
{
    struct fault fault = {""};
    char path[128];
    *place = (struct place){.dir = "/tmp/purser-treasury-XXXXXX", .f = fixture_new()};
    ck_assert_ptr_nonnull(mkdtemp(place->dir));
    (void)snprintf(path, sizeof(path), "%s/ceilings.db", place->dir);
    place->ceilings = ceilings_open(path, &fault);
    ck_assert_msg(place->ceilings != NULL, "%s", fault.message);
    place->vault = vault_open(path, TEXT("a-boot"), &fault);
    ck_assert_msg(place->vault != NULL, "%s", fault.message);
    fixture_budget(&place->f, "org", SCOPE_GLOBAL, UNIT_USD, limit)->window = WINDOW_TOTAL;
    place->f.options.budgets = place->f.budgets;
    place->f.options.leased = true;
    place->f.options.lease_s = 2;
    place->f.options.usd_step = 1;
    place->gate = gate_open(&place->f.options);
    const struct treasury_options options = {
        .gate = place->gate, .vault = place->vault, .clock = clock_real()};
    place->treasury = treasury_open(&options, NULL, 0);
}

static void place_close(struct place *place)
{
    treasury_close(place->treasury);
    gate_close(place->gate);
    vault_close(place->vault, true);
    ceilings_close(place->ceilings);
    zone_close(place->f.zone);
    disk_remove(place->dir);
}

/* A worker that makes one call after the other. */
struct worker {
    struct place *place;
    struct loop *loop;
    struct mailbox *mailbox;
    int left, granted, away;
};

static void next_call(struct worker *worker);

static void take(struct worker *worker, const struct grant *grant)
{
    worker->granted += grant->verdict == VERDICT_GRANTED;
    worker->away += grant->verdict == VERDICT_AWAY;
    if (grant->verdict == VERDICT_GRANTED)
        gate_settle(worker->place->gate, grant->hold, &(struct spend){{10, 10, 1}}, NULL);
    worker->left--;
}

static void deliver(void *context, struct letter *letter)
{
    struct worker *worker = context;
    take(worker, letter->body);
    letter_free(letter);
    next_call(worker);
}

static void next_call(struct worker *worker)
{
    while (worker->left > 0) {
        struct grant grant;
        struct ask ask = fixture_ask(&worker->place->f, 0, 50);
        gate_reserve(worker->place->gate, &ask, worker->mailbox, 1, &grant);
        if (grant.verdict == VERDICT_WAIT)
            return;
        take(worker, &grant);
    }
    loop_stop(worker->loop);
}

static void *work(void *context)
{
    struct worker *worker = context;
    worker->loop = loop_open(clock_real());
    worker->mailbox = mailbox_open(worker->loop, deliver, worker);
    next_call(worker);
    if (worker->left > 0)
        loop_run(worker->loop);
    mailbox_close(worker->mailbox);
    loop_close(worker->loop);
    return NULL;
}

static struct worker run_worker(struct place *place, int calls)
{
    struct worker worker = {.place = place, .left = calls};
    work(&worker);
    return worker;
}

static struct account_view view_of(struct place *place)
{
    struct account_view view;
    ck_assert_uint_eq(gate_view(place->gate, &place->f.subject, false, NOON_S, &view, 1), 1);
    return view;
}

START_TEST(who_needs_growth_gets_it_by_letter)
{
    struct place place;
    place_open(&place, 1000);
    ck_assert_int_eq(run_worker(&place, 1).granted, 1);
    ck_assert_int_eq(treasury_state(place.treasury), LEASE_EMBEDDED);
    ck_assert(treasury_grants(place.treasury));
    ck_assert_int_eq(view_of(&place).spent, 10);
    ck_assert_int_ge(view_of(&place).ceiling, 100);
    place_close(&place);
}
END_TEST

START_TEST(two_workers_use_up_a_limit_and_no_more)
{
    struct place place;
    place_open(&place, 1050);
    struct worker workers[WORKERS];
    pthread_t threads[WORKERS];
    int granted = 0;
    for (int at = 0; at < WORKERS; at++) {
        workers[at] = (struct worker){.place = &place, .left = CALLS};
        ck_assert_int_eq(pthread_create(&threads[at], NULL, work, &workers[at]), 0);
    }
    for (int at = 0; at < WORKERS; at++) {
        pthread_join(threads[at], NULL);
        granted += workers[at].granted;
    }
    struct account_view view = view_of(&place);
    ck_assert_int_eq(view.spent, 10 * granted);
    ck_assert_int_le(view.spent, view.limit);
    ck_assert_int_gt(view.spent + 100, view.limit - 100);
    place_close(&place);
}
END_TEST

START_TEST(at_the_end_the_ceiling_is_what_is_spent)
{
    struct place place;
    struct arena arena = {0};
    struct fault fault;
    const struct charge *rows = NULL;
    size_t count = 0;
    place_open(&place, 100000);
    ck_assert_int_eq(run_worker(&place, 20).granted, 20);
    treasury_retire(place.treasury);
    ck_assert_int_eq(view_of(&place).ceiling, 200);
    ck_assert(vault_rows(place.vault, &arena, &rows, &count, &fault));
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(rows[0].amount, 200);
    arena_close(&arena);
    place_close(&place);
}
END_TEST

START_TEST(who_waits_while_the_disk_is_full_is_told)
{
    struct place place;
    place_open(&place, 100000);
    disk_limit_files(0);
    struct worker worker = run_worker(&place, 3);
    ck_assert_int_eq(worker.away, 3);
    ck_assert(!treasury_grants(place.treasury));
    disk_limit_files(RLIM_INFINITY);
    while (run_worker(&place, 1).granted == 0) /* until the disk is tried again */
        sched_yield();
    ck_assert(treasury_grants(place.treasury));
    place_close(&place);
}
END_TEST

UNIT_MAIN(who_needs_growth_gets_it_by_letter, two_workers_use_up_a_limit_and_no_more,
          at_the_end_the_ceiling_is_what_is_spent, who_waits_while_the_disk_is_full_is_told)
