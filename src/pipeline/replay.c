/*
 * Replay: a request gets an answer that it did not call for: from the cache, or from the call of
 * somebody who asked the same, as it comes. It costs nothing but counts as a request.
 */
#include "base/log.h"
#include "pipeline/pipeline.h"
#include "pipeline/recall.h"
#include "wire/sse.h"

/* ---- what the client gets ---- */

static void begin_head(struct request *request, struct text content_type)
{
    const struct recording_head *head = recording_head(request->recall.recording);
    struct reply *reply = &request->reply;
    if (content_type.size > 0)
        reply_header_text(reply, &request->arena, "Content-Type", content_type);
    if (head->retry_after.size > 0)
        reply_header_text(reply, &request->arena, "Retry-After", head->retry_after);
    settle_headers_of_replay(request);
}

static void send_reshaped(struct request *request)
{
    struct recall *recall = &request->recall;
    struct reply *reply = &request->reply;
    bool stream = request->body.stream;
    begin_head(request, stream ? TEXT("text/event-stream") : TEXT("application/json"));
    if (!stream) {
        reply_whole_take(reply, 200, &recall->reshaped);
        return;
    }
    reply_begin(reply, 200);
    reply_put(reply, buffer_text(&recall->reshaped));
    reply_end(reply);
}

static void send_whole(struct request *request)
{
    const struct recording *recording = request->recall.recording;
    const struct recording_head *head = recording_head(recording);
    struct buffer joined = {0};
    ASSERT(recording_state(recording) == RECORDING_COMPLETE);
    begin_head(request, head->content_type);
    reply_whole(&request->reply, head->status, recording_all(recording, &joined));
    buffer_close(&joined);
}

/* The usage event says what the call cost; to this client it cost nothing. */
static void put_usage(struct reply *reply, struct text raw)
{
    struct sse sse = {0};
    struct sse_event event;
    sse_feed(&sse, raw);
    if (sse_next(&sse, &event) != SSE_EVENT || !forward_put_with_cost(reply, &event, MONEY_ZERO))
        reply_put(reply, raw);
    sse_close(&sse);
}

/* The usage event is put as a whole: it was published as a whole, though maybe not in one piece. */
static void put_piece(struct request *request, struct text piece)
{
    struct recall *recall = &request->recall;
    struct reply *reply = &request->reply;
    size_t start = recall->place.at - piece.size;
    size_t from, to;
    recording_usage_at(recall->recording, &from, &to);
    if (!request->body.usage_asked || to <= start || from >= start + piece.size) {
        reply_put(reply, piece);
        return;
    }
    struct buffer event = {0};
    reply_put(reply, text_slice(piece, 0, from - start));
    buffer_put(&event, text_slice(piece, from - start, to - start));
    while (event.size < to - from)
        buffer_put(&event,
                   recording_next(recall->recording, &recall->place, to - from - event.size, true));
    put_usage(reply, buffer_text(&event));
    reply_put(reply, text_from(piece, to - start));
    buffer_close(&event);
}

/* Whatever ended a recording, its last bytes were put before: so the state is asked first. */
static bool pump(struct request *request)
{
    struct recall *recall = &request->recall;
    struct reply *reply = &request->reply;
    enum recording_state state = recording_state(recall->recording);
    struct text piece = TEXT("more");
    while (!reply->full && piece.size > 0) {
        piece =
            recording_next(recall->recording, &recall->place, SIZE_MAX, request->body.usage_asked);
        put_piece(request, piece);
    }
    if (piece.size > 0 || state == RECORDING_RUNNING) {
        reply_flush(reply);
        return false;
    }
    if (state == RECORDING_COMPLETE)
        reply_end(reply);
    else
        reply_break(reply);
    return true;
}

/* From inside the listener: the replay goes on in a turn of its own. */
static void drained(void *context)
{
    struct request *request = context;
    if (request->step == STEP_FORWARD)
        loop_timer_set(request->worker->loop, &request->timer, 0);
}

