/*
 * ceilings.db in SQLite: opening and checking it, and the ownership of upstream objects.
 *
 * Texts are stored as blobs: they come from upstreams and callers, and SQLite leaves open what it
 * does with a zero byte in a text.
 */
#include "budget/ceilings.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    APPLICATION = 0x70757273, /* "purs": tells the file from other programs' */
    OBJECTS_VERSION = 2,
    BUSY_MS = 5000, /* for somebody who looks at the file meanwhile */
};

enum statement { OWNER, LOOK, CLAIM, NOTE, LIST, OPEN, FORGET, DROP, STATEMENT_COUNT };

struct ceilings {
    sqlite3 *db;
    sqlite3_stmt *prepared[STATEMENT_COUNT];
    struct buffer owner; /* the last one that was asked for */
};

#define IS_OBJECT "kind = ?1 AND upstream = ?2 AND id = ?3"

static const char *const statements[STATEMENT_COUNT] = {
    [OWNER] = "SELECT key FROM objects WHERE " IS_OBJECT,
    [LOOK] = "SELECT upstream, key, made_s, about, facts, call FROM objects"
             " WHERE kind = ?1 AND id = ?3 AND (?2 = x'' OR upstream = ?2)"
             " ORDER BY made_s, upstream LIMIT 1",
    [CLAIM] = "INSERT INTO objects (kind, upstream, id, key, made_s) VALUES (?1, ?2, ?3, ?4, ?5)",
    [NOTE] = "UPDATE objects SET about = ifnull(?4, about), facts = ifnull(?5, facts),"
             " call = ifnull(?6, call) WHERE " IS_OBJECT,
    [OPEN] = "SELECT upstream, id, kind, key, made_s, about, facts, call FROM objects"
             " WHERE call > x'' ORDER BY made_s",
    [LIST] = "SELECT upstream, id, made_s, about FROM objects WHERE kind = ?1 AND key = ?2"
             " AND (made_s, upstream, id) < (?3, ?4, ?5)"
             " AND (?7 = '' OR CASE WHEN about > x''"
             "  THEN json_extract(CAST(about AS TEXT), '$.purpose') = ?7 END)"
             " ORDER BY made_s DESC, upstream DESC, id DESC LIMIT ?6",
    [FORGET] = "DELETE FROM objects WHERE " IS_OBJECT,
    [DROP] = "DELETE FROM objects WHERE rowid IN"
             " (SELECT rowid FROM objects WHERE kind = ?1 AND made_s < ?2"
             " ORDER BY made_s LIMIT ?3)",
};

static const char components[] = "CREATE TABLE IF NOT EXISTS component (name TEXT PRIMARY KEY,"
                                 " version INTEGER NOT NULL) WITHOUT ROWID;"
                                 "PRAGMA application_id = 0x70757273;"; /* APPLICATION */

static const char objects[] =
    "CREATE TABLE objects (kind TEXT NOT NULL, upstream BLOB NOT NULL, id BLOB NOT NULL,"
    " key BLOB NOT NULL, made_s INTEGER NOT NULL, PRIMARY KEY (kind, upstream, id));"
    "CREATE INDEX objects_of_key ON objects (kind, key, made_s, upstream, id);"
    "CREATE INDEX objects_by_age ON objects (kind, made_s);"
    "INSERT INTO component VALUES ('objects', 1);";

/* From version 1 to 2. */
static const char objects_2[] = "ALTER TABLE objects ADD COLUMN about BLOB NOT NULL DEFAULT x'';"
                                "ALTER TABLE objects ADD COLUMN facts BLOB NOT NULL DEFAULT x'';"
                                "ALTER TABLE objects ADD COLUMN call BLOB NOT NULL DEFAULT x'';"
                                "CREATE INDEX objects_by_id ON objects (kind, id, upstream);"
                                "CREATE INDEX objects_open ON objects (made_s) WHERE call > x'';"
                                "UPDATE component SET version = 2 WHERE name = 'objects';";

static const struct text kind_names[OBJECT_KIND_COUNT] = {
    [OBJECT_RESPONSE] = {"response", 8},
    [OBJECT_FILE] = {"file", 4},
    [OBJECT_BATCH] = {"batch", 5},
    [OBJECT_ITEM] = {"item", 4},
};

