/*
 * A flight from within, for the cache's own files.
 *
 *             cache_ask                    flight_end, flight_dissolve
 *   (none) ───────────────▶ led ─────────────────────────────────────────▶ over
 *                          ▲   │ flight_resign,                             ▲
 *              flight_lead │   ▼ there are followers                        │
 *                        promised ──────────────────────────────────────────┘
 *                          │   ▲   the promised one left, nobody else follows
 *                          └───┘   (the same for flight_resign without followers)
 *                    it left: to the next
 *
 * 1. A flight is in its shard's register exactly while it is led or promised: who finds it there
 *    can join it.
 * 2. References: one of the leader, which stays with the flight while the lead is promised, and one
 *    of each follower (listed, promised or sent off) until it leaves.
 * 3. A listed follower is told of everything; one that is not listed gets no further letters.
 */
#ifndef PURSER_CACHE_FLIGHT_STATE_H
#define PURSER_CACHE_FLIGHT_STATE_H

#include <stdatomic.h>

#include "cache/shard.h"

struct flight {
    /* Set when it begins. */
    struct shard *shard;
    struct recording *recording;
    uint8_t digest[FINGERPRINT_SIZE];
    enum recording_shape shape;
    uint64_t generation; /* the shard's then */

    atomic_size_t references;
    struct flight *chain; /* in the register; under the shard's lock */

    pthread_mutex_t lock; /* guards what follows, and all members of its followers but `flight` */
    struct follower *first, *last; /* in the order in which they joined */
    size_t count;
    struct follower *promised;  /* was told to lead and did not yet */
    struct follower *asked;     /* was asked to pay and did not answer yet */
    struct follower *payer;     /* who said last that it pays, if it still follows */
    struct flight_payee payee;  /* by whom: the call under way, once its client is gone */
    struct flight_payee paused; /* the call that waits for its slow client until somebody joins */
};

/* Begins one and registers it; the leader's reference is the caller's. The shard's lock is held. */
struct flight *flight_begin(struct shard *shard, const uint8_t *digest, enum recording_shape shape);
/* Joins a registered one. The shard's lock is held. */
void flight_join(struct flight *flight, struct follower *follower);

#endif
