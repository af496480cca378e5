/*
 * A call that is shared. It records what passes to its client, for those who follow and for the
 * cache; and if its client leaves while others follow, or the budget ends that it is held in, it
 * goes on, and one of them takes over its hold.
 *
 * How a payer is found: the call asks one follower after the other (FLIGHT_LETTER_PAY). Who is
 * asked tries to hold all that the call may cost, beside the hold there is, and answers with the
 * new one (LETTER_PAYER), or declines. Until somebody pays the call stays on the hold it has: what
 * it costs is covered at any time.
 *
 * Who takes over pays for the whole call, also for what came before: it is one call, and is booked
 * once. Whoever paid before is booked with its request and no cost (`stop_reason` "client" or
 * "budget"). A client whose budget ended reads on to the end, as those who follow do, for nothing;
 * but not alone: when all others have left, nobody pays any more, and its stream ends where its
 * budget did.
 *
 * A stream does not wait while a payer is sought (rolling.c). If none is found in time it ends for
 * all of them: an upstream may be faster than any answer, and nobody may be able to pay.
 */
#include <stdlib.h>

#include "pipeline/estimate.h"
#include "pipeline/pipeline.h"
#include "pipeline/recall.h"
#include "wire/inputs.h"
#include "wire/reshape.h"

enum {
    OFFERS_MOST = 100, /* tries to pay for a call, */
    OFFER_US = 5000,   /* at this distance: together the time in which a lessor answers */
};

#define SHARED_MOST (8 * 1024 * 1024) /* bytes that a call keeps for slow followers */

#define HEADER_MOST 256

/* From a follower that was asked to the call; the body is a struct payer. */
#define LETTER_PAYER 320

struct payer {
    struct gate *gate;
    struct arena arena;
    struct held held; /* given back if nobody takes it */
    struct entry entry;
};

/* ---- recording ---- */

static void give_up(struct call *call)
{
    struct flight *flight = call->flight;
    call->flight = NULL;
    recording_end(flight_recording(flight), RECORDING_GIVEN_UP, MONEY_ZERO);
    flight_end(flight, false, loop_steady_us(call->worker->loop));
}

/* What followers get of the head must fit into theirs. */
static struct text short_header(const struct call *call, struct text name)
{
    struct text value = transfer_header(call->transfer, name);
    return value.size <= HEADER_MOST ? value : TEXT_NONE;
}

void share_begin(struct call *call, enum recording_shape shape)
{
    if (call->flight == NULL)
        return;
    const struct recording_head head = {
        .status = transfer_status(call->transfer),
        .shape = shape,
        .content_type = short_header(call, TEXT("Content-Type")),
        .retry_after = short_header(call, TEXT("Retry-After")),
    };
    recording_begin(flight_recording(call->flight), &head);
}

void share_put(struct call *call, struct text bytes, bool usage)
{
    if (call->flight == NULL)
        return;
    struct recording *recording = flight_recording(call->flight);
    if (usage)
        recording_mark_usage(recording, bytes.size);
    recording_put(recording, bytes);
    size_t size = recording_size(recording);
    bool keepable = size <= cache_entry_most(call->worker->house->cache);
    if (!keepable && (size > SHARED_MOST || flight_followers(call->flight) == 0))
        give_up(call);
}

void share_flush(struct call *call)
{
    if (call->flight != NULL)
        flight_flush(call->flight);
}

bool share_has_followers(const struct call *call)
{
    return call->flight != NULL && flight_followers(call->flight) > 0;
}

bool share_lets_pause(struct call *call)
{
    const struct flight_payee self = {.mailbox = call->worker->mailbox, .call = call->id};
    return call->flight == NULL || flight_may_pause(call->flight, &self);
}

/* ---- the end ---- */

static bool is_complete(const struct call *call, struct text answer)
{
    if (call->mode == CALL_EVENTS)
        return reshape_events_are_complete(call->endpoint, answer, call->choices);
    if (call->endpoint != ENDPOINT_EMBEDDINGS)
        return reshape_whole_is_complete(call->endpoint, answer, call->choices);
    if (call->choices > INPUTS_MOST)
        return false;
    struct text *embeddings = memory_new((size_t)call->choices * sizeof *embeddings);
    bool complete = inputs_read_answer(answer, embeddings, (size_t)call->choices);
    free(embeddings);
    return complete;
}

