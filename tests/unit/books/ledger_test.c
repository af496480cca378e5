/* The ledger: committing, rotating, full disks, and what several threads do to it. */
#include <pthread.h>

#include "../disk.h"
#include "desk.h"

static size_t count_of(struct text whole, const char *what)
{
    size_t count = 0;
    for (size_t at = 0; (at = text_find(whole, text_of(what), at)) != SIZE_MAX; at++)
        count++;
    return count;
}

START_TEST(begins_a_directory_with_an_open_line)
{
    struct desk desk = desk_make();
    struct sample_dir outer = desk.dir;
    size_t size = strlen(outer.path);
    (void)snprintf(desk.dir.path + size, 16, "/data/ledger");
    desk_open(&desk);
    struct stat stat_dir;
    ck_assert_int_eq(stat(desk.dir.path, &stat_dir), 0);
    ck_assert_uint_eq(stat_dir.st_mode & 0777, 0700);
    struct ledger_file file = desk_newest(&desk);
    ck_assert_str_eq(file.name, "2026-11-21.n1.0001.jsonl");
    struct buffer content = desk_content(&desk);
    ck_assert_uint_eq(count_of(buffer_text(&content), "\n"), 1);
    ck_assert_uint_eq(count_of(buffer_text(&content), "\"kind\":\"open\""), 1);
    ck_assert_uint_eq(count_of(buffer_text(&content), "\"chained_to\":\"\",\"balances\":[]"), 1);
    buffer_close(&content);
    desk_close(&desk);
    ck_assert(desk_chain_holds(&desk));
    sample_dir_remove(&outer);
}
END_TEST

START_TEST(files_are_the_owners_alone)
{
    struct desk desk = desk_make();
    desk_open(&desk);
    char path[256];
    struct stat state;
    (void)snprintf(path, sizeof(path), "%s/%s", desk.dir.path, desk_newest(&desk).name);
    ck_assert_int_eq(stat(path, &state), 0);
    ck_assert_uint_eq(state.st_mode & 0777, 0600);
    desk_close(&desk);
    desk_end(&desk);
}
END_TEST

START_TEST(commits_a_batch_in_its_order)
{
    struct desk desk = desk_make();
    desk_open(&desk);
    ck_assert(ledger_batch_empty(desk.batch));
    desk_note(&desk, ENTRY_RESERVE, 1, 30);
    desk_note(&desk, ENTRY_RESERVE, 2, 40);
    desk_note(&desk, ENTRY_SETTLE, 1, 20);
    ck_assert(!ledger_batch_empty(desk.batch));
    desk_commit(&desk);
    ck_assert(ledger_batch_empty(desk.batch));
    ck_assert_int_eq(desk_spent(&desk), 20);
    desk_commit(&desk); /* nothing more to write */
    struct buffer content = desk_content(&desk);
    ck_assert_uint_eq(count_of(buffer_text(&content), "\n"), 4);
    ck_assert_uint_eq(count_of(buffer_text(&content), ",\"seq\":4,"), 1);
    buffer_close(&content);
    desk_close(&desk);
    ck_assert(desk_chain_holds(&desk));
    desk_end(&desk);
}
END_TEST

START_TEST(says_when_a_line_is_in_the_file)
{
    struct desk desk = desk_make();
    desk_open(&desk);
    desk_note(&desk, ENTRY_RESERVE, 1, 30);
    desk_commit(&desk);
    uint64_t noted = ledger_batch_written(desk.batch);
    desk_commit(&desk); /* nothing */
    ck_assert_uint_eq(ledger_batch_written(desk.batch), noted);
    desk_note(&desk, ENTRY_EXTEND, 1, 40);
    ck_assert_uint_eq(ledger_batch_written(desk.batch), noted);
    desk_commit(&desk);
    ck_assert_uint_gt(ledger_batch_written(desk.batch), noted);
    ck_assert_int_eq(desk_spent(&desk), 0);
    desk_note(&desk, ENTRY_SETTLE, 1, 35);
    desk_commit(&desk);
    ck_assert_int_eq(desk_spent(&desk), 35);
    desk_close(&desk);
    ck_assert(desk_chain_holds(&desk));
    desk_end(&desk);
}
END_TEST

