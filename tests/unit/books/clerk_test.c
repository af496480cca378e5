/* The clerk: sums and single requests, exactly once, whatever happens to its database. */
#include <sqlite3.h>

#include "../disk.h"
#include "office.h"

START_TEST(empty_books_sum_to_nothing)
{
    struct office office;
    office_open(&office);
    ck_assert_str_eq(ask(&office, all),
                     "{\"object\":\"costs\",\"from\":null,\"to\":null,\"group_by\":[],\"total\":{"
                     "\"requests\":0,\"prompt_tokens\":0,\"cached_tokens\":0,"
                     "\"completion_tokens\":0,\"reasoning_tokens\":0,\"total_tokens\":0,"
                     "\"cost_usd\":0,\"cost_nano_usd\":0," NO_SAVINGS
                     "},\"data\":[],\"next\":null}");
    ck_assert_int_eq(office.status, 200);
    office_close(&office);
}
END_TEST

START_TEST(groups_by_day_model_and_key)
{
    struct office office;
    office_open(&office);
    call(&office, 1, "gpt-4o", "bob", 1000000);
    call(&office, 2, "gpt-4o", "alice", 2500000);
    clock_fake_advance(&office.desk.clock, SAMPLE_DAY_US);
    call(&office, 3, "o3", "alice", 7);
    struct books_query query = all;
    query.groups = GROUP_BIT(GROUP_DAY) | GROUP_BIT(GROUP_MODEL);
    ck_assert_str_eq(
        ask(&office, query),
        "{\"object\":\"costs\",\"from\":null,\"to\":null,\"group_by\":[\"day\",\"model\"],"
        "\"total\":{\"requests\":3,\"prompt_tokens\":300,\"cached_tokens\":120,"
        "\"completion_tokens\":60,\"reasoning_tokens\":15,\"total_tokens\":360,"
        "\"cost_usd\":0.003500007,\"cost_nano_usd\":3500007," NO_SAVINGS "},\"data\":["
        "{\"group\":{\"day\":\"2026-11-21\",\"model\":\"gpt-4o\"},\"requests\":2,"
        "\"prompt_tokens\":200,\"cached_tokens\":80,\"completion_tokens\":40,"
        "\"reasoning_tokens\":10,\"total_tokens\":240,\"cost_usd\":0.0035,"
        "\"cost_nano_usd\":3500000," NO_SAVINGS "},"
        "{\"group\":{\"day\":\"2026-11-22\",\"model\":\"o3\"},\"requests\":1,"
        "\"prompt_tokens\":100,\"cached_tokens\":40,\"completion_tokens\":20,"
        "\"reasoning_tokens\":5,\"total_tokens\":120,\"cost_usd\":0.000000007,"
        "\"cost_nano_usd\":7," NO_SAVINGS "}],\"next\":null}");
    query.groups = GROUP_BIT(GROUP_KEY);
    ask(&office, query);
    ck_assert(says(&office, "\"data\":[{\"group\":{\"key\":\"alice\"},\"requests\":2,"));
    ck_assert(says(&office, "{\"group\":{\"key\":\"bob\"},\"requests\":1,"));
    office_close(&office);
}
END_TEST

