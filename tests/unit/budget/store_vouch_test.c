/* Who may grow, and who vouches for whom: the store's part of it. */
#include "budget/store.h"

#include "../unit.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccc"

static struct store *store;
static struct store_reply reply;
static int64_t sequence;

static void begin(void)
{
    store = store_open();
    sequence = 0;
    store_init(store, "run1.x");
}

static void end(void)
{
    store_close(store);
}

static struct store_request request_of(enum store_kind kind, const char *journal)
{
    struct store_request request = {
        .kind = kind, .epoch = reply.epoch, .incarnation = 1, .sequence = ++sequence};
    memcpy(request.journal, journal, strlen(journal) + 1);
    memcpy(request.fence, reply.fence, sizeof(request.fence));
    return request;
}

static void must(const struct store_request *request)
{
    store_apply(store, request, &reply);
    ck_assert_int_eq(reply.verdict, STORE_OK);
}

static void say(enum store_kind kind, const char *journal)
{
    struct store_request request = request_of(kind, journal);
    must(&request);
}

static void say_known(enum store_kind kind, const char *journal, int64_t known)
{
    struct store_request request = request_of(kind, journal);
    request.known = known;
    must(&request);
}

static void state(const char *journal)
{
    struct store_request request = request_of(STORE_SYNC, journal);
    request.complete = true;
    must(&request);
}

static void enter(const char *journal)
{
    say(STORE_JOIN, journal);
    say(STORE_EPOCH, journal);
    state(journal);
}

static void vouch(const char *journal, int64_t heard)
{
    struct store_request request = request_of(STORE_BEAT, journal);
    request.vouches = heard;
    must(&request);
}

static bool is_vouched(const char *journal)
{
    say(STORE_BEAT, journal);
    return reply.vouched;
}

static enum store_verdict leave(const char *journal)
{
    struct store_request request = request_of(STORE_LEAVE, "");
    memcpy(request.whose, journal, strlen(journal) + 1);
    store_apply(store, &request, &reply);
    return reply.verdict;
}

START_TEST(nobody_need_vouch_for_the_first_and_somebody_for_all_others)
{
    begin();
    enter(A);
    ck_assert(reply.vouched);
    int64_t heard = reply.gseq;
    enter(B);
    ck_assert(!reply.vouched);
    vouch(A, heard);
    ck_assert(reply.vouched);
    ck_assert(!is_vouched(B));
    heard = reply.gseq;
    enter(C);
    vouch(A, heard);
    ck_assert(is_vouched(B));
    ck_assert(!is_vouched(C));
    end();
}
END_TEST

START_TEST(who_has_not_stated_its_rows_is_not_counted_and_so_not_vouched_for)
{
    begin();
    enter(A);
    say(STORE_JOIN, B);
    vouch(A, reply.gseq);
    ck_assert(!is_vouched(B));
    state(B);
    ck_assert(!reply.vouched);
    vouch(A, reply.gseq);
    ck_assert(is_vouched(B));
    end();
}
END_TEST

START_TEST(who_vouches_was_vouched_for_or_need_not_be)
{
    begin();
    enter(A);
    enter(B);
    ck_assert(!is_vouched(B));
    vouch(B, reply.gseq); /* all servers have its JOIN, say */
    ck_assert(reply.vouched);
    end();
}
END_TEST

START_TEST(at_a_server_that_was_promoted_nobody_is_the_first)
{
    begin();
    store_set_fence(store, "run1.y"); /* it has got its first replica */
    struct store *promoted = store_copy(store);
    enter(A);
    say(STORE_READY, A);
    ck_assert(reply.vouched);
    end();
    store = promoted;
    store_set_fence(store, "run2.z");
    enter(B);
    say(STORE_READY, B);
    ck_assert(!reply.recovering);
    ck_assert(!is_vouched(B));
    end();
}
END_TEST

START_TEST(who_takes_part_in_a_recovery_was_vouched_for_before_or_was_not)
{
    begin();
    enter(A);
    store_set_fence(store, "run2.z");
    say_known(STORE_JOIN, B, 1);
    say(STORE_EPOCH, B);
    state(B);
    say(STORE_JOIN, C);
    state(C);
    state(A);
    say(STORE_READY, A);
    ck_assert(!reply.recovering);
    ck_assert(is_vouched(A));
    ck_assert(is_vouched(B));
    ck_assert(!is_vouched(C));
    end();
}
END_TEST

START_TEST(who_joins_an_open_epoch_is_new_there_whatever_it_was_before)
{
    begin();
    enter(A);
    say_known(STORE_JOIN, B, 1);
    state(B);
    ck_assert(!reply.vouched);
    end();
}
END_TEST

START_TEST(if_nobody_is_left_who_could_an_operator_has_vouched_for_all)
{
    begin();
    enter(A);
    enter(B);
    enter(C);
    ck_assert_int_eq(leave("an unknown one"), STORE_STRANGER);
    ck_assert_int_eq(leave(A), STORE_OK);
    ck_assert(is_vouched(B));
    ck_assert(is_vouched(C));
    end();
}
END_TEST

START_TEST(one_that_nobody_knows_is_let_go_where_nobody_can_vouch)
{
    begin();
    store_set_fence(store, "run2.z");
    enter(B);
    say(STORE_READY, B);
    ck_assert(!is_vouched(B));
    ck_assert_int_eq(leave("an unknown one"), STORE_OK);
    ck_assert(is_vouched(B));
    ck_assert_int_eq(leave("an unknown one"), STORE_STRANGER);
    end();
}
END_TEST

START_TEST(a_replica_is_remembered_also_by_a_server_that_has_none)
{
    begin();
    enter(A);
    ck_assert(reply.alone);
    store_set_replicas(store, true);
    say(STORE_BEAT, A);
    ck_assert(!reply.alone);
    store_set_replicas(store, false);
    say(STORE_BEAT, A);
    ck_assert(!reply.alone);
    end();
}
END_TEST

UNIT_MAIN(nobody_need_vouch_for_the_first_and_somebody_for_all_others,
          who_has_not_stated_its_rows_is_not_counted_and_so_not_vouched_for,
          who_vouches_was_vouched_for_or_need_not_be,
          at_a_server_that_was_promoted_nobody_is_the_first,
          who_takes_part_in_a_recovery_was_vouched_for_before_or_was_not,
          who_joins_an_open_epoch_is_new_there_whatever_it_was_before,
          if_nobody_is_left_who_could_an_operator_has_vouched_for_all,
          one_that_nobody_knows_is_let_go_where_nobody_can_vouch,
          a_replica_is_remembered_also_by_a_server_that_has_none)
