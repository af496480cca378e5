/* Rate limits that limit nothing, are the same, or can match nothing; and how they are read. */
#include "config/compare.h"
#include "fixture.h"

/* One entry of more, at line 9. */
#define WITH(limit) KEYS UPSTREAMS BUDGETS "rate_limits:\n  - {" limit "}\n"
/* Two, at lines 9 and 10. */
#define BOTH(one, other) WITH(one) "  - {" other "}\n"

START_TEST(reads_what_is_limited)
{
    struct fixture fixture =
        fixture_load(BOTH("scope: key, requests_per_minute: 600, tokens_per_minute: 200000, "
                          "parallel: 50, overrides: {alice: {parallel: 100}}",
                          "scope: team, parallel: 7, match: {model: \"gpt-5*\"}, "
                          "overrides: {research: 9}"));
    ck_assert_msg(fixture.findings.count == 0, "%s", fixture_told(&fixture.findings));
    const struct rate_limit *limits = fixture.config->rate_limits;
    ck_assert_uint_eq(fixture.config->rate_limit_count, 2);
    ck_assert_int_eq(limits[0].who.scope, SCOPE_KEY);
    ck_assert_int_eq(limits[0].limit[RATED_REQUESTS], 600);
    ck_assert_int_eq(limits[0].limit[RATED_TOKENS], 200000);
    ck_assert_int_eq(rate_limit_of(&limits[0], RATED_PARALLEL, TEXT("bob")), 50);
    ck_assert_int_eq(rate_limit_of(&limits[0], RATED_PARALLEL, TEXT("alice")), 100);
    ck_assert_int_eq(rate_limit_of(&limits[0], RATED_REQUESTS, TEXT("alice")), 600);
    ck_assert_int_eq(limits[1].limit[RATED_REQUESTS], LIMIT_NONE);
    ck_assert_uint_eq(limits[1].who.match_count, 1);
    ck_assert_int_eq(rate_limit_of(&limits[1], RATED_PARALLEL, TEXT("research")), 9);
    fixture_close(&fixture);
}
END_TEST

START_TEST(prints_what_it_reads)
{
    struct fixture fixture = fixture_load(
        WITH("scope: key, match: {team: research}, parallel: 5, overrides: {alice: 8}"));
    ck_assert_msg(fixture.findings.count == 0, "%s", fixture_told(&fixture.findings));
    struct buffer printed = {0};
    config_print(fixture.config, &printed);
    const char *told = buffer_string(&printed);
    ck_assert_msg(strstr(told, "match: {team: research}") != NULL, "%s", told);
    ck_assert_msg(strstr(told, "overrides: {alice: {parallel: 8}}") != NULL, "%s", told);
    ck_assert_msg(strstr(told, "requests_per_minute: \n") == NULL, "%s", told);
    buffer_close(&printed);
    fixture_close(&fixture);
}
END_TEST

START_TEST(sees_what_a_reload_changes)
{
    struct arena arena = {0};
    struct fixture before = fixture_load(WITH("scope: key, parallel: 5")),
                   after = fixture_load(WITH("scope: key, parallel: 6"));
    struct config_texts names = config_changed(before.config, after.config, &arena);
    ck_assert_uint_eq(names.count, 1);
    UNIT_TEXT(names.at[0], "rate_limits");
    names = config_changed(before.config, before.config, &arena);
    ck_assert_uint_eq(names.count, 0);
    arena_close(&arena);
    fixture_close(&before);
    fixture_close(&after);
}
END_TEST

START_TEST(wants_a_limit)
{
    REFUSES(WITH("scope: key"), 9,
            "rate_limits[0]: limits nothing: write requests_per_minute: 600");
    REFUSES(WITH("parallel: 5"), 9, "scope");
    REFUSES(WITH("scope: key, parallel: 0"), 9, "must be a whole number from 1 to");
    REFUSES(WITH("scope: key, tokens_per_minute: 1.5"), 9, "must be a whole number from 1 to");
    REFUSES(WITH("scope: key, requests_per_minute: many"), 9, "(it is \"many\")");
    REFUSES(WITH("scope: key, request_per_minute: 5"), 9, "requests_per_minute");
}
END_TEST

START_TEST(knows_which_scopes_can_be_limited)
{
    REFUSES(WITH("scope: request, parallel: 5"), 9, "scope");
    REFUSES(WITH("scope: service, parallel: 5"), 9, "scope");
    ACCEPTS(BOTH("scope: global, parallel: 5", "scope: user, parallel: 5"));
    ACCEPTS(BOTH("scope: session, parallel: 5", "scope: tag, parallel: 5"));
    ACCEPTS(BOTH("scope: model, parallel: 5", "scope: upstream, parallel: 5"));
}
END_TEST

START_TEST(refuses_two_entries_for_the_same_callers)
{
    REFUSES(BOTH("scope: key, parallel: 5", "scope: key, requests_per_minute: 5"), 10,
            "rate_limits[1]: is for the same callers as rate_limits[0] (scope and match): write "
            "all limits in one entry");
    ACCEPTS(BOTH("scope: key, parallel: 5", "scope: key, parallel: 9, match: {key: bob}"));
}
END_TEST

START_TEST(refuses_ids_that_no_key_has)
{
    REFUSES(WITH("scope: key, parallel: 5, match: {key: alise}"), 9,
            "rate_limits[0].match: matches nothing, as no key \"alise\" is among the keys: did you "
            "mean \"alice\"?");
    REFUSES(WITH("scope: upstream, parallel: 5, overrides: {opneai: 2}"), 9,
            "rate_limits[0].overrides: matches nothing, as no upstream \"opneai\"");
    REFUSES(WITH("scope: key, parallel: 5, match: {key: alice, team: sales}"), 9,
            "no key is all of this at once: write one entry for each");
}
END_TEST

START_TEST(refuses_overrides_that_except_nothing)
{
    REFUSES(WITH("scope: global, parallel: 5, overrides: {all: 2}"), 9,
            "scope global has no ids to except");
    REFUSES(WITH("scope: key, parallel: 5, overrides: {alice: {requests_per_minute: 5}}"), 9,
            "the entry itself has no requests_per_minute: write it there too");
    REFUSES(WITH("scope: key, parallel: 5, requests_per_minute: 5, overrides: {alice: 5}"), 9,
            "the entry has not just one limit");
    REFUSES(WITH("scope: key, parallel: 5, overrides: {alice: {usd: 5}}"), 9,
            "a limit must be requests_per_minute, tokens_per_minute or parallel");
    REFUSES(WITH("scope: key, parallel: 5, overrides: {alice: 0}"), 9,
            "must be a whole number from 1 to");
    REFUSES(WITH("scope: session, parallel: 5, overrides: {\"\": 2}"), 9,
            "an id must have 1 to 256 bytes");
}
END_TEST

UNIT_MAIN(reads_what_is_limited, prints_what_it_reads, sees_what_a_reload_changes, wants_a_limit,
          knows_which_scopes_can_be_limited, refuses_two_entries_for_the_same_callers,
          refuses_ids_that_no_key_has, refuses_overrides_that_except_nothing)
