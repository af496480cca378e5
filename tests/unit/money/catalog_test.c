/* The catalog: reading price files, finding models, the real config/prices.json. */
#include <stdio.h>
#include <unistd.h>

#include "models.h"
#include "money/catalog_file.h"

#define TRAITS     "\"kind\":\"chat\",\"reasoning\":false"
#define ONE(rates) "{\"name\":\"m\"," TRAITS ",\"tiers\":[{" rates "}]}"
#define PLAIN(name, more)                                                                          \
    "{\"name\":\"" name "\"," more TRAITS ",\"tiers\":[{\"input\":1,\"output\":1}]}"
#define FILE_OF(records) "{\"format\":1,\"models\":[" records "]}"

/* The price under which the name is found; -1 if it is not. */
static int64_t found(const struct catalog *catalog, const char *provider, const char *name)
{
    const struct model *model = catalog_find(catalog, text_of(provider), text_of(name), 0);
    return model == NULL ? -1 : model->price.tiers[0].rates.pico[BUCKET_INPUT];
}

static struct catalog *real_catalog(void)
{
    struct catalog *catalog = catalog_open();
    struct fault fault = {""};
    bool loaded = catalog_load(catalog, PRICES, &fault);
    ck_assert_msg(loaded, "%s", fault.message);
    catalog_seal(catalog);
    return catalog;
}

static void check_rates(const struct catalog *catalog, const char *name,
                        const int64_t want[3]) /* input, cached, output */
{
    const struct model *model = catalog_find(catalog, TEXT("openai"), text_of(name), 0);
    ck_assert_msg(model != NULL, "%s is not priced", name);
    const int64_t *pico = model->price.tiers[0].rates.pico;
    ck_assert_int_eq(pico[BUCKET_INPUT], want[0]);
    ck_assert_int_eq(pico[BUCKET_CACHED_INPUT], want[1]);
    ck_assert_int_eq(pico[BUCKET_OUTPUT], want[2]);
}

START_TEST(the_shipped_file_prices_the_main_models)
{
    struct catalog *catalog = real_catalog();
    check_rates(catalog, "gpt-4o-mini", (int64_t[]){150000, 75000, 600000});
    check_rates(catalog, "gpt-4o-mini-2024-07-18", (int64_t[]){150000, 75000, 600000});
    check_rates(catalog, "gpt-4o", (int64_t[]){2500000, 1250000, 10000000});
    check_rates(catalog, "gpt-4.1-nano", (int64_t[]){100000, 25000, 400000});
    check_rates(catalog, "text-embedding-3-small", (int64_t[]){20000, 20000, 0});
    const struct model *mini = catalog_find(catalog, TEXT("openai"), TEXT("gpt-4o-mini"), 0);
    ck_assert_int_eq(mini->max_input_tokens, 128000);
    ck_assert_int_eq(mini->max_output_tokens, 16384);
    ck_assert(!mini->reasoning);
    ck_assert(catalog_find(catalog, TEXT("openai"), TEXT("o3"), 0)->reasoning);
    ck_assert(catalog_find(catalog, TEXT("azure"), TEXT("gpt-4o"), 0) != NULL);
    catalog_close(catalog);
}
END_TEST

START_TEST(the_shipped_file_has_tiers_and_both_cache_writes)
{
    struct catalog *catalog = real_catalog();
    const struct model *pro = catalog_find(catalog, TEXT("google"), TEXT("gemini-2.5-pro"), 0);
    ck_assert_int_eq(pro->price.tier_count, 2);
    ck_assert_int_eq(pro->price.tiers[0].above_input_tokens, -1);
    ck_assert_int_eq(pro->price.tiers[1].above_input_tokens, 200000);
    ck_assert_int_eq(pro->price.tiers[1].rates.pico[BUCKET_OUTPUT], 15000000);
    const struct model *haiku =
        catalog_find(catalog, TEXT("anthropic"), TEXT("claude-haiku-4-5-20251001"), 0);
    UNIT_TEXT(haiku->name, "claude-haiku-4-5");
    ck_assert_int_eq(haiku->price.tiers[0].rates.pico[BUCKET_CACHE_WRITE], 1250000);
    ck_assert_int_eq(haiku->price.tiers[0].rates.pico[BUCKET_CACHE_WRITE_1H], 2000000);
    catalog_close(catalog);
}
END_TEST

