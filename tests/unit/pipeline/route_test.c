/* Which upstream serves a model, under which name, at whose price. */
#include "desk.h"

static const struct text azure_from[] = {TEXT("gpt-4o"), TEXT("house")};
static const struct text azure_to[] = {TEXT("deployment-7"), TEXT("deployment-8")};
static const struct text azure_patterns[] = {TEXT("gpt-*")};
static const struct text local_patterns[] = {TEXT("llama-*"), TEXT("gpt-4o"), TEXT("secret-*")};

static const struct upstream upstreams[] = {
    {.name = TEXT("azure"),
     .dialects = DIALECT_BIT(DIALECT_OPENAI),
     .provider = TEXT("openai"),
     .own_prices = TEXT("operator:azure"),
     .patterns = azure_patterns,
     .pattern_count = 1,
     .alias_from = azure_from,
     .alias_to = azure_to,
     .alias_count = 2},
    {.name = TEXT("local"),
     .dialects = DIALECT_BIT(DIALECT_OPENAI) | DIALECT_BIT(DIALECT_ANTHROPIC),
     .provider = TEXT("meta"),
     .own_prices = TEXT("operator:local"),
     .patterns = local_patterns,
     .pattern_count = 3},
};

struct office {
    struct desk desk;
    struct catalog *catalog;
};

static void add(struct office *office, const char *provider, const char *name, int64_t nano)
{
    struct model model = {.provider = text_of(provider),
                          .name = text_of(name),
                          .price = fixture_price(nano, nano),
                          .until_s = MODEL_FOREVER};
    catalog_add(office->catalog, &model, NULL, 0);
}

static void office_open(struct office *office)
{
    desk_open(&office->desk);
    office->catalog = catalog_open();
    add(office, "openai", "gpt-4o", 3);
    add(office, "openai", "gpt-5", 5);
    add(office, "operator", "gpt-5", 7);
    add(office, "operator:azure", "deployment-8", 8);
    add(office, "operator:local", "gpt-5", 9);
    add(office, "meta", "llama-3", 1);
    catalog_seal(office->catalog);
    office->desk.terms->catalog = office->catalog;
    office->desk.terms->upstreams = upstreams;
    office->desk.terms->upstream_count = UNIT_COUNT(upstreams);
}

static void office_close(struct office *office)
{
    desk_close(&office->desk);
}

static enum next route(struct office *office, const char *model)
{
    desk_next(&office->desk);
    office->desk.request->body.model = text_of(model);
    return route_request(office->desk.request);
}

START_TEST(the_first_upstream_that_serves_it_is_taken)
{
    static const struct {
        const char *asked, *upstream, *sent, *booked;
        int64_t nano; /* per token; 0: no price */
    } cases[] = {
        {"gpt-4o", "azure", "deployment-7", "gpt-4o", 3}, /* priced as what was asked for */
        {"house", "azure", "deployment-8", "deployment-8", 8},
        {"gpt-5", "azure", "gpt-5", "gpt-5", 7}, /* the operator's price before the catalog's */
        {"llama-3", "local", "llama-3", "llama-3", 1},
        {"gpt-unheard-of", "azure", "gpt-unheard-of", "gpt-unheard-of", 0},
        {"llama-9", "local", "llama-9", "llama-9", 0},
    };
    struct office office;
    office_open(&office);
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        ck_assert_int_eq(route(&office, cases[i].asked), GO_ON);
        const struct request *request = office.desk.request;
        UNIT_TEXT(request->upstream->name, cases[i].upstream);
        UNIT_TEXT(request->model_sent, cases[i].sent);
        UNIT_TEXT(request->model_booked, cases[i].booked);
        UNIT_TEXT(request->subject.id[SCOPE_MODEL], cases[i].booked);
        UNIT_TEXT(request->subject.id[SCOPE_UPSTREAM], cases[i].upstream);
        UNIT_TEXT(request->subject.id[SCOPE_SERVICE], cases[i].upstream);
        ck_assert_int_eq(request->reply.status, 0);
        ck_assert(cases[i].nano == 0 ? request->model == NULL : request->model != NULL);
        if (cases[i].nano > 0)
            ck_assert_int_eq(request->model->price.tiers[0].rates.pico[BUCKET_INPUT],
                             1000 * cases[i].nano);
    }
    office_close(&office);
}
END_TEST

START_TEST(a_model_that_nobody_serves_is_refused)
{
    static const char *const models[] = {"claude-3", "GPT-4o", "deployment-7", ""};
    struct office office;
    office_open(&office);
    for (size_t i = 0; i < UNIT_COUNT(models); i++) {
        ck_assert_int_eq(route(&office, models[i]), GO_BOOKS);
        desk_expect(&office.desk, 404, "model_not_found");
        UNIT_TEXT(desk_error(&office.desk, "param"), "\"model\"");
        ck_assert_ptr_null(office.desk.request->upstream);
    }
    office_close(&office);
}
END_TEST

