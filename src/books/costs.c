/*
 * What /costs answers.
 */
#include "books/costs.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "books/entry.h"
#include "books/files.h"
#include "books/lines.h"

static const int64_t HOUR_US = INT64_C(3600000000);
static const int64_t DAY_US = INT64_C(86400000000);

enum {
    DAYS_AFTER = 3,      /* a request's last line is no later */
    SLACK_US = 60000000, /* that clocks of lines may differ by */
};

static void refuse(struct books_answer *answer, int status, struct text code, struct text message)
{
    bool ours = status >= 500;
    struct buffer *body = &answer->body;
    buffer_clear(body);
    buffer_put(body, TEXT("{\"error\":{"));
    json_put_text_member(body, TEXT("message"), message);
    json_put_text_member(body, TEXT("type"),
                         ours ? TEXT("server_error") : TEXT("invalid_request_error"));
    json_put_raw_member(body, TEXT("param"), TEXT("null"));
    json_put_text_member(body, TEXT("code"), code);
    buffer_put(body, TEXT("}}"));
    answer->status = status;
}

void costs_failed(struct books_answer *answer)
{
    refuse(answer, 500, TEXT("books_unavailable"),
           TEXT("The books cannot be read at the moment; the server's log says why."));
}

static void put_cost(struct buffer *out, struct money cost)
{
    json_put_name(out, TEXT("cost_usd"));
    money_put(out, cost);
    json_put_int_member(out, TEXT("cost_nano_usd"), cost.nano);
}

/* ---- sums as JSON ---- */

/* Rows, and the cursor of the next page; empty: there is none. */
struct page {
    struct buffer rows, next;
};

/* Hours are rounded down, before 1970 too. */
static int64_t hour_of(int64_t wall_us)
{
    return wall_us / HOUR_US - (wall_us % HOUR_US < 0);
}

/* A bound of the question, or null where it bounds nothing that can be written. */
static void put_bound(struct buffer *out, struct text name, int64_t hour)
{
    int64_t most = clock_days_from_civil(9999, 12, 31) * 24;
    json_put_name(out, name);
    if (hour <= 0 || hour > most) {
        buffer_put(out, TEXT("null"));
        return;
    }
    char stamp[CLOCK_STAMP_SIZE];
    clock_stamp(hour * HOUR_US, stamp);
    json_put_string(out, text_of(stamp));
}

static void put_group_names(struct buffer *out, unsigned asked)
{
    json_put_name(out, TEXT("group_by"));
    const char *between = "[";
    for (int i = 0; i < GROUP_COUNT; i++) {
        if (!(asked & GROUP_BIT(i)))
            continue;
        buffer_put(out, text_of(between));
        json_put_string(out, books_group_name((enum books_group)i));
        between = ",";
    }
    buffer_put(out, asked == 0 ? TEXT("[]") : TEXT("]"));
}

static void put_group(struct buffer *out, unsigned asked, const struct rollup_row *row)
{
    json_put_name(out, TEXT("group"));
    buffer_put_byte(out, '{');
    for (int i = 0; i < GROUP_COUNT; i++)
        if (asked & GROUP_BIT(i))
            json_put_text_member(out, books_group_name((enum books_group)i), row->group[i]);
    buffer_put_byte(out, '}');
}

static void put_saved(struct buffer *out, const struct rollup_sums *sums)
{
    json_put_name(out, TEXT("saved_usd"));
    buffer_put_byte(out, '{');
    for (int i = 0; i < SAVING_COUNT; i++) {
        json_put_name(out, saving_name((enum saving)i));
        money_put(out, sums->saved[i]);
    }
    buffer_put_byte(out, '}');
}

static void put_sums(struct buffer *out, const struct rollup_sums *sums)
{
    json_put_int_member(out, TEXT("requests"), sums->requests);
    json_put_int_member(out, TEXT("prompt_tokens"), sums->prompt_tokens);
    json_put_int_member(out, TEXT("cached_tokens"), sums->cached_tokens);
    json_put_int_member(out, TEXT("completion_tokens"), sums->completion_tokens);
    json_put_int_member(out, TEXT("reasoning_tokens"), sums->reasoning_tokens);
    json_put_int_member(out, TEXT("total_tokens"), sums->prompt_tokens + sums->completion_tokens);
    put_cost(out, sums->cost);
    put_saved(out, sums);
    json_put_int_member(out, TEXT("cached_requests"), sums->cached_requests);
}

