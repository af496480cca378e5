/*
 * An instance forgets a session that was silent for long, and the store does not, because others
 * use it: with the store itself.
 */
#include "budget/core_state.h"
#include "tenant.h"

#define ME     "0123456789abcdef0123456789abcdef"
#define LONG_S (3600 + ACCOUNT_LINGER_S + 600)

static struct store *store;
static uint64_t account;

static void answer_one(struct tenant *t)
{
    if (t->action.step != LEASE_ASK) {
        commit(t, true);
        return;
    }
    if (t->action.request->row_count > 0)
        account = t->action.request->rows[0].account;
    store_apply(store, t->action.request, &t->reply);
    lease_replied(t->lease, t->now_ms, &t->reply);
}

/* Until it rests; the last answer with a row is of the session. */
static void serve(struct tenant *t)
{
    while (next(t) != LEASE_REST)
        answer_one(t);
}

static void begin_with(struct tenant *t, int64_t limit, int64_t away_open)
{
    tenant_begin(t, limit, true);
    core_close(t->f.core);
    t->f.budgets[0].scope = SCOPE_SESSION;
    t->f.budgets[0].window = WINDOW_TOTAL;
    t->f.budgets[0].idle_s = 3600;
    t->f.budgets[0].away_open = away_open;
    fixture_start(&t->f);
    tenant_lease(t, true, NULL, 0);
    store = store_open();
    store_init(store, "a-fence");
    serve(t);
}

static void begin(struct tenant *t, int64_t limit)
{
    begin_with(t, limit, 0);
}

/* The store does not answer. */
static void serve_away(struct tenant *t)
{
    while (next(t) != LEASE_REST) {
        if (t->action.step == LEASE_ASK)
            fail_with(t, STORE_AWAY);
        else
            commit(t, true);
    }
}

static void end(struct tenant *t)
{
    tenant_close(t);
    store_close(store);
}

static void take(struct tenant *t, int64_t micro)
{
    wait_for(t, micro);
    serve(t);
    ck_assert_int_eq(wake(t), VERDICT_GRANTED);
}

static void spend(struct tenant *t, int64_t micro)
{
    take(t, micro);
    fixture_settle(&t->f, t->f.grant.hold, micro * MICRO);
}

static void fall_silent(struct tenant *t, int64_t seconds)
{
    pass_ms(t, seconds * 1000);
    serve(t);
}

/* What it does not need goes back first. */
static void forget(struct tenant *t)
{
    fall_silent(t, 7);
    fall_silent(t, LONG_S);
}

START_TEST(what_it_spent_before_it_forgot_stays_spent)
{
    struct tenant t;
    begin(&t, 100 * MICRO);
    spend(&t, 60);
    fall_silent(&t, 7);
    ck_assert_int_eq(store_granted(store, account, ME), 60);
    fall_silent(&t, LONG_S);
    spend(&t, 30);
    fall_silent(&t, 7);
    ck_assert_int_eq(store_total(store, account), 90);
    ck_assert_int_eq(store_granted(store, account, ME), 30);
    ck_assert_int_eq(store_gone(store, account), 60);
    fall_silent(&t, LONG_S);
    spend(&t, 10);
    ck_assert_int_eq(store_total(store, account), 100);
    ck_assert_int_eq(store_gone(store, account), 90);
    end(&t);
}
END_TEST

/* Found by the simulator. */
START_TEST(what_it_could_not_tell_before_it_forgot_stays_spent)
{
    struct tenant t;
    begin(&t, 200 * MICRO);
    spend(&t, 60);
    for (int64_t silent_s = 0; silent_s < LONG_S; silent_s += 4) {
        pass_ms(&t, 4000);
        serve_away(&t);
    }
    ck_assert_int_eq(fixture_reserve(&t.f, 30), VERDICT_AWAY);
    fall_silent(&t, 1);
    fall_silent(&t, 1);
    spend(&t, 30);
    fall_silent(&t, 7);
    ck_assert_int_ge(store_gone(store, account), 60); /* and what it could not give back */
    ck_assert_int_eq(store_total(store, account), store_gone(store, account) + 30);
    ck_assert_int_eq(store_granted(store, account, ME), 30);
    end(&t);
}
END_TEST

START_TEST(what_was_used_up_to_the_last_is_told_as_well)
{
    struct tenant t;
    begin(&t, 60 * MICRO);
    spend(&t, 60);
    fall_silent(&t, 1);
    fall_silent(&t, LONG_S);
    fixture_wait(&t.f, 30, 1);
    serve(&t);
    ck_assert_int_eq(store_gone(store, account), 60);
    ck_assert_int_eq(store_total(store, account), 60);
    ck_assert_int_eq(store_granted(store, account, ME), 0);
    end(&t);
}
END_TEST

