/*
 * Calendar windows in time zones: known ones, and chains of windows over 40 years, whose local
 * times are taken from glibc. Needs the system's tzdata.
 */
#include "../moments.h"
#include "money/window.h"

#include <stdio.h>
#include <time.h>

enum { HOUR_S = 3600, DAY_S = 86400 };

static const char *const zones[] = {
    "UTC",
    "Europe/Madrid",
    "Europe/Dublin",
    "America/New_York",
    "America/Sao_Paulo", /* changed at midnight */
    "America/St_Johns",  /* changed at one past midnight */
    "America/Caracas",   /* by half an hour, once */
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "Asia/Gaza",
    "Asia/Pyongyang",
    "Australia/Lord_Howe", /* by half an hour, each year */
    "Antarctica/Troll",    /* by two hours */
    "Pacific/Apia",        /* skipped a day */
    "Pacific/Chatham",
};

static struct tm glibc_local(int64_t utc_s)
{
    time_t at = utc_s;
    struct tm local;
    localtime_r(&at, &local);
    return local;
}

/* ---- known windows ---- */

START_TEST(knows_these_windows)
{
    static const struct {
        const char *zone;
        enum window_kind kind;
        const char *now;
        const char *id;
        const char *start;
        const char *end;
    } cases[] = {
        {"UTC", WINDOW_HOUR, "2026-11-21T15:59:59", "2026-11-21T15", "2026-11-21T15:00",
         "2026-11-21T16:00"},
        {"UTC", WINDOW_DAY, "2026-11-21T00:00", "2026-11-21", "2026-11-21", "2026-11-22"},
        {"UTC", WINDOW_WEEK, "2026-11-21T20:15", "2026-W47", "2026-11-16", "2026-11-23"},
        {"UTC", WINDOW_MONTH, "2026-11-21T20:15", "2026-11", "2026-11-01", "2026-12-01"},
        {"UTC", WINDOW_MONTH, "2024-02-29T23:59", "2024-02", "2024-02-01", "2024-03-01"},
        {"UTC", WINDOW_MONTH, "2026-12-31T23:59", "2026-12", "2026-12-01", "2027-01-01"},
        /* Weeks of one year that lie in the next. */
        {"UTC", WINDOW_WEEK, "2027-01-01", "2026-W53", "2026-12-28", "2027-01-04"},
        {"UTC", WINDOW_WEEK, "2024-12-31", "2025-W01", "2024-12-30", "2025-01-06"},
        {"UTC", WINDOW_WEEK, "1970-01-01", "1970-W01", "1969-12-29", "1970-01-05"},
        /* Local midnight is not UTC's. */
        {"Asia/Kathmandu", WINDOW_DAY, "2026-11-20T18:15", "2026-11-21", "2026-11-20T18:15",
         "2026-11-21T18:15"},
        {"Asia/Kathmandu", WINDOW_HOUR, "2026-11-20T18:14:59", "2026-11-20T23", "2026-11-20T17:15",
         "2026-11-20T18:15"},
        {"America/New_York", WINDOW_DAY, "1970-01-01", "1969-12-31", "1969-12-31T05:00",
         "1970-01-01T05:00"},
        {"America/New_York", WINDOW_MONTH, "2026-12-01T04:59:59", "2026-11", "2026-11-01T04:00",
         "2026-12-01T05:00"},
        /* 23 and 25 hours. */
        {"Europe/Madrid", WINDOW_DAY, "2026-03-29T12:00", "2026-03-29", "2026-03-28T23:00",
         "2026-03-29T22:00"},
        {"Europe/Madrid", WINDOW_DAY, "2026-10-25T12:00", "2026-10-25", "2026-10-24T22:00",
         "2026-10-25T23:00"},
        /* The hour that comes twice, and the one that does not come. */
        {"Europe/Madrid", WINDOW_HOUR, "2026-10-25T00:30", "2026-10-25T02", "2026-10-25T00:00",
         "2026-10-25T01:00"},
        {"Europe/Madrid", WINDOW_HOUR, "2026-10-25T01:30", "2026-10-25T02b", "2026-10-25T01:00",
         "2026-10-25T02:00"},
        {"Europe/Madrid", WINDOW_HOUR, "2026-10-25T02:30", "2026-10-25T03", "2026-10-25T02:00",
         "2026-10-25T03:00"},
        {"Europe/Madrid", WINDOW_HOUR, "2026-03-29T01:00", "2026-03-29T03", "2026-03-29T01:00",
         "2026-03-29T02:00"},
        /* Half an hour of change: half an hour comes twice, or is missing. */
        {"Australia/Lord_Howe", WINDOW_HOUR, "2026-04-04T14:59", "2026-04-05T01",
         "2026-04-04T14:00", "2026-04-04T15:00"},
        {"Australia/Lord_Howe", WINDOW_HOUR, "2026-04-04T15:00", "2026-04-05T01b",
         "2026-04-04T15:00", "2026-04-04T15:30"},
        {"Australia/Lord_Howe", WINDOW_HOUR, "2026-10-03T15:40", "2026-10-04T02",
         "2026-10-03T15:30", "2026-10-03T16:00"},
        /* Put forward within an hour: the hour goes on. 03:00 became 03:30 at half past. */
        {"America/Caracas", WINDOW_HOUR, "2016-05-01T07:10", "2016-05-01T03", "2016-05-01T07:00",
         "2016-05-01T08:00"},
        /* No midnight: the day begins at one. And midnight comes twice: it begins at the first. */
        {"America/Sao_Paulo", WINDOW_DAY, "2018-11-04T12:00", "2018-11-04", "2018-11-04T03:00",
         "2018-11-05T02:00"},
        {"America/Sao_Paulo", WINDOW_DAY, "2018-02-18T02:30", "2018-02-17", "2018-02-17T02:00",
         "2018-02-18T03:00"},
        /* One minute after midnight it is 23:01 again; the new day stays. */
        {"America/St_Johns", WINDOW_DAY, "2010-11-07T02:30", "2010-11-07", "2010-11-07T02:30",
         "2010-11-08T03:30"},
        {"America/St_Johns", WINDOW_DAY, "2010-11-07T03:00", "2010-11-07", "2010-11-07T02:30",
         "2010-11-08T03:30"},
        {"America/St_Johns", WINDOW_HOUR, "2010-11-07T02:30", "2010-11-07T00", "2010-11-07T02:30",
         "2010-11-07T02:31"},
        {"America/St_Johns", WINDOW_HOUR, "2010-11-07T02:31", "2010-11-06T23b", "2010-11-07T02:31",
         "2010-11-07T03:30"},
        {"America/St_Johns", WINDOW_HOUR, "2010-11-07T04:00", "2010-11-07T00b", "2010-11-07T03:30",
         "2010-11-07T04:30"},
        /* A day that never was. */
        {"Pacific/Apia", WINDOW_DAY, "2011-12-30T09:59:59", "2011-12-29", "2011-12-29T10:00",
         "2011-12-30T10:00"},
        {"Pacific/Apia", WINDOW_DAY, "2011-12-30T10:00", "2011-12-31", "2011-12-30T10:00",
         "2011-12-31T10:00"},
        {"Pacific/Apia", WINDOW_WEEK, "2011-12-30T10:00", "2011-W52", "2011-12-26T10:00",
         "2012-01-01T10:00"},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        struct zone *zone = open_zone(cases[i].zone);
        struct window window = window_at(cases[i].kind, zone, utc_of(cases[i].now));
        ck_assert_int_eq(window.kind, cases[i].kind);
        ck_assert_str_eq(window.id, cases[i].id);
        ck_assert_msg(window.start_s == utc_of(cases[i].start), "%s begins at %lld", window.id,
                      (long long)window.start_s);
        ck_assert_msg(window.end_s == utc_of(cases[i].end), "%s ends at %lld", window.id,
                      (long long)window.end_s);
        zone_close(zone);
    }
}
END_TEST

