/*
 * Per-token prices. The file is somebody else's, and grows new members: one that looks like a price
 * and is not known here keeps its model out, since it may be a cost that would not be billed.
 */
#include "money/catalog_foreign.h"

#include "base/table.h"

#define TOKEN_DECIMALS 12 /* pico-dollars */
#define TOKENS_MOST    1000000000000

/* ---- prices by the token ---- */

/* How a price counts. WITHIN: tokens of that kind are billed in the bucket, which is right as long
 * as its rate is no lower. */
enum role { SETS, WITHIN };

static const struct {
    struct text name;
    enum bucket bucket;
    enum role role;
} RATES[] = {
    {TEXT("input_cost_per_token"), BUCKET_INPUT, SETS},
    {TEXT("output_cost_per_token"), BUCKET_OUTPUT, SETS},
    {TEXT("cache_read_input_token_cost"), BUCKET_CACHED_INPUT, SETS},
    {TEXT("input_cost_per_token_cache_hit"), BUCKET_CACHED_INPUT, SETS},
    {TEXT("explicit_cache_read_input_token_cost"), BUCKET_CACHED_INPUT, SETS},
    {TEXT("cache_creation_input_token_cost"), BUCKET_CACHE_WRITE, SETS},
    {TEXT("cache_creation_input_token_cost_above_1hr"), BUCKET_CACHE_WRITE_1H, SETS},
    {TEXT("cache_creation_input_token_cost_above_12hr"), BUCKET_CACHE_WRITE_1H, SETS},
    {TEXT("input_cost_per_audio_token"), BUCKET_AUDIO_INPUT, SETS},
    {TEXT("output_cost_per_audio_token"), BUCKET_AUDIO_OUTPUT, SETS},
    {TEXT("output_cost_per_reasoning_token"), BUCKET_REASONING, SETS},
    {TEXT("cache_read_input_audio_token_cost"), BUCKET_CACHED_AUDIO, SETS},
    {TEXT("input_cost_per_image_token"), BUCKET_IMAGE_INPUT, SETS},
    {TEXT("output_cost_per_image_token"), BUCKET_IMAGE_OUTPUT, SETS},
    {TEXT("cache_read_input_image_token_cost"), BUCKET_INPUT, WITHIN},
    {TEXT("cache_creation_input_audio_token_cost"), BUCKET_CACHE_WRITE, WITHIN},
    {TEXT("input_cost_per_video_token"), BUCKET_INPUT, WITHIN},
    {TEXT("output_cost_per_video_token"), BUCKET_OUTPUT, WITHIN},
};
#define RATE_COUNT  (sizeof(RATES) / sizeof(RATES[0]))
#define RATE_INPUT  0
#define RATE_OUTPUT 1

/* The ends of the names of prices of service tiers; those of SERVICE_COUNT are not priced. */
static const struct {
    struct text end;
    int service;
} SERVICE_ENDS[] = {
    {TEXT("_flex"), SERVICE_FLEX},      {TEXT("_priority"), SERVICE_PRIORITY},
    {TEXT("_batches"), SERVICE_BATCH},  {TEXT("_ultrafast"), SERVICE_COUNT},
    {TEXT("_balanced"), SERVICE_COUNT}, {TEXT("_decisions"), SERVICE_COUNT},
};

#define REQUEST_FEE TEXT("input_cost_per_request")
#define SEARCH_FEES TEXT("search_context_cost_per_query") /* by the size of the context */

/* Fees of tools that a request asks for, and prices in another currency than dollars. */
static const struct text NOT_COUNTED[] = {
    SEARCH_FEES,
    TEXT("google_maps_grounding_cost_per_query"),
    TEXT("code_interpreter_cost_per_session"),
    TEXT("file_search_cost_per_1k_calls"),
    TEXT("file_search_cost_per_gb_per_day"),
    TEXT("vector_store_cost_per_gb_per_day"),
    TEXT("computer_use_input_cost_per_1k_tokens"),
    TEXT("computer_use_output_cost_per_1k_tokens"),
    TEXT("input_dbu_cost_per_token"),
    TEXT("output_dbu_cost_per_token"),
};

