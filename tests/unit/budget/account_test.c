/*
 * Accounts: what names them, what the ledger remembers of them, and how many there may be.
 */
#include "fixture.h"

/* ---- identity and the ledger ---- */

static uint64_t number_of(struct fixture *f)
{
    fixture_start(f);
    fixture_hold(f, 1);
    uint64_t number = f->grant.charges[0].account;
    core_close(f->core);
    return number;
}

START_TEST(an_account_keeps_its_number_when_name_and_limit_change)
{
    struct fixture f = fixture_new();
    struct budget *budget = fixture_budget(&f, "day", SCOPE_TEAM, UNIT_USD, 100);
    struct budget_match matches[] = {{SCOPE_KEY, TEXT("al*")}, {SCOPE_TEAM, TEXT("re*")}};
    struct budget_match swapped[] = {matches[1], matches[0]};
    budget->match = matches;
    budget->match_count = 2;
    uint64_t number = number_of(&f);
    budget->name = TEXT("daily");
    budget->limit[UNIT_USD] = 700;
    budget->buffer_bp = 5;
    budget->match = swapped;
    ck_assert_uint_eq(number_of(&f), number);
    f.core = NULL;
    fixture_end(&f);
}
END_TEST

START_TEST(an_account_is_another_one_when_anything_else_changes)
{
    struct fixture f = fixture_new();
    struct budget *budget = fixture_budget(&f, "day", SCOPE_TEAM, UNIT_USD, 100);
    struct budget original = *budget;
    struct budget_match match = {SCOPE_KEY, TEXT("al*")};
    uint64_t numbers[6];
    numbers[0] = number_of(&f);
    budget->window = WINDOW_WEEK;
    numbers[1] = number_of(&f);
    *budget = original;
    budget->match = &match;
    budget->match_count = 1;
    numbers[2] = number_of(&f);
    *budget = original;
    budget->limit[UNIT_USD] = LIMIT_NONE;
    budget->limit[UNIT_TOKENS] = 100;
    numbers[3] = number_of(&f);
    *budget = original;
    f.subject.id[SCOPE_TEAM] = TEXT("sales");
    numbers[4] = number_of(&f);
    f.subject.id[SCOPE_TEAM] = TEXT("research");
    f.now_s += DAY_S;
    numbers[5] = number_of(&f);
    for (size_t i = 0; i < 6; i++)
        for (size_t other = 0; other < i; other++)
            ck_assert_uint_ne(numbers[i], numbers[other]);
    f.core = NULL;
    fixture_end(&f);
}
END_TEST

/* The number is in the ledgers people keep: a change of the canonical text would reset their caps.
 * printf '4:team\n3:day\n3:UTC\nusd\n2026-11-21\nresearch' | sha256sum | head -c 16 */
START_TEST(the_number_of_an_account_is_the_one_it_always_was)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "day", SCOPE_TEAM, UNIT_USD, 100);
    ck_assert_uint_eq(number_of(&f), UINT64_C(0x0c300e4ff2eefe4e));
    f.core = NULL;
    fixture_end(&f);
}
END_TEST

START_TEST(what_was_restored_counts_from_the_first_call_on)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "day", SCOPE_TEAM, UNIT_USD, 100);
    f.options.clamp = CLAMP_NEVER;
    struct charge charge = {.account = number_of(&f), .amount = 30, .until_s = WINDOW_FOREVER};
    fixture_start(&f);
    core_restore(f.core, &charge);
    core_restore(f.core, &charge);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 60);
    struct account_view tightest;
    ck_assert(core_tightest(f.core, &f.subject, f.now_s, &tightest));
    ck_assert_int_eq(tightest.spent, 60);
    ck_assert_int_eq(fixture_reserve(&f, 21), VERDICT_EXHAUSTED);
    ck_assert_int_eq(f.grant.blocking.spent, 60);
    fixture_hold(&f, 20);
    fixture_end(&f);
}
END_TEST

START_TEST(restored_spend_above_the_limit_is_an_overrun_not_a_bug)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "day", SCOPE_TEAM, UNIT_USD, 100);
    struct charge charge = {.account = number_of(&f), .amount = 300, .until_s = WINDOW_FOREVER};
    fixture_start(&f);
    core_restore(f.core, &charge);
    ck_assert_int_eq(fixture_reserve(&f, 21), VERDICT_EXHAUSTED);
    UNIT_TEXT(f.grant.blocking.budget, "day");
    ck_assert_int_eq(f.grant.blocking.spent, 300);
    fixture_end(&f);
}
END_TEST

