/*
 * Feeding the roll-ups: from the ledger's lines to sums, the newest calls, and bookings.
 *
 * A piece of a file is summed up in memory first, and only its sums go to SQLite: many calls of an
 * hour have the same facet.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/table.h"
#include "books/chain.h"
#include "books/entry.h"
#include "books/files.h"
#include "books/lines.h"
#include "books/rollup_state.h"

enum { LINES_PER_FEED = 50000, FACET_TEXTS = 9 };

static const int64_t HOUR_US = INT64_C(3600000000);

/* A ledger file as far as it is counted. */
struct counted {
    int64_t id;
    int64_t place;
    char hash[HASH_HEX_SIZE]; /* of the line before the place; "" if that is not known */
};

/* The sums of one hour and facet, not yet in SQLite. */
struct tally {
    int64_t hour, facet;
    size_t lines; /* in the sums; refusals are in none */
    struct rollup_sums sums;
};

/* A file that is being counted. */
struct count {
    struct rollup *rollup;
    struct counted *counted;
    struct table tallies;
    struct buffer name; /* of the tally of the line at hand */
    struct buffer tags; /* of the line at hand, as JSON */
    struct buffer line; /* as it is kept */
};

static void add_within_range(int64_t *sum, int64_t more)
{
    if (__builtin_add_overflow(*sum, more, sum))
        *sum = more > 0 ? INT64_MAX : INT64_MIN;
}

void rollup_add(struct rollup_sums *sums, const struct rollup_sums *more)
{
    const int64_t adds[] = {more->requests,          more->prompt_tokens,    more->cached_tokens,
                            more->completion_tokens, more->reasoning_tokens, more->cost.nano,
                            more->cached_requests};
    int64_t *const to[] = {&sums->requests,          &sums->prompt_tokens,    &sums->cached_tokens,
                           &sums->completion_tokens, &sums->reasoning_tokens, &sums->cost.nano,
                           &sums->cached_requests};
    for (size_t i = 0; i < sizeof(adds) / sizeof(*adds); i++)
        add_within_range(to[i], adds[i]);
    for (int i = 0; i < SAVING_COUNT; i++)
        add_within_range(&sums->saved[i].nano, more->saved[i].nano);
}

/* ---- facets ---- */

static void put_tags(struct buffer *out, const struct entry *entry)
{
    buffer_clear(out);
    buffer_put_byte(out, '[');
    for (size_t i = 0; i < entry->tag_count; i++) {
        if (i > 0)
            buffer_put_byte(out, ',');
        json_put_string(out, entry->tags[i]);
    }
    buffer_put_byte(out, ']');
}

static void facet_texts(const struct count *count, const struct entry *entry,
                        struct text texts[FACET_TEXTS])
{
    const struct text all[FACET_TEXTS] = {
        entry->model,   entry->upstream, entry->service,
        entry->key,     entry->user,     entry->team,
        entry->session, entry->endpoint, buffer_text(&count->tags),
    };
    memcpy(texts, all, sizeof(all));
}

static bool add_tags(struct rollup *rollup, int64_t facet, const struct entry *entry,
                     struct fault *fault)
{
    sqlite3_stmt *add = rollup->prepared[ROLLUP_TAG_ADD];
    bool good = true;
    for (size_t i = 0; good && i < entry->tag_count; i++) {
        (void)sqlite3_bind_int64(add, 1, facet);
        rollup_bind(add, 2, entry->tags[i]);
        good = rollup_run(rollup, ROLLUP_TAG_ADD, fault);
    }
    return good;
}

static bool find_facet(struct count *count, const struct entry *entry, int64_t *facet,
                       struct fault *fault)
{
    struct rollup *rollup = count->rollup;
    sqlite3_stmt *find = rollup->prepared[ROLLUP_FACET_FIND];
    struct text texts[FACET_TEXTS];
    facet_texts(count, entry, texts);
    for (int i = 0; i < FACET_TEXTS; i++) {
        rollup_bind(rollup->prepared[ROLLUP_FACET_ADD], i + 1, texts[i]);
        rollup_bind(find, i + 1, texts[i]);
    }
    if (!rollup_run(rollup, ROLLUP_FACET_ADD, fault))
        return false;
    bool good = sqlite3_step(find) == SQLITE_ROW || rollup_fault(rollup, fault);
    if (good)
        *facet = sqlite3_column_int64(find, 0);
    (void)sqlite3_reset(find);
    return good && add_tags(rollup, *facet, entry, fault);
}

