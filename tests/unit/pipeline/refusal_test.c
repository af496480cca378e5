/* Refusals: OpenAI's shape, and what SDKs are told about trying again. */
#include <stdio.h>

#include "desk.h"
#include "pipeline/refusal.h"

START_TEST(every_refusal_has_its_status_code_and_word_about_trying_again)
{
    static const struct {
        enum refusal refusal;
        int status;
        const char *type, *code, *retry, *after; /* NULL: no header */
    } cases[] = {
        {REFUSAL_MODEL_NOT_FOUND, 404, "invalid_request_error", "model_not_found", "false", NULL},
        {REFUSAL_UNKNOWN_PATH, 404, "invalid_request_error", "unknown_path", "false", NULL},
        {REFUSAL_METHOD, 405, "invalid_request_error", "method_not_allowed", "false", NULL},
        {REFUSAL_INVALID_KEY, 401, "authentication_error", "invalid_api_key", "false", NULL},
        {REFUSAL_MODEL_NOT_ALLOWED, 403, "permission_error", "model_not_allowed", "false", NULL},
        {REFUSAL_TOO_LARGE, 413, "invalid_request_error", "body_too_large", "false", NULL},
        {REFUSAL_ORIGIN, 403, "permission_error", "origin_not_allowed", "false", NULL},
        {REFUSAL_LEDGER, 503, "server_error", "ledger_unavailable", "true", "2"},
        {REFUSAL_BOOKS_BUSY, 503, "server_error", "overloaded", "true", "1"},
        {REFUSAL_SHUTTING_DOWN, 503, "server_error", "shutting_down", "true", "2"},
        {REFUSAL_UPSTREAM_UNREACHABLE, 502, "upstream_error", "upstream_unreachable", NULL, NULL},
        {REFUSAL_UPSTREAM_UNANSWERED, 502, "upstream_error", "upstream_no_answer", NULL, NULL},
        {REFUSAL_UPSTREAM_TIMEOUT, 504, "upstream_error", "upstream_timeout", "false", NULL},
        {REFUSAL_UPSTREAM_BAD_ANSWER, 502, "upstream_error", "upstream_bad_answer", "false", NULL},
        {REFUSAL_NOT_ALLOWED, 403, "permission_error", "not_allowed", "false", NULL},
        {REFUSAL_CONFIGURATION, 400, "invalid_request_error", "invalid_configuration", "false",
         NULL},
        {REFUSAL_UPSTREAM_AUTH, 502, "upstream_error", "upstream_auth_failed", "false", NULL},
    };
    struct desk desk;
    desk_open(&desk);
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        char type[64];
        desk_next(&desk);
        refuse(desk.request, cases[i].refusal, NULL, "It is %s.", "so");
        desk_expect(&desk, cases[i].status, cases[i].code);
        (void)snprintf(type, sizeof(type), "\"%s\"", cases[i].type);
        UNIT_TEXT(desk_error(&desk, "type"), type);
        UNIT_TEXT(desk_error(&desk, "message"), "\"It is so.\"");
        UNIT_TEXT(desk_error(&desk, "param"), "null");
        UNIT_TEXT(desk_header(&desk, "x-should-retry"), cases[i].retry);
        UNIT_TEXT(desk_header(&desk, "Retry-After"), cases[i].after);
    }
    desk_close(&desk);
}
END_TEST

START_TEST(clients_of_anthropic_get_its_shape)
{
    static const struct {
        const char *target;
        enum refusal refusal;
        const char *type; /* NULL: OpenAI's shape */
    } cases[] = {
        {"/v1/messages", REFUSAL_NOT_PRICED, "invalid_request_error"},
        {"/messages?beta=true", REFUSAL_INVALID_KEY, "authentication_error"},
        {"/s/a%20b/v1/messages", REFUSAL_ORIGIN, "permission_error"},
        {"/s/x/messages/count_tokens", REFUSAL_MODEL_NOT_FOUND, "not_found_error"},
        {"/v1/messages", REFUSAL_TOO_LARGE, "request_too_large"},
        {"/v1/messages", REFUSAL_OVERLOADED, "overloaded_error"},
        {"/v1/messages", REFUSAL_UPSTREAM_TIMEOUT, "timeout_error"},
        {"/v1/messages", REFUSAL_UPSTREAM_AUTH, "api_error"},
        {"/v1/messages/batches", REFUSAL_UNKNOWN_PATH, "not_found_error"},
        {"/v1/messagesx", REFUSAL_UNKNOWN_PATH, NULL},
        {"/s/messages", REFUSAL_UNKNOWN_PATH, NULL},
        {"/v1/chat/completions", REFUSAL_UNKNOWN_PATH, NULL},
    };
    struct desk desk;
    desk_open(&desk);
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        char type[64];
        desk_next(&desk);
        desk.request->target = text_of(cases[i].target);
        refuse(desk.request, cases[i].refusal, NULL, "It is so.");
        struct text body = reply_backlog(&desk.request->reply);
        bool theirs = text_starts(body, TEXT("{\"type\":\"error\",\"error\":{\"message\":"));
        ck_assert_msg(theirs == (cases[i].type != NULL), "%.*s", TEXT_ARG(body));
        UNIT_TEXT(desk_header(&desk, theirs ? "request-id" : "x-request-id"), desk.request->name);
        if (!theirs)
            continue;
        (void)snprintf(type, sizeof(type), "\"%s\"", cases[i].type);
        UNIT_TEXT(desk_error(&desk, "type"), type);
    }
    desk_close(&desk);
}
END_TEST

