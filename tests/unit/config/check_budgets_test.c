/* Budgets that limit nothing, are the same, or can match nothing. */
#include "fixture.h"

/* One budget of more, at line 7. */
#define WITH(budget) KEYS UPSTREAMS "budgets:\n  - {name: x, " budget "}\n"
/* Two, at lines 7 and 8. */
#define BOTH(one, other) WITH(one) "  - {name: y, " other "}\n"

#define TAGGED                                                                                     \
    "keys:\n  - {id: a, key: 0123456789abcdef, tags: [batch], may_set: [session]}\n" UPSTREAMS     \
    "budgets:\n"

START_TEST(says_loudly_that_nothing_is_capped)
{
    WARNS(KEYS UPSTREAMS, 0, "NO BUDGET: nothing is capped: write budgets:");
    WARNS(KEYS UPSTREAMS "budgets: []\n", 6, "NO BUDGET");
}
END_TEST

START_TEST(wants_a_limit_and_a_window)
{
    REFUSES(WITH("scope: global, window: day"), 7, "budgets[0]: limits nothing: write usd: 50");
    REFUSES(WITH("scope: global, usd: 1"), 7, "budgets[0].window: is missing: write window: day");
    REFUSES(WITH("scope: request, window: day, usd: 1"), 7, "a budget of scope request has none");
    REFUSES(WITH("scope: request, requests: 1"), 7, "a single request is always one");
    REFUSES(WITH("scope: key, window: day, usd: 1, idle: 1h"), 7, "only session budgets");
    REFUSES(WITH("scope: key, window: day, usd: 1, timezone: Mars/Olympus"), 7,
            "write a name like UTC or Europe/Madrid");
    REFUSES(WITH("scope: key, window: day, usd: 1, timezone: ../../etc/passwd"), 7, "timezone");
}
END_TEST

START_TEST(doubts_a_session_that_is_named_with_its_key)
{
    WARNS(WITH("scope: session, window: total, usd: 1, overrides: {bob/run: 2}"), 7,
          "budgets[0].overrides: names the session \"bob/run\" of every key, for keys do not stand "
          "here: did you mean \"run\"?");
    WARNS(WITH("scope: global, window: day, usd: 1, match: {session: bob/r*}"), 7,
          "budgets[0].match: names the session \"bob/r*\" of every key");
    ACCEPTS(WITH("scope: session, window: total, usd: 1, overrides: {run: 2, r/bob: 3, bob/: 4}"));
}
END_TEST

START_TEST(doubts_calls_that_outlive_what_a_store_remembers_of_their_session)
{
#define SESSIONS   WITH("scope: session, window: total, usd: 1, idle: 1m")
#define SECONDS(n) "limits: {request_seconds: " n "}\n"
#define REDIS      "store: {redis: \"redis://127.0.0.1\"}\n"
    WARNS(SESSIONS SECONDS("3601") REDIS, 8, "limits.request_seconds: an instance that is cut off");
    ACCEPTS(SESSIONS SECONDS("3600") REDIS);
    ACCEPTS(SESSIONS SECONDS("3601"));
    ACCEPTS(WITH("scope: global, window: total, usd: 1") SECONDS("3601") REDIS);
    ACCEPTS(WITH("scope: session, window: {rolling: 24h}, usd: 1") SECONDS("3601") REDIS);
}
END_TEST

START_TEST(knows_what_goes_on_without_a_store)
{
    ACCEPTS(WITH("scope: key, window: day, usd: 1, on_store_away: {open: 0.5}"));
    ACCEPTS(WITH("scope: key, window: day, usd: 1, on_store_away: closed"));
    REFUSES(WITH("scope: key, window: day, usd: 1, on_store_away: open"), 7, "must be closed, or");
    REFUSES(WITH("scope: key, window: day, usd: 1, on_store_away: {shut: 5}"), 7, "must be closed");
    REFUSES(WITH("scope: key, window: day, usd: 1, on_store_away: {open: -5}"), 7, "dollars like");
    REFUSES(WITH("scope: key, window: day, usd: 1, tokens: 9, on_store_away: {open: 5}"), 7,
            "give those a budget of their own");
    REFUSES(WITH("scope: request, usd: 1, on_store_away: {open: 5}"), 7, "needs no store");
}
END_TEST

