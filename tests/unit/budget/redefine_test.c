/*
 * Other budgets at run time: what is spent stays spent, what is held stays held, and who waits asks
 * anew.
 */
#include "fixture.h"

#include <stdio.h>

/* Puts the fixture's budgets and rules in force, as a reload does. */
static void redefine(struct fixture *f)
{
    core_redefine(f->core, &f->options);
}

/* One daily budget in USD for each team. */
static struct fixture new_team(int64_t limit)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "team", SCOPE_TEAM, UNIT_USD, limit);
    return f;
}

static size_t shown(const struct fixture *f, struct account_view *views, size_t most)
{
    return core_view(f->core, NULL, true, f->now_s, views, most);
}

static size_t shown_count(const struct fixture *f)
{
    struct account_view views[64];
    return shown(f, views, 64);
}

/* ---- limits ---- */

START_TEST(a_raised_limit_keeps_spend_and_holds)
{
    struct fixture f = new_team(100);
    f.options.clamp = CLAMP_NEVER;
    fixture_start(&f);
    fixture_settle(&f, fixture_hold(&f, 20), 40);
    uint64_t hold = fixture_hold(&f, 25);
    ck_assert_int_eq(fixture_reserve(&f, 40), VERDICT_EXHAUSTED);
    f.budgets[0].limit[UNIT_USD] = 300;
    redefine(&f);
    struct account_view view = fixture_view(&f, 0);
    ck_assert_int_eq(view.limit, 300);
    ck_assert_int_eq(view.spent, 40);
    ck_assert_int_eq(view.held, 50);
    fixture_hold(&f, 40);
    fixture_settle(&f, hold, 30);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 70);
    ck_assert_int_eq(fixture_view(&f, 0).held, 80);
    fixture_end(&f);
}
END_TEST

START_TEST(a_limit_lowered_below_spend_and_holds_refuses_and_raised_again_grants)
{
    struct fixture f = new_team(100);
    fixture_start(&f);
    fixture_settle(&f, fixture_hold(&f, 30), 60);
    uint64_t hold = fixture_hold(&f, 20);
    f.budgets[0].limit[UNIT_USD] = 50;
    redefine(&f);
    ck_assert_int_eq(fixture_reserve(&f, 20), VERDICT_EXHAUSTED);
    ck_assert_int_eq(f.grant.blocking.limit, 50);
    ck_assert_int_eq(f.grant.blocking.spent, 60);
    ck_assert_int_eq(f.grant.blocking.held, 40);
    fixture_settle(&f, hold, 35); /* above the limit, and no more than its hold */
    ck_assert_int_eq(fixture_view(&f, 0).spent, 95);
    ck_assert_int_eq(fixture_reserve(&f, 20), VERDICT_EXHAUSTED);
    f.budgets[0].limit[UNIT_USD] = 135;
    redefine(&f);
    fixture_hold(&f, 20);
    ck_assert_int_eq(fixture_reserve(&f, 10), VERDICT_WAIT);
    fixture_end(&f);
}
END_TEST

/* What an upstream bills may be any nonsense: amounts stop counting there, nothing breaks. */
START_TEST(a_limit_may_be_lowered_after_an_absurd_bill)
{
    struct fixture f = new_team(100);
    fixture_start(&f);
    uint64_t absurd = fixture_hold(&f, 10);
    uint64_t above = fixture_hold(&f, 20);
    uint64_t last = fixture_hold(&f, 20);
    fixture_settle(&f, absurd, INT64_MAX);
    f.budgets[0].limit[UNIT_USD] = 10;
    redefine(&f);
    fixture_settle(&f, above, 100);
    fixture_settle(&f, last, 100);
    ck_assert_int_eq(fixture_view(&f, 0).held, 0);
    ck_assert_int_gt(fixture_view(&f, 0).spent, MONEY_MOST.nano);
    fixture_end(&f);
}
END_TEST

