/*
 * Fuzzing price files of both formats: what is accepted must be priced within the promised range,
 * in rising tiers, and be found in a catalog; a bound made from it must hold for a call.
 */
#include "fuzz.h"
#include "money/catalog_file.h"

static void check_rates(const struct rates *rates)
{
    for (int bucket = 0; bucket < BUCKET_COUNT; bucket++) {
        ASSERT(rates->pico[bucket] >= 0);
        ASSERT(rates->pico[bucket] <= PRICE_MOST_PICO);
    }
}

static void check_tiers(const struct price *price)
{
    ASSERT(price->request_pico >= 0 && price->request_pico <= PRICE_MOST_FEE_PICO);
    ASSERT(price->search_pico >= 0 && price->search_pico <= PRICE_MOST_FEE_PICO);
    for (int piece = 0; piece < PIECE_COUNT; piece++)
        ASSERT(price->piece_pico[piece] >= 0 && price->piece_pico[piece] <= PRICE_MOST_FEE_PICO);
    ASSERT(price->tier_count >= 1);
    ASSERT(price->tier_count <= PRICE_MAX_TIERS);
    ASSERT(price->tiers[0].above_input_tokens == -1);
    for (int tier = 0; tier < price->tier_count; tier++) {
        check_rates(&price->tiers[tier].rates);
        ASSERT(tier == 0 ||
               price->tiers[tier].above_input_tokens > price->tiers[tier - 1].above_input_tokens);
    }
}

static void check_price(const struct price *price)
{
    struct usage_buckets usage = {
        .tokens = {1000, 2000, 3000, 4000, 5000, 6000, 500, 600, 700, 800, 900}, .services = 15};
    struct bound bound = {.input_tokens = 11800, .choices = 1, .audio = true, .services = 15};
    check_tiers(price);
    ASSERT(price->services[SERVICE_STANDARD] == NULL);
    for (int service = SERVICE_STANDARD + 1; service < SERVICE_COUNT; service++) {
        if (price->services[service] != NULL)
            check_tiers(price->services[service]);
    }
    struct money worst = price_bound(price, &bound, 12700);
    ASSERT(money_compare(price_cost(price, &usage), worst) <= 0);
    ASSERT(price_affordable(price, &bound, worst, 12700) == 12700);
}

/* At some time: an alias may have been taken over by another model. */
static bool has_name(const struct catalog *catalog, struct text provider, struct text name)
{
    size_t at = 0;
    const struct model *model = NULL;
    bool found = catalog_find(catalog, provider, name, 0) != NULL;
    while (!found && (model = catalog_next(catalog, &at)) != NULL)
        found = catalog_find(catalog, provider, name, model->from_s) != NULL;
    return found;
}

static void check_found(const struct catalog_record *records, size_t count)
{
    struct catalog *catalog = catalog_open();
    for (size_t at = 0; at < count; at++) {
        catalog_add(catalog, &records[at].model, records[at].aliases, records[at].alias_count);
    }
    catalog_seal(catalog);
    for (size_t at = 0; at < count; at++) {
        const struct model *model = &records[at].model;
        ASSERT(catalog_find(catalog, model->provider, model->name, model->from_s) != NULL);
        for (size_t alias = 0; alias < records[at].alias_count; alias++) {
            struct text name = records[at].aliases[alias];
            ASSERT(has_name(catalog, model->provider, name));
        }
    }
    ASSERT(catalog_version(catalog).size == 16);
    catalog_close(catalog);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct fault fault = {""};
    struct catalog_records records = {0};
    struct text json = {(const char *)data, size};
    if (catalog_file_parse(json, &arena, &records, &fault)) {
        for (size_t at = 0; at < records.count; at++) {
            const struct model *model = &records.at[at].model;
            ASSERT(model->from_s < model->until_s);
            check_price(&model->price);
            (void)catalog_family(model->name);
        }
        check_found(records.at, records.count);
    } else {
        ASSERT(fault.message[0] != '\0');
    }
    arena_close(&arena);
    return 0;
}
