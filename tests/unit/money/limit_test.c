/* Budgets: which apply to a subject, and with which limit. */
#include "../unit.h"
#include "money/limit.h"

#define USD(dollars) ((dollars)*INT64_C(1000000000))

static struct subject alice(void)
{
    struct subject subject = {.tags = {TEXT("batch"), TEXT("eu-west")}, .tag_count = 2};
    subject.id[SCOPE_GLOBAL] = TEXT("all");
    subject.id[SCOPE_KEY] = TEXT("alice");
    subject.id[SCOPE_TEAM] = TEXT("research");
    subject.id[SCOPE_SESSION] = TEXT("alice/nightly/7");
    subject.id[SCOPE_MODEL] = TEXT("gpt-4o-mini");
    return subject;
}

static struct budget budget_of(enum scope scope)
{
    return (struct budget){.scope = scope, .limit = {USD(500), LIMIT_NONE, 100}};
}

START_TEST(a_budget_without_match_applies_to_every_id_of_its_scope)
{
    struct subject subject = alice();
    const enum scope there[] = {SCOPE_GLOBAL,  SCOPE_KEY, SCOPE_TEAM,
                                SCOPE_SESSION, SCOPE_TAG, SCOPE_MODEL};
    for (size_t at = 0; at < UNIT_COUNT(there); at++) {
        struct budget budget = budget_of(there[at]);
        ck_assert(budget_applies(&budget, &subject));
    }
}
END_TEST

START_TEST(a_budget_of_an_absent_id_does_not_apply)
{
    struct subject subject = alice();
    struct budget user = budget_of(SCOPE_USER);
    ck_assert(!budget_applies(&user, &subject));
    subject.tag_count = 0;
    struct budget tag = budget_of(SCOPE_TAG);
    ck_assert(!budget_applies(&tag, &subject));
}
END_TEST

START_TEST(a_request_is_its_own_id)
{
    struct subject nobody = {0};
    struct budget budget = budget_of(SCOPE_REQUEST);
    ck_assert(budget_applies(&budget, &nobody));
}
END_TEST

static bool applies_with(enum scope scope, const char *pattern)
{
    struct subject subject = alice();
    struct budget_match match = {scope, text_of(pattern)};
    struct budget budget = budget_of(SCOPE_GLOBAL);
    budget.match = &match;
    budget.match_count = 1;
    return budget_applies(&budget, &subject);
}

START_TEST(a_match_compares_with_stars)
{
    ck_assert(applies_with(SCOPE_MODEL, "gpt-*"));
    ck_assert(applies_with(SCOPE_KEY, "alice"));
    ck_assert(!applies_with(SCOPE_KEY, "alic"));
    ck_assert(!applies_with(SCOPE_MODEL, "claude-*"));
}
END_TEST

START_TEST(a_match_on_an_absent_id_fails_even_with_a_star)
{
    ck_assert(!applies_with(SCOPE_USER, "*"));
}
END_TEST

START_TEST(a_tag_match_holds_for_any_tag)
{
    ck_assert(applies_with(SCOPE_TAG, "eu-*"));
    ck_assert(applies_with(SCOPE_TAG, "batch"));
    ck_assert(!applies_with(SCOPE_TAG, "us-*"));
}
END_TEST

START_TEST(a_session_is_matched_without_its_key)
{
    ck_assert(applies_with(SCOPE_SESSION, "nightly/*"));
    ck_assert(!applies_with(SCOPE_SESSION, "alice/*"));
}
END_TEST

START_TEST(all_matches_must_hold)
{
    struct subject subject = alice();
    struct budget_match match[] = {{SCOPE_KEY, TEXT("alice")}, {SCOPE_MODEL, TEXT("o3*")}};
    struct budget budget = budget_of(SCOPE_TEAM);
    budget.match = match;
    budget.match_count = 2;
    ck_assert(!budget_applies(&budget, &subject));
    budget.match_count = 1;
    ck_assert(budget_applies(&budget, &subject));
}
END_TEST

