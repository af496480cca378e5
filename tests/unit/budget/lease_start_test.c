/* Sessions after a start: what the journal has of them, and who calls before the store answers. */
#include "apart.h"

/* For as long as anybody waits for it. */
static void be_silent(struct tenant *t)
{
    for (int beat = 0; beat < 10; beat++) {
        serve_away(t);
        pass_ms(t, 250);
    }
    serve_away(t);
}

START_TEST(what_the_journal_has_of_a_session_is_not_used_before_the_store_was_heard)
{
    struct tenant t;
    begin_spent(&t, 0);
    restart(&t);
    be_silent(&t);
    ck_assert_int_eq(fixture_reserve(&t.f, 10), VERDICT_AWAY);
    ck_assert(!core_has_room(t.f.core, t.f.now_s));
    come_back(&t);
    ck_assert_int_eq(ask(&t, 10), VERDICT_GRANTED);
    end(&t);
}
END_TEST

START_TEST(what_the_journal_has_of_a_session_goes_back_when_it_is_used)
{
    struct tenant t;
    begin_spent(&t, 0);
    restart(&t);
    serve(&t);
    ck_assert_int_eq(store_granted(store, account, ME), LIMIT);
    fixture_wait(&t.f, 10, 1);
    ck_assert_int_eq(must_commit(&t)->amount, 0);
    commit(&t, true);
    ck_assert_int_eq(next(&t), LEASE_ASK);
    ck_assert_int_eq(t.action.request->rows[0].give, LIMIT);
    answer_one(&t, false);
    serve(&t);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    ck_assert_int_lt(store_total(store, account), LIMIT);
    end(&t);
}
END_TEST

/* A call that is still to be paid holds what it held, whatever is used of the session meanwhile. */
START_TEST(what_is_held_again_at_a_start_is_not_given_back)
{
    struct tenant t;
    const struct spend held = {{60 * MICRO, 0, 0}};
    begin_spent(&t, 0);
    restart(&t);
    core_rehold(t.f.core, &t.f.subject, &held, t.f.now_s, &t.f.grant);
    serve(&t);
    fixture_wait(&t.f, 10, 1);
    serve(&t);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    ck_assert_int_le(store_total(store, account), LIMIT);
    ck_assert_int_ge(store_granted(store, account, ME), 70);
    end(&t);
}
END_TEST

/* Everything was off for a night; the store began a new epoch when it was there again. */
static void rows_of_a_recovery(struct tenant *t, int64_t clock_s)
{
    t->f.now_s += clock_s;
    store_set_fence(store, "another-fence");
    restart(t);
    while (next(t) != LEASE_ASK || t->action.request->kind != STORE_SYNC)
        answer_one(t, false);
}

START_TEST(a_session_that_is_long_over_is_not_stated_in_a_recovery)
{
    struct tenant t;
    begin_spent(&t, 60);
    rows_of_a_recovery(&t, LONG_S);
    ck_assert_uint_eq(t.action.request->row_count, 0);
    ck_assert(t.action.request->complete);
    answer_one(&t, false);
    serve(&t);
    store_set_time(store, t.f.now_s);
    ck_assert_int_eq(ask(&t, LIMIT), VERDICT_GRANTED);
    end(&t);
}
END_TEST

START_TEST(one_that_is_not_over_is_stated)
{
    struct tenant t;
    begin_spent(&t, 60);
    rows_of_a_recovery(&t, IDLE_S);
    ck_assert_uint_eq(t.action.request->row_count, 1);
    end(&t);
}
END_TEST

/* The clock was a day ahead when it started. */
START_TEST(what_was_not_stated_by_mistake_is_not_used_and_what_was_spent_is_charged)
{
    struct tenant t;
    begin_spent(&t, 60);
    uint64_t session = account;
    rows_of_a_recovery(&t, DAY_S);
    ck_assert_uint_eq(t.action.request->row_count, 0);
    answer_one(&t, false);
    serve(&t);
    t.f.now_s -= DAY_S;
    come_back(&t);
    ck_assert_int_eq(store_total(store, session), 0);
    fixture_wait(&t.f, 30, 1);
    serve(&t);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    ck_assert_int_ge(store_granted(store, session, ME), 90);
    ck_assert_int_le(store_total(store, session), LIMIT);
    end(&t);
}
END_TEST

