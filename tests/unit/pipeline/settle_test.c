/* What a call costs, whatever ended it: the rows of the design's "What ends a call". */
#include "desk.h"
#include "transport.h"

/* The limit of the only budget; the call's hold: 100 tokens in, at most 50 out. */
#define LIMIT INT64_C(100000)
#define HELD  (100 * 1 + 50 * 2)

/* A call that holds its worst in a budget of USD, one of tokens and one of requests. */
struct till {
    struct desk desk;
    struct fixture budgets;
    struct model model;
    struct upstream upstream;
    struct grant grant;
    struct transfer transfer;
    struct call call;
};

static void till_open(struct till *till)
{
    memset(till, 0, sizeof(*till));
    desk_open(&till->desk);
    till->budgets = fixture_new();
    fixture_budget(&till->budgets, "usd", SCOPE_GLOBAL, UNIT_USD, LIMIT);
    fixture_budget(&till->budgets, "tokens", SCOPE_KEY, UNIT_TOKENS, LIMIT);
    fixture_budget(&till->budgets, "requests", SCOPE_TEAM, UNIT_REQUESTS, LIMIT);
    till->budgets.options.budgets = till->budgets.budgets;
    till->desk.house.gate = gate_open(&till->budgets.options);
    till->model = (struct model){.name = TEXT("m"), .price = fixture_price(1, 2)};
    till->upstream = (struct upstream){.name = TEXT("fake")};
    struct ask ask = fixture_ask(&till->budgets, 100, 50);
    gate_reserve(till->desk.house.gate, &ask, NULL, 0, &till->grant);
    ck_assert_int_eq(till->grant.verdict, VERDICT_GRANTED);
    ck_assert_int_eq(till->grant.amount.nano, HELD);
    till->transfer = (struct transfer){.end = TRANSFER_COMPLETE, .status = 200, .all_sent = true};
    till->call = (struct call){
        .worker = &till->desk.worker,
        .terms = till->desk.terms,
        .upstream = &till->upstream,
        .model = &till->model,
        .transfer = &till->transfer,
        .started = true,
        .held = {.hold = till->grant.hold,
                 .max_output = 50,
                 .amount = till->grant.amount,
                 .input_tokens = 100,
                 .output_tokens = 50,
                 .charges = till->grant.charges,
                 .charge_count = till->grant.charge_count},
    };
}

static void till_close(struct till *till)
{
    gate_close(till->desk.house.gate);
    zone_close(till->budgets.zone);
    desk_close(&till->desk);
}

static int64_t spent(struct till *till, enum unit unit)
{
    struct account_view views[8];
    size_t count =
        gate_view(till->desk.house.gate, &till->budgets.subject, false, NOON_S, views, 8);
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(views[i].held, 0);
        if (views[i].unit == unit)
            return views[i].spent;
    }
    ck_abort_msg("no budget of that unit");
    return 0;
}

/* Settles; budgets, line and charges must agree. */
static void check_settled(struct till *till, int64_t nano, int64_t prompt, int64_t completion,
                          enum usage_source source)
{
    const struct entry *entry = &till->call.entry;
    settle_call(&till->call);
    ck_assert_int_eq(entry->cost.nano, nano);
    ck_assert_int_eq(entry->prompt_tokens, prompt);
    ck_assert_int_eq(entry->completion_tokens, completion);
    ck_assert_int_eq(entry->usage_source, source);
    ck_assert_uint_eq(gate_open_holds(till->desk.house.gate), 0);
    ck_assert_int_eq(spent(till, UNIT_USD), nano);
    ck_assert_int_eq(spent(till, UNIT_TOKENS), prompt + completion);
    ck_assert_int_eq(spent(till, UNIT_REQUESTS), 1);
    ck_assert_uint_eq(entry->charge_count, 3);
    for (size_t i = 0; i < entry->charge_count; i++)
        ck_assert_int_eq(entry->charges[i].amount, spent(till, entry->charges[i].unit));
}

static void check_free(struct till *till)
{
    check_settled(till, 0, 0, 0, USAGE_NONE);
}

static void check_held(struct till *till)
{
    check_settled(till, HELD, 100, 50, USAGE_BOUND);
}

static void report(struct till *till, int64_t prompt, int64_t completion)
{
    till->call.usage_result = USAGE_FOUND;
    till->call.usage_final = true;
    till->call.usage = (struct usage){.prompt = prompt, .completion = completion};
}

