/*
 * Rolling windows: the accounts of their sub-buckets have one limit together, in the core alone and
 * with a lease.
 */
#include "budget/core_state.h"
#include "tenant.h"

#define WINDOW_S INT64_C(240) /* sub-buckets of 10 s; NOON_S begins one */
#define BUCKET_S 10

static void set_rolling(struct budget *budget, int64_t length_s)
{
    budget->window = WINDOW_ROLLING;
    budget->rolling_s = length_s;
}

static struct fixture rolling_fixture(int64_t limit)
{
    struct fixture f = fixture_new();
    set_rolling(fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, limit), WINDOW_S);
    f.options.clamp = CLAMP_NEVER;
    fixture_start(&f);
    return f;
}

static void spend(struct fixture *f, int64_t output)
{
    fixture_settle(f, fixture_hold(f, output), 2 * output);
}

START_TEST(spend_counts_for_a_whole_window_and_never_longer_than_a_sub_bucket_more)
{
    struct fixture f = rolling_fixture(1000);
    f.now_s += BUCKET_S - 1;
    spend(&f, 500);
    ck_assert_int_eq(fixture_reserve(&f, 10), VERDICT_EXHAUSTED);
    f.now_s += WINDOW_S;
    ck_assert_int_eq(fixture_reserve(&f, 10), VERDICT_EXHAUSTED);
    f.now_s += 1; /* the 25th sub-bucket after it */
    ck_assert_int_eq(fixture_reserve(&f, 500), VERDICT_GRANTED);
    fixture_end(&f);
}
END_TEST

START_TEST(what_was_spent_comes_back_as_it_was_spent)
{
    struct fixture f = rolling_fixture(1000);
    for (int bucket = 0; bucket < 25; bucket++) {
        spend(&f, 20);
        f.now_s += BUCKET_S;
    }
    spend(&f, 20);
    ck_assert_int_eq(fixture_reserve(&f, 10), VERDICT_EXHAUSTED);
    f.now_s += BUCKET_S;
    spend(&f, 20);
    ck_assert_int_eq(fixture_reserve(&f, 10), VERDICT_EXHAUSTED);
    fixture_end(&f);
}
END_TEST

START_TEST(a_request_is_booked_where_it_was_admitted)
{
    struct fixture f = rolling_fixture(1000);
    uint64_t hold = fixture_hold(&f, 500);
    ck_assert_str_eq(f.grant.charges[0].window, "r2026-11-21T120000");
    f.now_s += 20 * BUCKET_S;
    fixture_settle(&f, hold, 1000);
    ck_assert_int_eq(fixture_reserve(&f, 10), VERDICT_EXHAUSTED);
    f.now_s += 5 * BUCKET_S;
    ck_assert_int_eq(fixture_reserve(&f, 500), VERDICT_GRANTED);
    ck_assert_str_eq(f.grant.charges[0].window, "r2026-11-21T120410");
    fixture_end(&f);
}
END_TEST

START_TEST(a_long_hold_is_not_forgotten_where_it_counts_no_more)
{
    struct fixture f = rolling_fixture(1000);
    uint64_t hold = fixture_hold(&f, 500);
    f.now_s += 100 * BUCKET_S;
    for (int i = 0; i < 100; i++)
        spend(&f, 0 + 5);
    fixture_settle(&f, hold, 1000);
    ck_assert_int_eq(fixture_reserve(&f, 10), VERDICT_EXHAUSTED); /* by the hundred */
    fixture_end(&f);
}
END_TEST

START_TEST(one_who_waits_for_an_earlier_sub_buckets_hold_is_woken)
{
    struct fixture f = rolling_fixture(1000);
    uint64_t hold = fixture_hold(&f, 500);
    f.now_s += BUCKET_S;
    fixture_wait(&f, 100, 7);
    fixture_settle(&f, hold, 300);
    ck_assert_uint_eq(fixture_wake(&f), 7);
    ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    ck_assert_str_eq(f.grant.charges[0].window, "r2026-11-21T120010");
    fixture_end(&f);
}
END_TEST