START_TEST(what_a_client_sent_is_escaped_in_the_message)
{
    struct desk desk;
    desk_open(&desk);
    refuse(desk.request, REFUSAL_MODEL_NOT_FOUND, "mo\"del", "No '%s'.", "a\"b\\c\n\x01");
    UNIT_TEXT(desk_error(&desk, "message"), "\"No 'a\\\"b\\\\c\\n\\u0001'.\"");
    UNIT_TEXT(desk_error(&desk, "param"), "\"mo\\\"del\"");
    desk_close(&desk);
}
END_TEST

START_TEST(an_overlong_message_is_cut_and_still_json)
{
    struct desk desk;
    char name[3000];
    memset(name, 'x', sizeof(name));
    desk_open(&desk);
    refuse(desk.request, REFUSAL_MODEL_NOT_FOUND, NULL, "No '%.*s'.", (int)sizeof(name), name);
    desk_expect(&desk, 404, "model_not_found");
    ck_assert_uint_lt(desk_error(&desk, "message").size, 1100);
    desk_close(&desk);
}
END_TEST

START_TEST(a_body_is_refused_with_the_code_of_its_error)
{
    struct desk desk;
    const struct body_error error = {.status = 400,
                                     .code = "duplicate_member",
                                     .param = TEXT("max_tokens"),
                                     .message = "'max_tokens' stands twice."};
    desk_open(&desk);
    refuse_body(desk.request, &error);
    desk_expect(&desk, 400, "duplicate_member");
    UNIT_TEXT(desk_error(&desk, "param"), "\"max_tokens\"");
    UNIT_TEXT(desk_header(&desk, "x-should-retry"), "false");
    desk_close(&desk);
}
END_TEST

/* ---- budgets ---- */

static struct grant blocked(enum verdict verdict)
{
    return (struct grant){
        .verdict = verdict,
        .blocking = {.budget = TEXT("team-day"),
                     .id = "research",
                     .scope = SCOPE_TEAM,
                     .unit = UNIT_USD,
                     .window = {.kind = WINDOW_DAY, .end_s = NOON_S + DAY_S / 2},
                     .resets_s = NOON_S + DAY_S / 2,
                     .limit = 50000000,
                     .limit_configured = 50000000,
                     .spent = 48000001,
                     .held = 1000000},
        .affordable_max_output = 17,
    };
}

START_TEST(an_exhausted_budget_says_which_and_until_when)
{
    struct desk desk;
    struct grant grant = blocked(VERDICT_EXHAUSTED);
    desk_open(&desk);
    refuse_verdict(desk.request, &grant);
    desk_expect(&desk, 429, "budget_exceeded");
    UNIT_TEXT(desk_error(&desk, "type"), "\"insufficient_quota\"");
    UNIT_TEXT(desk_header(&desk, "x-should-retry"), "false");
    ck_assert_ptr_null(desk_header(&desk, "Retry-After").at);
    struct text message = desk_error(&desk, "message");
    ck_assert(text_starts(message, TEXT("\"Budget has been exceeded!")));
    ck_assert_uint_ne(text_find(message, TEXT("limit $0.05, spent $0.048000001"), 0), SIZE_MAX);
    UNIT_TEXT(desk_error(&desk, "budget"),
              "{\"name\":\"team-day\",\"scope\":\"team\",\"id\":\"research\",\"unit\":\"usd\","
              "\"limit\":0.05,\"limit_configured\":0.05,\"spent\":0.048000001,"
              "\"reserved\":0.001,\"remaining\":0.000999999,\"forfeited\":0,\"ceiling\":0,"
              "\"overdraft\":0,"
              "\"spent_elsewhere\":0,"
              "\"resets_at\":\"2026-11-22T00:00:00.000000+00:00\"}");
    desk_close(&desk);
}
END_TEST

