/* What was made at run time, as a part of the configuration. */
#include "config/amend.h"
#include "fixture.h"

static const char FILE_OF[] = KEYS UPSTREAMS BUDGETS;

static struct fixture load(const char *yaml, const struct config_amendment *at, size_t count)
{
    struct fixture file = fixture_load(yaml), amended = {0};
    const struct config_amendments amendments = {at, count};
    ck_assert_msg(file.config != NULL, "%s", fixture_told(&file.findings));
    amended.config = config_amend(file.config, &amendments, fixture_env, &amended.findings);
    fixture_close(&file);
    return amended;
}

static struct config_amendment amendment(enum amendment kind, const char *name, const char *body)
{
    return (struct config_amendment){kind, text_of(name), text_of(body)};
}

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

START_TEST(keys_and_budgets_stand_behind_those_of_the_file)
{
    const struct config_amendment all[] = {
        amendment(AMEND_KEY, "carl",
                  "{\"hash\":\"sha256:" DIGEST "\",\"id\":\"carl\","
                  "\"team\":\"s\\u0061les\",\"tags\":[\"a\",\"b\"]}"),
        amendment(AMEND_BUDGET, "mine",
                  "{\"name\":\"mine\",\"scope\":\"key\",\"match\":{\"key\":\"carl\"},"
                  "\"window\":\"day\",\"usd\":0.5,\"tokens\":1000}"),
    };
    struct fixture amended = load(FILE_OF, all, UNIT_COUNT(all));
    const struct config *config = amended.config;
    ck_assert_msg(config != NULL, "%s", fixture_told(&amended.findings));
    ck_assert_uint_eq(config->key_count, 3);
    ck_assert_uint_eq(config->own_key_count, 2);
    ck_assert(text_equal(config->keys[2].team, TEXT("sales")));
    ck_assert_uint_eq(config->keys[2].tags.count, 2);
    ck_assert_uint_eq(config->keys[2].sha256[1], 0x23);
    ck_assert_uint_eq(config->budget_count, 2);
    ck_assert_uint_eq(config->own_budget_count, 1);
    ck_assert_int_eq(config->budgets[1].limit[UNIT_USD], 500000000);
    ck_assert_int_eq(config->budgets[1].limit[UNIT_TOKENS], 1000);
    ck_assert_uint_eq(amended.findings.count, 0);
    fixture_close(&amended);
}
END_TEST

START_TEST(an_entry_of_the_file_wins_over_the_same_name)
{
    const struct config_amendment all[] = {
        amendment(AMEND_KEY, "alice", "{\"id\":\"alice\",\"team\":\"others\"}"),
        amendment(AMEND_BUDGET, "daily", "{\"name\":\"daily\",\"nonsense\":true}"),
    };
    struct fixture amended = load(FILE_OF, all, UNIT_COUNT(all));
    ck_assert_msg(amended.config != NULL, "%s", fixture_told(&amended.findings));
    ck_assert_uint_eq(amended.config->key_count, 2);
    ck_assert(text_equal(amended.config->keys[0].team, TEXT("research")));
    ck_assert_int_eq(amended.config->budgets[0].limit[UNIT_USD], 5000000000);
    fixture_close(&amended);
}
END_TEST

START_TEST(a_name_that_comes_from_the_environment_is_the_files_too)
{
    static const char yaml[] =
        UPSTREAMS BUDGETS "keys: [{id: \"${KEY}\", key: key-of-somebody-0123}]\n";
    const struct config_amendment all[] = {
        amendment(AMEND_KEY, "secret-from-outside", "{\"id\":\"secret-from-outside\"}")};
    struct fixture amended = load(yaml, all, UNIT_COUNT(all));
    ck_assert_msg(amended.config != NULL, "%s", fixture_told(&amended.findings));
    ck_assert_uint_eq(amended.config->key_count, 1);
    fixture_close(&amended);
}
END_TEST

