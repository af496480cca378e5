/* The council: bylaws on disk and in Redis. */
#include "cli/council.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/store_url.h"

/* Redis is asked on the thread that hears signals. */
#define TIMEOUT_MS 1000
#define LOOK_US    (1000 * INT64_C(1000))

struct council {
    struct bylaws *bylaws;
    struct bylaws *in_force;
    char *path;
    struct lessor *lessor; /* NULL: not shared */
    struct bylaws_store store;
    int64_t next_us;
    bool known; /* there is a copy, or the store was read */
    enum bylaws_look last;
    bool unsaved; /* what is in force is not what is on disk */
    bool again;   /* see council_look_again */
};

static int64_t now_us(void)
{
    return clock_steady_us(clock_real());
}

static int64_t now_ms(void)
{
    return clock_wall_us(clock_real()) / 1000;
}

/* ---- looking ---- */

static void save(struct council *council)
{
    struct fault fault;
    bool saved = bylaws_save(council->bylaws, council->path, &fault);
    if (!saved && !council->unsaved)
        log_error("keys and budgets made at run time cannot be written to this instance's disk: %s",
                  fault.message);
    if (saved && council->unsaved)
        log_info("keys and budgets made at run time are on disk again");
    council->unsaved = !saved;
}

static void say(const struct council *council, enum bylaws_look look, const struct fault *fault)
{
    bool same = look == council->last;
    if (look == BYLAWS_AWAY && !same)
        log_error("keys and budgets made at run time: the store does not answer: %s%s",
                  fault->message,
                  council->known ? "" : "; no call is made before they have been read once");
    if (look == BYLAWS_UNSET && !same)
        log_error("keys and budgets made at run time: the store is empty: purser budget init sets "
                  "it up%s",
                  council->known ? "" : "; no call is made before they have been read once");
    if (look == BYLAWS_NEWS && fault->message[0] != '\0')
        log_error("keys and budgets made at run time: one cannot be read, and is passed over: %s",
                  fault->message);
}

static bool look(struct council *council)
{
    struct fault fault;
    uint64_t before = bylaws_changes(council->bylaws);
    enum bylaws_look look = bylaws_look(&council->store, council->bylaws, now_ms(), &fault);
    bool changed = bylaws_changes(council->bylaws) != before;
    bool first = look == BYLAWS_NEWS && !council->known;
    say(council, look, &fault);
    council->last = look;
    council->known |= look == BYLAWS_NEWS;
    council->next_us = now_us() + LOOK_US;
    if (changed || first || council->unsaved)
        save(council);
    changed |= council->again;
    council->again = false;
    return changed;
}

int council_wait_ms(const struct council *council)
{
    if (council->lessor == NULL)
        return -1;
    int64_t left_us = council->next_us - now_us();
    return left_us <= 0 ? 0 : (int)((left_us + 999) / 1000);
}

bool council_look(struct council *council)
{
    return council_wait_ms(council) == 0 && look(council);
}

void council_look_again(struct council *council)
{
    council->again = true;
}

/* ---- opening ---- */

static bool open_store(struct council *council, const struct config *config, struct fault *fault)
{
    struct redis_url url;
    if (config->store_redis.size == 0)
        return true;
    if (!config_store_url(config, &url, fault))
        return false;
    const struct lessor_options options = {.url = &url, .timeout_ms = TIMEOUT_MS};
    council->lessor = lessor_open(&options);
    council->store.lessor = council->lessor;
    (void)look(council);
    return true;
}

static bool open_file(struct council *council, const struct config *config, struct fault *fault)
{
    struct arena arena = {0};
    const char *folder = arena_copy(&arena, config->data_dir).at;
    bool good = mkdir(folder, 0700) == 0 || errno == EEXIST;
    council->path = memory_copy(arena_printf(&arena, "%s/bylaws.jsonl", folder));
    council->known = access(council->path, F_OK) == 0;
    good = good || fault_set(fault, "data_dir: cannot make %s: %s", folder, strerror(errno));
    arena_close(&arena);
    return good && bylaws_load(council->bylaws, council->path, fault);
}