START_TEST(a_second_settlement_changes_nothing)
{
    struct desk desk = desk_make();
    desk_open(&desk);
    desk_call(&desk, 1, 20);
    desk_note(&desk, ENTRY_SETTLE, 1, 20);
    desk_commit(&desk);
    ck_assert_int_eq(desk_spent(&desk), 20);
    desk_close(&desk);
    desk_end(&desk);
}
END_TEST

START_TEST(a_withdrawn_reserve_is_never_written)
{
    struct desk desk = desk_make();
    char room[48];
    desk_open(&desk);
    desk_note(&desk, ENTRY_RESERVE, 1, 30);
    desk_note(&desk, ENTRY_RESERVE, 2, 30);
    ck_assert(ledger_withdraw(desk.batch, text_of(sample_call(1, room))));
    ck_assert(!ledger_withdraw(desk.batch, text_of(sample_call(1, room))));
    ck_assert(!ledger_withdraw(desk.batch, text_of(sample_call(3, room))));
    desk_commit(&desk);
    struct buffer content = desk_content(&desk);
    ck_assert_uint_eq(count_of(buffer_text(&content), sample_call(1, room)), 0);
    ck_assert_uint_eq(count_of(buffer_text(&content), sample_call(2, room)), 1);
    buffer_close(&content);
    desk_close(&desk);
    ck_assert(desk_chain_holds(&desk));
    desk_end(&desk);
}
END_TEST

START_TEST(a_batch_of_which_all_is_withdrawn_is_empty)
{
    struct desk desk = desk_make();
    char room[48];
    desk_open(&desk);
    for (int call = 1; call <= 3; call++)
        desk_note(&desk, ENTRY_RESERVE, call, 30);
    ck_assert(ledger_withdraw(desk.batch, text_of(sample_call(2, room))));
    ck_assert(ledger_withdraw(desk.batch, text_of(sample_call(3, room))));
    ck_assert(!ledger_batch_empty(desk.batch));
    ck_assert(ledger_withdraw(desk.batch, text_of(sample_call(1, room))));
    ck_assert(ledger_batch_empty(desk.batch));
    desk_call(&desk, 4, 5);
    desk_close(&desk);
    ck_assert(desk_chain_holds(&desk));
    desk_end(&desk);
}
END_TEST

START_TEST(a_second_process_is_told_who_was_first)
{
    struct desk desk = desk_make();
    desk_open(&desk);
    struct desk other = desk;
    ck_assert(!desk_try_open(&other));
    char pid[32];
    (void)snprintf(pid, sizeof(pid), "process %d)", (int)getpid());
    ck_assert_msg(strstr(other.fault.message, pid) != NULL, "%s", other.fault.message);
    desk_close(&desk);
    desk_open(&desk); /* the lock ends with its holder */
    desk_close(&desk);
    desk_end(&desk);
}
END_TEST

START_TEST(a_directory_that_cannot_be_made_is_named)
{
    struct desk desk = desk_make();
    struct desk inside = desk;
    sample_write(&desk.dir, "file", TEXT("x"));
    (void)snprintf(inside.dir.path + strlen(inside.dir.path), 16, "/file/ledger");
    ck_assert(!desk_try_open(&inside));
    ck_assert_ptr_nonnull(strstr(inside.fault.message, "/file"));
    desk_end(&desk);
}
END_TEST

/* ---- rotation ---- */

START_TEST(rotates_by_size_and_carries_the_balances)
{
    struct desk desk = desk_make();
    desk.rotate_bytes = 2000;
    desk_open(&desk);
    for (int call = 0; call < 20; call++)
        desk_call(&desk, call, 5);
    desk_note(&desk, ENTRY_RESERVE, 99, 7);
    desk_commit(&desk);
    size_t count = desk_file_count(&desk);
    ck_assert_uint_gt(count, 5);
    ck_assert_uint_lt(count, 20);
    ck_assert_int_eq(desk_spent(&desk), 100);
    desk_close(&desk);
    ck_assert(desk_chain_holds(&desk));

    desk_open(&desk); /* the hold that was left open is booked */
    ck_assert_int_eq(desk_spent(&desk), 107);
    desk_close(&desk);
    ck_assert(desk_chain_holds(&desk));
    desk_end(&desk);
}
END_TEST

