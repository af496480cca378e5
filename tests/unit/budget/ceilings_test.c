/* ceilings.db: who owns which upstream object, through restarts, odd names and bad files. */
#include "budget/ceilings.h"

#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../disk.h"
#include "../unit.h"

/* A file in a directory of its own. */
struct place {
    char dir[64];
    char path[128];
    struct ceilings *ceilings;
    struct fault fault;
};

static bool place_try_open(struct place *place)
{
    place->ceilings = ceilings_open(place->path, &place->fault);
    return place->ceilings != NULL;
}

static void place_open(struct place *place)
{
    bool good = place_try_open(place);
    ck_assert_msg(good, "%s", place->fault.message);
}

static struct place place_make(void)
{
    struct place place = {.dir = "/tmp/purser-ceilings-XXXXXX"};
    ck_assert_ptr_nonnull(mkdtemp(place.dir));
    (void)snprintf(place.path, sizeof(place.path), "%s/ceilings.db", place.dir);
    return place;
}

static void place_end(struct place *place)
{
    ceilings_close(place->ceilings);
    disk_remove(place->dir);
}

static void place_reopen(struct place *place)
{
    ceilings_close(place->ceilings);
    place_open(place);
}

/* Changes the file, which nobody has open, by hand. */
static void alter(const struct place *place, const char *sql)
{
    sqlite3 *db = NULL;
    ck_assert_int_eq(sqlite3_open(place->path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(db);
}

static enum claim claim(struct place *place, struct object object, const char *key, int64_t made_s)
{
    return ceilings_claim(place->ceilings, &object, text_of(key), made_s, &place->fault);
}

static const char *owner_of(struct place *place, struct object object)
{
    static char owner[64];
    struct text key = TEXT_NONE;
    switch (ceilings_owner(place->ceilings, &object, &key, &place->fault)) {
    case OWNER_KNOWN:
        (void)snprintf(owner, sizeof(owner), "%.*s", TEXT_ARG(key));
        return owner;
    case OWNER_NOBODY:
        return "nobody";
    case OWNER_FAILED:
        break;
    }
    return place->fault.message;
}

static struct object file_of(const char *id)
{
    return (struct object){OBJECT_FILE, TEXT("openai"), text_of(id)};
}

/* The ids of a page, each with a space behind it. */
static const char *listed(struct place *place, const struct objects_query *query,
                          struct objects_page *page, struct arena *arena)
{
    struct buffer ids = {0};
    ck_assert(ceilings_list(place->ceilings, query, arena, page, &place->fault));
    for (size_t i = 0; i < page->count; i++)
        buffer_printf(&ids, "%.*s ", TEXT_ARG(page->rows[i].id));
    const char *kept = arena_copy(arena, buffer_text(&ids)).at;
    buffer_close(&ids);
    return kept;
}

static const char *all_of(struct place *place, enum object_kind kind, const char *key,
                          struct arena *arena)
{
    struct objects_page page;
    const struct objects_query query = {.kind = kind, .key = text_of(key), .most = 100};
    return listed(place, &query, &page, arena);
}

START_TEST(an_object_belongs_to_who_claimed_it_first)
{
    struct place place = place_make();
    place_open(&place);
    ck_assert_str_eq(owner_of(&place, file_of("file-1")), "nobody");
    ck_assert_int_eq(claim(&place, file_of("file-1"), "alice", 100), CLAIM_NOTED);
    ck_assert_int_eq(claim(&place, file_of("file-1"), "alice", 200), CLAIM_NOTED);
    ck_assert_int_eq(claim(&place, file_of("file-1"), "bob", 300), CLAIM_FOREIGN);
    ck_assert_str_eq(owner_of(&place, file_of("file-1")), "alice");
    place_end(&place);
}
END_TEST

START_TEST(kinds_and_upstreams_have_ids_of_their_own)
{
    struct place place = place_make();
    place_open(&place);
    static const char *const upstreams[] = {"openai", "azure"};
    for (int kind = 0; kind < OBJECT_KIND_COUNT; kind++)
        for (size_t i = 0; i < UNIT_COUNT(upstreams); i++) {
            char key[48];
            struct object object = {(enum object_kind)kind, text_of(upstreams[i]), TEXT("x")};
            (void)snprintf(key, sizeof(key), "key-%d-%zu", kind, i);
            ck_assert_int_eq(claim(&place, object, key, 1), CLAIM_NOTED);
        }
    ck_assert_str_eq(owner_of(&place, (struct object){OBJECT_BATCH, TEXT("azure"), TEXT("x")}),
                     "key-2-1");
    ck_assert_str_eq(owner_of(&place, (struct object){OBJECT_RESPONSE, TEXT("openai"), TEXT("x")}),
                     "key-0-0");
    place_end(&place);
}
END_TEST

START_TEST(what_is_noted_survives_closing_and_dying)
{
    struct place place = place_make();
    struct stat state;
    place_open(&place);
    ck_assert_int_eq(claim(&place, file_of("file-1"), "alice", 100), CLAIM_NOTED);
    place_reopen(&place);
    ck_assert_str_eq(owner_of(&place, file_of("file-1")), "alice");
    ceilings_close(place.ceilings);

    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        bool noted =
            place_try_open(&place) && claim(&place, file_of("file-2"), "bob", 100) == CLAIM_NOTED;
        _exit(noted ? 0 : 1);
    }
    int status = 1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    place_open(&place);
    ck_assert_str_eq(owner_of(&place, file_of("file-1")), "alice");
    ck_assert_str_eq(owner_of(&place, file_of("file-2")), "bob");
    ceilings_close(place.ceilings);
    place.ceilings = NULL;

    ck_assert_int_eq(stat(place.path, &state), 0);
    ck_assert_uint_eq(state.st_mode & 0777, 0600);
    char beside[160];
    (void)snprintf(beside, sizeof(beside), "%s-wal", place.path);
    ck_assert_int_ne(stat(beside, &state), 0);
    place_end(&place);
}
END_TEST

START_TEST(odd_names_are_names)
{
    static char large[CEILINGS_TEXT_MOST + 1];
    memset(large, 'a', sizeof(large));
    const struct text odd[] = {
        {"a\0b", 3},
        {"a\0c", 3},
        {"a", 1},
        {"\0", 1},
        {"\0\0", 2},
        {"'", 1},
        {"' OR 1=1 --", 11},
        {"\"", 1},
        {"\xff\xfe", 2},
        {"%", 1},
        {"_", 1},
        {"A", 1},
        {"a ", 2},
        {"x'00'", 5},
        {large, 10000},
        {large, CEILINGS_TEXT_MOST},
    };
    struct place place = place_make();
    place_open(&place);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < UNIT_COUNT(odd); i++) {
            struct object object = {OBJECT_FILE, odd[i], odd[i]};
            struct text key;
            if (round == 0)
                ck_assert_int_eq(
                    ceilings_claim(place.ceilings, &object, odd[i], (int64_t)i, &place.fault),
                    CLAIM_NOTED);
            ck_assert_int_eq(ceilings_owner(place.ceilings, &object, &key, &place.fault),
                             OWNER_KNOWN);
            ck_assert(text_equal(key, odd[i]));
            struct arena arena = {0};
            struct objects_page page;
            struct objects_query query = {.kind = OBJECT_FILE, .key = odd[i], .most = 9};
            ck_assert(ceilings_list(place.ceilings, &query, &arena, &page, &place.fault));
            ck_assert_uint_eq(page.count, 1);
            ck_assert(text_equal(page.rows[0].upstream, odd[i]));
            ck_assert(text_equal(page.rows[0].id, odd[i]));
            arena_close(&arena);
        }
        place_reopen(&place);
    }
    place_end(&place);
}
END_TEST

