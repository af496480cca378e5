/*
 * forward: send, meter, relay.
 *
 * The transfer tells us from the loop that there is news. We look at what came, pass it on to the
 * client if there still is one, and keep what the meter needs. A client whose backlog grows holds
 * the upstream (reply.h); a call whose client is gone is only metered.
 */
#include "base/json.h"
#include "base/log.h"
#include "pipeline/objects.h"
#include "pipeline/pipeline.h"
#include "pipeline/pledge.h"
#include "pipeline/rating.h"
#include "pipeline/refusal.h"

enum next forward_request(struct request *request)
{
    if (recall_serves(request))
        return replay_go_on(request) ? GO_BOOKS : GO_WAIT;
    call_open(request);
    return GO_WAIT;
}

/* Woken when the call is over (or was refused by the ledger): the reply is decided. Or when there
 * is more to replay. */
enum next forward_awake(struct request *request)
{
    if (recall_serves(request))
        return replay_go_on(request) ? GO_BOOKS : GO_WAIT;
    return GO_BOOKS;
}

/* ---- the head ---- */

static bool header_passes(struct text name)
{
    static const char *const never[] = {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "content-length",
        "set-cookie",
        "openai-organization",
        "openai-project",
        "anthropic-organization-id",
        "alt-svc",
        "strict-transport-security",
    };
    /* Which web pages may read an answer is for purser to say. */
    if (text_starts_nocase(name, TEXT("x-purser-")) ||
        text_starts_nocase(name, TEXT("access-control-")))
        return false;
    for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
        if (text_equal_nocase(name, text_of(never[i])))
            return false;
    }
    return true;
}

/* The client's head and the reply's share one piece of the listener's memory; if both do not fit,
 * the client gets no answer at all. What is left of it for the upstream's headers, with room for
 * those that purser adds: these are never pushed out. */
static size_t room_for_headers(const struct request *request)
{
    size_t used = REPLY_HEAD_OWN + request->target.size;
    used += request->rating != NULL ? RATING_HEAD : 0;
    for (size_t i = 0; i < request->header_count; i++)
        used += request->headers[i].name.size + request->headers[i].value.size + REPLY_HEAD_LINE;
    return used < REPLY_HEADS_MOST ? REPLY_HEADS_MOST - used : 0;
}

void forward_headers(struct request *request, const struct transfer *transfer)
{
    struct reply *reply = &request->reply;
    size_t room = room_for_headers(request);
    size_t most = REPLY_MAX_HEADERS - REPLY_OWN_HEADERS;
    most -= request->rating != NULL ? RATING_HEADERS : 0;
    size_t at = 0;
    struct text name, value;
    while (transfer_next_header(transfer, &at, &name, &value)) {
        size_t size = name.size + value.size + REPLY_HEAD_LINE;
        bool undone =
            transfer_decoded(transfer) && text_equal_nocase(name, TEXT("content-encoding"));
        if (!header_passes(name) || undone || size > room || reply->header_count >= most ||
            rating_replaces(request, name))
            continue;
        room -= size;
        reply_header(reply, arena_copy(&request->arena, name).at,
                     arena_copy(&request->arena, value).at);
    }
}

static void client_drained(void *context)
{
    struct call *call = ((struct request *)context)->call;
    if (call != NULL && call->transfer != NULL)
        transfer_hold(call->transfer, false);
}

static void begin_stream(struct call *call)
{
    struct request *request = call->request;
    share_begin(call, call->mode == CALL_EVENTS ? RECORDING_EVENTS : RECORDING_WHOLE);
    if (request == NULL)
        return;
    forward_headers(request, call->transfer);
    settle_headers(call);
    request->reply.on_drained = client_drained;
    request->reply.drained_context = request;
    reply_begin(&request->reply, transfer_status(call->transfer));
}

static void take_head(struct call *call)
{
    int status = transfer_status(call->transfer);
    if (status == 0 || call->mode != CALL_WAITING)
        return;
    if (call->request != NULL || call->taken_over)
        call->status = status;
    struct text type = transfer_header(call->transfer, TEXT("Content-Type"));
    if (status < 300 && text_starts_nocase(type, TEXT("text/event-stream"))) {
        call->mode = CALL_EVENTS;
        begin_stream(call);
    } else if (status < 300 && endpoint_facts(call->endpoint)->any_answer &&
               text_starts_nocase(type, TEXT("audio/"))) {
        call->mode = CALL_RELAY; /* it is played while it comes */
        begin_stream(call);
    } else {
        call->mode = CALL_WHOLE;
        if (status < 300) /* it does not come as it is generated: no slice bounds it */
            rolling_book_all(call);
    }
    if (call->guest.size > 0 && status < 300)
        house_accept_guest(call->worker->house, call->guest);
}

