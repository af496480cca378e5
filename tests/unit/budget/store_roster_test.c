/* Whom a recovery waits for: who is named, and who was let go. */
#include <stdio.h>

#include "server.h"

/* A restart, and whoever asks has begun the epoch. */
static void begin_epoch(struct server *s, const char *fence, const char *journal)
{
    store_set_fence(s->store, fence);
    must_say(s, STORE_JOIN, journal);
    must_say(s, STORE_EPOCH, journal);
    ck_assert(s->reply.recovering);
}

/* A server that lost B's JOIN must not open without B. */
START_TEST(waits_for_whom_a_roster_names)
{
    struct server s;
    server_open(&s, "f1");
    must_say(&s, STORE_JOIN, A);
    state_none(&s, A);
    begin_epoch(&s, "f2", A);
    ck_assert_int_eq(s.reply.absent, 1);
    remember(&s, A, B, 1);
    ck_assert_int_eq(s.reply.absent, 1);
    ck_assert(!is_open(&s, A));
    ck_assert_uint_eq(s.reply.roster.count, 1);
    ck_assert_str_eq(s.reply.roster.at[0].journal, B);
    must_say(&s, STORE_JOIN, B);
    must_say_row(&s, STORE_SYNC, B, (struct store_row){.value = 9});
    ck_assert(is_open(&s, B));
    ck_assert(s.reply.vouched); /* A has it on its disk */
    server_close(&s);
}
END_TEST

/* Found by the simulator: it was waited for one more. */
START_TEST(one_that_is_named_and_new_to_the_server_is_one)
{
    struct server s;
    server_open(&s, "f1");
    must_say(&s, STORE_JOIN, A);
    state_none(&s, A);
    begin_epoch(&s, "f2", B);
    must_say(&s, STORE_JOIN, A);
    remember(&s, A, B, 1);
    state_none(&s, B);
    ck_assert(is_open(&s, A));
    server_close(&s);
}
END_TEST

START_TEST(a_name_of_before_somebody_was_let_go_is_not_waited_for)
{
    struct server s;
    server_open_for_two(&s);
    int64_t heard = s.sequence;
    must_say(&s, STORE_BEAT, B);
    must_let_go(&s, B);
    begin_epoch(&s, "f2", A);
    remember(&s, A, B, heard);
    ck_assert(is_open(&s, A));
    server_close(&s);
}
END_TEST

/* It came back, at a server that this one has not heard of. */
START_TEST(a_name_of_after_that_is)
{
    struct server s;
    server_open_for_two(&s);
    must_let_go(&s, B);
    begin_epoch(&s, "f2", A);
    remember(&s, A, B, s.sequence);
    ck_assert(!is_open(&s, A));
    must_let_go(&s, B);
    ck_assert(is_open(&s, A));
    server_close(&s);
}
END_TEST

START_TEST(who_was_let_go_and_comes_back_is_not_vouched_for_by_names_of_before)
{
    struct server s;
    server_open_for_two(&s);
    int64_t heard = s.sequence;
    must_let_go(&s, B);
    begin_epoch(&s, "f2", A);
    must_say(&s, STORE_JOIN, B);
    remember(&s, B, A, heard);
    remember(&s, A, "", heard);
    ck_assert(is_open(&s, A));
    ck_assert(s.reply.vouched);
    must_say(&s, STORE_BEAT, B);
    ck_assert(!s.reply.vouched);
    server_close(&s);
}
END_TEST

static void say_epoch(struct server *s, const char *journal, const char *named)
{
    struct store_request request = request_of(s, STORE_EPOCH, journal);
    struct store_roster roster = {1, {{"", 1, s->sequence}}};
    memcpy(roster.at[0].journal, named, strlen(named) + 1);
    request.roster = &roster;
    must_put(s, &request);
}

START_TEST(an_open_epoch_that_began_without_one_who_is_named_ends)
{
    struct server s;
    server_open(&s, "f1");
    must_say(&s, STORE_JOIN, A);
    say_epoch(&s, A, B);
    ck_assert(s.reply.recovering);
    ck_assert_int_eq(s.reply.epoch, 2);
    ck_assert_int_eq(s.reply.absent, 2);
    server_close(&s);
}
END_TEST

START_TEST(one_with_a_roster_begins_an_epoch_where_nobody_could_vouch)
{
    struct server s;
    server_open(&s, "run1.x");
    begin_epoch(&s, "run2.x", A);
    state_none(&s, A);
    ck_assert(is_open(&s, A));
    ck_assert(!s.reply.vouched);
    must_say(&s, STORE_JOIN, B);
    say_epoch(&s, B, B);
    ck_assert(s.reply.recovering);
    remember(&s, B, "", s.sequence);
    state_none(&s, A);
    ck_assert(is_open(&s, A));
    ck_assert(!s.reply.vouched);
    must_say(&s, STORE_BEAT, B);
    ck_assert(s.reply.vouched);
    server_close(&s);
}
END_TEST

