/*
 * Time zones: against glibc for 62 years of real zones, and files made here for every form of
 * rule and every kind of damage. Needs the system's tzdata.
 */
#include "../moments.h"

#include <stdio.h>
#include <time.h>

enum { HOUR_S = 3600 };

static const char *const zones[] = {
    "UTC",
    "Europe/Madrid",
    "Europe/London",
    "Europe/Dublin", /* negative summer time */
    "America/New_York",
    "America/Sao_Paulo", /* changes at midnight */
    "America/St_Johns",  /* changes at one past midnight */
    "America/Caracas",
    "America/Santiago",
    "America/Nuuk", /* a rule with times before midnight */
    "Africa/Casablanca",
    "Africa/Cairo",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Tehran",
    "Asia/Gaza",
    "Asia/Jerusalem",
    "Asia/Pyongyang",
    "Australia/Lord_Howe", /* half an hour */
    "Antarctica/Troll",    /* two hours */
    "Pacific/Apia",        /* skipped a day */
    "Pacific/Chatham",
    "Pacific/Kiritimati",
    "Etc/GMT+12",
};

/* ---- against glibc ---- */

static void glibc_use(const char *name)
{
    setenv("TZ", name, 1);
    tzset();
}

static int32_t glibc_offset(int64_t utc_s)
{
    time_t at = utc_s;
    struct tm local;
    localtime_r(&at, &local);
    return (int32_t)local.tm_gmtoff;
}

static void compare_at(const struct zone *zone, const char *name, int64_t utc_s)
{
    int32_t mine = zone_offset_at(zone, utc_s);
    int32_t theirs = glibc_offset(utc_s);
    if (mine != theirs)
        ck_abort_msg("%s at %lld: %d, glibc says %d", name, (long long)utc_s, mine, theirs);
}

/* Every six hours, and to the second around each change. */
START_TEST(offsets_are_those_of_glibc_from_1998_to_2060)
{
    for (size_t i = 0; i < UNIT_COUNT(zones); i++) {
        struct zone *zone = open_zone(zones[i]);
        glibc_use(zones[i]);
        int64_t end_s = utc_of("2060-01-01");
        for (int64_t at_s = utc_of("1998-01-01"); at_s < end_s; at_s += 6 * HOUR_S) {
            struct zone_span span = zone_span_at(zone, at_s);
            compare_at(zone, zones[i], at_s);
            if (span.end_s - at_s > 6 * HOUR_S)
                continue;
            compare_at(zone, zones[i], span.end_s - 1);
            compare_at(zone, zones[i], span.end_s);
        }
        zone_close(zone);
    }
}
END_TEST

/* The definition, searched minute by minute over glibc's offsets. */
static int64_t first_by_search(int64_t from_s, int64_t local_s)
{
    while (from_s + glibc_offset(from_s) < local_s)
        from_s += 60;
    return from_s;
}

static void compare_firsts_around(const struct zone *zone, const char *name, int64_t change_s)
{
    int64_t before_s = change_s + zone_offset_at(zone, change_s - 1);
    int64_t after_s = change_s + zone_offset_at(zone, change_s);
    int64_t low_s = before_s < after_s ? before_s : after_s;
    int64_t high_s = before_s < after_s ? after_s : before_s;
    for (int64_t at_s = low_s - HOUR_S; at_s <= high_s + HOUR_S; at_s += 15 * 60) {
        int64_t mine = zone_first_at(zone, at_s);
        int64_t theirs = first_by_search(change_s - 4 * HOUR_S, at_s);
        if (mine != theirs)
            ck_abort_msg("%s, local %lld: %lld, search says %lld", name, (long long)at_s,
                         (long long)mine, (long long)theirs);
    }
}

START_TEST(first_moments_are_those_of_a_search_around_every_change)
{
    for (size_t i = 0; i < UNIT_COUNT(zones); i++) {
        struct zone *zone = open_zone(zones[i]);
        glibc_use(zones[i]);
        int64_t end_s = utc_of("2060-01-01");
        int64_t change_s = zone_span_at(zone, utc_of("1998-01-01")).end_s;
        while (change_s < end_s) {
            compare_firsts_around(zone, zones[i], change_s);
            change_s = zone_span_at(zone, change_s).end_s;
        }
        zone_close(zone);
    }
}
END_TEST