START_TEST(filters_by_key_model_and_whole_hours)
{
    struct office office;
    office_open(&office);
    call(&office, 1, "gpt-4o", "bob", 1);
    call(&office, 2, "gpt-4o", "alice", 2);
    clock_fake_advance(&office.desk.clock, INT64_C(3600000000));
    call(&office, 3, "x'; DROP TABLE total; --", "alice", 4);
    struct books_query query = all;
    query.filter[GROUP_KEY] = TEXT("alice");
    ask(&office, query);
    ck_assert(says(&office, "\"cost_nano_usd\":6,"));
    query.filter[GROUP_MODEL] = TEXT("x'; DROP TABLE total; --");
    ask(&office, query);
    ck_assert(says(&office, "\"cost_nano_usd\":4,"));

    query = all;
    query.from_us = SAMPLE_US + INT64_C(3600000000); /* 21:15, that is from 21:00 */
    ask(&office, query);
    ck_assert(says(&office, "\"from\":\"2026-11-21T21:00:00.000000+00:00\",\"to\":null"));
    ck_assert(says(&office, "\"cost_nano_usd\":4,"));
    query.from_us = 0;
    query.to_us = SAMPLE_US + INT64_C(3600000000);
    ask(&office, query);
    ck_assert(says(&office, "\"from\":null,\"to\":\"2026-11-21T21:00:00.000000+00:00\""));
    ck_assert(says(&office, "\"cost_nano_usd\":3,"));
    query.to_us = -1;
    query.from_us = INT64_MIN;
    ask(&office, query);
    ck_assert(says(&office, "\"cost_nano_usd\":0,"));
    office_close(&office);
}
END_TEST

START_TEST(counts_each_line_once_across_rotation_and_restart)
{
    struct office office;
    office_open(&office);
    int64_t want = 0;
    for (int i = 1; i <= 30; i++) {
        if (i % 7 == 0)
            clock_fake_advance(&office.desk.clock, SAMPLE_DAY_US);
        if (i % 11 == 0) {
            clerk_close(office.clerk);
            clerk_begin(&office);
        }
        call(&office, i, "gpt-4o", "alice", i);
        want += i;
        char total[64];
        (void)snprintf(total, sizeof(total), "\"cost_nano_usd\":%lld,", (long long)want);
        ask(&office, all);
        ck_assert_msg(says(&office, total), "%s", office.body);
    }
    ck_assert_uint_gt(desk_file_count(&office.desk), 4);
    office_close(&office);
}
END_TEST

START_TEST(forfeits_count_too)
{
    struct office office;
    office_open(&office);
    desk_note(&office.desk, ENTRY_RESERVE, 1, 5);
    desk_note(&office.desk, ENTRY_EXTEND, 1, 7);
    desk_commit(&office.desk);
    ask(&office, all);
    ck_assert(says(&office, "\"requests\":0,"));
    desk_close(&office.desk);
    desk_open(&office.desk);
    ask(&office, all);
    ck_assert(says(&office, "\"requests\":1,"));
    ck_assert(says(&office, "\"cost_nano_usd\":7,"));
    office_close(&office);
}
END_TEST

START_TEST(a_file_that_is_not_what_it_was_is_counted_anew)
{
    struct office office;
    office_open(&office);
    call(&office, 1, "gpt-4o", "alice", 1);
    struct buffer content = desk_content(&office.desk);
    call(&office, 2, "gpt-4o", "alice", 2);
    ask(&office, all);
    ck_assert(says(&office, "\"cost_nano_usd\":3,"));

    /* Cut back, as a commit that failed half-way is; and then written again, differently. */
    struct ledger_file file = desk_newest(&office.desk);
    sample_write(&office.desk.dir, file.name, buffer_text(&content));
    ask(&office, all);
    ck_assert(says(&office, "\"cost_nano_usd\":1,"));
    sample_write(&office.desk.dir, file.name, TEXT("{}\n{\"half a line"));
    ask(&office, all);
    ck_assert(says(&office, "\"cost_nano_usd\":0,"));
    sample_write(&office.desk.dir, file.name, buffer_text(&content));
    ask(&office, all);
    ck_assert(says(&office, "\"cost_nano_usd\":1,"));
    buffer_close(&content);
    office_close(&office);
}
END_TEST

START_TEST(a_corrupt_database_is_moved_aside_and_made_anew)
{
    struct office office;
    office_open(&office);
    call(&office, 1, "gpt-4o", "alice", 5);
    clerk_close(office.clerk);
    sample_write(&office.desk.dir, "books.db", TEXT("this has never been a database of any kind"));
    clerk_begin(&office);
    ask(&office, all);
    ck_assert(says(&office, "\"cost_nano_usd\":5,"));
    struct buffer bad = sample_read(&office.desk.dir, "books.db.bad");
    ck_assert_uint_gt(bad.size, 0);
    buffer_close(&bad);
    struct stat state;
    char path[128];
    database_of(&office, path);
    ck_assert_int_eq(stat(path, &state), 0);
    ck_assert_uint_eq(state.st_mode & 0777, 0600);
    office_close(&office);
}
END_TEST

