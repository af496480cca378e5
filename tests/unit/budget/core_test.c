/*
 * The budget core: what is granted, clamped and refused, and how it is booked.
 */
#include "fixture.h"

START_TEST(without_a_budget_everything_is_granted_and_nothing_held)
{
    struct fixture f = fixture_new();
    fixture_start(&f);
    struct ask ask = fixture_ask(&f, 5, INT64_MAX);
    ask.named = false;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_GRANTED);
    ck_assert_uint_eq(f.grant.hold, 0);
    ck_assert_int_eq(f.grant.max_output, INT64_MAX);
    ck_assert(!f.grant.send_max);
    ck_assert(!f.grant.clamped);
    ck_assert_int_eq(f.grant.amount.nano, 0);
    ck_assert_uint_eq(core_open_holds(f.core), 0);
    ck_assert(!core_any_usd(f.core));
    fixture_end(&f);
}
END_TEST

START_TEST(holds_the_bound_in_every_unit_and_settles_what_was_used)
{
    struct fixture f = fixture_new();
    struct budget *budget = fixture_budget(&f, "day", SCOPE_GLOBAL, UNIT_USD, 1000);
    budget->limit[UNIT_TOKENS] = 500;
    budget->limit[UNIT_REQUESTS] = 2;
    fixture_start(&f);
    struct ask ask = fixture_ask(&f, 100, 50);
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.amount.nano, 200);
    ck_assert_int_eq(f.grant.tokens, 150);
    ck_assert_uint_eq(f.grant.charge_count, 3);
    ck_assert_int_eq(fixture_view(&f, UNIT_USD).held, 200);
    ck_assert_int_eq(fixture_view(&f, UNIT_TOKENS).held, 150);
    ck_assert_int_eq(fixture_view(&f, UNIT_REQUESTS).held, 1);
    struct spend used = {{120, 90, 1}};
    struct money over = {7};
    core_settle(f.core, f.grant.hold, &used, &over);
    ck_assert_int_eq(over.nano, 0);
    ck_assert_int_eq(fixture_view(&f, UNIT_USD).spent, 120);
    ck_assert_int_eq(fixture_view(&f, UNIT_TOKENS).spent, 90);
    ck_assert_int_eq(fixture_view(&f, UNIT_REQUESTS).spent, 1);
    ck_assert_int_eq(fixture_view(&f, UNIT_USD).held, 0);
    ck_assert_uint_eq(core_open_holds(f.core), 0);
    fixture_end(&f);
}
END_TEST

START_TEST(a_charge_names_its_account)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "team-day", SCOPE_TEAM, UNIT_USD, 1000);
    fixture_start(&f);
    fixture_hold(&f, 50);
    const struct charge *charge = &f.grant.charges[0];
    ck_assert_uint_ne(charge->account, 0);
    ck_assert_int_eq(charge->amount, 100);
    ck_assert_int_eq(charge->unit, UNIT_USD);
    ck_assert_int_eq(charge->scope, SCOPE_TEAM);
    UNIT_TEXT(charge->budget, "team-day");
    UNIT_TEXT(charge->id, "research");
    ck_assert_str_eq(charge->window, "2026-11-21");
    ck_assert_int_eq(charge->until_s, NOON_S + DAY_S / 2 + 7200);
    fixture_end(&f);
}
END_TEST

START_TEST(refuses_when_the_team_limit_is_short_and_touches_no_other_account)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 1000);
    fixture_budget(&f, "team", SCOPE_TEAM, UNIT_USD, 100);
    f.options.clamp = CLAMP_NEVER;
    fixture_start(&f);
    fixture_settle(&f, fixture_hold(&f, 30), 60);
    ck_assert_int_eq(fixture_reserve(&f, 30), VERDICT_EXHAUSTED);
    UNIT_TEXT(f.grant.blocking.budget, "team");
    ck_assert_str_eq(f.grant.blocking.id, "research");
    ck_assert_int_eq(f.grant.blocking.spent, 60);
    ck_assert_int_eq(f.grant.blocking.limit, 100);
    ck_assert_int_eq(fixture_view(&f, 0).held, 0);
    ck_assert_int_eq(fixture_view(&f, 1).held, 0);
    fixture_end(&f);
}
END_TEST

