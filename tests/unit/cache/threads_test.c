/*
 * Four threads ask, lead, follow, read, hang up, pay and clear at random. Each reader checks every
 * byte it gets. Run it under TSan and ASan: what is to be found is a race, a leak, or a letter to
 * somebody who has gone.
 */
#include "../unit.h"
#include "cache/cache.h"

#include <pthread.h>

enum { THREADS = 4, SLOTS = 8, QUESTIONS = 12, STEPS = 60000 };

enum role { IDLE, LEADS, FOLLOWS };

/* A request. Its id is its slot + 1 and used again and again, so that late letters do reach
 * somebody who must not mind. */
struct slot {
    enum role role;
    uint64_t number;
    struct flight *flight;
    struct follower follower;
    struct recording_place place;
};

struct worker {
    struct cache *cache;
    struct loop *loop;
    struct mailbox *mailbox;
    struct slot slots[SLOTS];
    uint64_t random;
    int64_t now_us;
    int hits, whole, led_on, sought, paid, wrong;
    pthread_t thread;
};

static size_t below(struct worker *worker, size_t bound)
{
    worker->random = worker->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (size_t)(worker->random >> 33) % bound;
}

/* The answer to question n is its own pattern, of its own length. */
static char byte_at(uint64_t number, size_t at)
{
    return (char)(number * 31 + at % 251);
}

static size_t length_of(uint64_t number)
{
    return (size_t)number * 700;
}

static void check_piece(struct worker *worker, uint64_t number, struct text piece, size_t from)
{
    for (size_t i = 0; i < piece.size; i++)
        worker->wrong += piece.at[i] != byte_at(number, from + i);
}

static void read_some(struct worker *worker, const struct recording *recording, uint64_t number,
                      struct recording_place *place)
{
    struct text piece;
    while ((piece = recording_next(recording, place, 1 + below(worker, 1000), true)).size > 0)
        check_piece(worker, number, piece, place->at - piece.size);
}

/* ---- the leader ---- */

static void write_some(struct worker *worker, const struct slot *slot)
{
    struct recording *recording = flight_recording(slot->flight);
    if (recording_state(recording) == RECORDING_EMPTY)
        recording_begin(recording, &(struct recording_head){.shape = RECORDING_EVENTS});
    char bytes[900];
    size_t from = recording_size(recording), left = length_of(slot->number) - from;
    size_t size = below(worker, sizeof(bytes));
    size = size < left ? size : left;
    for (size_t i = 0; i < size; i++)
        bytes[i] = byte_at(slot->number, from + i);
    recording_put(recording, text_make(bytes, size));
    flight_flush(slot->flight);
}

static void end(struct worker *worker, struct slot *slot)
{
    struct recording *recording = flight_recording(slot->flight);
    bool all = recording_state(recording) == RECORDING_RUNNING &&
               recording_size(recording) == length_of(slot->number);
    recording_end(recording, all ? RECORDING_COMPLETE : RECORDING_BROKEN, MONEY_ZERO);
    flight_end(slot->flight, below(worker, 8) > 0, worker->now_us);
    slot->role = IDLE;
}

static void give_up(struct worker *worker, struct slot *slot)
{
    if (recording_state(flight_recording(slot->flight)) != RECORDING_EMPTY)
        end(worker, slot);
    else if (below(worker, 4) == 0)
        flight_dissolve(slot->flight);
    else
        flight_resign(slot->flight);
    slot->role = IDLE;
}

static void work_as_leader(struct worker *worker, struct slot *slot)
{
    size_t number = (size_t)(slot - worker->slots) + 1;
    struct flight_payee payee = {.mailbox = worker->mailbox, .call = number};
    const struct recording *recording = flight_recording(slot->flight);
    bool empty = recording_state(recording) == RECORDING_EMPTY;
    if (below(worker, empty ? 3 : 20) == 0)
        give_up(worker, slot);
    else if (below(worker, 10) == 0)
        worker->sought += flight_seek_payer(slot->flight, &payee);
    else if (recording_size(recording) == length_of(slot->number))
        end(worker, slot);
    else
        write_some(worker, slot);
}

/* ---- the follower ---- */

static void leave(struct slot *slot)
{
    flight_leave(&slot->follower);
    slot->role = IDLE;
}

static void hear_news(struct worker *worker, struct slot *slot)
{
    flight_heard(&slot->follower);
    struct recording *recording = flight_recording(slot->follower.flight);
    enum recording_state state = recording_state(recording);
    read_some(worker, recording, slot->number, &slot->place);
    if (state < RECORDING_COMPLETE)
        return;
    if (state == RECORDING_COMPLETE) {
        worker->wrong += slot->place.at != length_of(slot->number);
        worker->whole++;
    }
    leave(slot);
}

static void hear_lead(struct worker *worker, struct slot *slot)
{
    struct flight *flight = flight_lead(&slot->follower);
    if (flight == NULL)
        return;
    slot->flight = flight;
    slot->role = LEADS;
    worker->led_on++;
}

