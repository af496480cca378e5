/*
 * Keys and budgets made at run time: /admin/keys and /admin/budgets. The main thread, which has the
 * configuration, does what is asked and answers (gear/bell.h).
 */
#include <stdio.h>

#include "base/json.h"
#include "front/endpoints.h"
#include "gear/bell.h"
#include "pipeline/refusal.h"

enum { BODY_MOST_BYTES = 65536 };

/* A body is kept as a member of others: so many more levels must be readable. */
#define AROUND "[[[[[[[["

static void refuse_plainly(struct request *request, int status, const char *code, struct text why)
{
    struct body_error error = {.status = status, .code = code};
    snprintf(error.message, sizeof error.message, "%.*s", TEXT_ARG(why));
    refuse_body(request, &error);
}

static void ring(struct request *request, const struct petition *petition)
{
    struct worker *worker = request->worker;
    if (!bell_ring(worker->house->bell, worker->mailbox, request->id, petition))
        refuse(request, REFUSAL_SHUTTING_DOWN, NULL, "purser is shutting down.");
}

static bool is_too_deep(struct text body)
{
    struct buffer nested = {0};
    struct json_value value;
    buffer_put(&nested, TEXT(AROUND));
    buffer_put(&nested, body);
    bool deep = json_parse(buffer_text(&nested), &value, NULL) == JSON_TOO_DEEP;
    buffer_close(&nested);
    return deep;
}

/* A JSON object, and nothing that two parsers may read in two ways. */
static bool read_body(struct request *request, struct text *body)
{
    struct json_value value;
    if (!pipeline_check_json(request))
        return false;
    if (request->bytes.size > BODY_MOST_BYTES) {
        refuse_plainly(request, 413, "body_too_large",
                       TEXT("A key or a budget is told in at most 64 KB."));
        return false;
    }
    if (json_parse(buffer_text(&request->bytes), &value, NULL) != JSON_OK ||
        value.kind != JSON_OBJECT) {
        refuse_plainly(request, 400, "invalid_json",
                       TEXT("The body must be a JSON object, its members as in the "
                            "configuration's keys: or budgets:."));
        return false;
    }
    if (is_too_deep(value.raw)) {
        refuse_plainly(request, 400, "invalid_json", TEXT("The body is nested too deeply."));
        return false;
    }
    *body = value.raw;
    return true;
}

static void ring_with_body(struct request *request, struct petition petition)
{
    if (read_body(request, &petition.body))
        ring(request, &petition);
}

static bool read_name(struct request *request, struct text raw, struct text *name)
{
    if (raw.size > 0 && percent_decode(&request->arena, raw, false, name))
        return true;
    refuse(request, REFUSAL_NOT_FOUND, NULL, "There is nothing of that name.");
    return false;
}

static bool is_post(const struct request *request)
{
    return text_equal(request->method, TEXT("POST"));
}

void endpoint_keys(struct request *request, struct text rest)
{
    (void)rest;
    if (is_post(request))
        ring_with_body(request, (struct petition){.kind = PETITION_MAKE_KEY});
    else
        ring(request, &(struct petition){.kind = PETITION_LIST_KEYS});
}

void endpoint_key(struct request *request, struct text rest)
{
    struct petition petition = {.kind = PETITION_DELETE_KEY};
    if (read_name(request, rest, &petition.name))
        ring(request, &petition);
}

void endpoint_budgets(struct request *request, struct text rest)
{
    (void)rest;
    if (is_post(request))
        ring_with_body(request, (struct petition){.kind = PETITION_PUT_BUDGET});
    else
        ring(request, &(struct petition){.kind = PETITION_LIST_BUDGETS});
}

/* What follows "/limits": nothing, or the id that they are for. */
static void answer_limits(struct request *request, struct text name, struct text rest)
{
    struct petition petition = {.kind = PETITION_UNSET_LIMITS};
    if (!read_name(request, name, &petition.name) ||
        (rest.size > 0 && !read_name(request, text_from(rest, 1), &petition.id)))
        return;
    if (!is_post(request)) {
        ring(request, &petition);
        return;
    }
    petition.kind = PETITION_SET_LIMITS;
    ring_with_body(request, petition);
}

void endpoint_one_budget(struct request *request, struct text rest)
{
    struct petition petition = {.kind = PETITION_DELETE_BUDGET};
    struct text name = text_split(&rest, '/');
    struct text limits = TEXT("limits");
    if (text_equal(rest, limits) || text_starts(rest, TEXT("limits/"))) {
        answer_limits(request, name, text_from(rest, limits.size));
        return;
    }
    if (!read_name(request, rest.at == NULL ? name : TEXT_NONE, &petition.name))
        return;
    if (is_post(request)) {
        refuse(request, REFUSAL_NOT_FOUND, NULL,
               "A budget is made by POST /admin/budgets, with its name in the body; its limits are "
               "changed by POST /admin/budgets/{name}/limits.");
        return;
    }
    ring(request, &petition);
}

void endpoint_bell_answer(struct request *request, struct letter *letter)
{
    struct buffer *text = letter->body;
    switch ((enum bell_result)letter->value) {
    case BELL_DONE:
        reply_header(&request->reply, "Content-Type", "application/json");
        reply_whole_take(&request->reply, 200, text);
        return;
    case BELL_REFUSED:
        refuse_configuration(request, buffer_string(text));
        return;
    case BELL_STOPPING:
        refuse(request, REFUSAL_SHUTTING_DOWN, NULL, "purser is shutting down.");
        return;
    case BELL_BAD:
        refuse_plainly(request, 400, "invalid_request", buffer_text(text));
        return;
    case BELL_MISSING:
        refuse(request, REFUSAL_NOT_FOUND, NULL, "%s", buffer_string(text));
        return;
    case BELL_FIXED:
        refuse_plainly(request, 409, "not_changeable", buffer_text(text));
        return;
    case BELL_AWAY:
        refuse(request, REFUSAL_STORE_AWAY, NULL, "%s", buffer_string(text));
        return;
    }
}