START_TEST(a_file_names_the_prices_that_are_in_force_when_it_begins)
{
    struct desk desk = desk_make();
    desk.rotate_bytes = 1;
    desk_open(&desk);
    ledger_reprice(desk.ledger, TEXT("8899aabbccddeeff"));
    desk_call(&desk, 1, 5);
    desk_call(&desk, 2, 5);
    struct buffer last = desk_content(&desk);
    ck_assert_uint_eq(count_of(buffer_text(&last), "\"8899aabbccddeeff\""), 1);
    ck_assert_uint_eq(count_of(buffer_text(&last), "\"0011223344556677\""), 0);
    buffer_close(&last);
    desk_close(&desk);
    ck_assert(desk_chain_holds(&desk));
    desk_end(&desk);
}
END_TEST

START_TEST(a_file_of_balances_alone_is_not_left_at_once)
{
    struct desk desk = desk_make();
    desk.rotate_bytes = 1;
    desk_open(&desk);
    desk_note(&desk, ENTRY_RESERVE, 1, 7);
    desk_commit(&desk);
    ck_assert_uint_eq(desk_file_count(&desk), 1);
    desk_note(&desk, ENTRY_SETTLE, 1, 7);
    desk_commit(&desk);
    ck_assert_uint_eq(desk_file_count(&desk), 2);
    desk_close(&desk);
    desk_end(&desk);
}
END_TEST

START_TEST(begins_a_file_each_day_and_forgets_what_is_over)
{
    struct desk desk = desk_make();
    desk_open(&desk);
    desk_call(&desk, 1, 5);
    clock_fake_advance(&desk.clock, SAMPLE_DAY_US);
    desk_note(&desk, ENTRY_REFUSE, 2, 0);
    desk_commit(&desk);
    ck_assert_str_eq(desk_newest(&desk).name, "2026-11-22.n1.0001.jsonl");
    ck_assert_uint_eq(desk_file_count(&desk), 2);
    ck_assert_int_eq(desk_spent(&desk), 0);
    desk_close(&desk);
    ck_assert(desk_chain_holds(&desk));
    desk_end(&desk);
}
END_TEST

START_TEST(a_clock_set_back_keeps_the_order_of_files)
{
    struct desk desk = desk_make();
    desk_open(&desk);
    desk_call(&desk, 1, 5);
    desk_close(&desk);
    clock_fake_advance(&desk.clock, -3 * SAMPLE_DAY_US);
    desk.node = "another host";
    desk_open(&desk);
    ck_assert_str_eq(desk_newest(&desk).name, "2026-11-21.another_host.0002.jsonl");
    ck_assert_int_eq(desk_spent(&desk), 5);
    desk_close(&desk);
    ck_assert(desk_chain_holds(&desk));
    desk_end(&desk);
}
END_TEST

/* ---- a disk that is full ---- */

