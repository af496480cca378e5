/*
 * The catalog: one shelf of names per provider, and one of all first names for callers without a
 * provider. Models never move, so that a replaced one keeps all the names it ever had.
 */
#include "money/catalog.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/table.h"
#include "money/catalog_file.h"

#define VERSION_BYTES 8

struct shelf {
    struct text provider;
    struct table models; /* name or alias -> struct model */
    struct shelf *next;
};

struct catalog {
    struct arena arena; /* holds shelves, models and their texts */
    struct shelf *shelves;
    struct table first; /* name or alias -> the first model of it, of whichever provider */
    struct model **models;
    size_t count;
    size_t room;
    bool sealed;
    char version[2 * VERSION_BYTES + 1];
};

/* A name and what it leads to, for putting the content in one order. */
struct entry {
    struct text provider;
    struct text name;
    const struct model *model;
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
    table_close(&catalog->first);
    free(catalog->models);
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

static struct model *model_new(struct catalog *catalog)
{
    if (catalog->count == catalog->room) {
        catalog->room = catalog->room == 0 ? 64 : 2 * catalog->room;
        catalog->models =
            memory_resize(catalog->models, catalog->room * sizeof(catalog->models[0]));
    }
    struct model *model = arena_new(&catalog->arena, sizeof(*model));
    catalog->models[catalog->count++] = model;
    return model;
}

static void put_name(struct catalog *catalog, struct shelf *shelf, struct text name,
                     struct model *model)
{
    (void)table_put(&shelf->models, name, model);
    const struct model *first = table_get(&catalog->first, name);
    if (first == NULL || text_equal(first->provider, model->provider)) {
        (void)table_put(&catalog->first, name, model);
    }
}

void catalog_add(struct catalog *catalog, const struct model *model, const struct text *aliases,
                 size_t alias_count)
{
    ASSERT(!catalog->sealed);
    ASSERT(model->name.size > 0);
    struct shelf *shelf = shelf_of(catalog, model->provider);
    struct model *own = table_get(&shelf->models, model->name);
    if (own == NULL || !text_equal(own->name, model->name)) {
        own = model_new(catalog);
    }
    *own = *model;
    own->provider = shelf->provider;
    own->name = arena_copy(&catalog->arena, model->name);
    put_name(catalog, shelf, own->name, own);
    for (size_t at = 0; at < alias_count; at++) {
        put_name(catalog, shelf, aliases[at], own);
    }
}

/* A file's records on their way into the catalog. */
struct delivery {
    struct arena arena;
    const struct catalog_record *records;
    size_t count;
};

static void take_delivery(struct catalog *catalog, struct delivery *delivery)
{
    for (size_t at = 0; at < delivery->count; at++) {
        const struct catalog_record *record = &delivery->records[at];
        catalog_add(catalog, &record->model, record->aliases, record->alias_count);
    }
    arena_close(&delivery->arena);
}

bool catalog_load(struct catalog *catalog, const char *path, struct fault *fault)
{
    struct delivery new = {0};
    ASSERT(!catalog->sealed);
    bool read = catalog_file_read(path, &new.arena, &new.records, &new.count, fault);
    take_delivery(catalog, &new);
    return read;
}

bool catalog_load_text(struct catalog *catalog, struct text json, struct fault *fault)
{
    struct delivery new = {0};
    ASSERT(!catalog->sealed);
    bool read = catalog_file_parse(json, &new.arena, &new.records, &new.count, fault);
    take_delivery(catalog, &new);
    return read;
}

static const struct model *find_on(const struct shelf *shelf, struct text name)
{
    return shelf == NULL ? NULL : table_get(&shelf->models, name);
}

const struct model *catalog_find(const struct catalog *catalog, struct text provider,
                                 struct text name)
{
    const struct model *model = find_on(shelf_find(catalog, provider), name);
    if (model == NULL && provider.size > 0) {
        model = find_on(shelf_find(catalog, TEXT("")), name);
    }
    if (model == NULL && provider.size == 0) {
        model = table_get(&catalog->first, name);
    }
    return model;
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
    return order != 0 ? order : text_order(left->provider, right->provider);
}

static int entry_order(const void *a, const void *b)
{
    const struct entry *left = a;
    const struct entry *right = b;
    int order = text_order(left->provider, right->provider);
    return order != 0 ? order : text_order(left->name, right->name);
}

static void put_model(struct buffer *out, const struct model *model)
{
    json_put_string(out, model->provider);
    json_put_string(out, model->name);
    buffer_printf(out, " %d %d %" PRId64 " %" PRId64, (int)model->kind, (int)model->reasoning,
                  model->max_input_tokens, model->max_output_tokens);
    for (int tier = 0; tier < model->price.tier_count; tier++) {
        buffer_printf(out, " >%" PRId64, model->price.tiers[tier].above_input_tokens);
        for (int bucket = 0; bucket < BUCKET_COUNT; bucket++) {
            buffer_printf(out, " %" PRId64, model->price.tiers[tier].rates.pico[bucket]);
        }
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
    size_t room = catalog->first.count;
    for (const struct shelf *shelf = catalog->shelves; shelf != NULL; shelf = shelf->next) {
        room += shelf->models.count;
    }
    struct entry *entries = memory_new((room + 1) * sizeof(*entries));
    *count = collect(&catalog->first, TEXT("*"), entries);
    for (const struct shelf *shelf = catalog->shelves; shelf != NULL; shelf = shelf->next) {
        *count += collect(&shelf->models, shelf->provider, entries + *count);
    }
    qsort(entries, *count, sizeof(*entries), entry_order);
    return entries;
}

void catalog_seal(struct catalog *catalog)
{
    ASSERT(!catalog->sealed);
    size_t count = 0;
    struct entry *entries = all_entries(catalog, &count);
    struct buffer content = {0};
    for (size_t at = 0; at < count; at++) {
        json_put_string(&content, entries[at].provider);
        json_put_string(&content, entries[at].name);
        put_model(&content, entries[at].model);
    }
    uint8_t digest[HASH_SIZE];
    hash_text(buffer_text(&content), digest);
    hash_hex(digest, VERSION_BYTES, catalog->version);
    buffer_close(&content);
    free(entries);
    if (catalog->count > 0) {
        qsort(catalog->models, catalog->count, sizeof(catalog->models[0]), model_order);
    }
    catalog->sealed = true;
}

struct text catalog_version(const struct catalog *catalog)
{
    ASSERT(catalog->sealed);
    return text_of(catalog->version);
}
