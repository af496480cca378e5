/*
 * One API call, step by step; see call.h.
 */
#include "call.h"

#include <stdlib.h>

#include "call_state.h"
#include "squeeze.h"

static const int64_t ns_per_ms = 1000000;
static const size_t drain_above = 4 * 1024 * 1024; /* unsent bytes at which generating pauses */
static const size_t filler_step = 16 * 1024;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void enter_media(struct call *call)
{
    struct bill_entry *entry = &call->entry;
    const struct media *media = &call->ask.media;
    bool images = call->ask.api == ASK_IMAGES || call->ask.api == ASK_IMAGE_EDITS;
    entry->images = images ? call->answer.choices : 0;
    entry->seconds = call->answer.seconds;
    entry->characters = media->characters;
    text_copy(entry->size, sizeof entry->size, text_of(media->size));
    text_copy(entry->quality, sizeof entry->quality, text_of(media->quality));
}

static void enter_bill(struct call *call)
{
    struct bill_entry *entry = &call->entry;
    const struct answer *answer = &call->answer;
    text_copy(entry->model, sizeof entry->model, text_of(call->ask.model));
    text_copy(entry->tier, sizeof entry->tier, text_of(call->wish.tier));
    entry->status = call->status;
    entry->free = call->ask.free;
    entry->named_nano_usd = WISH_ABSENT;
    if (call->manner != MANNER_PAGE) { /* a page comes from a gateway: no model has worked */
        entry->prompt_tokens = answer->prompt;
        entry->cached_tokens = answer->cached;
        entry->written_tokens = answer->written;
        entry->written_1h_tokens = answer->written_1h;
        entry->searches = answer->searches;
        entry->other_tokens = answer->other;
        enter_media(call);
        entry->named_nano_usd = call->wish.cost;
    }
    bill_begin(call->bill, entry, call->dialect->prefix);
}

/* Of a response: keeps it where it can be asked for. */
static void enter_shelf(struct call *call)
{
    struct answer kept = call->answer;
    kept.state = call->ask.background ? ANSWER_QUEUED : ANSWER_IN_PROGRESS;
    if (call->ask.api == ASK_RESPONSES && call->ask.store && call->status < 400)
        shelf_put(call->shelf, &kept, call->ask.input);
}