START_TEST(a_failed_write_is_cut_off_and_tried_again_later)
{
    struct desk desk = desk_make();
    desk_open(&desk);
    desk_call(&desk, 1, 5);
    struct buffer before = desk_content(&desk);

    disk_limit_files(before.size + 300); /* less than a line: the write comes back short */
    desk_note(&desk, ENTRY_RESERVE, 2, 7);
    desk_note(&desk, ENTRY_RESERVE, 3, 7);
    ck_assert(!ledger_commit(desk.batch, &desk.fault));
    ck_assert(ledger_failing(desk.ledger));
    ck_assert_ptr_nonnull(strstr(desk.fault.message, "2026-11-21.n1.0001.jsonl"));
    struct buffer after = desk_content(&desk);
    ck_assert(text_equal(buffer_text(&before), buffer_text(&after)));
    buffer_close(&after);

    char room[48];
    ck_assert(ledger_withdraw(desk.batch, text_of(sample_call(2, room))));
    disk_limit_files(RLIM_INFINITY);
    desk_commit(&desk);
    ck_assert(!ledger_failing(desk.ledger));
    after = desk_content(&desk);
    ck_assert_uint_eq(count_of(buffer_text(&after), sample_call(2, room)), 0);
    ck_assert_uint_eq(count_of(buffer_text(&after), sample_call(3, room)), 1);
    buffer_close(&after);
    buffer_close(&before);
    desk_close(&desk);
    ck_assert(desk_chain_holds(&desk));
    desk_end(&desk);
}
END_TEST

START_TEST(an_extension_that_cannot_be_written_is_written_later)
{
    struct desk desk = desk_make();
    desk_open(&desk);
    desk_note(&desk, ENTRY_RESERVE, 1, 30);
    desk_commit(&desk);
    uint64_t noted = ledger_batch_written(desk.batch);
    struct buffer content = desk_content(&desk);
    disk_limit_files(content.size);
    buffer_close(&content);
    desk_note(&desk, ENTRY_EXTEND, 1, 40);
    ck_assert(!ledger_commit(desk.batch, &desk.fault));
    ck_assert_uint_eq(ledger_batch_written(desk.batch), noted);
    disk_limit_files(RLIM_INFINITY);
    desk_commit(&desk);
    ck_assert_uint_gt(ledger_batch_written(desk.batch), noted);
    content = desk_content(&desk);
    ck_assert_uint_eq(count_of(buffer_text(&content), "\"kind\":\"extend\""), 1);
    buffer_close(&content);
    desk_close(&desk);
    desk_open(&desk);
    ck_assert_int_eq(desk_spent(&desk), 40);
    desk_close(&desk);
    desk_end(&desk);
}
END_TEST

START_TEST(a_full_disk_does_not_fill_the_memory_with_refusals)
{
    struct desk desk = desk_make();
    desk_open(&desk);
    struct buffer content = desk_content(&desk);
    disk_limit_files(content.size);
    buffer_close(&content);
    desk_note(&desk, ENTRY_REFUSE, 1, 0);
    ck_assert(!ledger_commit(desk.batch, &desk.fault));
    ck_assert(!ledger_batch_empty(desk.batch));
    disk_limit_files(RLIM_INFINITY);
    desk_note(&desk, ENTRY_REFUSE, 2, 0); /* failing still: not kept */
    desk_commit(&desk);
    content = desk_content(&desk);
    ck_assert_uint_eq(count_of(buffer_text(&content), "\"kind\":\"refuse\""), 1);
    buffer_close(&content);
    desk_close(&desk);
    desk_end(&desk);
}
END_TEST

START_TEST(a_rotation_that_fails_leaves_no_file_behind)
{
    struct desk desk = desk_make();
    desk_open(&desk);
    desk_call(&desk, 1, 5);
    clock_fake_advance(&desk.clock, SAMPLE_DAY_US);
    disk_limit_files(100);
    desk_note(&desk, ENTRY_RESERVE, 2, 7);
    ck_assert(!ledger_commit(desk.batch, &desk.fault));
    ck_assert(ledger_failing(desk.ledger));
    ck_assert_uint_eq(desk_file_count(&desk), 1);
    disk_limit_files(RLIM_INFINITY);
    desk_commit(&desk);
    ck_assert_uint_eq(desk_file_count(&desk), 2);
    ck_assert(!ledger_failing(desk.ledger));
    desk_close(&desk);
    ck_assert(desk_chain_holds(&desk));
    desk_end(&desk);
}
END_TEST

START_TEST(does_not_open_on_a_full_disk)
{
    struct desk desk = desk_make();
    disk_limit_files(50); /* the lock file fits, the open line does not */
    ck_assert(!desk_try_open(&desk));
    ck_assert_ptr_nonnull(strstr(desk.fault.message, "cannot be written"));
    disk_limit_files(RLIM_INFINITY);
    desk_open(&desk);
    desk_close(&desk);
    desk_end(&desk);
}
END_TEST