/* ---- tallies ---- */

static void put_sized(struct buffer *out, const void *at, size_t size)
{
    buffer_put(out, text_make((const char *)&size, sizeof(size)));
    buffer_put(out, text_make(at, size));
}

static struct text tally_name(struct count *count, const struct entry *entry, int64_t hour)
{
    struct text texts[FACET_TEXTS];
    put_tags(&count->tags, entry);
    facet_texts(count, entry, texts);
    buffer_clear(&count->name);
    put_sized(&count->name, &hour, sizeof(hour));
    for (int i = 0; i < FACET_TEXTS; i++)
        put_sized(&count->name, texts[i].at, texts[i].size);
    return buffer_text(&count->name);
}

/* The tally that an entry belongs to; NULL with a fault. */
static struct tally *tally_of(struct count *count, const struct entry *entry, struct fault *fault)
{
    int64_t hour = entry->wall_us / HOUR_US;
    int64_t facet = 0;
    struct text name = tally_name(count, entry, hour);
    struct tally *tally = table_get(&count->tallies, name);
    if (tally != NULL)
        return tally;
    if (!find_facet(count, entry, &facet, fault))
        return NULL;
    tally = memory_new(sizeof(*tally));
    *tally = (struct tally){.hour = hour, .facet = facet};
    table_put(&count->tallies, name, tally);
    return tally;
}

static bool add_sums(struct count *count, const struct tally *tally, struct fault *fault)
{
    sqlite3_stmt *add = count->rollup->prepared[ROLLUP_SUM_ADD];
    if (tally->lines == 0)
        return true;
    (void)sqlite3_bind_int64(add, 1, tally->hour);
    (void)sqlite3_bind_int64(add, 2, tally->facet);
    (void)sqlite3_bind_int64(add, 3, count->counted->id);
    (void)sqlite3_bind_int64(add, 4, tally->sums.requests);
    (void)sqlite3_bind_int64(add, 5, tally->sums.prompt_tokens);
    (void)sqlite3_bind_int64(add, 6, tally->sums.cached_tokens);
    (void)sqlite3_bind_int64(add, 7, tally->sums.completion_tokens);
    (void)sqlite3_bind_int64(add, 8, tally->sums.reasoning_tokens);
    (void)sqlite3_bind_int64(add, 9, tally->sums.cost.nano);
    (void)sqlite3_bind_int64(add, 10, tally->sums.cached_requests);
    for (int i = 0; i < SAVING_COUNT; i++)
        (void)sqlite3_bind_int64(add, 11 + i, tally->sums.saved[i].nano);
    return rollup_run(count->rollup, ROLLUP_SUM_ADD, fault);
}

static bool add_all_sums(struct count *count, struct fault *fault)
{
    size_t at = 0;
    void *tally = NULL;
    while (table_next(&count->tallies, &at, NULL, &tally))
        if (!add_sums(count, tally, fault))
            return false;
    return true;
}

static void count_close(struct count *count)
{
    size_t at = 0;
    void *tally = NULL;
    while (table_next(&count->tallies, &at, NULL, &tally))
        free(tally);
    table_close(&count->tallies);
    buffer_close(&count->name);
    buffer_close(&count->tags);
    buffer_close(&count->line);
}

/* ---- lines ---- */

/* As it is kept: what a caller may see of it. */
static void render(struct count *count, const struct entry *entry)
{
    struct entry kept = *entry;
    kept.charge_count = 0;
    buffer_clear(&count->line);
    entry_put(&count->line, &kept, TEXT_NONE);
    buffer_put_byte(&count->line, '}');
}

static bool add_recent(struct count *count, const struct entry *entry, int64_t facet,
                       struct fault *fault)
{
    sqlite3_stmt *add = count->rollup->prepared[ROLLUP_RECENT_ADD];
    (void)sqlite3_bind_int64(add, 1, count->counted->id);
    (void)sqlite3_bind_int64(add, 2, facet);
    (void)sqlite3_bind_int64(add, 3, entry->wall_us);
    (void)sqlite3_bind_int(add, 4, entry->status);
    rollup_bind(add, 5, entry->error);
    rollup_bind(add, 6, buffer_text(&count->line));
    return rollup_run(count->rollup, ROLLUP_RECENT_ADD, fault);
}

