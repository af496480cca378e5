/*
 * What is shown of the accounts: GET /budget and the tightest one.
 */
#include <stdio.h>

#include "budget/headroom.h"
#include "fixture.h"

static size_t view_all(const struct fixture *f, struct account_view *views)
{
    return core_view(f->core, NULL, true, f->now_s, views, 16);
}

START_TEST(shows_a_subject_its_accounts_in_the_order_of_the_budgets)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "team", SCOPE_TEAM, UNIT_USD, 100)->limit[UNIT_REQUESTS] = 5;
    fixture_budget(&f, "user", SCOPE_USER, UNIT_USD, 100);
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 200);
    fixture_start(&f);
    fixture_hold(&f, 20);
    struct account_view views[16];
    ck_assert_uint_eq(core_view(f.core, &f.subject, false, f.now_s, views, 16), 3);
    UNIT_TEXT(views[0].budget, "team");
    ck_assert_int_eq(views[0].unit, UNIT_USD);
    ck_assert_int_eq(views[0].held, 40);
    ck_assert_str_eq(views[0].id, "research");
    ck_assert_int_eq(views[1].unit, UNIT_REQUESTS);
    ck_assert_int_eq(views[1].held, 1);
    UNIT_TEXT(views[2].budget, "org");
    ck_assert_int_eq(views[2].window.end_s, NOON_S + DAY_S / 2);
    ck_assert_uint_eq(core_view(f.core, &f.subject, false, f.now_s, views, 2), 2);
    fixture_end(&f);
}
END_TEST

START_TEST(shows_unused_accounts_with_their_limit_and_creates_none)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "team", SCOPE_TEAM, UNIT_USD, 100);
    fixture_start(&f);
    ck_assert_int_eq(fixture_view(&f, 0).limit, 100);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 0);
    struct account_view views[16];
    ck_assert_uint_eq(view_all(&f, views), 0);
    fixture_end(&f);
}
END_TEST

START_TEST(sums_the_accounts_of_each_budget_and_unit)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "key", SCOPE_KEY, UNIT_USD, 100)->limit[UNIT_REQUESTS] = 5;
    fixture_budget(&f, "call", SCOPE_REQUEST, UNIT_USD, 80);
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 200);
    fixture_start(&f);
    fixture_hold(&f, 20);
    fixture_settle(&f, fixture_hold(&f, 10), 11);
    f.subject.id[SCOPE_KEY] = TEXT("bob");
    fixture_hold(&f, 15);
    struct budget_sum sums[8];
    ck_assert_uint_eq(core_sums(f.core, f.now_s, sums, 8), 3);
    UNIT_TEXT(sums[0].budget, "key");
    ck_assert_int_eq(sums[0].unit, UNIT_USD);
    ck_assert_int_eq(sums[0].spent, 11);
    ck_assert_int_eq(sums[0].held, 70);
    ck_assert_int_eq(sums[0].ceiling, 200);
    ck_assert_int_eq(sums[1].unit, UNIT_REQUESTS);
    ck_assert_int_eq(sums[1].held, 2);
    UNIT_TEXT(sums[2].budget, "org");
    ck_assert_int_eq(sums[2].held, 70);
    ck_assert_uint_eq(core_sums(f.core, f.now_s, sums, 1), 1);
    ck_assert_uint_eq(core_sums(f.core, f.now_s + DAY_S, sums, 8), 3);
    ck_assert_int_eq(sums[0].spent, 0); /* another window */
    fixture_end(&f);
}
END_TEST

/* ---- in portions ---- */

enum { SESSIONS = 20 };

static void hold_in_session(struct fixture *f, int number)
{
    char id[16];
    snprintf(id, sizeof(id), "alice/%d", number);
    f->subject.id[SCOPE_SESSION] = text_of(id);
    fixture_hold(f, 5);
}

static void open_sessions(struct fixture *f)
{
    fixture_budget(f, "session", SCOPE_SESSION, UNIT_USD, 100)->idle_s = 3600;
    fixture_budget(f, "org", SCOPE_GLOBAL, UNIT_USD, 1000);
    fixture_start(f);
    for (int i = 0; i < SESSIONS; i++)
        hold_in_session(f, i);
}

