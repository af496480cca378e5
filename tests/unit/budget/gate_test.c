/*
 * The gate: the mail that wakes those who waited, two workers at once, and other budgets meanwhile.
 * Run it under TSan too.
 */
#include "budget/core_state.h"
#include "budget/gate.h"
#include "fixture.h"

#include <pthread.h>
#include <sched.h>

enum { WORKERS = 2, CALLS = 20000, SLOTS = 8, REDEFINITIONS = 300 };

/* A worker with its loop and mailbox, and a few requests on their way. */
struct worker {
    struct gate *gate;
    struct loop *loop;
    struct mailbox *mailbox;
    struct subject subject;
    struct price price;
    uint64_t holds[SLOTS];   /* 0: none */
    uint64_t waiters[SLOTS]; /* 0: not waiting */
    int64_t outputs[SLOTS];  /* what was asked */
    int64_t slice;           /* of what it asks; 0: held in full */
    bool charged[SLOTS];     /* the hold is on budget "org" */
    int64_t spent;           /* of it */
    int granted, woken, refused, again, extended, not_extended;
    uint64_t random;
};

static uint64_t next_seed = 1;

static int64_t below(struct worker *worker, int64_t bound)
{
    worker->random = worker->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (int64_t)((worker->random >> 33) % (uint64_t)bound);
}

static bool is_charged(const struct grant *grant)
{
    bool charged = false;
    for (size_t at = 0; at < grant->charge_count; at++)
        charged = charged || text_equal(grant->charges[at].budget, TEXT("org"));
    return charged;
}

static void take(struct worker *worker, size_t slot, const struct grant *grant)
{
    worker->waiters[slot] = 0;
    if (grant->verdict == VERDICT_GRANTED) {
        worker->holds[slot] = grant->hold;
        worker->charged[slot] = is_charged(grant);
        worker->granted++;
    } else {
        worker->refused++;
    }
}

static enum verdict reserve(struct worker *worker, size_t slot, int64_t output);

/* A letter is addressed to the slot's number + 1. */
static void deliver(void *context, struct letter *letter)
{
    struct worker *worker = context;
    ck_assert_int_eq(letter->kind, GATE_LETTER_GRANT);
    size_t slot = letter->to - 1;
    ck_assert_uint_ne(worker->waiters[slot], 0);
    worker->woken++;
    const struct grant *grant = letter->body;
    worker->waiters[slot] = 0;
    if (grant->verdict == VERDICT_AGAIN) {
        worker->again++;
        reserve(worker, slot, worker->outputs[slot]);
    } else {
        take(worker, slot, grant);
    }
    letter_free(letter);
}

static void worker_open(struct worker *worker, struct gate *gate, const struct fixture *fixture)
{
    *worker = (struct worker){
        .gate = gate, .subject = fixture->subject, .price = fixture->price, .random = next_seed++};
    worker->loop = loop_open(clock_real());
    worker->mailbox = mailbox_open(worker->loop, deliver, worker);
}

static void worker_close(struct worker *worker)
{
    mailbox_close(worker->mailbox);
    loop_close(worker->loop);
}

static enum verdict reserve(struct worker *worker, size_t slot, int64_t output)
{
    struct grant grant;
    struct ask ask = {.subject = &worker->subject,
                      .price = &worker->price,
                      .bound = {.choices = 1},
                      .wanted_output = output,
                      .named = true,
                      .slice_tokens = worker->slice,
                      .now_s = NOON_S};
    worker->outputs[slot] = output;
    gate_reserve(worker->gate, &ask, worker->mailbox, slot + 1, &grant);
    if (grant.verdict == VERDICT_WAIT)
        worker->waiters[slot] = grant.waiter;
    else
        take(worker, slot, &grant);
    return grant.verdict;
}

static void settle(struct worker *worker, size_t slot, int64_t used)
{
    struct spend spend = {{used, used, 1}};
    gate_settle(worker->gate, worker->holds[slot], &spend, NULL);
    worker->holds[slot] = 0;
    worker->spent += worker->charged[slot] ? used : 0;
}

static int64_t gate_spent(struct gate *gate)
{
    struct account_view view;
    size_t count = gate_view(gate, NULL, true, NOON_S, &view, 1);
    ck_assert_uint_eq(count, 1);
    return view.spent;
}

