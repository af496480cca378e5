/*
 * Roll-ups in SQLite, and the only file of the books that knows SQLite.
 *
 * synchronous=NORMAL: after a power loss the last transactions may be missing, and then the lines
 * they counted are counted again, as the place in the file is missing with them.
 */
#include "books/rollup.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "books/chain.h"
#include "books/entry.h"
#include "books/files.h"
#include "books/lines.h"

enum { VERSION = 1, LINES_PER_FEED = 50000 };

static const int64_t HOUR_US = INT64_C(3600000000);

enum statement {
    BEGIN,
    COMMIT,
    ROLLBACK,
    FILE_ADD,
    FILE_FIND,
    FILE_MOVE,
    FILE_FORGET,
    SUM_ADD,
    ASK,
    STATEMENT_COUNT
};

static const char *const statements[STATEMENT_COUNT] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [FILE_ADD] = "INSERT OR IGNORE INTO file (name, place, hash) VALUES (?1, 0, '')",
    [FILE_FIND] = "SELECT id, place, hash FROM file WHERE name = ?1",
    [FILE_MOVE] = "UPDATE file SET place = ?2, hash = ?3 WHERE id = ?1",
    [FILE_FORGET] = "DELETE FROM total WHERE file = ?1",
    [SUM_ADD] = "INSERT INTO total VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6, ?7, ?8, ?9)"
                " ON CONFLICT DO UPDATE SET requests = requests + 1, prompt = prompt + ?5,"
                " cached = cached + ?6, completion = completion + ?7,"
                " reasoning = reasoning + ?8, nano = nano + ?9",
    [ASK] = "SELECT iif(?5, hour / 24, 0), iif(?6, model, ''), iif(?7, key, ''), sum(requests),"
            " sum(prompt), sum(cached), sum(completion), sum(reasoning), sum(nano)"
            " FROM total WHERE hour >= ?1 AND hour < ?2 AND (?3 = '' OR key = ?3)"
            " AND (?4 = '' OR model = ?4) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
};

static const char layout[] =
    "CREATE TABLE file (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " place INTEGER NOT NULL, hash TEXT NOT NULL);"
    "CREATE TABLE total (hour INTEGER NOT NULL, model TEXT NOT NULL, key TEXT NOT NULL,"
    " file INTEGER NOT NULL, requests INTEGER NOT NULL, prompt INTEGER NOT NULL,"
    " cached INTEGER NOT NULL, completion INTEGER NOT NULL, reasoning INTEGER NOT NULL,"
    " nano INTEGER NOT NULL, PRIMARY KEY (hour, model, key, file)) WITHOUT ROWID;"
    "PRAGMA user_version = 1;";

struct rollup {
    sqlite3 *db;
    sqlite3_stmt *prepared[STATEMENT_COUNT];
};

/* A ledger file as far as it is counted. */
struct counted {
    int64_t id;
    int64_t place;
    char hash[HASH_HEX_SIZE]; /* of the line before the place; "" if that is not known */
};

/* ---- talking to SQLite ---- */

static bool sql_fault(const struct rollup *rollup, struct fault *fault)
{
    return fault_set(fault, "the roll-ups (books.db) fail: %s", sqlite3_errmsg(rollup->db));
}

static void bind_text(sqlite3_stmt *statement, int at, struct text text)
{
    (void)sqlite3_bind_text(statement, at, text.at == NULL ? "" : text.at, (int)text.size,
                            SQLITE_STATIC);
}

static struct text column_text(sqlite3_stmt *statement, int at)
{
    const unsigned char *text = sqlite3_column_text(statement, at);
    return text_make((const char *)text, (size_t)sqlite3_column_bytes(statement, at));
}

/* Runs a statement that gives no rows. */
static bool run(struct rollup *rollup, enum statement which, struct fault *fault)
{
    sqlite3_stmt *statement = rollup->prepared[which];
    bool good = sqlite3_step(statement) == SQLITE_DONE;
    if (!good)
        sql_fault(rollup, fault);
    (void)sqlite3_reset(statement);
    return good;
}

/* ---- opening ---- */

static void rollup_free(struct rollup *rollup)
{
    for (int i = 0; i < STATEMENT_COUNT; i++)
        (void)sqlite3_finalize(rollup->prepared[i]);
    (void)sqlite3_close(rollup->db);
    free(rollup);
}