START_TEST(a_survey_in_portions_finds_what_one_at_once_does)
{
    struct fixture f = fixture_new();
    struct account_view once[32], views[32];
    struct budget_sum sums[4];
    open_sessions(&f);
    size_t count = core_view(f.core, NULL, true, f.now_s, once, 32);
    struct survey survey = {.now_s = f.now_s, .views = views, .most = 32};
    int portions = 1;
    while (core_survey(f.core, &survey, 3))
        portions++;
    survey_end(&survey);
    ck_assert_int_eq(portions, 8); /* 21 accounts, and that there are no more */
    ck_assert_uint_eq(survey.count, count);
    ck_assert_uint_eq(count, SESSIONS + 1);
    for (size_t at = 0; at < count; at++)
        ck_assert_str_eq(views[at].id, once[at].id);
    survey = (struct survey){.now_s = f.now_s, .sums = sums, .most = 4};
    while (core_survey(f.core, &survey, 3))
        hold_in_session(&f, 0);
    survey_end(&survey);
    ck_assert_int_eq(sums[0].held, SESSIONS * 10); /* the first was looked at before */
    fixture_end(&f);
}
END_TEST

START_TEST(a_survey_ends_where_there_is_no_more_room)
{
    struct fixture f = fixture_new();
    struct account_view views[7];
    open_sessions(&f);
    struct survey survey = {.now_s = f.now_s, .views = views, .most = 7};
    while (core_survey(f.core, &survey, 2))
        continue;
    survey_end(&survey);
    ck_assert_uint_eq(survey.count, 7);
    ck_assert_str_eq(views[5].id, "alice/5");
    ck_assert_str_eq(views[6].id, "all"); /* it is always shown, and in its place */
    fixture_end(&f);
}
END_TEST

START_TEST(a_survey_begins_anew_when_the_budgets_are_others)
{
    struct fixture f = fixture_new();
    struct budget_sum sums[4];
    open_sessions(&f);
    struct survey survey = {.now_s = f.now_s, .sums = sums, .most = 4};
    ck_assert(core_survey(f.core, &survey, 5));
    f.options.budgets = &f.budgets[1]; /* without that of sessions, whose holds go on */
    f.options.budget_count = 1;
    core_redefine(f.core, &f.options);
    while (core_survey(f.core, &survey, 5))
        continue;
    survey_end(&survey);
    ck_assert_uint_eq(survey.count, 1);
    UNIT_TEXT(sums[0].budget, "org");
    ck_assert_int_eq(sums[0].held, SESSIONS * 10);
    fixture_end(&f);
}
END_TEST

START_TEST(an_account_that_a_survey_is_at_goes_when_the_budget_has_gone)
{
    struct fixture f = fixture_new();
    struct account_view views[8];
    fixture_budget(&f, "session", SCOPE_SESSION, UNIT_USD, 100)->idle_s = 3600;
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 1000);
    fixture_start(&f);
    fixture_settle(&f, fixture_hold(&f, 5), 5);
    struct survey survey = {.now_s = f.now_s, .views = views, .most = 8};
    ck_assert(core_survey(f.core, &survey, 0));
    f.options.budget_count = 0;
    core_redefine(f.core, &f.options);
    while (core_survey(f.core, &survey, 1))
        continue;
    survey_end(&survey);
    ck_assert_uint_eq(survey.count, 0);
    f.options.budget_count = 2;
    core_redefine(f.core, &f.options);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 5);
    fixture_end(&f);
}
END_TEST

/* Twice what those who wait need. */
static void grant_all_growths(struct fixture *f)
{
    struct growth growths[SESSIONS + 1];
    size_t count = headroom_take(f->core, growths, SESSIONS + 1);
    ck_assert_uint_eq(count, SESSIONS + 1);
    for (size_t at = 0; at < count; at++)
        headroom_answer(f->core, growths[at].account,
                        &(struct growth_answer){.grown = 2 * growths[at].least});
}