#define MANY 3000

/* The core has let go of it already; while rows are renewed others appear with what the journal
 * has. */
START_TEST(nor_is_one_of_which_only_its_row_is_left)
{
    struct tenant t;
    begin(&t, 0);
    t.f.options.max_accounts = MANY;
    take_all(&t, 60);
    const struct charge over = journal_of(&t);
    t.f.subject.id[SCOPE_SESSION] = TEXT("weekly");
    ck_assert_int_eq(ask(&t, 10), VERDICT_GRANTED);
    struct charge other = over;
    other.account = t.f.core->accounts.lanes[0].last->number;
    other.until_s = INT64_MAX;
    lease_close(t.lease);
    core_close(t.f.core);
    fixture_start(&t.f);
    core_restore_ceiling(t.f.core, &over);
    core_restore_ceiling(t.f.core, &other);
    t.f.now_s += LONG_S;
    open_lease(&t, ME, 2, &over);
    pass_ms(&t, 10000);
    while (next(&t) != LEASE_ASK || t.action.request->kind != STORE_SYNC) {
        if (t.action.step != LEASE_REST)
            answer_one(&t, false);
        else
            fixture_wait(&t.f, 10, 1);
    }
    ck_assert_uint_eq(t.f.core->accounts.restored.count, 0);
    for (size_t at = 0; at < t.action.request->row_count; at++)
        ck_assert_uint_ne(t.action.request->rows[at].account, over.account);
    end(&t);
}
END_TEST

/* While one looks at accounts, nobody is granted anything. */
START_TEST(the_rows_of_many_accounts_are_renewed_in_portions)
{
    struct tenant t;
    int portions = 0;
    begin(&t, 0);
    t.f.options.max_accounts = MANY;
    core_redefine(t.f.core, &t.f.options);
    pass_ms(&t, 10000);
    while (next(&t) == LEASE_ASK && t.action.request->kind != STORE_JOIN)
        fail_with(&t, STORE_OLD_FENCE);
    while (t.action.step != LEASE_ASK || t.action.request->kind != STORE_SYNC) {
        if (t.action.step == LEASE_REST)
            ck_assert_int_eq(t.action.until_ms, t.now_ms);
        portions += t.action.step == LEASE_REST ? 1 : 0;
        if (t.action.step != LEASE_REST)
            answer_one(&t, false);
        (void)next(&t);
    }
    ck_assert_int_eq(portions, 3); /* of 4096 chains */
    end(&t);
}
END_TEST

/* ---- who calls before the store answers ---- */

START_TEST(who_calls_at_once_waits_until_the_store_answers)
{
    struct tenant t;
    store = store_open();
    store_init(store, "a-fence");
    begin_as(&t, ME, 0);
    fixture_wait(&t.f, 10, 1);
    ck_assert(t.f.grant.growing);
    ck_assert(core_waits_for_lessor(t.f.core, t.f.grant.waiter));
    serve(&t);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    ck_assert_int_ge(store_granted(store, account, ME), 10);
    end(&t);
}
END_TEST

/* Others may have begun the session anew: what is left of before goes back, and is asked for. */
START_TEST(who_waits_on_what_the_journal_has_is_granted_only_what_the_store_grants)
{
    struct tenant t;
    begin_spent(&t, 20);
    restart(&t);
    fixture_wait(&t.f, 10, 1);
    while (lease_state(t.lease) != LEASE_OPEN) {
        ck_assert(!core_any_wake(t.f.core));
        ck_assert_int_ne(next(&t), LEASE_REST);
        answer_one(&t, false);
    }
    note_mark(&t);
    ck_assert(!core_any_wake(t.f.core));
    ck_assert_int_eq(must_commit(&t)->amount, 20 * MICRO);
    commit(&t, true);
    ck_assert_int_eq(next(&t), LEASE_ASK);
    ck_assert_int_eq(t.action.request->rows[0].give, LIMIT - 20);
    ck_assert(!core_any_wake(t.f.core));
    answer_one(&t, false);
    serve(&t);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    end(&t);
}
END_TEST

