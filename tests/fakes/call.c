/*
 * One API call, step by step; see call.h.
 */
#include "call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "squeeze.h"

static const int64_t ns_per_ms = 1000000;
static const size_t drain_above = 4 * 1024 * 1024; /* unsent bytes at which generating pauses */
static const size_t filler_step = 16 * 1024;

enum manner { MANNER_PLAIN, MANNER_STREAM, MANNER_ERROR, MANNER_PAGE, MANNER_SILENCE };
enum phase { PHASE_THINK, PHASE_HEAD, PHASE_BODY, PHASE_EVENTS };

struct call {
    struct bill *bill;
    struct bill_entry entry;
    struct ask ask;
    struct wish wish;
    struct answer answer;
    enum manner manner;
    enum phase phase;
    enum call_ending ending;
    int status;
    char message[160]; /* of an error */
    const char *param; /* of an error, or NULL */
    bool client_left;
    int64_t started_ns;
    int64_t due_ns;
    bool last; /* the client asked to close behind the answer */
    struct bytes head;
    struct bytes body; /* the answer up to the filler */
    int64_t filler;    /* bytes still to send */
    struct bytes tail; /* the answer behind the filler */
    /* Of a stream: */
    int64_t pieces; /* content events per choice */
    int64_t next;   /* the next content event of all choices */
    struct bytes event;
    struct bytes packed;
    struct squeeze *squeeze;
};

/* ---- what the call will be */

