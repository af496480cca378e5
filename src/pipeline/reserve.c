/*
 * reserve: hold the worst the call can cost in every scope, or in none; wait or clamp as
 * budget/core.h says.
 */
#include "pipeline/batch.h"
#include "pipeline/estimate.h"
#include "pipeline/media.h"
#include "pipeline/pipeline.h"
#include "pipeline/rating.h"
#include "pipeline/refusal.h"

#define INPUT_MOST     1000000000000000 /* tokens; what money/price.h counts at the most */
#define LONG_CONTEXT   1000000          /* tokens: Anthropic's beta "context-1m" */
#define GROWTH_MS      2500             /* for the lessor's word, however short `wait_ms` is */
#define GROWTH_LOOK_MS 50               /* whether it can still help */

static bool is_long_context(struct text name, struct text value)
{
    return text_equal_nocase(name, TEXT("anthropic-beta")) &&
           text_find(value, TEXT("context-1m"), 0) != SIZE_MAX;
}

/* Who names this beta may send models more than the catalog says of them: the client, or the
 * operator for all calls of an upstream. */
static bool asks_for_long_context(const struct request *request)
{
    const struct upstream *upstream = request->upstream;
    for (size_t i = 0; i < upstream->header_count; i++) {
        struct text value = upstream->headers[i];
        struct text name = text_split(&value, ':');
        if (is_long_context(name, value))
            return true;
    }
    for (size_t i = 0; i < request->header_count; i++) {
        if (is_long_context(request->headers[i].name, request->headers[i].value))
            return true;
    }
    return false;
}

/* What the model can take; 0: not known. */
static int64_t context_of(const struct request *request)
{
    int64_t most = request->model != NULL ? request->model->max_input_tokens : 0;
    return most > 0 && most < LONG_CONTEXT && asks_for_long_context(request) ? LONG_CONTEXT : most;
}

static int64_t least_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* What the model can take bounds the input, whatever it is. */
static int64_t model_bound(const struct request *request)
{
    int64_t most = context_of(request);
    if (most == 0)
        return INT64_MAX;
    /* Each prompt of a list is taken up to the model's limit, and after each search anew. */
    int64_t times = request->body.prompts + request->searches;
    return times > INPUT_MOST / most ? INPUT_MOST : most * times;
}

static struct estimate_model tokeniser_of(const struct request *request)
{
    return estimate_model_of(request->upstream, request->model_sent, request->model);
}

/* Bytes bound tokens (wire/body.h), and images cost what their family's may at the most. */
static int64_t free_bound(const struct request *request)
{
    const struct body *body = &request->body;
    struct estimate_model model = {.exact = false};
    if (body->images > 0)
        model = tokeniser_of(request);
    int64_t bound = estimate_free_bound(body, &model);
    return bound == BODY_UNBOUNDED ? bound : bound - (int64_t)parts_known_bytes(request);
}

/* The input is counted: that takes as long as its texts are long (pipeline/estimate.h). */
static int64_t counted_bound(const struct request *request)
{
    struct estimate_ask ask = {
        .endpoint = request->endpoint,
        .body = request->body.raw,
        .input = parts_missing(request),
        .model = tokeniser_of(request),
        .hidden = request->body.hidden_tokens,
    };
    struct drift *drift = &request->worker->house->drift;
    int64_t permille = 0;
    struct estimate estimate;
    ask.tools_confirmed = drift_tools_confirmed(drift, request->model_booked);
    ask.likely = !ask.model.exact && request->terms->learned_input &&
                 drift_learned(drift, request->model_booked, &permille);
    estimate_input(&ask, &estimate);
    if (estimate.uncounted.at != NULL)
        return INT64_MAX;
    return ask.likely ? estimate_learned(&estimate, permille) : estimate.bound;
}

/* What is named above the model's own maximum counts as that, and is sent so: then the provider
 * keeps to it, whatever the catalog is worth. Who forbids that holds what was named. */
static int64_t wanted_output(const struct request *request)
{
    const struct body *body = &request->body;
    int64_t most = request->model != NULL ? request->model->max_output_tokens : 0;
    if (body->max_output == BODY_ABSENT)
        return most > 0 ? most : INT64_MAX;
    bool above = most > 0 && body->max_output > most && most >= body->least_output;
    return above && request->terms->may_lower ? most : body->max_output;
}