/* The first ones had no cache. */
static bool is_claude_with_a_cache(struct text name)
{
    return text_find(name, TEXT("claude-"), 0) != SIZE_MAX &&
           text_find(name, TEXT("claude-2"), 0) == SIZE_MAX &&
           text_find(name, TEXT("claude-v"), 0) == SIZE_MAX &&
           text_find(name, TEXT("claude-instant"), 0) == SIZE_MAX;
}

START_TEST(whoever_sells_claude_bills_twice_the_input_for_an_hour_in_the_cache)
{
    struct catalog *catalog = real_catalog();
    const struct model *model;
    size_t at = 0, seen = 0;
    while ((model = catalog_next(catalog, &at)) != NULL) {
        for (int tier = 0; is_claude_with_a_cache(model->name) && tier < model->price.tier_count;
             tier++) {
            const int64_t *pico = model->price.tiers[tier].rates.pico;
            ck_assert_msg(pico[BUCKET_CACHE_WRITE_1H] >= 2 * pico[BUCKET_INPUT], "%.*s of %.*s",
                          TEXT_ARG(model->name), TEXT_ARG(model->provider));
            seen++;
        }
    }
    ck_assert_uint_ge(seen, 100);
    catalog_close(catalog);
}
END_TEST

START_TEST(an_unknown_model_stays_unpriced)
{
    struct catalog *catalog = real_catalog();
    ck_assert_int_eq(found(catalog, "openai", "gpt-4o-mini-2031-01-01"), -1);
    ck_assert_int_eq(found(catalog, "openai", "GPT-4o-mini"), -1);
    ck_assert_int_eq(found(catalog, "openai", "gpt-4o-audio-preview"), -1);
    ck_assert_int_eq(found(catalog, "openai", ""), -1);
    ck_assert_int_eq(found(catalog, "nobody", "gpt-4o"), -1);
    ck_assert_int_eq(found(catalog, "", "no-such-model"), -1);
    catalog_close(catalog);
}
END_TEST

START_TEST(walks_all_models_in_the_order_of_their_names)
{
    struct catalog *catalog = real_catalog();
    size_t at = 0;
    size_t count = 0;
    struct text last = TEXT("");
    for (const struct model *model; (model = catalog_next(catalog, &at)) != NULL; count++) {
        size_t shorter = last.size < model->name.size ? last.size : model->name.size;
        ck_assert_int_le(memcmp(last.at, model->name.at, shorter), 0);
        last = model->name;
    }
    ck_assert_uint_gt(count, 1000);
    catalog_close(catalog);
}
END_TEST

START_TEST(the_version_depends_on_the_content_alone)
{
    struct catalog *a = catalog_open();
    struct catalog *b = catalog_open();
    struct catalog *c = catalog_open();
    add(a, "x", "one", 1);
    add(a, "y", "two", 2);
    add(b, "y", "two", 2);
    add(b, "x", "one", 9);
    add(b, "x", "one", 1);
    add(c, "x", "one", 1);
    add(c, "y", "two", 3);
    catalog_seal(a);
    catalog_seal(b);
    catalog_seal(c);
    ck_assert_uint_eq(catalog_version(a).size, 16);
    ck_assert(text_equal(catalog_version(a), catalog_version(b)));
    ck_assert(!text_equal(catalog_version(a), catalog_version(c)));
    catalog_close(a);
    catalog_close(b);
    catalog_close(c);
}
END_TEST

START_TEST(an_empty_catalog_is_possible)
{
    struct catalog *catalog = catalog_open();
    catalog_seal(catalog);
    size_t at = 0;
    ck_assert(catalog_next(catalog, &at) == NULL);
    ck_assert_int_eq(found(catalog, "", "x"), -1);
    catalog_close(catalog);
    catalog_close(NULL);
}
END_TEST

