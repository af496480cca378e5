/*
 * `purser prices`: which record prices a model, by the same function that prices calls.
 */
#include "cli/prices_command.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/draft.h"
#include "cli/operator.h"
#include "cli/usage.h"
#include "config/config.h"
#include "pipeline/pipeline.h"

#define TOKENS_MOST 1000000000
#define DATE_SIZE   10

static const char manual[] =
    "usage: purser prices [MODEL] [--config FILE] [--input TOKENS] [--output TOKENS]\n"
    "                     [--date YYYY-MM-DD] [--json]\n"
    "\n"
    "Shows all prices, or the record that applies to MODEL and what a call costs.\n"
    "\n"
    "  --config FILE    what is in force with that configuration; else the built-in catalog\n"
    "  --input TOKENS   of the call that is priced (1000)\n"
    "  --output TOKENS  of the same (500)\n"
    "  --date DAY       prices of that day; else of today\n"
    "  --json           for programs\n";

struct asking {
    const char *path; /* NULL: the built-in catalog alone */
    struct text model;
    bool json;
    int64_t input, output; /* tokens of the call */
    int64_t when_s;
};

/* A record and why it is shown. */
struct found {
    const struct model *model;
    struct text upstream; /* which serves it; empty without a configuration */
    struct text sent;     /* the name that it is sent */
};

struct answer {
    struct found *at;
    size_t count;
};

/* ---- the command line ---- */

static bool read_tokens(const char *written, int64_t *tokens)
{
    int64_t read = 0;
    if (!text_to_int(text_of(written), &read) || read < 0 || read > TOKENS_MOST)
        return false;
    *tokens = read;
    return true;
}

static bool read_date(const char *written, int64_t *when_s)
{
    int64_t wall_us = 0;
    if (!clock_parse(text_of(written), &wall_us))
        return false;
    *when_s = wall_us / 1000000;
    return true;
}

static bool read_option(const char *name, const char *value, struct asking *asking)
{
    if (strcmp(name, "--config") == 0) {
        asking->path = value;
        return true;
    }
    if (strcmp(name, "--input") == 0)
        return read_tokens(value, &asking->input);
    if (strcmp(name, "--output") == 0)
        return read_tokens(value, &asking->output);
    return strcmp(name, "--date") == 0 && read_date(value, &asking->when_s);
}

static bool parse_arguments(int argc, char **argv, struct asking *asking)
{
    *asking = (struct asking){
        .input = 1000,
        .output = 500,
        .when_s = clock_wall_us(clock_real()) / 1000000,
    };
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            asking->json = true;
        } else if (argv[i][0] == '-') {
            if (i + 1 == argc || !read_option(argv[i], argv[i + 1], asking))
                return false;
            i++;
        } else if (asking->model.size > 0) {
            return false;
        } else {
            asking->model = text_of(argv[i]);
        }
    }
    return true;
}

/* ---- finding ---- */

static void add(struct answer *answer, struct found found)
{
    answer->at = memory_resize(answer->at, (answer->count + 1) * sizeof(*answer->at));
    answer->at[answer->count++] = found;
}

/* The upstream that calls would go to decides. */
static void find_routed(const struct terms *terms, const struct asking *asking,
                        struct answer *answer)
{
    for (size_t i = 0; i < terms->upstream_count; i++) {
        const struct upstream *upstream = &terms->upstreams[i];
        struct found found = {.upstream = upstream->name};
        if (!upstream_serves(upstream, asking->model, &found.sent))
            continue;
        found.model = route_price(terms, upstream, found.sent, asking->model, asking->when_s);
        if (found.model == NULL)
            found.model = catalog_find(terms->catalog, CATALOG_STAND_IN_PROVIDER,
                                       CATALOG_STAND_IN_NAME, asking->when_s);
        if (found.model != NULL)
            add(answer, found);
        return;
    }
}

/* The records in force: of that name, or all for TEXT_NONE. */
static void find_listed(const struct catalog *catalog, struct text name, int64_t when_s,
                        struct answer *answer)
{
    const struct model *model;
    size_t at = 0;
    while ((model = catalog_next(catalog, &at)) != NULL) {
        struct text asked = name.size > 0 ? name : model->name;
        if (catalog_find(catalog, model->provider, asked, when_s) == model)
            add(answer, (struct found){.model = model});
    }
}