START_TEST(says_that_a_request_never_fits_and_what_would)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 100);
    f.options.clamp = CLAMP_NEVER;
    fixture_start(&f);
    struct ask ask = fixture_ask(&f, 20, 41);
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_NEVER_FITS);
    ck_assert_int_eq(f.grant.affordable_max_output, 40);
    UNIT_TEXT(f.grant.blocking.budget, "org");
    ask.bound.input_tokens = 101;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_NEVER_FITS);
    ck_assert_int_eq(f.grant.affordable_max_output, 0);
    fixture_end(&f);
}
END_TEST

START_TEST(clamps_to_what_is_left)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 100);
    fixture_start(&f);
    fixture_settle(&f, fixture_hold(&f, 30), 60);
    struct ask ask = fixture_ask(&f, 10, 1000);
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.max_output, 15);
    ck_assert(f.grant.clamped);
    ck_assert(f.grant.send_max);
    ck_assert_int_eq(f.grant.amount.nano, 40);
    fixture_end(&f);
}
END_TEST

START_TEST(does_not_clamp_below_the_least_output)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 100);
    fixture_start(&f);
    fixture_settle(&f, fixture_hold(&f, 40), 81);
    ck_assert_int_eq(fixture_reserve(&f, 1000), VERDICT_EXHAUSTED);
    ck_assert_int_eq(fixture_reserve(&f, 9), VERDICT_GRANTED);
    fixture_end(&f);
}
END_TEST

START_TEST(a_request_for_less_than_the_least_output_may_be_as_small)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 100);
    fixture_start(&f);
    fixture_settle(&f, fixture_hold(&f, 40), 91);
    ck_assert_int_eq(fixture_reserve(&f, 5), VERDICT_EXHAUSTED);
    ck_assert_int_eq(fixture_reserve(&f, 4), VERDICT_GRANTED);
    ck_assert(!f.grant.clamped);
    fixture_end(&f);
}
END_TEST

START_TEST(clamp_absent_spares_what_the_client_named)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 100);
    f.options.clamp = CLAMP_ABSENT;
    fixture_start(&f);
    ck_assert_int_eq(fixture_reserve(&f, 51), VERDICT_NEVER_FITS);
    struct ask ask = fixture_ask(&f, 0, 51);
    ask.named = false;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.max_output, 12);
    fixture_end(&f);
}
END_TEST

START_TEST(without_a_maximum_holds_a_quarter_of_what_is_left)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 1000);
    fixture_start(&f);
    fixture_settle(&f, fixture_hold(&f, 50), 90);
    struct ask ask = fixture_ask(&f, 110, INT64_MAX);
    ask.named = false;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.max_output, (1000 - 90 - 110) / 4 / 2);
    ck_assert(f.grant.send_max);
    ck_assert(f.grant.clamped);
    fixture_end(&f);
}
END_TEST

START_TEST(without_a_maximum_holds_at_least_the_least_output)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 60);
    fixture_start(&f);
    struct ask ask = fixture_ask(&f, 20, 500);
    ask.named = false;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.max_output, 10);
    fixture_end(&f);
}
END_TEST

START_TEST(without_a_maximum_the_models_own_and_the_default_bound_it)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 1000000);
    f.options.default_max_output = 300;
    fixture_start(&f);
    struct ask ask = fixture_ask(&f, 0, 500);
    ask.named = false;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.max_output, 300);
    ck_assert(f.grant.send_max);
    ck_assert(!f.grant.clamped);
    ask.wanted_output = 200;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.max_output, 200);
    ck_assert(!f.grant.send_max);
    fixture_end(&f);
}
END_TEST

START_TEST(clamp_never_takes_no_quarter)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 1000);
    f.options.clamp = CLAMP_NEVER;
    f.options.default_max_output = 400;
    fixture_start(&f);
    struct ask ask = fixture_ask(&f, 0, INT64_MAX);
    ask.named = false;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.max_output, 400);
    ck_assert(f.grant.send_max);
    fixture_end(&f);
}
END_TEST