START_TEST(a_letter_brings_the_grant_to_who_waited)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 100);
    f.options.budgets = f.budgets;
    struct gate *gate = gate_open(&f.options);
    struct worker one, other;
    worker_open(&one, gate, &f);
    worker_open(&other, gate, &f);
    ck_assert(gate_any_usd(gate));
    ck_assert_int_eq(reserve(&one, 0, 40), VERDICT_GRANTED);
    ck_assert_int_eq(reserve(&other, 3, 30), VERDICT_WAIT);
    loop_turn(other.loop, 0);
    ck_assert_int_eq(other.woken, 0);
    uint64_t waiter = other.waiters[3];
    settle(&one, 0, 10);
    struct grant late;
    ck_assert(!gate_leave(gate, waiter));
    ck_assert(!gate_time_is_up(gate, waiter, NOON_S, &late));
    loop_turn(one.loop, 0);
    loop_turn(other.loop, 0);
    ck_assert_int_eq(one.woken, 0);
    ck_assert_int_eq(other.woken, 1);
    ck_assert_uint_eq(gate_open_holds(gate), 1);
    settle(&other, 3, 20);
    ck_assert_int_eq(gate_spent(gate), 30);
    struct account_view view;
    ck_assert(gate_tightest(gate, &one.subject, NOON_S, &view));
    ck_assert_int_eq(view.spent, 30);
    worker_close(&one);
    worker_close(&other);
    gate_close(gate);
    zone_close(f.zone);
}
END_TEST

START_TEST(who_left_or_ran_out_of_time_gets_no_letter)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 100);
    f.options.budgets = f.budgets;
    struct gate *gate = gate_open(&f.options);
    struct worker worker;
    worker_open(&worker, gate, &f);
    ck_assert_int_eq(reserve(&worker, 0, 48), VERDICT_GRANTED);
    ck_assert_int_eq(reserve(&worker, 1, 30), VERDICT_WAIT);
    ck_assert_int_eq(reserve(&worker, 2, 30), VERDICT_WAIT);
    struct grant grant;
    ck_assert(gate_time_is_up(gate, worker.waiters[1], NOON_S, &grant));
    ck_assert_int_eq(grant.verdict, VERDICT_CONTENTION);
    ck_assert(gate_leave(gate, worker.waiters[2]));
    settle(&worker, 0, 0);
    loop_turn(worker.loop, 0);
    ck_assert_int_eq(worker.woken, 0);
    ck_assert_uint_eq(gate_open_holds(gate), 0);
    worker_close(&worker);
    gate_close(gate);
    zone_close(f.zone);
}
END_TEST

START_TEST(other_budgets_send_a_letter_to_ask_again)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 100);
    f.options.budgets = f.budgets;
    struct gate *gate = gate_open(&f.options);
    struct worker worker;
    worker_open(&worker, gate, &f);
    ck_assert_int_eq(reserve(&worker, 0, 40), VERDICT_GRANTED);
    ck_assert_int_eq(reserve(&worker, 1, 30), VERDICT_WAIT);
    ck_assert_int_eq(reserve(&worker, 2, 30), VERDICT_WAIT);
    f.budgets[0].limit[UNIT_USD] = 150;
    gate_redefine(gate, &f.options);
    loop_turn(worker.loop, 0);
    ck_assert_int_eq(worker.again, 2);
    ck_assert_uint_ne(worker.holds[1], 0);
    ck_assert_uint_ne(worker.waiters[2], 0);
    f.options.budget_count = 0;
    gate_redefine(gate, &f.options);
    ck_assert(!gate_any_usd(gate));
    loop_turn(worker.loop, 0);
    ck_assert_uint_eq(worker.waiters[2], 0);
    settle(&worker, 0, 20);
    settle(&worker, 1, 30);
    f.options.budget_count = 1;
    gate_redefine(gate, &f.options);
    ck_assert(gate_any_usd(gate));
    ck_assert_uint_eq(gate_open_holds(gate), 0);
    loop_turn(worker.loop, 0);
    ck_assert_int_eq(worker.again, 3);
    worker_close(&worker);
    gate_close(gate);
    zone_close(f.zone);
}
END_TEST