START_TEST(overrides_and_buffer_change_each_account_for_itself)
{
    struct fixture f = new_team(100);
    fixture_start(&f);
    fixture_hold(&f, 10);
    f.subject.id[SCOPE_TEAM] = TEXT("sales");
    fixture_hold(&f, 20);
    struct budget_override override = {TEXT("sales"), {700, LIMIT_NONE, LIMIT_NONE}};
    f.budgets[0].overrides = &override;
    f.budgets[0].override_count = 1;
    f.budgets[0].buffer_bp = 1000;
    redefine(&f);
    struct account_view views[4];
    ck_assert_uint_eq(shown(&f, views, 4), 2);
    ck_assert_str_eq(views[0].id, "research");
    ck_assert_int_eq(views[0].limit, 90);
    ck_assert_int_eq(views[0].limit_configured, 100);
    ck_assert_int_eq(views[0].held, 20);
    ck_assert_str_eq(views[1].id, "sales");
    ck_assert_int_eq(views[1].limit, 630);
    ck_assert_int_eq(views[1].held, 40);
    ck_assert_int_eq(fixture_reserve(&f, 200), VERDICT_GRANTED);
    ck_assert(!f.grant.clamped);
    fixture_end(&f);
}
END_TEST

/* An account is free with its override, limited without; and the spend is the same one. */
START_TEST(an_override_taken_away_lifts_the_limit_until_it_is_back)
{
    struct fixture f = new_team(LIMIT_NONE);
    struct budget_override overrides[] = {{TEXT("research"), {100, LIMIT_NONE, LIMIT_NONE}},
                                          {TEXT("sales"), {100, LIMIT_NONE, LIMIT_NONE}}};
    f.budgets[0].overrides = overrides;
    f.budgets[0].override_count = 2;
    fixture_start(&f);
    fixture_settle(&f, fixture_hold(&f, 30), 60);
    f.budgets[0].overrides = &overrides[1];
    f.budgets[0].override_count = 1;
    redefine(&f);
    ck_assert_uint_eq(shown_count(&f), 0);
    ck_assert_int_eq(fixture_reserve(&f, 1000), VERDICT_GRANTED);
    ck_assert_uint_eq(f.grant.hold, 0);
    f.budgets[0].overrides = overrides;
    redefine(&f);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 60);
    fixture_end(&f);
}
END_TEST

START_TEST(rules_change_with_the_budgets)
{
    struct fixture f = new_team(100);
    fixture_start(&f);
    ck_assert_int_eq(fixture_reserve(&f, 80), VERDICT_GRANTED);
    ck_assert(f.grant.clamped);
    fixture_settle(&f, f.grant.hold, 0);
    f.options.clamp = CLAMP_NEVER;
    f.options.max_waiting = 0;
    redefine(&f);
    ck_assert_int_eq(fixture_reserve(&f, 80), VERDICT_NEVER_FITS);
    fixture_hold(&f, 40);
    ck_assert_int_eq(fixture_reserve(&f, 20), VERDICT_CONTENTION);
    f.options.clamp = CLAMP_ALWAYS;
    f.options.min_output_tokens = 3;
    redefine(&f);
    ck_assert_int_eq(fixture_reserve(&f, 10), VERDICT_GRANTED);
    fixture_end(&f);
}
END_TEST

/* ---- budgets that come and go ---- */

START_TEST(holds_on_a_budget_that_went_settle_and_its_spend_comes_back_with_it)
{
    struct fixture f = new_team(100);
    fixture_start(&f);
    fixture_settle(&f, fixture_hold(&f, 10), 20);
    uint64_t first = fixture_hold(&f, 10);
    uint64_t second = fixture_hold(&f, 10);
    f.options.budget_count = 0;
    redefine(&f);
    ck_assert_uint_eq(shown_count(&f), 0);
    ck_assert(!core_any_usd(f.core));
    struct account_view view;
    ck_assert(!core_tightest(f.core, &f.subject, f.now_s, &view));
    ck_assert_int_eq(fixture_reserve(&f, 100000), VERDICT_GRANTED);
    ck_assert_uint_eq(f.grant.hold, 0);
    fixture_settle(&f, first, 15);
    fixture_settle(&f, second, 50); /* above its hold */
    ck_assert_uint_eq(core_open_holds(f.core), 0);
    f.options.budget_count = 1;
    redefine(&f);
    ck_assert_uint_eq(shown_count(&f), 1);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 85);
    ck_assert_int_eq(fixture_view(&f, 0).held, 0);
    ck_assert_int_eq(fixture_reserve(&f, 10), VERDICT_EXHAUSTED);
    ck_assert_int_eq(f.grant.blocking.spent, 85);
    fixture_end(&f);
}
END_TEST