START_TEST(refuses_two_budgets_of_one_name)
{
    REFUSES(
        BOTH(
            "scope: key, window: day, usd: 1",
            "scope: team, window: day, usd: 1") "  - {name: x, scope: user, window: day, usd: 1}\n",
        9, "\"x\" is the name of budgets[0] too");
}
END_TEST

START_TEST(refuses_two_budgets_that_count_the_same)
{
    REFUSES(BOTH("scope: key, window: day, usd: 1", "scope: key, window: day, usd: 2"), 8,
            "budgets[1]: counts the same as budgets[0]");
    REFUSES(BOTH("scope: session, window: day, usd: 1, match: {key: bob, model: m}",
                 "scope: session, window: day, usd: 1, tokens: 1, match: {model: m, key: bob}"),
            8, "counts the same");
    REFUSES(BOTH("scope: request, usd: 1", "scope: request, timezone: Europe/Madrid, usd: 1"), 8,
            "counts the same");
    ACCEPTS(BOTH("scope: key, window: day, usd: 1", "scope: key, window: day, tokens: 2"));
    ACCEPTS(BOTH("scope: key, window: day, usd: 1", "scope: key, window: week, usd: 2"));
    ACCEPTS(BOTH("scope: key, window: day, usd: 1", "scope: key, window: day, usd: 2, "
                                                    "timezone: Europe/Madrid"));
    ACCEPTS(BOTH("scope: key, window: day, usd: 1",
                 "scope: key, window: day, usd: 2, match: {key: bob}"));
}
END_TEST

START_TEST(refuses_ids_that_no_key_has)
{
    REFUSES(WITH("scope: key, window: day, usd: 1, match: {key: alise}"), 7,
            "budgets[0].match: matches nothing, as no key \"alise\" is among the keys: did you "
            "mean \"alice\"?");
    REFUSES(WITH("scope: team, window: day, usd: 1, overrides: {reserch: 2}"), 7,
            "did you mean \"research\"?");
    REFUSES(WITH("scope: team, window: day, usd: 1, match: {user: carol}"), 7,
            "no user \"carol\" is among the keys: name one there, or take this out");
    REFUSES(WITH("scope: upstream, window: day, usd: 1, overrides: {opneai: 2}"), 7,
            "no upstream \"opneai\" is among the upstreams: did you mean \"openai\"?");
    REFUSES(WITH("scope: key, window: day, usd: 1, overrides: {alice: 2, research: 3}"), 7,
            "no key \"research\" is among the keys"); /* it is a team */
    REFUSES(WITH("scope: key, window: day, usd: 1, match: {service: vector-db}"), 7, "service");
    ACCEPTS(WITH("scope: key, window: day, usd: 1, match: {key: \"al*\", upstream: openai}"));
    ACCEPTS(WITH("scope: tag, window: day, usd: 1, match: {tag: anything, session: any}"));
}
END_TEST

/* Whoever may make keys at run time may delete them, too. */
START_TEST(only_warns_of_ids_that_a_key_made_at_run_time_could_have)
{
    static const char *const makers[] = {"auth: {admin_token: 0123456789abcdef}\n",
                                         "store: {redis: \"redis://localhost\"}\n"};
    static const struct {
        const char *budget, *told;
    } rows[] = {
        {"scope: key, window: day, usd: 1, match: {key: alise}", "no key \"alise\" is among"},
        {"scope: team, window: day, usd: 1, overrides: {reserch: 2}", "no team \"reserch\""},
        {"scope: key, window: day, usd: 1, match: {key: alice, team: sales}", "at once"},
    };
    for (size_t i = 0; i < UNIT_COUNT(makers) * UNIT_COUNT(rows); i++) {
        char yaml[1000];
        (void)snprintf(yaml, sizeof yaml, "%s" KEYS UPSTREAMS "budgets:\n  - {name: a, %s}\n",
                       makers[i % 2], rows[i / 2].budget);
        WARNS(yaml, 8, rows[i / 2].told);
    }
    REFUSES("auth: {admin_token: 0123456789abcdef}\n" KEYS UPSTREAMS
            "budgets: [{name: a, scope: upstream, window: day, usd: 1, overrides: {opneai: 2}}]\n",
            7, "no upstream \"opneai\"");
}
END_TEST

