/*
 * Calendar windows. A day begins at the first moment whose local time is midnight or later, a week
 * and a month at the beginning of their first day; so each ends where the next begins, whatever
 * the clocks do. Hours alone follow every turn of the clocks.
 */
#include "money/window.h"

#include <stdio.h>

#include "base/clock.h"

enum { HOUR_S = 3600, DAY_S = 86400 };

static const char *const names[] = {
    [WINDOW_HOUR] = "hour",   [WINDOW_DAY] = "day",     [WINDOW_WEEK] = "week",
    [WINDOW_MONTH] = "month", [WINDOW_TOTAL] = "total", [WINDOW_ROLLING] = "rolling",
};

enum { NAMES = sizeof(names) / sizeof(names[0]) };

const char *window_name(enum window_kind kind)
{
    ASSERT(kind <= WINDOW_ROLLING);
    return names[kind];
}

bool window_kind_parse(struct text name, enum window_kind *kind)
{
    for (size_t i = 0; i < NAMES; i++) {
        if (text_equal(name, text_of(names[i]))) {
            *kind = (enum window_kind)i;
            return true;
        }
    }
    return false;
}

struct date {
    int64_t year;
    int month;
    int day;
};

static struct date date_of(int64_t day)
{
    struct date date = {0};
    clock_civil_from_days(day, &date.year, &date.month, &date.day);
    return date;
}

/* ---- hours ---- */

static int64_t hour_of(int64_t local_s)
{
    return local_s - (local_s % HOUR_S + HOUR_S) % HOUR_S;
}

/* An hour goes on through clocks put forward within it; put back, they begin it again. */
static bool hour_goes_on(struct zone_span before, struct zone_span after, int64_t hour)
{
    return before.offset_s <= after.offset_s &&
           hour_of(after.start_s - 1 + before.offset_s) == hour &&
           hour_of(after.start_s + after.offset_s) == hour;
}

static int64_t hour_start(const struct zone *zone, struct zone_span span, int64_t hour)
{
    while (hour - span.offset_s < span.start_s) {
        struct zone_span before = zone_span_at(zone, span.start_s - 1);
        if (!hour_goes_on(before, span, hour))
            return span.start_s;
        span = before;
    }
    return hour - span.offset_s;
}

static int64_t hour_end(const struct zone *zone, struct zone_span span, int64_t hour)
{
    while (hour + HOUR_S - span.offset_s > span.end_s) {
        struct zone_span after = zone_span_at(zone, span.end_s);
        if (!hour_goes_on(span, after, hour))
            return span.end_s;
        span = after;
    }
    return hour + HOUR_S - span.offset_s;
}

static void set_hour(struct window *window, const struct zone *zone, int64_t now_s)
{
    struct zone_span span = zone_span_at(zone, now_s);
    int64_t hour = hour_of(now_s + span.offset_s);
    window->start_s = hour_start(zone, span, hour);
    window->end_s = hour_end(zone, span, hour);

    int64_t day = clock_day_of(hour);
    struct date date = date_of(day);
    bool again = zone_first_at(zone, hour) < window->start_s;
    snprintf(window->id, sizeof(window->id), "%04d-%02d-%02dT%02d%s", (int)date.year, date.month,
             date.day, (int)((hour - day * DAY_S) / HOUR_S), again ? "b" : "");
}

/* ---- days, weeks, months ---- */

/* The first local day of the period that holds `day`, and of the one after it. */
struct period {
    int64_t first;
    int64_t next;
};

static struct period period_day(int64_t day)
{
    return (struct period){day, day + 1};
}

static int64_t weekday_of(int64_t day) /* 0 is Monday; 1970-01-01 was a Thursday */
{
    return ((day + 3) % 7 + 7) % 7;
}

static struct period period_week(int64_t day)
{
    int64_t monday = day - weekday_of(day);
    return (struct period){monday, monday + 7};
}

static struct period period_month(int64_t day)
{
    struct date date = date_of(day);
    int64_t first = day - (date.day - 1);
    struct date next = date_of(first + 31);
    return (struct period){first, first + 31 - (next.day - 1)};
}

