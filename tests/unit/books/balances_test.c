/* Balances: the fold of ledger entries, and its text in open lines. */
#include "books/balances.h"
#include "books/forfeits.h"

#include "sample.h"

static bool apply(struct balances *balances, enum entry_kind kind, const char *call,
                  const struct charge *charge)
{
    struct entry entry = sample_entry(kind, call, charge);
    return balances_apply(balances, &entry);
}

static int64_t spent_on(const struct balances *balances, uint64_t account)
{
    struct charge charge;
    for (size_t at = 0; balances_next(balances, &at, &charge);)
        if (charge.account == account)
            return charge.amount;
    return -1;
}

START_TEST(a_settlement_ends_its_hold_and_adds_up)
{
    struct balances *balances = balances_open();
    struct charge hold = sample_charge(1, 50);
    struct charge used = sample_charge(1, 20);
    ck_assert(apply(balances, ENTRY_RESERVE, "a", &hold));
    ck_assert_int_eq(spent_on(balances, 1), -1);
    ck_assert(apply(balances, ENTRY_SETTLE, "a", &used));
    ck_assert_int_eq(spent_on(balances, 1), 20);
    ck_assert(!apply(balances, ENTRY_SETTLE, "a", &used));
    ck_assert(!apply(balances, ENTRY_FORFEIT, "a", &used));
    ck_assert_int_eq(spent_on(balances, 1), 20);
    ck_assert_uint_eq(balances_open_holds(balances), 0);
    balances_close(balances);
}
END_TEST

START_TEST(what_a_line_says_of_overdrafts_is_no_balance)
{
    struct balances *balances = balances_open();
    struct charge used = sample_charge(1, 20), charge;
    size_t at = 0;
    used.overdraft = 20;
    ck_assert(apply(balances, ENTRY_SETTLE, "", &used));
    ck_assert(balances_next(balances, &at, &charge));
    ck_assert_int_eq(charge.overdraft, 0);
    balances_close(balances);
}
END_TEST

START_TEST(a_settlement_without_a_call_needs_no_hold)
{
    struct balances *balances = balances_open();
    struct charge one = sample_charge(1, 1);
    ck_assert(apply(balances, ENTRY_SETTLE, "", &one));
    ck_assert(apply(balances, ENTRY_SETTLE, "", &one));
    ck_assert(apply(balances, ENTRY_FORFEIT, "", &one));
    ck_assert_int_eq(spent_on(balances, 1), 3);
    ck_assert_uint_eq(balances_open_holds(balances), 0);
    balances_close(balances);
}
END_TEST

static size_t refundable(const struct balances *balances)
{
    const struct entry *forfeit = NULL;
    const void *at = NULL;
    size_t count = 0;
    while (balances_next_forfeit(balances, &at, &forfeit))
        count++;
    return count;
}

static int64_t forfeited_on(const struct balances *balances, uint64_t account)
{
    struct charge charge;
    size_t at = 0;
    while (balances_next_forfeited(balances, &at, &charge)) {
        if (charge.account == account)
            return charge.amount;
    }
    return -1;
}

START_TEST(a_refund_takes_a_forfeit_back_once)
{
    struct balances *balances = balances_open();
    struct charge hold = sample_charge(1, 50);
    struct charge back = sample_charge(1, -50);
    struct charge other = sample_charge(1, 7);
    ck_assert(apply(balances, ENTRY_RESERVE, "a", &hold));
    ck_assert(apply(balances, ENTRY_FORFEIT, "a", &hold));
    ck_assert(apply(balances, ENTRY_RESERVE, "b", &other));
    ck_assert(apply(balances, ENTRY_SETTLE, "b", &other));
    ck_assert(!apply(balances, ENTRY_REFUND, "b", &back)); /* it was no forfeit */
    ck_assert_uint_eq(refundable(balances), 1);
    ck_assert(apply(balances, ENTRY_REFUND, "a", &back));
    ck_assert(!apply(balances, ENTRY_REFUND, "a", &back));
    ck_assert_int_eq(spent_on(balances, 1), 7);
    ck_assert_int_eq(forfeited_on(balances, 1), -1);
    ck_assert_uint_eq(refundable(balances), 0);
    balances_close(balances);
}
END_TEST

