/* Upstreams: which models they serve, their URLs and credentials. */
#include "../unit.h"
#include "upstream/upstream.h"

START_TEST(without_patterns_it_serves_every_model)
{
    const struct upstream upstream = {.name = TEXT("any")};
    struct text sent;
    ck_assert(upstream_serves(&upstream, TEXT("gpt-4o"), &sent));
    UNIT_TEXT(sent, "gpt-4o");
}
END_TEST

START_TEST(patterns_and_aliases_say_what_it_serves)
{
    static const struct text patterns[] = {TEXT("gpt-*"), TEXT("o1")};
    static const struct text from[] = {TEXT("gpt-4o"), TEXT("house")};
    static const struct text to[] = {TEXT("deployment-7"), TEXT("gpt-4o-mini")};
    const struct upstream upstream = {.patterns = patterns,
                                      .pattern_count = 2,
                                      .alias_from = from,
                                      .alias_to = to,
                                      .alias_count = 2};
    static const struct {
        const char *asked, *sent; /* NULL: not served */
    } cases[] = {
        {"gpt-4o", "deployment-7"}, /* an alias comes before its pattern */
        {"house", "gpt-4o-mini"},   /* and needs none */
        {"gpt-5", "gpt-5"},         {"o1", "o1"},    {"o1-mini", NULL},
        {"deployment-7", NULL},     {"GPT-5", NULL}, {"", NULL},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        struct text sent = TEXT("untouched");
        bool serves = upstream_serves(&upstream, text_of(cases[i].asked), &sent);
        ck_assert_msg(serves == (cases[i].sent != NULL), "%s", cases[i].asked);
        UNIT_TEXT(sent, serves ? cases[i].sent : "untouched");
    }
}
END_TEST

START_TEST(urls_are_put_together)
{
    static const struct {
        const char *base, *query, *model, *url;
    } cases[] = {
        {"https://api.openai.com/v1", "", "gpt-4o", "https://api.openai.com/v1/chat/completions"},
        {"http://127.0.0.1:9000", "", "x", "http://127.0.0.1:9000/chat/completions"},
        {"https://x.openai.azure.com/openai/deployments/{model}", "api-version=2024-10-21",
         "gpt-4o",
         "https://x.openai.azure.com/openai/deployments/gpt-4o/chat/completions"
         "?api-version=2024-10-21"},
        {"http://h/{model}/v1", "", "a/b c?d#e%f\r\n\xc3\xa9~._-",
         "http://h/a%2Fb%20c%3Fd%23e%25f%0D%0A%C3%A9~._-/v1/chat/completions"},
        {"http://h/{model}", "", "../..", "http://h/..%2F../chat/completions"},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        struct arena arena = {0};
        const struct upstream upstream = {.base_url = text_of(cases[i].base),
                                          .query = text_of(cases[i].query)};
        const struct upstream_target target = {.path = TEXT("/chat/completions"),
                                               .model = text_of(cases[i].model)};
        struct text url = upstream_url(&upstream, &target, &arena);
        UNIT_TEXT(url, cases[i].url);
        ck_assert_int_eq(url.at[url.size], '\0');
        arena_close(&arena);
    }
}
END_TEST

START_TEST(the_clients_query_stands_behind_the_operators_and_never_against_it)
{
    static const struct {
        const char *own, *clients, *query;
    } cases[] = {
        {"", "", ""},
        {"", "beta=true", "?beta=true"},
        {"api-version=1", "", "?api-version=1"},
        {"api-version=1", "limit=2&after=x", "?api-version=1&limit=2&after=x"},
        {"api-version=1", "api-version=2", "?api-version=1"},
        {"api-version=1", "Api-Version=2&limit=2", "?api-version=1&limit=2"},
        {"api-version=1", "api%2dversion=2&&api-version&api-version[]=3", "?api-version=1"},
        {"a%62=1&c=2", "ab=3&C=4&abc=5&a=6", "?a%62=1&c=2&abc=5&a=6"},
        {"", "include%5B%5D=x&include[]=y", "?include%5B%5D=x&include[]=y"},
        {"", "key=k&api_key=k&API-KEY=k&access%5ftoken=k&monkey=1", "?monkey=1"},
        {"a=1", "%=1&%4=2&=3", "?a=1&%=1&%4=2&=3"},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        struct arena arena = {0};
        const struct upstream upstream = {.query = text_of(cases[i].own)};
        UNIT_TEXT(upstream_query(&upstream, text_of(cases[i].clients), &arena), cases[i].query);
        arena_close(&arena);
    }
}
END_TEST

START_TEST(each_kind_of_credential_has_its_line)
{
    static const char *const lines[] = {
        [CREDENTIAL_BEARER] = "Authorization: Bearer k-1",
        [CREDENTIAL_API_KEY] = "api-key: k-1",
        [CREDENTIAL_X_API_KEY] = "x-api-key: k-1",
    };
    for (size_t i = 0; i < UNIT_COUNT(lines); i++) {
        struct arena arena = {0};
        struct text line = upstream_credential((enum credential)i, TEXT("k-1"), &arena);
        UNIT_TEXT(line, lines[i]);
        ck_assert_int_eq(line.at[line.size], '\0');
        arena_close(&arena);
    }
}
END_TEST

START_TEST(knows_whose_bill_stops_with_the_stream)
{
    static const struct {
        const char *url;
        bool saves;
    } cases[] = {
        {"https://api.openai.com/v1", true},
        {"https://api.openai.com:443/v1", true},
        {"https://API.OpenAI.com/v1", true},
        {"https://my-company.openai.azure.com/openai", true},
        {"https://My-Company.OpenAI.Azure.com/openai", true},
        {"https://api.anthropic.com/v1", true},
        {"https://api.openai.com.evil.example/v1", false},
        {"https://evilapi.openai.com/v1", false},
        {"https://evil.example/api.openai.com", false},
        {"https://openai.azure.com/", false},
        {"https://api.groq.com/openai/v1", false},
        {"http://127.0.0.1:9000", false},
        {"", false},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++)
        ck_assert_msg(upstream_host_cancel_saves(text_of(cases[i].url)) == cases[i].saves, "%s",
                      cases[i].url);
}
END_TEST

START_TEST(only_openrouter_names_what_it_bills)
{
    ck_assert(upstream_host_names_cost(TEXT("https://openrouter.ai/api/v1")));
    ck_assert(upstream_host_names_cost(TEXT("https://eu.OpenRouter.ai:443/api/v1")));
    ck_assert(!upstream_host_names_cost(TEXT("https://api.openai.com/v1")));
    ck_assert(!upstream_host_names_cost(TEXT("https://notopenrouter.ai/api/v1")));
    ck_assert(!upstream_host_names_cost(TEXT("https://openrouter.ai.example.com/v1")));
    ck_assert(!upstream_host_names_cost(TEXT("https://example.com/openrouter.ai/v1")));
}
END_TEST

UNIT_MAIN(only_openrouter_names_what_it_bills,
          the_clients_query_stands_behind_the_operators_and_never_against_it,
          without_patterns_it_serves_every_model, patterns_and_aliases_say_what_it_serves,
          urls_are_put_together, each_kind_of_credential_has_its_line,
          knows_whose_bill_stops_with_the_stream)