/* ---- talking to SQLite ---- */

/* Sets what SQLite says; returns false. */
static bool say(const struct ceilings *ceilings, struct fault *fault)
{
    return fault_set(fault, "ceilings.db fails: %s", sqlite3_errmsg(ceilings->db));
}

/* The text must live until the statement has run. A blob without an address would be NULL. */
static void bind(sqlite3_stmt *statement, int at, struct text text)
{
    (void)sqlite3_bind_blob64(statement, at, text.size == 0 ? "" : text.at, text.size,
                              SQLITE_STATIC);
}

static struct text column(sqlite3_stmt *statement, int at)
{
    const char *bytes = sqlite3_column_blob(statement, at);
    return text_make(bytes, (size_t)sqlite3_column_bytes(statement, at));
}

static void bind_kind(sqlite3_stmt *statement, enum object_kind kind)
{
    ASSERT(kind < OBJECT_KIND_COUNT);
    (void)sqlite3_bind_text(statement, 1, kind_names[kind].at, (int)kind_names[kind].size,
                            SQLITE_STATIC);
}

static sqlite3_stmt *about(struct ceilings *ceilings, enum statement which,
                           const struct object *object)
{
    sqlite3_stmt *statement = ceilings->prepared[which];
    bind_kind(statement, object->kind);
    bind(statement, 2, object->upstream);
    bind(statement, 3, object->id);
    return statement;
}

/* Runs a statement that gives no rows. */
static bool run(struct ceilings *ceilings, enum statement which, struct fault *fault)
{
    sqlite3_stmt *statement = ceilings->prepared[which];
    bool good = sqlite3_step(statement) == SQLITE_DONE || say(ceilings, fault);
    (void)sqlite3_reset(statement);
    return good;
}

/* ---- opening ---- */

static void ceilings_free(struct ceilings *ceilings)
{
    for (int i = 0; i < STATEMENT_COUNT; i++)
        (void)sqlite3_finalize(ceilings->prepared[i]);
    (void)sqlite3_close(ceilings->db);
    buffer_close(&ceilings->owner);
    free(ceilings);
}

/* A file must be found after a power loss, as what is noted in it must: also one that was made by a
 * process that came no further. */
static bool sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    struct text folder = slash == NULL ? TEXT(".") : text_make(path, (size_t)(slash - path) + 1);
    char *name = memory_copy(folder);
    int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    free(name);
    return good;
}

/* SQLite would make it readable for others; its side files take over this mode. */
static bool make_file(const char *path, struct fault *fault)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool there = fd >= 0 || errno == EEXIST;
    if (fd >= 0)
        close(fd);
    if (!there || !sync_folder(path))
        return fault_set(fault, "%s cannot be made: %s", path, strerror(errno));
    return true;
}

static bool damaged(const char *path, struct fault *fault)
{
    return fault_set(
        fault,
        "%s is damaged: restore it from a backup, or move it and %s-wal out of the "
        "directory (budgets are then rebuilt from the ledger; who made which response, "
        "file and batch is forgotten)",
        path, path);
}

/* What SQLite says; returns false. */
static bool unusable(const struct ceilings *ceilings, const char *path, struct fault *fault)
{
    int code = sqlite3_errcode(ceilings->db);
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
        return damaged(path, fault);
    return fault_set(fault, "%s cannot be used: %s", path, sqlite3_errmsg(ceilings->db));
}

static bool read_number(struct ceilings *ceilings, const char *sql, int64_t *number)
{
    sqlite3_stmt *statement = NULL;
    bool good = sqlite3_prepare_v2(ceilings->db, sql, -1, &statement, NULL) == SQLITE_OK &&
                sqlite3_step(statement) == SQLITE_ROW;
    if (good)
        *number = sqlite3_column_int64(statement, 0);
    return sqlite3_finalize(statement) == SQLITE_OK && good;
}

