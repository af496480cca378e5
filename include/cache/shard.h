/*
 * A shard of the cache: a table of answers with their LRU order and their bytes, and the register
 * of flights whose fingerprints fall into it. Both tables have a fixed number of chains, so that
 * nothing is ever moved while others wait, and nothing grows but with what is kept.
 *
 * A fingerprint is a keyed digest: its bytes are the hash, outsiders cannot aim at a chain.
 *
 * Locks, in the order in which they may be taken: a shard's, a flight's (flight_state.h), a
 * mailbox's. All functions but shard_open, shard_close and entries_free want the shard's lock held.
 */
#ifndef PURSER_CACHE_SHARD_H
#define PURSER_CACHE_SHARD_H

#include <pthread.h>

#include "cache/cache.h"

#define SHARD_FLIGHT_CHAINS 256

struct entry;
struct flight;

struct shard {
    pthread_mutex_t lock;
    int64_t ttl_us;
    size_t entry_most;   /* bytes of one entry */
    uint64_t generation; /* how often it was cleared */

    struct entry **chains;
    size_t chain_mask; /* chains - 1; a power of two */
    struct entry *newest, *oldest;
    struct cache_stats stats; /* of this shard; `bytes_most` is its part */

    struct flight *flights[SHARD_FLIGHT_CHAINS];
};

void shard_open(struct shard *shard, size_t bytes_most, int64_t ttl_us);
void shard_close(struct shard *shard);

/* ---- entries: what is taken out is put before `*gone`, to be freed without the lock ---- */

/* A reference for the caller to what is kept and not too old; it is the newest from then on. */
struct recording *shard_find(struct shard *shard, const uint8_t *digest, int64_t now_us,
                             struct entry **gone);
/* Takes a reference; makes room from the oldest end. What was there is gone in any case. */
void shard_keep(struct shard *shard, const uint8_t *digest, struct recording *recording,
                int64_t now_us, struct entry **gone);
/* All of them, at once however many they are; returns how many. `*gone` is NULL before. */
size_t shard_clear(struct shard *shard, struct entry **gone);
void entries_free(struct entry *gone);

/* ---- flights ---- */

struct flight *shard_find_flight(struct shard *shard, const uint8_t *digest,
                                 enum recording_shape shape);
void shard_add_flight(struct shard *shard, struct flight *flight);
void shard_remove_flight(struct shard *shard, struct flight *flight); /* asserts that it is there */

#endif
