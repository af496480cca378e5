/* Per-token prices: what is taken, as what, and what is left out. */
#include <stdio.h>

#include "../unit.h"
#include "money/catalog.h"
#include "money/catalog_foreign.h"

#define SAMPLE                                                                                     \
    "tests/unit/money/model_prices_sample.json" /* tests run in the repository's root              \
                                                 */

#define PRICED "\"input_cost_per_token\":1e-06,\"output_cost_per_token\":2e-06"
#define RECORD(name, more)                                                                         \
    "{\"" name "\":{\"litellm_provider\":\"openai\",\"mode\":\"chat\"," more "}}"

static struct catalog *load(const char *json)
{
    struct catalog *catalog = catalog_open();
    struct fault fault = {""};
    bool fine = catalog_load_text(catalog, TEXT("f"), text_of(json), &fault);
    ck_assert_msg(fine, "%s", fault.message);
    catalog_seal(catalog);
    return catalog;
}

static struct catalog *load_sample(void)
{
    struct catalog *catalog = catalog_open();
    struct fault fault = {""};
    ck_assert_msg(catalog_load(catalog, SAMPLE, &fault), "%s", fault.message);
    catalog_seal(catalog);
    return catalog;
}

static const struct model *get(const struct catalog *catalog, const char *provider,
                               const char *name)
{
    const struct model *model = catalog_find(catalog, text_of(provider), text_of(name), 0);
    ck_assert_msg(model != NULL, "%s of %s is not priced", name, provider);
    return model;
}

static int64_t rate(const struct model *model, int tier, enum bucket bucket)
{
    return model->price.tiers[tier].rates.pico[bucket];
}

/* The one model's rate of a bucket. */
static int64_t rate_of(const char *more, enum bucket bucket)
{
    char json[1024];
    snprintf(json, sizeof(json), RECORD("m", "%s"), more);
    struct catalog *catalog = load(json);
    int64_t pico = rate(get(catalog, "openai", "m"), 0, bucket);
    catalog_close(catalog);
    return pico;
}

static bool is_left_out(const char *more)
{
    char json[1024];
    snprintf(json, sizeof(json), RECORD("m", "%s"), more);
    struct catalog *catalog = load(json);
    bool out = catalog_find(catalog, TEXT("openai"), TEXT("m"), 0) == NULL;
    size_t at = 0;
    ck_assert(out == (catalog_next_note(catalog, &at).size > 0));
    catalog_close(catalog);
    return out;
}

START_TEST(prices_are_exact_and_rounded_up_where_finer)
{
    ck_assert_int_eq(
        rate_of("\"input_cost_per_token\":1.5e-07,\"output_cost_per_token\":6e-07", BUCKET_INPUT),
        150000);
    ck_assert_int_eq(rate_of("\"input_cost_per_token\":0.00000015,\"output_cost_per_token\":6E-7",
                             BUCKET_OUTPUT),
                     600000);
    ck_assert_int_eq(
        rate_of("\"input_cost_per_token\":1.23456e-10,\"output_cost_per_token\":0", BUCKET_INPUT),
        124);
    ck_assert_int_eq(
        rate_of("\"input_cost_per_token\":1e-30,\"output_cost_per_token\":0.0", BUCKET_INPUT), 1);
    ck_assert_int_eq(rate_of("\"input_cost_per_token\":3.0000000000000001e-6,"
                             "\"output_cost_per_token\":0",
                             BUCKET_INPUT),
                     3000001);
}
END_TEST

START_TEST(each_kind_of_token_has_its_own_price)
{
    ck_assert_int_eq(rate_of(PRICED ",\"output_cost_per_reasoning_token\":5e-06", BUCKET_OUTPUT),
                     2000000);
    ck_assert_int_eq(rate_of(PRICED ",\"output_cost_per_reasoning_token\":5e-06", BUCKET_REASONING),
                     5000000);
    ck_assert_int_eq(rate_of(PRICED, BUCKET_REASONING), 2000000);
    ck_assert_int_eq(rate_of(PRICED ",\"output_cost_per_image_token\":3e-05", BUCKET_IMAGE_OUTPUT),
                     30000000);
    ck_assert_int_eq(
        rate_of(PRICED ",\"cache_read_input_audio_token_cost\":3e-07", BUCKET_CACHED_AUDIO),
        300000);
    ck_assert_int_eq(rate_of(PRICED ",\"cache_creation_input_token_cost\":2e-06,"
                                    "\"cache_creation_input_token_cost_above_1hr\":3e-06",
                             BUCKET_CACHE_WRITE_1H),
                     3000000);
    ck_assert_int_eq(
        rate_of(PRICED ",\"cache_creation_input_token_cost\":2e-06", BUCKET_CACHE_WRITE_1H),
        2000000);
    ck_assert_int_eq(rate_of(PRICED ",\"cache_read_input_token_cost\":1e-07", BUCKET_CACHED_INPUT),
                     100000);
    ck_assert_int_eq(rate_of(PRICED ",\"cache_read_input_token_cost\":null", BUCKET_CACHED_INPUT),
                     1000000);
    ck_assert_int_eq(rate_of(PRICED ",\"input_cost_per_audio_token\":4e-05", BUCKET_AUDIO_INPUT),
                     40000000);
    ck_assert_int_eq(rate_of(PRICED ",\"output_cost_per_audio_token\":8e-05", BUCKET_AUDIO_OUTPUT),
                     80000000);
}
END_TEST

