/*
 * The cache: what is answered, kept, evicted and forgotten, and a model that it must agree with.
 */
#include "fixture.h"

enum { ROOM = 64 * 1024 * 1024, MILLION = 1000000, QUESTIONS = 200, MOVES = 50000 };

/* Puts an answer of `size` bytes to question `number`. */
static void put(struct fixture *f, uint64_t number, size_t size)
{
    uint8_t digest[FINGERPRINT_SIZE];
    digest_of(number, digest);
    char *bytes = memory_new(size);
    struct recording *recording = recorded(text_make(bytes, size));
    const struct cache_part part = {digest, recording, cache_generation(f->cache), fixture_now(f)};
    cache_put(f->cache, &part);
    recording_drop(recording);
    free(bytes);
}

static bool has(struct fixture *f, uint64_t number)
{
    uint8_t digest[FINGERPRINT_SIZE];
    digest_of(number, digest);
    struct recording *recording = cache_get(f->cache, digest, fixture_now(f));
    recording_drop(recording);
    return recording != NULL;
}

/* Numbers whose digests fall into the shard of number 0. */
static uint64_t same_shard(uint64_t which)
{
    uint8_t first[FINGERPRINT_SIZE], digest[FINGERPRINT_SIZE];
    digest_of(0, first);
    uint64_t number = 0;
    for (digest_of(number, digest); which > 0; which--) {
        do
            digest_of(++number, digest);
        while (digest[0] % CACHE_SHARDS != first[0] % CACHE_SHARDS);
    }
    return number;
}

START_TEST(the_first_leads_and_the_next_hits)
{
    struct fixture *f = fixture_open(ROOM);
    struct cache_found found = ask(f, 0, 7);
    ck_assert_int_eq(found.answer, CACHE_LEAD);
    ck_assert_ptr_null(found.recording);
    record(flight_recording(found.flight), TEXT("answer"));
    flight_end(found.flight, true, fixture_now(f));
    found = ask(f, 1, 7);
    ck_assert_int_eq(found.answer, CACHE_HIT);
    ck_assert_ptr_null(found.flight);
    ck_assert_ptr_null(f->followers[1].flight);
    UNIT_TEXT(read_one(found.recording), "answer");
    recording_drop(found.recording);
    struct cache_stats stats = stats_of(f->cache);
    ck_assert_uint_eq(stats.stored, 1);
    ck_assert_uint_eq(stats.entries, 1);
    ck_assert_uint_gt(stats.bytes, 6);
    ck_assert_uint_eq(stats.bytes_most, ROOM);
    fixture_close(f);
}
END_TEST

START_TEST(what_is_broken_or_not_to_be_stored_is_not_kept)
{
    struct fixture *f = fixture_open(ROOM);
    struct flight *flight = ask(f, 0, 1).flight;
    record(flight_recording(flight), TEXT("error"));
    flight_end(flight, false, fixture_now(f));
    flight = ask(f, 0, 2).flight;
    recording_end(flight_recording(flight), RECORDING_BROKEN, MONEY_ZERO);
    flight_end(flight, true, fixture_now(f));
    ck_assert(!has(f, 1));
    ck_assert(!has(f, 2));
    ck_assert_uint_eq(stats_of(f->cache).stored, 0);
    fixture_close(f);
}
END_TEST

/* Asks for question 1 as clients with special wishes do. */
static struct cache_found ask_so(struct fixture *f, enum recording_shape shape, bool look,
                                 bool may_lead, struct follower *follower)
{
    uint8_t digest[FINGERPRINT_SIZE];
    digest_of(1, digest);
    struct cache_question question = {.digest = digest,
                                      .shape = shape,
                                      .look = look,
                                      .lead = may_lead,
                                      .follower = follower,
                                      .now_us = fixture_now(f)};
    struct cache_found found;
    cache_ask(f->cache, &question, &found);
    return found;
}

