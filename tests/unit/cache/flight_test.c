/*
 * Flights: who leads and who is told, in every state and order of leaving.
 */
#include "fixture.h"

enum { ROOM = 64 * 1024 * 1024, MANY = 200 };

static struct flight *lead(struct fixture *f, size_t who, uint64_t number)
{
    struct cache_found found = ask(f, who, number);
    ck_assert_int_eq(found.answer, CACHE_LEAD);
    ck_assert_ptr_null(f->followers[who].flight);
    return found.flight;
}

static void follow(struct fixture *f, size_t who, uint64_t number)
{
    struct cache_found found = ask(f, who, number);
    ck_assert_int_eq(found.answer, CACHE_FOLLOW);
    ck_assert_ptr_null(found.flight);
    ck_assert_ptr_nonnull(f->followers[who].flight);
}

static size_t flights(struct fixture *f)
{
    return stats_of(f->cache).flights;
}

static void land(struct fixture *f, struct flight *flight, const char *bytes)
{
    record(flight_recording(flight), text_of(bytes));
    flight_end(flight, true, fixture_now(f));
}

START_TEST(two_hundred_follow_one_and_all_get_its_answer)
{
    struct fixture *f = fixture_open(ROOM);
    struct flight *flight = lead(f, 0, 1);
    for (size_t i = 1; i <= MANY; i++)
        follow(f, i, 1);
    ck_assert_uint_eq(flight_followers(flight), MANY);
    ck_assert_uint_eq(flights(f), 1);
    land(f, flight, "answer");
    ck_assert_uint_eq(flights(f), 0);
    fixture_turn(f);
    for (size_t i = 1; i <= MANY; i++) {
        ck_assert_int_eq(f->heard[i].news, 1);
        UNIT_TEXT(read_one(flight_recording(f->followers[i].flight)), "answer");
        flight_leave(&f->followers[i]);
    }
    fixture_close(f);
}
END_TEST

START_TEST(news_is_one_letter_until_it_was_heard)
{
    struct fixture *f = fixture_open(ROOM);
    struct flight *flight = lead(f, 0, 1);
    follow(f, 1, 1);
    follow(f, 2, 1);
    fixture_turn(f);
    ck_assert_int_eq(f->heard[1].news, 0);
    recording_begin(flight_recording(flight), &(struct recording_head){.status = 200});
    for (int i = 0; i < 5; i++) {
        flight_flush(flight);
        recording_put(flight_recording(flight), TEXT("x"));
    }
    fixture_turn(f);
    ck_assert_int_eq(f->heard[1].news, 1);
    ck_assert_int_eq(f->heard[2].news, 1);
    flight_heard(&f->followers[1]);
    flight_flush(flight);
    flight_flush(flight);
    fixture_turn(f);
    ck_assert_int_eq(f->heard[1].news, 2);
    ck_assert_int_eq(f->heard[2].news, 1);
    recording_end(flight_recording(flight), RECORDING_BROKEN, MONEY_ZERO);
    flight_heard(&f->followers[2]);
    flight_end(flight, true, fixture_now(f));
    fixture_turn(f);
    ck_assert_int_eq(f->heard[1].news, 2);
    ck_assert_int_eq(f->heard[2].news, 2);
    flight_leave(&f->followers[1]);
    flight_leave(&f->followers[2]);
    ck_assert_uint_eq(stats_of(f->cache).entries, 0);
    fixture_close(f);
}
END_TEST

START_TEST(who_joins_late_is_told_at_once)
{
    struct fixture *f = fixture_open(ROOM);
    struct flight *flight = lead(f, 0, 1);
    recording_begin(flight_recording(flight), &(struct recording_head){.status = 200});
    recording_put(flight_recording(flight), TEXT("half"));
    follow(f, 1, 1);
    fixture_turn(f);
    ck_assert_int_eq(f->heard[1].news, 1);
    recording_end(flight_recording(flight), RECORDING_GIVEN_UP, MONEY_ZERO);
    follow(f, 2, 1);
    fixture_turn(f);
    ck_assert_int_eq(f->heard[2].news, 1);
    flight_end(flight, true, fixture_now(f));
    flight_leave(&f->followers[1]);
    flight_leave(&f->followers[2]);
    flight_resign(lead(f, 3, 1));
    fixture_close(f);
}
END_TEST

