/* Percent-decoding, of paths and of queries. */
#include "../unit.h"
#include "front/endpoints.h"

/* Decodes a copy that ends where its memory ends. */
static void check_decode(const char *raw, bool form, const char *want)
{
    struct arena arena = {0};
    struct text plain = TEXT("untouched");
    struct text original = text_of(raw);
    char *copy = malloc(original.size > 0 ? original.size : 1);
    memcpy(copy, raw, original.size);
    bool fine = percent_decode(&arena, text_make(copy, original.size), form, &plain);
    ck_assert_msg(fine == (want != NULL), "%s", raw);
    UNIT_TEXT(plain, fine ? want : "untouched");
    free(copy);
    arena_close(&arena);
}

START_TEST(decodes_escapes)
{
    check_decode("", false, "");
    check_decode("plain", false, "plain");
    check_decode("a%20b", false, "a b");
    check_decode("%41%4a%4A%7e", false, "AJJ~");
    check_decode("%C3%A9", false, "\xc3\xa9");
    check_decode("%2F%25%2F", false, "/%/");
    check_decode("%2541", false, "%41"); /* once */
}
END_TEST

START_TEST(a_plus_is_a_space_in_forms_only)
{
    check_decode("a+b%2B", true, "a b+");
    check_decode("a+b%2B", false, "a+b+");
}
END_TEST

START_TEST(refuses_malformed_escapes)
{
    static const char *const bad[] = {"%",    "%4",   "a%",  "a%4", "%4g",   "%g4",
                                      "%%41", "% 41", "%-1", "%+1", "%0x41", "ok%41%"};
    for (size_t i = 0; i < UNIT_COUNT(bad); i++) {
        check_decode(bad[i], false, NULL);
        check_decode(bad[i], true, NULL);
    }
}
END_TEST

START_TEST(a_zero_byte_is_a_byte)
{
    struct arena arena = {0};
    struct text plain;
    ck_assert(percent_decode(&arena, TEXT("a%00b"), false, &plain));
    ck_assert(text_equal(plain, TEXT("a\0b")));
    arena_close(&arena);
}
END_TEST

UNIT_MAIN(decodes_escapes, a_plus_is_a_space_in_forms_only, refuses_malformed_escapes,
          a_zero_byte_is_a_byte)
