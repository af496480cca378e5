/* Checks against the catalog: models that have no price, patterns that match nothing. */
#include "fixture.h"

static struct catalog *small_catalog(void)
{
    struct catalog *catalog = catalog_open();
    struct model model = {.provider = TEXT("openai"), .name = TEXT("gpt-4o")};
    struct text alias = TEXT("gpt-4o-2024-11-20");
    model.price.tier_count = 1;
    model.price.tiers[0].above_input_tokens = -1;
    catalog_add(catalog, &model, &alias, 1);
    catalog_seal(catalog);
    return catalog;
}

/* The findings of the price checks alone. */
static struct findings check(const char *yaml)
{
    struct fixture fixture = fixture_load(yaml);
    ck_assert_msg(fixture.config != NULL, "%s", fixture_told(&fixture.findings));
    struct catalog *catalog = small_catalog();
    struct findings findings = {0};
    config_check_prices(fixture.config, catalog, &findings);
    catalog_close(catalog);
    fixture_close(&fixture);
    return findings;
}

static void expect(const char *yaml, int line, const char *part)
{
    struct findings findings = check(yaml);
    ck_assert_msg(fixture_has(&findings, line, part), "no \"%s\" in:\n%s", part,
                  fixture_told(&findings));
    ck_assert_uint_eq(findings.errors, 0);
    findings_close(&findings);
}

static void expect_nothing(const char *yaml)
{
    struct findings findings = check(yaml);
    ck_assert_msg(findings.count == 0, "%s", fixture_told(&findings));
    findings_close(&findings);
}

#define SERVING(more)                                                                              \
    "upstreams:\n"                                                                                 \
    "  - {name: o, base_url: \"https://api.openai.com/v1\", api_key: k, " more "}\n" KEYS
#define OWN "models: [{name: my-llama, upstream: o, input: 1, output: 1}]\n"

START_TEST(accepts_what_has_a_price)
{
    expect_nothing(SERVING("models: [\"gpt-*\", gpt-4o-2024-11-20]") BUDGETS);
    expect_nothing(SERVING("models: [my-llama], aliases: {x: my-llama, gpt-4o: dep1}") BUDGETS OWN);
    expect_nothing(SERVING("models: [x], aliases: {x: gpt-4o}") BUDGETS);
    expect_nothing(
        "keys: [{id: a, key: 0123456789abcdef, models: [\"my-*\", fast, gpt-4o-2024-11-20]}]\n"
        "upstreams: [{name: o, base_url: \"https://x/v1\", api_key: k, "
        "provider: openai, aliases: {fast: gpt-4o}}]\n" BUDGETS OWN);
}
END_TEST

START_TEST(warns_when_nobody_knows_whose_prices_apply)
{
    const char *elsewhere = KEYS "upstreams:\n"
                                 "  - {name: o, base_url: \"https://x/v1\", api_key: k}\n" BUDGETS;
    expect(elsewhere, 5, "the dearest of any provider");
    expect_nothing(KEYS "upstreams:\n"
                        "  - {name: o, base_url: \"https://x/v1\", api_key: k, models: [my-llama]}"
                        "\n" BUDGETS OWN);
}
END_TEST

START_TEST(warns_of_models_without_a_price_under_a_budget_in_dollars)
{
    expect(SERVING("models: [gpt-9]") BUDGETS, 2,
           "upstream o: the model \"gpt-9\" has no price and is refused under a budget in USD: "
           "write models: [{name: gpt-9, input: 1.00, output: 4.00}]");
    expect(SERVING("models: [\"claude-*\"]") BUDGETS, 2,
           "the pattern \"claude-*\" matches no model");
    expect(SERVING("aliases: {a: b}") BUDGETS, 2, "neither \"a\" nor \"b\" has a price");
    expect_nothing(
        SERVING("models: [gpt-9]") "budgets: [{name: t, scope: key, window: day, tokens: 5}]\n");
}
END_TEST

START_TEST(warns_of_models_that_nobody_can_ask_for)
{
    expect("keys: [{id: a, key: 0123456789abcdef, models: [gtp-*]}]\n" UPSTREAMS BUDGETS, 0,
           "key a: no model that is known matches \"gtp-*\"");
    expect(KEYS UPSTREAMS
           "budgets: [{name: b, scope: key, window: day, usd: 1, match: {model: gtp}}]\n",
           0, "budget b: no model that is known matches \"gtp\"");
    expect(KEYS UPSTREAMS
           "budgets: [{name: b, scope: model, window: day, usd: 1, overrides: {gtp: 1}}]\n",
           0, "no model is known as \"gtp\"");
}
END_TEST

START_TEST(warns_loudly_if_models_without_a_price_are_free)
{
    expect(SERVING("models: [gpt-4o]") BUDGETS "unpriced: allow\n", 0,
           "unpriced: allow: A MODEL WITHOUT A PRICE IS TAKEN FOR FREE");
    expect_nothing(SERVING("models: [gpt-9]") BUDGETS "unpriced: gpt-4o\n");
    expect_nothing(
        SERVING("models: [gpt-9]") "unpriced: allow\n"
                                   "budgets: [{name: t, scope: key, window: day, tokens: 5}]\n");
}
END_TEST

START_TEST(a_dated_snapshot_has_its_familys_price)
{
    expect_nothing(SERVING("models: [gpt-4o-2031-01-01]") BUDGETS);
    expect(SERVING("models: [gpt-4o-preview]") BUDGETS, 2, "\"gpt-4o-preview\" has no price");
}
END_TEST

START_TEST(tells_what_price_files_leave_out)
{
    struct fixture fixture = fixture_load(SERVING("models: [\"*\"]") BUDGETS);
    struct catalog *catalog = catalog_open();
    ck_assert(catalog_load_text(
        catalog, TEXT("f"), TEXT("{\"a\":{\"litellm_provider\":\"x\",\"mode\":\"ocr\"}}"), NULL));
    catalog_seal(catalog);
    struct findings findings = {0};
    config_check_prices(fixture.config, catalog, &findings);
    ck_assert(fixture_has(&findings, 0, "prices: f: 1 of 1 models are left out"));
    findings_close(&findings);
    catalog_close(catalog);
    fixture_close(&fixture);
}
END_TEST

UNIT_MAIN(warns_when_nobody_knows_whose_prices_apply,
          warns_loudly_if_models_without_a_price_are_free, a_dated_snapshot_has_its_familys_price,
          tells_what_price_files_leave_out, accepts_what_has_a_price,
          warns_of_models_without_a_price_under_a_budget_in_dollars,
          warns_of_models_that_nobody_can_ask_for)