START_TEST(a_provider_finds_its_own_then_any_providers_never_anothers)
{
    struct catalog *catalog = catalog_open();
    add(catalog, "openai", "m", 1);
    add(catalog, "azure", "m", 2);
    add(catalog, "azure", "only", 3);
    add(catalog, "", "local", 4);
    catalog_seal(catalog);
    ck_assert_int_eq(found(catalog, "openai", "m"), 1);
    ck_assert_int_eq(found(catalog, "azure", "m"), 2);
    ck_assert_int_eq(found(catalog, "openai", "only"), -1);
    ck_assert_int_eq(found(catalog, "openai", "local"), 4);
    ck_assert_int_eq(found(catalog, "elsewhere", "local"), 4);
    catalog_close(catalog);
}
END_TEST

START_TEST(without_a_provider_the_operators_own_then_the_dearest_counts)
{
    struct catalog *catalog = catalog_open();
    add(catalog, "openai", "m", 1);
    add(catalog, "azure", "m", 2);
    add(catalog, "openai", "own", 3);
    add(catalog, "", "own", 4);
    catalog_seal(catalog);
    ck_assert_int_eq(found(catalog, "", "m"), 2);
    ck_assert_int_eq(found(catalog, "", "own"), 4);
    catalog_close(catalog);
}
END_TEST

START_TEST(a_later_model_replaces_an_earlier_and_keeps_its_aliases)
{
    struct catalog *catalog = catalog_open();
    struct model model = model_of("openai", "m", 1);
    catalog_add(catalog, &model, (struct text[]){TEXT("m-1"), TEXT("m-2")}, 2);
    add(catalog, "openai", "m", 7);
    catalog_seal(catalog);
    ck_assert_int_eq(found(catalog, "openai", "m"), 7);
    ck_assert_int_eq(found(catalog, "openai", "m-1"), 7);
    ck_assert_int_eq(found(catalog, "", "m-2"), 7);
    size_t at = 0;
    ck_assert(catalog_next(catalog, &at) != NULL);
    ck_assert(catalog_next(catalog, &at) == NULL);
    catalog_close(catalog);
}
END_TEST

START_TEST(a_model_may_take_over_anothers_alias)
{
    struct catalog *catalog = catalog_open();
    struct model model = model_of("openai", "m", 1);
    catalog_add(catalog, &model, (struct text[]){TEXT("m-1")}, 1);
    add(catalog, "openai", "m-1", 7);
    catalog_seal(catalog);
    ck_assert_int_eq(found(catalog, "openai", "m"), 1);
    ck_assert_int_eq(found(catalog, "openai", "m-1"), 7);
    ck_assert_int_eq(found(catalog, "", "m-1"), 7);
    catalog_close(catalog);
}
END_TEST

START_TEST(copies_what_it_is_given)
{
    char name[] = "model";
    char provider[] = "openai";
    char alias[] = "alias";
    struct catalog *catalog = catalog_open();
    struct model model = model_of(provider, name, 1);
    struct text aliases[] = {text_of(alias)};
    catalog_add(catalog, &model, aliases, 1);
    name[0] = provider[0] = alias[0] = 'X';
    catalog_seal(catalog);
    ck_assert_int_eq(found(catalog, "openai", "alias"), 1);
    UNIT_TEXT(catalog_find(catalog, TEXT("openai"), TEXT("model"), 0)->name, "model");
    catalog_close(catalog);
}
END_TEST

/* ---- reading files ---- */

static bool parse(const char *json, struct arena *arena, const struct catalog_record **records,
                  struct fault *fault)
{
    struct catalog_records read = {0};
    bool fine = catalog_file_parse(text_of(json), arena, &read, fault);
    *records = read.at;
    return fine;
}