START_TEST(an_unknown_maximum_that_may_not_be_clamped_is_unbounded)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 1000);
    f.options.clamp = CLAMP_NEVER;
    fixture_start(&f);
    struct ask ask = fixture_ask(&f, 0, INT64_MAX);
    ask.named = false;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_UNBOUNDED);
    UNIT_TEXT(f.grant.blocking.budget, "org");
    fixture_end(&f);
}
END_TEST

START_TEST(refuses_what_has_no_bound_or_no_price_only_where_that_matters)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "usd", SCOPE_KEY, UNIT_USD, 1000);
    fixture_budget(&f, "tokens", SCOPE_TEAM, UNIT_TOKENS, 1000);
    fixture_budget(&f, "calls", SCOPE_GLOBAL, UNIT_REQUESTS, 1000);
    fixture_start(&f);
    struct ask ask = fixture_ask(&f, INT64_MAX, 10);
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_UNBOUNDED);
    ask = fixture_ask(&f, 10, 10);
    ask.unbounded = true;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_UNBOUNDED);
    ask.unbounded = false;
    ask.price = NULL;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_UNPRICED);
    f.subject.id[SCOPE_KEY] = TEXT_NONE;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.tokens, 20);
    f.subject.id[SCOPE_TEAM] = TEXT_NONE;
    ask.unbounded = true;
    ask.bound.input_tokens = INT64_MAX;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_GRANTED);
    ck_assert_uint_eq(f.grant.charge_count, 1);
    fixture_end(&f);
}
END_TEST

START_TEST(embeddings_are_never_clamped_and_need_no_maximum)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 100);
    fixture_start(&f);
    struct ask ask = fixture_ask(&f, 60, INT64_MAX);
    ask.named = false;
    ask.bound.output_free = true;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.amount.nano, 60);
    ck_assert_int_eq(f.grant.max_output, 0);
    ck_assert(!f.grant.send_max);
    fixture_settle(&f, f.grant.hold, 60);
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_EXHAUSTED);
    fixture_end(&f);
}
END_TEST

START_TEST(a_request_limit_bounds_each_request_alone)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "one-call", SCOPE_REQUEST, UNIT_USD, 100);
    fixture_start(&f);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(fixture_reserve(&f, 1000), VERDICT_GRANTED);
        ck_assert_int_eq(f.grant.max_output, 50);
        ck_assert(f.grant.clamped);
        ck_assert_uint_eq(f.grant.hold, 0);
    }
    struct ask ask = fixture_ask(&f, 90, 10);
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_NEVER_FITS);
    UNIT_TEXT(f.grant.blocking.budget, "one-call");
    ck_assert_str_eq(f.grant.blocking.window.id, "request");
    ck_assert_int_eq(f.grant.affordable_max_output, 5);
    fixture_end(&f);
}
END_TEST

START_TEST(a_limit_of_requests_counts_them)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "calls", SCOPE_KEY, UNIT_REQUESTS, 2);
    fixture_start(&f);
    fixture_settle(&f, fixture_hold(&f, 5), 5);
    uint64_t second = fixture_hold(&f, 5);
    fixture_wait(&f, 5, 9);
    fixture_settle(&f, second, 5);
    ck_assert_uint_eq(fixture_wake(&f), 9);
    ck_assert_int_eq(f.grant.verdict, VERDICT_EXHAUSTED);
    ck_assert_int_eq(fixture_reserve(&f, 5), VERDICT_EXHAUSTED);
    fixture_end(&f);
}
END_TEST

START_TEST(a_limit_of_zero_refuses_what_costs_anything)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "none", SCOPE_KEY, UNIT_USD, 0);
    fixture_start(&f);
    ck_assert_int_eq(fixture_reserve(&f, 5), VERDICT_NEVER_FITS);
    f.price = fixture_price(0, 0);
    ck_assert_int_eq(fixture_reserve(&f, 5), VERDICT_GRANTED);
    fixture_end(&f);
}
END_TEST