START_TEST(a_budget_that_is_back_has_the_holds_that_are_still_open)
{
    struct fixture f = new_team(100);
    fixture_start(&f);
    fixture_settle(&f, fixture_hold(&f, 10), 20);
    uint64_t hold = fixture_hold(&f, 20);
    f.options.budget_count = 0;
    redefine(&f);
    redefine(&f); /* still none */
    f.options.budget_count = 1;
    f.budgets[0].name = TEXT("teams");
    f.budgets[0].limit[UNIT_USD] = 90;
    redefine(&f);
    struct account_view view = fixture_view(&f, 0);
    UNIT_TEXT(view.budget, "teams");
    ck_assert_int_eq(view.limit, 90);
    ck_assert_int_eq(view.spent, 20);
    ck_assert_int_eq(view.held, 40);
    ck_assert_int_eq(fixture_reserve(&f, 20), VERDICT_WAIT);
    fixture_settle(&f, hold, 5);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 25);
    fixture_end(&f);
}
END_TEST

START_TEST(the_spend_of_a_budget_that_went_is_forgotten_when_its_time_is_over)
{
    struct fixture f = new_team(100);
    fixture_start(&f);
    fixture_hold(&f, 30);
    int64_t until_s = f.grant.charges[0].until_s;
    fixture_settle(&f, f.grant.hold, 60);
    f.options.budget_count = 0;
    redefine(&f);
    f.now_s = until_s + 1;
    fixture_reserve(&f, 1); /* sweeps */
    f.options.budget_count = 1;
    redefine(&f);
    f.now_s -= DAY_S;
    ck_assert_int_eq(fixture_view(&f, 0).spent, 0);
    fixture_end(&f);
}
END_TEST

/* The ledger told of a budget that the configuration did not have yet. */
START_TEST(what_was_restored_for_a_budget_that_comes_later_counts)
{
    struct fixture f = new_team(100);
    fixture_start(&f);
    fixture_settle(&f, fixture_hold(&f, 30), 60);
    struct charge charge = f.grant.charges[0];
    char id[] = "research";
    charge.id = text_of(id);
    charge.amount = 60;
    core_close(f.core);
    f.options.budget_count = 0;
    fixture_start(&f);
    core_restore(f.core, &charge);
    ck_assert_uint_eq(shown_count(&f), 0);
    f.options.budget_count = 1;
    redefine(&f);
    struct account_view view;
    ck_assert_uint_eq(shown(&f, &view, 1), 1);
    ck_assert_str_eq(view.id, "research");
    ck_assert_int_eq(view.spent, 60);
    redefine(&f); /* known by its budget now */
    ck_assert_uint_eq(shown(&f, &view, 1), 1);
    ck_assert_int_eq(view.spent, 60);
    fixture_end(&f);
}
END_TEST

START_TEST(a_unit_newly_limited_begins_with_the_next_call)
{
    struct fixture f = new_team(100);
    fixture_start(&f);
    uint64_t hold = fixture_hold(&f, 20);
    f.budgets[0].limit[UNIT_TOKENS] = 50;
    redefine(&f);
    ck_assert_int_eq(fixture_view(&f, 0).held, 40);
    ck_assert_int_eq(fixture_view(&f, 1).held, 0);
    fixture_settle(&f, hold, 30);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 30);
    ck_assert_int_eq(fixture_view(&f, 1).spent, 0);
    fixture_settle(&f, fixture_hold(&f, 20), 10);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 40);
    ck_assert_int_eq(fixture_view(&f, 1).spent, 10);
    f.budgets[0].limit[UNIT_USD] = LIMIT_NONE;
    redefine(&f);
    ck_assert_uint_eq(shown_count(&f), 1);
    ck_assert_int_eq(fixture_view(&f, 0).unit, UNIT_TOKENS);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 10);
    ck_assert_uint_eq(core_open_holds(f.core), 0);
    fixture_end(&f);
}
END_TEST

