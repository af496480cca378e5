/* Rate limits: the sliding minute, tokens and their corrections, parallel, reloads, the bound. */
#include "rates_fixture.h"

#include <stdio.h>

START_TEST(lets_no_more_than_the_limit_pass)
{
    struct fixture fixture = fixture_new(10);
    fixture_limit(&fixture, SCOPE_KEY, 3, LIMIT_NONE, LIMIT_NONE);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(fixture_call(&fixture, 0), RATES_PASSED);
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_LIMITED);
    ck_assert_int_eq(fixture.answer.rated, RATED_REQUESTS);
    ck_assert_int_eq(fixture.answer.scope, SCOPE_KEY);
    UNIT_TEXT(fixture.answer.id, "alice");
    ck_assert_int_eq(fixture.answer.limit, 3);
    ck_assert_int_eq(fixture.answer.used, 3);
    ck_assert_int_eq(fixture.answer.requested, 1);
    fixture_close(&fixture);
}
END_TEST

START_TEST(says_when_the_next_one_may_pass)
{
    struct fixture fixture = fixture_new(10);
    fixture_limit(&fixture, SCOPE_KEY, 2, LIMIT_NONE, LIMIT_NONE);
    fixture.now_us += 2 * SECOND;
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_PASSED);
    fixture.now_us += 10 * SECOND;
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_PASSED);
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_LIMITED);
    ck_assert_int_eq(fixture.answer.wait_us, 53 * SECOND); /* 13 sub-windows after the first's */
    fixture.now_us += fixture.answer.wait_us - 1;
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_LIMITED);
    fixture.now_us += 1;
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_PASSED);
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_LIMITED);
    fixture_close(&fixture);
}
END_TEST

START_TEST(counts_from_the_first_second_of_the_clock)
{
    struct fixture fixture = fixture_new(10);
    fixture_limit(&fixture, SCOPE_KEY, 1, LIMIT_NONE, LIMIT_NONE);
    fixture.now_us = 0;
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_PASSED);
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_LIMITED);
    ck_assert_int_eq(fixture.answer.wait_us, 65 * SECOND);
    ck_assert_int_eq(fixture.answer.level[RATED_REQUESTS].reset_us, 65 * SECOND);
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_clock_that_goes_back_opens_nothing)
{
    struct fixture fixture = fixture_new(10);
    fixture_limit(&fixture, SCOPE_KEY, 1, LIMIT_NONE, LIMIT_NONE);
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_PASSED);
    fixture.now_us -= 500 * SECOND;
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_LIMITED);
    fixture_close(&fixture);
}
END_TEST

START_TEST(each_id_has_a_limit_of_its_own)
{
    struct fixture fixture = fixture_new(10);
    fixture_limit(&fixture, SCOPE_KEY, 1, LIMIT_NONE, LIMIT_NONE);
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_PASSED);
    fixture.subject.id[SCOPE_KEY] = TEXT("bob");
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_PASSED);
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_LIMITED);
    fixture_close(&fixture);
}
END_TEST

START_TEST(each_tag_that_matches_counts)
{
    struct fixture fixture = fixture_new(10);
    struct budget_match match = {.scope = SCOPE_TAG, .pattern = TEXT("b*")};
    struct rate_limit *limit = fixture_limit(&fixture, SCOPE_TAG, 1, LIMIT_NONE, LIMIT_NONE);
    limit->who.match = &match;
    limit->who.match_count = 1;
    rates_seal(limit);
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_PASSED);
    ck_assert_uint_eq(rates_accounts(fixture.core), 0);
    fixture.subject.tags[fixture.subject.tag_count++] = TEXT("batch");
    fixture.subject.tags[fixture.subject.tag_count++] = TEXT("live");
    fixture.subject.tags[fixture.subject.tag_count++] = TEXT("big");
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_PASSED);
    ck_assert_uint_eq(rates_accounts(fixture.core), 2);
    fixture.subject.tags[0] = TEXT("other");
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_LIMITED);
    UNIT_TEXT(fixture.answer.id, "big");
    fixture_close(&fixture);
}
END_TEST