/* Where nothing limits what it costs, it goes as it came. */
static void note_lowered(const struct request *request, struct held *held)
{
    bool limited = held->hold != 0 || request->own != NULL;
    held->lowered =
        limited && !held->bound.output_free && held->max_output < request->body.max_output;
    held->send_max = held->send_max || held->lowered;
}

void reserve_fill_ask(struct request *request, struct ask *ask)
{
    const struct body *body = &request->body;
    int64_t input = free_bound(request);
    *ask = (struct ask){
        .subject = &request->subject,
        .price = request->model != NULL ? &request->model->price : NULL,
        .bound = {.input_tokens = least_of(input, model_bound(request)),
                  .choices = body->choices,
                  .extra_output = body->extra_output,
                  .searches = request->searches,
                  .audio = body->audio,
                  .output_free = endpoint_facts(body->endpoint)->output_free,
                  .services = request->services},
        .wanted_output = wanted_output(request),
        .least_output = body->least_output,
        .named = body->max_output != BODY_ABSENT,
        .own = request->own,
        .may_recount = input != BODY_UNBOUNDED && estimate_knows(request->endpoint),
        .unbounded = body->unbounded_param.size > 0,
        .now_s = loop_wall_us(request->worker->loop) / 1000000,
    };
    media_pieces(request, ask->bound.pieces);
    rolling_fill_ask(request, ask);
}

/* An answer that is known costs nothing, nor does what no provider bills, but it is a request. */
static void fill_ask_for_nothing(struct request *request, struct ask *ask)
{
    static const struct price free = {.tier_count = 1, .tiers = {{.above_input_tokens = -1}}};
    *ask = (struct ask){
        .subject = &request->subject,
        .price = &free,
        .bound = {.choices = 1, .output_free = true},
        .now_s = loop_wall_us(request->worker->loop) / 1000000,
    };
}

/* What is booked if nobody ever tells what the call used. Without a budget a request may have no
 * bound at all: then what is known counts, the input alone or nothing. */
static void worst_case(const struct ask *ask, struct held *held)
{
    const struct bound *bound = &ask->bound;
    if (bound->input_tokens == INT64_MAX)
        return;
    int64_t output = held->held_output == INT64_MAX ? 0 : held->held_output;
    held->input_tokens = bound->input_tokens;
    held->output_tokens = bound_tokens(bound, output) - bound->input_tokens;
    if (ask->price != NULL)
        held->amount = price_bound(ask->price, bound, output);
}

const struct charge *reserve_copy_charges(const struct charge *charges, size_t count,
                                          struct arena *arena)
{
    struct charge *copies = arena_new(arena, count * sizeof *copies);
    for (size_t i = 0; i < count; i++) {
        copies[i] = charges[i];
        copies[i].id = arena_copy(arena, charges[i].id);
    }
    return copies;
}

void reserve_fill_held(const struct ask *ask, const struct grant *grant, struct arena *arena,
                       struct held *held)
{
    *held = (struct held){
        .hold = grant->hold,
        .max_output = grant->max_output,
        .held_output = grant->held_output,
        .send_max = grant->send_max,
        .clamped = grant->clamped,
        .charges = reserve_copy_charges(grant->charges, grant->charge_count, arena),
        .charge_count = grant->charge_count,
        .bound = ask->bound,
    };
    worst_case(ask, held);
}

static enum next decide(struct request *request, const struct grant *grant)
{
    request->waiter = 0;
    if (grant->verdict != VERDICT_GRANTED) {
        recall_refused(request, grant->verdict == VERDICT_CONTENTION);
        refuse_verdict(request, grant);
        return GO_BOOKS;
    }
    bool clamped = grant->clamped || rating_lowered(request);
    if (clamped) /* a shorter answer than was asked for is nobody else's */
        recall_refused(request, false);
    reserve_fill_held(&request->ask, grant, &request->arena, &request->held);
    note_lowered(request, &request->held);
    request->held.clamped = clamped;
    request->held.send_max |= rating_lowered(request);
    return GO_ON;
}