START_TEST(reported_usage_is_what_it_costs)
{
    struct till till;
    till_open(&till);
    report(&till, 10, 5);
    check_settled(&till, 20, 10, 5, USAGE_REPORTED);
    till_close(&till);
}
END_TEST

START_TEST(reported_usage_counts_whatever_ended_the_call)
{
    static const struct transfer ends[] = {
        {.end = TRANSFER_CUT, .status = 200, .all_sent = true},
        {.end = TRANSFER_COMPLETE, .status = 500, .all_sent = true},
        {.end = TRANSFER_COMPLETE, .status = 400, .all_sent = true},
        {.end = TRANSFER_RUNNING, .status = 200, .all_sent = true},
    };
    for (size_t i = 0; i < 2 * UNIT_COUNT(ends); i++) {
        struct till till;
        till_open(&till);
        report(&till, 10, 5);
        till.transfer = ends[i / 2];
        till.call.cancelled = i % 2 == 1;
        check_settled(&till, 20, 10, 5, USAGE_REPORTED);
        till_close(&till);
    }
}
END_TEST

START_TEST(a_bill_above_its_hold_is_booked_as_it_is)
{
    struct till till;
    till_open(&till);
    report(&till, 1000, 5000);
    check_settled(&till, 11000, 1000, 5000, USAGE_REPORTED);
    till_close(&till);
}
END_TEST

START_TEST(usage_that_is_a_running_count_or_damaged_is_not_taken)
{
    for (int way = 0; way < 3; way++) {
        struct till till;
        till_open(&till);
        report(&till, 10, 5);
        till.call.usage_final = way != 0;
        till.call.usage_result = way == 1 ? USAGE_INVALID : way == 2 ? USAGE_ABSENT : USAGE_FOUND;
        check_held(&till);
        till_close(&till);
    }
}
END_TEST

START_TEST(what_was_never_sent_is_free)
{
    struct till till;
    till_open(&till);
    till.transfer = (struct transfer){.end = TRANSFER_NOT_SENT};
    check_free(&till);
    till_close(&till);
    till_open(&till);
    till.call.started = false;
    till.call.cancelled = true;
    till.call.transfer = NULL;
    check_free(&till);
    till_close(&till);
}
END_TEST

START_TEST(what_ends_without_an_answer_costs_its_hold)
{
    static const enum transfer_end ends[] = {TRANSFER_UNANSWERED, TRANSFER_LATE};
    for (size_t i = 0; i < UNIT_COUNT(ends); i++) {
        struct till till;
        till_open(&till);
        till.transfer = (struct transfer){.end = ends[i], .all_sent = true};
        check_held(&till);
        till_close(&till);
    }
}
END_TEST

START_TEST(an_answer_that_is_cut_costs_its_hold)
{
    static const int statuses[] = {200, 400, 500};
    for (size_t i = 0; i < UNIT_COUNT(statuses); i++) {
        struct till till;
        till_open(&till);
        till.transfer.end = TRANSFER_CUT;
        till.transfer.status = statuses[i];
        check_held(&till);
        till_close(&till);
    }
}
END_TEST

START_TEST(a_whole_answer_costs_by_its_status)
{
    static const struct {
        int status;
        bool is_error, free;
    } cases[] = {
        {200, false, false}, {200, true, false},  {204, false, false}, {302, false, true},
        {400, true, true},   {400, false, true},  {401, true, true},   {404, true, true},
        {408, true, false},  {413, true, true},   {422, true, true},   {429, true, true},
        {499, true, false},  {500, true, true},   {500, false, false}, {502, true, false},
        {503, true, true},   {503, false, false}, {504, true, false},  {520, true, false},
        {527, true, false},  {529, true, true},   {529, false, false},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        struct till till;
        till_open(&till);
        till.transfer.status = cases[i].status;
        till.call.is_error = cases[i].is_error;
        if (cases[i].free)
            check_free(&till);
        else
            check_held(&till);
        till_close(&till);
    }
}
END_TEST

START_TEST(a_call_that_we_cut_costs_its_hold_once_it_was_sent)
{
    for (int sent = 0; sent < 2; sent++) {
        struct till till;
        till_open(&till);
        till.call.cancelled = true;
        till.transfer = (struct transfer){.end = TRANSFER_RUNNING, .all_sent = sent == 1};
        if (sent == 1)
            check_held(&till);
        else
            check_free(&till);
        till_close(&till);
    }
}
END_TEST

