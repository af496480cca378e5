/*
 * Time. Two kinds: wall time (what the calendar says; may jump) and steady time (never goes
 * back; counts while the machine sleeps, CLOCK_BOOTTIME). Everything that needs time takes a
 * clock, so that tests bring their own.
 */
#ifndef PURSER_BASE_CLOCK_H
#define PURSER_BASE_CLOCK_H

#include "base/text.h"

struct clock {
    int64_t (*wall_us)(const struct clock *clock);   /* µs since 1970-01-01 UTC */
    int64_t (*steady_us)(const struct clock *clock); /* µs since boot */
};

const struct clock *clock_real(void);

/* A clock that stands where it is put; its steady time starts at one second. Its address may be
 * used as a `const struct clock *`. */
struct clock_fake {
    struct clock clock; /* first member */
    int64_t wall_us;
    int64_t steady_us;
};
struct clock_fake clock_fake_at(int64_t wall_us);
void clock_fake_advance(struct clock_fake *fake, int64_t by_us); /* both times */

static inline int64_t clock_wall_us(const struct clock *clock)
{
    return clock->wall_us(clock);
}

static inline int64_t clock_steady_us(const struct clock *clock)
{
    return clock->steady_us(clock);
}

/* "2026-11-21T20:15:00.123456+00:00" into `out` (always 32 characters and a zero). The years
 * 1970 to 9999. */
#define CLOCK_STAMP_SIZE 33
void clock_stamp(int64_t wall_us, char out[CLOCK_STAMP_SIZE]);

/* Reads "2026-11-21", "2026-11-21T20:15", "...:00", optional fraction, optional "Z" or "+hh:mm"
 * (none: UTC). False if it is none of these or no such day. */
MUST_USE bool clock_parse(struct text stamp, int64_t *wall_us);

/* Days since 1970-01-01 of a proleptic Gregorian date, and back. month 1..12, day 1..31. */
int64_t clock_days_from_civil(int64_t year, int month, int day);
void clock_civil_from_days(int64_t days, int64_t *year, int *month, int *day);

/* The day (since 1970-01-01) that holds a second (since 1970-01-01); also before 1970. */
int64_t clock_day_of(int64_t seconds);

#endif
