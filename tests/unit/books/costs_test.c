/* What the books answer: groups, filters, pages, CSV, the newest calls, and bookings. */
#include "books/costs.h"

#include "office.h"

/* The office's calls: two teams, three sessions, tags; costs are powers of two, so that each sum
 * tells which calls are in it. */
static void fill(struct office *office)
{
    static const struct text both[] = {{"a", 1}, {"b", 1}}, one[] = {{"b", 1}};
    static const struct {
        const char *key, *team, *session, *service;
        const struct text *tags;
        size_t tag_count;
    } calls[] = {
        {"alice", "research", "s1", "openai", both, 2},
        {"alice", "research", "s2", "openai", one, 1},
        {"bob", "", "s1", "vector-db", NULL, 0},
    };
    for (size_t i = 0; i < UNIT_COUNT(calls); i++) {
        char room[48];
        struct charge charge = sample_charge(1, 1 << i);
        struct entry entry = sample_entry(ENTRY_SETTLE, sample_call((int)i + 1, room), &charge);
        entry.key = text_of(calls[i].key);
        entry.team = text_of(calls[i].team);
        entry.session = text_of(calls[i].session);
        entry.service = text_of(calls[i].service);
        entry.tags = calls[i].tags;
        entry.tag_count = calls[i].tag_count;
        book(office, entry);
        clock_fake_advance(&office->desk.clock, INT64_C(3600000000));
    }
}

static struct office *office_filled(void)
{
    static struct office office;
    office_open(&office);
    fill(&office);
    return &office;
}

static void expect(struct office *office, struct books_query query, const char *what)
{
    ask(office, query);
    ck_assert_msg(says(office, what), "%s", office->body);
}

START_TEST(every_group_has_its_rows)
{
    static const struct {
        enum books_group group;
        const char *rows[4];
    } table[] = {
        {GROUP_HOUR, {"\"hour\":\"2026-11-21T20:00\"", "\"hour\":\"2026-11-21T22:00\""}},
        {GROUP_DAY, {"\"day\":\"2026-11-21\"},\"requests\":3"}},
        {GROUP_MONTH, {"\"month\":\"2026-11\"},\"requests\":3"}},
        {GROUP_MODEL, {"\"model\":\"gpt-4o-mini\"},\"requests\":3"}},
        {GROUP_UPSTREAM, {"\"upstream\":\"openai\"},\"requests\":3"}},
        {GROUP_SERVICE,
         {"\"service\":\"openai\"},\"requests\":2", "\"vector-db\"},\"requests\":1"}},
        {GROUP_KEY, {"\"key\":\"alice\"},\"requests\":2", "\"key\":\"bob\"},\"requests\":1"}},
        {GROUP_USER, {"\"user\":\"\"},\"requests\":3"}},
        {GROUP_TEAM, {"\"team\":\"\"},\"requests\":1", "\"research\"},\"requests\":2"}},
        {GROUP_SESSION, {"\"session\":\"s1\"},\"requests\":2", "\"s2\"},\"requests\":1"}},
        {GROUP_TAG,
         {"\"tag\":\"\"},\"requests\":1", "\"a\"},\"requests\":1", "\"b\"},\"requests\":2"}},
        {GROUP_ENDPOINT, {"\"endpoint\":\"/v1/chat/completions\"},\"requests\":3"}},
    };
    struct office *office = office_filled();
    for (size_t i = 0; i < UNIT_COUNT(table); i++) {
        struct books_query query = all;
        query.groups = GROUP_BIT(table[i].group);
        for (size_t j = 0; j < UNIT_COUNT(table[i].rows) && table[i].rows[j] != NULL; j++)
            expect(office, query, table[i].rows[j]);
        expect(office, query, "\"cost_nano_usd\":7," NO_SAVINGS "},\"data\":[");
    }
    struct books_query query = all;
    query.groups = GROUP_BIT(GROUP_COUNT) - 1;
    expect(office, query,
           "\"group_by\":[\"hour\",\"day\",\"month\",\"model\",\"upstream\","
           "\"service\",\"key\",\"user\",\"team\",\"session\",\"tag\",\"endpoint\"]");
    office_close(office);
}
END_TEST

