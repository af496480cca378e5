/*
 * settle: book what was used, release the rest. One function decides what a call costs, whatever
 * ended it; the rows are those of the design's "What ends a call".
 */
#include "base/log.h"
#include "pipeline/estimate.h"
#include "pipeline/figures.h"
#include "pipeline/pipeline.h"
#include "pipeline/pledge.h"
#include "pipeline/rating.h"

enum basis {
    BASIS_REPORTED, /* the upstream said what it used */
    BASIS_COUNTED,  /* it did not, but its text was counted to its end */
    BASIS_STOPPED,  /* the same, but it was cut: more may have been generated (slack) */
    BASIS_FREE,     /* it cannot have cost anything */
    BASIS_HOLD,     /* unknown: the hold is booked, so that nothing is missed */
};

/* Statuses of gateways and of requests that may have been worked on all the same. */
static bool status_is_ambiguous(int status)
{
    return status == 408 || status == 499 || status == 502 || status == 504 ||
           (status >= 520 && status <= 527);
}

/* Text was seen, and it tells all that was generated. */
static bool is_counted(const struct call *call)
{
    return call->gauge.visible && !call->gauge.opaque && call->model != NULL && !call->hides &&
           call->searches == 0;
}

/* Where leaving does not save, a stream that broke off runs on at the provider. */
static enum basis basis_of_cut(const struct call *call)
{
    return is_counted(call) && call->upstream->cancel_saves ? BASIS_STOPPED : BASIS_HOLD;
}

static enum basis basis_without_usage(const struct call *call)
{
    if (call->usage_result != USAGE_ABSENT || (!is_counted(call) && !call->exact))
        return BASIS_HOLD;
    return BASIS_COUNTED;
}

static enum basis basis_of(const struct call *call)
{
    if (call->usage_result == USAGE_FOUND && call->usage_final)
        return BASIS_REPORTED;
    if (!call->started || endpoint_facts(call->endpoint)->free)
        return BASIS_FREE;
    if (call->cancelled)
        return transfer_all_sent(call->transfer) ? basis_of_cut(call) : BASIS_FREE;
    enum transfer_end end = transfer_ended(call->transfer);
    int status = transfer_status(call->transfer);
    if (end == TRANSFER_NOT_SENT)
        return BASIS_FREE;
    if (status < 300)
        return forward_is_whole(call) && !call->is_error ? basis_without_usage(call)
                                                         : basis_of_cut(call);
    if (end != TRANSFER_COMPLETE || status_is_ambiguous(status))
        return BASIS_HOLD;
    return status < 500 || call->is_error ? BASIS_FREE : BASIS_HOLD;
}

static void take_usage(struct entry *entry, const struct usage *usage)
{
    entry->prompt_tokens = usage->prompt;
    entry->cached_tokens = usage->cached;
    entry->cache_write_tokens = usage->cache_write;
    entry->completion_tokens = usage->completion;
    entry->reasoning_tokens = usage->reasoning;
    entry->usage_source = USAGE_REPORTED;
}

static void take_hold(struct entry *entry, const struct held *held)
{
    entry->prompt_tokens = held->input_tokens;
    entry->completion_tokens = held->output_tokens;
    entry->cost = held->amount;
    entry->usage_source = USAGE_BOUND;
}

/* Of what was generated, as far as one knows: what came, and if it was cut the slack, as far as the
 * hold has room for it. What came is a fact, whatever was held. */
static int64_t output_of(struct call *call, bool cut)
{
    const struct held *held = &call->held;
    int64_t generated = gauge_tokens(&call->gauge);
    int64_t slack = cut ? gauge_slack(&call->gauge) : 0;
    rolling_cover(call, generated, slack);
    int64_t counted = generated + held->bound.extra_output, output = counted + slack;
    if (held->hold != 0 && output > held->output_tokens)
        output = counted > held->output_tokens ? counted : held->output_tokens;
    return output;
}

/* The input is what a running usage says of it, else it is counted now, else what was held. */
static void take_count(struct call *call, bool cut)
{
    struct entry *entry = &call->entry;
    struct usage usage = call->usage;
    struct bound bound = call->held.bound;
    int64_t output = output_of(call, cut);
    entry->usage_source = USAGE_COUNTED;
    if (call->usage_result == USAGE_FOUND && usage.prompt > 0) { /* some tell it in the end */
        usage.completion = output > usage.completion ? output : usage.completion;
        take_usage(entry, &usage);
        entry->usage_source = USAGE_COUNTED;
        entry->cost = meter_price(call, &usage);
        return;
    }
    if (!estimate_call(call, &bound.input_tokens))
        bound.input_tokens = call->held.input_tokens;
    bound.choices = 1;
    bound.extra_output = 0;
    entry->prompt_tokens = bound.input_tokens;
    entry->completion_tokens = output;
    if (call->model != NULL)
        entry->cost = price_bound(&call->model->price, &bound, output);
}

