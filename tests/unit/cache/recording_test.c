/*
 * Recordings: what readers get, at whatever pace and on whatever thread. Run it under TSan too.
 */
#include "../unit.h"
#include "cache/recording.h"

#include <pthread.h>

enum { READERS = 3, PUTS = 3000 };

static struct recording *begin(enum recording_shape shape)
{
    struct recording *recording = recording_new();
    struct recording_head head = {.status = 200, .shape = shape};
    recording_begin(recording, &head);
    return recording;
}

static void put(struct recording *recording, const char *bytes)
{
    recording_put(recording, text_of(bytes));
}

/* Reads what there is in pieces of at most `most` bytes. */
static void read_on(const struct recording *recording, struct recording_place *place, size_t most,
                    bool usage, struct buffer *into)
{
    struct text piece;
    while ((piece = recording_next(recording, place, most, usage)).size > 0) {
        ck_assert_uint_le(piece.size, most);
        buffer_put(into, piece);
    }
    ck_assert_ptr_null(piece.at);
}

static void expect(const struct recording *recording, bool usage, const char *want)
{
    static const size_t paces[] = {1, 2, 7, 1000000};
    for (size_t i = 0; i < UNIT_COUNT(paces); i++) {
        struct recording_place place = {0};
        struct buffer have = {0};
        read_on(recording, &place, paces[i], usage, &have);
        UNIT_TEXT(buffer_text(&have), want);
        buffer_close(&have);
    }
}

START_TEST(gives_all_bytes_in_one_piece)
{
    static char large[5000];
    struct recording *recording = recording_new();
    struct buffer joined = {0};
    memset(large, 'b', sizeof(large));
    recording_begin(recording, &(struct recording_head){.shape = RECORDING_EVENTS});
    ck_assert_uint_eq(recording_all(recording, &joined).size, 0);
    recording_put(recording, TEXT("aa"));
    UNIT_TEXT(recording_all(recording, &joined), "aa");
    ck_assert_uint_eq(joined.size, 0);
    recording_put(recording, text_make(large, sizeof(large)));
    recording_mark_usage(recording, 1);
    recording_put(recording, TEXT("c"));
    struct text all = recording_all(recording, &joined);
    ck_assert_uint_eq(all.size, sizeof(large) + 3);
    ck_assert(text_starts(all, TEXT("aab")));
    ck_assert(text_ends(all, TEXT("bc")));
    buffer_close(&joined);
    recording_drop(recording);
}
END_TEST

START_TEST(keeps_its_head_and_its_cost)
{
    struct recording *recording = recording_new();
    ck_assert_int_eq(recording_state(recording), RECORDING_EMPTY);
    ck_assert_uint_eq(recording_size(recording), 0);
    char type[] = "text/event-stream";
    struct recording_head head = {.status = 429,
                                  .shape = RECORDING_EVENTS,
                                  .content_type = text_of(type),
                                  .retry_after = TEXT("7")};
    recording_begin(recording, &head);
    memset(type, 'x', sizeof(type) - 1);
    ck_assert_int_eq(recording_state(recording), RECORDING_RUNNING);
    const struct recording_head *kept = recording_head(recording);
    ck_assert_int_eq(kept->status, 429);
    ck_assert_int_eq(kept->shape, RECORDING_EVENTS);
    UNIT_TEXT(kept->content_type, "text/event-stream");
    UNIT_TEXT(kept->retry_after, "7");
    recording_end(recording, RECORDING_COMPLETE, (struct money){42});
    ck_assert_int_eq(recording_state(recording), RECORDING_COMPLETE);
    ck_assert_int_eq(recording_cost(recording).nano, 42);
    recording_drop(recording);
    recording_drop(NULL);
}
END_TEST

START_TEST(may_break_before_it_began)
{
    struct recording *recording = recording_new();
    recording_end(recording, RECORDING_BROKEN, MONEY_ZERO);
    ck_assert_int_eq(recording_state(recording), RECORDING_BROKEN);
    ck_assert_int_eq(recording_head(recording)->status, 0);
    expect(recording, true, "");
    recording_drop(recording);
}
END_TEST

