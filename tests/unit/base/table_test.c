/* The hash table. */
#include <stdio.h>

#include "../unit.h"
#include "base/table.h"

static int things[1000];

static struct text nth_key(size_t n, char room[16])
{
    return text_make(room, (size_t)snprintf(room, 16, "key %zu", n));
}

START_TEST(an_empty_table_has_nothing)
{
    struct table table = {0};
    size_t at = 0;
    void *value;
    ck_assert_ptr_null(table_get(&table, TEXT("a")));
    ck_assert_ptr_null(table_remove(&table, TEXT("a")));
    ck_assert(!table_next(&table, &at, NULL, &value));
    table_close(&table);
}
END_TEST

START_TEST(replaces_and_removes)
{
    struct table table = {0};
    ck_assert_ptr_null(table_put(&table, TEXT("a"), &things[0]));
    ck_assert_ptr_eq(table_put(&table, TEXT("a"), &things[1]), &things[0]);
    ck_assert_ptr_null(table_put(&table, TEXT(""), &things[2]));
    ck_assert_uint_eq(table.count, 2);
    ck_assert_ptr_eq(table_get(&table, TEXT("a")), &things[1]);
    ck_assert_ptr_eq(table_get(&table, TEXT_NONE), &things[2]);
    ck_assert_ptr_eq(table_remove(&table, TEXT("a")), &things[1]);
    ck_assert_ptr_null(table_get(&table, TEXT("a")));
    ck_assert_ptr_null(table_remove(&table, TEXT("a")));
    table_close(&table);
    ck_assert_uint_eq(table.count, 0);
}
END_TEST

START_TEST(copies_its_keys)
{
    struct table table = {0};
    char key[] = "abc";
    table_put(&table, text_of(key), &things[0]);
    key[0] = 'x';
    ck_assert_ptr_eq(table_get(&table, TEXT("abc")), &things[0]);
    ck_assert_ptr_null(table_get(&table, TEXT("xbc")));
    table_close(&table);
}
END_TEST

/* A long random life next to an array that says what should be there. */
START_TEST(agrees_with_a_plain_array_through_a_long_life)
{
    struct table table = {0};
    bool present[UNIT_COUNT(things)] = {false};
    size_t count = 0;
    unsigned seed = 1;
    for (int step = 0; step < 20000; step++) {
        size_t n = (size_t)rand_r(&seed) % UNIT_COUNT(things);
        char room[16];
        struct text key = nth_key(n, room);
        void *had = present[n] ? &things[n] : NULL;
        ck_assert_ptr_eq(table_get(&table, key), had);
        bool put = rand_r(&seed) % 2 == 0;
        ck_assert_ptr_eq(put ? table_put(&table, key, &things[n]) : table_remove(&table, key), had);
        count = count - (present[n] ? 1 : 0) + (put ? 1 : 0);
        present[n] = put;
        ck_assert_uint_eq(table.count, count);
        ck_assert_uint_le(table.room, 2048);
    }
    table_close(&table);
}
END_TEST

START_TEST(a_grave_may_be_lived_in_again)
{
    struct table table = {0};
    table_put(&table, TEXT("a"), &things[0]);
    table_remove(&table, TEXT("a"));
    ck_assert_uint_eq(table.graves, 1);
    table_put(&table, TEXT("a"), &things[0]);
    ck_assert_uint_eq(table.graves, 0);
    table_close(&table);
}
END_TEST

START_TEST(does_not_grow_when_entries_come_and_go)
{
    struct table table = {0};
    for (size_t n = 0; n < 10000; n++) {
        char room[16];
        table_put(&table, nth_key(n, room), &things[0]);
        ck_assert_ptr_eq(table_remove(&table, nth_key(n, room)), &things[0]);
    }
    ck_assert_uint_eq(table.room, 16);
    table_close(&table);
}
END_TEST

START_TEST(walks_all_and_may_remove_what_it_meets)
{
    struct table table = {0};
    char room[16];
    for (size_t n = 0; n < UNIT_COUNT(things); n++)
        table_put(&table, nth_key(n, room), &things[n]);
    size_t at = 0, met = 0;
    struct text key;
    void *value;
    while (table_next(&table, &at, &key, &value)) {
        size_t n = (size_t)((int *)value - things);
        ck_assert(text_equal(key, nth_key(n, room)));
        met++;
        if (n % 2 == 0)
            ck_assert_ptr_eq(table_remove(&table, key), value);
    }
    ck_assert_uint_eq(met, UNIT_COUNT(things));
    ck_assert_uint_eq(table.count, UNIT_COUNT(things) / 2);
    for (size_t n = 0; n < UNIT_COUNT(things); n++)
        ck_assert_ptr_eq(table_get(&table, nth_key(n, room)), n % 2 == 0 ? NULL : &things[n]);
    table_close(&table);
}
END_TEST

START_TEST(passes_no_more_places_than_it_is_told)
{
    struct table table = {0};
    char room[16];
    for (size_t n = 0; n < UNIT_COUNT(things); n++)
        table_put(&table, nth_key(n, room), &things[n]);
    for (size_t n = 1; n < UNIT_COUNT(things); n++)
        table_remove(&table, nth_key(n, room));
    size_t at = 0, met = 0, before = 0;
    void *value;
    while (table_next_within(&table, &at, 4, NULL, &value)) {
        ck_assert_uint_gt(at, before);
        ck_assert_uint_le(at - before, 4);
        before = at;
        met += value != NULL ? 1 : 0;
    }
    ck_assert_uint_eq(met, 1);
    table_close(&table);
}
END_TEST

UNIT_MAIN(an_empty_table_has_nothing, replaces_and_removes, copies_its_keys,
          agrees_with_a_plain_array_through_a_long_life, a_grave_may_be_lived_in_again,
          does_not_grow_when_entries_come_and_go, walks_all_and_may_remove_what_it_meets,
          passes_no_more_places_than_it_is_told)