/* What may be given to others later: the whole of a good answer to what was asked. */
static bool may_be_kept(struct call *call, const struct recording *recording)
{
    size_t size = recording_size(recording);
    if (call->in_parts || transfer_status(call->transfer) != 200 || call->is_error ||
        call->held.clamped || rolling_cut(call) ||
        size > cache_entry_most(call->worker->house->cache))
        return false;
    struct buffer joined = {0};
    bool complete = is_complete(call, recording_all(recording, &joined));
    buffer_close(&joined);
    return complete;
}

void share_end(struct call *call)
{
    struct flight *flight = call->flight;
    if (flight == NULL)
        return;
    call->flight = NULL;
    struct recording *recording = flight_recording(flight);
    bool begun = recording_state(recording) != RECORDING_EMPTY;
    if (!begun && (call->request == NULL || !call->started)) {
        flight_resign(flight); /* its client left before there was anything to share */
        return;
    }
    enum recording_state state = RECORDING_BROKEN;
    if (begun && (forward_is_whole(call) || rolling_stopped(call))) /* it was given an end */
        state = RECORDING_COMPLETE;
    else if (begun && call->cancelled && call->request == NULL)
        state = RECORDING_GIVEN_UP;
    bool keep = state == RECORDING_COMPLETE && may_be_kept(call, recording);
    recording_end(recording, state, call->entry.cost);
    flight_end(flight, keep, loop_steady_us(call->worker->loop));
}

/* ---- who pays ---- */

static void seek_payer(struct call *call)
{
    const struct flight_payee payee = {.mailbox = call->worker->mailbox, .call = call->id};
    if (!call->seeking)
        call->seeking = flight_seek_payer(call->flight, &payee);
}

bool share_outlives_client(struct call *call)
{
    if (!share_has_followers(call) || call->in_parts)
        return false;
    if (!call->taken_over) /* else it is paid for, or its payer has left and that is seen to */
        seek_payer(call);
    return true;
}

void share_seek_relief(struct call *call)
{
    if (call->flight != NULL && call->mode == CALL_EVENTS)
        seek_payer(call);
}

static void free_payer(void *thing)
{
    struct payer *payer = thing;
    if (payer->held.hold != 0)
        gate_settle(payer->gate, payer->held.hold, &(struct spend){{0}}, NULL);
    arena_close(&payer->arena);
    free(payer);
}

/* Not its first: that one it may have to make itself, if the one that it pays for fails. */
static void name_second_call(const struct request *request, struct payer *payer)
{
    payer->entry.call = arena_printf(&payer->arena, "%s.2", request->name);
    payer->entry.attempt = 2;
}

static bool fill_offer(struct request *request, struct ask *ask)
{
    if (!route_find(request))
        return false;
    reserve_fill_ask(request, ask);
    ask->counted = true;   /* when its answer is booked */
    ask->slice_tokens = 0; /* nobody else's slices tell how far the call is */
    if (request->recall.counted > 0 && request->recall.counted_for == request->upstream) {
        ask->may_recount = false; /* the text is the same with each try */
        ask->bound.input_tokens = request->recall.counted;
    }
    return true;
}

static void note_counted(struct request *request, const struct ask *before, const struct ask *ask)
{
    if (!before->may_recount || ask->may_recount)
        return;
    request->recall.counted = ask->bound.input_tokens;
    request->recall.counted_for = request->upstream;
}

void share_prepare(struct request *request)
{
    struct ask ask;
    if (fill_offer(request, &ask))
        gate_prepare(request->worker->house->gate, &ask);
}

/* A follower is asked: it holds what the call may cost, or says no. `growing`: it may have room as
 * soon as the lessor has granted it. */
