/* The vault: ceilings through restarts, other boots of the machine, and disks that are full. */
#include "budget/vault.h"

#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#include "../disk.h"
#include "../unit.h"
#include "budget/ceilings.h"

#define NOW_S INT64_C(1795262400)

/* A file in a directory of its own; the registrar's connection is open beside the vault's. */
struct place {
    char dir[64];
    char path[128];
    struct ceilings *ceilings;
    struct vault *vault;
    struct arena arena;
    struct fault fault;
};

static bool try_open(struct place *place, const char *boot)
{
    place->vault = vault_open(place->path, text_of(boot), &place->fault);
    return place->vault != NULL;
}

static void open_at(struct place *place, const char *boot)
{
    bool good = try_open(place, boot);
    ck_assert_msg(good, "%s", place->fault.message);
}

static struct place place_make(void)
{
    struct place place = {.dir = "/tmp/purser-vault-XXXXXX"};
    ck_assert_ptr_nonnull(mkdtemp(place.dir));
    (void)snprintf(place.path, sizeof(place.path), "%s/ceilings.db", place.dir);
    place.ceilings = ceilings_open(place.path, &place.fault);
    ck_assert_ptr_nonnull(place.ceilings);
    open_at(&place, "boot-1");
    ck_assert(vault_accept(place.vault, &place.fault));
    return place;
}

static void place_end(struct place *place)
{
    vault_close(place->vault, true);
    ceilings_close(place->ceilings);
    arena_close(&place->arena);
    disk_remove(place->dir);
}

static void reopen(struct place *place, bool clean, const char *boot)
{
    vault_close(place->vault, clean);
    open_at(place, boot);
}

static struct charge a_charge(uint64_t account, int64_t amount)
{
    return (struct charge){.account = account,
                           .amount = amount,
                           .until_s = NOW_S + 100,
                           .unit = UNIT_TOKENS,
                           .scope = SCOPE_TEAM,
                           .budget = TEXT("teams"),
                           .id = text_make("re\0search", 9),
                           .window = "2026-11"};
}

static bool note(struct place *place, const struct charge *rows, size_t count)
{
    return vault_note(place->vault, rows, count, NOW_S, &place->fault);
}

static size_t rows_of(struct place *place, const struct charge **rows)
{
    size_t count = 99;
    bool good = vault_rows(place->vault, &place->arena, rows, &count, &place->fault);
    ck_assert_msg(good, "%s", place->fault.message);
    return count;
}

