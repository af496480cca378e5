/* Holds that grow with their stream, and streams that are stopped. */
#include "../books/sample.h"
#include "../budget/fixture.h"
#include "budget/headroom.h"
#include "pipeline/pipeline.h"
#include "transport.h"

#define SLICE 40

/* A worker with a ledger, a budget of USD, and a stream of up to 1000 tokens on it. */
struct river {
    struct clock_fake clock;
    struct sample_dir dir;
    struct house house;
    struct worker worker;
    struct fixture budgets;
    struct model model;
    struct upstream upstream;
    struct charge charges[CHARGE_MOST];
    struct transfer transfer;
    struct request *request;
    struct call call;
};

static void open_worker(struct river *river)
{
    struct fault fault;
    struct ledger_replay replay;
    const struct ledger_options options = {.dir = river->dir.path,
                                           .node = TEXT("test"),
                                           .clock = &river->clock.clock,
                                           .fsync_ms = 50,
                                           .rotate_bytes = 1 << 28,
                                           .price_version = TEXT("0")};
    river->house.ledger = ledger_open(&options, &replay, &fault);
    ck_assert_ptr_nonnull(river->house.ledger);
    ledger_start(river->house.ledger);
    struct terms *terms = terms_new();
    terms->slice_tokens = SLICE;
    worker_open(&river->worker, &river->house, terms, &river->clock.clock);
    terms_drop(terms);
}

static void river_open(struct river *river, int64_t limit)
{
    *river = (struct river){.clock = clock_fake_at(SAMPLE_US), .dir = sample_dir_make()};
    open_worker(river);
    river->budgets = fixture_new();
    fixture_budget(&river->budgets, "purse", SCOPE_GLOBAL, UNIT_USD, limit);
    river->budgets.options.budgets = river->budgets.budgets;
    river->house.gate = gate_open(&river->budgets.options);
    river->model = (struct model){.name = TEXT("gpt-4o"), .price = fixture_price(1, 2)};
    river->upstream = (struct upstream){.name = TEXT("fake"), .cancel_saves = true};
    river->transfer = (struct transfer){.status = 200, .all_sent = true};
    river->request = request_open(&river->worker);
    river->request->body = (struct body){.stream = true, .choices = 1};
    river->request->model = &river->model;
    river->request->upstream = &river->upstream;
}

/* The call's hold is granted. */
static void river_flow(struct river *river)
{
    struct ask ask = fixture_ask(&river->budgets, 10, 1000);
    struct grant grant;
    struct call *call = &river->call;
    rolling_fill_ask(river->request, &ask);
    gate_reserve(river->house.gate, &ask, NULL, 0, &grant);
    ck_assert_int_eq(grant.verdict, VERDICT_GRANTED);
    *call = (struct call){.worker = &river->worker,
                          .terms = river->worker.terms,
                          .endpoint = ENDPOINT_CHAT,
                          .choices = 1,
                          .upstream = &river->upstream,
                          .model = &river->model,
                          .transfer = &river->transfer,
                          .mode = CALL_EVENTS,
                          .started = true,
                          .entry = {.request_id = TEXT("req_1"),
                                    .call = TEXT("req_1.1"),
                                    .attempt = 1,
                                    .model = TEXT("gpt-4o"),
                                    .ttft_ms = -1,
                                    .duration_ms = -1}};
    reserve_fill_held(&ask, &grant, &call->arena, &call->held);
    rolling_begin(call, river->request);
    call_open_gauge(call);
}

static void river_close(struct river *river)
{
    struct call *call = &river->call;
    if (call->worker != NULL) {
        settle_call(call);
        ck_assert_uint_eq(gate_open_holds(river->house.gate), 0);
        gauge_close(&call->gauge);
        ending_close(&call->ending);
        arena_close(&call->arena);
    }
    request_close(river->request);
    worker_close(&river->worker);
    gate_close(river->house.gate);
    zone_close(river->budgets.zone);
    ledger_close(river->house.ledger);
    sample_dir_remove(&river->dir);
}

/* So many tokens come, one a read, at ten a second. */
static void generate(struct river *river, int tokens)
{
    for (int i = 0; i < tokens && !river->call.cancelled; i++) {
        clock_fake_advance(&river->clock, 100000);
        int64_t now_us = river->clock.steady_us;
        gauge_read(&river->call.gauge,
                   TEXT("{\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"}}]}"), now_us);
        rolling_note(&river->call, TEXT("{"));
        rolling_check(&river->call);
        int64_t need = gauge_tokens(&river->call.gauge) + GAUGE_LEAST_SLACK;
        ck_assert(river->call.cancelled || river->call.held.held_output == 1000 ||
                  need <= river->call.held.held_output);
    }
}

