/* Counting by workers, and adding up for who asks. */
#include <stdio.h>

#include "../unit.h"
#include "gear/tally.h"

static void note(struct tally *tally, const char *model, int status)
{
    const struct tally_call call = {.endpoint = ENDPOINT_CHAT,
                                    .status = status,
                                    .model = text_of(model),
                                    .cost_nano = 7,
                                    .tokens = {10, 4, 5, 1}};
    tally_call(tally, &call);
}

static struct tally_sum sums[TALLY_MODELS_MOST + 1];

START_TEST(workers_are_added_up_by_the_names_of_models)
{
    struct tallies tallies = {NULL};
    struct tally *a = memory_new(sizeof *a), *b = memory_new(sizeof *b);
    tally_register(&tallies, a);
    tally_register(&tallies, b);
    note(a, "x", 200);
    note(a, "y", 200);
    note(b, "y", 502);
    ck_assert_uint_eq(tallies_calls(&tallies, ENDPOINT_CHAT, TALLY_2XX), 2);
    ck_assert_uint_eq(tallies_calls(&tallies, ENDPOINT_CHAT, TALLY_5XX), 1);
    ck_assert_uint_eq(tallies_calls(&tallies, ENDPOINT_EMBEDDINGS, TALLY_2XX), 0);
    ck_assert_uint_eq(tallies_models(&tallies, sums), 2);
    const struct tally_sum *y = text_equal(sums[0].name, TEXT("y")) ? &sums[0] : &sums[1];
    UNIT_TEXT(y->name, "y");
    ck_assert_uint_eq(y->calls, 2);
    ck_assert_uint_eq(y->cost_nano, 14);
    ck_assert_uint_eq(y->tokens[TALLY_PROMPT], 20);
    ck_assert_uint_eq(y->tokens[TALLY_REASONING], 2);
    tally_refusal(a, 3);
    tally_refusal(b, 3);
    ck_assert_uint_eq(tallies_refusals(&tallies, 3), 2);
    tally_close(a);
    tally_close(b);
    free(a);
    free(b);
}
END_TEST

START_TEST(names_without_end_are_others)
{
    struct tallies tallies = {NULL};
    struct tally *tally = memory_new(sizeof *tally);
    tally_register(&tallies, tally);
    for (int i = 0; i < TALLY_MODELS_MOST + 50; i++) {
        char name[20];
        (void)snprintf(name, sizeof name, "model-%d", i);
        note(tally, name, 200);
        note(tally, name, 200);
    }
    ck_assert_uint_eq(tallies_models(&tallies, sums), TALLY_MODELS_MOST + 1);
    UNIT_TEXT(sums[TALLY_MODELS_MOST].name, "(other)");
    ck_assert_uint_eq(sums[TALLY_MODELS_MOST].calls, 100);
    for (int i = 0; i < TALLY_MODELS_MOST; i++)
        ck_assert_uint_eq(sums[i].calls, 2);
    tally_close(tally);
    free(tally);
}
END_TEST

START_TEST(an_empty_list_has_nothing)
{
    struct tallies tallies = {NULL};
    ck_assert_uint_eq(tallies_models(&tallies, sums), 0);
    ck_assert_uint_eq(tallies_refusals(&tallies, 0), 0);
}
END_TEST

UNIT_MAIN(workers_are_added_up_by_the_names_of_models, names_without_end_are_others,
          an_empty_list_has_nothing)