/* Their tool is used by every call, asked for or not. */
static const struct text ALWAYS_SEARCH[] = {TEXT("*search*"), TEXT("*sonar*")};

/* ---- a record on its way ---- */

enum left_out { TAKEN, OTHER_MODE, NO_TOKEN_PRICE, MORE_THAN_TOKENS, TWICE, LEFT_OUT_COUNT };

static const char *const LEFT_OUT[LEFT_OUT_COUNT] = {
    [OTHER_MODE] = "are for other endpoints",
    [NO_TOKEN_PRICE] = "have no prices that are counted",
    [MORE_THAN_TOKENS] = "cost more than what is counted",
    [TWICE] = "are dearer under another record of the same name",
};

/* What a record says of prices, by tier; RATE_UNSET where it says nothing. */
struct sheet {
    const struct catalog_foreign_mode *mode;
    int count;
    int64_t above[PRICE_MAX_TIERS];
    int64_t pico[SERVICE_COUNT][PRICE_MAX_TIERS][RATE_COUNT];
    int64_t request, search, pieces[PIECE_COUNT]; /* fees; 0: none */
    bool more;                                    /* costs more than this sheet can say */
};

struct reading {
    struct arena *arena;
    struct catalog_record *records;
    size_t count;
    size_t left_out[LEFT_OUT_COUNT];
    struct table taken; /* provider, line feed, name -> struct catalog_record */
    struct buffer key;
};

bool catalog_is_foreign(struct json_value file)
{
    struct json_value member;
    struct json_value provider;
    struct text name;
    if (file.kind != JSON_OBJECT || json_member(file, TEXT("format"), &member))
        return false;
    struct json_walk walk = json_walk(file);
    while (json_next(&walk, &name, &member)) {
        if (json_member(member, TEXT("litellm_provider"), &provider))
            return true;
    }
    return false;
}

static int find_rate(struct text name)
{
    for (size_t at = 0; at < RATE_COUNT; at++) {
        if (text_equal(RATES[at].name, name))
            return (int)at;
    }
    return -1;
}

/* The tier's place in the sheet, in rising order; -1 if there are too many. */
static int find_tier(struct sheet *sheet, int64_t above)
{
    int at = 0;
    while (at < sheet->count && sheet->above[at] < above)
        at++;
    if (at < sheet->count && sheet->above[at] == above)
        return at;
    if (sheet->count == PRICE_MAX_TIERS)
        return -1;
    size_t later = (size_t)(sheet->count - at);
    memmove(&sheet->above[at + 1], &sheet->above[at], later * sizeof(sheet->above[0]));
    sheet->above[at] = above;
    sheet->count++;
    for (int service = 0; service < SERVICE_COUNT; service++) {
        int64_t(*tiers)[RATE_COUNT] = sheet->pico[service];
        memmove(&tiers[at + 1], &tiers[at], later * sizeof(tiers[0]));
        for (size_t rate = 0; rate < RATE_COUNT; rate++)
            tiers[at][rate] = RATE_UNSET;
    }
    return at;
}

/* Cuts "_above_200k_tokens" off the name; the tokens, or -1 without it. */
static int64_t cut_threshold(struct text *name)
{
    static const struct text front = TEXT("_above_");
    static const struct text end = TEXT("k_tokens");
    if (!text_ends(*name, end))
        return -1;
    size_t to = name->size - end.size;
    size_t from = to;
    while (from > 0 && name->at[from - 1] >= '0' && name->at[from - 1] <= '9')
        from--;
    int64_t thousands = 0;
    if (!text_ends(text_slice(*name, 0, from), front) ||
        !text_to_int(text_slice(*name, from, to), &thousands) || thousands > TOKENS_MOST / 1000)
        return -1;
    *name = text_slice(*name, 0, from - front.size);
    return thousands * 1000;
}

static bool is_among(struct text name, const struct text *list, size_t count)
{
    for (size_t at = 0; at < count; at++) {
        if (text_equal(name, list[at]))
            return true;
    }
    return false;
}