START_TEST(lives_as_long_as_somebody_refers_to_it)
{
    struct recording *recording = begin(RECORDING_WHOLE);
    put(recording, "answer");
    struct recording *other = recording_take(recording);
    ck_assert_ptr_eq(other, recording);
    recording_drop(recording);
    expect(other, true, "answer");
    recording_drop(other);
}
END_TEST

START_TEST(a_whole_answer_is_one_piece_and_takes_no_more_than_its_size)
{
    struct recording *recording = begin(RECORDING_WHOLE);
    size_t before = recording_memory(recording);
    char *bytes = memory_new(100000);
    recording_put(recording, text_make(bytes, 100000));
    struct recording_place place = {0};
    struct text piece = recording_next(recording, &place, SIZE_MAX, false);
    ck_assert_uint_eq(piece.size, 100000);
    ck_assert_ptr_null(recording_next(recording, &place, SIZE_MAX, false).at);
    ck_assert_uint_lt(recording_memory(recording) - before, 100000 + 64);
    free(bytes);
    recording_drop(recording);
}
END_TEST

START_TEST(blocks_grow_but_do_not_waste_more_than_64_kb)
{
    struct recording *recording = begin(RECORDING_EVENTS);
    put(recording, "first");
    ck_assert_uint_lt(recording_memory(recording), 2048);
    for (int i = 0; i < 30000; i++)
        put(recording, "0123456789");
    ck_assert_uint_eq(recording_size(recording), 300005);
    ck_assert_uint_lt(recording_memory(recording), 300005 + 66 * 1024);
    recording_drop(recording);
}
END_TEST

START_TEST(readers_at_different_paces_get_the_same_bytes)
{
    struct recording *recording = begin(RECORDING_EVENTS);
    struct buffer want = {0}, have[3] = {{0}, {0}, {0}};
    struct recording_place places[3] = {{0}, {0}, {0}};
    static const size_t paces[3] = {3, 100, SIZE_MAX};
    uint32_t random = 1;
    for (int i = 0; i < 2000; i++) {
        random = random * 1664525 + 1013904223;
        size_t before = want.size;
        for (uint32_t n = 0; n < random >> 24; n++)
            buffer_put_byte(&want, (char)(want.size * 7 + n));
        recording_put(recording, text_from(buffer_text(&want), before));
        size_t reader = random >> 8 & 3;
        if (reader < 3)
            read_on(recording, &places[reader], paces[reader], true, &have[reader]);
    }
    recording_end(recording, RECORDING_COMPLETE, MONEY_ZERO);
    for (size_t i = 0; i < 3; i++) {
        read_on(recording, &places[i], paces[i], true, &have[i]);
        ck_assert(text_equal(buffer_text(&have[i]), buffer_text(&want)));
        buffer_close(&have[i]);
    }
    buffer_close(&want);
    recording_drop(recording);
}
END_TEST

START_TEST(nothing_is_read_where_nothing_is_wanted)
{
    struct recording *recording = begin(RECORDING_WHOLE);
    struct recording_place place = {0};
    ck_assert_ptr_null(recording_next(recording, &place, 10, true).at);
    recording_put(recording, TEXT_NONE);
    ck_assert_ptr_null(recording_next(recording, &place, 10, true).at);
    put(recording, "a");
    ck_assert_ptr_null(recording_next(recording, &place, 0, true).at);
    UNIT_TEXT(recording_next(recording, &place, 10, true), "a");
    recording_drop(recording);
}
END_TEST

START_TEST(the_usage_event_is_for_those_who_asked)
{
    struct recording *recording = begin(RECORDING_EVENTS);
    size_t from, to;
    recording_usage_at(recording, &from, &to);
    ck_assert_uint_eq(to, 0);
    put(recording, "one ");
    recording_mark_usage(recording, 6);
    put(recording, "usage ");
    expect(recording, false, "one ");
    recording_mark_usage(recording, 6);
    put(recording, "again done");
    recording_usage_at(recording, &from, &to);
    ck_assert_uint_eq(from, 4);
    ck_assert_uint_eq(to, 10);
    expect(recording, true, "one usage again done");
    expect(recording, false, "one again done");
    recording_drop(recording);
}
END_TEST