START_TEST(what_costs_more_than_tokens_is_left_out)
{
    ck_assert(!is_left_out(PRICED));
    ck_assert(is_left_out(PRICED ",\"input_cost_per_image\":0.01"));
    ck_assert(is_left_out(PRICED ",\"some_new_pricing\":[{}]"));
    ck_assert(is_left_out(PRICED ",\"output_cost_per_video_token\":3e-05"));
    ck_assert(is_left_out(PRICED ",\"input_cost_per_token_above_10s_interval\":3e-05"));
    ck_assert(!is_left_out(PRICED ",\"input_cost_per_image\":0.0"));
    ck_assert(!is_left_out(PRICED ",\"input_cost_per_image_token\":1e-06"));
    ck_assert(!is_left_out(PRICED ",\"input_cost_per_token_batches\":5e-07"));
    ck_assert(!is_left_out(PRICED ",\"output_cost_per_token_above_200k_tokens_priority\":9e-06"));
    ck_assert(!is_left_out(PRICED ",\"search_context_cost_per_query\":{\"a\":0.03}"));
    ck_assert(is_left_out("\"input_cost_per_token\":1e-06"));
    ck_assert(is_left_out("\"output_cost_per_second\":1e-06"));
}
END_TEST

START_TEST(a_model_that_searches_with_every_call_is_left_out)
{
    struct catalog *catalog =
        load(RECORD("gpt-4o-search-preview", PRICED ",\"search_context_cost_per_query\":{}"));
    ck_assert_ptr_null(catalog_find(catalog, TEXT("openai"), TEXT("gpt-4o-search-preview"), 0));
    catalog_close(catalog);
}
END_TEST

#define SERVED(more)                                                                               \
    RECORD("m", PRICED ",\"cache_read_input_token_cost\":1e-07,"                                   \
                       "\"input_cost_per_token_above_200k_tokens\":4e-06," more)

START_TEST(service_tiers_have_their_prices)
{
    struct catalog *catalog =
        load(SERVED("\"input_cost_per_token_flex\":5e-07,\"output_cost_per_token_flex\":1e-06,"
                    "\"input_cost_per_token_priority\":3e-06,"
                    "\"input_cost_per_token_above_200k_tokens_priority\":8e-06,"
                    "\"output_cost_per_token_priority\":6e-06,"
                    "\"input_cost_per_token_batches\":5e-07,\"input_cost_per_request\":0.01,"
                    "\"search_context_cost_per_query\":{\"low\":0.01,\"high\":0.03}"));
    const struct price *price = &get(catalog, "openai", "m")->price;
    const struct price *flex = price->services[SERVICE_FLEX];
    const struct price *priority = price->services[SERVICE_PRIORITY];
    ck_assert_ptr_null(price->services[SERVICE_BATCH]); /* of its output nothing is known */
    ck_assert_int_eq(price->request_pico, 10000000000);
    ck_assert_int_eq(price->search_pico, 30000000000);
    ck_assert_int_eq(flex->request_pico, 10000000000);
    ck_assert_int_eq(flex->tiers[0].rates.pico[BUCKET_INPUT], 500000);
    /* what a cheaper tier does not say is the standard price, what a dearer one does not, its own
     */
    ck_assert_int_eq(flex->tiers[0].rates.pico[BUCKET_CACHED_INPUT], 100000);
    ck_assert_int_eq(flex->tiers[1].rates.pico[BUCKET_INPUT], 4000000);
    ck_assert_int_eq(priority->tiers[0].rates.pico[BUCKET_CACHED_INPUT], 3000000);
    ck_assert_int_eq(priority->tiers[1].rates.pico[BUCKET_INPUT], 8000000);
    ck_assert_int_eq(priority->tiers[1].rates.pico[BUCKET_OUTPUT], 6000000);
    catalog_close(catalog);
}
END_TEST

