/*
 * Reading price files. Everything in them comes from outside: a member this code does not know is
 * refused, since it may be a price that would otherwise not be billed.
 */
#include "money/catalog_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/table.h"
#include "money/catalog_foreign.h"

#define FORMAT        1
#define RATE_DECIMALS 6
#define FEE_DECIMALS  12
#define TOKENS_MOST   1000000000000

static const struct text FILE_MEMBERS[] = {TEXT("format"), TEXT("source"), TEXT("models"),
                                           TEXT_NONE};
static const struct text RECORD_MEMBERS[] = {
    TEXT("provider"),  TEXT("name"),       TEXT("aliases"),   TEXT("kind"),    TEXT("reasoning"),
    TEXT("max_input"), TEXT("max_output"), TEXT("from"),      TEXT("until"),   TEXT("tiers"),
    TEXT("flex"),      TEXT("priority"),   TEXT("batch"),     TEXT("request"), TEXT("search"),
    TEXT("image"),     TEXT("second"),     TEXT("character"), TEXT_NONE};
static const struct text TIER_MEMBERS[] = {TEXT("above"),
                                           TEXT("input"),
                                           TEXT("cached_input"),
                                           TEXT("cache_write"),
                                           TEXT("cache_write_1h"),
                                           TEXT("audio_input"),
                                           TEXT("cached_audio"),
                                           TEXT("image_input"),
                                           TEXT("output"),
                                           TEXT("reasoning"),
                                           TEXT("audio_output"),
                                           TEXT("image_output"),
                                           TEXT_NONE};

static const char *const KINDS[] = {
    [MODEL_CHAT] = "chat", [MODEL_EMBEDDING] = "embedding", [MODEL_OTHER] = "other"};

static const struct {
    struct text name;
    enum bucket bucket;
} RATES[] = {
    {TEXT("input"), BUCKET_INPUT},
    {TEXT("cached_input"), BUCKET_CACHED_INPUT},
    {TEXT("cache_write"), BUCKET_CACHE_WRITE},
    {TEXT("cache_write_1h"), BUCKET_CACHE_WRITE_1H},
    {TEXT("audio_input"), BUCKET_AUDIO_INPUT},
    {TEXT("cached_audio"), BUCKET_CACHED_AUDIO},
    {TEXT("image_input"), BUCKET_IMAGE_INPUT},
    {TEXT("output"), BUCKET_OUTPUT},
    {TEXT("reasoning"), BUCKET_REASONING},
    {TEXT("audio_output"), BUCKET_AUDIO_OUTPUT},
    {TEXT("image_output"), BUCKET_IMAGE_OUTPUT},
};
#define RATE_COUNT (sizeof(RATES) / sizeof(RATES[0]))

/* The name in the list that the raw one stands for; NULL if none. */
static const struct text *known_name(struct text raw_name, const struct text *names)
{
    for (; names->at != NULL; names++) {
        if (json_name_equal(raw_name, *names)) {
            return names;
        }
    }
    return NULL;
}

/* Is the value an object with no members but these, each once? */
static bool check_object(struct json_value value, const struct text *names, struct fault *fault)
{
    if (value.kind != JSON_OBJECT) {
        return fault_set(fault, "an object is expected");
    }
    struct json_walk walk = json_walk(value);
    struct text name;
    struct json_value member;
    struct json_value first;
    while (json_next(&walk, &name, &member)) {
        const struct text *known = known_name(name, names);
        if (known == NULL) {
            return fault_set(fault, "\"%.*s\" is not known", TEXT_ARG(name));
        }
        if (json_member(value, *known, &first) && first.raw.at != member.raw.at) {
            return fault_set(fault, "\"%.*s\" stands twice", TEXT_ARG(*known));
        }
    }
    return true;
}

bool catalog_is_name(struct text name)
{
    for (size_t at = 0; at < name.size; at++) {
        unsigned char byte = (unsigned char)name.at[at];
        if (byte < ' ' || byte == 0x7f)
            return false;
    }
    return name.size > 0 && name.size <= CATALOG_NAME_MOST;
}

static bool read_name(struct json_value value, struct arena *arena, struct text *name,
                      struct fault *fault)
{
    struct text plain = value.kind == JSON_STRING ? json_string(arena, value) : TEXT_NONE;
    if (!catalog_is_name(plain))
        return fault_set(fault, CATALOG_NAME_RULE);
    *name = plain;
    return true;
}