START_TEST(many_are_woken_at_once)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 100);
    f.options.budgets = f.budgets;
    f.options.max_waiting = 100;
    struct gate *gate = gate_open(&f.options);
    struct worker workers[6];
    for (size_t i = 0; i < 6; i++)
        worker_open(&workers[i], gate, &f);
    ck_assert_int_eq(reserve(&workers[0], 0, 50), VERDICT_GRANTED);
    for (size_t i = 0; i < 6; i++)
        for (size_t slot = 1; slot < SLOTS; slot++)
            ck_assert_int_eq(reserve(&workers[i], slot, 1), VERDICT_WAIT);
    settle(&workers[0], 0, 0);
    for (size_t i = 0; i < 6; i++) {
        loop_turn(workers[i].loop, 0);
        ck_assert_int_eq(workers[i].woken, SLOTS - 1);
        worker_close(&workers[i]);
    }
    ck_assert_uint_eq(gate_open_holds(gate), 6 * (SLOTS - 1));
    gate_close(gate);
    zone_close(f.zone);
}
END_TEST

/* ---- two workers at once ---- */

static void extend(struct worker *worker, size_t slot)
{
    struct grant grant;
    gate_extend(worker->gate, worker->holds[slot], 1 + below(worker, 20), &grant);
    worker->extended += grant.verdict == VERDICT_GRANTED ? 1 : 0;
    worker->not_extended += grant.verdict == VERDICT_CONTENTION ? 1 : 0;
}

static void touch(struct worker *worker, size_t slot)
{
    struct grant grant;
    if (worker->holds[slot] != 0 && worker->slice > 0 && below(worker, 3) > 0) {
        extend(worker, slot);
    } else if (worker->holds[slot] != 0) {
        settle(worker, slot, below(worker, 200) == 0 ? 1 : 0);
    } else if (worker->waiters[slot] == 0) {
        reserve(worker, slot, 1 + below(worker, 20));
    } else if (below(worker, 4) == 0) {
        if (gate_leave(worker->gate, worker->waiters[slot]))
            worker->waiters[slot] = 0;
    } else if (below(worker, 4) == 0) {
        if (gate_time_is_up(worker->gate, worker->waiters[slot], NOON_S, &grant))
            take(worker, slot, &grant);
    }
}

static bool settle_all(struct worker *worker)
{
    bool waits = false;
    for (size_t slot = 0; slot < SLOTS; slot++) {
        if (worker->holds[slot] != 0)
            settle(worker, slot, 0);
        waits = waits || worker->waiters[slot] != 0;
    }
    return waits;
}

static void *work(void *context)
{
    struct worker *worker = context;
    for (int call = 0; call < CALLS; call++) {
        touch(worker, (size_t)below(worker, SLOTS));
        if (call % 8 == 0) {
            loop_turn(worker->loop, 0);
            sched_yield(); /* where there is one processor for both they take turns, too */
        }
    }
    while (settle_all(worker))
        loop_turn(worker->loop, -1);
    return NULL;
}