struct call *call_open(const struct call_place *place, const struct ask *ask,
                       const struct http_request *request, int64_t now_ns)
{
    struct text purser_id = {"", 0};
    struct call *call = calloc(1, sizeof *call);
    if (call == NULL)
        abort();
    call->bill = place->bill;
    call->shelf = place->shelf;
    call->dialect = dialect_of(ask->api);
    call->ask = *ask;
    call->last = request->last;
    call->started_ns = now_ns;
    call_plan(call, request, place->api_key);
    call->due_ns = now_ns;
    if (call->manner != MANNER_BACKGROUND) /* that one is answered at once */
        call->due_ns += wish_or(call->wish.delay_ms, 0) * ns_per_ms;
    http_header(request->headers, TEXT("x-client-request-id"), &purser_id);
    text_copy(call->entry.purser_id, sizeof call->entry.purser_id, purser_id);
    enter_bill(call);
    enter_shelf(call);
    call->ask.input = (struct text){"", 0}; /* it goes with the request */
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

/* Of a response: tells who asks for it how far it is. */
static void change_state(struct call *call, enum answer_state state)
{
    if (call->ask.api == ASK_RESPONSES && call->ask.store)
        shelf_change(call->shelf, call->entry.id, state);
}

/* What was generated when the client left in the delay before the first byte. */
static int64_t tokens_of_delay(const struct call *call, int64_t now_ns)
{
    int64_t delay_ms = call->wish.delay_ms; /* it waits, so there is a delay */
    int64_t passed_ms = least((now_ns - call->started_ns) / ns_per_ms, delay_ms);
    return (int64_t)((__int128)tokens_before_answer(call) * passed_ms / delay_ms);
}

bool call_client_left(struct call *call, int64_t now_ns)
{
    int64_t tokens = call->entry.completion_tokens;
    int64_t left = answer_tokens(&call->answer);
    call->client_left = true;
    if (call->wish.cancel_ignored || call->ask.background)
        return true;
    if (call->phase == PHASE_THINK)
        tokens = tokens_of_delay(call, now_ns);
    if (left > tokens) /* it is told too late */
        tokens += least(wish_or(call->wish.tail, 0), left - tokens);
    bill_generated(call->bill, &call->entry, tokens);
    change_state(call, ANSWER_FAILED);
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
    if (call->dialect == &dialect_messages)
        bytes_print(head, "request-id: %s\r\nanthropic-organization-id: fake\r\n", call->entry.id);
    else
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
    squeeze_fill(squeeze, &packed, call->dialect->filler, (size_t)call->filler);
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
    call->dialect->begin(&call->body, &call->answer);
    call->dialect->end(&call->tail, &call->answer);
    compose_rest(call, dialect_type(call->dialect, &call->answer));
}

static void compose_queued(struct call *call)
{
    call->filler = 0;
    call->answer.state = ANSWER_QUEUED;
    compose_plain(call);
    call->answer.state = ANSWER_DONE;
}

static void compose_error(struct call *call)
{
    call->filler = 0;
    call->dialect->error(&call->body, call->status, call->message, call->param);
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
    return &call->event;
}

static void send_event(struct call *call, struct bytes *out)
{
    http_chunk(out, frame_event(call));
    call->answer.events++;
}

static void next_content_event(struct call *call)
{
    const struct answer *answer = &call->answer;
    int64_t piece = call->next / answer->choices;
    int64_t from = answer->visible * piece / call->pieces;
    int64_t to = answer->visible * (piece + 1) / call->pieces;
    call->dialect->content(begin_event(call), answer, call->next % answer->choices, from, to);
    bill_generated(call->bill, &call->entry, call->entry.completion_tokens + to - from);
    call->next++;
}

static void send_all(struct call *call, struct bytes *out,
                     bool (*write)(struct bytes *, const struct answer *, int64_t))
{
    for (int64_t i = 0; write(begin_event(call), &call->answer, i); i++)
        send_event(call, out);
}

/* The stream is whole, or has said that it failed. */
static void send_end(struct call *call, struct bytes *out)
{
    if (call->squeeze != NULL) {
        call->packed.size = 0;
        squeeze_end(call->squeeze, &call->packed);
        http_chunk(out, bytes_text(&call->packed));
    }
    bytes_print(out, "0\r\n\r\n");
}

static enum call_next fail_stream(struct call *call, struct bytes *out)
{
    call->dialect->failing(begin_event(call), &call->answer);
    send_event(call, out);
    send_end(call, out);
    change_state(call, ANSWER_FAILED);
    return finish(call, ENDING_KEEP);
}

/* Sends the next event only in part: 1: half of its data, 2: the first digit of its chunk's size.
 */
static enum call_next break_off(struct call *call, struct bytes *out)
{
    if (call->next < call->pieces * call->answer.choices)
        next_content_event(call);
    else
        call->dialect->closing(begin_event(call), &call->answer, 0);
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
        [MANNER_PLAIN] = compose_plain,       [MANNER_STREAM] = compose_stream,
        [MANNER_ERROR] = compose_error,       [MANNER_PAGE] = compose_page,
        [MANNER_BACKGROUND] = compose_queued,
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
        send_all(call, out, call->dialect->opening);
    }
    return CALL_WAIT;
}