START_TEST(buckets_without_a_price_have_their_parents)
{
    struct arena arena = {0};
    struct fault fault = {""};
    const struct catalog_record *records = NULL;
    bool good = parse(FILE_OF(ONE("\"input\":2.5,\"cached_input\":0.25,\"output\":1e1")), &arena,
                      &records, &fault);
    ck_assert_msg(good, "%s", fault.message);
    const int64_t *pico = records[0].model.price.tiers[0].rates.pico;
    ck_assert_int_eq(pico[BUCKET_INPUT], 2500000);
    ck_assert_int_eq(pico[BUCKET_CACHED_INPUT], 250000);
    ck_assert_int_eq(pico[BUCKET_CACHE_WRITE], 2500000);
    ck_assert_int_eq(pico[BUCKET_AUDIO_INPUT], 2500000);
    ck_assert_int_eq(pico[BUCKET_OUTPUT], 10000000);
    ck_assert_int_eq(pico[BUCKET_AUDIO_OUTPUT], 10000000);
    arena_close(&arena);
}
END_TEST

/* A file, and what the message must say. */
static const struct {
    const char *json;
    const char *says;
} REFUSED[] = {
    {"", "not JSON"},
    {"{\"format\":1,\"models\":[]} x", "not JSON"},
    {"[]", "an object"},
    {"{}", "\"format\" must be 1"},
    {"{\"format\":2,\"models\":[]}", "\"format\" must be 1"},
    {"{\"format\":1}", "\"models\""},
    {"{\"format\":1,\"models\":{}}", "\"models\""},
    {"{\"format\":1,\"models\":[],\"more\":1}", "\"more\" is not known"},
    {FILE_OF("7"), "record 1"},
    {FILE_OF("{}"), "record 1: \"name\""},
    {FILE_OF("{\"name\":\"\"}"), "record 1: \"name\""},
    {FILE_OF("{\"name\":\"m\\u001b[2J\"}"), "record 1: \"name\""},
    {FILE_OF("{\"name\":\"m\"}"), "record 1 (m): \"kind\""},
    {FILE_OF("{\"name\":\"m\",\"kind\":\"chat\"}"), "\"reasoning\" is true or false"},
    {FILE_OF("{\"name\":\"m\"," TRAITS "}"), "\"tiers\""},
    {FILE_OF("{\"name\":\"m\"," TRAITS ",\"tiers\":[]}"), "\"tiers\": there is no tier"},
    {FILE_OF("{\"name\":\"m\"," TRAITS ",\"flex\":[],\"tiers\":[{\"input\":1,\"output\":1}]}"),
     "\"flex\": there is no tier"},
    {FILE_OF("{\"name\":\"m\"," TRAITS ",\"request\":-1,\"tiers\":[{\"input\":1,\"output\":1}]}"),
     "\"request\" is not a fee"},
    {FILE_OF("{\"name\":\"m\"," TRAITS ",\"search\":1001,\"tiers\":[{\"input\":1,\"output\":1}]}"),
     "\"search\" is not a fee"},
    {FILE_OF("{\"name\":\"m\"," TRAITS ",\"max_input\":0,\"tiers\":[]}"), "\"max_input\""},
    {FILE_OF("{\"name\":\"m\"," TRAITS ",\"max_output\":1.5,\"tiers\":[]}"), "\"max_output\""},
    {FILE_OF("{\"name\":\"m\"," TRAITS ",\"aliases\":\"x\"}"), "\"aliases\""},
    {FILE_OF("{\"name\":\"m\"," TRAITS ",\"aliases\":[1]}"), "\"aliases\": a name"},
    {FILE_OF("{\"name\":\"m\"," TRAITS ",\"provider\":null}"), "\"provider\": a name"},
    {FILE_OF("{\"name\":\"m\"," TRAITS ",\"picture\":1}"), "\"picture\" is not known"},
    {FILE_OF(ONE("\"input\":1")), "\"input\" and \"output\" are needed"},
    {FILE_OF(ONE("\"output\":1")), "\"input\" and \"output\" are needed"},
    {FILE_OF(ONE("\"input\":-1,\"output\":1")), "tier 1: \"input\" is not a price"},
    {FILE_OF(ONE("\"input\":\"1\",\"output\":1")), "\"input\" is not a price"},
    {FILE_OF(ONE("\"input\":1,\"output\":1000000.1")), "\"output\" is not a price"},
    {FILE_OF(ONE("\"input\":0.0000001,\"output\":1")), "\"input\" is not a price"},
    {FILE_OF(ONE("\"input\":1,\"output\":1,\"request\":2")), "\"request\" is not known"},
    {FILE_OF(ONE("\"input\":1,\"output\":1,\"inp\\u0075t\":2")), "\"input\" stands twice"},
    {FILE_OF(ONE("\"above\":5,\"input\":1,\"output\":1")), "the first tier has no \"above\""},
    {FILE_OF(ONE("\"above\":-1,\"input\":1,\"output\":1")), "\"above\" is not a number"},
    {FILE_OF(ONE("\"input\":1,\"output\":1},{\"input\":1,\"output\":1")), "tier 1: the first"},
    {FILE_OF(ONE("\"input\":1,\"output\":1},{\"above\":9,\"input\":1,\"output\":1},"
                 "{\"above\":9,\"input\":1,\"output\":1")),
     "tier 2: the first"},
    {FILE_OF(ONE("\"input\":1,\"output\":1},{\"above\":1,\"input\":1,\"output\":1},"
                 "{\"above\":2,\"input\":1,\"output\":1},{\"above\":3,\"input\":1,\"output\":1},"
                 "{\"above\":4,\"input\":1,\"output\":1")),
     "at most 4 tiers"},
    {FILE_OF(ONE("\"input\":1,\"output\":1") ",{\"name\":\"bad\"}"), "record 2 (bad)"},
    {FILE_OF(PLAIN("m", "") "," PLAIN("m", "")), "record 2 (m): stands twice"},
    {FILE_OF(PLAIN("m", "\"until\":\"2027-01-02\",") "," PLAIN("m", "\"from\":\"2027-01-01\",")),
     "record 2 (m): stands twice for the same time"},
    {FILE_OF(PLAIN("m", "\"from\":\"2027-01-01\",\"until\":\"2027-01-01\",")), "not before"},
    {FILE_OF(PLAIN("m", "\"from\":\"tomorrow\",")), "are days like"},
    {FILE_OF(PLAIN("m", "\"from\":20270101,")), "are days like"},
    {FILE_OF(PLAIN("m", "\"until\":\"2027-02-30\",")), "are days like"},
    {FILE_OF(PLAIN("m", "\"aliases\":[\"m\"],")), "record 1 (m): is an alias of itself"},
    {FILE_OF(PLAIN("a", "\"aliases\":[\"b\"],") "," PLAIN("b", "\"aliases\":[\"a\"],")),
     "record 2 (b): \"b\" is a name of a already"},
    {FILE_OF(PLAIN("a", "\"aliases\":[\"x\"],") "," PLAIN("b", "\"aliases\":[\"x\"],")),
     "record 2 (b): \"x\" is a name of a already"},
};