START_TEST(a_bill_above_its_hold_is_booked_and_told)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 100);
    fixture_start(&f);
    struct spend used = {{250, 0, 1}};
    struct money over;
    core_settle(f.core, fixture_hold(&f, 50), &used, &over);
    ck_assert_int_eq(over.nano, 150);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 250);
    ck_assert_int_eq(fixture_reserve(&f, 1), VERDICT_EXHAUSTED);
    fixture_end(&f);
}
END_TEST

START_TEST(absurd_bills_neither_wrap_nor_abort)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, MONEY_MOST.nano);
    fixture_start(&f);
    uint64_t holds[] = {fixture_hold(&f, 50), fixture_hold(&f, 50), fixture_hold(&f, 50)};
    for (size_t i = 0; i < 3; i++)
        fixture_settle(&f, holds[i], MONEY_MOST.nano);
    ck_assert_int_gt(fixture_view(&f, 0).spent, MONEY_MOST.nano);
    ck_assert_int_eq(fixture_reserve(&f, 5), VERDICT_EXHAUSTED);
    fixture_end(&f);
}
END_TEST

START_TEST(overrides_and_the_buffer_make_the_limit)
{
    struct fixture f = fixture_new();
    struct budget *budget = fixture_budget(&f, "team", SCOPE_TEAM, UNIT_USD, 100);
    struct budget_override research = {TEXT("research"), {1000, LIMIT_NONE, LIMIT_NONE}};
    budget->overrides = &research;
    budget->override_count = 1;
    budget->buffer_bp = 1000;
    fixture_start(&f);
    fixture_hold(&f, 450);
    ck_assert_int_eq(fixture_view(&f, 0).limit, 900);
    ck_assert_int_eq(fixture_view(&f, 0).limit_configured, 1000);
    f.subject.id[SCOPE_TEAM] = TEXT("sales");
    fixture_hold(&f, 45);
    ck_assert_int_eq(fixture_reserve(&f, 45), VERDICT_WAIT);
    fixture_end(&f);
}
END_TEST

START_TEST(an_override_may_limit_a_unit_for_one_id_alone)
{
    struct fixture f = fixture_new();
    struct budget *budget = fixture_budget(&f, "team", SCOPE_TEAM, UNIT_USD, 100);
    struct budget_override sales = {TEXT("sales"), {LIMIT_NONE, 10, LIMIT_NONE}};
    budget->overrides = &sales;
    budget->override_count = 1;
    fixture_start(&f);
    fixture_hold(&f, 20);
    ck_assert_uint_eq(f.grant.charge_count, 1);
    f.subject.id[SCOPE_TEAM] = TEXT("sales");
    ck_assert_int_eq(fixture_reserve(&f, 20), VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.max_output, 10);
    ck_assert_uint_eq(f.grant.charge_count, 2);
    fixture_end(&f);
}
END_TEST

START_TEST(every_tag_that_matches_is_charged_once)
{
    struct fixture f = fixture_new();
    struct budget *budget = fixture_budget(&f, "projects", SCOPE_TAG, UNIT_USD, 100);
    struct budget_match match = {SCOPE_TAG, TEXT("p-*")};
    budget->match = &match;
    budget->match_count = 1;
    f.subject.tags[0] = TEXT("p-one");
    f.subject.tags[1] = TEXT("urgent");
    f.subject.tags[2] = TEXT("p-two");
    f.subject.tags[3] = TEXT("p-one");
    f.subject.tag_count = 4;
    fixture_start(&f);
    fixture_hold(&f, 20);
    ck_assert_uint_eq(f.grant.charge_count, 2);
    UNIT_TEXT(f.grant.charges[0].id, "p-one");
    UNIT_TEXT(f.grant.charges[1].id, "p-two");
    fixture_end(&f);
}
END_TEST

