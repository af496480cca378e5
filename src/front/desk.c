/* The table of routes, and the way from a path to a row of it. */
#include "front/desk.h"

#include "front/endpoints.h"
#include "pipeline/refusal.h"

enum access {
    ACCESS_ALL,     /* no key needed */
    ACCESS_CALLER,  /* a caller's key, or the admin token */
    ACCESS_ADMIN,   /* the admin token alone; without one configured nothing is found here */
    ACCESS_WATCHER, /* the admin token; without one configured, whoever may call in auth.mode open
                     */
    ACCESS_MODEL,   /* through the chain */
};

struct route {
    const char *method, *path; /* a path that ends in '*' takes what follows */
    enum access access;
    enum endpoint endpoint; /* ACCESS_MODEL */
    void (*own)(struct request *request, struct text rest);
};

static const struct route routes[] = {
    {"POST", "/chat/completions", ACCESS_MODEL, ENDPOINT_CHAT, NULL},
    {"POST", "/completions", ACCESS_MODEL, ENDPOINT_COMPLETIONS, NULL},
    {"POST", "/embeddings", ACCESS_MODEL, ENDPOINT_EMBEDDINGS, NULL},
    {"POST", "/messages", ACCESS_MODEL, ENDPOINT_MESSAGES, NULL},
    {"POST", "/messages/count_tokens", ACCESS_MODEL, ENDPOINT_MESSAGES_TOKENS, NULL},
    {"POST", "/responses", ACCESS_MODEL, ENDPOINT_RESPONSES, NULL},
    {"POST", "/responses/input_tokens", ACCESS_MODEL, ENDPOINT_RESPONSES_TOKENS, NULL},
    {"POST", "/moderations", ACCESS_MODEL, ENDPOINT_MODERATIONS, NULL},
    {"POST", "/images/generations", ACCESS_MODEL, ENDPOINT_IMAGES, NULL},
    {"POST", "/images/edits", ACCESS_MODEL, ENDPOINT_IMAGE_EDITS, NULL},
    {"POST", "/audio/speech", ACCESS_MODEL, ENDPOINT_SPEECH, NULL},
    {"POST", "/audio/transcriptions", ACCESS_MODEL, ENDPOINT_TRANSCRIPTIONS, NULL},
    {"POST", "/audio/translations", ACCESS_MODEL, ENDPOINT_TRANSLATIONS, NULL},
    {"GET", "/models", ACCESS_CALLER, 0, endpoint_models},
    {"GET", "/models/*", ACCESS_CALLER, 0, endpoint_models},
    {"GET", "/responses/*", ACCESS_CALLER, 0, endpoint_response},
    {"POST", "/responses/*", ACCESS_CALLER, 0, endpoint_response},
    {"DELETE", "/responses/*", ACCESS_CALLER, 0, endpoint_response},
    {"GET", "/files", ACCESS_CALLER, 0, endpoint_files},
    {"POST", "/files", ACCESS_CALLER, 0, endpoint_upload},
    {"GET", "/files/*", ACCESS_CALLER, 0, endpoint_file},
    {"DELETE", "/files/*", ACCESS_CALLER, 0, endpoint_file},
    {"POST", "/batches", ACCESS_MODEL, ENDPOINT_BATCHES, NULL},
    {"GET", "/batches", ACCESS_CALLER, 0, endpoint_batches},
    {"GET", "/batches/*", ACCESS_CALLER, 0, endpoint_batch},
    {"POST", "/batches/*", ACCESS_CALLER, 0, endpoint_batch},
    {"GET", "/budget", ACCESS_CALLER, 0, endpoint_budget},
    {"GET", "/costs", ACCESS_CALLER, 0, endpoint_costs},
    {"POST", "/costs", ACCESS_CALLER, 0, endpoint_book},
    {"GET", "/costs/*", ACCESS_CALLER, 0, endpoint_costs},
    {"GET", "/requests", ACCESS_CALLER, 0, endpoint_recent},
    {"POST", "/admin/reload", ACCESS_ADMIN, 0, endpoint_reload},
    {"GET", "/admin/cache", ACCESS_ADMIN, 0, endpoint_cache},
    {"DELETE", "/admin/cache", ACCESS_ADMIN, 0, endpoint_clear},
    {"POST", "/admin/cache/clear", ACCESS_ADMIN, 0, endpoint_clear},
    {"GET", "/admin/forfeits", ACCESS_ADMIN, 0, endpoint_forfeits},
    {"POST", "/admin/refunds", ACCESS_ADMIN, 0, endpoint_refund_all},
    {"POST", "/admin/refunds/*", ACCESS_ADMIN, 0, endpoint_refund},
    {"GET", "/admin/keys", ACCESS_ADMIN, 0, endpoint_keys},
    {"POST", "/admin/keys", ACCESS_ADMIN, 0, endpoint_keys},
    {"DELETE", "/admin/keys/*", ACCESS_ADMIN, 0, endpoint_key},
    {"GET", "/admin/budgets", ACCESS_ADMIN, 0, endpoint_budgets},
    {"POST", "/admin/budgets", ACCESS_ADMIN, 0, endpoint_budgets},
    {"POST", "/admin/budgets/*", ACCESS_ADMIN, 0, endpoint_one_budget},
    {"DELETE", "/admin/budgets/*", ACCESS_ADMIN, 0, endpoint_one_budget},
    {"GET", "/metrics", ACCESS_WATCHER, 0, endpoint_metrics},
    {"GET", "/healthz", ACCESS_ALL, 0, endpoint_healthz},
    {"GET", "/readyz", ACCESS_ALL, 0, endpoint_readyz},
};