size_t catalog_count(struct json_value whole)
{
    struct json_walk walk = json_walk(whole);
    struct text name;
    struct json_value element;
    size_t count = 0;
    while (json_next(&walk, &name, &element)) {
        count++;
    }
    return count;
}

static bool read_names(struct json_value record, struct arena *arena, struct catalog_record *out,
                       struct fault *fault)
{
    struct json_value value;
    if (json_member(record, TEXT("provider"), &value) &&
        !read_name(value, arena, &out->model.provider, fault)) {
        return fault_prefix(fault, "\"provider\"");
    }
    if (!json_member(record, TEXT("aliases"), &value)) {
        return true;
    }
    if (value.kind != JSON_ARRAY) {
        return fault_set(fault, "\"aliases\" is a list of names");
    }
    struct text *aliases = arena_new(arena, (catalog_count(value) + 1) * sizeof(*aliases));
    out->aliases = aliases;
    struct json_walk walk = json_walk(value);
    struct text name;
    while (json_next(&walk, &name, &value)) {
        if (!read_name(value, arena, &aliases[out->alias_count++], fault)) {
            return fault_prefix(fault, "\"aliases\"");
        }
    }
    return true;
}

static bool read_kind(struct json_value record, struct arena *arena, enum model_kind *kind)
{
    struct json_value value;
    if (!json_member(record, TEXT("kind"), &value) || value.kind != JSON_STRING) {
        return false;
    }
    struct text name = json_string(arena, value);
    for (unsigned at = 0; at < sizeof(KINDS) / sizeof(KINDS[0]); at++) {
        if (text_equal(name, text_of(KINDS[at]))) {
            *kind = (enum model_kind)at;
            return true;
        }
    }
    return false;
}

/* An optional count of tokens from `least` up. */
static bool read_tokens(struct json_value object, struct text name, int64_t least, int64_t *tokens)
{
    struct json_value value;
    int64_t read = 0;
    if (!json_member(object, name, &value)) {
        return true;
    }
    if (value.kind != JSON_NUMBER || !json_int(value, &read)) {
        return false;
    }
    if (read < least || read > TOKENS_MOST) {
        return false;
    }
    *tokens = read;
    return true;
}

void catalog_fill_rates(struct rates *rates)
{
    static const enum bucket parent[BUCKET_COUNT] = {
        [BUCKET_INPUT] = BUCKET_INPUT,         [BUCKET_CACHED_INPUT] = BUCKET_INPUT,
        [BUCKET_CACHE_WRITE] = BUCKET_INPUT,   [BUCKET_CACHE_WRITE_1H] = BUCKET_CACHE_WRITE,
        [BUCKET_AUDIO_INPUT] = BUCKET_INPUT,   [BUCKET_CACHED_AUDIO] = BUCKET_CACHED_INPUT,
        [BUCKET_IMAGE_INPUT] = BUCKET_INPUT,   [BUCKET_OUTPUT] = BUCKET_OUTPUT,
        [BUCKET_REASONING] = BUCKET_OUTPUT,    [BUCKET_AUDIO_OUTPUT] = BUCKET_OUTPUT,
        [BUCKET_IMAGE_OUTPUT] = BUCKET_OUTPUT,
    };
    /* a parent comes before its children */
    for (int bucket = 0; bucket < BUCKET_COUNT; bucket++) {
        if (rates->pico[bucket] == RATE_UNSET) {
            rates->pico[bucket] = rates->pico[parent[bucket]];
        }
    }
    if (rates->pico[BUCKET_CACHE_WRITE_1H] < rates->pico[BUCKET_CACHE_WRITE])
        rates->pico[BUCKET_CACHE_WRITE_1H] = rates->pico[BUCKET_CACHE_WRITE];
}

static bool read_rates(struct json_value tier, enum model_kind kind, struct rates *rates,
                       struct fault *fault)
{
    for (int bucket = 0; bucket < BUCKET_COUNT; bucket++) {
        rates->pico[bucket] = RATE_UNSET;
    }
    for (size_t at = 0; at < RATE_COUNT; at++) {
        struct json_value value;
        int64_t pico = 0;
        if (!json_member(tier, RATES[at].name, &value)) {
            continue;
        }
        if (value.kind != JSON_NUMBER ||
            !money_parse_scaled(value.raw, RATE_DECIMALS, PRICE_MOST_PICO, &pico)) {
            return fault_set(fault,
                             "\"%.*s\" is not a price (USD per 1M tokens, 0 to 1000000, at most "
                             "%d decimals)",
                             TEXT_ARG(RATES[at].name), RATE_DECIMALS);
        }
        rates->pico[RATES[at].bucket] = pico;
    }
    if (kind == MODEL_EMBEDDING && rates->pico[BUCKET_OUTPUT] == RATE_UNSET) {
        rates->pico[BUCKET_OUTPUT] = 0;
    }
    if (rates->pico[BUCKET_INPUT] == RATE_UNSET || rates->pico[BUCKET_OUTPUT] == RATE_UNSET) {
        return fault_set(fault, "\"input\" and \"output\" are needed");
    }
    catalog_fill_rates(rates);
    return true;
}

