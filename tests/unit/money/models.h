/*
 * What tests of the catalog share: models that cost the same whatever is counted.
 */
#ifndef PURSER_TESTS_MONEY_MODELS_H
#define PURSER_TESTS_MONEY_MODELS_H

#include "../unit.h"
#include "money/catalog.h"

#define PRICES "config/prices.json" /* tests run in the repository's root */

static inline struct model model_of(const char *provider, const char *name, int64_t pico)
{
    struct model model = {.provider = text_of(provider), .name = text_of(name)};
    model.price.tier_count = 1;
    model.price.tiers[0].above_input_tokens = -1;
    for (int bucket = 0; bucket < BUCKET_COUNT; bucket++)
        model.price.tiers[0].rates.pico[bucket] = pico;
    return model;
}

static inline void add(struct catalog *catalog, const char *provider, const char *name,
                       int64_t pico)
{
    struct model model = model_of(provider, name, pico);
    catalog_add(catalog, &model, NULL, 0);
}

#endif