/* What is booked is little, so that the limit stays short of what both want to hold at once. */
START_TEST(two_workers_lose_no_wake_and_no_amount)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 200);
    fixture_budget(&f, "calls", SCOPE_KEY, UNIT_REQUESTS, 10 * CALLS);
    f.options.budgets = f.budgets;
    f.options.clamp = CLAMP_NEVER;
    f.options.max_waiting = 100;
    struct gate *gate = gate_open(&f.options);
    struct worker workers[WORKERS];
    pthread_t threads[WORKERS];
    for (size_t i = 0; i < WORKERS; i++)
        worker_open(&workers[i], gate, &f);
    for (size_t i = 0; i < WORKERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    for (size_t i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(gate_open_holds(gate), 0);
    ck_assert_int_eq(gate_spent(gate), workers[0].spent + workers[1].spent);
    ck_assert_int_gt(workers[0].woken + workers[1].woken, 0);
    for (size_t i = 0; i < WORKERS; i++)
        worker_close(&workers[i]);
    gate_close(gate);
    zone_close(f.zone);
}
END_TEST

START_TEST(two_workers_extend_their_holds_beside_each_other)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 300);
    fixture_budget(&f, "calls", SCOPE_KEY, UNIT_REQUESTS, 10 * CALLS);
    f.options.budgets = f.budgets;
    f.options.min_output_tokens = 1;
    f.options.max_waiting = 100;
    struct gate *gate = gate_open(&f.options);
    struct worker workers[WORKERS];
    pthread_t threads[WORKERS];
    for (size_t i = 0; i < WORKERS; i++) {
        worker_open(&workers[i], gate, &f);
        workers[i].slice = 4;
    }
    for (size_t i = 0; i < WORKERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    for (size_t i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(gate_open_holds(gate), 0);
    ck_assert_int_eq(gate_spent(gate), workers[0].spent + workers[1].spent);
    ck_assert_int_gt(workers[0].extended + workers[1].extended, 0);
    ck_assert_int_gt(workers[0].not_extended + workers[1].not_extended, 0);
    for (size_t i = 0; i < WORKERS; i++)
        worker_close(&workers[i]);
    gate_close(gate);
    zone_close(f.zone);
}
END_TEST

/* "org" is raised, lowered and gone by turns, and back in the end. */
static void redefine_often(struct gate *gate, struct fixture *f)
{
    static const int64_t limits[] = {300, 200, LIMIT_NONE};
    for (int i = 0; i <= REDEFINITIONS; i++) {
        int64_t limit = limits[i % 3];
        f->budgets[0].limit[UNIT_USD] = limit;
        gate_redefine(gate, &f->options);
        struct account_view view;
        ck_assert_int_eq(gate_tightest(gate, &f->subject, NOON_S, &view), limit != LIMIT_NONE);
        ck_assert_int_eq(gate_any_usd(gate), limit != LIMIT_NONE);
    }
}

START_TEST(budgets_change_while_two_workers_call)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 300);
    fixture_budget(&f, "calls", SCOPE_KEY, UNIT_REQUESTS, 10 * CALLS);
    f.options.budgets = f.budgets;
    f.options.clamp = CLAMP_NEVER;
    f.options.max_waiting = 100;
    struct gate *gate = gate_open(&f.options);
    struct worker workers[WORKERS];
    pthread_t threads[WORKERS];
    for (size_t i = 0; i < WORKERS; i++)
        worker_open(&workers[i], gate, &f);
    for (size_t i = 0; i < WORKERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    redefine_often(gate, &f);
    for (size_t i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(gate_open_holds(gate), 0);
    ck_assert_int_eq(gate_spent(gate), workers[0].spent + workers[1].spent);
    for (size_t i = 0; i < WORKERS; i++)
        worker_close(&workers[i]);
    gate_close(gate);
    zone_close(f.zone);
}
END_TEST

/* The machine stood still, and the lease has not looked at the clock yet; nor had a worker since it
 * went on. */
START_TEST(what_is_settled_after_hours_lets_nobody_begin_on_a_session_that_may_be_forgotten)
{
    struct fixture f = fixture_new();
    struct clock_fake clock = clock_fake_at(NOON_S * 1000000);
    fixture_budget(&f, "org", SCOPE_SESSION, UNIT_USD, 100)->idle_s = 3600;
    f.options.budgets = f.budgets;
    struct gate *gate = gate_open(&f.options);
    struct worker one, other;
    worker_open(&one, gate, &f);
    worker_open(&other, gate, &f);
    gate_watch(gate, &clock.clock);
    gate_enter(gate)->apart_s = NOON_S + 1800;
    gate_exit(gate);
    ck_assert_int_eq(reserve(&one, 0, 40), VERDICT_GRANTED);
    ck_assert_int_eq(reserve(&other, 3, 30), VERDICT_WAIT);
    clock_fake_advance(&clock, INT64_C(7200) * 1000000);
    settle(&one, 0, 0);
    loop_turn(other.loop, 0);
    ck_assert_int_eq(other.woken, 0);
    ck_assert(gate_leave(gate, other.waiters[3]));
    ck_assert_int_eq(reserve(&one, 0, 30), VERDICT_WAIT);
    ck_assert(gate_leave(gate, one.waiters[0]));
    worker_close(&one);
    worker_close(&other);
    gate_close(gate);
    zone_close(f.zone);
}
END_TEST

UNIT_MAIN(what_is_settled_after_hours_lets_nobody_begin_on_a_session_that_may_be_forgotten,
          other_budgets_send_a_letter_to_ask_again, budgets_change_while_two_workers_call,
          a_letter_brings_the_grant_to_who_waited, who_left_or_ran_out_of_time_gets_no_letter,
          many_are_woken_at_once, two_workers_lose_no_wake_and_no_amount,
          two_workers_extend_their_holds_beside_each_other)
