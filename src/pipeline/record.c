/*
 * record: the ledger line and the access log. Refusals of callers that purser knows are recorded,
 * too; those of strangers only in the log, so that nobody without a key can fill the disk.
 */
#include "base/log.h"
#include "pipeline/estimate.h"
#include "pipeline/pipeline.h"
#include "pipeline/rating.h"

static const char *stop_reason_of(const struct call *call)
{
    if (call->pending.size > 0)
        return "pending";
    if (call->stop_reason != NULL)
        return call->stop_reason;
    if (!call->started)
        return "cancelled";
    if (transfer_ended(call->transfer) != TRANSFER_COMPLETE)
        return "upstream";
    return transfer_status(call->transfer) < 400 ? "stop" : "error";
}

static void log_call(const struct call *call)
{
    const struct entry *entry = &call->entry;
    char cost[MONEY_STRING_SIZE];
    static const char *const source[] = {
        [USAGE_NONE] = "none",
        [USAGE_REPORTED] = "reported",
        [USAGE_COUNTED] = "counted",
        [USAGE_BOUND] = "bound",
    };
    if (!call->terms->log_access)
        return;
    struct text by = call->stopped_by != NULL ? call->stopped_by->budget : TEXT_NONE;
    log_info("%.*s %d %.*s key=%.*s model=%.*s upstream=%.*s tokens=%lld+%lld cost=%s usage=%s "
             "stop=%.*s%s%.*s %lldms session=%.*s",
             TEXT_ARG(entry->request_id), entry->status, TEXT_ARG(entry->endpoint),
             TEXT_ARG(entry->key), TEXT_ARG(entry->model), TEXT_ARG(entry->upstream),
             (long long)entry->prompt_tokens, (long long)entry->completion_tokens,
             money_string(entry->cost, cost), source[entry->usage_source],
             TEXT_ARG(entry->stop_reason), by.size > 0 ? " by=" : "", TEXT_ARG(by),
             (long long)entry->duration_ms, TEXT_ARG(text_slice(entry->session, 0, 100)));
}

/* What the client was told, the operator has to find, too. */
static void log_why(const struct call *call)
{
    enum transfer_end end = call->started ? transfer_ended(call->transfer) : TRANSFER_COMPLETE;
    if (end != TRANSFER_COMPLETE && end != TRANSFER_RUNNING)
        log_warn("%.*s: upstream %.*s failed: %s", TEXT_ARG(call->entry.call),
                 TEXT_ARG(call->upstream->name), transfer_why(call->transfer));
}

/* ---- what is watched (GET /metrics) ---- */

static void count_call(const struct call *call)
{
    const struct entry *entry = &call->entry;
    const struct tally_call counted = {
        .endpoint = call->endpoint,
        .status = entry->status,
        .model = entry->model,
        .cost_nano = entry->cost.nano,
        .tokens = {[TALLY_PROMPT] = entry->prompt_tokens,
                   [TALLY_CACHED] = entry->cached_tokens,
                   [TALLY_COMPLETION] = entry->completion_tokens,
                   [TALLY_REASONING] = entry->reasoning_tokens},
    };
    tally_call(&call->worker->tally, &counted);
    if (entry->usage_source != USAGE_REPORTED)
        return;
    if (call->held.hold != 0 && entry->prompt_tokens > call->held.bound.input_tokens)
        drift_tools_refuted(&call->worker->house->drift, entry->model);
    if (++call->worker->compared % DRIFT_ONE_OF == 0)
        estimate_compare(call);
}

void record_call(struct call *call)
{
    struct entry *entry = &call->entry;
    int64_t now_us = loop_steady_us(call->worker->loop);
    entry->kind = ENTRY_SETTLE;
    entry->wall_us = loop_wall_us(call->worker->loop);
    entry->status = call->status;
    entry->stop_reason = text_of(stop_reason_of(call));
    entry->duration_ms = (now_us - call->began_us) / 1000;
    if (call->first_byte_us != 0)
        entry->ttft_ms = (call->first_byte_us - call->began_us) / 1000;
    entry->hold = MONEY_ZERO;
    if (call->pending.size == 0) { /* else its hold stays open */
        ledger_note(call->worker->batch, entry);
        count_call(call);
    }
    log_call(call);
    log_why(call);
}

/* Everything is copied: the lines may be those of a call that outlives the request and its terms.
 */