/* Cuts the end that names a service off the name. */
static int cut_service(struct text *name)
{
    for (size_t at = 0; at < sizeof(SERVICE_ENDS) / sizeof(SERVICE_ENDS[0]); at++) {
        struct text end = SERVICE_ENDS[at].end;
        if (!text_ends(*name, end))
            continue;
        *name = text_slice(*name, 0, name->size - end.size);
        return SERVICE_ENDS[at].service;
    }
    return SERVICE_STANDARD;
}

static bool is_zero(struct json_value value)
{
    int64_t pico = 0;
    return value.kind == JSON_NULL ||
           (value.kind == JSON_NUMBER &&
            money_parse_scaled(value.raw, TOKEN_DECIMALS, PRICE_MOST_PICO, &pico) && pico == 0);
}

static bool always_searches(struct text model)
{
    for (size_t at = 0; at < sizeof(ALWAYS_SEARCH) / sizeof(ALWAYS_SEARCH[0]); at++) {
        if (text_matches(model, ALWAYS_SEARCH[at]))
            return true;
    }
    return false;
}

/* A member that is no price by the token, but may be another. */
static bool costs_more(struct text model, struct text member, struct json_value value)
{
    bool price = text_find(member, TEXT("cost"), 0) != SIZE_MAX ||
                 text_find(member, TEXT("pric"), 0) != SIZE_MAX;
    if (!price || is_zero(value) || cut_service(&member) != SERVICE_STANDARD)
        return false;
    return always_searches(model) ||
           !is_among(member, NOT_COUNTED, sizeof(NOT_COUNTED) / sizeof(NOT_COUNTED[0]));
}

static bool read_pico(struct json_value value, struct text member, int64_t most, int64_t *pico,
                      struct fault *fault)
{
    if (value.kind == JSON_NUMBER && money_parse_scaled_up(value.raw, TOKEN_DECIMALS, most, pico))
        return true;
    return fault_set(fault, "\"%.*s\" is not a price (USD %s)",
                     TEXT_ARG(text_slice(member, 0, 100)),
                     most == PRICE_MOST_PICO ? "per token, 0 to 1" : "0 to 1000");
}

/* The dearest; what makes no sense is no fee. */
static void read_search_fees(struct sheet *sheet, struct json_value fees)
{
    struct json_walk walk = json_walk(fees);
    struct json_value fee;
    int64_t pico = 0;
    while (fees.kind == JSON_OBJECT && json_next(&walk, NULL, &fee)) {
        if (read_pico(fee, SEARCH_FEES, PRICE_MOST_FEE_PICO, &pico, NULL) && pico > sheet->search)
            sheet->search = pico;
    }
}

/* The price that a member gives of a piece; NULL: it is none that the mode's calls have. */
static int64_t *piece_of(struct sheet *sheet, struct text member)
{
    for (size_t at = 0; at < 2; at++) {
        struct text name = sheet->mode->prices[at].name;
        if (name.size > 0 && text_equal(member, name))
            return &sheet->pieces[sheet->mode->prices[at].piece];
    }
    return NULL;
}

static bool read_piece(int64_t *piece, struct text member, struct json_value value,
                       struct fault *fault)
{
    int64_t pico = 0;
    if (value.kind == JSON_NULL)
        return true;
    if (!read_pico(value, member, PRICE_MOST_FEE_PICO, &pico, fault))
        return false;
    *piece = pico > *piece ? pico : *piece;
    return true;
}

static bool read_other(struct sheet *sheet, struct text member, struct json_value value,
                       struct text model, struct fault *fault)
{
    int64_t *piece = piece_of(sheet, member);
    if (piece != NULL)
        return read_piece(piece, member, value, fault);
    if (text_equal(member, REQUEST_FEE) && value.kind != JSON_NULL)
        return read_pico(value, member, PRICE_MOST_FEE_PICO, &sheet->request, fault);
    if (text_equal(member, SEARCH_FEES))
        read_search_fees(sheet, value);
    sheet->more = sheet->more || costs_more(model, member, value);
    return true;
}