static void book(struct call *call)
{
    struct entry *entry = &call->entry;
    struct spend used = {{
        [UNIT_USD] = entry->cost.nano,
        [UNIT_TOKENS] = entry->prompt_tokens + entry->completion_tokens,
        [UNIT_REQUESTS] = call->taken_over ? 0 : 1,
    }};
    struct charge *charges = (struct charge *)(uintptr_t)call->held.charges;
    for (size_t i = 0; i < call->held.charge_count; i++)
        charges[i].amount = used.amount[charges[i].unit];
    entry->charges = charges;
    entry->charge_count = call->held.charge_count;
    if (call->held.hold == 0)
        return;
    struct money over = MONEY_ZERO;
    worker_book(call->worker, call->held.hold, &used, &over);
    rolling_learn(call, over.nano > 0);
    if (over.nano > 0) {
        char amount[MONEY_STRING_SIZE];
        log_error("%.*s: upstream %.*s billed %s more than its bound; booked as a fact",
                  TEXT_ARG(entry->call), TEXT_ARG(call->upstream->name),
                  money_string(over, amount));
    }
}

void settle_decide(struct call *call)
{
    struct entry *entry = &call->entry;
    if (call->settled)
        return;
    call->settled = true;
    switch (basis_of(call)) {
    case BASIS_REPORTED:
        rolling_cover_report(call, call->usage.completion);
        take_usage(entry, &call->usage);
        entry->cost = meter_cost(call);
        break;
    case BASIS_COUNTED:
        take_count(call, false);
        break;
    case BASIS_STOPPED:
        take_count(call, true);
        break;
    case BASIS_HOLD:
        if (!call->cancelled)
            rolling_book_all(call);
        take_hold(entry, &call->held);
        break;
    case BASIS_FREE:
        break;
    }
}

void settle_call(struct call *call)
{
    struct entry *entry = &call->entry;
    if (call->pending.size > 0) {
        pledge_open(call);
        return;
    }
    settle_decide(call);
    if (call->request != NULL)
        entry->saved[SAVING_CACHE] = parts_saved(call->request);
    entry->saved[SAVING_EARLY_STOP] = meter_saved(call);
    book(call);
    share_end(call);
}

void settle_without_use(struct call *call)
{
    book(call);
}

/* ---- what the client is told ---- */

static void put_money_header(struct request *request, const char *name, struct money amount)
{
    struct buffer text = {0};
    money_put(&text, amount);
    reply_header_text(&request->reply, &request->arena, name, buffer_text(&text));
    buffer_close(&text);
}

static void put_remaining(struct request *request)
{
    struct worker *worker = request->worker;
    struct account_view view;
    int64_t now_s = loop_wall_us(worker->loop) / 1000000;
    if (request->terms->hide_amounts ||
        !gate_tightest(worker->house->gate, &request->subject, now_s, &view))
        return;
    put_money_header(request, "x-purser-budget-remaining-usd",
                     (struct money){figures_remaining(&view)});
}

static void put_cost(struct request *request, struct money cost)
{
    put_money_header(request, "x-purser-cost-usd", cost);
    put_money_header(request, "x-litellm-response-cost", cost);
}

static void put_origin(struct request *request)
{
    struct reply *reply = &request->reply;
    reply_header_text(reply, &request->arena, "x-purser-model", request->model_booked);
    reply_header_text(reply, &request->arena, "x-purser-upstream", request->upstream->name);
    const char *recalled = recall_word(request);
    if (recalled != NULL)
        reply_header(reply, "x-purser-cache", recalled);
    rating_put_headers(request);
}

void settle_headers_of_replay(struct request *request)
{
    put_origin(request);
    put_remaining(request);
    put_cost(request, MONEY_ZERO);
}

void settle_headers(struct call *call)
{
    struct request *request = call->request;
    struct reply *reply = &request->reply;
    put_origin(request);
    if (request->held.clamped || request->held.lowered)
        reply_header_text(
            reply, &request->arena, "x-purser-clamped-max-tokens",
            arena_printf(&request->arena, "%lld", (long long)request->held.max_output));
    put_remaining(request);
    /* A stream begins, or work goes on: the cost is not known yet. */
    if (reply->status == 0 || call->pending.size > 0) {
        put_money_header(request, "x-purser-hold-usd", request->held.amount);
        return;
    }
    put_cost(request, call->entry.cost);
}

enum next settle_request(struct request *request)
{
    struct call *call = request->call;
    if (call == NULL) {
        if (replay_served(request))
            replay_settle(request);
        return GO_ON;
    }
    settle_call(call);
    if (!request->reply.streamed)
        settle_headers(call);
    return GO_ON;
}
