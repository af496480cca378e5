/* Replay: what a process that died has left, and files that were damaged. */
#include "base/hash.h"
#include "books/replay.h"
#include "desk.h"

static void work_and_leave_holds(struct desk *desk)
{
    desk_call(desk, 1, 5);
    desk_note(desk, ENTRY_RESERVE, 2, 30);
    desk_note(desk, ENTRY_RESERVE, 3, 40);
    desk_commit(desk);
    desk_note(desk, ENTRY_SETTLE, 2, 25);
    desk_commit(desk);
}

START_TEST(books_the_open_holds_of_a_dead_process_in_full)
{
    struct desk desk = desk_make();
    desk_die_after(&desk, work_and_leave_holds);
    desk_open(&desk);
    ck_assert_int_eq(desk_spent(&desk), 5 + 25 + 40);
    ck_assert_uint_eq(desk.replay.forfeits, 1);
    ck_assert_int_eq(desk.replay.forfeited.nano, 40);
    ck_assert_uint_eq(desk.replay.lines, 6);
    ck_assert_uint_eq(desk.replay.torn_bytes, 0);
    ck_assert_uint_eq(desk_file_count(&desk), 1);
    struct buffer content = desk_content(&desk);
    ck_assert(text_find(buffer_text(&content), TEXT("\"kind\":\"forfeit\""), 0) != SIZE_MAX);
    buffer_close(&content);

    /* The settlement of a call that was forfeited changes nothing. */
    desk_note(&desk, ENTRY_SETTLE, 3, 1);
    desk_commit(&desk);
    ck_assert_int_eq(desk_spent(&desk), 70);
    desk_close(&desk);
    desk_open(&desk);
    ck_assert_int_eq(desk_spent(&desk), 70);
    ck_assert_uint_eq(desk.replay.forfeits, 0);
    desk_close(&desk);
    ck_assert(desk_chain_holds(&desk));
    desk_end(&desk);
}
END_TEST

/* What the last extension says, whether its line stands in this file or went into its open line. */
static void work_and_extend(struct desk *desk)
{
    desk_note(desk, ENTRY_RESERVE, 1, 10);
    desk_note(desk, ENTRY_RESERVE, 2, 20);
    desk_commit(desk);
    desk_note(desk, ENTRY_EXTEND, 1, 30);
    desk_commit(desk);
    desk_note(desk, ENTRY_EXTEND, 2, 40);
    desk_commit(desk);
    desk_note(desk, ENTRY_EXTEND, 1, 50);
    desk_commit(desk);
    desk_note(desk, ENTRY_SETTLE, 2, 35);
    desk_note(desk, ENTRY_EXTEND, 1, 70); /* never in the file: never relied on */
}

START_TEST(books_an_open_hold_at_what_it_was_extended_to)
{
    static const int64_t rotations[] = {1 << 20, 1};
    for (size_t i = 0; i < UNIT_COUNT(rotations); i++) {
        struct desk desk = desk_make();
        desk.rotate_bytes = rotations[i];
        desk_die_after(&desk, work_and_extend);
        desk_open(&desk);
        ck_assert_uint_eq(desk.replay.forfeits, 2);
        ck_assert_int_eq(desk.replay.forfeited.nano, 50 + 40);
        ck_assert_int_eq(desk_spent(&desk), 50 + 40);
        desk_close(&desk);
        ck_assert(desk_chain_holds(&desk));
        desk_end(&desk);
    }
}
END_TEST

/* What a batch holds goes on in the next process. */
START_TEST(holds_that_somebody_goes_on_with_stay_open)
{
    struct desk desk = desk_make();
    struct table kept = {0};
    char room[48];
    struct text call = text_of(sample_call(3, room));
    table_put(&kept, call, &kept);
    desk.kept = &kept;
    desk_die_after(&desk, work_and_leave_holds);
    for (int i = 0; i < 2; i++) {
        const struct entry *hold = NULL;
        size_t at = 0;
        desk_open(&desk);
        ck_assert_uint_eq(desk.replay.forfeits, 0);
        ck_assert_int_eq(desk_spent(&desk), 5 + 25);
        ck_assert(ledger_next_hold(desk.ledger, &at, &hold));
        ck_assert(text_equal(hold->call, call));
        ck_assert_int_eq(hold->hold.nano, 40);
        ck_assert(!ledger_next_hold(desk.ledger, &at, &hold));
        desk_close(&desk); /* with the hold open */
    }
    desk_open(&desk);
    desk_note(&desk, ENTRY_SETTLE, 3, 7);
    desk_commit(&desk);
    ck_assert_int_eq(desk_spent(&desk), 5 + 25 + 7);
    desk_close(&desk);
    ck_assert(desk_chain_holds(&desk));

    table_close(&kept);
    desk.kept = NULL;
    desk_open(&desk);
    ck_assert_uint_eq(desk.replay.forfeits, 0);
    desk_close(&desk);
    desk_end(&desk);
}
END_TEST