START_TEST(takes_on_all_limits_or_on_none)
{
    struct fixture fixture = fixture_new(10);
    fixture_limit(&fixture, SCOPE_GLOBAL, 5, LIMIT_NONE, LIMIT_NONE);
    fixture_limit(&fixture, SCOPE_KEY, 1, LIMIT_NONE, LIMIT_NONE);
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_PASSED);
    for (int i = 0; i < 9; i++)
        ck_assert_int_eq(fixture_call(&fixture, 0), RATES_LIMITED);
    fixture.subject.id[SCOPE_KEY] = TEXT("bob");
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_PASSED);
    ck_assert_int_eq(fixture.answer.level[RATED_REQUESTS].remaining, 0); /* bob's own */
    fixture.subject.id[SCOPE_KEY] = TEXT("carol");
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_PASSED);
    fixture_close(&fixture);
}
END_TEST

START_TEST(the_longest_wait_is_told)
{
    struct fixture fixture = fixture_new(10);
    fixture_limit(&fixture, SCOPE_GLOBAL, LIMIT_NONE, 100, LIMIT_NONE);
    fixture_limit(&fixture, SCOPE_KEY, 2, LIMIT_NONE, LIMIT_NONE);
    ck_assert_int_eq(fixture_call(&fixture, 10), RATES_PASSED);
    fixture.now_us += 20 * SECOND;
    ck_assert_int_eq(fixture_call(&fixture, 90), RATES_PASSED);
    ck_assert_int_eq(fixture_call(&fixture, 60), RATES_LIMITED);
    ck_assert_int_eq(fixture.answer.rated, RATED_TOKENS);
    ck_assert_int_eq(fixture.answer.wait_us, 65 * SECOND);
    ck_assert_int_eq(fixture_call(&fixture, 10), RATES_LIMITED);
    ck_assert_int_eq(fixture.answer.wait_us, 45 * SECOND);
    fixture_close(&fixture);
}
END_TEST

START_TEST(tokens_are_corrected_where_they_were_taken)
{
    struct fixture fixture = fixture_new(10);
    struct rates_pass *pass = NULL;
    fixture_limit(&fixture, SCOPE_KEY, LIMIT_NONE, 1000, LIMIT_NONE);
    ck_assert_int_eq(fixture_enter(&fixture, &pass, CALLER, 900), RATES_PASSED);
    ck_assert_int_eq(fixture_call(&fixture, 200), RATES_LIMITED);
    fixture.now_us += 30 * SECOND;
    rates_leave(fixture.core, pass, RATES_KNOWN, 300);
    ck_assert_int_eq(fixture_call(&fixture, 700), RATES_PASSED);
    ck_assert_int_eq(fixture_call(&fixture, 300), RATES_LIMITED);
    ck_assert_int_eq(fixture.answer.wait_us, 35 * SECOND); /* until the first's are gone */
    fixture.now_us += 35 * SECOND;
    ck_assert_int_eq(fixture_call(&fixture, 300), RATES_PASSED);
    fixture_close(&fixture);
}
END_TEST

