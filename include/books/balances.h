/*
 * Balances: what the lines written so far add up to. The same fold runs when a line is appended
 * and when a ledger is replayed, so the `open` line of a file is exactly its predecessors' sum.
 */
#ifndef PURSER_BOOKS_BALANCES_H
#define PURSER_BOOKS_BALANCES_H

#include "books/entry.h"

struct balances;

struct balances *balances_open(void);
void balances_close(struct balances *balances);

/* RESERVE opens a hold under its call id (an open one stays as it is and false is returned); EXTEND
 * gives an open one its amounts (false: there is none);
 * SETTLE and FORFEIT end it (a second one of the same call changes nothing and gives false) and
 * add their charges to the accounts. Without a call they need no hold. REFUND takes back a FORFEIT
 * of its name (forfeits.h; false: there is none, or it was refunded), or a part of it: nothing of
 * it is forfeited any more, as the rest is known to be used. DISOWN adds its charges, which are
 * negative. Others do nothing. Of a session that began anew (struct charge's since_s) only what was
 * spent since counts; what comes late from before is added to it, but never taken off. */
bool balances_apply(struct balances *balances, const struct entry *entry);

/* Forgets accounts whose until_s passed. */
void balances_sweep(struct balances *balances, int64_t now_s);

size_t balances_open_holds(const struct balances *balances);

/* Walks the accounts (spent in charge.amount): start with *at = 0; false at the end. */
bool balances_next(const struct balances *balances, size_t *at, struct charge *charge);
/* Walks those of which something is forfeited: booked without knowing whether it was used (that in
 * charge.amount). */
bool balances_next_forfeited(const struct balances *balances, size_t *at, struct charge *charge);
/* Walks those of which something was disowned: another instance may have spent it (that in
 * charge.amount; it is not in balances_next's). */
bool balances_next_disowned(const struct balances *balances, size_t *at, struct charge *charge);
/* Walks the open holds as the RESERVE entries they came from, with the amounts they were last
 * extended to; valid until the next change. */
bool balances_next_hold(const struct balances *balances, size_t *at, const struct entry **entry);

/* Walks the forfeits that can be refunded, the oldest first: start with *at = NULL; valid until the
 * next change. */
bool balances_next_forfeit(const struct balances *balances, const void **at,
                           const struct entry **entry);

/* The members `"balances":[...],"holds":[...],"forfeits":[...]` of an open line, and back: what was
 * there before is forgotten. On a failure nothing has changed. */
void balances_put(struct buffer *out, const struct balances *balances);
MUST_USE bool balances_read(struct balances *balances, struct json_value open_line,
                            struct fault *fault);

#endif
