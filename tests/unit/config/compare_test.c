/* What differs between two configurations. */
#include "config/compare.h"
#include "config/option.h"
#include "fixture.h"

static const char GOOD[] = KEYS UPSTREAMS BUDGETS;

static const char *joined(const struct config_texts *names)
{
    static struct buffer out;
    buffer_clear(&out);
    for (size_t i = 0; i < names->count; i++)
        buffer_printf(&out, "%s%.*s", i == 0 ? "" : " ", TEXT_ARG(names->at[i]));
    return buffer_string(&out);
}

/* What is changed and what is not applied, between the good configuration and another one. */
static void check(const char *yaml, const char *changed, const char *not_applied)
{
    struct arena arena = {0};
    struct fixture before = fixture_load(GOOD), after = fixture_load(yaml);
    ck_assert_ptr_nonnull(before.config);
    ck_assert_msg(after.config != NULL, "%s", fixture_told(&after.findings));
    struct config_texts names = config_changed(before.config, after.config, &arena);
    ck_assert_str_eq(joined(&names), changed);
    names = config_changed(after.config, before.config, &arena);
    ck_assert_str_eq(joined(&names), changed);
    names = config_not_applied(before.config, after.config, &arena);
    ck_assert_str_eq(joined(&names), not_applied);
    fixture_close(&before);
    fixture_close(&after);
    arena_close(&arena);
}

START_TEST(the_same_differs_in_nothing)
{
    check(GOOD, "", "");
    check(BUDGETS UPSTREAMS KEYS "# a comment\nlog: {level: info}\n", "", "");
}
END_TEST

START_TEST(names_the_sections_that_differ)
{
    check(KEYS UPSTREAMS BUDGETS "log: {level: warn}\nhide_amounts: true\n", "log hide_amounts",
          "");
    check(KEYS UPSTREAMS BUDGETS "admission: {clamp: never}\n", "admission", "");
    check(KEYS UPSTREAMS BUDGETS "limits: {request_seconds: 7}\n", "limits", "");
    check(KEYS UPSTREAMS BUDGETS "allowed_origins: [\"https://a.example\"]\n", "allowed_origins",
          "");
}
END_TEST

START_TEST(an_entry_more_or_less_or_elsewhere_is_a_difference)
{
    check(KEYS UPSTREAMS BUDGETS "  - {name: other, scope: key, window: day, usd: 5}\n", "budgets",
          "");
    check(UPSTREAMS BUDGETS
          "keys: [{id: alice, key: key-of-alice-0123456, user: alice, team: research}]\n",
          "keys", "");
    check(UPSTREAMS BUDGETS "keys:\n"
                            "  - {id: bob, key: key-of-bob-012345678, team: sales}\n"
                            "  - {id: alice, key: key-of-alice-0123456, user: alice, team: "
                            "research}\n",
          "keys", "");
}
END_TEST

START_TEST(what_is_secret_is_compared_too)
{
    check(UPSTREAMS BUDGETS "keys:\n"
                            "  - {id: alice, key: key-of-alice-6543210, user: alice, team: "
                            "research}\n"
                            "  - {id: bob, key: key-of-bob-012345678, team: sales}\n",
          "keys", "");
    check(KEYS BUDGETS "upstreams:\n"
                       "  - {name: openai, base_url: \"https://api.openai.com/v1\", api_key: "
                       "sk-another}\n",
          "upstreams", "");
    check(KEYS UPSTREAMS BUDGETS "auth: {admin_token: another-token-0123}\n", "auth", "");
}
END_TEST

START_TEST(every_part_of_a_budget_is_compared)
{
    static const char *const others[] = {
        "name: other, scope: global, window: day, usd: 5",
        "name: daily, scope: key, window: day, usd: 5",
        "name: daily, scope: global, window: week, usd: 5",
        "name: daily, scope: global, window: day, usd: 5.000000001",
        "name: daily, scope: global, window: day, usd: 5, tokens: 1",
        "name: daily, scope: global, window: day, usd: 5, buffer: 1%",
        "name: daily, scope: global, window: day, usd: 5, timezone: Europe/Madrid",
        "name: daily, scope: global, window: day, usd: 5, match: {key: alice}",
    };
    char yaml[1024];
    for (size_t i = 0; i < UNIT_COUNT(others); i++) {
        (void)snprintf(yaml, sizeof(yaml), "%sbudgets: [{%s}]\n", KEYS UPSTREAMS, others[i]);
        check(yaml, "budgets", "");
    }
}
END_TEST

START_TEST(what_needs_a_restart_is_not_applied)
{
    check(KEYS UPSTREAMS BUDGETS "listen: 127.0.0.1:9\nworkers: 3\nnode: n\ndata_dir: elsewhere\n"
                                 "limits: {connections: 7, accounts: 200}\n",
          "", "listen workers node data_dir limits.connections limits.accounts ledger.dir");
    check(KEYS UPSTREAMS BUDGETS "ledger: {dir: d, fsync_ms: 1, rotate_mb: 1}\n"
                                 "limits: {connections: 7, body_mb: 7}\n",
          "limits", "limits.connections ledger.dir ledger.fsync_ms ledger.rotate_mb");
    check(KEYS UPSTREAMS BUDGETS "store: {wait_replicas: 1, tls: {server_name: h}}\n", "",
          "store.tls.server_name store.wait_replicas");
}
END_TEST

UNIT_MAIN(the_same_differs_in_nothing, names_the_sections_that_differ,
          an_entry_more_or_less_or_elsewhere_is_a_difference, what_is_secret_is_compared_too,
          every_part_of_a_budget_is_compared, what_needs_a_restart_is_not_applied)