void reserve_recount(const struct request *request, struct ask *ask)
{
    ask->may_recount = false;
    ask->bound.input_tokens = least_of(ask->bound.input_tokens, counted_bound(request));
}

void reserve_ask(const struct request *request, struct ask *ask, uint64_t to, struct grant *grant)
{
    struct gate *gate = request->worker->house->gate;
    struct mailbox *mailbox = request->worker->mailbox;
    gate_reserve(gate, ask, mailbox, to, grant);
    if (grant->verdict != VERDICT_RECOUNT)
        return;
    reserve_recount(request, ask);
    gate_reserve(gate, ask, mailbox, to, grant);
}

/* True: the answer is in `grant`. False: it comes by letter. */
static bool ask_gate(struct request *request, struct grant *grant)
{
    reserve_ask(request, &request->ask, request->id, grant);
    request->waiter = grant->verdict == VERDICT_WAIT ? grant->waiter : 0;
    return grant->verdict != VERDICT_WAIT;
}

static enum next rate_and_ask(struct request *request)
{
    struct worker *worker = request->worker;
    struct grant grant;
    enum rating_verdict rated = rating_reserve(request);
    if (rated == RATING_WAITS)
        return GO_WAIT;
    if (rated == RATING_REFUSED) {
        recall_refused(request, false);
        return GO_BOOKS;
    }
    if (ask_gate(request, &grant))
        return decide(request, &grant);
    int64_t wait_ms = request->terms->wait_ms;
    /* Also who waits for others' holds may need the lessor once these are gone. */
    request->growth_looks = wait_ms < GROWTH_MS ? (int)((GROWTH_MS - wait_ms) / GROWTH_LOOK_MS) : 0;
    if (grant.growing && wait_ms < GROWTH_LOOK_MS)
        wait_ms = GROWTH_LOOK_MS;
    loop_timer_set(worker->loop, &request->timer, wait_ms * 1000);
    return GO_WAIT;
}

enum next reserve_request(struct request *request)
{
    if (recall_serves(request) || endpoint_facts(request->endpoint)->free)
        fill_ask_for_nothing(request, &request->ask);
    else if (request->batch != NULL)
        batch_fill_ask(request, &request->ask);
    else
        reserve_fill_ask(request, &request->ask);
    return rate_and_ask(request);
}

void reserve_take(struct request *request, const struct grant *grant)
{
    /* Reloads may be many while a request waits: theirs is not kept. */
    static const struct grant again = {.verdict = VERDICT_AGAIN};
    ASSERT(request->step == STEP_RESERVE);
    request->granted = &again;
    if (grant->verdict == VERDICT_AGAIN)
        return;
    struct grant *kept = arena_new(&request->arena, sizeof *grant);
    *kept = *grant;
    request->granted = kept;
}

static enum next time_is_up(struct request *request)
{
    struct worker *worker = request->worker;
    struct grant grant;
    int64_t now_s = loop_wall_us(worker->loop) / 1000000;
    if (request->growth_looks > 0 && gate_waits_for_lessor(worker->house->gate, request->waiter)) {
        request->growth_looks--;
        loop_timer_set(worker->loop, &request->timer, GROWTH_LOOK_MS * 1000);
        return GO_WAIT;
    }
    if (!gate_time_is_up(worker->house->gate, request->waiter, now_s, &grant))
        return GO_WAIT; /* the grant's letter is on its way */
    return decide(request, &grant);
}

/* The timer still runs for what is left of the wait; or it came while the letter was on its way. */
static enum next ask_again(struct request *request)
{
    struct grant grant;
    request->granted = NULL;
    request->ask.now_s = loop_wall_us(request->worker->loop) / 1000000;
    if (ask_gate(request, &grant))
        return decide(request, &grant);
    return request->timer.at_us != 0 ? GO_WAIT : time_is_up(request);
}

enum next reserve_awake(struct request *request)
{
    if (rating_waits(request)) {
        rating_awake(request);
        return rate_and_ask(request);
    }
    if (request->granted == NULL)
        return time_is_up(request);
    if (request->granted->verdict == VERDICT_AGAIN)
        return ask_again(request);
    return decide(request, request->granted);
}
