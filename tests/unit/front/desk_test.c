/* Which path is what. */
#include "../pipeline/desk.h"
#include "front/desk.h"

/* The house is stopping, so that a model call goes no further than to its refusal. */
static void counter_open(struct desk *desk)
{
    desk_open(desk);
    desk->terms->admission.mode = ADMISSION_OPEN;
    desk->terms->admission.guest = (struct key){.id = TEXT("guest"), .may_set = NAMING_SESSION};
    atomic_store(&desk->house.stopping, true);
}

static void take(struct desk *desk, const char *method, const char *target)
{
    desk_next(desk);
    desk->request->method = text_of(method);
    desk->request->target = text_of(target);
    desk_take(desk->request);
}

START_TEST(model_calls_are_known_by_their_paths)
{
    static const struct {
        const char *target;
        enum endpoint endpoint;
        const char *session;
    } cases[] = {
        {"/v1/chat/completions", ENDPOINT_CHAT, NULL},
        {"/chat/completions", ENDPOINT_CHAT, NULL},
        {"/v1/completions", ENDPOINT_COMPLETIONS, NULL},
        {"/v1/embeddings?x=y", ENDPOINT_EMBEDDINGS, NULL},
        {"/s/nightly/v1/chat/completions", ENDPOINT_CHAT, "nightly"},
        {"/s/nightly/chat/completions?", ENDPOINT_CHAT, "nightly"},
        {"/s/a%2Fb%20c/v1/embeddings", ENDPOINT_EMBEDDINGS, "a/b c"},
        {"/s/v1/v1/completions", ENDPOINT_COMPLETIONS, "v1"},
        {"/s/s/completions", ENDPOINT_COMPLETIONS, "s"},
    };
    struct desk desk;
    counter_open(&desk);
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        take(&desk, "POST", cases[i].target);
        desk_expect(&desk, 503, "shutting_down");
        ck_assert_int_eq(desk.request->endpoint, cases[i].endpoint);
        UNIT_TEXT(desk.request->url_session, cases[i].session);
    }
    desk_close(&desk);
}
END_TEST

START_TEST(other_paths_are_not_found)
{
    static const char *const targets[] = {
        "/",
        "",
        "*",
        "/v1",
        "/v1/",
        "/v1/v1/chat/completions",
        "/v2/chat/completions",
        "//chat/completions",
        "/chat/completions/",
        "/chat/completions/extra",
        "/chat%2Fcompletions",
        "/CHAT/completions",
        "/s/",
        "/s//v1/chat/completions",
        "/s/nightly",
        "/s/nightly/",
        "/s/%zz/v1/chat/completions",
        "/s/a/s/b/v1/chat/completions",
        "/v1/s/nightly/chat/completions",
        "/v1/unheard-of",
        "http://host/v1/chat/completions",
        "/../v1/chat/completions",
    };
    struct desk desk;
    counter_open(&desk);
    for (size_t i = 0; i < UNIT_COUNT(targets); i++) {
        take(&desk, "POST", targets[i]);
        desk_expect(&desk, 404, "unknown_path");
    }
    desk_close(&desk);
}
END_TEST

START_TEST(other_methods_are_refused)
{
    static const char *const cases[][2] = {
        {"GET", "/v1/chat/completions"}, {"PUT", "/v1/embeddings"}, {"post", "/v1/completions"},
        {"POST", "/v1/models"},          {"POST", "/v1/models/x"},  {"DELETE", "/budget"},
        {"HEAD", "/costs/req_1"},        {"POST", "/healthz"},
    };
    struct desk desk;
    counter_open(&desk);
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        take(&desk, cases[i][0], cases[i][1]);
        desk_expect(&desk, 405, "method_not_allowed");
    }
    desk_close(&desk);
}
END_TEST