/* Changes the database that no clerk has open. */
static void alter(const struct office *office, const char *sql)
{
    sqlite3 *db = NULL;
    char path[128];
    database_of(office, path);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(db);
}

static bool was_set_aside(const struct office *office)
{
    struct buffer bad = sample_read(&office->desk.dir, "books.db.bad");
    bool found = bad.size > 0;
    buffer_close(&bad);
    return found;
}

static void to_version_2(const struct office *office)
{
    alter(office, "ALTER TABLE total DROP COLUMN hits;"
                  "ALTER TABLE total DROP COLUMN saved_cache;"
                  "ALTER TABLE total DROP COLUMN saved_router;"
                  "ALTER TABLE total DROP COLUMN saved_optimizer;"
                  "ALTER TABLE total DROP COLUMN saved_batch;"
                  "ALTER TABLE total DROP COLUMN saved_early_stop;"
                  "PRAGMA user_version = 2");
}

START_TEST(a_database_of_the_version_before_loses_nothing)
{
    struct office office;
    office_open(&office);
    call(&office, 1, "gpt-4o", "alice", 5);
    struct ledger_file file = desk_newest(&office.desk);
    clock_fake_advance(&office.desk.clock, SAMPLE_DAY_US);
    call(&office, 2, "gpt-4o", "alice", 2);
    ask(&office, all);
    clerk_close(office.clerk);
    to_version_2(&office);
    sample_remove(&office.desk.dir, file.name); /* its sums stand in the database alone */
    clerk_begin(&office);
    call(&office, 3, "gpt-4o", "alice", 1);
    ask(&office, all);
    ck_assert_msg(says(&office, "\"cost_nano_usd\":8," NO_SAVINGS), "%s", office.body);
    ck_assert(!was_set_aside(&office));
    office_close(&office);
}
END_TEST

START_TEST(a_full_disk_is_no_reason_to_set_a_sound_database_aside)
{
    struct office office;
    struct fault fault;
    char path[128];
    office_open(&office);
    call(&office, 1, "gpt-4o", "alice", 5);
    ask(&office, all);
    clerk_close(office.clerk);
    to_version_2(&office);
    database_of(&office, path);
    disk_limit_files(1);
    ck_assert_ptr_null(clerk_open(office.desk.dir.path, path, &fault));
    ck_assert_msg(strstr(fault.message, path) != NULL, "%s", fault.message);
    disk_limit_files(RLIM_INFINITY);
    ck_assert(!was_set_aside(&office));
    clerk_begin(&office);
    ask(&office, all);
    ck_assert(says(&office, "\"cost_nano_usd\":5," NO_SAVINGS));
    ck_assert(!was_set_aside(&office));
    office_close(&office);
}
END_TEST

START_TEST(a_database_of_any_other_version_is_made_anew)
{
    static const char *const versions[] = {"PRAGMA user_version = 1", "PRAGMA user_version = 4",
                                           "PRAGMA user_version = -1", "PRAGMA user_version = 2"};
    for (size_t i = 0; i < UNIT_COUNT(versions); i++) {
        struct office office;
        office_open(&office);
        call(&office, 1, "gpt-4o", "alice", 5);
        ask(&office, all);
        clerk_close(office.clerk);
        alter(&office, versions[i]); /* the last one lies: it has the columns already */
        clerk_begin(&office);
        ask(&office, all);
        ck_assert(says(&office, "\"cost_nano_usd\":5,"));
        ck_assert(was_set_aside(&office));
        office_close(&office);
    }
}
END_TEST