START_TEST(limits_change_a_budget_of_the_file_and_one_made_at_run_time)
{
    const struct config_amendment all[] = {
        amendment(AMEND_LIMITS, "mine", "{\"usd\":7}"),
        amendment(AMEND_LIMITS, "daily", "{\"usd\":\"80\",\"requests\":3}"),
        amendment(AMEND_LIMITS, "nobody", "{\"usd\":1}"),
        amendment(AMEND_BUDGET, "mine",
                  "{\"name\":\"mine\",\"scope\":\"key\",\"window\":\"day\",\"usd\":1}"),
    };
    struct fixture amended = load(FILE_OF, all, UNIT_COUNT(all));
    const struct config *config = amended.config;
    ck_assert_msg(config != NULL, "%s", fixture_told(&amended.findings));
    ck_assert_int_eq(config->budgets[0].limit[UNIT_USD], 80000000000);
    ck_assert_int_eq(config->budgets[0].limit[UNIT_REQUESTS], 3);
    ck_assert_int_eq(config->budgets[1].limit[UNIT_USD], 7000000000);
    fixture_close(&amended);
}
END_TEST

/* Also where two budgets have the same overrides by an alias, and a budget had none. */
START_TEST(limits_of_one_id_leave_those_of_others_as_they_are)
{
    static const char file[] =
        KEYS UPSTREAMS "budgets:\n"
                       "  - {name: a, scope: session, window: day, usd: 5, requests: 9,\n"
                       "     overrides: &all {x: {usd: 1, requests: 2}, y: {usd: 3}}}\n"
                       "  - {name: b, scope: session, window: hour, usd: 5, requests: 9,\n"
                       "     overrides: *all}\n"
                       "  - {name: c, scope: session, window: month, usd: 5}\n";
    const struct config_amendment all[] = {
        amendment(AMEND_LIMITS, "a",
                  "{\"overrides\":{\"x\":{\"usd\":7},\"z\\u00e9\":{\"usd\":8}}}"),
        amendment(AMEND_LIMITS, "c", "{\"overrides\":{\"x\":{\"usd\":4}}}"),
    };
    struct fixture amended = load(file, all, UNIT_COUNT(all));
    const struct config *config = amended.config;
    ck_assert_msg(config != NULL, "%s", fixture_told(&amended.findings));
    const struct budget *a = &config->budgets[0], *b = &config->budgets[1];
    ck_assert_uint_eq(a->override_count, 3);
    ck_assert_int_eq(a->overrides[0].limit[UNIT_USD], 7000000000);
    ck_assert_int_eq(a->overrides[0].limit[UNIT_REQUESTS], 2);
    ck_assert_int_eq(a->overrides[1].limit[UNIT_USD], 3000000000);
    UNIT_TEXT(a->overrides[2].id, "z\xc3\xa9");
    ck_assert_uint_eq(b->override_count, 2);
    ck_assert_int_eq(b->overrides[0].limit[UNIT_USD], 1000000000);
    ck_assert_int_eq(config->budgets[2].overrides[0].limit[UNIT_USD], 4000000000);
    ck_assert_int_eq(config->budgets[2].limit[UNIT_USD], 5000000000);
    fixture_close(&amended);
}
END_TEST

START_TEST(lists_that_the_file_does_not_have_are_made)
{
    static const char *const files[] = {KEYS UPSTREAMS, KEYS UPSTREAMS "budgets:\n",
                                        KEYS UPSTREAMS "budgets: []\n"};
    const struct config_amendment all[] = {
        amendment(AMEND_LIMITS, "other", "{\"usd\":1}"),
        amendment(AMEND_BUDGET, "mine",
                  "{\"name\":\"mine\",\"scope\":\"global\",\"window\":\"day\",\"usd\":1}"),
    };
    for (size_t i = 0; i < UNIT_COUNT(files); i++) {
        struct fixture amended = load(files[i], all, UNIT_COUNT(all));
        ck_assert_msg(amended.config != NULL, "%s", fixture_told(&amended.findings));
        ck_assert_uint_eq(amended.config->budget_count, 1);
        ck_assert_uint_eq(amended.config->own_budget_count, 0);
        ck_assert_uint_eq(amended.findings.count, 0);
        fixture_close(&amended);
    }
}
END_TEST

