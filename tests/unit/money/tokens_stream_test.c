/* Counting while a text arrives: after every addition what counting all of it says. */
#include "../unit.h"
#include "base/utf8.h"
#include "money/tokens_stream.h"

static const char *const atoms[] = {
    " the",
    "ing",
    " word",
    " Don",
    "'",
    "t",
    "s",
    "'re",
    "\n",
    "\r\n",
    "  ",
    "\t",
    "12",
    "345",
    "!?",
    "://",
    "A",
    "aB",
    "\xE6\x97\xA5",
    "\xE8",
    "\xAA\x9E",
    "\xE3\x81\xAE",
    " ",
    "\xCC\x81",
    "\xC5",
    "\xBF",
    "\xF0\x9F",
    "\x98",
    "\x80",
    "\xFF",
    "...",
    "\xE4\xBD",
    " \xE2\x80",
    "\x99",
    "\xED\xA0\x80",
};

static struct text pick(unsigned *seed)
{
    return text_of(atoms[(size_t)rand_r(seed) % UNIT_COUNT(atoms)]);
}

START_TEST(is_exact_after_every_addition)
{
    unsigned seed = 1;
    for (int round = 0; round < 400; round++) {
        struct tokens_stream stream = {.encoding = round % TOKENS_ENCODING_COUNT};
        struct buffer all = {0};
        for (int i = 0; i < 60; i++) {
            struct buffer addition = {0};
            for (int parts = rand_r(&seed) % 4; parts > 0; parts--)
                buffer_put(&addition, pick(&seed));
            buffer_put(&all, buffer_text(&addition));
            size_t tokens = tokens_stream_add(&stream, buffer_text(&addition));
            ck_assert_uint_eq(tokens, tokens_count(stream.encoding, buffer_text(&all)));
            buffer_close(&addition);
        }
        tokens_stream_close(&stream);
        buffer_close(&all);
    }
}
END_TEST

START_TEST(is_exact_byte_by_byte)
{
    struct text whole =
        TEXT("It's 2026: d\xC3\xA9j\xC3\xA0 vu, \xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E "
             "\xF0\x9F\x98\x80\xF0\x9F\x98 we'LL see\r\n\r\n  https://a.b/c//\n x");
    for (enum tokens_encoding e = 0; e < TOKENS_ENCODING_COUNT; e++) {
        struct tokens_stream stream = {.encoding = e};
        for (size_t at = 0; at < whole.size; at++) {
            size_t tokens = tokens_stream_add(&stream, text_slice(whole, at, at + 1));
            ck_assert_uint_eq(tokens, tokens_count(e, text_slice(whole, 0, at + 1)));
        }
        tokens_stream_close(&stream);
    }
}
END_TEST

START_TEST(forgets_what_is_closed)
{
    struct tokens_stream stream = {0};
    for (int i = 0; i < 10000; i++) {
        ck_assert_uint_eq(tokens_stream_add(&stream, TEXT(" word")), (size_t)i + 1);
        ck_assert_uint_eq(stream.tail.size, 5);
    }
    tokens_stream_close(&stream);
}
END_TEST

START_TEST(a_long_tail_is_closed_where_it_stands)
{
    struct tokens_stream stream = {0};
    struct buffer all = {0};
    for (int i = 0; i < 20000; i++) {
        buffer_put(&all, TEXT("ha"));
        size_t tokens = tokens_stream_add(&stream, TEXT("ha"));
        ck_assert_uint_lt(stream.tail.size, TOKENS_LONG_TAIL);
        if (i % 500 != 0)
            continue;
        size_t exact = tokens_count(TOKENS_O200K_BASE, buffer_text(&all));
        ck_assert_uint_ge(tokens, exact);
        ck_assert_uint_le(tokens, exact + all.size / TOKENS_LONG_TAIL);
    }
    buffer_put(&all, TEXT(" and on"));
    (void)tokens_stream_add(&stream, TEXT(" and on"));
    ck_assert_uint_lt(stream.tail.size, 10);
    tokens_stream_close(&stream);
    buffer_close(&all);
}
END_TEST

START_TEST(a_long_tail_may_be_closed_within_a_character)
{
    struct tokens_stream stream = {0};
    struct buffer all = {0};
    for (int i = 0; i < 1023; i++)
        buffer_put_byte(&all, 'x');
    buffer_put(&all, TEXT("x\xE6\x97"));
    (void)tokens_stream_add(&stream, buffer_text(&all));
    ck_assert_uint_eq(stream.tail.size, 0);
    size_t closed = stream.closed;
    ck_assert_uint_gt(stream.tokens, closed);
    (void)tokens_stream_add(&stream, TEXT("\xA5"));
    ck_assert_uint_eq(stream.closed, closed);
    ck_assert_uint_eq(stream.tokens, closed + tokens_count(stream.encoding, TEXT("\xE6\x97\xA5")));
    tokens_stream_close(&stream);
    buffer_close(&all);
}
END_TEST

START_TEST(nothing_added_is_nothing_counted)
{
    struct tokens_stream stream = {.encoding = TOKENS_CL100K_BASE};
    ck_assert_uint_eq(tokens_stream_add(&stream, TEXT("")), 0);
    ck_assert_uint_eq(stream.tokens, 0);
    tokens_stream_close(&stream);
}
END_TEST

UNIT_MAIN(is_exact_after_every_addition, is_exact_byte_by_byte, forgets_what_is_closed,
          a_long_tail_is_closed_where_it_stands, a_long_tail_may_be_closed_within_a_character,
          nothing_added_is_nothing_counted)