static bool read_tier(struct json_value value, enum model_kind kind, struct price *price,
                      struct fault *fault)
{
    if (!check_object(value, TIER_MEMBERS, fault)) {
        return false;
    }
    if (price->tier_count == PRICE_MAX_TIERS) {
        return fault_set(fault, "at most %d tiers are possible", PRICE_MAX_TIERS);
    }
    int tier = price->tier_count;
    int64_t above = -1;
    if (!read_tokens(value, TEXT("above"), 0, &above)) {
        return fault_set(fault, "\"above\" is not a number of tokens");
    }
    bool rises = tier == 0 ? above == -1 : above > price->tiers[tier - 1].above_input_tokens;
    if (!rises) {
        return fault_set(fault, "the first tier has no \"above\", each later one a larger one");
    }
    price->tiers[tier].above_input_tokens = above;
    price->tier_count++;
    return read_rates(value, kind, &price->tiers[tier].rates, fault);
}

static bool read_tiers(struct json_value tiers, enum model_kind kind, struct price *price,
                       struct fault *fault)
{
    if (tiers.kind != JSON_ARRAY) {
        return fault_set(fault, "a list of tiers is needed");
    }
    struct json_walk walk = json_walk(tiers);
    struct text name;
    struct json_value value;
    while (json_next(&walk, &name, &value)) {
        if (!read_tier(value, kind, price, fault)) {
            return fault_prefix(fault, "tier %d", price->tier_count);
        }
    }
    return price->tier_count > 0 ? true : fault_set(fault, "there is no tier");
}

/* An optional fee in USD. */
static bool read_fee(struct json_value record, struct text name, int64_t *pico, struct fault *fault)
{
    struct json_value value;
    if (!json_member(record, name, &value) ||
        (value.kind == JSON_NUMBER &&
         money_parse_scaled(value.raw, FEE_DECIMALS, PRICE_MOST_FEE_PICO, pico)))
        return true;
    return fault_set(fault, "\"%.*s\" is not a fee (USD, 0 to 1000, at most %d decimals)",
                     TEXT_ARG(name), FEE_DECIMALS);
}

/* The prices of the other service tiers; fees are the same. */
static bool read_services(struct json_value record, enum model_kind kind, struct arena *arena,
                          struct price *price, struct fault *fault)
{
    struct json_value tiers;
    for (int service = SERVICE_STANDARD + 1; service < SERVICE_COUNT; service++) {
        const char *name = service_name((enum service)service);
        if (!json_member(record, text_of(name), &tiers))
            continue;
        struct price *own = arena_new(arena, sizeof(*own));
        if (!read_tiers(tiers, kind, own, fault))
            return fault_prefix(fault, "\"%s\"", name);
        own->request_pico = price->request_pico;
        own->search_pico = price->search_pico;
        memcpy(own->piece_pico, price->piece_pico, sizeof(own->piece_pico));
        price->services[service] = own;
    }
    return true;
}

static bool read_pieces(struct json_value record, struct price *price, struct fault *fault)
{
    for (int piece = 0; piece < PIECE_COUNT; piece++) {
        struct text name = text_of(piece_name((enum piece)piece));
        if (!read_fee(record, name, &price->piece_pico[piece], fault))
            return false;
    }
    return true;
}

static bool read_price(struct json_value record, enum model_kind kind, struct arena *arena,
                       struct price *price, struct fault *fault)
{
    struct json_value tiers;
    if (!json_member(record, TEXT("tiers"), &tiers))
        return fault_set(fault, "\"tiers\", a list, is needed");
    if (!read_tiers(tiers, kind, price, fault))
        return fault_prefix(fault, "\"tiers\"");
    return read_fee(record, TEXT("request"), &price->request_pico, fault) &&
           read_fee(record, TEXT("search"), &price->search_pico, fault) &&
           read_pieces(record, price, fault) && read_services(record, kind, arena, price, fault);
}