/* The first who comes waits for the store; nobody overtakes, and nobody is granted by a release. */
START_TEST(what_is_paid_meanwhile_lets_nobody_begin)
{
    struct tenant t;
    const struct spend held = {{60 * MICRO, 0, 0}};
    begin_spent(&t, 0);
    restart(&t);
    core_rehold(t.f.core, &t.f.subject, &held, t.f.now_s, &t.f.grant);
    uint64_t hold = t.f.grant.hold;
    fixture_wait(&t.f, 10, 1);
    fixture_wait(&t.f, 5, 2);
    fixture_settle(&t.f, hold, 0);
    ck_assert(!core_any_wake(t.f.core));
    ck_assert_uint_eq(core_waiting(t.f.core), 2);
    serve(&t);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    end(&t);
}
END_TEST

/* It does not answer the first questions. */
START_TEST(a_store_that_comes_a_second_later_is_waited_for)
{
    struct tenant t;
    begin_spent(&t, 20);
    restart(&t);
    serve_away(&t);
    fixture_wait(&t.f, 10, 1);
    pass_ms(&t, 1000);
    serve_away(&t);
    ck_assert(!core_any_wake(t.f.core));
    ck_assert(core_waits_for_lessor(t.f.core, t.f.grant.waiter));
    pass_ms(&t, 500);
    serve(&t);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    end(&t);
}
END_TEST

START_TEST(who_waits_for_a_store_that_does_not_come_is_told_and_then_who_comes_at_once)
{
    struct tenant t;
    begin_spent(&t, 20);
    restart(&t);
    serve_away(&t);
    fixture_wait(&t.f, 10, 1);
    be_silent(&t);
    ck_assert_int_eq(wake(&t), VERDICT_AWAY);
    ck_assert_int_eq(fixture_reserve(&t.f, 10), VERDICT_AWAY);
    ck_assert_uint_eq(core_waiting(t.f.core), 0);
    ck_assert_uint_eq(core_open_holds(t.f.core), 0);
    end(&t);
}
END_TEST

START_TEST(who_waits_longer_than_it_may_is_told)
{
    struct tenant t;
    begin_spent(&t, 20);
    restart(&t);
    fixture_wait(&t.f, 10, 1);
    ck_assert(core_time_is_up(t.f.core, t.f.grant.waiter, t.f.now_s, &t.f.grant));
    ck_assert_int_eq(t.f.grant.verdict, VERDICT_AWAY);
    ck_assert(text_equal(t.f.grant.blocking.budget, TEXT("org")));
    end(&t);
}
END_TEST

/* An operator must look: that is no matter of seconds. */
START_TEST(nobody_waits_for_a_store_that_is_empty)
{
    struct tenant t;
    store = store_open();
    begin_as(&t, ME, 0);
    fixture_wait(&t.f, 10, 1);
    serve(&t);
    ck_assert_int_eq(wake(&t), VERDICT_AWAY);
    ck_assert_int_eq(fixture_reserve(&t.f, 10), VERDICT_AWAY);
    end(&t);
}
END_TEST

/* Of no session; and nothing is overdrawn as long as it may come. */
START_TEST(who_calls_at_once_on_another_budget_waits_too)
{
    struct tenant t;
    store = store_open();
    store_init(store, "a-fence");
    tenant_begin(&t, LIMIT * MICRO, true);
    core_close(t.f.core);
    t.f.budgets[0].away_open = 50 * MICRO;
    fixture_start(&t.f);
    open_lease(&t, ME, 1, NULL);
    fixture_wait(&t.f, 10, 1);
    serve_away(&t);
    ck_assert(!core_any_wake(t.f.core));
    pass_ms(&t, 1000);
    serve(&t);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    ck_assert_int_eq(t.f.grant.charges[0].overdraft, 0);
    end(&t);
}
END_TEST

/* In the outage growth was refused; who comes while the store is entered again needs no more than
 * what was left of before. */
START_TEST(who_waits_on_what_is_left_is_not_refused_because_growth_was_refused_before)
{
    struct tenant t;
    begin(&t, 0);
    ck_assert_int_eq(ask(&t, 50), VERDICT_GRANTED);
    fixture_settle(&t.f, t.f.grant.hold, 20 * MICRO);
    fixture_wait(&t.f, 70, 1);
    be_cut_off(&t, 4);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED); /* clamped to what is left */
    fixture_settle(&t.f, t.f.grant.hold, 0);
    be_cut_off(&t, 1900);
    ck_assert_int_eq(fixture_reserve(&t.f, 10), VERDICT_AWAY);
    pass_ms(&t, 1000);
    ck_assert_int_eq(next(&t), LEASE_ASK);
    answer_one(&t, false);
    ck_assert_int_eq(next(&t), LEASE_ASK);
    fixture_wait(&t.f, 5, 1);
    answer_one(&t, false);
    while (lease_state(t.lease) != LEASE_OPEN) {
        ck_assert_int_ne(next(&t), LEASE_REST);
        ck_assert(!core_any_wake(t.f.core));
        answer_one(&t, false);
    }
    serve(&t);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    end(&t);
}
END_TEST

