/*
 * Objects at upstreams: stored responses, files, batches. What a path names is looked up first: it
 * belongs to the key that made it, and only then its upstream is asked. Lists are answered from
 * what the key owns, each object as its upstream showed it last.
 *
 * An id goes into the upstream's URL only if it consists of letters, digits, "-", "_" and ".": no
 * escape and no slash can lead to another path. A query is passed on as it is, if it is one.
 */
#include "pipeline/objects.h"
#include "base/json.h"
#include "front/endpoints.h"
#include "pipeline/intake.h"
#include "pipeline/refusal.h"
#include "pipeline/visit.h"

enum { PAGE = 100, FILES_PAGE = 1000, PAGE_MOST = 1000, QUERY_MOST = 2048 };

/* What may be done with one object. */
struct operation {
    const char *method;
    enum object_kind kind;
    struct text tail; /* behind the id */
    enum visit_purpose purpose;
};

static const struct operation operations[] = {
    {"GET", OBJECT_RESPONSE, TEXT(""), VISIT_SHOW},
    {"GET", OBJECT_RESPONSE, TEXT("/input_items"), VISIT_READ},
    {"POST", OBJECT_RESPONSE, TEXT("/cancel"), VISIT_READ},
    {"DELETE", OBJECT_RESPONSE, TEXT(""), VISIT_DELETE},
    {"GET", OBJECT_FILE, TEXT(""), VISIT_SHOW},
    {"GET", OBJECT_FILE, TEXT("/content"), VISIT_READ},
    {"DELETE", OBJECT_FILE, TEXT(""), VISIT_DELETE},
    {"GET", OBJECT_BATCH, TEXT(""), VISIT_SHOW},
    {"POST", OBJECT_BATCH, TEXT("/cancel"), VISIT_SHOW},
};

static const struct text stems[OBJECT_KIND_COUNT] = {
    [OBJECT_RESPONSE] = TEXT("/responses/"),
    [OBJECT_FILE] = TEXT("/files/"),
    [OBJECT_BATCH] = TEXT("/batches/"),
};

/* What the registrar was asked for. */
struct inquiry {
    const struct operation *operation; /* NULL: a list */
    struct text id;
    struct objects_query page;
    bool after_asked; /* of a list: the place of `after` is not known yet */
};

static bool refuse_admin(struct request *request)
{
    if (request->key != NULL)
        return false;
    refuse(request, REFUSAL_NOT_ALLOWED, NULL,
           "Responses, files and batches belong to callers' keys; the admin token has none.");
    return true;
}

static bool ask(struct request *request, const struct deed *deed)
{
    if (registrar_ask(request->worker->house->registrar, deed))
        return true;
    refuse(request, REFUSAL_OVERLOADED, NULL,
           "Too many questions about who owns what are waiting for an answer.");
    return false;
}

/* ---- one object ---- */

/* Bytes that a URL may have (RFC 3986, 3.4), and brackets, which clients leave as they are. */
static bool is_query(struct text query)
{
    for (size_t i = 0; i < query.size; i++) {
        unsigned char c = (unsigned char)query.at[i];
        bool alphanumeric =
            (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z' && c < 0x80);
        if (!alphanumeric && (c == '\0' || strchr("-._~%!$&'()*+,;=:@/?[]", c) == NULL))
            return false;
    }
    return query.size <= QUERY_MOST;
}

static const struct operation *find_operation(const struct request *request, enum object_kind kind,
                                              struct text tail)
{
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        const struct operation *operation = &operations[i];
        if (operation->kind == kind && text_equal(operation->tail, tail) &&
            text_equal(text_of(operation->method), request->method))
            return operation;
    }
    return NULL;
}