START_TEST(empty_and_overlong_names_own_nothing)
{
    static char large[CEILINGS_TEXT_MOST + 1];
    memset(large, 'a', sizeof(large));
    const struct text bad[] = {TEXT_NONE, {"", 0}, {large, sizeof(large)}};
    struct place place = place_make();
    place_open(&place);
    for (size_t i = 0; i < UNIT_COUNT(bad); i++) {
        const struct object objects[] = {{OBJECT_FILE, TEXT("openai"), bad[i]},
                                         {OBJECT_FILE, bad[i], TEXT("file-1")}};
        for (size_t j = 0; j < UNIT_COUNT(objects); j++) {
            ck_assert_int_eq(claim(&place, objects[j], "alice", 1), CLAIM_FAILED);
            ck_assert_str_eq(owner_of(&place, objects[j]), "nobody");
            ck_assert(ceilings_forget(place.ceilings, &objects[j], &place.fault));
        }
        struct object file = file_of("file-1");
        ck_assert_int_eq(ceilings_claim(place.ceilings, &file, bad[i], 1, &place.fault),
                         CLAIM_FAILED);
    }
    ck_assert_str_eq(owner_of(&place, file_of("file-1")), "nobody");
    place_end(&place);
}
END_TEST

START_TEST(lists_are_newest_first_and_of_one_key_and_kind)
{
    struct place place = place_make();
    struct arena arena = {0};
    place_open(&place);
    ck_assert_int_eq(claim(&place, file_of("b"), "alice", 10), CLAIM_NOTED);
    ck_assert_int_eq(claim(&place, file_of("a"), "alice", 30), CLAIM_NOTED);
    ck_assert_int_eq(claim(&place, file_of("c"), "alice", 20), CLAIM_NOTED);
    ck_assert_int_eq(claim(&place, file_of("d"), "bob", 40), CLAIM_NOTED);
    struct object batch = {OBJECT_BATCH, TEXT("openai"), TEXT("e")};
    ck_assert_int_eq(claim(&place, batch, "alice", 50), CLAIM_NOTED);
    ck_assert_str_eq(all_of(&place, OBJECT_FILE, "alice", &arena), "a c b ");
    ck_assert_str_eq(all_of(&place, OBJECT_FILE, "bob", &arena), "d ");
    ck_assert_str_eq(all_of(&place, OBJECT_BATCH, "alice", &arena), "e ");
    ck_assert_str_eq(all_of(&place, OBJECT_RESPONSE, "alice", &arena), "");
    ck_assert_str_eq(all_of(&place, OBJECT_FILE, "alic", &arena), "");
    ck_assert_str_eq(all_of(&place, OBJECT_FILE, "", &arena), "");
    arena_close(&arena);
    place_end(&place);
}
END_TEST

