/*
 * Windows: the spans of time over which a budget counts. Calendar windows follow a time zone; a
 * day there has 23, 24 or 25 hours. Weeks begin on Monday.
 */
#ifndef PURSER_MONEY_WINDOW_H
#define PURSER_MONEY_WINDOW_H

#include "base/text.h"
#include "base/zone.h"

enum window_kind { WINDOW_HOUR, WINDOW_DAY, WINDOW_WEEK, WINDOW_MONTH, WINDOW_TOTAL };

#define WINDOW_FOREVER INT64_MAX

struct window {
    enum window_kind kind;
    int64_t start_s; /* UTC seconds, inclusive; 0 for total */
    int64_t end_s;   /* exclusive; WINDOW_FOREVER for total */
    /* The id, unique within kind and zone: "2026-11-21T15", "2026-11-21", "2026-W47", "2026-11",
     * "total". An hour that repeats when clocks go back has "b" behind its second run. */
    char id[20];
};

/* The window that holds the moment `now_s` (UTC seconds, 0 or later, before the year 9999). Day,
 * week and month begin at the first moment whose local time is their first midnight or later, and
 * once begun they stay, even if clocks put back show the old date again: so their ids only grow.
 * An hour ends early where clocks put back begin it again. Takes about a microsecond: keep it
 * until `end_s`. */
struct window window_at(enum window_kind kind, const struct zone *zone, int64_t now_s);

const char *window_name(enum window_kind kind); /* "hour", "day", ... */
MUST_USE bool window_kind_parse(struct text name, enum window_kind *kind);

#endif