START_TEST(who_wants_no_old_answer_makes_a_new_one)
{
    struct fixture *f = fixture_open(ROOM);
    put(f, 1, 10);
    struct cache_found found = ask_so(f, RECORDING_WHOLE, false, true, NULL);
    ck_assert_int_eq(found.answer, CACHE_LEAD);
    ck_assert_int_eq(ask_so(f, RECORDING_WHOLE, false, true, NULL).answer, CACHE_MISS);
    record(flight_recording(found.flight), TEXT("new"));
    flight_end(found.flight, true, fixture_now(f));
    found = ask(f, 0, 1);
    UNIT_TEXT(read_one(found.recording), "new");
    recording_drop(found.recording);
    fixture_close(f);
}
END_TEST

START_TEST(who_wants_nothing_stored_looks_and_follows_but_does_not_lead)
{
    struct fixture *f = fixture_open(ROOM);
    ck_assert_int_eq(ask_so(f, RECORDING_WHOLE, true, false, &f->followers[0]).answer, CACHE_MISS);
    struct flight *flight = ask(f, 1, 1).flight;
    ck_assert_int_eq(ask_so(f, RECORDING_WHOLE, true, false, NULL).answer, CACHE_MISS);
    ck_assert_int_eq(ask_so(f, RECORDING_WHOLE, true, false, &f->followers[0]).answer,
                     CACHE_FOLLOW);
    flight_leave(&f->followers[0]);
    flight_resign(flight);
    put(f, 1, 10);
    struct cache_found found = ask_so(f, RECORDING_WHOLE, true, false, NULL);
    ck_assert_int_eq(found.answer, CACHE_HIT);
    recording_drop(found.recording);
    fixture_close(f);
}
END_TEST

START_TEST(a_flight_is_of_one_shape_but_an_answer_serves_both)
{
    struct fixture *f = fixture_open(ROOM);
    struct cache_found whole = ask_so(f, RECORDING_WHOLE, true, true, &f->followers[0]);
    struct cache_found events = ask_so(f, RECORDING_EVENTS, true, true, &f->followers[1]);
    ck_assert_int_eq(whole.answer, CACHE_LEAD);
    ck_assert_int_eq(events.answer, CACHE_LEAD);
    ck_assert_uint_eq(stats_of(f->cache).flights, 2);
    record(flight_recording(whole.flight), TEXT("whole"));
    flight_end(whole.flight, true, fixture_now(f));
    struct cache_found found = ask_so(f, RECORDING_EVENTS, true, true, &f->followers[2]);
    ck_assert_int_eq(found.answer, CACHE_HIT);
    recording_drop(found.recording);
    flight_resign(events.flight);
    fixture_close(f);
}
END_TEST

START_TEST(the_one_used_longest_ago_goes_first)
{
    struct fixture *f = fixture_open(CACHE_SHARDS * 100 * 1024);
    uint64_t a = same_shard(0), b = same_shard(1), c = same_shard(2), d = same_shard(3);
    put(f, a, 30 * 1024);
    put(f, b, 30 * 1024);
    put(f, c, 30 * 1024);
    ck_assert(has(f, a));
    put(f, d, 30 * 1024);
    ck_assert(has(f, a));
    ck_assert(!has(f, b));
    ck_assert(has(f, c));
    ck_assert(has(f, d));
    ck_assert_uint_eq(stats_of(f->cache).evicted, 1);
    put(f, b, 49 * 1024);
    ck_assert(!has(f, a));
    ck_assert(!has(f, c));
    ck_assert(has(f, d));
    ck_assert(has(f, b));
    ck_assert_uint_eq(stats_of(f->cache).evicted, 3);
    fixture_close(f);
}
END_TEST

START_TEST(entries_are_gone_when_their_time_is_up)
{
    struct fixture *f = fixture_open(ROOM);
    put(f, 1, 10);
    clock_fake_advance(&f->clock, TTL_US - 1);
    ck_assert(has(f, 1));
    clock_fake_advance(&f->clock, 1);
    ck_assert(!has(f, 1));
    ck_assert_uint_eq(stats_of(f->cache).expired, 1);
    ck_assert_uint_eq(stats_of(f->cache).bytes, 0);
    put(f, 1, 10);
    cache_set_ttl(f->cache, 2 * (int64_t)TTL_US);
    clock_fake_advance(&f->clock, TTL_US);
    ck_assert(has(f, 1));
    cache_set_ttl(f->cache, TTL_US);
    ck_assert(!has(f, 1));
    fixture_close(f);
}
END_TEST