START_TEST(the_status_of_an_exhausted_budget_can_be_chosen)
{
    struct desk desk;
    struct grant grant = blocked(VERDICT_EXHAUSTED);
    desk_open(&desk);
    desk.terms->budget_status = 402;
    refuse_verdict(desk.request, &grant);
    desk_expect(&desk, 402, "budget_exceeded");
    desk_close(&desk);
}
END_TEST

START_TEST(amounts_can_be_hidden)
{
    static const enum verdict verdicts[] = {VERDICT_EXHAUSTED, VERDICT_CONTENTION,
                                            VERDICT_NEVER_FITS};
    struct desk desk;
    desk_open(&desk);
    desk.terms->hide_amounts = true;
    for (size_t i = 0; i < UNIT_COUNT(verdicts); i++) {
        struct grant grant = blocked(verdicts[i]);
        desk_next(&desk);
        refuse_verdict(desk.request, &grant);
        struct text body = reply_backlog(&desk.request->reply);
        ck_assert_uint_eq(text_find(body, TEXT("0.05"), 0), SIZE_MAX);
        ck_assert_uint_eq(text_find(body, TEXT("0.048"), 0), SIZE_MAX);
        ck_assert_uint_ne(text_find(body, TEXT("\"name\":\"team-day\""), 0), SIZE_MAX);
    }
    desk_close(&desk);
}
END_TEST

START_TEST(contention_asks_to_try_again)
{
    struct desk desk;
    struct grant grant = blocked(VERDICT_CONTENTION);
    desk_open(&desk);
    refuse_verdict(desk.request, &grant);
    desk_expect(&desk, 429, "budget_contention");
    UNIT_TEXT(desk_error(&desk, "type"), "\"rate_limit_error\"");
    UNIT_TEXT(desk_header(&desk, "x-should-retry"), "true");
    UNIT_TEXT(desk_header(&desk, "Retry-After"), "1");
    desk_close(&desk);
}
END_TEST

START_TEST(what_never_fits_is_told_what_would)
{
    struct desk desk;
    struct grant grant = blocked(VERDICT_NEVER_FITS);
    grant.blocking.scope = SCOPE_REQUEST;
    grant.blocking.resets_s = WINDOW_FOREVER;
    desk_open(&desk);
    refuse_verdict(desk.request, &grant);
    desk_expect(&desk, 400, "request_cost_exceeds_limit");
    UNIT_TEXT(desk_error(&desk, "affordable_max_tokens"), "17");
    UNIT_TEXT(desk_error(&desk, "param"), "\"max_tokens\"");
    grant.affordable_max_output = 0;
    desk_next(&desk);
    refuse_verdict(desk.request, &grant);
    UNIT_TEXT(desk_error(&desk, "affordable_max_tokens"), "0");
    desk_close(&desk);
}
END_TEST

static struct grant blocked_by_itself(enum verdict verdict, enum unit unit)
{
    struct grant grant = {.verdict = verdict, .affordable_max_output = 17};
    grant.blocking = (struct account_view){
        .scope = SCOPE_REQUEST, .unit = unit, .resets_s = WINDOW_FOREVER, .limit = 1000000};
    return grant;
}

/* It is the client's own: hiding what it said itself would help nobody. */
START_TEST(a_requests_own_limit_is_told_by_its_header)
{
    static const struct {
        enum unit unit;
        const char *name, *limit, *param;
    } cases[] = {
        {UNIT_USD, "\"x-purser-max-cost-usd\"", "0.001", "x-purser-max-cost-usd: limit $0.001."},
        {UNIT_TOKENS, "\"x-purser-max-tokens\"", "1000000", "x-purser-max-tokens: limit 1000000."},
    };
    struct desk desk;
    desk_open(&desk);
    desk.terms->hide_amounts = true;
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        struct grant grant = blocked_by_itself(VERDICT_NEVER_FITS, cases[i].unit);
        desk_next(&desk);
        refuse_verdict(desk.request, &grant);
        desk_expect(&desk, 400, "request_cost_exceeds_limit");
        UNIT_TEXT(desk_error(&desk, "param"), "\"max_tokens\"");
        UNIT_TEXT(desk_error(&desk, "affordable_max_tokens"), "17");
        struct text message = desk_error(&desk, "message");
        ck_assert_uint_ne(text_find(message, text_of(cases[i].param), 0), SIZE_MAX);
        struct text budget = desk_error(&desk, "budget");
        ck_assert_uint_ne(text_find(budget, text_of(cases[i].name), 0), SIZE_MAX);
        ck_assert_uint_ne(text_find(budget, text_of(cases[i].limit), 0), SIZE_MAX);
        grant.affordable_max_output = 0;
        desk_next(&desk);
        refuse_verdict(desk.request, &grant);
        UNIT_TEXT(desk_error(&desk, "param"), cases[i].name);
    }
    desk_close(&desk);
}
END_TEST

