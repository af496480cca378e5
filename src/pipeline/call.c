/* Calls: how they begin, are cut short, and die. What passes through them is in forward.c. */
#include "pipeline/call.h"

#include <stdlib.h>

#include "pipeline/media.h"
#include "pipeline/pipeline.h"
#include "pipeline/rating.h"
#include "pipeline/refusal.h"

#define READS_MOST 32 /* of 256 KiB: more than a socket keeps */

/* ---- what the upstream gets ---- */

/* RFC 9110, 5.6.2. What is none might be another header to a lenient upstream: a space before the
 * colon is enough for "Transfer-Encoding" to be two requests. */
static bool is_token(struct text name)
{
    for (size_t i = 0; i < name.size; i++) {
        unsigned char c = (unsigned char)name.at[i];
        bool alphanumeric =
            (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z' && c < 0x80);
        if (!alphanumeric && (c == '\0' || c >= 0x80 || strchr("!#$%&'*+-.^_`|~", c) == NULL))
            return false;
    }
    return name.size > 0;
}

/* Not forwarded: what concerns one hop, the caller's credentials, and what purser sets itself.
 * Account headers of the caller would contradict the upstream's own key. */
static bool header_forwarded(struct text name, bool passthrough)
{
    static const char *const never[] = {
        "host",
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "te",
        "trailer",
        "upgrade",
        "transfer-encoding",
        "content-length",
        "expect",
        "accept-encoding",
        "cookie",
        "authorization",
        "api-key",
        "x-api-key",
        "content-encoding",
        "origin",
        "referer",
        "forwarded",
        "x-litellm-tags",
        "x-litellm-end-user-id",
        "x-portkey-metadata",
        /* A server that obeys these would do something else than what was held for. */
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
        "x-original-url",
        "x-rewrite-url",
    };
    static const char *const own_account[] = {"openai-organization", "openai-project"};
    if (text_starts_nocase(name, TEXT("x-purser-")) ||
        text_starts_nocase(name, TEXT("x-forwarded-")))
        return false;
    for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
        if (text_equal_nocase(name, text_of(never[i])))
            return false;
    }
    for (size_t i = 0; !passthrough && i < sizeof own_account / sizeof *own_account; i++) {
        if (text_equal_nocase(name, text_of(own_account[i])))
            return false;
    }
    return true;
}

/* What the operator sends to this upstream is not the client's to say. */
static bool is_the_operators(const struct upstream *upstream, struct text name)
{
    for (size_t i = 0; i < upstream->header_count; i++) {
        struct text line = upstream->headers[i];
        if (text_equal_nocase(text_split(&line, ':'), name))
            return true;
    }
    return false;
}

/* A header named in Connection belongs to that hop, too. */
static bool named_in_connection(const struct request *request, struct text name)
{
    struct text list = request_header(request, "Connection");
    while (list.at != NULL) {
        if (text_equal_nocase(text_trim(text_split(&list, ',')), name))
            return true;
    }
    return false;
}

static enum credential credential_of(const struct request *request, const struct upstream *upstream,
                                     bool passthrough)
{
    enum dialect dialect = endpoint_facts(request->endpoint)->dialect;
    bool bearer = text_starts_nocase(request_header(request, "Authorization"), TEXT("Bearer "));
    /* Anthropic takes keys in the one header and the tokens of a login in the other. */
    if (passthrough && dialect == DIALECT_ANTHROPIC)
        return bearer ? CREDENTIAL_BEARER : CREDENTIAL_X_API_KEY;
    return upstream->credential[dialect];
}

/* Without it Anthropic refuses a request. */
static bool lacks_version(const struct request *request, const struct upstream *upstream)
{
    return endpoint_facts(request->endpoint)->dialect == DIALECT_ANTHROPIC &&
           request_header(request, "anthropic-version").size == 0 &&
           !is_the_operators(upstream, TEXT("anthropic-version"));
}

