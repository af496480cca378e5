/*
 * What tests of calendars share: moments as people write them, and real time zones.
 */
#ifndef PURSER_TESTS_MOMENTS_H
#define PURSER_TESTS_MOMENTS_H

#include "base/clock.h"
#include "base/zone.h"
#include "unit.h"

static inline int64_t utc_of(const char *stamp)
{
    int64_t wall_us = 0;
    ck_assert_msg(clock_parse(text_of(stamp), &wall_us), "%s", stamp);
    return wall_us / 1000000;
}

static inline struct zone *open_zone(const char *name)
{
    struct fault fault = {0};
    struct zone *zone = zone_open(NULL, text_of(name), &fault);
    ck_assert_msg(zone != NULL, "%s", fault.message);
    return zone;
}

#endif