START_TEST(a_lost_answer_is_asked_for_in_the_same_words)
{
    struct tenant t;
    begin(&t, 100 * MICRO);
    spend(&t, 60);
    forget(&t);
    for (int applied = 0; applied < 2; applied++) {
        fixture_wait(&t.f, 30, 1);
        ck_assert_int_eq(next(&t), LEASE_ASK);
        ck_assert_int_eq(t.action.request->kind, STORE_MOVE);
        ck_assert(t.action.request->rows[0].anew == (applied == 0));
        if (applied == 1)
            store_apply(store, t.action.request, &t.reply);
        fail_with(&t, STORE_AWAY);
        ck_assert_int_eq(wake(&t), VERDICT_AWAY);
        pass_ms(&t, 1000);
        serve(&t);
        ck_assert_int_eq(store_total(store, account), 60);
        ck_assert_int_eq(store_gone(store, account), 60);
    }
    end(&t);
}
END_TEST

static void book_fact(struct tenant *t, int64_t micro)
{
    struct spend used = {{micro * MICRO, 0, 0}};
    core_reserve_fact(t->f.core, &t->f.subject, t->f.now_s, &t->f.grant);
    ck_assert_int_eq(t->f.grant.verdict, VERDICT_GRANTED);
    core_settle(t->f.core, t->f.grant.hold, &used, NULL);
}

/* It is charged, and what was granted besides goes back. */
static void book_and_tell(struct tenant *t, int64_t micro)
{
    book_fact(t, micro);
    fall_silent(t, 1);
    fall_silent(t, 7);
}

START_TEST(a_cost_from_elsewhere_does_not_free_what_was_spent_before_it_forgot)
{
    struct tenant t;
    begin(&t, 100 * MICRO);
    spend(&t, 60);
    forget(&t);
    book_fact(&t, 5);
    ck_assert_int_eq(next(&t), LEASE_ASK);
    ck_assert(t.action.request->rows[0].anew);
    fail_with(&t, STORE_AWAY); /* it is told in the same words */
    fall_silent(&t, 1);
    fall_silent(&t, 7); /* charged, and what it got besides goes back */
    fall_silent(&t, 7);
    ck_assert_int_eq(store_total(store, account), 65);
    ck_assert_int_eq(store_gone(store, account), 60);
    ck_assert_int_eq(store_granted(store, account, ME), 5);
    book_and_tell(&t, 10);
    ck_assert_int_eq(store_total(store, account), 75);
    ck_assert_int_eq(store_gone(store, account), 60);
    end(&t);
}
END_TEST

/* What the charge that came first said was nothing; and there is nothing to give back. */
START_TEST(a_cost_after_it_forgot_is_told_before_it_forgets_again)
{
    struct tenant t;
    begin(&t, 65 * MICRO);
    spend(&t, 60);
    forget(&t);
    book_fact(&t, 5);
    fall_silent(&t, 1);
    forget(&t);
    book_and_tell(&t, 10);
    ck_assert_int_eq(store_total(store, account), 75);
    ck_assert_int_eq(store_gone(store, account), 65);
    end(&t);
}
END_TEST

/* Nobody can be told meanwhile, and then there is nothing to give back. */
START_TEST(what_was_used_while_a_question_was_under_way_is_told)
{
    struct tenant t;
    begin(&t, 60 * MICRO);
    take(&t, 60);
    pass_ms(&t, 250);
    ck_assert_int_eq(next(&t), LEASE_ASK);
    fixture_settle(&t.f, t.f.grant.hold, 60 * MICRO);
    pass_ms(&t, 7000);
    store_apply(store, t.action.request, &t.reply);
    lease_replied(t.lease, t.now_ms, &t.reply);
    serve(&t);
    fall_silent(&t, LONG_S);
    fixture_wait(&t.f, 30, 1);
    serve(&t);
    ck_assert_int_eq(store_gone(store, account), 60);
    end(&t);
}
END_TEST

/* Of which the journal has no more than the overdraft. */
START_TEST(what_was_told_of_an_overdraft_is_not_told_as_new_after_an_outage)
{
    struct tenant t;
    begin_with(&t, 200 * MICRO, 100 * MICRO);
    pass_ms(&t, 250);
    serve_away(&t);
    wait_for(&t, 30);
    serve_away(&t);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    fixture_settle(&t.f, t.f.grant.hold, 20 * MICRO);
    fall_silent(&t, 1);
    fall_silent(&t, 1);
    ck_assert_int_eq(store_granted(store, account, ME), 30);
    uint64_t hold = fixture_hold(&t.f, 10);
    for (int64_t silent_s = 0; silent_s < LONG_S; silent_s += 4) {
        pass_ms(&t, 4000);
        serve_away(&t);
    }
    fixture_settle(&t.f, hold, 0);
    fall_silent(&t, 1);
    fall_silent(&t, 1);
    ck_assert_int_eq(store_total(store, account), 30);
    ck_assert_int_eq(store_gone(store, account), 0);
    end(&t);
}
END_TEST

static void sweep_all(struct tenant *t)
{
    for (size_t at = 0; at < t->f.core->accounts.chain_count; at++)
        accounts_sweep(&t->f.core->accounts, t->f.now_s);
}