void call_dress(const struct request *request, const struct upstream *upstream, struct arena *arena,
                struct transfer_ask *ask)
{
    bool passthrough = request->terms->admission.mode == ADMISSION_PASSTHROUGH;
    size_t most = request->header_count + upstream->header_count + 5;
    struct text *lines = arena_new(arena, most * sizeof *lines);
    size_t count = 0;
    /* Plain answers: they are metered, and often changed. */
    lines[count++] = TEXT("Accept-Encoding: identity");
    struct text key = passthrough ? request->credential : upstream->key;
    if (key.size > 0)
        lines[count++] =
            upstream_credential(credential_of(request, upstream, passthrough), key, arena);
    if (lacks_version(request, upstream))
        lines[count++] = TEXT("anthropic-version: 2023-06-01");
    if (request_header(request, "X-Client-Request-Id").size == 0)
        lines[count++] = arena_join(
            arena, (struct text[]){TEXT("X-Client-Request-Id: "), text_of(request->name)}, 2);
    for (size_t i = 0; i < request->header_count; i++) {
        const struct request_header *header = &request->headers[i];
        if (is_token(header->name) && header_forwarded(header->name, passthrough) &&
            !is_the_operators(upstream, header->name) &&
            !named_in_connection(request, header->name))
            lines[count++] =
                arena_printf(arena, "%.*s: %.*s", TEXT_ARG(header->name), TEXT_ARG(header->value));
    }
    for (size_t i = 0; i < upstream->header_count; i++)
        lines[count++] = upstream->headers[i];
    ASSERT(count <= most);
    ask->headers = lines;
    ask->header_count = count;
}

static bool must_send_max(const struct request *request)
{
    bool thinks = request_hides_output(request);
    bool named = request->body.max_output != BODY_ABSENT;
    if (endpoint_facts(request->endpoint)->output_free)
        return false;
    return request->held.send_max || (thinks && !named && request->held.max_output != INT64_MAX);
}

/* Who has no budget may search as often as the model likes. */
static int64_t max_tool_calls(const struct request *request)
{
    bool named = request->body.max_tool_calls != BODY_ABSENT;
    return request->held.hold == 0 || named ? 0 : request->searches;
}

/* Of the client's query nothing goes along but what is known to change no price: with "beta=true"
 * Anthropic's clients name the variant of an endpoint that knows betas; which, a header says. */
static struct text known_query(const struct request *request)
{
    const struct text beta = TEXT("beta=true");
    struct text rest = request->query;
    if (endpoint_facts(request->endpoint)->dialect != DIALECT_ANTHROPIC)
        return TEXT_NONE;
    while (rest.size > 0) {
        if (text_equal(text_split(&rest, '&'), beta))
            return beta;
    }
    return TEXT_NONE;
}

static void shape_body(struct call *call, struct request *request)
{
    const struct endpoint_facts *facts = endpoint_facts(request->endpoint);
    const struct upstream *upstream = request->upstream;
    const struct body *body = &request->body;
    const struct body_changes changes = {
        .model = text_equal(request->model_sent, body->model) ? TEXT_NONE : request->model_sent,
        .max_output = must_send_max(request) ? request->held.max_output : BODY_ABSENT,
        .max_field = facts->max_field.size > 0 ? facts->max_field : upstream->max_tokens_field,
        .max_tool_calls = max_tool_calls(request),
        .include_usage =
            body->stream && !body->usage_asked && upstream->stream_usage && facts->usage_asked,
        .input = parts_missing(request),
    };
    struct text *pieces = arena_new(&call->arena, BODY_MAX_PIECES * sizeof *pieces);
    call->bytes = request->bytes; /* the pieces point into it */
    request->bytes = (struct buffer){0};
    call->ask.pieces = pieces;
    call->ask.piece_count = body_forward(body, &changes, &call->arena, pieces);
    const struct upstream_target target = {
        .path = facts->path, .model = request->model_sent, .query = known_query(request)};
    call->ask.url = upstream_url(upstream, &target, &call->arena);
}