START_TEST(a_usage_event_at_the_beginning_in_pieces_and_over_blocks_is_passed_over)
{
    struct recording *recording = begin(RECORDING_EVENTS);
    struct recording_place place = {0};
    recording_mark_usage(recording, 5000);
    char usage[5000];
    memset(usage, 'u', sizeof(usage));
    for (size_t at = 0; at < sizeof(usage); at += 1000) {
        recording_put(recording, text_make(usage + at, 1000));
        ck_assert_ptr_null(recording_next(recording, &place, 10, false).at);
        ck_assert_uint_eq(place.at, at + 1000);
    }
    put(recording, "rest");
    UNIT_TEXT(recording_next(recording, &place, 10, false), "rest");
    expect(recording, false, "rest");
    recording_drop(recording);
}
END_TEST

/* ---- threads ---- */

struct reading {
    struct recording *recording;
    size_t most;
    bool usage;
    size_t read;
    bool wrong;
};

static void *read_all(void *context)
{
    struct reading *reading = context;
    struct recording_place place = {0};
    bool ended;
    do {
        ended = recording_state(reading->recording) >= RECORDING_COMPLETE;
        struct text piece;
        while ((piece = recording_next(reading->recording, &place, reading->most, reading->usage))
                   .size > 0) {
            size_t at = place.at - piece.size;
            for (size_t i = 0; i < piece.size; i++)
                reading->wrong |= piece.at[i] != (char)((at + i) % 251);
            reading->read += piece.size;
        }
    } while (!ended);
    recording_drop(reading->recording);
    return NULL;
}

START_TEST(readers_on_other_threads_see_only_what_was_written)
{
    struct recording *recording = recording_new();
    struct reading readings[READERS] = {{.most = SIZE_MAX, .usage = true},
                                        {.most = 100, .usage = false},
                                        {.most = 3000, .usage = true}};
    pthread_t threads[READERS];
    for (size_t i = 0; i < READERS; i++) {
        readings[i].recording = recording_take(recording);
        ck_assert_int_eq(pthread_create(&threads[i], NULL, read_all, &readings[i]), 0);
    }
    struct recording_head head = {.shape = RECORDING_EVENTS};
    recording_begin(recording, &head);
    size_t total = 0;
    for (size_t i = 0; i < PUTS; i++) {
        char bytes[500];
        size_t size = i * 37 % sizeof(bytes);
        for (size_t n = 0; n < size; n++)
            bytes[n] = (char)((total + n) % 251);
        if (i == PUTS / 2 + 1)
            recording_mark_usage(recording, size);
        recording_put(recording, text_make(bytes, size));
        total += size;
    }
    size_t from, to;
    recording_usage_at(recording, &from, &to);
    ck_assert_uint_gt(to, from);
    recording_end(recording, RECORDING_COMPLETE, MONEY_ZERO);
    recording_drop(recording);
    for (size_t i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert(!readings[i].wrong);
        ck_assert_uint_eq(readings[i].read, readings[i].usage ? total : total - (to - from));
    }
}
END_TEST

UNIT_MAIN(keeps_its_head_and_its_cost, gives_all_bytes_in_one_piece, may_break_before_it_began,
          lives_as_long_as_somebody_refers_to_it,
          a_whole_answer_is_one_piece_and_takes_no_more_than_its_size,
          blocks_grow_but_do_not_waste_more_than_64_kb,
          readers_at_different_paces_get_the_same_bytes, nothing_is_read_where_nothing_is_wanted,
          the_usage_event_is_for_those_who_asked,
          a_usage_event_at_the_beginning_in_pieces_and_over_blocks_is_passed_over,
          readers_on_other_threads_see_only_what_was_written)
