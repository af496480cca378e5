/*
 * What was forfeited is given back.
 */
#include "fixture.h"

/* Of the account in which the last grant holds. */
static struct charge charge_of(const struct fixture *f, int64_t amount)
{
    struct charge charge = f->grant.charges[0];
    charge.amount = amount;
    charge.budget = TEXT("org"); /* they outlive the core */
    charge.id = TEXT("all");
    return charge;
}

START_TEST(a_refund_makes_room_for_those_who_wait)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 100);
    fixture_start(&f);
    uint64_t lost = fixture_hold(&f, 30);
    struct charge refund = charge_of(&f, 60);
    fixture_settle(&f, lost, 60);
    fixture_hold(&f, 15);
    fixture_wait(&f, 20, 7);
    core_refund(f.core, &refund);
    ck_assert_uint_eq(fixture_wake(&f), 7);
    ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 0);
    ck_assert_int_eq(fixture_view(&f, 0).held, 70);
    fixture_end(&f);
}
END_TEST

START_TEST(no_more_than_was_spent_is_given_back)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 100);
    fixture_start(&f);
    uint64_t lost = fixture_hold(&f, 10);
    struct charge refund = charge_of(&f, 60);
    fixture_settle(&f, lost, 15);
    core_refund(f.core, &refund);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 0);
    ck_assert_int_eq(fixture_view(&f, 0).forfeited, 0);
    fixture_end(&f);
}
END_TEST

START_TEST(what_was_restored_is_given_back_before_anybody_calls)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 100);
    fixture_start(&f);
    fixture_hold(&f, 10);
    struct charge refund = charge_of(&f, 40);
    core_close(f.core);
    fixture_start(&f);
    struct charge restored = refund;
    restored.amount = 90;
    core_restore(f.core, &restored);
    restored.amount = 40;
    core_restore_forfeited(f.core, &restored);
    core_refund(f.core, &refund);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 50);
    ck_assert_int_eq(fixture_view(&f, 0).forfeited, 0);
    fixture_end(&f);
}
END_TEST

START_TEST(an_overrun_that_was_none_is_not_charged)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 100);
    fixture_start(&f);
    uint64_t lost = fixture_hold(&f, 50);
    struct charge refund = charge_of(&f, 130);
    fixture_settle(&f, lost, 130);
    core_refund(f.core, &refund);
    fixture_hold(&f, 50);
    ck_assert_int_eq(fixture_reserve(&f, 50), VERDICT_WAIT);
    fixture_end(&f);
}
END_TEST

START_TEST(an_account_that_nobody_remembers_has_nothing_to_give)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 100);
    fixture_start(&f);
    core_refund(f.core, &(struct charge){.account = 77, .amount = 10});
    ck_assert_int_eq(fixture_view(&f, 0).spent, 0);
    fixture_end(&f);
}
END_TEST

UNIT_MAIN(a_refund_makes_room_for_those_who_wait, no_more_than_was_spent_is_given_back,
          what_was_restored_is_given_back_before_anybody_calls,
          an_overrun_that_was_none_is_not_charged,
          an_account_that_nobody_remembers_has_nothing_to_give)