START_TEST(every_filter_picks_its_calls)
{
    static const struct {
        enum books_group group;
        const char *value, *total;
    } table[] = {
        {GROUP_MODEL, "gpt-4o-mini", "7,"},
        {GROUP_MODEL, "gpt", "0,"},
        {GROUP_UPSTREAM, "openai", "7,"},
        {GROUP_SERVICE, "vector-db", "4,"},
        {GROUP_KEY, "alice", "3,"},
        {GROUP_KEY, "' OR 1=1 --", "0,"},
        {GROUP_USER, "", "7,"},
        {GROUP_USER, "%", "0,"},
        {GROUP_TEAM, "research", "3,"},
        {GROUP_TEAM, "", "4,"},
        {GROUP_SESSION, "s1", "5,"},
        {GROUP_TAG, "a", "1,"},
        {GROUP_TAG, "b", "3,"},
        {GROUP_TAG, "", "4,"},
        {GROUP_TAG, "*", "0,"},
        {GROUP_ENDPOINT, "/v1/chat/completions", "7,"},
    };
    struct office *office = office_filled();
    for (size_t i = 0; i < UNIT_COUNT(table); i++) {
        char total[64];
        struct books_query query = all;
        query.filter[table[i].group] = text_of(table[i].value);
        (void)snprintf(total, sizeof(total), "\"cost_nano_usd\":%s", table[i].total);
        expect(office, query, total);
    }
    office_close(office);
}
END_TEST

/* The cursor of the page in the office's hands. */
static bool next_page(struct office *office, struct arena *arena, struct books_query *query)
{
    struct json_value body, next;
    ck_assert_int_eq(json_parse(text_of(office->body), &body, NULL), JSON_OK);
    ck_assert(json_member(body, TEXT("next"), &next));
    if (next.kind == JSON_NULL)
        return false;
    struct text word = json_string(arena, next);
    query->has_after = true;
    ck_assert(cursor_read(word, query->groups, arena, query->after));
    return true;
}

static size_t count_rows(const struct office *office)
{
    struct json_value body, data, row;
    struct text name;
    size_t count = 0;
    ck_assert_int_eq(json_parse(text_of(office->body), &body, NULL), JSON_OK);
    ck_assert(json_member(body, TEXT("data"), &data));
    for (struct json_walk walk = json_walk(data); json_next(&walk, &name, &row);)
        count++;
    return count;
}

START_TEST(pages_show_every_group_once)
{
    struct office *office = office_filled();
    struct arena arena = {0};
    struct books_query query = all;
    query.limit = 1;
    query.groups = GROUP_BIT(GROUP_SESSION) | GROUP_BIT(GROUP_TAG);
    static const char *const pages[] = {
        "{\"session\":\"s1\",\"tag\":\"\"}", "{\"session\":\"s1\",\"tag\":\"a\"}",
        "{\"session\":\"s1\",\"tag\":\"b\"}", "{\"session\":\"s2\",\"tag\":\"b\"}"};
    for (size_t i = 0; i < UNIT_COUNT(pages); i++) {
        expect(office, query, pages[i]);
        ck_assert_uint_eq(count_rows(office), 1);
        ck_assert(says(office, "\"cost_nano_usd\":7," NO_SAVINGS
                               "},\"data\":[")); /* the total is of all pages */
        ck_assert_int_eq(next_page(office, &arena, &query), i + 1 < UNIT_COUNT(pages));
    }
    arena_close(&arena);
    office_close(office);
}
END_TEST