START_TEST(a_new_window_begins_with_the_whole_limit_and_old_holds_stay_where_they_were)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "day", SCOPE_GLOBAL, UNIT_USD, 100);
    f.options.clamp = CLAMP_NEVER;
    fixture_start(&f);
    uint64_t old = fixture_hold(&f, 50);
    uint64_t old_account = f.grant.charges[0].account;
    f.now_s += DAY_S;
    uint64_t new = fixture_hold(&f, 50);
    ck_assert_uint_ne(f.grant.charges[0].account, old_account);
    fixture_settle(&f, old, 100);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 0);
    ck_assert_int_eq(fixture_view(&f, 0).held, 100);
    fixture_settle(&f, new, 60);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 60);
    fixture_end(&f);
}
END_TEST

START_TEST(a_clock_put_back_does_not_bring_back_the_old_window)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "day", SCOPE_GLOBAL, UNIT_USD, 100);
    f.options.clamp = CLAMP_NEVER;
    fixture_start(&f);
    fixture_settle(&f, fixture_hold(&f, 50), 100);
    f.now_s -= DAY_S;
    ck_assert_int_eq(fixture_reserve(&f, 50), VERDICT_EXHAUSTED);
    ck_assert_str_eq(f.grant.blocking.window.id, "2026-11-21");
    fixture_end(&f);
}
END_TEST

/* Books a cost of so much that nobody asked for. */
static void book_fact(struct fixture *f, int64_t amount)
{
    core_reserve_fact(f->core, &f->subject, f->now_s, &f->grant);
    ck_assert_int_eq(f->grant.verdict, VERDICT_GRANTED);
    for (size_t i = 0; i < f->grant.charge_count; i++)
        ck_assert_int_eq(f->grant.charges[i].amount, 0);
    if (f->grant.hold != 0)
        core_settle(f->core, f->grant.hold, &(struct spend){{[UNIT_USD] = amount}}, NULL);
}

START_TEST(a_fact_is_booked_on_every_account_whatever_is_left)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "day", SCOPE_GLOBAL, UNIT_USD, 100);
    fixture_budget(&f, "own", SCOPE_KEY, UNIT_USD, 1000);
    fixture_budget(&f, "calls", SCOPE_KEY, UNIT_REQUESTS, 3);
    fixture_budget(&f, "one", SCOPE_REQUEST, UNIT_USD, 50); /* bounds requests, not facts */
    f.options.clamp = CLAMP_NEVER;
    fixture_start(&f);
    book_fact(&f, 60);
    ck_assert_uint_eq(f.grant.charge_count, 3);
    book_fact(&f, 60); /* 20 over the limit, and again */
    book_fact(&f, 60);
    struct account_view views[4];
    size_t count = core_view(f.core, &f.subject, false, f.now_s, views, 4);
    ck_assert_uint_eq(count, 4);
    ck_assert_int_eq(views[0].spent, 180);
    ck_assert_int_eq(views[1].spent, 180);
    ck_assert_int_eq(views[2].spent, 0); /* a cost is no call */
    ck_assert_uint_eq(core_open_holds(f.core), 0);
    ck_assert_int_eq(fixture_reserve(&f, 1), VERDICT_EXHAUSTED);
    ck_assert_str_eq(text_equal(f.grant.blocking.budget, TEXT("day")) ? "day" : "", "day");
    fixture_end(&f);
}
END_TEST

START_TEST(a_fact_without_budgets_or_without_room_for_its_accounts_holds_nothing)
{
    struct fixture f = fixture_new();
    fixture_start(&f);
    book_fact(&f, 5);
    ck_assert_uint_eq(f.grant.hold, 0);
    fixture_end(&f);

    f = fixture_new();
    fixture_budget(&f, "each", SCOPE_KEY, UNIT_USD, 100);
    f.options.max_accounts = 1;
    fixture_start(&f);
    book_fact(&f, 5);
    f.subject.id[SCOPE_KEY] = TEXT("bob");
    core_reserve_fact(f.core, &f.subject, f.now_s, &f.grant);
    ck_assert_int_eq(f.grant.verdict, VERDICT_CROWDED);
    ck_assert_uint_eq(core_open_holds(f.core), 0);
    fixture_end(&f);
}
END_TEST

/* ---- what costs nothing ---- */