START_TEST(old_entries_nobody_asks_for_make_way_for_new_ones)
{
    struct fixture *f = fixture_open(ROOM);
    for (uint64_t i = 0; i < 10; i++)
        put(f, same_shard(i), 10);
    clock_fake_advance(&f->clock, TTL_US);
    for (uint64_t i = 10; i < 14; i++)
        put(f, same_shard(i), 10);
    ck_assert_uint_eq(stats_of(f->cache).entries, 4);
    ck_assert_uint_eq(stats_of(f->cache).expired, 10);
    fixture_close(f);
}
END_TEST

START_TEST(what_is_too_large_is_not_kept_and_what_it_would_replace_is_gone)
{
    struct fixture *f = fixture_open(ROOM);
    ck_assert_uint_eq(cache_entry_most(f->cache), ROOM / CACHE_SHARDS / 2);
    put(f, 1, 10);
    put(f, 2, 10);
    put(f, 1, 30 * 1024 * 1024);
    ck_assert(!has(f, 1));
    ck_assert(has(f, 2));
    put(f, 3, ROOM / CACHE_SHARDS / 2);
    ck_assert(!has(f, 3));
    put(f, 3, ROOM / CACHE_SHARDS / 2 - 1024);
    ck_assert(has(f, 3));
    ck_assert_uint_eq(stats_of(f->cache).too_large, 2);
    fixture_close(f);
}
END_TEST

START_TEST(a_cache_without_room_keeps_nothing)
{
    struct fixture *f = fixture_open(0);
    put(f, 1, 1);
    ck_assert(!has(f, 1));
    ck_assert_uint_eq(stats_of(f->cache).too_large, 1);
    flight_resign(ask(f, 0, 1).flight);
    fixture_close(f);
}
END_TEST

START_TEST(a_new_answer_replaces_the_old_one)
{
    struct fixture *f = fixture_open(ROOM);
    put(f, 1, 10);
    size_t bytes = stats_of(f->cache).bytes;
    put(f, 1, 30);
    ck_assert_uint_eq(stats_of(f->cache).entries, 1);
    ck_assert_uint_eq(stats_of(f->cache).bytes, bytes + 20);
    struct cache_found found = ask(f, 0, 1);
    ck_assert_uint_eq(recording_size(found.recording), 30);
    recording_drop(found.recording);
    fixture_close(f);
}
END_TEST

START_TEST(readers_keep_what_the_cache_forgets)
{
    struct fixture *f = fixture_open(ROOM);
    put(f, 1, 10);
    put(f, 2, 10);
    struct cache_found found = ask(f, 0, 1);
    ck_assert_uint_eq(cache_clear(f->cache), 2);
    ck_assert_uint_eq(cache_clear(f->cache), 0);
    ck_assert(!has(f, 1));
    ck_assert_uint_eq(stats_of(f->cache).bytes, 0);
    fixture_close(f);
    ck_assert_uint_eq(recording_size(found.recording), 10);
    ck_assert_uint_eq(read_one(found.recording).size, 10);
    recording_drop(found.recording);
}
END_TEST

START_TEST(a_flight_from_before_a_clear_is_not_stored)
{
    struct fixture *f = fixture_open(ROOM);
    struct flight *before = ask(f, 0, 1).flight;
    ck_assert_int_eq(ask(f, 1, 1).answer, CACHE_FOLLOW);
    cache_clear(f->cache);
    struct flight *after = ask(f, 2, 2).flight;
    record(flight_recording(before), TEXT("old"));
    record(flight_recording(after), TEXT("new"));
    flight_end(before, true, fixture_now(f));
    flight_end(after, true, fixture_now(f));
    UNIT_TEXT(read_one(flight_recording(f->followers[1].flight)), "old");
    flight_leave(&f->followers[1]);
    ck_assert(!has(f, 1));
    ck_assert(has(f, 2));
    fixture_close(f);
}
END_TEST

