/* The kinds of options: what each refuses, and that the remedy is said. */
#include "fixture.h"

#define GOOD KEYS UPSTREAMS BUDGETS

static const struct {
    const char *yaml; /* line 1 is at fault */
    const char *told;
} WRONG[] = {
    {"workers: many\n" GOOD, "workers: must be a whole number from 0 to 256"},
    {"workers: -1\n" GOOD, "whole number from 0 to 256"},
    {"workers: 257\n" GOOD, "whole number from 0 to 256"},
    {"workers: 1.0\n" GOOD, "in plain digits"},
    {"workers: 1_0\n" GOOD, "in plain digits"},
    {"workers: 010\n" GOOD, "in plain digits"},
    {"workers: 0x10\n" GOOD, "in plain digits"},
    {"workers: 99999999999999999999\n" GOOD, "whole number"},
    {"workers:\n" GOOD, "has no value"},
    {"workers: ~\n" GOOD, "has no value"},
    {"workers: [1]\n" GOOD, "must be a single value, not a list"},
    {"hide_amounts: yes\n" GOOD, "must be true or false: write true (it is \"yes\")"},
    {"hide_amounts: Off\n" GOOD, "must be true or false: write false (it is \"Off\")"},
    {"hide_amounts: maybe\n" GOOD, "write true or false"},
    {"log: {level: inof}\n" GOOD, "must be debug, info, warn or error; did you mean \"info\"?"},
    {"log: {level: xyzxyz}\n" GOOD, "log.level: must be debug, info, warn or error (it is"},
    {"log: [info]\n" GOOD, "must be a mapping, not a list: write lines like \"level: ...\""},
    {"log: info\n" GOOD, "must be a mapping, not a single value"},
    {"budget_status: 500\n" GOOD, "must be 429, 402, 403 or 400"},
    {"limits: {body_mb: 0}\n" GOOD, "from 1 to 1024"},
    {"listen: 8080\n" GOOD, "write 127.0.0.1:8080"},
    {"listen: \":8080\"\n" GOOD, "write 127.0.0.1:8080"},
    {"listen: localhost\n" GOOD, "must name a port too: write 127.0.0.1:8080"},
    {"listen: 127.0.0.1:70000\n" GOOD, "port from 0 to 65535"},
    {"listen: \"unix:\"\n" GOOD, "write unix:/run/purser.sock"},
    {"allowed_origins: https://a\n" GOOD, "must be a list (write [..]"},
    {"allowed_origins: [\"\"]\n" GOOD, "must not be empty"},
    {"node: \"a b\"\n" GOOD, "letters, digits and . _ - @ + : alone"},
    {"data_dir: {a: b}\n" GOOD, "must be a single value, not a mapping"},
    {"prices: [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]\n" GOOD, "at most 16 are allowed"},
    {"keys: [{id: a, key: \"\"}]\n" UPSTREAMS BUDGETS, "must have 1 to 512 bytes"},
    {"keys: [{id: a, key: \"x y\"}]\n" UPSTREAMS BUDGETS, "without spaces"},
    {"keys: [{id: \"\", key: k}]\n" UPSTREAMS BUDGETS, "must not be empty: write id: alice"},
    {"keys: [{key: k}]\n" UPSTREAMS BUDGETS, "keys[0].id: is missing: write id: alice"},
    {"keys: [{id: a, hash: \"sha256:00\"}]\n" UPSTREAMS BUDGETS, "64 hex digits"},
    {"keys: [{id: a, hash: 00}]\n" UPSTREAMS BUDGETS, "64 hex digits"},
    {"keys: [{id: a, key: k, may_set: [all]}]\n" UPSTREAMS BUDGETS, "session, label, tags or user"},
    {"keys: [{id: a, key: k, tags: [a, \"b,c\"]}]\n" UPSTREAMS BUDGETS, "keys[0].tags: must cons"},
    {"keys: [{id: a, key: k, tags: [1,2,3,4,5,6,7,8,9]}]\n" UPSTREAMS BUDGETS, "at most 8"},
    {"keys: [{id: a, key: k, tags: "
     "[\"0123456789012345678901234567890123456789012345678901234567890123x\"]}]\n" UPSTREAMS
         BUDGETS,
     "an entry must have at most 64 bytes"},
    {"upstreams: [{name: a, query: {\"\": c}}]\n" KEYS BUDGETS, "a name must not be empty"},
    {"keys: {alice: x}\n" UPSTREAMS BUDGETS, "must be a list"},
    {"upstreams: [{name: a, base_url: ftp://x}]\n" KEYS BUDGETS, "http:// or https://"},
    {"upstreams: [{name: a, base_url: x}]\n" KEYS BUDGETS, "http:// or https://"},
    {"upstreams: [{name: a, base_url: \"https://x/?a=b\"}]\n" KEYS BUDGETS, "write query:"},
    {"upstreams: [{name: a, proxy: x}]\n" KEYS BUDGETS, "socks5h://"},
    {"upstreams: [{name: a, headers: {\"a b\": c}}]\n" KEYS BUDGETS, "name of an HTTP header"},
    {"upstreams: [{name: a, headers: {host: c}}]\n" KEYS BUDGETS, "purser sets this header itself"},
    {"upstreams: [{name: a, headers: [x]}]\n" KEYS BUDGETS, "must be a mapping (write {name: v"},
    {"upstreams: [{name: a, query: {[x]: c}}]\n" KEYS BUDGETS, "a name must be a single value"},
    {"upstreams: [{name: a, dialect: gemini}]\n" KEYS BUDGETS, "must be auto, openai, an"},
    {"upstreams: [{name: a, max_tokens_field: max}]\n" KEYS BUDGETS, "must be auto, max_completio"},
    {"upstreams: [{name: a, timeouts: {connect_ms: 0}}]\n" KEYS BUDGETS,
     "upstreams[0].timeouts.connect_ms: must be a whole number"},
    {"models: [{name: a, input: -1, output: 1}]\n" GOOD, "USD per 1M tokens"},
    {"models: [{name: a, input: 1.0000001, output: 1}]\n" GOOD, "at most 6 decimals"},
    {"models: [{name: a, input: 1000001, output: 1}]\n" GOOD, "0 to 1000000"},
    {"models: [{name: a, output: 1}]\n" GOOD, "models[0].input: is missing: write input: 0.10"},
    {"budgets: [{name: a, scope: global, window: day, usd: -1}]\n" KEYS UPSTREAMS,
     "must be dollar"},
    {"budgets: [{name: a, scope: global, window: day, usd: $5}]\n" KEYS UPSTREAMS,
     "must be dollar"},
    {"budgets: [{name: a, scope: global, window: day, usd: 4000000001}]\n" KEYS UPSTREAMS,
     "from 0 to 4000000000"},
    {"budgets: [{name: a, scope: global, window: day, usd: 0.0000000001}]\n" KEYS UPSTREAMS,
     "at most 9 decimals"},
    {"budgets: [{name: a, scope: global, window: day, usd: }]\n" KEYS UPSTREAMS, "has no value"},
    {"budgets: [{name: a, scope: global, window: day, tokens: 1.5}]\n" KEYS UPSTREAMS,
     "must be a whole number"},
    {"budgets: [{name: a, scope: global, window: day, usd: 1, buffer: 10}]\n" KEYS UPSTREAMS,
     "write 10%"},
    {"budgets: [{name: a, scope: global, window: day, usd: 1, buffer: 100%}]\n" KEYS UPSTREAMS,
     "below 100%"},
    {"budgets: [{name: a, scope: global, window: day, usd: 1, buffer: 1.001%}]\n" KEYS UPSTREAMS,
     "at most two decimals"},
    {"budgets: [{name: a, scope: global, window: day, usd: 1, buffer: \"\"}]\n" KEYS UPSTREAMS,
     "must be a percentage"},
    {"budgets: [{name: a, scope: session, window: day, usd: 1, idle: 24}]\n" KEYS UPSTREAMS,
     "like 45s, 90m, 24h or 30d"},
    {"budgets: [{name: a, scope: session, window: day, usd: 1, idle: 0h}]\n" KEYS UPSTREAMS,
     "up to ten years"},
    {"budgets: [{name: a, scope: session, window: day, usd: 1, idle: 9999999999999999d}]\n" KEYS
         UPSTREAMS,
     "up to ten years"},
    {"budgets: [{name: a, scope: session, window: day, usd: 1, idle: \"\"}]\n" KEYS UPSTREAMS,
     "up to ten years"},
    {"budgets: [{name: a, scope: tem, window: day, usd: 1}]\n" KEYS UPSTREAMS,
     "did you mean \"team\"?"},
    {"budgets: [{name: a, scope: global, window: {sliding: 24h}, usd: 1}]\n" KEYS UPSTREAMS,
     "there is no such window: write {rolling: 24h}"},
    {"budgets: [{name: a, scope: global, window: [day], usd: 1}]\n" KEYS UPSTREAMS,
     "budgets[0].window: must be"},
    {"budgets: [{name: a, scope: key, window: day, usd: 1, match: {request: x}}]\n" KEYS UPSTREAMS,
     "nothing to match by"},
    {"budgets: [{name: a, scope: key, window: day, usd: 1, match: {key: \"\"}}]\n" KEYS UPSTREAMS,
     "must not be empty"},
    {"budgets: [{name: a, scope: key, window: day, usd: 1, tokens: 1, overrides: {bob: 1}}]\n" KEYS
         UPSTREAMS,
     "bob: the budget has not just one unit: write {usd: .., tokens: ..}"},
    {"budgets: [{name: a, scope: key, window: day, usd: 1, overrides: {bob: {eur: 1}}}]\n" KEYS
         UPSTREAMS,
     "a limit must be usd, tokens or requests"},
    {"budgets: [{name: a, scope: key, window: day, usd: 1, overrides: {bob: {tokens: 1}}}]\n" KEYS
         UPSTREAMS,
     "the budget itself has no limit in tokens"},
    {"budgets: [{name: a, scope: key, window: day, usd: 1, overrides: {bob: lots}}]\n" KEYS
         UPSTREAMS,
     "bob: must be dollars"},
};