START_TEST(what_was_used_above_its_bound_counts)
{
    struct fixture fixture = fixture_new(10);
    struct rates_pass *pass = NULL;
    fixture_limit(&fixture, SCOPE_KEY, LIMIT_NONE, 1000, LIMIT_NONE);
    ck_assert_int_eq(fixture_enter(&fixture, &pass, CALLER, 100), RATES_PASSED);
    rates_leave(fixture.core, pass, RATES_KNOWN, 1500);
    ck_assert_int_eq(fixture_call(&fixture, 1), RATES_LIMITED);
    ck_assert_int_eq(fixture.answer.used, 1500);
    ck_assert_int_eq(fixture.answer.level[RATED_TOKENS].remaining, 0);
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_correction_that_comes_late_changes_nothing)
{
    struct fixture fixture = fixture_new(10);
    struct rates_pass *pass = NULL;
    fixture_limit(&fixture, SCOPE_KEY, LIMIT_NONE, 1000, LIMIT_NONE);
    ck_assert_int_eq(fixture_enter(&fixture, &pass, CALLER, 900), RATES_PASSED);
    fixture.now_us += 70 * SECOND;
    ck_assert_int_eq(fixture_call(&fixture, 1000), RATES_PASSED);
    rates_leave(fixture.core, pass, RATES_KNOWN, 0);
    ck_assert_int_eq(fixture_call(&fixture, 1), RATES_LIMITED);
    ck_assert_int_eq(fixture.answer.used, 1000);
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_bound_above_the_limit_passes_alone)
{
    struct fixture fixture = fixture_new(10);
    struct rates_pass *pass = NULL;
    fixture_limit(&fixture, SCOPE_KEY, LIMIT_NONE, 1000, LIMIT_NONE);
    ck_assert_int_eq(fixture_call(&fixture, 1), RATES_PASSED);
    ck_assert_int_eq(fixture_enter(&fixture, &pass, CALLER, INT64_MAX), RATES_LIMITED);
    ck_assert_int_eq(fixture.answer.requested, 1000);
    ck_assert_ptr_null(pass);
    fixture.now_us += 65 * SECOND;
    ck_assert_int_eq(fixture_enter(&fixture, &pass, CALLER, INT64_MAX), RATES_PASSED);
    ck_assert_int_eq(fixture_call(&fixture, 1), RATES_LIMITED);
    rates_leave(fixture.core, pass, RATES_KNOWN, 400);
    ck_assert_int_eq(fixture_call(&fixture, 600), RATES_PASSED);
    fixture_close(&fixture);
}
END_TEST

START_TEST(parallel_counts_those_that_run)
{
    struct fixture fixture = fixture_new(10);
    struct rates_pass *passes[3] = {NULL, NULL, NULL};
    fixture_limit(&fixture, SCOPE_KEY, LIMIT_NONE, LIMIT_NONE, 2);
    ck_assert_int_eq(fixture_enter(&fixture, &passes[0], CALLER, 0), RATES_PASSED);
    ck_assert_int_eq(fixture_enter(&fixture, &passes[1], CALLER, 0), RATES_PASSED);
    fixture.now_us += 10 * MINUTE;
    ck_assert_int_eq(fixture_enter(&fixture, &passes[2], CALLER, 0), RATES_LIMITED);
    ck_assert_int_eq(fixture.answer.rated, RATED_PARALLEL);
    ck_assert_int_eq(fixture.answer.wait_us, SECOND);
    rates_leave(fixture.core, passes[0], RATES_UNDONE, 0);
    ck_assert_int_eq(fixture_enter(&fixture, &passes[2], CALLER, 0), RATES_PASSED);
    rates_leave(fixture.core, passes[1], RATES_KNOWN, 5);
    rates_leave(fixture.core, passes[2], RATES_UNKNOWN, 0);
    fixture_close(&fixture);
}
END_TEST

START_TEST(what_was_undone_does_not_count)
{
    struct fixture fixture = fixture_new(10);
    struct rates_pass *pass = NULL;
    fixture_limit(&fixture, SCOPE_KEY, 1, 10, LIMIT_NONE);
    ck_assert_int_eq(fixture_enter(&fixture, &pass, CALLER, 10), RATES_PASSED);
    rates_leave(fixture.core, pass, RATES_UNDONE, 0);
    ck_assert_int_eq(fixture_call(&fixture, 10), RATES_PASSED);
    fixture_close(&fixture);
}
END_TEST

