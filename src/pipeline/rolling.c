/*
 * Rolling holds: a stream that can be stopped holds its input and a slice of its output, and more
 * as it goes on (metering.md, "Holds"). At any time
 *
 *     generated + slack ≤ held        slack: gauge_slack, what is on its way to us or is generated
 *                                     before a cancellation takes effect
 *
 * or the call is stopped. So many streams share what is left of a budget without locking out each
 * other, and each ends where the budget does.
 *
 * What is assumed is that an upstream generates no more than the slack until its cancellation takes
 * effect. The slack is therefore measured, at each stream and of its upstream's streams before. Who
 * bills more than was held all the same gets full holds.
 *
 * Only streams can be stopped whose upstream's bill ends with them, and whose tokens are all seen:
 * no reasoning, no audio, no searches of the web, no choices that are not shown.
 *
 * A stream that others follow ends for all of them. So it holds in full where that can be had, as
 * soon as it holds more. Where nothing more can be had, one of those who follow is asked to pay
 * (share.c): from the first refusal on, when there is half a slice left to generate, because nobody
 * waits for the answer. Who takes the stream over always holds it in full.
 */
#include <stdlib.h>

#include "pipeline/pipeline.h"
#include "pipeline/refusal.h"

#define TRIES 4 /* of an extension, each for less than the one before */

/* How fast an upstream is, by the streams of this worker. */
struct pace {
    int64_t per_second; /* tokens: the fastest of late */
    int64_t full_until_us;
};

#define FULL_US (3600 * INT64_C(1000000))

static bool can_be_stopped(const struct request *request)
{
    const struct body *body = &request->body;
    const struct model *model = request->model;
    bool seen = body->stream && !body->audio && !body->unseen && request->searches == 0;
    bool known = delta_knows(request->endpoint) && ending_knows(request->endpoint);
    return seen && known && model != NULL && !request_hides_output(request) &&
           request->upstream->cancel_saves && request->terms->slice_tokens > 0 &&
           body->choices <= ENDING_MOST_CHOICES;
}

/* Of all choices, before the stream has a pace of its own. */
static int64_t expected_slack(const struct pace *pace)
{
    int64_t slack = pace != NULL ? pace->per_second * GAUGE_LAG_MS / 1000 : 0;
    return slack > GAUGE_FIRST_SLACK ? slack : GAUGE_FIRST_SLACK;
}

void rolling_fill_ask(const struct request *request, struct ask *ask)
{
    const struct worker *worker = request->worker;
    if (!can_be_stopped(request))
        return;
    const struct pace *pace = table_get(&worker->paces, request->upstream->name);
    if (pace != NULL && loop_steady_us(worker->loop) < pace->full_until_us)
        return;
    int64_t slack = expected_slack(pace), choices = request->body.choices;
    ask->slack_tokens = slack / choices + (slack % choices != 0);
    ask->slice_tokens = request->terms->slice_tokens + ask->slack_tokens;
}

void rolling_begin(struct call *call, const struct request *request)
{
    const struct held *held = &call->held;
    call->rolling = held->hold != 0 && held->held_output < held->max_output;
    if (!call->rolling)
        return;
    const struct pace *pace = table_get(&call->worker->paces, call->upstream->name);
    call->slack = pace != NULL ? expected_slack(pace) : 0;
    ending_open(&call->ending, call->endpoint, request->body.choices);
}

void rolling_note(struct call *call, struct text data)
{
    if (call->rolling)
        ending_note(&call->ending, data, &call->gauge.reader);
}

/* ---- how much is left ---- */

static int64_t all_choices(const struct call *call, int64_t per_choice)
{
    int64_t product;
    return __builtin_mul_overflow(per_choice, call->choices, &product) ? INT64_MAX : product;
}

/* What the hold must cover of output, if so much is generated: no more than the upstream was told.
 */
static int64_t need_of(const struct call *call, int64_t generated)
{
    int64_t slack = gauge_slack(&call->gauge);
    int64_t need = generated + (slack > call->slack ? slack : call->slack);
    int64_t most = all_choices(call, call->held.max_output);
    return need < most ? need : most;
}

static bool is_covered(const struct call *call, int64_t need)
{
    return need <= all_choices(call, call->held.held_output);
}

/* Half of a slice is left, or there is nothing more to hold. */
static bool is_ample(const struct call *call, int64_t need)
{
    int64_t half = all_choices(call, call->terms->slice_tokens) / 2;
    return call->held.held_output >= call->held.max_output || is_covered(call, need + half);
}

/* ---- more ---- */