/* ---- threads ---- */

enum { WORKERS = 3, CALLS = 300 };

struct worker {
    pthread_t thread;
    struct ledger *ledger;
    int number;
    bool good;
};

static bool worker_call(struct ledger_batch *batch, int call)
{
    char room[48];
    struct charge charge = sample_charge(1, 3);
    struct entry reserve = sample_entry(ENTRY_RESERVE, sample_call(call, room), &charge);
    struct entry extend = sample_entry(ENTRY_EXTEND, room, &charge);
    struct entry settle = sample_entry(ENTRY_SETTLE, room, &charge);
    ledger_note(batch, &reserve);
    ledger_note(batch, &extend);
    if (!ledger_commit(batch, NULL))
        return false;
    ledger_note(batch, &settle);
    return ledger_commit(batch, NULL);
}

static void *work(void *context)
{
    struct worker *worker = context;
    struct ledger_batch *batch = ledger_batch_open(worker->ledger);
    worker->good = true;
    for (int call = 0; call < CALLS; call++)
        worker->good = worker_call(batch, worker->number * CALLS + call) && worker->good;
    ledger_batch_close(batch);
    return NULL;
}

START_TEST(threads_commit_while_the_bookkeeper_syncs_and_files_rotate)
{
    struct desk desk = desk_make();
    desk.rotate_bytes = 50000;
    desk_open(&desk);
    ledger_start(desk.ledger);
    struct worker workers[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){.ledger = desk.ledger, .number = i};
        ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(workers[i].thread, NULL);
        ck_assert(workers[i].good);
    }
    ck_assert(!ledger_failing(desk.ledger));
    desk_close(&desk);
    ck_assert_uint_gt(desk_file_count(&desk), 10);
    ck_assert(desk_chain_holds(&desk));
    desk_open(&desk);
    ck_assert_int_eq(desk_spent(&desk), INT64_C(3) * WORKERS * CALLS);
    ck_assert_uint_eq(desk.replay.forfeits, 0);
    desk_close(&desk);
    desk_end(&desk);
}
END_TEST

START_TEST(a_clock_put_forward_and_back_forgets_nothing)
{
    struct desk desk = desk_make();
    desk_open(&desk);
    desk_call(&desk, 1, 5);
    desk.clock.wall_us += SAMPLE_DAY_US; /* by mistake; steady time knows better */
    desk_call(&desk, 2, 6);
    desk.clock.wall_us -= SAMPLE_DAY_US;
    desk_call(&desk, 3, 7);
    desk_close(&desk);
    desk_open(&desk);
    ck_assert_int_eq(desk_spent(&desk), 18);
    desk_close(&desk);
}
END_TEST

UNIT_MAIN(a_clock_put_forward_and_back_forgets_nothing, begins_a_directory_with_an_open_line,
          files_are_the_owners_alone, commits_a_batch_in_its_order, says_when_a_line_is_in_the_file,
          a_second_settlement_changes_nothing, a_withdrawn_reserve_is_never_written,
          a_batch_of_which_all_is_withdrawn_is_empty, a_second_process_is_told_who_was_first,
          a_directory_that_cannot_be_made_is_named, rotates_by_size_and_carries_the_balances,
          a_file_names_the_prices_that_are_in_force_when_it_begins,
          a_file_of_balances_alone_is_not_left_at_once,
          begins_a_file_each_day_and_forgets_what_is_over,
          a_clock_set_back_keeps_the_order_of_files,
          a_failed_write_is_cut_off_and_tried_again_later,
          an_extension_that_cannot_be_written_is_written_later,
          a_full_disk_does_not_fill_the_memory_with_refusals,
          a_rotation_that_fails_leaves_no_file_behind, does_not_open_on_a_full_disk,
          threads_commit_while_the_bookkeeper_syncs_and_files_rotate)
