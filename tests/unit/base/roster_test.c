/* Ids that are never used again. */
#include "../unit.h"
#include "base/roster.h"

static int things[100];

START_TEST(finds_what_was_added_until_it_is_removed)
{
    struct roster roster = {0};
    uint64_t ids[UNIT_COUNT(things)];
    for (size_t i = 0; i < UNIT_COUNT(things); i++) {
        ids[i] = roster_add(&roster, &things[i]);
        ck_assert_uint_ne(ids[i], 0);
    }
    ck_assert_uint_eq(roster.count, UNIT_COUNT(things));
    for (size_t i = 0; i < UNIT_COUNT(things); i += 2)
        roster_remove(&roster, ids[i]);
    for (size_t i = 0; i < UNIT_COUNT(things); i++)
        ck_assert_ptr_eq(roster_find(&roster, ids[i]), i % 2 == 0 ? NULL : &things[i]);
    ck_assert_uint_eq(roster.count, UNIT_COUNT(things) / 2);
    roster_close(&roster);
}
END_TEST

START_TEST(a_slot_used_again_has_another_id)
{
    struct roster roster = {0};
    uint64_t old = roster_add(&roster, &things[0]);
    for (int i = 0; i < 10000; i++) {
        roster_remove(&roster, old);
        uint64_t new = roster_add(&roster, &things[1]);
        ck_assert_uint_ne(new, old);
        ck_assert_ptr_null(roster_find(&roster, old));
        old = new;
    }
    ck_assert_uint_eq(roster.room, 16);
    roster_close(&roster);
}
END_TEST

START_TEST(strange_ids_find_nobody)
{
    struct roster roster = {0};
    ck_assert_ptr_null(roster_find(&roster, 0));
    ck_assert_ptr_null(roster_find(&roster, 1));
    uint64_t id = roster_add(&roster, &things[0]);
    ck_assert_ptr_null(roster_find(&roster, 0));
    ck_assert_ptr_null(roster_find(&roster, id + 1));
    ck_assert_ptr_null(roster_find(&roster, id + (UINT64_C(1) << 32)));
    ck_assert_ptr_null(roster_find(&roster, UINT64_MAX));
    roster_close(&roster);
}
END_TEST

START_TEST(walks_what_is_alive_and_may_remove_on_the_way)
{
    struct roster roster = {0};
    uint64_t ids[UNIT_COUNT(things)];
    for (size_t i = 0; i < UNIT_COUNT(things); i++)
        ids[i] = roster_add(&roster, &things[i]);
    roster_remove(&roster, ids[5]);
    size_t at = 0, met = 0;
    int *thing;
    while ((thing = roster_next(&roster, &at)) != NULL) {
        ck_assert_ptr_ne(thing, &things[5]);
        roster_remove(&roster, ids[thing - things]);
        met++;
    }
    ck_assert_uint_eq(met, UNIT_COUNT(things) - 1);
    ck_assert_uint_eq(roster.count, 0);
    roster_close(&roster);
}
END_TEST

UNIT_MAIN(finds_what_was_added_until_it_is_removed, a_slot_used_again_has_another_id,
          strange_ids_find_nobody, walks_what_is_alive_and_may_remove_on_the_way)
