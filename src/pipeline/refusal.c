/*
 * Refusals. SDKs retry 408, 409, 429 and 5xx unless `x-should-retry: false` says that it is
 * useless; so every row says what to do.
 */
#include "pipeline/refusal.h"

#include <stdio.h>

#include "base/json.h"
#include "pipeline/figures.h"
#include "pipeline/rating.h"

enum retry { RETRY_BY_STATUS, RETRY_NO, RETRY_SOON, RETRY_LATER };

struct refusal_row {
    int status;
    const char *type, *code;
    enum retry retry;
};

static const struct refusal_row table[REFUSAL_COUNT] = {
    [REFUSAL_BUDGET_EXCEEDED] = {429, "insufficient_quota", "budget_exceeded", RETRY_NO},
    [REFUSAL_BUDGET_CONTENTION] = {429, "rate_limit_error", "budget_contention", RETRY_SOON},
    [REFUSAL_NEVER_FITS] = {400, "invalid_request_error", "request_cost_exceeds_limit", RETRY_NO},
    [REFUSAL_NOT_PRICED] = {400, "invalid_request_error", "model_not_priced", RETRY_NO},
    [REFUSAL_UNBOUNDED] = {400, "invalid_request_error", "unbounded_tool", RETRY_NO},
    [REFUSAL_ACCOUNTS_FULL] = {503, "server_error", "budget_accounts_full", RETRY_NO},
    [REFUSAL_STORE_AWAY] = {503, "server_error", "budget_store_unavailable", RETRY_LATER},
    [REFUSAL_RATE_REQUESTS] = {429, "rate_limit_error", "rate_limit_exceeded", RETRY_BY_STATUS},
    [REFUSAL_RATE_TOKENS] = {429, "rate_limit_error", "rate_limit_exceeded", RETRY_BY_STATUS},
    [REFUSAL_RATE_PARALLEL] = {429, "rate_limit_error", "rate_limit_exceeded", RETRY_BY_STATUS},
    [REFUSAL_MODEL_NOT_FOUND] = {404, "invalid_request_error", "model_not_found", RETRY_NO},
    [REFUSAL_DIALECT] = {404, "invalid_request_error", "wrong_dialect", RETRY_NO},
    [REFUSAL_UNKNOWN_PATH] = {404, "invalid_request_error", "unknown_path", RETRY_NO},
    [REFUSAL_METHOD] = {405, "invalid_request_error", "method_not_allowed", RETRY_NO},
    [REFUSAL_INVALID_KEY] = {401, "authentication_error", "invalid_api_key", RETRY_NO},
    [REFUSAL_NOT_ALLOWED] = {403, "permission_error", "not_allowed", RETRY_NO},
    [REFUSAL_MODEL_NOT_ALLOWED] = {403, "permission_error", "model_not_allowed", RETRY_NO},
    [REFUSAL_SESSION_REQUIRED] = {400, "invalid_request_error", "session_required", RETRY_NO},
    [REFUSAL_CACHE_MISS] = {504, "invalid_request_error", "cache_miss", RETRY_NO},
    [REFUSAL_BAD_REQUEST] = {400, "invalid_request_error", "invalid_request", RETRY_NO},
    [REFUSAL_TOO_LARGE] = {413, "invalid_request_error", "body_too_large", RETRY_NO},
    [REFUSAL_CONTENT_TYPE] = {400, "invalid_request_error", "invalid_content_type", RETRY_NO},
    [REFUSAL_ORIGIN] = {403, "permission_error", "origin_not_allowed", RETRY_NO},
    [REFUSAL_HOST] = {403, "permission_error", "host_not_allowed", RETRY_NO},
    [REFUSAL_NOT_FOUND] = {404, "invalid_request_error", "not_found", RETRY_NO},
    [REFUSAL_BAD_BATCH] = {400, "invalid_request_error", "invalid_batch", RETRY_NO},
    [REFUSAL_NO_SUCH_OBJECT] = {404, "invalid_request_error", "object_not_found", RETRY_NO},
    [REFUSAL_STORE] = {503, "server_error", "ownership_unavailable", RETRY_LATER},
    [REFUSAL_CONFIGURATION] = {400, "invalid_request_error", "invalid_configuration", RETRY_NO},
    [REFUSAL_BOOKS_BUSY] = {503, "server_error", "overloaded", RETRY_SOON},
    [REFUSAL_OVERLOADED] = {503, "server_error", "overloaded", RETRY_SOON},
    [REFUSAL_LEDGER] = {503, "server_error", "ledger_unavailable", RETRY_LATER},
    [REFUSAL_SHUTTING_DOWN] = {503, "server_error", "shutting_down", RETRY_LATER},
    [REFUSAL_UPSTREAM_UNREACHABLE] = {502, "upstream_error", "upstream_unreachable",
                                      RETRY_BY_STATUS},
    [REFUSAL_UPSTREAM_UNANSWERED] = {502, "upstream_error", "upstream_no_answer", RETRY_BY_STATUS},
    /* Trying again at once would meet the same, and charge another hold. */
    [REFUSAL_UPSTREAM_TIMEOUT] = {504, "upstream_error", "upstream_timeout", RETRY_NO},
    [REFUSAL_UPSTREAM_AUTH] = {502, "upstream_error", "upstream_auth_failed", RETRY_NO},
    [REFUSAL_UPSTREAM_BAD_ANSWER] = {502, "upstream_error", "upstream_bad_answer", RETRY_NO},
    [REFUSAL_CLIENT_GONE] = {499, "invalid_request_error", "client_gone", RETRY_NO},
};

