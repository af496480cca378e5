/* Splitting server-sent events: the same events however the stream is cut into pieces. */
#include <time.h>

#include "../unit.h"
#include "wire/sse.h"

#define MOST_EVENTS 64

/* Everything a stream gave: events with data, and all raw bytes. */
struct seen {
    char *data[MOST_EVENTS];
    char *name[MOST_EVENTS];
    size_t count;
    struct buffer raw;
    struct text left; /* of raw: what sse_last gave */
};

static void see(struct seen *seen, const struct sse_event *event)
{
    buffer_put(&seen->raw, event->raw);
    if (event->data.at == NULL)
        return;
    ck_assert_uint_lt(seen->count, MOST_EVENTS);
    seen->data[seen->count] = memory_copy(event->data);
    seen->name[seen->count] = memory_copy(event->name);
    seen->count++;
}

/* Feeds a copy of each piece that is freed before the next, as the network's buffer would be. */
static void feed(struct sse *sse, struct text piece, struct seen *seen)
{
    char *copy = malloc(piece.size > 0 ? piece.size : 1);
    struct sse_event event;

    memcpy(copy, piece.at, piece.size);
    sse_feed(sse, text_make(copy, piece.size));
    while (sse_next(sse, &event) == SSE_EVENT)
        see(seen, &event);
    free(copy);
}

static void forget(struct seen *seen)
{
    for (size_t i = 0; i < seen->count; i++) {
        free(seen->data[i]);
        free(seen->name[i]);
    }
    buffer_close(&seen->raw);
    *seen = (struct seen){0};
}

/* The stream in pieces of `size`, the first one of `first`. */
static struct seen split(struct text stream, size_t first, size_t size)
{
    struct sse sse = {0};
    struct seen seen = {0};
    struct sse_event event;
    size_t to = first;

    for (size_t at = 0; at < stream.size; at = to, to = at + size)
        feed(&sse, text_slice(stream, at, to), &seen);
    if (sse_last(&sse, &event))
        see(&seen, &event);
    sse_close(&sse);
    return seen;
}

static void check_cut(struct text whole, size_t first, size_t size, const char *const *data,
                      size_t count)
{
    struct seen seen = split(whole, first, size);

    ck_assert_msg(seen.count == count, "%zu events, not %zu (%zu, then %zu)", seen.count, count,
                  first, size);
    for (size_t i = 0; i < count; i++)
        ck_assert_str_eq(seen.data[i], data[i]);
    ck_assert(text_equal(buffer_text(&seen.raw), whole));
    forget(&seen);
}

/* In pieces of every size, and in two pieces cut at every place. */
static void check_all_cuts(const char *stream, const char *const *data, size_t count)
{
    struct text whole = text_of(stream);

    for (size_t size = 1; size <= whole.size; size++) {
        check_cut(whole, size, size, data, count);
        check_cut(whole, size, whole.size, data, count);
    }
}

START_TEST(every_line_end_ends_a_line)
{
    static const char *const data[] = {"one", "two"};
    check_all_cuts("data: one\n\ndata: two\n\n", data, 2);
    check_all_cuts("data: one\r\n\r\ndata: two\r\n\r\n", data, 2);
    check_all_cuts("data: one\r\rdata: two\r\r", data, 2);
    check_all_cuts("data: one\r\n\ndata: two\n\r\n", data, 2);
    check_all_cuts("data: one\n\rdata: two\r\r\n", data, 2);
    check_all_cuts("\n\r\n\rdata: one\n\n\n\n\r\n\r\ndata: two\n\n\n", data, 2);
}
END_TEST

START_TEST(data_lines_are_joined)
{
    static const char *const data[] = {"a\nb\n\n c", "", "\n", "\nx"};
    check_all_cuts("data: a\ndata:b\ndata\ndata:  c\n\ndata\n\ndata:\r\ndata: \r\n\r\n"
                   "data\ndata:x\n\n",
                   data, 4);
}
END_TEST

START_TEST(other_lines_are_no_data)
{
    static const char *const data[] = {"x"};
    check_all_cuts(": comment\n\n:\n\nid: 5\nretry: 10\ndatas: no\ndat\n Data: no\n\nevent: e\n\n"
                   "DATA: no\n\n:data: no\ndata: x\nid\n\n",
                   data, 1);
}
END_TEST

START_TEST(a_byte_order_mark_may_begin_the_stream_only)
{
    static const char *const data[] = {"one"};
    check_all_cuts("\xEF\xBB\xBF"
                   "data: one\n\n\xEF\xBB\xBF"
                   "data: two\n\n",
                   data, 1);
    check_all_cuts("\xEF\xBB\xBF\n\ndata: one\n\n", data, 1);
}
END_TEST

START_TEST(names_the_event)
{
    struct seen seen = split(
        TEXT("event: message_start\ndata: 1\n\nevent:x\nevent: y\ndata: 2\n\ndata: 3\n\n"), 1, 1);
    ck_assert_uint_eq(seen.count, 3);
    ck_assert_str_eq(seen.name[0], "message_start");
    ck_assert_str_eq(seen.name[1], "y");
    ck_assert_str_eq(seen.name[2], "");
    forget(&seen);
}
END_TEST

START_TEST(an_unfinished_event_comes_last)
{
    static const char *const data[] = {"one", "[DONE]"};
    check_all_cuts("data: one\n\ndata: [DONE]", data, 2);
    check_all_cuts("data: one\n\ndata: [DONE]\n", data, 2);
    check_all_cuts("data: one\n\ndata: [DONE]\r\n", data, 2);

    struct sse sse = {0};
    struct sse_event event;
    ck_assert(!sse_last(&sse, &event));
    sse_feed(&sse, TEXT(": nothing"));
    ck_assert_int_eq(sse_next(&sse, &event), SSE_MORE);
    ck_assert(!sse_last(&sse, &event));
    ck_assert(!sse_last(&sse, &event));
    sse_close(&sse);
}
END_TEST