START_TEST(refuses_nesting_without_end)
{
    char deep[2048];
    memset(deep, '[', sizeof(deep));
    struct arena arena = {0};
    struct fault fault = {""};
    struct catalog_records read = {0};
    ck_assert(!catalog_file_parse(text_make(deep, sizeof(deep)), &arena, &read, &fault));
    ck_assert_msg(strstr(fault.message, "nested too deep") != NULL, "%s", fault.message);
    arena_close(&arena);
}
END_TEST

START_TEST(refuses_too_many_records_of_one_name)
{
    struct buffer json = {0};
    buffer_put(&json, TEXT("{\"format\":1,\"models\":["));
    for (int year = 0; year <= CATALOG_PERIODS_MOST; year++)
        buffer_printf(&json,
                      "%s{\"name\":\"m\",\"from\":\"%d-01-01\",\"until\":\"%d-01-01\"," TRAITS
                      ",\"tiers\":[{\"input\":1,\"output\":1}]}",
                      year > 0 ? "," : "", 2026 + year, 2027 + year);
    buffer_put(&json, TEXT("]}"));
    struct arena arena = {0};
    struct fault fault = {""};
    const struct catalog_record *records = NULL;
    ck_assert(!parse(buffer_string(&json), &arena, &records, &fault));
    ck_assert_msg(strstr(fault.message, "record 17 (m): has over 16 records") != NULL, "%s",
                  fault.message);
    arena_close(&arena);
    buffer_close(&json);
}
END_TEST

