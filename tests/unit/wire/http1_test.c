/* HTTP/1.1 answers, fed in pieces of every size. */
#include <stdio.h>

#include "../unit.h"
#include "wire/http1.h"

/* What became of an answer. */
struct outcome {
    struct http1 answer;
    struct buffer body;
    enum http1_result result; /* the last one */
    size_t left;              /* bytes that were not taken */
};

/* Feeds pieces of `step` bytes, each in memory of its own. */
static struct outcome feed(struct text stream, size_t step)
{
    struct outcome outcome = {.result = HTTP1_MORE};
    for (size_t at = 0; at < stream.size && outcome.result == HTTP1_MORE; at += step) {
        struct text piece = text_slice(stream, at, at + step);
        char *copy = memory_copy(piece);
        struct text bytes = text_make(copy, piece.size);
        struct text body;
        while ((outcome.result = http1_next(&outcome.answer, &bytes, &body)) == HTTP1_BODY) {
            ck_assert_uint_gt(body.size, 0);
            buffer_put(&outcome.body, body);
        }
        if (outcome.result == HTTP1_MORE)
            ck_assert_uint_eq(bytes.size, 0);
        outcome.left = bytes.size + (stream.size - at - piece.size);
        free(copy);
    }
    return outcome;
}

static void forget(struct outcome *outcome)
{
    buffer_close(&outcome->body);
    http1_close(&outcome->answer);
}

/* The stream gives the same in pieces of every size. */
static void check_feed(struct text stream, int status, const char *body, enum http1_result result,
                       size_t left)
{
    for (size_t step = 1; step <= stream.size; step++) {
        struct outcome outcome = feed(stream, step);
        ck_assert_msg(outcome.result == result, "result %d, step %zu of %.*s", (int)outcome.result,
                      step, TEXT_ARG(stream));
        if (result != HTTP1_BROKEN) {
            ck_assert_int_eq(outcome.answer.status, status);
            UNIT_TEXT(buffer_text(&outcome.body), body);
            ck_assert_uint_eq(outcome.left, left);
        }
        forget(&outcome);
    }
}

static void check_complete(const char *stream, int status, const char *body)
{
    check_feed(text_of(stream), status, body, HTTP1_END, 0);
}

static void check_broken(const char *stream)
{
    check_feed(text_of(stream), 0, "", HTTP1_BROKEN, 0);
}

static void check_more(const char *stream, int status, const char *body)
{
    check_feed(text_of(stream), status, body, HTTP1_MORE, 0);
}

