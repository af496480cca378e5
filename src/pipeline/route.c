/*
 * route: which upstream serves the model asked for, under which name, and at whose price.
 */
#include "base/log.h"
#include "pipeline/batch.h"
#include "pipeline/media.h"
#include "pipeline/objects.h"
#include "pipeline/pipeline.h"
#include "pipeline/refusal.h"

static const struct model *find_exact(const struct terms *terms, const struct upstream *upstream,
                                      struct text name, int64_t when_s)
{
    /* The operator's own models first: for this upstream, then for any; then the catalog's. */
    const struct model *model = catalog_find(terms->catalog, upstream->own_prices, name, when_s);
    if (model == NULL)
        model = catalog_find(terms->catalog, TEXT("operator"), name, when_s);
    if (model == NULL)
        model = catalog_find(terms->catalog, upstream->provider, name, when_s);
    return model;
}

/* A dated snapshot that nothing prices has the price of its family. */
static const struct model *find_price(const struct terms *terms, const struct upstream *upstream,
                                      struct text name, int64_t when_s)
{
    const struct model *model = find_exact(terms, upstream, name, when_s);
    struct text family = model != NULL ? TEXT_NONE : catalog_family(name);
    if (family.size == 0)
        return model;
    model = find_exact(terms, upstream, family, when_s);
    if (model != NULL && catalog_first_time(terms->catalog, model))
        log_warn("the snapshot %.*s has no price of its own: it is priced as %.*s",
                 TEXT_ARG(text_slice(name, 0, SUBJECT_MAX_ID)), TEXT_ARG(family));
    return model;
}

/* A fine-tuned model of a snapshot or family that has a price of its own for that. Never the price
 * of what it was made from. */
static const struct model *find_tuned(const struct terms *terms, const struct upstream *upstream,
                                      struct text name, int64_t when_s)
{
    struct text tuned = catalog_tuned(name);
    return tuned.size > 0 ? find_price(terms, upstream, tuned, when_s) : NULL;
}

const struct model *route_price(const struct terms *terms, const struct upstream *upstream,
                                struct text sent, struct text asked, int64_t when_s)
{
    /* What is sent is what is billed; a deployment's own name has no price, then what was asked
     * for has to tell. */
    const struct model *model = find_price(terms, upstream, sent, when_s);
    if (model == NULL)
        model = find_tuned(terms, upstream, sent, when_s);
    if (model != NULL || text_equal(sent, asked))
        return model;
    model = find_price(terms, upstream, asked, when_s);
    return model != NULL ? model : find_tuned(terms, upstream, asked, when_s);
}

/* The price in force now holds for the whole call. */
/* ---- service tiers ---- */

/* What may be billed for it: who asks for a tier may get the standard one instead, and who leaves
 * the choice to the provider gets what the operator says its project is set to. False: a tier
 * without a known price. */
static bool find_services(const struct request *request, unsigned *services)
{
    struct text asked = request->body.service_tier;
    enum service service = request->upstream->service;
    if (asked.size > 0 && !text_equal(asked, TEXT("auto")) && !service_named(asked, &service))
        return false;
    *services = SERVICE_BIT(SERVICE_STANDARD) | SERVICE_BIT(service);
    if (service == SERVICE_STANDARD || service == SERVICE_FLEX) /* flex is no dearer */
        return true;
    return request->model != NULL && price_of_service(&request->model->price, service) != NULL;
}

static void choose_services(struct request *request)
{
    struct body *body = &request->body;
    if (find_services(request, &request->services) || body->unbounded_param.size > 0)
        return;
    body->unbounded_param = TEXT("service_tier");
    body->unbounded_why = "This service tier has no known price for this model.";
}

/* Each search is a call of a tool that the provider runs: `max_tool_calls` of the Responses API
 * bounds them, in Messages the tool's own `max_uses`. Who else speaks it may not know that member,
 * or pay it no heed. */
static void choose_searches(struct request *request)
{
    struct body *body = &request->body;
    const struct upstream *upstream = request->upstream;
    request->searches = 0;
    if (!body->searches || body->unbounded_param.size > 0)
        return;
    bool obeyed = text_equal(upstream->provider, TEXT("openai")) ||
                  text_equal(upstream->provider, TEXT("azure")) ||
                  text_equal(upstream->provider, TEXT("anthropic"));
    bool priced = request->model == NULL || request->model->price.search_pico > 0;
    if (obeyed && priced) {
        request->searches = body->max_tool_calls != BODY_ABSENT ? body->max_tool_calls
                                                                : request->terms->max_tool_calls;
        return;
    }
    body->unbounded_param = TEXT("tools");
    body->unbounded_why = obeyed ? "Searching the web has no known price for this model."
                                 : "It is not known that this upstream limits how often the web is "
                                   "searched: leave web_search out.";
}