START_TEST(when_the_leader_resigns_the_first_follower_leads)
{
    struct fixture *f = fixture_open(ROOM);
    struct flight *flight = lead(f, 0, 1);
    follow(f, 1, 1);
    follow(f, 2, 1);
    flight_resign(flight);
    ck_assert_uint_eq(flights(f), 1);
    fixture_turn(f);
    ck_assert_int_eq(f->heard[1].lead, 1);
    ck_assert_int_eq(f->heard[2].lead, 0);
    follow(f, 3, 1);
    struct flight *same = flight_lead(&f->followers[1]);
    ck_assert_ptr_eq(same, flight);
    ck_assert_ptr_null(f->followers[1].flight);
    ck_assert_uint_eq(flight_followers(flight), 2);
    land(f, flight, "answer");
    fixture_turn(f);
    ck_assert_int_eq(f->heard[2].news, 1);
    ck_assert_int_eq(f->heard[3].news, 1);
    flight_leave(&f->followers[2]);
    flight_leave(&f->followers[3]);
    fixture_close(f);
}
END_TEST

START_TEST(when_the_promised_one_hangs_up_the_second_leads)
{
    struct fixture *f = fixture_open(ROOM);
    struct flight *flight = lead(f, 0, 1);
    for (size_t i = 1; i <= 3; i++)
        follow(f, i, 1);
    flight_resign(flight);
    flight_leave(&f->followers[3]);
    flight_leave(&f->followers[1]);
    fixture_turn(f);
    ck_assert_int_eq(f->heard[2].lead, 1);
    ck_assert_int_eq(f->heard[3].lead, 0);
    ck_assert_ptr_null(flight_lead(&f->followers[1]));
    ck_assert_ptr_nonnull(flight_lead(&f->followers[2]));
    ck_assert_uint_eq(flight_followers(flight), 0);
    flight_resign(flight);
    ck_assert_uint_eq(flights(f), 0);
    fixture_close(f);
}
END_TEST

START_TEST(when_the_last_promised_one_hangs_up_the_flight_is_over)
{
    struct fixture *f = fixture_open(ROOM);
    flight_resign(lead(f, 0, 1));
    struct flight *flight = lead(f, 0, 1);
    follow(f, 1, 1);
    flight_resign(flight);
    flight_leave(&f->followers[1]);
    ck_assert_uint_eq(flights(f), 0);
    flight_resign(lead(f, 2, 1));
    fixture_close(f);
}
END_TEST

START_TEST(a_late_lead_letter_of_another_flight_leads_nothing)
{
    struct fixture *f = fixture_open(ROOM);
    struct flight *flight = lead(f, 0, 1);
    follow(f, 1, 1);
    flight_resign(flight);
    flight_leave(&f->followers[1]);
    struct flight *other = lead(f, 2, 2);
    follow(f, 1, 2);
    fixture_turn(f);
    ck_assert_int_eq(f->heard[1].lead, 1);
    ck_assert_ptr_null(flight_lead(&f->followers[1]));
    ck_assert_ptr_eq(f->followers[1].flight, other);
    flight_leave(&f->followers[1]);
    flight_resign(other);
    fixture_close(f);
}
END_TEST

START_TEST(dissolving_sends_all_off_alone_and_the_next_leads_anew)
{
    struct fixture *f = fixture_open(ROOM);
    struct flight *flight = lead(f, 0, 1);
    for (size_t i = 1; i <= 3; i++)
        follow(f, i, 1);
    flight_leave(&f->followers[2]);
    flight_dissolve(flight);
    ck_assert_uint_eq(flights(f), 0);
    struct flight *other = lead(f, 4, 1);
    fixture_turn(f);
    ck_assert_int_eq(f->heard[1].alone, 1);
    ck_assert_int_eq(f->heard[2].alone, 0);
    ck_assert_int_eq(f->heard[3].alone, 1);
    ck_assert_ptr_null(flight_lead(&f->followers[1]));
    flight_leave(&f->followers[1]);
    flight_leave(&f->followers[3]);
    flight_dissolve(other);
    fixture_close(f);
}
END_TEST

