/* Who may call and where calls go: what does not go together. */
#include "fixture.h"

#define OPEN        "auth: {mode: open}\n"
#define PASSTHROUGH "auth: {mode: passthrough}\n"
#define REST        UPSTREAMS BUDGETS

START_TEST(keeps_an_open_door_on_the_loopback_interface)
{
    ACCEPTS(OPEN REST);
    ACCEPTS(OPEN "listen: localhost:1\n" REST);
    ACCEPTS(OPEN "listen: \"[::1]:1\"\n" REST);
    ACCEPTS(OPEN "listen: unix:/run/purser.sock\n" REST);
    REFUSES(OPEN "listen: 0.0.0.0:8080\n" REST, 1, "lets anybody on the network spend: listen on");
    REFUSES(OPEN "listen: example.com:8080\n" REST, 1, "lets anybody on the network spend");
    REFUSES(OPEN "listen: \"[::]:8080\"\n" REST, 1, "lets anybody on the network spend");
}
END_TEST

START_TEST(wants_keys_in_the_mode_that_needs_them_and_nowhere_else)
{
    REFUSES(REST, 0, "nobody may call: write keys: [{id: me, key: \"${MY_KEY}\"}], or auth:");
    REFUSES("keys: []\n" REST, 1, "nobody may call");
    REFUSES("keys:\n" REST, 1, "nobody may call");
    WARNS(OPEN KEYS REST, 3, "keys are not used with auth.mode: open");
    WARNS("auth: {mode: passthrough}\n" KEYS BUDGETS
          "upstreams: [{name: a, base_url: \"https://x/v1\"}]\n",
          3, "keys are not used with auth.mode: passthrough");
}
END_TEST

START_TEST(wants_each_key_once_and_either_plain_or_hashed)
{
    REFUSES("keys:\n  - {id: a}\n" REST, 2, "keys[0]: has no key: write key: \"${MY_KEY}\"");
    REFUSES(
        "keys:\n"
        "  - id: a\n"
        "    key: 0123456789abcdef\n"
        "    hash: sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n" REST,
        2, "has key and hash: take one of them out");
    REFUSES("keys:\n"
            "  - {id: a, key: 0123456789abcdef}\n"
            "  - {id: a, key: 0123456789abcdeg}\n" REST,
            3, "the key id \"a\" stands here a second time");
    REFUSES("keys:\n"
            "  - {id: a, key: \"\x30\x31\x32\x33\x34\x35\x36\x37\x38\x39-abcdef\"}\n"
            "  - {id: b, key: 0123456789-abcdef}\n" REST,
            3, "keys[1]: another entry has the same key");
}
END_TEST

START_TEST(wants_upstreams_with_names_of_their_own)
{
    REFUSES(KEYS BUDGETS, 0, "there is nowhere to send calls: write upstreams:");
    REFUSES(KEYS BUDGETS "upstreams:\n", 6, "there is nowhere to send calls");
    REFUSES(KEYS BUDGETS "upstreams:\n"
                         "  - {name: a, base_url: \"http://localhost:1\"}\n"
                         "  - {name: a, base_url: \"http://localhost:2\"}\n",
            8, "the upstream \"a\" stands here a second time");
}
END_TEST

START_TEST(warns_where_keys_would_travel_as_plain_text)
{
    WARNS(KEYS BUDGETS "upstreams: [{name: a, base_url: \"http://llm.example/v1\", api_key: k}]\n",
          6, "upstreams[0].base_url: keys and prompts go to llm.example as plain text");
    ACCEPTS(KEYS BUDGETS "upstreams: [{name: a, base_url: \"http://127.0.0.1:1/v1\"}]\n");
}
END_TEST

START_TEST(warns_of_keys_that_are_missing_or_not_used)
{
    WARNS(KEYS BUDGETS "upstreams: [{name: a, base_url: \"https://x/v1\"}]\n", 6,
          "upstreams[0]: calls go out without a key");
    WARNS(PASSTHROUGH REST, 3, "api_key: not used with auth.mode: passthrough");
    ACCEPTS(PASSTHROUGH BUDGETS "upstreams: [{name: a, base_url: \"https://x/v1\"}]\n");
}
END_TEST

#define OPTIONAL(name, key)                                                                        \
    "  - {name: " name ", base_url: \"https://x/v1\", api_key: \"" key "\", optional: true}\n"

START_TEST(leaves_out_optional_upstreams_without_a_key)
{
    ACCEPTS(KEYS BUDGETS "upstreams:\n" OPTIONAL("a", "") OPTIONAL("b", "k") OPTIONAL("c", ""));
    REFUSES(KEYS BUDGETS "upstreams:\n" OPTIONAL("a", "") OPTIONAL("b", ""), 7,
            "none has an api_key: give one of them its own (a, b)");
    ACCEPTS(PASSTHROUGH BUDGETS "upstreams:\n" OPTIONAL("a", ""));
}
END_TEST

START_TEST(warns_of_what_the_large_providers_would_refuse)
{
    WARNS(KEYS BUDGETS
          "upstreams: [{name: a, base_url: \"https://a.openai.azure.com/v1\", api_key: k}]\n",
          6, "write auth_header: api-key");
    WARNS(KEYS BUDGETS
          "upstreams: [{name: a, base_url: \"https://api.openai.com/\", api_key: k}]\n",
          6, "write https://api.openai.com/v1");
}
END_TEST

START_TEST(wants_models_once_and_of_upstreams_that_exist)
{
    REFUSES("models:\n  - {name: m, upstream: opnai, input: 1, output: 1}\n" KEYS REST, 2,
            "there is no upstream \"opnai\": did you mean \"openai\"?");
    REFUSES("models:\n  - {name: m, upstream: quux, input: 1, output: 1}\n" KEYS REST, 2,
            "write the name of one, or nothing");
    REFUSES("models:\n  - {name: m, input: 1, output: 1}\n  - {name: m, input: 2, output: 2}\n" KEYS
                REST,
            3, "the model \"m\" stands here a second time");
    ACCEPTS("models:\n"
            "  - {name: m, input: 1, output: 1}\n"
            "  - {name: m, upstream: openai, input: 2, output: 2}\n" KEYS REST);
}
END_TEST

UNIT_MAIN(keeps_an_open_door_on_the_loopback_interface,
          wants_keys_in_the_mode_that_needs_them_and_nowhere_else,
          wants_each_key_once_and_either_plain_or_hashed, wants_upstreams_with_names_of_their_own,
          warns_where_keys_would_travel_as_plain_text, warns_of_keys_that_are_missing_or_not_used,
          leaves_out_optional_upstreams_without_a_key,
          warns_of_what_the_large_providers_would_refuse,
          wants_models_once_and_of_upstreams_that_exist)
