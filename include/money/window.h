/*
 * Windows: the spans of time over which a budget counts. Calendar windows follow a time zone; a
 * day there has 23, 24 or 25 hours. Weeks begin on Monday.
 *
 * A rolling window has no beginning. Time is cut into sub-buckets of a 24th of its length, which
 * follow UTC alone, and what counts is the last WINDOW_ROLLING_SPAN of them, the one that runs
 * included: so whatever span of that length one looks at lies within what was counted together.
 */
#ifndef PURSER_MONEY_WINDOW_H
#define PURSER_MONEY_WINDOW_H

#include "base/text.h"
#include "base/zone.h"

enum window_kind {
    WINDOW_HOUR,
    WINDOW_DAY,
    WINDOW_WEEK,
    WINDOW_MONTH,
    WINDOW_TOTAL,
    WINDOW_ROLLING,
};

#define WINDOW_ROLLING_BUCKETS 24
#define WINDOW_ROLLING_SPAN    (WINDOW_ROLLING_BUCKETS + 1)
/* Of a rolling window's length: a sub-bucket has a whole number of seconds, and is rounded up. */
#define WINDOW_ROLLING_LEAST_S WINDOW_ROLLING_BUCKETS
#define WINDOW_ROLLING_MOST_S  (INT64_C(366) * 86400)

#define WINDOW_FOREVER INT64_MAX

struct window {
    enum window_kind kind;
    int64_t start_s; /* UTC seconds, inclusive; 0 for total */
    int64_t end_s;   /* exclusive; WINDOW_FOREVER for total */
    /* The id, unique within kind and zone: "2026-11-21T15", "2026-11-21", "2026-W47", "2026-11",
     * "total". An hour that repeats when clocks go back has "b" behind its second run. That of a
     * sub-bucket: "r2026-11-21T150000", its start in UTC. */
    char id[20];
};

/* The window that holds the moment `now_s` (UTC seconds, 0 or later, before the year 9999). Day,
 * week and month begin at the first moment whose local time is their first midnight or later, and
 * once begun they stay, even if clocks put back show the old date again: so their ids only grow.
 * An hour ends early where clocks put back begin it again. Takes about a microsecond: keep it
 * until `end_s`. */
struct window window_at(enum window_kind kind, const struct zone *zone, int64_t now_s);

/* The sub-bucket of a rolling window of that length (LEAST to MOST) that holds the moment. */
struct window window_rolling(int64_t length_s, int64_t now_s);
/* How many sub-buckets `later` begins after `earlier`, of one rolling window. */
int64_t window_rolled(const struct window *earlier, const struct window *later);
/* From when on it counts no more, however long it was a sub-bucket; WINDOW_FOREVER: never. */
int64_t window_counts_until_s(const struct window *window);

const char *window_name(enum window_kind kind); /* "hour", "day", ... */
MUST_USE bool window_kind_parse(struct text name, enum window_kind *kind);

#endif
