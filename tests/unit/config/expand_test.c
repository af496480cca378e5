/* ${NAME} and ${NAME:-default}. */
#include "config/expand.h"
#include "fixture.h"

static const struct {
    const char *written, *expanded;
} GOOD[] = {
    {"", ""},
    {"plain $5 {x}", "plain $5 {x}"},
    {"${KEY}", "secret-from-outside"},
    {"a ${PORT}:${PORT} b", "a 9090:9090 b"},
    {"${EMPTY}", ""},
    {"${EMPTY:-x}", "x"},
    {"${NOBODY:-}", ""},
    {"${NOBODY:-a:-b}", "a:-b"},
    {"${PORT:-1}", "9090"},
    {"${CLEVER}", "${KEY}"}, /* what is put in is not looked at again */
};

START_TEST(takes_values_from_the_environment)
{
    for (size_t i = 0; i < UNIT_COUNT(GOOD); i++) {
        struct arena arena = {0};
        struct fault fault;
        struct text expanded;
        ck_assert_msg(expand_text(&arena, fixture_env, text_of(GOOD[i].written), &expanded, &fault),
                      "%s", GOOD[i].written);
        UNIT_TEXT(expanded, GOOD[i].expanded);
        arena_close(&arena);
    }
}
END_TEST

static const struct {
    const char *written, *told;
} WRONG[] = {
    {"${NOBODY}", "NOBODY is not set: set it, or write a default as in ${NOBODY:-default}"},
    {"${KEY", "without a \"}\""},
    {"${}", "no reference to a variable"},
    {"${:-x}", "no reference to a variable"},
    {"${1A}", "no reference to a variable"},
    {"${A B}", "no reference to a variable"},
    {"${NOBODY:-${KEY}}", "inside another one"},
    {"${BROKEN}", "line break"},
    {"tab\there", "control character"},
};

START_TEST(refuses_what_cannot_be_replaced)
{
    for (size_t i = 0; i < UNIT_COUNT(WRONG); i++) {
        struct arena arena = {0};
        struct fault fault;
        struct text expanded = TEXT("untouched");
        ck_assert(!expand_text(&arena, fixture_env, text_of(WRONG[i].written), &expanded, &fault));
        ck_assert_msg(strstr(fault.message, WRONG[i].told) != NULL, "%s", fault.message);
        UNIT_TEXT(expanded, "untouched");
        arena_close(&arena);
    }
}
END_TEST

START_TEST(names_the_line_of_a_missing_variable)
{
    REFUSES(KEYS "upstreams:\n"
                 "  - name: a\n"
                 "    base_url: https://api.openai.com/v1\n"
                 "    api_key: ${NOBODY}\n" BUDGETS,
            7, "upstreams[0].api_key: the environment variable NOBODY is not set");
}
END_TEST

UNIT_MAIN(takes_values_from_the_environment, refuses_what_cannot_be_replaced,
          names_the_line_of_a_missing_variable)