_Static_assert(REFUSAL_COUNT <= TALLY_REFUSALS, "every refusal is counted");

const char *refusal_code(enum refusal refusal)
{
    return table[refusal].code;
}

static void put_retry_headers(struct reply *reply, enum retry retry)
{
    static const char *const after[] = {[RETRY_SOON] = "1", [RETRY_LATER] = "2"};
    if (retry == RETRY_BY_STATUS)
        return;
    reply_header(reply, "x-should-retry", retry == RETRY_NO ? "false" : "true");
    if (retry != RETRY_NO)
        reply_header(reply, "Retry-After", after[retry]);
}

/* The types of Anthropic's errors hang on the status alone ("Errors" in its documentation). */
static const char *anthropic_type(int status)
{
    static const struct {
        int status;
        const char *type;
    } types[] = {
        {400, "invalid_request_error"}, {401, "authentication_error"},
        {402, "billing_error"},         {403, "permission_error"},
        {404, "not_found_error"},       {405, "invalid_request_error"},
        {413, "request_too_large"},     {429, "rate_limit_error"},
        {503, "overloaded_error"},      {504, "timeout_error"},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (types[i].status == status)
            return types[i].type;
    }
    return "api_error";
}

/* `extra` is further members of the error object, each with a comma before it. */
static void decide(struct request *request, const struct refusal_row *row, const char *param,
                   const char *message, struct text extra)
{
    bool anthropic = request_dialect(request) == DIALECT_ANTHROPIC;
    struct buffer body = {0};
    buffer_put(&body, anthropic ? TEXT("{\"type\":\"error\",\"error\":{") : TEXT("{\"error\":{"));
    json_put_text_member(&body, TEXT("message"), text_of(message));
    json_put_text_member(&body, TEXT("type"),
                         text_of(anthropic ? anthropic_type(row->status) : row->type));
    if (param == NULL)
        json_put_raw_member(&body, TEXT("param"), TEXT("null"));
    else
        json_put_text_member(&body, TEXT("param"), text_of(param));
    json_put_text_member(&body, TEXT("code"), text_of(row->code));
    buffer_put(&body, extra);
    buffer_put_byte(&body, '}');
    if (anthropic)
        json_put_text_member(&body, TEXT("request_id"), text_of(request->name));
    buffer_put(&body, TEXT("}\n"));
    struct reply *reply = &request->reply;
    reply_header(reply, "Content-Type", "application/json");
    reply_header_text(reply, &request->arena, "x-purser-error", text_of(row->code));
    /* where SDKs look for one */
    reply_header(reply, anthropic ? "request-id" : "x-request-id", request->name);
    put_retry_headers(reply, row->retry);
    rating_put_headers(request);
    request->outcome.error = arena_copy(&request->arena, text_of(row->code)).at;
    reply_whole_take(reply, row->status, &body);
}

