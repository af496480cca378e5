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

/* All of a forfeit. */
static struct refund refund_of(const struct charge *charge)
{
    return (struct refund){.account = charge->account,
                           .since_s = charge->since_s,
                           .given = charge->amount,
                           .forfeited = charge->amount};
}

static void give_back(struct fixture *f, const struct charge *charge)
{
    struct refund refund = refund_of(charge);
    core_refund(f->core, &refund);
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
    give_back(&f, &refund);
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
    give_back(&f, &refund);
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
    give_back(&f, &refund);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 50);
    ck_assert_int_eq(fixture_view(&f, 0).forfeited, 0);
    fixture_end(&f);
}
END_TEST

/* Of a forfeit of 40; the account is there, or nobody has called since the start. */
static void refund_a_part(bool appears, int64_t part, int64_t spent)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 100);
    fixture_start(&f);
    fixture_hold(&f, 10);
    struct charge charge = charge_of(&f, 60);
    core_close(f.core);
    fixture_start(&f);
    core_restore(f.core, &charge);
    charge.amount = 45; /* 5 of another forfeit */
    core_restore_forfeited(f.core, &charge);
    if (appears)
        fixture_settle(&f, fixture_hold(&f, 5), 0);
    core_refund(f.core,
                &(struct refund){.account = charge.account, .given = part, .forfeited = 40});
    ck_assert_int_eq(fixture_view(&f, 0).spent, spent);
    ck_assert_int_eq(fixture_view(&f, 0).forfeited, 5);
    fixture_end(&f);
}

START_TEST(of_what_is_given_back_in_part_the_rest_is_forfeited_no_more)
{
    refund_a_part(false, 10, 50);
    refund_a_part(true, 10, 50);
    refund_a_part(false, 0, 60);
    refund_a_part(true, 0, 60);
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
    give_back(&f, &refund);
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
    give_back(&f, &(struct charge){.account = 77, .amount = 10});
    ck_assert_int_eq(fixture_view(&f, 0).spent, 0);
    fixture_end(&f);
}
END_TEST

/* Three sessions that have spent 20, 40 and 60; then a charge for half of each. */
static void spend_in_sessions(struct fixture *f, struct charge charges[3])
{
    static const char *const ids[] = {"alice/0", "alice/1", "alice/2"};
    fixture_budget(f, "session", SCOPE_SESSION, UNIT_USD, 100);
    fixture_start(f);
    for (int i = 0; i < 3; i++) {
        f->subject.id[SCOPE_SESSION] = text_of(ids[i]);
        uint64_t hold = fixture_hold(f, 10 * (i + 1));
        charges[i] = charge_of(f, 10 * (i + 1));
        charges[i].budget = TEXT("session");
        charges[i].id = text_of(ids[i]);
        fixture_settle(f, hold, 20 * (i + 1));
    }
}

static int64_t spent_in_all(struct fixture *f)
{
    struct budget_sum sum = {0};
    ck_assert_uint_eq(core_sums(f->core, f->now_s, &sum, 1), 1);
    return sum.spent;
}

START_TEST(many_are_given_back_in_portions)
{
    struct fixture f = fixture_new();
    struct charge charges[4];
    spend_in_sessions(&f, charges);
    charges[3] = charges[1];
    struct refund list[4];
    for (int i = 0; i < 4; i++)
        list[i] = refund_of(&charges[i]);
    struct refunds *refunds = refunds_open(list, 4);
    int portions = 1;
    while (core_refund_some(f.core, refunds, 1))
        portions++;
    refunds_close(refunds);
    ck_assert_int_gt(portions, 4);
    ck_assert_int_eq(spent_in_all(&f), 120 - 60 - 20);
    fixture_end(&f);
}
END_TEST

START_TEST(none_is_missed_when_the_budgets_change_meanwhile)
{
    struct fixture f = fixture_new();
    struct charge charges[3];
    spend_in_sessions(&f, charges);
    struct refund list[3];
    for (int i = 0; i < 3; i++)
        list[i] = refund_of(&charges[i]);
    struct refunds *refunds = refunds_open(list, 3);
    for (int i = 0; i < 4; i++)
        ck_assert(core_refund_some(f.core, refunds, 1));
    f.options.budget_count = 0;
    core_redefine(f.core, &f.options); /* now all are remembered alone */
    ck_assert(core_refund_some(f.core, refunds, 1));
    f.options.budget_count = 1;
    core_redefine(f.core, &f.options);
    f.subject.id[SCOPE_SESSION] = TEXT("alice/2");
    fixture_settle(&f, fixture_hold(&f, 5), 0); /* it appears */
    while (core_refund_some(f.core, refunds, 1))
        continue;
    refunds_close(refunds);
    ck_assert_int_eq(spent_in_all(&f), 60);
    fixture_end(&f);
}
END_TEST

START_TEST(a_session_that_began_anew_gets_nothing_back_of_before)
{
    struct fixture f = fixture_new();
    struct budget *budget = fixture_budget(&f, "session", SCOPE_SESSION, UNIT_USD, 100);
    budget->idle_s = 60;
    budget->window = WINDOW_TOTAL;
    fixture_start(&f);
    fixture_settle(&f, fixture_hold(&f, 10), 30);
    struct charge before = charge_of(&f, 30);
    f.now_s += 60 + 7200 + 1;
    fixture_settle(&f, fixture_hold(&f, 10), 40);
    struct charge now = charge_of(&f, 10);
    give_back(&f, &before);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 40);
    struct refund both[] = {refund_of(&before), refund_of(&now), refund_of(&before)};
    struct refunds *refunds = refunds_open(both, 3);
    while (core_refund_some(f.core, refunds, SIZE_MAX))
        continue;
    refunds_close(refunds);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 30);
    fixture_end(&f);
}
END_TEST

/* A session that began anew was leased something, spent nothing, and purser was restarted: only its
 * ceiling is restored. An old forfeit, of a ledger without `since`, is refunded then. */
START_TEST(old_forfeits_give_nothing_back_to_a_session_of_which_only_the_ceiling_was_restored)
{
    struct fixture f = fixture_new();
    struct budget *budget = fixture_budget(&f, "session", SCOPE_SESSION, UNIT_USD, 100);
    budget->idle_s = 60;
    budget->window = WINDOW_TOTAL;
    f.subject.id[SCOPE_SESSION] = TEXT("alice/1");
    fixture_start(&f);
    fixture_hold(&f, 10);
    struct charge ceiling = f.grant.charges[0];
    ceiling.id = TEXT("alice/1");
    ceiling.since_s = 0; /* the vault does not tell it */
    ceiling.amount = 100;
    uint64_t number = ceiling.account;
    core_close(f.core);
    fixture_start(&f);
    core_restore_ceiling(f.core, &ceiling);
    fixture_settle(&f, fixture_hold(&f, 40), 40);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 40);
    struct refund old = {.account = number, .since_s = 0, .given = 30, .forfeited = 30};
    core_refund(f.core, &old);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 40);
    fixture_end(&f);
}
END_TEST

UNIT_MAIN(old_forfeits_give_nothing_back_to_a_session_of_which_only_the_ceiling_was_restored,
          a_session_that_began_anew_gets_nothing_back_of_before, many_are_given_back_in_portions,
          none_is_missed_when_the_budgets_change_meanwhile, a_refund_makes_room_for_those_who_wait,
          no_more_than_was_spent_is_given_back,
          what_was_restored_is_given_back_before_anybody_calls,
          of_what_is_given_back_in_part_the_rest_is_forfeited_no_more,
          an_overrun_that_was_none_is_not_charged,
          an_account_that_nobody_remembers_has_nothing_to_give)
