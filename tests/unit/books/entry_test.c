/* Ledger lines: their text, and reading them back. */
#include "sample.h"

static const struct text tags[] = {{"batch", 5}, {"say \"hi\"", 8}};

static struct entry full_entry(const struct charge charges[2])
{
    struct entry entry = sample_entry(ENTRY_SETTLE, "req_0123456789ab0123456789ab.2", &charges[0]);
    entry.charge_count = 2;
    entry.attempt = 2;
    entry.model_requested = TEXT("gpt-4o-mini-latest");
    entry.user = TEXT("al");
    entry.team = TEXT("research");
    entry.session = TEXT("s\n1");
    entry.label = TEXT("caf\xc3\xa9");
    entry.tags = tags;
    entry.tag_count = 2;
    entry.cache_write_tokens = 7;
    entry.cost = (struct money){1234567};
    entry.hold = (struct money){42};
    entry.price_version = TEXT("0011223344556677");
    entry.cache = TEXT("miss");
    entry.route = TEXT("pattern gpt-*");
    entry.saved[SAVING_ROUTER] = (struct money){9000000000};
    entry.saved[SAVING_EARLY_STOP] = (struct money){1};
    entry.error = TEXT("budget_exceeded");
    entry.stop_reason = TEXT("length");
    entry.ttft_ms = 0;
    entry.duration_ms = 1500;
    return entry;
}

static const char full_line[] =
    "{\"timestamp\":\"2026-11-21T20:15:00.123456+00:00\",\"kind\":\"settle\","
    "\"request_id\":\"req_0123456789ab0123456789ab\",\"model\":\"gpt-4o-mini\","
    "\"prompt_tokens\":100,\"completion_tokens\":20,\"total_tokens\":120,\"cost_usd\":0.001234567,"
    "\"node\":\"n1\",\"call\":\"req_0123456789ab0123456789ab.2\",\"attempt\":2,"
    "\"cost_nano_usd\":1234567,\"hold_nano_usd\":42,\"endpoint\":\"/v1/chat/completions\","
    "\"service\":\"openai\",\"upstream\":\"openai\",\"model_requested\":\"gpt-4o-mini-latest\","
    "\"key\":\"alice\",\"user\":\"al\",\"team\":\"research\",\"session\":\"s\\n1\","
    "\"tags\":[\"batch\",\"say \\\"hi\\\"\"],\"label\":\"caf\xc3\xa9\",\"cached_tokens\":40,"
    "\"cache_write_tokens\":7,\"reasoning_tokens\":5,\"usage_source\":\"reported\","
    "\"price_version\":\"0011223344556677\",\"accounts\":[{\"budget\":\"team-day\","
    "\"scope\":\"team\",\"id\":\"research\",\"unit\":\"usd\",\"window\":\"2026-11-21\","
    "\"account\":\"00000000000000ff\",\"amount\":1234567,\"until\":1795299300},"
    "{\"budget\":\"team-day\",\"scope\":\"global\",\"id\":\"research\",\"unit\":\"requests\","
    "\"window\":\"2026-11-21\",\"account\":\"fedcba9876543210\",\"amount\":-1,\"until\":null}],"
    "\"cache\":\"miss\",\"route\":\"pattern gpt-*\","
    "\"saved_nano_usd\":{\"router\":9000000000,\"early_stop\":1},\"error\":\"budget_exceeded\","
    "\"stop_reason\":\"length\","
    "\"status\":200,\"ttft_ms\":0,\"duration_ms\":1500";

static void full_charges(struct charge charges[2])
{
    charges[0] = sample_charge(0xff, 1234567);
    charges[1] = sample_charge(0xfedcba9876543210, -1);
    charges[1].until_s = WINDOW_FOREVER;
    charges[1].unit = UNIT_REQUESTS;
    charges[1].scope = SCOPE_GLOBAL;
}

START_TEST(writes_all_members_in_their_order)
{
    struct charge charges[2];
    full_charges(charges);
    struct entry entry = full_entry(charges);
    struct buffer line = {0};
    entry_put(&line, &entry, TEXT("n1"));
    UNIT_TEXT(buffer_text(&line), full_line);
    buffer_close(&line);
}
END_TEST