static void find(const struct terms *terms, const struct asking *asking, struct answer *answer)
{
    if (asking->model.size > 0 && asking->path != NULL) {
        find_routed(terms, asking, answer);
        return;
    }
    find_listed(terms->catalog, asking->model, asking->when_s, answer);
    struct text family = catalog_family(asking->model);
    if (answer->count == 0 && family.size > 0)
        find_listed(terms->catalog, family, asking->when_s, answer);
}

/* ---- showing ---- */

static const struct {
    const char *label; /* at most 14 characters */
    const char *member;
    enum bucket bucket;
    enum bucket like; /* people are not told of it where it costs the same */
} RATES[] = {
    {"input", "input", BUCKET_INPUT, BUCKET_COUNT},
    {"cached input", "cached_input", BUCKET_CACHED_INPUT, BUCKET_COUNT},
    {"cache write", "cache_write", BUCKET_CACHE_WRITE, BUCKET_COUNT},
    {"cache write 1h", "cache_write_1h", BUCKET_CACHE_WRITE_1H, BUCKET_CACHE_WRITE},
    {"audio input", "audio_input", BUCKET_AUDIO_INPUT, BUCKET_COUNT},
    {"cached audio", "cached_audio", BUCKET_CACHED_AUDIO, BUCKET_CACHED_INPUT},
    {"image input", "image_input", BUCKET_IMAGE_INPUT, BUCKET_INPUT},
    {"output", "output", BUCKET_OUTPUT, BUCKET_COUNT},
    {"reasoning", "reasoning", BUCKET_REASONING, BUCKET_OUTPUT},
    {"audio output", "audio_output", BUCKET_AUDIO_OUTPUT, BUCKET_COUNT},
    {"image output", "image_output", BUCKET_IMAGE_OUTPUT, BUCKET_OUTPUT},
};
#define RATE_COUNT (sizeof(RATES) / sizeof(RATES[0]))

/* USD per 1M tokens: a million times so many pico-dollars. */
static struct money per_million(int64_t pico)
{
    return (struct money){pico * 1000};
}

/* A fee, rounded up to what amounts are made of. */
static struct money fee_of(int64_t pico)
{
    return (struct money){(pico + 999) / 1000};
}

static struct money cost_of(const struct model *model, const struct asking *asking)
{
    const struct usage_buckets usage = {
        .tokens = {[BUCKET_INPUT] = asking->input, [BUCKET_OUTPUT] = asking->output}};
    return price_cost(&model->price, &usage);
}

static struct text date_of(int64_t second, char stamp[CLOCK_STAMP_SIZE])
{
    clock_stamp(second * 1000000, stamp);
    return text_make(stamp, DATE_SIZE);
}

static void put_names(struct buffer *out, const struct asking *asking, const struct found *found)
{
    const struct model *model = found->model;
    bool stand_in = text_equal(model->provider, CATALOG_STAND_IN_PROVIDER);
    buffer_printf(out, "%.*s\n", TEXT_ARG(asking->model));
    if (found->upstream.size > 0)
        buffer_printf(out, "  %-14s %.*s\n", "upstream", TEXT_ARG(found->upstream));
    if (found->upstream.size > 0 && !text_equal(found->sent, asking->model))
        buffer_printf(out, "  %-14s %.*s\n", "sent as", TEXT_ARG(found->sent));
    if (stand_in)
        buffer_printf(out, "  %-14s no price of its own: what `unpriced` says\n", "record");
    else
        buffer_printf(out, "  %-14s %.*s%s%.*s\n", "record", TEXT_ARG(model->name),
                      model->provider.size > 0 ? ", " : "", TEXT_ARG(model->provider));
    buffer_printf(out, "  %-14s %.*s\n", "file", TEXT_ARG(model->source));
}

static void put_period(struct buffer *out, const struct model *model)
{
    char stamp[CLOCK_STAMP_SIZE];
    if (model->from_s > 0)
        buffer_printf(out, "  %-14s %.*s\n", "from", TEXT_ARG(date_of(model->from_s, stamp)));
    if (model->until_s != MODEL_FOREVER)
        buffer_printf(out, "  %-14s %.*s\n", "until", TEXT_ARG(date_of(model->until_s, stamp)));
}

