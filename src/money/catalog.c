/*
 * The catalog: one shelf of names per provider. Models never move, so that a replaced one keeps all
 * the names it ever had.
 */
#include "money/catalog.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/table.h"
#include "money/catalog_file.h"

#define VERSION_BYTES 8

struct shelf {
    struct text provider;
    struct table models; /* name or alias -> struct model, the topmost of that name */
    struct shelf *next;
};

struct catalog {
    struct arena arena; /* holds shelves, models and their texts */
    struct shelf *shelves;
    struct note *notes;    /* the newest first */
    struct model **models; /* once sealed */
    atomic_bool *told;     /* of each of them */
    size_t count;
    bool sealed;
    char version[2 * VERSION_BYTES + 1];
};

struct note {
    struct text text;
    struct note *next;
};

/* A name and what it leads to, for putting the content in one order. */
struct entry {
    struct text provider;
    struct text name;
    struct model *model;
};

struct catalog *catalog_open(void)
{
    return memory_new(sizeof(struct catalog));
}

void catalog_close(struct catalog *catalog)
{
    if (catalog == NULL) {
        return;
    }
    for (struct shelf *shelf = catalog->shelves; shelf != NULL; shelf = shelf->next) {
        table_close(&shelf->models);
    }
    free(catalog->models);
    free(catalog->told);
    arena_close(&catalog->arena);
    free(catalog);
}

static struct shelf *shelf_find(const struct catalog *catalog, struct text provider)
{
    struct shelf *shelf = catalog->shelves;
    while (shelf != NULL && !text_equal(shelf->provider, provider)) {
        shelf = shelf->next;
    }
    return shelf;
}

static struct shelf *shelf_of(struct catalog *catalog, struct text provider)
{
    struct shelf *shelf = shelf_find(catalog, provider);
    if (shelf == NULL) {
        shelf = arena_new(&catalog->arena, sizeof(*shelf));
        shelf->provider = arena_copy(&catalog->arena, provider);
        shelf->next = catalog->shelves;
        catalog->shelves = shelf;
    }
    return shelf;
}

static bool is_dated(const struct model *model)
{
    return model->from_s != 0 || model->until_s != MODEL_FOREVER;
}

/* The catalog owns what its records say of other service tiers. */
static void keep_services(struct catalog *catalog, struct price *price)
{
    for (int service = 0; service < SERVICE_COUNT; service++) {
        if (price->services[service] == NULL)
            continue;
        struct price *kept = arena_new(&catalog->arena, sizeof(*kept));
        *kept = *price->services[service];
        price->services[service] = kept;
    }
}

void catalog_add(struct catalog *catalog, const struct model *model, const struct text *aliases,
                 size_t alias_count)
{
    ASSERT(!catalog->sealed);
    ASSERT(model->name.size > 0);
    struct shelf *shelf = shelf_of(catalog, model->provider);
    struct model *own = table_get(&shelf->models, model->name);
    bool is_new = own == NULL || !text_equal(own->name, model->name);
    if (is_new)
        own = arena_new(&catalog->arena, sizeof(*own));
    const struct model old = *own;
    *own = *model;
    own->until_s = model->until_s == 0 ? MODEL_FOREVER : model->until_s;
    own->below = NULL;
    if (!is_new && is_dated(own)) {
        struct model *covered = arena_new(&catalog->arena, sizeof(*covered));
        *covered = old;
        own->below = covered;
    }
    own->provider = shelf->provider;
    own->name = is_new ? arena_copy(&catalog->arena, model->name) : old.name;
    own->source = arena_copy(&catalog->arena, model->source);
    keep_services(catalog, &own->price);
    (void)table_put(&shelf->models, own->name, own);
    for (size_t at = 0; at < alias_count; at++) {
        (void)table_put(&shelf->models, aliases[at], own);
    }
}

/* ---- whose price, if nobody says whose ---- */

#define WHENEVER (-1) /* the topmost record, in force or not */