static void put_row(struct buffer *data, unsigned asked, const struct rollup_row *row)
{
    if (data->size > 0)
        buffer_put_byte(data, ',');
    buffer_put_byte(data, '{');
    put_group(data, asked, row);
    put_sums(data, &row->sums);
    buffer_put_byte(data, '}');
}

static void put_next(struct buffer *out, struct text next)
{
    json_put_name(out, TEXT("next"));
    if (next.size == 0)
        buffer_put(out, TEXT("null"));
    else
        json_put_string(out, next);
}

static void put_answer(struct buffer *out, const struct books_query *query,
                       const struct rollup_sums *total, const struct page *page)
{
    buffer_put_byte(out, '{');
    json_put_text_member(out, TEXT("object"), TEXT("costs"));
    put_bound(out, TEXT("from"), hour_of(query->from_us));
    put_bound(out, TEXT("to"), hour_of(query->to_us));
    put_group_names(out, query->groups);
    json_put_name(out, TEXT("total"));
    buffer_put_byte(out, '{');
    put_sums(out, total);
    buffer_put_byte(out, '}');
    json_put_name(out, TEXT("data"));
    buffer_put_byte(out, '[');
    buffer_put(out, buffer_text(&page->rows));
    buffer_put_byte(out, ']');
    put_next(out, buffer_text(&page->next));
    buffer_put_byte(out, '}');
}

/* ---- sums as CSV (RFC 4180) ---- */

/* A cell that a spreadsheet would take for a formula begins with an apostrophe, which it shows as
 * text: names come from callers. */
static void put_cell(struct buffer *out, struct text cell)
{
    static const char starts[] = "=+-@\t\r\n";
    bool formula = cell.size > 0 && memchr(starts, cell.at[0], sizeof(starts) - 1) != NULL;
    buffer_put_byte(out, '"');
    if (formula)
        buffer_put_byte(out, '\'');
    for (size_t i = 0; i < cell.size; i++) {
        if (cell.at[i] == '"')
            buffer_put_byte(out, '"');
        buffer_put_byte(out, cell.at[i]);
    }
    buffer_put_byte(out, '"');
}

static void put_csv_head(struct buffer *out, unsigned asked)
{
    for (int i = 0; i < GROUP_COUNT; i++) {
        if (!(asked & GROUP_BIT(i)))
            continue;
        buffer_put(out, books_group_name((enum books_group)i));
        buffer_put_byte(out, ',');
    }
    buffer_put(out, TEXT("requests,prompt_tokens,cached_tokens,completion_tokens,reasoning_tokens,"
                         "total_tokens,cost_usd,cost_nano_usd"));
    for (int i = 0; i < SAVING_COUNT; i++)
        buffer_printf(out, ",saved_%.*s_usd", TEXT_ARG(saving_name((enum saving)i)));
    buffer_put(out, TEXT(",cached_requests\r\n"));
}

static void put_csv_row(struct buffer *out, unsigned asked, const struct rollup_row *row)
{
    const struct rollup_sums *sums = &row->sums;
    const int64_t counts[] = {
        sums->requests,         sums->prompt_tokens,
        sums->cached_tokens,    sums->completion_tokens,
        sums->reasoning_tokens, sums->prompt_tokens + sums->completion_tokens,
    };
    for (int i = 0; i < GROUP_COUNT; i++) {
        if (!(asked & GROUP_BIT(i)))
            continue;
        put_cell(out, row->group[i]);
        buffer_put_byte(out, ',');
    }
    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
        buffer_put_int(out, counts[i]);
        buffer_put_byte(out, ',');
    }
    money_put(out, sums->cost);
    buffer_put_byte(out, ',');
    buffer_put_int(out, sums->cost.nano);
    for (int i = 0; i < SAVING_COUNT; i++) {
        buffer_put_byte(out, ',');
        money_put(out, sums->saved[i]);
    }
    buffer_put_byte(out, ',');
    buffer_put_int(out, sums->cached_requests);
    buffer_put(out, TEXT("\r\n"));
}

/* ---- pages of sums ---- */

/* The values of a row that outlives its step. */
static void keep_row(struct arena *arena, unsigned asked, const struct rollup_row *row,
                     struct text values[GROUP_COUNT])
{
    for (int i = 0; i < GROUP_COUNT; i++)
        if (asked & GROUP_BIT(i))
            values[i] = arena_copy(arena, row->group[i]);
}