START_TEST(what_has_no_bound_or_price_is_told_whose_limit_wants_one)
{
    static const struct {
        enum verdict verdict;
        const char *own, *budgets;
    } cases[] = {
        {VERDICT_UNPRICED, "and x-purser-max-cost-usd in USD applies", "and a budget in USD"},
        {VERDICT_UNBOUNDED, "\"Under x-purser-max-cost-usd the cost", "\"Under a budget the cost"},
    };
    struct desk desk;
    desk_open(&desk);
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        struct grant grant = blocked_by_itself(cases[i].verdict, UNIT_USD);
        desk_next(&desk);
        refuse_verdict(desk.request, &grant);
        struct text message = desk_error(&desk, "message");
        ck_assert_uint_ne(text_find(message, text_of(cases[i].own), 0), SIZE_MAX);
        grant.blocking.budget = TEXT("daily");
        desk_next(&desk);
        refuse_verdict(desk.request, &grant);
        message = desk_error(&desk, "message");
        ck_assert_uint_ne(text_find(message, text_of(cases[i].budgets), 0), SIZE_MAX);
    }
    desk_close(&desk);
}
END_TEST

START_TEST(a_budget_that_does_not_reset_says_so)
{
    struct desk desk;
    struct grant grant = blocked(VERDICT_EXHAUSTED);
    grant.blocking.resets_s = WINDOW_FOREVER;
    desk_open(&desk);
    refuse_verdict(desk.request, &grant);
    struct text budget = desk_error(&desk, "budget");
    ck_assert_uint_ne(text_find(budget, TEXT("\"resets_at\":null"), 0), SIZE_MAX);
    desk_close(&desk);
}
END_TEST

START_TEST(the_other_verdicts_have_codes_of_their_own)
{
    static const struct {
        enum verdict verdict;
        int status;
        const char *code, *param;
    } cases[] = {
        {VERDICT_UNPRICED, 400, "model_not_priced", "\"model\""},
        {VERDICT_UNBOUNDED, 400, "unbounded_tool", "\"messages\""},
        {VERDICT_CROWDED, 503, "budget_accounts_full", "null"},
        {VERDICT_AWAY, 503, "budget_store_unavailable", "null"},
    };
    struct desk desk;
    desk_open(&desk);
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        struct grant grant = {.verdict = cases[i].verdict};
        grant.blocking.budget = TEXT("org");
        desk_next(&desk);
        desk.request->body.model = TEXT("my-model");
        refuse_verdict(desk.request, &grant);
        desk_expect(&desk, cases[i].status, cases[i].code);
        UNIT_TEXT(desk_error(&desk, "param"), cases[i].param);
    }
    struct grant grant = {.verdict = VERDICT_UNBOUNDED};
    desk_next(&desk);
    desk.request->body.unbounded_param = TEXT("tools");
    desk.request->body.unbounded_why = "Web search has no bound.";
    refuse_verdict(desk.request, &grant);
    desk_expect(&desk, 400, "unbounded_tool");
    UNIT_TEXT(desk_error(&desk, "param"), "\"tools\"");
    UNIT_TEXT(desk_error(&desk, "message"), "\"Web search has no bound.\"");
    desk_close(&desk);
}
END_TEST

START_TEST(what_is_wrong_with_a_configuration_is_told_whole)
{
    struct desk desk;
    struct buffer told = {0};
    desk_open(&desk);
    for (int line = 1; line <= 200; line++)
        buffer_printf(&told, "purser.yaml:%d: error: it is wrong\n", line);
    refuse_configuration(desk.request, buffer_string(&told));
    desk_expect(&desk, 400, "invalid_configuration");
    ck_assert_uint_ne(text_find(desk_error(&desk, "message"), TEXT("purser.yaml:200: "), 0),
                      SIZE_MAX);
    buffer_close(&told);
    desk_close(&desk);
}
END_TEST

UNIT_MAIN(what_is_wrong_with_a_configuration_is_told_whole,
          every_refusal_has_its_status_code_and_word_about_trying_again,
          clients_of_anthropic_get_its_shape, what_a_client_sent_is_escaped_in_the_message,
          an_overlong_message_is_cut_and_still_json, a_body_is_refused_with_the_code_of_its_error,
          an_exhausted_budget_says_which_and_until_when,
          the_status_of_an_exhausted_budget_can_be_chosen, amounts_can_be_hidden,
          contention_asks_to_try_again, what_never_fits_is_told_what_would,
          a_requests_own_limit_is_told_by_its_header,
          what_has_no_bound_or_price_is_told_whose_limit_wants_one,
          a_budget_that_does_not_reset_says_so, the_other_verdicts_have_codes_of_their_own)