START_TEST(of_what_is_refunded_in_part_the_rest_is_known_to_be_used)
{
    struct balances *balances = balances_open();
    struct charge hold = sample_charge(1, 50);
    struct charge back = sample_charge(1, -10);
    ck_assert(apply(balances, ENTRY_RESERVE, "a", &hold));
    ck_assert(apply(balances, ENTRY_FORFEIT, "a", &hold));
    ck_assert(apply(balances, ENTRY_RESERVE, "b", &hold));
    ck_assert(apply(balances, ENTRY_FORFEIT, "b", &hold));
    ck_assert(apply(balances, ENTRY_REFUND, "a", &back));
    ck_assert_int_eq(spent_on(balances, 1), 90);
    ck_assert_int_eq(forfeited_on(balances, 1), 50);
    balances_close(balances);
}
END_TEST

START_TEST(an_open_line_tells_what_can_be_refunded)
{
    struct balances *balances = balances_open();
    struct balances *again = balances_open();
    struct buffer line = {0};
    struct charge hold = sample_charge(1, 50);
    struct charge back = sample_charge(1, -50);
    ck_assert(apply(balances, ENTRY_RESERVE, "a", &hold));
    ck_assert(apply(balances, ENTRY_FORFEIT, "a", &hold));
    buffer_put(&line, TEXT("{\"x\":1"));
    balances_put(&line, balances);
    buffer_put_byte(&line, '}');
    struct json_value value;
    struct fault fault;
    ck_assert_int_eq(json_parse(buffer_text(&line), &value, NULL), JSON_OK);
    ck_assert(balances_read(again, value, &fault));
    ck_assert_uint_eq(refundable(again), 1);
    ck_assert(apply(again, ENTRY_REFUND, "a", &back));
    ck_assert_int_eq(spent_on(again, 1), 0);
    buffer_close(&line);
    balances_close(balances);
    balances_close(again);
}
END_TEST

START_TEST(of_very_many_forfeits_the_oldest_cannot_be_refunded)
{
    struct balances *balances = balances_open();
    struct charge hold = sample_charge(1, 1);
    struct charge back = sample_charge(1, -1);
    char name[32];
    for (int i = 0; i <= FORFEITS_MOST; i++) {
        (void)snprintf(name, sizeof name, "call-%d", i);
        ck_assert(apply(balances, ENTRY_RESERVE, name, &hold));
        ck_assert(apply(balances, ENTRY_FORFEIT, name, &hold));
    }
    ck_assert_uint_eq(refundable(balances), FORFEITS_MOST);
    ck_assert(!apply(balances, ENTRY_REFUND, "call-0", &back));
    ck_assert(apply(balances, ENTRY_REFUND, "call-1", &back));
    balances_close(balances);
}
END_TEST

/* Nobody writes such a hold; but it must not outlive its forfeit, or a start would never end. */
START_TEST(a_hold_without_a_call_can_be_ended)
{
    static const enum entry_kind ends[] = {ENTRY_SETTLE, ENTRY_FORFEIT};
    for (size_t i = 0; i < UNIT_COUNT(ends); i++) {
        struct balances *balances = balances_open();
        struct charge one = sample_charge(1, 1);
        ck_assert(apply(balances, ENTRY_RESERVE, "", &one));
        ck_assert(apply(balances, ends[i], "", &one));
        ck_assert_int_eq(spent_on(balances, 1), 1);
        ck_assert_uint_eq(balances_open_holds(balances), 0);
        balances_close(balances);
    }
}
END_TEST

START_TEST(a_call_is_held_once)
{
    struct balances *balances = balances_open();
    struct charge hold = sample_charge(1, 50);
    struct charge other = sample_charge(1, 99);
    ck_assert(apply(balances, ENTRY_RESERVE, "a", &hold));
    ck_assert(!apply(balances, ENTRY_RESERVE, "a", &other));
    const struct entry *entry = NULL;
    size_t at = 0;
    ck_assert(balances_next_hold(balances, &at, &entry));
    ck_assert_int_eq(entry->hold.nano, 50);
    ck_assert(!balances_next_hold(balances, &at, &entry));
    balances_close(balances);
}
END_TEST