/* One row more than a page has is asked for: it shows that there is a next page. */
static bool fill_page(struct rollup *rollup, const struct books_query *query, struct page *page,
                      struct fault *fault)
{
    struct books_query wide = *query;
    struct rollup_row row;
    struct arena arena = {0};
    struct text last[GROUP_COUNT] = {{0}};
    enum rollup_step step = ROLLUP_BROKEN;
    int64_t rows = 0;
    wide.limit++;
    if (rollup_ask(rollup, &wide, query->groups, fault)) {
        while ((step = rollup_next(rollup, &row, fault)) == ROLLUP_ROW) {
            if (++rows > query->limit)
                continue;
            (query->csv ? put_csv_row : put_row)(&page->rows, query->groups, &row);
            if (rows == query->limit)
                keep_row(&arena, query->groups, &row, last);
        }
    }
    if (rows > query->limit)
        cursor_put(&page->next, query->groups, last);
    arena_close(&arena);
    return step == ROLLUP_END;
}

/* All rows together: a call with several tags stands in several groups, but counts once here. */
static bool sum_all(struct rollup *rollup, const struct books_query *query,
                    struct rollup_row *total, struct fault *fault)
{
    struct rollup_row none;
    return rollup_ask(rollup, query, 0, fault) && rollup_next(rollup, total, fault) == ROLLUP_ROW &&
           rollup_next(rollup, &none, fault) == ROLLUP_END;
}

void costs_of_sums(struct rollup *rollup, const struct books_query *query,
                   struct books_answer *answer)
{
    struct rollup_row total;
    struct page page = {0};
    struct fault fault;
    bool good = sum_all(rollup, query, &total, &fault) &&
                (query->groups == 0 || fill_page(rollup, query, &page, &fault));
    if (!good) {
        log_error("%s", fault.message);
        costs_failed(answer);
    } else if (query->csv) {
        answer->status = 200;
        answer->csv = true;
        put_csv_head(&answer->body, query->groups);
        if (query->groups == 0)
            put_csv_row(&answer->body, 0, &total);
        buffer_put(&answer->body, buffer_text(&page.rows));
        buffer_put(&answer->next, buffer_text(&page.next));
    } else {
        answer->status = 200;
        put_answer(&answer->body, query, &total.sums, &page);
    }
    buffer_close(&page.rows);
    buffer_close(&page.next);
}

/* ---- the newest calls ---- */

static bool fill_recent(struct rollup *rollup, const struct books_query *query, struct page *page,
                        struct fault *fault)
{
    struct books_query wide = *query;
    struct text line;
    enum rollup_step step = ROLLUP_BROKEN;
    int64_t rows = 0, number = 0, last = 0;
    wide.limit++;
    if (rollup_ask_recent(rollup, &wide, fault)) {
        while ((step = rollup_next_recent(rollup, &number, &line, fault)) == ROLLUP_ROW) {
            if (++rows > query->limit)
                continue;
            if (page->rows.size > 0)
                buffer_put_byte(&page->rows, ',');
            buffer_put(&page->rows, line);
            last = number;
        }
    }
    if (rows > query->limit)
        buffer_put_int(&page->next, last);
    return step == ROLLUP_END;
}

void costs_of_recent(struct rollup *rollup, const struct books_query *query,
                     struct books_answer *answer)
{
    struct page page = {0};
    struct fault fault;
    struct buffer *body = &answer->body;
    if (fill_recent(rollup, query, &page, &fault)) {
        answer->status = 200;
        buffer_put(body, TEXT("{\"object\":\"list\",\"data\":["));
        buffer_put(body, buffer_text(&page.rows));
        buffer_put_byte(body, ']');
        put_next(body, buffer_text(&page.next));
        buffer_put_byte(body, '}');
    } else {
        log_error("%s", fault.message);
        costs_failed(answer);
    }
    buffer_close(&page.rows);
    buffer_close(&page.next);
}

void costs_of_booking(struct rollup *rollup, const struct books_query *query,
                      struct books_answer *answer)
{
    struct fault fault;
    enum rollup_step step = rollup_find_booking(rollup, query->booking, &answer->body, &fault);
    answer->status = step == ROLLUP_ROW ? 200 : 404;
    if (step == ROLLUP_BROKEN) {
        log_error("%s", fault.message);
        costs_failed(answer);
    }
}

/* ---- one request ---- */

/* The search for a request's lines. */
struct search {
    int dir_fd;
    const struct books_query *query;
    struct buffer lines;
    size_t count;
    struct rollup_sums sums;
    bool failed; /* a file could not be read */
};