static struct payer *offer(struct request *request, bool *growing)
{
    struct gate *gate = request->worker->house->gate;
    struct grant grant;
    struct ask ask;
    if (!fill_offer(request, &ask))
        return NULL;
    const struct ask before = ask;
    reserve_ask(request, &ask, 0, &grant);
    note_counted(request, &before, &ask);
    *growing = grant.verdict == VERDICT_WAIT && grant.growing;
    if (grant.verdict == VERDICT_WAIT)
        gate_leave(gate, grant.waiter); /* a grant on its way finds nobody, and is given back */
    if (grant.verdict != VERDICT_GRANTED)
        return NULL;
    if (grant.clamped) {
        if (grant.hold != 0)
            gate_settle(gate, grant.hold, &(struct spend){{0}}, NULL);
        return NULL;
    }
    struct payer *payer = memory_new(sizeof *payer);
    payer->gate = gate;
    reserve_fill_held(&ask, &grant, &payer->arena, &payer->held);
    record_describe(request, &payer->held, &payer->arena, &payer->entry);
    name_second_call(request, payer);
    return payer;
}

static void answer_payee(struct request *request);

static void offer_again(void *context)
{
    struct request *request = context;
    if (request->recall.follower.flight != NULL)
        answer_payee(request);
}

static bool may_offer_again(struct request *request)
{
    struct recall *recall = &request->recall;
    if (recall->offers++ == OFFERS_MOST)
        return false;
    share_prepare(request);
    recall->offer.due = offer_again;
    recall->offer.context = request;
    loop_timer_set(request->worker->loop, &recall->offer, OFFER_US);
    return true;
}

static void answer_payee(struct request *request)
{
    struct follower *follower = &request->recall.follower;
    bool growing = false;
    struct payer *payer = offer(request, &growing);
    struct flight_payee payee;
    if (payer == NULL && growing && may_offer_again(request))
        return;
    if (payer == NULL) {
        flight_decline(follower);
        return;
    }
    if (!flight_pay(follower, &payee)) {
        free_payer(payer);
        return;
    }
    struct letter *letter = letter_new(payee.call, LETTER_PAYER);
    letter->body = payer;
    letter->body_free = free_payer;
    mailbox_post(payee.mailbox, letter);
}

static void note_new_hold(struct call *call, const struct payer *payer)
{
    struct entry line = payer->entry;
    line.kind = ENTRY_RESERVE;
    line.wall_us = loop_wall_us(call->worker->loop);
    line.charges = payer->held.charges;
    line.charge_count = payer->held.charge_count;
    ledger_note(call->worker->batch, &line);
    call->extended = ledger_batch_written(call->worker->batch); /* a rolling one waits for it */
}

/* The first payer's client may still be there, whoever paid since has left. */
static void say_why_it_ends(struct call *call)
{
    bool stays = call->request != NULL && !call->taken_over;
    call->stop_reason = stays ? "budget" : "client";
    call->status = stays ? call->status : 499;
}

/* Somebody else pays from now on: the hold that was is given back, but for the request it was. */
static void change_payer(struct call *call, struct payer *payer)
{
    note_new_hold(call, payer);
    say_why_it_ends(call);
    settle_without_use(call);
    record_call(call);
    arena_close(&call->payer_arena);
    call->payer_arena = payer->arena;
    payer->arena = (struct arena){0};
    struct text service_tier = call->entry.service_tier;
    call->entry = payer->entry;
    call->entry.service_tier = service_tier;
    call->held = payer->held;
    payer->held.hold = 0;
    call->taken_over = true;
    call->refused_at = 0;
    call->lacks = false;
    call->stop_reason = NULL;
    call->status = transfer_status(call->transfer);
}

/* The call that a letter is for, if it still shares what comes. */
static struct call *shared_call(struct worker *worker, const struct letter *letter)
{
    struct call *call = roster_find(&worker->calls, letter->to);
    return call != NULL && call->flight != NULL ? call : NULL;
}

/* Who pays has left, or its budget refuses more (and did not grant it since). */
static bool needs_payer(const struct call *call)
{
    return call->request == NULL || call->taken_over || call->lacks;
}

/* After a reload a follower may have held by other prices than those the call is booked at. */
static bool same_prices(const struct call *call, const struct payer *payer)
{
    return text_equal(payer->entry.price_version, catalog_version(call->terms->catalog));
}

