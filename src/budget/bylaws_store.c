/* Bylaws in Redis. Versions are compared there, so that two who write at once end alike. */
#include "budget/bylaws_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KEYS "2", "{purser}:meta", "{purser}:bylaws"

static const char look_script[] =
    "if redis.call('EXISTS', KEYS[1]) == 0 then return {'unset'} end\n"
    "local mark = redis.call('HGET', KEYS[2], '#') or '0'\n"
    "if mark == ARGV[1] then return {mark} end\n"
    "local all = redis.call('HGETALL', KEYS[2])\n"
    "table.insert(all, 1, mark)\n"
    "return all\n";

/* ARGV: the field, the highest version that is replaced, the line, the time, how many there may be.
 * A mark is above the one before and no less than the time: after a loss of data it is another. */
static const char put_script[] =
    "if redis.call('EXISTS', KEYS[1]) == 0 then return {'unset'} end\n"
    "local held = redis.call('HGET', KEYS[2], ARGV[1])\n"
    "if held == ARGV[3] then return {'held'} end\n"
    "if held and (tonumber(string.match(held, '^%d+')) or 0) > tonumber(ARGV[2]) then\n"
    "  return {'later'}\n"
    "end\n"
    "if not held and redis.call('HLEN', KEYS[2]) > tonumber(ARGV[5]) then return {'full'} end\n"
    "local mark = tonumber(redis.call('HGET', KEYS[2], '#') or '0')\n"
    "mark = math.max(mark + 1, tonumber(ARGV[4]))\n"
    "redis.call('HSET', KEYS[2], ARGV[1], ARGV[3], '#', string.format('%.0f', mark))\n"
    "return {'held'}\n";

static const char *const kinds[BYLAW_KIND_COUNT] = {
    [BYLAW_KEY] = "key", [BYLAW_BUDGET] = "budget", [BYLAW_LIMITS] = "limits"};

/* ---- putting ---- */

static enum bylaws_put judge(struct text said, struct fault *fault)
{
    static const struct {
        const char *said;
        enum bylaws_put put;
        const char *reason;
    } rows[] = {
        {"held", BYLAWS_PUT, ""},
        {"later", BYLAWS_OVERRULED,
         "the store has another one: somebody else has changed it at the same time, or it is of a "
         "later version of purser"},
        {"unset", BYLAWS_REFUSED, "the store is empty: purser budget init sets it up"},
        {"full", BYLAWS_REFUSED, "the store has as many keys and budgets as it may have"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!text_equal(said, text_of(rows[i].said)))
            continue;
        fault_set(fault, "%s", rows[i].reason);
        return rows[i].put;
    }
    fault_set(fault, "Redis answers with something else");
    return BYLAWS_LOST;
}

/* Replaces what has the version `most` at most. */
static enum bylaws_put put_over(struct bylaws_store *store, const struct bylaw *bylaw, int64_t most,
                                int64_t now_ms, struct fault *fault)
{
    struct arena arena = {0};
    struct buffer line = {0};
    struct lessor_list list = {0};
    bylaw_put_line(&line, bylaw);
    const char *const words[] = {
        "EVAL",
        put_script,
        KEYS,
        arena_printf(&arena, "%s:%.*s", kinds[bylaw->kind], TEXT_ARG(bylaw->id)).at,
        arena_printf(&arena, "%" PRId64, most).at,
        buffer_string(&line),
        arena_printf(&arena, "%" PRId64, now_ms).at,
        arena_printf(&arena, "%d", BYLAWS_MOST).at,
    };
    enum bylaws_put put = BYLAWS_LOST;
    if (lessor_read(store->lessor, words, sizeof words / sizeof *words, &arena, &list, fault))
        put = judge(list.count == 1 ? list.at[0] : TEXT_NONE, fault);
    buffer_close(&line);
    arena_close(&arena);
    return put;
}

enum bylaws_put bylaws_put(struct bylaws_store *store, const struct bylaw *bylaw, int64_t replaces,
                           int64_t now_ms, struct fault *fault)
{
    ASSERT(replaces < bylaw->version);
    return put_over(store, bylaw, replaces, now_ms, fault);
}

/* ---- looking ---- */

static bool is_mark(struct text mark)
{
    return mark.size > 0 && mark.size < sizeof(((struct bylaws_store *)NULL)->mark) &&
           strspn(mark.at, "0123456789") == mark.size;
}

/* `theirs` gets what can be read. */
static void read_lines(const struct lessor_list *list, struct bylaws *theirs, struct fault *fault)
{
    struct arena arena = {0};
    for (size_t i = 1; i + 1 < list->count; i += 2) {
        struct bylaw bylaw;
        struct fault why;
        if (text_equal(list->at[i], TEXT("#")))
            continue;
        if (!bylaw_read_line(list->at[i + 1], &arena, &bylaw, &why))
            fault_set(fault, "%.*s: %s", TEXT_ARG(text_slice(list->at[i], 0, 80)), why.message);
        else
            (void)bylaws_merge(theirs, &bylaw);
    }
    arena_close(&arena);
}

static void take_all(struct bylaws *bylaws, const struct bylaws *theirs)
{
    for (size_t i = 0; i < bylaws_count(theirs); i++)
        (void)bylaws_merge(bylaws, bylaws_at(theirs, i));
}

/* False if the store went away meanwhile. */
static bool give_all(struct bylaws_store *store, const struct bylaws *bylaws, struct bylaws *theirs,
                     int64_t now_ms, struct fault *fault)
{
    for (size_t i = 0; i < bylaws_count(bylaws); i++) {
        const struct bylaw *own = bylaws_at(bylaws, i);
        struct fault why;
        if (bylaws_merge(theirs, own) == BYLAW_TAKEN &&
            put_over(store, own, own->version, now_ms, &why) == BYLAWS_LOST) {
            *fault = why;
            return false;
        }
    }
    return true;
}

static enum bylaws_look exchange(struct bylaws_store *store, struct bylaws *bylaws,
                                 const struct lessor_list *list, int64_t now_ms,
                                 struct fault *fault)
{
    struct bylaws *theirs = bylaws_open();
    read_lines(list, theirs, fault);
    take_all(bylaws, theirs);
    bool whole = give_all(store, bylaws, theirs, now_ms, fault);
    bylaws_close(theirs);
    if (!whole)
        return BYLAWS_AWAY;
    memcpy(store->mark, list->at[0].at, list->at[0].size + 1);
    return BYLAWS_NEWS;
}

enum bylaws_look bylaws_look(struct bylaws_store *store, struct bylaws *bylaws, int64_t now_ms,
                             struct fault *fault)
{
    struct arena arena = {0};
    struct lessor_list list = {0};
    const char *const words[] = {"EVAL", look_script, KEYS, store->mark};
    enum bylaws_look look = BYLAWS_AWAY;
    *fault = (struct fault){0};
    if (!lessor_read(store->lessor, words, sizeof words / sizeof *words, &arena, &list, fault))
        look = BYLAWS_AWAY;
    else if (list.count == 1 && text_equal(list.at[0], TEXT("unset")))
        look = BYLAWS_UNSET;
    else if (list.count == 0 || !is_mark(list.at[0]))
        fault_set(fault, "Redis answers with something else");
    else if (text_equal(list.at[0], text_of(store->mark)))
        look = BYLAWS_SAME;
    else
        look = exchange(store, bylaws, &list, now_ms, fault);
    arena_close(&arena);
    return look;
}