static void refuse(struct call *call, int status, const char *message, const char *param)
{
    call->manner = MANNER_ERROR;
    call->status = status;
    call->param = param;
    snprintf(call->message, sizeof call->message, "%s", message);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t output_limit(const struct call *call)
{
    int64_t model = bill_max_output(call->ask.model);
    int64_t asked = call->ask.max_tokens;
    if (wish_on(call->wish.ignore_max) || (model == 0 && asked == 0))
        return INT64_MAX;
    return model == 0 || asked == 0 ? model + asked : least(model, asked);
}

/* "none": a provider that names no tier. Otherwise chats have one always, the rest if wished. */
static const char *tier_of(const struct call *call)
{
    const char *wished = call->wish.tier;
    if (strcmp(wished, "none") == 0)
        return NULL;
    if (wished[0] != '\0')
        return wished;
    return call->ask.api == ASK_CHAT ? "default" : NULL;
}

static void plan_answer(struct call *call)
{
    const struct wish *wish = &call->wish;
    const struct ask *ask = &call->ask;
    bool embeddings = ask->api == ASK_EMBEDDINGS;
    int64_t wanted = embeddings ? 0 : wish_or(wish->output, 16);
    int64_t output = least(wanted, output_limit(call));
    int64_t reasoning = least(wish_or(wish->reasoning, 0), output);
    int64_t prompt = wish_or(wish->prompt, ask->prompt_tokens);
    call->answer = (struct answer){
        .api = ask->api,
        .id = call->entry.id,
        .model = wish->name[0] != 0 ? wish->name : ask->model,
        .created = (int64_t)time(NULL),
        .choices = ask->choices,
        .tries = ask->stream ? ask->choices : ask->tries,
        .visible = output - reasoning,
        .reasoning = reasoning,
        .tool = wish->tool,
        .prompt = prompt,
        .cached = embeddings ? 0 : least(wish_or(wish->cached, 0), prompt),
        .lie = wish->lie,
        .cost = wish->cost,
        .tier = tier_of(call),
        .cut = output < wanted,
        .usage_missing = wish->usage == USAGE_MISSING,
        .running_usage = wish->usage == USAGE_EVERY,
        .null_usage = ask->include_usage && wish->usage == USAGE_ASKED,
        .inputs = ask->inputs,
        .base64 = ask->base64,
    };
    call->pieces = call->answer.visible == 0 ? 0 : wish_or(wish->chunks, call->answer.visible);
    call->filler = wish_or(wish->big_mb, 0) * 1024 * 1024;
}

static void plan_manner(struct call *call)
{
    const struct wish *wish = &call->wish;
    call->status = (int)least(wish_or(wish->status, 200), 599);
    call->manner = call->ask.stream ? MANNER_STREAM : MANNER_PLAIN;
    if (wish_on(wish->no_answer))
        call->manner = MANNER_SILENCE;
    else if (wish_on(wish->html))
        call->manner = MANNER_PAGE;
    else if (call->status >= 400)
        refuse(call, call->status, "The fake provider was asked to fail.", NULL);
}

static void plan(struct call *call, const struct http_request *request, struct text api_key)
{
    struct text wrong;
    const char *message;
    const char *param;
    bool wishes = wish_read(&call->wish, request->headers, request->body, &wrong);
    if (!http_carries_key(request->headers, api_key)) {
        refuse(call, 401, "Incorrect API key provided.", NULL);
    } else if (!wishes) {
        refuse(call, 400, "", NULL);
        snprintf(call->message, sizeof call->message, "The fake knows no directive '%.*s'.",
                 (int)least((int64_t)wrong.size, 100), wrong.at);
    } else if (!ask_read(&call->ask, request->body, &message, &param)) {
        refuse(call, 400, message, param);
    } else {
        plan_manner(call);
    }
    plan_answer(call);
}

struct call *call_open(struct bill *bill, const struct ask *ask, const struct http_request *request,
                       struct text api_key, int64_t now_ns)
{
    static const char *const prefixes[] = {"chatcmpl-", "cmpl-", "embd-"};
    struct text purser_id = {"", 0};
    struct call *call = calloc(1, sizeof *call);
    if (call == NULL)
        abort();
    call->bill = bill;
    call->ask = *ask;
    call->last = request->last;
    call->started_ns = now_ns;
    plan(call, request, api_key);
    call->due_ns = now_ns + wish_or(call->wish.delay_ms, 0) * ns_per_ms;
    http_header(request->headers, TEXT("x-client-request-id"), &purser_id);
    text_copy(call->entry.purser_id, sizeof call->entry.purser_id, purser_id);
    text_copy(call->entry.model, sizeof call->entry.model, text_of(call->ask.model));
    call->entry.status = call->status;
    call->entry.named_nano_usd = WISH_ABSENT;
    text_copy(call->entry.tier, sizeof call->entry.tier, text_of(call->wish.tier));
    if (call->manner != MANNER_PAGE) { /* a page comes from a gateway: no model has worked */
        call->entry.prompt_tokens = call->answer.prompt;
        call->entry.cached_tokens = call->answer.cached;
        call->entry.named_nano_usd = call->wish.cost;
    }
    bill_begin(bill, &call->entry, prefixes[ask->api]);
    return call;
}

void call_close(struct call *call)
{
    if (call == NULL)
        return;
    bytes_free(&call->head);
    bytes_free(&call->body);
    bytes_free(&call->tail);
    bytes_free(&call->event);
    bytes_free(&call->packed);
    squeeze_close(call->squeeze);
    free(call);
}

int64_t call_due_ns(const struct call *call)
{
    return call->due_ns;
}

bool call_is_stream(const struct call *call)
{
    return call->manner == MANNER_STREAM;
}

enum call_ending call_ending(const struct call *call)
{
    return call->ending;
}

/* ---- what it has generated */

/* All tokens a call generates before its first byte: a plain answer whole, a stream its reasoning.
 */
static int64_t tokens_before_answer(const struct call *call)
{
    const struct answer *answer = &call->answer;
    switch (call->manner) {
    case MANNER_PLAIN:
    case MANNER_SILENCE:
        return (answer->visible + answer->reasoning) * answer->tries;
    case MANNER_STREAM:
        return answer->reasoning * answer->choices;
    default:
        return 0;
    }
}

static enum call_next finish(struct call *call, enum call_ending ending)
{
    call->ending = ending == ENDING_KEEP && call->last ? ENDING_CLOSE : ending;
    bill_end(call->bill, &call->entry, call->client_left ? BILL_CLIENT_GONE : BILL_DONE);
    return CALL_OVER;
}

bool call_client_left(struct call *call, int64_t now_ns)
{
    call->client_left = true;
    if (call->wish.cancel_ignored)
        return true;
    if (call->phase == PHASE_THINK) { /* it waits, so there is a delay */
        int64_t delay_ms = call->wish.delay_ms;
        int64_t passed_ms = least((now_ns - call->started_ns) / ns_per_ms, delay_ms);
        __int128 tokens = (__int128)tokens_before_answer(call) * passed_ms / delay_ms;
        bill_generated(call->bill, &call->entry, (int64_t)tokens);
    }
    finish(call, ENDING_CLOSE);
    return false;
}

/* ---- composing */

/* `size` < 0: the body is chunked. */
static void compose_head(struct call *call, const char *type, int64_t size)
{
    struct bytes *head = &call->head;
    http_status_line(head, call->status);
    bytes_print(head, "content-type: %s\r\nx-request-id: %s\r\n", type, call->entry.id);
    bytes_print(head, "openai-organization: fake-organization\r\nopenai-processing-ms: %d\r\n",
                (int)wish_or(call->wish.delay_ms, 0));
    if (size < 0)
        bytes_print(head, "transfer-encoding: chunked\r\ncache-control: no-cache\r\n");
    else
        bytes_print(head, "content-length: %lld\r\n", (long long)size);
    if (wish_on(call->wish.gzip))
        bytes_print(head, "content-encoding: gzip\r\n");
    if (call->wish.retry_after != WISH_ABSENT)
        bytes_print(head, "retry-after: %lld\r\n", (long long)call->wish.retry_after);
    if (call->last)
        bytes_print(head, "connection: close\r\n");
    bytes_print(head, "%s\r\n", call->wish.headers);
}

static void squeeze_body(struct call *call)
{
    struct squeeze *squeeze = squeeze_open();
    struct bytes packed = {0};
    squeeze_add(squeeze, &packed, bytes_text(&call->body));
    squeeze_fill(squeeze, &packed, answer_filler(&call->answer), (size_t)call->filler);
    squeeze_add(squeeze, &packed, bytes_text(&call->tail));
    squeeze_end(squeeze, &packed);
    squeeze_close(squeeze);
    bytes_free(&call->body);
    call->body = packed;
    call->filler = 0;
    call->tail.size = 0;
}

static void cut_body(struct call *call, int64_t keep)
{
    int64_t body = least((int64_t)call->body.size, keep);
    int64_t filler = least(call->filler, keep - body);
    int64_t tail = least((int64_t)call->tail.size, keep - body - filler);
    call->body.size = (size_t)body;
    call->filler = filler;
    call->tail.size = (size_t)tail;
}

/* The body is there: compresses it, writes the head, and cuts it short if that was wished. */
static void compose_rest(struct call *call, const char *type)
{
    if (wish_on(call->wish.gzip))
        squeeze_body(call);
    int64_t size = (int64_t)call->body.size + call->filler + (int64_t)call->tail.size;
    compose_head(call, type, size);
    if (call->wish.die_after != WISH_ABSENT) {
        cut_body(call, call->wish.die_after);
        call->ending = ENDING_RESET;
    } else if (wish_on(call->wish.half_chunk)) {
        cut_body(call, size / 2);
        call->ending = ENDING_CLOSE;
    }
}

static void compose_plain(struct call *call)
{
    answer_begin(&call->body, &call->answer);
    answer_end(&call->tail, &call->answer);
    compose_rest(call, "application/json");
}

static void compose_error(struct call *call)
{
    call->filler = 0;
    answer_error(&call->body, call->status, call->message, call->param);
    compose_rest(call, "application/json");
}

static void compose_page(struct call *call)
{
    call->filler = 0;
    answer_page(&call->body);
    compose_rest(call, "text/html; charset=utf-8");
}

static void compose_stream(struct call *call)
{
    call->squeeze = wish_on(call->wish.gzip) ? squeeze_open() : NULL;
    compose_head(call, "text/event-stream; charset=utf-8", -1);
}

/* ---- events */

/* Sends what is in call->event as one server-sent event in one HTTP chunk. */
static struct text frame_event(struct call *call)
{
    bytes_print(&call->event, wish_on(call->wish.events_crlf) ? "\r\n\r\n" : "\n\n");
    if (call->squeeze == NULL)
        return bytes_text(&call->event);
    call->packed.size = 0;
    squeeze_add(call->squeeze, &call->packed, bytes_text(&call->event));
    return bytes_text(&call->packed);
}

static struct bytes *begin_event(struct call *call)
{
    call->event.size = 0;
    bytes_print(&call->event, "data: ");
    return &call->event;
}

static void send_event(struct call *call, struct bytes *out)
{
    http_chunk(out, frame_event(call));
}

static void next_content_event(struct call *call)
{
    const struct answer *answer = &call->answer;
    int64_t piece = call->next / answer->choices;
    int64_t from = answer->visible * piece / call->pieces;
    int64_t to = answer->visible * (piece + 1) / call->pieces;
    answer_event(begin_event(call), answer, call->next % answer->choices, from, to);
    bill_generated(call->bill, &call->entry, call->entry.completion_tokens + to - from);
    call->next++;
}

static void send_roles(struct call *call, struct bytes *out)
{
    if (call->ask.api != ASK_CHAT)
        return;
    for (int64_t i = 0; i < call->answer.choices; i++) {
        answer_role_event(begin_event(call), &call->answer, i);
        send_event(call, out);
    }
}

static void send_end(struct call *call, struct bytes *out)
{
    const struct answer *answer = &call->answer;
    bool in_choices = call->wish.usage == USAGE_WITH_CHOICES;
    for (int64_t i = 0; i < answer->choices; i++) {
        bool last = i + 1 == answer->choices;
        answer_finish_event(begin_event(call), answer, i, in_choices && last);
        send_event(call, out);
    }
    if (call->ask.include_usage && !answer->usage_missing && !in_choices) {
        answer_usage_event(begin_event(call), answer);
        send_event(call, out);
    }
    bytes_print(begin_event(call), "[DONE]");
    send_event(call, out);
    if (call->squeeze != NULL) {
        call->packed.size = 0;
        squeeze_end(call->squeeze, &call->packed);
        http_chunk(out, bytes_text(&call->packed));
    }
    bytes_print(out, "0\r\n\r\n");
}

/* Sends the next event only in part: 1: half of its data, 2: the first digit of its chunk's size.
 */
static enum call_next break_off(struct call *call, struct bytes *out)
{
    if (call->next < call->pieces * call->answer.choices)
        next_content_event(call);
    else
        bytes_print(begin_event(call), "[DONE]");
    struct text data = frame_event(call);
    size_t before = out->size;
    bytes_print(out, "%zx\r\n", data.size);
    if (call->wish.half_chunk == 1)
        bytes_add(out, data.at, data.size / 2);
    else
        out->size = before + 1;
    return finish(call, ENDING_CLOSE);
}

/* ---- steps */

static enum call_next step_think(struct call *call, struct bytes *out, int64_t now_ns)
{
    static void (*const compose[])(struct call *) = {
        [MANNER_PLAIN] = compose_plain,
        [MANNER_STREAM] = compose_stream,
        [MANNER_ERROR] = compose_error,
        [MANNER_PAGE] = compose_page,
    };
    bill_generated(call->bill, &call->entry, tokens_before_answer(call));
    if (call->manner == MANNER_SILENCE)
        return finish(call, ENDING_CLOSE);
    compose[call->manner](call);
    call->phase = PHASE_HEAD;
    if (wish_on(call->wish.slow_head_ms)) {
        size_t half = call->head.size / 2;
        bytes_add(out, call->head.at, half);
        bytes_drop(&call->head, half);
        call->due_ns = now_ns + call->wish.slow_head_ms * ns_per_ms;
    }
    return CALL_WAIT;
}

static enum call_next step_head(struct call *call, struct bytes *out, int64_t now_ns)
{
    bytes_add_text(out, bytes_text(&call->head));
    call->phase = PHASE_BODY;
    if (call->manner == MANNER_STREAM) {
        call->phase = PHASE_EVENTS;
        call->due_ns = now_ns;
        send_roles(call, out);
    }
    return CALL_WAIT;
}

static enum call_next step_body(struct call *call, struct bytes *out, int64_t now_ns)
{
    (void)now_ns;
    bytes_add_text(out, bytes_text(&call->body));
    call->body.size = 0;
    while (call->filler > 0) {
        size_t size = (size_t)least(call->filler, (int64_t)filler_step);
        if (out->size > drain_above)
            return CALL_DRAIN;
        bytes_fill(out, answer_filler(&call->answer), size);
        call->filler -= (int64_t)size;
    }
    bytes_add_text(out, bytes_text(&call->tail));
    return finish(call, call->ending);
}

static enum call_next step_events(struct call *call, struct bytes *out, int64_t now_ns)
{
    int64_t break_at = wish_or(call->wish.die_after, wish_on(call->wish.half_chunk) ? 1 : -1);
    while (call->next != break_at && call->next < call->pieces * call->answer.choices) {
        if (now_ns < call->due_ns)
            return CALL_WAIT;
        if (out->size > drain_above)
            return CALL_DRAIN;
        next_content_event(call);
        send_event(call, out);
        call->due_ns += wish_or(call->wish.gap_ms, 0) * ns_per_ms;
    }
    if (call->next == break_at)
        return wish_on(call->wish.half_chunk) ? break_off(call, out) : finish(call, ENDING_RESET);
    for (; call->filler > 0; call->filler -= (int64_t)filler_step) {
        if (out->size > drain_above)
            return CALL_DRAIN;
        answer_filler_event(begin_event(call), &call->answer, filler_step);
        send_event(call, out);
    }
    send_end(call, out);
    return finish(call, ENDING_KEEP);
}

enum call_next call_step(struct call *call, struct bytes *out, int64_t now_ns)
{
    static enum call_next (*const steps[])(struct call *, struct bytes *, int64_t) = {
        [PHASE_THINK] = step_think,
        [PHASE_HEAD] = step_head,
        [PHASE_BODY] = step_body,
        [PHASE_EVENTS] = step_events,
    };
    enum call_next next = CALL_WAIT;
    while (next == CALL_WAIT && now_ns >= call->due_ns)
        next = steps[call->phase](call, out, now_ns);
    return next;
}
