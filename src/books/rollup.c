/*
 * Roll-ups in SQLite: the layout, opening and closing. Of the books only rollup*.c know SQLite.
 *
 * What was called by whom is a facet: its texts stand once, and sums and calls name it. So sums of
 * any grouping come from rows that are few and small.
 *
 * synchronous=NORMAL: after a power loss the last transactions may be missing, and then the lines
 * they counted are counted again, as the place in the file is missing with them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "books/rollup_state.h"

enum { VERSION = 3, VERSION_BEFORE = 2 };

#define FACET "model, upstream, service, key, user, team, session, endpoint, tags"
#define IS_FACET                                                                                   \
    "model = ?1 AND upstream = ?2 AND service = ?3 AND key = ?4 AND user = ?5 AND team = ?6"       \
    " AND session = ?7 AND endpoint = ?8 AND tags = ?9"

/* A sum stops where SQLite would go on with a floating-point number. */
static const char *const statements[ROLLUP_STATEMENT_COUNT] = {
    [ROLLUP_BEGIN] = "BEGIN IMMEDIATE",
    [ROLLUP_COMMIT] = "COMMIT",
    [ROLLUP_ROLLBACK] = "ROLLBACK",
    [ROLLUP_FILE_ADD] = "INSERT OR IGNORE INTO file (name, place, hash) VALUES (?1, 0, '')",
    [ROLLUP_FILE_FIND] = "SELECT id, place, hash FROM file WHERE name = ?1",
    [ROLLUP_FILE_MOVE] = "UPDATE file SET place = ?2, hash = ?3 WHERE id = ?1",
    [ROLLUP_FORGET_SUMS] = "DELETE FROM total WHERE file = ?1",
    [ROLLUP_FORGET_RECENT] = "DELETE FROM recent WHERE file = ?1",
    [ROLLUP_FORGET_BOOKINGS] = "DELETE FROM booking WHERE file = ?1",
    [ROLLUP_FACET_ADD] = "INSERT OR IGNORE INTO facet (" FACET ") VALUES"
                         " (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [ROLLUP_FACET_FIND] = "SELECT id FROM facet WHERE " IS_FACET,
    [ROLLUP_TAG_ADD] = "INSERT OR IGNORE INTO tag VALUES (?1, ?2)",
    [ROLLUP_SUM_ADD] = "INSERT INTO total VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,"
                       " ?11, ?12, ?13, ?14, ?15)"
                       " ON CONFLICT DO UPDATE SET requests = requests + ?4, prompt = prompt + ?5,"
                       " cached = cached + ?6, completion = completion + ?7,"
                       " reasoning = reasoning + ?8, nano = min(nano + ?9, 9000000000000000000),"
                       " hits = hits + ?10,"
                       " saved_cache = min(saved_cache + ?11, 9000000000000000000),"
                       " saved_router = min(saved_router + ?12, 9000000000000000000),"
                       " saved_optimizer = min(saved_optimizer + ?13, 9000000000000000000),"
                       " saved_batch = min(saved_batch + ?14, 9000000000000000000),"
                       " saved_early_stop = min(saved_early_stop + ?15, 9000000000000000000)",
    [ROLLUP_RECENT_ADD] = "INSERT INTO recent VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6)",
    [ROLLUP_RECENT_TRIM] = "DELETE FROM recent WHERE id <= (SELECT max(id) FROM recent) - ?1",
    [ROLLUP_BOOKING_ADD] = "INSERT OR IGNORE INTO booking (file, name, line) VALUES (?1, ?2, ?3)",
    [ROLLUP_BOOKING_FIND] = "SELECT line FROM booking WHERE name = ?1",
    [ROLLUP_BOOKING_TRIM] = "DELETE FROM booking WHERE id <= (SELECT max(id) FROM booking) - ?1",
};

static const char layout[] =
    "CREATE TABLE file (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " place INTEGER NOT NULL, hash TEXT NOT NULL);"
    "CREATE TABLE facet (id INTEGER PRIMARY KEY, model TEXT NOT NULL, upstream TEXT NOT NULL,"
    " service TEXT NOT NULL, key TEXT NOT NULL, user TEXT NOT NULL, team TEXT NOT NULL,"
    " session TEXT NOT NULL, endpoint TEXT NOT NULL, tags TEXT NOT NULL, UNIQUE (" FACET "));"
    "CREATE TABLE tag (facet INTEGER NOT NULL, tag TEXT NOT NULL, PRIMARY KEY (facet, tag))"
    " WITHOUT ROWID;"
    "CREATE TABLE total (hour INTEGER NOT NULL, facet INTEGER NOT NULL, file INTEGER NOT NULL,"
    " requests INTEGER NOT NULL, prompt INTEGER NOT NULL, cached INTEGER NOT NULL,"
    " completion INTEGER NOT NULL, reasoning INTEGER NOT NULL, nano INTEGER NOT NULL,"
    " hits INTEGER NOT NULL, saved_cache INTEGER NOT NULL, saved_router INTEGER NOT NULL,"
    " saved_optimizer INTEGER NOT NULL, saved_batch INTEGER NOT NULL,"
    " saved_early_stop INTEGER NOT NULL,"
    " PRIMARY KEY (hour, facet, file)) WITHOUT ROWID;"
    "CREATE TABLE recent (id INTEGER PRIMARY KEY, file INTEGER NOT NULL, facet INTEGER NOT NULL,"
    " wall_us INTEGER NOT NULL, status INTEGER NOT NULL, error TEXT NOT NULL, line TEXT NOT NULL);"
    "CREATE TABLE booking (id INTEGER PRIMARY KEY, file INTEGER NOT NULL,"
    " name TEXT NOT NULL UNIQUE, line TEXT NOT NULL);"
    "PRAGMA user_version = 3;";

