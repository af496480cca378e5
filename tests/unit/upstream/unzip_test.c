/* Undoing gzip in steps. */
#include "squeeze.h"
#include "upstream/unzip.h"

/* Text that does not compress to nothing. */
static struct buffer sample(size_t size)
{
    struct buffer plain = {0};
    uint32_t random = 1;
    for (size_t i = 0; i < size; i++) {
        random = random * 1664525u + 1013904223u;
        buffer_put_byte(&plain, (char)('a' + (random >> 16) % 9));
    }
    return plain;
}

START_TEST(undoes_gzip_and_zlib_in_pieces_of_every_size)
{
    static const size_t sizes[] = {1, 2, 11, 4096, 1000000};
    struct buffer plain = sample(100000);
    for (int bits = 15; bits <= 31; bits += 16) {
        struct buffer packed = squeeze(buffer_text(&plain), bits);
        for (size_t i = 0; i < UNIT_COUNT(sizes); i++) {
            struct unzip *unzip = unzip_open();
            struct buffer out = {0};
            for (size_t at = 0; at < packed.size; at += sizes[i]) {
                ck_assert(at == 0 || !unzip_done(unzip));
                unzip_feed(unzip, text_slice(buffer_text(&packed), at, at + sizes[i]));
                ck_assert(unzip_step(unzip, &out, SIZE_MAX));
                ck_assert(!unzip_waiting(unzip));
            }
            ck_assert(unzip_done(unzip));
            ck_assert(text_equal(buffer_text(&out), buffer_text(&plain)));
            buffer_close(&out);
            unzip_close(unzip);
        }
        buffer_close(&packed);
    }
    buffer_close(&plain);
}
END_TEST

START_TEST(a_step_stops_when_the_room_is_full)
{
    enum { SIZE = 16 * 1024 * 1024, MOST = 100000 };
    char *zeros = memory_new(SIZE);
    struct buffer packed = squeeze(text_make(zeros, SIZE), 31), out = {0};
    struct unzip *unzip = unzip_open();
    size_t total = 0;
    unzip_feed(unzip, buffer_text(&packed));
    ck_assert(unzip_waiting(unzip));
    while (unzip_waiting(unzip)) {
        ck_assert(!unzip_done(unzip));
        ck_assert(unzip_step(unzip, &out, MOST));
        ck_assert_uint_le(out.size, MOST + 16384);
        total += out.size;
        buffer_clear(&out);
    }
    ck_assert(unzip_done(unzip));
    ck_assert_uint_eq(total, SIZE);
    ck_assert(unzip_step(unzip, &out, MOST));
    ck_assert_uint_eq(out.size, 0);
    buffer_close(&out);
    buffer_close(&packed);
    unzip_close(unzip);
    free(zeros);
}
END_TEST

START_TEST(without_room_nothing_is_undone)
{
    struct buffer packed = squeeze(TEXT("hello"), 31), out = {0};
    struct unzip *unzip = unzip_open();
    unzip_feed(unzip, buffer_text(&packed));
    ck_assert(unzip_step(unzip, &out, 0));
    ck_assert_uint_eq(out.size, 0);
    ck_assert(unzip_waiting(unzip));
    buffer_close(&packed);
    unzip_close(unzip);
}
END_TEST

START_TEST(damaged_data_is_refused)
{
    struct buffer plain = sample(1000);
    struct buffer packed = squeeze(buffer_text(&plain), 31);
    int refused = 0;
    for (size_t i = 0; i < packed.size; i++) {
        struct unzip *unzip = unzip_open();
        struct buffer out = {0};
        packed.at[i] = (char)~packed.at[i];
        unzip_feed(unzip, buffer_text(&packed));
        bool fine = unzip_step(unzip, &out, SIZE_MAX) && unzip_done(unzip);
        refused += !fine;
        /* the header's flags, time and system may say anything; the content may not */
        ck_assert(!fine || text_equal(buffer_text(&out), buffer_text(&plain)));
        packed.at[i] = (char)~packed.at[i];
        buffer_close(&out);
        unzip_close(unzip);
    }
    ck_assert_int_gt(refused, (int)packed.size - 10);
    buffer_close(&packed);
    buffer_close(&plain);
}
END_TEST

START_TEST(a_body_is_done_at_its_end_or_if_it_never_began)
{
    struct buffer packed = squeeze(TEXT("hello"), 31), out = {0};
    struct unzip *unzip = unzip_open();
    ck_assert(unzip_done(unzip));
    ck_assert(!unzip_waiting(unzip));
    unzip_feed(unzip, text_slice(buffer_text(&packed), 0, 1));
    ck_assert(!unzip_done(unzip));
    ck_assert(unzip_step(unzip, &out, SIZE_MAX));
    ck_assert(!unzip_done(unzip));
    unzip_feed(unzip, text_from(buffer_text(&packed), 1));
    ck_assert(unzip_step(unzip, &out, SIZE_MAX));
    ck_assert(unzip_done(unzip));
    UNIT_TEXT(buffer_text(&out), "hello");
    buffer_close(&out);
    buffer_close(&packed);
    unzip_close(unzip);
    unzip_close(NULL);
}
END_TEST

START_TEST(several_members_are_one_body)
{
    static const size_t sizes[] = {1, 5, 1000};
    for (size_t i = 0; i < UNIT_COUNT(sizes); i++) {
        struct buffer packed = squeeze(TEXT("one "), 31), more = squeeze(TEXT("two"), 31),
                      out = {0};
        struct unzip *unzip = unzip_open();
        buffer_put(&packed, buffer_text(&more));
        buffer_put(&packed, TEXT("\0\0\0")); /* padding */
        for (size_t at = 0; at < packed.size; at += sizes[i]) {
            unzip_feed(unzip, text_slice(buffer_text(&packed), at, at + sizes[i]));
            ck_assert(unzip_step(unzip, &out, SIZE_MAX));
        }
        UNIT_TEXT(buffer_text(&out), "one two");
        ck_assert(unzip_done(unzip));
        ck_assert(!unzip_waiting(unzip));
        buffer_close(&out);
        buffer_close(&packed);
        buffer_close(&more);
        unzip_close(unzip);
    }
}
END_TEST

UNIT_MAIN(undoes_gzip_and_zlib_in_pieces_of_every_size, a_step_stops_when_the_room_is_full,
          without_room_nothing_is_undone, damaged_data_is_refused,
          a_body_is_done_at_its_end_or_if_it_never_began, several_members_are_one_body)