START_TEST(members_are_told_until_they_are_known)
{
    struct server s;
    server_open_for_two(&s);
    ck_assert_uint_eq(s.reply.roster.count, 2);
    ck_assert_str_eq(s.reply.roster.at[0].journal, A);
    ck_assert_str_eq(s.reply.roster.at[1].journal, B);
    vouch(&s, A, s.reply.gseq);
    ck_assert_uint_eq(s.reply.roster.count, 0);
    int64_t known = s.reply.gseq;
    must_let_go(&s, B);
    ck_assert_uint_eq(s.reply.roster.count, 0);
    vouch(&s, A, known);
    ck_assert_uint_eq(s.reply.roster.count, 1);
    ck_assert_int_gt(s.reply.changed, known);
    server_close(&s);
}
END_TEST

START_TEST(too_many_are_not_told)
{
    struct server s;
    server_open(&s, "f1");
    for (int at = 0; at <= STORE_MEMBERS_MOST; at++) {
        char journal[STORE_JOURNAL_SIZE];
        snprintf(journal, sizeof(journal), "%032d", at);
        must_say(&s, STORE_JOIN, journal);
        state_none(&s, journal);
        ck_assert_uint_eq(s.reply.roster.count, at < STORE_MEMBERS_MOST ? (unsigned)at + 1 : 0);
    }
    server_close(&s);
}
END_TEST

/* As a purser remembers it that kept no names. */
START_TEST(waits_for_as_many_as_somebody_has_counted)
{
    struct server s;
    server_open_for_two(&s);
    vouch(&s, A, s.reply.gseq); /* for B */
    begin_epoch(&s, "f2", A);
    remember_count(&s, A, 3);
    ck_assert_int_eq(s.reply.absent, 2);
    must_let_go(&s, B);
    ck_assert_int_eq(s.reply.absent, 1);
    must_say(&s, STORE_JOIN, C);
    state_none(&s, C); /* is new */
    ck_assert(!is_open(&s, C));
    must_let_go(&s, "");
    ck_assert(is_open(&s, A));
    ck_assert_int_eq(let_go(&s, ""), STORE_STRANGER);
    server_close(&s);
}
END_TEST

START_TEST(a_name_that_was_never_said_means_nothing)
{
    struct server s;
    server_open(&s, "f1");
    must_say(&s, STORE_JOIN, A);
    struct store_request request = request_of(&s, STORE_EPOCH, A);
    struct store_roster roster = {1, {{B, 0, 0}}};
    request.roster = &roster;
    must_put(&s, &request);
    ck_assert(!s.reply.recovering);
    begin_epoch(&s, "f2", A);
    request = request_of(&s, STORE_EPOCH, A);
    request.roster = &roster;
    must_put(&s, &request);
    ck_assert_int_eq(s.reply.absent, 1); /* itself */
    server_close(&s);
}
END_TEST

/* All is lost: the server's data, and one data_dir of three. */
static void begin_wiped(struct server *s)
{
    server_open_wiped(s, 3);
    must_say(s, STORE_JOIN, B);
}

/* C was remembered by A. */
static void begin_without_c(struct server *s, int64_t instances)
{
    server_open_wiped(s, instances);
    remember(s, A, C, 1);
    must_let_go(s, C);
}

START_TEST(one_lost_with_the_data_is_counted_and_let_go_by_name)
{
    struct server s;
    begin_wiped(&s);
    remember(&s, A, C, 1);
    must_let_go(&s, C);
    ck_assert(!is_open(&s, A)); /* it is taken off once */
    remember(&s, B, C, 1);
    ck_assert(is_open(&s, B));
    server_close(&s);
}
END_TEST

/* C is remembered with two last words, and another one by nobody. */
START_TEST(one_that_is_let_go_by_name_twice_is_taken_off_once)
{
    struct server s;
    server_open_wiped(&s, 4);
    must_say(&s, STORE_JOIN, B);
    remember(&s, A, C, 1);
    must_let_go(&s, C);
    remember(&s, B, C, 2);
    ck_assert_int_eq(s.reply.absent, 1);
    ck_assert(!is_open(&s, B));
    ck_assert_str_eq(s.reply.roster.at[0].journal, C);
    must_let_go(&s, C);
    ck_assert(!is_open(&s, B));
    ck_assert_int_eq(s.reply.absent, 1);
    ck_assert_int_eq(let_go(&s, C), STORE_STRANGER);
    must_let_go(&s, "");
    ck_assert(is_open(&s, B));
    server_close(&s);
}
END_TEST