/* The text that was sent may be another one than the payer's own, if only by white space. */
static bool holds_input(const struct call *call, const struct held *held)
{
    int64_t input = call->held.bound.input_tokens;
    return !call->terms->recall.normalized || held->bound.input_tokens >= input ||
           (estimate_call(call, &input) && held->bound.input_tokens >= input);
}

/* Its budgets may have other rules than those by which the call's maximum was decided. */
static bool holds_enough(const struct call *call, const struct held *held)
{
    return held->hold == 0 ||
           (held->held_output >= call->held.max_output && holds_input(call, held));
}

static void seek_next(struct call *call)
{
    call->seeking = false;
    if (needs_payer(call))
        seek_payer(call);
}

static void hear_payer(struct worker *worker, struct letter *letter)
{
    struct call *call = shared_call(worker, letter);
    struct payer *payer = letter->body;
    if (call == NULL)
        return;
    bool needed = needs_payer(call);
    if (!needed || !same_prices(call, payer) || !holds_enough(call, &payer->held)) {
        flight_drop_payer(call->flight, !needed);
        seek_next(call);
        return;
    }
    call->seeking = false;
    flight_take_payer(call->flight);
    change_payer(call, payer);
}

static void hear_declined(struct worker *worker, struct letter *letter)
{
    struct call *call = shared_call(worker, letter);
    if (call != NULL)
        seek_next(call);
}

void share_left_alone(struct call *call)
{
    if (call->request == NULL)
        call_desert(call);
    else if (call->taken_over)
        rolling_stop(call);
}

static void hear_left(struct worker *worker, struct letter *letter)
{
    struct call *call = shared_call(worker, letter);
    if (call == NULL)
        return;
    if (!share_has_followers(call))
        share_left_alone(call);
    else if (letter->value == 1 && needs_payer(call))
        seek_payer(call);
}

/* It waited for its slow client alone; now somebody else waits, too. */
static void hear_joined(struct worker *worker, struct letter *letter)
{
    struct call *call = roster_find(&worker->calls, letter->to);
    if (call != NULL && call->transfer != NULL)
        transfer_hold(call->transfer, false);
}

/* ---- letters to those who follow ---- */

/* What a late letter says may not hold any more: what does, is asked. */
static void hear_flight(struct worker *worker, struct letter *letter)
{
    struct request *request = roster_find(&worker->requests, letter->to);
    if (request == NULL || request->recall.follower.flight == NULL)
        return;
    struct recall *recall = &request->recall;
    if (letter->kind == FLIGHT_LETTER_PAY) {
        recall->offers = 0;
        recall->counted = 0;
        answer_payee(request);
        return;
    }
    if (letter->kind == FLIGHT_LETTER_LEAD) {
        struct flight *flight = flight_lead(&recall->follower);
        if (flight == NULL)
            return;
        recall->flight = flight;
        recall->state = RECALL_MISS;
        if (recall->no_store) /* it follows, but what it would lead to is nobody else's */
            recall_refused(request, false);
    } else if (letter->kind == FLIGHT_LETTER_ALONE) {
        flight_leave(&recall->follower);
        recall->state = RECALL_MISS;
    }
    if (request->step == STEP_RECALL || request->step == STEP_FORWARD)
        pipeline_awake(request);
}

bool share_letter(struct worker *worker, struct letter *letter)
{
    static const struct {
        int kind;
        void (*hear)(struct worker *worker, struct letter *letter);
    } table[] = {
        {FLIGHT_LETTER_NEWS, hear_flight},       {FLIGHT_LETTER_LEAD, hear_flight},
        {FLIGHT_LETTER_ALONE, hear_flight},      {FLIGHT_LETTER_PAY, hear_flight},
        {FLIGHT_LETTER_DECLINED, hear_declined}, {FLIGHT_LETTER_LEFT, hear_left},
        {FLIGHT_LETTER_JOINED, hear_joined},     {LETTER_PAYER, hear_payer},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (table[i].kind != letter->kind)
            continue;
        table[i].hear(worker, letter);
        letter_free(letter);
        return true;
    }
    return false;
}
