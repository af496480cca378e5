/*
 * What the tests of the lease share: a core with one budget of which an output token costs a
 * micro-dollar, and its lease. Journal and store are the test itself.
 */
#ifndef PURSER_TESTS_BUDGET_TENANT_H
#define PURSER_TESTS_BUDGET_TENANT_H

#include "budget/lease.h"
#include "fixture.h"

#define MICRO INT64_C(1000)

struct tenant {
    struct fixture f;
    struct lease *lease;
    struct lease_action action;
    struct store_reply reply;
    int64_t now_ms;
    int64_t sequence;       /* the last one that was seen */
    struct store_mark mark; /* the journal's */
};

static inline void tenant_begin(struct tenant *t, int64_t limit, bool shared)
{
    *t = (struct tenant){.f = fixture_new(), .now_ms = 1000000};
    t->f.options.leased = true;
    t->f.options.lease_s = 2;
    t->f.options.usd_step = shared ? MICRO : 1;
    t->f.price = fixture_price(500, 1000); /* an output token costs a micro-dollar */
    fixture_budget(&t->f, "org", SCOPE_GLOBAL, UNIT_USD, limit);
    fixture_start(&t->f);
}

static inline void tenant_lease(struct tenant *t, bool shared, const struct charge *rows,
                                size_t count)
{
    const struct lease_options options = {.core = t->f.core,
                                          .shared = shared,
                                          .journal = "0123456789abcdef0123456789abcdef",
                                          .incarnation = 3,
                                          .mark = t->mark,
                                          .label = TEXT("here")};
    t->lease = lease_open(&options, rows, count);
    t->reply = (struct store_reply){.epoch = 7, .gseq = 100, .instances = 2, .vouched = true};
    t->reply.roster = (struct store_roster){1, {{"0123456789abcdef0123456789abcdef", 3, 1}}};
    memcpy(t->reply.fence, "a-fence", 8);
}

static inline void tenant_open(struct tenant *t, int64_t limit, bool shared)
{
    tenant_begin(t, limit, shared);
    tenant_lease(t, shared, NULL, 0);
}

static inline void tenant_close(struct tenant *t)
{
    lease_close(t->lease);
    fixture_end(&t->f);
}

static inline enum lease_step next(struct tenant *t)
{
    lease_next(t->lease, t->now_ms, t->f.now_s, &t->action);
    return t->action.step;
}

/* What must not be forgotten of the store is put into the journal. */
static inline void note_mark(struct tenant *t)
{
    ck_assert_int_eq(next(t), LEASE_MARK);
    t->mark = *t->action.mark;
    lease_committed(t->lease, t->now_ms, true);
}

static inline void pass_ms(struct tenant *t, int64_t ms)
{
    t->now_ms += ms;
    t->f.now_s += (ms + 999) / 1000;
}

static inline void must_rest(struct tenant *t)
{
    ck_assert_int_eq(next(t), LEASE_REST);
}

/* The only row that is to be committed. */
static inline const struct charge *must_commit(struct tenant *t)
{
    ck_assert_int_eq(next(t), LEASE_COMMIT);
    ck_assert_uint_eq(t->action.row_count, 1);
    return &t->action.rows[0];
}

static inline void commit(struct tenant *t, bool done)
{
    lease_committed(t->lease, t->now_ms, done);
}

/* The only row is committed; its amount. */
static inline int64_t must_note(struct tenant *t)
{
    int64_t amount = must_commit(t)->amount;
    commit(t, true);
    return amount;
}

static inline const struct store_request *must_ask(struct tenant *t, enum store_kind kind)
{
    ck_assert_int_eq(next(t), LEASE_ASK);
    ck_assert_int_eq(t->action.request->kind, kind);
    ck_assert_int_gt(t->action.request->sequence, t->sequence);
    ck_assert_int_eq(t->action.request->incarnation, 3);
    t->sequence = t->action.request->sequence;
    return t->action.request;
}

/* One row or none is answered: `granted` to the asker in all, `moved` now, all of it is G. */
static inline void answer(struct tenant *t, int64_t moved, int64_t granted)
{
    t->reply.gseq++;
    t->reply.row_count = t->action.request->row_count;
    t->reply.rows[0] = (struct store_answer){.moved = moved, .granted = granted, .total = granted};
    lease_replied(t->lease, t->now_ms, &t->reply);
}

static inline void fail_with(struct tenant *t, enum store_verdict verdict)
{
    enum store_verdict before = t->reply.verdict;
    t->reply.verdict = verdict;
    lease_replied(t->lease, t->now_ms, &t->reply);
    t->reply.verdict = before;
}

/* Nothing moves by it. */
static inline void must_say(struct tenant *t, enum store_kind kind)
{
    must_ask(t, kind);
    answer(t, 0, 0);
}

/* To a store that knows of it; its rows are still to be stated. */
static inline void arrive(struct tenant *t)
{
    must_say(t, STORE_JOIN);
    must_say(t, STORE_EPOCH);
    if (t->mark.epoch != t->reply.epoch || strcmp(t->mark.fence, t->reply.fence) != 0)
        note_mark(t);
}

/* Into an open store that says of the only row, if there is one, what the journal says. */
static inline void enter(struct tenant *t)
{
    arrive(t);
    const struct store_request *sync = must_ask(t, STORE_SYNC);
    ck_assert(sync->complete);
    answer(t, 0, sync->row_count == 0 ? 0 : sync->rows[0].value);
    if (t->mark.instances != t->reply.instances)
        note_mark(t);
    ck_assert_int_eq(lease_state(t->lease), LEASE_OPEN);
}

static inline void tenant_open_entered(struct tenant *t, int64_t limit)
{
    tenant_open(t, limit, true);
    enter(t);
}

static inline enum verdict wake(struct tenant *t)
{
    struct cookie cookie;
    ck_assert(core_next_wake(t->f.core, &cookie, &t->f.grant));
    return t->f.grant.verdict;
}

static inline int64_t ceiling(struct tenant *t)
{
    return fixture_view(&t->f, 0).ceiling;
}

static inline void wait_for(struct tenant *t, int64_t output)
{
    fixture_wait(&t->f, output, 1);
    ck_assert(t->f.grant.growing);
}

/* Everything that was wanted besides is refused. Shared: the ceiling is `micro` then. */
static inline void grow_shared(struct tenant *t, int64_t output)
{
    wait_for(t, output);
    const struct store_request *move = must_ask(t, STORE_MOVE);
    ck_assert_uint_eq(move->row_count, 1);
    int64_t grown = move->rows[0].least;
    answer(t, grown, ceiling(t) / MICRO + grown);
    must_note(t);
    ck_assert_int_eq(wake(t), VERDICT_GRANTED);
    while (next(t) == LEASE_ASK)
        answer(t, 0, ceiling(t) / MICRO); /* what would do for a while */
}

#endif