START_TEST(enters_the_limits_of_its_model_later_and_each_once)
{
    struct fixture fixture = fixture_new(10);
    struct rates_pass *pass = NULL;
    fixture_limit(&fixture, SCOPE_KEY, 10, 1000, 1);
    fixture_limit(&fixture, SCOPE_MODEL, 1, LIMIT_NONE, LIMIT_NONE);
    ck_assert_int_eq(fixture_enter(&fixture, &pass, CALLER, 0), RATES_PASSED);
    ck_assert_int_eq(fixture.answer.level[RATED_TOKENS].remaining, 1000);
    fixture.subject.id[SCOPE_MODEL] = TEXT("gpt-4o");
    ck_assert_int_eq(fixture_enter(&fixture, &pass, CALLER | ROUTED, 300), RATES_PASSED);
    ck_assert_int_eq(fixture.answer.level[RATED_TOKENS].remaining, 700);
    ck_assert_int_eq(fixture.answer.level[RATED_REQUESTS].limit, 1); /* the model's is tighter */
    rates_leave(fixture.core, pass, RATES_KNOWN, 300);
    pass = NULL;
    ck_assert_int_eq(fixture_enter(&fixture, &pass, CALLER, 0), RATES_PASSED);
    ck_assert_int_eq(fixture.answer.level[RATED_REQUESTS].remaining, 8);
    struct rates_pass *before = pass;
    ck_assert_int_eq(fixture_enter(&fixture, &pass, CALLER | ROUTED, 300), RATES_LIMITED);
    ck_assert_ptr_eq(pass, before);
    ck_assert_int_eq(fixture.answer.scope, SCOPE_MODEL);
    rates_leave(fixture.core, pass, RATES_UNDONE, 0);
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_PASSED);
    ck_assert_int_eq(fixture.answer.level[RATED_REQUESTS].remaining, 8);
    ck_assert_int_eq(fixture.answer.level[RATED_TOKENS].remaining, 700);
    fixture_close(&fixture);
}
END_TEST

START_TEST(tells_the_limit_with_the_least_left_and_when_it_is_whole)
{
    struct fixture fixture = fixture_new(10);
    fixture_limit(&fixture, SCOPE_GLOBAL, 8, 500, LIMIT_NONE);
    fixture_limit(&fixture, SCOPE_KEY, 10, 400, LIMIT_NONE);
    ck_assert_int_eq(fixture_call(&fixture, 150), RATES_PASSED);
    const struct rates_level *level = fixture.answer.level;
    ck_assert(level[RATED_REQUESTS].known);
    ck_assert_int_eq(level[RATED_REQUESTS].limit, 8);
    ck_assert_int_eq(level[RATED_REQUESTS].remaining, 7);
    ck_assert_int_eq(level[RATED_REQUESTS].reset_us, 65 * SECOND);
    ck_assert_int_eq(level[RATED_TOKENS].limit, 400);
    ck_assert_int_eq(level[RATED_TOKENS].remaining, 250);
    fixture_close(&fixture);
}
END_TEST

START_TEST(who_has_no_limit_takes_nothing)
{
    struct fixture fixture = fixture_new(10);
    struct rates_pass *pass = NULL;
    fixture_limit(&fixture, SCOPE_TEAM, 1, 1, 1);
    fixture.subject.id[SCOPE_TEAM] = TEXT_NONE;
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(fixture_enter(&fixture, &pass, CALLER, 7), RATES_PASSED);
    ck_assert_ptr_null(pass);
    ck_assert(!fixture.answer.level[RATED_REQUESTS].known);
    fixture_close(&fixture);
}
END_TEST

START_TEST(single_ids_may_have_other_limits)
{
    struct fixture fixture = fixture_new(10);
    struct rate_override override = {TEXT("alice"), {2, LIMIT_NONE, LIMIT_NONE}};
    struct rate_limit *limit = fixture_limit(&fixture, SCOPE_KEY, 1, 50, LIMIT_NONE);
    limit->overrides = &override;
    limit->override_count = 1;
    rates_seal(limit);
    ck_assert_int_eq(fixture_call(&fixture, 20), RATES_PASSED);
    ck_assert_int_eq(fixture_call(&fixture, 20), RATES_PASSED);
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_LIMITED);
    fixture.subject.id[SCOPE_KEY] = TEXT("bob");
    ck_assert_int_eq(fixture_call(&fixture, 51), RATES_PASSED);
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_LIMITED);
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_reload_keeps_what_was_counted)
{
    struct fixture fixture = fixture_new(10);
    struct rates_pass *pass = NULL;
    struct rate_limit *limit = fixture_limit(&fixture, SCOPE_KEY, 5, LIMIT_NONE, 3);
    ck_assert_int_eq(fixture_enter(&fixture, &pass, CALLER, 0), RATES_PASSED);
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_PASSED);
    limit->limit[RATED_REQUESTS] = 2; /* lower */
    rates_seal(limit);
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_LIMITED);
    ck_assert_int_eq(fixture.answer.level[RATED_REQUESTS].limit, 2);
    limit->limit[RATED_REQUESTS] = 3; /* higher */
    limit->limit[RATED_PARALLEL] = 1;
    rates_seal(limit);
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_LIMITED);
    ck_assert_int_eq(fixture.answer.rated, RATED_PARALLEL);
    fixture.limit_count = 0; /* none any more */
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_PASSED);
    rates_leave(fixture.core, pass, RATES_UNKNOWN, 0);
    fixture.limit_count = 1;
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_PASSED);
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_LIMITED);
    fixture_close(&fixture);
}
END_TEST