/* Seven tokens and their end were seen. */
static void see(struct till *till)
{
    till->upstream.cancel_saves = true;
    till->call.endpoint = ENDPOINT_CHAT;
    till->call.choices = 1;
    till->call.mode = CALL_EVENTS;
    till->call.held.held_output = 50;
    till->call.entry.model = TEXT("gpt-4o");
    call_open_gauge(&till->call);
    gauge_read(&till->call.gauge,
               TEXT("{\"choices\":[{\"delta\":{\"content\":\"one two one two one two one\"}}]}"),
               1);
    ck_assert_int_eq(gauge_tokens(&till->call.gauge), 8);
}

static void check_counted(struct till *till, int64_t output)
{
    check_settled(till, 100 + 2 * output, 100, output, USAGE_COUNTED);
    gauge_close(&till->call.gauge);
    till_close(till);
}

START_TEST(text_that_was_seen_is_counted_with_what_may_be_on_its_way)
{
    struct till till;
    till_open(&till); /* the client left, or purser stopped it */
    see(&till);
    till.call.cancelled = true;
    till.transfer.end = TRANSFER_RUNNING;
    check_counted(&till, 8 + gauge_slack(&till.call.gauge));
    till_open(&till); /* it died */
    see(&till);
    till.transfer.end = TRANSFER_CUT;
    check_counted(&till, 8 + gauge_slack(&till.call.gauge));
    till_open(&till); /* it ended with an error */
    see(&till);
    till.call.is_error = true;
    check_counted(&till, 8 + gauge_slack(&till.call.gauge));
    till_open(&till); /* it came to its end, but told no usage */
    see(&till);
    check_counted(&till, 8);
}
END_TEST

START_TEST(slack_goes_no_further_than_the_hold)
{
    struct till till;
    till_open(&till);
    see(&till);
    till.call.cancelled = true;
    till.call.held.output_tokens = 20;
    check_counted(&till, 20);
}
END_TEST

START_TEST(a_running_usage_tells_the_input)
{
    struct till till;
    till_open(&till);
    see(&till);
    report(&till, 30, 6);
    till.call.usage_final = false;
    till.call.cancelled = true;
    int64_t output = 8 + gauge_slack(&till.call.gauge);
    check_settled(&till, 30 + 2 * output, 30, output, USAGE_COUNTED);
    gauge_close(&till.call.gauge);
    till_close(&till);
}
END_TEST

START_TEST(where_not_all_is_seen_the_hold_is_booked)
{
    for (int way = 0; way < 6; way++) {
        struct till till;
        till_open(&till);
        see(&till);
        till.transfer.end = TRANSFER_CUT;
        till.upstream.cancel_saves = way != 0;
        till.call.hides = way == 1;
        till.call.gauge.opaque = way == 2;
        till.call.gauge.visible = way != 3;
        till.call.searches = way == 4;
        if (way == 5) { /* nobody believes such an upstream */
            till.transfer.end = TRANSFER_COMPLETE;
            till.call.usage_result = USAGE_INVALID;
        }
        check_held(&till);
        gauge_close(&till.call.gauge);
        till_close(&till);
    }
}
END_TEST

START_TEST(all_kinds_of_tokens_have_their_own_prices)
{
    struct model model = {.price = {.tier_count = 1}};
    static const int64_t pico[BUCKET_COUNT] = {
        [BUCKET_INPUT] = 1000000,       [BUCKET_CACHED_INPUT] = 100000,
        [BUCKET_CACHE_WRITE] = 1250000, [BUCKET_AUDIO_INPUT] = 5000000,
        [BUCKET_OUTPUT] = 2000000,      [BUCKET_AUDIO_OUTPUT] = 9000000,
        [BUCKET_REASONING] = 3000000,   [BUCKET_CACHE_WRITE_1H] = 1500000,
        [BUCKET_CACHED_AUDIO] = 700000, [BUCKET_IMAGE_OUTPUT] = 5000000,
        [BUCKET_IMAGE_INPUT] = 1100000,
    };
    model.price.tiers[0].above_input_tokens = -1;
    memcpy(model.price.tiers[0].rates.pico, pico, sizeof(pico));
    static const struct upstream upstream;
    struct call call = {.model = &model, .upstream = &upstream};
    call.usage = (struct usage){.prompt = 1000,
                                .cached = 400,
                                .cached_audio = 30,
                                .cache_write = 100,
                                .cache_write_5m = 60,
                                .audio_input = 50,
                                .image_input = 10,
                                .completion = 200,
                                .reasoning = 150,
                                .audio_output = 20,
                                .image_output = 5,
                                .reasoning_told = true,
                                .image_input_told = true,
                                .image_output_told = true};
    int64_t input =
        440 * 1000 + 370 * 100 + 30 * 700 + 60 * 1250 + 40 * 1500 + 50 * 5000 + 10 * 1100;
    ck_assert_int_eq(meter_cost(&call).nano, input + 25 * 2000 + 150 * 3000 + 20 * 9000 + 5 * 5000);
    /* what is not told apart is taken for the dearest that it may be */
    call.usage.reasoning = 0;
    call.usage.reasoning_told = false;
    ck_assert_int_eq(meter_cost(&call).nano, input + 175 * 3000 + 20 * 9000 + 5 * 5000);
    call.usage.image_output = 0;
    call.usage.image_output_told = false;
    ck_assert_int_eq(meter_cost(&call).nano, input + 180 * 5000 + 20 * 9000);
    call.model = NULL;
    ck_assert_int_eq(meter_cost(&call).nano, 0);
}
END_TEST

