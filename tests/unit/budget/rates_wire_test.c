/* What is said of rate limits to Redis, and what its answers may be. */
#include "budget/rates_wire.h"

#include <hiredis/hiredis.h>

#include "../unit.h"

static const struct rates_row rows[] = {
    {.account = 0xabc,
     .rated = RATED_TOKENS,
     .subwindow = 77,
     .limit = 100,
     .have = 10,
     .useful = 5,
     .wanted = 20,
     .ahead = 30},
    {.account = 0xabc, .rated = RATED_PARALLEL, .limit = 4, .have = 1},
};

static struct rates_request request_of(size_t count)
{
    return (struct rates_request){.id = "me",
                                  .sequence = 9,
                                  .life_us = 1000,
                                  .subwindow_us = RATES_SUBWINDOW_US,
                                  .rows = rows,
                                  .row_count = count};
}

/* Whether an answer in Redis's protocol is believed. */
static bool believes(const char *answer, size_t count, struct rates_reply *reply)
{
    struct rates_request request = request_of(count);
    struct fault fault = {0};
    void *read = NULL;
    redisReader *reader = redisReaderCreate();
    ck_assert_int_eq(redisReaderFeed(reader, answer, strlen(answer)), REDIS_OK);
    ck_assert_int_eq(redisReaderGetReply(reader, &read), REDIS_OK);
    ck_assert_ptr_nonnull(read);
    bool good = rates_wire_read(read, &request, reply, &fault);
    ck_assert(good || fault.message[0] != '\0');
    freeReplyObject(read);
    redisReaderFree(reader);
    return good;
}

#define ZEROS ":0\r\n:0\r\n:0\r\n:0\r\n:0\r\n:0\r\n:0\r\n:0\r\n:0\r\n:0\r\n:0\r\n:0\r\n"

START_TEST(a_request_is_words)
{
    struct rates_request request = request_of(2);
    struct buffer out = {0};
    ck_assert_uint_eq(rates_wire_put(&out, &request), 2 + 2 + 5 + 2 * 6);
    struct text text = buffer_text(&out);
    ck_assert(text_starts(text, TEXT("$1\r\n3\r\n$14\r\n{purser}:rates\r\n")));
    ck_assert_uint_ne(text_find(text, TEXT("{purser}:r:0000000000000abc:1\r\n"), 0), SIZE_MAX);
    ck_assert_uint_ne(text_find(text, TEXT("{purser}:r:0000000000000abc:2\r\n"), 0), SIZE_MAX);
    ck_assert_uint_ne(text_find(text, TEXT("$2\r\n77\r\n$3\r\n100\r\n"), 0), SIZE_MAX);
    ck_assert_uint_ne(text_find(text, TEXT("$2\r\n-1\r\n$1\r\n4\r\n"), 0), SIZE_MAX);
    buffer_close(&out);
}
END_TEST

START_TEST(an_honest_answer_is_read)
{
    static struct rates_reply reply;
    ck_assert(believes("*18\r\n:0\r\n:5000\r\n:4000\r\n:3\r\n:20\r\n:7\r\n" ZEROS, 1, &reply));
    ck_assert_int_eq(reply.verdict, RATES_STORE_OK);
    ck_assert_int_eq(reply.now_us, 5000);
    ck_assert_int_eq(reply.born_us, 4000);
    ck_assert_int_eq(reply.instances, 3);
    ck_assert_uint_eq(reply.row_count, 1);
    ck_assert_int_eq(reply.rows[0].moved, 20);
    ck_assert_int_eq(reply.rows[0].others[0], 7);
    ck_assert(believes("*4\r\n:1\r\n:5000\r\n:4000\r\n:3\r\n", 1, &reply));
    ck_assert_int_eq(reply.verdict, RATES_STORE_STALE);
    ck_assert_uint_eq(reply.row_count, 0);
}
END_TEST

START_TEST(what_the_store_never_says_is_not_believed)
{
    static struct rates_reply reply = {.now_us = 42};
    static const char *const lies[] = {
        "+OK\r\n",
        "*0\r\n",
        "*3\r\n:0\r\n:5000\r\n:4000\r\n",
        "*4\r\n:0\r\n:5000\r\n:4000\r\n:3\r\n",                     /* a row is missing */
        "*4\r\n:2\r\n:5000\r\n:4000\r\n:3\r\n",                     /* no such verdict */
        "*4\r\n:1\r\n:-5\r\n:4000\r\n:3\r\n",                       /* before all time */
        "*4\r\n:1\r\n$4\r\n5000\r\n:4000\r\n:3\r\n",                /* no number */
        "*18\r\n:0\r\n:5000\r\n:4000\r\n:3\r\n:31\r\n:0\r\n" ZEROS, /* more than was asked */
        "*18\r\n:0\r\n:5000\r\n:4000\r\n:3\r\n:0\r\n:-1\r\n" ZEROS, /* others have less than none */
        "*18\r\n:1\r\n:5000\r\n:4000\r\n:3\r\n:20\r\n:0\r\n" ZEROS, /* stale, and done */
        "*18\r\n:0\r\n:5000\r\n:4000\r\n:3\r\n:20\r\n$1\r\n0\r\n" ZEROS,
    };
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++)
        ck_assert_msg(!believes(lies[i], 1, &reply), "%zu", i);
    ck_assert_int_eq(reply.now_us, 42);
}
END_TEST

UNIT_MAIN(a_request_is_words, an_honest_answer_is_read, what_the_store_never_says_is_not_believed)
