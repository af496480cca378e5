/* The configuration without a file. */
#include "fixture.h"

static const char *everything(const char *name)
{
    if (strcmp(name, "OPENAI_API_KEY") == 0)
        return "sk-test";
    return strcmp(name, "PURSER_BUDGET_USD") == 0 ? "2.50" : NULL;
}

static const char *key_alone(const char *name)
{
    if (strcmp(name, "PURSER_BUDGET_USD") == 0)
        return "";
    return strcmp(name, "OPENAI_API_KEY") == 0 ? "sk-test" : NULL;
}

static const char *anthropic_alone(const char *name)
{
    if (strcmp(name, "OPENAI_API_KEY") == 0)
        return "";
    return strcmp(name, "ANTHROPIC_API_KEY") == 0 ? "sk-ant" : NULL;
}

static const char *nonsense(const char *name)
{
    return strcmp(name, "PURSER_BUDGET_USD") == 0 ? "lots" : NULL;
}

START_TEST(opens_the_door_on_loopback_with_a_daily_budget)
{
    struct findings findings = {0};
    struct config *config = config_load(NULL, everything, &findings);
    ck_assert_msg(findings.count == 0, "%s", fixture_told(&findings));
    UNIT_TEXT(config->path, "");
    UNIT_TEXT(config->listen, "127.0.0.1:8080");
    ck_assert_int_eq(config->auth_mode, AUTH_OPEN);
    UNIT_TEXT(config->data_dir, "data");
    ck_assert_uint_eq(config->upstream_count, 1);
    UNIT_TEXT(config->upstreams[0].base_url, "https://api.openai.com/v1");
    UNIT_TEXT(config->upstreams[0].api_key, "sk-test");
    UNIT_TEXT(config->upstreams[0].provider, "openai");
    ck_assert_int_eq(config->upstreams[0].line, 0);
    ck_assert_uint_eq(config->budget_count, 1);
    ck_assert_int_eq(config->budgets[0].scope, SCOPE_GLOBAL);
    ck_assert_int_eq(config->budgets[0].window, WINDOW_DAY);
    ck_assert_int_eq(config->budgets[0].limit[UNIT_USD], INT64_C(2500000000));
    config_close(config);
}
END_TEST

START_TEST(warns_loudly_without_a_budget)
{
    struct findings findings = {0};
    struct config *config = config_load(NULL, key_alone, &findings);
    ck_assert_ptr_nonnull(config);
    ck_assert_uint_eq(findings.count, 1);
    ck_assert(fixture_has(&findings, 0, "NO BUDGET: nothing is capped: set PURSER_BUDGET_USD"));
    ck_assert_uint_eq(config->budget_count, 0);
    config_close(config);
    findings_close(&findings);
}
END_TEST

static const char *both_keys(const char *name)
{
    const char *anthropic = anthropic_alone(name);
    return anthropic != NULL && anthropic[0] != '\0' ? anthropic : everything(name);
}

START_TEST(a_key_of_anthropics_makes_an_upstream_for_its_models)
{
    struct findings findings = {0};
    struct config *config = config_load(NULL, anthropic_alone, &findings);
    ck_assert_ptr_nonnull(config);
    ck_assert_uint_eq(config->upstream_count, 1);
    UNIT_TEXT(config->upstreams[0].provider, "anthropic");
    UNIT_TEXT(config->upstreams[0].api_key, "sk-ant");
    config_close(config);
    findings_close(&findings);
    config = config_load(NULL, both_keys, &findings);
    ck_assert_msg(findings.count == 0, "%s", fixture_told(&findings));
    ck_assert_uint_eq(config->upstream_count, 2);
    UNIT_TEXT(config->upstreams[0].models.at[0], "claude*");
    UNIT_TEXT(config->upstreams[1].provider, "openai");
    ck_assert_uint_eq(config->upstreams[1].models.count, 0);
    config_close(config);
}
END_TEST

START_TEST(says_what_to_set)
{
    struct findings findings = {0};
    ck_assert_ptr_null(config_load(NULL, nonsense, &findings));
    ck_assert(fixture_has(&findings, 0, "there is no upstream: set OPENAI_API_KEY"));
    ck_assert(fixture_has(&findings, 0, "PURSER_BUDGET_USD must be dollars a day"));
    findings_close(&findings);
}
END_TEST

UNIT_MAIN(opens_the_door_on_loopback_with_a_daily_budget, warns_loudly_without_a_budget,
          a_key_of_anthropics_makes_an_upstream_for_its_models, says_what_to_set)