START_TEST(upstreams_of_another_dialect_are_passed_over_and_named)
{
    struct office office;
    office_open(&office);
    office.desk.request->endpoint = ENDPOINT_MESSAGES;
    office.desk.request->body.model = TEXT("gpt-4o");
    ck_assert_int_eq(route_request(office.desk.request), GO_ON);
    UNIT_TEXT(office.desk.request->upstream->name, "local");
    desk_next(&office.desk);
    office.desk.request->endpoint = ENDPOINT_MESSAGES;
    office.desk.request->body.model = TEXT("house");
    ck_assert_int_eq(route_request(office.desk.request), GO_BOOKS);
    desk_expect(&office.desk, 404, "wrong_dialect");
    struct text message = desk_error(&office.desk, "message");
    ck_assert_uint_ne(text_find(message, TEXT("'azure'"), 0), SIZE_MAX);
    ck_assert_uint_ne(text_find(message, TEXT("/v1/chat/completions"), 0), SIZE_MAX);
    office_close(&office);
}
END_TEST

START_TEST(a_model_whose_name_the_books_cannot_hold_is_refused)
{
    struct office office;
    char name[SUBJECT_MAX_ID + 2];
    office_open(&office);
    memset(name, 'x', sizeof(name));
    memcpy(name, "gpt-", 4);
    name[SUBJECT_MAX_ID + 1] = '\0';
    ck_assert_int_eq(route(&office, name), GO_BOOKS);
    desk_expect(&office.desk, 404, "model_not_found");
    name[SUBJECT_MAX_ID] = '\0';
    ck_assert_int_eq(route(&office, name), GO_ON);
    office_close(&office);
}
END_TEST

START_TEST(a_key_sees_what_is_served_and_what_it_may_use)
{
    static const struct text patterns[] = {TEXT("gpt-*"), TEXT("claude-*")};
    const struct key bound = {.models = patterns, .model_count = 2}, free_key = {.id = TEXT("a")};
    static const struct {
        const char *model;
        bool bound, all;
    } cases[] = {
        {"gpt-4o", true, true},     {"house", false, true},    {"llama-3", false, true},
        {"claude-3", false, false}, {"mistral", false, false},
    };
    struct office office;
    office_open(&office);
    struct request *request = office.desk.request;
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        struct text model = text_of(cases[i].model);
        request->key = &bound;
        ck_assert(route_model_visible(request, model) == cases[i].bound);
        request->key = &free_key;
        ck_assert(route_model_visible(request, model) == cases[i].all);
        request->key = NULL; /* the admin */
        ck_assert(route_model_visible(request, model) == cases[i].all);
    }
    office_close(&office);
}
END_TEST

/* ---- searches of the web ---- */

struct search_case {
    const char *provider;
    int64_t named; /* max_tool_calls */
    bool priced, searches;
    int64_t held;        /* searches */
    const char *refused; /* the parameter that has no bound; NULL: none */
};

/* The operator lets a request that names no number search 4 times. */
static void check_searches(const struct search_case *wanted)
{
    struct office office;
    office_open(&office);
    const struct upstream upstream = {.name = TEXT("there"),
                                      .provider = text_of(wanted->provider),
                                      .dialects = DIALECT_BIT(DIALECT_OPENAI)};
    struct request *request = office.desk.request;
    struct model model = {.provider = text_of(wanted->provider),
                          .name = TEXT("searcher"),
                          .price = fixture_price(1, 1),
                          .until_s = MODEL_FOREVER};
    model.price.search_pico = wanted->priced ? 10000000000 : 0;
    office.catalog = catalog_open();
    catalog_add(office.catalog, &model, NULL, 0);
    catalog_seal(office.catalog);
    catalog_close(office.desk.terms->catalog);
    office.desk.terms->catalog = office.catalog;
    office.desk.terms->max_tool_calls = 4;
    request->endpoint = ENDPOINT_RESPONSES;
    request->body = (struct body){
        .model = TEXT("searcher"), .searches = wanted->searches, .max_tool_calls = wanted->named};
    request->model_sent = TEXT("searcher");
    request->searches = 77; /* of an upstream that was tried before */
    route_to(request, &upstream);
    ck_assert_int_eq(request->searches, wanted->held);
    UNIT_TEXT(request->body.unbounded_param, wanted->refused != NULL ? wanted->refused : "");
    office_close(&office);
}

START_TEST(searches_are_held_as_many_as_the_upstream_is_known_to_make)
{
    static const struct search_case cases[] = {
        {"openai", 7, true, true, 7, NULL},    {"azure", 7, true, true, 7, NULL},
        {"anthropic", 3, true, true, 3, NULL}, {"openai", BODY_ABSENT, true, true, 4, NULL},
        {"openai", 7, true, false, 0, NULL},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++)
        check_searches(&cases[i]);
}
END_TEST

START_TEST(searches_without_a_limit_or_a_price_have_no_bound)
{
    static const struct search_case cases[] = {
        {"meta", 7, true, true, 0, "tools"},
        {"openai", 7, false, true, 0, "tools"},
        {"", 7, true, true, 0, "tools"},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++)
        check_searches(&cases[i]);
}
END_TEST

UNIT_MAIN(searches_are_held_as_many_as_the_upstream_is_known_to_make,
          searches_without_a_limit_or_a_price_have_no_bound,
          the_first_upstream_that_serves_it_is_taken, a_model_that_nobody_serves_is_refused,
          upstreams_of_another_dialect_are_passed_over_and_named,
          a_model_whose_name_the_books_cannot_hold_is_refused,
          a_key_sees_what_is_served_and_what_it_may_use)