START_TEST(one_who_waits_is_booked_on_the_sub_bucket_of_its_admission)
{
    struct fixture f = rolling_fixture(1000);
    spend(&f, 100);
    f.now_s += 24 * BUCKET_S;
    uint64_t hold = fixture_hold(&f, 400);
    fixture_wait(&f, 350, 7);
    f.now_s += BUCKET_S;
    core_turn(f.core, f.now_s); /* the 100 have fallen out of it, and the 400 are held still */
    ck_assert_uint_eq(fixture_wake(&f), 0);
    fixture_settle(&f, hold, 200);
    ck_assert_uint_eq(fixture_wake(&f), 7);
    ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    ck_assert_str_eq(f.grant.charges[0].window, "r2026-11-21T120410");
    fixture_end(&f);
}
END_TEST

START_TEST(who_waits_is_served_when_enough_has_fallen_out)
{
    struct fixture f = rolling_fixture(1000);
    uint64_t old = fixture_hold(&f, 200);
    f.now_s += 24 * BUCKET_S;
    fixture_wait(&f, 450, 7);
    f.now_s += BUCKET_S;
    core_turn(f.core, f.now_s);
    ck_assert_uint_eq(fixture_wake(&f), 7);
    ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    fixture_settle(&f, old, 400);
    fixture_end(&f);
}
END_TEST

START_TEST(an_extension_must_fit_into_every_span_that_its_sub_bucket_lies_in)
{
    struct fixture f = rolling_fixture(1000);
    core_close(f.core);
    f.options.clamp = CLAMP_ALWAYS;
    fixture_start(&f);
    spend(&f, 300); /* 600 in sub-bucket 0 */
    f.now_s += 24 * BUCKET_S;
    struct ask ask = fixture_ask(&f, 0, 200);
    ask.slice_tokens = 100;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_GRANTED); /* 200 of 400 in the 24th */
    uint64_t hold = f.grant.hold;
    struct ask other = fixture_ask(&f, 0, 80);
    ck_assert_int_eq(fixture_reserve_ask(&f, &other), VERDICT_GRANTED); /* 160 */
    f.now_s += BUCKET_S; /* now the 600 count no more, but with the 24th they did */
    spend(&f, 10);
    core_extend(f.core, hold, 120, &f.grant);
    ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    core_extend(f.core, hold, 121, &f.grant);
    ck_assert_int_eq(f.grant.verdict, VERDICT_CONTENTION);
    fixture_end(&f);
}
END_TEST

START_TEST(it_is_shown_as_one_line)
{
    struct fixture f = rolling_fixture(1000);
    spend(&f, 100);
    f.now_s += 3 * BUCKET_S;
    spend(&f, 50);
    f.now_s += 2 * BUCKET_S;
    fixture_hold(&f, 30);
    f.now_s += 5;
    struct account_view views[4];
    ck_assert_uint_eq(core_view(f.core, NULL, true, f.now_s, views, 4), 1);
    ck_assert_uint_eq(core_view(f.core, &f.subject, false, f.now_s, views, 4), 1);
    ck_assert_int_eq(views[0].spent, 300);
    ck_assert_int_eq(views[0].held, 60);
    ck_assert_int_eq(views[0].limit, 1000);
    ck_assert_int_eq(views[0].window.kind, WINDOW_ROLLING);
    ck_assert_int_eq(views[0].window.end_s, f.now_s);
    ck_assert_int_eq(views[0].window.start_s, NOON_S + 50 - WINDOW_S);
    ck_assert_int_eq(views[0].resets_s, NOON_S + 25 * BUCKET_S);
    struct account_view tightest;
    ck_assert(core_tightest(f.core, &f.subject, f.now_s, &tightest));
    ck_assert_int_eq(tightest.spent, 300);
    fixture_end(&f);
}
END_TEST

START_TEST(a_refusal_says_when_enough_falls_out_of_it)
{
    struct fixture f = rolling_fixture(1000);
    spend(&f, 50);
    f.now_s += 4 * BUCKET_S;
    spend(&f, 400);
    f.now_s += BUCKET_S;
    ck_assert_int_eq(fixture_reserve(&f, 100), VERDICT_EXHAUSTED); /* 100 left, 100 lack */
    ck_assert_int_eq(f.grant.blocking.resets_s, NOON_S + 25 * BUCKET_S);
    ck_assert_int_eq(fixture_reserve(&f, 200), VERDICT_EXHAUSTED);
    ck_assert_int_eq(f.grant.blocking.resets_s, NOON_S + 29 * BUCKET_S);
    ck_assert_int_eq(f.grant.blocking.spent, 900);
    fixture_end(&f);
}
END_TEST