static bool read_price(struct sheet *sheet, struct text member, struct json_value value,
                       struct text model, struct fault *fault)
{
    struct text name = member;
    int service = cut_service(&name);
    int64_t above = cut_threshold(&name);
    int rate = find_rate(name);
    if (rate < 0)
        return read_other(sheet, member, value, model, fault);
    if (value.kind == JSON_NULL || service == SERVICE_COUNT)
        return true;
    int64_t pico = 0;
    if (!read_pico(value, member, PRICE_MOST_PICO, &pico, fault))
        return false;
    int tier = find_tier(sheet, above);
    if (tier < 0) {
        sheet->more = true;
        return true;
    }
    if (sheet->pico[service][tier][rate] != RATE_UNSET)
        return fault_set(fault, "\"%.*s\" stands twice", TEXT_ARG(member));
    sheet->pico[service][tier][rate] = pico;
    return true;
}

static bool read_sheet(struct json_value record, struct text model, struct arena *arena,
                       struct sheet *sheet, struct fault *fault)
{
    struct json_walk walk = json_walk(record);
    struct text raw;
    struct json_value value;
    (void)find_tier(sheet, -1);
    while (json_next(&walk, &raw, &value)) {
        struct json_value quoted = {JSON_STRING, text_make(raw.at - 1, raw.size + 2)};
        if (!read_price(sheet, json_string(arena, quoted), value, model, fault))
            return false;
    }
    return true;
}

/* What a tier does not say holds as in the one below it. */
static void inherit(struct sheet *sheet)
{
    int64_t(*tiers)[RATE_COUNT] = sheet->pico[SERVICE_STANDARD];
    for (int tier = 1; tier < sheet->count; tier++) {
        for (size_t rate = 0; rate < RATE_COUNT; rate++) {
            if (tiers[tier][rate] == RATE_UNSET)
                tiers[tier][rate] = tiers[tier - 1][rate];
        }
    }
}

/* What the price of a service does not say is no cheaper than the standard one, which holds already
 * for all tiers; nor, in a dearer service, than in the tier below. */
static void inherit_service(struct sheet *sheet, int service)
{
    int64_t(*tiers)[RATE_COUNT] = sheet->pico[service];
    for (int tier = 0; tier < sheet->count; tier++) {
        for (size_t rate = 0; rate < RATE_COUNT; rate++) {
            if (tiers[tier][rate] != RATE_UNSET)
                continue;
            int64_t below = tier > 0 && service == SERVICE_PRIORITY ? tiers[tier - 1][rate] : -1;
            int64_t standard = sheet->pico[SERVICE_STANDARD][tier][rate];
            bool parents = service == SERVICE_PRIORITY && tier == 0; /* catalog_fill_rates */
            tiers[tier][rate] = parents || below > standard ? below : standard;
        }
    }
}

/* False: a kind of token is dearer than the bucket in which it is counted. */
static bool make_rates(const int64_t pico[RATE_COUNT], struct rates *rates)
{
    for (int bucket = 0; bucket < BUCKET_COUNT; bucket++)
        rates->pico[bucket] = RATE_UNSET;
    for (size_t rate = 0; rate < RATE_COUNT; rate++) {
        int64_t *own = &rates->pico[RATES[rate].bucket];
        if (RATES[rate].role == SETS && pico[rate] > *own)
            *own = pico[rate];
    }
    catalog_fill_rates(rates);
    for (size_t rate = 0; rate < RATE_COUNT; rate++) {
        if (pico[rate] > rates->pico[RATES[rate].bucket])
            return false;
    }
    return true;
}

static bool has_pieces(const struct sheet *sheet)
{
    for (int piece = 0; piece < PIECE_COUNT; piece++) {
        if (sheet->pieces[piece] > 0)
            return true;
    }
    return false;
}

/* Embeddings need no price of output, and what is billed by the piece none of tokens. Where only
 * images in the output have a price, all output has. */