/* As answers from the cache are booked: no call, no hold, but a request that counts. */
static void book_facts(struct desk *desk)
{
    struct charge charge = sample_charge(1, 3);
    charge.until_s = WINDOW_FOREVER;
    struct entry entry = sample_entry(ENTRY_SETTLE, "", &charge);
    entry.cache = TEXT("hit");
    entry.saved[SAVING_CACHE] = (struct money){1000};
    ledger_note(desk->batch, &entry);
    desk_commit(desk);
    ledger_note(desk->batch, &entry);
    desk_commit(desk);
}

START_TEST(what_was_booked_without_a_hold_counts_after_a_death)
{
    struct desk desk = desk_make();
    desk_die_after(&desk, book_facts);
    desk_open(&desk);
    ck_assert_int_eq(desk_spent(&desk), 6);
    ck_assert_uint_eq(desk.replay.forfeits, 0);
    desk_close(&desk);
    clock_fake_advance(&desk.clock, SAMPLE_DAY_US);
    desk_open(&desk);
    ck_assert_int_eq(desk_spent(&desk), 6);
    desk_close(&desk);
    ck_assert(desk_chain_holds(&desk));
    desk_end(&desk);
}
END_TEST

START_TEST(many_deaths_add_up)
{
    struct desk desk = desk_make();
    for (int i = 1; i <= 5; i++) {
        desk_die_after(&desk, work_and_leave_holds);
        if (i == 3)
            clock_fake_advance(&desk.clock, INT64_C(3600000000));
    }
    desk_open(&desk);
    ck_assert_int_eq(desk_spent(&desk), INT64_C(5) * 70);
    desk_close(&desk);
    ck_assert(desk_chain_holds(&desk));
    desk_end(&desk);
}
END_TEST

START_TEST(holds_survive_the_change_of_day)
{
    struct desk desk = desk_make();
    desk_die_after(&desk, work_and_leave_holds);
    clock_fake_advance(&desk.clock, SAMPLE_DAY_US);
    desk_open(&desk);
    ck_assert_uint_eq(desk_file_count(&desk), 2);
    ck_assert_uint_eq(desk.replay.forfeits, 1);
    struct buffer content = desk_content(&desk); /* the new day's file */
    ck_assert(text_find(buffer_text(&content), TEXT("\"holds\":[{"), 0) != SIZE_MAX);
    ck_assert(text_find(buffer_text(&content), TEXT("\"kind\":\"forfeit\""), 0) != SIZE_MAX);
    buffer_close(&content);
    desk_close(&desk);
    ck_assert(desk_chain_holds(&desk));
    desk_end(&desk);
}
END_TEST

START_TEST(needs_no_older_file)
{
    struct desk desk = desk_make();
    desk.rotate_bytes = 1500;
    desk_open(&desk);
    for (int call = 0; call < 9; call++)
        desk_call(&desk, call, 5);
    desk_close(&desk);
    struct ledger_files files = desk_files(&desk);
    ck_assert_uint_gt(files.count, 2);
    for (size_t i = 0; i + 1 < files.count; i++) {
        char path[512];
        (void)snprintf(path, sizeof(path), "%s/%s", desk.dir.path, files.at[i].name);
        ck_assert_int_eq(unlink(path), 0);
    }
    files_free(&files);
    desk_open(&desk);
    ck_assert_int_eq(desk_spent(&desk), 45);
    desk_close(&desk);
    ck_assert(desk_chain_holds(&desk));
    desk_end(&desk);
}
END_TEST

/* ---- torn tails ---- */

/* Cuts the newest file to `size` bytes, puts `tail` behind, and opens. */
static void tear(struct desk *desk, struct text whole, size_t size, struct text tail)
{
    struct buffer content = {0};
    buffer_put(&content, text_slice(whole, 0, size));
    buffer_put(&content, tail);
    sample_write(&desk->dir, desk_newest(desk).name, buffer_text(&content));
    buffer_close(&content);
}