START_TEST(all_methods_of_a_path_are_told)
{
    struct desk desk;
    counter_open(&desk);
    take(&desk, "PUT", "/v1/costs");
    desk_expect(&desk, 405, "method_not_allowed");
    UNIT_TEXT(desk_header(&desk, "Allow"), "GET, POST");
    take(&desk, "POST", "/admin/cache");
    desk_expect(&desk, 405, "method_not_allowed");
    UNIT_TEXT(desk_header(&desk, "Allow"), "GET, DELETE");
    take(&desk, "GET", "/v1/embeddings");
    UNIT_TEXT(desk_header(&desk, "Allow"), "POST");
    desk_close(&desk);
}
END_TEST

START_TEST(health_needs_no_key)
{
    struct desk desk;
    counter_open(&desk);
    desk.terms->admission.mode = ADMISSION_KEYS;
    take(&desk, "GET", "/healthz");
    ck_assert_int_eq(desk.request->reply.status, 200);
    ck_assert_uint_ne(text_find(reply_backlog(&desk.request->reply), TEXT("\"status\":\"ok\""), 0),
                      SIZE_MAX);
    take(&desk, "GET", "/v1/healthz");
    ck_assert_int_eq(desk.request->reply.status, 200);
    take(&desk, "GET", "/budget");
    desk_expect(&desk, 401, "invalid_api_key");
    take(&desk, "GET", "/v1/models");
    desk_expect(&desk, 401, "invalid_api_key");
    take(&desk, "GET", "/costs");
    desk_expect(&desk, 401, "invalid_api_key");
    desk_close(&desk);
}
END_TEST

START_TEST(too_many_headers_are_refused)
{
    struct desk desk;
    counter_open(&desk);
    desk.request->method = TEXT("POST");
    desk.request->target = TEXT("/v1/chat/completions");
    desk.request->too_many_headers = true;
    desk_take(desk.request);
    ck_assert_int_ge(desk.request->reply.status, 400);
    ck_assert_int_lt(desk.request->reply.status, 500);
    desk_close(&desk);
}
END_TEST

/* A browser's question before a request of a page. */
static void ask_before(struct desk *desk, const char *origin)
{
    desk_next(desk);
    struct request *request = desk->request;
    request->method = TEXT("OPTIONS");
    request->target = TEXT("/v1/chat/completions");
    request->headers[0] = (struct request_header){TEXT("Origin"), text_of(origin)};
    request->headers[1] =
        (struct request_header){TEXT("Access-Control-Request-Method"), TEXT("POST")};
    request->headers[2] = (struct request_header){TEXT("Access-Control-Request-Headers"),
                                                  TEXT("authorization, content-type")};
    request->header_count = 3;
    desk_take(request);
}

START_TEST(pages_that_may_call_are_told_so_and_others_are_not)
{
    static const struct text origins[] = {TEXT("https://app.example")};
    struct desk desk;
    counter_open(&desk);
    desk.terms->admission.origins = origins;
    desk.terms->admission.origin_count = 1;
    ask_before(&desk, "https://app.example");
    ck_assert_int_eq(desk.request->reply.status, 204);
    UNIT_TEXT(desk_header(&desk, "Access-Control-Allow-Origin"), "https://app.example");
    UNIT_TEXT(desk_header(&desk, "Access-Control-Allow-Headers"), "authorization, content-type");
    static const char *const others[] = {"https://app.example.evil", "https://evil", "null",
                                         "http://app.example", ""};
    for (size_t i = 0; i < UNIT_COUNT(others); i++) {
        ask_before(&desk, others[i]);
        desk_expect(&desk, 403, "origin_not_allowed");
        ck_assert_ptr_null(desk_header(&desk, "Access-Control-Allow-Origin").at);
    }
    desk_close(&desk);
}
END_TEST

/* The books' answer to a request. */
static void answer(struct desk *desk, uint64_t to, int status, const char *body)
{
    struct letter *letter = letter_new(to, BOOKS_LETTER_ANSWER);
    struct books_answer *books = memory_new(sizeof(*books));
    books->status = status;
    buffer_put(&books->body, text_of(body));
    letter->body = books;
    letter->body_free = books_answer_free;
    desk_letter(&desk->worker, letter);
}