static bool read_traits(struct json_value record, struct arena *arena, struct model *model,
                        struct fault *fault)
{
    struct json_value reasoning;
    if (!read_kind(record, arena, &model->kind)) {
        return fault_set(fault, "\"kind\" is chat, embedding or other");
    }
    if (!json_member(record, TEXT("reasoning"), &reasoning) ||
        (reasoning.kind != JSON_TRUE && reasoning.kind != JSON_FALSE)) {
        return fault_set(fault, "\"reasoning\" is true or false");
    }
    model->reasoning = reasoning.kind == JSON_TRUE;
    if (!read_tokens(record, TEXT("max_input"), 1, &model->max_input_tokens) ||
        !read_tokens(record, TEXT("max_output"), 1, &model->max_output_tokens)) {
        return fault_set(fault, "\"max_input\" and \"max_output\" are numbers of tokens");
    }
    return true;
}

/* An optional day, which begins at midnight UTC. */
static bool read_day(struct json_value record, struct arena *arena, struct text name,
                     int64_t *second)
{
    struct json_value value;
    int64_t wall_us;
    if (!json_member(record, name, &value))
        return true;
    struct text day = json_string(arena, value);
    if (day.size != sizeof("2026-11-21") - 1 || !clock_parse(day, &wall_us))
        return false;
    *second = wall_us / 1000000;
    return true;
}

static bool read_period(struct json_value record, struct arena *arena, struct model *model,
                        struct fault *fault)
{
    model->until_s = MODEL_FOREVER;
    if (!read_day(record, arena, TEXT("from"), &model->from_s) ||
        !read_day(record, arena, TEXT("until"), &model->until_s))
        return fault_set(fault, "\"from\" and \"until\" are days like \"2026-11-21\"");
    if (model->from_s >= model->until_s)
        return fault_set(fault, "\"from\" is not before \"until\"");
    return true;
}

static bool read_record(struct json_value value, size_t number, struct arena *arena,
                        struct catalog_record *record, struct fault *fault)
{
    struct json_value name;
    struct model *model = &record->model;
    if (value.kind != JSON_OBJECT || !json_member(value, TEXT("name"), &name) ||
        !read_name(name, arena, &model->name, NULL)) {
        return fault_set(fault, "record %zu: \"name\" is a text of 1 to %d bytes", number,
                         CATALOG_NAME_MOST);
    }
    if (check_object(value, RECORD_MEMBERS, fault) && read_names(value, arena, record, fault) &&
        read_traits(value, arena, model, fault) && read_period(value, arena, model, fault) &&
        read_price(value, model->kind, arena, &model->price, fault)) {
        return true;
    }
    return fault_prefix(fault, "record %zu (%.*s)", number, TEXT_ARG(model->name));
}

static bool read_head(struct json_value file, struct json_value *models, struct fault *fault)
{
    struct json_value value;
    int64_t format = 0;
    if (!check_object(file, FILE_MEMBERS, fault)) {
        return false;
    }
    if (!json_member(file, TEXT("format"), &value) || value.kind != JSON_NUMBER ||
        !json_int(value, &format) || format != FORMAT) {
        return fault_set(fault, "\"format\" must be %d", FORMAT);
    }
    if (!json_member(file, TEXT("models"), &value) || value.kind != JSON_ARRAY) {
        return fault_set(fault, "\"models\", a list, is needed");
    }
    *models = value;
    return true;
}

/* ---- names that stand twice ---- */

/* All names of a file's records, each with the last record that has it. */
struct names {
    struct table takers; /* provider, line feed, name -> struct catalog_record */
    struct buffer key;
};

static struct text name_key(struct names *names, struct text provider, struct text name)
{
    buffer_clear(&names->key);
    buffer_put(&names->key, provider);
    buffer_put_byte(&names->key, '\n');
    buffer_put(&names->key, name);
    return buffer_text(&names->key);
}

/* The same model again: for another time than all before. */
static bool take_turn(struct catalog_record *record, const struct catalog_record *taker,
                      struct fault *fault)
{
    size_t periods = 1;
    for (const struct catalog_record *other = taker; other != NULL; other = other->earlier) {
        if (other->model.from_s < record->model.until_s &&
            record->model.from_s < other->model.until_s)
            return fault_set(fault, "stands twice for the same time");
        if (++periods > CATALOG_PERIODS_MOST)
            return fault_set(fault, "has over %d records", CATALOG_PERIODS_MOST);
    }
    record->earlier = taker;
    return true;
}