static void put_traits(struct buffer *out, const struct model *model)
{
    if (model->max_input_tokens > 0)
        buffer_printf(out, "  %-14s %lld tokens\n", "context", (long long)model->max_input_tokens);
    if (model->max_output_tokens > 0)
        buffer_printf(out, "  %-14s %lld tokens\n", "max output",
                      (long long)model->max_output_tokens);
    if (model->reasoning)
        buffer_printf(out, "  %-14s yes\n", "reasoning");
}

static void put_tier(struct buffer *out, const int64_t pico[BUCKET_COUNT])
{
    for (size_t rate = 0; rate < RATE_COUNT; rate++) {
        enum bucket like = RATES[rate].like;
        if (like != BUCKET_COUNT && pico[RATES[rate].bucket] == pico[like])
            continue;
        buffer_printf(out, "  %-14s ", RATES[rate].label);
        money_put(out, per_million(pico[RATES[rate].bucket]));
        buffer_put(out, TEXT(" USD per 1M tokens\n"));
    }
}

static void put_rates(struct buffer *out, const struct price *price)
{
    for (int tier = 0; tier < price->tier_count; tier++) {
        if (tier > 0)
            buffer_printf(out, "  with more than %lld tokens of input:\n",
                          (long long)price->tiers[tier].above_input_tokens);
        put_tier(out, price->tiers[tier].rates.pico);
    }
}

static void put_fee(struct buffer *out, const char *label, int64_t pico)
{
    if (pico == 0)
        return;
    buffer_printf(out, "  %-14s ", label);
    money_put(out, fee_of(pico));
    buffer_put(out, TEXT(" USD\n"));
}

static void put_price(struct buffer *out, const struct price *price)
{
    put_rates(out, price);
    put_fee(out, "each call", price->request_pico);
    put_fee(out, "each search", price->search_pico);
    for (int piece = 0; piece < PIECE_COUNT; piece++) {
        char label[24];
        (void)snprintf(label, sizeof label, "each %s", piece_name((enum piece)piece));
        put_fee(out, label, price->piece_pico[piece]);
    }
    for (int service = SERVICE_STANDARD + 1; service < SERVICE_COUNT; service++) {
        if (price->services[service] == NULL)
            continue;
        buffer_printf(out, "  service tier %s:\n", service_name((enum service)service));
        put_rates(out, price->services[service]);
    }
}

static void put_detail(struct buffer *out, const struct asking *asking, const struct found *found)
{
    char amount[MONEY_STRING_SIZE];
    if (out->size > 0)
        buffer_put_byte(out, '\n');
    put_names(out, asking, found);
    put_period(out, found->model);
    put_traits(out, found->model);
    put_price(out, &found->model->price);
    buffer_printf(out, "  %-14s %s for %lld tokens in and %lld out\n", "a call",
                  money_string(cost_of(found->model, asking), amount), (long long)asking->input,
                  (long long)asking->output);
}

/* ---- the list ---- */

enum column { PROVIDER, MODEL, INPUT, CACHED, OUTPUT, CONTEXT, MOST, CALL, COLUMN_COUNT };

struct row {
    struct text cells[COLUMN_COUNT];
};

static struct text amount_cell(struct arena *arena, struct money amount)
{
    struct buffer out = {0};
    money_put(&out, amount);
    struct text cell = arena_copy(arena, buffer_text(&out));
    buffer_close(&out);
    return cell;
}

static struct text tokens_cell(struct arena *arena, int64_t tokens)
{
    return tokens > 0 ? arena_printf(arena, "%lld", (long long)tokens) : TEXT("-");
}