/* Many of one second, at two upstreams: the order must be one that pages can go on from. */
START_TEST(pages_show_every_object_once)
{
    enum { OBJECTS = 60 };
    struct place place = place_make();
    struct arena arena = {0};
    place_open(&place);
    for (int i = 0; i < OBJECTS; i++) {
        char id[32];
        (void)snprintf(id, sizeof(id), "f%02d", i / 2);
        struct object object = {OBJECT_FILE, i % 2 ? TEXT("azure") : TEXT("openai"), text_of(id)};
        ck_assert_int_eq(claim(&place, object, "alice", i / 20), CLAIM_NOTED);
    }
    struct objects_query query = {.kind = OBJECT_FILE, .key = TEXT("alice"), .most = 100};
    struct objects_page whole, page;
    listed(&place, &query, &whole, &arena);
    ck_assert_uint_eq(whole.count, OBJECTS);
    ck_assert(!whole.more);
    static const size_t sizes[] = {1, 7, 20, 59, 60, 61};
    for (size_t i = 0; i < UNIT_COUNT(sizes); i++) {
        size_t seen = 0;
        query.most = sizes[i];
        query.has_after = false;
        do {
            listed(&place, &query, &page, &arena);
            for (size_t j = 0; j < page.count; j++, seen++) {
                ck_assert_uint_lt(seen, OBJECTS);
                ck_assert(text_equal(page.rows[j].id, whole.rows[seen].id));
                ck_assert(text_equal(page.rows[j].upstream, whole.rows[seen].upstream));
            }
            query.has_after = true;
            query.after = page.rows[page.count - 1];
        } while (page.more);
        ck_assert_uint_eq(seen, OBJECTS);
    }
    arena_close(&arena);
    place_end(&place);
}
END_TEST

START_TEST(what_is_forgotten_may_be_claimed_anew)
{
    struct place place = place_make();
    struct arena arena = {0};
    place_open(&place);
    struct object file = file_of("file-1");
    ck_assert(ceilings_forget(place.ceilings, &file, &place.fault));
    ck_assert_int_eq(claim(&place, file, "alice", 1), CLAIM_NOTED);
    ck_assert_int_eq(claim(&place, file_of("file-2"), "alice", 1), CLAIM_NOTED);
    ck_assert(ceilings_forget(place.ceilings, &file, &place.fault));
    ck_assert_str_eq(owner_of(&place, file), "nobody");
    ck_assert_str_eq(all_of(&place, OBJECT_FILE, "alice", &arena), "file-2 ");
    ck_assert_int_eq(claim(&place, file, "bob", 1), CLAIM_NOTED);
    ck_assert_str_eq(owner_of(&place, file), "bob");
    arena_close(&arena);
    place_end(&place);
}
END_TEST