START_TEST(spans_follow_each_other_without_gaps)
{
    for (size_t i = 0; i < UNIT_COUNT(zones); i++) {
        struct zone *zone = open_zone(zones[i]);
        int64_t at_s = -ZONE_LIMIT_S;
        while (at_s < utc_of("2100-01-01")) {
            struct zone_span span = zone_span_at(zone, at_s);
            ck_assert_int_le(span.start_s, at_s);
            ck_assert_int_gt(span.end_s, at_s);
            if (span.end_s == INT64_MAX)
                break;
            ck_assert_int_eq(zone_span_at(zone, span.end_s).start_s, span.end_s);
            ck_assert_int_eq(zone_span_at(zone, span.end_s - 1).start_s, span.start_s);
            at_s = span.end_s;
        }
        zone_close(zone);
    }
}
END_TEST

/* ---- known answers ---- */

START_TEST(knows_first_moments_in_gaps_overlaps_and_a_day_that_never_was)
{
    static const struct {
        const char *zone;
        const char *local;
        const char *utc;
    } cases[] = {
        {"UTC", "2026-11-21T20:15", "2026-11-21T20:15"},
        {"Europe/Madrid", "2026-03-29T01:59:59", "2026-03-29T00:59:59"},
        {"Europe/Madrid", "2026-03-29T02:00", "2026-03-29T01:00"},
        {"Europe/Madrid", "2026-03-29T02:30", "2026-03-29T01:00"},
        {"Europe/Madrid", "2026-03-29T03:00", "2026-03-29T01:00"},
        {"Europe/Madrid", "2026-03-29T03:00:01", "2026-03-29T01:00:01"},
        {"Europe/Madrid", "2026-10-25T02:30", "2026-10-25T00:30"},
        {"Europe/Madrid", "2026-10-25T03:00", "2026-10-25T02:00"},
        {"Europe/Madrid", "2055-07-01T00:00", "2055-06-30T22:00"},
        {"America/Sao_Paulo", "2018-11-04T00:00", "2018-11-04T03:00"},
        {"America/Sao_Paulo", "2018-02-18T00:00", "2018-02-18T03:00"},
        {"America/St_Johns", "2010-11-07T00:00", "2010-11-07T02:30"},
        {"Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45"},
        {"Pacific/Apia", "2011-12-30T00:00", "2011-12-30T10:00"},
        {"Pacific/Apia", "2011-12-31T00:00", "2011-12-30T10:00"},
        {"Asia/Kathmandu", "2026-01-01T00:00", "2025-12-31T18:15"},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        struct zone *zone = open_zone(cases[i].zone);
        int64_t first_s = zone_first_at(zone, utc_of(cases[i].local));
        ck_assert_msg(first_s == utc_of(cases[i].utc), "%s %s: %lld", cases[i].zone, cases[i].local,
                      (long long)first_s);
        zone_close(zone);
    }
}
END_TEST

/* ---- files made here ---- */

static void put_int(struct buffer *file, int64_t value, size_t width)
{
    for (size_t i = width; i-- > 0;)
        buffer_put_byte(file, (char)(value >> (8 * i)));
}

static void put_header(struct buffer *file, char version, int changes, int types)
{
    buffer_put(file, TEXT("TZif"));
    buffer_put_byte(file, version);
    for (int i = 0; i < 15; i++)
        buffer_put_byte(file, 0);
    int counts[] = {0, 0, 0, changes, types, 4};
    for (size_t i = 0; i < UNIT_COUNT(counts); i++)
        put_int(file, counts[i], 4);
}

/* Two changes: at 1000 to type 1 (+1 h), at 2000 back to type 0 (+0). */
static void put_block(struct buffer *file, char version, size_t width)
{
    put_header(file, version, 2, 2);
    put_int(file, 1000, width);
    put_int(file, 2000, width);
    put_int(file, 1, 1);
    put_int(file, 0, 1);
    put_int(file, 0, 4);
    put_int(file, 0, 2);
    put_int(file, 3600, 4);
    put_int(file, 256, 2);
    buffer_put(file, TEXT("ABC\0"));
}