START_TEST(the_books_answer_those_who_still_wait)
{
    struct desk desk;
    counter_open(&desk);
    uint64_t gone = desk.request->id;
    desk_next(&desk);
    answer(&desk, gone, 200, "{}");
    ck_assert_int_eq(desk.request->reply.status, 0);
    answer(&desk, desk.request->id, 200, "{\"object\":\"costs\"}");
    ck_assert_int_eq(desk.request->reply.status, 200);
    UNIT_TEXT(reply_backlog(&desk.request->reply), "{\"object\":\"costs\"}");
    UNIT_TEXT(desk_header(&desk, "Content-Type"), "application/json");
    desk_next(&desk);
    answer(&desk, desk.request->id, 404, "");
    desk_expect(&desk, 404, "not_found");
    desk_close(&desk);
}
END_TEST

static struct letter *last_letter;

static void keep_letter(void *context, struct letter *letter)
{
    (void)context;
    letter_free(last_letter);
    last_letter = letter;
}

/* A desk whose worker gets letters, with an admin token and a key. */
static void office_open(struct desk *desk)
{
    static struct key alice = {.id = TEXT("alice")};
    uint8_t digest[HASH_SIZE];
    counter_open(desk);
    desk->house.bell = bell_open();
    desk->worker.mailbox = mailbox_open(desk->worker.loop, keep_letter, NULL);
    desk->terms->admission.mode = ADMISSION_KEYS;
    desk->terms->admission.has_admin = true;
    hash_text(TEXT("admin-token"), desk->terms->admission.admin_digest);
    hash_text(TEXT("key-of-alice"), digest);
    table_put(&desk->terms->admission.keys, text_make((const char *)digest, sizeof(digest)),
              &alice);
}

static void office_close(struct desk *desk)
{
    letter_free(last_letter);
    last_letter = NULL;
    bell_silence(desk->house.bell);
    mailbox_close(desk->worker.mailbox);
    bell_close(desk->house.bell);
    desk_close(desk);
}

static void take_with(struct desk *desk, const char *method, const char *target,
                      const char *credential)
{
    desk_next(desk);
    desk->request->method = text_of(method);
    desk->request->target = text_of(target);
    desk->request->headers[0] = (struct request_header){TEXT("Authorization"), text_of(credential)};
    desk->request->header_count = 1;
    desk_take(desk->request);
}

START_TEST(what_the_operator_asks_needs_the_admin_token)
{
    struct desk desk;
    office_open(&desk);
    take_with(&desk, "POST", "/admin/reload", "Bearer key-of-alice");
    desk_expect(&desk, 403, "not_allowed");
    take_with(&desk, "POST", "/admin/reload", "Bearer nobody");
    desk_expect(&desk, 401, "invalid_api_key");
    take_with(&desk, "GET", "/admin/reload", "Bearer admin-token");
    desk_expect(&desk, 405, "method_not_allowed");
    desk.terms->admission.mode = ADMISSION_OPEN;
    take_with(&desk, "POST", "/admin/reload", "Bearer nobody");
    desk_expect(&desk, 403, "not_allowed");
    desk.terms->admission.has_admin = false;
    take_with(&desk, "POST", "/admin/reload", "Bearer admin-token");
    desk_expect(&desk, 404, "unknown_path");
    ck_assert_ptr_null(bell_hear(desk.house.bell));
    office_close(&desk);
}
END_TEST

START_TEST(who_asks_for_a_reload_is_answered_when_it_is_done)
{
    struct desk desk;
    office_open(&desk);
    static const struct {
        enum bell_result result;
        const char *text;
        int status;
    } cases[] = {
        {BELL_DONE, "{\"object\":\"reload\"}", 200},
        {BELL_REFUSED, "purser.yaml:3: error: it is wrong", 400},
        {BELL_STOPPING, "", 503},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        take_with(&desk, "POST", "/admin/reload", "Bearer admin-token");
        ck_assert_int_eq(desk.request->reply.status, 0);
        bell_answer(bell_hear(desk.house.bell), cases[i].result, text_of(cases[i].text));
        loop_turn(desk.worker.loop, 1000);
        ck_assert_ptr_nonnull(last_letter);
        desk_letter(&desk.worker, last_letter);
        last_letter = NULL;
        ck_assert_int_eq(desk.request->reply.status, cases[i].status);
        ck_assert_uint_ne(text_find(reply_backlog(&desk.request->reply), text_of(cases[i].text), 0),
                          SIZE_MAX);
    }
    office_close(&desk);
}
END_TEST

