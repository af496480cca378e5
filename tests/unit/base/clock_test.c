/*
 * Dates, stamps and the fake clock.
 */
#include "../unit.h"
#include "base/clock.h"

START_TEST(real_time_never_goes_back)
{
    const struct clock *clock = clock_real();
    int64_t before_us = clock_steady_us(clock);
    ck_assert_int_ge(clock_steady_us(clock), before_us);
    ck_assert_int_gt(clock_wall_us(clock), INT64_C(1700000000000000));
}
END_TEST

START_TEST(a_fake_clock_stands_until_it_is_put_forward)
{
    struct clock_fake fake = clock_fake_at(5000000);
    ck_assert_int_eq(clock_wall_us(&fake.clock), 5000000);
    int64_t steady_us = clock_steady_us(&fake.clock);
    clock_fake_advance(&fake, 7);
    ck_assert_int_eq(clock_wall_us(&fake.clock), 5000007);
    ck_assert_int_eq(clock_steady_us(&fake.clock), steady_us + 7);
}
END_TEST

START_TEST(writes_stamps)
{
    static const struct {
        int64_t wall_us;
        const char *stamp;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000000+00:00"},
        {951827696000001, "2000-02-29T12:34:56.000001+00:00"},
        {1795292100123456, "2026-11-21T20:15:00.123456+00:00"},
        {253402300799999999, "9999-12-31T23:59:59.999999+00:00"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char stamp[CLOCK_STAMP_SIZE];
        int64_t back_us = -1;
        clock_stamp(cases[i].wall_us, stamp);
        ck_assert_str_eq(stamp, cases[i].stamp);
        ck_assert(clock_parse(text_of(stamp), &back_us));
        ck_assert_int_eq(back_us, cases[i].wall_us);
    }
}
END_TEST

START_TEST(reads_all_forms_of_stamps)
{
    static const struct {
        const char *stamp;
        int64_t wall_us;
    } cases[] = {
        {"2026-11-21", 1795219200000000},
        {"2026-11-21T20:15", 1795292100000000},
        {"2026-11-21T20:15Z", 1795292100000000},
        {"2026-11-21T20:15:00", 1795292100000000},
        {"2026-11-21T20:15:00.5", 1795292100500000},
        {"2026-11-21T20:15:00.123456789Z", 1795292100123456},
        {"2026-11-21T21:15:00+01:00", 1795292100000000},
        {"2026-11-22T02:00+05:45", 1795292100000000},
        {"2026-11-21T10:45:00.000-09:30", 1795292100000000},
        {"1969-12-31T23:59:59", -1000000},
        {"2000-02-29", 951782400000000},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t wall_us = 0;
        ck_assert_msg(clock_parse(text_of(cases[i].stamp), &wall_us), "%s", cases[i].stamp);
        ck_assert_int_eq(wall_us, cases[i].wall_us);
    }
}
END_TEST

START_TEST(refuses_what_is_no_stamp)
{
    static const char *const cases[] = {
        "",
        "2026",
        "2026-11",
        "2026-1-1",
        "2026-00-10",
        "2026-13-01",
        "2026-11-00",
        "2026-11-31",
        "2026-02-29",
        "1900-02-29",
        "2026-11-21 20:15",
        "2026-11-21T",
        "2026-11-21T20",
        "2026-11-21T24:00",
        "2026-11-21T20:60",
        "2026-11-21T20:15:60",
        "2026-11-21T20:15:00.",
        "2026-11-21T20:15:00.Z",
        "2026-11-21T20:15.5",
        "2026-11-21T20:15:00z",
        "2026-11-21T20:15:00ZZ",
        "2026-11-21T20:15:00+0100",
        "2026-11-21T20:15:00+01",
        "2026-11-21T20:15:00+24:00",
        "2026-11-21T20:15:00+01:60",
        "2026-11-21Z",
        " 2026-11-21",
        "2026-11-21 ",
        "-026-11-21",
        "+2026-11-21",
        "2026-11-2\xc3\xb3",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t wall_us = 42;
        ck_assert_msg(!clock_parse(text_of(cases[i]), &wall_us), "%s", cases[i]);
        ck_assert_int_eq(wall_us, 42);
    }
    int64_t wall_us = 42;
    ck_assert(!clock_parse(text_make("2026-11-21\0", 11), &wall_us));
    ck_assert(!clock_parse(TEXT_NONE, &wall_us));
}
END_TEST

START_TEST(days_and_dates_count_alike_for_eight_centuries)
{
    int64_t year = 1600;
    int month = 1;
    int day = 1;
    int64_t days = clock_days_from_civil(year, month, day);
    ck_assert_int_eq(days, -135140);
    while (year < 2400) {
        int64_t same_year = 0;
        int same_month = 0;
        int same_day = 0;
        clock_civil_from_days(++days, &same_year, &same_month, &same_day);
        bool next_day = same_year == year && same_month == month && same_day == day + 1;
        bool next_month = same_year == year && same_month == month + 1 && same_day == 1;
        bool next_year = same_year == year + 1 && month == 12 && same_month == 1 && same_day == 1;
        ck_assert(next_day || next_month || next_year);
        ck_assert_int_eq(clock_days_from_civil(same_year, same_month, same_day), days);
        year = same_year;
        month = same_month;
        day = same_day;
    }
    ck_assert_int_eq(days, 157054);
}
END_TEST

START_TEST(a_day_holds_its_seconds_also_before_1970)
{
    ck_assert_int_eq(clock_day_of(0), 0);
    ck_assert_int_eq(clock_day_of(86399), 0);
    ck_assert_int_eq(clock_day_of(86400), 1);
    ck_assert_int_eq(clock_day_of(-1), -1);
    ck_assert_int_eq(clock_day_of(-86400), -1);
    ck_assert_int_eq(clock_day_of(-86401), -2);
}
END_TEST

UNIT_MAIN(real_time_never_goes_back, a_fake_clock_stands_until_it_is_put_forward, writes_stamps,
          reads_all_forms_of_stamps, refuses_what_is_no_stamp,
          days_and_dates_count_alike_for_eight_centuries, a_day_holds_its_seconds_also_before_1970)
