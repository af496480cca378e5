/* Did you mean ...? */
#include "../unit.h"
#include "config/suggest.h"

START_TEST(counts_the_edits_between_two_texts)
{
    ck_assert_uint_eq(suggest_distance(TEXT(""), TEXT("")), 0);
    ck_assert_uint_eq(suggest_distance(TEXT("abc"), TEXT("")), 3);
    ck_assert_uint_eq(suggest_distance(TEXT("kitten"), TEXT("sitting")), 3);
    ck_assert_uint_eq(suggest_distance(TEXT("listne"), TEXT("listen")), 1);
    ck_assert_uint_eq(suggest_distance(TEXT("ab"), TEXT("ba")), 1);
    ck_assert_uint_eq(suggest_distance(TEXT("window"), TEXT("window")), 0);
}
END_TEST

START_TEST(does_not_compare_texts_beyond_its_limit)
{
    char most[SUGGEST_MOST + 1];
    memset(most, 'x', sizeof(most));
    ck_assert_uint_eq(suggest_distance(text_make(most, SUGGEST_MOST), TEXT("")), SUGGEST_MOST);
    ck_assert_uint_eq(suggest_distance(text_make(most, sizeof(most)), TEXT("")), SIZE_MAX);
}
END_TEST

START_TEST(offers_the_nearest_name_and_the_first_of_equals)
{
    struct suggest suggest = {.wrong = TEXT("timezon")};
    suggest_offer(&suggest, TEXT("timeouts"));
    suggest_offer(&suggest, TEXT("timezone"));
    suggest_offer(&suggest, TEXT("timezones"));
    UNIT_TEXT(suggest.best, "timezone");
}
END_TEST

START_TEST(offers_nothing_that_is_far_away)
{
    struct suggest suggest = {.wrong = TEXT("banana")};
    suggest_offer(&suggest, TEXT("listen"));
    suggest_offer(&suggest, TEXT("workers"));
    ck_assert_ptr_null(suggest.best.at);
}
END_TEST

START_TEST(compares_no_more_names_than_it_may)
{
    size_t left = 2;
    struct suggest suggest = {.wrong = TEXT("timezon"), .left = &left};
    suggest_offer(&suggest, TEXT("timezone-of-somewhere")); /* its length is enough to know */
    suggest_offer(&suggest, TEXT("timeouts"));
    suggest_offer(&suggest, TEXT("time-zon"));
    suggest_offer(&suggest, TEXT("timezon_"));
    UNIT_TEXT(suggest.best, "time-zon");
    ck_assert_uint_eq(left, 0);
}
END_TEST

UNIT_MAIN(counts_the_edits_between_two_texts, does_not_compare_texts_beyond_its_limit,
          offers_the_nearest_name_and_the_first_of_equals, offers_nothing_that_is_far_away,
          compares_no_more_names_than_it_may)
