/* Waiting for a budget: until there is room, until the time is up, and asking again when the
 * budgets change meanwhile. */
#include "desk.h"
#include "transport.h"

#define WAIT_MS INT64_C(5000)

/* A request that waits: somebody else holds most of the only budget. */
struct queue {
    struct desk desk;
    struct fixture budgets;
    struct model model;
    struct grant before; /* the other's hold */
    enum next next;      /* what the step said last */
    int letters;
};

static void deliver(void *context, struct letter *letter)
{
    struct queue *queue = context;
    struct request *request = queue->desk.request;
    ck_assert_uint_eq(letter->to, request->id);
    queue->letters++;
    reserve_take(request, letter->body);
    queue->next = reserve_awake(request);
    letter_free(letter);
}

static void time_is_up(void *context)
{
    struct queue *queue = context;
    queue->next = reserve_awake(queue->desk.request);
}

static void redefine(struct queue *queue, int64_t limit)
{
    queue->budgets.budgets[0].limit[UNIT_USD] = limit;
    queue->budgets.options.budgets = queue->budgets.budgets;
    gate_redefine(queue->desk.house.gate, &queue->budgets.options);
}

/* An input whose count is 100, too: without a public tokeniser it is bytes. */
#define HUNDRED_BYTES                                                                              \
    "{\"input\":\"0123456789012345678901234567890123456789012345678901234567890123456789012345678" \
    "901234567890123456789\"}"

static const struct upstream nobodys = {.provider = {NULL, 0}};

static void fill_request(struct queue *queue)
{
    struct request *request = queue->desk.request;
    queue->model = (struct model){.name = TEXT("m"), .price = fixture_price(1, 2)};
    request->subject = queue->budgets.subject;
    request->model = &queue->model;
    request->upstream = &nobodys;
    request->endpoint = ENDPOINT_EMBEDDINGS;
    request->body.endpoint = ENDPOINT_CHAT;
    request->body.raw = TEXT(HUNDRED_BYTES);
    request->body.input_bound = 100;
    request->body.prompts = 1;
    request->body.choices = 1;
    request->body.max_output = 50;
    request->step = STEP_RESERVE;
    request->timer.due = time_is_up;
    request->timer.context = queue;
}

static void queue_open(struct queue *queue)
{
    memset(queue, 0, sizeof(*queue));
    desk_open(&queue->desk);
    queue->desk.terms->wait_ms = WAIT_MS;
    queue->desk.worker.mailbox = mailbox_open(queue->desk.worker.loop, deliver, queue);
    queue->budgets = fixture_new();
    fixture_budget(&queue->budgets, "org", SCOPE_GLOBAL, UNIT_USD, 1000);
    queue->budgets.options.budgets = queue->budgets.budgets;
    queue->budgets.options.clamp = CLAMP_NEVER;
    queue->desk.house.gate = gate_open(&queue->budgets.options);
    struct ask ask = fixture_ask(&queue->budgets, 900, 0);
    gate_reserve(queue->desk.house.gate, &ask, NULL, 0, &queue->before);
    ck_assert_int_eq(queue->before.verdict, VERDICT_GRANTED);
    fill_request(queue);
    queue->next = reserve_request(queue->desk.request);
    ck_assert_int_eq(queue->next, GO_WAIT);
}

static void settle(struct queue *queue, uint64_t hold)
{
    gate_settle(queue->desk.house.gate, hold, &(struct spend){{0}}, NULL);
}

static void queue_close(struct queue *queue)
{
    settle(queue, queue->before.hold);
    if (queue->desk.request->held.hold != 0)
        settle(queue, queue->desk.request->held.hold);
    queue->desk.request->step = STEP_OVER;
    ck_assert_uint_eq(gate_open_holds(queue->desk.house.gate), 0);
    mailbox_close(queue->desk.worker.mailbox);
    gate_close(queue->desk.house.gate);
    zone_close(queue->budgets.zone);
    desk_close(&queue->desk);
}

static void turn_after(struct queue *queue, int64_t ms)
{
    clock_fake_advance(&queue->desk.clock, ms * 1000);
    loop_turn(queue->desk.worker.loop, 0);
}

START_TEST(goes_on_when_other_budgets_have_room)
{
    struct queue queue;
    queue_open(&queue);
    redefine(&queue, 2000);
    turn_after(&queue, 0);
    ck_assert_int_eq(queue.letters, 1);
    ck_assert_int_eq(queue.next, GO_ON);
    ck_assert_int_eq(queue.desk.request->held.amount.nano, 200);
    ck_assert_uint_eq(queue.desk.request->waiter, 0);
    queue_close(&queue);
}
END_TEST

START_TEST(is_refused_when_other_budgets_are_too_small)
{
    struct queue queue;
    queue_open(&queue);
    redefine(&queue, 150);
    turn_after(&queue, 0);
    ck_assert_int_eq(queue.next, GO_BOOKS);
    desk_expect(&queue.desk, 400, "request_cost_exceeds_limit");
    queue_close(&queue);
}
END_TEST