static int64_t slice_of(const struct request *request)
{
    struct ask ask = {0};
    rolling_fill_ask(request, &ask);
    return ask.slice_tokens;
}

START_TEST(only_streams_that_can_be_stopped_hold_slices)
{
    struct river river;
    river_open(&river, 100000);
    struct request *request = river.request;
    ck_assert_int_eq(slice_of(request), SLICE + GAUGE_FIRST_SLACK);
    request->body.stream = false;
    ck_assert_int_eq(slice_of(request), 0);
    request->body = (struct body){.stream = true, .choices = 1, .audio = true};
    ck_assert_int_eq(slice_of(request), 0);
    request->body = (struct body){.stream = true, .choices = 2, .unseen = true};
    ck_assert_int_eq(slice_of(request), 0);
    request->body = (struct body){.stream = true, .choices = ENDING_MOST_CHOICES + 1};
    ck_assert_int_eq(slice_of(request), 0);
    request->body.choices = 1;
    request->searches = 1;
    ck_assert_int_eq(slice_of(request), 0);
    request->searches = 0;
    river.model.reasoning = true;
    ck_assert_int_eq(slice_of(request), 0);
    request->model = NULL;
    ck_assert_int_eq(slice_of(request), 0);
    request->model = &river.model;
    river.model.reasoning = false;
    river.upstream.cancel_saves = false;
    ck_assert_int_eq(slice_of(request), 0);
    river.upstream.cancel_saves = true;
    request->endpoint = ENDPOINT_EMBEDDINGS;
    ck_assert_int_eq(slice_of(request), 0);
    river_close(&river);
}
END_TEST

START_TEST(a_hold_is_always_ahead_of_what_is_generated)
{
    struct river river;
    river_open(&river, 100000);
    river_flow(&river);
    ck_assert_int_eq(river.call.held.held_output, SLICE + GAUGE_FIRST_SLACK);
    generate(&river, 900);
    ck_assert(!river.call.cancelled);
    ck_assert_int_le(river.call.held.held_output, 1000);
    ck_assert_int_eq(river.call.held.amount.nano, 10 + 2 * river.call.held.held_output);
    ck_assert_int_eq(river.call.held.charges[0].amount, river.call.held.amount.nano);
    generate(&river, 99);
    ck_assert_int_eq(river.call.held.held_output, 1000);
    ck_assert(!river.call.cancelled);
    river_close(&river);
}
END_TEST

START_TEST(a_stream_is_stopped_when_its_hold_is_used_up)
{
    struct river river;
    river_open(&river, 2010);
    river_flow(&river);
    /* Somebody else spends what is left but 200 tokens. */
    struct ask ask = fixture_ask(&river.budgets, 0, 800);
    struct grant grant;
    gate_reserve(river.house.gate, &ask, NULL, 0, &grant);
    ck_assert_int_eq(grant.verdict, VERDICT_GRANTED);
    generate(&river, 1000);
    ck_assert(river.call.cancelled);
    ck_assert_str_eq(river.call.stop_reason, "budget");
    ck_assert_ptr_nonnull(river.call.stopped_by);
    UNIT_TEXT(river.call.stopped_by->budget, "purse");
    ck_assert_int_ge(river.call.held.held_output, 190);
    ck_assert_int_ge(gauge_tokens(&river.call.gauge), river.call.held.held_output - 30);
    settle_decide(&river.call);
    ck_assert_int_eq(river.call.entry.usage_source, USAGE_COUNTED);
    ck_assert_int_eq(river.call.entry.completion_tokens, river.call.held.held_output);
    ck_assert_int_eq(river.call.entry.cost.nano, river.call.held.amount.nano);
    gate_settle(river.house.gate, grant.hold, &(struct spend){{0}}, NULL);
    river_close(&river);
}
END_TEST

START_TEST(what_comes_at_once_is_covered_if_there_is_enough)
{
    struct river river;
    river_open(&river, 100000);
    river_flow(&river);
    for (int i = 0; i < 600; i++)
        gauge_read(&river.call.gauge,
                   TEXT("{\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"}}]}"), 1);
    rolling_check(&river.call);
    ck_assert(!river.call.cancelled);
    ck_assert_int_eq(river.call.held.held_output, 1000); /* at such a pace all is slack */
    river_close(&river);
}
END_TEST

