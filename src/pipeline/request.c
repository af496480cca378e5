/* Requests: birth, headers, death. */
#include "pipeline/request.h"

#include <stdlib.h>

#include "pipeline/pipeline.h"
#include "pipeline/rating.h"
#include "pipeline/visit.h"

static void timer_due(void *context)
{
    pipeline_awake(context);
}

struct request *request_open(struct worker *worker)
{
    struct request *request = memory_new(sizeof *request);
    request->worker = worker;
    request->terms = terms_take(worker->terms);
    request->id = roster_add(&worker->requests, request);
    request->began_us = loop_steady_us(worker->loop);
    request->began_wall_us = loop_wall_us(worker->loop);
    request->step = STEP_OVER; /* until pipeline_start */
    request->timer.due = timer_due;
    request->timer.context = request;
    worker_request_id(worker, request->name);
    reply_header(&request->reply, "x-purser-request-id", request->name);
    return request;
}

/* A client may take minutes to send its body: a key that is withdrawn meanwhile is refused. */
void request_complete(struct request *request)
{
    ASSERT(request->key == NULL);
    ASSERT(request->reply.status == 0);
    struct terms *before = request->terms;
    request->terms = terms_take(request->worker->terms);
    terms_drop(before);
}

static void release(void *thing)
{
    struct request *request = thing;
    buffer_close(&request->bytes);
    reply_close(&request->reply);
    arena_close(&request->arena);
    terms_drop(request->terms);
    free(request);
}

void request_close(struct request *request)
{
    if (request == NULL)
        return;
    request->reply.on_ready = NULL;
    request->reply.on_drained = NULL;
    pipeline_client_gone(request);
    ASSERT(request->step == STEP_OVER);
    ASSERT(request->call == NULL);
    ASSERT(request->rating == NULL || request->rating->pass == NULL);
    record_other(request);
    recall_close(request);
    visit_leave(request);
    loop_timer_cancel(request->worker->loop, &request->timer);
    loop_timer_cancel(request->worker->loop, &request->recall.offer);
    roster_remove(&request->worker->requests, request->id);
    loop_defer(request->worker->loop, release, request);
}

struct text request_header(const struct request *request, const char *name)
{
    struct text wanted = text_of(name);
    for (size_t i = 0; i < request->header_count; i++) {
        if (text_equal_nocase(request->headers[i].name, wanted))
            return request->headers[i].value;
    }
    return TEXT_NONE;
}

size_t request_times_sent(const struct request *request, const char *name)
{
    size_t times = 0;
    for (size_t i = 0; i < request->header_count; i++)
        times += text_equal_nocase(request->headers[i].name, text_of(name)) ? 1 : 0;
    return times;
}

/* Without /s/<session> and /v1, which may stand before it. */
static struct text short_path(const struct request *request)
{
    struct text rest = request->target;
    struct text path = text_split(&rest, '?');
    if (text_starts(path, TEXT("/s/"))) {
        size_t end = text_find(path, TEXT("/"), 3);
        path = end == SIZE_MAX ? path : text_from(path, end);
    }
    return text_starts(path, TEXT("/v1/")) ? text_from(path, 3) : path;
}

enum dialect request_dialect(const struct request *request)
{
    const struct text messages = TEXT("/messages");
    struct text path = short_path(request);
    bool theirs = text_starts(path, messages) &&
                  (path.size == messages.size || path.at[messages.size] == '/');
    return theirs || request_header(request, "anthropic-version").at != NULL ? DIALECT_ANTHROPIC
                                                                             : DIALECT_OPENAI;
}

bool request_hides_output(const struct request *request)
{
    if (endpoint_facts(request->endpoint)->dialect == DIALECT_ANTHROPIC)
        return request->body.thinks;
    return request->model != NULL && request->model->reasoning;
}