static const struct entry *only_hold(const struct balances *balances)
{
    const struct entry *entry = NULL;
    size_t at = 0;
    ck_assert(balances_next_hold(balances, &at, &entry));
    ck_assert_uint_eq(at, 1);
    return entry;
}

START_TEST(an_extension_gives_a_hold_its_amounts_and_leaves_the_rest)
{
    struct balances *balances = balances_open();
    struct charge charges[2] = {sample_charge(1, 50), sample_charge(2, 1)};
    struct entry reserve = sample_entry(ENTRY_RESERVE, "a", charges);
    reserve.charge_count = 2;
    ck_assert(balances_apply(balances, &reserve));
    struct entry extend = {.kind = ENTRY_EXTEND,
                           .call = TEXT("a"),
                           .charges = charges,
                           .charge_count = 2,
                           .ttft_ms = -1,
                           .duration_ms = -1};
    for (int64_t amount = 60; amount < 100; amount += 10) {
        extend.hold = (struct money){amount};
        charges[0].amount = amount;
        ck_assert(balances_apply(balances, &extend));
        const struct entry *hold = only_hold(balances);
        ck_assert_int_eq((int)hold->kind, ENTRY_RESERVE);
        ck_assert_int_eq(hold->hold.nano, amount);
        ck_assert_int_eq(hold->wall_us, SAMPLE_US);
        UNIT_TEXT(hold->key, "alice");
        ck_assert_uint_eq(hold->charge_count, 2);
        ck_assert_int_eq(hold->charges[0].amount, amount);
        ck_assert_int_eq(hold->charges[1].amount, 1);
        UNIT_TEXT(hold->charges[1].id, "research");
    }
    ck_assert_int_eq(spent_on(balances, 1), -1);
    struct charge used = sample_charge(1, 20);
    ck_assert(apply(balances, ENTRY_SETTLE, "a", &used));
    ck_assert_int_eq(spent_on(balances, 1), 20);
    balances_close(balances);
}
END_TEST

START_TEST(an_extension_needs_an_open_hold)
{
    struct balances *balances = balances_open();
    struct charge charge = sample_charge(1, 50);
    ck_assert(!apply(balances, ENTRY_EXTEND, "a", &charge));
    ck_assert(apply(balances, ENTRY_RESERVE, "a", &charge));
    ck_assert(!apply(balances, ENTRY_EXTEND, "b", &charge));
    ck_assert(apply(balances, ENTRY_SETTLE, "a", &charge));
    ck_assert(!apply(balances, ENTRY_EXTEND, "a", &charge));
    ck_assert_uint_eq(balances_open_holds(balances), 0);
    ck_assert_int_eq(spent_on(balances, 1), 50);
    balances_close(balances);
}
END_TEST

START_TEST(other_lines_change_nothing)
{
    struct balances *balances = balances_open();
    struct charge charge = sample_charge(1, 50);
    ck_assert(apply(balances, ENTRY_REFUSE, "a", &charge));
    ck_assert(apply(balances, ENTRY_CLOSE, "b", &charge));
    ck_assert(apply(balances, ENTRY_OPEN, "c", &charge));
    ck_assert_int_eq(spent_on(balances, 1), -1);
    ck_assert_uint_eq(balances_open_holds(balances), 0);
    balances_close(balances);
}
END_TEST

/* Against an array: holds come and go in an order that mixes all ways of the table. */
START_TEST(many_holds_come_and_go)
{
    enum { CALLS = 500, STEPS = 20000 };
    struct balances *balances = balances_open();
    bool open[CALLS] = {false};
    int64_t spent = 0;
    size_t count = 0;
    unsigned random = 1;
    for (int i = 0; i < STEPS; i++) {
        char call[16];
        struct charge charge = sample_charge(1, i);
        random = random * 1103515245U + 12345U;
        unsigned which = (random >> 8) % CALLS;
        (void)snprintf(call, sizeof(call), "call-%u", which);
        if (random % 3 == 0)
            ck_assert_int_eq(apply(balances, ENTRY_EXTEND, call, &charge), open[which]);
        ck_assert_int_eq(apply(balances, ENTRY_SETTLE, call, &charge), open[which]);
        spent += open[which] ? i : 0;
        if (!open[which])
            ck_assert(apply(balances, ENTRY_RESERVE, call, &charge));
        count = open[which] ? count - 1 : count + 1;
        open[which] = !open[which];
        ck_assert_uint_eq(balances_open_holds(balances), count);
    }
    ck_assert_int_eq(spent_on(balances, 1), spent);
    balances_close(balances);
}
END_TEST