START_TEST(each_id_is_shown_once_also_of_what_was_restored)
{
    struct fixture f = fixture_new();
    set_rolling(fixture_budget(&f, "teams", SCOPE_TEAM, UNIT_USD, 1000), WINDOW_S);
    fixture_start(&f);
    struct charge charges[3];
    for (int at = 0; at < 3; at++) {
        fixture_hold(&f, 10);
        charges[at] = f.grant.charges[0];
        charges[at].id = TEXT("research");
        f.now_s += 2 * BUCKET_S;
    }
    core_close(f.core);
    fixture_start(&f);
    for (int at = 0; at < 3; at++)
        core_restore(f.core, &charges[at]);
    struct account_view views[8];
    ck_assert_uint_eq(core_view(f.core, NULL, true, f.now_s, views, 8), 1);
    ck_assert_int_eq(views[0].spent, 60);
    ck_assert_str_eq(views[0].id, "research");
    ck_assert_uint_eq(core_view(f.core, &f.subject, false, f.now_s, views, 8), 1);
    ck_assert_int_eq(views[0].spent, 60);
    fixture_hold(&f, 10);
    ck_assert_uint_eq(core_view(f.core, NULL, true, f.now_s, views, 8), 1);
    ck_assert_int_eq(views[0].spent, 60);
    ck_assert_int_eq(views[0].held, 20);
    ck_assert_uint_eq(core_view(f.core, NULL, true, f.now_s + 25 * BUCKET_S, views, 8), 0);
    fixture_end(&f);
}
END_TEST

START_TEST(what_was_restored_counts_sub_bucket_by_sub_bucket)
{
    struct fixture f = rolling_fixture(1000);
    struct charge charges[2];
    fixture_hold(&f, 200);
    charges[0] = f.grant.charges[0];
    f.now_s += 10 * BUCKET_S;
    fixture_hold(&f, 300);
    charges[1] = f.grant.charges[0];
    charges[0].id = charges[1].id = TEXT("all");
    core_close(f.core);
    fixture_start(&f);
    core_restore(f.core, &charges[0]);
    core_restore(f.core, &charges[1]);
    f.now_s = NOON_S + 24 * BUCKET_S;
    ck_assert_int_eq(fixture_reserve(&f, 10), VERDICT_EXHAUSTED);
    f.now_s += BUCKET_S;
    spend(&f, 200);
    ck_assert_int_eq(fixture_reserve(&f, 10), VERDICT_EXHAUSTED);
    fixture_end(&f);
}
END_TEST

START_TEST(another_limit_keeps_the_spend_and_another_length_does_not)
{
    struct fixture f = rolling_fixture(1000);
    spend(&f, 200);
    f.now_s += BUCKET_S;
    spend(&f, 200);
    f.options.budgets = f.budgets; /* it was copied */
    f.budgets[0].limit[UNIT_USD] = 900;
    f.budgets[0].timezone = TEXT("Europe/Madrid"); /* it matters to nobody */
    core_redefine(f.core, &f.options);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 800);
    ck_assert_int_eq(fixture_reserve(&f, 51), VERDICT_EXHAUSTED);
    spend(&f, 50);
    f.budgets[0].rolling_s = 2 * WINDOW_S;
    core_redefine(f.core, &f.options);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 0);
    f.budgets[0].rolling_s = WINDOW_S;
    core_redefine(f.core, &f.options);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 900);
    ck_assert_int_eq(fixture_reserve(&f, 10), VERDICT_EXHAUSTED);
    fixture_end(&f);
}
END_TEST

START_TEST(a_budget_that_comes_back_while_a_call_runs_counts_what_was_spent_before)
{
    struct fixture f = rolling_fixture(1000);
    spend(&f, 400);
    f.now_s += BUCKET_S;
    uint64_t hold = fixture_hold(&f, 50);
    f.options.budgets = f.budgets;
    f.options.budget_count = 0;
    core_redefine(f.core, &f.options);
    f.options.budget_count = 1;
    core_redefine(f.core, &f.options);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 800);
    ck_assert_int_eq(fixture_reserve(&f, 101), VERDICT_EXHAUSTED);
    fixture_settle(&f, hold, 100);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 900);
    fixture_end(&f);
}
END_TEST

START_TEST(sub_buckets_that_count_no_more_make_room)
{
    struct fixture f = fixture_new();
    f.options.max_accounts = 40;
    set_rolling(fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 100000), WINDOW_S);
    fixture_start(&f);
    for (int bucket = 0; bucket < 500; bucket++) {
        spend(&f, 10);
        f.now_s += BUCKET_S;
    }
    ck_assert_int_eq(fixture_view(&f, 0).spent, 24 * 20);
    fixture_end(&f);
}
END_TEST