static bool execute(struct ceilings *ceilings, const char *sql)
{
    return sqlite3_exec(ceilings->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* Looks at the file and changes nothing. */
static bool check_file(struct ceilings *ceilings, const char *path, bool *empty,
                       struct fault *fault)
{
    int64_t tables = 0, application = 0, sound = 0;
    if (!read_number(ceilings, "SELECT count(*) FROM sqlite_master", &tables) ||
        !read_number(ceilings, "PRAGMA application_id", &application) ||
        !read_number(ceilings, "SELECT quick_check = 'ok' FROM pragma_quick_check(1)", &sound))
        return unusable(ceilings, path, fault);
    if (!sound)
        return damaged(path, fault);
    *empty = tables == 0;
    return *empty || application == APPLICATION ||
           fault_set(fault, "%s is another program's: move it out of the directory", path);
}

/* Within a transaction. */
static bool make_tables(struct ceilings *ceilings, const char *path, bool empty,
                        struct fault *fault)
{
    int64_t version = 0;
    if ((empty && !execute(ceilings, components)) ||
        !read_number(ceilings,
                     "SELECT ifnull(max(version), 0) FROM component WHERE name = 'objects'",
                     &version) ||
        (version == 0 && !execute(ceilings, objects)) ||
        (version <= 1 && !execute(ceilings, objects_2)))
        return unusable(ceilings, path, fault);
    return version <= OBJECTS_VERSION ||
           fault_set(fault,
                     "%s is of another version of purser (its objects have version %lld, this "
                     "purser knows %d): run that version, or a later one",
                     path, (long long)version, OBJECTS_VERSION);
}

static bool prepare_all(struct ceilings *ceilings)
{
    for (int i = 0; i < STATEMENT_COUNT; i++)
        if (sqlite3_prepare_v3(ceilings->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &ceilings->prepared[i], NULL) != SQLITE_OK)
            return false;
    return true;
}

bool ceilings_begin(struct ceilings *ceilings, struct fault *fault)
{
    return execute(ceilings, "BEGIN IMMEDIATE") || say(ceilings, fault);
}

bool ceilings_commit(struct ceilings *ceilings, struct fault *fault)
{
    if (execute(ceilings, "COMMIT"))
        return true;
    say(ceilings, fault);
    (void)execute(ceilings, "ROLLBACK"); /* may have been done by SQLite itself */
    /* A later commit writes what it syncs; closing would only sync, again, what may have failed. */
    (void)sqlite3_db_config(ceilings->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    return false;
}

static bool make_ready(struct ceilings *ceilings, const char *path, struct fault *fault)
{
    bool empty = false;
    if (sqlite3_open_v2(path, &ceilings->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK)
        return unusable(ceilings, path, fault);
    (void)sqlite3_busy_timeout(ceilings->db, BUSY_MS);
    if (!check_file(ceilings, path, &empty, fault))
        return false;
    if (!execute(ceilings, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                           "BEGIN IMMEDIATE"))
        return unusable(ceilings, path, fault);
    if (!make_tables(ceilings, path, empty, fault))
        return false; /* closing rolls back */
    return (execute(ceilings, "COMMIT") && prepare_all(ceilings)) ||
           unusable(ceilings, path, fault);
}

struct ceilings *ceilings_open(const char *path, struct fault *fault)
{
    if (!make_file(path, fault))
        return NULL;
    struct ceilings *ceilings = memory_new(sizeof(*ceilings));
    if (make_ready(ceilings, path, fault))
        return ceilings;
    ceilings_free(ceilings);
    return NULL;
}

void ceilings_close(struct ceilings *ceilings)
{
    if (ceilings != NULL)
        ceilings_free(ceilings);
}

/* ---- objects ---- */

static bool is_storable(struct text text)
{
    return text.size > 0 && text.size <= CEILINGS_TEXT_MOST;
}

/* What was never noted for its length is not looked for, either. */
static bool may_be_owned(const struct object *object)
{
    return is_storable(object->upstream) && is_storable(object->id);
}

enum owner ceilings_owner(struct ceilings *ceilings, const struct object *object, struct text *key,
                          struct fault *fault)
{
    if (!may_be_owned(object))
        return OWNER_NOBODY;
    sqlite3_stmt *find = about(ceilings, OWNER, object);
    int result = sqlite3_step(find);
    if (result == SQLITE_ROW) {
        buffer_clear(&ceilings->owner);
        buffer_put(&ceilings->owner, column(find, 0));
        *key = buffer_text(&ceilings->owner);
    } else if (result != SQLITE_DONE) {
        say(ceilings, fault);
    }
    (void)sqlite3_reset(find);
    return result == SQLITE_ROW ? OWNER_KNOWN : result == SQLITE_DONE ? OWNER_NOBODY : OWNER_FAILED;
}

enum claim ceilings_claim(struct ceilings *ceilings, const struct object *object, struct text key,
                          int64_t made_s, struct fault *fault)
{
    struct text owner;
    if (!may_be_owned(object) || !is_storable(key)) {
        fault_set(fault, "an object whose id, upstream or key is empty or has more than %d bytes",
                  CEILINGS_TEXT_MOST);
        return CLAIM_FAILED;
    }
    switch (ceilings_owner(ceilings, object, &owner, fault)) {
    case OWNER_KNOWN:
        return text_equal(owner, key) ? CLAIM_NOTED : CLAIM_FOREIGN;
    case OWNER_FAILED:
        return CLAIM_FAILED;
    case OWNER_NOBODY:
        break;
    }
    sqlite3_stmt *claim = about(ceilings, CLAIM, object);
    bind(claim, 4, key);
    (void)sqlite3_bind_int64(claim, 5, made_s);
    return run(ceilings, CLAIM, fault) ? CLAIM_NOTED : CLAIM_FAILED;
}

/* ---- notes ---- */

static struct object_notes notes_at(sqlite3_stmt *row, int at, struct arena *arena)
{
    return (struct object_notes){
        .about = arena_copy(arena, column(row, at)),
        .facts = arena_copy(arena, column(row, at + 1)),
        .call = arena_copy(arena, column(row, at + 2)),
    };
}

enum owner ceilings_look(struct ceilings *ceilings, const struct object *object,
                         struct arena *arena, struct owned *owned, struct fault *fault)
{
    if (!is_storable(object->id) || object->upstream.size > CEILINGS_TEXT_MOST)
        return OWNER_NOBODY;
    sqlite3_stmt *look = about(ceilings, LOOK, object);
    int result = sqlite3_step(look);
    if (result == SQLITE_ROW)
        *owned = (struct owned){.upstream = arena_copy(arena, column(look, 0)),
                                .key = arena_copy(arena, column(look, 1)),
                                .made_s = sqlite3_column_int64(look, 2),
                                .notes = notes_at(look, 3, arena)};
    else if (result != SQLITE_DONE)
        say(ceilings, fault);
    (void)sqlite3_reset(look);
    return result == SQLITE_ROW ? OWNER_KNOWN : result == SQLITE_DONE ? OWNER_NOBODY : OWNER_FAILED;
}

/* What is not said is NULL, which stays as it is. */
static void bind_note(sqlite3_stmt *statement, int at, struct text note)
{
    if (note.at == NULL)
        (void)sqlite3_bind_null(statement, at);
    else
        bind(statement, at, note);
}

bool ceilings_note(struct ceilings *ceilings, const struct object *object,
                   const struct object_notes *notes, struct fault *fault)
{
    if (!may_be_owned(object))
        return true;
    if (notes->about.size > CEILINGS_NOTE_MOST || notes->facts.size > CEILINGS_NOTE_MOST ||
        notes->call.size > CEILINGS_NOTE_MOST)
        return fault_set(fault, "a note of more than %d bytes", CEILINGS_NOTE_MOST);
    sqlite3_stmt *note = about(ceilings, NOTE, object);
    bind_note(note, 4, notes->about);
    bind_note(note, 5, notes->facts);
    bind_note(note, 6, notes->call);
    return run(ceilings, NOTE, fault);
}

static enum object_kind kind_of(struct text name)
{
    int kind = 0;
    while (kind < OBJECT_KIND_COUNT - 1 && !text_equal(kind_names[kind], name))
        kind++;
    return (enum object_kind)kind;
}

bool ceilings_list_open(struct ceilings *ceilings, struct arena *arena,
                        const struct open_object **rows, size_t *count, struct fault *fault)
{
    sqlite3_stmt *list = ceilings->prepared[OPEN];
    struct open_object *found = NULL;
    size_t room = 0, used = 0;
    int result = SQLITE_DONE;
    while ((result = sqlite3_step(list)) == SQLITE_ROW) {
        if (used == room) {
            room = room == 0 ? 64 : 2 * room;
            struct open_object *larger = arena_new(arena, room * sizeof(*larger));
            if (used > 0)
                memcpy(larger, found, used * sizeof(*larger));
            found = larger;
        }
        found[used++] = (struct open_object){
            .object = {.kind = kind_of(column(list, 2)),
                       .upstream = arena_copy(arena, column(list, 0)),
                       .id = arena_copy(arena, column(list, 1))},
            .owned = {.upstream = arena_copy(arena, column(list, 0)),
                      .key = arena_copy(arena, column(list, 3)),
                      .made_s = sqlite3_column_int64(list, 4),
                      .notes = notes_at(list, 5, arena)},
        };
    }
    bool good = result == SQLITE_DONE || say(ceilings, fault);
    *rows = found;
    *count = good ? used : 0;
    (void)sqlite3_reset(list);
    return good;
}

static void bind_list(struct ceilings *ceilings, const struct objects_query *query)
{
    static const struct owned_object newest = {.made_s = INT64_MAX};
    const struct owned_object *after = query->has_after ? &query->after : &newest;
    sqlite3_stmt *list = ceilings->prepared[LIST];
    bind_kind(list, query->kind);
    bind(list, 2, query->key);
    (void)sqlite3_bind_int64(list, 3, after->made_s);
    bind(list, 4, after->upstream);
    bind(list, 5, after->id);
    (void)sqlite3_bind_int64(list, 6, (int64_t)query->most + 1); /* shows whether more follow */
    (void)sqlite3_bind_text64(list, 7, query->purpose.size == 0 ? "" : query->purpose.at,
                              query->purpose.size, SQLITE_STATIC, SQLITE_UTF8);
}

bool ceilings_list(struct ceilings *ceilings, const struct objects_query *query,
                   struct arena *arena, struct objects_page *page, struct fault *fault)
{
    ASSERT(query->most > 0);
    ASSERT(query->most <= CEILINGS_PAGE_MOST);
    sqlite3_stmt *list = ceilings->prepared[LIST];
    struct owned_object *rows = arena_new(arena, query->most * sizeof(*rows));
    size_t found = 0;
    int result = SQLITE_DONE;
    bind_list(ceilings, query);
    while ((result = sqlite3_step(list)) == SQLITE_ROW) {
        if (found++ < query->most)
            rows[found - 1] = (struct owned_object){
                .upstream = arena_copy(arena, column(list, 0)),
                .id = arena_copy(arena, column(list, 1)),
                .made_s = sqlite3_column_int64(list, 2),
                .about = arena_copy(arena, column(list, 3)),
            };
    }
    bool good = result == SQLITE_DONE || say(ceilings, fault);
    bool more = found > query->most;
    if (good)
        *page =
            (struct objects_page){.rows = rows, .count = more ? query->most : found, .more = more};
    (void)sqlite3_reset(list);
    return good;
}

bool ceilings_forget(struct ceilings *ceilings, const struct object *object, struct fault *fault)
{
    if (!may_be_owned(object))
        return true;
    about(ceilings, FORGET, object);
    return run(ceilings, FORGET, fault);
}

bool ceilings_drop_older(struct ceilings *ceilings, enum object_kind kind, int64_t before_s,
                         size_t *dropped, struct fault *fault)
{
    sqlite3_stmt *drop = ceilings->prepared[DROP];
    bind_kind(drop, kind);
    (void)sqlite3_bind_int64(drop, 2, before_s);
    (void)sqlite3_bind_int64(drop, 3, CEILINGS_DROP_MOST);
    if (!run(ceilings, DROP, fault))
        return false;
    *dropped = (size_t)sqlite3_changes(ceilings->db);
    return true;
}
