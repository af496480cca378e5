/*
 * One shard's tables: intrusive chains under digests.
 */
#include "cache/shard.h"

#include <stdlib.h>

#include "cache/flight_state.h"

#define BYTES_PER_CHAIN 1024 /* smaller answers make chains of a few entries */
#define EXPIRE_AT_ONCE  4    /* how many old ones a new one may take with it */
#define ALLOCATOR_OWN   16   /* what malloc keeps beside each piece */

struct entry {
    struct entry *chain;
    struct entry *newer, *older;
    struct recording *recording;
    size_t bytes;
    int64_t stored_us;
    uint8_t digest[FINGERPRINT_SIZE];
};

void shard_open(struct shard *shard, size_t bytes_most, int64_t ttl_us)
{
    size_t chains = 1;
    while (chains < bytes_most / BYTES_PER_CHAIN)
        chains *= 2;
    *shard = (struct shard){.ttl_us = ttl_us, .entry_most = bytes_most / 2};
    shard->stats.bytes_most = bytes_most;
    shard->chains = memory_new(chains * sizeof(struct entry *));
    shard->chain_mask = chains - 1;
    pthread_mutex_init(&shard->lock, NULL);
}

void shard_close(struct shard *shard)
{
    ASSERT(shard->stats.flights == 0);
    struct entry *gone = NULL;
    shard_clear(shard, &gone);
    entries_free(gone);
    free(shard->chains);
    pthread_mutex_destroy(&shard->lock);
}

/* The first bytes choose the shard. */
static uint64_t hash_of(const uint8_t *digest)
{
    uint64_t hash;
    memcpy(&hash, digest + sizeof(hash), sizeof(hash));
    return hash;
}

/* ---- entries ---- */

static struct entry **place_of(struct shard *shard, const uint8_t *digest)
{
    struct entry **place = &shard->chains[hash_of(digest) & shard->chain_mask];
    while (*place != NULL && memcmp((*place)->digest, digest, FINGERPRINT_SIZE) != 0)
        place = &(*place)->chain;
    return place;
}

static void unlink_order(struct shard *shard, struct entry *entry)
{
    struct entry **newer_side = entry->newer == NULL ? &shard->newest : &entry->newer->older;
    struct entry **older_side = entry->older == NULL ? &shard->oldest : &entry->older->newer;
    *newer_side = entry->older;
    *older_side = entry->newer;
}

static void make_newest(struct shard *shard, struct entry *entry)
{
    entry->newer = NULL;
    entry->older = shard->newest;
    struct entry **older_side = entry->older == NULL ? &shard->oldest : &entry->older->newer;
    *older_side = entry;
    shard->newest = entry;
}

static void take_out(struct shard *shard, struct entry **place, struct entry **gone)
{
    struct entry *entry = *place;
    *place = entry->chain;
    unlink_order(shard, entry);
    ASSERT(shard->stats.bytes >= entry->bytes);
    shard->stats.bytes -= entry->bytes;
    shard->stats.entries--;
    entry->older = *gone;
    *gone = entry;
}

static bool is_old(const struct shard *shard, const struct entry *entry, int64_t now_us)
{
    return now_us - entry->stored_us >= shard->ttl_us;
}

struct recording *shard_find(struct shard *shard, const uint8_t *digest, int64_t now_us,
                             struct entry **gone)
{
    struct entry **place = place_of(shard, digest);
    struct entry *entry = *place;
    if (entry == NULL)
        return NULL;
    if (is_old(shard, entry, now_us)) {
        take_out(shard, place, gone);
        shard->stats.expired++;
        return NULL;
    }
    unlink_order(shard, entry);
    make_newest(shard, entry);
    return recording_take(entry->recording);
}

/* The order is that of use, not of age; but what nobody asks for any more ends up there. */
static void expire_some(struct shard *shard, int64_t now_us, struct entry **gone)
{
    for (int i = 0; i < EXPIRE_AT_ONCE; i++) {
        if (shard->oldest == NULL || !is_old(shard, shard->oldest, now_us))
            return;
        take_out(shard, place_of(shard, shard->oldest->digest), gone);
        shard->stats.expired++;
    }
}

static void make_room(struct shard *shard, size_t bytes, struct entry **gone)
{
    ASSERT(bytes <= shard->stats.bytes_most);
    while (shard->stats.bytes > shard->stats.bytes_most - bytes) {
        ASSERT(shard->oldest != NULL);
        take_out(shard, place_of(shard, shard->oldest->digest), gone);
        shard->stats.evicted++;
    }
}

void shard_keep(struct shard *shard, const uint8_t *digest, struct recording *recording,
                int64_t now_us, struct entry **gone)
{
    struct entry **place = place_of(shard, digest);
    if (*place != NULL)
        take_out(shard, place, gone);
    size_t bytes = sizeof(struct entry) + ALLOCATOR_OWN + recording_memory(recording);
    if (bytes > shard->entry_most) {
        shard->stats.too_large++;
        return;
    }
    expire_some(shard, now_us, gone);
    make_room(shard, bytes, gone);
    struct entry *entry = memory_new(sizeof(*entry));
    *entry =
        (struct entry){.recording = recording_take(recording), .bytes = bytes, .stored_us = now_us};
    memcpy(entry->digest, digest, FINGERPRINT_SIZE);
    place = &shard->chains[hash_of(digest) & shard->chain_mask];
    entry->chain = *place;
    *place = entry;
    make_newest(shard, entry);
    shard->stats.bytes += bytes;
    shard->stats.entries++;
    shard->stats.stored++;
}

size_t shard_clear(struct shard *shard, struct entry **gone)
{
    size_t count = shard->stats.entries;
    ASSERT(*gone == NULL);
    *gone = shard->newest;
    shard->newest = NULL;
    shard->oldest = NULL;
    memset(shard->chains, 0, (shard->chain_mask + 1) * sizeof(struct entry *));
    shard->stats.entries = 0;
    shard->stats.bytes = 0;
    shard->generation++;
    return count;
}

void entries_free(struct entry *gone)
{
    while (gone != NULL) {
        struct entry *next = gone->older;
        recording_drop(gone->recording);
        free(gone);
        gone = next;
    }
}

/* ---- flights ---- */

static struct flight **flights_of(struct shard *shard, const uint8_t *digest)
{
    return &shard->flights[hash_of(digest) % SHARD_FLIGHT_CHAINS];
}

struct flight *shard_find_flight(struct shard *shard, const uint8_t *digest,
                                 enum recording_shape shape)
{
    struct flight *flight = *flights_of(shard, digest);
    while (flight != NULL &&
           (flight->shape != shape || memcmp(flight->digest, digest, FINGERPRINT_SIZE) != 0))
        flight = flight->chain;
    return flight;
}

void shard_add_flight(struct shard *shard, struct flight *flight)
{
    struct flight **chain = flights_of(shard, flight->digest);
    flight->chain = *chain;
    *chain = flight;
    shard->stats.flights++;
}

void shard_remove_flight(struct shard *shard, struct flight *flight)
{
    struct flight **place = flights_of(shard, flight->digest);
    while (*place != flight) {
        ASSERT(*place != NULL);
        place = &(*place)->chain;
    }
    *place = flight->chain;
    shard->stats.flights--;
}