static bool add_booking(struct count *count, const struct entry *entry, struct fault *fault)
{
    sqlite3_stmt *add = count->rollup->prepared[ROLLUP_BOOKING_ADD];
    if (entry->idempotency_key.size == 0)
        return true;
    buffer_clear(&count->name);
    buffer_put(&count->name, entry->key);
    buffer_put_byte(&count->name, '\n');
    buffer_put(&count->name, entry->idempotency_key);
    (void)sqlite3_bind_int64(add, 1, count->counted->id);
    rollup_bind(add, 2, buffer_text(&count->name));
    rollup_bind(add, 3, buffer_text(&count->line));
    return rollup_run(count->rollup, ROLLUP_BOOKING_ADD, fault);
}

static bool count_entry(struct count *count, const struct entry *entry, struct fault *fault)
{
    struct tally *tally = tally_of(count, entry, fault);
    if (tally == NULL)
        return false;
    render(count, entry);
    if (!add_recent(count, entry, tally->facet, fault))
        return false;
    if (entry->kind == ENTRY_REFUSE)
        return true;
    struct rollup_sums sums = {
        .requests = entry->attempt > 1 ? 0 : 1, /* its first call counted, or its answer */
        .prompt_tokens = entry->prompt_tokens,
        .cached_tokens = entry->cached_tokens,
        .completion_tokens = entry->completion_tokens,
        .reasoning_tokens = entry->reasoning_tokens,
        .cost = entry->cost,
        .cached_requests = text_equal(entry->cache, TEXT("hit")),
    };
    memcpy(sums.saved, entry->saved, sizeof(sums.saved));
    rollup_add(&tally->sums, &sums);
    tally->lines++;
    return add_booking(count, entry, fault);
}

static bool count_line(struct count *count, struct text line, struct fault *fault)
{
    enum entry_kind kind;
    if (!entry_peek_kind(line, &kind) || (kind != ENTRY_SETTLE && kind != ENTRY_FORFEIT &&
                                          kind != ENTRY_REFUND && kind != ENTRY_REFUSE))
        return true;
    struct arena arena = {0};
    struct entry entry;
    struct fault why;
    bool good = true;
    if (entry_read(line, &arena, &entry, &why))
        good = count_entry(count, &entry, fault);
    else
        log_warn("roll-ups: a ledger line is left out: %s", why.message);
    arena_close(&arena);
    return good;
}

/* ---- files ---- */

static bool find_counted(struct rollup *rollup, const char *name, struct counted *counted,
                         struct fault *fault)
{
    rollup_bind(rollup->prepared[ROLLUP_FILE_ADD], 1, text_of(name));
    if (!rollup_run(rollup, ROLLUP_FILE_ADD, fault))
        return false;
    sqlite3_stmt *find = rollup->prepared[ROLLUP_FILE_FIND];
    rollup_bind(find, 1, text_of(name));
    bool good = sqlite3_step(find) == SQLITE_ROW;
    if (good) {
        *counted = (struct counted){.id = sqlite3_column_int64(find, 0),
                                    .place = sqlite3_column_int64(find, 1)};
        struct text hash = rollup_column(find, 2);
        if (hash.size == HASH_HEX_SIZE - 1)
            memcpy(counted->hash, hash.at, hash.size);
    } else {
        rollup_fault(rollup, fault);
    }
    (void)sqlite3_reset(find);
    return good;
}

static bool move_counted(struct rollup *rollup, const struct counted *counted, struct fault *fault)
{
    sqlite3_stmt *move = rollup->prepared[ROLLUP_FILE_MOVE];
    (void)sqlite3_bind_int64(move, 1, counted->id);
    (void)sqlite3_bind_int64(move, 2, counted->place);
    rollup_bind(move, 3, text_of(counted->hash));
    return rollup_run(rollup, ROLLUP_FILE_MOVE, fault);
}

/* True if the line before the place is still the one that was counted: a failed commit may have
 * been cut off and written anew after we read it. */
static bool is_the_same(int fd, const struct counted *counted)
{
    enum { HEX = HASH_HEX_SIZE - 1, END = 3 }; /* the hash, a quote, a brace, a line end */
    char tail[HEX + END];
    if (counted->hash[0] == '\0' || counted->place < (int64_t)sizeof(tail))
        return counted->place == 0;
    return pread(fd, tail, sizeof(tail), (off_t)counted->place - (off_t)sizeof(tail)) ==
               (ssize_t)sizeof(tail) &&
           memcmp(tail, counted->hash, HEX) == 0;
}