static bool has_price(struct sheet *sheet, int service)
{
    int64_t *pico = sheet->pico[service][0];
    int images = find_rate(TEXT("output_cost_per_image_token"));
    if (sheet->mode->kind == MODEL_OTHER && pico[RATE_OUTPUT] == RATE_UNSET)
        pico[RATE_OUTPUT] = pico[images];
    if (sheet->mode->kind == MODEL_EMBEDDING && pico[RATE_OUTPUT] == RATE_UNSET)
        pico[RATE_OUTPUT] = 0;
    if (has_pieces(sheet) && pico[RATE_INPUT] == RATE_UNSET && pico[RATE_OUTPUT] == RATE_UNSET)
        pico[RATE_INPUT] = pico[RATE_OUTPUT] = 0;
    return pico[RATE_INPUT] != RATE_UNSET && pico[RATE_OUTPUT] != RATE_UNSET;
}

static bool make_tiers(const struct sheet *sheet, int service, struct price *price)
{
    price->tier_count = sheet->count;
    price->request_pico = sheet->request;
    price->search_pico = sheet->search;
    memcpy(price->piece_pico, sheet->pieces, sizeof(price->piece_pico));
    for (int tier = 0; tier < sheet->count; tier++) {
        price->tiers[tier].above_input_tokens = sheet->above[tier];
        if (!make_rates(sheet->pico[service][tier], &price->tiers[tier].rates))
            return false;
    }
    return true;
}

static enum left_out make_price(struct sheet *sheet, struct arena *arena, struct price *price)
{
    if (!has_price(sheet, SERVICE_STANDARD))
        return NO_TOKEN_PRICE;
    bool tokens = sheet->pico[SERVICE_STANDARD][0][RATE_INPUT] > 0 ||
                  sheet->pico[SERVICE_STANDARD][0][RATE_OUTPUT] > 0;
    if (sheet->more || (tokens && has_pieces(sheet))) /* or both say the same: nobody knows */
        return MORE_THAN_TOKENS;
    inherit(sheet);
    if (!make_tiers(sheet, SERVICE_STANDARD, price))
        return MORE_THAN_TOKENS;
    for (int service = SERVICE_STANDARD + 1; service < SERVICE_COUNT; service++) {
        if (!has_price(sheet, service))
            continue;
        struct price *own = arena_new(arena, sizeof(*own));
        inherit_service(sheet, service);
        if (make_tiers(sheet, service, own))
            price->services[service] = own;
    }
    return TAKEN;
}

/* ---- what else a record says ---- */

/* Unknown if it is absent or no number of tokens: the safe side. */
static int64_t read_tokens(struct json_value record, struct text name)
{
    struct json_value value;
    int64_t tokens = 0;
    bool fine = json_member(record, name, &value) && value.kind == JSON_NUMBER &&
                json_int(value, &tokens) && tokens > 0 && tokens <= TOKENS_MOST;
    return fine ? tokens : 0;
}

static struct text read_word(struct json_value record, struct arena *arena, struct text name)
{
    struct json_value value;
    return json_member(record, name, &value) ? json_string(arena, value) : TEXT_NONE;
}

static void read_limits(struct json_value record, struct model *model)
{
    int64_t old = read_tokens(record, TEXT("max_tokens"));
    model->max_input_tokens = read_tokens(record, TEXT("max_input_tokens"));
    if (model->kind == MODEL_EMBEDDING) {
        if (model->max_input_tokens == 0)
            model->max_input_tokens = old;
        return;
    }
    model->max_output_tokens = read_tokens(record, TEXT("max_output_tokens"));
    if (model->max_output_tokens == 0)
        model->max_output_tokens = old;
}

/* ---- two records of one name ---- */

static int64_t dearness(const struct model *model)
{
    const int64_t *pico = model->price.tiers[model->price.tier_count - 1].rates.pico;
    return pico[BUCKET_INPUT] + pico[BUCKET_OUTPUT];
}

/* Keeps the record, or the one of its name that is there, whichever is dearer. */
static void keep(struct reading *reading, const struct catalog_record *record)
{
    buffer_clear(&reading->key);
    buffer_put(&reading->key, record->model.provider);
    buffer_put_byte(&reading->key, '\n');
    buffer_put(&reading->key, record->model.name);
    struct catalog_record *there = table_get(&reading->taken, buffer_text(&reading->key));
    if (there == NULL) {
        there = &reading->records[reading->count++];
        *there = *record;
        (void)table_put(&reading->taken, buffer_text(&reading->key), there);
        return;
    }
    reading->left_out[TWICE]++;
    if (dearness(&record->model) > dearness(&there->model))
        there->model = record->model;
    for (size_t at = 0; at < record->alias_count; at++)
        catalog_foreign_alias(there, record->aliases[at], reading->arena);
}