START_TEST(leaves_out_what_is_absent)
{
    struct entry entry = {.kind = ENTRY_CLOSE, .wall_us = 0, .ttft_ms = -1, .duration_ms = -1};
    struct buffer line = {0};
    entry_put(&line, &entry, TEXT_NONE);
    UNIT_TEXT(buffer_text(&line),
              "{\"timestamp\":\"1970-01-01T00:00:00.000000+00:00\",\"kind\":\"close\","
              "\"request_id\":\"\",\"model\":\"\",\"prompt_tokens\":0,\"completion_tokens\":0,"
              "\"total_tokens\":0,\"cost_usd\":0");
    buffer_close(&line);
}
END_TEST

START_TEST(books_zero_visibly_and_refunds_below_zero)
{
    struct entry entry = sample_entry(ENTRY_SETTLE, "c", NULL);
    struct buffer line = {0};
    entry_put(&line, &entry, TEXT_NONE);
    ck_assert(text_find(buffer_text(&line), TEXT("\"cost_nano_usd\":0,"), 0) != SIZE_MAX);
    entry.cost = (struct money){-1500000000};
    buffer_clear(&line);
    entry_put(&line, &entry, TEXT_NONE);
    ck_assert(text_find(buffer_text(&line), TEXT("\"cost_usd\":-1.5,"), 0) != SIZE_MAX);
    buffer_close(&line);
}
END_TEST

START_TEST(tells_what_no_store_had_granted_and_never_more_than_the_amount)
{
    struct charge charge = sample_charge(7, 50);
    struct arena arena = {0};
    struct json_value value;
    struct charge read;
    struct buffer line = {0};
    charge.overdraft = 80;
    entry_put_charge(&line, &charge);
    ck_assert_int_eq(json_parse(buffer_text(&line), &value, NULL), JSON_OK);
    ck_assert(entry_read_charge(value, &arena, &read, NULL));
    ck_assert_int_eq(read.overdraft, 50);
    charge.amount = -50; /* a refund */
    buffer_clear(&line);
    entry_put_charge(&line, &charge);
    ck_assert(text_find(buffer_text(&line), TEXT("overdraft"), 0) == SIZE_MAX);
    buffer_close(&line);
    arena_close(&arena);
}
END_TEST

/* Reading and writing again gives the same text: nothing was lost or changed. */
START_TEST(reads_back_what_it_wrote)
{
    struct buffer line = {0};
    buffer_put(&line, text_of(full_line));
    buffer_put(&line, TEXT(",\"seq\":7,\"hash\":\"00\",\"balances\":[],\"unknown\":{\"a\":[1]}}"));
    struct arena arena = {0};
    struct entry entry;
    struct fault fault;
    ck_assert_msg(entry_read(buffer_text(&line), &arena, &entry, &fault), "%s", fault.message);
    ck_assert_int_eq(entry.wall_us, SAMPLE_US);
    ck_assert_int_eq(entry.cost.nano, 1234567);
    ck_assert_uint_eq(entry.charges[1].account, 0xfedcba9876543210);
    ck_assert_int_eq(entry.charges[1].until_s, WINDOW_FOREVER);

    struct buffer again = {0};
    entry_put(&again, &entry, TEXT("n1"));
    UNIT_TEXT(buffer_text(&again), full_line);
    buffer_close(&again);
    buffer_close(&line);
    arena_close(&arena);
}
END_TEST

START_TEST(absent_times_are_not_known)
{
    struct entry entry = sample_entry(ENTRY_RESERVE, "c", NULL);
    struct buffer line = {0};
    entry_put(&line, &entry, TEXT_NONE);
    buffer_put_byte(&line, '}');
    struct arena arena = {0};
    struct fault fault;
    ck_assert(entry_read(buffer_text(&line), &arena, &entry, &fault));
    ck_assert_int_eq(entry.ttft_ms, -1);
    ck_assert_int_eq(entry.duration_ms, -1);
    buffer_close(&line);
    arena_close(&arena);
}
END_TEST

