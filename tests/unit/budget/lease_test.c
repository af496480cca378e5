/*
 * The lease alone: in which order core and journal are talked to, and what a commit that fails
 * leads to.
 */
#include "tenant.h"

START_TEST(alone_a_ceiling_is_on_disk_before_it_is_used)
{
    struct tenant t;
    tenant_open(&t, 1000 * MICRO, false);
    must_rest(&t);
    ck_assert(t.action.eager);
    wait_for(&t, 100);
    const struct charge *row = must_commit(&t);
    ck_assert_int_ge(row->amount, 100 * MICRO);
    ck_assert_int_eq(row->unit, UNIT_USD);
    UNIT_TEXT(row->id, "all");
    UNIT_TEXT(row->budget, "org");
    ck_assert_str_eq(row->window, "2026-11-21");
    int64_t noted = row->amount;
    ck_assert(!core_any_wake(t.f.core));
    ck_assert_int_eq(ceiling(&t), 0);
    commit(&t, true);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    ck_assert_int_eq(ceiling(&t), noted);
    tenant_close(&t);
}
END_TEST

START_TEST(alone_what_the_limit_leaves_is_granted_and_no_more)
{
    struct tenant t;
    tenant_open(&t, 150 * MICRO, false);
    wait_for(&t, 100);
    must_note(&t);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    struct ask ask = fixture_ask(&t.f, 0, 50);
    while (next(&t) == LEASE_COMMIT)
        commit(&t, true);
    if (fixture_reserve_ask(&t.f, &ask) == VERDICT_WAIT) {
        must_note(&t);
        ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    }
    ck_assert_int_eq(ceiling(&t), 150 * MICRO);
    tenant_close(&t);
}
END_TEST

START_TEST(while_no_commit_works_who_waits_is_told_and_it_ends_by_itself)
{
    struct tenant t;
    tenant_open(&t, 1000 * MICRO, false);
    wait_for(&t, 100);
    must_commit(&t);
    commit(&t, false);
    ck_assert_int_eq(wake(&t), VERDICT_AWAY);
    ck_assert(!lease_grants(t.lease));
    wait_for(&t, 50);
    must_rest(&t); /* the disk gets its time */
    ck_assert(t.action.eager);
    ck_assert_int_eq(wake(&t), VERDICT_AWAY);
    pass_ms(&t, 1000);
    const struct charge *row = must_commit(&t); /* what is true, anew */
    ck_assert_int_eq(row->amount, 0);
    UNIT_TEXT(row->id, "all");
    commit(&t, false);
    must_rest(&t);
    pass_ms(&t, 1000);
    must_note(&t);
    ck_assert(lease_grants(t.lease));
    wait_for(&t, 50);
    must_note(&t);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    tenant_close(&t);
}
END_TEST

/* Asks for `output`, waiting for growth if need be; returns the hold. */
static uint64_t hold_alone(struct tenant *t, int64_t output)
{
    if (fixture_reserve(&t->f, output) == VERDICT_WAIT) {
        while (next(t) == LEASE_COMMIT)
            commit(t, true);
        ck_assert_int_eq(wake(t), VERDICT_GRANTED);
    }
    return t->f.grant.hold;
}

START_TEST(alone_idle_headroom_is_given_up_after_a_while)
{
    struct tenant t;
    tenant_open(&t, 1000 * MICRO, false);
    fixture_settle(&t.f, hold_alone(&t, 100), 30 * MICRO);
    while (next(&t) == LEASE_COMMIT)
        commit(&t, true);
    ck_assert_int_gt(ceiling(&t), 30 * MICRO);
    pass_ms(&t, 7000);
    const struct charge *row = must_commit(&t);
    ck_assert_int_eq(row->amount, 30 * MICRO);
    commit(&t, true);
    ck_assert_int_eq(ceiling(&t), 30 * MICRO);
    must_rest(&t);
    tenant_close(&t);
}
END_TEST

START_TEST(at_the_end_only_what_is_spent_and_held_is_kept)
{
    struct tenant t;
    tenant_open(&t, 1000 * MICRO, false);
    fixture_settle(&t.f, hold_alone(&t, 100), 30 * MICRO);
    hold_alone(&t, 20);
    lease_retire(t.lease);
    while (next(&t) == LEASE_COMMIT)
        commit(&t, true);
    ck_assert_int_eq(t.action.step, LEASE_REST);
    ck_assert_int_eq(t.action.until_ms, INT64_MAX);
    ck_assert_int_eq(ceiling(&t), 50 * MICRO);
    tenant_close(&t);
}
END_TEST

UNIT_MAIN(alone_a_ceiling_is_on_disk_before_it_is_used,
          alone_what_the_limit_leaves_is_granted_and_no_more,
          while_no_commit_works_who_waits_is_told_and_it_ends_by_itself,
          alone_idle_headroom_is_given_up_after_a_while,
          at_the_end_only_what_is_spent_and_held_is_kept)
