/* SHA-256 against the examples of FIPS 180-2, appendix B. */
#include "../unit.h"
#include "base/hash.h"

static const char abc_hex[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

START_TEST(digests_the_published_examples)
{
    uint8_t digest[HASH_SIZE];
    char hex[HASH_HEX_SIZE];
    hash_text(TEXT("abc"), digest);
    hash_hex(digest, HASH_SIZE, hex);
    ck_assert_str_eq(hex, abc_hex);
    hash_text(TEXT("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), digest);
    hash_hex(digest, HASH_SIZE, hex);
    ck_assert_str_eq(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    hash_text(TEXT_NONE, digest);
    hash_hex(digest, 4, hex);
    ck_assert_str_eq(hex, "e3b0c442");
}
END_TEST

START_TEST(one_hasher_digests_parts_again_and_again)
{
    struct hasher *hasher = hasher_open();
    const struct text parts[] = {TEXT("a"), TEXT_NONE, TEXT("bc")};
    for (int i = 0; i < 3; i++) {
        uint8_t digest[HASH_SIZE];
        char hex[HASH_HEX_SIZE];
        hasher_digest(hasher, parts, UNIT_COUNT(parts), digest);
        hash_hex(digest, HASH_SIZE, hex);
        ck_assert_str_eq(hex, abc_hex);
    }
    uint8_t digest[HASH_SIZE];
    char hex[HASH_HEX_SIZE];
    hasher_begin(hasher);
    for (size_t i = 0; i < UNIT_COUNT(parts); i++)
        hasher_put(hasher, parts[i]);
    hasher_end(hasher, digest);
    hash_hex(digest, HASH_SIZE, hex);
    ck_assert_str_eq(hex, abc_hex);
    hasher_close(hasher);
    hasher_close(NULL);
}
END_TEST

START_TEST(reads_hex_of_either_case)
{
    uint8_t bytes[3];
    ck_assert(hash_from_hex(TEXT("00aFf9"), bytes, 3));
    ck_assert_uint_eq(bytes[0], 0x00);
    ck_assert_uint_eq(bytes[1], 0xaf);
    ck_assert_uint_eq(bytes[2], 0xf9);
}
END_TEST

START_TEST(refuses_what_is_not_exactly_the_hex_asked_for)
{
    uint8_t bytes[2] = {7, 7};
    static const char *const bad[] = {"", "00a", "00aaf", "00aaff", "00ag", "0x00", "00a ", "@0aa"};
    for (size_t i = 0; i < UNIT_COUNT(bad); i++)
        ck_assert_msg(!hash_from_hex(text_of(bad[i]), bytes, 2), "%s", bad[i]);
    ck_assert_uint_eq(bytes[0], 7);
    ck_assert_uint_eq(bytes[1], 7);
}
END_TEST

UNIT_MAIN(digests_the_published_examples, one_hasher_digests_parts_again_and_again,
          reads_hex_of_either_case, refuses_what_is_not_exactly_the_hex_asked_for)
