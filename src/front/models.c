/*
 * GET /v1/models: the names that a caller may ask for, in the shape of the dialect it speaks.
 *
 * A client of Anthropic's API is told what it can have through that; one of OpenAI's is told all,
 * as it always was.
 */
#include "base/json.h"
#include "front/endpoints.h"
#include "pipeline/media.h"
#include "pipeline/refusal.h"

struct listing {
    struct request *request;
    enum dialect dialect;
    struct buffer body;
    struct table seen;
    struct text first, last;
};

static bool is_reached(enum dialect dialect, const struct upstream *upstream)
{
    return dialect == DIALECT_OPENAI || (upstream->dialects & DIALECT_BIT(dialect)) != 0;
}

/* ---- one model ---- */

/* When it was made is not known: Anthropic's API says the epoch then. */
static void put_model(struct buffer *out, enum dialect dialect, struct text name, struct text owner)
{
    bool theirs = dialect == DIALECT_ANTHROPIC;
    buffer_put_byte(out, '{');
    if (theirs)
        json_put_text_member(out, TEXT("type"), TEXT("model"));
    json_put_text_member(out, TEXT("id"), name);
    if (theirs) {
        json_put_text_member(out, TEXT("display_name"), name);
        json_put_text_member(out, TEXT("created_at"), TEXT("1970-01-01T00:00:00Z"));
    } else {
        json_put_text_member(out, TEXT("object"), TEXT("model"));
        json_put_int_member(out, TEXT("created"), 0);
        json_put_text_member(out, TEXT("owned_by"), owner);
    }
    buffer_put_byte(out, '}');
}

static void answer(struct request *request, struct buffer *body)
{
    buffer_put_byte(body, '\n');
    reply_header(&request->reply, "Content-Type", "application/json");
    reply_whole_take(&request->reply, 200, body);
}

/* The upstream that would get a call for the model; NULL if none would, or the call would be
 * refused for want of a price. */
static const struct upstream *server_of(const struct request *request, struct text name)
{
    const struct terms *terms = request->terms;
    enum dialect dialect = request_dialect(request);
    int64_t now_s = loop_wall_us(request->worker->loop) / 1000000;
    struct text sent;
    for (size_t i = 0; route_model_visible(request, name) && i < terms->upstream_count; i++) {
        const struct upstream *upstream = &terms->upstreams[i];
        if (!is_reached(dialect, upstream) || !upstream_serves(upstream, name, &sent))
            continue;
        bool priced = route_price(terms, upstream, sent, name, now_s) != NULL;
        return priced || !gate_any_usd(request->worker->house->gate) ? upstream : NULL;
    }
    return NULL;
}

/* ---- all of them ---- */

static void list(struct listing *listing, struct text name, struct text owner)
{
    if (table_get(&listing->seen, name) != NULL || !route_model_visible(listing->request, name))
        return;
    table_put(&listing->seen, name, listing);
    if (listing->last.size > 0)
        buffer_put_byte(&listing->body, ',');
    else
        listing->first = name;
    listing->last = name;
    put_model(&listing->body, listing->dialect, name, owner);
}

/* A name that an upstream lists literally counts even if no catalog knows it. */
static void list_configured(struct listing *listing, const struct upstream *upstream)
{
    for (size_t i = 0; i < upstream->alias_count + upstream->pattern_count; i++) {
        struct text name = i < upstream->alias_count
                               ? upstream->alias_from[i]
                               : upstream->patterns[i - upstream->alias_count];
        if (text_find(name, TEXT("*"), 0) == SIZE_MAX)
            list(listing, name, upstream->name);
    }
}

/* A catalog's model is listed if an upstream with its prices serves it. */
static struct text owner_of(const struct listing *listing, const struct model *model)
{
    const struct terms *terms = listing->request->terms;
    int64_t now_s = loop_wall_us(listing->request->worker->loop) / 1000000;
    struct text sent;
    for (size_t i = 0; i < terms->upstream_count; i++) {
        const struct upstream *upstream = &terms->upstreams[i];
        if (is_reached(listing->dialect, upstream) &&
            upstream_serves(upstream, model->name, &sent) &&
            route_price(terms, upstream, sent, model->name, now_s) == model)
            return upstream->name;
    }
    return TEXT_NONE;
}

static void list_all(struct listing *listing)
{
    const struct terms *terms = listing->request->terms;
    const struct model *model;
    size_t at = 0;
    for (size_t i = 0; i < terms->upstream_count; i++) {
        if (is_reached(listing->dialect, &terms->upstreams[i]))
            list_configured(listing, &terms->upstreams[i]);
    }
    while ((model = catalog_next(terms->catalog, &at)) != NULL) {
        struct text owner = owner_of(listing, model);
        if (owner.size > 0 && !media_is_size(model->name))
            list(listing, model->name, owner);
    }
}

static void put_end(struct buffer *out, const char *name, struct text id)
{
    if (id.size > 0)
        json_put_text_member(out, text_of(name), id);
    else
        json_put_raw_member(out, text_of(name), TEXT("null"));
}

static void answer_all(struct request *request)
{
    struct listing listing = {.request = request, .dialect = request_dialect(request)};
    struct buffer *out = &listing.body;
    bool theirs = listing.dialect == DIALECT_ANTHROPIC;
    buffer_put(out, theirs ? TEXT("{\"data\":[") : TEXT("{\"object\":\"list\",\"data\":["));
    list_all(&listing);
    buffer_put_byte(out, ']');
    if (theirs) {
        json_put_bool_member(out, TEXT("has_more"), false);
        put_end(out, "first_id", listing.first);
        put_end(out, "last_id", listing.last);
    }
    buffer_put_byte(out, '}');
    table_close(&listing.seen);
    answer(request, out);
}

void endpoint_models(struct request *request, struct text rest)
{
    struct buffer body = {0};
    struct text name;
    if (rest.size == 0) {
        answer_all(request);
        return;
    }
    const struct upstream *server =
        percent_decode(&request->arena, rest, false, &name) ? server_of(request, name) : NULL;
    if (server == NULL) {
        refuse(request, REFUSAL_MODEL_NOT_FOUND, "model",
               "The model '%.*s' is not served by any upstream, or not to this key.",
               TEXT_ARG(text_slice(rest, 0, 200)));
        return;
    }
    put_model(&body, request_dialect(request), name, server->name);
    answer(request, &body);
}
