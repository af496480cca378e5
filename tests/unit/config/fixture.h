/*
 * Loading YAML in tests: a small environment, a configuration that is good, and looking for
 * findings.
 */
#ifndef PURSER_TESTS_CONFIG_FIXTURE_H
#define PURSER_TESTS_CONFIG_FIXTURE_H

#include <stdio.h>

#include "../unit.h"
#include "config/config.h"

/* Three blocks that are good together, without a warning. */
#define KEYS                                                                                       \
    "keys:\n"                                                                                      \
    "  - {id: alice, key: key-of-alice-0123456, user: alice, team: research}\n"                    \
    "  - {id: bob, key: key-of-bob-012345678, team: sales}\n"
#define UPSTREAMS                                                                                  \
    "upstreams:\n"                                                                                 \
    "  - {name: openai, base_url: \"https://api.openai.com/v1\", api_key: sk-upstream}\n"
#define BUDGETS                                                                                    \
    "budgets:\n"                                                                                   \
    "  - {name: daily, scope: global, window: day, usd: 5}\n"

static const struct {
    const char *name, *value;
} FIXTURE_VARIABLES[] = {
    {"KEY", "secret-from-outside"}, {"EMPTY", ""}, {"BROKEN", "two\nlines"}, {"PORT", "9090"},
    {"CLEVER", "${KEY}"},
};

static inline const char *fixture_env(const char *name)
{
    for (size_t i = 0; i < UNIT_COUNT(FIXTURE_VARIABLES); i++)
        if (strcmp(name, FIXTURE_VARIABLES[i].name) == 0)
            return FIXTURE_VARIABLES[i].value;
    return NULL;
}

struct fixture {
    struct config *config; /* NULL if there were errors */
    struct findings findings;
};

static inline struct fixture fixture_load(const char *yaml)
{
    struct fixture fixture = {0};
    fixture.config =
        config_load_text(text_of(yaml), "etc/purser.yaml", fixture_env, &fixture.findings);
    return fixture;
}

static inline void fixture_close(struct fixture *fixture)
{
    config_close(fixture->config);
    findings_close(&fixture->findings);
}

static inline bool fixture_has(const struct findings *findings, int line, const char *part)
{
    for (size_t i = 0; i < findings->count; i++)
        if (findings->at[i].line == line && strstr(findings->at[i].message, part) != NULL)
            return true;
    return false;
}

/* All of them as text; valid until the next call. */
static inline const char *fixture_told(const struct findings *findings)
{
    static struct buffer out;
    buffer_clear(&out);
    findings_print(findings, TEXT("etc/purser.yaml"), &out);
    return buffer_string(&out);
}

/* The YAML is refused with an error at that line whose message has `part` in it. */
#define REFUSES(yaml, line, part)                                                                  \
    do {                                                                                           \
        struct fixture refused = fixture_load(yaml);                                               \
        ck_assert_msg(refused.config == NULL, "accepted: %s", yaml);                               \
        ck_assert_msg(fixture_has(&refused.findings, line, part), "no \"%s\" at line %d in:\n%s",  \
                      part, line, fixture_told(&refused.findings));                                \
        fixture_close(&refused);                                                                   \
    } while (0)

/* It is loaded with a warning at that line whose message has `part` in it. */
#define WARNS(yaml, line, part)                                                                    \
    do {                                                                                           \
        struct fixture warned = fixture_load(yaml);                                                \
        ck_assert_msg(warned.config != NULL, "%s", fixture_told(&warned.findings));                \
        ck_assert_msg(fixture_has(&warned.findings, line, part), "no \"%s\" at line %d in:\n%s",   \
                      part, line, fixture_told(&warned.findings));                                 \
        fixture_close(&warned);                                                                    \
    } while (0)

/* It is loaded without any finding. */
#define ACCEPTS(yaml)                                                                              \
    do {                                                                                           \
        struct fixture accepted = fixture_load(yaml);                                              \
        ck_assert_msg(accepted.findings.count == 0, "%s", fixture_told(&accepted.findings));       \
        fixture_close(&accepted);                                                                  \
    } while (0)

#endif