START_TEST(refuses_what_it_cannot_understand_and_says_where)
{
    for (size_t at = 0; at < UNIT_COUNT(REFUSED); at++) {
        struct arena arena = {0};
        struct fault fault = {""};
        const struct catalog_record *records = NULL;
        ck_assert_msg(!parse(REFUSED[at].json, &arena, &records, &fault), "%s is accepted",
                      REFUSED[at].json);
        ck_assert_msg(strstr(fault.message, REFUSED[at].says) != NULL, "%s: \"%s\"",
                      REFUSED[at].json, fault.message);
        ck_assert_ptr_null(records);
        arena_close(&arena);
    }
}
END_TEST

/* Writes a new file; `path` ends in XXXXXX, which becomes its name. */
static void write_file(char *path, const char *content)
{
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    close(fd);
}

START_TEST(a_bad_record_keeps_the_whole_file_out)
{
    char path[] = "/tmp/purser-catalog-XXXXXX";
    write_file(path, FILE_OF(ONE("\"input\":1,\"output\":1") ",{\"name\":\"bad\"}"));
    struct catalog *catalog = catalog_open();
    struct fault fault = {""};
    ck_assert(!catalog_load(catalog, path, &fault));
    ck_assert(strncmp(fault.message, path, strlen(path)) == 0);
    catalog_seal(catalog);
    ck_assert_int_eq(found(catalog, "", "m"), -1);
    catalog_close(catalog);
    unlink(path);
}
END_TEST

START_TEST(a_later_file_wins)
{
    char path[] = "/tmp/purser-catalog-XXXXXX";
    write_file(path, FILE_OF("{\"provider\":\"openai\",\"name\":\"gpt-4o\"," TRAITS
                             ",\"tiers\":[{\"input\":99,\"output\":1}]}"));
    struct catalog *catalog = catalog_open();
    ck_assert(catalog_load(catalog, PRICES, NULL));
    ck_assert(catalog_load(catalog, path, NULL));
    catalog_seal(catalog);
    ck_assert_int_eq(found(catalog, "openai", "gpt-4o-2024-08-06"), 99000000);
    catalog_close(catalog);
    unlink(path);
}
END_TEST

START_TEST(a_missing_file_is_named)
{
    struct catalog *catalog = catalog_open();
    struct fault fault = {""};
    ck_assert(!catalog_load(catalog, "no/such/file.json", &fault));
    ck_assert(strstr(fault.message, "no/such/file.json: cannot be opened") != NULL);
    ck_assert(!catalog_load(catalog, "/", &fault));
    catalog_close(catalog);
}
END_TEST

START_TEST(a_record_knows_its_file)
{
    struct catalog *catalog = catalog_open();
    ck_assert(catalog_load(catalog, PRICES, NULL));
    ck_assert(catalog_load_text(catalog, TEXT("mine"), TEXT(FILE_OF(PLAIN("m", ""))), NULL));
    catalog_seal(catalog);
    UNIT_TEXT(catalog_find(catalog, TEXT("openai"), TEXT("gpt-4o"), 0)->source, PRICES);
    UNIT_TEXT(catalog_find(catalog, TEXT("openai"), TEXT("m"), 0)->source, "mine");
    size_t at = 0;
    ck_assert_uint_eq(catalog_next_note(catalog, &at).size, 0);
    catalog_close(catalog);
}
END_TEST