void refuse(struct request *request, enum refusal refusal, const char *param, const char *format,
            ...)
{
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    tally_refusal(&request->worker->tally, refusal);
    decide(request, &table[refusal], param, message, TEXT_NONE);
}

void refuse_without_ledger(struct request *request)
{
    refuse(request, REFUSAL_LEDGER, NULL,
           "purser cannot write its ledger (disk full or failing), and no call is made without a "
           "line in it. The operator finds the reason in the log.");
}

void refuse_configuration(struct request *request, const char *findings)
{
    tally_refusal(&request->worker->tally, REFUSAL_CONFIGURATION);
    decide(request, &table[REFUSAL_CONFIGURATION], NULL, findings, TEXT_NONE);
}

void refuse_body(struct request *request, const struct body_error *error)
{
    struct refusal_row row = table[REFUSAL_BAD_REQUEST];
    tally_refusal(&request->worker->tally, REFUSAL_BAD_REQUEST);
    row.status = error->status;
    row.code = error->code;
    const char *param = error->param.size > 0 ? arena_copy(&request->arena, error->param).at : NULL;
    decide(request, &row, param, error->message, TEXT_NONE);
}

/* ---- budgets ---- */

static bool is_own(const struct account_view *view)
{
    return view->budget.size == 0;
}

/* A request's own limit has the name of the header that set it. */
static struct text name_of(const struct account_view *view)
{
    static const struct text headers[UNIT_COUNT] = {
        [UNIT_USD] = TEXT("x-purser-max-cost-usd"),
        [UNIT_TOKENS] = TEXT("x-purser-max-tokens"),
    };
    return is_own(view) ? headers[view->unit] : view->budget;
}

static struct text law_of(const struct account_view *view)
{
    return is_own(view) ? name_of(view) : TEXT("a budget");
}

static void put_budget(struct buffer *out, const struct account_view *view, bool hide)
{
    json_put_name(out, TEXT("budget"));
    buffer_put_byte(out, '{');
    json_put_text_member(out, TEXT("name"), name_of(view));
    json_put_text_member(out, TEXT("scope"), text_of(scope_name(view->scope)));
    json_put_text_member(out, TEXT("id"), text_of(view->id));
    json_put_text_member(out, TEXT("unit"), text_of(unit_name(view->unit)));
    if (!hide)
        figures_put(out, view);
    figures_put_reset(out, view);
    buffer_put_byte(out, '}');
}

/* "team-month" (team research, usd per month) */
static void put_budget_name(struct buffer *out, const struct account_view *view)
{
    buffer_printf(out, "\"%.*s\" (%s", TEXT_ARG(view->budget), scope_name(view->scope));
    if (view->scope != SCOPE_GLOBAL && view->scope != SCOPE_REQUEST)
        buffer_printf(out, " %s", view->id);
    buffer_printf(out, ", %s", unit_name(view->unit));
    if (view->scope != SCOPE_REQUEST)
        buffer_printf(out, ", %s", window_name(view->window.kind));
    buffer_put_byte(out, ')');
}