/* ---- events ---- */

/* At the top level, or in the whole response that ends a Responses stream. */
static bool find_usage(struct json_value data, struct json_value *usage)
{
    struct json_value response;
    if (json_member(data, TEXT("response"), &response))
        data = response;
    return json_member(data, TEXT("usage"), usage) && usage->kind == JSON_OBJECT;
}

/* The exact cost goes into the usage that ends a stream: `usage.cost`. */
bool forward_put_with_cost(struct reply *reply, const struct sse_event *event, struct money cost)
{
    struct json_value data, usage;
    bool one_line = event->data.at >= event->raw.at &&
                    event->data.at + event->data.size <= event->raw.at + event->raw.size;
    if (!one_line || json_parse(event->data, &data, NULL) != JSON_OK || !find_usage(data, &usage))
        return false;
    struct json_value its_own;
    if (json_member(usage, TEXT("cost"), &its_own))
        return false;
    size_t brace = (size_t)(usage.raw.at - event->raw.at) + usage.raw.size - 1;
    struct text before = text_slice(event->raw, 0, brace);
    struct buffer amount = {0};
    money_put(&amount, cost);
    reply_put(reply, before);
    reply_put(reply, TEXT(",\"cost\":"));
    reply_put(reply, buffer_text(&amount));
    reply_put(reply, text_from(event->raw, brace));
    buffer_close(&amount);
    return true;
}

/* To its client a call that somebody else took over costs nothing. */
static bool put_with_cost(struct call *call, const struct sse_event *event)
{
    struct money cost = call->taken_over ? MONEY_ZERO : meter_cost(call);
    return call->model != NULL && forward_put_with_cost(&call->request->reply, event, cost);
}

/* The last name counts: before it is done a provider may only hope to keep to the tier asked for.
 */
static void take_service(struct call *call, struct text name)
{
    if (name.size > 0 && !text_equal(name, call->entry.service_tier))
        call->entry.service_tier = arena_copy(&call->arena, text_slice(name, 0, CALL_SERVICE_MOST));
}

/* What begins without its input has none to go on with. */
static void merge_usage(struct call *call, const struct chunk *chunk)
{
    if (chunk->usage_result != USAGE_FOUND || call->usage_result != USAGE_FOUND)
        call->usage_result = USAGE_INVALID;
    else
        usage_merge(&call->usage, &chunk->usage);
}

/* True if it is the last one, for all that has come. */
static bool take_usage(struct call *call, const struct chunk *chunk)
{
    if (chunk->usage_later) {
        merge_usage(call, chunk);
    } else {
        call->usage_result = chunk->usage_result;
        call->usage = chunk->usage;
    }
    call->usage_begun = chunk->usage_first;
    call->usage_final = chunk->choices_empty || chunk->usage_ends || chunk->done;
    return call->usage_final && call->usage_result == USAGE_FOUND;
}

/* What was made belongs to who asked, as soon as its id is known. */
static void take_id(struct call *call, struct text id)
{
    if (!call->stored || call->claimed || id.size == 0)
        return;
    call->claimed = true;
    objects_claim(call->worker, &(struct object){OBJECT_RESPONSE, call->upstream->name, id},
                  call->entry.key);
}

static struct output output_of(const struct call *call)
{
    return (struct output){call->upstream->name, call->entry.key, call->stored};
}

/* `plain`: it is known to have nothing of what is looked for. */
static void pass_event(struct call *call, const struct sse_event *event, bool plain)
{
    struct chunk chunk = {.usage_result = USAGE_ABSENT};
    if (!plain)
        chunk_read(call->endpoint, event->data, !call->visible, &chunk);
    take_service(call, chunk.service_tier);
    take_id(call, chunk.id);
    if (chunk.item.raw.size > 0)
        objects_claim_item(call->worker, output_of(call), chunk.item);
    call->visible = call->visible || chunk.visible || call->gauge.visible;
    call->done = call->done || chunk.done;
    call->is_error = call->is_error || chunk.error;
    bool usage_chunk = false;
    if (chunk.usage_result != USAGE_ABSENT)
        usage_chunk = take_usage(call, &chunk);
    else if (event->data.size > 0 && !chunk.done)
        call->usage_final = false; /* it was a running count: output follows it */
    share_put(call, event->raw, usage_chunk);
    if (call->request == NULL || (usage_chunk && !call->usage_asked))
        return;
    if (!usage_chunk || !put_with_cost(call, event))
        reply_put(&call->request->reply, event->raw);
}

