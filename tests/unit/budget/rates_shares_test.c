/* Rate limits whose shares a lessor sets. */
#include "rates_fixture.h"

/* The counter of the one account; its newest sub-window. */
static struct rates_counter counter_of(const struct fixture *fixture, enum rated rated)
{
    struct rates_counter counters[RATES_COUNTERS_MOST];
    struct rates_place place = {0};
    size_t count = rates_list(fixture->core, &place, counters);
    for (size_t i = 0; i < count; i++) {
        if (counters[i].rated == rated)
            return counters[i];
    }
    ck_abort_msg("no such counter");
}

START_TEST(nothing_passes_without_a_share)
{
    struct fixture fixture = fixture_new(10);
    fixture_limit(&fixture, SCOPE_KEY, 10, LIMIT_NONE, LIMIT_NONE);
    rates_lease(fixture.core);
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_LIMITED);
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_LIMITED);
    ck_assert_int_eq(fixture.answer.wait_us, SECOND);
    struct rates_counter counter = counter_of(&fixture, RATED_REQUESTS);
    ck_assert_int_eq(counter.wanted, 2);
    ck_assert_int_eq(counter.limit, 10);
    ck_assert_int_eq(counter.share, 0);
    ck_assert(rates_grant(fixture.core, &counter, 3));
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(fixture_call(&fixture, 0), RATES_PASSED);
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_LIMITED);
    ck_assert_int_eq(fixture.answer.level[RATED_REQUESTS].remaining, 0);
    fixture_close(&fixture);
}
END_TEST

START_TEST(a_share_holds_for_its_sub_window_alone)
{
    struct fixture fixture = fixture_new(10);
    fixture_limit(&fixture, SCOPE_KEY, 10, LIMIT_NONE, LIMIT_NONE);
    rates_lease(fixture.core);
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_LIMITED);
    struct rates_counter counter = counter_of(&fixture, RATED_REQUESTS);
    ck_assert(rates_grant(fixture.core, &counter, 5));
    counter.subwindow++;
    ck_assert(rates_grant(fixture.core, &counter, 1)); /* ahead */
    counter.subwindow++;
    ck_assert(!rates_grant(fixture.core, &counter, 1));
    fixture.now_us += 5 * SECOND;
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_PASSED);
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_LIMITED);
    fixture.now_us += 5 * SECOND;
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_LIMITED);
    fixture_close(&fixture);
}
END_TEST

START_TEST(what_is_not_used_is_given_back)
{
    struct fixture fixture = fixture_new(10);
    struct rates_pass *pass = NULL;
    fixture_limit(&fixture, SCOPE_KEY, LIMIT_NONE, 1000, LIMIT_NONE);
    rates_lease(fixture.core);
    ck_assert_int_eq(fixture_call(&fixture, 500), RATES_LIMITED);
    struct rates_counter counter = counter_of(&fixture, RATED_TOKENS);
    ck_assert_int_eq(counter.wanted, 500);
    ck_assert(rates_grant(fixture.core, &counter, 600));
    ck_assert_int_eq(fixture_enter(&fixture, &pass, CALLER, 500), RATES_PASSED);
    ck_assert_int_eq(rates_trim(fixture.core, &counter, 0), 500);
    rates_leave(fixture.core, pass, RATES_KNOWN, 120);
    fixture.now_us += 60 * SECOND;
    ck_assert_int_eq(fixture_call(&fixture, 1), RATES_LIMITED); /* so that it turns */
    ck_assert_int_eq(rates_trim(fixture.core, &counter, 200), 200);
    ck_assert_int_eq(rates_trim(fixture.core, &counter, 0), 120);
    fixture.now_us += 5 * SECOND;
    ck_assert_int_eq(fixture_call(&fixture, 1), RATES_LIMITED);
    ck_assert_int_eq(rates_trim(fixture.core, &counter, 0), 0);
    ck_assert(!rates_grant(fixture.core, &counter, 1)); /* it does not count any more */
    fixture_close(&fixture);
}
END_TEST

START_TEST(parallel_has_one_share)
{
    struct fixture fixture = fixture_new(10);
    struct rates_pass *first = NULL, *second = NULL;
    fixture_limit(&fixture, SCOPE_KEY, LIMIT_NONE, LIMIT_NONE, 4);
    ck_assert_int_eq(fixture_enter(&fixture, &first, CALLER, 0), RATES_PASSED);
    rates_lease(fixture.core); /* it goes on */
    ck_assert_int_eq(fixture_enter(&fixture, &second, CALLER, 0), RATES_LIMITED);
    struct rates_counter counter = counter_of(&fixture, RATED_PARALLEL);
    ck_assert_int_eq(counter.used, 1);
    ck_assert_int_eq(counter.share, 1);
    ck_assert_int_eq(counter.wanted, 1);
    ck_assert(rates_grant(fixture.core, &counter, 1));
    fixture.now_us += 10 * MINUTE;
    ck_assert_int_eq(fixture_enter(&fixture, &second, CALLER, 0), RATES_PASSED);
    rates_leave(fixture.core, first, RATES_UNKNOWN, 0);
    ck_assert_int_eq(rates_trim(fixture.core, &counter, 0), 1);
    rates_leave(fixture.core, second, RATES_UNKNOWN, 0);
    ck_assert_int_eq(counter_of(&fixture, RATED_PARALLEL).wanted, 0);
    fixture_close(&fixture);
}
END_TEST

START_TEST(what_was_used_before_is_its_share)
{
    struct fixture fixture = fixture_new(10);
    fixture_limit(&fixture, SCOPE_KEY, 10, LIMIT_NONE, LIMIT_NONE);
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_PASSED);
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_PASSED);
    rates_lease(fixture.core);
    struct rates_counter counter = counter_of(&fixture, RATED_REQUESTS);
    ck_assert_int_eq(counter.used, 2);
    ck_assert_int_eq(counter.share, 2);
    ck_assert_int_eq(fixture_call(&fixture, 0), RATES_LIMITED);
    fixture_close(&fixture);
}
END_TEST

START_TEST(an_account_has_one_number_for_ever)
{
    struct fixture a = fixture_new(10), b = fixture_new(10);
    fixture_limit(&a, SCOPE_KEY, 10, LIMIT_NONE, LIMIT_NONE);
    fixture_limit(&b, SCOPE_KEY, 20, LIMIT_NONE, LIMIT_NONE); /* limits do not name it */
    ck_assert_int_eq(fixture_call(&a, 0), RATES_PASSED);
    ck_assert_int_eq(fixture_call(&b, 0), RATES_PASSED);
    uint64_t number = counter_of(&a, RATED_REQUESTS).account;
    ck_assert_uint_eq(counter_of(&b, RATED_REQUESTS).account, number);
    ck_assert_uint_eq(number, UINT64_C(0x7d3a29cbbe9d877f));
    const struct rates_counter nobody = {.account = number + 1};
    ck_assert(!rates_grant(a.core, &nobody, 1));
    ck_assert_int_eq(rates_trim(a.core, &nobody, 0), 0);
    fixture_close(&a);
    fixture_close(&b);
}
END_TEST

UNIT_MAIN(nothing_passes_without_a_share, a_share_holds_for_its_sub_window_alone,
          what_is_not_used_is_given_back, parallel_has_one_share, what_was_used_before_is_its_share,
          an_account_has_one_number_for_ever)