static const struct model *in_force(const struct model *model, int64_t when_s)
{
    while (model != NULL && (when_s < model->from_s || when_s >= model->until_s))
        model = model->below;
    return model;
}

/* A call with as much output as input tells which of two prices is dearer. */
static bool is_dearer(const struct model *one, const struct model *other)
{
    const struct bound sample = {.input_tokens = 1000000, .choices = 1};
    return money_compare(price_bound(&one->price, &sample, 1000000),
                         price_bound(&other->price, &sample, 1000000)) > 0;
}

static const struct model *dearest(const struct catalog *catalog, struct text name, int64_t when_s)
{
    const struct model *found = NULL;
    for (const struct shelf *shelf = catalog->shelves; shelf != NULL; shelf = shelf->next) {
        const struct model *model = table_get(&shelf->models, name);
        if (when_s != WHENEVER)
            model = in_force(model, when_s);
        if (model != NULL && (found == NULL || is_dearer(model, found)))
            found = model;
    }
    return found;
}

/* All records of a model, the lowest first. There are never many. */
static void add_as_stand_in(struct catalog *catalog, const struct model *model)
{
    if (model->below != NULL)
        add_as_stand_in(catalog, model->below);
    struct model stand_in = *model;
    stand_in.provider = CATALOG_STAND_IN_PROVIDER;
    stand_in.name = CATALOG_STAND_IN_NAME;
    stand_in.max_input_tokens = 0;
    stand_in.max_output_tokens = 0;
    stand_in.reasoning = true;
    catalog_add(catalog, &stand_in, NULL, 0);
}

bool catalog_add_stand_in(struct catalog *catalog, struct text name)
{
    const struct shelf *own = shelf_find(catalog, TEXT("operator"));
    const struct model *model = own == NULL ? NULL : table_get(&own->models, name);
    if (model == NULL)
        model = dearest(catalog, name, WHENEVER);
    if (model == NULL)
        return false;
    add_as_stand_in(catalog, model);
    return true;
}

/* ---- files ---- */

static void add_note(struct catalog *catalog, struct text source, struct text text)
{
    if (text.size == 0)
        return;
    struct note *note = arena_new(&catalog->arena, sizeof(*note));
    const struct text parts[] = {source, TEXT(": "), text};
    note->text = arena_join(&catalog->arena, parts, 3);
    note->next = catalog->notes;
    catalog->notes = note;
}

static void take_records(struct catalog *catalog, struct text source,
                         const struct catalog_records *records)
{
    for (size_t at = 0; at < records->count; at++) {
        const struct catalog_record *record = &records->at[at];
        struct model model = record->model;
        model.source = source;
        catalog_add(catalog, &model, record->aliases, record->alias_count);
    }
    add_note(catalog, source, records->note);
}

bool catalog_load(struct catalog *catalog, const char *path, struct fault *fault)
{
    struct arena arena = {0};
    struct catalog_records records = {0};
    ASSERT(!catalog->sealed);
    bool read = catalog_file_read(path, &arena, &records, fault);
    take_records(catalog, text_of(path), &records);
    arena_close(&arena);
    return read;
}

bool catalog_load_text(struct catalog *catalog, struct text source, struct text json,
                       struct fault *fault)
{
    struct arena arena = {0};
    struct catalog_records records = {0};
    ASSERT(!catalog->sealed);
    bool read = catalog_file_parse(json, &arena, &records, fault);
    take_records(catalog, source, &records);
    arena_close(&arena);
    return read;
}

struct text catalog_next_note(const struct catalog *catalog, size_t *at)
{
    const struct note *note = catalog->notes;
    for (size_t skipped = 0; note != NULL && skipped < *at; skipped++)
        note = note->next;
    *at += note != NULL;
    return note == NULL ? TEXT_NONE : note->text;
}

/* ---- finding ---- */

static const struct model *find_on(const struct shelf *shelf, struct text name, int64_t when_s)
{
    return shelf == NULL ? NULL : in_force(table_get(&shelf->models, name), when_s);
}

