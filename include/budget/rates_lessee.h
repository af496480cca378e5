/*
 * The lessee of rate limits: what an instance asks of the store (rates_store.h), when, and what it
 * makes of the answer. Sans I/O; used under the lock of the core's gate (rates_gate.h).
 *
 * It asks at once where somebody waits for a share or headroom runs short, for all of them
 * together; and four times a second for what has changed: what is idle is given back, what was
 * refused is wanted still. Headroom is what is needed until then, as far as a fair part of the
 * limit goes. With nothing to say it says that it is there, so that others count it.
 *
 * While the store does not answer nobody waits for it: shares go on, and beyond them an instance
 * takes its part as one of as many as it last knew of (rates_alone). When it answers again, or has
 * forgotten, all that counts is told anew; and until all others have had the time to do so, too,
 * each keeps to its part.
 */
#ifndef PURSER_BUDGET_RATES_LESSEE_H
#define PURSER_BUDGET_RATES_LESSEE_H

#include "budget/rates.h"

struct rates_lessee;

/* The core is shared (rates_lease). `id`: of this process, never used before; copied. `instances`:
 * how many there were when somebody last knew; 0: nobody does. It counts until the store has
 * answered. */
struct rates_lessee *rates_lessee_open(struct rates_core *core, const char id[RATES_ID_SIZE],
                                       int64_t instances);
void rates_lessee_close(struct rates_lessee *lessee); /* NULL-safe */

/* True: `request` is to be asked; its rows are the lessee's until rates_lessee_take. False: nothing
 * before *until_us, unless rates_is_urgent. Times are steady. */
MUST_USE bool rates_lessee_next(struct rates_lessee *lessee, int64_t now_us,
                                struct rates_request *request, int64_t *until_us);

/* What came of it, asked at `sent_us`. NULL: there was no answer, or none to be believed. */
void rates_lessee_take(struct rates_lessee *lessee, int64_t sent_us, int64_t now_us,
                       const struct rates_reply *reply);

/* Gives back what is not used, until rates_lessee_next rests for ever (INT64_MAX): so it does at
 * once while the store does not answer. */
void rates_lessee_retire(struct rates_lessee *lessee);

/* The instances that share, as the store said last, or rates_lessee_open; 0: not known. */
int64_t rates_lessee_instances(const struct rates_lessee *lessee);

/* Whether it answered when it was asked last, or was not asked yet. */
bool rates_lessee_is_heard(const struct rates_lessee *lessee);

#endif