START_TEST(knows_rolling_windows)
{
    ACCEPTS(WITH("scope: team, window: {rolling: 24h}, usd: 1"));
    ACCEPTS(WITH("scope: team, window: {rolling: 24s}, usd: 1"));
    REFUSES(WITH("scope: team, window: {rolling: 23s}, usd: 1"), 7,
            "budgets[0].window: rolling: must be from 24s to 366d (it is \"23s\")");
    REFUSES(WITH("scope: team, window: {rolling: 367d}, usd: 1"), 7, "must be from 24s to 366d");
    REFUSES(WITH("scope: team, window: {rolling: long}, usd: 1"), 7, "must be a length of time");
    REFUSES(WITH("scope: team, window: {rolls: 24h}, usd: 1"), 7, "write {rolling: 24h}");
    REFUSES(WITH("scope: team, window: {rolling: 1h, and: 2h}, usd: 1"), 7, "has 2 entries");
    REFUSES(WITH("scope: team, window: {}, usd: 1"), 7, "must be a single value, not a mapping");
    REFUSES(WITH("scope: session, window: {rolling: 1h}, idle: 1h, usd: 1"), 7,
            "a rolling window forgets by itself");
    REFUSES(WITH("scope: key, window: {rolling: 1h}, on_store_away: {open: 1}, usd: 1"), 7,
            "a rolling one is closed without its store");
}
END_TEST

START_TEST(refuses_what_no_single_key_can_be)
{
    REFUSES(WITH("scope: key, window: day, usd: 1, match: {key: alice, team: sales}"), 7,
            "matches nothing, as no key is all of this at once");
    ACCEPTS(WITH("scope: key, window: day, usd: 1, match: {key: alice, team: research}"));
    REFUSES("keys: [{id: a, key: 0123456789abcdef}]\n" UPSTREAMS
            "budgets: [{name: b, scope: team, window: day, usd: 1}]\n",
            4, "budgets[0].scope: matches nothing, as no key has a team: write team: NAME");
}
END_TEST

START_TEST(knows_what_callers_may_name_themselves)
{
    ACCEPTS("keys: [{id: a, key: 0123456789abcdef, may_set: [user]}]\n" UPSTREAMS
            "budgets: [{name: b, scope: user, window: day, usd: 1, match: {user: anybody}}]\n");
    ACCEPTS(TAGGED "  - {name: b, scope: tag, window: day, usd: 1, match: {tag: \"b*\"}}\n");
    REFUSES(TAGGED "  - {name: b, scope: tag, window: day, usd: 1, match: {tag: live}}\n", 6,
            "no tag \"live\" is among the keys");
}
END_TEST

START_TEST(knows_that_who_books_costs_names_their_service)
{
    ACCEPTS("keys: [{id: a, key: 0123456789abcdef, may_book: true}]\n" UPSTREAMS
            "budgets: [{name: b, scope: service, window: day, usd: 1, match: {service: db}}]\n");
    ACCEPTS("auth: {admin_token: 0123456789abcdef}\n"
            "keys: [{id: a, key: 0123456789abcdeg}]\n" UPSTREAMS
            "budgets: [{name: b, scope: service, window: day, usd: 1, overrides: {db: 2}}]\n");
    REFUSES("keys: [{id: a, key: 0123456789abcdef}]\n" UPSTREAMS
            "budgets: [{name: b, scope: service, window: day, usd: 1, match: {service: db}}]\n",
            4, "service");
}
END_TEST