START_TEST(an_upstream_waits_only_under_a_full_hold)
{
    struct river river;
    river_open(&river, 100000);
    river_flow(&river);
    ck_assert(rolling_hold_all(&river.call));
    ck_assert_int_eq(river.call.held.held_output, 1000);
    ck_assert(rolling_hold_all(&river.call));
    river_close(&river);
    river_open(&river, 2010);
    river_flow(&river);
    struct ask ask = fixture_ask(&river.budgets, 0, 800);
    struct grant grant;
    gate_reserve(river.house.gate, &ask, NULL, 0, &grant);
    ck_assert(!rolling_hold_all(&river.call));
    ck_assert(river.call.cancelled);
    gate_settle(river.house.gate, grant.hold, &(struct spend){{0}}, NULL);
    river_close(&river);
}
END_TEST

/* The budget's ceiling is granted by a lessor, and so high for now. */
static void lease(struct river *river, int64_t ceiling)
{
    struct core_options *options = &river->budgets.options;
    struct ask ask = fixture_ask(&river->budgets, 0, 1);
    struct grant grant;
    gate_reserve(river->house.gate, &ask, NULL, 0, &grant);
    struct charge charge = grant.charges[0];
    charge.id = TEXT("all");
    charge.amount = ceiling;
    gate_settle(river->house.gate, grant.hold, &(struct spend){{0}}, NULL);
    gate_close(river->house.gate);
    options->leased = true;
    options->usd_step = 1;
    river->house.gate = gate_open(options);
    gate_restore_ceiling(river->house.gate, &charge);
}

static void lessor_answers(struct river *river, const struct growth_answer *answer)
{
    struct growth growth;
    struct core *core = gate_enter(river->house.gate);
    ck_assert_uint_eq(headroom_take(core, &growth, 1), 1);
    headroom_answer(core, growth.account, answer);
    gate_exit(river->house.gate);
}

START_TEST(what_only_waits_for_the_lessor_is_not_stopped)
{
    struct river river;
    river_open(&river, 100000);
    lease(&river, 500);
    river_flow(&river);
    ck_assert(!rolling_hold_all(&river.call)); /* a slow client: it is read on */
    ck_assert(!river.call.cancelled);
    lessor_answers(&river, &(struct growth_answer){.grown = 5000});
    ck_assert(rolling_hold_all(&river.call));
    river_close(&river);
}
END_TEST

START_TEST(where_no_lessor_answers_a_slow_client_ends_its_stream)
{
    struct river river;
    river_open(&river, 100000);
    lease(&river, 500);
    river_flow(&river);
    lessor_answers(&river, &(struct growth_answer){.away = true});
    ck_assert(!rolling_hold_all(&river.call));
    ck_assert(river.call.cancelled);
    river_close(&river);
}
END_TEST

START_TEST(a_full_hold_is_left_alone)
{
    struct river river;
    river_open(&river, 100000);
    river.upstream.cancel_saves = false;
    river_flow(&river);
    ck_assert(!river.call.rolling);
    ck_assert_int_eq(river.call.held.held_output, 1000);
    rolling_check(&river.call);
    ck_assert(rolling_hold_all(&river.call));
    river_close(&river);
}
END_TEST

START_TEST(who_bills_more_than_was_held_gets_full_holds)
{
    struct river river;
    river_open(&river, 100000);
    river_flow(&river);
    rolling_learn(&river.call, false);
    ck_assert_int_gt(slice_of(river.request), 0);
    rolling_learn(&river.call, true);
    ck_assert_int_eq(slice_of(river.request), 0);
    clock_fake_advance(&river.clock, 3599 * INT64_C(1000000));
    loop_turn(river.worker.loop, 0);
    ck_assert_int_eq(slice_of(river.request), 0);
    clock_fake_advance(&river.clock, 2 * INT64_C(1000000));
    loop_turn(river.worker.loop, 0);
    ck_assert_int_gt(slice_of(river.request), 0);
    river_close(&river);
}
END_TEST

START_TEST(the_slack_of_a_fast_upstream_is_larger_from_the_beginning)
{
    struct river river;
    river_open(&river, 100000);
    river_flow(&river);
    river.call.gauge.per_second = 800;
    rolling_learn(&river.call, false);
    ck_assert_int_eq(slice_of(river.request), SLICE + 400);
    river.request->body.choices = 3;
    ck_assert_int_eq(slice_of(river.request), SLICE + 134);
    river.call.gauge.per_second = 0;
    rolling_learn(&river.call, false);
    ck_assert_int_eq(slice_of(river.request), SLICE + 117); /* 700 a second */
    river_close(&river);
}
END_TEST

/* 200 tokens come in one event. */
static void take_a_clump(struct river *river)
{
    struct buffer event = {0};
    buffer_put(&event, TEXT("{\"choices\":[{\"index\":0,\"delta\":{\"content\":\""));
    for (int i = 0; i < 200; i++)
        buffer_put(&event, TEXT(" word"));
    buffer_put(&event, TEXT("\"}}]}"));
    gauge_read(&river->call.gauge, buffer_text(&event), river->clock.steady_us);
    buffer_close(&event);
}