/* ---- the file ---- */

static bool read_record(struct reading *reading, struct text key, struct json_value value,
                        struct fault *fault)
{
    struct catalog_record record = {.model.until_s = MODEL_FOREVER};
    struct model *model = &record.model;
    struct sheet sheet = {.mode =
                              catalog_foreign_mode(read_word(value, reading->arena, TEXT("mode")))};
    struct json_value reasoning;
    if (value.kind != JSON_OBJECT)
        return fault_set(fault, "an object is expected");
    struct text theirs = read_word(value, reading->arena, TEXT("litellm_provider"));
    if (!catalog_is_name(key) || (theirs.size > 0 && !catalog_is_name(theirs)))
        return fault_set(fault, CATALOG_NAME_RULE);
    if (sheet.mode == NULL) {
        reading->left_out[OTHER_MODE]++;
        return true;
    }
    model->kind = sheet.mode->kind;
    if (!read_sheet(value, key, reading->arena, &sheet, fault))
        return false;
    enum left_out left_out = make_price(&sheet, reading->arena, &model->price);
    if (left_out != TAKEN) {
        reading->left_out[left_out]++;
        return true;
    }
    read_limits(value, model);
    model->reasoning =
        (json_member(value, TEXT("supports_reasoning"), &reasoning) &&
         reasoning.kind == JSON_TRUE) ||
        sheet.pico[SERVICE_STANDARD][0][find_rate(TEXT("output_cost_per_reasoning_token"))] !=
            RATE_UNSET;
    catalog_foreign_name(&record, key, theirs, reading->arena);
    keep(reading, &record);
    return true;
}

static bool read_all(struct reading *reading, struct json_value file, struct fault *fault)
{
    struct json_walk walk = json_walk(file);
    struct table keys = {0};
    struct text raw;
    struct json_value value;
    bool fine = true;
    while (fine && json_next(&walk, &raw, &value)) {
        struct json_value quoted = {JSON_STRING, text_make(raw.at - 1, raw.size + 2)};
        struct text key = json_string(reading->arena, quoted);
        if (text_equal(key, TEXT("sample_spec"))) /* the format's description of itself */
            continue;
        fine = table_put(&keys, key, &keys) == NULL ? read_record(reading, key, value, fault)
                                                    : fault_set(fault, "stands twice");
        if (!fine)
            fault_prefix(fault, "record \"%.*s\"", TEXT_ARG(text_slice(key, 0, 100)));
    }
    table_close(&keys);
    return fine;
}

static struct text make_note(const struct reading *reading)
{
    struct buffer out = {0};
    size_t all = 0;
    for (int why = TAKEN + 1; why < LEFT_OUT_COUNT; why++)
        all += reading->left_out[why];
    if (all > 0)
        buffer_printf(&out, "%zu of %zu models are left out", all, all + reading->count);
    const char *before = ": ";
    for (int why = TAKEN + 1; why < LEFT_OUT_COUNT; why++) {
        if (reading->left_out[why] == 0)
            continue;
        buffer_printf(&out, "%s%zu %s", before, reading->left_out[why], LEFT_OUT[why]);
        before = ", ";
    }
    struct text note = out.size > 0 ? arena_copy(reading->arena, buffer_text(&out)) : TEXT("");
    buffer_close(&out);
    return note;
}

bool catalog_foreign_read(struct json_value file, struct arena *arena,
                          struct catalog_records *records, struct fault *fault)
{
    struct reading reading = {.arena = arena};
    reading.records = arena_new(arena, catalog_count(file) * sizeof(*reading.records));
    bool fine = read_all(&reading, file, fault);
    table_close(&reading.taken);
    buffer_close(&reading.key);
    if (fine)
        *records = (struct catalog_records){
            .at = reading.records, .count = reading.count, .note = make_note(&reading)};
    return fine;
}