START_TEST(refuses_what_does_not_fit_and_says_what_would)
{
    for (size_t i = 0; i < UNIT_COUNT(WRONG); i++)
        REFUSES(WRONG[i].yaml, 1, WRONG[i].told);
}
END_TEST

START_TEST(refuses_a_name_that_is_too_long)
{
    struct buffer yaml = {0};
    buffer_put(&yaml, TEXT(KEYS UPSTREAMS "budgets:\n  - {name: "));
    for (int i = 0; i < 64; i++)
        buffer_put_byte(&yaml, 'x');
    buffer_put(&yaml, TEXT(", scope: global, window: day, usd: 1}\n"));
    REFUSES(buffer_string(&yaml), 7, "budgets[0].name: must have at most 63 bytes, not 64");
    buffer_close(&yaml);
}
END_TEST

START_TEST(refuses_more_than_32_budgets)
{
    struct buffer yaml = {0};
    buffer_put(&yaml, TEXT(KEYS UPSTREAMS "budgets:\n"));
    for (int i = 0; i < 33; i++)
        buffer_printf(&yaml, "  - {name: b%d, scope: key, window: day, usd: 1}\n", i);
    REFUSES(buffer_string(&yaml), 7, "has 33 entries: at most 32 are allowed");
    buffer_close(&yaml);
}
END_TEST

