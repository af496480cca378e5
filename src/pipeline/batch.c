/*
 * Batches, until they are made: what they may cost.
 *
 * The core knows one price and one bound for a call. So the bound of all lines is worked out here
 * and given to it as the fee of one call, beside which tokens cost nothing.
 */
#include "pipeline/batch.h"

#include "pipeline/errand.h"
#include "pipeline/objects.h"
#include "pipeline/refusal.h"

/* The largest sum that fits into a price's fee. */
#define AMOUNT_MOST (INT64_MAX / 1000)

enum next batch_ask(struct request *request)
{
    struct text file = request->body.input_file;
    if (objects_is_id(file))
        return objects_ask(request, &(struct object){OBJECT_FILE, TEXT_NONE, file});
    objects_refuse(request, file, "input_file_id");
    return GO_BOOKS;
}

/* ---- what the file's lines say ---- */

static bool bad_file(struct request *request, const char *why)
{
    refuse(request, REFUSAL_BAD_BATCH, "input_file_id", "%s", why);
    return false;
}

static bool read_jobs(struct request *request, struct jobs *jobs)
{
    struct text facts = request->found->owned.notes.facts;
    enum endpoint endpoint;
    if (facts.size == 0 || !jobs_parse(facts, jobs))
        return bad_file(request, "The file was not uploaded through purser with the purpose "
                                 "'batch', so nobody knows what its lines may cost.");
    if (jobs->lines == 0)
        return bad_file(request, "The file has no lines.");
    if (jobs->faulty_line > 0) {
        refuse(request, REFUSAL_BAD_BATCH, "input_file_id", "Line %lld of the file: %s.",
               (long long)jobs->faulty_line, jobs->why);
        return false;
    }
    if (jobs_endpoint(request->body.url, &endpoint) && endpoint == jobs->endpoint)
        return true;
    refuse(request, REFUSAL_BAD_BATCH, "endpoint",
           "The batch is for '%.*s', and the lines of its file are for '/v1%.*s'.",
           TEXT_ARG(text_slice(request->body.url, 0, 200)),
           TEXT_ARG(endpoint_facts(jobs->endpoint)->path));
    return false;
}

/* ---- model and upstream ---- */

/* A name is sent as the file has it: an alias would be unknown there. */
static bool find_upstream(struct request *request, struct text name)
{
    const struct upstream *upstream = errand_upstream(request->terms, name);
    struct text model = request->body.model;
    bool serves = upstream != NULL && upstream_serves(upstream, model, &request->model_sent) &&
                  text_equal(model, request->model_sent) && model.size <= SUBJECT_MAX_ID;
    if (!serves)
        refuse(request, REFUSAL_MODEL_NOT_FOUND, "input_file_id",
               "The lines' model '%.*s' is not served under that name by upstream '%.*s', which "
               "has the file.",
               TEXT_ARG(text_slice(model, 0, 200)), TEXT_ARG(name));
    else if (!route_model_visible(request, model))
        refuse(request, REFUSAL_MODEL_NOT_ALLOWED, "input_file_id",
               "Key '%.*s' may not use the lines' model '%.*s'.", TEXT_ARG(request->key->id),
               TEXT_ARG(text_slice(model, 0, 200)));
    else
        route_to(request, upstream);
    return serves && request->reply.status == 0;
}

/* ---- bounds ---- */

static void note_unbounded(struct request *request, struct text why)
{
    request->body.unbounded_param = TEXT("input_file_id");
    request->body.unbounded_why = arena_copy(&request->arena, why).at;
}

static void sum_up(struct request *request, struct batch *batch)
{
    const struct jobs *jobs = &batch->jobs;
    const struct model *model = request->model;
    int64_t input_most = model != NULL ? model->max_input_tokens : 0;
    int64_t output_most = model != NULL ? model->max_output_tokens : 0;
    batch->sum = (struct bound){
        .input_tokens = jobs->input_tokens + jobs->far_inputs * input_most,
        .extra_output = jobs->output_tokens + jobs->open_choices * output_most,
        .audio = jobs->audio,
        .output_free = true,
    };
    if (jobs->unbounded_line > 0)
        note_unbounded(request, arena_printf(&request->arena, "Line %lld of the file: %s",
                                             (long long)jobs->unbounded_line, jobs->why));
    else if (jobs->far_inputs > 0 && input_most == 0)
        note_unbounded(request, TEXT("Lines of the file have images, audio or files, and nobody "
                                     "knows how much their model takes."));
    else if (jobs->open_choices > 0 && output_most == 0)
        note_unbounded(request, TEXT("Lines of the file name no maximum of output tokens, and "
                                     "nobody knows their model's own."));
}

static void price_all(struct request *request, struct batch *batch)
{
    const struct jobs *jobs = &batch->jobs;
    const struct price *price = &request->model->price;
    const struct price *cheaper = price_of_service(price, SERVICE_BATCH);
    int64_t far = jobs->far_inputs > 0 ? request->model->max_input_tokens : 0;
    struct money all = price_bound_all(cheaper != NULL ? cheaper : price, &batch->sum, jobs->lines,
                                       far > jobs->largest_input ? far : jobs->largest_input);
    if (all.nano > AMOUNT_MOST) {
        all.nano = AMOUNT_MOST;
        note_unbounded(request, TEXT("The file's lines may cost more than can be held."));
    }
    batch->whole = (struct price){
        .tier_count = 1, .tiers = {{.above_input_tokens = -1}}, .request_pico = all.nano * 1000};
}

enum next batch_route(struct request *request)
{
    struct batch *batch = arena_new(&request->arena, sizeof *batch);
    if (!objects_judge(request, request->body.input_file, "input_file_id") ||
        !read_jobs(request, &batch->jobs))
        return GO_BOOKS;
    struct text upstream = arena_copy(&request->arena, request->found->owned.upstream);
    request->body.model = arena_copy(&request->arena, text_of(batch->jobs.model));
    if (!find_upstream(request, upstream))
        return GO_BOOKS;
    request->body.unbounded_param = TEXT_NONE; /* no line says which service tier it wants */
    request->services = SERVICE_BIT(SERVICE_BATCH);
    request->batch = batch;
    sum_up(request, batch);
    if (request->model != NULL)
        price_all(request, batch);
    return GO_ON;
}

/* The price goes with the request: nobody extends the hold of a batch, and nobody else reads it. */
void batch_fill_ask(const struct request *request, struct ask *ask)
{
    const struct batch *batch = request->batch;
    *ask = (struct ask){
        .subject = &request->subject,
        .price = request->model != NULL ? &batch->whole : NULL,
        .bound = batch->sum,
        .wanted_output = 0,
        .named = true,
        .own = request->own,
        .unbounded = request->body.unbounded_param.size > 0,
        .now_s = loop_wall_us(request->worker->loop) / 1000000,
    };
    ask->bound.services = request->services;
}