START_TEST(cuts_a_torn_tail_and_keeps_it_aside)
{
    struct desk desk = desk_make();
    desk_die_after(&desk, work_and_leave_holds);
    struct buffer content = desk_content(&desk);
    tear(&desk, buffer_text(&content), content.size, TEXT("{\"timestamp\":\"2026-11"));
    desk_open(&desk);
    ck_assert_uint_eq(desk.replay.torn_bytes, 21);
    ck_assert_int_eq(desk_spent(&desk), 70);
    struct buffer torn = sample_read(&desk.dir, "2026-11-21.n1.0001.jsonl.torn");
    UNIT_TEXT(buffer_text(&torn), "{\"timestamp\":\"2026-11");
    buffer_close(&torn);
    buffer_close(&content);
    desk_close(&desk);
    ck_assert(desk_chain_holds(&desk));
    desk_end(&desk);
}
END_TEST

/* Whatever byte the last write ended at, no spend that was settled before it is lost. */
START_TEST(survives_a_tear_at_every_byte)
{
    struct desk desk = desk_make();
    desk_die_after(&desk, work_and_leave_holds);
    struct ledger_file file = desk_newest(&desk);
    struct buffer content = desk_content(&desk);
    for (size_t size = 0; size <= content.size; size += 7) {
        sample_write(&desk.dir, file.name, text_slice(buffer_text(&content), 0, size));
        desk_open(&desk);
        int64_t spent = desk_spent(&desk);
        ck_assert_msg(spent == 0 || spent == 6 || spent == 5 || spent == 35 || spent == 75 ||
                          spent == 70,
                      "%lld spent after %zu bytes", (long long)spent, size);
        desk_close(&desk);
    }
    buffer_close(&content);
    desk_end(&desk);
}
END_TEST

START_TEST(a_last_line_that_was_altered_is_a_torn_tail)
{
    struct desk desk = desk_make();
    desk_die_after(&desk, work_and_leave_holds);
    struct buffer content = desk_content(&desk);
    size_t at = content.size - 200;
    content.at[at] ^= 1;
    tear(&desk, buffer_text(&content), content.size, TEXT_NONE);
    desk_open(&desk);
    ck_assert_uint_gt(desk.replay.torn_bytes, 200);
    ck_assert_int_eq(desk_spent(&desk), 5 + 30 + 40); /* the settlement is gone, its hold is not */
    buffer_close(&content);
    desk_close(&desk);
    desk_end(&desk);
}
END_TEST

START_TEST(a_file_begun_by_a_process_that_died_then_is_passed_over)
{
    struct desk desk = desk_make();
    desk_die_after(&desk, work_and_leave_holds);
    sample_write(&desk.dir, "2026-11-21.n1.0002.jsonl", TEXT("{\"timestamp\":\"2026"));
    sample_write(&desk.dir, "2026-11-21.n1.0003.jsonl", TEXT(""));
    desk_open(&desk);
    ck_assert_int_eq(desk_spent(&desk), 70);
    ck_assert_str_eq(desk_newest(&desk).name, "2026-11-21.n1.0001.jsonl");
    struct buffer torn = sample_read(&desk.dir, "2026-11-21.n1.0002.jsonl.torn");
    ck_assert_uint_eq(torn.size, 18);
    buffer_close(&torn);
    desk_close(&desk);
    ck_assert(desk_chain_holds(&desk));
    desk_end(&desk);
}
END_TEST

/* ---- damage that is no tail ---- */

/* Alters one byte at `at`; true if the ledger opens all the same. */
static bool opens_with_a_byte_changed(struct desk *desk, struct text whole, size_t at)
{
    struct buffer content = {0};
    buffer_put(&content, whole);
    content.at[at] = content.at[at] == '1' ? '2' : '1';
    sample_write(&desk->dir, "2026-11-21.n1.0001.jsonl", buffer_text(&content));
    buffer_close(&content);
    bool good = desk_try_open(desk);
    if (good)
        desk_close(desk);
    return good;
}

START_TEST(refuses_a_file_that_is_damaged_before_its_tail)
{
    struct desk desk = desk_make();
    desk_die_after(&desk, work_and_leave_holds);
    struct buffer content = desk_content(&desk);
    struct text whole = buffer_text(&content);
    size_t second = text_find(whole, TEXT("\n"), 0) + 1;
    size_t third = text_find(whole, TEXT("\n"), second) + 1;
    ck_assert(!opens_with_a_byte_changed(&desk, whole, 20)); /* in the first line */
    ck_assert(!opens_with_a_byte_changed(&desk, whole, second + 60));
    ck_assert_ptr_nonnull(strstr(desk.fault.message, "2026-11-21.n1.0001.jsonl"));
    ck_assert_ptr_nonnull(strstr(desk.fault.message, "damaged at line 2"));
    ck_assert(!opens_with_a_byte_changed(&desk, whole, third - 1)); /* a line end */
    struct buffer now = desk_content(&desk);
    ck_assert_uint_eq(now.size, content.size); /* and nothing was cut */
    buffer_close(&now);
    buffer_close(&content);
    desk_end(&desk);
}
END_TEST