const struct model *catalog_find(const struct catalog *catalog, struct text provider,
                                 struct text name, int64_t when_s)
{
    const struct model *model = find_on(shelf_find(catalog, provider), name, when_s);
    if (model == NULL && provider.size > 0) {
        model = find_on(shelf_find(catalog, TEXT("")), name, when_s);
    }
    if (model == NULL && provider.size == 0) {
        model = dearest(catalog, name, when_s);
    }
    return model;
}

/* Does the text end in a date of this shape ('#' is a digit), month and day at these places? */
struct date_shape {
    struct text shape;
    size_t year, month, day; /* year SIZE_MAX: none */
};

static const struct date_shape DATE_SHAPES[] = {
    {TEXT("-####-##-##"), 1, 6, 9},
    {TEXT("-########"), 1, 5, 7},
    {TEXT("-####"), SIZE_MAX, 1, 3},
};

static int64_t two_digits(struct text text, size_t at)
{
    return (text.at[at] - '0') * 10 + (text.at[at + 1] - '0');
}

static bool is_date(struct text text, const struct date_shape *date)
{
    for (size_t at = 0; at < text.size; at++) {
        bool digit = text.at[at] >= '0' && text.at[at] <= '9';
        if (date->shape.at[at] == '#' ? !digit : text.at[at] != date->shape.at[at])
            return false;
    }
    int64_t month = two_digits(text, date->month);
    int64_t day = two_digits(text, date->day);
    bool year = date->year == SIZE_MAX || two_digits(text, date->year) == 20;
    return year && month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

struct text catalog_family(struct text name)
{
    for (size_t at = 0; at < sizeof(DATE_SHAPES) / sizeof(DATE_SHAPES[0]); at++) {
        size_t size = DATE_SHAPES[at].shape.size;
        if (name.size > size && is_date(text_from(name, name.size - size), &DATE_SHAPES[at]))
            return text_slice(name, 0, name.size - size);
    }
    return TEXT_NONE;
}

struct text catalog_tuned(struct text name)
{
    struct text front = TEXT("ft:");
    size_t end = text_find(name, TEXT(":"), front.size);
    bool tuned = text_starts(name, front) && end != SIZE_MAX && end > front.size;
    return tuned ? text_slice(name, 0, end) : TEXT_NONE;
}

bool catalog_first_time(const struct catalog *catalog, const struct model *model)
{
    ASSERT(catalog->sealed);
    ASSERT(model->number < catalog->count);
    atomic_bool *told = &catalog->told[model->number];
    return !atomic_load_explicit(told, memory_order_relaxed) && !atomic_exchange(told, true);
}

const struct model *catalog_next(const struct catalog *catalog, size_t *at)
{
    ASSERT(catalog->sealed);
    return *at < catalog->count ? catalog->models[(*at)++] : NULL;
}

/* ---- sealing ---- */

static int text_order(struct text a, struct text b)
{
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = shorter == 0 ? 0 : memcmp(a.at, b.at, shorter);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static int model_order(const void *a, const void *b)
{
    const struct model *left = *(struct model *const *)a;
    const struct model *right = *(struct model *const *)b;
    int order = text_order(left->name, right->name);
    if (order == 0)
        order = text_order(left->provider, right->provider);
    return order != 0 ? order : (left->from_s > right->from_s) - (left->from_s < right->from_s);
}

static int entry_order(const void *a, const void *b)
{
    const struct entry *left = a;
    const struct entry *right = b;
    int order = text_order(left->provider, right->provider);
    return order != 0 ? order : text_order(left->name, right->name);
}

static void put_price(struct buffer *out, const struct price *price)
{
    for (int tier = 0; tier < price->tier_count; tier++) {
        buffer_printf(out, " >%" PRId64, price->tiers[tier].above_input_tokens);
        for (int bucket = 0; bucket < BUCKET_COUNT; bucket++)
            buffer_printf(out, " %" PRId64, price->tiers[tier].rates.pico[bucket]);
    }
    buffer_printf(out, " +%" PRId64 " +%" PRId64, price->request_pico, price->search_pico);
    for (int piece = 0; piece < PIECE_COUNT; piece++)
        buffer_printf(out, " +%" PRId64, price->piece_pico[piece]);
}

static void put_model(struct buffer *out, const struct model *model)
{
    json_put_string(out, model->provider);
    json_put_string(out, model->name);
    buffer_printf(out, " %d %d %" PRId64 " %" PRId64, (int)model->kind, (int)model->reasoning,
                  model->max_input_tokens, model->max_output_tokens);
    if (is_dated(model))
        buffer_printf(out, " [%" PRId64 " %" PRId64 "]", model->from_s, model->until_s);
    put_price(out, &model->price);
    for (int service = 0; service < SERVICE_COUNT; service++) {
        if (model->price.services[service] == NULL)
            continue;
        buffer_printf(out, " %s", service_name((enum service)service));
        put_price(out, model->price.services[service]);
    }
    buffer_put_byte(out, '\n');
}

static size_t collect(const struct table *table, struct text provider, struct entry *entries)
{
    size_t at = 0;
    size_t count = 0;
    struct text name;
    void *model = NULL;
    while (table_next(table, &at, &name, &model)) {
        entries[count++] = (struct entry){provider, name, model};
    }
    return count;
}

/* Every way a name leads to a model, in one order, so that the version depends on nothing else. */
static struct entry *all_entries(const struct catalog *catalog, size_t *count)
{
    size_t room = 0;
    for (const struct shelf *shelf = catalog->shelves; shelf != NULL; shelf = shelf->next) {
        room += shelf->models.count;
    }
    struct entry *entries = memory_new((room + 1) * sizeof(*entries));
    *count = 0;
    for (const struct shelf *shelf = catalog->shelves; shelf != NULL; shelf = shelf->next) {
        *count += collect(&shelf->models, shelf->provider, entries + *count);
    }
    qsort(entries, *count, sizeof(*entries), entry_order);
    return entries;
}

static void compute_version(struct catalog *catalog, const struct entry *entries, size_t count)
{
    struct buffer content = {0};
    for (size_t at = 0; at < count; at++) {
        json_put_string(&content, entries[at].provider);
        json_put_string(&content, entries[at].name);
        for (const struct model *model = entries[at].model; model != NULL; model = model->below)
            put_model(&content, model);
    }
    uint8_t digest[HASH_SIZE];
    hash_text(buffer_text(&content), digest);
    hash_hex(digest, VERSION_BYTES, catalog->version);
    buffer_close(&content);
}

/* The records that their own name leads to, and those below them. */
static void list_models(struct catalog *catalog, const struct entry *entries, size_t count)
{
    struct buffer list = {0};
    for (size_t at = 0; at < count; at++) {
        bool own = text_equal(entries[at].provider, entries[at].model->provider) &&
                   text_equal(entries[at].name, entries[at].model->name);
        for (struct model *model = own ? entries[at].model : NULL; model != NULL;
             model = model->below)
            buffer_put(&list, text_make((const char *)&model, sizeof(model)));
    }
    catalog->models = (struct model **)list.at;
    catalog->count = list.size / sizeof(catalog->models[0]);
    if (catalog->count > 0) {
        qsort(catalog->models, catalog->count, sizeof(catalog->models[0]), model_order);
    }
    catalog->told = memory_new((catalog->count + 1) * sizeof(catalog->told[0]));
    for (size_t at = 0; at < catalog->count; at++)
        catalog->models[at]->number = at;
}

void catalog_seal(struct catalog *catalog)
{
    ASSERT(!catalog->sealed);
    size_t count = 0;
    struct entry *entries = all_entries(catalog, &count);
    compute_version(catalog, entries, count);
    list_models(catalog, entries, count);
    free(entries);
    catalog->sealed = true;
}

struct text catalog_version(const struct catalog *catalog)
{
    ASSERT(catalog->sealed);
    return text_of(catalog->version);
}