START_TEST(old_objects_of_a_kind_are_dropped)
{
    struct place place = place_make();
    struct arena arena = {0};
    size_t dropped = 99;
    place_open(&place);
    struct object batch = {OBJECT_BATCH, TEXT("openai"), TEXT("e")};
    ck_assert_int_eq(claim(&place, batch, "alice", 1), CLAIM_NOTED);
    ck_assert_int_eq(claim(&place, file_of("a"), "alice", 10), CLAIM_NOTED);
    ck_assert_int_eq(claim(&place, file_of("b"), "bob", 20), CLAIM_NOTED);
    ck_assert_int_eq(claim(&place, file_of("c"), "alice", 30), CLAIM_NOTED);
    ck_assert(ceilings_drop_older(place.ceilings, OBJECT_FILE, 30, &dropped, &place.fault));
    ck_assert_uint_eq(dropped, 2);
    ck_assert_str_eq(all_of(&place, OBJECT_FILE, "alice", &arena), "c ");
    ck_assert_str_eq(all_of(&place, OBJECT_FILE, "bob", &arena), "");
    ck_assert_str_eq(owner_of(&place, batch), "alice");
    ck_assert(ceilings_drop_older(place.ceilings, OBJECT_FILE, 30, &dropped, &place.fault));
    ck_assert_uint_eq(dropped, 0);
    arena_close(&arena);
    place_end(&place);
}
END_TEST

START_TEST(many_old_objects_are_dropped_in_pieces)
{
    struct place place = place_make();
    size_t dropped = 0;
    place_open(&place);
    ceilings_close(place.ceilings);
    alter(&place, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10007)"
                  " INSERT INTO objects (kind, upstream, id, key, made_s) SELECT 'file', CAST('u' "
                  "AS BLOB), CAST(i AS BLOB),"
                  " CAST('k' AS BLOB), i FROM n");
    place_open(&place);
    ck_assert(ceilings_drop_older(place.ceilings, OBJECT_FILE, 99999, &dropped, &place.fault));
    ck_assert_uint_eq(dropped, CEILINGS_DROP_MOST);
    struct object last = {OBJECT_FILE, TEXT("u"), TEXT("10007")};
    ck_assert_str_eq(owner_of(&place, last), "k"); /* the oldest go first */
    ck_assert(ceilings_drop_older(place.ceilings, OBJECT_FILE, 99999, &dropped, &place.fault));
    ck_assert_uint_eq(dropped, 7);
    place_end(&place);
}
END_TEST

/* ---- bad files and full disks ---- */

static void expect_refusal(struct place *place, const char *why)
{
    struct stat state;
    char bad[160];
    ck_assert(!place_try_open(place));
    ck_assert_msg(strstr(place->fault.message, place->path) != NULL, "%s", place->fault.message);
    ck_assert_msg(strstr(place->fault.message, why) != NULL, "%s", place->fault.message);
    (void)snprintf(bad, sizeof(bad), "%s.bad", place->path);
    ck_assert_int_ne(stat(bad, &state), 0);
    ck_assert_int_eq(stat(place->path, &state), 0);
}

static void overwrite(const struct place *place, long at, const char *bytes, size_t size)
{
    FILE *file = fopen(place->path, at < 0 ? "wb" : "r+b");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fseek(file, at < 0 ? 0 : at, SEEK_SET), 0);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    (void)fclose(file);
}

START_TEST(a_damaged_file_is_refused_and_left_where_it_is)
{
    static const char junk[4096] = "this has never been a database of any kind";
    struct place place = place_make();
    overwrite(&place, -1, junk, sizeof(junk));
    expect_refusal(&place, "is damaged: restore it from a backup");
    overwrite(&place, -1, "short", 5);
    expect_refusal(&place, "is damaged");
    ck_assert_int_eq(unlink(place.path), 0);

    place_open(&place);
    for (int i = 0; i < 500; i++) {
        char id[32];
        (void)snprintf(id, sizeof(id), "file-%d", i);
        ck_assert_int_eq(claim(&place, file_of(id), "alice", i), CLAIM_NOTED);
    }
    ceilings_close(place.ceilings);
    static char noise[4096];
    memset(noise, 0xa5, sizeof(noise));
    overwrite(&place, 3 * (long)sizeof(noise), noise, sizeof(noise));
    expect_refusal(&place, "is damaged");
    place_end(&place);
}
END_TEST