static void take_grant(struct call *call, const struct grant *grant)
{
    struct held *held = &call->held;
    struct charge *charges = (struct charge *)(uintptr_t)held->charges;
    ASSERT(grant->charge_count == held->charge_count);
    for (size_t i = 0; i < held->charge_count; i++) {
        charges[i].amount = grant->charges[i].amount;
        charges[i].overdraft = grant->charges[i].overdraft;
    }
    held->held_output = grant->held_output;
    held->amount = grant->amount;
    held->output_tokens = bound_tokens(&held->bound, held->held_output) - held->input_tokens;
}

static void note_extension(struct call *call)
{
    struct ledger_batch *batch = call->worker->batch;
    struct entry line = call->entry;
    line.kind = ENTRY_EXTEND;
    line.wall_us = loop_wall_us(call->worker->loop);
    line.hold = call->held.amount;
    line.charges = call->held.charges;
    line.charge_count = call->held.charge_count;
    ledger_note(batch, &line);
    call->extended = ledger_batch_written(batch);
}

static void note_refusal(struct call *call, const struct account_view *by)
{
    if (call->refused_by == NULL)
        call->refused_by = arena_new(&call->arena, sizeof *by);
    *call->refused_by = *by;
}

static bool extend_to(struct call *call, int64_t output, struct grant *grant)
{
    gate_extend(call->worker->house->gate, call->held.hold, output, grant);
    if (grant->verdict != VERDICT_GRANTED)
        return false;
    call->refused_at = 0;
    call->lacks = false;
    take_grant(call, grant);
    note_extension(call);
    return true;
}

/* A slice, or as much of it as there is. */
static bool extend(struct call *call, int64_t need)
{
    struct grant grant;
    int64_t choices = call->choices;
    int64_t least = need / choices + (need % choices != 0);
    if (least <= call->held.held_output)
        least = call->held.held_output + 1;
    int64_t more = call->terms->slice_tokens;
    if (share_has_followers(call) && extend_to(call, call->held.max_output, &grant))
        return true;
    for (int i = 0; i < TRIES; i++, more /= 4) {
        if (extend_to(call, least + more, &grant))
            return true;
    }
    note_refusal(call, &grant.blocking);
    call->refused_at = grant.growing ? 0 : need; /* 0: the lessor's answer is under way */
    call->lacks = true;
    return false;
}

/* What was refused is asked for again when an eighth of a slice was used since. */
static bool is_time_to_ask(const struct call *call, int64_t need)
{
    int64_t eighth = all_choices(call, call->terms->slice_tokens) / 8;
    return call->refused_at == 0 || need >= call->refused_at + eighth || !is_covered(call, need);
}

static void stop(struct call *call)
{
    call->stopped_by = call->refused_by;
    call->cancelled = true;
    call->stop_reason = "budget";
}

/* An extension counts once its line is in the ledger. The lines of a turn are written at its end:
 * what has come in this turn was generated before; but nothing more may be, if they cannot be
 * written. */
static bool is_unwritten(const struct call *call)
{
    return ledger_batch_written(call->worker->batch) <= call->extended &&
           ledger_failing(call->worker->house->ledger);
}

static bool is_full(const struct call *call)
{
    return !call->rolling || call->held.held_output >= call->held.max_output;
}

bool rolling_hold_all(struct call *call)
{
    struct grant grant;
    if (is_full(call) || extend_to(call, call->held.max_output, &grant))
        return true;
    note_refusal(call, &grant.blocking);
    if (!grant.growing)
        stop(call);
    return false;
}

void rolling_book_all(struct call *call)
{
    struct grant grant;
    if (!is_full(call))
        (void)!extend_to(call, call->held.max_output, &grant);
}

static bool reach(struct call *call, int64_t output)
{
    struct grant grant;
    int64_t choices = call->choices, per_choice = output / choices + (output % choices != 0);
    int64_t most = call->held.max_output;
    return extend_to(call, per_choice < most ? per_choice : most, &grant);
}

void rolling_cover(struct call *call, int64_t generated, int64_t slack)
{
    if (is_full(call) || is_covered(call, generated + slack))
        return;
    for (int i = 0; i < TRIES && slack > 0; i++, slack /= 4) {
        if (is_covered(call, generated + slack) || reach(call, generated + slack))
            return;
    }
    if (!is_covered(call, generated))
        (void)!reach(call, generated);
}

void rolling_cover_report(struct call *call, int64_t reported)
{
    if (is_full(call) || is_covered(call, reported))
        return;
    int64_t seen = gauge_tokens(&call->gauge) + gauge_slack(&call->gauge);
    rolling_cover(call, reported < seen ? reported : seen, 0);
}

static bool is_ending(const struct call *call)
{
    return call->cancelled || call->done || call->usage_final;
}

void rolling_stop(struct call *call)
{
    if (is_ending(call))
        return;
    stop(call);
    forward_over(call);
}