static struct buffer make_file(const char *rule)
{
    struct buffer file = {0};
    put_block(&file, '2', 4);
    put_block(&file, '2', 8);
    buffer_printf(&file, "\n%s\n", rule);
    return file;
}

static struct zone *zone_of_rule(const char *rule)
{
    struct buffer file = make_file(rule);
    struct fault fault = {0};
    struct zone *zone = zone_from_bytes(buffer_text(&file), &fault);
    buffer_close(&file);
    return zone;
}

START_TEST(reads_a_file_of_version_1)
{
    struct buffer file = {0};
    put_block(&file, '\0', 4);
    struct zone *zone = zone_from_bytes(buffer_text(&file), NULL);
    ck_assert_ptr_nonnull(zone);
    ck_assert_int_eq(zone_offset_at(zone, -5000), 0);
    ck_assert_int_eq(zone_offset_at(zone, 999), 0);
    ck_assert_int_eq(zone_offset_at(zone, 1000), 3600);
    ck_assert_int_eq(zone_offset_at(zone, 1999), 3600);
    ck_assert_int_eq(zone_offset_at(zone, 2000), 0);
    ck_assert_int_eq(zone_offset_at(zone, ZONE_LIMIT_S), 0);
    zone_close(zone);
    buffer_close(&file);
}
END_TEST

START_TEST(an_empty_rule_leaves_the_last_offset)
{
    struct zone *zone = zone_of_rule("");
    ck_assert_ptr_nonnull(zone);
    ck_assert_int_eq(zone_offset_at(zone, utc_of("2040-07-01")), 0);
    zone_close(zone);
}
END_TEST

START_TEST(applies_every_form_of_rule_after_the_last_change)
{
    static const struct {
        const char *rule;
        const char *change;
        int before_s;
        int after_s;
    } cases[] = {
        {"CET-1CEST,M3.5.0,M10.5.0/3", "2040-03-25T01:00", 3600, 7200},
        {"CET-1CEST,M3.5.0,M10.5.0/3", "2040-10-28T01:00", 7200, 3600},
        {"EST5EDT", "2040-03-11T07:00", -18000, -14400},
        {"EST5EDT", "2040-11-04T06:00", -14400, -18000},
        {"<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", "2040-03-25T01:00", -10800, -7200},
        {"IST-1GMT0,M10.5.0,M3.5.0/1", "2040-10-28T01:00", 3600, 0},
        {"AAA-5:30BBB-6:00:01,J60/0,J300/0", "2039-02-28T18:30", 19800, 21601},
        {"AAA-5:30BBB-6:00:01,J60/0,J300/0", "2040-02-29T18:30", 19800, 21601},
        {"AAA0BBB,59/0,300/0", "2039-03-01T00:00", 0, 3600},
        {"AAA0BBB,59/0,300/0", "2040-02-29T00:00", 0, 3600},
        {"AAA+0BBB-1,M3.4.4/50,M10.4.4/+50", "2040-03-24T02:00", 0, 3600},
        {"AAA0BBB,M1.1.0/-167,M7.1.0", "2039-12-25T01:00", 0, 3600},
        {"AAA0BBB,M12.5.0/167:59:59,M7.1.0", "2041-01-05T23:59:59", 0, 3600}, /* of 2040 */
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        struct zone *zone = zone_of_rule(cases[i].rule);
        ck_assert_msg(zone != NULL, "%s", cases[i].rule);
        int64_t change_s = utc_of(cases[i].change);
        int before_s = zone_offset_at(zone, change_s - 1);
        int after_s = zone_offset_at(zone, change_s);
        ck_assert_msg(before_s == cases[i].before_s && after_s == cases[i].after_s,
                      "%s at %s: %d, %d", cases[i].rule, cases[i].change, before_s, after_s);
        zone_close(zone);
    }
}
END_TEST