START_TEST(total_lasts_for_ever)
{
    struct zone *zone = open_zone("Europe/Madrid");
    struct window window = window_at(WINDOW_TOTAL, zone, utc_of("2026-11-21"));
    ck_assert_str_eq(window.id, "total");
    ck_assert_int_eq(window.start_s, 0);
    ck_assert_int_eq(window.end_s, WINDOW_FOREVER);
    zone_close(zone);
}
END_TEST

START_TEST(names_and_kinds_belong_together)
{
    for (enum window_kind kind = WINDOW_HOUR; kind <= WINDOW_TOTAL; kind++) {
        enum window_kind same = WINDOW_HOUR;
        ck_assert(window_kind_parse(text_of(window_name(kind)), &same));
        ck_assert_int_eq(same, kind);
    }
    enum window_kind kind = WINDOW_MONTH;
    ck_assert(!window_kind_parse(TEXT("year"), &kind));
    ck_assert(!window_kind_parse(TEXT("days"), &kind));
    ck_assert(!window_kind_parse(TEXT(""), &kind));
    ck_assert_int_eq(kind, WINDOW_MONTH);
}
END_TEST

/* ---- chains ---- */

static bool same_window(struct window a, struct window b)
{
    return a.start_s == b.start_s && a.end_s == b.end_s && strcmp(a.id, b.id) == 0;
}

static void check_whole(const struct zone *zone, struct window window)
{
    int64_t middle_s = window.start_s + (window.end_s - window.start_s) / 2;
    if (!same_window(window, window_at(window.kind, zone, window.start_s)) ||
        !same_window(window, window_at(window.kind, zone, middle_s)) ||
        !same_window(window, window_at(window.kind, zone, window.end_s - 1)))
        ck_abort_msg("%s is not the same window all through", window.id);
}

