/*
 * The cache of answers in memory: fingerprint → recording. Sharded by the fingerprint, each shard
 * with a short lock, an LRU list and its part of the bytes; entries older than the time to live are
 * gone. Also the register of flights: identical requests under way find each other here.
 *
 * All functions are safe from any thread. Times are steady microseconds: wall clocks may jump.
 */
#ifndef PURSER_CACHE_CACHE_H
#define PURSER_CACHE_CACHE_H

#include "base/hash.h"
#include "cache/flight.h"

#define FINGERPRINT_SIZE KEYED_HASH_SIZE /* cache/fingerprint.h */

#define CACHE_SHARDS 8

struct cache_options {
    size_t bytes_most; /* of all entries, with their overhead. An empty cache has a table of 1/64 of
                          it at most */
    int64_t ttl_us;
};

struct cache *cache_open(const struct cache_options *options);
/* No flight may be under way; recordings may still have readers. NULL-safe. */
void cache_close(struct cache *cache);

/* The largest answer that is kept, in bytes of memory with its overhead: half a shard's part. */
size_t cache_entry_most(const struct cache *cache);

/* The time to live from now on, for entries that are there too (after a reload). */
void cache_set_ttl(struct cache *cache, int64_t ttl_us);

/* ---- requests ---- */

enum cache_answer {
    CACHE_MISS,   /* nothing to share: make a call of your own. Also for who would lead but not
                     follow while somebody else leads */
    CACHE_HIT,    /* `recording` is COMPLETE; the caller has a reference */
    CACHE_FOLLOW, /* the follower follows a flight: `follower->flight`; letters will come */
    CACHE_LEAD,   /* nobody makes this call yet: `flight` is yours to lead */
};

struct cache_question {
    const uint8_t *digest;      /* FINGERPRINT_SIZE bytes: the fingerprint */
    enum recording_shape shape; /* asked for: a flight is shared in one shape only; a hit may be
                                   of the other one */
    bool look;                  /* an answer from the cache will do (not: no-cache) */
    bool lead;                  /* it may be shared and stored (not: no-store) */
    struct follower *follower;  /* to follow with: its mailbox and request are set; NULL: it will
                                   not follow (not: no-cache) */
    int64_t now_us;
};

struct cache_found {
    enum cache_answer answer;
    struct recording *recording; /* CACHE_HIT; else NULL */
    struct flight *flight;       /* CACHE_LEAD; else NULL */
};

void cache_ask(struct cache *cache, const struct cache_question *question,
               struct cache_found *found);

/* ---- parts: answers that are no flight's (one input of an embeddings batch) ---- */

/* How often the cache was cleared: read before the question is asked, handed over with the answer.
 */
uint64_t cache_generation(struct cache *cache);

/* A COMPLETE recording with a reference for the caller; NULL if there is none. */
struct recording *cache_get(struct cache *cache, const uint8_t digest[FINGERPRINT_SIZE],
                            int64_t now_us);

struct cache_part {
    const uint8_t *digest;       /* FINGERPRINT_SIZE bytes */
    struct recording *recording; /* COMPLETE; the cache takes a reference of its own */
    uint64_t generation;         /* of when it was asked for */
    int64_t now_us;
};

/* Replaces what is there. Not kept if too large, or if the cache was cleared since it was asked
 * for. */
void cache_put(struct cache *cache, const struct cache_part *part);

/* ---- what it did ---- */

struct cache_stats {
    uint64_t parts_known, parts_missing; /* answers of cache_get */
    uint64_t stored, evicted, expired, too_large;
    size_t entries, bytes, bytes_most;
    size_t flights; /* that can be joined now */
};

void cache_read_stats(struct cache *cache, struct cache_stats *stats);

/* Forgets all entries; flights under way go on but are not stored. Returns how many were there. */
size_t cache_clear(struct cache *cache);

#endif