START_TEST(an_event_comes_as_soon_as_its_end_is_certain)
{
    struct sse sse = {0};
    struct sse_event event;

    sse_feed(&sse, TEXT("data: x\r\n\r"));
    ck_assert_int_eq(sse_next(&sse, &event), SSE_EVENT);
    UNIT_TEXT(event.data, "x");
    ck_assert_int_eq(sse_next(&sse, &event), SSE_MORE);
    sse_feed(&sse, TEXT("\ndata: y\r\n\r\n"));
    ck_assert_int_eq(sse_next(&sse, &event), SSE_EVENT);
    UNIT_TEXT(event.raw, "\n");
    ck_assert_ptr_null(event.data.at);
    ck_assert_int_eq(sse_next(&sse, &event), SSE_EVENT);
    UNIT_TEXT(event.data, "y");
    sse_close(&sse);
}
END_TEST

START_TEST(whole_events_are_not_copied)
{
    struct text piece = TEXT("data: x\n\nevent: e\ndata: y\n\n");
    struct sse sse = {0};
    struct sse_event event;

    sse_feed(&sse, piece);
    ck_assert_int_eq(sse_next(&sse, &event), SSE_EVENT);
    ck_assert_ptr_eq(event.raw.at, piece.at);
    ck_assert_int_eq(sse_next(&sse, &event), SSE_EVENT);
    ck_assert_ptr_eq(event.data.at, piece.at + 24);
    ck_assert_int_eq(sse_next(&sse, &event), SSE_MORE);
    ck_assert_uint_eq(sse.kept.room, 0);
    sse_close(&sse);
}
END_TEST

static enum sse_result feed_large(size_t size, size_t by)
{
    struct sse sse = {0};
    struct sse_event event;
    struct buffer large = {0};
    enum sse_result result = SSE_MORE;

    buffer_put(&large, TEXT("data: "));
    while (large.size < size - 2)
        buffer_put_byte(&large, 'x');
    buffer_put(&large, TEXT("\n\n"));
    for (size_t at = 0; at < large.size && result == SSE_MORE; at += by) {
        sse_feed(&sse, text_slice(buffer_text(&large), at, at + by));
        result = sse_next(&sse, &event);
    }
    buffer_close(&large);
    sse_close(&sse);
    return result;
}

START_TEST(an_event_has_a_largest_size)
{
    ck_assert_int_eq(feed_large(SSE_MAX_EVENT, SIZE_MAX / 2), SSE_EVENT);
    ck_assert_int_eq(feed_large(SSE_MAX_EVENT, 65536), SSE_EVENT);
    ck_assert_int_eq(feed_large(SSE_MAX_EVENT + 1, SIZE_MAX / 2), SSE_TOO_LARGE);
    ck_assert_int_eq(feed_large(SSE_MAX_EVENT + 1, 65536), SSE_TOO_LARGE);
}
END_TEST

START_TEST(memory_of_a_large_event_is_given_back)
{
    struct sse sse = {0};
    struct sse_event event;
    struct buffer large = {0};

    while (large.size < 1000000)
        buffer_put(&large, TEXT("data: some text\n"));
    sse_feed(&sse, buffer_text(&large));
    ck_assert_int_eq(sse_next(&sse, &event), SSE_MORE);
    sse_feed(&sse, TEXT("\n"));
    ck_assert_int_eq(sse_next(&sse, &event), SSE_EVENT);
    ck_assert_int_eq(sse_next(&sse, &event), SSE_MORE);
    sse_feed(&sse, TEXT("data: x\n\n"));
    ck_assert_int_eq(sse_next(&sse, &event), SSE_EVENT);
    ck_assert_uint_eq(sse.kept.room, 0);
    ck_assert_uint_le(sse.joined.room, 65536);
    buffer_close(&large);
    sse_close(&sse);
}
END_TEST

/* CPU seconds for an event of `size` bytes and line ends `ends`, byte by byte. */
static double seconds_for(size_t size, struct text ends)
{
    struct sse sse = {0};
    struct sse_event event;
    struct buffer stream = {0};

    while (stream.size < size) {
        buffer_put(&stream, TEXT("data: word"));
        buffer_put(&stream, ends);
    }
    clock_t start = clock();
    enum sse_result result = SSE_MORE;
    for (size_t at = 0; at < stream.size && result == SSE_MORE; at++) {
        sse_feed(&sse, text_slice(buffer_text(&stream), at, at + 1));
        result = sse_next(&sse, &event);
    }
    clock_t end = clock();
    ck_assert_int_eq(result, SSE_MORE);
    buffer_close(&stream);
    sse_close(&sse);
    return (double)(end - start) / CLOCKS_PER_SEC;
}

START_TEST(time_is_linear_even_byte_by_byte)
{
    /* quadratic time would need minutes for this */
    ck_assert_double_lt(seconds_for(2000000, TEXT("\n")), 10);
    ck_assert_double_lt(seconds_for(2000000, TEXT("\r\n")), 10);
}
END_TEST

UNIT_MAIN(every_line_end_ends_a_line, data_lines_are_joined, other_lines_are_no_data,
          a_byte_order_mark_may_begin_the_stream_only, names_the_event,
          an_unfinished_event_comes_last, an_event_comes_as_soon_as_its_end_is_certain,
          whole_events_are_not_copied, an_event_has_a_largest_size,
          memory_of_a_large_event_is_given_back, time_is_linear_even_byte_by_byte)
