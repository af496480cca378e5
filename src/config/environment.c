/*
 * The configuration without a file. It is written as YAML and loaded like a file, so that there is
 * one way in.
 */
#include "config/environment.h"

static bool is_set(config_env *env, const char *name)
{
    const char *value = env(name);
    return value != NULL && value[0] != '\0';
}

static void put_upstream(struct buffer *out, config_env *env, struct findings *findings)
{
    bool openai = is_set(env, "OPENAI_API_KEY");
    bool anthropic = is_set(env, "ANTHROPIC_API_KEY");
    if (openai || anthropic)
        buffer_put(out, TEXT("upstreams:\n"));
    else
        findings_add(findings, FINDING_ERROR, 0,
                     "there is no upstream: set OPENAI_API_KEY or ANTHROPIC_API_KEY, or write a "
                     "configuration file and name it with --config FILE");
    if (anthropic) /* first: the other one serves all names */
        buffer_put(out, TEXT("  - name: anthropic\n"
                             "    base_url: https://api.anthropic.com/v1\n"
                             "    api_key: ${ANTHROPIC_API_KEY}\n"
                             "    models: [claude*]\n"));
    if (openai)
        buffer_put(out, TEXT("  - name: openai\n"
                             "    base_url: https://api.openai.com/v1\n"
                             "    api_key: ${OPENAI_API_KEY}\n"));
}

static void put_budget(struct buffer *out, config_env *env, struct findings *findings)
{
    struct money amount;
    if (!is_set(env, "PURSER_BUDGET_USD"))
        return;
    if (!money_parse(text_of(env("PURSER_BUDGET_USD")), &amount)) {
        findings_add(findings, FINDING_ERROR, 0,
                     "PURSER_BUDGET_USD must be dollars a day like 5 or 0.50, without a sign");
        return;
    }
    buffer_put(out, TEXT("budgets:\n"
                         "  - {name: daily, scope: global, window: day, "
                         "usd: \"${PURSER_BUDGET_USD}\"}\n"));
}

void environment_put_yaml(struct buffer *out, config_env *env, struct findings *findings)
{
    buffer_put(out, TEXT("auth: {mode: open}\n"));
    put_upstream(out, env, findings);
    put_budget(out, env, findings);
}