START_TEST(gives_the_lines_of_one_request)
{
    struct office office;
    char room[48];
    office_open(&office);
    call(&office, 1, "gpt-4o", "alice", 1000);
    clock_fake_advance(&office.desk.clock, SAMPLE_DAY_US);
    call(&office, 2, "gpt-4o", "alice", 2);
    struct books_query query = {.subject = BOOKS_REQUEST,
                                .request_id = text_slice(text_of(sample_call(1, room)), 0, 28)};
    ask(&office, query);
    ck_assert_int_eq(office.status, 200);
    ck_assert(says(&office, "{\"object\":\"costs.request\",\"request_id\":\"req_"));
    ck_assert(says(&office, "\"cost_usd\":0.000001,\"cost_nano_usd\":1000,\"lines\":[{\"time"));
    ck_assert(says(&office, "\"kind\":\"reserve\""));
    ck_assert(says(&office, "\"kind\":\"settle\""));
    struct json_value value;
    ck_assert_int_eq(json_parse(text_of(office.body), &value, NULL), JSON_OK);

    query.filter[GROUP_KEY] = TEXT("alice");
    ask(&office, query);
    ck_assert_int_eq(office.status, 200);
    office_close(&office);
}
END_TEST

START_TEST(a_request_of_another_key_or_of_nobody_is_not_found)
{
    struct office office;
    char room[48];
    office_open(&office);
    call(&office, 1, "gpt-4o", "alice", 1000);
    struct text id = text_slice(text_of(sample_call(1, room)), 0, 28);
    ask(&office, (struct books_query){
                     .subject = BOOKS_REQUEST, .request_id = id, .filter[GROUP_KEY] = TEXT("bob")});
    ck_assert_int_eq(office.status, 404);
    ck_assert(says(&office, "\"code\":\"request_not_found\""));
    static const char *const ids[] = {"req_", "x", "req_000000000000000000000001",
                                      "req_zzzzzzzzzzzzzzzzzzzzzzzz",
                                      "req_ffffffffffffffffffffffff"};
    for (size_t i = 0; i < UNIT_COUNT(ids); i++) {
        ask(&office, (struct books_query){.subject = BOOKS_REQUEST, .request_id = text_of(ids[i])});
        ck_assert_int_eq(office.status, 404);
    }
    office_close(&office);
}
END_TEST

START_TEST(at_most_256_questions_wait)
{
    struct office office;
    office_open(&office);
    struct books_query query = all;
    query.mailbox = office.mailbox;
    size_t taken = 0;
    while (taken < 100000 && clerk_ask(office.clerk, &query))
        taken++;
    ck_assert_uint_ge(taken, 256);
    ck_assert_uint_lt(taken, 100000);
    office_close(&office); /* those that wait are dropped, without a leak */
}
END_TEST

START_TEST(a_place_that_cannot_be_used_is_named)
{
    struct sample_dir dir = sample_dir_make();
    struct fault fault;
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/missing/books.db", dir.path);
    ck_assert_ptr_null(clerk_open(dir.path, path, &fault));
    ck_assert_ptr_nonnull(strstr(fault.message, path));
    ck_assert_ptr_null(clerk_open("/nowhere/at/all", path, &fault));
    ck_assert_ptr_nonnull(strstr(fault.message, "/nowhere/at/all"));
    sample_dir_remove(&dir);
}
END_TEST

UNIT_MAIN(empty_books_sum_to_nothing, groups_by_day_model_and_key,
          filters_by_key_model_and_whole_hours, counts_each_line_once_across_rotation_and_restart,
          forfeits_count_too, a_file_that_is_not_what_it_was_is_counted_anew,
          a_corrupt_database_is_moved_aside_and_made_anew,
          a_database_of_the_version_before_loses_nothing,
          a_full_disk_is_no_reason_to_set_a_sound_database_aside,
          a_database_of_any_other_version_is_made_anew, gives_the_lines_of_one_request,
          a_request_of_another_key_or_of_nobody_is_not_found, at_most_256_questions_wait,
          a_place_that_cannot_be_used_is_named)