/* ---- what the books get ---- */

static void describe(struct call *call, const struct request *request)
{
    call->held = request->held;
    call->held.charges =
        reserve_copy_charges(call->held.charges, call->held.charge_count, &call->arena);
    record_describe(request, &call->held, &call->arena, &call->entry);
}

static void announce(struct call *call)
{
    struct entry line = call->entry;
    line.kind = ENTRY_RESERVE;
    line.wall_us = loop_wall_us(call->worker->loop);
    line.charges = call->held.charges;
    line.charge_count = call->held.charge_count;
    ledger_note(call->worker->batch, &line);
    call->announced = true;
    *call->worker->to_start_end = call;
    call->worker->to_start_end = &call->next_to_start;
}

static void time_is_up(void *context)
{
    call_cut(context, "timeout");
}

void call_open_gauge(struct call *call)
{
    struct gauge_options options = {
        .endpoint = call->endpoint,
        .model = call->entry.model,
        .choices = call->choices,
    };
    if (__builtin_mul_overflow(call->held.max_output, call->choices, &options.most))
        options.most = INT64_MAX;
    gauge_open(&call->gauge, &options);
}

static int64_t wanted_output(const struct request *request)
{
    int64_t named = request->body.max_output;
    int64_t most = request->model != NULL ? request->model->max_output_tokens : 0;
    if (named == BODY_ABSENT)
        return 0;
    return most > 0 && most < named ? most : named;
}

void call_open(struct request *request)
{
    struct worker *worker = request->worker;
    ASSERT(request->call == NULL);
    struct call *call = memory_new(sizeof *call);
    call->worker = worker;
    call->terms = terms_take(request->terms);
    call->id = roster_add(&worker->calls, call);
    atomic_fetch_add_explicit(&worker->house->calls, 1, memory_order_relaxed);
    call->request = request;
    request->call = call;
    call->rates = rating_hand_over(request);
    call->began_us = request->began_us;
    call->upstream = request->upstream;
    call->model = request->model;
    call->usage_asked =
        request->body.usage_asked || !endpoint_facts(request->endpoint)->usage_asked;
    call->endpoint = request->endpoint;
    call->searches = request->searches;
    call->hides = request_hides_output(request);
    call->lasting = request->body.background || endpoint_facts(request->endpoint)->by_file;
    call->exact = media_is_exact(request);
    call->stored = endpoint_facts(request->endpoint)->stored && !request->body.not_stored;
    call->choices =
        request->endpoint == ENDPOINT_EMBEDDINGS ? request->body.prompts : request->body.choices;
    call->wanted = wanted_output(request);
    call->flight = request->recall.flight; /* it is the call's to end from now on */
    request->recall.flight = NULL;
    call->in_parts = parts_missing(request).size > 0;
    call->answer_most = call->in_parts ? CALL_PARTS_MOST : CALL_ANSWER_MOST;
    call->timer.due = time_is_up;
    call->timer.context = call;
    shape_body(call, request);
    call_dress(request, request->upstream, &call->arena, &call->ask);
    describe(call, request);
    rolling_begin(call, request);
    if (request->body.stream && delta_knows(call->endpoint))
        call_open_gauge(call);
    if (call->terms->admission.mode == ADMISSION_PASSTHROUGH)
        call->guest = call->entry.key;
    if (call->guest.size > 0 && call->lasting)
        call->credential = arena_copy(&call->arena, request->credential);
    call->ask.upstream = call->upstream;
    call->ask.progress = forward_progress;
    call->ask.context = call;
    announce(call);
}

/* ---- start ---- */

static void start(struct call *call)
{
    struct worker *worker = call->worker;
    call->announced = false;
    call->started = true;
    call->transfer = transfer_start(worker->transport, &call->ask);
    loop_timer_set(worker->loop, &call->timer, call->terms->request_ms * 1000);
}

