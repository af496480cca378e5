/*
 * The vault in SQLite. Texts are blobs, as in ceilings.c; an account's number is stored as the
 * signed integer with the same bits.
 */
#include "budget/vault.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/hash.h"

enum {
    VERSION = 4,
    BUSY_MS = 5000,     /* for the registrar, and for somebody who looks at the file meanwhile */
    FORGET_MOST = 1000, /* rows, with each note */
    BOOT_SIZE = 64,
};

enum statement { NOTE, FORGET, MARK, ENTER, STATEMENT_COUNT };

struct vault {
    char *path;
    struct vault_identity identity;
    bool accepted; /* it was whole, or what it lacked is accounted for */
    char boot[BOOT_SIZE];
    sqlite3 *db; /* NULL: given up after a failure */
    sqlite3_stmt *prepared[STATEMENT_COUNT];
};

static const char *const statements[STATEMENT_COUNT] = {
    [NOTE] = "INSERT INTO ceiling (account, amount, until_s, unit, scope, budget, id, window,"
             " overdraft) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
             " ON CONFLICT (account) DO UPDATE SET amount = ?2, until_s = ?3, budget = ?6,"
             " overdraft = ?9",
    [FORGET] = ("DELETE FROM ceiling WHERE account IN"
                " (SELECT account FROM ceiling WHERE until_s < ?1 LIMIT ?2)"),
    [MARK] = "INSERT OR REPLACE INTO mark VALUES (1, ?1, ?2, ?3)",
    [ENTER] = "INSERT OR REPLACE INTO roster VALUES (?1, ?2, ?3)",
};

/* What each version adds. */
static const char *const tables[VERSION] = {
    ("CREATE TABLE journal (one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL,"
     " incarnation INTEGER NOT NULL, boot TEXT NOT NULL, clean INTEGER NOT NULL);"
     "CREATE TABLE ceiling (account INTEGER PRIMARY KEY, amount INTEGER NOT NULL,"
     " until_s INTEGER NOT NULL, unit INTEGER NOT NULL, scope INTEGER NOT NULL,"
     " budget BLOB NOT NULL, id BLOB NOT NULL, window TEXT NOT NULL);"
     "CREATE INDEX ceiling_until ON ceiling (until_s);"
     "INSERT INTO component VALUES ('vault', 1);"),

    ("CREATE TABLE mark (one INTEGER PRIMARY KEY CHECK (one = 1), epoch INTEGER NOT NULL,"
     " fence TEXT NOT NULL, instances INTEGER NOT NULL);"
     "UPDATE component SET version = 2 WHERE name = 'vault';"),

    ("ALTER TABLE ceiling ADD COLUMN overdraft INTEGER NOT NULL DEFAULT 0;"
     "UPDATE component SET version = 3 WHERE name = 'vault';"),

    ("CREATE TABLE roster (journal TEXT PRIMARY KEY, incarnation INTEGER NOT NULL,"
     " sequence INTEGER NOT NULL);"
     "UPDATE component SET version = 4 WHERE name = 'vault';"),
};

/* ---- talking to SQLite ---- */

/* Sets what SQLite says; returns false. */
static bool say(const struct vault *vault, struct fault *fault)
{
    return fault_set(fault, "%s: %s", vault->path, sqlite3_errmsg(vault->db));
}

static bool execute(struct vault *vault, const char *sql, struct fault *fault)
{
    return sqlite3_exec(vault->db, sql, NULL, NULL, NULL) == SQLITE_OK || say(vault, fault);
}

/* A statement that gives one row at the most, or none. */
static bool finish(struct vault *vault, sqlite3_stmt *statement, struct fault *fault)
{
    int result = sqlite3_step(statement);
    bool good = result == SQLITE_DONE || result == SQLITE_ROW || say(vault, fault);
    (void)sqlite3_reset(statement);
    return good;
}

static void disconnect(struct vault *vault)
{
    for (int at = 0; at < STATEMENT_COUNT; at++) {
        (void)sqlite3_finalize(vault->prepared[at]);
        vault->prepared[at] = NULL;
    }
    (void)sqlite3_close(vault->db);
    vault->db = NULL;
}