static void take_one(struct request *request, enum object_kind kind, struct text rest)
{
    size_t slash = text_find(rest, TEXT("/"), 0);
    struct text id = slash == SIZE_MAX ? rest : text_slice(rest, 0, slash);
    struct text tail = slash == SIZE_MAX ? TEXT("") : text_from(rest, slash);
    const struct operation *operation = find_operation(request, kind, tail);
    if (refuse_admin(request))
        return;
    if (operation == NULL) {
        refuse(request, REFUSAL_UNKNOWN_PATH, NULL, "purser does not serve '%.*s %.*s'.",
               TEXT_ARG(text_slice(request->method, 0, 20)),
               TEXT_ARG(text_slice(request->target, 0, 200)));
        return;
    }
    if (!is_query(request->query)) {
        refuse(request, REFUSAL_BAD_REQUEST, NULL, "The query has bytes that no URL can have.");
        return;
    }
    struct inquiry *inquiry = arena_new(&request->arena, sizeof *inquiry);
    inquiry->operation = operation;
    inquiry->id = id;
    request->inquiry = inquiry;
    if (!objects_is_id(id)) { /* nothing of such a name was ever noted */
        objects_refuse(request, id, NULL);
        return;
    }
    (void)objects_ask(request, &(struct object){kind, TEXT_NONE, id});
}

void endpoint_response(struct request *request, struct text rest)
{
    take_one(request, OBJECT_RESPONSE, rest);
}

void endpoint_file(struct request *request, struct text rest)
{
    take_one(request, OBJECT_FILE, rest);
}

void endpoint_batch(struct request *request, struct text rest)
{
    take_one(request, OBJECT_BATCH, rest);
}

/* In passthrough mode an object of which nobody knows may still be the caller's own. */
static const struct upstream *upstream_of(struct request *request, const struct deed_answer *answer)
{
    const struct terms *terms = request->terms;
    const struct upstream *upstream = NULL;
    if (answer->owner == OWNER_KNOWN)
        upstream = errand_upstream(terms, answer->owned.upstream);
    else if (terms->upstream_count > 0)
        upstream = &terms->upstreams[0];
    if (upstream == NULL)
        refuse(request, REFUSAL_NO_SUCH_OBJECT, NULL,
               "'%.*s' is at an upstream that is not configured any more.",
               TEXT_ARG(request->inquiry->id));
    return upstream;
}

static void visit_one(struct request *request, const struct deed_answer *answer)
{
    const struct inquiry *inquiry = request->inquiry;
    const struct operation *operation = inquiry->operation;
    if (!objects_judge(request, inquiry->id, NULL))
        return;
    const struct upstream *upstream = upstream_of(request, answer);
    if (upstream == NULL)
        return;
    const struct text path[] = {stems[operation->kind], inquiry->id, operation->tail};
    const struct errand_target target = {
        .method = text_of(operation->method),
        .upstream = upstream,
        .path = arena_join(&request->arena, path, 3),
        .query = request->query,
    };
    const struct object object = {operation->kind, upstream->name, inquiry->id};
    visit_start(request, operation->purpose, &object, &target, TEXT_NONE);
}

/* ---- lists ---- */

static bool bad_query(struct request *request, const char *param, const char *why)
{
    refuse(request, REFUSAL_BAD_REQUEST, param, "%s: %s", param, why);
    return false;
}

static bool read_member(struct request *request, struct text name, struct text value,
                        struct inquiry *inquiry)
{
    struct objects_query *page = &inquiry->page;
    int64_t limit = 0;
    if (text_equal(name, TEXT("limit"))) {
        if (!text_to_int(value, &limit) || limit < 1 || limit > 10000)
            return bad_query(request, "limit", "a whole number from 1 to 10000");
        page->most = limit < PAGE_MOST ? (size_t)limit : PAGE_MOST;
    } else if (text_equal(name, TEXT("after"))) {
        inquiry->id = value;
        inquiry->after_asked = true;
    } else if (text_equal(name, TEXT("purpose")) && page->kind == OBJECT_FILE) {
        page->purpose = value;
    } else if (!text_equal(name, TEXT("order"))) {
        return bad_query(request, "query", "there are limit, after, order and, of files, purpose");
    } else if (!text_equal(value, TEXT("desc"))) {
        return bad_query(request, "order", "purser lists the newest first (desc)");
    }
    return true;
}

static bool read_query(struct request *request, struct inquiry *inquiry)
{
    struct text rest = request->query;
    while (rest.size > 0) {
        struct text raw = text_split(&rest, '&');
        struct text name = text_split(&raw, '=');
        struct text value;
        if (name.size == 0 && raw.at == NULL)
            continue;
        if (raw.at == NULL || !percent_decode(&request->arena, raw, true, &value))
            return bad_query(request, "query", "write name=value");
        if (!read_member(request, name, value, inquiry))
            return false;
    }
    return true;
}

