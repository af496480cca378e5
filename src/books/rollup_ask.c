/*
 * Asking the roll-ups. A question is put together from this file's own words alone; whatever came
 * from outside is bound to it as a parameter.
 */
#include "books/rollup_state.h"

#include "base/log.h"

static const int64_t NANO_PER_USD = 1000000000;

/* How a group is computed, and filtered by. */
static const char *const columns[GROUP_COUNT] = {
    [GROUP_HOUR] = "strftime('%Y-%m-%dT%H:00', total.hour * 3600, 'unixepoch')",
    [GROUP_DAY] = "strftime('%Y-%m-%d', total.hour * 3600, 'unixepoch')",
    [GROUP_MONTH] = "strftime('%Y-%m', total.hour * 3600, 'unixepoch')",
    [GROUP_MODEL] = "facet.model",
    [GROUP_UPSTREAM] = "facet.upstream",
    [GROUP_SERVICE] = "facet.service",
    [GROUP_KEY] = "facet.key",
    [GROUP_USER] = "facet.user",
    [GROUP_TEAM] = "facet.team",
    [GROUP_SESSION] = "facet.session",
    [GROUP_TAG] = "ifnull(tag.tag, '')",
    [GROUP_ENDPOINT] = "facet.endpoint",
};

/* A question while it is put together: its words, and what is bound to it. */
struct words {
    struct buffer sql;
    struct text texts[2 * GROUP_COUNT + 1];
    int text_at[2 * GROUP_COUNT + 1];
    int text_count;
    int64_t numbers[8];
    int number_at[8];
    int number_count;
};

static void put(struct words *words, const char *sql)
{
    buffer_put(&words->sql, text_of(sql));
}

static void put_text(struct words *words, struct text value)
{
    int at = words->text_count + words->number_count + 1;
    put(words, "?");
    words->text_at[words->text_count] = at;
    words->texts[words->text_count++] = value;
}

static void put_number(struct words *words, int64_t value)
{
    int at = words->text_count + words->number_count + 1;
    put(words, "?");
    words->number_at[words->number_count] = at;
    words->numbers[words->number_count++] = value;
}

static bool ask(struct rollup *rollup, struct words *words, struct fault *fault)
{
    (void)sqlite3_finalize(rollup->asked);
    rollup->asked = NULL;
    bool good = sqlite3_prepare_v2(rollup->db, words->sql.at, (int)words->sql.size, &rollup->asked,
                                   NULL) == SQLITE_OK ||
                rollup_fault(rollup, fault);
    for (int i = 0; good && i < words->text_count; i++)
        rollup_bind(rollup->asked, words->text_at[i], words->texts[i]);
    for (int i = 0; good && i < words->number_count; i++)
        (void)sqlite3_bind_int64(rollup->asked, words->number_at[i], words->numbers[i]);
    buffer_close(&words->sql);
    return good;
}

/* The next row of the question; at its end the question goes. */
static enum rollup_step step(struct rollup *rollup, struct fault *fault)
{
    int result = sqlite3_step(rollup->asked);
    if (result == SQLITE_ROW)
        return ROLLUP_ROW;
    if (result != SQLITE_DONE)
        rollup_fault(rollup, fault);
    (void)sqlite3_finalize(rollup->asked);
    rollup->asked = NULL;
    return result == SQLITE_DONE ? ROLLUP_END : ROLLUP_BROKEN;
}

/* ---- filters ---- */

static void put_tag_filter(struct words *words, struct text tag)
{
    if (tag.size == 0) {
        put(words, " AND NOT EXISTS (SELECT 1 FROM tag AS own WHERE own.facet = facet.id)");
        return;
    }
    put(words, " AND EXISTS (SELECT 1 FROM tag AS own WHERE own.facet = facet.id AND own.tag = ");
    put_text(words, tag);
    put(words, ")");
}

static void put_filters(struct words *words, const struct books_query *query)
{
    for (int i = GROUP_FIRST_FILTER; i < GROUP_COUNT; i++) {
        if (query->filter[i].at == NULL)
            continue;
        if (i == GROUP_TAG) {
            put_tag_filter(words, query->filter[i]);
            continue;
        }
        put(words, " AND ");
        put(words, columns[i]);
        put(words, " = ");
        put_text(words, query->filter[i]);
    }
}

/* ---- sums ---- */

static void put_columns(struct words *words, unsigned groups)
{
    const char *between = "";
    for (int i = 0; i < GROUP_COUNT; i++) {
        if (!(groups & GROUP_BIT(i)))
            continue;
        put(words, between);
        put(words, columns[i]);
        between = ", ";
    }
}

static void put_after(struct words *words, const struct books_query *query, unsigned groups)
{
    const char *between = "";
    put(words, " AND (");
    put_columns(words, groups);
    put(words, ") > (");
    for (int i = 0; i < GROUP_COUNT; i++) {
        if (!(groups & GROUP_BIT(i)))
            continue;
        put(words, between);
        put_text(words, query->after[i]);
        between = ", ";
    }
    put(words, ")");
}

/* " GROUP BY 1, 2 ORDER BY 1, 2 LIMIT ?" */
static void put_page(struct words *words, const struct books_query *query, unsigned groups)
{
    static const char *const by[] = {" GROUP BY ", " ORDER BY "};
    for (size_t clause = 0; clause < 2; clause++) {
        int count = __builtin_popcount(groups);
        put(words, by[clause]);
        for (int i = 1; i <= count; i++)
            buffer_printf(&words->sql, i == 1 ? "%d" : ", %d", i);
    }
    put(words, " LIMIT ");
    put_number(words, query->limit);
}