static bool count_anew(struct rollup *rollup, struct counted *counted, struct fault *fault)
{
    static const enum rollup_statement forgets[] = {ROLLUP_FORGET_SUMS, ROLLUP_FORGET_RECENT,
                                                    ROLLUP_FORGET_BOOKINGS};
    bool good = true;
    counted->place = 0;
    counted->hash[0] = '\0';
    for (size_t i = 0; good && i < sizeof(forgets) / sizeof(*forgets); i++) {
        (void)sqlite3_bind_int64(rollup->prepared[forgets[i]], 1, counted->id);
        good = rollup_run(rollup, forgets[i], fault);
    }
    return good;
}

/* Counts whole lines from the place on, as long as *left is above zero. */
static bool count_lines(struct rollup *rollup, int fd, struct counted *counted, int *left,
                        struct fault *fault)
{
    struct lines lines = {.fd = fd, .offset = counted->place};
    struct text line;
    struct chain_place place;
    struct count count = {.rollup = rollup, .counted = counted};
    enum lines_step step = LINES_LINE;
    bool good = true;
    while (good && *left > 0 && (step = lines_next(&lines, &line)) == LINES_LINE) {
        good = count_line(&count, line, fault);
        if (good && chain_read_place(line, &place))
            memcpy(counted->hash, place.hash, sizeof(counted->hash));
        counted->place = lines.offset;
        --*left;
    }
    if (step == LINES_FAILED)
        good = fault_set(fault, "a ledger file cannot be read: %s", strerror(errno));
    lines_close(&lines);
    good = good && add_all_sums(&count, fault) && move_counted(rollup, counted, fault);
    count_close(&count);
    return good;
}

static bool feed_file(struct rollup *rollup, int dir_fd, const struct ledger_file *file, int *left,
                      struct fault *fault)
{
    struct counted counted;
    struct stat stat;
    if (!find_counted(rollup, file->name, &counted, fault))
        return false;
    int fd = openat(dir_fd, file->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT || /* deleted since it was listed */
               fault_set(fault, "the ledger file %s cannot be read: %s", file->name,
                         strerror(errno));
    bool good = fstat(fd, &stat) == 0;
    if (!good)
        fault_set(fault, "the ledger file %s cannot be read: %s", file->name, strerror(errno));
    if (good && (stat.st_size < counted.place || !is_the_same(fd, &counted)))
        good = count_anew(rollup, &counted, fault);
    if (good && stat.st_size > counted.place)
        good = count_lines(rollup, fd, &counted, left, fault);
    close(fd);
    return good;
}

static bool feed_all(struct rollup *rollup, int dir_fd, int *left, struct fault *fault)
{
    struct ledger_files files;
    if (!files_list(dir_fd, &files, fault))
        return false;
    bool good = true;
    for (size_t i = 0; good && *left > 0 && i < files.count; i++)
        good = feed_file(rollup, dir_fd, &files.at[i], left, fault);
    files_free(&files);
    return good;
}

static bool trim(struct rollup *rollup, struct fault *fault)
{
    (void)sqlite3_bind_int64(rollup->prepared[ROLLUP_RECENT_TRIM], 1, ROLLUP_RECENT_MOST);
    (void)sqlite3_bind_int64(rollup->prepared[ROLLUP_BOOKING_TRIM], 1, ROLLUP_BOOKINGS_MOST);
    return rollup_run(rollup, ROLLUP_RECENT_TRIM, fault) &&
           rollup_run(rollup, ROLLUP_BOOKING_TRIM, fault);
}

enum rollup_fed rollup_feed(struct rollup *rollup, int dir_fd, struct fault *fault)
{
    int left = LINES_PER_FEED;
    if (!rollup_run(rollup, ROLLUP_BEGIN, fault))
        return ROLLUP_FAILED;
    if (!feed_all(rollup, dir_fd, &left, fault) || !trim(rollup, fault) ||
        !rollup_run(rollup, ROLLUP_COMMIT, fault)) {
        (void)rollup_run(rollup, ROLLUP_ROLLBACK, NULL);
        return ROLLUP_FAILED;
    }
    return left > 0 ? ROLLUP_ALL : ROLLUP_MORE;
}