static int64_t cost_named(struct till *till, const char *cost, const char *key_cost)
{
    memset(till->call.usage.cost, 0, USAGE_COST_SIZE);
    memset(till->call.usage.key_cost, 0, USAGE_COST_SIZE);
    memcpy(till->call.usage.cost, cost, strlen(cost));
    memcpy(till->call.usage.key_cost, key_cost, strlen(key_cost));
    return meter_cost(&till->call).nano;
}

START_TEST(a_cost_that_openrouter_names_is_what_it_billed)
{
    struct till till;
    till_open(&till);
    report(&till, 10, 5); /* 20 by its price */
    till.upstream.names_cost = true;
    ck_assert_int_eq(cost_named(&till, "0.00000123", ""), 1230);
    ck_assert_int_eq(cost_named(&till, "0.00000123000000001", ""), 1231); /* rounded up */
    ck_assert_int_eq(cost_named(&till, "1e-6", "0.000002"), 3000);
    ck_assert_int_eq(cost_named(&till, "0", ""), 0);
    ck_assert_int_eq(cost_named(&till, "-1", ""), 20);
    ck_assert_int_eq(cost_named(&till, "1e30", ""), 20);
    ck_assert_int_eq(cost_named(&till, "0.1", "-1"), 20);
    ck_assert_int_eq(cost_named(&till, "", ""), 20);
    till.call.model = NULL;
    ck_assert_int_eq(cost_named(&till, "0.5", ""), 500000000);
    till_close(&till);
}
END_TEST

START_TEST(the_service_tier_that_the_answer_names_is_billed)
{
    const struct price flex = fixture_price(1, 1), priority = fixture_price(3, 6);
    struct till till;
    till_open(&till);
    report(&till, 10, 5); /* standard: 20, flex: 15, priority: 60 */
    till.model.price.services[SERVICE_FLEX] = &flex;
    till.model.price.services[SERVICE_PRIORITY] = &priority;
    static const struct {
        const char *named;
        unsigned held;
        int64_t nano;
    } cases[] = {
        {"default", 0, 20},
        {"", 0, 20},
        {"flex", SERVICE_BIT(SERVICE_FLEX), 15},
        {"default", SERVICE_BIT(SERVICE_FLEX), 20}, /* it was too busy for flex */
        {"", SERVICE_BIT(SERVICE_FLEX), 20},
        {"priority", SERVICE_BIT(SERVICE_PRIORITY), 60},
        {"default", SERVICE_BIT(SERVICE_PRIORITY), 20},
        {"", SERVICE_BIT(SERVICE_PRIORITY), 60}, /* nobody knows: the dearest it was held for */
        {"new", SERVICE_BIT(SERVICE_PRIORITY), 60},
        {"batch", 0, 20}, /* has no price here */
        {"priority", 0, 60},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        till.call.entry.service_tier = text_of(cases[i].named);
        till.call.held.bound.services = cases[i].held;
        ck_assert_msg(meter_cost(&till.call).nano == cases[i].nano, "case %zu", i);
    }
    till_close(&till);
}
END_TEST

START_TEST(nobody_elses_cost_is_believed)
{
    struct till till;
    till_open(&till);
    report(&till, 10, 5);
    ck_assert_int_eq(cost_named(&till, "0", ""), 20);
    ck_assert_int_eq(cost_named(&till, "9", ""), 20);
    till_close(&till);
}
END_TEST