static bool read_version(const struct rollup *rollup, int *version)
{
    sqlite3_stmt *statement = NULL;
    bool good =
        sqlite3_prepare_v2(rollup->db, "PRAGMA user_version", -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW;
    if (good)
        *version = sqlite3_column_int(statement, 0);
    (void)sqlite3_finalize(statement);
    return good;
}

static bool is_sound(const struct rollup *rollup)
{
    sqlite3_stmt *statement = NULL;
    bool good = sqlite3_prepare_v2(rollup->db, "PRAGMA quick_check(1)", -1, &statement, NULL) ==
                    SQLITE_OK &&
                sqlite3_step(statement) == SQLITE_ROW &&
                text_equal(column_text(statement, 0), TEXT("ok"));
    (void)sqlite3_finalize(statement);
    return good;
}

static bool prepare_all(struct rollup *rollup)
{
    for (int i = 0; i < STATEMENT_COUNT; i++)
        if (sqlite3_prepare_v3(rollup->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &rollup->prepared[i], NULL) != SQLITE_OK)
            return false;
    return true;
}

/* False if the file cannot be used as it is. */
static bool make_ready(struct rollup *rollup)
{
    int version = 0;
    if (sqlite3_exec(rollup->db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL", NULL,
                     NULL, NULL) != SQLITE_OK ||
        !read_version(rollup, &version) || !is_sound(rollup))
        return false;
    if (version == 0 && sqlite3_exec(rollup->db, layout, NULL, NULL, NULL) != SQLITE_OK)
        return false;
    return (version == 0 || version == VERSION) && prepare_all(rollup);
}

static struct rollup *try_open(const char *path, bool *usable, struct fault *fault)
{
    struct rollup *rollup = memory_new(sizeof(*rollup));
    /* SQLite would make it readable for others; its side files take over this mode. */
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    *usable = false;
    if (fd < 0) {
        fault_set(fault, "%s cannot be opened: %s", path, strerror(errno));
        rollup_free(rollup);
        return NULL;
    }
    close(fd);
    if (sqlite3_open_v2(path, &rollup->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK) {
        fault_set(fault, "%s cannot be opened: %s", path, sqlite3_errmsg(rollup->db));
        rollup_free(rollup);
        return NULL;
    }
    (void)sqlite3_busy_timeout(rollup->db, 5000);
    *usable = make_ready(rollup);
    if (!*usable)
        fault_set(fault, "%s cannot be used: %s", path, sqlite3_errmsg(rollup->db));
    return rollup;
}

static void remove_beside(const char *path, const char *suffix)
{
    struct buffer name = {0};
    buffer_printf(&name, "%s%s", path, suffix);
    (void)unlink(buffer_string(&name));
    buffer_close(&name);
}

static void set_aside(const char *path)
{
    struct buffer bad = {0};
    buffer_printf(&bad, "%s.bad", path);
    log_warn("%s is corrupt or of another version: moved to %s and counted anew from the ledger",
             path, buffer_string(&bad));
    if (rename(path, buffer_string(&bad)) != 0)
        log_warn("%s cannot be moved: %s", path, strerror(errno));
    remove_beside(path, "-wal");
    remove_beside(path, "-shm");
    buffer_close(&bad);
}

struct rollup *rollup_open(const char *path, struct fault *fault)
{
    bool usable = false;
    struct rollup *rollup = try_open(path, &usable, fault);
    if (rollup == NULL || usable)
        return rollup;
    rollup_free(rollup);
    set_aside(path);
    rollup = try_open(path, &usable, fault);
    if (rollup == NULL || usable)
        return rollup;
    rollup_free(rollup);
    return NULL;
}

void rollup_close(struct rollup *rollup)
{
    if (rollup != NULL)
        rollup_free(rollup);
}

/* ---- feeding ---- */

static bool count_line(struct rollup *rollup, const struct counted *counted, struct text line,
                       struct fault *fault)
{
    enum entry_kind kind;
    if (!entry_peek_kind(line, &kind) || (kind != ENTRY_SETTLE && kind != ENTRY_FORFEIT))
        return true;
    struct arena arena = {0};
    struct entry entry;
    struct fault why;
    bool good = entry_read(line, &arena, &entry, &why);
    if (!good) {
        log_warn("roll-ups: a ledger line is left out: %s", why.message);
        arena_close(&arena);
        return true;
    }
    sqlite3_stmt *add = rollup->prepared[SUM_ADD];
    (void)sqlite3_bind_int64(add, 1, entry.wall_us / HOUR_US);
    bind_text(add, 2, entry.model);
    bind_text(add, 3, entry.key);
    (void)sqlite3_bind_int64(add, 4, counted->id);
    (void)sqlite3_bind_int64(add, 5, entry.prompt_tokens);
    (void)sqlite3_bind_int64(add, 6, entry.cached_tokens);
    (void)sqlite3_bind_int64(add, 7, entry.completion_tokens);
    (void)sqlite3_bind_int64(add, 8, entry.reasoning_tokens);
    (void)sqlite3_bind_int64(add, 9, entry.cost.nano);
    good = run(rollup, SUM_ADD, fault);
    arena_close(&arena);
    return good;
}

static bool find_counted(struct rollup *rollup, const char *name, struct counted *counted,
                         struct fault *fault)
{
    bind_text(rollup->prepared[FILE_ADD], 1, text_of(name));
    if (!run(rollup, FILE_ADD, fault))
        return false;
    sqlite3_stmt *find = rollup->prepared[FILE_FIND];
    bind_text(find, 1, text_of(name));
    bool good = sqlite3_step(find) == SQLITE_ROW;
    if (good) {
        *counted = (struct counted){.id = sqlite3_column_int64(find, 0),
                                    .place = sqlite3_column_int64(find, 1)};
        struct text hash = column_text(find, 2);
        if (hash.size == HASH_HEX_SIZE - 1)
            memcpy(counted->hash, hash.at, hash.size);
    } else {
        sql_fault(rollup, fault);
    }
    (void)sqlite3_reset(find);
    return good;
}

static bool move_counted(struct rollup *rollup, const struct counted *counted, struct fault *fault)
{
    sqlite3_stmt *move = rollup->prepared[FILE_MOVE];
    (void)sqlite3_bind_int64(move, 1, counted->id);
    (void)sqlite3_bind_int64(move, 2, counted->place);
    bind_text(move, 3, text_of(counted->hash));
    return run(rollup, FILE_MOVE, fault);
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
    counted->place = 0;
    counted->hash[0] = '\0';
    (void)sqlite3_bind_int64(rollup->prepared[FILE_FORGET], 1, counted->id);
    return run(rollup, FILE_FORGET, fault);
}

/* Counts whole lines from the place on, as long as *left is above zero. */
static bool count_lines(struct rollup *rollup, int fd, struct counted *counted, int *left,
                        struct fault *fault)
{
    struct lines lines = {.fd = fd, .offset = counted->place};
    struct text line;
    struct chain_place place;
    enum lines_step step = LINES_LINE;
    bool good = true;
    while (good && *left > 0 && (step = lines_next(&lines, &line)) == LINES_LINE) {
        good = count_line(rollup, counted, line, fault);
        if (good && chain_read_place(line, &place))
            memcpy(counted->hash, place.hash, sizeof(counted->hash));
        counted->place = lines.offset;
        --*left;
    }
    if (step == LINES_FAILED)
        good = fault_set(fault, "a ledger file cannot be read: %s", strerror(errno));
    lines_close(&lines);
    return good && move_counted(rollup, counted, fault);
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

enum rollup_fed rollup_feed(struct rollup *rollup, int dir_fd, struct fault *fault)
{
    int left = LINES_PER_FEED;
    if (!run(rollup, BEGIN, fault))
        return ROLLUP_FAILED;
    if (!feed_all(rollup, dir_fd, &left, fault) || !run(rollup, COMMIT, fault)) {
        (void)run(rollup, ROLLBACK, NULL);
        return ROLLUP_FAILED;
    }
    return left > 0 ? ROLLUP_ALL : ROLLUP_MORE;
}

/* ---- asking ---- */

void rollup_ask(struct rollup *rollup, const struct rollup_query *query)
{
    sqlite3_stmt *ask = rollup->prepared[ASK];
    (void)sqlite3_reset(ask);
    (void)sqlite3_bind_int64(ask, 1, query->from_hour);
    (void)sqlite3_bind_int64(ask, 2, query->to_hour);
    bind_text(ask, 3, query->key);
    bind_text(ask, 4, query->model);
    (void)sqlite3_bind_int(ask, 5, query->by_day);
    (void)sqlite3_bind_int(ask, 6, query->by_model);
    (void)sqlite3_bind_int(ask, 7, query->by_key);
}

enum rollup_step rollup_next(struct rollup *rollup, struct rollup_row *row, struct fault *fault)
{
    sqlite3_stmt *ask = rollup->prepared[ASK];
    int result = sqlite3_step(ask);
    if (result != SQLITE_ROW) {
        if (result != SQLITE_DONE)
            sql_fault(rollup, fault);
        (void)sqlite3_reset(ask);
        return result == SQLITE_DONE ? ROLLUP_END : ROLLUP_BROKEN;
    }
    *row = (struct rollup_row){
        .day = sqlite3_column_int64(ask, 0),
        .model = column_text(ask, 1),
        .key = column_text(ask, 2),
        .sums = {.requests = sqlite3_column_int64(ask, 3),
                 .prompt_tokens = sqlite3_column_int64(ask, 4),
                 .cached_tokens = sqlite3_column_int64(ask, 5),
                 .completion_tokens = sqlite3_column_int64(ask, 6),
                 .reasoning_tokens = sqlite3_column_int64(ask, 7),
                 .cost = {sqlite3_column_int64(ask, 8)}},
    };
    return ROLLUP_ROW;
}

static void add(int64_t *sum, int64_t more)
{
    if (__builtin_add_overflow(*sum, more, sum))
        *sum = more > 0 ? INT64_MAX : INT64_MIN;
}

void rollup_add(struct rollup_sums *sums, const struct rollup_sums *more)
{
    add(&sums->requests, more->requests);
    add(&sums->prompt_tokens, more->prompt_tokens);
    add(&sums->cached_tokens, more->cached_tokens);
    add(&sums->completion_tokens, more->completion_tokens);
    add(&sums->reasoning_tokens, more->reasoning_tokens);
    add(&sums->cost.nano, more->cost.nano);
}
