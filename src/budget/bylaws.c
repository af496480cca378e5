/* Bylaws: lines, and the set of them. */
#include "budget/bylaws.h"

#include <stdlib.h>

#include "base/json.h"

static const struct text kind_names[BYLAW_KIND_COUNT] = {
    [BYLAW_KEY] = {"key", 3},
    [BYLAW_BUDGET] = {"budget", 6},
    [BYLAW_LIMITS] = {"limits", 6},
};

/* ---- lines ---- */

void bylaw_put_line(struct buffer *out, const struct bylaw *bylaw)
{
    buffer_put_int(out, bylaw->version);
    buffer_put(out, TEXT(" {"));
    json_put_text_member(out, TEXT("kind"), kind_names[bylaw->kind]);
    json_put_text_member(out, TEXT("id"), bylaw->id);
    json_put_int_member(out, TEXT("at"), bylaw->at_s);
    if (bylaw->last4.size > 0)
        json_put_text_member(out, TEXT("last4"), bylaw->last4);
    size_t start = out->size;
    if (bylaw->body.size > 0)
        json_put_raw_member(out, TEXT("body"), bylaw->body);
    buffer_put_byte(out, '}');
    for (size_t i = start; i < out->size; i++) /* in no string, where JSON has none of them raw */
        if (out->at[i] == '\n' || out->at[i] == '\r')
            out->at[i] = ' ';
}

static struct text member_text(struct json_value record, const char *name, struct arena *arena)
{
    struct json_value value;
    if (!json_member(record, text_of(name), &value) || value.kind != JSON_STRING)
        return TEXT_NONE;
    return json_string(arena, value);
}

static bool read_kind(struct text name, enum bylaw_kind *kind)
{
    for (int i = 0; i < BYLAW_KIND_COUNT; i++) {
        if (text_equal(name, kind_names[i])) {
            *kind = (enum bylaw_kind)i;
            return true;
        }
    }
    return false;
}

static bool read_members(struct json_value record, struct arena *arena, struct bylaw *bylaw)
{
    struct json_value value;
    if (!read_kind(member_text(record, "kind", arena), &bylaw->kind) ||
        !json_member(record, TEXT("at"), &value) || value.kind != JSON_NUMBER ||
        !json_int(value, &bylaw->at_s) || bylaw->at_s < 0 || bylaw->at_s > BYLAW_VERSION_MOST)
        return false;
    bylaw->id = member_text(record, "id", arena);
    bylaw->last4 = member_text(record, "last4", arena);
    if (json_member(record, TEXT("body"), &value)) {
        if (value.kind != JSON_OBJECT || value.raw.size > BYLAW_BODY_MOST)
            return false;
        bylaw->body = value.raw;
    }
    return bylaw->id.size > 0 && bylaw->id.size <= BYLAW_ID_MOST && bylaw->last4.size <= 4;
}

bool bylaw_read_line(struct text line, struct arena *arena, struct bylaw *bylaw,
                     struct fault *fault)
{
    struct bylaw read = {0};
    struct json_value record;
    struct text rest = line;
    struct text version = text_split(&rest, ' ');
    if (line.size > BYLAW_LINE_MOST)
        return fault_set(fault, "it is longer than %d bytes", BYLAW_LINE_MOST);
    if (!text_to_int(version, &read.version) || read.version < 1 ||
        read.version > BYLAW_VERSION_MOST)
        return fault_set(fault, "it does not begin with a version");
    if (json_parse(rest, &record, NULL) != JSON_OK || record.kind != JSON_OBJECT ||
        !read_members(record, arena, &read))
        return fault_set(fault, "it is no key and no budget, or one of a later version of purser");
    *bylaw = read;
    return true;
}

/* ---- sets ---- */

struct kept {
    struct bylaw bylaw;
    struct buffer line; /* its texts point into it, or into the arena */
    struct arena arena;
};

struct bylaws {
    struct kept **at; /* in order */
    size_t count, room;
    int64_t version; /* the highest */
    uint64_t changes;
};

struct bylaws *bylaws_open(void)
{
    return memory_new(sizeof(struct bylaws));
}

static void forget(struct kept *kept)
{
    buffer_close(&kept->line);
    arena_close(&kept->arena);
    free(kept);
}

void bylaws_close(struct bylaws *bylaws)
{
    if (bylaws == NULL)
        return;
    for (size_t i = 0; i < bylaws->count; i++)
        forget(bylaws->at[i]);
    free(bylaws->at);
    free(bylaws);
}

struct bylaws *bylaws_copy(const struct bylaws *bylaws)
{
    struct bylaws *copy = bylaws_open();
    for (size_t i = 0; i < bylaws->count; i++)
        (void)bylaws_merge(copy, &bylaws->at[i]->bylaw);
    return copy;
}