START_TEST(does_not_judge_callers_that_it_does_not_know)
{
    ACCEPTS("auth: {mode: open}\n" UPSTREAMS
            "budgets: [{name: b, scope: user, window: day, usd: 1, overrides: {carol: 2}}]\n");
}
END_TEST

START_TEST(refuses_overrides_where_there_are_no_ids)
{
    REFUSES(WITH("scope: global, window: day, usd: 1, overrides: {all: 2}"), 7,
            "scope global has no ids to except");
    REFUSES(WITH("scope: session, window: day, usd: 1, overrides: {\"\": 2}"), 7,
            "an id must have 1 to 256 bytes");
    struct fixture misspelt =
        fixture_load(WITH("scope: teem, window: day, usd: 1, overrides: {all: 2}"));
    ck_assert_uint_eq(misspelt.findings.errors, 1); /* the scope alone */
    fixture_close(&misspelt);
}
END_TEST

/* A budget in all three units. */
#define THREE(name, rest) "  - {name: " name ", " rest ", usd: 1, tokens: 1, requests: 1}\n"

/* `count` budgets with what the format makes of 0, 1, ... */
static const char *many(const char *format, int count)
{
    static struct buffer yaml;
    buffer_clear(&yaml);
    buffer_put(&yaml, TEXT("auth: {mode: open}\n" UPSTREAMS "budgets:\n"));
    for (int i = 0; i < count; i++)
        buffer_printf(&yaml, format, i, i);
    return buffer_string(&yaml);
}

START_TEST(refuses_more_accounts_than_one_call_can_be_charged_on)
{
    ACCEPTS(KEYS UPSTREAMS "budgets:\n" THREE("a", "scope: tag, window: day")
                THREE("b", "scope: tag, window: week"));
    REFUSES(KEYS UPSTREAMS "budgets:\n" THREE("a", "scope: tag, window: day")
                THREE("b", "scope: tag, window: week") THREE("c", "scope: tag, window: month"),
            7, "one call could count on 72 accounts, and 64 are the most");
    ACCEPTS(KEYS UPSTREAMS "budgets:\n" THREE("a", "scope: tag, window: day")
                THREE("b", "scope: tag, window: week")
                    THREE("c", "scope: tag, window: day, match: {tag: batch}")
                        THREE("d", "scope: tag, window: day, match: {tag: live}"));
    REFUSES(many(THREE("b%d", "scope: key, window: total, match: {model: \"m%d-*\"}"), 22), 5,
            "count on 66 accounts");
    ACCEPTS(many(THREE("b%d", "scope: key, window: total, match: {model: \"m%d-*\"}"), 21));
}
END_TEST

START_TEST(knows_that_a_call_has_one_key)
{
    ACCEPTS(many(THREE("b%d", "scope: global, window: day, match: {key: k%d}"), 32));
    ACCEPTS(many(THREE("b%d", "scope: key, window: day, match: {team: t%d}"), 32));
}
END_TEST

UNIT_MAIN(doubts_calls_that_outlive_what_a_store_remembers_of_their_session,
          doubts_a_session_that_is_named_with_its_key, knows_rolling_windows,
          knows_what_goes_on_without_a_store, says_loudly_that_nothing_is_capped,
          wants_a_limit_and_a_window, refuses_two_budgets_of_one_name,
          refuses_two_budgets_that_count_the_same, refuses_ids_that_no_key_has,
          only_warns_of_ids_that_a_key_made_at_run_time_could_have,
          refuses_what_no_single_key_can_be, knows_what_callers_may_name_themselves,
          knows_that_who_books_costs_names_their_service,
          does_not_judge_callers_that_it_does_not_know, refuses_overrides_where_there_are_no_ids,
          refuses_more_accounts_than_one_call_can_be_charged_on, knows_that_a_call_has_one_key)