START_TEST(cursors_of_other_questions_are_refused)
{
    struct arena arena = {0};
    struct buffer word = {0};
    struct text values[GROUP_COUNT] = {[GROUP_KEY] = TEXT("bob"), [GROUP_TAG] = TEXT("x:7")};
    struct text read[GROUP_COUNT];
    unsigned groups = GROUP_BIT(GROUP_KEY) | GROUP_BIT(GROUP_TAG);
    cursor_put(&word, groups, values);
    ck_assert(cursor_read(buffer_text(&word), groups, &arena, read));
    UNIT_TEXT(read[GROUP_KEY], "bob");
    UNIT_TEXT(read[GROUP_TAG], "x:7");
    ck_assert(!cursor_read(buffer_text(&word), GROUP_BIT(GROUP_KEY), &arena, read));
    ck_assert(!cursor_read(buffer_text(&word), groups | GROUP_BIT(GROUP_DAY), &arena, read));
    static const char *const bad[] = {
        "",     "0",      "zz",
        "3a",   "2d313a", "39393a78",
        "313a", "00",     "393939393939393939393939393939393939393a78"};
    for (size_t i = 0; i < UNIT_COUNT(bad); i++)
        ck_assert_msg(!cursor_read(text_of(bad[i]), GROUP_BIT(GROUP_KEY), &arena, read), "%s",
                      bad[i]);
    buffer_close(&word);
    arena_close(&arena);
}
END_TEST

#define SAVED_COLUMNS                                                                              \
    "saved_cache_usd,saved_router_usd,saved_optimizer_usd,saved_batch_usd,saved_early_stop_usd,"   \
    "cached_requests"

START_TEST(csv_cells_are_no_formulas)
{
    struct office office;
    office_open(&office);
    call(&office, 1, "=HYPERLINK(\"x\")", "+alice", 1500000000);
    call(&office, 2, "plain, with \"quotes\"", "bob", 1);
    struct books_query query = all;
    query.csv = true;
    query.groups = GROUP_BIT(GROUP_MODEL) | GROUP_BIT(GROUP_KEY);
    ck_assert_str_eq(
        ask(&office, query),
        "model,key,requests,prompt_tokens,cached_tokens,completion_tokens,reasoning_tokens,"
        "total_tokens,cost_usd,cost_nano_usd," SAVED_COLUMNS "\r\n"
        "\"'=HYPERLINK(\"\"x\"\")\",\"'+alice\",1,100,40,20,5,120,1.5,1500000000,0,0,0,0,0,0\r\n"
        "\"plain, with \"\"quotes\"\"\",\"bob\",1,100,40,20,5,120,0.000000001,1,0,0,0,0,0,0\r\n");
    ck_assert_str_eq(office.next, "");
    query.limit = 1;
    ask(&office, query);
    ck_assert_str_ne(office.next, "");
    query.groups = 0;
    ck_assert_str_eq(ask(&office, query),
                     "requests,prompt_tokens,cached_tokens,completion_tokens,reasoning_tokens,"
                     "total_tokens,cost_usd,cost_nano_usd," SAVED_COLUMNS
                     "\r\n2,200,80,40,10,240,1.500000001,"
                     "1500000001,0,0,0,0,0,0\r\n");
    office_close(&office);
}
END_TEST

START_TEST(absurd_costs_stop_at_the_end_of_the_range)
{
    struct office office;
    office_open(&office);
    for (int i = 1; i <= 4; i++)
        call(&office, i, "gpt-4o", "alice", MONEY_MOST.nano);
    clock_fake_advance(&office.desk.clock, SAMPLE_DAY_US);
    call(&office, 5, "gpt-4o", "alice", MONEY_MOST.nano);
    struct books_query query = all;
    query.groups = GROUP_BIT(GROUP_DAY);
    expect(&office, query, "\"total\":{\"requests\":5,");
    ck_assert(says(&office, "\"cost_nano_usd\":9223372036854775807,"));
    office_close(&office);
}
END_TEST

