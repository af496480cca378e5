/*
 * Tokens: some texts with the ids that the npm package tiktoken gives them, merging against byte
 * pair encoding as it is defined, and what a caller may rely on. tests/oracle compares at large.
 */
#include <stdio.h>

#include "../unit.h"
#include "base/utf8.h"
#include "money/tokens_parts.h"

struct sample {
    const char *text;
    uint32_t ids[TOKENS_ENCODING_COUNT][16];
    size_t counts[TOKENS_ENCODING_COUNT];
};

static const struct sample samples[] = {
    {"Hello, world!", {{13225, 11, 2375, 0}, {9906, 11, 1917, 0}}, {4, 4}},
    {"It's DON'T we'll I'\305\277 'tis",
     {{15834, 153384, 22782, 3413, 70067, 461, 109773},
      {2181, 596, 45373, 17773, 584, 3358, 358, 6, 129, 123, 364, 83, 285}},
     {7, 13}},
    {"HTTPServer XMLHttpRequest aB",
     {{17893, 6444, 100497, 2303, 261, 33}, {9412, 5592, 46938, 264, 33}},
     {6, 5}},
    {"12345 3.14159",
     {{7633, 2548, 220, 18, 13, 16926, 4621}, {4513, 1774, 220, 18, 13, 9335, 2946}},
     {7, 7}},
    {"  indented\n\n    more \t\r\n  end  ",
     {{220, 1383, 23537, 279, 271, 945, 220, 7709, 220, 1268, 256},
      {220, 1280, 16243, 271, 262, 810, 220, 4574, 220, 842, 256}},
     {11, 11}},
    {"\346\227\245A\346\234\254\350\252\236\343\201\256\343\203\206\343\202\271\343\203\210",
     {{2292, 32, 4087, 40909, 3385, 16056, 38236},
      {9080, 32, 22656, 45918, 252, 16144, 57933, 71634}},
     {7, 8}},
    {"<|endoftext|><|fim_prefix|>",
     {{27, 91, 419, 1440, 919, 91, 3784, 91, 103473, 33197, 91, 29},
      {27, 91, 8862, 728, 428, 91, 1822, 91, 69, 318, 14301, 91, 29}},
     {12, 13}},
    {"e\314\201\314\201 \314\201a !\314\201",
     {{68, 13430, 13430, 220, 13430, 64, 1073, 13430},
      {68, 54939, 54939, 220, 54939, 64, 758, 54939}},
     {8, 8}},
    {"https://example.com/a/b?c=d\n//\n",
     {{4172, 1684, 18582, 1136, 23839, 7611, 30, 66, 56413, 198, 22704},
      {2485, 1129, 8858, 916, 14520, 3554, 30, 66, 26477, 198, 2341}},
     {11, 11}},
    {"\360\237\221\250\342\200\215\360\237\221\251\342\200\215\360\237\221\247 ok",
     {{28823, 101, 2524, 28823, 102, 2524, 28823, 100, 4763},
      {9468, 239, 101, 378, 235, 9468, 239, 102, 378, 235, 9468, 239, 100, 5509}},
     {9, 14}},
    {"antidisestablishmentarianism floccinaucinihilipilification",
     {{493, 129901, 376, 160388, 21203, 2367, 1548, 16533, 258, 11816, 2363, 38241, 488, 311, 3166},
      {519, 85342, 34500, 479, 8997, 2191, 9943, 641, 2259, 1791, 6729, 76423, 575, 321, 2461}},
     {15, 15}},
    {"\320\237\321\200\320\270\320\262\320\265\321\202, \320\274\320\270\321\200",
     {{23881, 131903, 11, 37934}, {54745, 28089, 8341, 11, 11562, 78746}},
     {4, 6}},
    {"", {{0}, {0}}, {0, 0}},
};

START_TEST(gives_texts_the_ids_that_tiktoken_gives_them)
{
    for (size_t i = 0; i < UNIT_COUNT(samples); i++) {
        for (enum tokens_encoding e = 0; e < TOKENS_ENCODING_COUNT; e++) {
            const struct sample *sample = &samples[i];
            struct token_ids ids = {0};
            tokens_encode(e, text_of(sample->text), &ids);
            ck_assert_uint_eq(ids.count, sample->counts[e]);
            for (size_t at = 0; at < ids.count; at++)
                ck_assert_uint_eq(ids.at[at], sample->ids[e][at]);
            ck_assert_uint_eq(tokens_count(e, text_of(sample->text)), sample->counts[e]);
            token_ids_close(&ids);
        }
    }
}
END_TEST

START_TEST(a_special_token_in_a_text_is_text)
{
    ck_assert_uint_gt(tokens_count(TOKENS_O200K_BASE, TEXT("<|endoftext|>")), 1);
    ck_assert_uint_gt(tokens_count(TOKENS_CL100K_BASE, TEXT("<|im_start|>")), 1);
}
END_TEST

