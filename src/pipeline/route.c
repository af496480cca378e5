/*
 * route: which upstream serves the model asked for, under which name, and at whose price.
 */
#include "pipeline/pipeline.h"
#include "pipeline/refusal.h"

static const struct model *find_price(const struct house *house, const struct upstream *upstream,
                                      struct text name)
{
    /* The operator's own models first: for this upstream, then for any; then the catalog's. */
    const struct model *model = catalog_find(house->catalog, upstream->own_prices, name);
    if (model == NULL)
        model = catalog_find(house->catalog, TEXT("operator"), name);
    if (model == NULL)
        model = catalog_find(house->catalog, upstream->provider, name);
    return model;
}

const struct model *route_price(const struct house *house, const struct upstream *upstream,
                                struct text sent, struct text asked)
{
    /* What is sent is what is billed; a deployment's own name has no price, then what was asked
     * for has to tell. */
    const struct model *model = find_price(house, upstream, sent);
    return model != NULL || text_equal(sent, asked) ? model : find_price(house, upstream, asked);
}

enum next route_request(struct request *request)
{
    const struct house *house = request->worker->house;
    struct text asked = request->body.model;
    if (asked.size > SUBJECT_MAX_ID) { /* books and logs could not name it */
        refuse(request, REFUSAL_MODEL_NOT_FOUND, "model", "No model has a name of over %d bytes.",
               SUBJECT_MAX_ID);
        return GO_BOOKS;
    }
    for (size_t i = 0; i < house->upstream_count; i++) {
        const struct upstream *upstream = &house->upstreams[i];
        if (!upstream_serves(upstream, asked, &request->model_sent))
            continue;
        request->upstream = upstream;
        request->model = route_price(house, upstream, request->model_sent, asked);
        request->model_booked = request->model != NULL ? request->model->name : asked;
        struct subject *subject = &request->subject;
        subject->id[SCOPE_MODEL] = text_slice(request->model_booked, 0, SUBJECT_MAX_ID);
        subject->id[SCOPE_UPSTREAM] = upstream->name;
        subject->id[SCOPE_SERVICE] = upstream->name;
        return GO_ON;
    }
    refuse(request, REFUSAL_MODEL_NOT_FOUND, "model",
           "The model '%.*s' is not served by any upstream. GET /v1/models lists what is; an "
           "operator adds a pattern for it to an upstream's `models`.",
           TEXT_ARG(text_slice(asked, 0, 200)));
    return GO_BOOKS;
}

bool route_model_visible(const struct request *request, struct text name)
{
    const struct house *house = request->worker->house;
    const struct key *key = request->key;
    bool allowed = key == NULL || key->model_count == 0;
    for (size_t i = 0; !allowed && i < key->model_count; i++)
        allowed = text_matches(name, key->models[i]);
    struct text sent;
    for (size_t i = 0; allowed && i < house->upstream_count; i++) {
        if (upstream_serves(&house->upstreams[i], name, &sent))
            return true;
    }
    return false;
}