static enum call_next step_body(struct call *call, struct bytes *out, int64_t now_ns)
{
    bytes_add_text(out, bytes_text(&call->body));
    call->body.size = 0;
    while (call->filler > 0) {
        size_t size = (size_t)least(call->filler, (int64_t)filler_step);
        if (out->size > drain_above)
            return CALL_DRAIN;
        bytes_fill(out, call->dialect->filler, size);
        call->filler -= (int64_t)size;
    }
    bytes_add_text(out, bytes_text(&call->tail));
    if (call->manner == MANNER_BACKGROUND) {
        call->phase = PHASE_QUEUED;
        call->due_ns = now_ns + wish_or(call->wish.delay_ms, 0) * ns_per_ms;
        call->ending = call->last ? ENDING_CLOSE : ENDING_KEEP;
        return CALL_PART;
    }
    change_state(call, ANSWER_DONE);
    return finish(call, call->ending);
}

/* A response in the background leaves the queue: it thinks first. */
static enum call_next step_queued(struct call *call, struct bytes *out, int64_t now_ns)
{
    (void)out;
    if (shelf_cancelled(call->shelf, call->entry.id))
        return finish(call, ENDING_KEEP);
    change_state(call, ANSWER_IN_PROGRESS);
    bill_generated(call->bill, &call->entry, call->answer.reasoning);
    call->phase = PHASE_WORKING;
    call->due_ns = now_ns + wish_or(call->wish.gap_ms, 0) * ns_per_ms;
    return CALL_WAIT;
}

/* And is made piece by piece, until it is done, fails or is cancelled. */
static enum call_next step_working(struct call *call, struct bytes *out, int64_t now_ns)
{
    (void)out;
    (void)now_ns;
    bool failed = call->next == call->wish.fail_after;
    if (shelf_cancelled(call->shelf, call->entry.id))
        return finish(call, ENDING_KEEP);
    if (failed || call->next == call->pieces) {
        change_state(call, failed ? ANSWER_FAILED : ANSWER_DONE);
        return finish(call, ENDING_KEEP);
    }
    next_content_event(call);
    call->due_ns += wish_or(call->wish.gap_ms, 0) * ns_per_ms;
    return CALL_WAIT;
}

static enum call_next step_events(struct call *call, struct bytes *out, int64_t now_ns)
{
    int64_t break_at = wish_or(call->wish.die_after, wish_on(call->wish.half_chunk) ? 1 : -1);
    while (call->next != break_at && call->next < call->pieces * call->answer.choices) {
        if (now_ns < call->due_ns)
            return CALL_WAIT;
        if (out->size > drain_above)
            return CALL_DRAIN;
        if (call->next == call->wish.fail_after)
            return fail_stream(call, out);
        if (call->ask.background && shelf_cancelled(call->shelf, call->entry.id))
            return finish(call, ENDING_CLOSE);
        next_content_event(call);
        send_event(call, out);
        call->due_ns += wish_or(call->wish.gap_ms, 0) * ns_per_ms;
    }
    if (call->next == break_at)
        return wish_on(call->wish.half_chunk) ? break_off(call, out) : finish(call, ENDING_RESET);
    for (; call->filler > 0; call->filler -= (int64_t)filler_step) {
        if (out->size > drain_above)
            return CALL_DRAIN;
        call->dialect->filling(begin_event(call), &call->answer, filler_step);
        send_event(call, out);
    }
    bill_generated(call->bill, &call->entry, answer_tokens(&call->answer));
    send_all(call, out, call->dialect->closing);
    send_end(call, out);
    change_state(call, ANSWER_DONE);
    return finish(call, ENDING_KEEP);
}

enum call_next call_step(struct call *call, struct bytes *out, int64_t now_ns)
{
    static enum call_next (*const steps[])(struct call *, struct bytes *, int64_t) = {
        [PHASE_THINK] = step_think,   [PHASE_HEAD] = step_head,     [PHASE_BODY] = step_body,
        [PHASE_EVENTS] = step_events, [PHASE_QUEUED] = step_queued, [PHASE_WORKING] = step_working,
    };
    enum call_next next = CALL_WAIT;
    while (next == CALL_WAIT && now_ns >= call->due_ns)
        next = steps[call->phase](call, out, now_ns);
    return next;
}
