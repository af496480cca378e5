/* Who may grow, and who vouches for whom: the store's part of it. */
#include "server.h"

/* As one that is new. */
static void enter(struct server *s, const char *journal)
{
    must_say(s, STORE_JOIN, journal);
    must_say(s, STORE_EPOCH, journal);
    state_none(s, journal);
}

static bool is_vouched(struct server *s, const char *journal)
{
    must_say(s, STORE_BEAT, journal);
    return s->reply.vouched;
}

START_TEST(nobody_need_vouch_for_the_first_and_somebody_for_all_others)
{
    struct server s;
    server_open(&s, "run1.x");
    enter(&s, A);
    ck_assert(s.reply.vouched);
    int64_t heard = s.reply.gseq;
    enter(&s, B);
    ck_assert(!s.reply.vouched);
    vouch(&s, A, heard);
    ck_assert(s.reply.vouched);
    ck_assert(!is_vouched(&s, B));
    heard = s.reply.gseq;
    enter(&s, C);
    vouch(&s, A, heard);
    ck_assert(is_vouched(&s, B));
    ck_assert(!is_vouched(&s, C));
    server_close(&s);
}
END_TEST

START_TEST(who_has_not_stated_its_rows_is_not_counted_and_so_not_vouched_for)
{
    struct server s;
    server_open(&s, "run1.x");
    enter(&s, A);
    must_say(&s, STORE_JOIN, B);
    vouch(&s, A, s.reply.gseq);
    ck_assert(!is_vouched(&s, B));
    state_none(&s, B);
    ck_assert(!s.reply.vouched);
    vouch(&s, A, s.reply.gseq);
    ck_assert(is_vouched(&s, B));
    server_close(&s);
}
END_TEST

START_TEST(who_vouches_was_vouched_for_or_need_not_be)
{
    struct server s;
    server_open(&s, "run1.x");
    enter(&s, A);
    enter(&s, B);
    ck_assert(!is_vouched(&s, B));
    vouch(&s, B, s.reply.gseq); /* all servers have its JOIN, say */
    ck_assert(s.reply.vouched);
    server_close(&s);
}
END_TEST

START_TEST(at_a_server_that_was_promoted_nobody_is_the_first)
{
    struct server s;
    server_open(&s, "run1.x");
    store_set_fence(s.store, "run1.y"); /* it has got its first replica */
    struct store *promoted = store_copy(s.store);
    enter(&s, A);
    ck_assert(is_open(&s, A) && s.reply.vouched);
    server_become(&s, promoted);
    store_set_fence(s.store, "run2.z");
    enter(&s, B);
    ck_assert(is_open(&s, B));
    ck_assert(!is_vouched(&s, B));
    server_close(&s);
}
END_TEST

START_TEST(at_a_server_that_was_left_and_came_back_nobody_is_the_first)
{
    struct server s = {.store = store_open()};
    store_set_replicas(s.store, true);
    store_init(s.store, "run1.x");
    struct store *back = store_copy(s.store);
    enter(&s, A);
    ck_assert(is_open(&s, A) && s.reply.vouched);
    server_become(&s, back); /* who was promoted meanwhile had not heard of A */
    store_set_fence(s.store, "run1.z");
    enter(&s, B);
    ck_assert(is_open(&s, B));
    ck_assert(!is_vouched(&s, B));
    server_close(&s);
}
END_TEST

START_TEST(nor_where_that_happened_before_a_replica_was_seen)
{
    struct server s;
    server_open(&s, "run1.x");
    store_set_fence(s.store, "run1.z");
    store_set_promoted(s.store, true);
    enter(&s, A);
    ck_assert(is_open(&s, A));
    ck_assert(!is_vouched(&s, A));
    server_close(&s);
}
END_TEST

/* That was before. */
START_TEST(one_that_was_promoted_before_the_epoch_began_has_a_first)
{
    struct server s = {.store = store_open()};
    store_set_promoted(s.store, true);
    store_init(s.store, "run1.x");
    enter(&s, A);
    ck_assert(is_open(&s, A) && s.reply.vouched);
    server_close(&s);
}
END_TEST

START_TEST(who_takes_part_in_a_recovery_was_vouched_for_before_or_was_not)
{
    struct server s;
    server_open(&s, "run1.x");
    enter(&s, A);
    store_set_fence(s.store, "run2.z");
    must_say(&s, STORE_JOIN, B);
    must_say(&s, STORE_EPOCH, B);
    remember(&s, B, "", 1);
    must_say(&s, STORE_JOIN, C);
    state_none(&s, C);
    state_none(&s, A);
    ck_assert(is_open(&s, A));
    ck_assert(is_vouched(&s, A));
    ck_assert(is_vouched(&s, B));
    ck_assert(!is_vouched(&s, C));
    server_close(&s);
}
END_TEST

START_TEST(who_joins_an_open_epoch_is_new_there_whatever_it_was_before)
{
    struct server s;
    server_open(&s, "run1.x");
    enter(&s, A);
    must_say(&s, STORE_JOIN, B);
    state_none(&s, B);
    ck_assert(!s.reply.vouched);
    server_close(&s);
}
END_TEST

START_TEST(if_nobody_is_left_who_could_an_operator_has_vouched_for_all)
{
    struct server s;
    server_open(&s, "run1.x");
    enter(&s, A);
    enter(&s, B);
    enter(&s, C);
    ck_assert_int_eq(let_go(&s, "an unknown one"), STORE_STRANGER);
    must_let_go(&s, A);
    ck_assert(is_vouched(&s, B));
    ck_assert(is_vouched(&s, C));
    server_close(&s);
}
END_TEST

START_TEST(one_that_nobody_knows_is_let_go_where_nobody_can_vouch)
{
    struct server s;
    server_open(&s, "run1.x");
    store_set_fence(s.store, "run2.z");
    enter(&s, B);
    ck_assert(is_open(&s, B));
    ck_assert(!is_vouched(&s, B));
    must_let_go(&s, "an unknown one");
    ck_assert(is_vouched(&s, B));
    ck_assert_int_eq(let_go(&s, "an unknown one"), STORE_STRANGER);
    server_close(&s);
}
END_TEST

START_TEST(a_replica_is_remembered_also_by_a_server_that_has_none)
{
    struct server s;
    server_open(&s, "run1.x");
    enter(&s, A);
    ck_assert(s.reply.alone);
    store_set_replicas(s.store, true);
    must_say(&s, STORE_BEAT, A);
    ck_assert(!s.reply.alone);
    store_set_replicas(s.store, false);
    must_say(&s, STORE_BEAT, A);
    ck_assert(!s.reply.alone);
    server_close(&s);
}
END_TEST

UNIT_MAIN(nobody_need_vouch_for_the_first_and_somebody_for_all_others,
          who_has_not_stated_its_rows_is_not_counted_and_so_not_vouched_for,
          who_vouches_was_vouched_for_or_need_not_be,
          at_a_server_that_was_promoted_nobody_is_the_first,
          at_a_server_that_was_left_and_came_back_nobody_is_the_first,
          nor_where_that_happened_before_a_replica_was_seen,
          one_that_was_promoted_before_the_epoch_began_has_a_first,
          who_takes_part_in_a_recovery_was_vouched_for_before_or_was_not,
          who_joins_an_open_epoch_is_new_there_whatever_it_was_before,
          if_nobody_is_left_who_could_an_operator_has_vouched_for_all,
          one_that_nobody_knows_is_let_go_where_nobody_can_vouch,
          a_replica_is_remembered_also_by_a_server_that_has_none)