/* The store is slow: the move is under way for as long as a call may wait. */
START_TEST(who_waits_for_a_slow_store_is_not_told_of_a_clock_that_was_put_forward)
{
    struct tenant t;
    begin(&t, 0);
    uint64_t id = fixture_wait(&t.f, 50, 1);
    ck_assert_int_eq(next(&t), LEASE_ASK);
    ck_assert_int_eq(t.action.request->kind, STORE_MOVE);
    ck_assert(core_time_is_up(t.f.core, id, t.f.now_s + 5, &t.f.grant));
    ck_assert_int_eq(t.f.grant.verdict, VERDICT_AWAY);
    const char *why = lease_state_why(lease_state(t.lease), lease_grants(t.lease));
    ck_assert_msg(strstr(why, "half an hour") == NULL, "%s", why);
    end(&t);
}
END_TEST

/* The shared budget has room for a small call, not for one that waits for the store besides. */
START_TEST(who_has_no_session_does_not_wait_behind_one_who_waits_for_the_store)
{
    struct tenant t;
    store = store_open();
    store_init(store, "a-fence");
    tenant_begin(&t, LIMIT * MICRO, true);
    core_close(t.f.core);
    struct budget *budget = fixture_budget(&t.f, "session", SCOPE_SESSION, UNIT_USD, LIMIT * MICRO);
    budget->window = WINDOW_TOTAL;
    budget->idle_s = IDLE_S;
    t.f.subject.id[SCOPE_SESSION] = TEXT("alice/1");
    fixture_start(&t.f);
    open_lease(&t, ME, 1, NULL);
    serve(&t);
    ck_assert_int_eq(ask(&t, 50), VERDICT_GRANTED);
    fixture_settle(&t.f, t.f.grant.hold, 0);
    struct charge row = journal_of(&t);
    lease_close(t.lease);
    core_close(t.f.core);
    fixture_start(&t.f);
    row.id = t.f.subject.id[t.f.budgets[0].scope];
    core_restore_ceiling(t.f.core, &row);
    open_lease(&t, ME, 2, &row);
    fixture_wait(&t.f, 90, 1);
    t.f.subject.id[SCOPE_SESSION] = (struct text)TEXT_NONE;
    ck_assert_int_eq(fixture_reserve(&t.f, 10), VERDICT_GRANTED);
    end(&t);
}
END_TEST

UNIT_MAIN(who_has_no_session_does_not_wait_behind_one_who_waits_for_the_store,
          who_waits_for_a_slow_store_is_not_told_of_a_clock_that_was_put_forward,
          who_waits_on_what_is_left_is_not_refused_because_growth_was_refused_before,
          what_the_journal_has_of_a_session_is_not_used_before_the_store_was_heard,
          what_the_journal_has_of_a_session_goes_back_when_it_is_used,
          what_is_held_again_at_a_start_is_not_given_back,
          a_session_that_is_long_over_is_not_stated_in_a_recovery, one_that_is_not_over_is_stated,
          what_was_not_stated_by_mistake_is_not_used_and_what_was_spent_is_charged,
          nor_is_one_of_which_only_its_row_is_left,
          the_rows_of_many_accounts_are_renewed_in_portions,
          who_calls_at_once_waits_until_the_store_answers,
          who_waits_on_what_the_journal_has_is_granted_only_what_the_store_grants,
          what_is_paid_meanwhile_lets_nobody_begin, a_store_that_comes_a_second_later_is_waited_for,
          who_waits_for_a_store_that_does_not_come_is_told_and_then_who_comes_at_once,
          who_waits_longer_than_it_may_is_told, nobody_waits_for_a_store_that_is_empty,
          who_calls_at_once_on_another_budget_waits_too)