/* After a failure. Closing would copy the log into the file, and first sync the log: which may be
 * what failed, on the same descriptor. The next connection does it. */
static void give_up(struct vault *vault)
{
    if (vault->db != NULL)
        (void)sqlite3_db_config(vault->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    disconnect(vault);
}

static void bind_text(sqlite3_stmt *statement, int at, const char *text)
{
    (void)sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
}

/* A blob without an address would be NULL. */
static void bind_blob(sqlite3_stmt *statement, int at, struct text text)
{
    (void)sqlite3_bind_blob64(statement, at, text.size == 0 ? "" : text.at, text.size,
                              SQLITE_STATIC);
}

/* ---- connecting ---- */

static bool connect_to(struct vault *vault, struct fault *fault)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(vault->path, &vault->db, flags, NULL) != SQLITE_OK)
        return say(vault, fault);
    (void)sqlite3_busy_timeout(vault->db, BUSY_MS);
    return execute(vault, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", fault);
}

static bool prepare_all(struct vault *vault, struct fault *fault)
{
    for (int at = 0; at < STATEMENT_COUNT; at++)
        if (sqlite3_prepare_v3(vault->db, statements[at], -1, SQLITE_PREPARE_PERSISTENT,
                               &vault->prepared[at], NULL) != SQLITE_OK)
            return say(vault, fault);
    return true;
}

static bool number_of(struct vault *vault, const char *sql, int64_t *number, struct fault *fault)
{
    sqlite3_stmt *statement = NULL;
    bool good = sqlite3_prepare_v2(vault->db, sql, -1, &statement, NULL) == SQLITE_OK &&
                sqlite3_step(statement) == SQLITE_ROW;
    if (good)
        *number = sqlite3_column_int64(statement, 0);
    else
        say(vault, fault);
    (void)sqlite3_finalize(statement);
    return good;
}

/* What is there is what this process has written: the file was not exchanged under it. */
static bool is_ours(struct vault *vault, struct fault *fault)
{
    int64_t incarnation = 0;
    return number_of(vault, "SELECT incarnation FROM journal", &incarnation, fault) &&
           (incarnation == vault->identity.incarnation ||
            fault_set(fault, "%s is not the file that it was", vault->path));
}

static bool reconnect(struct vault *vault, struct fault *fault)
{
    if (vault->db != NULL)
        return true;
    if (connect_to(vault, fault) && is_ours(vault, fault) && prepare_all(vault, fault))
        return true;
    give_up(vault);
    return false;
}

/* ---- opening ---- */

static bool make_tables(struct vault *vault, struct fault *fault)
{
    int64_t version = 0;
    if (!number_of(vault, "SELECT ifnull(max(version), 0) FROM component WHERE name = 'vault'",
                   &version, fault))
        return false;
    if (version > VERSION)
        return fault_set(fault,
                         "%s is of another version of purser (its ceilings have version %lld, this "
                         "purser knows %d): run that version, or a later one",
                         vault->path, (long long)version, VERSION);
    bool good = true;
    for (; good && version < VERSION; version++)
        good = execute(vault, tables[version], fault);
    return good;
}

static void name_journal(struct vault *vault)
{
    uint8_t random[(STORE_JOURNAL_SIZE - 1) / 2];
    ssize_t got = getrandom(random, sizeof(random), 0);
    ASSERT(got == (ssize_t)sizeof(random));
    hash_hex(random, sizeof(random), vault->identity.journal);
}

static bool read_journal(struct vault *vault, struct fault *fault)
{
    sqlite3_stmt *find = NULL;
    if (sqlite3_prepare_v2(vault->db,
                           "SELECT id, incarnation, clean = 1 OR boot = ?1, boot = ''"
                           " FROM journal",
                           -1, &find, NULL) != SQLITE_OK)
        return say(vault, fault);
    bind_text(find, 1, vault->boot);
    int result = sqlite3_step(find);
    bool good = result == SQLITE_ROW || result == SQLITE_DONE || say(vault, fault);
    if (result == SQLITE_DONE) {
        vault->identity.fresh = true;
        name_journal(vault);
    }
    if (result == SQLITE_ROW) {
        struct vault_identity *identity = &vault->identity;
        const char *id = (const char *)sqlite3_column_text(find, 0);
        identity->incarnation = sqlite3_column_int64(find, 1);
        identity->whole = sqlite3_column_int(find, 2) != 0;
        identity->fresh = sqlite3_column_int(find, 3) != 0;
        good = id != NULL && strlen(id) == sizeof(identity->journal) - 1;
        if (good)
            memcpy(identity->journal, id, sizeof(identity->journal));
        else
            fault_set(fault, "%s has a journal without a name", vault->path);
    }
    (void)sqlite3_finalize(find);
    return good;
}