START_TEST(tiers_come_in_their_order_and_inherit)
{
    struct catalog *catalog =
        load(RECORD("m", "\"input_cost_per_token_above_200k_tokens\":4e-06,"
                         "\"cache_read_input_token_cost\":1e-07," PRICED ","
                         "\"cache_creation_input_token_cost_above_1hr_above_200k_tokens\":7e-06,"
                         "\"input_cost_per_token_above_128k_tokens\":3e-06"));
    const struct model *model = get(catalog, "openai", "m");
    ck_assert_int_eq(model->price.tier_count, 3);
    ck_assert_int_eq(model->price.tiers[1].above_input_tokens, 128000);
    ck_assert_int_eq(model->price.tiers[2].above_input_tokens, 200000);
    ck_assert_int_eq(rate(model, 1, BUCKET_INPUT), 3000000);
    ck_assert_int_eq(rate(model, 1, BUCKET_CACHED_INPUT), 100000);
    ck_assert_int_eq(rate(model, 2, BUCKET_INPUT), 4000000);
    ck_assert_int_eq(rate(model, 2, BUCKET_CACHE_WRITE_1H), 7000000);
    ck_assert_int_eq(rate(model, 2, BUCKET_OUTPUT), 2000000);
    catalog_close(catalog);
    ck_assert(is_left_out(PRICED ",\"input_cost_per_token_above_1k_tokens\":1e-6,"
                                 "\"input_cost_per_token_above_2k_tokens\":1e-6,"
                                 "\"input_cost_per_token_above_3k_tokens\":1e-6,"
                                 "\"input_cost_per_token_above_4k_tokens\":1e-6"));
}
END_TEST

START_TEST(the_sample_file_gives_providers_names_and_limits)
{
    struct catalog *catalog = load_sample();
    const struct model *small = get(catalog, "openai", "acme-small");
    ck_assert_int_eq(small->max_input_tokens, 128000);
    ck_assert_int_eq(small->max_output_tokens, 16384);
    UNIT_TEXT(small->source, SAMPLE);
    ck_assert(small == get(catalog, "openai", "openai/acme-small"));
    const struct model *azure = get(catalog, "azure", "acme-small");
    ck_assert(azure == get(catalog, "", "acme-small")); /* the dearer of the two */
    UNIT_TEXT(azure->name, "acme-small");
    ck_assert(azure == get(catalog, "", "azure/acme-small"));
    ck_assert_int_eq(rate(azure, 0, BUCKET_INPUT), 165000);
    UNIT_TEXT(get(catalog, "azure", "azure/eu/acme-small")->name, "eu/acme-small");
    const struct model *embed = get(catalog, "together", "acme/embed");
    ck_assert_int_eq(embed->kind, MODEL_EMBEDDING);
    ck_assert_int_eq(embed->max_input_tokens, 8192);
    ck_assert_int_eq(embed->max_output_tokens, 0);
    ck_assert_int_eq(rate(embed, 0, BUCKET_OUTPUT), 0);
    const struct model *thinker = get(catalog, "anthropic", "acme-thinker");
    ck_assert(thinker->reasoning);
    ck_assert_int_eq(thinker->max_output_tokens, 4096);
    catalog_close(catalog);
}
END_TEST

START_TEST(of_two_records_of_a_name_the_dearer_stays_under_both_keys)
{
    struct catalog *catalog = load_sample();
    const struct model *model = get(catalog, "google", "acme-twin");
    ck_assert_int_eq(rate(model, 0, BUCKET_INPUT), 2000000);
    ck_assert(model == get(catalog, "google", "gemini/acme-twin"));
    ck_assert(model == get(catalog, "google", "vertex_ai/acme-twin"));
    catalog_close(catalog);
}
END_TEST

static int64_t piece_of(const char *json, enum piece piece)
{
    struct catalog *catalog = load(json);
    const struct model *model = catalog_find(catalog, TEXT("openai"), TEXT("m"), 0);
    int64_t pico = model != NULL ? model->price.piece_pico[piece] : -1;
    catalog_close(catalog);
    return pico;
}

#define OF_MODE(mode, more)                                                                        \
    "{\"m\":{\"litellm_provider\":\"openai\",\"mode\":\"" mode "\"," more "}}"