/* What glibc's calendar calls the period of a moment. */
static void glibc_id(enum window_kind kind, int64_t utc_s, char id[20])
{
    static const char *const formats[] = {
        [WINDOW_HOUR] = "%Y-%m-%dT%H",
        [WINDOW_DAY] = "%Y-%m-%d",
        [WINDOW_WEEK] = "%G-W%V",
        [WINDOW_MONTH] = "%Y-%m",
    };
    struct tm local = glibc_local(utc_s);
    if (strftime(id, 20, formats[kind], &local) == 0)
        ck_abort_msg("too long a date");
}

/* A period's first moment is the first one that the calendar puts there; ids only grow. */
static void check_link(struct window before, struct window after)
{
    char last[20];
    char first[20];
    glibc_id(after.kind, after.start_s - 1, last);
    glibc_id(after.kind, after.start_s, first);
    if (after.start_s != before.end_s || strcmp(before.id, after.id) >= 0)
        ck_abort_msg("%s does not follow %s", after.id, before.id);
    if (strcmp(last, before.id) != 0 || strcmp(first, after.id) != 0)
        ck_abort_msg("%s after %s, the calendar: %s after %s", after.id, before.id, first, last);
}

START_TEST(days_weeks_and_months_follow_each_other_for_forty_years)
{
    static const enum window_kind kinds[] = {WINDOW_DAY, WINDOW_WEEK, WINDOW_MONTH};
    for (size_t i = 0; i < UNIT_COUNT(zones) * UNIT_COUNT(kinds); i++) {
        const char *name = zones[i / UNIT_COUNT(kinds)];
        struct zone *zone = open_zone(name);
        setenv("TZ", name, 1);
        tzset();
        struct window before = window_at(kinds[i % UNIT_COUNT(kinds)], zone, utc_of("1998-01-01"));
        while (before.end_s < utc_of("2038-01-01")) {
            struct window after = window_at(before.kind, zone, before.end_s);
            check_link(before, after);
            check_whole(zone, after);
            before = after;
        }
        zone_close(zone);
    }
}
END_TEST

/* Hours within two days of a change of the clocks; their ids are kept to see that none repeats. */
static void check_hours_around(const struct zone *zone, int64_t change_s)
{
    enum { MANY = 120 };
    char ids[MANY][20];
    size_t count = 0;
    struct window window = window_at(WINDOW_HOUR, zone, change_s - 2 * DAY_S);
    while (window.start_s < change_s + 2 * DAY_S) {
        char local[20];
        glibc_id(WINDOW_HOUR, window.start_s, local);
        if (strncmp(local, window.id, strlen(local)) != 0)
            ck_abort_msg("%s, the calendar: %s", window.id, local);
        for (size_t i = 0; i < count; i++) {
            if (strcmp(ids[i], window.id) == 0)
                ck_abort_msg("%s comes twice", window.id);
        }
        check_whole(zone, window);
        if (count == MANY)
            ck_abort_msg("too many hours in four days");
        memcpy(ids[count++], window.id, sizeof(window.id));
        struct window next = window_at(WINDOW_HOUR, zone, window.end_s);
        if (next.start_s != window.end_s || next.end_s - next.start_s > HOUR_S)
            ck_abort_msg("%s does not follow %s", next.id, window.id);
        window = next;
    }
}

START_TEST(hours_follow_each_other_through_every_change_of_the_clocks)
{
    for (size_t i = 0; i < UNIT_COUNT(zones); i++) {
        struct zone *zone = open_zone(zones[i]);
        setenv("TZ", zones[i], 1);
        tzset();
        int64_t change_s = utc_of("1998-01-01");
        while (change_s < utc_of("2038-01-01")) {
            check_hours_around(zone, change_s);
            change_s = zone_span_at(zone, change_s).end_s;
        }
        zone_close(zone);
    }
}
END_TEST

START_TEST(rolls_in_24ths_of_its_length)
{
    struct window window = window_rolling(DAY_S, utc_of("2026-11-21T15:59:59"));
    ck_assert_str_eq(window.id, "r2026-11-21T150000");
    ck_assert_int_eq(window.kind, WINDOW_ROLLING);
    ck_assert_int_eq(window.start_s, utc_of("2026-11-21T15:00"));
    ck_assert_int_eq(window.end_s, utc_of("2026-11-21T16:00"));
    ck_assert_int_eq(window_counts_until_s(&window), utc_of("2026-11-22T16:00"));
    struct window later = window_rolling(DAY_S, utc_of("2026-11-22T15:00"));
    ck_assert_int_eq(window_rolled(&window, &later), 24);
    window = window_rolling(300, 25); /* rounded up to 13 seconds */
    ck_assert_int_eq(window.start_s, 13);
    ck_assert_int_eq(window.end_s, 26);
    ck_assert_str_eq(window.id, "r1970-01-01T000013");
}
END_TEST

UNIT_MAIN(rolls_in_24ths_of_its_length, knows_these_windows, total_lasts_for_ever,
          names_and_kinds_belong_together, days_weeks_and_months_follow_each_other_for_forty_years,
          hours_follow_each_other_through_every_change_of_the_clocks)