START_TEST(sums_stop_at_the_end_of_their_range)
{
    struct balances *balances = balances_open();
    struct charge most = sample_charge(1, INT64_MAX);
    struct charge least = sample_charge(2, INT64_MIN);
    most.unit = least.unit = UNIT_TOKENS;
    struct entry entry = sample_entry(ENTRY_SETTLE, "a", NULL);
    struct charge both[] = {most, least};
    entry.charges = both;
    entry.charge_count = 2;
    for (int i = 0; i < 2; i++) {
        ck_assert(apply(balances, ENTRY_RESERVE, "a", NULL));
        ck_assert(balances_apply(balances, &entry));
    }
    ck_assert_int_eq(spent_on(balances, 1), INT64_MAX);
    ck_assert_int_eq(spent_on(balances, 2), INT64_MIN);
    balances_close(balances);
}
END_TEST

static void book(struct balances *balances, uint64_t account, int64_t until_s)
{
    struct charge charge = sample_charge(account, 5);
    charge.until_s = until_s;
    ck_assert(apply(balances, ENTRY_RESERVE, "a", &charge));
    ck_assert(apply(balances, ENTRY_SETTLE, "a", &charge));
}

START_TEST(forgets_accounts_whose_time_is_over)
{
    struct balances *balances = balances_open();
    book(balances, 1, 100);
    book(balances, 2, 101);
    book(balances, 3, WINDOW_FOREVER);
    book(balances, 4, 50);
    book(balances, 4, 500); /* used again: remembered longer */
    book(balances, 4, 60);
    balances_sweep(balances, 100);
    ck_assert_int_eq(spent_on(balances, 1), -1);
    ck_assert_int_eq(spent_on(balances, 2), 5);
    ck_assert_int_eq(spent_on(balances, 3), 5);
    ck_assert_int_eq(spent_on(balances, 4), 15);
    balances_close(balances);
}
END_TEST

static struct buffer text_of_balances(const struct balances *balances)
{
    struct buffer text = {0};
    buffer_put_byte(&text, '{');
    balances_put(&text, balances);
    buffer_put_byte(&text, '}');
    return text;
}

START_TEST(what_is_forfeited_is_spent_and_remembered_apart)
{
    struct balances *balances = balances_open(), *again = balances_open();
    struct charge hold = sample_charge(1, 50), used = sample_charge(1, 20);
    ck_assert(apply(balances, ENTRY_RESERVE, "a", &hold));
    ck_assert(apply(balances, ENTRY_FORFEIT, "a", &hold));
    ck_assert(apply(balances, ENTRY_FORFEIT, "", &used));
    ck_assert(apply(balances, ENTRY_SETTLE, "", &used));
    struct charge other = sample_charge(2, 5);
    ck_assert(apply(balances, ENTRY_SETTLE, "", &other));
    ck_assert_int_eq(spent_on(balances, 1), 90);
    ck_assert_int_eq(forfeited_on(balances, 1), 70);
    ck_assert_int_eq(forfeited_on(balances, 2), -1);
    struct buffer text = text_of_balances(balances);
    struct json_value value;
    ck_assert_int_eq(json_parse(buffer_text(&text), &value, NULL), JSON_OK);
    ck_assert(balances_read(again, value, NULL));
    ck_assert_int_eq(spent_on(again, 1), 90);
    ck_assert_int_eq(forfeited_on(again, 1), 70);
    ck_assert_int_eq(forfeited_on(again, 2), -1);
    buffer_close(&text);
    balances_close(again);
    balances_close(balances);
}
END_TEST