START_TEST(another_window_is_another_account)
{
    struct fixture f = new_team(100);
    fixture_start(&f);
    fixture_settle(&f, fixture_hold(&f, 20), 30);
    uint64_t hold = fixture_hold(&f, 20);
    f.budgets[0].window = WINDOW_MONTH;
    redefine(&f);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 0);
    ck_assert_int_eq(fixture_view(&f, 0).held, 0);
    ck_assert_str_eq(fixture_view(&f, 0).window.id, "2026-11");
    fixture_hold(&f, 50);
    fixture_settle(&f, hold, 40);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 0);
    f.budgets[0].window = WINDOW_DAY;
    redefine(&f);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 70);
    fixture_end(&f);
}
END_TEST

START_TEST(a_window_that_began_lasts_also_when_clocks_go_back)
{
    struct fixture f = new_team(100);
    fixture_start(&f);
    fixture_settle(&f, fixture_hold(&f, 20), 30);
    redefine(&f);
    f.now_s -= DAY_S;
    ck_assert_str_eq(fixture_view(&f, 0).window.id, "2026-11-21");
    ck_assert_int_eq(fixture_view(&f, 0).spent, 30);
    fixture_end(&f);
}
END_TEST

/* ---- order and names ---- */

START_TEST(budgets_in_another_order_keep_what_is_theirs)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 1000);
    fixture_budget(&f, "team", SCOPE_TEAM, UNIT_USD, 200);
    fixture_budget(&f, "key", SCOPE_KEY, UNIT_USD, 300);
    fixture_start(&f);
    fixture_settle(&f, fixture_hold(&f, 50), 70);
    f.subject.id[SCOPE_TEAM] = TEXT("sales");
    fixture_hold(&f, 5);
    f.subject.id[SCOPE_TEAM] = TEXT("research");
    struct budget first = f.budgets[0];
    f.budgets[0] = f.budgets[2];
    f.budgets[2] = first;
    f.budgets[0].limit[UNIT_USD] = 120;
    redefine(&f);
    static const int64_t spent[] = {70, 70, 70}, held[] = {10, 0, 10};
    static const char *const names[] = {"key", "team", "org"};
    for (size_t at = 0; at < 3; at++) {
        UNIT_TEXT(fixture_view(&f, at).budget, names[at]);
        ck_assert_int_eq(fixture_view(&f, at).spent, spent[at]);
        ck_assert_int_eq(fixture_view(&f, at).held, held[at]);
    }
    struct account_view views[8];
    ck_assert_uint_eq(shown(&f, views, 8), 4);
    ck_assert_str_eq(views[1].id, "research");
    ck_assert_str_eq(views[2].id, "sales");
    ck_assert(core_tightest(f.core, &f.subject, f.now_s, &views[0]));
    UNIT_TEXT(views[0].budget, "key");
    fixture_end(&f);
}
END_TEST

START_TEST(names_may_repeat_change_hands_and_outlive_their_budgets)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "a", SCOPE_GLOBAL, UNIT_USD, 1000);
    fixture_budget(&f, "b", SCOPE_TEAM, UNIT_USD, 1000);
    fixture_start(&f);
    uint64_t hold = fixture_hold(&f, 5);
    struct grant grant = f.grant;
    f.budgets[0].name = TEXT("b");
    f.budgets[1].name = TEXT("b");
    redefine(&f);
    f.options.budget_count = 1;
    f.budgets[0].name = TEXT("c");
    redefine(&f);
    UNIT_TEXT(grant.charges[0].budget, "a");
    UNIT_TEXT(grant.charges[1].budget, "b");
    UNIT_TEXT(grant.charges[1].id, "research");
    UNIT_TEXT(fixture_view(&f, 0).budget, "c");
    ck_assert_int_eq(fixture_view(&f, 0).held, 10);
    fixture_settle(&f, hold, 10);
    fixture_end(&f);
}
END_TEST

/* One budget of two units, two of one unit each with the same definition: the accounts are those.
 */