static bool is_mark(int64_t number)
{
    return number >= 0 && number < STORE_MOST;
}

static bool read_mark(struct vault *vault, struct fault *fault)
{
    struct store_mark *mark = &vault->identity.mark;
    sqlite3_stmt *find = NULL;
    if (sqlite3_prepare_v2(vault->db, "SELECT epoch, instances, fence FROM mark", -1, &find,
                           NULL) != SQLITE_OK)
        return say(vault, fault);
    int result = sqlite3_step(find);
    bool good = result == SQLITE_ROW || result == SQLITE_DONE || say(vault, fault);
    if (result == SQLITE_ROW) {
        const char *fence = (const char *)sqlite3_column_text(find, 2);
        mark->epoch = sqlite3_column_int64(find, 0);
        mark->instances = sqlite3_column_int64(find, 1);
        good = fence != NULL && strlen(fence) < sizeof(mark->fence) && is_mark(mark->epoch) &&
               is_mark(mark->instances);
        if (good)
            memcpy(mark->fence, fence, strlen(fence) + 1);
        else
            fault_set(fault, "%s has a mark that is none", vault->path);
    }
    (void)sqlite3_finalize(find);
    return good;
}

static bool read_seat(sqlite3_stmt *row, struct store_seat *seat)
{
    const char *journal = (const char *)sqlite3_column_text(row, 0);
    *seat = (struct store_seat){.incarnation = sqlite3_column_int64(row, 1),
                                .sequence = sqlite3_column_int64(row, 2)};
    if (journal == NULL || strlen(journal) >= sizeof(seat->journal))
        return false;
    memcpy(seat->journal, journal, strlen(journal) + 1);
    return is_mark(seat->incarnation) && is_mark(seat->sequence);
}

static bool read_roster(struct vault *vault, struct fault *fault)
{
    struct store_roster *roster = &vault->identity.mark.roster;
    sqlite3_stmt *list = NULL;
    if (sqlite3_prepare_v2(vault->db,
                           "SELECT journal, incarnation, sequence FROM roster ORDER BY journal", -1,
                           &list, NULL) != SQLITE_OK)
        return say(vault, fault);
    bool good = true;
    int result = SQLITE_DONE;
    while (good && (result = sqlite3_step(list)) == SQLITE_ROW) {
        good = roster->count < STORE_MEMBERS_MOST && read_seat(list, &roster->at[roster->count++]);
        if (!good)
            fault_set(fault, "%s has a roster that is none", vault->path);
    }
    good = good && (result == SQLITE_DONE || say(vault, fault));
    (void)sqlite3_finalize(list);
    return good;
}

/* The boot stays the one before, or none, as long as what it lost is not accounted for. */
static bool write_journal(struct vault *vault, bool clean, struct fault *fault)
{
    static const char whole[] = "INSERT OR REPLACE INTO journal VALUES (1, ?1, ?2, ?3, ?4)";
    static const char torn[] = "INSERT INTO journal VALUES (1, ?1, ?2, '', 0)"
                               " ON CONFLICT (one) DO UPDATE SET incarnation = ?2";
    sqlite3_stmt *put = NULL;
    if (sqlite3_prepare_v2(vault->db, vault->accepted ? whole : torn, -1, &put, NULL) != SQLITE_OK)
        return say(vault, fault);
    bind_text(put, 1, vault->identity.journal);
    (void)sqlite3_bind_int64(put, 2, vault->identity.incarnation);
    bind_text(put, 3, vault->boot);
    (void)sqlite3_bind_int(put, 4, clean ? 1 : 0);
    bool good = finish(vault, put, fault);
    (void)sqlite3_finalize(put);
    return good;
}

