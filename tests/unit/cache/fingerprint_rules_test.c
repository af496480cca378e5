/* What may be kept, and which headers matter: the rules beside fingerprints. */
#include "../unit.h"
#include "cache/fingerprint.h"
#include "sample_body.h"

static struct arena arena;

static struct body read_body(enum endpoint endpoint, struct text raw)
{
    struct body body;
    struct body_error error;
    ck_assert_msg(body_read(endpoint, raw, &arena, &body, &error), "%.*s: %s", TEXT_ARG(raw),
                  error.message);
    return body;
}

static struct chance dice = {UINT64_C(88172645463325252)};

/* ---- headers ---- */

START_TEST(headers_of_agents_traces_and_connections_do_not_matter)
{
    static const char *const idle[] = {"User-Agent",
                                       "accept",
                                       "X-Stainless-Retry-Count",
                                       "traceparent",
                                       "Host",
                                       "x-b3-spanid",
                                       "x-purser-cache",
                                       "Authorization",
                                       "x-api-key",
                                       "Sec-Fetch-Mode",
                                       "X-Forwarded-For",
                                       "cookie",
                                       "idempotency-key",
                                       "x-litellm-tags",
                                       "b3"};
    static const char *const weighty[] = {"OpenAI-Beta",
                                          "anthropic-beta",
                                          "x-portkey-config",
                                          "helicone-cache-enabled",
                                          "x-b4",
                                          "b33",
                                          "x-stainless",
                                          "",
                                          "secret",
                                          "openai-organization",
                                          "X-Title"};
    for (size_t i = 0; i < UNIT_COUNT(idle); i++)
        ck_assert_msg(!fingerprint_header_matters(text_of(idle[i])), "%s", idle[i]);
    for (size_t i = 0; i < UNIT_COUNT(weighty); i++)
        ck_assert_msg(fingerprint_header_matters(text_of(weighty[i])), "%s", weighty[i]);
}
END_TEST

/* ---- what may be kept ---- */

static const struct {
    const char *member;
    enum fingerprint_fit fit;
} members_for_fit[] = {
    {"\"seed\":1", FINGERPRINT_FITS},
    {"\"n\":3", FINGERPRINT_FITS},
    {"\"tools\":[{\"type\":\"function\"}]", FINGERPRINT_FITS},
    {"\"store\":false", FINGERPRINT_FITS},
    {"\"store\":true", FINGERPRINT_KEPT_BY_PROVIDER},
    {"\"background\":true", FINGERPRINT_KEPT_BY_PROVIDER},
    {"\"previous_response_id\":\"r\"", FINGERPRINT_KEPT_BY_PROVIDER},
    {"\"conversation\":\"c\"", FINGERPRINT_KEPT_BY_PROVIDER},
    {"\"tools\":[{\"type\":\"web_search\"}]", FINGERPRINT_HOSTED},
    {"\"web_search_options\":{}", FINGERPRINT_HOSTED},
    {"\"plugins\":[{\"id\":\"web\"}]", FINGERPRINT_HOSTED},
    {"\"mcp_servers\":[{}]", FINGERPRINT_HOSTED},
    {"\"modalities\":[\"audio\"]", FINGERPRINT_AUDIO},
    {"\"audio\":{\"voice\":\"v\"}", FINGERPRINT_AUDIO},
};

static const struct {
    const char *raw;   /* NULL: absent */
    int64_t most_nano; /* fits up to here */
} temperatures[] = {
    {NULL, -1},          {"null", -1},      {"0", 0},     {"0.0", 0},
    {"-0", 0},           {"-1.5", 0},       {"1e-9", 1},  {"0.5", 500000000},
    {"1e-1", 100000000}, {"1", 1000000000}, {"1e-12", 1}, {"0.1000000001", 100000001},
    {"2", 2000000000},
};

static enum fingerprint_fit fit_of(const char *members, const struct fingerprint_rules *rules)
{
    struct text raw = arena_printf(&arena, "{\"model\":\"m\",\"messages\":[]%s}", members);
    struct body body = read_body(ENDPOINT_CHAT, raw);
    return fingerprint_fits(&body, rules);
}

START_TEST(what_is_not_storable_does_not_fit)
{
    const struct fingerprint_rules rules = {0};
    for (size_t i = 0; i < UNIT_COUNT(members_for_fit); i++) {
        const char *more =
            arena_printf(&arena, ",\"temperature\":0,%s", members_for_fit[i].member).at;
        ck_assert_msg(fit_of(more, &rules) == members_for_fit[i].fit, "%s", more);
        ck_assert_uint_gt(strlen(fingerprint_why(members_for_fit[i].fit)), 10);
    }
    for (size_t i = 2; i < UNIT_COUNT(temperatures); i++) {
        const char *more = arena_printf(&arena, ",\"temperature\":%s", temperatures[i].raw).at;
        struct fingerprint_rules just = {.temperature_most_nano = temperatures[i].most_nano};
        ck_assert_msg(fit_of(more, &just) == FINGERPRINT_FITS, "%s", more);
        just.temperature_most_nano--;
        if (just.temperature_most_nano >= 0)
            ck_assert_msg(fit_of(more, &just) == FINGERPRINT_NOT_DETERMINISTIC, "%s", more);
    }
}
END_TEST

START_TEST(no_combination_with_something_not_storable_fits)
{
    for (int round = 0; round < 20000; round++) {
        struct fingerprint_rules rules = {.temperature_most_nano =
                                              (int64_t)chance(&dice, 21) * 100000000,
                                          .absent_temperature = chance(&dice, 2) == 0};
        struct buffer more = {0};
        bool fine = true;
        size_t t = chance(&dice, UNIT_COUNT(temperatures));
        if (temperatures[t].raw != NULL)
            buffer_printf(&more, ",\"temperature\":%s", temperatures[t].raw);
        fine = temperatures[t].most_nano < 0
                   ? rules.absent_temperature
                   : rules.temperature_most_nano >= temperatures[t].most_nano;
        size_t step = 1 + chance(&dice, 7);
        for (size_t i = chance(&dice, 14); i < UNIT_COUNT(members_for_fit); i += step) {
            const char *member = members_for_fit[i].member;
            bool twice =
                text_find(buffer_text(&more), text_slice(text_of(member), 0, 7), 0) != SIZE_MAX;
            if (twice)
                continue;
            buffer_printf(&more, ",%s", member);
            fine = fine && members_for_fit[i].fit == FINGERPRINT_FITS;
        }
        ck_assert_msg((fit_of(buffer_string(&more), &rules) == FINGERPRINT_FITS) == fine, "%s",
                      buffer_string(&more));
        buffer_close(&more);
        arena_close(&arena);
    }
}
END_TEST

START_TEST(embeddings_fit_if_they_are_to)
{
    struct body body = read_body(ENDPOINT_EMBEDDINGS, TEXT("{\"model\":\"m\",\"input\":\"a\"}"));
    struct fingerprint_rules rules = {.embeddings = true};
    ck_assert_int_eq(fingerprint_fits(&body, &rules), FINGERPRINT_FITS);
    rules.embeddings = false;
    ck_assert_int_eq(fingerprint_fits(&body, &rules), FINGERPRINT_OFF);
}
END_TEST

UNIT_MAIN(headers_of_agents_traces_and_connections_do_not_matter, what_is_not_storable_does_not_fit,
          no_combination_with_something_not_storable_fits, embeddings_fit_if_they_are_to)
