/*
 * The results of a batch: the lines of its output file, each the answer to one line of its input,
 *
 *     {"custom_id": "a", "response": {"status_code": 200, "body": {... "usage": {...}}}, "error":
 * null}
 *
 * read as they come, and priced one by one: each is a call of its own to the provider, rounded up
 * by itself. Lines that failed cost nothing.
 */
#ifndef PURSER_GEAR_RESULTS_H
#define PURSER_GEAR_RESULTS_H

#include "money/price.h"
#include "wire/usage.h"

#define RESULTS_LINE_MOST (32 * 1024 * 1024) /* bytes of one line */

/* Zero-initialised but for the price is ready. */
struct results {
    const struct price *price; /* the model's; all lines are billed as a batch's */
    struct buffer kept;        /* the beginning of a line */
    int64_t lines;
    int64_t succeeded; /* of these */
    int64_t prompt_tokens, cached_tokens, cache_write_tokens, completion_tokens, reasoning_tokens;
    struct money cost;
    struct money standard; /* what the same had cost without a batch */
    bool unclear;          /* a line succeeded and does not tell its usage, or is not understood */
};

void results_feed(struct results *results, struct text bytes);
void results_end(struct results *results); /* the last line may have no line end */
void results_close(struct results *results);

#endif
