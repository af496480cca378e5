/* The ceilings of the window that comes next: when they are asked for, and for whom. */
#include "growth.h"

#include <stdio.h>

#define MIDNIGHT_S (NOON_S + DAY_S / 2)

/* Somebody calls at that moment; then the core is told the time. */
static void call_before_midnight(struct fixture *f, int64_t called_s, int64_t now_s)
{
    start_with(f, 1000);
    f->now_s = MIDNIGHT_S - called_s;
    grow_to(f, 100);
    fixture_settle(f, fixture_hold(f, 20), 5);
    refuse_growths(f);
    core_turn(f->core, MIDNIGHT_S - now_s);
}

START_TEST(the_ceiling_of_the_next_window_is_there_before_it_begins)
{
    struct fixture f;
    call_before_midnight(&f, 5, 5);
    no_growth(&f);
    core_turn(f.core, MIDNIGHT_S - 2);
    no_growth(&f); /* nobody has called within the last two seconds */
    fixture_end(&f);
    call_before_midnight(&f, 2, 2);
    struct growth growth = only_growth(&f);
    ck_assert_str_eq(growth.account->window.id, "2026-11-22");
    ck_assert_int_eq(growth.least, 0);
    ck_assert_int_ge(growth.most, 40);
    answer(&f, &growth, growth.most);
    core_turn(f.core, MIDNIGHT_S - 1);
    no_growth(&f); /* once */
    ck_assert_int_eq(fixture_view(&f, 0).spent, 5);
    f.now_s = MIDNIGHT_S;
    fixture_hold(&f, 20);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 0);
    fixture_end(&f);
}
END_TEST

/* It came to stand last by an answer, without having been used. */
START_TEST(one_that_was_not_used_of_late_does_not_hide_those_that_were)
{
    struct fixture f = leased_fixture();
    fixture_budget(&f, "each", SCOPE_KEY, UNIT_USD, 1000);
    fixture_start(&f);
    f.now_s = MIDNIGHT_S - 10;
    f.subject.id[SCOPE_KEY] = TEXT("early");
    uint64_t waiter = fixture_wait(&f, 50, 1);
    struct growth growth = only_growth(&f);
    ck_assert(core_leave(f.core, waiter));
    f.now_s = MIDNIGHT_S - 2;
    f.subject.id[SCOPE_KEY] = TEXT("late");
    grow_to(&f, 100);
    fixture_settle(&f, fixture_hold(&f, 20), 5);
    refuse_growths(&f);
    answer(&f, &growth, 0);
    no_growth(&f);
    core_turn(f.core, MIDNIGHT_S - 2);
    growth = only_growth(&f);
    ck_assert_str_eq(growth.account->window.id, "2026-11-22");
    UNIT_TEXT(growth.account->id, "late");
    answer(&f, &growth, 0);
    fixture_end(&f);
}
END_TEST

START_TEST(what_nobody_uses_of_the_next_window_goes_back)
{
    struct fixture f;
    struct gift gifts[4];
    call_before_midnight(&f, 2, 2);
    struct growth growth = only_growth(&f);
    answer(&f, &growth, 100);
    ck_assert_uint_eq(headroom_yield(f.core, MIDNIGHT_S + 3, false, gifts, 4), 2);
    ck_assert_int_eq(gifts[1].amount, 100);
    ck_assert_ptr_eq(gifts[1].account, growth.account);
    for (int i = 0; i < 2; i++)
        headroom_given(f.core, gifts[i].account);
    fixture_end(&f);
}
END_TEST

/* Of another budget, all of them used after it. */
static void use_after_it(struct fixture *f, int count)
{
    char name[16];
    for (int at = 0; at < count; at++) {
        (void)snprintf(name, sizeof(name), "u%d", at);
        f->subject.id[SCOPE_USER] = text_of(name);
        grow_to(f, 100);
        fixture_settle(f, fixture_hold(f, 20), 5);
        refuse_growths(f);
    }
}

static size_t coming_after(int others)
{
    struct fixture f = leased_fixture();
    f.options.max_accounts = 10000;
    fixture_budget(&f, "each", SCOPE_KEY, UNIT_USD, 1000);
    fixture_budget(&f, "users", SCOPE_USER, UNIT_USD, 1000)->window = WINDOW_TOTAL;
    fixture_start(&f);
    f.now_s = MIDNIGHT_S - 2;
    f.subject.id[SCOPE_USER] = TEXT_NONE;
    grow_to(&f, 100);
    fixture_settle(&f, fixture_hold(&f, 20), 5);
    refuse_growths(&f);
    f.subject.id[SCOPE_KEY] = TEXT_NONE;
    use_after_it(&f, others);
    size_t before = f.core->accounts.count;
    core_turn(f.core, MIDNIGHT_S - 2);
    size_t coming = f.core->accounts.count - before;
    fixture_end(&f);
    return coming;
}

START_TEST(not_more_than_some_thousand_accounts_are_looked_at_for_it)
{
    ck_assert_uint_eq(coming_after(3000), 1);
    ck_assert_uint_eq(coming_after(5000), 0);
}
END_TEST

UNIT_MAIN(the_ceiling_of_the_next_window_is_there_before_it_begins,
          one_that_was_not_used_of_late_does_not_hide_those_that_were,
          what_nobody_uses_of_the_next_window_goes_back,
          not_more_than_some_thousand_accounts_are_looked_at_for_it)