START_TEST(an_override_replaces_the_units_it_names)
{
    struct budget_override override = {TEXT("research"), {USD(2000), LIMIT_NONE, LIMIT_NONE}};
    struct budget budget = budget_of(SCOPE_TEAM);
    budget.overrides = &override;
    budget.override_count = 1;
    struct text research = TEXT("research");
    ck_assert_int_eq(budget_limit_configured(&budget, UNIT_USD, research), USD(2000));
    ck_assert_int_eq(budget_limit_configured(&budget, UNIT_REQUESTS, research), 100);
    ck_assert_int_eq(budget_limit_configured(&budget, UNIT_TOKENS, research), LIMIT_NONE);
    ck_assert_int_eq(budget_limit_configured(&budget, UNIT_USD, TEXT("sales")), USD(500));
}
END_TEST

START_TEST(an_override_of_a_session_is_written_without_its_key)
{
    struct budget_override override = {TEXT("nightly/7"), {USD(1), LIMIT_NONE, LIMIT_NONE}};
    struct budget budget = budget_of(SCOPE_SESSION);
    budget.overrides = &override;
    budget.override_count = 1;
    ck_assert_int_eq(budget_limit_configured(&budget, UNIT_USD, TEXT("alice/nightly/7")), USD(1));
    ck_assert_int_eq(budget_limit_configured(&budget, UNIT_USD, TEXT("bob/nightly/7")), USD(1));
    ck_assert_int_eq(budget_limit_configured(&budget, UNIT_USD, TEXT("alice/7")), USD(500));
}
END_TEST

START_TEST(the_buffer_lowers_what_is_enforced_rounding_down)
{
    struct budget budget = budget_of(SCOPE_TEAM);
    budget.buffer_bp = 1000;
    ck_assert_int_eq(budget_limit_enforced(&budget, UNIT_USD, TEXT("a")), USD(450));
    ck_assert_int_eq(budget_limit_enforced(&budget, UNIT_TOKENS, TEXT("a")), LIMIT_NONE);
    budget.limit[UNIT_REQUESTS] = 9;
    ck_assert_int_eq(budget_limit_enforced(&budget, UNIT_REQUESTS, TEXT("a")), 8);
    budget.buffer_bp = 0;
    ck_assert_int_eq(budget_limit_enforced(&budget, UNIT_REQUESTS, TEXT("a")), 9);
    budget.buffer_bp = 10000;
    ck_assert_int_eq(budget_limit_enforced(&budget, UNIT_REQUESTS, TEXT("a")), 0);
}
END_TEST

START_TEST(the_largest_limit_does_not_overflow)
{
    struct budget budget = budget_of(SCOPE_GLOBAL);
    budget.limit[UNIT_USD] = MONEY_MOST.nano;
    budget.buffer_bp = 1;
    ck_assert_int_eq(budget_limit_enforced(&budget, UNIT_USD, TEXT("all")), 3999600000000000000);
}
END_TEST

START_TEST(units_have_names)
{
    ck_assert_str_eq(unit_name(UNIT_USD), "usd");
    ck_assert_str_eq(unit_name(UNIT_TOKENS), "tokens");
    ck_assert_str_eq(unit_name(UNIT_REQUESTS), "requests");
}
END_TEST

UNIT_MAIN(a_budget_without_match_applies_to_every_id_of_its_scope,
          a_budget_of_an_absent_id_does_not_apply, a_request_is_its_own_id,
          a_match_compares_with_stars, a_match_on_an_absent_id_fails_even_with_a_star,
          a_tag_match_holds_for_any_tag, a_session_is_matched_without_its_key,
          all_matches_must_hold, an_override_replaces_the_units_it_names,
          an_override_of_a_session_is_written_without_its_key,
          the_buffer_lowers_what_is_enforced_rounding_down, the_largest_limit_does_not_overflow,
          units_have_names)