static struct row make_row(struct arena *arena, const struct asking *asking,
                           const struct model *model)
{
    const int64_t *pico = model->price.tiers[0].rates.pico;
    return (struct row){{
        [PROVIDER] = model->provider.size > 0 ? model->provider : TEXT("-"),
        [MODEL] = model->name,
        [INPUT] = amount_cell(arena, per_million(pico[BUCKET_INPUT])),
        [CACHED] = amount_cell(arena, per_million(pico[BUCKET_CACHED_INPUT])),
        [OUTPUT] = amount_cell(arena, per_million(pico[BUCKET_OUTPUT])),
        [CONTEXT] = tokens_cell(arena, model->max_input_tokens),
        [MOST] = tokens_cell(arena, model->max_output_tokens),
        [CALL] = amount_cell(arena, cost_of(model, asking)),
    }};
}

static void put_row(struct buffer *out, const struct row *row, const int width[COLUMN_COUNT])
{
    for (int column = 0; column < COLUMN_COUNT; column++) {
        struct text cell = row->cells[column];
        const char *gap = column > 0 ? "  " : "";
        if (column <= MODEL)
            buffer_printf(out, "%s%-*.*s", gap, width[column], TEXT_ARG(cell));
        else
            buffer_printf(out, "%s%*.*s", gap, width[column], TEXT_ARG(cell));
    }
    buffer_put_byte(out, '\n');
}

static void put_list(struct buffer *out, const struct asking *asking, const struct answer *answer)
{
    struct arena arena = {0};
    size_t count = answer->count + 1;
    struct row *rows = arena_new(&arena, count * sizeof(*rows));
    int width[COLUMN_COUNT] = {0};
    rows[0] = (struct row){{
        [PROVIDER] = TEXT("provider"),
        [MODEL] = TEXT("model"),
        [INPUT] = TEXT("input"),
        [CACHED] = TEXT("cached"),
        [OUTPUT] = TEXT("output"),
        [CONTEXT] = TEXT("context"),
        [MOST] = TEXT("max output"),
        [CALL] = arena_printf(&arena, "%lld+%lld tokens", (long long)asking->input,
                              (long long)asking->output),
    }};
    for (size_t i = 0; i < answer->count; i++)
        rows[i + 1] = make_row(&arena, asking, answer->at[i].model);
    for (size_t i = 0; i < count; i++)
        for (int column = 0; column < COLUMN_COUNT; column++)
            if ((int)rows[i].cells[column].size > width[column])
                width[column] = (int)rows[i].cells[column].size;
    for (size_t i = 0; i < count; i++)
        put_row(out, &rows[i], width);
    buffer_printf(out, "%zu records; USD, prices per 1M tokens\n", answer->count);
    arena_close(&arena);
}

/* ---- JSON ---- */

static void put_money_member(struct buffer *out, const char *name, struct money amount)
{
    json_put_name(out, text_of(name));
    money_put(out, amount);
}

static void put_tiers(struct buffer *out, const char *name, const struct price *price)
{
    json_put_name(out, text_of(name));
    for (int tier = 0; tier < price->tier_count; tier++) {
        buffer_put(out, tier == 0 ? TEXT("[{") : TEXT(",{"));
        if (tier > 0)
            json_put_int_member(out, TEXT("above"), price->tiers[tier].above_input_tokens);
        for (size_t rate = 0; rate < RATE_COUNT; rate++)
            put_money_member(out, RATES[rate].member,
                             per_million(price->tiers[tier].rates.pico[RATES[rate].bucket]));
        buffer_put_byte(out, '}');
    }
    buffer_put_byte(out, ']');
}

static void put_prices(struct buffer *out, const struct price *price)
{
    put_tiers(out, "tiers", price);
    for (int service = SERVICE_STANDARD + 1; service < SERVICE_COUNT; service++) {
        if (price->services[service] != NULL)
            put_tiers(out, service_name((enum service)service), price->services[service]);
    }
    if (price->request_pico > 0)
        put_money_member(out, "request", fee_of(price->request_pico));
    if (price->search_pico > 0)
        put_money_member(out, "search", fee_of(price->search_pico));
    for (int piece = 0; piece < PIECE_COUNT; piece++) {
        if (price->piece_pico[piece] > 0)
            put_money_member(out, piece_name((enum piece)piece), fee_of(price->piece_pico[piece]));
    }
}

