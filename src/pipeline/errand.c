/* Errands: how they are dressed and sent, and how they end. */
#include "pipeline/errand.h"

#include <stdlib.h>

#include "pipeline/call.h"

static void time_is_up(void *context)
{
    struct errand *errand = context;
    errand->cut = true;
    errand->news(errand->context);
}

struct errand *errand_open(struct worker *worker)
{
    struct errand *errand = memory_new(sizeof *errand);
    errand->worker = worker;
    errand->terms = terms_take(worker->terms);
    errand->timer.due = time_is_up;
    errand->timer.context = errand;
    errand->next = worker->errands;
    errand->previous = &worker->errands;
    if (errand->next != NULL)
        errand->next->previous = &errand->next;
    worker->errands = errand;
    return errand;
}

static void release(void *thing)
{
    struct errand *errand = thing;
    buffer_close(&errand->bytes);
    arena_close(&errand->arena);
    terms_drop(errand->terms);
    free(errand);
}

void errand_close(struct errand *errand)
{
    if (errand == NULL)
        return;
    loop_timer_cancel(errand->worker->loop, &errand->timer);
    transfer_close(errand->transfer);
    errand->transfer = NULL;
    *errand->previous = errand->next;
    if (errand->next != NULL)
        errand->next->previous = errand->previous;
    loop_defer(errand->worker->loop, release, errand);
}

/* Objects do not stand below a model's name, where Azure has its deployments. */
static struct text url_of(const struct errand_target *target, struct arena *arena)
{
    const struct text mark = TEXT("/deployments/{model}");
    const struct upstream *upstream = target->upstream;
    struct text base = upstream->base_url;
    size_t at = text_find(base, mark, 0);
    struct text rest = at == SIZE_MAX ? TEXT_NONE : text_from(base, at + mark.size);
    const struct text parts[] = {
        at == SIZE_MAX ? base : text_slice(base, 0, at),
        rest,
        target->path,
        upstream_query(upstream, target->query, arena),
    };
    return arena_join(arena, parts, sizeof parts / sizeof *parts);
}

static void dress_alone(struct errand *errand, const struct upstream *upstream, struct text key)
{
    struct text *lines = arena_new(&errand->arena, (upstream->header_count + 2) * sizeof *lines);
    size_t count = 0;
    struct text credential = key.size > 0 ? key : upstream->key;
    lines[count++] = TEXT("Accept-Encoding: identity");
    if (credential.size > 0)
        lines[count++] =
            upstream_credential(upstream->credential[DIALECT_OPENAI], credential, &errand->arena);
    for (size_t i = 0; i < upstream->header_count; i++)
        lines[count++] = upstream->headers[i];
    errand->ask.headers = lines;
    errand->ask.header_count = count;
}

void errand_start(struct errand *errand, const struct errand_target *target,
                  const struct request *request, struct text key)
{
    struct worker *worker = errand->worker;
    struct transfer_ask *ask = &errand->ask;
    struct text *piece = arena_new(&errand->arena, sizeof *piece);
    *piece = buffer_text(&errand->bytes);
    ask->upstream = target->upstream;
    ask->method = target->method;
    ask->url = url_of(target, &errand->arena);
    ask->pieces = piece;
    ask->piece_count = piece->size > 0 ? 1 : 0;
    ask->progress = errand->news;
    ask->context = errand->context;
    if (request != NULL)
        call_dress(request, target->upstream, &errand->arena, ask);
    else
        dress_alone(errand, target->upstream, key);
    errand->transfer = transfer_start(worker->transport, ask);
    loop_timer_set(worker->loop, &errand->timer, errand->terms->request_ms * 1000);
}

void errands_cut(struct worker *worker)
{
    struct errand *next;
    for (struct errand *errand = worker->errands; errand != NULL; errand = next) {
        next = errand->next; /* it may go with its news, but takes no other with it */
        if (errand->transfer != NULL)
            time_is_up(errand);
    }
}

bool errand_over(const struct errand *errand)
{
    return errand->cut || transfer_ended(errand->transfer) != TRANSFER_RUNNING;
}

bool errand_answered(const struct errand *errand)
{
    return !errand->cut && transfer_ended(errand->transfer) == TRANSFER_COMPLETE;
}

const struct upstream *errand_upstream(const struct terms *terms, struct text name)
{
    for (size_t i = 0; i < terms->upstream_count; i++) {
        if (text_equal(terms->upstreams[i].name, name))
            return &terms->upstreams[i];
    }
    return NULL;
}
