/* Memory that is freed all at once. */
#include <stdalign.h>

#include "../unit.h"
#include "base/arena.h"

START_TEST(closes_unused_and_twice)
{
    struct arena arena = {0};
    arena_close(&arena);
    (void)arena_new(&arena, 1);
    arena_close(&arena);
    arena_close(&arena);
    ck_assert_ptr_null(arena.newest);
}
END_TEST

/* A size that wanders through small ones, whole blocks and more than a block. */
static size_t nth_size(size_t n)
{
    return n % 97 == 0 ? 70000 + n : n * n % 3001;
}

static bool all_are(const unsigned char *bytes, size_t size, unsigned char byte)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != byte)
            return false;
    return true;
}

START_TEST(gives_zeroed_aligned_memory_that_never_overlaps)
{
    struct arena arena = {0};
    enum { COUNT = 2000 };
    unsigned char *things[COUNT];
    for (size_t n = 0; n < COUNT; n++) {
        things[n] = arena_new(&arena, nth_size(n));
        ck_assert_uint_eq((uintptr_t)things[n] % alignof(max_align_t), 0);
        ck_assert(all_are(things[n], nth_size(n), 0));
        memset(things[n], (int)(n % 255) + 1, nth_size(n));
    }
    for (size_t n = 0; n < COUNT; n++)
        ck_assert(all_are(things[n], nth_size(n), (unsigned char)(n % 255 + 1)));
    arena_close(&arena);
}
END_TEST

START_TEST(copies_with_a_zero_behind)
{
    struct arena arena = {0};
    struct text copy = arena_copy(&arena, text_make("abcdef", 3));
    UNIT_TEXT(copy, "abc");
    ck_assert_int_eq(copy.at[3], '\0');
    copy = arena_copy(&arena, TEXT_NONE);
    ck_assert_ptr_nonnull(copy.at);
    ck_assert_int_eq(copy.at[0], '\0');
    arena_close(&arena);
}
END_TEST

START_TEST(prints_short_and_long)
{
    struct arena arena = {0};
    for (int size = 0; size < 600; size++) {
        struct text printed = arena_printf(&arena, "%*s|", size, "");
        ck_assert_uint_eq(printed.size, (size_t)size + 1);
        ck_assert_int_eq(printed.at[size], '|');
        ck_assert_int_eq(printed.at[size + 1], '\0');
    }
    arena_close(&arena);
}
END_TEST

UNIT_MAIN(closes_unused_and_twice, gives_zeroed_aligned_memory_that_never_overlaps,
          copies_with_a_zero_behind, prints_short_and_long)