START_TEST(leaving_is_fine_in_every_state)
{
    struct fixture *f = fixture_open(ROOM);
    flight_leave(&f->followers[0]);
    flight_heard(&f->followers[0]);
    flight_decline(&f->followers[0]);
    ck_assert_ptr_null(flight_lead(&f->followers[0]));
    struct flight *flight = lead(f, 0, 1);
    for (size_t i = 1; i <= 6; i++)
        follow(f, i, 1);
    flight_leave(&f->followers[3]); /* in the middle */
    flight_leave(&f->followers[1]); /* the first */
    flight_leave(&f->followers[6]); /* the last */
    recording_begin(flight_recording(flight), &(struct recording_head){.status = 200});
    flight_flush(flight);
    flight_leave(&f->followers[2]); /* told */
    flight_leave(&f->followers[2]);
    recording_end(flight_recording(flight), RECORDING_BROKEN, MONEY_ZERO);
    flight_leave(&f->followers[4]); /* ended, not told */
    flight_end(flight, false, fixture_now(f));
    flight_leave(&f->followers[5]); /* the last reference */
    fixture_close(f);
}
END_TEST

START_TEST(a_follower_may_follow_again)
{
    struct fixture *f = fixture_open(ROOM);
    struct flight *flight = lead(f, 0, 1);
    for (int i = 0; i < 3; i++) {
        follow(f, 1, 1);
        flight_leave(&f->followers[1]);
    }
    struct flight *other = lead(f, 0, 2);
    follow(f, 1, 2);
    ck_assert_uint_eq(flight_followers(flight), 0);
    ck_assert_uint_eq(flight_followers(other), 1);
    flight_resign(flight);
    flight_leave(&f->followers[1]);
    flight_resign(other);
    fixture_close(f);
}
END_TEST

/* ---- who pays ---- */

static bool seek(struct fixture *f, struct flight *flight)
{
    struct flight_payee payee = {.mailbox = f->mailbox, .call = CALL};
    bool asked = flight_seek_payer(flight, &payee);
    fixture_turn(f);
    return asked;
}

START_TEST(each_follower_is_asked_to_pay_once_and_in_order)
{
    struct fixture *f = fixture_open(ROOM);
    struct flight *flight = lead(f, 0, 1);
    ck_assert(!seek(f, flight));
    follow(f, 1, 1);
    follow(f, 2, 1);
    ck_assert(seek(f, flight));
    ck_assert_int_eq(f->heard[1].pay, 1);
    ck_assert_int_eq(f->heard[2].pay, 0);
    ck_assert_uint_eq(f->heard[1].payee.call, CALL);
    flight_decline(&f->followers[1]);
    flight_decline(&f->followers[1]);
    fixture_turn(f);
    ck_assert_int_eq(f->declined, 1);
    ck_assert(seek(f, flight));
    ck_assert_int_eq(f->heard[2].pay, 1);
    struct flight_payee payee = {0};
    ck_assert(!flight_pay(&f->followers[1], &payee));
    ck_assert(flight_pay(&f->followers[2], &payee));
    ck_assert_ptr_eq(payee.mailbox, f->mailbox);
    ck_assert_uint_eq(payee.call, CALL);
    ck_assert(!flight_pay(&f->followers[2], &payee));
    flight_leave(&f->followers[2]);
    ck_assert(!seek(f, flight));
    ck_assert_int_eq(f->declined, 1);
    ck_assert_int_eq(f->heard[1].pay, 1);
    flight_leave(&f->followers[1]);
    flight_resign(flight);
    fixture_close(f);
}
END_TEST

START_TEST(who_was_asked_to_pay_and_hangs_up_declines)
{
    struct fixture *f = fixture_open(ROOM);
    struct flight *flight = lead(f, 0, 1);
    follow(f, 1, 1);
    ck_assert(seek(f, flight));
    flight_leave(&f->followers[1]);
    fixture_turn(f);
    ck_assert_int_eq(f->declined, 1);
    ck_assert(!seek(f, flight));
    flight_resign(flight);
    fixture_close(f);
}
END_TEST