START_TEST(a_budget_may_be_split_and_joined_by_its_units)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "both", SCOPE_TEAM, UNIT_USD, 1000)->limit[UNIT_TOKENS] = 1000;
    fixture_start(&f);
    uint64_t hold = fixture_hold(&f, 10);
    fixture_budget(&f, "tokens", SCOPE_TEAM, UNIT_TOKENS, 500);
    f.budgets[0].limit[UNIT_TOKENS] = LIMIT_NONE;
    redefine(&f);
    UNIT_TEXT(fixture_view(&f, 1).budget, "tokens");
    ck_assert_int_eq(fixture_view(&f, 0).held, 20);
    ck_assert_int_eq(fixture_view(&f, 1).held, 10);
    f.options.budget_count = 1;
    f.budgets[0].limit[UNIT_TOKENS] = 2000;
    redefine(&f);
    ck_assert_int_eq(fixture_view(&f, 1).limit, 2000);
    ck_assert_int_eq(fixture_view(&f, 1).held, 10);
    fixture_settle(&f, hold, 7);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 7);
    ck_assert_int_eq(fixture_view(&f, 1).spent, 7);
    fixture_end(&f);
}
END_TEST

START_TEST(the_budgets_that_were_told_may_go)
{
    struct fixture f = fixture_new();
    char text[5][16] = {"team", "re*", "research", "UTC", "session"};
    struct budget *budget = fixture_budget(&f, text[0], SCOPE_TEAM, UNIT_USD, 10);
    struct budget_match match = {SCOPE_TEAM, text_of(text[1])};
    struct budget_override override = {text_of(text[2]), {100, LIMIT_NONE, LIMIT_NONE}};
    budget->timezone = text_of(text[3]);
    budget->zone = zone_copy(f.zone);
    budget->match = &match;
    budget->match_count = 1;
    budget->overrides = &override;
    budget->override_count = 1;
    fixture_start(&f);
    for (int round = 0; round < 2; round++) {
        zone_close((struct zone *)budget->zone);
        struct budget kept = *budget;
        memset(text, 'x', sizeof(text));
        memset(&match, 0, sizeof(match));
        memset(&override, 0, sizeof(override));
        memset(f.budgets, 0, sizeof(f.budgets));
        fixture_settle(&f, fixture_hold(&f, 10), 20);
        struct account_view view = fixture_view(&f, 0);
        UNIT_TEXT(view.budget, "team");
        ck_assert_int_eq(view.limit, 100);
        ck_assert_int_eq(view.spent, 20 * (round + 1));
        memcpy(text, (char[5][16]){"team", "re*", "research", "UTC"}, sizeof(text));
        *budget = kept;
        budget->zone = zone_copy(f.zone);
        match = (struct budget_match){SCOPE_TEAM, text_of(text[1])};
        override = (struct budget_override){text_of(text[2]), {100, LIMIT_NONE, LIMIT_NONE}};
        redefine(&f);
    }
    zone_close((struct zone *)budget->zone);
    fixture_end(&f);
}
END_TEST

/* ---- who waits ---- */

START_TEST(all_who_wait_are_woken_in_their_order_to_ask_anew)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 100);
    fixture_budget(&f, "team", SCOPE_TEAM, UNIT_USD, 50);
    fixture_start(&f);
    uint64_t hold = fixture_hold(&f, 20);
    uint64_t waiter = fixture_wait(&f, 15, 1); /* for the team's */
    f.subject.id[SCOPE_TEAM] = TEXT("sales");
    uint64_t other = fixture_hold(&f, 20);
    fixture_wait(&f, 25, 2); /* for its own, too */
    f.subject.id[SCOPE_TEAM] = TEXT("research");
    fixture_wait(&f, 12, 3);
    f.budgets[1].limit[UNIT_USD] = 80;
    redefine(&f);
    ck_assert_uint_eq(core_waiting(f.core), 0);
    ck_assert(!core_leave(f.core, waiter));
    struct grant late;
    ck_assert(!core_time_is_up(f.core, waiter, f.now_s, &late));
    for (uint64_t number = 1; number <= 3; number++) {
        ck_assert_uint_eq(fixture_wake(&f), number);
        ck_assert_int_eq(f.grant.verdict, VERDICT_AGAIN);
        ck_assert_uint_eq(f.grant.hold, 0);
        ck_assert_uint_eq(f.grant.charge_count, 0);
    }
    ck_assert_uint_eq(fixture_wake(&f), 0);
    fixture_hold(&f, 10);
    fixture_wait(&f, 12, 4);
    fixture_settle(&f, hold, 0);
    ck_assert_uint_eq(fixture_wake(&f), 4);
    ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    fixture_settle(&f, other, 0);
    fixture_end(&f);
}
END_TEST

