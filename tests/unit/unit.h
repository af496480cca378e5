/*
 * What every unit test program needs: a main() that runs its tests, and comparing text.
 *
 *     START_TEST(adds_two_numbers) { ... } END_TEST
 *     UNIT_MAIN(adds_two_numbers, subtracts_too)
 */
#ifndef PURSER_TESTS_UNIT_H
#define PURSER_TESTS_UNIT_H

#include <check.h>
#include <stdlib.h>

#include "base/text.h"

static inline int unit_run(const char *file, const TTest *const *tests, size_t count)
{
    Suite *suite = suite_create(file);
    TCase *group = tcase_create("all");
    tcase_set_timeout(group, 120);
    for (size_t i = 0; i < count; i++)
        tcase_add_test(group, tests[i]);
    suite_add_tcase(suite, group);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define UNIT_MAIN(...)                                                                             \
    int main(void)                                                                                 \
    {                                                                                              \
        const TTest *const tests[] = {__VA_ARGS__};                                                \
        return unit_run(__FILE__, tests, sizeof(tests) / sizeof(tests[0]));                        \
    }

/* `have` is a struct text, `want` a C string. */
#define UNIT_TEXT(have, want)                                                                      \
    do {                                                                                           \
        struct text unit_have = (have);                                                            \
        struct text unit_want = text_of(want);                                                     \
        ck_assert_msg(text_equal(unit_have, unit_want), "%s is \"%.*s\", not \"%.*s\"", #have,     \
                      TEXT_ARG(unit_have), TEXT_ARG(unit_want));                                   \
    } while (0)

/* The number of entries of an array. */
#define UNIT_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