/* Hours are rounded down, before 1970 too. */
static int64_t hour_of(int64_t wall_us)
{
    const int64_t hour_us = INT64_C(3600000000);
    return wall_us / hour_us - (wall_us % hour_us < 0);
}

/* Dollars and what is below them apart: neither sum can leave the range of an integer. */
static void put_sum_of_money(struct words *words, const char *column, struct text cause)
{
    buffer_printf(&words->sql, ", sum(%s%.*s / 1000000000), sum(%s%.*s %% 1000000000)", column,
                  TEXT_ARG(cause), column, TEXT_ARG(cause));
}

bool rollup_ask(struct rollup *rollup, const struct books_query *query, unsigned groups,
                struct fault *fault)
{
    struct words words = {0};
    rollup->groups = groups;
    put(&words, "SELECT ");
    put_columns(&words, groups);
    put(&words, groups == 0 ? "" : ", ");
    put(&words,
        "sum(requests), sum(prompt), sum(cached), sum(completion), sum(reasoning), sum(hits)");
    put_sum_of_money(&words, "nano", TEXT_NONE);
    for (int i = 0; i < SAVING_COUNT; i++)
        put_sum_of_money(&words, "saved_", saving_name((enum saving)i));
    put(&words, " FROM total LEFT JOIN facet ON facet.id = total.facet");
    if (groups & GROUP_BIT(GROUP_TAG))
        put(&words, " LEFT JOIN tag ON tag.facet = total.facet");
    put(&words, " WHERE total.hour >= ");
    put_number(&words, hour_of(query->from_us));
    put(&words, " AND total.hour < ");
    put_number(&words, hour_of(query->to_us));
    put_filters(&words, query);
    if (groups != 0 && query->has_after)
        put_after(&words, query, groups);
    if (groups != 0)
        put_page(&words, query, groups);
    return ask(rollup, &words, fault);
}

static struct money money_of(int64_t dollars, int64_t nano)
{
    int64_t all = 0;
    if (__builtin_mul_overflow(dollars, NANO_PER_USD, &all) ||
        __builtin_add_overflow(all, nano, &all))
        return (struct money){dollars > 0 ? INT64_MAX : INT64_MIN};
    return (struct money){all};
}

/* Dollars stand in one column, what is below them in the next. */
static struct money column_money(sqlite3_stmt *asked, int at)
{
    return money_of(sqlite3_column_int64(asked, at), sqlite3_column_int64(asked, at + 1));
}

enum rollup_step rollup_next(struct rollup *rollup, struct rollup_row *row, struct fault *fault)
{
    enum rollup_step next = step(rollup, fault);
    if (next != ROLLUP_ROW)
        return next;
    sqlite3_stmt *asked = rollup->asked;
    int at = 0;
    *row = (struct rollup_row){0};
    for (int i = 0; i < GROUP_COUNT; i++)
        if (rollup->groups & GROUP_BIT(i))
            row->group[i] = rollup_column(asked, at++);
    row->sums = (struct rollup_sums){
        .requests = sqlite3_column_int64(asked, at),
        .prompt_tokens = sqlite3_column_int64(asked, at + 1),
        .cached_tokens = sqlite3_column_int64(asked, at + 2),
        .completion_tokens = sqlite3_column_int64(asked, at + 3),
        .reasoning_tokens = sqlite3_column_int64(asked, at + 4),
        .cached_requests = sqlite3_column_int64(asked, at + 5),
        .cost = column_money(asked, at + 6),
    };
    for (int i = 0; i < SAVING_COUNT; i++)
        row->sums.saved[i] = column_money(asked, at + 8 + 2 * i);
    return ROLLUP_ROW;
}

/* ---- the newest calls ---- */

bool rollup_ask_recent(struct rollup *rollup, const struct books_query *query, struct fault *fault)
{
    struct words words = {0};
    put(&words, "SELECT recent.id, recent.line FROM recent LEFT JOIN facet"
                " ON facet.id = recent.facet WHERE recent.wall_us >= ");
    put_number(&words, query->from_us);
    put(&words, " AND recent.wall_us < ");
    put_number(&words, query->to_us);
    put_filters(&words, query);
    if (query->status != 0) {
        put(&words, " AND recent.status = ");
        put_number(&words, query->status);
    }
    if (query->error.at != NULL) {
        put(&words, " AND recent.error = ");
        put_text(&words, query->error);
    }
    if (query->before != 0) {
        put(&words, " AND recent.id < ");
        put_number(&words, query->before);
    }
    put(&words, " ORDER BY recent.id DESC LIMIT ");
    put_number(&words, query->limit);
    return ask(rollup, &words, fault);
}

enum rollup_step rollup_next_recent(struct rollup *rollup, int64_t *number, struct text *line,
                                    struct fault *fault)
{
    enum rollup_step next = step(rollup, fault);
    if (next == ROLLUP_ROW) {
        *number = sqlite3_column_int64(rollup->asked, 0);
        *line = rollup_column(rollup->asked, 1);
    }
    return next;
}

/* ---- bookings ---- */

enum rollup_step rollup_find_booking(struct rollup *rollup, struct text name, struct buffer *line,
                                     struct fault *fault)
{
    sqlite3_stmt *find = rollup->prepared[ROLLUP_BOOKING_FIND];
    rollup_bind(find, 1, name);
    int result = sqlite3_step(find);
    if (result == SQLITE_ROW)
        buffer_put(line, rollup_column(find, 0));
    else if (result != SQLITE_DONE)
        rollup_fault(rollup, fault);
    (void)sqlite3_reset(find);
    return result == SQLITE_ROW ? ROLLUP_ROW : result == SQLITE_DONE ? ROLLUP_END : ROLLUP_BROKEN;
}