void rolling_check(struct call *call)
{
    if (!call->rolling || is_ending(call))
        return;
    if (is_unwritten(call)) {
        call->cancelled = true;
        call->unwritten = true;
        call->stop_reason = "ledger";
        return;
    }
    if (call->gauge.opaque) { /* nothing tells any more how much there is */
        if (!rolling_hold_all(call))
            stop(call);
        return;
    }
    if (is_ample(call, need_of(call, gauge_at_most(&call->gauge))))
        return;
    int64_t need = need_of(call, gauge_tokens(&call->gauge));
    if (is_ample(call, need) || (is_time_to_ask(call, need) && extend(call, need)))
        return;
    if (!is_covered(call, need))
        stop(call);
    else if (call->refused_at != 0)
        share_seek_relief(call);
}

/* ---- paces ---- */

static struct pace *pace_of(struct worker *worker, struct text upstream)
{
    struct pace *pace = table_get(&worker->paces, upstream);
    if (pace == NULL) {
        pace = memory_new(sizeof *pace);
        (void)table_put(&worker->paces, upstream, pace);
    }
    return pace;
}

/* A faster one counts at once, a slower one by and by. */
void rolling_learn(struct call *call, bool billed_more)
{
    if (!call->rolling)
        return;
    struct pace *pace = pace_of(call->worker, call->upstream->name);
    int64_t slower = pace->per_second - pace->per_second / 8, seen = gauge_pace(&call->gauge);
    pace->per_second = seen > slower ? seen : slower;
    if (billed_more)
        pace->full_until_us = loop_steady_us(call->worker->loop) + FULL_US;
}

void rolling_forget(struct worker *worker)
{
    size_t at = 0;
    void *pace;
    while (table_next(&worker->paces, &at, NULL, &pace))
        free(pace);
    table_close(&worker->paces);
}

/* ---- the end of a call that was stopped ---- */

/* Whoever follows is told neither whose budget it was nor its amounts. */
static void fill_error(const struct call *call, bool shared, struct buffer *message,
                       struct ending_facts *facts)
{
    if (call->unwritten)
        refusal_of_unwritten(message, facts);
    else
        refusal_of_stream(call->stopped_by, call->terms->hide_amounts, message, facts);
    if (shared && !call->unwritten) {
        buffer_clear(message);
        buffer_put(message, TEXT("An equal request was under way and this one shared its answer, "
                                 "which ends here: the budget that it was held in is used up. "
                                 "Nothing is charged for this request."));
    }
    facts->message = buffer_text(message);
}

/* What a call costs is not told to those who follow: to them it costs nothing. */
static void put_end(struct call *call, bool shared, bool usage, struct buffer *out)
{
    const struct entry *entry = &call->entry;
    struct buffer message = {0}, cost = {0};
    bool error = call->unwritten || call->terms->early_error;
    money_put(&cost, call->taken_over ? MONEY_ZERO : entry->cost);
    struct ending_facts facts = {
        .manner = error ? ENDING_ERROR : ENDING_LENGTH,
        .id = entry->request_id,
        .model = entry->model,
        .created_s = loop_wall_us(call->worker->loop) / 1000000,
        .usage = usage,
        .input_tokens = entry->prompt_tokens,
        .output_tokens = entry->completion_tokens,
        .cost = call->model != NULL && !shared ? buffer_text(&cost) : TEXT_NONE,
    };
    if (error)
        fill_error(call, shared, &message, &facts);
    ending_put(&call->ending, &facts, out);
    buffer_close(&message);
    buffer_close(&cost);
}

/* The usage chunk is for those who asked for it. It stands before the last event, and is what the
 * one end has and the other has not. */
static void share_the_end(struct call *call)
{
    static const struct text last = TEXT("data: [DONE]\n\n");
    struct buffer without = {0}, with = {0};
    put_end(call, true, false, &without);
    put_end(call, true, true, &with);
    struct text end = buffer_text(&with);
    size_t usage = with.size - without.size;
    size_t before = usage > 0 ? without.size - last.size : with.size;
    share_put(call, text_slice(end, 0, before), false);
    if (usage > 0) {
        share_put(call, text_slice(end, before, before + usage), true);
        share_put(call, last, false);
    }
    buffer_close(&without);
    buffer_close(&with);
}

bool rolling_cut(const struct call *call)
{
    return call->stopped_by != NULL || call->unwritten;
}

bool rolling_stopped(const struct call *call)
{
    return rolling_cut(call) && call->mode == CALL_EVENTS && !forward_is_whole(call);
}

void rolling_put_end(struct call *call)
{
    struct buffer out = {0};
    if (call->flight != NULL)
        share_the_end(call);
    if (call->request == NULL)
        return;
    put_end(call, false, call->usage_asked && !call->usage_final, &out);
    reply_put(&call->request->reply, buffer_text(&out));
    buffer_close(&out);
}