START_TEST(malformed_bytes_count_as_their_replacements)
{
    static const struct {
        const char *bytes, *meaning;
    } cases[] = {
        {"a\xFF-", "a\uFFFD-"},
        {"\xE4\xBD", "\uFFFD"},
        {"\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD"},
        {"x \xF0\x9F\x98 y", "x \uFFFD y"},
        {"\xC0\x80", "\uFFFD\uFFFD"},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        struct token_ids have = {0}, want = {0};
        tokens_encode(TOKENS_O200K_BASE, text_of(cases[i].bytes), &have);
        tokens_encode(TOKENS_O200K_BASE, text_of(cases[i].meaning), &want);
        ck_assert_uint_eq(have.count, want.count);
        ck_assert_mem_eq(have.at, want.at, want.count * sizeof(*want.at));
        token_ids_close(&have);
        token_ids_close(&want);
    }
}
END_TEST

static uint32_t find(const struct token_ranks *ranks, struct text bytes)
{
    return token_find(ranks, bytes, bytes.at + bytes.size);
}

START_TEST(every_token_is_found_by_its_bytes)
{
    for (enum tokens_encoding e = 0; e < TOKENS_ENCODING_COUNT; e++) {
        const struct token_ranks *ranks = token_ranks(e);
        const char *entry =
            (const char *)(ranks->words + ranks->pair_count + ranks->slot_count) + 4;
        for (uint32_t rank = 0; rank < ranks->token_count; rank++) {
            uint32_t head;
            memcpy(&head, entry, sizeof head);
            struct text bytes = text_make(entry + sizeof head, head >> 24);
            if (find(ranks, bytes) != rank)
                ck_abort_msg("rank %u", (unsigned)rank);
            if (bytes.size == 2 && token_find_pair(ranks, bytes.at) != rank)
                ck_abort_msg("rank %u of two bytes", (unsigned)rank);
            entry = bytes.at + bytes.size;
        }
    }
}
END_TEST

/* Byte pair encoding as it is defined; *ends are where the parts end. */
static size_t merge_plainly(const struct token_ranks *ranks, struct text piece, size_t *ends)
{
    size_t count = piece.size;
    for (size_t i = 0; i < count; i++)
        ends[i] = i + 1;
    for (;;) {
        uint32_t least = TOKEN_NONE;
        size_t best = 0;
        for (size_t i = 0; i + 1 < count; i++) {
            size_t begin = i == 0 ? 0 : ends[i - 1];
            uint32_t rank = find(ranks, text_slice(piece, begin, ends[i + 1]));
            if (rank < least) {
                least = rank;
                best = i;
            }
        }
        if (least == TOKEN_NONE)
            return count;
        memmove(ends + best, ends + best + 1, (--count - best) * sizeof(*ends));
    }
}

static void check_merge(const struct token_ranks *ranks, struct text piece)
{
    size_t ends[512], count = merge_plainly(ranks, piece, ends);
    struct token_ids either = {0}, longs = {0};
    ck_assert_uint_eq(token_merge(ranks, piece, &either), count);
    ck_assert_uint_eq(token_merge_long(ranks, piece, &longs), count);
    ck_assert_uint_eq(token_merge(ranks, piece, NULL), count);
    ck_assert_uint_eq(token_merge_long(ranks, piece, NULL), count);
    for (size_t i = 0, begin = 0; i < count; begin = ends[i++]) {
        uint32_t id = find(ranks, text_slice(piece, begin, ends[i]));
        ck_assert_uint_eq(either.at[i], id);
        ck_assert_uint_eq(longs.at[i], id);
    }
    token_ids_close(&either);
    token_ids_close(&longs);
}

START_TEST(pieces_of_every_length_are_merged_as_byte_pair_encoding_says)
{
    static const char *const alphabets[] = {"a", "ab", "etaoin shrdlu", "= -",
                                            "\xE4\xBD\xA0\xE5\xA5"};
    unsigned seed = 1;
    for (size_t size = 1; size <= 300; size += size < 140 ? 1 : 40) {
        for (size_t i = 0; i < UNIT_COUNT(alphabets); i++) {
            char bytes[512];
            for (size_t at = 0; at < size; at++)
                bytes[at] = alphabets[i][(size_t)rand_r(&seed) % strlen(alphabets[i])];
            char *exact = memory_resize(memory_copy(text_make(bytes, size)), size);
            check_merge(token_ranks(size % 2), text_make(exact, size));
            free(exact);
        }
    }
}
END_TEST

START_TEST(a_text_may_end_anywhere_in_a_page)
{
    struct text whole =
        TEXT("It's 12345 d\xC3\xA9j\xC3\xA0 vu'\xC5\xBF \xF0\x9F\x98\x80!? \r\n\t x'l");
    for (size_t size = 0; size <= whole.size; size++) {
        char *exact = memory_resize(memory_copy(whole), size + 1);
        (void)tokens_count(size % 2, text_make(exact + 1, size == 0 ? 0 : size - 1));
        free(exact);
    }
}
END_TEST

/* The bytes of the piece that `head` begins with where so many dots follow. */
static size_t piece_before_dots(enum tokens_encoding encoding, struct text head, size_t dots)
{
    char bytes[64];
    bool open = false;
    ck_assert_uint_le(head.size + dots, sizeof bytes);
    memcpy(bytes, head.at, head.size);
    memset(bytes + head.size, '.', dots);
    return token_split(encoding, text_make(bytes, head.size + dots), &open);
}

