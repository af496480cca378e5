/*
 * Fuzzing configuration files: any bytes are loaded or refused with a finding; what is loaded keeps
 * what config.h promises, and what is printed of it is YAML that the loader understands.
 */
#include "config/config.h"
#include "fuzz.h"

static const char *environment(const char *name)
{
    return strcmp(name, "KEY") == 0 ? "a-key-from-outside" : NULL;
}

static void check_budget(const struct budget *budget)
{
    bool limited = false;
    for (int unit = 0; unit < UNIT_COUNT; unit++) {
        ASSERT(budget->limit[unit] >= LIMIT_NONE);
        limited = limited || budget->limit[unit] != LIMIT_NONE;
    }
    ASSERT(limited);
    ASSERT(budget->limit[UNIT_USD] <= MONEY_MOST.nano);
    ASSERT(budget->zone != NULL);
    ASSERT(budget->buffer_bp >= 0);
    ASSERT(budget->buffer_bp < 10000);
    ASSERT(budget->idle_s >= 0);
    ASSERT(budget->name.size >= 1);
    ASSERT(budget->name.size <= 63);
}

static void check_config(const struct config *config)
{
    ASSERT(config->listen.size > 0);
    ASSERT(config->upstream_count > 0);
    ASSERT(config->auth_mode != AUTH_KEYS || config->key_count > 0);
    ASSERT(config->body_bytes > 0);
    ASSERT(config->budget_count <= 32);
    for (size_t i = 0; i < config->budget_count; i++)
        check_budget(&config->budgets[i]);
    for (size_t i = 0; i < config->upstream_count; i++)
        ASSERT(text_starts_nocase(config->upstreams[i].base_url, TEXT("http")));
    for (size_t i = 0; i < config->key_count; i++)
        ASSERT(text_find(config->keys[i].id, TEXT("/"), 0) == SIZE_MAX);
}

/* Its values may be refused the second time (hidden keys are all alike), its form may not. */
static void check_printed(const struct config *config)
{
    static const char *const FORM[] = {"this is not YAML",  "there is no option",
                                       "stands here twice", "must be a mapping",
                                       "must be a list",    "is missing"};
    struct buffer yaml = {0};
    struct findings findings = {0};
    config_print(config, &yaml);
    config_close(config_load_text(buffer_text(&yaml), "printed.yaml", environment, &findings));
    for (size_t i = 0; i < findings.count; i++)
        for (size_t j = 0; j < sizeof(FORM) / sizeof(FORM[0]); j++)
            ASSERT(strstr(findings.at[i].message, FORM[j]) == NULL);
    findings_close(&findings);
    buffer_close(&yaml);
}

static void check_findings(const struct findings *findings, bool loaded)
{
    struct buffer told = {0};
    ASSERT(loaded == (findings->errors == 0));
    for (size_t i = 1; i < findings->count; i++)
        ASSERT(findings->at[i - 1].line <= findings->at[i].line);
    findings_print(findings, TEXT("fuzz.yaml"), &told);
    buffer_close(&told);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct findings findings = {0};
    struct text yaml = {(const char *)data, size};
    struct config *config = config_load_text(yaml, "fuzz.yaml", environment, &findings);
    check_findings(&findings, config != NULL);
    if (config != NULL) {
        check_config(config);
        check_printed(config);
    }
    config_close(config);
    findings_close(&findings);
    return 0;
}