static bool take_name(struct names *names, struct catalog_record *record, struct text name,
                      bool is_alias, struct fault *fault)
{
    const struct model *model = &record->model;
    struct text key = name_key(names, model->provider, name);
    const struct catalog_record *taker = table_get(&names->takers, key);
    if (is_alias && text_equal(name, model->name))
        return fault_set(fault, "is an alias of itself");
    if (taker != NULL && !text_equal(taker->model.name, model->name))
        return fault_set(fault, "\"%.*s\" is a name of %.*s already", TEXT_ARG(name),
                         TEXT_ARG(taker->model.name));
    if (!is_alias && taker != NULL && !take_turn(record, taker, fault))
        return false;
    (void)table_put(&names->takers, key, record);
    return true;
}

static bool take_names(struct names *names, struct catalog_record *record, struct fault *fault)
{
    bool fine = take_name(names, record, record->model.name, false, fault);
    for (size_t at = 0; fine && at < record->alias_count; at++)
        fine = take_name(names, record, record->aliases[at], true, fault);
    return fine;
}

/* No two records may have a name in common, nor go around in a circle of aliases. */
static bool check_names(struct catalog_record *records, size_t count, struct fault *fault)
{
    struct names names = {0};
    bool fine = true;
    for (size_t at = 0; fine && at < count; at++) {
        fine = take_names(&names, &records[at], fault);
        if (!fine)
            fault_prefix(fault, "record %zu (%.*s)", at + 1, TEXT_ARG(records[at].model.name));
    }
    table_close(&names.takers);
    buffer_close(&names.key);
    return fine;
}

/* ---- the file ---- */

static bool read_own(struct json_value file, struct arena *arena, struct catalog_records *records,
                     struct fault *fault)
{
    struct json_value models;
    if (!read_head(file, &models, fault)) {
        return false;
    }
    struct catalog_record *read = arena_new(arena, (catalog_count(models) + 1) * sizeof(*read));
    struct json_walk walk = json_walk(models);
    struct text name;
    struct json_value value;
    size_t done = 0;
    for (; json_next(&walk, &name, &value); done++) {
        if (!read_record(value, done + 1, arena, &read[done], fault)) {
            return false;
        }
    }
    if (!check_names(read, done, fault))
        return false;
    *records = (struct catalog_records){.at = read, .count = done};
    return true;
}

bool catalog_file_parse(struct text json, struct arena *arena, struct catalog_records *records,
                        struct fault *fault)
{
    struct json_value file;
    size_t where = 0;
    enum json_error error = json_parse(json, &file, &where);
    if (error != JSON_OK) {
        return fault_set(fault, "%s at byte %zu",
                         error == JSON_TOO_DEEP ? "nested too deep" : "not JSON", where);
    }
    return catalog_is_foreign(file) ? catalog_foreign_read(file, arena, records, fault)
                                    : read_own(file, arena, records, fault);
}

static bool read_bytes(FILE *file, struct buffer *bytes, struct fault *fault)
{
    while (feof(file) == 0) {
        buffer_reserve(bytes, BUFSIZ);
        bytes->size += fread(bytes->at + bytes->size, 1, BUFSIZ, file);
        if (ferror(file) != 0) {
            return fault_set(fault, "cannot be read: %s", strerror(errno));
        }
        if (bytes->size > CATALOG_FILE_MOST) {
            return fault_set(fault, "larger than %d bytes", CATALOG_FILE_MOST);
        }
    }
    return true;
}

/* A pipe that nobody writes to would hold up whoever reads it, and a reload must not wait. */
static FILE *open_file(const char *path, struct fault *fault)
{
    struct stat found;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        fault_set(fault, "%s: cannot be opened: %s", path, strerror(errno));
        return NULL;
    }
    if (fstat(fd, &found) == 0 && S_ISREG(found.st_mode)) {
        return fdopen(fd, "rb");
    }
    close(fd);
    fault_set(fault, "%s: is no regular file", path);
    return NULL;
}

bool catalog_file_read(const char *path, struct arena *arena, struct catalog_records *records,
                       struct fault *fault)
{
    FILE *file = open_file(path, fault);
    if (file == NULL) {
        return false;
    }
    struct buffer bytes = {0};
    bool done = read_bytes(file, &bytes, fault);
    fclose(file);
    if (done) {
        struct text json = arena_copy(arena, buffer_text(&bytes));
        done = catalog_file_parse(json, arena, records, fault);
    }
    buffer_close(&bytes);
    return done ? true : fault_prefix(fault, "%s", path);
}