START_TEST(room_is_looked_for_in_portions)
{
    struct fixture f = fixture_new();
    f.options.leased = true;
    f.options.usd_step = 1;
    fixture_budget(&f, "session", SCOPE_SESSION, UNIT_USD, 100)->idle_s = 3600;
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 1000);
    fixture_start(&f);
    for (int i = 0; i < SESSIONS; i++) {
        char id[24];
        snprintf(id, sizeof(id), "alice/%d", i);
        f.subject.id[SCOPE_SESSION] = text_of(id);
        fixture_wait(&f, 5, (uint64_t)i);
    }
    struct room_look room = {.now_s = f.now_s};
    int portions = 1;
    while (core_look_for_room(f.core, &room, 3))
        portions++;
    ck_assert_int_eq(portions, 8);
    ck_assert(!room.has);
    grant_all_growths(&f);
    room = (struct room_look){.now_s = f.now_s};
    while (core_look_for_room(f.core, &room, 3))
        continue;
    ck_assert(room.has);
    room = (struct room_look){.now_s = f.now_s};
    ck_assert(core_look_for_room(f.core, &room, 3));
    f.options.budget_count = 1; /* without the budget of all, whose account comes last */
    core_redefine(f.core, &f.options);
    ck_assert(!core_look_for_room(f.core, &room, 3));
    ck_assert(room.has);
    fixture_end(&f);
}
END_TEST

/* So many sessions, of which nobody has called since the start. */
static void restore_sessions(struct fixture *f, int count)
{
    static char ids[SESSIONS][24];
    struct charge charges[SESSIONS];
    fixture_start(f);
    for (int i = 0; i < count; i++) {
        hold_in_session(f, i);
        charges[i] = f->grant.charges[0];
        (void)snprintf(ids[i], sizeof(ids[i]), "alice/%d", i);
        charges[i].id = text_of(ids[i]);
        charges[i].amount = 3;
    }
    core_close(f->core);
    fixture_start(f);
    for (int i = 0; i < count; i++)
        core_restore(f->core, &charges[i]);
}

START_TEST(none_is_missed_or_shown_twice_when_what_is_remembered_is_laid_out_anew)
{
    enum { RESTORED = 12, GONE = 7 };
    struct account_view views[32];
    struct budget_sum sums[4];
    for (int portions = 1; portions < RESTORED; portions++) {
        struct fixture f = fixture_new();
        uint64_t holds[GONE];
        fixture_budget(&f, "session", SCOPE_SESSION, UNIT_USD, 100)->idle_s = 3600;
        fixture_budget(&f, "key", SCOPE_KEY, UNIT_USD, 1000);
        restore_sessions(&f, RESTORED);
        f.subject.id[SCOPE_SESSION] = TEXT_NONE;
        for (int i = 0; i < GONE; i++) {
            char id[16];
            (void)snprintf(id, sizeof(id), "key-%d", i);
            f.subject.id[SCOPE_KEY] = text_of(id);
            holds[i] = fixture_hold(&f, 5);
        }
        f.options.budget_count = 1; /* without that of keys, whose holds go on */
        core_redefine(f.core, &f.options);
        struct survey survey = {.now_s = f.now_s, .views = views, .most = 32};
        struct survey adding = {.now_s = f.now_s, .sums = sums, .most = 4};
        for (int i = 0; i < portions; i++) {
            ck_assert(core_survey(f.core, &survey, 1));
            ck_assert(core_survey(f.core, &adding, 1));
        }
        for (int i = 0; i < GONE; i++)
            fixture_settle(&f, holds[i], 10);
        while (core_survey(f.core, &survey, 1))
            continue;
        while (core_survey(f.core, &adding, 1))
            continue;
        survey_end(&survey);
        survey_end(&adding);
        ck_assert_uint_eq(survey.count, RESTORED);
        ck_assert_int_eq(sums[0].spent, 3 * RESTORED);
        fixture_end(&f);
    }
}
END_TEST

static size_t lines_of(const struct account_view *views, size_t count, const char *id)
{
    size_t lines = 0;
    for (size_t at = 0; at < count; at++)
        lines += strcmp(views[at].id, id) == 0 ? 1 : 0;
    return lines;
}

