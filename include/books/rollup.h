/*
 * Roll-ups: what was spent per hour, model and key, in SQLite (books.db). Only a cache of the
 * ledger: each line is counted exactly once, because the place read so far is stored in the same
 * transaction as the sums; and the file may be deleted at any time. Not thread-safe.
 *
 * Sums are kept per ledger file, so that a file that is not what it was (shorter, or another line
 * before the place) is counted anew alone. What deleted ledger files booked stays.
 */
#ifndef PURSER_BOOKS_ROLLUP_H
#define PURSER_BOOKS_ROLLUP_H

#include "base/fault.h"
#include "money/money.h"

struct rollup;

/* Made (0600) if missing; moved to <path>.bad and begun anew if corrupt or of another version. */
MUST_USE struct rollup *rollup_open(const char *path, struct fault *fault);
void rollup_close(struct rollup *rollup); /* NULL-safe */

enum rollup_fed {
    ROLLUP_ALL,  /* every whole line in the directory is counted */
    ROLLUP_MORE, /* a piece was counted; call again */
    ROLLUP_FAILED,
};

/* Counts lines of the ledger's files that are not counted yet: one transaction, at most a second's
 * work. */
enum rollup_fed rollup_feed(struct rollup *rollup, int dir_fd, struct fault *fault);

struct rollup_sums {
    int64_t requests; /* settle and forfeit lines */
    int64_t prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens;
    struct money cost;
};

struct rollup_query {
    int64_t from_hour, to_hour; /* [from, to), hours since 1970-01-01 UTC */
    bool by_day, by_model, by_key;
    struct text key, model; /* filters; empty: all */
};

struct rollup_row {
    int64_t day;            /* since 1970-01-01 UTC; 0 unless by_day */
    struct text model, key; /* empty unless by_...; valid until the next row */
    struct rollup_sums sums;
};

enum rollup_step { ROLLUP_ROW, ROLLUP_END, ROLLUP_BROKEN };

/* Asks; then rollup_next gives the rows in the order of day, model, key, until it says END or
 * BROKEN (with a fault). The query's texts must live until then. */
void rollup_ask(struct rollup *rollup, const struct rollup_query *query);
enum rollup_step rollup_next(struct rollup *rollup, struct rollup_row *row, struct fault *fault);

/* Adds, stopping at the ends of the range. */
void rollup_add(struct rollup_sums *sums, const struct rollup_sums *more);

#endif
