/*
 * What the tests of sessions and a store share: instances with a budget of sessions, the store
 * itself, and its own clock.
 */
#ifndef PURSER_TESTS_BUDGET_APART_H
#define PURSER_TESTS_BUDGET_APART_H

#include "budget/core_state.h"
#include "tenant.h"

#include <stdio.h>

#define ME     "0123456789abcdef0123456789abcdef"
#define IDLE_S 3600
#define LONG_S (IDLE_S + ACCOUNT_LINGER_S + 600)
#define LIMIT  100

static struct store *store;
static uint64_t account; /* the last one that was asked for */

/* ---- instances ---- */

static inline void open_lease(struct tenant *t, const char *journal, int64_t incarnation,
                              const struct charge *row)
{
    struct lease_options options = {.core = t->f.core,
                                    .shared = true,
                                    .incarnation = incarnation,
                                    .mark = t->mark,
                                    .label = TEXT("here")};
    (void)snprintf(options.journal, sizeof(options.journal), "%s", journal);
    t->lease = lease_open(&options, row, row == NULL ? 0 : 1);
}

static inline void begin_as(struct tenant *t, const char *journal, int64_t away_open)
{
    tenant_begin(t, LIMIT * MICRO, true);
    core_close(t->f.core);
    t->f.budgets[0].scope = SCOPE_SESSION;
    t->f.budgets[0].window = WINDOW_TOTAL;
    t->f.budgets[0].idle_s = IDLE_S;
    t->f.budgets[0].away_open = away_open;
    fixture_start(&t->f);
    open_lease(t, journal, 1, NULL);
}

static inline void answer_one(struct tenant *t, bool away)
{
    if (t->action.step == LEASE_MARK)
        t->mark = *t->action.mark;
    if (t->action.step != LEASE_ASK) {
        commit(t, true);
        return;
    }
    if (t->action.request->row_count > 0)
        account = t->action.request->rows[0].account;
    if (away) {
        fail_with(t, STORE_AWAY);
        return;
    }
    store_set_time(store, t->f.now_s);
    store_apply(store, t->action.request, &t->reply);
    lease_replied(t->lease, t->now_ms, &t->reply);
}

static inline void serve(struct tenant *t)
{
    while (next(t) != LEASE_REST)
        answer_one(t, false);
}

static inline void serve_away(struct tenant *t)
{
    while (next(t) != LEASE_REST)
        answer_one(t, true);
}

/* The store goes on. */
static inline void be_cut_off(struct tenant *t, int64_t seconds)
{
    for (; seconds > 0; seconds -= 4) {
        pass_ms(t, 4000);
        serve_away(t);
    }
    store_set_time(store, t->f.now_s);
}

static inline void come_back(struct tenant *t)
{
    for (int beat = 0; beat < 3; beat++) {
        pass_ms(t, 1000);
        serve(t);
    }
}

static inline void begin(struct tenant *t, int64_t away_open)
{
    store = store_open();
    store_init(store, "a-fence");
    begin_as(t, ME, away_open);
    serve(t);
}

static inline void end(struct tenant *t)
{
    tenant_close(t);
    store_close(store);
}

static inline enum verdict ask(struct tenant *t, int64_t micro)
{
    enum verdict verdict = fixture_reserve(&t->f, micro);
    if (verdict != VERDICT_WAIT)
        return verdict;
    serve(t);
    return wake(t);
}

/* All of the limit is granted, and `micro` of it spent. */
static inline void take_all(struct tenant *t, int64_t micro)
{
    ck_assert_int_eq(ask(t, LIMIT), VERDICT_GRANTED);
    fixture_settle(&t->f, t->f.grant.hold, micro * MICRO);
    ck_assert_int_eq(store_total(store, account), LIMIT);
}

static inline void begin_spent(struct tenant *t, int64_t micro)
{
    begin(t, 0);
    take_all(t, micro);
}

static inline struct charge journal_of(const struct tenant *t)
{
    const struct account *now = t->f.core->accounts.lanes[0].first;
    struct charge row = {.account = now->number,
                         .amount = now->ceiling,
                         .until_s = account_until_s(now),
                         .unit = now->unit,
                         .scope = now->scope,
                         .budget = TEXT("org"),
                         .id = TEXT("alice/nightly")};
    memcpy(row.window, now->window.id, sizeof(row.window));
    return row;
}

/* It was killed, and its journal and its ledger were not. */
static inline void restart(struct tenant *t)
{
    const struct charge row = journal_of(t);
    struct charge spent = row;
    spent.amount = t->f.core->accounts.lanes[0].first->spent;
    lease_close(t->lease);
    core_close(t->f.core);
    fixture_start(&t->f);
    core_restore(t->f.core, &spent);
    core_restore_ceiling(t->f.core, &row);
    open_lease(t, ME, 2, &row);
}

#endif
