/* Loading: every option arrives where it belongs, defaults elsewhere, paths are resolved. */
#include <unistd.h>

#include "base/hash.h"
#include "fixture.h"

START_TEST(fills_what_is_not_written_with_the_documented_defaults)
{
    struct fixture fixture = fixture_load(KEYS UPSTREAMS BUDGETS);
    const struct config *config = fixture.config;
    ck_assert_msg(config != NULL, "%s", fixture_told(&fixture.findings));
    UNIT_TEXT(config->path, "etc/purser.yaml");
    UNIT_TEXT(config->listen, "127.0.0.1:8080");
    UNIT_TEXT(config->node, "");
    UNIT_TEXT(config->data_dir, "etc/data");
    UNIT_TEXT(config->ledger_dir, "etc/data/ledger");
    ck_assert_int_eq(config->workers, 0);
    ck_assert_int_eq(config->log_level, LOG_INFO);
    ck_assert_int_eq(config->log_format, LOG_TEXT);
    ck_assert(config->log_access);
    ck_assert_int_eq(config->body_bytes, 32 * 1024 * 1024);
    ck_assert_int_eq(config->connections, 10000);
    ck_assert_int_eq(config->request_seconds, 3600);
    ck_assert_int_eq(config->drain_seconds, 30);
    ck_assert_int_eq(config->accounts, 100000);
    ck_assert_int_eq(config->auth_mode, AUTH_KEYS);
    ck_assert_uint_eq(config->admin_token.size, 0);
    ck_assert_uint_eq(config->prices.count, 0);
    ck_assert_uint_eq(config->model_count, 0);
    ck_assert_int_eq(config->clamp, CLAMP_RULE_ALWAYS);
    ck_assert_int_eq(config->min_output_tokens, 64);
    ck_assert_int_eq(config->default_max_output, 0);
    ck_assert_int_eq(config->wait_ms, 5000);
    ck_assert_int_eq(config->max_waiting, 1000);
    ck_assert_int_eq(config->budget_status, 429);
    ck_assert(!config->hide_amounts);
    ck_assert(!config->show_shared);
    ck_assert_int_eq(config->fsync_ms, 50);
    ck_assert_int_eq(config->rotate_bytes, INT64_C(256) * 1024 * 1024);
    fixture_close(&fixture);
}
END_TEST

START_TEST(reads_the_options_of_the_process)
{
    struct fixture fixture =
        fixture_load("listen: \"[::1]:${PORT}\"\n"
                     "allowed_origins: [\"https://a.example\"]\n"
                     "workers: 3\n"
                     "node: n1\n"
                     "data_dir: /var/lib/purser\n"
                     "log: {level: warn, format: json, access: false}\n"
                     "limits: {body_mb: 1, connections: 5, accounts: 200}\n"
                     "auth: {mode: open, admin_token: \"${KEY}\"}\n"
                     "prices: [a.json, /b.json]\n"
                     "admission: {clamp: never, wait_ms: 0}\n"
                     "budget_status: 402\n"
                     "hide_amounts: true\n"
                     "show_shared: true\n"
                     "ledger: {dir: books, fsync_ms: 0, rotate_mb: 1}\n" UPSTREAMS BUDGETS);
    const struct config *config = fixture.config;
    ck_assert_msg(config != NULL, "%s", fixture_told(&fixture.findings));
    UNIT_TEXT(config->listen, "[::1]:9090");
    UNIT_TEXT(config->allowed_origins.at[0], "https://a.example");
    ck_assert_int_eq(config->workers, 3);
    UNIT_TEXT(config->node, "n1");
    UNIT_TEXT(config->data_dir, "/var/lib/purser");
    UNIT_TEXT(config->ledger_dir, "/var/lib/purser/books");
    ck_assert_int_eq(config->log_level, LOG_WARN);
    ck_assert_int_eq(config->log_format, LOG_JSON);
    ck_assert(!config->log_access);
    ck_assert_int_eq(config->body_bytes, 1024 * 1024);
    ck_assert_int_eq(config->connections, 5);
    ck_assert_int_eq(config->accounts, 200);
    ck_assert_int_eq(config->auth_mode, AUTH_OPEN);
    UNIT_TEXT(config->admin_token, "secret-from-outside");
    UNIT_TEXT(config->prices.at[0], "etc/a.json");
    UNIT_TEXT(config->prices.at[1], "/b.json");
    ck_assert_int_eq(config->clamp, CLAMP_RULE_NEVER);
    ck_assert_int_eq(config->wait_ms, 0);
    ck_assert_int_eq(config->budget_status, 402);
    ck_assert(config->hide_amounts);
    ck_assert(config->show_shared);
    ck_assert_int_eq(config->fsync_ms, 0);
    ck_assert_int_eq(config->rotate_bytes, 1024 * 1024);
    fixture_close(&fixture);
}
END_TEST

