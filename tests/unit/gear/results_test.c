/* The results of batches: each line is priced by itself, whatever pieces they come in. */
#include "gear/results.h"

#include <stdio.h>

#include "../unit.h"

#define GOOD(id, prompt, completion)                                                               \
    "{\"custom_id\":\"" id "\",\"response\":{\"status_code\":200,\"body\":{\"service_tier\":"      \
    "\"default\",\"usage\":{\"prompt_tokens\":" #prompt ",\"completion_tokens\":" #completion      \
    "}}},\"error\":null}"

/* 1.5 and 2.5 nano-dollars a token; in a batch half of it. */
static struct price batch_price(void)
{
    struct price price = {.tier_count = 1, .tiers = {{.above_input_tokens = -1}}};
    for (int i = 0; i < BUCKET_COUNT; i++)
        price.tiers[0].rates.pico[i] = 750;
    price.tiers[0].rates.pico[BUCKET_OUTPUT] = 1250;
    price.tiers[0].rates.pico[BUCKET_REASONING] = 1250;
    return price;
}

static struct results read_all(const struct price *price, const char *lines, size_t piece)
{
    struct results results = {.price = price};
    struct text rest = text_of(lines);
    while (rest.size > 0) {
        size_t size = rest.size < piece ? rest.size : piece;
        results_feed(&results, text_slice(rest, 0, size));
        rest = text_from(rest, size);
    }
    results_end(&results);
    results_close(&results);
    return results;
}

START_TEST(each_line_is_rounded_up_by_itself)
{
    struct price batch = batch_price();
    struct price price = batch;
    for (int i = 0; i < BUCKET_COUNT; i++)
        price.tiers[0].rates.pico[i] *= 2;
    price.services[SERVICE_BATCH] = &batch;
    static const char lines[] = GOOD("a", 1, 0) "\n" GOOD("b", 1, 0) "\n\n" GOOD("c", 2, 2) "\r\n";
    for (size_t piece = 1; piece < sizeof(lines); piece += 13) {
        struct results results = read_all(&price, lines, piece);
        ck_assert(!results.unclear);
        ck_assert_int_eq(results.lines, 3);
        ck_assert_int_eq(results.succeeded, 3);
        ck_assert_int_eq(results.prompt_tokens, 4);
        ck_assert_int_eq(results.completion_tokens, 2);
        ck_assert_int_eq(results.cost.nano, 1 + 1 + 4);
        ck_assert_int_eq(results.standard.nano, 2 + 2 + 8);
    }
}
END_TEST

/* A line's answer may name the tier it would have had as a request of its own. */
START_TEST(without_a_batch_price_the_standard_one_counts)
{
    struct price price = batch_price();
    struct results results = read_all(&price, GOOD("a", 4, 0), 1000);
    ck_assert_int_eq(results.cost.nano, 3);
    ck_assert_int_eq(results.standard.nano, 3);
}
END_TEST

START_TEST(lines_that_failed_cost_nothing)
{
    struct price price = batch_price();
    struct results results = read_all(
        &price,
        "{\"custom_id\":\"a\",\"response\":{\"status_code\":400,\"body\":{\"error\":{}}}}\n"
        "{\"custom_id\":\"a\",\"response\":null,\"error\":{\"code\":\"batch_expired\"}}\n",
        1000);
    ck_assert(!results.unclear);
    ck_assert_int_eq(results.lines, 2);
    ck_assert_int_eq(results.succeeded, 0);
    ck_assert_int_eq(results.cost.nano, 0);
}
END_TEST

START_TEST(what_is_not_understood_is_unclear)
{
    static const char *const lines[] = {
        "nonsense",
        "[]",
        "{}",
        "{\"response\":7}",
        "{\"response\":{}}",
        "{\"response\":{\"status_code\":\"200\"}}",
        "{\"response\":{\"status_code\":200}}",
        "{\"response\":{\"status_code\":200,\"body\":{}}}",
        "{\"response\":{\"status_code\":200,\"body\":{\"usage\":{\"prompt_tokens\":-1}}}}",
        "{\"response\":{\"status_code\":200,\"body\":{\"usage\":null}}}",
    };
    struct price price = batch_price();
    for (size_t i = 0; i < UNIT_COUNT(lines); i++) {
        char both[400];
        (void)snprintf(both, sizeof(both), "%s\n" GOOD("b", 1, 0) "\n", lines[i]);
        struct results results = read_all(&price, both, 7);
        ck_assert_msg(results.unclear, "%s", lines[i]);
        ck_assert_int_eq(results.lines, 2);
    }
}
END_TEST

UNIT_MAIN(each_line_is_rounded_up_by_itself, without_a_batch_price_the_standard_one_counts,
          lines_that_failed_cost_nothing, what_is_not_understood_is_unclear)