static void alter(const struct place *place, const char *sql)
{
    sqlite3 *db = NULL;
    ck_assert_int_eq(sqlite3_open(place->path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(db);
}

START_TEST(what_is_noted_is_there_after_a_restart)
{
    struct place place = place_make();
    const struct charge *rows = NULL;
    ck_assert_uint_eq(rows_of(&place, &rows), 0);
    const struct charge charges[] = {a_charge(7, 100), a_charge(UINT64_MAX - 1, 200)};
    ck_assert(note(&place, charges, 2));
    const struct charge again = a_charge(7, 40);
    ck_assert(note(&place, &again, 1));
    reopen(&place, false, "boot-1");
    ck_assert_uint_eq(rows_of(&place, &rows), 2);
    ck_assert_uint_eq(rows[0].account, UINT64_MAX - 1);
    ck_assert_int_eq(rows[0].amount, 200);
    ck_assert_uint_eq(rows[1].account, 7);
    ck_assert_int_eq(rows[1].amount, 40);
    ck_assert_int_eq(rows[1].until_s, NOW_S + 100);
    ck_assert_int_eq(rows[1].unit, UNIT_TOKENS);
    ck_assert_int_eq(rows[1].scope, SCOPE_TEAM);
    ck_assert_str_eq(rows[1].window, "2026-11");
    UNIT_TEXT(rows[1].budget, "teams");
    ck_assert(text_equal(rows[1].id, text_make("re\0search", 9)));
    place_end(&place);
}
END_TEST

START_TEST(the_journal_keeps_its_name_and_counts_its_openings)
{
    struct place place = place_make();
    struct vault_identity first = *vault_identity(place.vault);
    ck_assert_int_eq(first.incarnation, 1);
    ck_assert_uint_eq(strlen(first.journal), STORE_JOURNAL_SIZE - 1);
    reopen(&place, true, "boot-1");
    ck_assert_str_eq(vault_identity(place.vault)->journal, first.journal);
    ck_assert_int_eq(vault_identity(place.vault)->incarnation, 2);
    place_end(&place);
}
END_TEST

START_TEST(what_must_not_be_forgotten_of_the_store_is_there_after_a_restart)
{
    struct place place = place_make();
    ck_assert_int_eq(vault_identity(place.vault)->mark.epoch, 0);
    struct store_mark mark = {.epoch = 7,
                              .fence = "a.b",
                              .instances = 3,
                              .roster = {3, {{"a", 1, 2}, {"b", 3, 4}, {"c", 5, 6}}}};
    ck_assert(vault_mark(place.vault, &mark, &place.fault));
    mark.epoch = 8;
    mark.roster = (struct store_roster){2, {{"b", 3, 9}, {"c", 5, 6}}};
    ck_assert(vault_mark(place.vault, &mark, &place.fault));
    reopen(&place, false, "boot-2");
    const struct store_mark *found = &vault_identity(place.vault)->mark;
    ck_assert_int_eq(found->epoch, 8);
    ck_assert_str_eq(found->fence, "a.b");
    ck_assert_int_eq(found->instances, 3);
    ck_assert(store_roster_equal(&found->roster, &mark.roster));
    place_end(&place);
}
END_TEST

START_TEST(a_name_that_the_store_said_twice_is_noted_as_it_was_said_last)
{
    struct place place = place_make();
    const struct store_mark mark = {.fence = "a.b", .roster = {2, {{"a", 1, 2}, {"a", 3, 4}}}};
    ck_assert(vault_mark(place.vault, &mark, &place.fault));
    reopen(&place, false, "boot-2");
    const struct store_roster once = {1, {{"a", 3, 4}}};
    ck_assert(store_roster_equal(&vault_identity(place.vault)->mark.roster, &once));
    place_end(&place);
}
END_TEST

START_TEST(two_files_have_two_journals)
{
    struct place one = place_make(), other = place_make();
    ck_assert_str_ne(vault_identity(one.vault)->journal, vault_identity(other.vault)->journal);
    place_end(&one);
    place_end(&other);
}
END_TEST

START_TEST(only_another_boot_after_an_unclean_end_makes_it_not_whole)
{
    struct place place = place_make();
    ck_assert(!vault_identity(place.vault)->whole); /* a new one */
    ck_assert(vault_identity(place.vault)->fresh);
    reopen(&place, false, "boot-1"); /* kill -9 */
    ck_assert(vault_identity(place.vault)->whole);
    reopen(&place, true, "boot-2");
    ck_assert(vault_identity(place.vault)->whole);
    reopen(&place, false, "boot-3"); /* power loss */
    ck_assert(!vault_identity(place.vault)->whole);
    ck_assert(!vault_identity(place.vault)->fresh);
    reopen(&place, true, "boot-3"); /* nobody has accounted for it */
    ck_assert(!vault_identity(place.vault)->whole);
    ck_assert(vault_accept(place.vault, &place.fault));
    reopen(&place, false, "boot-3");
    ck_assert(vault_identity(place.vault)->whole);
    place_end(&place);
}
END_TEST

START_TEST(a_new_one_is_new_until_what_was_before_is_accounted_for)
{
    struct place place = place_make();
    vault_close(place.vault, true);
    alter(&place, "DELETE FROM journal");
    open_at(&place, "boot-1");
    struct vault_identity first = *vault_identity(place.vault);
    ck_assert(!first.whole);
    reopen(&place, true, "boot-1");
    ck_assert_str_eq(vault_identity(place.vault)->journal, first.journal);
    ck_assert_int_eq(vault_identity(place.vault)->incarnation, first.incarnation + 1);
    ck_assert(!vault_identity(place.vault)->whole);
    place_end(&place);
}
END_TEST

START_TEST(rows_that_are_past_their_time_go)
{
    struct place place = place_make();
    struct charge rows[] = {a_charge(1, 10), a_charge(2, 20), a_charge(3, 30)};
    rows[0].until_s = NOW_S - 1;
    rows[2].until_s = WINDOW_FOREVER;
    ck_assert(note(&place, rows, 3));
    const struct charge *left = NULL;
    ck_assert_uint_eq(rows_of(&place, &left), 2);
    reopen(&place, true, "boot-1");
    ck_assert_uint_eq(rows_of(&place, &left), 2);
    ck_assert_uint_eq(left[0].account, 2);
    ck_assert_uint_eq(left[1].account, 3);
    place_end(&place);
}
END_TEST

START_TEST(a_full_disk_fails_and_ends_by_itself)
{
    struct place place = place_make();
    const struct charge before = a_charge(1, 10), after = a_charge(1, 30);
    ck_assert(note(&place, &before, 1));
    disk_limit_files(0);
    ck_assert(!note(&place, &after, 1));
    ck_assert_ptr_nonnull(strstr(place.fault.message, place.path));
    ck_assert(!note(&place, &after, 1));
    disk_limit_files(RLIM_INFINITY);
    const struct charge *rows = NULL;
    ck_assert(note(&place, &after, 1));
    reopen(&place, false, "boot-1");
    ck_assert_uint_eq(rows_of(&place, &rows), 1);
    ck_assert_int_eq(rows[0].amount, 30);
    place_end(&place);
}
END_TEST

START_TEST(a_file_that_another_process_has_opened_meanwhile_is_not_written_again)
{
    struct place place = place_make();
    const struct charge row = a_charge(1, 10);
    disk_limit_files(0);
    ck_assert(!note(&place, &row, 1));
    disk_limit_files(RLIM_INFINITY);
    alter(&place, "UPDATE journal SET incarnation = 9");
    ck_assert(!note(&place, &row, 1));
    ck_assert_ptr_nonnull(strstr(place.fault.message, "not the file that it was"));
    place_end(&place);
}
END_TEST

/* Closing the last connection would sync the log, on the descriptor on which that may have failed.
 */
START_TEST(a_mark_that_fails_leaves_the_log_to_the_next_connection)
{
    struct place place = place_make();
    const struct charge row = a_charge(1, 10);
    const struct store_mark mark = {.epoch = 7, .fence = "a.b"};
    char log[160];
    (void)snprintf(log, sizeof(log), "%s-wal", place.path);
    ceilings_close(place.ceilings);
    place.ceilings = NULL;
    ck_assert(note(&place, &row, 1));
    alter(&place, "ALTER TABLE mark RENAME TO elsewhere");
    ck_assert(!vault_mark(place.vault, &mark, &place.fault));
    ck_assert_int_eq(access(log, F_OK), 0);
    alter(&place, "ALTER TABLE elsewhere RENAME TO mark");
    ck_assert(vault_mark(place.vault, &mark, &place.fault));
    place_end(&place);
}
END_TEST

START_TEST(an_overdraft_is_remembered)
{
    struct place place = place_make();
    struct charge row = a_charge(1, 10);
    const struct charge *rows = NULL;
    size_t count = 0;
    for (row.overdraft = 4; row.overdraft < 6; row.overdraft++) {
        ck_assert(note(&place, &row, 1));
        ck_assert(vault_rows(place.vault, &place.arena, &rows, &count, &place.fault));
        ck_assert_uint_eq(count, 1);
        ck_assert_int_eq(rows[0].overdraft, row.overdraft);
        ck_assert_int_eq(rows[0].amount, 10);
    }
    place_end(&place);
}
END_TEST

START_TEST(a_later_version_and_rows_that_are_none_are_refused)
{
    struct place place = place_make();
    const struct charge row = a_charge(1, 10);
    const struct charge *rows = NULL;
    size_t count = 0;
    ck_assert(note(&place, &row, 1));
    alter(&place, "UPDATE ceiling SET unit = 77");
    ck_assert(!vault_rows(place.vault, &place.arena, &rows, &count, &place.fault));
    vault_close(place.vault, true);
    alter(&place, "UPDATE component SET version = 5 WHERE name = 'vault'");
    ck_assert(!try_open(&place, "boot-1"));
    ck_assert_ptr_nonnull(strstr(place.fault.message, "later"));
    place_end(&place);
}
END_TEST

START_TEST(the_machine_has_a_boot)
{
    struct place place = place_make();
    struct text boot = vault_boot(&place.arena);
    ck_assert_uint_gt(boot.size, 8);
    ck_assert_uint_lt(boot.size, 64);
    ck_assert(text_equal(boot, vault_boot(&place.arena)));
    place_end(&place);
}
END_TEST

UNIT_MAIN(a_mark_that_fails_leaves_the_log_to_the_next_connection, an_overdraft_is_remembered,
          what_is_noted_is_there_after_a_restart,
          the_journal_keeps_its_name_and_counts_its_openings,
          what_must_not_be_forgotten_of_the_store_is_there_after_a_restart,
          a_name_that_the_store_said_twice_is_noted_as_it_was_said_last,
          two_files_have_two_journals, only_another_boot_after_an_unclean_end_makes_it_not_whole,
          a_new_one_is_new_until_what_was_before_is_accounted_for, rows_that_are_past_their_time_go,
          a_full_disk_fails_and_ends_by_itself,
          a_file_that_another_process_has_opened_meanwhile_is_not_written_again,
          a_later_version_and_rows_that_are_none_are_refused, the_machine_has_a_boot)
