/*
 * The cache: spreads fingerprints over shards, each behind its lock. What is taken out is freed
 * after the lock is released, as it may be large.
 */
#include "cache/cache.h"

#include <stdlib.h>

#include "cache/flight_state.h"

struct cache {
    struct shard shards[CACHE_SHARDS];
};

struct cache *cache_open(const struct cache_options *options)
{
    struct cache *cache = memory_new(sizeof(*cache));
    for (size_t i = 0; i < CACHE_SHARDS; i++)
        shard_open(&cache->shards[i], options->bytes_most / CACHE_SHARDS, options->ttl_us);
    return cache;
}

void cache_close(struct cache *cache)
{
    if (cache == NULL)
        return;
    for (size_t i = 0; i < CACHE_SHARDS; i++)
        shard_close(&cache->shards[i]);
    free(cache);
}

size_t cache_entry_most(const struct cache *cache)
{
    return cache->shards[0].entry_most;
}

void cache_set_ttl(struct cache *cache, int64_t ttl_us)
{
    for (size_t i = 0; i < CACHE_SHARDS; i++) {
        struct shard *shard = &cache->shards[i];
        pthread_mutex_lock(&shard->lock);
        shard->ttl_us = ttl_us;
        pthread_mutex_unlock(&shard->lock);
    }
}

static struct shard *lock_shard(struct cache *cache, const uint8_t *digest)
{
    struct shard *shard = &cache->shards[digest[0] % CACHE_SHARDS];
    pthread_mutex_lock(&shard->lock);
    return shard;
}

static enum cache_answer ask_flights(struct shard *shard, const struct cache_question *question,
                                     struct flight **led)
{
    struct flight *flight = shard_find_flight(shard, question->digest, question->shape);
    if (flight != NULL && question->follower != NULL) {
        flight_join(flight, question->follower);
        return CACHE_FOLLOW;
    }
    if (flight != NULL || !question->lead)
        return CACHE_MISS;
    *led = flight_begin(shard, question->digest, question->shape);
    return CACHE_LEAD;
}

void cache_ask(struct cache *cache, const struct cache_question *question,
               struct cache_found *found)
{
    struct entry *gone = NULL;
    *found = (struct cache_found){.answer = CACHE_HIT};
    struct shard *shard = lock_shard(cache, question->digest);
    if (question->look)
        found->recording = shard_find(shard, question->digest, question->now_us, &gone);
    if (found->recording == NULL)
        found->answer = ask_flights(shard, question, &found->flight);
    pthread_mutex_unlock(&shard->lock);
    entries_free(gone);
}

struct recording *cache_get(struct cache *cache, const uint8_t digest[FINGERPRINT_SIZE],
                            int64_t now_us)
{
    struct entry *gone = NULL;
    struct shard *shard = lock_shard(cache, digest);
    struct recording *recording = shard_find(shard, digest, now_us, &gone);
    shard->stats.parts_known += recording != NULL;
    shard->stats.parts_missing += recording == NULL;
    pthread_mutex_unlock(&shard->lock);
    entries_free(gone);
    return recording;
}

/* Shards are cleared in their order: none was cleared more often than the first. */
uint64_t cache_generation(struct cache *cache)
{
    struct shard *first = &cache->shards[0];
    pthread_mutex_lock(&first->lock);
    uint64_t generation = first->generation;
    pthread_mutex_unlock(&first->lock);
    return generation;
}

void cache_put(struct cache *cache, const struct cache_part *part)
{
    ASSERT(recording_state(part->recording) == RECORDING_COMPLETE);
    struct entry *gone = NULL;
    struct shard *shard = lock_shard(cache, part->digest);
    if (shard->generation <= part->generation)
        shard_keep(shard, part->digest, part->recording, part->now_us, &gone);
    pthread_mutex_unlock(&shard->lock);
    entries_free(gone);
}

static void add_stats(struct cache_stats *sum, const struct cache_stats *stats)
{
    sum->parts_known += stats->parts_known;
    sum->parts_missing += stats->parts_missing;
    sum->stored += stats->stored;
    sum->evicted += stats->evicted;
    sum->expired += stats->expired;
    sum->too_large += stats->too_large;
    sum->entries += stats->entries;
    sum->bytes += stats->bytes;
    sum->bytes_most += stats->bytes_most;
    sum->flights += stats->flights;
}

void cache_read_stats(struct cache *cache, struct cache_stats *stats)
{
    *stats = (struct cache_stats){0};
    for (size_t i = 0; i < CACHE_SHARDS; i++) {
        struct shard *shard = &cache->shards[i];
        pthread_mutex_lock(&shard->lock);
        add_stats(stats, &shard->stats);
        pthread_mutex_unlock(&shard->lock);
    }
}

size_t cache_clear(struct cache *cache)
{
    size_t count = 0;
    for (size_t i = 0; i < CACHE_SHARDS; i++) {
        struct entry *gone = NULL;
        struct shard *shard = &cache->shards[i];
        pthread_mutex_lock(&shard->lock);
        count += shard_clear(shard, &gone);
        pthread_mutex_unlock(&shard->lock);
        entries_free(gone);
    }
    return count;
}
