/*
 * Who could bound its input closer is granted its coarse bound at once and in full, or is told to
 * ask again: it neither holds nor waits meanwhile.
 */
#include "fixture.h"

static struct fixture new_org(int64_t limit)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, limit);
    fixture_start(&f);
    return f;
}

static enum verdict ask_coarsely(struct fixture *f, int64_t input, int64_t output)
{
    struct ask ask = fixture_ask(f, input, output);
    ask.may_recount = true;
    return fixture_reserve_ask(f, &ask);
}

static enum verdict ask_closely(struct fixture *f, int64_t input, int64_t output)
{
    struct ask ask = fixture_ask(f, input, output);
    return fixture_reserve_ask(f, &ask);
}

static void expect_nothing_taken(struct fixture *f, int64_t held)
{
    ck_assert_int_eq(f->grant.verdict, VERDICT_RECOUNT);
    ck_assert_uint_eq(f->grant.hold, 0);
    ck_assert_uint_eq(core_waiting(f->core), 0);
    ck_assert_int_eq(fixture_view(f, 0).held, held);
}

START_TEST(what_fits_is_granted_without_a_recount)
{
    struct fixture f = new_org(100);
    ck_assert_int_eq(ask_coarsely(&f, 60, 20), VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.amount.nano, 100);
    ck_assert(!f.grant.clamped);
    fixture_end(&f);
}
END_TEST

START_TEST(what_would_be_clamped_is_to_be_recounted)
{
    struct fixture f = new_org(100);
    ck_assert_int_eq(ask_coarsely(&f, 61, 20), VERDICT_RECOUNT);
    expect_nothing_taken(&f, 0);
    ck_assert_int_eq(ask_closely(&f, 15, 20), VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.max_output, 20);
    fixture_end(&f);
}
END_TEST

START_TEST(what_would_be_refused_is_to_be_recounted)
{
    struct fixture f = new_org(100);
    ck_assert_int_eq(ask_coarsely(&f, 200, 20), VERDICT_RECOUNT); /* it would never fit */
    fixture_settle(&f, fixture_hold(&f, 20), 30);
    ck_assert_int_eq(ask_coarsely(&f, 80, 20), VERDICT_RECOUNT); /* exhausted */
    expect_nothing_taken(&f, 0);
    ck_assert_int_eq(ask_closely(&f, 80, 20), VERDICT_EXHAUSTED);
    fixture_end(&f);
}
END_TEST

START_TEST(what_would_wait_is_to_be_recounted_and_then_waits)
{
    struct fixture f = new_org(100);
    uint64_t hold = fixture_hold(&f, 40);
    ck_assert_int_eq(ask_coarsely(&f, 50, 10), VERDICT_RECOUNT);
    expect_nothing_taken(&f, 80);
    ck_assert_int_eq(ask_closely(&f, 5, 10), VERDICT_WAIT);
    ck_assert_uint_eq(core_waiting(f.core), 1);
    fixture_settle(&f, hold, 60);
    ck_assert_uint_eq(fixture_wake(&f), 0);
    ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    fixture_end(&f);
}
END_TEST

START_TEST(nobody_who_waits_is_overtaken_by_a_recount)
{
    struct fixture f = new_org(100);
    uint64_t hold = fixture_hold(&f, 40);
    fixture_wait(&f, 30, 7);
    ck_assert_int_eq(ask_coarsely(&f, 1, 1), VERDICT_RECOUNT); /* there is room, but a claim, too */
    ck_assert_int_eq(ask_closely(&f, 1, 1), VERDICT_WAIT);
    fixture_settle(&f, hold, 0);
    ck_assert_uint_eq(fixture_wake(&f), 7);
    fixture_end(&f);
}
END_TEST

START_TEST(what_a_smaller_input_cannot_change_is_refused_at_once)
{
    struct fixture f = new_org(100);
    struct ask ask = fixture_ask(&f, 10, 10);
    ask.may_recount = true;
    ask.price = NULL;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_UNPRICED);
    ask = fixture_ask(&f, INT64_MAX, 10);
    ask.may_recount = true;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_UNBOUNDED);
    fixture_end(&f);
}
END_TEST

UNIT_MAIN(what_fits_is_granted_without_a_recount, what_would_be_clamped_is_to_be_recounted,
          what_would_be_refused_is_to_be_recounted,
          what_would_wait_is_to_be_recounted_and_then_waits,
          nobody_who_waits_is_overtaken_by_a_recount,
          what_a_smaller_input_cannot_change_is_refused_at_once)