START_TEST(once_purser_stops_no_reload_is_asked_for)
{
    struct desk desk;
    office_open(&desk);
    take_with(&desk, "POST", "/admin/reload", "Bearer admin-token");
    uint64_t gone = desk.request->id;
    desk_next(&desk);
    bell_silence(desk.house.bell);
    loop_turn(desk.worker.loop, 1000);
    ck_assert_ptr_nonnull(last_letter);
    ck_assert_uint_eq(last_letter->to, gone);
    desk_letter(&desk.worker, last_letter);
    last_letter = NULL;
    ck_assert_int_eq(desk.request->reply.status, 0);
    take_with(&desk, "POST", "/admin/reload", "Bearer admin-token");
    desk_expect(&desk, 503, "shutting_down");
    office_close(&desk);
}
END_TEST

START_TEST(a_petition_reaches_the_main_thread_as_it_was_made)
{
    struct desk desk;
    office_open(&desk);
    static const struct {
        const char *method, *path;
        enum petition_kind kind;
        const char *name;
    } rows[] = {
        {"GET", "/admin/keys", PETITION_LIST_KEYS, ""},
        {"GET", "/admin/budgets", PETITION_LIST_BUDGETS, ""},
        {"DELETE", "/admin/keys/bob%40home", PETITION_DELETE_KEY, "bob@home"},
        {"DELETE", "/admin/budgets/day", PETITION_DELETE_BUDGET, "day"},
        {"DELETE", "/admin/budgets/day/limits", PETITION_UNSET_LIMITS, "day"},
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        take_with(&desk, rows[i].method, rows[i].path, "Bearer admin-token");
        struct ringer *ringers = bell_hear(desk.house.bell);
        struct ringer *one = bell_pick(&ringers);
        ck_assert_ptr_null(ringers);
        ck_assert_ptr_nonnull(one);
        ck_assert_int_eq(bell_petition(one)->kind, rows[i].kind);
        ck_assert(text_equal(bell_petition(one)->name, text_of(rows[i].name)));
        bell_answer(one, BELL_MISSING, TEXT("nothing"));
        loop_turn(desk.worker.loop, 1000);
        ck_assert_ptr_nonnull(last_letter);
        desk_letter(&desk.worker, last_letter);
        last_letter = NULL;
        desk_expect(&desk, 404, "not_found");
    }
    office_close(&desk);
}
END_TEST

START_TEST(no_call_is_made_before_run_time_budgets_are_known)
{
    struct desk desk;
    office_open(&desk);
    atomic_store(&desk.house.unread, true);
    take_with(&desk, "POST", "/v1/chat/completions", "Bearer key-of-alice");
    desk_expect(&desk, 503, "budget_store_unavailable");
    take_with(&desk, "GET", "/healthz", "");
    ck_assert_int_eq(desk.request->reply.status, 200);
    office_close(&desk);
}
END_TEST

UNIT_MAIN(a_petition_reaches_the_main_thread_as_it_was_made,
          no_call_is_made_before_run_time_budgets_are_known,
          what_the_operator_asks_needs_the_admin_token,
          who_asks_for_a_reload_is_answered_when_it_is_done,
          once_purser_stops_no_reload_is_asked_for, model_calls_are_known_by_their_paths,
          other_paths_are_not_found, other_methods_are_refused, all_methods_of_a_path_are_told,
          health_needs_no_key, too_many_headers_are_refused,
          pages_that_may_call_are_told_so_and_others_are_not, the_books_answer_those_who_still_wait)
