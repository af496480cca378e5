/*
 * Checks against the price catalog. They are warnings: a model without a price is refused when it
 * is asked for, so no money is at risk, and a catalog never knows every model.
 */
#include "config/config.h"

#include "base/clock.h"

#define EXAMPLE_PRICE "models: [{name: %.*s, input: 1.00, output: 4.00}]"

static bool is_pattern(struct text name)
{
    return text_find(name, TEXT("*"), 0) != SIZE_MAX;
}

static bool has_usd_budget(const struct config *config)
{
    for (size_t i = 0; i < config->budget_count; i++)
        if (config->budgets[i].limit[UNIT_USD] != LIMIT_NONE)
            return true;
    return false;
}

static bool is_own_model(const struct config *config, const struct config_upstream *upstream,
                         struct text name)
{
    for (size_t i = 0; i < config->model_count; i++)
        if (text_equal(config->models[i].name, name) &&
            (config->models[i].upstream.size == 0 ||
             text_equal(config->models[i].upstream, upstream->name)))
            return true;
    return false;
}

static bool in_catalog(const struct catalog *catalog, struct text provider, struct text name)
{
    int64_t now_s = clock_wall_us(clock_real()) / 1000000;
    return catalog_find(catalog, provider, name, now_s) != NULL;
}

static bool has_price(const struct config *config, const struct catalog *catalog,
                      const struct config_upstream *upstream, struct text name)
{
    return is_own_model(config, upstream, name) || in_catalog(catalog, upstream->provider, name) ||
           in_catalog(catalog, upstream->provider, catalog_family(name));
}

/* Whether a name that somebody may ask for matches: of the catalog, of the operator's own models,
 * or an alias. */
static bool is_known(const struct config *config, const struct catalog *catalog,
                     struct text pattern)
{
    if (!is_pattern(pattern) && (in_catalog(catalog, TEXT_NONE, pattern) ||
                                 in_catalog(catalog, TEXT_NONE, catalog_family(pattern))))
        return true;
    for (size_t i = 0; i < config->model_count; i++)
        if (text_matches(config->models[i].name, pattern))
            return true;
    for (size_t i = 0; i < config->upstream_count; i++)
        for (size_t j = 0; j < config->upstreams[i].aliases.count; j++)
            if (text_matches(config->upstreams[i].aliases.at[j].name, pattern))
                return true;
    size_t at = 0;
    const struct model *model;
    while ((model = catalog_next(catalog, &at)) != NULL)
        if (text_matches(model->name, pattern))
            return true;
    return false;
}

static bool is_alias(const struct config_upstream *upstream, struct text name)
{
    for (size_t i = 0; i < upstream->aliases.count; i++)
        if (text_equal(upstream->aliases.at[i].name, name))
            return true;
    return false;
}

/* Each model that it serves has a price of the operator's. */
static bool all_own(const struct config *config, const struct config_upstream *upstream)
{
    for (size_t i = 0; i < upstream->models.count; i++)
        if (!is_own_model(config, upstream, upstream->models.at[i]))
            return false;
    return upstream->models.count > 0;
}

static void check_provider(const struct config *config, const struct config_upstream *upstream,
                           struct findings *findings)
{
    if (upstream->provider.size == 0 && !all_own(config, upstream))
        findings_add(findings, FINDING_WARNING, upstream->line,
                     "upstream %.*s: its host does not tell whose prices apply, so each model has "
                     "the dearest of any provider: write provider: NAME, or its models' prices "
                     "under models",
                     TEXT_ARG(upstream->name));
}

