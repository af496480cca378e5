/* Failures on their way up. */
#include "../unit.h"
#include "base/fault.h"

START_TEST(carries_the_sentence_and_its_context)
{
    struct fault fault;
    ck_assert(!fault_set(&fault, "line %d: no such option", 3));
    ck_assert_str_eq(fault.message, "line 3: no such option");
    ck_assert(!fault_prefix(&fault, "%s", "purser.yaml"));
    ck_assert_str_eq(fault.message, "purser.yaml: line 3: no such option");
}
END_TEST

START_TEST(may_be_ignored)
{
    ck_assert(!fault_set(NULL, "%d", 1));
    ck_assert(!fault_prefix(NULL, "%d", 1));
}
END_TEST

START_TEST(cuts_what_is_too_long)
{
    struct fault fault;
    fault_set(&fault, "%*s", 2000, "x");
    ck_assert_uint_eq(strlen(fault.message), sizeof(fault.message) - 1);
    fault_prefix(&fault, "short");
    ck_assert_uint_eq(strlen(fault.message), sizeof(fault.message) - 1);
    ck_assert(text_starts(text_of(fault.message), TEXT("short: ")));
    fault_prefix(&fault, "%*s", 2000, "x");
    ck_assert_uint_eq(strlen(fault.message), sizeof(fault.message) - 1);
}
END_TEST

START_TEST(takes_itself_as_an_argument)
{
    struct fault fault;
    fault_set(&fault, "inner");
    struct fault outer;
    fault_set(&outer, "outer (%s)", fault.message);
    ck_assert_str_eq(outer.message, "outer (inner)");
}
END_TEST

UNIT_MAIN(carries_the_sentence_and_its_context, may_be_ignored, cuts_what_is_too_long,
          takes_itself_as_an_argument)