/* One portion, then time goes on so far and the same session calls. */
static void look_while_a_sub_bucket_begins(int64_t later_s)
{
    struct fixture f = fixture_new();
    struct account_view views[32];
    struct budget *budget = fixture_budget(&f, "session", SCOPE_SESSION, UNIT_USD, 1000);
    budget->window = WINDOW_ROLLING;
    budget->rolling_s = 240; /* sub-buckets of 10 s */
    fixture_start(&f);
    for (int i = 0; i < 3; i++)
        hold_in_session(&f, i);
    f.now_s += 10;
    hold_in_session(&f, 2);
    struct survey survey = {.now_s = f.now_s, .views = views, .most = 32};
    ck_assert(core_survey(f.core, &survey, 1));
    f.now_s += later_s;
    for (int i = 0; i < 3; i++)
        hold_in_session(&f, i);
    while (core_survey(f.core, &survey, 1))
        continue;
    survey_end(&survey);
    ck_assert_uint_eq(survey.count, 3);
    ck_assert_uint_eq(lines_of(views, survey.count, "alice/0"), 1);
    ck_assert_uint_eq(lines_of(views, survey.count, "alice/1"), 1);
    ck_assert_uint_eq(lines_of(views, survey.count, "alice/2"), 1);
    fixture_end(&f);
}

START_TEST(a_rolling_window_is_one_line_also_if_a_sub_bucket_begins_meanwhile)
{
    look_while_a_sub_bucket_begins(0); /* of this one, in which two have not called yet */
    look_while_a_sub_bucket_begins(10);
    look_while_a_sub_bucket_begins(20);
}
END_TEST

START_TEST(shows_others_nothing_of_a_subjects_accounts)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "key", SCOPE_KEY, UNIT_USD, 100);
    fixture_start(&f);
    fixture_hold(&f, 20);
    f.subject.id[SCOPE_KEY] = TEXT("bob");
    ck_assert_int_eq(fixture_view(&f, 0).held, 0);
    ck_assert_str_eq(fixture_view(&f, 0).id, "bob");
    fixture_end(&f);
}
END_TEST

START_TEST(shows_each_model_in_use_to_whom_its_budget_applies)
{
    struct fixture f = fixture_new();
    struct budget *budget = fixture_budget(&f, "models", SCOPE_MODEL, UNIT_USD, 100);
    struct budget_match match = {SCOPE_KEY, TEXT("alice")};
    budget->match = &match;
    budget->match_count = 1;
    fixture_start(&f);
    f.subject.id[SCOPE_MODEL] = TEXT("large");
    fixture_hold(&f, 20);
    f.subject.id[SCOPE_MODEL] = TEXT("small");
    fixture_hold(&f, 10);
    f.subject.id[SCOPE_MODEL] = TEXT_NONE;
    struct account_view views[16];
    ck_assert_uint_eq(core_view(f.core, &f.subject, false, f.now_s, views, 16), 2);
    ck_assert_str_eq(views[0].id, "large");
    ck_assert_str_eq(views[1].id, "small");
    f.subject.id[SCOPE_KEY] = TEXT("bob");
    ck_assert_uint_eq(core_view(f.core, &f.subject, false, f.now_s, views, 16), 0);
    fixture_end(&f);
}
END_TEST

START_TEST(everything_is_what_is_in_use_and_the_global_budgets)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "team", SCOPE_TEAM, UNIT_USD, 100);
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_REQUESTS, 100);
    fixture_budget(&f, "one-call", SCOPE_REQUEST, UNIT_USD, 50);
    fixture_start(&f);
    struct account_view views[16];
    ck_assert_uint_eq(view_all(&f, views), 2);
    ck_assert_str_eq(views[0].id, "all");
    UNIT_TEXT(views[1].budget, "one-call");
    ck_assert_int_eq(views[1].limit, 50);
    fixture_hold(&f, 5);
    f.subject.id[SCOPE_TEAM] = TEXT("sales");
    fixture_hold(&f, 5);
    ck_assert_uint_eq(view_all(&f, views), 4);
    ck_assert_str_eq(views[1].id, "sales");
    ck_assert_int_eq(views[2].held, 2);
    fixture_end(&f);
}
END_TEST