/* A cached answer: no input, no output, a price that cannot matter. */
static struct ask ask_for_nothing(struct fixture *f)
{
    struct ask ask = fixture_ask(f, 0, INT64_MAX);
    ask.bound.output_free = true;
    ask.named = false;
    return ask;
}

/* A budget in each unit. */
static struct fixture new_units(void)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "usd", SCOPE_GLOBAL, UNIT_USD, 100);
    fixture_budget(&f, "tokens", SCOPE_KEY, UNIT_TOKENS, 100);
    fixture_budget(&f, "requests", SCOPE_TEAM, UNIT_REQUESTS, 2);
    return f;
}

START_TEST(what_needs_nothing_fits_an_overrun_account)
{
    static const enum clamp clamps[] = {CLAMP_ALWAYS, CLAMP_ABSENT, CLAMP_NEVER};
    for (size_t i = 0; i < UNIT_COUNT(clamps); i++) {
        struct fixture f = new_units();
        f.options.clamp = clamps[i];
        fixture_start(&f);
        fixture_settle(&f, fixture_hold(&f, 20), 500);
        struct ask ask = ask_for_nothing(&f);
        ck_assert_int_eq(fixture_reserve(&f, 20), VERDICT_EXHAUSTED);
        ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_GRANTED);
        ck_assert_int_eq(f.grant.max_output, 0);
        ck_assert_int_eq(f.grant.amount.nano, 0);
        ck_assert_uint_eq(f.grant.charge_count, 3);
        struct spend used = {{0, 0, 1}};
        core_settle(f.core, f.grant.hold, &used, NULL);
        ck_assert_int_eq(fixture_view(&f, 0).spent, 500);
        ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_EXHAUSTED);
        UNIT_TEXT(f.grant.blocking.budget, "requests");
        fixture_end(&f);
    }
}
END_TEST

START_TEST(a_free_model_fits_an_overrun_budget_in_usd)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "usd", SCOPE_GLOBAL, UNIT_USD, 100);
    fixture_start(&f);
    fixture_settle(&f, fixture_hold(&f, 20), 500);
    struct price free_price = fixture_price(0, 0);
    struct ask ask = fixture_ask(&f, 1000, 2000);
    ask.price = &free_price;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.max_output, 2000);
    ck_assert(!f.grant.clamped);
    fixture_end(&f);
}
END_TEST

UNIT_MAIN(what_needs_nothing_fits_an_overrun_account, a_free_model_fits_an_overrun_budget_in_usd,
          without_a_budget_everything_is_granted_and_nothing_held,
          holds_the_bound_in_every_unit_and_settles_what_was_used, a_charge_names_its_account,
          refuses_when_the_team_limit_is_short_and_touches_no_other_account,
          says_that_a_request_never_fits_and_what_would, clamps_to_what_is_left,
          does_not_clamp_below_the_least_output,
          a_request_for_less_than_the_least_output_may_be_as_small,
          clamp_absent_spares_what_the_client_named,
          without_a_maximum_holds_a_quarter_of_what_is_left,
          without_a_maximum_holds_at_least_the_least_output,
          without_a_maximum_the_models_own_and_the_default_bound_it, clamp_never_takes_no_quarter,
          an_unknown_maximum_that_may_not_be_clamped_is_unbounded,
          refuses_what_has_no_bound_or_no_price_only_where_that_matters,
          embeddings_are_never_clamped_and_need_no_maximum,
          a_request_limit_bounds_each_request_alone, a_limit_of_requests_counts_them,
          a_limit_of_zero_refuses_what_costs_anything, a_bill_above_its_hold_is_booked_and_told,
          absurd_bills_neither_wrap_nor_abort, overrides_and_the_buffer_make_the_limit,
          an_override_may_limit_a_unit_for_one_id_alone, every_tag_that_matches_is_charged_once,
          a_new_window_begins_with_the_whole_limit_and_old_holds_stay_where_they_were,
          a_clock_put_back_does_not_bring_back_the_old_window,
          a_fact_is_booked_on_every_account_whatever_is_left,
          a_fact_without_budgets_or_without_room_for_its_accounts_holds_nothing)
