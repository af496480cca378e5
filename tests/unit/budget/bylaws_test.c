/* Bylaws: lines, merging in any order, and files. */
#include "budget/bylaws.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../unit.h"

static struct bylaw bylaw(enum bylaw_kind kind, const char *id, int64_t version, const char *body)
{
    return (struct bylaw){.kind = kind,
                          .id = text_of(id),
                          .version = version,
                          .at_s = 1795342453,
                          .last4 = kind == BYLAW_KEY ? TEXT("9f3c") : TEXT(""),
                          .body = text_of(body)};
}

static enum bylaw_merge merge(struct bylaws *bylaws, const char *id, int64_t version,
                              const char *body)
{
    const struct bylaw one = bylaw(BYLAW_BUDGET, id, version, body);
    return bylaws_merge(bylaws, &one);
}

static void check_same(const struct bylaws *a, const struct bylaws *b)
{
    ck_assert_uint_eq(bylaws_count(a), bylaws_count(b));
    for (size_t i = 0; i < bylaws_count(a); i++)
        ck_assert(text_equal(bylaws_line(a, i), bylaws_line(b, i)));
}

START_TEST(a_line_is_read_as_it_was_put)
{
    struct arena arena = {0};
    struct buffer line = {0};
    struct fault fault;
    const struct bylaw put = bylaw(BYLAW_KEY, "b\"o\nb", 1795342453355, "{\"a\":[1,\n \"x\"]}");
    struct bylaw read;
    bylaw_put_line(&line, &put);
    ck_assert_uint_eq(text_find(buffer_text(&line), TEXT("\n"), 0), SIZE_MAX);
    ck_assert_msg(bylaw_read_line(buffer_text(&line), &arena, &read, &fault), "%s", fault.message);
    ck_assert_int_eq(read.kind, BYLAW_KEY);
    ck_assert_int_eq(read.version, put.version);
    ck_assert_int_eq(read.at_s, put.at_s);
    ck_assert(text_equal(read.id, put.id));
    ck_assert(text_equal(read.last4, put.last4));
    ck_assert(text_equal(read.body, TEXT("{\"a\":[1,  \"x\"]}")));
    buffer_close(&line);
    arena_close(&arena);
}
END_TEST

START_TEST(what_is_no_line_is_refused)
{
    static const char *const lines[] = {
        "",
        "5",
        "5 ",
        " {}",
        "0 {\"kind\":\"key\",\"id\":\"a\",\"at\":1}",
        "-5 {\"kind\":\"key\",\"id\":\"a\",\"at\":1}",
        "9007199254740992 {\"kind\":\"key\",\"id\":\"a\",\"at\":1}",
        "5 [1]",
        "5 {\"kind\":\"key\",\"id\":\"a\"",
        "5 {\"kind\":\"law\",\"id\":\"a\",\"at\":1}",
        "5 {\"kind\":\"key\",\"id\":\"\",\"at\":1}",
        "5 {\"kind\":\"key\",\"id\":7,\"at\":1}",
        "5 {\"kind\":\"key\",\"id\":\"a\",\"at\":-1}",
        "5 {\"kind\":\"key\",\"id\":\"a\",\"at\":\"1\"}",
        "5 {\"kind\":\"key\",\"id\":\"a\",\"at\":1,\"body\":[]}",
        "5 {\"kind\":\"key\",\"id\":\"a\",\"at\":1,\"last4\":\"12345\"}",
    };
    struct arena arena = {0};
    struct bylaw read;
    struct fault fault;
    for (size_t i = 0; i < UNIT_COUNT(lines); i++)
        ck_assert_msg(!bylaw_read_line(text_of(lines[i]), &arena, &read, &fault), "%s", lines[i]);
    arena_close(&arena);
}
END_TEST

