/* The walk over the document: unknown names, duplicates, aliases that multiply or go in circles. */
#include "fixture.h"

#define GOOD KEYS UPSTREAMS BUDGETS

START_TEST(suggests_the_nearest_name_for_an_unknown_option)
{
    REFUSES("lisen: x\n" GOOD, 1, "there is no option \"lisen\": did you mean \"listen\"?");
    REFUSES("log:\n  levle: info\n" GOOD, 2, "log: there is no option \"levle\": did you mean");
    REFUSES("\"a\\nb\": x\n" GOOD, 1, "a name must be a single value without line breaks");
    REFUSES("quux: x\n" GOOD, 1, "`purser check --reference` lists all");
    REFUSES("keys:\n  - id: a\n    kee: b\n" UPSTREAMS BUDGETS, 3,
            "keys[0]: there is no option \"kee\": did you mean \"key\"?");
}
END_TEST

START_TEST(says_which_options_are_still_to_come)
{
    REFUSES("router: {default: x}\n" GOOD, 1, "\"router\" is not supported yet: take it out");
    REFUSES(KEYS BUDGETS "upstreams:\n  - {name: a, base_url: \"https://x\", retries: 2}\n", 7,
            "upstreams[0]: the option \"retries\" is not supported yet");
    REFUSES("ledger: {retain_days: 3}\n" GOOD, 1, "not supported yet");
}
END_TEST

START_TEST(refuses_a_name_that_stands_twice)
{
    REFUSES("workers: 1\nworkers: 2\n" GOOD, 2, "\"workers\" stands here twice");
    REFUSES("budgets:\n  - {name: a, scope: global, window: day, usd: 1, usd: 9}\n" KEYS UPSTREAMS,
            2, "\"usd\" stands here twice");
    REFUSES("budgets:\n  - {name: a, scope: key, window: day, usd: 1, overrides: {bob: 1, bob: "
            "2}}\n" KEYS UPSTREAMS,
            2, "\"bob\" stands here twice");
}
END_TEST

START_TEST(accepts_aliases)
{
    ACCEPTS("keys:\n"
            "  - {id: a, key: 0123456789abcdef, models: &few [gpt-4o, gpt-4o-mini]}\n"
            "  - {id: b, key: 0123456789abcdeg, models: *few}\n" UPSTREAMS BUDGETS);
}
END_TEST

START_TEST(refuses_aliases_that_go_in_circles)
{
    REFUSES("log: &a {level: *a}\n" GOOD, 1, "log.level: must be a single value, not a mapping");
    REFUSES("log: &a\n  log: *a\n" GOOD, 2, "there is no option \"log\"");
    REFUSES("keys: &k [{id: a, key: 0123456789abcdef, tags: *k}]\n" UPSTREAMS BUDGETS, 1,
            "keys[0].tags: must be a single value, not a mapping");
    REFUSES("&root\nlog: *root\n" GOOD, 2, "log: there is no option \"log\"");
    REFUSES("<<: {workers: 1}\n" GOOD, 1, "merging (<<) is not supported");
}
END_TEST

START_TEST(refuses_aliases_that_multiply)
{
    struct buffer yaml = {0};
    buffer_put(&yaml, TEXT("keys:\n  - {id: a, key: 0123456789abcdef, models: &m ["));
    for (int i = 0; i < 256; i++)
        buffer_put(&yaml, TEXT("x,"));
    buffer_put(&yaml, TEXT("]}\n"));
    for (int i = 0; i < 9000; i++)
        buffer_put(&yaml, TEXT("  - {id: a, models: *m}\n"));
    REFUSES(buffer_string(&yaml), 0, "multiply into more than 1000000 values");
    buffer_close(&yaml);
}
END_TEST

START_TEST(keeps_only_as_many_findings_as_a_person_can_use)
{
    struct buffer yaml = {0};
    for (int i = 0; i < 1000; i++)
        buffer_printf(&yaml, "quux%d: 1\n", i);
    struct fixture fixture = fixture_load(buffer_string(&yaml));
    ck_assert_uint_eq(fixture.findings.count, FINDINGS_MOST);
    ck_assert_uint_ge(fixture.findings.errors, 1000);
    ck_assert_uint_ge(fixture.findings.dropped, 800);
    ck_assert_ptr_nonnull(strstr(fixture_told(&fixture.findings), "and 80"));
    fixture_close(&fixture);
    buffer_close(&yaml);
}
END_TEST

START_TEST(refuses_a_file_of_more_than_a_mebibyte)
{
    struct buffer yaml = {0};
    buffer_put(&yaml, TEXT("#"));
    for (int i = 0; i < 1024 * 1024; i++)
        buffer_put_byte(&yaml, 'x');
    REFUSES(buffer_string(&yaml), 0, "more than 1048576 bytes");
    buffer_close(&yaml);
}
END_TEST

START_TEST(refuses_what_is_not_yaml)
{
    REFUSES("listen: [\n" GOOD, 3, "this is not YAML");
    REFUSES("a: b: c\n", 1, "this is not YAML");
    REFUSES("\x80\xff\n", 1, "this is not YAML");
    REFUSES("workers: *nobody\n", 1, "this is not YAML");
    REFUSES("keys:\n  - {id: a, key: ${KEY}}\n", 2, "write quotes around \"${NAME}\"");
    REFUSES("- a\n- b\n", 1, "must be a mapping, not a list");
    REFUSES("just words\n", 1, "must be a mapping");
    REFUSES(GOOD "---\nworkers: 1\n", 8, "a second document begins here");
    REFUSES(GOOD "---\na: [\n", 10, "this is not YAML");
}
END_TEST

START_TEST(takes_an_empty_file_for_one_without_options)
{
    REFUSES("", 0, "nobody may call");
    REFUSES("# only words\n", 0, "there is nowhere to send calls");
    REFUSES("~\n", 0, "nobody may call");
    REFUSES("---\n", 0, "nobody may call");
}
END_TEST

START_TEST(takes_sections_and_lists_without_content_for_absent)
{
    ACCEPTS("log:\nallowed_origins:\nmodels:\nledger: ~\n" GOOD);
}
END_TEST

START_TEST(survives_very_deep_nesting)
{
    struct buffer yaml = {0};
    buffer_put(&yaml, TEXT("log: "));
    for (int i = 0; i < 5000; i++)
        buffer_put_byte(&yaml, '[');
    struct fixture fixture = fixture_load(buffer_string(&yaml));
    ck_assert_ptr_null(fixture.config);
    ck_assert_uint_ge(fixture.findings.errors, 1);
    fixture_close(&fixture);
    buffer_close(&yaml);
}
END_TEST

UNIT_MAIN(suggests_the_nearest_name_for_an_unknown_option, says_which_options_are_still_to_come,
          refuses_a_name_that_stands_twice, accepts_aliases, refuses_aliases_that_go_in_circles,
          refuses_aliases_that_multiply, keeps_only_as_many_findings_as_a_person_can_use,
          refuses_a_file_of_more_than_a_mebibyte, refuses_what_is_not_yaml,
          takes_an_empty_file_for_one_without_options,
          takes_sections_and_lists_without_content_for_absent, survives_very_deep_nesting)