static const char *name_of(int number)
{
    static char name[16];
    snprintf(name, sizeof name, "key-%d", number);
    return name;
}

START_TEST(refuses_new_ids_at_the_bound)
{
    struct fixture fixture = fixture_new(4);
    fixture_limit(&fixture, SCOPE_KEY, 100, LIMIT_NONE, LIMIT_NONE);
    for (int i = 0; i < 4; i++) {
        fixture.subject.id[SCOPE_KEY] = text_of(name_of(i));
        ck_assert_int_eq(fixture_call(&fixture, 0), RATES_PASSED);
    }
    fixture.subject.id[SCOPE_KEY] = text_of(name_of(4));
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_CROWDED);
    fixture.subject.id[SCOPE_KEY] = text_of(name_of(0));
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_PASSED);
    ck_assert_uint_eq(rates_accounts(fixture.core), 4);
    fixture_close(&fixture);
}
END_TEST

START_TEST(idle_accounts_go_and_make_room)
{
    struct fixture fixture = fixture_new(4);
    struct rates_pass *pass = NULL;
    fixture_limit(&fixture, SCOPE_KEY, 100, LIMIT_NONE, LIMIT_NONE);
    fixture.subject.id[SCOPE_KEY] = text_of(name_of(0));
    ck_assert_int_eq(fixture_enter(&fixture, &pass, CALLER, 0), RATES_PASSED);
    for (int i = 1; i < 40; i++) {
        fixture.subject.id[SCOPE_KEY] = text_of(name_of(i));
        ck_assert_int_eq(fixture_call(&fixture, 0), RATES_PASSED);
        fixture.now_us += 30 * SECOND; /* so that three live at a time, beside the one that runs */
    }
    ck_assert_uint_le(rates_accounts(fixture.core), 4);
    rates_leave(fixture.core, pass, RATES_UNKNOWN, 0);
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_crowded_ask_leaves_nothing_behind)
{
    struct fixture fixture = fixture_new(1);
    struct rates_pass *pass = NULL;
    fixture_limit(&fixture, SCOPE_GLOBAL, 2, LIMIT_NONE, 2);
    fixture_limit(&fixture, SCOPE_KEY, 2, LIMIT_NONE, 2);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(fixture_enter(&fixture, &pass, CALLER, 0), RATES_CROWDED);
    ck_assert_ptr_null(pass);
    fixture.limit_count = 1;
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_PASSED);
    ck_assert_int_eq(fixture.answer.level[RATED_REQUESTS].remaining, 1);
    fixture_close(&fixture);
}
END_TEST

UNIT_MAIN(lets_no_more_than_the_limit_pass, says_when_the_next_one_may_pass,
          counts_from_the_first_second_of_the_clock, a_clock_that_goes_back_opens_nothing,
          each_id_has_a_limit_of_its_own, each_tag_that_matches_counts,
          takes_on_all_limits_or_on_none, the_longest_wait_is_told,
          tokens_are_corrected_where_they_were_taken, what_was_used_above_its_bound_counts,
          a_correction_that_comes_late_changes_nothing, a_bound_above_the_limit_passes_alone,
          parallel_counts_those_that_run, what_was_undone_does_not_count,
          enters_the_limits_of_its_model_later_and_each_once,
          tells_the_limit_with_the_least_left_and_when_it_is_whole, who_has_no_limit_takes_nothing,
          single_ids_may_have_other_limits, a_reload_keeps_what_was_counted,
          refuses_new_ids_at_the_bound, idle_accounts_go_and_make_room,
          a_crowded_ask_leaves_nothing_behind)