static void take_event(struct call *call, const struct sse_event *event)
{
    gauge_read(&call->gauge, event->data, loop_steady_us(call->worker->loop));
    rolling_note(call, event->data);
    pass_event(call, event, call->gauge.reader.usual);
}

static void take_events(struct call *call, struct text bytes)
{
    struct sse_event event;
    enum sse_result result;
    sse_feed(&call->sse, bytes);
    while ((result = sse_next(&call->sse, &event)) == SSE_EVENT)
        take_event(call, &event);
    if (result == SSE_TOO_LARGE) {
        log_warn("%.*s: an event of upstream %.*s is over %d bytes", TEXT_ARG(call->entry.call),
                 TEXT_ARG(call->upstream->name), SSE_MAX_EVENT);
        call->cancelled = true;
        call->too_large = true;
        call->stop_reason = "upstream";
    }
}

/* ---- bodies ---- */

static void take_answer(struct call *call, struct text bytes)
{
    if (call->mode == CALL_RELAY) {
        answer_scan_feed(&call->scan, bytes);
        share_put(call, bytes, false);
        if (call->request != NULL)
            reply_put(&call->request->reply, bytes);
        return;
    }
    buffer_put(&call->answer, bytes);
    if (call->answer.size <= call->answer_most)
        return;
    if (call->in_parts) { /* as it comes it is not what was asked for */
        call->cancelled = true;
        call->too_large = true;
        call->stop_reason = "upstream";
        return;
    }
    call->mode = CALL_RELAY;
    answer_scan_feed(&call->scan, buffer_text(&call->answer));
    begin_stream(call);
    share_put(call, buffer_text(&call->answer), false);
    if (call->request != NULL)
        reply_put(&call->request->reply, buffer_text(&call->answer));
    buffer_close(&call->answer);
}

void forward_take(struct call *call)
{
    take_head(call);
    struct text bytes = transfer_body(call->transfer);
    if (bytes.size == 0 || call->mode == CALL_WAITING)
        return;
    if (call->first_byte_us == 0)
        call->first_byte_us = loop_steady_us(call->worker->loop);
    if (call->mode == CALL_EVENTS)
        take_events(call, bytes);
    else
        take_answer(call, bytes);
    rolling_check(call);
    struct request *request = call->request;
    /* Who follows must not wait for a slow client; it has what comes meanwhile kept for it. */
    if (request != NULL && request->reply.full && share_lets_pause(call) && !call->cancelled &&
        rolling_hold_all(call))
        transfer_hold(call->transfer, true);
    transfer_taken(call->transfer);
    share_flush(call);
    if (request != NULL && request->reply.streamed)
        reply_flush(&request->reply);
}

/* ---- the end ---- */

static void take_last_event(struct call *call)
{
    struct sse_event event;
    if (call->too_large || rolling_cut(call) || !sse_last(&call->sse, &event))
        return;
    if (transfer_ended(call->transfer) == TRANSFER_COMPLETE) {
        take_event(call, &event);
        return;
    }
    gauge_read_rest(&call->gauge, event.data);
    pass_event(call, &event, false);
}

bool forward_is_whole(const struct call *call)
{
    if (call->done)
        return true;
    if (call->cancelled || call->transfer == NULL ||
        transfer_ended(call->transfer) != TRANSFER_COMPLETE)
        return false;
    if (call->mode == CALL_EVENTS && endpoint_facts(call->endpoint)->ends_told)
        return false;
    return call->mode != CALL_EVENTS || !transfer_until_close(call->transfer);
}

/* The exact cost, now that it is known, for who reads comments. */
static void put_comment(struct call *call)
{
    const struct entry *entry = &call->entry;
    if (!call->terms->cost_comment || call->mode != CALL_EVENTS)
        return;
    struct buffer line = {0};
    buffer_put(&line, TEXT(": purser cost_usd="));
    money_put(&line, call->taken_over ? MONEY_ZERO : entry->cost);
    if (call->stopped_by != NULL)
        buffer_printf(&line, " stopped_by=%.*s", TEXT_ARG(call->stopped_by->budget));
    buffer_put(&line, TEXT("\n\n"));
    reply_put(&call->request->reply, buffer_text(&line));
    buffer_close(&line);
}