static void name_day(int64_t first, char *id, size_t size)
{
    struct date date = date_of(first);
    snprintf(id, size, "%04d-%02d-%02d", (int)date.year, date.month, date.day);
}

/* ISO 8601: a week belongs to the year that holds its Thursday. */
static void name_week(int64_t first, char *id, size_t size)
{
    int64_t thursday = first + 3;
    int64_t year = date_of(thursday).year;
    int64_t week = (thursday - clock_days_from_civil(year, 1, 1)) / 7 + 1;
    snprintf(id, size, "%04d-W%02d", (int)year, (int)week);
}

static void name_month(int64_t first, char *id, size_t size)
{
    struct date date = date_of(first);
    snprintf(id, size, "%04d-%02d", (int)date.year, date.month);
}

static const struct {
    struct period (*of)(int64_t day);
    void (*name)(int64_t first, char *id, size_t size);
} periods[] = {
    [WINDOW_DAY] = {period_day, name_day},
    [WINDOW_WEEK] = {period_week, name_week},
    [WINDOW_MONTH] = {period_month, name_month},
};

/* Clocks put back over midnight show the old date once more: the new period, once begun, stays. */
static void set_period(struct window *window, const struct zone *zone, int64_t now_s)
{
    int64_t today = clock_day_of(now_s + zone_offset_at(zone, now_s));
    struct period period = periods[window->kind].of(today);
    while (zone_first_at(zone, period.next * DAY_S) <= now_s)
        period = periods[window->kind].of(period.next);
    window->start_s = zone_first_at(zone, period.first * DAY_S);
    window->end_s = zone_first_at(zone, period.next * DAY_S);
    periods[window->kind].name(period.first, window->id, sizeof(window->id));
}

struct window window_at(enum window_kind kind, const struct zone *zone, int64_t now_s)
{
    ASSERT(kind != WINDOW_ROLLING);
    ASSERT(now_s >= 0);
    ASSERT(clock_day_of(now_s) < clock_days_from_civil(9999, 1, 1));
    struct window window = {.kind = kind, .end_s = WINDOW_FOREVER, .id = "total"};
    if (kind == WINDOW_HOUR)
        set_hour(&window, zone, now_s);
    else if (kind != WINDOW_TOTAL)
        set_period(&window, zone, now_s);
    return window;
}

/* ---- rolling ---- */

struct window window_rolling(int64_t length_s, int64_t now_s)
{
    ASSERT(length_s >= WINDOW_ROLLING_LEAST_S);
    ASSERT(length_s <= WINDOW_ROLLING_MOST_S);
    ASSERT(now_s >= 0);
    ASSERT(clock_day_of(now_s) < clock_days_from_civil(9999, 1, 1));
    int64_t bucket_s = (length_s + WINDOW_ROLLING_BUCKETS - 1) / WINDOW_ROLLING_BUCKETS;
    struct window window = {.kind = WINDOW_ROLLING, .start_s = now_s - now_s % bucket_s};
    window.end_s = window.start_s + bucket_s;

    int64_t day = clock_day_of(window.start_s);
    unsigned second = (unsigned)(window.start_s - day * DAY_S);
    struct date date = date_of(day);
    snprintf(window.id, sizeof(window.id), "r%04d-%02d-%02dT%02u%02u%02u", (int)date.year,
             date.month, date.day, second / HOUR_S % 24, second / 60 % 60, second % 60);
    return window;
}

int64_t window_rolled(const struct window *earlier, const struct window *later)
{
    ASSERT(earlier->kind == WINDOW_ROLLING);
    ASSERT(later->kind == WINDOW_ROLLING);
    return (later->start_s - earlier->start_s) / (earlier->end_s - earlier->start_s);
}

int64_t window_counts_until_s(const struct window *window)
{
    if (window->kind != WINDOW_ROLLING)
        return window->end_s;
    return window->end_s + WINDOW_ROLLING_BUCKETS * (window->end_s - window->start_s);
}