START_TEST(without_a_price_or_a_budget_it_is_booked_all_the_same)
{
    struct till till;
    till_open(&till);
    gate_settle(till.desk.house.gate, till.grant.hold, &(struct spend){{0}}, NULL);
    till.call.held.hold = 0;
    till.call.held.charge_count = 0;
    till.call.model = NULL;
    report(&till, 10, 5);
    settle_call(&till.call);
    ck_assert_int_eq(till.call.entry.cost.nano, 0);
    ck_assert_int_eq(till.call.entry.prompt_tokens, 10);
    ck_assert_int_eq(till.call.entry.usage_source, USAGE_REPORTED);
    ck_assert_uint_eq(till.call.entry.charge_count, 0);
    till_close(&till);
}
END_TEST

/* ---- what the client is told ---- */

static void lend_request(struct till *till)
{
    struct request *request = till->desk.request;
    request->upstream = &till->upstream;
    request->model_booked = TEXT("m");
    request->held = till->call.held;
    request->subject = till->budgets.subject;
    till->call.request = request;
}

START_TEST(an_answer_carries_its_cost)
{
    struct till till;
    till_open(&till);
    lend_request(&till);
    report(&till, 10, 5);
    settle_call(&till.call);
    till.desk.request->reply.status = 200;
    settle_headers(&till.call);
    UNIT_TEXT(desk_header(&till.desk, "x-purser-cost-usd"), "0.00000002");
    UNIT_TEXT(desk_header(&till.desk, "x-litellm-response-cost"), "0.00000002");
    UNIT_TEXT(desk_header(&till.desk, "x-purser-model"), "m");
    UNIT_TEXT(desk_header(&till.desk, "x-purser-upstream"), "fake");
    UNIT_TEXT(desk_header(&till.desk, "x-purser-budget-remaining-usd"), "0.00009998");
    ck_assert_ptr_null(desk_header(&till.desk, "x-purser-hold-usd").at);
    ck_assert_ptr_null(desk_header(&till.desk, "x-purser-clamped-max-tokens").at);
    till_close(&till);
}
END_TEST

START_TEST(a_stream_begins_with_its_hold)
{
    struct till till;
    till_open(&till);
    lend_request(&till);
    till.desk.request->held.clamped = true;
    settle_headers(&till.call);
    UNIT_TEXT(desk_header(&till.desk, "x-purser-hold-usd"), "0.0000002");
    UNIT_TEXT(desk_header(&till.desk, "x-purser-clamped-max-tokens"), "50");
    UNIT_TEXT(desk_header(&till.desk, "x-purser-budget-remaining-usd"), "0.0000998");
    ck_assert_ptr_null(desk_header(&till.desk, "x-purser-cost-usd").at);
    settle_call(&till.call);
    till_close(&till);
}
END_TEST

START_TEST(amounts_of_budgets_can_be_hidden)
{
    struct till till;
    till_open(&till);
    lend_request(&till);
    till.desk.terms->hide_amounts = true;
    settle_headers(&till.call);
    ck_assert_ptr_null(desk_header(&till.desk, "x-purser-budget-remaining-usd").at);
    settle_call(&till.call);
    till_close(&till);
}
END_TEST

UNIT_MAIN(text_that_was_seen_is_counted_with_what_may_be_on_its_way,
          slack_goes_no_further_than_the_hold, a_running_usage_tells_the_input,
          where_not_all_is_seen_the_hold_is_booked, reported_usage_is_what_it_costs,
          reported_usage_counts_whatever_ended_the_call, a_bill_above_its_hold_is_booked_as_it_is,
          usage_that_is_a_running_count_or_damaged_is_not_taken, what_was_never_sent_is_free,
          what_ends_without_an_answer_costs_its_hold, an_answer_that_is_cut_costs_its_hold,
          a_whole_answer_costs_by_its_status, a_call_that_we_cut_costs_its_hold_once_it_was_sent,
          all_kinds_of_tokens_have_their_own_prices, a_cost_that_openrouter_names_is_what_it_billed,
          the_service_tier_that_the_answer_names_is_billed, nobody_elses_cost_is_believed,
          without_a_price_or_a_budget_it_is_booked_all_the_same, an_answer_carries_its_cost,
          a_stream_begins_with_its_hold, amounts_of_budgets_can_be_hidden)