/* Version 2 had no savings, and neither had the lines that it counted. Counting anew would lose
 * what ledger files booked that are deleted by now. */
static const char from_before[] =
    "BEGIN IMMEDIATE;"
    "ALTER TABLE total ADD COLUMN hits INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE total ADD COLUMN saved_cache INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE total ADD COLUMN saved_router INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE total ADD COLUMN saved_optimizer INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE total ADD COLUMN saved_batch INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE total ADD COLUMN saved_early_stop INTEGER NOT NULL DEFAULT 0;"
    "PRAGMA user_version = 3;"
    "COMMIT;";

/* ---- talking to SQLite ---- */

bool rollup_fault(const struct rollup *rollup, struct fault *fault)
{
    return fault_set(fault, "the roll-ups (books.db) fail: %s", sqlite3_errmsg(rollup->db));
}

void rollup_bind(sqlite3_stmt *statement, int at, struct text text)
{
    (void)sqlite3_bind_text(statement, at, text.at == NULL ? "" : text.at, (int)text.size,
                            SQLITE_STATIC);
}

struct text rollup_column(sqlite3_stmt *statement, int at)
{
    const unsigned char *text = sqlite3_column_text(statement, at);
    return text_make((const char *)text, (size_t)sqlite3_column_bytes(statement, at));
}

bool rollup_run(struct rollup *rollup, enum rollup_statement which, struct fault *fault)
{
    sqlite3_stmt *statement = rollup->prepared[which];
    bool good = sqlite3_step(statement) == SQLITE_DONE;
    if (!good)
        rollup_fault(rollup, fault);
    (void)sqlite3_reset(statement);
    return good;
}

/* ---- opening ---- */

enum fitness { FIT, OUT_OF_REACH, HOPELESS };

static void rollup_free(struct rollup *rollup)
{
    for (int i = 0; i < ROLLUP_STATEMENT_COUNT; i++)
        (void)sqlite3_finalize(rollup->prepared[i]);
    (void)sqlite3_finalize(rollup->asked);
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
                text_equal(rollup_column(statement, 0), TEXT("ok"));
    (void)sqlite3_finalize(statement);
    return good;
}

static bool prepare_all(struct rollup *rollup)
{
    for (int i = 0; i < ROLLUP_STATEMENT_COUNT; i++)
        if (sqlite3_prepare_v3(rollup->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &rollup->prepared[i], NULL) != SQLITE_OK)
            return false;
    return true;
}

/* What a full disk, a lack of memory or somebody else's lock is to blame for: the file may be
 * sound.
 */
static bool may_pass(const struct rollup *rollup)
{
    static const int codes[] = {SQLITE_FULL,     SQLITE_IOERR,    SQLITE_BUSY, SQLITE_LOCKED,
                                SQLITE_READONLY, SQLITE_CANTOPEN, SQLITE_PERM, SQLITE_NOMEM};
    int code = sqlite3_extended_errcode(rollup->db);
    bool found = false;
    for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
        found = found || (code & 0xff) == codes[i];
    return found && code != SQLITE_IOERR_READ;
}

/* False if the file cannot be used as it is. */
static bool make_ready(struct rollup *rollup)
{
    int version = 0;
    if (sqlite3_exec(rollup->db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL", NULL,
                     NULL, NULL) != SQLITE_OK ||
        !read_version(rollup, &version) || !is_sound(rollup))
        return false;
    if (version != 0 && version != VERSION && version != VERSION_BEFORE)
        return false;
    const char *step = version == 0 ? layout : version == VERSION_BEFORE ? from_before : "";
    return sqlite3_exec(rollup->db, step, NULL, NULL, NULL) == SQLITE_OK && prepare_all(rollup);
}

static struct rollup *try_open(const char *path, enum fitness *fitness, struct fault *fault)
{
    struct rollup *rollup = memory_new(sizeof(*rollup));
    /* SQLite would make it readable for others; its side files take over this mode. */
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
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
    *fitness = make_ready(rollup) ? FIT : may_pass(rollup) ? OUT_OF_REACH : HOPELESS;
    if (*fitness != FIT)
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
    enum fitness fitness = OUT_OF_REACH;
    struct rollup *rollup = try_open(path, &fitness, fault);
    if (rollup != NULL && fitness == HOPELESS) {
        rollup_free(rollup);
        set_aside(path);
        rollup = try_open(path, &fitness, fault);
    }
    if (rollup == NULL || fitness == FIT)
        return rollup;
    rollup_free(rollup);
    return NULL;
}

void rollup_close(struct rollup *rollup)
{
    if (rollup != NULL)
        rollup_free(rollup);
}