static void hear_pay(struct worker *worker, struct slot *slot)
{
    struct flight_payee payee;
    if (below(worker, 3) == 0)
        leave(slot);
    else if (below(worker, 2) == 0)
        flight_decline(&slot->follower);
    else if (flight_pay(&slot->follower, &payee))
        worker->paid++;
}

static void deliver(void *context, struct letter *letter)
{
    struct worker *worker = context;
    struct slot *slot = &worker->slots[letter->to - 1];
    if (slot->role == FOLLOWS && letter->kind == FLIGHT_LETTER_NEWS)
        hear_news(worker, slot);
    else if (slot->role == FOLLOWS && letter->kind == FLIGHT_LETTER_LEAD)
        hear_lead(worker, slot);
    else if (slot->role == FOLLOWS && letter->kind == FLIGHT_LETTER_ALONE)
        leave(slot);
    else if (slot->role == FOLLOWS && letter->kind == FLIGHT_LETTER_PAY)
        hear_pay(worker, slot);
    letter_free(letter);
}

/* ---- anybody ---- */

static void ask(struct worker *worker, struct slot *slot)
{
    *slot = (struct slot){.number = 1 + below(worker, QUESTIONS)};
    slot->follower.mailbox = worker->mailbox;
    slot->follower.request = (uint64_t)(slot - worker->slots) + 1;
    uint8_t digest[FINGERPRINT_SIZE] = {[FINGERPRINT_SIZE - 1] =
                                            (uint8_t)slot->number}; /* one shard, one chain */
    struct cache_question question = {.digest = digest,
                                      .shape = RECORDING_EVENTS,
                                      .look = below(worker, 8) > 0,
                                      .lead = below(worker, 16) > 0,
                                      .follower = &slot->follower,
                                      .now_us = worker->now_us};
    struct cache_found found;
    cache_ask(worker->cache, &question, &found);
    slot->flight = found.flight;
    if (found.answer == CACHE_LEAD)
        slot->role = LEADS;
    else if (found.answer == CACHE_FOLLOW)
        slot->role = FOLLOWS;
    if (found.answer != CACHE_HIT)
        return;
    worker->hits++;
    read_some(worker, found.recording, slot->number, &slot->place);
    worker->wrong += slot->place.at != length_of(slot->number);
    recording_drop(found.recording);
}

static void do_something(struct worker *worker)
{
    struct slot *slot = &worker->slots[below(worker, SLOTS)];
    struct cache_stats stats;
    worker->now_us += 10;
    if (below(worker, 500) == 0)
        cache_clear(worker->cache);
    if (below(worker, 500) == 0)
        cache_read_stats(worker->cache, &stats);
    if (slot->role == IDLE)
        ask(worker, slot);
    else if (slot->role == LEADS)
        work_as_leader(worker, slot);
    else if (below(worker, 30) == 0)
        leave(slot);
    if (below(worker, 4) == 0)
        loop_turn(worker->loop, 0);
}

/* Closes its mailbox while others still work: after leaving and ending nobody may post to it. */
static void *work(void *context)
{
    struct worker *worker = context;
    worker->loop = loop_open(clock_real());
    worker->mailbox = mailbox_open(worker->loop, deliver, worker);
    for (int i = 0; i < STEPS; i++)
        do_something(worker);
    for (size_t i = 0; i < SLOTS; i++) {
        if (worker->slots[i].role == LEADS)
            give_up(worker, &worker->slots[i]);
        else if (worker->slots[i].role == FOLLOWS)
            leave(&worker->slots[i]);
    }
    mailbox_close(worker->mailbox);
    loop_close(worker->loop);
    return NULL;
}

START_TEST(four_threads_share_and_every_byte_is_right)
{
    struct cache_options options = {.bytes_most = CACHE_SHARDS * 24 * 1024, .ttl_us = 10000};
    struct cache *cache = cache_open(&options);
    struct worker workers[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.cache = cache, .random = i + 1};
        ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    struct worker sum = {0};
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        sum.hits += workers[i].hits;
        sum.whole += workers[i].whole;
        sum.led_on += workers[i].led_on;
        sum.sought += workers[i].sought;
        sum.paid += workers[i].paid;
        sum.wrong += workers[i].wrong;
    }
    struct cache_stats stats;
    cache_read_stats(cache, &stats);
    ck_assert_int_eq(sum.wrong, 0);
    ck_assert_uint_eq(stats.flights, 0);
    /* Chance and the scheduler decide how often, but it all happens. */
    ck_assert_int_gt(sum.hits, 0);
    ck_assert_int_gt(sum.whole, 0);
    ck_assert_int_gt(sum.led_on, 0);
    ck_assert_int_gt(sum.paid, 0);
    ck_assert_int_ge(sum.sought, sum.paid);
    ck_assert_uint_gt(stats.stored, 0);
    cache_close(cache);
}
END_TEST

UNIT_MAIN(four_threads_share_and_every_byte_is_right)