START_TEST(the_higher_version_holds)
{
    struct bylaws *bylaws = bylaws_open();
    ck_assert_int_eq(merge(bylaws, "a", 5, "{\"usd\":5}"), BYLAW_TAKEN);
    ck_assert_int_eq(merge(bylaws, "a", 5, "{\"usd\":5}"), BYLAW_KNOWN);
    ck_assert_int_eq(merge(bylaws, "a", 4, "{\"usd\":9}"), BYLAW_OLDER);
    uint64_t changes = bylaws_changes(bylaws);
    ck_assert_int_eq(merge(bylaws, "a", 6, ""), BYLAW_TAKEN);
    ck_assert_uint_ne(bylaws_changes(bylaws), changes);
    ck_assert_int_eq(merge(bylaws, "a", 5, "{\"usd\":5}"), BYLAW_OLDER); /* stays taken back */
    ck_assert_uint_eq(bylaws_find(bylaws, BYLAW_BUDGET, TEXT("a"))->body.size, 0);
    ck_assert_ptr_null(bylaws_find(bylaws, BYLAW_KEY, TEXT("a")));
    bylaws_close(bylaws);
}
END_TEST

START_TEST(the_next_version_is_above_all_and_no_less_than_the_time)
{
    struct bylaws *bylaws = bylaws_open();
    ck_assert_int_eq(bylaws_next_version(bylaws, 1000), 1000);
    (void)merge(bylaws, "a", 5000, "");
    ck_assert_int_eq(bylaws_next_version(bylaws, 1000), 5001);
    ck_assert_int_eq(bylaws_next_version(bylaws, 9000), 9000);
    bylaws_close(bylaws);
}
END_TEST

START_TEST(sets_end_alike_in_whatever_order_they_are_merged)
{
    enum { RECORDS = 200, ROUNDS = 20 };
    uint64_t random = 7;
    struct bylaw all[RECORDS];
    char ids[RECORDS][8], bodies[RECORDS][32];
    for (int i = 0; i < RECORDS; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        (void)snprintf(ids[i], sizeof(ids[i]), "id%d", (int)(random >> 33) % 20);
        (void)snprintf(bodies[i], sizeof(bodies[i]), "{\"usd\":%d}", i % 7);
        all[i] = bylaw(i % 3 == 0 ? BYLAW_KEY : BYLAW_BUDGET, ids[i],
                       1 + (int64_t)(random >> 50) % 9, i % 5 == 0 ? "" : bodies[i]);
    }
    struct bylaws *first = bylaws_open();
    for (int i = 0; i < RECORDS; i++)
        (void)bylaws_merge(first, &all[i]);
    for (int round = 0; round < ROUNDS; round++) {
        struct bylaws *other = bylaws_open();
        for (int i = 0; i < 4 * RECORDS; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            (void)bylaws_merge(other, &all[(random >> 33) % RECORDS]);
        }
        for (int i = RECORDS; i-- > 0;)
            (void)bylaws_merge(other, &all[i]);
        check_same(first, other);
        bylaws_close(other);
    }
    struct bylaws *copy = bylaws_copy(first);
    check_same(first, copy);
    bylaws_close(copy);
    bylaws_close(first);
}
END_TEST

START_TEST(there_are_only_so_many)
{
    struct bylaws *bylaws = bylaws_open();
    char id[16];
    for (int i = 0; i < BYLAWS_MOST; i++) {
        (void)snprintf(id, sizeof(id), "%d", i);
        ck_assert_int_eq(merge(bylaws, id, 1, ""), BYLAW_TAKEN);
    }
    ck_assert_int_eq(merge(bylaws, "one-more", 1, ""), BYLAW_FULL);
    ck_assert_int_eq(merge(bylaws, "7", 2, ""), BYLAW_TAKEN);
    bylaws_close(bylaws);
}
END_TEST

/* ---- files ---- */

struct place {
    char dir[64], path[128];
    struct fault fault;
};

static struct place place_make(void)
{
    struct place place = {.dir = "/tmp/purser-bylaws-XXXXXX"};
    ck_assert_ptr_nonnull(mkdtemp(place.dir));
    (void)snprintf(place.path, sizeof(place.path), "%s/bylaws.jsonl", place.dir);
    return place;
}