static bool begin(struct vault *vault, struct fault *fault)
{
    if (!connect_to(vault, fault) || !execute(vault, "BEGIN IMMEDIATE", fault) ||
        !make_tables(vault, fault) || !read_journal(vault, fault) || !read_mark(vault, fault) ||
        !read_roster(vault, fault))
        return false;
    vault->identity.incarnation++;
    vault->accepted = vault->identity.whole;
    return prepare_all(vault, fault) && write_journal(vault, false, fault) &&
           execute(vault, "COMMIT", fault);
}

static void vault_free(struct vault *vault)
{
    disconnect(vault);
    free(vault->path);
    free(vault);
}

struct vault *vault_open(const char *path, struct text boot, struct fault *fault)
{
    struct vault *vault = memory_new(sizeof(*vault));
    ASSERT(boot.size < sizeof(vault->boot));
    memcpy(vault->boot, boot.at, boot.size);
    vault->path = memory_copy(text_of(path));
    if (begin(vault, fault))
        return vault;
    give_up(vault); /* and rolls back */
    vault_free(vault);
    return NULL;
}

bool vault_accept(struct vault *vault, struct fault *fault)
{
    vault->accepted = true;
    if (write_journal(vault, false, fault))
        return true;
    vault->accepted = false;
    give_up(vault);
    return false;
}

const struct vault_identity *vault_identity(const struct vault *vault)
{
    return &vault->identity;
}

void vault_close(struct vault *vault, bool clean)
{
    struct fault fault;
    if (vault == NULL)
        return;
    /* Without it the next start trusts what it finds only if the machine ran on. */
    if (clean && vault->accepted && reconnect(vault, &fault) && !write_journal(vault, true, &fault))
        give_up(vault);
    vault_free(vault);
}

/* ---- rows ---- */

static struct text blob_at(sqlite3_stmt *row, int at, struct arena *arena)
{
    const char *bytes = sqlite3_column_blob(row, at);
    return arena_copy(arena, text_make(bytes, (size_t)sqlite3_column_bytes(row, at)));
}

/* False if it is none that this program writes. */
static bool charge_at(sqlite3_stmt *row, struct arena *arena, struct charge *charge)
{
    int64_t unit = sqlite3_column_int64(row, 3), scope = sqlite3_column_int64(row, 4);
    const unsigned char *window = sqlite3_column_text(row, 7);
    *charge = (struct charge){.account = (uint64_t)sqlite3_column_int64(row, 0),
                              .amount = sqlite3_column_int64(row, 1),
                              .until_s = sqlite3_column_int64(row, 2),
                              .overdraft = sqlite3_column_int64(row, 8),
                              .budget = blob_at(row, 5, arena),
                              .id = blob_at(row, 6, arena)};
    size_t size = (size_t)sqlite3_column_bytes(row, 7);
    if (charge->amount < 0 || charge->overdraft < 0 || unit < 0 || unit >= UNIT_COUNT ||
        scope < 0 || scope >= SCOPE_COUNT || size >= sizeof(charge->window))
        return false;
    charge->unit = (enum unit)unit;
    charge->scope = (enum scope)scope;
    if (size > 0)
        memcpy(charge->window, window, size);
    return true;
}

static bool read_rows(struct vault *vault, sqlite3_stmt *list, struct arena *arena,
                      struct charge *rows, size_t *count, struct fault *fault)
{
    int result = SQLITE_DONE;
    while ((result = sqlite3_step(list)) == SQLITE_ROW) {
        if (!charge_at(list, arena, &rows[(*count)++]))
            return fault_set(fault, "%s has a ceiling that is none", vault->path);
    }
    return result == SQLITE_DONE || say(vault, fault);
}

bool vault_rows(struct vault *vault, struct arena *arena, const struct charge **rows, size_t *count,
                struct fault *fault)
{
    int64_t most = 0;
    sqlite3_stmt *list = NULL;
    size_t found = 0;
    if (!number_of(vault, "SELECT count(*) FROM ceiling", &most, fault))
        return false;
    struct charge *room = arena_new(arena, ((size_t)most + 1) * sizeof(*room));
    if (sqlite3_prepare_v2(vault->db,
                           "SELECT account, amount, until_s, unit, scope, budget, id, window, "
                           "overdraft FROM ceiling ORDER BY account",
                           -1, &list, NULL) != SQLITE_OK)
        return say(vault, fault);
    bool good = read_rows(vault, list, arena, room, &found, fault);
    (void)sqlite3_finalize(list);
    *rows = room;
    *count = good ? found : 0;
    return good;
}

