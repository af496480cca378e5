/* The names of scopes. */
#include "../unit.h"
#include "money/scope.h"

START_TEST(every_name_reads_back_as_its_scope)
{
    for (unsigned at = 0; at < SCOPE_COUNT; at++) {
        enum scope scope = SCOPE_COUNT;
        ck_assert(scope_parse(text_of(scope_name((enum scope)at)), &scope));
        ck_assert_uint_eq(scope, at);
    }
}
END_TEST

START_TEST(names_are_those_of_the_configuration)
{
    ck_assert_str_eq(scope_name(SCOPE_GLOBAL), "global");
    ck_assert_str_eq(scope_name(SCOPE_TAG), "tag");
    ck_assert_str_eq(scope_name(SCOPE_REQUEST), "request");
}
END_TEST

START_TEST(refuses_other_names)
{
    enum scope scope = SCOPE_TEAM;
    ck_assert(!scope_parse(TEXT(""), &scope));
    ck_assert(!scope_parse(TEXT("Team"), &scope));
    ck_assert(!scope_parse(TEXT("teams"), &scope));
    ck_assert(!scope_parse(TEXT("tea"), &scope));
    ck_assert_uint_eq(scope, SCOPE_TEAM);
}
END_TEST

UNIT_MAIN(every_name_reads_back_as_its_scope, names_are_those_of_the_configuration,
          refuses_other_names)