START_TEST(an_earlier_window_is_shown_as_long_as_it_holds_something)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 100);
    fixture_budget(&f, "team", SCOPE_TEAM, UNIT_USD, 100);
    fixture_start(&f);
    uint64_t hold = fixture_hold(&f, 20);
    f.now_s += DAY_S;
    struct account_view views[16];
    ck_assert_uint_eq(view_all(&f, views), 3);
    ck_assert_str_eq(views[0].window.id, "2026-11-22");
    ck_assert_str_eq(views[1].window.id, "2026-11-21");
    ck_assert_str_eq(views[2].window.id, "2026-11-21");
    fixture_settle(&f, hold, 20);
    ck_assert_uint_eq(view_all(&f, views), 1);
    fixture_end(&f);
}
END_TEST

START_TEST(everything_shows_what_was_restored_before_anybody_calls)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "team", SCOPE_TEAM, UNIT_USD, 100);
    fixture_start(&f);
    fixture_hold(&f, 5);
    struct charge charge = f.grant.charges[0];
    charge.id = TEXT("research");
    charge.amount = 33;
    core_close(f.core);
    fixture_start(&f);
    core_restore(f.core, &charge);
    struct account_view views[16];
    ck_assert_uint_eq(view_all(&f, views), 1);
    ck_assert_str_eq(views[0].id, "research");
    ck_assert_int_eq(views[0].spent, 33);
    fixture_hold(&f, 5);
    ck_assert_uint_eq(view_all(&f, views), 1);
    ck_assert_int_eq(views[0].held, 10);
    f.now_s += DAY_S;
    ck_assert_uint_eq(view_all(&f, views), 1); /* the hold's */
    fixture_end(&f);
}
END_TEST

START_TEST(the_tightest_account_is_the_one_with_the_least_left)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 200);
    fixture_budget(&f, "team", SCOPE_TEAM, UNIT_USD, 150);
    fixture_budget(&f, "calls", SCOPE_KEY, UNIT_REQUESTS, 1);
    fixture_start(&f);
    struct account_view view;
    ck_assert(core_any_usd(f.core));
    ck_assert(core_tightest(f.core, &f.subject, f.now_s, &view));
    UNIT_TEXT(view.budget, "team");
    ck_assert_int_eq(view.spent, 0);
    f.subject.id[SCOPE_TEAM] = TEXT_NONE;
    fixture_hold(&f, 60);
    f.subject.id[SCOPE_TEAM] = TEXT("research");
    ck_assert(core_tightest(f.core, &f.subject, f.now_s, &view));
    UNIT_TEXT(view.budget, "org");
    ck_assert_int_eq(view.held, 120);
    fixture_end(&f);
}
END_TEST

START_TEST(there_is_no_tightest_account_without_a_budget_in_usd)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "calls", SCOPE_KEY, UNIT_REQUESTS, 1);
    fixture_budget(&f, "user", SCOPE_USER, UNIT_USD, 1);
    fixture_start(&f);
    struct account_view view;
    ck_assert(!core_tightest(f.core, &f.subject, f.now_s, &view));
    fixture_end(&f);
}
END_TEST

UNIT_MAIN(shows_a_subject_its_accounts_in_the_order_of_the_budgets,
          shows_unused_accounts_with_their_limit_and_creates_none,
          sums_the_accounts_of_each_budget_and_unit, shows_others_nothing_of_a_subjects_accounts,
          shows_each_model_in_use_to_whom_its_budget_applies,
          everything_is_what_is_in_use_and_the_global_budgets,
          an_earlier_window_is_shown_as_long_as_it_holds_something,
          everything_shows_what_was_restored_before_anybody_calls,
          a_survey_in_portions_finds_what_one_at_once_does,
          a_survey_ends_where_there_is_no_more_room,
          a_survey_begins_anew_when_the_budgets_are_others, room_is_looked_for_in_portions,
          an_account_that_a_survey_is_at_goes_when_the_budget_has_gone,
          none_is_missed_or_shown_twice_when_what_is_remembered_is_laid_out_anew,
          a_rolling_window_is_one_line_also_if_a_sub_bucket_begins_meanwhile,
          the_tightest_account_is_the_one_with_the_least_left,
          there_is_no_tightest_account_without_a_budget_in_usd)