/* It comes back, and goes on without the store again. */
START_TEST(an_overdraft_does_not_free_what_it_could_not_tell)
{
    struct tenant t;
    begin_with(&t, 100 * MICRO, 50 * MICRO);
    spend(&t, 60);
    for (int64_t silent_s = 0; silent_s < LONG_S; silent_s += 4) {
        pass_ms(&t, 4000);
        serve_away(&t);
    }
    sweep_all(&t);
    fall_silent(&t, 1);
    fall_silent(&t, 1);
    pass_ms(&t, 250);
    serve_away(&t);
    wait_for(&t, 50);
    serve_away(&t);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    fixture_settle(&t.f, t.f.grant.hold, 50 * MICRO);
    fall_silent(&t, 1);
    fall_silent(&t, 1);
    ck_assert_int_ge(store_gone(store, account), 60);
    ck_assert_int_eq(store_total(store, account), store_gone(store, account) + 50);
    end(&t);
}
END_TEST

/* The store lost its data first, and nothing is asked but to be let in. */
START_TEST(what_was_in_use_through_a_long_outage_is_stated_after_it)
{
    struct tenant t;
    begin(&t, 100 * MICRO);
    take(&t, 60);
    fixture_settle(&t.f, t.f.grant.hold, 20 * MICRO);
    pass_ms(&t, 250);
    ck_assert_int_eq(next(&t), LEASE_ASK);
    fail_with(&t, STORE_OLD_FENCE);
    (void)fixture_hold(&t.f, 10);
    for (int64_t silent_s = 0; silent_s < LONG_S; silent_s += 4) {
        pass_ms(&t, 4000);
        serve_away(&t);
    }
    pass_ms(&t, 1000);
    while (next(&t) != LEASE_ASK || t.action.request->kind != STORE_SYNC)
        answer_one(&t);
    ck_assert_uint_eq(t.action.request->row_count, 1);
    ck_assert_int_eq(t.action.request->rows[0].value, ceiling(&t) / MICRO);
    ck_assert_int_eq(t.action.request->rows[0].spent, 20);
    ck_assert_int_ge(t.action.request->rows[0].until_s, t.f.now_s + 3600);
    end(&t);
}
END_TEST

START_TEST(a_session_that_is_used_again_in_time_is_not_forgotten)
{
    struct tenant t;
    begin(&t, 100 * MICRO);
    spend(&t, 60);
    fall_silent(&t, 7);
    fall_silent(&t, 3600);
    spend(&t, 40);
    fall_silent(&t, 7);
    ck_assert_int_eq(store_granted(store, account, ME), 100);
    ck_assert_int_eq(store_gone(store, account), 0);
    end(&t);
}
END_TEST

/* Found by the simulator: after a loss of power the journal may be all that tells of it. */
START_TEST(who_grows_for_a_session_is_about_to_use_it)
{
    struct tenant t;
    begin(&t, 100 * MICRO);
    spend(&t, 60);
    fall_silent(&t, 7);
    fall_silent(&t, 3600 + ACCOUNT_LINGER_S - 60);
    wait_for(&t, 40);
    while (next(&t) != LEASE_COMMIT)
        answer_one(&t);
    ck_assert_int_eq(t.action.rows[0].amount, 100 * MICRO);
    ck_assert_int_ge(t.action.rows[0].until_s, t.f.now_s + 3600 + ACCOUNT_LINGER_S);
    commit(&t, true);
    serve(&t);
    end(&t);
}
END_TEST

/* Else it begins anew while its row does not, and the store is not told that it did. */
START_TEST(what_grew_is_remembered_by_the_process_as_by_the_journal)
{
    struct tenant t;
    begin(&t, 100 * MICRO);
    spend(&t, 60);
    fall_silent(&t, 7);
    fall_silent(&t, 3600 + ACCOUNT_LINGER_S - 60);
    wait_for(&t, 40);
    uint64_t waiter = t.f.grant.waiter;
    while (next(&t) != LEASE_COMMIT)
        answer_one(&t);
    ck_assert(core_leave(t.f.core, waiter));
    commit(&t, true);
    fall_silent(&t, 120);
    spend(&t, 40);
    ck_assert_int_eq(fixture_view(&t.f, 0).spent, 100 * MICRO);
    ck_assert_int_eq(store_total(store, account), 100);
    end(&t);
}
END_TEST

UNIT_MAIN(what_it_spent_before_it_forgot_stays_spent,
          an_overdraft_does_not_free_what_it_could_not_tell,
          what_it_could_not_tell_before_it_forgot_stays_spent,
          what_was_used_up_to_the_last_is_told_as_well,
          a_lost_answer_is_asked_for_in_the_same_words,
          a_cost_from_elsewhere_does_not_free_what_was_spent_before_it_forgot,
          a_cost_after_it_forgot_is_told_before_it_forgets_again,
          what_was_used_while_a_question_was_under_way_is_told,
          what_was_told_of_an_overdraft_is_not_told_as_new_after_an_outage,
          what_was_in_use_through_a_long_outage_is_stated_after_it,
          a_session_that_is_used_again_in_time_is_not_forgotten,
          who_grows_for_a_session_is_about_to_use_it,
          what_grew_is_remembered_by_the_process_as_by_the_journal)