START_TEST(reads_keys_as_digests)
{
    uint8_t hash[HASH_SIZE];
    struct fixture fixture = fixture_load(
        "keys:\n"
        "  - {id: a, key: \"${KEY}\", user: u, team: t, tags: [x, y], models: [\"gpt-*\"],\n"
        "     may_set: [label, user], session: bound}\n"
        "  - id: b\n"
        "    hash: "
        "sha256:E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n" UPSTREAMS
            BUDGETS);
    ck_assert_msg(fixture.config != NULL, "%s", fixture_told(&fixture.findings));
    const struct config_key *keys = fixture.config->keys;
    hash_text(TEXT("secret-from-outside"), hash);
    ck_assert_mem_eq(keys[0].sha256, hash, HASH_SIZE);
    UNIT_TEXT(keys[0].user, "u");
    UNIT_TEXT(keys[0].team, "t");
    UNIT_TEXT(keys[0].tags.at[1], "y");
    UNIT_TEXT(keys[0].models.at[0], "gpt-*");
    ck_assert_uint_eq(keys[0].may_set, MAY_SET_LABEL | MAY_SET_USER);
    ck_assert_int_eq(keys[0].session, SESSION_BOUND);
    hash_text(TEXT(""), hash);
    ck_assert_mem_eq(keys[1].sha256, hash, HASH_SIZE);
    ck_assert_uint_eq(keys[1].may_set, MAY_SET_SESSION | MAY_SET_LABEL | MAY_SET_TAGS);
    ck_assert_int_eq(keys[1].session, SESSION_OPTIONAL);
    ck_assert_uint_eq(keys[1].models.count, 0);
    fixture_close(&fixture);
}
END_TEST

START_TEST(reads_an_upstream_with_everything)
{
    struct fixture fixture =
        fixture_load("upstreams:\n"
                     "  - name: az\n"
                     "    base_url: https://x.openai.azure.com/openai/deployments//\n"
                     "    api_key: ${KEY}\n"
                     "    auth_header: api-key\n"
                     "    headers: {X-Extra: \"1\"}\n"
                     "    query: {api-version: 2024-10-21}\n"
                     "    ca: certs.pem\n"
                     "    proxy: http://user:pass@127.0.0.1:3128\n"
                     "    models: [\"gpt-*\"]\n"
                     "    aliases: {gpt-4o: my-deployment}\n"
                     "    max_tokens_field: max_tokens\n"
                     "    cancel_saves: yes\n"
                     "    stream_usage: false\n"
                     "    timeouts: {idle_ms: 7}\n" KEYS BUDGETS);
    ck_assert_msg(fixture.findings.count == 0, "%s", fixture_told(&fixture.findings));
    const struct config_upstream *upstream = fixture.config->upstreams;
    ck_assert_int_eq(upstream->line, 2);
    UNIT_TEXT(upstream->base_url, "https://x.openai.azure.com/openai/deployments");
    UNIT_TEXT(upstream->provider, "azure");
    ck_assert_int_eq(upstream->auth_header, AUTH_HEADER_API_KEY);
    UNIT_TEXT(upstream->headers.at[0].name, "X-Extra");
    UNIT_TEXT(upstream->query.at[0].value, "2024-10-21");
    UNIT_TEXT(upstream->ca, "etc/certs.pem");
    UNIT_TEXT(upstream->proxy, "http://user:pass@127.0.0.1:3128");
    UNIT_TEXT(upstream->aliases.at[0].name, "gpt-4o");
    UNIT_TEXT(upstream->aliases.at[0].value, "my-deployment");
    UNIT_TEXT(upstream->max_tokens_field, "max_tokens");
    ck_assert_int_eq(upstream->cancel_saves, TRI_YES);
    ck_assert(!upstream->stream_usage);
    ck_assert_int_eq(upstream->connect_ms, 5000);
    ck_assert_int_eq(upstream->first_byte_ms, 600000);
    ck_assert_int_eq(upstream->idle_ms, 7);
    fixture_close(&fixture);
}
END_TEST

START_TEST(reads_prices_as_pico_dollars_per_token)
{
    struct fixture fixture =
        fixture_load("models:\n"
                     "  - {name: a, input: 2.5, output: \"0.000001\"}\n"
                     "  - {name: a, upstream: openai, input: 0, cached_input: 0, output: 1e1,\n"
                     "     context: 10, max_output: 5, reasoning: true}\n" KEYS UPSTREAMS BUDGETS);
    ck_assert_msg(fixture.findings.count == 0, "%s", fixture_told(&fixture.findings));
    const struct config_model *models = fixture.config->models;
    ck_assert_int_eq(models[0].input, 2500000);
    ck_assert_int_eq(models[0].cached_input, -1);
    ck_assert_int_eq(models[0].output, 1);
    ck_assert_int_eq(models[1].cached_input, 0);
    ck_assert_int_eq(models[1].output, 10000000);
    ck_assert_int_eq(models[1].max_output, 5);
    ck_assert(models[1].reasoning);
    fixture_close(&fixture);
}
END_TEST

