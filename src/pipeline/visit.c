/* Visits: how a client's errand goes, and what comes of it. */
#include "pipeline/visit.h"

#include "base/json.h"
#include "base/log.h"
#include "pipeline/objects.h"
#include "pipeline/refusal.h"

/* ---- the answer ---- */

static void drained(void *context)
{
    struct visit *visit = ((struct request *)context)->visit;
    if (visit != NULL)
        transfer_hold(visit->errand->transfer, false);
}

static void put_head(struct visit *visit)
{
    struct request *request = visit->request;
    forward_headers(request, visit->errand->transfer);
    reply_header_text(&request->reply, &request->arena, "x-purser-upstream",
                      visit->object.upstream);
}

static void begin_relay(struct visit *visit)
{
    struct reply *reply = &visit->request->reply;
    visit->relayed = true;
    put_head(visit);
    reply->on_drained = drained;
    reply->drained_context = visit->request;
    reply_begin(reply, transfer_status(visit->errand->transfer));
    reply_put(reply, buffer_text(&visit->answer));
    buffer_close(&visit->answer);
}

static bool is_stream(const struct visit *visit)
{
    struct text type = transfer_header(visit->errand->transfer, TEXT("Content-Type"));
    return text_starts_nocase(type, TEXT("text/event-stream"));
}

/* Without its client only what the answer makes known counts, which is short. */
static void take_body(struct visit *visit)
{
    struct transfer *transfer = visit->errand->transfer;
    struct text bytes = transfer_body(transfer);
    struct request *request = visit->request;
    if (bytes.size == 0)
        return;
    if (!visit->relayed && visit->answer.size + bytes.size <= VISIT_WHOLE_MOST)
        buffer_put(&visit->answer, bytes);
    else if (request != NULL && !visit->relayed)
        begin_relay(visit);
    if (request != NULL && !visit->relayed && is_stream(visit) && transfer_status(transfer) < 300) {
        begin_relay(visit);
    } else if (request != NULL && visit->relayed) {
        reply_put(&request->reply, bytes);
    }
    if (request != NULL && request->reply.full)
        transfer_hold(transfer, true);
    transfer_taken(transfer);
    if (request != NULL && visit->relayed)
        reply_flush(&request->reply);
}

/* ---- what it means ---- */

static void note_upload(struct visit *visit)
{
    struct worker *worker = visit->errand->worker;
    struct text answer = buffer_text(&visit->answer);
    struct object object = visit->object;
    if (!objects_id_of(answer, &visit->errand->arena, &object.id)) {
        log_warn("upstream %.*s took a file and did not tell its id: it belongs to nobody",
                 TEXT_ARG(object.upstream));
        return;
    }
    const struct object_notes notes = {.about = answer, .facts = visit->facts};
    objects_claim_with(worker, &object, visit->key, &notes);
}

static void note(struct visit *visit)
{
    struct worker *worker = visit->errand->worker;
    if (visit->purpose == VISIT_UPLOAD)
        note_upload(visit);
    else if (visit->purpose == VISIT_DELETE)
        objects_forget(worker, &visit->object);
    else if (visit->purpose == VISIT_SHOW)
        objects_show(worker, &visit->object, visit->key, buffer_text(&visit->answer));
    if (visit->errand->terms->admission.mode == ADMISSION_PASSTHROUGH)
        house_accept_guest(worker->house, visit->key);
}

/* ---- the end ---- */

static void refuse_unanswered(struct visit *visit)
{
    struct request *request = visit->request;
    struct errand *errand = visit->errand;
    struct text name = visit->object.upstream;
    enum transfer_end end = transfer_ended(errand->transfer);
    if (errand->cut && atomic_load(&errand->worker->house->stopping))
        refuse(request, REFUSAL_SHUTTING_DOWN, NULL, "purser is shutting down.");
    else if (end == TRANSFER_NOT_SENT)
        refuse(request, REFUSAL_UPSTREAM_UNREACHABLE, NULL,
               "Upstream '%.*s' cannot be reached (%s).", TEXT_ARG(name),
               transfer_why(errand->transfer));
    else if (errand->cut || end == TRANSFER_LATE)
        refuse(request, REFUSAL_UPSTREAM_TIMEOUT, NULL, "Upstream '%.*s' did not answer in time.",
               TEXT_ARG(name));
    else
        refuse(request, REFUSAL_UPSTREAM_UNANSWERED, NULL,
               "Upstream '%.*s' broke off without a complete answer (%s).", TEXT_ARG(name),
               transfer_why(errand->transfer));
}

static void decide_reply(struct visit *visit)
{
    struct request *request = visit->request;
    struct text name = visit->object.upstream;
    int status = transfer_status(visit->errand->transfer);
    bool passthrough = visit->errand->terms->admission.mode == ADMISSION_PASSTHROUGH;
    if (!errand_answered(visit->errand)) {
        refuse_unanswered(visit);
    } else if ((status == 401 || status == 403) && !passthrough) {
        log_error("upstream %.*s refuses its api_key with status %d", TEXT_ARG(name), status);
        refuse(request, REFUSAL_UPSTREAM_AUTH, NULL,
               "Upstream '%.*s' refused purser's own key (status %d). The operator has to check "
               "its api_key.",
               TEXT_ARG(name), status);
    } else if (status >= 300 && status < 400) {
        refuse(request, REFUSAL_UPSTREAM_BAD_ANSWER, NULL,
               "Upstream '%.*s' answered %d, which points to another place.", TEXT_ARG(name),
               status);
    } else {
        put_head(visit);
        reply_whole_take(&request->reply, status, &visit->answer);
    }
}

static void finish(struct visit *visit)
{
    struct request *request = visit->request;
    bool good = errand_answered(visit->errand) && transfer_status(visit->errand->transfer) < 300;
    if (good && !visit->relayed)
        note(visit);
    if (request != NULL) {
        request->visit = NULL;
        if (!visit->relayed)
            decide_reply(visit);
        else if (errand_answered(visit->errand))
            reply_end(&request->reply);
        else
            reply_break(&request->reply);
    }
    buffer_close(&visit->answer);
    errand_close(visit->errand);
}

static void news(void *context)
{
    struct visit *visit = context;
    take_body(visit);
    if (errand_over(visit->errand))
        finish(visit);
}

/* ---- beginning and leaving ---- */

void visit_start(struct request *request, enum visit_purpose purpose, const struct object *object,
                 const struct errand_target *target, struct text facts)
{
    ASSERT(request->visit == NULL);
    struct errand *errand = errand_open(request->worker);
    struct arena *arena = &errand->arena;
    struct visit *visit = arena_new(arena, sizeof *visit);
    *visit = (struct visit){
        .request = request,
        .errand = errand,
        .purpose = purpose,
        .object = {object->kind, arena_copy(arena, object->upstream),
                   arena_copy(arena, object->id)},
        .key = arena_copy(arena, request->key->id),
        .facts = arena_copy(arena, facts),
    };
    if (purpose == VISIT_UPLOAD) {
        errand->bytes = request->bytes;
        request->bytes = (struct buffer){0};
    }
    errand->news = news;
    errand->context = visit;
    request->visit = visit;
    errand_start(errand, target, request, TEXT_NONE);
}

void visit_leave(struct request *request)
{
    struct visit *visit = request->visit;
    if (visit == NULL)
        return;
    request->visit = NULL;
    visit->request = NULL;
    transfer_hold(visit->errand->transfer, false);
    if (visit->purpose == VISIT_UPLOAD || visit->purpose == VISIT_DELETE)
        return;
    buffer_close(&visit->answer);
    errand_close(visit->errand);
}