/* ---- with a lease ---- */

static void rolling_tenant(struct tenant *t, int64_t limit, bool shared)
{
    tenant_begin(t, limit, shared);
    core_close(t->f.core);
    set_rolling(&t->f.budgets[0], WINDOW_S);
    fixture_start(&t->f);
    tenant_lease(t, shared, NULL, 0);
}

static void lease_until_it_rests(struct tenant *t)
{
    while (next(t) == LEASE_COMMIT)
        commit(t, true);
}

static int64_t sum_of_ceilings(const struct tenant *t)
{
    int64_t sum = 0;
    const struct account *account = t->f.core->accounts.lanes[0].first;
    for (; account != NULL; account = account->next)
        sum += account->ceiling;
    return sum;
}

START_TEST(alone_the_ceilings_of_a_window_stay_under_its_limit_together)
{
    struct tenant t;
    rolling_tenant(&t, 1000 * MICRO, false);
    for (int bucket = 0; bucket < 24; bucket++) {
        struct ask ask = fixture_ask(&t.f, 0, 40);
        if (fixture_reserve_ask(&t.f, &ask) == VERDICT_WAIT) {
            lease_until_it_rests(&t);
            ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
        }
        fixture_settle(&t.f, t.f.grant.hold, 30 * MICRO);
        lease_until_it_rests(&t);
        ck_assert_int_le(sum_of_ceilings(&t), 1000 * MICRO);
        pass_ms(&t, 1000 * BUCKET_S);
    }
    ck_assert_int_eq(fixture_view(&t.f, 0).spent, 24 * 30 * MICRO);
    tenant_close(&t);
}
END_TEST

START_TEST(alone_what_an_earlier_sub_bucket_does_not_use_is_had_at_once)
{
    struct tenant t;
    rolling_tenant(&t, 1000 * MICRO, false);
    wait_for(&t, 900);
    lease_until_it_rests(&t);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    uint64_t hold = t.f.grant.hold;
    t.f.now_s += BUCKET_S; /* no second of the lease's clock passes: nothing is idle */
    fixture_wait(&t.f, 800, 1);
    lease_until_it_rests(&t);
    ck_assert(!core_any_wake(t.f.core));
    fixture_settle(&t.f, hold, 100 * MICRO);
    lease_until_it_rests(&t);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    ck_assert_int_le(sum_of_ceilings(&t), 1000 * MICRO);
    tenant_close(&t);
}
END_TEST

START_TEST(alone_an_earlier_sub_bucket_grows_for_its_stream)
{
    struct tenant t;
    rolling_tenant(&t, 1000 * MICRO, false);
    struct ask ask = fixture_ask(&t.f, 0, 500);
    ask.slice_tokens = 50;
    ck_assert_int_eq(fixture_reserve_ask(&t.f, &ask), VERDICT_WAIT);
    lease_until_it_rests(&t);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    uint64_t hold = t.f.grant.hold;
    t.f.now_s += BUCKET_S;
    wait_for(&t, 100);
    lease_until_it_rests(&t);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    core_extend(t.f.core, hold, 300, &t.f.grant);
    if (t.f.grant.verdict != VERDICT_GRANTED) {
        lease_until_it_rests(&t);
        core_extend(t.f.core, hold, 300, &t.f.grant);
    }
    ck_assert_int_eq(t.f.grant.verdict, VERDICT_GRANTED);
    ck_assert_int_le(sum_of_ceilings(&t), 1000 * MICRO);
    tenant_close(&t);
}
END_TEST

START_TEST(what_was_heard_of_others_holds_until_more_is_heard)
{
    struct tenant t;
    rolling_tenant(&t, 1000 * MICRO, true);
    enter(&t);
    wait_for(&t, 100);
    ck_assert(must_ask(&t, STORE_MOVE)->rows[0].rolling);
    t.reply.row_count = 1;
    t.reply.gseq++;
    t.reply.rows[0] = (struct store_answer){
        .moved = 100, .granted = 100, .total = 100, .beside_granted = 300, .beside_spent = 200};
    lease_replied(t.lease, t.now_ms, &t.reply);
    must_note(&t);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    ck_assert_int_eq(fixture_view(&t.f, 0).elsewhere, 200 * MICRO);
    fixture_wait(&t.f, 50, 1);
    must_ask(&t, STORE_MOVE);
    fail_with(&t, STORE_OLD_FENCE);
    ck_assert_int_eq(fixture_view(&t.f, 0).elsewhere, 200 * MICRO);
    tenant_close(&t);
}
END_TEST

