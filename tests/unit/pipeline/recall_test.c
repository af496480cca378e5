/* Requests that follow somebody's call. */
#include "desk.h"
#include "pipeline/recall.h"

struct follow {
    struct desk desk;
    struct flight *flight; /* somebody else's */
};

static void drop_letter(void *context, struct letter *letter)
{
    (void)context;
    letter_free(letter);
}

/* A request that waits for the head of somebody's call. */
static void follow_open(struct follow *follow, enum recording_shape shape)
{
    static const uint8_t digest[FINGERPRINT_SIZE] = {7};
    struct desk *desk = &follow->desk;
    desk_open(desk);
    desk->worker.mailbox = mailbox_open(desk->worker.loop, drop_letter, NULL);
    desk->house.cache =
        cache_open(&(struct cache_options){.bytes_most = 1024 * 1024, .ttl_us = 1000000});
    struct recall *recall = &desk->request->recall;
    recall->follower.mailbox = desk->worker.mailbox;
    recall->follower.request = desk->request->id;
    struct cache_question question = {
        .digest = digest, .shape = shape, .lead = true, .follower = &recall->follower};
    struct cache_found found;
    cache_ask(desk->house.cache, &question, &found);
    ck_assert_int_eq(found.answer, CACHE_LEAD);
    follow->flight = found.flight;
    cache_ask(desk->house.cache, &question, &found);
    ck_assert_int_eq(found.answer, CACHE_FOLLOW);
    recall->state = RECALL_FOLLOW;
}

static void begin(struct follow *follow, enum recording_shape shape)
{
    struct recording *recording = flight_recording(follow->flight);
    recording_begin(recording, &(struct recording_head){.status = 200, .shape = shape});
    recording_put(recording, TEXT("{}"));
    flight_flush(follow->flight);
}

static void end(struct follow *follow)
{
    recording_end(flight_recording(follow->flight), RECORDING_COMPLETE, MONEY_ZERO);
    flight_end(follow->flight, false, 0);
}

static void follow_close(struct follow *follow)
{
    struct desk *desk = &follow->desk;
    recall_close(desk->request);
    cache_close(desk->house.cache);
    mailbox_close(desk->worker.mailbox);
    desk_close(desk);
}

START_TEST(a_stream_is_followed_from_its_head_on)
{
    struct follow follow;
    follow_open(&follow, RECORDING_EVENTS);
    ck_assert_int_eq(recall_awake(follow.desk.request), GO_WAIT);
    begin(&follow, RECORDING_EVENTS);
    ck_assert_int_eq(recall_awake(follow.desk.request), GO_ON);
    ck_assert_uint_eq(atomic_load(&follow.desk.house.recalled[RECALL_FOLLOW]), 1);
    end(&follow);
    follow_close(&follow);
}
END_TEST

/* Another thread may look between the head of a whole answer and its end. */
START_TEST(a_whole_answer_is_waited_for_to_its_end)
{
    struct follow follow;
    follow_open(&follow, RECORDING_WHOLE);
    begin(&follow, RECORDING_WHOLE);
    ck_assert_int_eq(recall_awake(follow.desk.request), GO_WAIT);
    ck_assert_uint_eq(atomic_load(&follow.desk.house.recalled[RECALL_FOLLOW]), 0);
    end(&follow);
    ck_assert(follow.desk.request->recall.follower.told);
    ck_assert_int_eq(recall_awake(follow.desk.request), GO_ON);
    ck_assert_uint_eq(atomic_load(&follow.desk.house.recalled[RECALL_FOLLOW]), 1);
    follow_close(&follow);
}
END_TEST

UNIT_MAIN(a_stream_is_followed_from_its_head_on, a_whole_answer_is_waited_for_to_its_end)