/* Before anybody looks at it the client has left. */
static void leave_behind_a_clump(struct river *river)
{
    take_a_clump(river);
    river->call.cancelled = true;
    settle_decide(&river->call);
}

START_TEST(what_comes_at_once_before_a_client_leaves_is_held_before_it_is_booked)
{
    struct river river;
    river_open(&river, 100000);
    river_flow(&river);
    leave_behind_a_clump(&river);
    ck_assert_int_eq(river.call.entry.completion_tokens, 201 + 400);
    ck_assert_int_eq(river.call.held.held_output, 601);
    ck_assert_int_eq(river.call.entry.cost.nano, river.call.held.amount.nano);
    river_close(&river);
}
END_TEST

/* So much room is left of the budget that the hold can grow to so many tokens of output. */
static void leave_behind_a_clump_with_room(int64_t most, int64_t held)
{
    struct river river;
    river_open(&river, 10 + 2 * 1000);
    river_flow(&river);
    struct ask other = fixture_ask(&river.budgets, 1980 - 2 * most, 10);
    struct grant grant;
    gate_reserve(river.house.gate, &other, NULL, 0, &grant);
    ck_assert_int_eq(grant.verdict, VERDICT_GRANTED);
    leave_behind_a_clump(&river);
    ck_assert_int_eq(river.call.held.held_output, held);
    ck_assert_int_eq(river.call.entry.completion_tokens, held);
    const struct spend used = {{0}};
    struct money over;
    gate_settle(river.house.gate, grant.hold, &used, &over);
    river_close(&river);
}

START_TEST(where_the_slack_has_no_room_what_came_is_held_all_the_same)
{
    leave_behind_a_clump_with_room(203, 201);
}
END_TEST

START_TEST(where_not_all_of_the_slack_has_room_a_part_is_held)
{
    leave_behind_a_clump_with_room(450, 301);
    leave_behind_a_clump_with_room(300, 226);
    leave_behind_a_clump_with_room(214, 207);
}
END_TEST

/* With what came at once the upstream reports its tokens, and ends. */
static void end_with_a_clump(struct river *river, int64_t reported)
{
    river_open(river, 100000);
    river_flow(river);
    ck_assert_int_lt(river->call.held.held_output, 1000);
    take_a_clump(river);
    river->transfer.end = TRANSFER_COMPLETE;
    river->call.done = true;
    river->call.usage_result = USAGE_FOUND;
    river->call.usage_final = true;
    river->call.usage = (struct usage){.prompt = 10, .completion = reported};
    settle_call(&river->call);
}

/* Its call is settled. */
static void river_dry(struct river *river)
{
    river->call.held.hold = 0;
    river_close(river);
}

START_TEST(a_report_that_comes_with_all_it_tells_is_no_overrun)
{
    struct river river;
    end_with_a_clump(&river, 590);
    ck_assert_int_eq(river.call.held.held_output, 590);
    ck_assert_int_eq(river.call.entry.completion_tokens, 590);
    ck_assert_int_eq(river.call.entry.cost.nano, river.call.held.amount.nano);
    ck_assert_int_gt(slice_of(river.request), 0);
    river_dry(&river);
}
END_TEST

START_TEST(a_report_of_more_than_could_be_seen_is)
{
    struct river river;
    end_with_a_clump(&river, 900);
    ck_assert_int_lt(river.call.held.held_output, 900);
    ck_assert_int_eq(river.call.entry.completion_tokens, 900);
    ck_assert_int_eq(slice_of(river.request), 0);
    river_dry(&river);
}
END_TEST

UNIT_MAIN(who_bills_more_than_was_held_gets_full_holds,
          the_slack_of_a_fast_upstream_is_larger_from_the_beginning,
          what_comes_at_once_before_a_client_leaves_is_held_before_it_is_booked,
          where_the_slack_has_no_room_what_came_is_held_all_the_same,
          where_not_all_of_the_slack_has_room_a_part_is_held,
          a_report_that_comes_with_all_it_tells_is_no_overrun,
          a_report_of_more_than_could_be_seen_is, only_streams_that_can_be_stopped_hold_slices,
          a_hold_is_always_ahead_of_what_is_generated, a_stream_is_stopped_when_its_hold_is_used_up,
          what_comes_at_once_is_covered_if_there_is_enough,
          what_only_waits_for_the_lessor_is_not_stopped,
          where_no_lessor_answers_a_slow_client_ends_its_stream,
          an_upstream_waits_only_under_a_full_hold, a_full_hold_is_left_alone)