/* Two budgets of one definition limit different units: what is restored is the second one's. */
START_TEST(what_was_restored_is_shown_by_the_budget_that_limits_its_unit)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "usd", SCOPE_TEAM, UNIT_USD, 100);
    fixture_budget(&f, "tokens", SCOPE_TEAM, UNIT_TOKENS, 100);
    fixture_start(&f);
    fixture_hold(&f, 10);
    struct charge charge = f.grant.charges[1];
    charge.id = TEXT("research");
    core_close(f.core);
    fixture_start(&f);
    core_restore(f.core, &charge);
    struct account_view view;
    ck_assert_uint_eq(core_view(f.core, NULL, true, f.now_s, &view, 1), 1);
    UNIT_TEXT(view.budget, "tokens");
    ck_assert_int_eq(view.spent, 10);
    fixture_end(&f);
}
END_TEST

/* ---- how many accounts ---- */

static void call_as(struct fixture *f, const char *session)
{
    f->subject.id[SCOPE_SESSION] = text_of(session);
    fixture_reserve(f, 10);
}

START_TEST(refuses_new_ids_at_the_bound_but_not_known_ones)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "session", SCOPE_SESSION, UNIT_USD, 100);
    f.options.max_accounts = 2;
    fixture_start(&f);
    call_as(&f, "alice/1");
    fixture_settle(&f, f.grant.hold, 20);
    call_as(&f, "alice/2");
    ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    call_as(&f, "alice/3");
    ck_assert_int_eq(f.grant.verdict, VERDICT_CROWDED);
    ck_assert_str_eq(f.grant.blocking.id, "alice/3");
    call_as(&f, "alice/1");
    ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    fixture_end(&f);
}
END_TEST

START_TEST(an_account_without_spend_makes_room)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "session", SCOPE_SESSION, UNIT_USD, 100);
    f.options.max_accounts = 2;
    fixture_start(&f);
    call_as(&f, "alice/1");
    call_as(&f, "alice/2");
    fixture_settle(&f, f.grant.hold, 0);
    call_as(&f, "alice/3");
    ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    fixture_end(&f);
}
END_TEST

static size_t accounts_shown(const struct fixture *f)
{
    struct account_view views[64];
    return core_view(f->core, NULL, true, f->now_s, views, 64);
}

START_TEST(idle_sessions_are_forgotten_and_others_swept)
{
    struct fixture f = fixture_new();
    struct budget *budget = fixture_budget(&f, "session", SCOPE_SESSION, UNIT_USD, 100);
    budget->window = WINDOW_TOTAL;
    budget->idle_s = 3600;
    f.options.max_accounts = 16;
    fixture_start(&f);
    call_as(&f, "alice/1");
    ck_assert_int_eq(f.grant.charges[0].until_s, f.now_s + 3600 + 7200);
    fixture_settle(&f, f.grant.hold, 20);
    f.now_s += 3600 + 7200;
    for (int i = 0; i < 8; i++)
        call_as(&f, "alice/2");
    ck_assert_uint_eq(accounts_shown(&f), 2);
    f.now_s++;
    for (int i = 0; i < 8; i++)
        call_as(&f, "alice/2");
    ck_assert_uint_eq(accounts_shown(&f), 1);
    fixture_end(&f);
}
END_TEST

/* 8 among 16 places where accounts hang: some share one. */
START_TEST(each_of_many_sessions_goes_at_its_own_time)
{
    static const char *const ids[] = {"a/0", "a/1", "a/2", "a/3", "a/4", "a/5", "a/6", "a/7"};
    struct fixture f = fixture_new();
    struct budget *budget = fixture_budget(&f, "session", SCOPE_SESSION, UNIT_USD, 10000);
    budget->window = WINDOW_TOTAL;
    budget->idle_s = 3600;
    f.options.max_accounts = 16;
    fixture_start(&f);
    int64_t begun_s = f.now_s;
    for (int round = 0; round < 2; round++) { /* what was seen of the first round is out of date */
        for (int i = 0; i < 8; i++, f.now_s += 100) {
            call_as(&f, ids[i]);
            fixture_settle(&f, f.grant.hold, 1);
        }
    }
    for (int i = 0; i < 8; i++) {
        f.now_s = begun_s + 800 + i * 100 + 3600 + 7200;
        for (int turn = 0; turn < 8; turn++)
            call_as(&f, "keep");
        ck_assert_uint_eq(accounts_shown(&f), (size_t)(8 - i + 1));
        f.now_s++;
        for (int turn = 0; turn < 8; turn++)
            call_as(&f, "keep");
        ck_assert_uint_eq(accounts_shown(&f), (size_t)(8 - i));
    }
    fixture_end(&f);
}
END_TEST