struct council *council_open(const struct config *config, struct fault *fault)
{
    struct council *council = memory_new(sizeof(*council));
    council->bylaws = bylaws_open();
    if (open_file(council, config, fault) && open_store(council, config, fault)) {
        council_enact(council, NULL);
        return council;
    }
    council_close(council);
    return NULL;
}

void council_close(struct council *council)
{
    if (council == NULL)
        return;
    lessor_close(council->lessor);
    bylaws_close(council->bylaws);
    bylaws_close(council->in_force);
    free(council->path);
    free(council);
}

const struct bylaws *council_bylaws(const struct council *council)
{
    return council->bylaws;
}

const struct bylaws *council_in_force(const struct council *council)
{
    return council->in_force;
}

void council_enact(struct council *council, const struct bylaws *bylaws)
{
    struct bylaws *before = council->in_force;
    council->in_force = bylaws_copy(bylaws == NULL ? council->bylaws : bylaws);
    bylaws_close(before); /* which it may be */
}

size_t council_misfits(const struct council *council, struct buffer *names)
{
    static const char *const kinds[BYLAW_KIND_COUNT] = {
        [BYLAW_KEY] = "key", [BYLAW_BUDGET] = "budget", [BYLAW_LIMITS] = "limits of budget"};
    size_t count = 0;
    for (size_t i = 0; i < bylaws_count(council->bylaws); i++) {
        const struct bylaw *bylaw = bylaws_at(council->bylaws, i);
        if (bylaws_has(council->in_force, bylaw))
            continue;
        buffer_printf(names, "%s%s \"%.*s\"", count++ == 0 ? "" : ", ", kinds[bylaw->kind],
                      TEXT_ARG(bylaw->id));
    }
    return count;
}

bool council_is_split(const struct council *council)
{
    struct buffer names = {0};
    size_t count = council_misfits(council, &names);
    buffer_close(&names);
    return count > 0;
}

bool council_unread(const struct council *council)
{
    return council->lessor != NULL && !council->known;
}

/* ---- deciding ---- */

static enum bylaws_put put_all(struct council *council, const struct bylaw *changes, size_t count,
                               struct fault *fault)
{
    enum bylaws_put put = BYLAWS_PUT;
    for (size_t i = 0; put == BYLAWS_PUT && i < count; i++) {
        const struct bylaw *known = bylaws_find(council->bylaws, changes[i].kind, changes[i].id);
        put = bylaws_put(&council->store, &changes[i], known == NULL ? 0 : known->version, now_ms(),
                         fault);
    }
    return put;
}

static void take(struct council *council, struct bylaws *after)
{
    bylaws_close(council->bylaws);
    council->bylaws = after;
}

enum bylaws_put council_decide(struct council *council, struct bylaws *after,
                               const struct bylaw *changes, size_t count, struct fault *fault)
{
    if (council->lessor == NULL) {
        if (!bylaws_save(after, council->path, fault))
            return BYLAWS_LOST;
        take(council, after);
        return BYLAWS_PUT;
    }
    enum bylaws_put put = put_all(council, changes, count, fault);
    if (put != BYLAWS_PUT) {
        council->next_us = 0; /* some of them may be there */
        return put;
    }
    take(council, after);
    save(council);
    return BYLAWS_PUT;
}

/* ---- for the configuration ---- */

struct config_amendments council_amendments(const struct bylaws *bylaws, struct arena *arena)
{
    static const enum amendment kinds[BYLAW_KIND_COUNT] = {
        [BYLAW_KEY] = AMEND_KEY, [BYLAW_BUDGET] = AMEND_BUDGET, [BYLAW_LIMITS] = AMEND_LIMITS};
    size_t most = bylaws_count(bylaws), count = 0;
    struct config_amendment *at = arena_new(arena, (most + 1) * sizeof(*at));
    for (size_t i = 0; i < most; i++) {
        const struct bylaw *bylaw = bylaws_at(bylaws, i);
        if (bylaw->body.size > 0)
            at[count++] = (struct config_amendment){kinds[bylaw->kind], bylaw->id, bylaw->body};
    }
    return (struct config_amendments){at, count};
}
