/* Replies between the pipeline and the listener. */
#include <stdio.h>

#include "../unit.h"
#include "gear/reply.h"

static void count(void *context)
{
    ++*(int *)context;
}

/* A reply that counts what it tells. */
struct told {
    struct reply reply;
    int ready, drained;
};

static void told_open(struct told *told)
{
    *told = (struct told){.reply = {.on_ready = count, .on_drained = count}};
    told->reply.ready_context = &told->ready;
    told->reply.drained_context = &told->drained;
}

/* Puts `size` bytes. */
static void put(struct told *told, size_t size)
{
    char *bytes = memory_new(size);
    reply_put(&told->reply, text_make(bytes, size));
    free(bytes);
}

START_TEST(a_whole_reply_is_ready_at_once)
{
    struct told told;
    told_open(&told);
    reply_whole(&told.reply, 404, TEXT("nothing here"));
    ck_assert_int_eq(told.ready, 1);
    ck_assert_int_eq(told.reply.status, 404);
    ck_assert(told.reply.ended);
    ck_assert(!told.reply.streamed);
    UNIT_TEXT(reply_backlog(&told.reply), "nothing here");
    reply_close(&told.reply);
}
END_TEST

START_TEST(a_whole_reply_can_take_the_memory_of_its_body)
{
    struct told told;
    struct buffer body = {0};
    told_open(&told);
    buffer_put(&body, TEXT("{}"));
    const char *at = body.at;
    reply_whole_take(&told.reply, 200, &body);
    ck_assert_ptr_null(body.at);
    ck_assert_ptr_eq(reply_backlog(&told.reply).at, at);
    ck_assert_int_eq(told.ready, 1);
    reply_close(&told.reply);
}
END_TEST

START_TEST(without_a_listener_nobody_is_told)
{
    struct reply reply = {0};
    reply_begin(&reply, 200);
    reply_put(&reply, TEXT("x"));
    reply_flush(&reply);
    reply_break(&reply);
    ck_assert(reply.ended);
    ck_assert(reply.broken);
    reply_close(&reply);
}
END_TEST

START_TEST(a_stream_tells_of_its_head_its_bytes_and_its_end)
{
    struct told told;
    told_open(&told);
    reply_begin(&told.reply, 200);
    ck_assert_int_eq(told.ready, 1);
    reply_flush(&told.reply);
    ck_assert_int_eq(told.ready, 1); /* nothing new */
    reply_put(&told.reply, TEXT("one "));
    reply_put(&told.reply, TEXT("two"));
    ck_assert_int_eq(told.ready, 1);
    reply_flush(&told.reply);
    ck_assert_int_eq(told.ready, 2);
    reply_passed_on(&told.reply, 4);
    UNIT_TEXT(reply_backlog(&told.reply), "two");
    reply_put(&told.reply, TEXT(" three"));
    UNIT_TEXT(reply_backlog(&told.reply), "two three");
    reply_passed_on(&told.reply, 9);
    UNIT_TEXT(reply_backlog(&told.reply), "");
    reply_end(&told.reply);
    ck_assert_int_eq(told.ready, 3);
    ck_assert(told.reply.ended);
    ck_assert(!told.reply.broken);
    reply_close(&told.reply);
}
END_TEST

START_TEST(a_backlog_over_the_high_mark_is_owed_a_word_below_the_low_one)
{
    struct told told;
    told_open(&told);
    reply_begin(&told.reply, 200);
    put(&told, REPLY_HIGH);
    ck_assert(!told.reply.full);
    put(&told, 1);
    ck_assert(told.reply.full);
    reply_passed_on(&told.reply, REPLY_HIGH + 1 - REPLY_LOW);
    ck_assert(told.reply.full);
    ck_assert_int_eq(told.drained, 0);
    reply_passed_on(&told.reply, 1);
    ck_assert(!told.reply.full);
    ck_assert_int_eq(told.drained, 1);
    ck_assert_uint_eq(reply_backlog(&told.reply).size, REPLY_LOW - 1);
    reply_passed_on(&told.reply, REPLY_LOW - 1);
    ck_assert_int_eq(told.drained, 1); /* once */
    put(&told, REPLY_HIGH + 1);
    reply_passed_on(&told.reply, REPLY_HIGH + 1); /* all at once */
    ck_assert_int_eq(told.drained, 2);
    reply_close(&told.reply);
}
END_TEST

START_TEST(a_backlog_that_is_never_empty_does_not_grow)
{
    struct told told;
    told_open(&told);
    reply_begin(&told.reply, 200);
    put(&told, 100);
    for (int i = 0; i < 2000; i++) {
        put(&told, 10000);
        reply_passed_on(&told.reply, 10000);
        ck_assert_uint_eq(reply_backlog(&told.reply).size, 100);
    }
    ck_assert_uint_le(told.reply.bytes.room, 4 * REPLY_HIGH);
    reply_close(&told.reply);
}
END_TEST

START_TEST(headers_keep_their_order_and_have_a_bound)
{
    struct reply reply = {0};
    struct arena arena = {0};
    char value[2] = "a";
    reply_header(&reply, "First", "1");
    reply_header_text(&reply, &arena, "Second", text_make(value, 1));
    value[0] = 'b'; /* it was copied */
    ck_assert_str_eq(reply.headers[0].name, "First");
    ck_assert_str_eq(reply.headers[1].value, "a");
    for (int i = 0; i < 2 * REPLY_MAX_HEADERS; i++)
        reply_header(&reply, "More", "x");
    ck_assert_uint_eq(reply.header_count, REPLY_MAX_HEADERS);
    arena_close(&arena);
    reply_close(&reply);
}
END_TEST

UNIT_MAIN(a_whole_reply_is_ready_at_once, a_whole_reply_can_take_the_memory_of_its_body,
          without_a_listener_nobody_is_told, a_stream_tells_of_its_head_its_bytes_and_its_end,
          a_backlog_over_the_high_mark_is_owed_a_word_below_the_low_one,
          a_backlog_that_is_never_empty_does_not_grow, headers_keep_their_order_and_have_a_bound)