START_TEST(summer_time_may_last_all_year)
{
    struct zone *zone = zone_of_rule("XXX3EDT4,0/0,J365/23");
    ck_assert_ptr_nonnull(zone);
    for (int64_t at_s = utc_of("2030-01-01"); at_s < utc_of("2034-01-01"); at_s += HOUR_S) {
        if (zone_offset_at(zone, at_s) != -4 * HOUR_S)
            ck_abort_msg("at %lld", (long long)at_s);
    }
    zone_close(zone);
}
END_TEST

/* Summer time of 1970 ends on 2 January 1971, after that of 1971 began. */
START_TEST(a_year_may_end_after_the_next_one_began)
{
    struct zone *zone = zone_of_rule("XXX3EDT4,0/0,365/23");
    ck_assert_ptr_nonnull(zone);
    ck_assert_int_eq(zone_offset_at(zone, utc_of("2030-12-31T23:59:59")), -3 * HOUR_S);
    ck_assert_int_eq(zone_offset_at(zone, utc_of("2031-01-01T02:59:59")), -3 * HOUR_S);
    ck_assert_int_eq(zone_offset_at(zone, utc_of("2031-01-01T03:00")), -4 * HOUR_S);
    ck_assert_int_eq(zone_offset_at(zone, utc_of("2031-01-02T03:00")), -3 * HOUR_S);
    zone_close(zone);
}
END_TEST

START_TEST(refuses_rules_it_cannot_read)
{
    static const char *const rules[] = {
        "CET",
        "-1",
        "AB-1",
        "<+01-1",
        "CET-25",
        "CET-1:60",
        "CET-1CEST,",
        "CET-1CEST,M3.5.0",
        "CET-1CEST,M3.5.0,",
        "CET-1CEST,M3.5.0,M10.5.0,",
        "CET-1CEST,M13.5.0,M10.5.0",
        "CET-1CEST,M3.0.0,M10.5.0",
        "CET-1CEST,M3.6.0,M10.5.0",
        "CET-1CEST,M3.5.7,M10.5.0",
        "CET-1CEST,M3.5,M10.5.0",
        "CET-1CEST,M3.5.0/168,M10.5.0",
        "CET-1CEST,J0,J60",
        "CET-1CEST,J366,J60",
        "CET-1CEST,366,60",
        "CET-99999999999999999999",
        "CET-1 ",
    };
    for (size_t i = 0; i < UNIT_COUNT(rules); i++)
        ck_assert_msg(zone_of_rule(rules[i]) == NULL, "%s", rules[i]);
}
END_TEST

/* ---- damage ---- */

START_TEST(refuses_a_file_cut_off_anywhere)
{
    struct buffer file = make_file("CET-1CEST,M3.5.0,M10.5.0/3");
    struct fault fault = {0};
    for (size_t size = 0; size < file.size; size++) {
        /* A copy of its own, so that reading beyond it is caught. */
        char *copy = memory_copy(text_make(file.at, size));
        struct zone *zone = zone_from_bytes(text_make(copy, size), &fault);
        ck_assert_msg(zone == NULL, "cut off after %zu bytes", size);
        ck_assert_str_ne(fault.message, "");
        free(copy);
    }
    buffer_close(&file);
}
END_TEST

/* Any byte may be anything: the zone is refused or usable, never a crash or an endless search. */
START_TEST(survives_any_single_damaged_byte)
{
    struct buffer file = make_file("CET-1CEST,M3.5.0,M10.5.0/3");
    for (size_t i = 0; i < file.size; i++) {
        char good = file.at[i];
        for (int value = 0; value < 256; value++) {
            file.at[i] = (char)value;
            struct zone *zone = zone_from_bytes(buffer_text(&file), NULL);
            if (zone == NULL)
                continue;
            (void)zone_first_at(zone, 1500);
            (void)zone_first_at(zone, utc_of("2040-07-01"));
            zone_close(zone);
        }
        file.at[i] = good;
    }
    buffer_close(&file);
}
END_TEST

