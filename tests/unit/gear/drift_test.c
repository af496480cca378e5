/* What is reported against what was counted, and what is learned of it. */
#include <stdio.h>

#include "../unit.h"
#include "gear/drift.h"

static struct drift drift;

static void note(const char *model, bool exact, int64_t counted, int64_t reported)
{
    const struct drift_sample sample = {.model = text_of(model),
                                        .exact = exact,
                                        .counted = counted,
                                        .reported = reported,
                                        .now_s = 1000};
    drift_note(&drift, &sample);
}

static struct drift_view view_of(const char *model)
{
    struct drift_view views[DRIFT_MODELS_MOST];
    for (size_t i = drift_view(&drift, views); i > 0; i--) {
        if (text_equal(views[i - 1].name, text_of(model)))
            return views[i - 1];
    }
    ck_abort_msg("%s is not known", model);
    return views[0];
}

START_TEST(nothing_is_learned_before_there_is_enough)
{
    int64_t permille = -1;
    drift_open(&drift);
    for (int i = 1; i < DRIFT_ENOUGH; i++)
        note("claude", false, 100, 140);
    ck_assert(!drift_learned(&drift, TEXT("claude"), &permille));
    note("claude", false, 100, 140);
    ck_assert(drift_learned(&drift, TEXT("claude"), &permille));
    ck_assert_int_eq(permille, 1400 * 11 / 10 + 1);
    ck_assert(!drift_learned(&drift, TEXT("other"), &permille));
    drift_close(&drift);
}
END_TEST

START_TEST(the_largest_of_the_last_ones_is_what_is_learned)
{
    int64_t permille = -1;
    drift_open(&drift);
    note("claude", false, 100, 300);
    for (int i = 1; i < DRIFT_KEPT; i++)
        note("claude", false, 100, 120);
    ck_assert(drift_learned(&drift, TEXT("claude"), &permille));
    ck_assert_int_eq(permille, 3301);
    note("claude", false, 3, 4); /* rounded up; the first one is forgotten */
    ck_assert(drift_learned(&drift, TEXT("claude"), &permille));
    ck_assert_int_eq(permille, 1334 * 11 / 10 + 1);
    drift_close(&drift);
}
END_TEST

START_TEST(what_differs_is_told_apart)
{
    drift_open(&drift);
    for (int i = 0; i < 20; i++)
        note("gpt-4o", true, 100, i < 12 ? 100 : 99);
    struct drift_view view = view_of("gpt-4o");
    ck_assert(view.exact);
    ck_assert_int_eq(view.samples, 20);
    ck_assert_int_eq(view.different, 8);
    ck_assert_int_eq(view.permille, 1000);
    drift_close(&drift);
}
END_TEST

START_TEST(reports_without_measure_do_no_harm)
{
    drift_open(&drift);
    note("m", false, 1, INT64_C(1000000000000));
    ck_assert_int_eq(view_of("m").permille, DRIFT_MOST_PERMILLE);
    drift_close(&drift);
}
END_TEST

START_TEST(models_beyond_the_bound_are_not_looked_at)
{
    struct drift_view views[DRIFT_MODELS_MOST];
    drift_open(&drift);
    for (int i = 0; i < DRIFT_MODELS_MOST + 10; i++) {
        char name[20];
        (void)snprintf(name, sizeof name, "model-%d", i);
        note(name, false, 1, 1);
    }
    ck_assert_uint_eq(drift_view(&drift, views), DRIFT_MODELS_MOST);
    drift_close(&drift);
}
END_TEST

static void note_tools(int64_t counted, int64_t reported)
{
    const struct drift_sample sample = {.model = TEXT("gpt-4o"),
                                        .exact = true,
                                        .tools = true,
                                        .counted = counted,
                                        .reported = reported,
                                        .now_s = 1000};
    drift_note(&drift, &sample);
}

static void confirm(void)
{
    for (int i = 1; i < DRIFT_TOOLS_ENOUGH; i++)
        note_tools(100, 90 + i % 11);
    ck_assert(!drift_tools_confirmed(&drift, TEXT("gpt-4o")));
    note_tools(100, 100);
    ck_assert(drift_tools_confirmed(&drift, TEXT("gpt-4o")));
}

START_TEST(the_estimate_of_tools_is_confirmed_by_enough_calls_in_a_row)
{
    drift_open(&drift);
    ck_assert(!drift_tools_confirmed(&drift, TEXT("gpt-4o")));
    drift_tools_refuted(&drift, TEXT("gpt-4o")); /* of an unknown one nothing happens */
    note("gpt-4o", true, 100, 100);              /* texts confirm nothing */
    confirm();
    ck_assert(!drift_tools_confirmed(&drift, TEXT("gpt-4.1")));
    note_tools(100, 101);
    ck_assert(!drift_tools_confirmed(&drift, TEXT("gpt-4o")));
    confirm();
    drift_tools_refuted(&drift, TEXT("gpt-4o"));
    ck_assert(!drift_tools_confirmed(&drift, TEXT("gpt-4o")));
    confirm();
    drift_close(&drift);
}
END_TEST

START_TEST(tools_say_nothing_of_a_tokeniser)
{
    drift_open(&drift);
    for (int i = 0; i < 100; i++)
        note_tools(100, 50);
    ck_assert_int_eq(view_of("gpt-4o").samples, 0);
    ck_assert_int_eq(view_of("gpt-4o").different, 0);
    drift_close(&drift);
}
END_TEST

UNIT_MAIN(the_estimate_of_tools_is_confirmed_by_enough_calls_in_a_row,
          tools_say_nothing_of_a_tokeniser, nothing_is_learned_before_there_is_enough,
          the_largest_of_the_last_ones_is_what_is_learned, what_differs_is_told_apart,
          reports_without_measure_do_no_harm, models_beyond_the_bound_are_not_looked_at)