START_TEST(waits_on_for_what_is_left_of_its_time)
{
    struct queue queue;
    queue_open(&queue);
    turn_after(&queue, WAIT_MS - 1000);
    redefine(&queue, 1050);
    turn_after(&queue, 0);
    ck_assert_int_eq(queue.letters, 1);
    ck_assert_int_eq(queue.next, GO_WAIT);
    ck_assert_uint_ne(queue.desk.request->waiter, 0);
    turn_after(&queue, 999);
    ck_assert_int_eq(queue.next, GO_WAIT);
    turn_after(&queue, 2);
    ck_assert_int_eq(queue.next, GO_BOOKS);
    desk_expect(&queue.desk, 429, "budget_contention");
    queue_close(&queue);
}
END_TEST

START_TEST(is_granted_by_letter_after_having_asked_again)
{
    struct queue queue;
    queue_open(&queue);
    redefine(&queue, 1050);
    turn_after(&queue, 0);
    ck_assert_int_eq(queue.next, GO_WAIT);
    settle(&queue, queue.before.hold);
    turn_after(&queue, 0);
    ck_assert_int_eq(queue.letters, 2);
    ck_assert_int_eq(queue.next, GO_ON);
    queue.before.hold = queue.desk.request->held.hold;
    queue.desk.request->held.hold = 0;
    queue_close(&queue);
}
END_TEST

START_TEST(does_not_wait_anew_if_its_time_ran_out_before_it_could_ask_again)
{
    struct queue queue;
    queue_open(&queue);
    redefine(&queue, 1050);
    /* The timer is due in the turn in which the letter is there. */
    loop_timer_cancel(queue.desk.worker.loop, &queue.desk.request->timer);
    ck_assert_int_eq(reserve_awake(queue.desk.request), GO_WAIT);
    turn_after(&queue, 0);
    ck_assert_int_eq(queue.letters, 1);
    ck_assert_int_eq(queue.next, GO_BOOKS);
    desk_expect(&queue.desk, 429, "budget_contention");
    queue_close(&queue);
}
END_TEST

static struct grant ask_for(struct queue *queue, const char *input, const struct upstream *upstream)
{
    struct request *request = queue->desk.request;
    struct grant grant;
    struct ask ask;
    request->upstream = upstream;
    request->model_sent = TEXT("text-embedding-3-small");
    request->body.raw = text_of(input);
    reserve_fill_ask(request, &ask);
    reserve_ask(request, &ask, 0, &grant);
    return grant;
}

START_TEST(is_counted_where_its_bytes_do_not_fit)
{
    static const struct upstream openai = {.provider = TEXT("openai")};
    struct queue queue;
    queue_open(&queue);
    ck_assert(gate_leave(queue.desk.house.gate, queue.desk.request->waiter));
    struct grant grant = ask_for(&queue, "{\"input\":\"hello world\"}", &openai);
    ck_assert_int_eq(grant.verdict, VERDICT_WAIT); /* 2 + 50 x 2 do not fit beside 900 */
    ck_assert(gate_leave(queue.desk.house.gate, grant.waiter));
    queue.desk.request->body.max_output = 49;
    grant = ask_for(&queue, "{\"input\":\"hello world\"}", &openai);
    ck_assert_int_eq(grant.verdict, VERDICT_GRANTED);
    ck_assert_int_eq(grant.amount.nano, 2 + 49 * 2);
    settle(&queue, grant.hold);
    queue_close(&queue);
}
END_TEST

START_TEST(is_not_counted_where_its_bytes_fit)
{
    static const struct upstream openai = {.provider = TEXT("openai")};
    struct queue queue;
    queue_open(&queue);
    ck_assert(gate_leave(queue.desk.house.gate, queue.desk.request->waiter));
    redefine(&queue, 2000);
    struct grant grant = ask_for(&queue, "{\"input\":\"hello world\"}", &openai);
    ck_assert_int_eq(grant.amount.nano, 100 + 50 * 2);
    settle(&queue, grant.hold);
    queue_close(&queue);
}
END_TEST

START_TEST(images_of_an_unknown_family_have_the_models_bound)
{
    struct queue queue;
    queue_open(&queue);
    struct request *request = queue.desk.request;
    struct ask ask;
    request->body.images = 1;
    reserve_fill_ask(request, &ask);
    ck_assert_int_eq(ask.bound.input_tokens, INT64_MAX);
    ck_assert(!ask.may_recount);
    queue.model.max_input_tokens = 5000;
    reserve_fill_ask(request, &ask);
    ck_assert_int_eq(ask.bound.input_tokens, 5000);
    static const struct upstream openai = {.provider = TEXT("openai")};
    request->upstream = &openai;
    request->model_sent = TEXT("gpt-4o");
    reserve_fill_ask(request, &ask);
    ck_assert_int_eq(ask.bound.input_tokens, 100 + 85 + 8 * 170);
    ck_assert(ask.may_recount);
    ck_assert(gate_leave(queue.desk.house.gate, request->waiter));
    queue_close(&queue);
}
END_TEST

UNIT_MAIN(goes_on_when_other_budgets_have_room, is_refused_when_other_budgets_are_too_small,
          waits_on_for_what_is_left_of_its_time, is_granted_by_letter_after_having_asked_again,
          does_not_wait_anew_if_its_time_ran_out_before_it_could_ask_again,
          is_counted_where_its_bytes_do_not_fit, is_not_counted_where_its_bytes_fit,
          images_of_an_unknown_family_have_the_models_bound)