START_TEST(findings_name_what_was_made_and_have_no_line)
{
    static const struct {
        enum amendment kind;
        const char *name, *body, *told;
    } rows[] = {
        {AMEND_BUDGET, "x", "{\"name\":\"x\",\"scope\":\"global\",\"window\":\"day\",\"usd\":1}",
         "the run-time budget \"x\": counts the same as budgets[0]"},
        {AMEND_BUDGET, "x", "{\"name\":\"x\",\"scope\":\"key\",\"window\":\"day\",\"usd\":true}",
         "the run-time budget \"x\".usd: "},
        {AMEND_BUDGET, "x", "{\"name\":\"x\",\"scope\":\"key\",\"window\":\"day\"}",
         "the run-time budget \"x\": limits nothing"},
        {AMEND_KEY, "x", "{\"id\":\"x\"}", "the run-time key \"x\": has no key"},
        {AMEND_KEY, "x", "{\"id\":\"x\",\"hash\":\"sha256:" DIGEST "\",\"user\":\"${KEY}\"}",
         "the run-time key \"x\".user: names a variable of the environment"},
        {AMEND_KEY, "x", "{\"id\":\"x\",\"id\":\"y\",\"hash\":\"sha256:" DIGEST "\"}",
         "\"id\" stands here twice"},
        {AMEND_LIMITS, "daily", "{\"usd\":\"lots\"}", "budgets[0].usd: "},
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        const struct config_amendment one = amendment(rows[i].kind, rows[i].name, rows[i].body);
        struct fixture amended = load(FILE_OF, &one, 1);
        ck_assert_msg(amended.config == NULL, "%s", rows[i].body);
        ck_assert_msg(fixture_has(&amended.findings, 0, rows[i].told), "%s: %s", rows[i].body,
                      fixture_told(&amended.findings));
        ck_assert_ptr_null(strstr(fixture_told(&amended.findings), "secret-from-outside"));
        fixture_close(&amended);
    }
}
END_TEST

START_TEST(that_a_budget_matches_nobody_is_a_warning)
{
    const struct config_amendment one =
        amendment(AMEND_BUDGET, "x",
                  "{\"name\":\"x\",\"scope\":\"team\",\"match\":{\"team\":"
                  "\"nobody\"},\"window\":\"day\",\"usd\":1}");
    struct fixture amended = load(FILE_OF, &one, 1);
    ck_assert_ptr_nonnull(amended.config);
    ck_assert(
        fixture_has(&amended.findings, 0, "the run-time budget \"x\".match: matches nothing"));
    fixture_close(&amended);
}
END_TEST

START_TEST(a_file_must_do_without_what_was_made_at_run_time)
{
    const struct config_amendment one =
        amendment(AMEND_KEY, "carl", "{\"id\":\"carl\",\"hash\":\"sha256:" DIGEST "\"}");
    static const char open[] = UPSTREAMS BUDGETS "auth: {mode: open}\n";
    struct fixture file = fixture_load(open), amended = {0};
    const struct config_amendments amendments = {&one, 1};
    ck_assert_msg(file.config != NULL, "%s", fixture_told(&file.findings));
    file.config->source = text_of(UPSTREAMS BUDGETS);
    amended.config = config_amend(file.config, &amendments, fixture_env, &amended.findings);
    ck_assert_ptr_null(amended.config);
    ck_assert_msg(fixture_has(&amended.findings, 0, "nobody may call"), "%s",
                  fixture_told(&amended.findings));
    fixture_close(&file);
    fixture_close(&amended);
}
END_TEST

START_TEST(thousands_of_keys_are_no_trouble)
{
    enum { COUNT = 5000 };
    struct arena arena = {0};
    struct config_amendment *all = arena_new(&arena, COUNT * sizeof(*all));
    for (int i = 0; i < COUNT; i++) {
        struct text name = arena_printf(&arena, "key-%d", i);
        all[i] = (struct config_amendment){
            AMEND_KEY, name,
            arena_printf(&arena, "{\"id\":\"%s\",\"hash\":\"sha256:%064d\"}", name.at, i + 1)};
    }
    struct fixture amended = load(FILE_OF, all, COUNT);
    ck_assert_msg(amended.config != NULL, "%s", fixture_told(&amended.findings));
    ck_assert_uint_eq(amended.config->key_count, COUNT + 2);
    fixture_close(&amended);
    arena_close(&arena);
}
END_TEST

UNIT_MAIN(keys_and_budgets_stand_behind_those_of_the_file,
          an_entry_of_the_file_wins_over_the_same_name,
          a_name_that_comes_from_the_environment_is_the_files_too,
          limits_change_a_budget_of_the_file_and_one_made_at_run_time,
          limits_of_one_id_leave_those_of_others_as_they_are,
          lists_that_the_file_does_not_have_are_made, findings_name_what_was_made_and_have_no_line,
          that_a_budget_matches_nobody_is_a_warning,
          a_file_must_do_without_what_was_made_at_run_time, thousands_of_keys_are_no_trouble)
