/*
 * Money: a whole number of nano-dollars. All arithmetic on amounts goes through here.
 *
 * Amounts are read and printed as decimal text, never through a double. The largest limit and the
 * largest amount accepted from outside is MONEY_MOST ($4,000,000,000), so that sums of two never
 * overflow; sums beyond the range of int64 are an assertion, as no real ledger reaches them.
 */
#ifndef PURSER_MONEY_MONEY_H
#define PURSER_MONEY_MONEY_H

#include "base/text.h"

struct money {
    int64_t nano; /* 1 USD = 1,000,000,000 */
};

#define MONEY_ZERO ((struct money){0})
#define MONEY_MOST ((struct money){4000000000000000000})

struct money money_add(struct money a, struct money b);
struct money money_subtract(struct money a, struct money b); /* may go below zero */
int money_compare(struct money a, struct money b);           /* <0, 0, >0 */
struct money money_least(struct money a, struct money b);

/* Decimal dollars: "50", "0.005476", "1e-6", ".5"; up to 9 decimals that matter (more: refused,
 * unless they are zeros), not negative, at most MONEY_MOST. `*amount` untouched on failure. */
MUST_USE bool money_parse(struct text dollars, struct money *amount);

/* The same for any power of ten: reads decimal text as an integer count of 10^-scale units, 0 to
 * `most`. money_parse is scale 9; a price in USD per 1M tokens in pico-dollars per token is scale
 * 6. Digits beyond the scale must be zero. */
MUST_USE bool money_parse_scaled(struct text decimal, int scale, int64_t most, int64_t *value);
/* The same, but what is finer than a unit is rounded up. */
MUST_USE bool money_parse_scaled_up(struct text decimal, int scale, int64_t most, int64_t *value);

/* Appends exact decimal dollars without needless zeros: "0", "0.005476", "-1.5", "50". This is
 * also how JSON numbers of money are written. */
void money_put(struct buffer *out, struct money amount);

/* For people: "$0.005476", at least two decimals: "$50.00". At most 23 characters. */
#define MONEY_STRING_SIZE 24
const char *money_string(struct money amount, char out[MONEY_STRING_SIZE]);

#endif