START_TEST(images_seconds_and_characters_have_prices_where_they_are_what_is_billed)
{
    ck_assert_int_eq(
        piece_of(OF_MODE("image_generation", "\"output_cost_per_image\":0.04"), PIECE_IMAGE),
        40000000000);
    ck_assert_int_eq(piece_of(OF_MODE("image_edit", "\"input_cost_per_image\":0.04"), PIECE_IMAGE),
                     40000000000);
    ck_assert_int_eq(
        piece_of(OF_MODE("audio_speech", "\"input_cost_per_character\":1.5e-05"), PIECE_CHARACTER),
        15000000);
    ck_assert_int_eq(piece_of(OF_MODE("audio_transcription", "\"input_cost_per_second\":1e-04,"
                                                             "\"output_cost_per_second\":0.0"),
                              PIECE_SECOND),
                     100000000);
    /* elsewhere they are more than tokens; so are two prices for one thing, and pixels */
    ck_assert_int_eq(
        piece_of(OF_MODE("chat", PRICED ",\"input_cost_per_image\":0.04"), PIECE_IMAGE), -1);
    ck_assert_int_eq(
        piece_of(OF_MODE("image_generation", PRICED ",\"input_cost_per_image\":0.04"), PIECE_IMAGE),
        -1);
    ck_assert_int_eq(
        piece_of(OF_MODE("image_generation", "\"input_cost_per_pixel\":4e-08"), PIECE_IMAGE), -1);
}
END_TEST

START_TEST(output_of_images_alone_is_the_price_of_all_output)
{
    struct catalog *catalog =
        load(OF_MODE("image_generation", "\"input_cost_per_token\":5e-06,"
                                         "\"output_cost_per_image_token\":4e-05"));
    ck_assert_int_eq(rate(get(catalog, "openai", "m"), 0, BUCKET_OUTPUT), 40000000);
    catalog_close(catalog);
}
END_TEST

START_TEST(counts_what_is_left_out)
{
    struct catalog *catalog = load_sample();
    size_t at = 0;
    UNIT_TEXT(catalog_next_note(catalog, &at),
              SAMPLE ": 3 of 11 models are left out: 1 are for other endpoints, 1 have no prices "
                     "that are counted, 1 are dearer under another record "
                     "of the same name");
    ck_assert_uint_eq(catalog_next_note(catalog, &at).size, 0);
    catalog_close(catalog);
}
END_TEST

/* A file, and what the message must say. */
static const struct {
    const char *json, *says;
} REFUSED[] = {
    {RECORD("m", "\"input_cost_per_token\":-1e-06,\"output_cost_per_token\":0"),
     "record \"m\": \"input_cost_per_token\" is not a price (USD per token, 0 to 1)"},
    {RECORD("m", "\"input_cost_per_token\":1.01,\"output_cost_per_token\":0"), "is not a price"},
    {RECORD("m", "\"input_cost_per_token\":\"1e-6\",\"output_cost_per_token\":0"),
     "is not a price"},
    {RECORD("m", PRICED ",\"input_cost_per_token\":1e-06"),
     "record \"m\": \"input_cost_per_token\" stands twice"},
    {RECORD("m", PRICED ",\"input_cost_per_toke\\u006e\":1e-06"), "stands twice"},
    {RECORD("", PRICED), "a name is a text"},
    {RECORD("m\\u001b[2J", PRICED), "without control characters"},
    {"{\"a\":{\"litellm_provider\":\"x\"},\"b\":7}", "record \"b\": an object is expected"},
    {"{\"a\":{\"litellm_provider\":\"x\"},\"a\":{\"litellm_provider\":\"x\"}}",
     "record \"a\": stands twice"},
};

START_TEST(refuses_what_is_wrong_and_names_the_record)
{
    for (size_t at = 0; at < UNIT_COUNT(REFUSED); at++) {
        struct catalog *catalog = catalog_open();
        struct fault fault = {""};
        ck_assert_msg(!catalog_load_text(catalog, TEXT("f"), text_of(REFUSED[at].json), &fault),
                      "%s is accepted", REFUSED[at].json);
        ck_assert_msg(strstr(fault.message, REFUSED[at].says) != NULL, "%s: \"%s\"",
                      REFUSED[at].json, fault.message);
        catalog_close(catalog);
    }
}
END_TEST

UNIT_MAIN(images_seconds_and_characters_have_prices_where_they_are_what_is_billed,
          output_of_images_alone_is_the_price_of_all_output,
          prices_are_exact_and_rounded_up_where_finer, each_kind_of_token_has_its_own_price,
          what_costs_more_than_tokens_is_left_out,
          a_model_that_searches_with_every_call_is_left_out, service_tiers_have_their_prices,
          tiers_come_in_their_order_and_inherit, the_sample_file_gives_providers_names_and_limits,
          of_two_records_of_a_name_the_dearer_stays_under_both_keys, counts_what_is_left_out,
          refuses_what_is_wrong_and_names_the_record)