START_TEST(a_question_dies_with_the_flight)
{
    struct fixture *f = fixture_open(ROOM);
    struct flight *flight = lead(f, 0, 1);
    follow(f, 1, 1);
    ck_assert(seek(f, flight));
    land(f, flight, "answer");
    struct flight_payee payee;
    ck_assert(!flight_pay(&f->followers[1], &payee));
    flight_leave(&f->followers[1]);
    fixture_turn(f);
    ck_assert_int_eq(f->declined, 0);
    fixture_close(f);
}
END_TEST

START_TEST(a_question_dies_with_the_lead)
{
    struct fixture *f = fixture_open(ROOM);
    struct flight *flight = lead(f, 0, 1);
    follow(f, 1, 1);
    follow(f, 2, 1);
    ck_assert(seek(f, flight));
    flight_resign(flight);
    struct flight_payee payee;
    ck_assert(!flight_pay(&f->followers[1], &payee));
    flight_decline(&f->followers[1]);
    ck_assert_ptr_nonnull(flight_lead(&f->followers[1]));
    ck_assert(seek(f, flight));
    ck_assert_int_eq(f->heard[2].pay, 1);
    flight_dissolve(flight);
    flight_decline(&f->followers[2]);
    flight_leave(&f->followers[2]);
    fixture_turn(f);
    ck_assert_int_eq(f->declined, 0);
    fixture_close(f);
}
END_TEST

START_TEST(who_follows_again_may_be_asked_again)
{
    struct fixture *f = fixture_open(ROOM);
    struct flight *flight = lead(f, 0, 1);
    follow(f, 1, 1);
    ck_assert(seek(f, flight));
    flight_leave(&f->followers[1]);
    follow(f, 1, 1);
    ck_assert(seek(f, flight));
    ck_assert_int_eq(f->heard[1].pay, 2);
    flight_leave(&f->followers[1]);
    flight_resign(flight);
    fixture_close(f);
}
END_TEST

START_TEST(a_call_that_seeks_a_payer_is_told_who_leaves)
{
    struct fixture *f = fixture_open(ROOM);
    struct flight *flight = lead(f, 0, 1);
    follow(f, 1, 1);
    follow(f, 2, 1);
    follow(f, 3, 1);
    flight_leave(&f->followers[3]); /* the leader has a client still: nobody need know */
    ck_assert(seek(f, flight));
    flight_leave(&f->followers[2]);
    loop_turn(f->loop, 0);
    ck_assert_int_eq(f->left, 1);
    flight_resign(flight); /* another one leads: what left the old call is not its business */
    flight_leave(&f->followers[1]);
    loop_turn(f->loop, 0);
    ck_assert_int_eq(f->left, 1);
    fixture_close(f);
}
END_TEST

START_TEST(a_call_is_told_that_its_payer_left)
{
    struct fixture *f = fixture_open(ROOM);
    struct flight *flight = lead(f, 0, 1);
    struct flight_payee payee;
    follow(f, 1, 1);
    follow(f, 2, 1);
    follow(f, 3, 1);
    ck_assert(seek(f, flight));
    ck_assert(flight_pay(&f->followers[1], &payee));
    flight_leave(&f->followers[2]);
    fixture_turn(f);
    ck_assert_int_eq(f->left, 1);
    ck_assert_int_eq(f->payers_left, 0);
    flight_leave(&f->followers[1]);
    fixture_turn(f);
    ck_assert_int_eq(f->left, 2);
    ck_assert_int_eq(f->payers_left, 1);
    flight_leave(&f->followers[3]);
    flight_resign(flight);
    fixture_close(f);
}
END_TEST

