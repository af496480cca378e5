/*
 * Parts: embeddings, each input by itself. Of a batch whose inputs are known but for a few the
 * upstream is asked for those few.
 *
 * A part is a recording of one embedding as it stands in an answer. What it had cost is its share
 * of its batch by size, which is only told to people ("saved"); what is booked is what is billed.
 */
#include "pipeline/pipeline.h"
#include "pipeline/recall.h"
#include "wire/inputs.h"

#define MISSING_MOST 256 /* asked for in part; beyond it the whole batch is asked for */

struct parts {
    size_t count, missing;
    uint64_t generation; /* the cache's when they were looked up */
    const struct text *inputs;
    uint8_t (*digests)[FINGERPRINT_SIZE];
    struct recording **known; /* NULL: it is asked for */
    bool partial;             /* the upstream is asked for the missing ones alone */
    struct text to_ask;       /* their array, if partial */
    size_t known_bytes;       /* of the inputs known, if partial */
};

void parts_close(struct parts *parts)
{
    if (parts == NULL)
        return;
    for (size_t i = 0; i < parts->count; i++)
        recording_drop(parts->known[i]);
    parts->count = 0;
}

/* ---- looking up ---- */

static struct text embedding_of(const struct recording *recording)
{
    struct recording_place place = {0};
    return recording_next(recording, &place, SIZE_MAX, true);
}

static struct recording *record(struct text bytes, struct money cost)
{
    struct recording *recording = recording_new();
    const struct recording_head head = {
        .status = 200,
        .shape = RECORDING_WHOLE,
        .content_type = TEXT("application/json"),
    };
    recording_begin(recording, &head);
    recording_put(recording, bytes);
    recording_end(recording, RECORDING_COMPLETE, cost);
    return recording;
}

static void put_all(const struct request *request, const struct text *embeddings,
                    int64_t prompt_tokens, struct buffer *out)
{
    struct buffer model = {0};
    json_put_string(&model, request->body.model);
    inputs_put_answer(out, embeddings, request->recall.parts->count, buffer_text(&model),
                      prompt_tokens);
    buffer_close(&model);
}

/* Everything is known: the answer is put together here and now. */
static void answer_from_parts(struct request *request)
{
    struct parts *parts = request->recall.parts;
    struct text *embeddings = arena_new(&request->arena, parts->count * sizeof *embeddings);
    struct buffer answer = {0};
    for (size_t i = 0; i < parts->count; i++)
        embeddings[i] = embedding_of(parts->known[i]);
    put_all(request, embeddings, 0, &answer);
    request->recall.recording = record(buffer_text(&answer), parts_saved(request));
    buffer_close(&answer);
}

static void choose_missing(struct request *request)
{
    struct parts *parts = request->recall.parts;
    struct text *missing = arena_new(&request->arena, parts->missing * sizeof *missing);
    size_t count = 0;
    for (size_t i = 0; i < parts->count; i++) {
        if (parts->known[i] == NULL)
            missing[count++] = parts->inputs[i];
        else
            parts->known_bytes += parts->inputs[i].size;
    }
    parts->to_ask = inputs_join(missing, count, &request->arena);
    parts->partial = true;
}

static void look_up(struct request *request, const struct fingerprint_ask *ask)
{
    struct worker *worker = request->worker;
    struct parts *parts = request->recall.parts;
    int64_t now_us = loop_steady_us(worker->loop);
    parts->generation = cache_generation(worker->house->cache);
    fingerprint_inputs(ask, parts->inputs, parts->count, worker->keyed_hasher, parts->digests);
    for (size_t i = 0; i < parts->count; i++) {
        if (!request->recall.no_cache)
            parts->known[i] = cache_get(worker->house->cache, parts->digests[i], now_us);
        parts->missing += parts->known[i] == NULL ? 1 : 0;
    }
}

bool parts_look(struct request *request, const struct fingerprint_ask *ask)
{
    if (request->endpoint != ENDPOINT_EMBEDDINGS)
        return false;
    struct text *inputs = arena_new(&request->arena, INPUTS_MOST * sizeof *inputs);
    size_t count = inputs_of(&request->body, inputs, INPUTS_MOST);
    if (count == 0)
        return false;
    struct parts *parts = arena_new(&request->arena, sizeof *parts);
    parts->count = count;
    parts->inputs = inputs;
    parts->digests = arena_new(&request->arena, count * sizeof *parts->digests);
    parts->known = arena_new(&request->arena, count * sizeof *parts->known);
    request->recall.parts = parts;
    look_up(request, ask);
    if (parts->missing == 0)
        answer_from_parts(request);
    else if (parts->missing < parts->count && parts->missing <= MISSING_MOST)
        choose_missing(request);
    return parts->missing == 0;
}

struct text parts_missing(const struct request *request)
{
    const struct parts *parts = request->recall.parts;
    return parts != NULL && parts->partial ? parts->to_ask : TEXT_NONE;
}

size_t parts_known_bytes(const struct request *request)
{
    const struct parts *parts = request->recall.parts;
    return parts != NULL ? parts->known_bytes : 0;
}

struct money parts_saved(const struct request *request)
{
    const struct parts *parts = request->recall.parts;
    struct money saved = MONEY_ZERO;
    bool used = parts != NULL && (parts->partial || parts->missing == 0);
    for (size_t i = 0; used && i < parts->count; i++) {
        if (parts->known[i] != NULL)
            saved = money_add(saved, recording_cost(parts->known[i]));
    }
    return saved;
}

/* ---- what the upstream answered ---- */

/* Its share of the cost by size. */
static struct money share_of(struct money cost, size_t size, size_t all)
{
    return (struct money){(int64_t)((__int128)cost.nano * (__int128)size / (__int128)all)};
}

/* `fresh`: the embeddings that came, in the order in which they were asked for. */
static void keep(struct call *call, const struct text *fresh, size_t count, struct text *all)
{
    struct request *request = call->request;
    struct parts *parts = request->recall.parts;
    struct money cost = call->usage_result == USAGE_FOUND ? meter_cost(call) : MONEY_ZERO;
    int64_t now_us = loop_steady_us(call->worker->loop);
    size_t bytes = 0, at = 0;
    for (size_t i = 0; i < count; i++)
        bytes += fresh[i].size;
    for (size_t i = 0; i < parts->count; i++) {
        if (parts->partial && parts->known[i] != NULL) {
            all[i] = embedding_of(parts->known[i]);
            continue;
        }
        all[i] = fresh[at++];
        if (request->recall.no_store)
            continue;
        struct recording *recording = record(all[i], share_of(cost, all[i].size, bytes));
        const struct cache_part part = {parts->digests[i], recording, parts->generation, now_us};
        cache_put(call->worker->house->cache, &part);
        recording_drop(recording);
    }
    ASSERT(at == count);
}

bool parts_take(struct call *call, struct buffer *answer)
{
    struct request *request = call->request;
    if (request == NULL || request->recall.parts == NULL)
        return !call->in_parts;
    struct parts *parts = request->recall.parts;
    size_t count = parts->partial ? parts->missing : parts->count;
    struct text *fresh = arena_new(&request->arena, count * sizeof *fresh);
    struct text *all = arena_new(&request->arena, parts->count * sizeof *all);
    if (!inputs_read_answer(buffer_text(answer), fresh, count))
        return !parts->partial; /* strange, but the client's own */
    keep(call, fresh, count, all);
    if (!parts->partial)
        return true;
    struct buffer whole = {0};
    put_all(request, all, call->usage_result == USAGE_FOUND ? call->usage.prompt : 0, &whole);
    buffer_close(answer);
    *answer = whole;
    return true;
}
