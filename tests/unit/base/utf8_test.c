/* UTF-8, against the C library's own decoder for every code and every short run of bytes. */
#include <iconv.h>

#include "../unit.h"
#include "base/utf8.h"

START_TEST(encodes_every_code_as_iconv_does)
{
    iconv_t state = iconv_open("UTF-8", "UTF-32LE");
    ck_assert_ptr_ne(state, (iconv_t)-1);
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        if (code >= 0xD800 && code <= 0xDFFF)
            continue;
        unsigned char in[4] = {(unsigned char)code, (unsigned char)(code >> 8),
                               (unsigned char)(code >> 16), 0};
        char want[4], have[4];
        char *from = (char *)in, *to = want;
        size_t from_left = 4, to_left = 4;
        size_t odd = iconv(state, &from, &from_left, &to, &to_left);
        size_t size = utf8_encode(code, have);
        bool good = odd == 0 && text_equal(text_make(have, size), text_make(want, 4 - to_left)) &&
                    utf8_size(text_make(have, size)) == (int)size;
        for (size_t cut = 1; cut < size; cut++)
            good = good && utf8_size(text_make(have, cut)) == UTF8_CUT;
        if (!good) /* an assertion per code would take a minute */
            ck_abort_msg("U+%04X", (unsigned)code);
    }
    iconv_close(state);
}
END_TEST

/* If the first character is well-formed iconv makes one code of it, whatever follows. */
static int iconv_size(iconv_t state, const char bytes[4])
{
    for (size_t size = 1; size <= 4; size++) {
        char in[4], out[16];
        memcpy(in, bytes, 4);
        char *from = in, *to = out;
        size_t from_left = size, to_left = sizeof(out);
        iconv(state, NULL, NULL, NULL, NULL);
        if (iconv(state, &from, &from_left, &to, &to_left) == 0 && to_left == 12)
            return (int)size;
    }
    return UTF8_MALFORMED;
}

START_TEST(judges_runs_of_edge_bytes_as_iconv_does)
{
    static const unsigned char edges[] = {0x00, 0x22, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF,
                                          0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE,
                                          0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF};
    const size_t n = UNIT_COUNT(edges);
    iconv_t state = iconv_open("UTF-32LE", "UTF-8");
    ck_assert_ptr_ne(state, (iconv_t)-1);
    for (size_t i = 0; i < n * n * n * n; i++) {
        const char bytes[4] = {(char)edges[i % n], (char)edges[i / n % n],
                               (char)edges[i / n / n % n], (char)edges[i / n / n / n]};
        if (utf8_size(text_make(bytes, 4)) != iconv_size(state, bytes))
            ck_abort_msg("run %zu", i);
    }
    iconv_close(state);
}
END_TEST

START_TEST(tells_cut_from_malformed)
{
    ck_assert_int_eq(utf8_size(TEXT("\xE2\x82")), UTF8_CUT);
    ck_assert_int_eq(utf8_size(TEXT("\xF0\x9F\x98")), UTF8_CUT);
    ck_assert_int_eq(utf8_size(TEXT("\xE0\x80")), UTF8_MALFORMED);
    ck_assert_int_eq(utf8_size(TEXT("\xED\xA0")), UTF8_MALFORMED);
    ck_assert_int_eq(utf8_size(TEXT("\xFF")), UTF8_MALFORMED);
    ck_assert_int_eq(utf8_size(TEXT("\x80")), UTF8_MALFORMED);
}
END_TEST

START_TEST(a_run_ends_where_the_first_odd_character_begins)
{
    static const char *const good[] = {"\xC3\xA9", "\xE4\xBD\xA0", "\xED\x9F\xBF", "\xEF\xBF\xBD",
                                       "\xF0\x9F\x98\x80"};
    static const char *const odd[] = {
        "", "a", "\xFF", "\xE4\xBD", "\xED\xA0\x80", "\xE4\xBD\x41", "\xE4\x41\xA0"};
    unsigned seed = 1;
    for (int round = 0; round < 2000; round++) {
        struct buffer whole = {0};
        for (int left = rand_r(&seed) % 9; left > 0; left--)
            buffer_put(&whole, text_of(good[(size_t)rand_r(&seed) % UNIT_COUNT(good)]));
        size_t run = whole.size;
        buffer_put(&whole, text_of(odd[(size_t)rand_r(&seed) % UNIT_COUNT(odd)]));
        char *exact = memory_copy(buffer_text(&whole));
        exact = memory_resize(exact, whole.size); /* without the zero */
        ck_assert_uint_eq(utf8_run(text_make(exact, whole.size)), run);
        free(exact);
        buffer_close(&whole);
    }
}
END_TEST

START_TEST(a_text_is_valid_or_is_repaired_as_whatwg_says)
{
    static const struct {
        const char *bytes, *repaired;
    } cases[] = {
        {"", ""},
        {"plain words, longer than eight bytes", "plain words, longer than eight bytes"},
        {"\xC3\xA9 and \xF0\x9F\x98\x80", "\xC3\xA9 and \xF0\x9F\x98\x80"},
        {"\xE1\x80-", "\uFFFD-"},
        {"\xE1\x80\xE2", "\uFFFD\uFFFD"},
        {"\xF0\x80\x80", "\uFFFD\uFFFD\uFFFD"},
        {"\xF0\x9F\x98", "\uFFFD"},
        {"\xF1\x80\x80-\x80", "\uFFFD-\uFFFD"},
        {"\xED\xA0\x80 12345678\xFF", "\uFFFD\uFFFD\uFFFD 12345678\uFFFD"},
        {"\xC1\xBF\xF4\x90", "\uFFFD\uFFFD\uFFFD\uFFFD"},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        struct text bytes = text_of(cases[i].bytes);
        struct buffer repaired = {0};
        utf8_repair(bytes, &repaired);
        UNIT_TEXT(buffer_text(&repaired), cases[i].repaired);
        ck_assert(utf8_valid(bytes) == text_equal(bytes, buffer_text(&repaired)));
        buffer_close(&repaired);
    }
}
END_TEST

UNIT_MAIN(a_text_is_valid_or_is_repaired_as_whatwg_says,
          a_run_ends_where_the_first_odd_character_begins, encodes_every_code_as_iconv_does,
          judges_runs_of_edge_bytes_as_iconv_does, tells_cut_from_malformed)