/* Replaces `what` in the full line by `by`, and reads it. */
static bool reads_with(const char *what, const char *by)
{
    struct text whole = text_of(full_line);
    size_t at = text_find(whole, text_of(what), 0);
    ck_assert_msg(at != SIZE_MAX, "\"%s\" is not in the line", what);
    struct buffer line = {0};
    buffer_put(&line, text_slice(whole, 0, at));
    buffer_put(&line, text_of(by));
    buffer_put(&line, text_from(whole, at + strlen(what)));
    buffer_put_byte(&line, '}');
    struct arena arena = {0};
    struct entry entry = {.attempt = 99};
    struct fault fault = {""};
    bool good = entry_read(buffer_text(&line), &arena, &entry, &fault);
    ck_assert_int_eq(entry.attempt, good ? 2 : 99);
    ck_assert_int_eq(good, fault.message[0] == '\0');
    buffer_close(&line);
    arena_close(&arena);
    return good;
}

START_TEST(refuses_what_is_no_line_of_ours)
{
    static const char *const bad[][2] = {
        {"\"kind\":\"settle\"", "\"kind\":\"settled\""},
        {"\"kind\":\"settle\"", "\"kind\":7"},
        {"\"kind\":\"settle\",", ""},
        {"\"prompt_tokens\":100", "\"prompt_tokens\":\"100\""},
        {"\"prompt_tokens\":100", "\"prompt_tokens\":-1"},
        {"\"prompt_tokens\":100", "\"prompt_tokens\":1.5"},
        {"\"prompt_tokens\":100", "\"prompt_tokens\":1000000000000001"},
        {"\"prompt_tokens\":100", "\"prompt_tokens\":1,\"prompt_tokens\":1"},
        {"\"attempt\":2", "\"attempt\":99999999999"},
        {"\"cost_nano_usd\":1234567", "\"cost_nano_usd\":4000000000000000001"},
        {"\"hold_nano_usd\":42", "\"hold_nano_usd\":null"},
        {"2026-11-21T20:15:00.123456+00:00", "2026-13-21"},
        {"2026-11-21T20:15:00.123456+00:00", "1969-12-31"},
        {"2026-11-21T20:15:00.123456+00:00", "9999-12-31T23:59-01:00"},
        {"\"kind\":\"settle\"", "\"kind\":\"reserve\""},
        {"\"tags\":[\"batch\"", "\"tags\":[1"},
        {"\"tags\":[\"batch\"", "\"tags\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\""},
        {"\"usage_source\":\"reported\"", "\"usage_source\":\"guessed\""},
        {"\"accounts\":[", "\"accounts\":[1,"},
        {"\"unit\":\"usd\"", "\"unit\":\"eur\""},
        {"\"scope\":\"team\"", "\"scope\":\"planet\""},
        {"00000000000000ff", "00000000000000f"},
        {"00000000000000ff", "g0000000000000ff"},
        {"\"window\":\"2026-11-21\"", "\"window\":\"12345678901234567890\""},
        {"\"until\":null", "\"until\":\"\""},
        {"\"amount\":1234567", "\"amount\":1e99"},
        {"\"amount\":1234567,", ""},
        {"\"amount\":1234567,", "\"amount\":1234567,\"overdraft\":-1,"},
        {"\"amount\":1234567,", "\"amount\":1234567,\"overdraft\":\"1\","},
        {"\"amount\":1234567,", "\"amount\":1234567,\"since\":-1,"},
        {"\"amount\":1234567,", "\"amount\":1234567,\"since\":null,"},
        {"\"key\":\"alice\"", "\"key\":\"ali"},
        {"\"cache\":\"miss\"", "\"cache\":true"},
        {"\"cache\":\"miss\"", "\"cache\":\"miss\",\"cache\":\"miss\""},
        {"{\"router\":9000000000,\"early_stop\":1}", "9000000001"},
        {"{\"router\":9000000000,\"early_stop\":1}", "[{\"router\":1}]"},
        {"\"router\":9000000000", "\"router\":\"9\""},
        {"\"router\":9000000000", "\"router\":-1"},
        {"\"router\":9000000000", "\"router\":0.5"},
        {"\"router\":9000000000", "\"router\":4000000000000000001"},
        {"\"router\":9000000000", "\"router\":1,\"router\":1"},
    };
    ck_assert(reads_with("\"status\":200", "\"status\":200"));
    for (size_t i = 0; i < UNIT_COUNT(bad); i++)
        ck_assert_msg(!reads_with(bad[i][0], bad[i][1]), "reads with %s", bad[i][1]);
}
END_TEST