START_TEST(reads_a_counted_body)
{
    check_complete("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello");
    check_complete("HTTP/1.1 200 OK\r\ncontent-length:5\r\n\r\nhello", 200, "hello");
    check_complete("HTTP/1.1 200\nContent-Length:  5 \n\nhello", 200, "hello");
    check_complete("HTTP/1.1 500 \r\nContent-Length: 0\r\n\r\n", 500, "");
    check_more("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", 200, "hell");
    check_more("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 200, "");
}
END_TEST

START_TEST(reads_chunks)
{
    check_complete("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "5\r\nhello\r\n00A\r\n, world of\r\n0\r\n\r\n",
                   200, "hello, world of");
    check_complete("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
                   "5;name=\"value\"\r\nhello\r\n1 \r\n!\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\n",
                   200, "hello!");
    check_complete("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n1\na\n0\n\n", 200, "a");
    check_complete("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, "");
    check_more("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", 200,
               "hello");
    check_more("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", 200, "hel");
}
END_TEST

START_TEST(refuses_broken_chunks)
{
    static const char *const bodies[] = {
        "x\r\n",
        "\r\n",
        "-5\r\nhello",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5x\r\nhello\r\n",
        "10000000000000000\r\n",
        "fffffffffffffffff\r\n",
        ";\r\n",
    };
    for (size_t i = 0; i < UNIT_COUNT(bodies); i++) {
        char stream[256];
        (void)snprintf(stream, sizeof(stream),
                       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s", bodies[i]);
        check_broken(stream);
    }
}
END_TEST

START_TEST(a_body_without_length_ends_with_the_connection)
{
    struct text stream = TEXT("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\nhello");
    check_more(stream.at, 200, "hello");
    struct outcome outcome = feed(stream, 7);
    ck_assert(outcome.answer.until_close);
    ck_assert(!outcome.answer.keep_alive);
    ck_assert(http1_eof(&outcome.answer));
    forget(&outcome);
}
END_TEST

START_TEST(the_end_of_the_connection_completes_nothing_else)
{
    static const char *const streams[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP",
    };
    for (size_t i = 0; i < UNIT_COUNT(streams); i++) {
        struct outcome outcome = feed(text_of(streams[i]), 3);
        ck_assert_int_eq(outcome.result, HTTP1_MORE);
        ck_assert_msg(!http1_eof(&outcome.answer), "%s", streams[i]);
        forget(&outcome);
    }
}
END_TEST

START_TEST(what_comes_before_the_answer_is_skipped)
{
    check_complete("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
                   "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok",
                   201, "ok");
    struct outcome outcome = feed(TEXT("HTTP/1.1 100 Continue\r\nX: 1\r\n\r\n"), 1);
    ck_assert(!outcome.answer.head_done);
    ck_assert_int_eq(outcome.answer.status, 0);
    forget(&outcome);
}
END_TEST

START_TEST(some_statuses_have_no_body)
{
    check_complete("HTTP/1.1 204 No Content\r\n\r\n", 204, "");
    check_complete("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, "");
}
END_TEST

START_TEST(bytes_behind_an_answer_are_left)
{
    check_feed(TEXT("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200"), 200, "ok",
               HTTP1_END, 12);
    check_feed(
        TEXT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n\r\n"), 200,
        "ok", HTTP1_END, 2);
    check_feed(TEXT("HTTP/1.1 204 No\r\n\r\nx"), 204, "", HTTP1_END, 1);
}
END_TEST

START_TEST(refuses_contradictory_lengths)
{
    static const char *const headers[] = {
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 5",
        "Content-Length: -1",
        "Content-Length: -0",
        "Content-Length: +5",
        "Content-Length: 5x",
        "Content-Length:",
        "Content-Length: 99999999999999999999",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding:",
    };
    for (size_t i = 0; i < UNIT_COUNT(headers); i++) {
        char stream[256];
        (void)snprintf(stream, sizeof(stream), "HTTP/1.1 200 OK\r\n%s\r\n\r\nhello", headers[i]);
        check_broken(stream);
    }
    check_complete("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 200,
                   "hello");
}
END_TEST

START_TEST(refuses_header_lines_that_two_readers_could_read_differently)
{
    static const char *const headers[] = {
        "Transfer-Encoding : chunked", /* a space before the colon */
        "X: 1\r\n Transfer-Encoding: chunked",
        "X: 1\r\n\tfolded",
        "no colon",
        ": no name",
        "X: a\rb",
        "X\r: b",
        "X(: b",
    };
    for (size_t i = 0; i < UNIT_COUNT(headers); i++) {
        char stream[256];
        (void)snprintf(stream, sizeof(stream), "HTTP/1.1 200 OK\r\n%s\r\n\r\nhello", headers[i]);
        check_broken(stream);
    }
    check_feed(TEXT("HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n"), 0, "", HTTP1_BROKEN, 0);
}
END_TEST

START_TEST(refuses_what_is_not_http_1)
{
    static const char *const streams[] = {
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 99 Low\r\n\r\n",
        "HTTP/1.1 600 High\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 -20 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1\r\n\r\n",
        "HTTP/1.2 200 OK\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n",
        "<html>\n\n",
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "HTTP/1.1 200OK\r\n\r\n",
        "\n",
        "HTTP/1.1 101 Switching\r\n\r\n\r\n",
    };
    for (size_t i = 0; i < UNIT_COUNT(streams); i++)
        check_broken(streams[i]);
}
END_TEST

START_TEST(tells_whether_the_connection_lives_on)
{
    static const struct {
        const char *version, *header;
        bool keep_alive;
    } cases[] = {
        {"1.1", "X: y", true},
        {"1.1", "Connection: close", false},
        {"1.1", "connection: Keep-Alive, Close", false},
        {"1.1", "Connection: upgrade", true},
        {"1.0", "X: y", false},
        {"1.0", "Connection: keep-alive", true},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        char stream[256];
        (void)snprintf(stream, sizeof(stream),
                       "HTTP/%s 200 OK\r\nContent-Length: 2\r\n%s\r\n\r\nok", cases[i].version,
                       cases[i].header);
        struct outcome outcome = feed(text_of(stream), 1000);
        ck_assert_int_eq(outcome.result, HTTP1_END);
        ck_assert_msg(outcome.answer.keep_alive == cases[i].keep_alive, "%s", stream);
        forget(&outcome);
    }
}
END_TEST

START_TEST(chunks_in_an_answer_of_http_1_0_end_its_connection)
{
    struct outcome outcome = feed(TEXT("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"
                                       "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
                                  1000);
    ck_assert_int_eq(outcome.result, HTTP1_END);
    ck_assert(!outcome.answer.keep_alive);
    forget(&outcome);
}
END_TEST

START_TEST(walks_the_headers)
{
    struct outcome outcome =
        feed(TEXT("HTTP/1.1 100 Continue\r\nNot: this\r\n\r\n"
                  "HTTP/1.1 200 OK\r\nOne:1\r\nTwo:  t w:o \t\nThree:\r\n\r\n"),
             4);
    static const char *const want[][2] = {{"One", "1"}, {"Two", "t w:o"}, {"Three", ""}};
    struct text name, value;
    size_t at = 0;
    ck_assert(outcome.answer.head_done);
    for (size_t i = 0; i < UNIT_COUNT(want); i++) {
        ck_assert(http1_header(&outcome.answer, &at, &name, &value));
        UNIT_TEXT(name, want[i][0]);
        UNIT_TEXT(value, want[i][1]);
    }
    ck_assert(!http1_header(&outcome.answer, &at, &name, &value));
    forget(&outcome);
}
END_TEST

START_TEST(an_answer_without_headers_has_none)
{
    struct outcome outcome = feed(TEXT("HTTP/1.1 200 OK\r\n\r\n"), 1000);
    struct text name, value;
    size_t at = 0;
    ck_assert(outcome.answer.head_done);
    ck_assert(!http1_header(&outcome.answer, &at, &name, &value));
    forget(&outcome);
}
END_TEST

/* `filler` over and over behind `begin`, until the answer is broken or 1 MB was taken. */
static size_t feed_endlessly(const char *begin, const char *filler)
{
    struct http1 answer = {0};
    struct text bytes = text_of(begin), body;
    size_t taken = 0;
    enum http1_result result = http1_next(&answer, &bytes, &body);
    while (result == HTTP1_MORE && taken < 1024 * 1024) {
        bytes = text_of(filler);
        taken += bytes.size;
        result = http1_next(&answer, &bytes, &body);
    }
    http1_close(&answer);
    return taken;
}

START_TEST(an_endless_head_is_refused)
{
    ck_assert_uint_le(feed_endlessly("HTTP/1.1 200 OK\r\n", "X: yyyyyyyyyyyyy\r\n"),
                      HTTP1_HEAD_MOST);
    ck_assert_uint_le(feed_endlessly("HTTP/1.1 200 OK\r\nX:", "yyyyyyyyyyyyyy"), HTTP1_HEAD_MOST);
    ck_assert_uint_le(feed_endlessly("", "HTTP/1.1 2"), HTTP1_HEAD_MOST + 10);
}
END_TEST

START_TEST(an_endless_chunk_frame_is_refused)
{
    const char *head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    char begin[128];
    ck_assert_uint_le(feed_endlessly(head, "0000000000"), HTTP1_HEAD_MOST + 10);
    (void)snprintf(begin, sizeof(begin), "%s5;", head);
    ck_assert_uint_le(feed_endlessly(begin, "xxxxxxxxxx"), HTTP1_HEAD_MOST + 10);
    (void)snprintf(begin, sizeof(begin), "%s0\r\n", head);
    ck_assert_uint_le(feed_endlessly(begin, "X: y\r\n"), HTTP1_HEAD_MOST + 10);
}
END_TEST

START_TEST(closing_makes_ready_for_another_answer)
{
    struct outcome outcome =
        feed(TEXT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3"), 9);
    http1_close(&outcome.answer);
    struct text bytes = TEXT("HTTP/1.1 404 No\r\nContent-Length: 1\r\n\r\nx"), body;
    ck_assert_int_eq(http1_next(&outcome.answer, &bytes, &body), HTTP1_BODY);
    UNIT_TEXT(body, "x");
    ck_assert_int_eq(http1_next(&outcome.answer, &bytes, &body), HTTP1_END);
    ck_assert_int_eq(outcome.answer.status, 404);
    forget(&outcome);
}
END_TEST

UNIT_MAIN(reads_a_counted_body, reads_chunks, refuses_broken_chunks,
          a_body_without_length_ends_with_the_connection,
          the_end_of_the_connection_completes_nothing_else, what_comes_before_the_answer_is_skipped,
          some_statuses_have_no_body, bytes_behind_an_answer_are_left,
          refuses_contradictory_lengths,
          refuses_header_lines_that_two_readers_could_read_differently, refuses_what_is_not_http_1,
          tells_whether_the_connection_lives_on, chunks_in_an_answer_of_http_1_0_end_its_connection,
          walks_the_headers, an_answer_without_headers_has_none, an_endless_head_is_refused,
          an_endless_chunk_frame_is_refused, closing_makes_ready_for_another_answer)