static void put_figures(struct buffer *out, const struct account_view *view, bool hide)
{
    static const char *const sign[] = {[UNIT_USD] = "$", [UNIT_TOKENS] = "", [UNIT_REQUESTS] = ""};
    if (hide)
        return;
    const char *mark = sign[view->unit];
    buffer_printf(out, ": limit %s", mark);
    figures_put_amount(out, view->unit, view->limit);
    if (view->scope == SCOPE_REQUEST)
        return;
    buffer_printf(out, ", spent %s", mark);
    figures_put_amount(out, view->unit, figures_spent(view));
    buffer_printf(out, ", reserved %s", mark);
    figures_put_amount(out, view->unit, view->held);
}

/* The member of the request that its client would have to lower. */
static const char *maximum_of(const struct request *request)
{
    struct text field = endpoint_facts(request->endpoint)->max_field;
    return field.size > 0 ? field.at : "max_tokens";
}

static void say_exceeded(struct buffer *out, const struct account_view *view, const char *maximum,
                         bool hide)
{
    static const char *const instead[] = {
        [UNIT_USD] = "a cheaper model", [UNIT_TOKENS] = "a shorter prompt", [UNIT_REQUESTS] = NULL};
    bool left = figures_remaining(view) > 0;
    buffer_put(out, TEXT("Budget has been exceeded! Budget "));
    put_budget_name(out, view);
    put_figures(out, view, hide);
    if (left)
        buffer_put(out, TEXT("; what is left is too little for this call"));
    if (view->resets_s == WINDOW_FOREVER) {
        buffer_put(out, TEXT(". It does not reset: "));
    } else {
        bool rolls = view->window.kind == WINDOW_ROLLING;
        char stamp[CLOCK_STAMP_SIZE];
        clock_stamp(view->resets_s * 1000000, stamp);
        buffer_printf(out, ". %s at %s; until then ",
                      rolls ? "Enough of what was spent falls out of its window" : "It resets",
                      stamp);
    }
    if (left && instead[view->unit] != NULL)
        buffer_printf(out, "ask for less (a lower %s, %s) or ", maximum, instead[view->unit]);
    buffer_put(out, TEXT("ask its owner to raise it."));
}

static void say_contention(struct buffer *out, const struct account_view *view, bool hide)
{
    buffer_put(out, TEXT("Budget "));
    put_budget_name(out, view);
    buffer_put(out, TEXT(" has enough left, but other requests in flight hold it for the moment"));
    put_figures(out, view, hide);
    buffer_put(out, TEXT(". Try again in a second."));
}

static void say_away(struct buffer *out, const struct account_view *view,
                     const struct request *request, bool hide)
{
    const struct treasury *treasury = request->worker->house->treasury;
    buffer_put(out, TEXT("Nobody can say at the moment whether budget "));
    put_budget_name(out, view);
    buffer_put(out, TEXT(" has room for this call"));
    put_figures(out, view, hide);
    buffer_printf(out, "%s %s. Nothing was spent. Try again in a few seconds.", hide ? ":" : ";",
                  lease_state_why(treasury_state(treasury), treasury_grants(treasury)));
}

/* Where no maximum of output helps. */
static const char *advice_to(const struct request *request)
{
    const struct endpoint_facts *facts = endpoint_facts(request->endpoint);
    if (facts->media)
        return "It may cost more than that: ask for fewer, smaller or plainer pieces, or send less";
    if (facts->by_file)
        return "The lines of its file may cost more than that together: send fewer in a batch, or "
               "with lower maxima";
    return "Its input alone is too large: shorten the prompt (an image, audio or a file counts as "
           "the model's whole context)";
}

static void say_never_fits(struct buffer *out, const struct grant *grant,
                           const struct request *request, bool hide)
{
    if (is_own(&grant->blocking)) {
        buffer_put(out, TEXT("This request can never fit the limit that it sets itself, "));
        buffer_put(out, name_of(&grant->blocking));
    } else {
        buffer_put(out, TEXT("This request can never fit budget "));
        put_budget_name(out, &grant->blocking);
    }
    put_figures(out, &grant->blocking, hide);
    if (grant->affordable_max_output > 0)
        buffer_printf(out, ". With %s at most %lld it would.", maximum_of(request),
                      (long long)grant->affordable_max_output);
    else
        buffer_printf(out, ". %s.", advice_to(request));
}