static bool note_one(struct vault *vault, const struct charge *charge, struct fault *fault)
{
    sqlite3_stmt *note = vault->prepared[NOTE];
    (void)sqlite3_bind_int64(note, 1, (int64_t)charge->account);
    (void)sqlite3_bind_int64(note, 2, charge->amount);
    (void)sqlite3_bind_int64(note, 3, charge->until_s);
    (void)sqlite3_bind_int64(note, 4, charge->unit);
    (void)sqlite3_bind_int64(note, 5, charge->scope);
    bind_blob(note, 6, charge->budget);
    bind_blob(note, 7, charge->id);
    bind_text(note, 8, charge->window);
    (void)sqlite3_bind_int64(note, 9, charge->overdraft);
    return finish(vault, note, fault);
}

static bool forget(struct vault *vault, int64_t now_s, struct fault *fault)
{
    sqlite3_stmt *statement = vault->prepared[FORGET];
    (void)sqlite3_bind_int64(statement, 1, now_s);
    (void)sqlite3_bind_int64(statement, 2, FORGET_MOST);
    return finish(vault, statement, fault);
}

static bool note_all(struct vault *vault, const struct charge *rows, size_t count, int64_t now_s,
                     struct fault *fault)
{
    bool good = execute(vault, "BEGIN IMMEDIATE", fault);
    for (size_t at = 0; good && at < count; at++)
        good = note_one(vault, &rows[at], fault);
    return good && forget(vault, now_s, fault) && execute(vault, "COMMIT", fault);
}

bool vault_note(struct vault *vault, const struct charge *rows, size_t count, int64_t now_s,
                struct fault *fault)
{
    if (!reconnect(vault, fault))
        return false;
    if (note_all(vault, rows, count, now_s, fault))
        return true;
    give_up(vault);
    return false;
}

static bool mark_one(struct vault *vault, const struct store_mark *mark, struct fault *fault)
{
    sqlite3_stmt *statement = vault->prepared[MARK];
    (void)sqlite3_bind_int64(statement, 1, mark->epoch);
    bind_text(statement, 2, mark->fence);
    (void)sqlite3_bind_int64(statement, 3, mark->instances);
    return finish(vault, statement, fault);
}

static bool enter_one(struct vault *vault, const struct store_seat *seat, struct fault *fault)
{
    sqlite3_stmt *statement = vault->prepared[ENTER];
    bind_text(statement, 1, seat->journal);
    (void)sqlite3_bind_int64(statement, 2, seat->incarnation);
    (void)sqlite3_bind_int64(statement, 3, seat->sequence);
    return finish(vault, statement, fault);
}

static bool mark_all(struct vault *vault, const struct store_mark *mark, struct fault *fault)
{
    bool good = execute(vault, "BEGIN IMMEDIATE; DELETE FROM roster", fault);
    for (size_t at = 0; good && at < mark->roster.count; at++)
        good = enter_one(vault, &mark->roster.at[at], fault);
    return good && mark_one(vault, mark, fault) && execute(vault, "COMMIT", fault);
}

bool vault_mark(struct vault *vault, const struct store_mark *mark, struct fault *fault)
{
    if (!reconnect(vault, fault))
        return false;
    if (mark_all(vault, mark, fault))
        return true;
    give_up(vault);
    return false;
}

/* ---- the machine ---- */

struct text vault_boot(struct arena *arena)
{
    char bytes[BOOT_SIZE - 1];
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));
    if (fd >= 0)
        close(fd);
    if (size > 0)
        return arena_copy(arena, text_trim(text_make(bytes, (size_t)size)));
    uint64_t random = 0;
    ssize_t got = getrandom(&random, sizeof(random), 0);
    ASSERT(got == (ssize_t)sizeof(random));
    return arena_printf(arena, "unknown-%016llx", (unsigned long long)random);
}