static bool read_time(struct text request_id, int64_t *wall_us)
{
    uint8_t bytes[12];
    if (!text_starts(request_id, TEXT("req_")) ||
        !hash_from_hex(text_from(request_id, 4), bytes, sizeof(bytes)))
        return false;
    int64_t ms = 0;
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | bytes[i];
    *wall_us = ms * 1000;
    return true;
}

static bool is_for(const struct books_query *query, struct text key)
{
    struct text own = query->filter[GROUP_KEY];
    return own.at == NULL || text_equal(own, key);
}

static void take_line(struct search *search, struct text line)
{
    struct arena arena = {0};
    struct entry entry;
    if (entry_read(line, &arena, &entry, NULL) &&
        text_equal(entry.request_id, search->query->request_id) &&
        is_for(search->query, entry.key) && search->count < COSTS_LINES_MOST) {
        if (search->count++ > 0)
            buffer_put_byte(&search->lines, ',');
        buffer_put(&search->lines, line);
        rollup_add(&search->sums, &(struct rollup_sums){.cost = entry.cost});
    }
    arena_close(&arena);
}

static void search_file(struct search *search, const struct ledger_file *file)
{
    int fd = openat(search->dir_fd, file->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return; /* deleted since it was listed */
    struct lines lines = {.fd = fd};
    struct text line;
    enum lines_step step = LINES_END;
    while ((step = lines_next(&lines, &line)) == LINES_LINE)
        if (text_find(line, search->query->request_id, 0) != SIZE_MAX)
            take_line(search, line);
    if (step == LINES_FAILED) {
        log_error("the ledger file %s cannot be read: %s", file->name, strerror(errno));
        search->failed = true;
    }
    lines_close(&lines);
    close(fd);
}

/* When a file was begun, from its first line; 0 if that cannot be told. */
static int64_t begun_us(int dir_fd, const struct ledger_file *file)
{
    enum { STAMP_AT = 14 }; /* behind {"timestamp":" */
    char head[STAMP_AT + CLOCK_STAMP_SIZE - 1];
    int64_t wall_us = 0;
    int fd = openat(dir_fd, file->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return 0;
    if (pread(fd, head, sizeof(head), 0) == (ssize_t)sizeof(head) &&
        !clock_parse(text_make(head + STAMP_AT, CLOCK_STAMP_SIZE - 1), &wall_us))
        wall_us = 0;
    close(fd);
    return wall_us;
}

static void search_files(struct search *search, const struct ledger_files *files, int64_t time_us)
{
    int64_t day = time_us / DAY_US;
    for (size_t i = 0; i < files->count; i++) {
        const struct ledger_file *file = &files->at[i];
        if (file->day < day || file->day > day + DAYS_AFTER)
            continue;
        /* Not if the next file was begun before the request was. */
        int64_t left_us =
            i + 1 < files->count ? begun_us(search->dir_fd, &files->at[i + 1]) : INT64_MAX;
        if (left_us > 0 && left_us < time_us - SLACK_US)
            continue;
        search_file(search, file);
    }
}

static void put_request(struct buffer *out, const struct search *search)
{
    buffer_put_byte(out, '{');
    json_put_text_member(out, TEXT("object"), TEXT("costs.request"));
    json_put_text_member(out, TEXT("request_id"), search->query->request_id);
    put_cost(out, search->sums.cost);
    json_put_name(out, TEXT("lines"));
    buffer_put_byte(out, '[');
    buffer_put(out, buffer_text(&search->lines));
    buffer_put(out, TEXT("]}"));
}

void costs_of_request(int dir_fd, const struct books_query *query, struct books_answer *answer)
{
    struct search search = {.dir_fd = dir_fd, .query = query};
    struct ledger_files files = {0};
    struct fault fault;
    int64_t time_us = 0;
    bool sought = read_time(query->request_id, &time_us);
    if (sought && !files_list(dir_fd, &files, &fault)) {
        log_error("%s", fault.message);
        costs_failed(answer);
        return;
    }
    search_files(&search, &files, time_us);
    if (search.failed) {
        costs_failed(answer);
    } else if (search.count == 0) {
        refuse(answer, 404, TEXT("request_not_found"),
               TEXT("The ledger has no request of that id that this key may see."));
    } else {
        answer->status = 200;
        put_request(&answer->body, &search);
    }
    files_free(&files);
    buffer_close(&search.lines);
}