START_TEST(a_record_has_prices_of_services_fees_and_all_kinds_of_tokens)
{
    struct catalog *catalog = catalog_open();
    struct fault fault = {""};
    ck_assert_msg(catalog_load_text(
                      catalog, TEXT("f"),
                      TEXT(FILE_OF("{\"name\":\"m\"," TRAITS ",\"request\":0.005,\"search\":0.01,"
                                   "\"image\":0.04,\"second\":0.0001,\"character\":0.000015,"
                                   "\"tiers\":[{\"input\":4,\"output\":8,\"cache_write\":5,"
                                   "\"cache_write_1h\":3,\"cached_audio\":2,\"image_input\":6,"
                                   "\"reasoning\":9,\"image_output\":10}],"
                                   "\"flex\":[{\"input\":2,\"output\":4}],"
                                   "\"priority\":[{\"input\":7,\"output\":14},"
                                   "{\"above\":1000,\"input\":8,\"output\":16}]}")),
                      &fault),
                  "%s", fault.message);
    catalog_seal(catalog);
    const struct price *price = &catalog_find(catalog, TEXT(""), TEXT("m"), 0)->price;
    const int64_t *pico = price->tiers[0].rates.pico;
    ck_assert_int_eq(pico[BUCKET_CACHE_WRITE_1H], 5000000); /* no cheaper than for minutes */
    ck_assert_int_eq(pico[BUCKET_CACHED_AUDIO], 2000000);
    ck_assert_int_eq(pico[BUCKET_IMAGE_INPUT], 6000000);
    ck_assert_int_eq(pico[BUCKET_REASONING], 9000000);
    ck_assert_int_eq(pico[BUCKET_IMAGE_OUTPUT], 10000000);
    ck_assert_int_eq(price->request_pico, 5000000000);
    ck_assert_int_eq(price->search_pico, 10000000000);
    ck_assert_int_eq(price->piece_pico[PIECE_IMAGE], 40000000000);
    ck_assert_int_eq(price->piece_pico[PIECE_SECOND], 100000000);
    ck_assert_int_eq(price->services[SERVICE_FLEX]->piece_pico[PIECE_CHARACTER], 15000000);
    ck_assert_int_eq(price->services[SERVICE_FLEX]->tiers[0].rates.pico[BUCKET_REASONING], 4000000);
    ck_assert_int_eq(price->services[SERVICE_FLEX]->request_pico, 5000000000);
    ck_assert_int_eq(price->services[SERVICE_PRIORITY]->tier_count, 2);
    ck_assert_ptr_null(price->services[SERVICE_BATCH]);
    catalog_close(catalog);
}
END_TEST

START_TEST(knows_what_a_fine_tuned_model_was_made_from)
{
    UNIT_TEXT(catalog_tuned(TEXT("ft:gpt-4o-mini-2024-07-18:org::id")),
              "ft:gpt-4o-mini-2024-07-18");
    UNIT_TEXT(catalog_tuned(TEXT("ft:m:")), "ft:m");
    ck_assert_ptr_null(catalog_tuned(TEXT("ft:gpt-4o")).at);
    ck_assert_ptr_null(catalog_tuned(TEXT("ft::x")).at);
    ck_assert_ptr_null(catalog_tuned(TEXT("gpt-4o:x:y")).at);
    ck_assert_ptr_null(catalog_tuned(TEXT("")).at);
}
END_TEST

UNIT_MAIN(a_record_has_prices_of_services_fees_and_all_kinds_of_tokens,
          knows_what_a_fine_tuned_model_was_made_from, the_shipped_file_prices_the_main_models,
          the_shipped_file_has_tiers_and_both_cache_writes,
          whoever_sells_claude_bills_twice_the_input_for_an_hour_in_the_cache,
          an_unknown_model_stays_unpriced, walks_all_models_in_the_order_of_their_names,
          the_version_depends_on_the_content_alone, an_empty_catalog_is_possible,
          a_provider_finds_its_own_then_any_providers_never_anothers,
          without_a_provider_the_operators_own_then_the_dearest_counts,
          a_later_model_replaces_an_earlier_and_keeps_its_aliases,
          a_model_may_take_over_anothers_alias, copies_what_it_is_given,
          buckets_without_a_price_have_their_parents,
          refuses_what_it_cannot_understand_and_says_where, a_bad_record_keeps_the_whole_file_out,
          a_later_file_wins, a_missing_file_is_named, refuses_nesting_without_end,
          refuses_too_many_records_of_one_name, a_record_knows_its_file)