static void finish_stream(struct call *call)
{
    settle_decide(call);
    if (forward_is_whole(call) || rolling_stopped(call)) {
        put_comment(call);
        reply_end(&call->request->reply);
        return;
    }
    reply_break(&call->request->reply);
    if (call->stop_reason == NULL)
        call->stop_reason = "upstream";
}

/* Looking at the beginning is enough, unless only the end of the JSON tells that it is whole. */
static bool has_json(const struct call *call)
{
    struct json_value value;
    struct text body = text_trim(buffer_text(&call->answer));
    if (body.size == 0 || (body.at[0] != '{' && body.at[0] != '['))
        return false;
    return !transfer_until_close(call->transfer) || json_parse(body, &value, NULL) == JSON_OK;
}

static bool cut_by_shutdown(const struct call *call)
{
    return call->stop_reason != NULL && text_equal(text_of(call->stop_reason), TEXT("shutdown"));
}

static void refuse_failed(struct call *call)
{
    struct request *request = call->request;
    struct text name = call->upstream->name;
    const char *why = transfer_why(call->transfer);
    if (cut_by_shutdown(call)) {
        refuse(request, REFUSAL_SHUTTING_DOWN, NULL,
               "purser is shutting down, and upstream '%.*s' had not answered by then. What it may "
               "have billed stays charged.",
               TEXT_ARG(name));
        return;
    }
    switch (transfer_ended(call->transfer)) {
    case TRANSFER_NOT_SENT:
        refuse(request, REFUSAL_UPSTREAM_UNREACHABLE, NULL,
               "Upstream '%.*s' cannot be reached (%s). Nothing was sent and nothing is charged.",
               TEXT_ARG(name), why);
        return;
    case TRANSFER_LATE:
    case TRANSFER_RUNNING: /* request_seconds passed */
        refuse(request, REFUSAL_UPSTREAM_TIMEOUT, NULL,
               "Upstream '%.*s' did not answer in time. What it may have billed stays charged.",
               TEXT_ARG(name));
        return;
    default:
        refuse(request, REFUSAL_UPSTREAM_UNANSWERED, NULL,
               "Upstream '%.*s' broke off without a complete answer (%s). What it may "
               "have billed stays charged.",
               TEXT_ARG(name), why);
        return;
    }
}

enum answer {
    ANSWER_PASSES,
    ANSWER_FAILED,
    ANSWER_TOO_LARGE,
    ANSWER_OUR_KEY,
    ANSWER_ELSEWHERE,
    ANSWER_NOT_JSON
};

static enum answer judge_answer(const struct call *call)
{
    int status = transfer_status(call->transfer);
    bool passthrough = call->terms->admission.mode == ADMISSION_PASSTHROUGH;
    if (call->too_large)
        return ANSWER_TOO_LARGE;
    if (call->cancelled || transfer_ended(call->transfer) != TRANSFER_COMPLETE)
        return ANSWER_FAILED;
    if ((status == 401 || status == 403) && !passthrough)
        return ANSWER_OUR_KEY;
    if (status >= 300 && status < 400) /* a client would follow it past its budget */
        return ANSWER_ELSEWHERE;
    bool any = endpoint_facts(call->endpoint)->any_answer;
    return status < 300 && !any && !has_json(call) ? ANSWER_NOT_JSON : ANSWER_PASSES;
}

static void refuse_answer(struct call *call, enum answer answer)
{
    struct request *request = call->request;
    struct text name = call->upstream->name;
    int status = transfer_status(call->transfer);
    switch (answer) {
    case ANSWER_TOO_LARGE:
        refuse(request, REFUSAL_UPSTREAM_BAD_ANSWER, NULL,
               "Upstream '%.*s' answered with over %d MB for those inputs that the cache did not "
               "know: too much to be put together with the others. Send fewer inputs at once, or "
               "'x-purser-cache: no-cache'. What it may have billed stays charged.",
               TEXT_ARG(name), CALL_PARTS_MOST / (1024 * 1024));
        return;
    case ANSWER_OUR_KEY:
        log_error("upstream %.*s refuses its api_key with status %d", TEXT_ARG(name), status);
        refuse(request, REFUSAL_UPSTREAM_AUTH, NULL,
               "Upstream '%.*s' refused purser's own key (status %d). The operator has to check "
               "its api_key.",
               TEXT_ARG(name), status);
        return;
    case ANSWER_ELSEWHERE:
        refuse(request, REFUSAL_UPSTREAM_BAD_ANSWER, NULL,
               "Upstream '%.*s' answered %d, which points to another place. Is its base_url right?",
               TEXT_ARG(name), status);
        return;
    case ANSWER_NOT_JSON:
        refuse(request, REFUSAL_UPSTREAM_BAD_ANSWER, NULL,
               "Upstream '%.*s' answered %d with something that is not JSON, or not whole. Is its "
               "base_url right?",
               TEXT_ARG(name), status);
        return;
    case ANSWER_FAILED:
    case ANSWER_PASSES:
        refuse_failed(call);
        return;
    }
}