#define ROUTE_COUNT (sizeof routes / sizeof *routes)

static bool path_matches(struct text path, struct text pattern, struct text *rest)
{
    *rest = TEXT("");
    if (!text_ends(pattern, TEXT("*")))
        return text_equal(path, pattern);
    struct text stem = text_slice(pattern, 0, pattern.size - 1);
    if (!text_starts(path, stem))
        return false;
    *rest = text_from(path, stem.size);
    return true;
}

/* Takes /s/<session> and /v1 off the path. False if the session cannot be read. */
static bool strip_prefixes(struct request *request, struct text *path)
{
    if (text_starts(*path, TEXT("/s/"))) {
        struct text rest = text_from(*path, 3);
        struct text raw = text_split(&rest, '/');
        if (raw.size == 0 || rest.at == NULL ||
            !percent_decode(&request->arena, raw, false, &request->url_session))
            return false;
        *path = text_make(rest.at - 1, rest.size + 1);
    }
    if (text_starts(*path, TEXT("/v1/")))
        *path = text_from(*path, 3);
    return true;
}

static bool answer_preflight(struct request *request)
{
    struct text asked = request_header(request, "Access-Control-Request-Method");
    if (!text_equal(request->method, TEXT("OPTIONS")) || asked.size == 0 ||
        !pipeline_check_origin(request))
        return request->reply.status != 0;
    struct reply *reply = &request->reply;
    reply_header(reply, "Access-Control-Allow-Methods", "GET, POST, DELETE");
    reply_header(reply, "Access-Control-Max-Age", "600");
    struct text headers = request_header(request, "Access-Control-Request-Headers");
    if (headers.size > 0)
        reply_header_text(reply, &request->arena, "Access-Control-Allow-Headers", headers);
    reply_whole(reply, 204, TEXT(""));
    return true;
}

static bool check_admin(struct request *request)
{
    if (!request->terms->admission.has_admin) {
        refuse(request, REFUSAL_UNKNOWN_PATH, NULL,
               "Without an admin token configured (auth.admin_token) /admin and /metrics are off.");
        return false;
    }
    if (!pipeline_identify(request))
        return false;
    if (!request->admin)
        refuse(request, REFUSAL_NOT_ALLOWED, NULL,
               "Only the admin token (auth.admin_token in the configuration) may do that.");
    return request->admin;
}

static bool check_access(struct request *request, enum access access)
{
    const struct admission_options *admission = &request->terms->admission;
    bool alone = admission->mode == ADMISSION_OPEN && !admission->has_admin;
    if (access == ACCESS_ADMIN || (access == ACCESS_WATCHER && !alone))
        return check_admin(request);
    return access == ACCESS_ALL || pipeline_identify(request);
}