/* The hold was announced nowhere: it is taken back without a trace but in the log. */
static void give_up(struct call *call)
{
    bool withdrawn = ledger_withdraw(call->worker->batch, call->entry.call);
    ASSERT(withdrawn);
    if (call->held.hold != 0)
        gate_settle(call->worker->house->gate, call->held.hold, &(struct spend){{0}}, NULL);
    share_end(call);
    struct request *request = call->request;
    if (request != NULL) {
        request->call = NULL;
        refuse_without_ledger(request);
    }
    call_close(call);
    if (request != NULL)
        pipeline_awake(request);
}

void calls_start(struct worker *worker, bool committed)
{
    struct call *call = worker->to_start;
    worker->to_start = NULL;
    worker->to_start_end = &worker->to_start;
    while (call != NULL) {
        struct call *next = call->next_to_start;
        if (!committed)
            give_up(call);
        else if (call->cancelled)
            forward_over(call);
        else
            start(call);
        call = next;
    }
}

/* ---- end ---- */

static bool draining_is_better(const struct call *call)
{
    if (endpoint_facts(call->endpoint)->media) /* made as a whole, and what it cost is told then */
        return true;
    bool hidden = (call->hides && !call->visible) || call->gauge.opaque;
    return !call->upstream->cancel_saves || hidden || call->lasting;
}

void call_abandon(struct call *call)
{
    call->request->call = NULL;
    call->request = NULL;
    if (!call->taken_over) { /* else its lines are somebody else's */
        call->stop_reason = "client";
        call->status = 499;
    }
    if (!call->started) {
        call->cancelled = true; /* calls_start finds it so */
        return;
    }
    transfer_hold(call->transfer, false);
    if (!share_outlives_client(call))
        call_desert(call);
}

/* What has come was generated, however late we are to read it: counted it is a fact, and the slack
 * is left for what is on its way. */
static bool is_all_here(struct call *call)
{
    for (int i = 0; i < READS_MOST && !call->too_large && transfer_read(call->transfer); i++)
        forward_take(call);
    return !call->too_large && transfer_ended(call->transfer) == TRANSFER_COMPLETE &&
           transfer_body(call->transfer).size == 0;
}

void call_desert(struct call *call)
{
    if (draining_is_better(call))
        return;
    call->cancelled = true;
    call->stop_reason = "client";
    call->status = 499;
    call->cancelled = !is_all_here(call);
    forward_over(call);
}

void call_cut(struct call *call, const char *stop_reason)
{
    if (!call->started) {
        call->cancelled = true;
        call->stop_reason = stop_reason;
        return;
    }
    const char *before = call->stop_reason;
    call->cancelled = true;
    call->stop_reason = stop_reason;
    if (is_all_here(call)) { /* then it came to its own end */
        call->cancelled = false;
        call->stop_reason = before;
    }
    forward_over(call);
}

static void release(void *thing)
{
    struct call *call = thing;
    buffer_close(&call->bytes);
    buffer_close(&call->answer);
    buffer_close(&call->pending_answer);
    sse_close(&call->sse);
    answer_scan_close(&call->scan);
    gauge_close(&call->gauge);
    ending_close(&call->ending);
    arena_close(&call->payer_arena);
    arena_close(&call->arena);
    terms_drop(call->terms);
    free(call);
}

void call_close(struct call *call)
{
    ASSERT(call->request == NULL || call->request->call == NULL);
    loop_timer_cancel(call->worker->loop, &call->timer);
    rating_end_call(call);
    transfer_close(call->transfer);
    call->transfer = NULL;
    roster_remove(&call->worker->calls, call->id);
    atomic_fetch_sub_explicit(&call->worker->house->calls, 1, memory_order_relaxed);
    loop_defer(call->worker->loop, release, call);
}