START_TEST(causes_of_a_later_version_are_passed_over)
{
    static const char *const others[] = {"\"sleep\":7", "\"sleep\":\"a lot\"",
                                         "\"sleep\":-1,\"sleep\":null"};
    for (size_t i = 0; i < UNIT_COUNT(others); i++)
        ck_assert_msg(reads_with("\"router\":9000000000", others[i]), "%s", others[i]);
    ck_assert(reads_with("{\"router\":9000000000,\"early_stop\":1}", "{}"));
}
END_TEST

START_TEST(only_lines_that_book_have_savings)
{
    static const char reserve[] =
        "{\"timestamp\":\"2026-11-21T20:15:00.123456+00:00\",\"kind\":\"reserve\","
        "\"request_id\":\"\",\"model\":\"\",\"prompt_tokens\":0,\"completion_tokens\":0,"
        "\"total_tokens\":0,\"cost_usd\":0,\"cache\":\"miss\",\"saved_nano_usd\":{\"cache\":%d}}";
    for (int saved = 0; saved < 2; saved++) {
        struct buffer line = {0};
        struct arena arena = {0};
        struct entry entry;
        buffer_printf(&line, reserve, saved);
        ck_assert_int_eq(entry_read(buffer_text(&line), &arena, &entry, NULL), saved == 0);
        arena_close(&arena);
        buffer_close(&line);
    }
}
END_TEST

START_TEST(finds_the_kind_without_reading_on)
{
    struct buffer line = {0};
    for (int kind = 0; kind < ENTRY_KIND_COUNT; kind++) {
        struct entry entry = sample_entry((enum entry_kind)kind, "c", NULL);
        enum entry_kind found = ENTRY_KIND_COUNT;
        buffer_clear(&line);
        entry_put(&line, &entry, TEXT_NONE);
        ck_assert(entry_peek_kind(buffer_text(&line), &found));
        ck_assert_int_eq((int)found, kind);
    }
    enum entry_kind found;
    for (size_t size = 0; size < 60; size++)
        ck_assert(!entry_peek_kind(text_slice(buffer_text(&line), 0, size), &found));
    buffer_close(&line);
}
END_TEST

START_TEST(a_copy_owns_all_it_points_to)
{
    struct charge charges[2];
    full_charges(charges);
    char budget[] = "team-day";
    charges[0].budget = text_of(budget);
    char label[] = "caf\xc3\xa9";
    struct entry entry = full_entry(charges);
    entry.label = text_of(label);
    struct entry_copy copy = {0};
    entry_copy_take(&copy, &entry);
    memset(budget, 'x', sizeof(budget) - 1);
    memset(label, 'x', sizeof(label) - 1);
    memset(charges, 0, sizeof(charges));

    struct buffer line = {0};
    entry_put(&line, &copy.entry, TEXT("n1"));
    UNIT_TEXT(buffer_text(&line), full_line);
    struct entry small = sample_entry(ENTRY_RESERVE, "c", NULL);
    entry_copy_take(&copy, &small);
    UNIT_TEXT(copy.entry.call, "c");
    buffer_close(&line);
    entry_copy_close(&copy);
}
END_TEST

UNIT_MAIN(writes_all_members_in_their_order, leaves_out_what_is_absent,
          books_zero_visibly_and_refunds_below_zero,
          tells_what_no_store_had_granted_and_never_more_than_the_amount, reads_back_what_it_wrote,
          absent_times_are_not_known, refuses_what_is_no_line_of_ours,
          causes_of_a_later_version_are_passed_over, only_lines_that_book_have_savings,
          finds_the_kind_without_reading_on, a_copy_owns_all_it_points_to)