static void ask_page(struct request *request)
{
    struct worker *worker = request->worker;
    (void)ask(request, &(struct deed){.kind = DEED_LIST,
                                      .mailbox = worker->mailbox,
                                      .to = request->id,
                                      .query = request->inquiry->page});
}

static void list(struct request *request, enum object_kind kind, size_t most)
{
    struct inquiry *inquiry = arena_new(&request->arena, sizeof *inquiry);
    inquiry->page.kind = kind;
    inquiry->page.most = most;
    if (refuse_admin(request) || endpoint_guest_unknown(request) || !read_query(request, inquiry))
        return;
    inquiry->page.key = request->key->id;
    request->inquiry = inquiry;
    if (inquiry->after_asked)
        (void)objects_ask(request, &(struct object){kind, TEXT_NONE, inquiry->id});
    else
        ask_page(request);
}

void endpoint_upload(struct request *request, struct text rest)
{
    (void)rest;
    if (atomic_load(&request->worker->house->stopping))
        refuse(request, REFUSAL_SHUTTING_DOWN, NULL, "purser is shutting down.");
    else if (!refuse_admin(request))
        intake_begin(request);
}

void endpoint_files(struct request *request, struct text rest)
{
    (void)rest;
    list(request, OBJECT_FILE, FILES_PAGE);
}

void endpoint_batches(struct request *request, struct text rest)
{
    (void)rest;
    list(request, OBJECT_BATCH, PAGE);
}

static void list_after(struct request *request, const struct deed_answer *answer)
{
    struct inquiry *inquiry = request->inquiry;
    if (!objects_is_own(request)) {
        objects_refuse(request, inquiry->id, "after");
        return;
    }
    inquiry->after_asked = false;
    inquiry->page.has_after = true;
    inquiry->page.after = (struct owned_object){
        .upstream = arena_copy(&request->arena, answer->owned.upstream),
        .id = inquiry->id,
        .made_s = answer->owned.made_s,
    };
    ask_page(request);
}

/* What is too large to be kept is shown by its id. */
static void put_row(struct buffer *out, const struct owned_object *row)
{
    if (out->at[out->size - 1] == '}')
        buffer_put_byte(out, ',');
    if (row->about.size > 0) {
        buffer_put(out, row->about);
        return;
    }
    buffer_put_byte(out, '{');
    json_put_text_member(out, TEXT("id"), row->id);
    json_put_int_member(out, TEXT("created_at"), row->made_s);
    buffer_put_byte(out, '}');
}

static void put_id(struct buffer *out, const char *name, const struct objects_page *page, size_t at)
{
    if (page->count == 0)
        json_put_raw_member(out, text_of(name), TEXT("null"));
    else
        json_put_text_member(out, text_of(name), page->rows[at].id);
}

static void answer_page(struct request *request, const struct deed_answer *answer)
{
    const struct objects_page *page = &answer->page;
    struct buffer body = {0};
    if (answer->failed) {
        objects_refuse_failed(request);
        return;
    }
    buffer_put(&body, TEXT("{\"object\":\"list\",\"data\":["));
    for (size_t i = 0; i < page->count; i++)
        put_row(&body, &page->rows[i]);
    buffer_put_byte(&body, ']');
    put_id(&body, "first_id", page, 0);
    put_id(&body, "last_id", page, page->count - 1);
    json_put_bool_member(&body, TEXT("has_more"), page->more);
    buffer_put(&body, TEXT("}\n"));
    reply_header(&request->reply, "Content-Type", "application/json");
    reply_whole_take(&request->reply, 200, &body);
}

/* ---- the registrar's answer ---- */

void endpoint_object_answer(struct request *request, const struct deed_answer *answer)
{
    const struct inquiry *inquiry = request->inquiry;
    request->found = answer;
    if (inquiry->operation != NULL)
        visit_one(request, answer);
    else if (inquiry->after_asked)
        list_after(request, answer);
    else
        answer_page(request, answer);
    request->found = NULL;
}
