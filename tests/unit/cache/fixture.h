/*
 * What tests of the cache share: a cache with a loop and a mailbox, digests made of numbers, and
 * requests that note the letters they get. A request's id is its number + 1.
 */
#ifndef PURSER_TESTS_CACHE_FIXTURE_H
#define PURSER_TESTS_CACHE_FIXTURE_H

#include "../unit.h"
#include "cache/cache.h"

enum { REQUESTS = 256, TTL_US = 60 * 1000000, CALL = 77777 };

struct heard {
    int news, lead, alone, pay;
    struct flight_payee payee;
};

struct fixture {
    struct clock_fake clock;
    struct loop *loop;
    struct mailbox *mailbox;
    struct cache *cache;
    struct follower followers[REQUESTS];
    struct heard heard[REQUESTS];
    int declined, left, payers_left, joined; /* letters to CALL */
};

static void fixture_deliver(void *context, struct letter *letter)
{
    struct fixture *f = context;
    if (letter->to == CALL) {
        f->declined += letter->kind == FLIGHT_LETTER_DECLINED;
        f->left += letter->kind == FLIGHT_LETTER_LEFT;
        f->payers_left += letter->kind == FLIGHT_LETTER_LEFT && letter->value == 1;
        f->joined += letter->kind == FLIGHT_LETTER_JOINED;
        letter_free(letter);
        return;
    }
    ck_assert_uint_le(letter->to, REQUESTS);
    struct heard *heard = &f->heard[letter->to - 1];
    heard->news += letter->kind == FLIGHT_LETTER_NEWS;
    heard->lead += letter->kind == FLIGHT_LETTER_LEAD;
    heard->alone += letter->kind == FLIGHT_LETTER_ALONE;
    heard->pay += letter->kind == FLIGHT_LETTER_PAY;
    if (letter->kind == FLIGHT_LETTER_PAY)
        heard->payee = *(struct flight_payee *)letter->body;
    letter_free(letter);
}

static inline struct fixture *fixture_open(size_t bytes_most)
{
    struct fixture *f = memory_new(sizeof(*f));
    f->clock = clock_fake_at(INT64_C(1795292100000000));
    f->loop = loop_open(&f->clock.clock);
    f->mailbox = mailbox_open(f->loop, fixture_deliver, f);
    f->cache = cache_open(&(struct cache_options){.bytes_most = bytes_most, .ttl_us = TTL_US});
    for (size_t i = 0; i < REQUESTS; i++)
        f->followers[i] = (struct follower){.mailbox = f->mailbox, .request = i + 1};
    return f;
}

static inline void fixture_close(struct fixture *f)
{
    cache_close(f->cache);
    mailbox_close(f->mailbox);
    loop_close(f->loop);
    free(f);
}

static inline int64_t fixture_now(const struct fixture *f)
{
    return f->clock.steady_us;
}

/* Letters arrive. */
static inline void fixture_turn(struct fixture *f)
{
    loop_turn(f->loop, 0);
}

/* Spread as a keyed digest would be. */
static inline void digest_of(uint64_t number, uint8_t digest[FINGERPRINT_SIZE])
{
    uint64_t word = number;
    for (size_t at = 0; at < FINGERPRINT_SIZE; at += sizeof(word)) {
        word = (word ^ word >> 31) * UINT64_C(0x9e3779b97f4a7c15) + number + 1;
        word ^= word >> 29;
        memcpy(digest + at, &word, sizeof(word));
    }
}

/* Asks as request `who`, like any client, for the answer to question `number`. */
static inline struct cache_found ask(struct fixture *f, size_t who, uint64_t number)
{
    uint8_t digest[FINGERPRINT_SIZE];
    digest_of(number, digest);
    struct cache_question question = {.digest = digest,
                                      .look = true,
                                      .lead = true,
                                      .follower = &f->followers[who],
                                      .now_us = fixture_now(f)};
    struct cache_found found;
    cache_ask(f->cache, &question, &found);
    return found;
}

static inline void record(struct recording *recording, struct text bytes)
{
    recording_begin(recording, &(struct recording_head){.status = 200});
    recording_put(recording, bytes);
    recording_end(recording, RECORDING_COMPLETE, MONEY_ZERO);
}

static inline struct recording *recorded(struct text bytes)
{
    struct recording *recording = recording_new();
    record(recording, bytes);
    return recording;
}

static inline struct text read_one(const struct recording *recording)
{
    struct recording_place place = {0};
    return recording_next(recording, &place, SIZE_MAX, true);
}

static inline struct cache_stats stats_of(struct cache *cache)
{
    struct cache_stats stats;
    cache_read_stats(cache, &stats);
    return stats;
}

#endif