START_TEST(files_of_later_versions_and_other_programs_are_refused)
{
    struct place place = place_make();
    place_open(&place);
    ck_assert_int_eq(claim(&place, file_of("a"), "alice", 1), CLAIM_NOTED);
    ceilings_close(place.ceilings);
    alter(&place, "UPDATE component SET version = 3 WHERE name = 'objects'");
    expect_refusal(&place, "is of another version of purser");
    alter(&place, "UPDATE component SET version = 2 WHERE name = 'objects'");
    place_open(&place);
    ck_assert_str_eq(owner_of(&place, file_of("a")), "alice");
    ceilings_close(place.ceilings);

    ck_assert_int_eq(unlink(place.path), 0);
    alter(&place, "CREATE TABLE recipes (name TEXT)");
    expect_refusal(&place, "is another program's");
    place_end(&place);
}
END_TEST

/* Components of later issues do not disturb this one, nor it them. */
START_TEST(other_components_are_left_alone)
{
    struct place place = place_make();
    place_open(&place);
    ceilings_close(place.ceilings);
    alter(&place, "INSERT INTO component VALUES ('ceilings', 7);"
                  "CREATE TABLE ceilings (account INTEGER PRIMARY KEY)");
    place_open(&place);
    ck_assert_int_eq(claim(&place, file_of("a"), "alice", 1), CLAIM_NOTED);
    ceilings_close(place.ceilings);
    alter(&place, "INSERT INTO ceilings VALUES (1)");
    place_open(&place);
    place_end(&place);
}
END_TEST

START_TEST(a_place_that_cannot_be_used_is_named)
{
    struct place place = place_make();
    (void)snprintf(place.path, sizeof(place.path), "%s/missing/ceilings.db", place.dir);
    ck_assert(!place_try_open(&place));
    ck_assert_ptr_nonnull(strstr(place.fault.message, place.path));
    (void)snprintf(place.path, sizeof(place.path), "%s", place.dir);
    ck_assert(!place_try_open(&place));
    ck_assert_ptr_nonnull(strstr(place.fault.message, place.path));
    place_end(&place);
}
END_TEST

START_TEST(a_full_disk_is_a_failure_that_passes)
{
    struct place place = place_make();
    char id[32];
    int noted = 0;
    enum claim last = CLAIM_NOTED;
    place_open(&place);
    disk_limit_files(400000);
    for (; last == CLAIM_NOTED && noted < 10000; noted += last == CLAIM_NOTED) {
        (void)snprintf(id, sizeof(id), "file-%d", noted);
        last = claim(&place, file_of(id), "alice", noted);
    }
    ck_assert_int_eq(last, CLAIM_FAILED);
    ck_assert_msg(strstr(place.fault.message, "ceilings.db fails: ") != NULL, "%s",
                  place.fault.message);
    ck_assert_int_gt(noted, 10);
    ck_assert_str_eq(owner_of(&place, file_of(id)), "nobody");
    disk_limit_files(RLIM_INFINITY);
    ck_assert_int_eq(claim(&place, file_of(id), "bob", noted), CLAIM_NOTED);
    place_reopen(&place);
    ck_assert_str_eq(owner_of(&place, file_of(id)), "bob");
    for (int i = 0; i < noted; i++) {
        (void)snprintf(id, sizeof(id), "file-%d", i);
        ck_assert_str_eq(owner_of(&place, file_of(id)), "alice");
    }
    place_end(&place);
}
END_TEST

START_TEST(closing_nothing_is_fine)
{
    ceilings_close(NULL);
}
END_TEST

UNIT_MAIN(an_object_belongs_to_who_claimed_it_first, kinds_and_upstreams_have_ids_of_their_own,
          what_is_noted_survives_closing_and_dying, odd_names_are_names,
          empty_and_overlong_names_own_nothing, lists_are_newest_first_and_of_one_key_and_kind,
          pages_show_every_object_once, what_is_forgotten_may_be_claimed_anew,
          old_objects_of_a_kind_are_dropped, many_old_objects_are_dropped_in_pieces,
          a_damaged_file_is_refused_and_left_where_it_is,
          files_of_later_versions_and_other_programs_are_refused, other_components_are_left_alone,
          a_place_that_cannot_be_used_is_named, a_full_disk_is_a_failure_that_passes,
          closing_nothing_is_fine)