START_TEST(refuses_a_line_taken_out)
{
    struct desk desk = desk_make();
    desk_die_after(&desk, work_and_leave_holds);
    struct buffer content = desk_content(&desk);
    struct text whole = buffer_text(&content);
    size_t second = text_find(whole, TEXT("\n"), 0) + 1;
    size_t third = text_find(whole, TEXT("\n"), second) + 1;
    tear(&desk, whole, second, text_from(whole, third));
    ck_assert(!desk_try_open(&desk));
    ck_assert_ptr_nonnull(strstr(desk.fault.message, "damaged at line 2"));
    buffer_close(&content);
    desk_end(&desk);
}
END_TEST

START_TEST(refuses_a_sealed_line_it_cannot_read)
{
    struct desk desk = desk_make();
    /* A proper chain over a line whose kind is unknown: that of a later version. */
    sample_write(
        &desk.dir, "2026-11-21.n1.0001.jsonl",
        TEXT("{\"timestamp\":\"2026-11-21T20:15:00.123456+00:00\",\"kind\":\"open\",\"chained_to\":"
             "\"\",\"seq\":1,\"hash\":"
             "\"HASH\"}\n"));
    struct ledger_file file = desk_newest(&desk);
    struct buffer content = sample_read(&desk.dir, file.name);
    size_t sealed = text_find(buffer_text(&content), TEXT(",\"hash\""), 0);
    uint8_t bytes[HASH_SIZE];
    char hex[HASH_HEX_SIZE];
    hash_text(text_slice(buffer_text(&content), 0, sealed), bytes);
    hash_hex(bytes, HASH_SIZE, hex);
    content.size = sealed;
    buffer_printf(&content, ",\"hash\":\"%s\"}\n", hex);
    sample_write(&desk.dir, file.name, buffer_text(&content));
    ck_assert(!desk_try_open(&desk));
    ck_assert_ptr_nonnull(strstr(desk.fault.message, "line 1 of the ledger file"));
    buffer_close(&content);
    desk_end(&desk);
}
END_TEST

static int64_t spent_in(const struct balances *balances)
{
    struct charge charge;
    size_t at = 0;
    return balances_next(balances, &at, &charge) ? charge.amount : -1;
}

START_TEST(who_looks_at_it_changes_nothing_and_believes_no_torn_tail)
{
    struct desk desk = desk_make();
    struct ledger_file newest, own = files_make(0, TEXT("n1"), 1);
    struct fault fault;
    struct balances *balances = balances_open();
    ck_assert(!replay_look(desk.dir.path, balances, &newest, &fault));
    ck_assert_ptr_nonnull(strstr(fault.message, "there is no ledger"));
    desk_die_after(&desk, work_and_leave_holds);
    struct buffer before = desk_content(&desk);
    ck_assert(replay_look(desk.dir.path, balances, &newest, &fault));
    ck_assert_int_eq(spent_in(balances), 30);
    ck_assert_uint_eq(balances_open_holds(balances), 1);
    ck_assert(files_same_node(&own, &newest));
    struct buffer after = desk_content(&desk);
    ck_assert(text_equal(buffer_text(&before), buffer_text(&after)));
    balances_close(balances);

    balances = balances_open();
    sample_write(&desk.dir, newest.name, text_slice(buffer_text(&before), 0, before.size - 10));
    ck_assert(!replay_look(desk.dir.path, balances, &newest, &fault));
    ck_assert_ptr_nonnull(strstr(fault.message, "torn"));
    balances_close(balances);
    buffer_close(&before);
    buffer_close(&after);
    desk_end(&desk);
}
END_TEST

UNIT_MAIN(who_looks_at_it_changes_nothing_and_believes_no_torn_tail,
          holds_that_somebody_goes_on_with_stay_open,
          books_the_open_holds_of_a_dead_process_in_full,
          books_an_open_hold_at_what_it_was_extended_to,
          what_was_booked_without_a_hold_counts_after_a_death, many_deaths_add_up,
          holds_survive_the_change_of_day, needs_no_older_file, cuts_a_torn_tail_and_keeps_it_aside,
          survives_a_tear_at_every_byte, a_last_line_that_was_altered_is_a_torn_tail,
          a_file_begun_by_a_process_that_died_then_is_passed_over,
          refuses_a_file_that_is_damaged_before_its_tail, refuses_a_line_taken_out,
          refuses_a_sealed_line_it_cannot_read)