/* A call of a key that saved by one cause; a hit names no call. */
static void save(struct office *office, const char *key, enum saving cause, int64_t nano)
{
    struct charge none = sample_charge(1, 0);
    struct entry entry = sample_entry(ENTRY_SETTLE, "", &none);
    entry.wall_us = office->desk.clock.wall_us;
    entry.key = text_of(key);
    entry.cache = cause == SAVING_CACHE ? TEXT("hit") : TEXT("miss");
    entry.saved[cause] = (struct money){nano};
    ledger_note(office->desk.batch, &entry);
    desk_commit(&office->desk);
}

START_TEST(savings_are_summed_by_cause)
{
    struct office office;
    office_open(&office);
    save(&office, "alice", SAVING_CACHE, 1500000000);
    save(&office, "alice", SAVING_CACHE, 1);
    save(&office, "alice", SAVING_BATCH, 40);
    save(&office, "bob", SAVING_ROUTER, 2);
    save(&office, "bob", SAVING_OPTIMIZER, 30);
    save(&office, "bob", SAVING_EARLY_STOP, 500);
    struct books_query query = all;
    query.groups = GROUP_BIT(GROUP_KEY);
    expect(&office, query,
           "\"saved_usd\":{\"cache\":1.500000001,\"router\":0.000000002,\"optimizer\":0.00000003,"
           "\"batch\":0.00000004,\"early_stop\":0.0000005},\"cached_requests\":2},\"data\":[");
    expect(&office, query,
           "\"saved_usd\":{\"cache\":1.500000001,\"router\":0,\"optimizer\":0,"
           "\"batch\":0.00000004,\"early_stop\":0},\"cached_requests\":2},{\"group\"");
    expect(&office, query,
           "\"saved_usd\":{\"cache\":0,\"router\":0.000000002,\"optimizer\":0.00000003,"
           "\"batch\":0,\"early_stop\":0.0000005},\"cached_requests\":0}],\"next\"");
    query.csv = true;
    expect(&office, query,
           "\"alice\",3,300,120,60,15,360,0,0,1.500000001,0,0,0.00000004,0,2\r\n"
           "\"bob\",3,300,120,60,15,360,0,0,0,0.000000002,0.00000003,0,0.0000005,0\r\n");
    query = (struct books_query){.subject = BOOKS_RECENT, .to_us = INT64_MAX, .limit = 9};
    expect(&office, query, "\"cache\":\"hit\",\"saved_nano_usd\":{\"cache\":1500000000},");
    office_close(&office);
}
END_TEST

START_TEST(absurd_savings_stop_at_the_end_of_the_range)
{
    struct office office;
    office_open(&office);
    for (int i = 0; i < 6; i++) {
        save(&office, "alice", (enum saving)(i % SAVING_COUNT), MONEY_MOST.nano);
        save(&office, "alice", (enum saving)(i % SAVING_COUNT), MONEY_MOST.nano);
        expect(&office, all, "\"saved_usd\":{\"cache\":");
    }
    expect(&office, all,
           "\"saved_usd\":{\"cache\":9000000000,\"router\":8000000000,\"optimizer\":8000000000,"
           "\"batch\":8000000000,\"early_stop\":8000000000}");
    clock_fake_advance(&office.desk.clock, SAMPLE_DAY_US);
    save(&office, "alice", SAVING_CACHE, MONEY_MOST.nano);
    save(&office, "alice", SAVING_EARLY_STOP, MONEY_MOST.nano);
    expect(&office, all,
           "\"saved_usd\":{\"cache\":9223372036.854775807,\"router\":8000000000,"
           "\"optimizer\":8000000000,\"batch\":8000000000,\"early_stop\":9223372036.854775807}");
    office_close(&office);
}
END_TEST

/* It is no request of its own, but what it cost counts, also where it is all there is to count. */
START_TEST(a_call_taken_over_costs_and_is_no_request)
{
    char room[48];
    struct office office;
    office_open(&office);
    struct charge charge = sample_charge(1, 5);
    struct entry entry = sample_entry(ENTRY_SETTLE, sample_call(1, room), &charge);
    entry.attempt = 2;
    book(&office, entry);
    expect(&office, all, "\"total\":{\"requests\":0,");
    expect(&office, all, "\"cost_nano_usd\":5,");
    office_close(&office);
}
END_TEST