void record_describe(const struct request *request, const struct held *held, struct arena *arena,
                     struct entry *entry)
{
    const struct subject *subject = &request->subject;
    struct text upstream = arena_copy(arena, request->upstream->name);
    struct text *tags = arena_new(arena, subject->tag_count * sizeof *tags);
    for (size_t i = 0; i < subject->tag_count; i++)
        tags[i] = arena_copy(arena, subject->tags[i]);
    struct text name = arena_copy(arena, text_of(request->name));
    *entry = (struct entry){
        .request_id = name,
        .call = arena_join(arena, (struct text[]){name, TEXT(".1")}, 2),
        .attempt = 1,
        .model = arena_copy(arena, request->model_booked),
        .model_requested = arena_copy(arena, request->body.model),
        .endpoint = text_of(endpoint_facts(request->endpoint)->name),
        .service = upstream,
        .upstream = upstream,
        .key = arena_copy(arena, request->key->id),
        .user = arena_copy(arena, subject->id[SCOPE_USER]),
        .team = arena_copy(arena, subject->id[SCOPE_TEAM]),
        .session = arena_copy(arena, request->session),
        .label = arena_copy(arena, request->label),
        .tags = tags,
        .tag_count = subject->tag_count,
        .hold = held->amount,
        .price_version = arena_copy(arena, catalog_version(request->terms->catalog)),
        .cache = request->recall.state == RECALL_MISS ? TEXT("miss") : TEXT_NONE,
        .ttft_ms = -1,
        .duration_ms = -1,
    };
}

static void log_refusal(const struct request *request)
{
    if (!request->terms->log_access)
        return;
    struct text key = request->key != NULL ? request->key->id : TEXT("-");
    struct text model = request->body.model;
    struct text budget = request->outcome.budget;
    log_info("%s %d %.*s key=%.*s session=%.*s model=%.*s refused: %s%s%.*s", request->name,
             request->reply.status, TEXT_ARG(text_of(endpoint_facts(request->endpoint)->name)),
             TEXT_ARG(key), TEXT_ARG(text_slice(request->session, 0, 100)),
             TEXT_ARG(model.size > 0 ? text_slice(model, 0, 100) : TEXT("-")),
             request->outcome.error, budget.size > 0 ? " by " : "", TEXT_ARG(budget));
}

/* Probes come every few seconds. */
static bool is_probe(const struct request *request)
{
    return request->reply.status == 200 && (text_starts(request->target, TEXT("/healthz")) ||
                                            text_starts(request->target, TEXT("/readyz")));
}

void record_other(const struct request *request)
{
    bool nothing_sent = request->reply.status == 0;
    if (!request->terms->log_access || request->outcome.logged || nothing_sent)
        return;
    struct text key = request->key != NULL ? request->key->id : TEXT("-");
    const char *error = request->outcome.error;
    enum log_level level = is_probe(request) ? LOG_DEBUG : LOG_INFO;
    if (log_wants(level))
        log_line(level, "%s %d %.*s %.*s key=%.*s%s%s", request->name, request->reply.status,
                 TEXT_ARG(text_slice(request->method, 0, 20)),
                 TEXT_ARG(text_slice(request->target, 0, 200)),
                 TEXT_ARG(request->admin ? TEXT("(admin)") : key),
                 error != NULL ? " refused: " : "", error != NULL ? error : "");
}

static void record_refusal(struct request *request)
{
    struct worker *worker = request->worker;
    log_refusal(request);
    if (request->key == NULL)
        return;
    const struct subject *subject = &request->subject;
    struct entry entry = {
        .kind = ENTRY_REFUSE,
        .wall_us = loop_wall_us(worker->loop),
        .request_id = text_of(request->name),
        .model = text_slice(request->model_booked, 0, SUBJECT_MAX_ID),
        .model_requested = text_slice(request->body.model, 0, SUBJECT_MAX_ID),
        .endpoint = text_of(endpoint_facts(request->endpoint)->name),
        .upstream = request->upstream != NULL ? request->upstream->name : TEXT_NONE,
        .key = request->key->id,
        .user = subject->id[SCOPE_USER],
        .team = subject->id[SCOPE_TEAM],
        .session = request->session,
        .label = request->label,
        .tags = subject->tags,
        .tag_count = subject->tag_count,
        .error = text_of(request->outcome.error),
        .status = request->reply.status,
        .ttft_ms = -1,
        .duration_ms = (loop_steady_us(worker->loop) - request->began_us) / 1000,
    };
    ledger_note(worker->batch, &entry);
}

enum next record_request(struct request *request)
{
    request->outcome.logged = true;
    struct call *call = request->call;
    if (call == NULL) {
        if (replay_served(request))
            replay_record(request);
        else
            record_refusal(request);
        recall_close(request);
        rating_end(request);
        return GO_DONE;
    }
    call->entry.error = text_of(request->outcome.error);
    record_call(call);
    request->call = NULL;
    call_close(call);
    return GO_DONE;
}
