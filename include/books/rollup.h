/*
 * Roll-ups: what the ledger's lines add up to, in SQLite (books.db): sums per hour and per who and
 * what was called; the newest calls; and costs that were booked under an idempotency key. Only a
 * cache of the ledger: each line is counted exactly once, because the place read so far is stored
 * in the same transaction as the sums; and the file may be deleted at any time. Not thread-safe.
 *
 * Sums are kept per ledger file, so that a file that is not what it was (shorter, or another line
 * before the place) is counted anew alone. What deleted ledger files booked stays.
 */
#ifndef PURSER_BOOKS_ROLLUP_H
#define PURSER_BOOKS_ROLLUP_H

#include "base/fault.h"
#include "books/query.h"
#include "money/money.h"
#include "money/saving.h"

/* So many of the newest calls and refusals are kept for GET /requests, and so many of the newest
 * bookings for their idempotency keys. */
#define ROLLUP_RECENT_MOST   100000
#define ROLLUP_BOOKINGS_MOST 100000

struct rollup;

/* Made (0600) if missing. One of the version before is brought to this one and loses nothing; one
 * that is corrupt or of any other version is moved to <path>.bad and begun anew. NULL with a fault
 * if it cannot be reached at the moment (a full disk, a lock). */
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
    int64_t requests; /* settle and forfeit lines: calls, and costs booked from elsewhere */
    int64_t prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens;
    struct money cost;
    struct money saved[SAVING_COUNT];
    int64_t cached_requests; /* of the requests: answered from the cache */
};

/* Adds, stopping at the ends of the range. */
void rollup_add(struct rollup_sums *sums, const struct rollup_sums *more);

enum rollup_step { ROLLUP_ROW, ROLLUP_END, ROLLUP_BROKEN };

struct rollup_row {
    struct text group[GROUP_COUNT]; /* of the groups asked for; valid until the next row */
    struct rollup_sums sums;
};

/* Asks for the sums of `query`, with `groups` in place of its own; without groups its page counts
 * for nothing. Then rollup_next gives the rows in the order of their groups, until it says END or
 * BROKEN (with a fault). A call with several tags counts in the group of each. The query's texts
 * must live until then. */
MUST_USE bool rollup_ask(struct rollup *rollup, const struct books_query *query, unsigned groups,
                         struct fault *fault);
enum rollup_step rollup_next(struct rollup *rollup, struct rollup_row *row, struct fault *fault);

/* The same for the newest calls, newest first. `number` grows from line to line; `line` is the
 * ledger's, without accounts, sequence number and hash. */
MUST_USE bool rollup_ask_recent(struct rollup *rollup, const struct books_query *query,
                                struct fault *fault);
enum rollup_step rollup_next_recent(struct rollup *rollup, int64_t *number, struct text *line,
                                    struct fault *fault);

/* The settle line of what was booked under this name; END: nothing was. */
enum rollup_step rollup_find_booking(struct rollup *rollup, struct text name, struct buffer *line,
                                     struct fault *fault);

#endif