/* Unless the dots belong to it. */
static void check_piece(struct text head)
{
    for (enum tokens_encoding e = 0; e < TOKENS_ENCODING_COUNT; e++) {
        size_t piece = piece_before_dots(e, head, 1);
        if (piece < head.size)
            ck_assert_uint_eq(piece_before_dots(e, head, 30), piece);
    }
}

static void check_word(const char *begin, int letters)
{
    static const char *const beyond[] = {"\305\277", "\303\251", "\314\201", "\343\201\256",
                                         "'s",       "'LL",      "'x",       "'\305\277"};
    for (unsigned at = 1; at < 128 + UNIT_COUNT(beyond); at++) {
        const char byte[] = {(char)at, '\0'};
        const char *behind = at < 128 ? byte : beyond[at - 128];
        char head[32];
        int size = snprintf(head, sizeof head, "%s%.*s%s", begin, letters, "zebraazz", behind);
        check_piece(text_make(head, (size_t)size));
    }
}

/* Plain words are looked for many bytes at a time where so many are left: that must not show. */
START_TEST(a_word_ends_alike_in_a_short_and_in_a_long_text)
{
    static const char *const begins[] = {"", " ", "T", ".", "\n", "'", "\303\251", "  ", "7"};
    for (size_t begin = 0; begin < UNIT_COUNT(begins); begin++)
        for (int letters = 0; letters < 8; letters++)
            check_word(begins[begin], letters);
}
END_TEST

START_TEST(only_a_piece_of_extreme_length_counts_its_bytes)
{
    struct buffer text = {0};
    buffer_put(&text, TEXT("Words before it, "));
    size_t before = tokens_count(TOKENS_O200K_BASE, buffer_text(&text));
    for (size_t i = 0; i < TOKENS_LONG_PIECE; i++)
        buffer_put_byte(&text, 'a');
    size_t most = tokens_at_most(TOKENS_O200K_BASE, buffer_text(&text));
    ck_assert_uint_gt(most, TOKENS_LONG_PIECE);
    ck_assert_uint_le(most, before + TOKENS_LONG_PIECE + 1);
    text.size -= 1; /* " aaa..." has one byte more than letters */
    ck_assert_uint_eq(tokens_at_most(TOKENS_O200K_BASE, buffer_text(&text)),
                      tokens_count(TOKENS_O200K_BASE, buffer_text(&text)));
    buffer_close(&text);
}
END_TEST

START_TEST(finds_the_encoding_of_a_model)
{
    static const struct {
        const char *model, *encoding;
    } cases[] = {
        {"gpt-4o", "o200k_base"},
        {"gpt-4o-mini-2024-07-18", "o200k_base"},
        {"openai/gpt-4.1-nano", "o200k_base"},
        {"gpt-5.1-codex", "o200k_base"},
        {"o3", "o200k_base"},
        {"o1-2024-12-17", "o200k_base"},
        {"ft:gpt-4o-mini-2024-07-18:acme::abc", "o200k_base"},
        {"gpt-oss-120b", "o200k_base"},
        {"gpt-4", "cl100k_base"},
        {"gpt-4-turbo-2024-04-09", "cl100k_base"},
        {"gpt-3.5-turbo", "cl100k_base"},
        {"ft:gpt-3.5-turbo:acme", "cl100k_base"},
        {"text-embedding-3-small", "cl100k_base"},
        {"claude-sonnet-4-5", NULL},
        {"gemini-2.5-pro", NULL},
        {"gpt-2", NULL},
        {"o30", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        enum tokens_encoding encoding = TOKENS_ENCODING_COUNT;
        bool known = tokens_by_model(text_of(cases[i].model), &encoding);
        ck_assert_msg(known == (cases[i].encoding != NULL), "%s", cases[i].model);
        if (known)
            UNIT_TEXT(tokens_name(encoding), cases[i].encoding);
        else
            ck_assert_int_eq(encoding, TOKENS_ENCODING_COUNT);
    }
}
END_TEST

START_TEST(finds_an_encoding_by_its_name)
{
    enum tokens_encoding encoding = TOKENS_ENCODING_COUNT;
    ck_assert(tokens_by_name(TEXT("cl100k_base"), &encoding));
    ck_assert_int_eq(encoding, TOKENS_CL100K_BASE);
    ck_assert(!tokens_by_name(TEXT("p50k_base"), &encoding));
    ck_assert_int_eq(encoding, TOKENS_CL100K_BASE);
}
END_TEST

UNIT_MAIN(gives_texts_the_ids_that_tiktoken_gives_them, a_special_token_in_a_text_is_text,
          malformed_bytes_count_as_their_replacements, every_token_is_found_by_its_bytes,
          pieces_of_every_length_are_merged_as_byte_pair_encoding_says,
          a_text_may_end_anywhere_in_a_page, a_word_ends_alike_in_a_short_and_in_a_long_text,
          only_a_piece_of_extreme_length_counts_its_bytes, finds_the_encoding_of_a_model,
          finds_an_encoding_by_its_name)