static int compare_texts(struct text a, struct text b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size == 0 ? 0 : memcmp(a.at, b.at, size);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* Where it stands, or would. */
static size_t place_of(const struct bylaws *bylaws, enum bylaw_kind kind, struct text id)
{
    size_t low = 0, high = bylaws->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct bylaw *at = &bylaws->at[middle]->bylaw;
        int order = at->kind != kind ? (int)at->kind - (int)kind : compare_texts(at->id, id);
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool stands_at(const struct bylaws *bylaws, size_t at, enum bylaw_kind kind, struct text id)
{
    return at < bylaws->count && bylaws->at[at]->bylaw.kind == kind &&
           text_equal(bylaws->at[at]->bylaw.id, id);
}

const struct bylaw *bylaws_find(const struct bylaws *bylaws, enum bylaw_kind kind, struct text id)
{
    size_t at = place_of(bylaws, kind, id);
    return stands_at(bylaws, at, kind, id) ? &bylaws->at[at]->bylaw : NULL;
}

/* A copy, by way of its line: what is kept is what can be read again. */
static struct kept *keep(const struct bylaw *bylaw)
{
    struct kept *kept = memory_new(sizeof(*kept));
    bylaw_put_line(&kept->line, bylaw);
    bool good = bylaw_read_line(buffer_text(&kept->line), &kept->arena, &kept->bylaw, NULL);
    ASSERT(good);
    return kept;
}

static enum bylaw_merge judge(const struct kept *held, const struct kept *fresh)
{
    int64_t newer = fresh->bylaw.version - held->bylaw.version;
    int greater = compare_texts(buffer_text(&fresh->line), buffer_text(&held->line));
    if (newer == 0 && greater == 0)
        return BYLAW_KNOWN;
    return newer > 0 || (newer == 0 && greater > 0) ? BYLAW_TAKEN : BYLAW_OLDER;
}

bool bylaws_has(const struct bylaws *bylaws, const struct bylaw *bylaw)
{
    size_t at = place_of(bylaws, bylaw->kind, bylaw->id);
    if (!stands_at(bylaws, at, bylaw->kind, bylaw->id))
        return false;
    struct kept *kept = keep(bylaw);
    bool has = judge(bylaws->at[at], kept) != BYLAW_TAKEN;
    forget(kept);
    return has;
}

size_t bylaws_count(const struct bylaws *bylaws)
{
    return bylaws->count;
}

const struct bylaw *bylaws_at(const struct bylaws *bylaws, size_t at)
{
    ASSERT(at < bylaws->count);
    return &bylaws->at[at]->bylaw;
}

struct text bylaws_line(const struct bylaws *bylaws, size_t at)
{
    ASSERT(at < bylaws->count);
    return buffer_text(&bylaws->at[at]->line);
}

uint64_t bylaws_changes(const struct bylaws *bylaws)
{
    return bylaws->changes;
}

int64_t bylaws_next_version(const struct bylaws *bylaws, int64_t now_ms)
{
    int64_t next = bylaws->version + 1 > now_ms ? bylaws->version + 1 : now_ms;
    return next < BYLAW_VERSION_MOST ? next : BYLAW_VERSION_MOST;
}

static void insert(struct bylaws *bylaws, size_t at, struct kept *kept)
{
    if (bylaws->count == bylaws->room) {
        bylaws->room = bylaws->room == 0 ? 16 : 2 * bylaws->room;
        bylaws->at = memory_resize(bylaws->at, bylaws->room * sizeof(struct kept *));
    }
    memmove(&bylaws->at[at + 1], &bylaws->at[at], (bylaws->count - at) * sizeof(struct kept *));
    bylaws->at[at] = kept;
    bylaws->count++;
}

enum bylaw_merge bylaws_merge(struct bylaws *bylaws, const struct bylaw *bylaw)
{
    size_t at = place_of(bylaws, bylaw->kind, bylaw->id);
    bool stands = stands_at(bylaws, at, bylaw->kind, bylaw->id);
    if (!stands && bylaws->count >= BYLAWS_MOST)
        return BYLAW_FULL;
    struct kept *kept = keep(bylaw);
    enum bylaw_merge merge = stands ? judge(bylaws->at[at], kept) : BYLAW_TAKEN;
    if (merge != BYLAW_TAKEN) {
        forget(kept);
        return merge;
    }
    if (stands) {
        forget(bylaws->at[at]);
        bylaws->at[at] = kept;
    } else {
        insert(bylaws, at, kept);
    }
    if (kept->bylaw.version > bylaws->version)
        bylaws->version = kept->bylaw.version;
    bylaws->changes++;
    return BYLAW_TAKEN;
}