START_TEST(a_part_asked_for_before_a_clear_is_not_stored)
{
    struct fixture *f = fixture_open(ROOM);
    for (uint64_t number = 0; number < 4 * CACHE_SHARDS; number++) {
        uint8_t digest[FINGERPRINT_SIZE];
        digest_of(number, digest);
        struct recording *recording = recorded(TEXT("old"));
        struct cache_part part = {digest, recording, cache_generation(f->cache), fixture_now(f)};
        put(f, number, 10);
        cache_clear(f->cache);
        cache_put(f->cache, &part);
        ck_assert(!has(f, number));
        part.generation = cache_generation(f->cache);
        cache_put(f->cache, &part);
        ck_assert(has(f, number));
        recording_drop(recording);
    }
    fixture_close(f);
}
END_TEST

START_TEST(parts_are_counted_known_or_missing)
{
    struct fixture *f = fixture_open(ROOM);
    put(f, 1, 10);
    ck_assert(has(f, 1));
    ck_assert(has(f, 1));
    ck_assert(!has(f, 2));
    ck_assert_uint_eq(stats_of(f->cache).parts_known, 2);
    ck_assert_uint_eq(stats_of(f->cache).parts_missing, 1);
    fixture_close(f);
}
END_TEST

START_TEST(digests_of_one_chain_that_differ_in_the_last_byte_are_different)
{
    struct fixture *f = fixture_open(ROOM);
    uint8_t digest[FINGERPRINT_SIZE] = {0};
    for (int i = 0; i < 256; i++) {
        digest[FINGERPRINT_SIZE - 1] = (uint8_t)i;
        char byte = (char)i;
        struct recording *recording = recorded(text_make(&byte, 1));
        cache_put(f->cache, &(struct cache_part){digest, recording, 0, 0});
        recording_drop(recording);
    }
    ck_assert_uint_eq(stats_of(f->cache).entries, 256);
    for (int i = 255; i >= 0; i -= 3) {
        digest[FINGERPRINT_SIZE - 1] = (uint8_t)i;
        struct recording *recording = cache_get(f->cache, digest, 0);
        ck_assert_int_eq(*read_one(recording).at, (char)i);
        recording_drop(recording);
    }
    struct cache_question question = {.digest = digest, .lead = true};
    struct cache_found found[256];
    for (int i = 0; i < 256; i++) {
        digest[FINGERPRINT_SIZE - 1] = (uint8_t)i;
        cache_ask(f->cache, &question, &found[i]);
        ck_assert_int_eq(found[i].answer, CACHE_LEAD);
    }
    for (size_t i = 0; i < 256; i++)
        flight_resign(found[i * 7 % 256].flight);
    fixture_close(f);
}
END_TEST

START_TEST(a_million_questions_stay_within_the_bytes)
{
    const size_t most = 8 * 1024 * 1024;
    struct fixture *f = fixture_open(most);
    for (uint64_t number = 0; number < MILLION; number++) {
        struct flight *flight = ask(f, 0, number).flight;
        record(flight_recording(flight), TEXT("a short answer"));
        flight_end(flight, true, fixture_now(f));
    }
    struct cache_stats stats = stats_of(f->cache);
    ck_assert_uint_eq(stats.stored, MILLION);
    ck_assert_uint_eq(stats.evicted + stats.entries, MILLION);
    ck_assert_uint_le(stats.bytes, most);
    ck_assert_uint_gt(stats.bytes, most - 8 * 1024);
    ck_assert(has(f, MILLION - 1));
    ck_assert(!has(f, 0));
    fixture_close(f);
}
END_TEST

/* ---- a model: the same rules, written down without tables ---- */

struct modelled {
    bool kept;
    size_t shard, bytes;
    int64_t stored_us;
    uint64_t used; /* when, in moves */
};

struct model {
    struct modelled answers[QUESTIONS];
    size_t part;
};

static void model_open(struct model *model, size_t bytes_most)
{
    *model = (struct model){.part = bytes_most / CACHE_SHARDS};
    for (uint64_t number = 0; number < QUESTIONS; number++) {
        uint8_t digest[FINGERPRINT_SIZE];
        digest_of(number, digest);
        model->answers[number].shard = digest[0] % CACHE_SHARDS;
    }
}

static size_t model_bytes(const struct model *model, size_t shard)
{
    size_t bytes = 0;
    for (size_t i = 0; i < QUESTIONS; i++)
        if (model->answers[i].kept && model->answers[i].shard == shard)
            bytes += model->answers[i].bytes;
    return bytes;
}