static void place_end(const struct place *place)
{
    (void)unlink(place->path);
    ck_assert_int_eq(rmdir(place->dir), 0); /* nothing else was left */
}

static void write_file(const char *path, struct text bytes)
{
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes.at, 1, bytes.size, file), bytes.size);
    ck_assert_int_eq(fclose(file), 0);
}

static size_t read_file(const char *path, char *out, size_t most)
{
    FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    size_t size = fread(out, 1, most, file);
    ck_assert_int_eq(fclose(file), 0);
    return size;
}

START_TEST(a_file_gives_back_what_was_saved)
{
    struct place place = place_make();
    struct bylaws *saved = bylaws_open(), *loaded = bylaws_open();
    struct stat stat_of;
    ck_assert(bylaws_load(loaded, place.path, &place.fault)); /* none yet */
    (void)merge(saved, "a", 5, "{\"usd\":5}");
    (void)merge(saved, "b", 6, "");
    ck_assert(bylaws_save(saved, place.path, &place.fault));
    ck_assert(bylaws_save(saved, place.path, &place.fault));
    ck_assert_int_eq(stat(place.path, &stat_of), 0);
    ck_assert_uint_eq(stat_of.st_mode & 0777, 0600);
    ck_assert_msg(bylaws_load(loaded, place.path, &place.fault), "%s", place.fault.message);
    check_same(saved, loaded);
    bylaws_close(saved);
    bylaws_close(loaded);
    place_end(&place);
}
END_TEST

START_TEST(a_file_cut_short_anywhere_is_refused)
{
    struct place place = place_make();
    struct bylaws *saved = bylaws_open();
    char bytes[1024];
    (void)merge(saved, "a", 5, "{\"usd\":5}");
    (void)merge(saved, "b", 6, "");
    ck_assert(bylaws_save(saved, place.path, &place.fault));
    size_t size = read_file(place.path, bytes, sizeof(bytes));
    for (size_t cut = 0; cut < size; cut++) {
        struct bylaws *loaded = bylaws_open();
        write_file(place.path, text_make(bytes, cut));
        ck_assert_msg(!bylaws_load(loaded, place.path, &place.fault), "%zu of %zu", cut, size);
        ck_assert_ptr_nonnull(strstr(place.fault.message, place.path));
        bylaws_close(loaded);
    }
    bylaws_close(saved);
    place_end(&place);
}
END_TEST

START_TEST(a_file_that_cannot_be_written_leaves_the_one_before)
{
    struct place place = place_make();
    struct bylaws *saved = bylaws_open(), *loaded = bylaws_open();
    char fresh[160];
    (void)snprintf(fresh, sizeof(fresh), "%s.new", place.path);
    (void)merge(saved, "a", 5, "{\"usd\":5}");
    ck_assert(bylaws_save(saved, place.path, &place.fault));
    ck_assert_int_eq(mkdir(fresh, 0700), 0);
    (void)merge(saved, "b", 6, "");
    ck_assert(!bylaws_save(saved, place.path, &place.fault));
    ck_assert_int_eq(rmdir(fresh), 0);
    ck_assert(bylaws_load(loaded, place.path, &place.fault));
    ck_assert_uint_eq(bylaws_count(loaded), 1);
    bylaws_close(saved);
    bylaws_close(loaded);
    place_end(&place);
}
END_TEST

UNIT_MAIN(a_line_is_read_as_it_was_put, what_is_no_line_is_refused, the_higher_version_holds,
          the_next_version_is_above_all_and_no_less_than_the_time,
          sets_end_alike_in_whatever_order_they_are_merged, there_are_only_so_many,
          a_file_gives_back_what_was_saved, a_file_cut_short_anywhere_is_refused,
          a_file_that_cannot_be_written_leaves_the_one_before)
