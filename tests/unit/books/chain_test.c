/* The chain of hashes through a ledger's lines. */
#include "books/chain.h"

#include "sample.h"

/* Three sealed lines in one buffer. */
static struct buffer three_lines(void)
{
    struct chain chain;
    struct buffer out = {0};
    chain_open(&chain);
    for (int i = 1; i <= 3; i++) {
        size_t start = out.size;
        buffer_printf(&out, "{\"n\":%d", i);
        chain_seal(&chain, &out, start);
    }
    chain_close(&chain);
    return out;
}

static bool holds(struct text whole)
{
    struct chain chain;
    chain_open(&chain);
    bool good = true;
    while (whole.size > 0)
        good = chain_check(&chain, text_split(&whole, '\n')) && good;
    chain_close(&chain);
    return good;
}

START_TEST(seals_as_the_header_says)
{
    struct buffer lines = three_lines();
    struct text rest = buffer_text(&lines);
    uint8_t bytes[HASH_SIZE];
    char hash[HASH_HEX_SIZE];
    hash_text(TEXT("{\"n\":1,\"seq\":1"), bytes);
    hash_hex(bytes, HASH_SIZE, hash);
    char want[200];
    (void)snprintf(want, sizeof(want), "{\"n\":1,\"seq\":1,\"hash\":\"%s\"}", hash);
    UNIT_TEXT(text_split(&rest, '\n'), want);

    char second[200];
    (void)snprintf(second, sizeof(second), "%s{\"n\":2,\"seq\":2", hash);
    hash_text(text_of(second), bytes);
    hash_hex(bytes, HASH_SIZE, hash);
    (void)snprintf(want, sizeof(want), "{\"n\":2,\"seq\":2,\"hash\":\"%s\"}", hash);
    UNIT_TEXT(text_split(&rest, '\n'), want);
    buffer_close(&lines);
}
END_TEST

START_TEST(notices_every_byte_that_changes)
{
    struct buffer lines = three_lines();
    ck_assert(holds(buffer_text(&lines)));
    for (size_t i = 0; i < lines.size - 1; i++) {
        lines.at[i] ^= 1;
        ck_assert_msg(!holds(buffer_text(&lines)), "byte %zu may change", i);
        lines.at[i] ^= 1;
    }
    buffer_close(&lines);
}
END_TEST

START_TEST(notices_lines_taken_out_or_doubled)
{
    struct buffer lines = three_lines();
    size_t second = text_find(buffer_text(&lines), TEXT("\n"), 0) + 1;
    size_t third = text_find(buffer_text(&lines), TEXT("\n"), second) + 1;
    struct buffer changed = {0};
    buffer_put(&changed, text_slice(buffer_text(&lines), 0, second));
    buffer_put(&changed, text_from(buffer_text(&lines), third));
    ck_assert(!holds(buffer_text(&changed)));
    buffer_clear(&changed);
    buffer_put(&changed, text_slice(buffer_text(&lines), 0, second));
    buffer_put(&changed, buffer_text(&lines));
    ck_assert(!holds(buffer_text(&changed)));
    ck_assert(!holds(text_from(buffer_text(&lines), second)));
    buffer_close(&changed);
    buffer_close(&lines);
}
END_TEST

START_TEST(a_place_put_back_takes_lines_back)
{
    struct chain chain;
    struct buffer first = {0};
    struct buffer again = {0};
    chain_open(&chain);
    struct chain_place before = chain.place;
    buffer_put(&first, TEXT("{\"a\":1"));
    chain_seal(&chain, &first, 0);
    chain.place = before;
    buffer_put(&again, TEXT("{\"a\":1"));
    chain_seal(&chain, &again, 0);
    ck_assert(text_equal(buffer_text(&first), buffer_text(&again)));
    buffer_close(&first);
    buffer_close(&again);
    chain_close(&chain);
}
END_TEST

START_TEST(reads_a_place_only_from_a_sealed_line)
{
    struct buffer lines = three_lines();
    struct text line = buffer_text(&lines);
    (void)text_split(&line, '\n');
    (void)text_split(&line, '\n');
    line.size--;
    struct chain_place place;
    ck_assert(chain_read_place(line, &place));
    ck_assert_int_eq(place.seq, 3);
    ck_assert_uint_eq(strlen(place.hash), HASH_HEX_SIZE - 1);
    for (size_t size = 0; size < line.size; size++)
        ck_assert(!chain_read_place(text_slice(line, 0, size), &place));
    ck_assert(!chain_read_place(TEXT("{\"seq\":x,\"hash\":\"00\"}"), &place));
    buffer_close(&lines);
}
END_TEST

UNIT_MAIN(seals_as_the_header_says, notices_every_byte_that_changes,
          notices_lines_taken_out_or_doubled, a_place_put_back_takes_lines_back,
          reads_a_place_only_from_a_sealed_line)