/* Decided before the rules changed: a grant is a grant. */
START_TEST(who_was_decided_before_keeps_the_decision)
{
    struct fixture f = new_team(100);
    fixture_start(&f);
    uint64_t hold = fixture_hold(&f, 40);
    fixture_wait(&f, 30, 1);
    fixture_wait(&f, 40, 2);
    fixture_settle(&f, hold, 0);
    f.options.budget_count = 0;
    redefine(&f);
    ck_assert_uint_eq(fixture_wake(&f), 1);
    ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    UNIT_TEXT(f.grant.charges[0].budget, "team");
    UNIT_TEXT(f.grant.charges[0].id, "research");
    fixture_settle(&f, f.grant.hold, 25);
    ck_assert_uint_eq(fixture_wake(&f), 2);
    ck_assert_int_eq(f.grant.verdict, VERDICT_AGAIN);
    f.options.budget_count = 1;
    redefine(&f);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 25);
    fixture_end(&f);
}
END_TEST

/* ---- many ---- */

static void call_as(struct fixture *f, int user)
{
    char name[20];
    snprintf(name, sizeof(name), "user-%d", user);
    f->subject.id[SCOPE_USER] = text_of(name);
    fixture_reserve(f, 10);
    f->subject.id[SCOPE_USER] = TEXT_NONE;
}

START_TEST(ten_thousand_accounts_keep_their_spend_in_order)
{
    enum { MANY = 10000 };
    struct fixture f = fixture_new();
    fixture_budget(&f, "user", SCOPE_USER, UNIT_USD, 1000);
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_REQUESTS, 2 * MANY);
    f.options.max_accounts = MANY + 1;
    fixture_start(&f);
    for (int user = 0; user < MANY; user++) {
        call_as(&f, user);
        ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
        fixture_settle(&f, f.grant.hold, 1 + user % 20);
    }
    f.budgets[0].limit[UNIT_USD] = 500;
    f.options.max_accounts = 100;
    redefine(&f);
    struct account_view *views = memory_new((MANY + 1) * sizeof(*views));
    ck_assert_uint_eq(shown(&f, views, MANY + 1), MANY + 1);
    for (int user = 0; user < MANY; user++) {
        ck_assert_int_eq(views[user].limit, 500);
        ck_assert_int_eq(views[user].spent, 1 + user % 20);
    }
    ck_assert_int_eq(views[MANY].spent, MANY);
    call_as(&f, MANY - 1);
    ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    call_as(&f, MANY);
    ck_assert_int_eq(f.grant.verdict, VERDICT_CROWDED);
    f.options.max_accounts = MANY + 2;
    redefine(&f);
    call_as(&f, MANY);
    ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    free(views);
    fixture_end(&f);
}
END_TEST

UNIT_MAIN(a_raised_limit_keeps_spend_and_holds,
          a_limit_lowered_below_spend_and_holds_refuses_and_raised_again_grants,
          a_limit_may_be_lowered_after_an_absurd_bill,
          overrides_and_buffer_change_each_account_for_itself,
          an_override_taken_away_lifts_the_limit_until_it_is_back, rules_change_with_the_budgets,
          holds_on_a_budget_that_went_settle_and_its_spend_comes_back_with_it,
          a_budget_that_is_back_has_the_holds_that_are_still_open,
          the_spend_of_a_budget_that_went_is_forgotten_when_its_time_is_over,
          what_was_restored_for_a_budget_that_comes_later_counts,
          a_unit_newly_limited_begins_with_the_next_call, another_window_is_another_account,
          a_window_that_began_lasts_also_when_clocks_go_back,
          budgets_in_another_order_keep_what_is_theirs,
          names_may_repeat_change_hands_and_outlive_their_budgets,
          a_budget_may_be_split_and_joined_by_its_units, the_budgets_that_were_told_may_go,
          all_who_wait_are_woken_in_their_order_to_ask_anew,
          who_was_decided_before_keeps_the_decision,
          ten_thousand_accounts_keep_their_spend_in_order)