static void check_served(const struct config *config, const struct catalog *catalog,
                         const struct config_upstream *upstream, struct findings *findings)
{
    for (size_t i = 0; i < upstream->models.count; i++) {
        struct text name = upstream->models.at[i];
        if (is_pattern(name) && !is_known(config, catalog, name))
            findings_add(findings, FINDING_WARNING, upstream->line,
                         "upstream %.*s: the pattern \"%.*s\" matches no model that has a price",
                         TEXT_ARG(upstream->name), TEXT_ARG(name));
        if (!is_pattern(name) && !is_alias(upstream, name) &&
            !has_price(config, catalog, upstream, name))
            findings_add(findings, FINDING_WARNING, upstream->line,
                         "upstream %.*s: the model \"%.*s\" has no price and is refused under a "
                         "budget in USD: write " EXAMPLE_PRICE,
                         TEXT_ARG(upstream->name), TEXT_ARG(name), TEXT_ARG(name));
    }
    for (size_t i = 0; i < upstream->aliases.count; i++) {
        const struct config_pair *alias = &upstream->aliases.at[i];
        if (!has_price(config, catalog, upstream, alias->name) &&
            !has_price(config, catalog, upstream, alias->value))
            findings_add(
                findings, FINDING_WARNING, upstream->line,
                "upstream %.*s: neither \"%.*s\" nor \"%.*s\" has a price: write " EXAMPLE_PRICE,
                TEXT_ARG(upstream->name), TEXT_ARG(alias->name), TEXT_ARG(alias->value),
                TEXT_ARG(alias->name));
    }
}

static void check_key_models(const struct config *config, const struct catalog *catalog,
                             struct findings *findings)
{
    for (size_t i = 0; i < config->key_count; i++)
        for (size_t j = 0; j < config->keys[i].models.count; j++)
            if (!is_known(config, catalog, config->keys[i].models.at[j]))
                findings_add(findings, FINDING_WARNING, 0,
                             "key %.*s: no model that is known matches \"%.*s\"",
                             TEXT_ARG(config->keys[i].id), TEXT_ARG(config->keys[i].models.at[j]));
}

static void check_budget_models(const struct config *config, const struct catalog *catalog,
                                struct findings *findings)
{
    for (size_t i = 0; i < config->budget_count; i++) {
        const struct budget *budget = &config->budgets[i];
        for (size_t j = 0; j < budget->match_count; j++)
            if (budget->match[j].scope == SCOPE_MODEL &&
                !is_known(config, catalog, budget->match[j].pattern))
                findings_add(findings, FINDING_WARNING, 0,
                             "budget %.*s: no model that is known matches \"%.*s\", so it may "
                             "never apply",
                             TEXT_ARG(budget->name), TEXT_ARG(budget->match[j].pattern));
        for (size_t j = 0; budget->scope == SCOPE_MODEL && j < budget->override_count; j++)
            if (!is_known(config, catalog, budget->overrides[j].id))
                findings_add(findings, FINDING_WARNING, 0,
                             "budget %.*s: no model is known as \"%.*s\", which overrides names",
                             TEXT_ARG(budget->name), TEXT_ARG(budget->overrides[j].id));
    }
}

void config_check_prices(const struct config *config, const struct catalog *catalog,
                         struct findings *findings)
{
    size_t at = 0;
    struct text note;
    while ((note = catalog_next_note(catalog, &at)).size > 0)
        findings_add(findings, FINDING_WARNING, 0, "prices: %.*s", TEXT_ARG(note));
    bool usd = has_usd_budget(config);
    bool refused = text_equal(config->unpriced, TEXT("refuse"));
    if (usd && text_equal(config->unpriced, TEXT("allow")))
        findings_add(findings, FINDING_WARNING, 0,
                     "unpriced: allow: A MODEL WITHOUT A PRICE IS TAKEN FOR FREE, so no budget in "
                     "USD limits it: write refuse, or the name of a model to price it as");
    for (size_t i = 0; usd && i < config->upstream_count; i++)
        check_provider(config, &config->upstreams[i], findings);
    for (size_t i = 0; usd && refused && i < config->upstream_count; i++)
        check_served(config, catalog, &config->upstreams[i], findings);
    check_key_models(config, catalog, findings);
    check_budget_models(config, catalog, findings);
}