START_TEST(what_is_disowned_is_taken_off_and_ends_no_hold)
{
    struct balances *balances = balances_open();
    struct charge charge = sample_charge(1, 50);
    ck_assert(apply(balances, ENTRY_RESERVE, "a", &charge));
    ck_assert(apply(balances, ENTRY_SETTLE, "", &charge));
    charge.amount = -20;
    ck_assert(apply(balances, ENTRY_DISOWN, "", &charge));
    ck_assert(apply(balances, ENTRY_DISOWN, "", &charge));
    ck_assert_int_eq(spent_on(balances, 1), 10);
    struct charge disowned = {0};
    size_t at = 0;
    ck_assert(balances_next_disowned(balances, &at, &disowned));
    ck_assert_int_eq(disowned.amount, 40);
    ck_assert(!balances_next_disowned(balances, &at, &disowned));
    ck_assert_uint_eq(balances_open_holds(balances), 1);

    struct buffer text = text_of_balances(balances);
    struct json_value value;
    ck_assert_int_eq(json_parse(buffer_text(&text), &value, NULL), JSON_OK);
    ck_assert(balances_read(balances, value, NULL));
    at = 0;
    ck_assert(balances_next_disowned(balances, &at, &disowned));
    ck_assert_int_eq(disowned.amount, 40);
    buffer_close(&text);
    balances_close(balances);
}
END_TEST

static struct charge charge_since(int64_t since_s, int64_t amount)
{
    struct charge charge = sample_charge(1, amount);
    charge.since_s = since_s;
    return charge;
}

START_TEST(a_session_that_begins_anew_has_its_new_spend_only)
{
    struct balances *balances = balances_open(), *again = balances_open();
    struct charge first = charge_since(100, 50), second = charge_since(9000, 7);
    ck_assert(apply(balances, ENTRY_FORFEIT, "", &first));
    ck_assert(apply(balances, ENTRY_SETTLE, "", &first));
    ck_assert_int_eq(spent_on(balances, 1), 100);
    struct buffer text = text_of_balances(balances);
    struct json_value value;
    ck_assert_int_eq(json_parse(buffer_text(&text), &value, NULL), JSON_OK);
    ck_assert(balances_read(again, value, NULL));
    ck_assert(apply(again, ENTRY_RESERVE, "a", &second));
    ck_assert_int_eq(spent_on(again, 1), 100); /* nothing is spent yet */
    ck_assert(apply(again, ENTRY_SETTLE, "a", &second));
    ck_assert(apply(again, ENTRY_SETTLE, "", &second));
    ck_assert_int_eq(spent_on(again, 1), 14);
    ck_assert_int_eq(forfeited_on(again, 1), -1);
    buffer_close(&text);
    balances_close(again);
    balances_close(balances);
}
END_TEST

/* In doubt more is counted: a hold of before is booked on what goes on, and what is given back of
 * before is nothing to it. */
START_TEST(what_comes_late_from_a_session_of_before_only_adds)
{
    struct balances *balances = balances_open();
    struct charge before = charge_since(100, 50), now = charge_since(9000, 7);
    ck_assert(apply(balances, ENTRY_RESERVE, "late", &before));
    ck_assert(apply(balances, ENTRY_RESERVE, "lost", &before));
    ck_assert(apply(balances, ENTRY_FORFEIT, "lost", &before));
    ck_assert(apply(balances, ENTRY_FORFEIT, "", &now));
    ck_assert_int_eq(spent_on(balances, 1), 7);
    ck_assert(apply(balances, ENTRY_SETTLE, "late", &before));
    ck_assert_int_eq(spent_on(balances, 1), 57);
    before.amount = -50;
    ck_assert(apply(balances, ENTRY_REFUND, "lost", &before));
    ck_assert_int_eq(spent_on(balances, 1), 57);
    ck_assert_int_eq(forfeited_on(balances, 1), 7);
    balances_close(balances);
}
END_TEST