START_TEST(and_once_over_a_restart)
{
    struct server s;
    begin_without_c(&s, 4);
    begin_epoch(&s, "f10", A);
    must_say(&s, STORE_JOIN, B);
    remember(&s, A, C, 1);
    remember(&s, B, C, 2);
    must_let_go(&s, C);
    ck_assert(!is_open(&s, B));
    ck_assert_int_eq(s.reply.absent, 1);
    server_close(&s);
}
END_TEST

/* It lived. Nobody names B yet. */
START_TEST(one_that_was_taken_off_and_comes_back_stands_for_nobody_else)
{
    struct server s;
    begin_without_c(&s, 3);
    must_say(&s, STORE_JOIN, C);
    ck_assert(!is_open(&s, A)); /* it is waited for as anybody */
    remember(&s, C, A, 1);
    ck_assert_int_eq(s.reply.absent, 1);
    ck_assert(!is_open(&s, C));
    must_say(&s, STORE_JOIN, B);
    remember(&s, B, A, 1);
    ck_assert(is_open(&s, B));
    server_close(&s);
}
END_TEST

/* B had returned, and was cut off. C is lost, and nobody names it. */
START_TEST(nor_does_one_that_was_let_go_after_it_had_returned)
{
    struct server s;
    begin_wiped(&s);
    remember(&s, B, A, 1);
    ck_assert_int_eq(s.reply.absent, 2);
    must_let_go(&s, B);
    ck_assert_int_eq(s.reply.absent, 2);
    must_say(&s, STORE_JOIN, B);
    remember(&s, B, A, 1);
    ck_assert_int_eq(s.reply.absent, 2);
    remember(&s, A, B, 1);
    ck_assert_int_eq(s.reply.absent, 1);
    ck_assert(!is_open(&s, A));
    must_let_go(&s, "");
    ck_assert(is_open(&s, A));
    server_close(&s);
}
END_TEST

START_TEST(one_that_returned_and_is_let_go_for_good_is_not_waited_for)
{
    struct server s;
    begin_wiped(&s);
    remember(&s, B, A, 1);
    must_let_go(&s, B);
    remember(&s, A, "", 1);
    ck_assert_int_eq(s.reply.absent, 1);
    begin_epoch(&s, "f10", A);
    remember(&s, A, "", 1);
    ck_assert_int_eq(s.reply.absent, 1);
    must_let_go(&s, "");
    ck_assert(is_open(&s, A));
    server_close(&s);
}
END_TEST

START_TEST(in_the_next_recovery_it_is_counted_anew)
{
    struct server s;
    begin_without_c(&s, 2);
    ck_assert(is_open(&s, A));
    must_say(&s, STORE_JOIN, C);
    state_none(&s, C);
    begin_epoch(&s, "f10", A);
    remember_count(&s, A, 2);
    must_say(&s, STORE_JOIN, C);
    remember(&s, C, A, 1);
    ck_assert(is_open(&s, C));
    server_close(&s);
}
END_TEST

START_TEST(or_without_a_name_if_nobody_remembers_it)
{
    struct server s;
    begin_wiped(&s);
    remember(&s, A, "", 1);
    must_let_go(&s, "");
    ck_assert(!is_open(&s, A));
    remember(&s, B, "", 1);
    ck_assert(is_open(&s, B));
    server_close(&s);
}
END_TEST

START_TEST(nobody_need_vouch_for_who_has_counted)
{
    struct server s;
    begin_wiped(&s);
    must_let_go(&s, "");
    remember_count(&s, A, 2);
    remember_count(&s, B, 2);
    ck_assert(is_open(&s, A));
    ck_assert(s.reply.vouched);
    must_say(&s, STORE_BEAT, B);
    ck_assert(s.reply.vouched);
    server_close(&s);
}
END_TEST

UNIT_MAIN(nor_does_one_that_was_let_go_after_it_had_returned,
          one_that_returned_and_is_let_go_for_good_is_not_waited_for, waits_for_whom_a_roster_names,
          one_that_is_named_and_new_to_the_server_is_one,
          a_name_of_before_somebody_was_let_go_is_not_waited_for, a_name_of_after_that_is,
          who_was_let_go_and_comes_back_is_not_vouched_for_by_names_of_before,
          an_open_epoch_that_began_without_one_who_is_named_ends,
          one_with_a_roster_begins_an_epoch_where_nobody_could_vouch,
          members_are_told_until_they_are_known, too_many_are_not_told,
          waits_for_as_many_as_somebody_has_counted, a_name_that_was_never_said_means_nothing,
          one_lost_with_the_data_is_counted_and_let_go_by_name,
          one_that_is_let_go_by_name_twice_is_taken_off_once, and_once_over_a_restart,
          one_that_was_taken_off_and_comes_back_stands_for_nobody_else,
          in_the_next_recovery_it_is_counted_anew, or_without_a_name_if_nobody_remembers_it,
          nobody_need_vouch_for_who_has_counted)