START_TEST(warns_of_a_key_that_can_be_guessed)
{
    WARNS("keys: [{id: a, key: hunter2}]\n" UPSTREAMS BUDGETS, 1, "can be guessed");
}
END_TEST

START_TEST(never_shows_a_secret_in_a_finding)
{
    static const char *const SECRETS[] = {
        "keys: [{id: a, key: \"top secret\"}]\n" UPSTREAMS BUDGETS,
        "keys: [{id: a, hash: \"top secret\"}]\n" UPSTREAMS BUDGETS,
        "upstreams: [{name: a, base_url: \"https://u:top secret@x/\"}]\n" KEYS BUDGETS,
        "upstreams: [{name: a, proxy: \"top secret\"}]\n" KEYS BUDGETS,
        "upstreams: [{name: a, headers: {host: \"top secret\"}}]\n" KEYS BUDGETS,
        "workers: ${KEY}\n" GOOD,
        "log: {level: \"${KEY}\"}\n" GOOD,
        "listen: ${KEY}\n" GOOD,
        "node: ${BROKEN}\n" GOOD,
        "auth: {admin_token: \"${ADMIN KEY:-top secret}\"}\n" GOOD,
    };
    for (size_t i = 0; i < UNIT_COUNT(SECRETS); i++) {
        struct fixture fixture = fixture_load(SECRETS[i]);
        ck_assert_ptr_null(fixture.config);
        const char *told = fixture_told(&fixture.findings);
        ck_assert_msg(strstr(told, "secret") == NULL && strstr(told, "lines") == NULL, "%s", told);
        fixture_close(&fixture);
    }
}
END_TEST

UNIT_MAIN(refuses_what_does_not_fit_and_says_what_would, refuses_a_name_that_is_too_long,
          refuses_more_than_32_budgets, warns_of_a_key_that_can_be_guessed,
          never_shows_a_secret_in_a_finding)