static void begin_events(struct request *request)
{
    const struct recording_head *head = recording_head(request->recall.recording);
    begin_head(request, head->content_type);
    request->reply.on_drained = drained;
    request->reply.drained_context = request;
    reply_begin(&request->reply, head->status);
}

bool replay_go_on(struct request *request)
{
    struct recall *recall = &request->recall;
    if (recall->follower.flight != NULL)
        flight_heard(&recall->follower);
    if (request->reply.status == 0) {
        if (recall->reshaped.size > 0) {
            send_reshaped(request);
            return true;
        }
        if (recording_head(recall->recording)->shape == RECORDING_WHOLE) {
            send_whole(request);
            return true;
        }
        begin_events(request);
    }
    return pump(request);
}

bool replay_served(const struct request *request)
{
    return recall_serves(request) && request->step >= STEP_FORWARD &&
           request->outcome.error == NULL;
}

void replay_break(struct request *request)
{
    if (request->reply.streamed && !request->reply.ended)
        reply_break(&request->reply);
}

/* ---- its books ---- */

static bool is_broken(const struct request *request)
{
    enum recording_state state = recording_state(request->recall.recording);
    return state == RECORDING_BROKEN || state == RECORDING_GIVEN_UP || request->reply.broken;
}

static const char *stop_reason_of(const struct request *request)
{
    if (request->client_gone)
        return "client";
    if (is_broken(request))
        return "upstream";
    return request->reply.status < 400 ? "stop" : "error";
}

void replay_settle(struct request *request)
{
    const struct spend used = {{[UNIT_REQUESTS] = 1}};
    struct held *held = &request->held;
    struct charge *charges = (struct charge *)(uintptr_t)held->charges;
    for (size_t i = 0; i < held->charge_count; i++)
        charges[i].amount = used.amount[charges[i].unit];
    worker_book(request->worker, held->hold, &used, NULL);
    held->hold = 0;
}

/* What a call of its own would have cost; nothing if it paid for this one. */
static struct money saved_by(const struct request *request)
{
    const struct recall *recall = &request->recall;
    bool complete = recording_state(recall->recording) == RECORDING_COMPLETE;
    return complete && !flight_pays(&recall->follower) ? recording_cost(recall->recording)
                                                       : MONEY_ZERO;
}

void replay_record(struct request *request)
{
    struct worker *worker = request->worker;
    struct entry entry;
    record_describe(request, &request->held, &request->arena, &entry);
    entry.kind = ENTRY_SETTLE;
    entry.wall_us = loop_wall_us(worker->loop);
    entry.cache = TEXT("hit");
    entry.call = TEXT_NONE;
    entry.attempt = 0;
    entry.hold = MONEY_ZERO;
    entry.saved[SAVING_CACHE] = saved_by(request);
    entry.charges = request->held.charges;
    entry.charge_count = request->held.charge_count;
    entry.status = request->client_gone ? 499 : request->reply.status;
    entry.stop_reason = text_of(stop_reason_of(request));
    entry.duration_ms = (loop_steady_us(worker->loop) - request->began_us) / 1000;
    ledger_note(worker->batch, &entry);
    if (!request->terms->log_access)
        return;
    char saved[MONEY_STRING_SIZE];
    log_info("%s %d %.*s key=%.*s model=%.*s upstream=%.*s tokens=0+0 cost=$0 cache=hit saved=%s "
             "stop=%.*s %lldms session=%.*s",
             request->name, entry.status, TEXT_ARG(entry.endpoint), TEXT_ARG(entry.key),
             TEXT_ARG(entry.model), TEXT_ARG(entry.upstream),
             money_string(entry.saved[SAVING_CACHE], saved), TEXT_ARG(entry.stop_reason),
             (long long)entry.duration_ms, TEXT_ARG(text_slice(entry.session, 0, 100)));
}