/* An answer that passes is recorded first: it may have to be put together, and others want it. */
static void finish_answer(struct call *call)
{
    struct request *request = call->request;
    enum answer answer = judge_answer(call);
    bool good = answer == ANSWER_PASSES && transfer_status(call->transfer) < 300;
    if (good && !parts_take(call, &call->answer))
        answer = ANSWER_NOT_JSON;
    if (answer == ANSWER_PASSES) {
        share_begin(call, RECORDING_WHOLE);
        share_put(call, buffer_text(&call->answer), false);
    }
    if (request == NULL)
        return;
    if (answer == ANSWER_PASSES) {
        forward_headers(request, call->transfer);
        reply_whole_take(&request->reply, transfer_status(call->transfer), &call->answer);
    } else {
        refuse_answer(call, answer);
    }
}

/* Its text tells what its usage does not. */
static void count_answer(struct call *call)
{
    if (!delta_knows(call->endpoint) || !forward_is_whole(call))
        return;
    gauge_close(&call->gauge);
    call_open_gauge(call);
    gauge_read(&call->gauge, buffer_text(&call->answer), loop_steady_us(call->worker->loop));
}

/* Reads the usage of a plain answer; a running count in events is the whole call's once the stream
 * has come to its own end. */
static void judge_usage(struct call *call)
{
    if (call->mode == CALL_EVENTS) {
        call->usage_final |= forward_is_whole(call) && !call->usage_begun;
        return;
    }
    struct answer_report answer = {.usage_result = USAGE_ABSENT};
    if (call->mode == CALL_WHOLE)
        answer_read(buffer_text(&call->answer), &answer);
    else if (call->mode == CALL_RELAY)
        answer_scan_read(&call->scan, &answer);
    call->usage_result = answer.usage_result;
    call->usage = answer.usage;
    if (call->mode == CALL_RELAY && call->usage.searches < call->searches)
        call->usage.searches = call->searches; /* nobody counted what passed */
    call->is_error = answer.is_error;
    take_service(call, answer.service_tier);
    bool good = call->started && transfer_status(call->transfer) < 300;
    if (answer.id.size > 0 && good)
        take_id(call, answer.id);
    if (call->endpoint == ENDPOINT_RESPONSES && call->mode == CALL_WHOLE && good)
        objects_claim_items(call->worker, output_of(call), buffer_text(&call->answer));
    call->usage_final = forward_is_whole(call);
    if (call->lasting && call->mode == CALL_WHOLE && call->usage_final &&
        transfer_status(call->transfer) < 300)
        pledge_look(call);
    if (call->mode == CALL_WHOLE && answer.usage_result == USAGE_ABSENT && call->pending.size == 0)
        count_answer(call);
}

void forward_over(struct call *call)
{
    struct request *request = call->request;
    loop_timer_cancel(call->worker->loop, &call->timer);
    if (call->mode == CALL_EVENTS)
        take_last_event(call);
    judge_usage(call);
    bool relayed = call->mode == CALL_EVENTS || call->mode == CALL_RELAY;
    if (rolling_stopped(call)) {
        settle_decide(call);
        rolling_put_end(call);
    }
    if (request != NULL && relayed)
        finish_stream(call);
    else if (call->started && !relayed)
        finish_answer(call);
    else if (request != NULL)
        refuse(request, REFUSAL_SHUTTING_DOWN, NULL, "purser is shutting down.");
    if (request != NULL) {
        call->status = request->reply.status;
        pipeline_awake(request);
    } else {
        settle_call(call);
        record_call(call);
        call_close(call);
    }
}

void forward_progress(void *context)
{
    struct call *call = context;
    bool shared = call->flight != NULL;
    forward_take(call);
    bool ended = transfer_ended(call->transfer) != TRANSFER_RUNNING;
    bool left = shared && call->flight == NULL;
    if (call->cancelled || (ended && transfer_body(call->transfer).size == 0))
        forward_over(call);
    else if (left) /* too large to be shared on */
        share_left_alone(call);
}