START_TEST(whose_offer_was_not_needed_is_asked_again_and_has_not_paid)
{
    struct fixture *f = fixture_open(ROOM);
    struct flight *flight = lead(f, 0, 1);
    struct flight_payee payee;
    follow(f, 1, 1);
    ck_assert(seek(f, flight));
    ck_assert(flight_pay(&f->followers[1], &payee));
    flight_drop_payer(flight, true);
    ck_assert(seek(f, flight));
    ck_assert_int_eq(f->heard[1].pay, 2);
    ck_assert(flight_pay(&f->followers[1], &payee));
    flight_drop_payer(flight, false);
    ck_assert(!flight_pays(&f->followers[1]));
    ck_assert(!seek(f, flight));
    flight_leave(&f->followers[1]);
    fixture_turn(f);
    ck_assert_int_eq(f->payers_left, 0);
    flight_resign(flight);
    fixture_close(f);
}
END_TEST

START_TEST(who_paid_has_paid_also_when_the_flight_is_over)
{
    struct fixture *f = fixture_open(ROOM);
    struct flight *flight = lead(f, 0, 1);
    struct flight_payee payee;
    follow(f, 1, 1);
    follow(f, 2, 1);
    ck_assert(seek(f, flight));
    ck_assert(flight_pay(&f->followers[1], &payee));
    ck_assert(!flight_pays(&f->followers[1]));
    flight_take_payer(flight);
    land(f, flight, "answer");
    ck_assert(flight_pays(&f->followers[1]));
    ck_assert(!flight_pays(&f->followers[2]));
    flight_leave(&f->followers[1]);
    flight_leave(&f->followers[2]);
    ck_assert(flight_pays(&f->followers[1]));
    fixture_close(f);
}
END_TEST

START_TEST(who_declined_one_call_is_asked_by_the_next)
{
    struct fixture *f = fixture_open(ROOM);
    struct flight *flight = lead(f, 0, 1);
    for (size_t i = 1; i <= 2; i++)
        follow(f, i, 1);
    for (size_t i = 1; i <= 2; i++) {
        ck_assert(seek(f, flight));
        flight_decline(&f->followers[i]);
    }
    ck_assert(!seek(f, flight));
    flight_resign(flight);
    ck_assert_ptr_nonnull(flight_lead(&f->followers[1]));
    ck_assert(seek(f, flight));
    ck_assert_int_eq(f->heard[2].pay, 2);
    flight_leave(&f->followers[2]);
    flight_resign(flight);
    fixture_close(f);
}
END_TEST

START_TEST(a_call_pauses_only_until_somebody_joins)
{
    struct fixture *f = fixture_open(ROOM);
    struct flight *flight = lead(f, 0, 1);
    const struct flight_payee call = {.mailbox = f->mailbox, .call = CALL};
    ck_assert(flight_may_pause(flight, &call));
    follow(f, 1, 1);
    follow(f, 2, 1);
    fixture_turn(f);
    ck_assert_int_eq(f->joined, 1);
    ck_assert(!flight_may_pause(flight, &call));
    flight_leave(&f->followers[1]);
    flight_leave(&f->followers[2]);
    ck_assert(flight_may_pause(flight, &call));
    flight_resign(flight);
    fixture_turn(f);
    ck_assert_int_eq(f->joined, 1);
    fixture_close(f);
}
END_TEST

UNIT_MAIN(two_hundred_follow_one_and_all_get_its_answer, news_is_one_letter_until_it_was_heard,
          who_joins_late_is_told_at_once, when_the_leader_resigns_the_first_follower_leads,
          when_the_promised_one_hangs_up_the_second_leads,
          when_the_last_promised_one_hangs_up_the_flight_is_over,
          a_late_lead_letter_of_another_flight_leads_nothing,
          dissolving_sends_all_off_alone_and_the_next_leads_anew, leaving_is_fine_in_every_state,
          a_follower_may_follow_again, each_follower_is_asked_to_pay_once_and_in_order,
          who_was_asked_to_pay_and_hangs_up_declines, a_question_dies_with_the_flight,
          a_question_dies_with_the_lead, who_follows_again_may_be_asked_again,
          a_call_that_seeks_a_payer_is_told_who_leaves, a_call_is_told_that_its_payer_left,
          whose_offer_was_not_needed_is_asked_again_and_has_not_paid,
          who_paid_has_paid_also_when_the_flight_is_over,
          who_declined_one_call_is_asked_by_the_next, a_call_pauses_only_until_somebody_joins)