/* Neither the ledger nor the store hears of it. */
START_TEST(who_is_refused_does_not_keep_a_session)
{
    struct fixture f = fixture_new();
    struct budget *budget = fixture_budget(&f, "session", SCOPE_SESSION, UNIT_USD, 100);
    budget->window = WINDOW_TOTAL;
    budget->idle_s = 3600;
    fixture_start(&f);
    fixture_settle(&f, fixture_hold(&f, 50), 100);
    int64_t until_s = f.now_s + 3600 + 7200;
    for (; f.now_s <= until_s; f.now_s += 600)
        ck_assert_int_eq(fixture_reserve(&f, 50), VERDICT_EXHAUSTED);
    ck_assert_int_eq(fixture_reserve(&f, 50), VERDICT_GRANTED);
    fixture_end(&f);
}
END_TEST

/* Of what the last hold is charged with. */
static int64_t since_when(const struct fixture *f)
{
    return f->grant.charges[0].since_s;
}

START_TEST(charges_say_since_when_a_session_counts)
{
    struct fixture f = fixture_new();
    struct budget *budget = fixture_budget(&f, "session", SCOPE_SESSION, UNIT_USD, 100);
    budget->window = WINDOW_TOTAL;
    budget->idle_s = 3600;
    f.subject.id[SCOPE_SESSION] = TEXT("alice/1");
    fixture_start(&f);
    int64_t begun_s = f.now_s;
    for (int i = 0; i < 3; i++, f.now_s += 3600) {
        fixture_settle(&f, fixture_hold(&f, 10), 20);
        ck_assert_int_eq(since_when(&f), begun_s);
    }
    struct charge restored = f.grant.charges[0];
    restored.id = TEXT("alice/1");
    restored.amount = 60;
    core_close(f.core);
    fixture_start(&f);
    core_restore(f.core, &restored);
    fixture_settle(&f, fixture_hold(&f, 10), 20);
    ck_assert_int_eq(since_when(&f), begun_s);
    f.now_s += 3600 + 7200 + 1; /* nobody swept it */
    fixture_settle(&f, fixture_hold(&f, 10), 20);
    ck_assert_int_eq(since_when(&f), f.now_s);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 20);
    fixture_end(&f);
}
END_TEST

START_TEST(an_account_with_an_open_hold_is_never_swept)
{
    struct fixture f = fixture_new();
    struct budget *budget = fixture_budget(&f, "session", SCOPE_SESSION, UNIT_USD, 100);
    budget->idle_s = 60;
    f.options.max_accounts = 16;
    fixture_start(&f);
    call_as(&f, "alice/1");
    uint64_t hold = f.grant.hold;
    f.now_s += 30 * DAY_S;
    for (int i = 0; i < 8; i++)
        call_as(&f, "alice/2");
    fixture_settle(&f, hold, 15);
    ck_assert_uint_eq(core_open_holds(f.core), 5);
    fixture_end(&f);
}
END_TEST

START_TEST(a_clock_put_forward_is_believed_only_as_far_as_steady_time_went)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 1000);
    fixture_start(&f);
    int64_t start_ms = f.now_s * 1000;
    ck_assert(core_check_clock(f.core, start_ms, 5000));
    fixture_settle(&f, fixture_hold(&f, 400), 800);
    f.now_s += 5 * 365 * DAY_S; /* the wall says 2031 */
    ck_assert(!core_check_clock(f.core, f.now_s * 1000, 6000));
    struct ask ask = fixture_ask(&f, 300, 10);
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_EXHAUSTED); /* still the same day */
    ck_assert_int_eq(fixture_view(&f, 0).spent, 800);
    f.now_s = NOON_S + DAY_S; /* put right, a day later */
    ck_assert(core_check_clock(f.core, f.now_s * 1000, 6000 + DAY_S * 1000));
    ask = fixture_ask(&f, 300, 10);
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_GRANTED);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 0);
    fixture_end(&f);
}
END_TEST

UNIT_MAIN(a_clock_put_forward_is_believed_only_as_far_as_steady_time_went,
          an_account_keeps_its_number_when_name_and_limit_change,
          an_account_is_another_one_when_anything_else_changes,
          the_number_of_an_account_is_the_one_it_always_was,
          what_was_restored_counts_from_the_first_call_on,
          what_was_restored_is_shown_by_the_budget_that_limits_its_unit,
          restored_spend_above_the_limit_is_an_overrun_not_a_bug,
          refuses_new_ids_at_the_bound_but_not_known_ones, an_account_without_spend_makes_room,
          idle_sessions_are_forgotten_and_others_swept, each_of_many_sessions_goes_at_its_own_time,
          who_is_refused_does_not_keep_a_session, charges_say_since_when_a_session_counts,
          an_account_with_an_open_hold_is_never_swept)