START_TEST(the_newest_calls_come_first_in_pages)
{
    struct office *office = office_filled();
    struct books_query query = {.subject = BOOKS_RECENT, .to_us = INT64_MAX, .limit = 2};
    ask(office, query);
    ck_assert_uint_eq(count_rows(office), 2);
    const char *bob = strstr(office->body, "\"key\":\"bob\"");
    const char *alice = strstr(office->body, "\"key\":\"alice\"");
    ck_assert(bob != NULL && alice != NULL && bob < alice);
    ck_assert(!says(office, "accounts"));
    ck_assert(says(office, "\"next\":\"2\"}"));
    query.before = 2;
    ask(office, query);
    ck_assert_uint_eq(count_rows(office), 1);
    ck_assert(says(office, "\"next\":null}"));

    query = (struct books_query){.subject = BOOKS_RECENT, .to_us = INT64_MAX, .limit = 9};
    query.filter[GROUP_TAG] = TEXT("a");
    ask(office, query);
    ck_assert_uint_eq(count_rows(office), 1);
    query.filter[GROUP_TAG] = TEXT_NONE;
    query.status = 429;
    ask(office, query);
    ck_assert_uint_eq(count_rows(office), 0);
    office_close(office);
}
END_TEST

START_TEST(refusals_are_recent_but_are_no_costs)
{
    struct office office;
    office_open(&office);
    struct entry refusal = {.kind = ENTRY_REFUSE,
                            .wall_us = SAMPLE_US,
                            .request_id = TEXT("req_1"),
                            .key = TEXT("alice"),
                            .error = TEXT("budget_exceeded"),
                            .status = 429,
                            .ttft_ms = -1};
    ledger_note(office.desk.batch, &refusal);
    desk_commit(&office.desk);
    struct books_query query = {
        .subject = BOOKS_RECENT, .to_us = INT64_MAX, .limit = 9, .error = TEXT("budget_exceeded")};
    ask(&office, query);
    ck_assert_uint_eq(count_rows(&office), 1);
    query.error = TEXT("");
    ask(&office, query);
    ck_assert_uint_eq(count_rows(&office), 0);
    query = all;
    query.groups = GROUP_BIT(GROUP_KEY);
    expect(&office, query, "\"data\":[]");
    office_close(&office);
}
END_TEST

START_TEST(a_booking_is_found_by_its_key_and_name_also_after_a_rebuild)
{
    struct office office;
    char room[48], path[128];
    office_open(&office);
    struct charge charge = sample_charge(1, 42);
    struct entry entry = sample_entry(ENTRY_SETTLE, sample_call(1, room), &charge);
    entry.idempotency_key = TEXT("invoice-7");
    book(&office, entry);
    for (int round = 0; round < 2; round++) {
        struct books_query query = {.subject = BOOKS_BOOKING, .booking = TEXT("alice\ninvoice-7")};
        expect(&office, query, "\"idempotency_key\":\"invoice-7\"");
        ck_assert_int_eq(office.status, 200);
        query.booking = TEXT("bob\ninvoice-7");
        ask(&office, query);
        ck_assert_int_eq(office.status, 404);
        clerk_close(office.clerk);
        database_of(&office, path);
        ck_assert_int_eq(unlink(path), 0);
        clerk_begin(&office);
    }
    office_close(&office);
}
END_TEST

UNIT_MAIN(every_group_has_its_rows, every_filter_picks_its_calls, pages_show_every_group_once,
          cursors_of_other_questions_are_refused, csv_cells_are_no_formulas,
          absurd_costs_stop_at_the_end_of_the_range, savings_are_summed_by_cause,
          absurd_savings_stop_at_the_end_of_the_range, a_call_taken_over_costs_and_is_no_request,
          the_newest_calls_come_first_in_pages, refusals_are_recent_but_are_no_costs,
          a_booking_is_found_by_its_key_and_name_also_after_a_rebuild)