static struct modelled *model_oldest(struct model *model, size_t shard)
{
    struct modelled *oldest = NULL;
    for (size_t i = 0; i < QUESTIONS; i++) {
        struct modelled *answer = &model->answers[i];
        if (answer->kept && answer->shard == shard &&
            (oldest == NULL || answer->used < oldest->used))
            oldest = answer;
    }
    return oldest;
}

static bool model_find(struct model *model, uint64_t number, int64_t now_us, uint64_t move)
{
    struct modelled *answer = &model->answers[number];
    if (answer->kept && now_us - answer->stored_us >= TTL_US)
        answer->kept = false;
    answer->used = move;
    return answer->kept;
}

static void model_keep(struct model *model, uint64_t number, size_t bytes, int64_t now_us,
                       uint64_t move)
{
    struct modelled *answer = &model->answers[number];
    answer->kept = false;
    if (bytes > model->part / 2)
        return;
    struct modelled *oldest;
    for (int i = 0; i < 4; i++) {
        oldest = model_oldest(model, answer->shard);
        if (oldest != NULL && now_us - oldest->stored_us >= TTL_US)
            oldest->kept = false;
    }
    while (model_bytes(model, answer->shard) + bytes > model->part)
        model_oldest(model, answer->shard)->kept = false;
    answer->kept = true;
    answer->bytes = bytes;
    answer->stored_us = now_us;
    answer->used = move;
}

/* What the cache counts for an answer of no bytes. */
static size_t overhead(void)
{
    struct fixture *f = fixture_open(ROOM);
    put(f, 0, 1);
    size_t bytes = stats_of(f->cache).bytes - 1;
    fixture_close(f);
    return bytes;
}

static void compare_bytes(const struct model *model, struct fixture *f)
{
    size_t bytes = 0;
    for (size_t shard = 0; shard < CACHE_SHARDS; shard++)
        bytes += model_bytes(model, shard);
    ck_assert_uint_eq(stats_of(f->cache).bytes, bytes);
}

START_TEST(agrees_with_a_simple_model)
{
    const size_t most = CACHE_SHARDS * 20 * 1024, own = overhead();
    struct fixture *f = fixture_open(most);
    struct model model;
    model_open(&model, most);
    uint64_t random = 1;
    for (uint64_t move = 1; move <= MOVES; move++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint64_t number = (random >> 33) % QUESTIONS;
        size_t size = 1 + (random >> 41) % (move % 16 == 0 ? 12000 : 2000);
        if (random >> 61 < 5) {
            ck_assert_int_eq(has(f, number), model_find(&model, number, fixture_now(f), move));
        } else {
            put(f, number, size);
            model_keep(&model, number, size + own, fixture_now(f), move);
        }
        clock_fake_advance(&f->clock, (int64_t)((random >> 35) % (TTL_US / 200)));
        if (move % 64 == 0)
            compare_bytes(&model, f);
    }
    struct cache_stats stats = stats_of(f->cache);
    ck_assert_uint_gt(stats.evicted, 1000);
    ck_assert_uint_gt(stats.expired, 1000);
    ck_assert_uint_gt(stats.too_large, 50);
    fixture_close(f);
}
END_TEST

UNIT_MAIN(the_first_leads_and_the_next_hits, what_is_broken_or_not_to_be_stored_is_not_kept,
          who_wants_no_old_answer_makes_a_new_one,
          who_wants_nothing_stored_looks_and_follows_but_does_not_lead,
          a_flight_is_of_one_shape_but_an_answer_serves_both, the_one_used_longest_ago_goes_first,
          entries_are_gone_when_their_time_is_up, old_entries_nobody_asks_for_make_way_for_new_ones,
          what_is_too_large_is_not_kept_and_what_it_would_replace_is_gone,
          a_cache_without_room_keeps_nothing, a_new_answer_replaces_the_old_one,
          readers_keep_what_the_cache_forgets, a_flight_from_before_a_clear_is_not_stored,
          a_part_asked_for_before_a_clear_is_not_stored, parts_are_counted_known_or_missing,
          digests_of_one_chain_that_differ_in_the_last_byte_are_different,
          a_million_questions_stay_within_the_bytes, agrees_with_a_simple_model)