/* Whatever was asked for and whose reply was lost is stated, and what the store has of it lowered.
 */
static void state_what_nobody_heard_of(struct tenant *t, uint64_t lost)
{
    const struct store_request *sync = must_ask(t, STORE_SYNC);
    size_t at = 0;
    while (at < sync->row_count && sync->rows[at].account != lost)
        at++;
    ck_assert_uint_lt(at, sync->row_count);
    ck_assert_int_eq(sync->rows[at].value, 0);
    answer(t, 0, 0);
}

/* The account that is asked for. */
static uint64_t ask_for_much(struct tenant *t)
{
    rolling_tenant(t, 1000 * MICRO, true);
    enter(t);
    wait_for(t, 900);
    return must_ask(t, STORE_MOVE)->rows[0].account;
}

static uint64_t lose_a_grant(struct tenant *t)
{
    uint64_t lost = ask_for_much(t);
    fail_with(t, STORE_AWAY); /* it was granted */
    ck_assert_int_eq(wake(t), VERDICT_AWAY);
    return lost;
}

static void next_bucket(struct tenant *t)
{
    pass_ms(t, 1000 * BUCKET_S);
    core_turn(t->f.core, t->f.now_s);
}

START_TEST(what_was_granted_to_a_sub_bucket_and_got_lost_goes_back_when_that_is_past)
{
    struct tenant t;
    uint64_t lost = lose_a_grant(&t);
    next_bucket(&t);
    state_what_nobody_heard_of(&t, lost);
    tenant_close(&t);
}
END_TEST

START_TEST(also_when_the_store_is_back_only_sub_buckets_later)
{
    struct tenant t;
    uint64_t lost = lose_a_grant(&t);
    for (int bucket = 0; bucket < 20; bucket++) {
        next_bucket(&t);
        must_ask(&t, STORE_SYNC);
        fail_with(&t, STORE_AWAY);
        fixture_wait(&t.f, 100, 1);
        must_rest(&t);
        ck_assert_int_eq(wake(&t), VERDICT_AWAY);
    }
    next_bucket(&t);
    state_what_nobody_heard_of(&t, lost);
    tenant_close(&t);
}
END_TEST

START_TEST(and_also_if_it_could_not_be_noted)
{
    struct tenant t;
    uint64_t lost = ask_for_much(&t);
    answer(&t, 900, 900);
    must_commit(&t);
    commit(&t, false);
    ck_assert_int_eq(wake(&t), VERDICT_AWAY);
    next_bucket(&t);
    must_note(&t);
    state_what_nobody_heard_of(&t, lost);
    tenant_close(&t);
}
END_TEST

UNIT_MAIN(what_was_granted_to_a_sub_bucket_and_got_lost_goes_back_when_that_is_past,
          and_also_if_it_could_not_be_noted, also_when_the_store_is_back_only_sub_buckets_later,
          what_was_heard_of_others_holds_until_more_is_heard,
          spend_counts_for_a_whole_window_and_never_longer_than_a_sub_bucket_more,
          what_was_spent_comes_back_as_it_was_spent, a_request_is_booked_where_it_was_admitted,
          a_long_hold_is_not_forgotten_where_it_counts_no_more,
          one_who_waits_for_an_earlier_sub_buckets_hold_is_woken,
          one_who_waits_is_booked_on_the_sub_bucket_of_its_admission,
          who_waits_is_served_when_enough_has_fallen_out,
          an_extension_must_fit_into_every_span_that_its_sub_bucket_lies_in,
          it_is_shown_as_one_line, a_refusal_says_when_enough_falls_out_of_it,
          each_id_is_shown_once_also_of_what_was_restored,
          what_was_restored_counts_sub_bucket_by_sub_bucket,
          another_limit_keeps_the_spend_and_another_length_does_not,
          a_budget_that_comes_back_while_a_call_runs_counts_what_was_spent_before,
          sub_buckets_that_count_no_more_make_room,
          alone_the_ceilings_of_a_window_stay_under_its_limit_together,
          alone_what_an_earlier_sub_bucket_does_not_use_is_had_at_once,
          alone_an_earlier_sub_bucket_grows_for_its_stream)
