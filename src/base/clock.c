/*
 * Time from the kernel or from a test, and its written form.
 */
#include "base/clock.h"

#include <time.h>

enum { SECOND_US = 1000000 };

static const int64_t DAY_S = 86400;

/* ---- the real clock ---- */

static int64_t read_us(clockid_t id)
{
    struct timespec now;
    int result = clock_gettime(id, &now);
    ASSERT(result == 0);
    return (int64_t)now.tv_sec * SECOND_US + now.tv_nsec / 1000;
}

static int64_t real_wall_us(const struct clock *clock)
{
    (void)clock;
    return read_us(CLOCK_REALTIME);
}

static int64_t real_steady_us(const struct clock *clock)
{
    (void)clock;
    return read_us(CLOCK_BOOTTIME);
}

const struct clock *clock_real(void)
{
    static const struct clock real = {.wall_us = real_wall_us, .steady_us = real_steady_us};
    return &real;
}

/* ---- the fake clock ---- */

static int64_t fake_wall_us(const struct clock *clock)
{
    return ((const struct clock_fake *)clock)->wall_us;
}

static int64_t fake_steady_us(const struct clock *clock)
{
    return ((const struct clock_fake *)clock)->steady_us;
}

struct clock_fake clock_fake_at(int64_t wall_us)
{
    return (struct clock_fake){
        .clock = {.wall_us = fake_wall_us, .steady_us = fake_steady_us},
        .wall_us = wall_us,
        .steady_us = SECOND_US,
    };
}

void clock_fake_advance(struct clock_fake *fake, int64_t by_us)
{
    fake->wall_us += by_us;
    fake->steady_us += by_us;
}

/* ---- dates ---- */

/* Both ways count years from March, so that the leap day is a year's last, in eras of 400 years
 * (146097 days). Method: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
enum { ERA_DAYS = 146097, DAYS_TO_1970 = 719468 };

static int64_t divide_down(int64_t value, int64_t by)
{
    return (value >= 0 ? value : value - by + 1) / by;
}

int64_t clock_days_from_civil(int64_t year, int month, int day)
{
    ASSERT(month >= 1);
    ASSERT(month <= 12);
    int64_t march_year = month <= 2 ? year - 1 : year;
    int64_t era = divide_down(march_year, 400);
    int64_t year_of_era = march_year - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * ERA_DAYS + day_of_era - DAYS_TO_1970;
}

void clock_civil_from_days(int64_t days, int64_t *year, int *month, int *day)
{
    int64_t shifted = days + DAYS_TO_1970;
    int64_t era = divide_down(shifted, ERA_DAYS);
    int64_t day_of_era = shifted - era * ERA_DAYS;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t march_month = (5 * day_of_year + 2) / 153;
    *day = (int)(day_of_year - (153 * march_month + 2) / 5 + 1);
    *month = (int)(march_month < 10 ? march_month + 3 : march_month - 9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

int64_t clock_day_of(int64_t seconds)
{
    return divide_down(seconds, DAY_S);
}

/* ---- stamps ---- */

static void put_digits(char *out, int digits, int64_t value)
{
    for (int i = digits - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
}

void clock_stamp(int64_t wall_us, char out[CLOCK_STAMP_SIZE])
{
    ASSERT(wall_us >= 0);
    int64_t seconds = wall_us / SECOND_US;
    int64_t year = 0;
    int month = 0;
    int day = 0;
    clock_civil_from_days(seconds / DAY_S, &year, &month, &day);
    ASSERT(year <= 9999);

    memcpy(out, "0000-00-00T00:00:00.000000+00:00", CLOCK_STAMP_SIZE);
    put_digits(out, 4, year);
    put_digits(out + 5, 2, month);
    put_digits(out + 8, 2, day);
    put_digits(out + 11, 2, seconds % DAY_S / 3600);
    put_digits(out + 14, 2, seconds % 3600 / 60);
    put_digits(out + 17, 2, seconds % 60);
    put_digits(out + 20, 6, wall_us % SECOND_US);
}

/* A reader that walks over a stamp; once something does not fit, `ok` stays false. */
struct reader {
    struct text rest;
    bool ok;
};

static bool reader_take(struct reader *reader, char expected)
{
    if (reader->rest.size == 0 || reader->rest.at[0] != expected)
        return false;
    reader->rest.at++;
    reader->rest.size--;
    return true;
}

static void reader_expect(struct reader *reader, char expected)
{
    reader->ok = reader_take(reader, expected) && reader->ok;
}

static bool reader_at_digit(const struct reader *reader)
{
    return reader->rest.size > 0 && reader->rest.at[0] >= '0' && reader->rest.at[0] <= '9';
}

static int reader_digits(struct reader *reader, int digits, int most)
{
    int value = 0;
    for (int i = 0; i < digits; i++) {
        if (!reader_at_digit(reader)) {
            reader->ok = false;
            return 0;
        }
        value = value * 10 + (*reader->rest.at++ - '0');
        reader->rest.size--;
    }
    reader->ok = reader->ok && value <= most;
    return value;
}

static int64_t reader_date_s(struct reader *reader)
{
    int year = reader_digits(reader, 4, 9999);
    reader_expect(reader, '-');
    int month = reader_digits(reader, 2, 12);
    reader_expect(reader, '-');
    int day = reader_digits(reader, 2, 31);
    if (!reader->ok || month == 0)
        goto bad;

    /* The 31st of a shorter month comes back as another day. */
    int64_t days = clock_days_from_civil(year, month, day);
    int64_t same_year = 0;
    int same_month = 0;
    int same_day = 0;
    clock_civil_from_days(days, &same_year, &same_month, &same_day);
    if (same_day == day && same_month == month)
        return days * DAY_S;
bad:
    reader->ok = false;
    return 0;
}

static int64_t reader_fraction_us(struct reader *reader)
{
    int64_t value_us = 0;
    int64_t digit_us = SECOND_US / 10;
    reader->ok = reader->ok && reader_at_digit(reader);
    while (reader_at_digit(reader)) {
        value_us += (*reader->rest.at++ - '0') * digit_us;
        reader->rest.size--;
        digit_us /= 10;
    }
    return value_us;
}

static int64_t reader_time_us(struct reader *reader)
{
    int64_t seconds = reader_digits(reader, 2, 23) * 3600;
    reader_expect(reader, ':');
    seconds += reader_digits(reader, 2, 59) * 60;
    if (!reader_take(reader, ':'))
        return seconds * SECOND_US;
    seconds += reader_digits(reader, 2, 59);
    int64_t fraction_us = reader_take(reader, '.') ? reader_fraction_us(reader) : 0;
    return seconds * SECOND_US + fraction_us;
}

static int64_t reader_offset_s(struct reader *reader)
{
    if (reader->rest.size == 0 || reader_take(reader, 'Z'))
        return 0;
    int64_t sign = reader_take(reader, '-') ? -1 : 1;
    if (sign > 0)
        reader_expect(reader, '+');
    int64_t offset_s = reader_digits(reader, 2, 23) * 3600;
    reader_expect(reader, ':');
    offset_s += reader_digits(reader, 2, 59) * 60;
    return sign * offset_s;
}

bool clock_parse(struct text stamp, int64_t *wall_us)
{
    struct reader reader = {.rest = stamp, .ok = true};
    int64_t result_us = reader_date_s(&reader) * SECOND_US;
    if (reader_take(&reader, 'T')) {
        result_us += reader_time_us(&reader);
        result_us -= reader_offset_s(&reader) * SECOND_US;
    }
    if (!reader.ok || reader.rest.size > 0)
        return false;
    *wall_us = result_us;
    return true;
}