static void refuse_by_budget(struct request *request, enum refusal refusal,
                             const struct grant *grant)
{
    const struct account_view *blocking = &grant->blocking;
    struct refusal_row row = table[refusal];
    struct buffer message = {0}, extra = {0};
    /* What a client says itself is not hidden from it. */
    bool hide = request->terms->hide_amounts && !is_own(blocking);
    const char *param = is_own(blocking) ? name_of(blocking).at : NULL;
    if (refusal == REFUSAL_BUDGET_EXCEEDED) {
        row.status = request->terms->budget_status;
        say_exceeded(&message, blocking, maximum_of(request), hide);
    } else if (refusal == REFUSAL_BUDGET_CONTENTION) {
        say_contention(&message, blocking, hide);
    } else if (refusal == REFUSAL_STORE_AWAY) {
        say_away(&message, blocking, request, hide);
    } else {
        say_never_fits(&message, grant, request, hide);
        json_put_int_member(&extra, TEXT("affordable_max_tokens"),
                            grant->affordable_max_output > 0 ? grant->affordable_max_output : 0);
    }
    put_budget(&extra, blocking, hide);
    request->outcome.budget = arena_copy(&request->arena, name_of(blocking));
    struct buffer members = {0};
    buffer_put_byte(&members, ',');
    size_t skip = extra.size > 0 && extra.at[0] == ',' ? 1 : 0;
    buffer_put(&members, text_from(buffer_text(&extra), skip));
    tally_refusal(&request->worker->tally, refusal);
    bool fits_with_less = refusal == REFUSAL_NEVER_FITS && grant->affordable_max_output > 0;
    decide(request, &row, fits_with_less ? maximum_of(request) : param, buffer_string(&message),
           buffer_text(&members));
    buffer_close(&message);
    buffer_close(&extra);
    buffer_close(&members);
}

void refusal_of_stream(const struct account_view *view, bool hide_amounts, struct buffer *message,
                       struct ending_facts *facts)
{
    const struct refusal_row *row = &table[REFUSAL_BUDGET_EXCEEDED];
    buffer_put(message, TEXT("Budget has been exceeded! The answer ends early: nothing more can be "
                             "held in budget "));
    put_budget_name(message, view);
    put_figures(message, view, hide_amounts);
    buffer_put_byte(message, '.');
    facts->code = text_of(row->code);
    facts->type = text_of(row->type);
}

void refusal_of_unwritten(struct buffer *message, struct ending_facts *facts)
{
    const struct refusal_row *row = &table[REFUSAL_LEDGER];
    buffer_put(message, TEXT("The answer ends early: purser cannot write its ledger (disk full or "
                             "failing), and nothing more is spent without a line in it."));
    facts->code = text_of(row->code);
    facts->type = text_of(row->type);
}

static void refuse_unbounded(struct request *request, const struct grant *grant)
{
    const struct body *body = &request->body;
    if (body->unbounded_param.size > 0) {
        const char *param = arena_copy(&request->arena, body->unbounded_param).at;
        refuse(request, REFUSAL_UNBOUNDED, param, "%s", body->unbounded_why);
    } else {
        refuse(request, REFUSAL_UNBOUNDED, endpoint_facts(request->endpoint)->input.at,
               "Under %.*s the cost of this request cannot be bounded: it has images, audio or "
               "files, or no maximum, and the catalog knows no limits of model '%.*s'. Add "
               "`context` and `max_output` for it to `models` in the configuration.",
               TEXT_ARG(law_of(&grant->blocking)), TEXT_ARG(body->model));
    }
}