static void take(struct request *request, const struct route *route, struct text rest)
{
    if (route->access == ACCESS_MODEL && atomic_load(&request->worker->house->unread)) {
        refuse(request, REFUSAL_STORE_AWAY, NULL,
               "purser has not yet read the keys and budgets that were made at run time: the store "
               "that keeps them does not answer, or is not set up; see the log.");
        return;
    }
    if (route->access == ACCESS_MODEL) {
        request->endpoint = route->endpoint;
        pipeline_start(request);
        return;
    }
    if (check_access(request, route->access))
        route->own(request, rest);
}

/* `methods`: those of the path, as "GET, POST". */
static void refuse_method(struct request *request, struct text path, struct text methods)
{
    reply_header_text(&request->reply, &request->arena, "Allow", methods);
    refuse(request, REFUSAL_METHOD, NULL, "%.*s is not a method of '%.*s'; use %.*s.",
           TEXT_ARG(text_slice(request->method, 0, 20)), TEXT_ARG(text_slice(path, 0, 200)),
           TEXT_ARG(methods));
}

static void refuse_path(struct request *request, struct text path)
{
    refuse(
        request, REFUSAL_UNKNOWN_PATH, NULL,
        "purser does not serve '%.*s'. It serves POST /v1/chat/completions, /v1/completions, "
        "/v1/responses, /v1/responses/input_tokens, /v1/embeddings, /v1/messages, "
        "/v1/messages/count_tokens, /v1/moderations, /v1/images/generations, /v1/images/edits, "
        "/v1/audio/speech, /v1/audio/transcriptions, /v1/audio/translations, /v1/files, /costs, "
        "and GET /v1/models, /v1/files, "
        "/v1/batches, /budget, /costs, /costs/{request_id}, /requests, /healthz, /readyz; to the "
        "operator GET /metrics, POST /admin/reload, GET and DELETE /admin/cache, GET, POST and "
        "DELETE /admin/keys and /admin/budgets, GET /admin/forfeits, POST /admin/refunds; all also "
        "under "
        "/s/<session>/. Check the base URL: it usually ends in /v1.",
        TEXT_ARG(text_slice(path, 0, 200)));
}

void desk_take(struct request *request)
{
    struct text rest = request->target;
    struct text path = text_split(&rest, '?');
    request->query = rest;
    if (request->too_many_headers) {
        refuse(request, REFUSAL_BAD_REQUEST, NULL, "More than %d header lines.",
               REQUEST_MAX_HEADERS);
        return;
    }
    if (answer_preflight(request))
        return;
    struct text whole = path;
    struct text methods = TEXT_NONE; /* that serve the path, if this one does not */
    bool readable = strip_prefixes(request, &path);
    for (size_t i = 0; readable && i < ROUTE_COUNT; i++) {
        if (!path_matches(path, text_of(routes[i].path), &rest))
            continue;
        if (text_equal(request->method, text_of(routes[i].method))) {
            take(request, &routes[i], rest);
            return;
        }
        struct text method = text_of(routes[i].method);
        methods = methods.size == 0 ? method
                                    : arena_join(&request->arena,
                                                 (struct text[]){methods, TEXT(", "), method}, 3);
    }
    if (methods.size > 0)
        refuse_method(request, whole, methods);
    else
        refuse_path(request, whole);
}

void desk_letter(void *context, struct letter *letter)
{
    struct worker *worker = context;
    struct request *request = roster_find(&worker->requests, letter->to);
    struct books_answer *books = letter->kind == BOOKS_LETTER_ANSWER ? letter->body : NULL;
    if (books != NULL && books->subject == BOOKS_BOOKING)
        endpoint_booking_answer(worker->house, request, books);
    else if (books != NULL && request != NULL)
        endpoint_books_answer(request, books);
    else if (letter->kind == REGISTRAR_LETTER_ANSWER && request != NULL)
        endpoint_object_answer(request, letter->body);
    else if (letter->kind == BELL_LETTER_ANSWER && request != NULL)
        endpoint_bell_answer(request, letter);
    letter_free(letter);
}