START_TEST(an_open_line_says_all_of_them)
{
    struct balances *balances = balances_open();
    struct charge charge = sample_charge(2, 50);
    book(balances, 1, WINDOW_FOREVER);
    ck_assert(apply(balances, ENTRY_RESERVE, "b", &charge));
    struct buffer text = text_of_balances(balances);
    struct json_value value;
    ck_assert_int_eq(json_parse(buffer_text(&text), &value, NULL), JSON_OK);

    struct balances *again = balances_open();
    book(again, 7, WINDOW_FOREVER); /* gone afterwards */
    ck_assert(balances_read(again, value, NULL));
    struct buffer text_again = text_of_balances(again);
    ck_assert(text_equal(buffer_text(&text), buffer_text(&text_again)));
    ck_assert(apply(again, ENTRY_SETTLE, "b", &charge));
    ck_assert_int_eq(spent_on(again, 2), 50);
    buffer_close(&text);
    buffer_close(&text_again);
    balances_close(again);
    balances_close(balances);
}
END_TEST

START_TEST(a_bad_open_line_changes_nothing)
{
    static const char *const bad[] = {
        "{}",
        "{\"balances\":[]}",
        "{\"balances\":{},\"holds\":[]}",
        "{\"balances\":[1],\"holds\":[]}",
        "{\"balances\":[],\"holds\":[1]}",
        "{\"balances\":[],\"holds\":[{\"timestamp\":\"2026-11-21\",\"kind\":\"close\","
        "\"request_id\":\"\",\"model\":\"\",\"prompt_tokens\":0,\"completion_tokens\":0,"
        "\"total_tokens\":0,\"cost_usd\":0}]}",
    };
    struct balances *balances = balances_open();
    book(balances, 1, WINDOW_FOREVER);
    for (size_t i = 0; i < UNIT_COUNT(bad); i++) {
        struct json_value value;
        struct fault fault = {""};
        ck_assert_int_eq(json_parse(text_of(bad[i]), &value, NULL), JSON_OK);
        ck_assert_msg(!balances_read(balances, value, &fault), "reads %s", bad[i]);
        ck_assert_int_ne(fault.message[0], '\0');
        ck_assert_int_eq(spent_on(balances, 1), 5);
    }
    balances_close(balances);
}
END_TEST

START_TEST(a_session_is_remembered_by_when_its_call_ended)
{
    struct balances *balances = balances_open();
    struct charge charge = sample_charge(1, 50), found;
    charge.since_s = SAMPLE_S;
    char room[48];
    struct entry entry = sample_entry(ENTRY_RESERVE, sample_call(1, room), &charge);
    ck_assert(balances_apply(balances, &entry));
    entry = sample_entry(ENTRY_SETTLE, sample_call(1, room), &charge);
    entry.wall_us += INT64_C(1800) * 1000000;
    ck_assert(balances_apply(balances, &entry));
    balances_sweep(balances, charge.until_s + 1790);
    size_t at = 0;
    ck_assert(balances_next(balances, &at, &found));
    ck_assert_int_eq(found.amount, 50);
    balances_close(balances);
}
END_TEST

UNIT_MAIN(a_session_is_remembered_by_when_its_call_ended,
          of_what_is_refunded_in_part_the_rest_is_known_to_be_used,
          a_settlement_ends_its_hold_and_adds_up, what_a_line_says_of_overdrafts_is_no_balance,
          a_settlement_without_a_call_needs_no_hold, a_refund_takes_a_forfeit_back_once,
          an_open_line_tells_what_can_be_refunded,
          of_very_many_forfeits_the_oldest_cannot_be_refunded, a_hold_without_a_call_can_be_ended,
          a_call_is_held_once, an_extension_gives_a_hold_its_amounts_and_leaves_the_rest,
          an_extension_needs_an_open_hold, what_is_disowned_is_taken_off_and_ends_no_hold,
          other_lines_change_nothing, many_holds_come_and_go, sums_stop_at_the_end_of_their_range,
          forgets_accounts_whose_time_is_over, what_is_forfeited_is_spent_and_remembered_apart,
          a_session_that_begins_anew_has_its_new_spend_only,
          what_comes_late_from_a_session_of_before_only_adds, an_open_line_says_all_of_them,
          a_bad_open_line_changes_nothing)