START_TEST(refuses_files_that_contradict_themselves)
{
    static const struct {
        size_t at; /* in the only block of a file of version 1 */
        char byte;
    } cases[] = {
        {0, 'X'},        /* the magic */
        {31, 1},         /* a leap second */
        {39, 0},         /* no types */
        {36, '\xff'},    /* more types than bytes */
        {32, '\xff'},    /* more changes than bytes */
        {44 + 2, 0x7f},  /* the first change after the second */
        {44 + 8, 2},     /* a type that is not there */
        {44 + 10, 0x7f}, /* an offset of years */
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        struct buffer file = {0};
        struct fault fault = {0};
        put_block(&file, '\0', 4);
        file.at[cases[i].at] = cases[i].byte;
        struct zone *zone = zone_from_bytes(buffer_text(&file), &fault);
        ck_assert_msg(zone == NULL, "byte %zu", cases[i].at);
        buffer_close(&file);
    }
}
END_TEST

/* ---- names ---- */

START_TEST(utc_needs_no_files)
{
    struct zone *zone = zone_open("/nowhere", TEXT("UTC"), NULL);
    ck_assert_ptr_nonnull(zone);
    ck_assert_int_eq(zone_offset_at(zone, utc_of("2026-07-01")), 0);
    ck_assert_int_eq(zone_first_at(zone, 12345), 12345);
    zone_close(zone);
    zone_close(NULL);
}
END_TEST

START_TEST(refuses_names_that_are_no_zones)
{
    static const char *const names[] = {
        "",         "/etc/passwd",      "../zoneinfo/UTC",  "Europe/../UTC", "Europe/Madird",
        "Europe",   "Europe/Madrid/",   "tzdata.zi",        "zone.tab",      "Europe/Madrid\n",
        "leap sec", "Europe\\\\Madrid", "Europe/\xc3\xa9t",
    };
    for (size_t i = 0; i < UNIT_COUNT(names); i++) {
        struct fault fault = {0};
        ck_assert_msg(zone_open(NULL, text_of(names[i]), &fault) == NULL, "%s", names[i]);
        ck_assert_str_ne(fault.message, "");
    }
    ck_assert_ptr_null(zone_open(NULL, text_make("Europe/Madrid\0x", 15), NULL));
}
END_TEST

START_TEST(says_which_zone_could_not_be_opened)
{
    struct fault fault = {0};
    ck_assert_ptr_null(zone_open("/nowhere", TEXT("Europe/Madrid"), &fault));
    ck_assert_ptr_nonnull(strstr(fault.message, "\"Europe/Madrid\""));
    ck_assert_ptr_nonnull(strstr(fault.message, "/nowhere/Europe/Madrid"));
    ck_assert_ptr_nonnull(strstr(fault.message, "No such file"));
}
END_TEST

START_TEST(a_copy_outlives_its_original)
{
    static const char *const names[] = {"UTC", "Europe/Madrid", "Africa/Cairo"};
    for (size_t i = 0; i < UNIT_COUNT(names); i++) {
        struct zone *original = zone_open(NULL, text_of(names[i]), NULL);
        struct zone *zone = zone_open(NULL, text_of(names[i]), NULL);
        ck_assert_ptr_nonnull(original);
        ck_assert_ptr_nonnull(zone);
        struct zone *copy = zone_copy(original);
        zone_close(original);
        for (int64_t at_s = 0; at_s < 60 * INT64_C(31557600); at_s += 7 * 86400)
            ck_assert_int_eq(zone_offset_at(copy, at_s), zone_offset_at(zone, at_s));
        zone_close(copy);
        zone_close(zone);
    }
}
END_TEST

UNIT_MAIN(a_copy_outlives_its_original, offsets_are_those_of_glibc_from_1998_to_2060,
          first_moments_are_those_of_a_search_around_every_change,
          spans_follow_each_other_without_gaps,
          knows_first_moments_in_gaps_overlaps_and_a_day_that_never_was, reads_a_file_of_version_1,
          an_empty_rule_leaves_the_last_offset, applies_every_form_of_rule_after_the_last_change,
          summer_time_may_last_all_year, a_year_may_end_after_the_next_one_began,
          refuses_rules_it_cannot_read, refuses_a_file_cut_off_anywhere,
          survives_any_single_damaged_byte, refuses_files_that_contradict_themselves,
          utc_needs_no_files, refuses_names_that_are_no_zones, says_which_zone_could_not_be_opened)