static void price_request(struct request *request, struct text asked)
{
    const struct terms *terms = request->terms;
    int64_t now_s = loop_wall_us(request->worker->loop) / 1000000;
    request->model = route_price(terms, request->upstream, request->model_sent, asked, now_s);
    request->model_booked = request->model != NULL ? request->model->name : asked;
    request->model = media_find(request, request->model, request->model_sent, now_s);
    if (request->model == NULL)
        request->model =
            catalog_find(terms->catalog, CATALOG_STAND_IN_PROVIDER, CATALOG_STAND_IN_NAME, now_s);
    choose_services(request);
    media_bound(request);
    choose_searches(request);
}

static bool speaks(const struct request *request, const struct upstream *upstream)
{
    enum dialect dialect = endpoint_facts(request->endpoint)->dialect;
    return (upstream->dialects & DIALECT_BIT(dialect)) != 0;
}

void route_to(struct request *request, const struct upstream *upstream)
{
    struct subject *subject = &request->subject;
    request->upstream = upstream;
    price_request(request, request->body.model);
    subject->id[SCOPE_MODEL] = text_slice(request->model_booked, 0, SUBJECT_MAX_ID);
    subject->id[SCOPE_UPSTREAM] = upstream->name;
    subject->id[SCOPE_SERVICE] = upstream->name;
}

bool route_find(struct request *request)
{
    const struct terms *terms = request->terms;
    struct text asked = request->body.model;
    if (asked.size > SUBJECT_MAX_ID) /* books and logs could not name it */
        return false;
    for (size_t i = 0; i < terms->upstream_count; i++) {
        const struct upstream *upstream = &terms->upstreams[i];
        if (!upstream_serves(upstream, asked, &request->model_sent) || !speaks(request, upstream))
            continue;
        route_to(request, upstream);
        return true;
    }
    return false;
}

enum next route_awake(struct request *request)
{
    if (endpoint_facts(request->endpoint)->by_file)
        return batch_route(request);
    return objects_checked(request);
}

/* Those who serve the model, but in another dialect. True if there are any. */
static bool refuse_dialect(struct request *request)
{
    static const char *const dialects[] = {
        [DIALECT_OPENAI] = "OpenAI's API: use Anthropic's, POST /v1/messages",
        [DIALECT_ANTHROPIC] = "Anthropic's API: use OpenAI's, POST /v1/chat/completions",
    };
    const struct terms *terms = request->terms;
    struct text asked = request->body.model, sent;
    struct buffer names = {0};
    for (size_t i = 0; i < terms->upstream_count; i++) {
        if (upstream_serves(&terms->upstreams[i], asked, &sent))
            buffer_printf(&names, "%s'%.*s'", names.size > 0 ? ", " : "",
                          TEXT_ARG(terms->upstreams[i].name));
    }
    bool any = names.size > 0;
    if (any)
        refuse(request, REFUSAL_DIALECT, "model",
               "The model '%.*s' is served by %.*s alone, and there it cannot be had through %s. "
               "purser does not translate; an operator says what an upstream speaks in its "
               "`dialect`.",
               TEXT_ARG(text_slice(asked, 0, 200)),
               TEXT_ARG(text_slice(buffer_text(&names), 0, 300)),
               dialects[endpoint_facts(request->endpoint)->dialect]);
    buffer_close(&names);
    return any;
}

enum next route_request(struct request *request)
{
    struct text asked = request->body.model;
    if (endpoint_facts(request->endpoint)->by_file)
        return batch_ask(request);
    if (route_find(request))
        return objects_check(request);
    if (asked.size > SUBJECT_MAX_ID)
        refuse(request, REFUSAL_MODEL_NOT_FOUND, "model", "No model has a name of over %d bytes.",
               SUBJECT_MAX_ID);
    else if (!refuse_dialect(request))
        refuse(request, REFUSAL_MODEL_NOT_FOUND, "model",
               "The model '%.*s' is not served by any upstream. GET /v1/models lists what is; an "
               "operator adds a pattern for it to an upstream's `models`.",
               TEXT_ARG(text_slice(asked, 0, 200)));
    return GO_BOOKS;
}

bool route_model_visible(const struct request *request, struct text name)
{
    const struct terms *terms = request->terms;
    const struct key *key = request->key;
    bool allowed = key == NULL || key->model_count == 0;
    for (size_t i = 0; !allowed && i < key->model_count; i++)
        allowed = text_matches(name, key->models[i]);
    struct text sent;
    for (size_t i = 0; allowed && i < terms->upstream_count; i++) {
        if (upstream_serves(&terms->upstreams[i], name, &sent))
            return true;
    }
    return false;
}