void refuse_verdict(struct request *request, const struct grant *grant)
{
    switch (grant->verdict) {
    case VERDICT_EXHAUSTED:
        refuse_by_budget(request, REFUSAL_BUDGET_EXCEEDED, grant);
        return;
    case VERDICT_CONTENTION:
        refuse_by_budget(request, REFUSAL_BUDGET_CONTENTION, grant);
        return;
    case VERDICT_NEVER_FITS:
        refuse_by_budget(request, REFUSAL_NEVER_FITS, grant);
        return;
    case VERDICT_UNPRICED:
        refuse(request, REFUSAL_NOT_PRICED, "model",
               "Model '%.*s' has no price, and %.*s in USD applies. If its name is right (GET "
               "/v1/models lists those there are), an operator adds it to `models` in the "
               "configuration (input and output in USD per 1M tokens; 0 if it is free).",
               TEXT_ARG(request->body.model), TEXT_ARG(law_of(&grant->blocking)));
        return;
    case VERDICT_UNBOUNDED:
        refuse_unbounded(request, grant);
        return;
    case VERDICT_CROWDED:
        refuse(request, REFUSAL_ACCOUNTS_FULL, NULL,
               "Too many budget accounts are in use; no new session, user or tag can be opened. "
               "Raise limits.accounts in the configuration.");
        return;
    case VERDICT_AWAY:
        refuse_by_budget(request, REFUSAL_STORE_AWAY, grant);
        return;
    case VERDICT_GRANTED:
    case VERDICT_WAIT:
    case VERDICT_AGAIN:
    case VERDICT_RECOUNT:
        break;
    }
    ASSERT(grant->verdict != VERDICT_GRANTED);
    ASSERT(grant->verdict != VERDICT_WAIT);
    ASSERT(grant->verdict != VERDICT_AGAIN);
    ASSERT(grant->verdict != VERDICT_RECOUNT);
}

/* ---- rate limits ---- */

static void refuse_crowded(struct request *request)
{
    refuse(request, REFUSAL_ACCOUNTS_FULL, NULL,
           "Too many callers are counted for rate limits; no new session, user or tag can be let "
           "in. It may go in a minute; else raise limits.accounts in the configuration.");
}

/* "key 'alice'" */
static struct text whose(struct request *request, const struct rates_answer *answer)
{
    if (answer->scope == SCOPE_GLOBAL)
        return TEXT("all callers together");
    return arena_printf(&request->arena, "%s '%.*s'", scope_name(answer->scope),
                        TEXT_ARG(answer->id));
}

/* OpenAI's SDK for Node (7.x, retryRequest in client.ts) takes no heed of longer ones, and comes
 * again within seconds. */
#define RETRY_AFTER_MOST_S 60

static void put_retry_after(struct request *request, long long seconds)
{
    long long told = seconds < RETRY_AFTER_MOST_S ? seconds : RETRY_AFTER_MOST_S;
    reply_header(&request->reply, "x-should-retry", "true");
    reply_header_text(&request->reply, &request->arena, "Retry-After",
                      arena_printf(&request->arena, "%lld", told));
}

void refuse_rate(struct request *request, const struct rates_answer *answer)
{
    if (answer->verdict == RATES_CROWDED) {
        refuse_crowded(request);
        return;
    }
    struct arena *arena = &request->arena;
    struct text who = whose(request, answer);
    long long seconds = (long long)((answer->wait_us + 999999) / 1000000);
    bool parallel = answer->rated == RATED_PARALLEL;
    struct text amounts = arena_printf(arena, "%lld %s, requested %lld", (long long)answer->used,
                                       parallel ? "running" : "used", (long long)answer->requested);
    put_retry_after(request, seconds);
    request->outcome.budget =
        arena_printf(arena, "%s of %.*s", rated_name(answer->rated), TEXT_ARG(who));
    refuse(request, (enum refusal)(REFUSAL_RATE_REQUESTS + (int)answer->rated), NULL,
           "Rate limit reached for %.*s: %lld %s (%.*s). Try again in %lld s.", TEXT_ARG(who),
           (long long)answer->limit, rated_words(answer->rated), TEXT_ARG(amounts), seconds);
}