static void put_record(struct buffer *out, const struct asking *asking, const struct found *found)
{
    static const char *const kinds[] = {
        [MODEL_CHAT] = "chat", [MODEL_EMBEDDING] = "embedding", [MODEL_OTHER] = "other"};
    const struct model *model = found->model;
    char stamp[CLOCK_STAMP_SIZE];
    buffer_put_byte(out, '{');
    if (asking->model.size > 0)
        json_put_text_member(out, TEXT("model"), asking->model);
    if (found->upstream.size > 0)
        json_put_text_member(out, TEXT("upstream"), found->upstream);
    json_put_text_member(out, TEXT("provider"), model->provider);
    json_put_text_member(out, TEXT("name"), model->name);
    json_put_text_member(out, TEXT("file"), model->source);
    if (model->from_s > 0)
        json_put_text_member(out, TEXT("from"), date_of(model->from_s, stamp));
    if (model->until_s != MODEL_FOREVER)
        json_put_text_member(out, TEXT("until"), date_of(model->until_s, stamp));
    json_put_text_member(out, TEXT("kind"), text_of(kinds[model->kind]));
    json_put_bool_member(out, TEXT("reasoning"), model->reasoning);
    json_put_int_member(out, TEXT("max_input"), model->max_input_tokens);
    json_put_int_member(out, TEXT("max_output"), model->max_output_tokens);
    put_prices(out, &model->price);
    json_put_int_member(out, TEXT("input_tokens"), asking->input);
    json_put_int_member(out, TEXT("output_tokens"), asking->output);
    put_money_member(out, "cost_usd", cost_of(model, asking));
    buffer_put_byte(out, '}');
}

static void put_json(struct buffer *out, const struct asking *asking, const struct answer *answer)
{
    buffer_put(out, TEXT("{\"object\":\"list\",\"data\":["));
    for (size_t i = 0; i < answer->count; i++) {
        buffer_put(out, i == 0 ? TEXT("\n") : TEXT(",\n"));
        put_record(out, asking, &answer->at[i]);
    }
    buffer_put(out, TEXT("\n]}\n"));
}

/* ---- running ---- */

static int show(const struct terms *terms, const struct asking *asking)
{
    struct answer answer = {0};
    struct buffer out = {0};
    find(terms, asking, &answer);
    bool priced = answer.count > 0 || asking->model.size == 0;
    if (asking->json)
        put_json(&out, asking, &answer);
    else if (asking->model.size == 0)
        put_list(&out, asking, &answer);
    for (size_t i = 0; !asking->json && asking->model.size > 0 && i < answer.count; i++)
        put_detail(&out, asking, &answer.at[i]);
    if (out.size > 0)
        (void)fwrite(out.at, 1, out.size, stdout);
    if (!priced)
        (void)fprintf(stderr,
                      "purser prices: '%.*s' has no price%s; `purser prices` lists those that "
                      "have, under their exact names\n",
                      TEXT_ARG(asking->model),
                      asking->path != NULL ? ", or no upstream serves it" : "");
    buffer_close(&out);
    free(answer.at);
    return priced ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void tell(struct findings *findings, const char *path)
{
    struct buffer told = {0};
    findings_print(findings, path == NULL ? TEXT_NONE : text_of(path), &told);
    (void)fprintf(stderr, "%s", buffer_string(&told));
    buffer_close(&told);
}

static int run(const struct asking *asking, const struct config *config)
{
    struct findings findings = {0};
    struct catalog *catalog = draft_catalog(config, &findings);
    if (catalog == NULL)
        tell(&findings, asking->path);
    findings_close(&findings);
    if (catalog == NULL)
        return EXIT_FAILURE;
    struct terms *terms = draft_terms(config, catalog);
    int status = show(terms, asking);
    terms_drop(terms);
    return status;
}

int cli_prices(int argc, char **argv)
{
    struct asking asking;
    if (usage_asked(argc, argv, manual))
        return EXIT_SUCCESS;
    if (!parse_arguments(argc, argv, &asking)) {
        (void)fprintf(stderr, "%s", manual);
        return 2;
    }
    const struct config none = {.unpriced = TEXT("refuse")};
    if (asking.path == NULL)
        return run(&asking, &none);
    struct config *config = operator_load(asking.path);
    int status = config == NULL ? EXIT_FAILURE : run(&asking, config);
    config_close(config);
    return status;
}