START_TEST(reads_budgets_to_the_nano_dollar)
{
    struct fixture fixture = fixture_load(
        "budgets:\n"
        "  - {name: a, scope: team, window: month, timezone: Europe/Madrid, usd: 0.005476001,\n"
        "     buffer: 12.25%, overrides: {research: 2000}}\n"
        "  - {name: b, scope: session, match: {key: alice, model: \"gpt-*\"}, window: total,\n"
        "     tokens: 50000, requests: 7, overrides: {\"x/y\": {tokens: 5}}}\n"
        "  - {name: c, scope: session, window: hour, timezone: Europe/Madrid, usd: 0, idle: 90m}\n"
        "  - {name: d, scope: request, usd: 4000000000}\n" KEYS UPSTREAMS);
    ck_assert_msg(fixture.findings.count == 0, "%s", fixture_told(&fixture.findings));
    const struct budget *budgets = fixture.config->budgets;
    ck_assert_int_eq(budgets[0].limit[UNIT_USD], 5476001);
    ck_assert_int_eq(budgets[0].limit[UNIT_TOKENS], LIMIT_NONE);
    ck_assert_int_eq(budgets[0].buffer_bp, 1225);
    ck_assert_int_eq(budgets[0].window, WINDOW_MONTH);
    ck_assert_int_eq(budgets[0].idle_s, 0);
    UNIT_TEXT(budgets[0].overrides[0].id, "research");
    ck_assert_int_eq(budgets[0].overrides[0].limit[UNIT_USD], INT64_C(2000000000000));
    ck_assert_int_eq(budgets[0].overrides[0].limit[UNIT_TOKENS], LIMIT_NONE);
    ck_assert_uint_eq(budgets[1].match_count, 2);
    ck_assert_int_eq(budgets[1].match[1].scope, SCOPE_MODEL);
    ck_assert_int_eq(budgets[1].limit[UNIT_REQUESTS], 7);
    ck_assert_int_eq(budgets[1].overrides[0].limit[UNIT_TOKENS], 5);
    ck_assert_int_eq(budgets[1].overrides[0].limit[UNIT_REQUESTS], LIMIT_NONE);
    ck_assert_int_eq(budgets[1].idle_s, 30 * 86400);
    ck_assert_int_eq(budgets[2].idle_s, 5400);
    ck_assert_int_eq(budgets[2].limit[UNIT_USD], 0);
    ck_assert_ptr_nonnull(budgets[1].zone);
    ck_assert_ptr_eq(budgets[0].zone, budgets[2].zone);
    ck_assert_int_eq(budgets[3].limit[UNIT_USD], MONEY_MOST.nano);
    fixture_close(&fixture);
}
END_TEST

START_TEST(reads_a_file)
{
    char path[] = "/tmp/purser-config-XXXXXX";
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    struct text yaml = TEXT(KEYS UPSTREAMS BUDGETS);
    ck_assert_int_eq(write(file, yaml.at, yaml.size), (ssize_t)yaml.size);
    close(file);
    struct findings findings = {0};
    struct config *config = config_load(path, fixture_env, &findings);
    ck_assert_ptr_nonnull(config);
    UNIT_TEXT(config->data_dir, "/tmp/data");
    config_close(config);
    unlink(path);
    ck_assert_ptr_null(config_load(path, fixture_env, &findings));
    ck_assert(fixture_has(&findings, 0, "cannot read the file: No such file"));
    ck_assert_ptr_null(config_load("/tmp", fixture_env, &findings));
    ck_assert(fixture_has(&findings, 0, "cannot read the file: Is a directory"));
    findings_close(&findings);
}
END_TEST

START_TEST(tells_all_faults_at_once_in_the_order_of_the_file)
{
    struct fixture fixture = fixture_load("workers: many\n"
                                          "log: {level: loud}\n"
                                          "keys:\n"
                                          "  - {id: \"a b\", key: 0123456789abcdef}\n"
                                          "lisen: x\n" UPSTREAMS BUDGETS "hide_amounts: 5\n");
    ck_assert_ptr_null(fixture.config);
    ck_assert_uint_eq(fixture.findings.errors, 5);
    int line = 0;
    for (size_t i = 0; i < fixture.findings.count; i++) {
        ck_assert_int_ge(fixture.findings.at[i].line, line);
        line = fixture.findings.at[i].line;
    }
    ck_assert_int_eq(line, 10);
    fixture_close(&fixture);
}
END_TEST

UNIT_MAIN(fills_what_is_not_written_with_the_documented_defaults, reads_the_options_of_the_process,
          reads_keys_as_digests, reads_an_upstream_with_everything,
          reads_prices_as_pico_dollars_per_token, reads_budgets_to_the_nano_dollar, reads_a_file,
          tells_all_faults_at_once_in_the_order_of_the_file)
