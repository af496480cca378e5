/* The price function: vectors from unlimited integers, and properties over random calls. */
#include "../unit.h"
#include "money/price.h"

#define ROUNDS 20000

struct vector {
    struct price prices[SERVICE_COUNT]; /* without tiers: not known */
    struct usage_buckets usage;
    struct bound bound;
    int64_t max_output;
    int64_t cost;
    int64_t worst;
    int64_t tokens;
    int64_t available;
    int64_t most;
    int64_t affordable;
};

#include "price_vectors.h"

/* gpt-4o-mini: 0.15, cached 0.075, out 0.60 */
static const struct price MINI = {
    .tier_count = 1, .tiers = {{-1, {{150000, 75000, 150000, 150000, 600000, 600000}}}}};

/* Above 1000 input tokens everything is dearer. */
static const struct price TIERED = {.tier_count = 2,
                                    .tiers = {{-1, {{10000, 1000, 12000, 50000, 40000, 90000}}},
                                              {1000, {{20000, 2000, 24000, 60000, 60000, 95000}}}}};

/* xorshift64: the same calls in every run. */
static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* 0..most, small numbers as often as large ones. */
static int64_t random_upto(uint64_t *state, int64_t most)
{
    int bits = (int)(random_next(state) % 63) + 1;
    int64_t number = (int64_t)(random_next(state) >> (64 - bits));
    return number % (most + 1);
}

static struct price random_price(uint64_t *state)
{
    struct price price = {.tier_count = 1 + (int)random_upto(state, PRICE_MAX_TIERS - 1),
                          .request_pico = random_upto(state, PRICE_MOST_FEE_PICO)};
    int64_t above = -1;
    for (int tier = 0; tier < price.tier_count; tier++) {
        price.tiers[tier].above_input_tokens = above;
        above += 1 + random_upto(state, 300000);
        for (int bucket = 0; bucket < BUCKET_COUNT; bucket++) {
            price.tiers[tier].rates.pico[bucket] = random_upto(state, PRICE_MOST_PICO);
        }
    }
    return price;
}

/* A price whose other services are in `others`. */
static struct price random_offer(uint64_t *state, struct price others[SERVICE_COUNT])
{
    struct price price = random_price(state);
    for (int service = SERVICE_STANDARD + 1; service < SERVICE_COUNT; service++) {
        others[service] = random_price(state);
        price.services[service] = random_next(state) % 2 == 0 ? &others[service] : NULL;
    }
    return price;
}

static struct bound random_bound(uint64_t *state)
{
    return (struct bound){.input_tokens = random_upto(state, 2000000),
                          .choices = random_upto(state, 300),
                          .extra_output = random_upto(state, 5000),
                          .audio = random_next(state) % 2 == 0,
                          .output_free = random_next(state) % 8 == 0,
                          .services = (unsigned)random_upto(state, 15)};
}

/* Any mix of buckets within the bound. */
static struct usage_buckets random_usage(uint64_t *state, const struct bound *bound,
                                         int64_t max_output)
{
    struct usage_buckets usage = {0};
    int64_t input =
        random_next(state) % 2 == 0 ? bound->input_tokens : random_upto(state, bound->input_tokens);
    int64_t output = bound->extra_output;
    output += bound->output_free ? 0 : bound->choices * max_output;
    static const enum bucket inputs[] = {BUCKET_CACHED_INPUT,   BUCKET_CACHE_WRITE,
                                         BUCKET_CACHE_WRITE_1H, BUCKET_IMAGE_INPUT,
                                         BUCKET_AUDIO_INPUT,    BUCKET_CACHED_AUDIO};
    static const enum bucket outputs[] = {BUCKET_REASONING, BUCKET_IMAGE_OUTPUT,
                                          BUCKET_AUDIO_OUTPUT};
    for (size_t i = 0; i < UNIT_COUNT(inputs) - (bound->audio ? 0 : 2); i++) {
        usage.tokens[inputs[i]] = random_upto(state, input);
        input -= usage.tokens[inputs[i]];
    }
    usage.tokens[BUCKET_INPUT] = input;
    for (size_t i = 0; i < UNIT_COUNT(outputs) - (bound->audio ? 0 : 1); i++) {
        usage.tokens[outputs[i]] = random_upto(state, output);
        output -= usage.tokens[outputs[i]];
    }
    usage.tokens[BUCKET_OUTPUT] = output;
    usage.services = (bound->services | 1) & (unsigned)random_upto(state, 15);
    return usage;
}

/* The vector's price with those of its other services. */
static struct price offer_of(const struct vector *v)
{
    struct price price = v->prices[SERVICE_STANDARD];
    for (int service = SERVICE_STANDARD + 1; service < SERVICE_COUNT; service++)
        price.services[service] = v->prices[service].tier_count > 0 ? &v->prices[service] : NULL;
    return price;
}

START_TEST(agrees_with_unlimited_integers)
{
    for (size_t at = 0; at < UNIT_COUNT(VECTORS); at++) {
        const struct vector *v = &VECTORS[at];
        const struct price price = offer_of(v);
        ck_assert_int_eq(price_cost(&price, &v->usage).nano, v->cost);
        ck_assert_int_eq(price_bound(&price, &v->bound, v->max_output).nano, v->worst);
        ck_assert_int_eq(bound_tokens(&v->bound, v->max_output), v->tokens);
        struct money available = {v->available};
        ck_assert_int_eq(price_affordable(&price, &v->bound, available, v->most), v->affordable);
    }
}
END_TEST

START_TEST(prices_a_plain_call_by_hand)
{
    /* 1000 × $0.15/1M + 200 × $0.075/1M + 500 × $0.60/1M = $0.000465 */
    struct usage_buckets usage = {.tokens = {1000, 200, 0, 0, 500, 0}};
    ck_assert_int_eq(price_cost(&MINI, &usage).nano, 465000);
}
END_TEST

START_TEST(rounds_up_once_per_call)
{
    struct usage_buckets one = {.tokens = {0, 1, 0, 0, 0, 0}}; /* 75 nano-dollars exactly */
    ck_assert_int_eq(price_cost(&MINI, &one).nano, 75);
    struct price odd = {.tier_count = 1, .tiers = {{-1, {{1, 1, 1, 1, 1, 1}}}}};
    struct usage_buckets three = {.tokens = {1, 1, 0, 0, 1, 0}};
    ck_assert_int_eq(price_cost(&odd, &three).nano, 1);
    struct usage_buckets full = {.tokens = {500, 0, 0, 0, 500, 0}};
    ck_assert_int_eq(price_cost(&odd, &full).nano, 1);
    full.tokens[BUCKET_INPUT]++;
    ck_assert_int_eq(price_cost(&odd, &full).nano, 2);
}
END_TEST

START_TEST(nothing_used_costs_nothing)
{
    struct usage_buckets none = {0};
    ck_assert_int_eq(price_cost(&TIERED, &none).nano, 0);
}
END_TEST

START_TEST(a_tier_reprices_the_whole_request_by_its_total_input)
{
    struct usage_buckets below = {.tokens = {500, 300, 200, 0, 10, 0}}; /* 1000 is not above 1000 */
    ck_assert_int_eq(price_cost(&TIERED, &below).nano, 5000 + 300 + 2400 + 400);
    struct usage_buckets above = {.tokens = {500, 300, 200, 1, 10, 0}};
    ck_assert_int_eq(price_cost(&TIERED, &above).nano, 10000 + 600 + 4800 + 60 + 600);
}
END_TEST

START_TEST(a_bound_takes_the_dearest_rates_that_may_apply)
{
    struct bound bound = {.input_tokens = 100, .choices = 2, .extra_output = 5};
    ck_assert_int_eq(price_bound(&TIERED, &bound, 10).nano, 100 * 12 + 25 * 40);
    bound.audio = true;
    ck_assert_int_eq(price_bound(&TIERED, &bound, 10).nano, 100 * 50 + 25 * 90);
    bound.output_free = true;
    ck_assert_int_eq(price_bound(&TIERED, &bound, 10).nano, 100 * 50 + 5 * 90);
}
END_TEST

START_TEST(a_bound_looks_at_no_tier_its_input_cannot_reach)
{
    struct bound bound = {.input_tokens = 1000, .choices = 1};
    ck_assert_int_eq(price_bound(&TIERED, &bound, 1).nano, 1000 * 12 + 40);
    bound.input_tokens = 1001;
    ck_assert_int_eq(price_bound(&TIERED, &bound, 1).nano, 1001 * 24 + 60);
}
END_TEST

START_TEST(a_cheaper_higher_tier_does_not_lower_the_bound)
{
    struct price falling = {.tier_count = 2,
                            .tiers = {{-1, {{9000, 9000, 9000, 9000, 9000, 9000}}},
                                      {10, {{1000, 1000, 1000, 1000, 1000, 1000}}}}};
    struct bound bound = {.input_tokens = 100, .choices = 1};
    ck_assert_int_eq(price_bound(&falling, &bound, 1).nano, 909);
}
END_TEST

START_TEST(no_usage_within_a_bound_costs_more_than_the_bound)
{
    uint64_t state = 20261121;
    for (int round = 0; round < ROUNDS; round++) {
        struct price others[SERVICE_COUNT];
        struct price price = random_offer(&state, others);
        struct bound bound = random_bound(&state);
        int64_t max_output = random_upto(&state, 1000000);
        struct usage_buckets usage = random_usage(&state, &bound, max_output);
        struct money cost = price_cost(&price, &usage);
        ck_assert_int_ge(cost.nano, 0);
        ck_assert(money_compare(cost, price_bound(&price, &bound, max_output)) <= 0);
    }
}
END_TEST

START_TEST(calls_together_are_bounded_by_their_sums)
{
    struct bound sum = {.input_tokens = 3000, .extra_output = 30, .output_free = true};
    ck_assert_int_eq(price_bound_all(&TIERED, &sum, 4, 1000).nano, 3000 * 12 + 30 * 40 + 4);
    ck_assert_int_eq(price_bound_all(&TIERED, &sum, 4, 1001).nano, 3000 * 24 + 30 * 60 + 4);
    uint64_t state = 20261122;
    for (int round = 0; round < ROUNDS / 10; round++) {
        struct price others[SERVICE_COUNT];
        struct price price = random_offer(&state, others);
        struct money cost = MONEY_ZERO;
        int64_t largest = 0;
        struct bound all = {.output_free = true};
        for (int call = 0; call < 10; call++) {
            struct bound bound = random_bound(&state);
            int64_t output = random_upto(&state, 1000000);
            bound.services = 0;
            struct usage_buckets usage = random_usage(&state, &bound, output);
            usage.services = 0;
            usage.searches = 0;
            cost = money_add(cost, price_cost(&price, &usage));
            all.input_tokens += bound.input_tokens;
            all.extra_output += bound_tokens(&bound, output) - bound.input_tokens;
            all.audio = all.audio || bound.audio;
            largest = bound.input_tokens > largest ? bound.input_tokens : largest;
        }
        ck_assert(money_compare(cost, price_bound_all(&price, &all, 10, largest)) <= 0);
    }
}
END_TEST

START_TEST(what_is_affordable_is_the_exact_inverse_of_the_bound)
{
    uint64_t state = 42;
    for (int round = 0; round < ROUNDS; round++) {
        struct price others[SERVICE_COUNT];
        struct price price = random_offer(&state, others);
        struct bound bound = random_bound(&state);
        int64_t most = random_upto(&state, 1000000);
        int64_t aim = random_upto(&state, most);
        struct money available = price_bound(&price, &bound, aim);
        available.nano += (int64_t)(random_next(&state) % 3) - 1;
        int64_t can = price_affordable(&price, &bound, available, most);
        ck_assert(can >= -1 && can <= most);
        if (can >= 0) {
            ck_assert(money_compare(price_bound(&price, &bound, can), available) <= 0);
        }
        if (can < most) {
            ck_assert(money_compare(price_bound(&price, &bound, can + 1), available) > 0);
        }
    }
}
END_TEST

START_TEST(affordable_tokens_are_the_exact_inverse_of_bound_tokens)
{
    uint64_t state = 7;
    for (int round = 0; round < ROUNDS; round++) {
        struct bound bound = random_bound(&state);
        int64_t most = random_upto(&state, 1000000);
        int64_t available = bound_tokens(&bound, random_upto(&state, most)) +
                            (int64_t)(random_next(&state) % 3) - 1;
        int64_t can = bound_affordable(&bound, available, most);
        ck_assert(can >= -1 && can <= most);
        ck_assert(can < 0 || bound_tokens(&bound, can) <= available);
        ck_assert(can == most || bound_tokens(&bound, can + 1) > available);
    }
}
END_TEST

START_TEST(each_service_has_its_own_price)
{
    const struct price flex = {.tier_count = 1,
                               .tiers = {{-1, {{75000, 37500, 75000, 75000, 300000, 300000}}}}};
    const struct price fast = {.tier_count = 1,
                               .tiers = {{-1, {{250000, 125000, 250000, 250000, 1000000, 0}}}}};
    struct price price = MINI;
    price.services[SERVICE_FLEX] = &flex;
    price.services[SERVICE_PRIORITY] = &fast;
    struct usage_buckets usage = {.tokens = {1000, 0, 0, 0, 100, 0}};
    ck_assert_int_eq(price_cost(&price, &usage).nano, 210000);
    usage.services = SERVICE_BIT(SERVICE_FLEX);
    ck_assert_int_eq(price_cost(&price, &usage).nano, 105000);
    usage.services = SERVICE_BIT(SERVICE_PRIORITY) | SERVICE_BIT(SERVICE_STANDARD);
    ck_assert_int_eq(price_cost(&price, &usage).nano, 350000);
    usage.services = SERVICE_BIT(SERVICE_BATCH); /* not known: the standard one */
    ck_assert_int_eq(price_cost(&price, &usage).nano, 210000);
    struct bound bound = {.input_tokens = 1000, .choices = 1};
    ck_assert_int_eq(price_bound(&price, &bound, 100).nano, 210000);
    bound.services = SERVICE_BIT(SERVICE_FLEX); /* who asks for it may get the standard one */
    ck_assert_int_eq(price_bound(&price, &bound, 100).nano, 210000);
    bound.services = SERVICE_BIT(SERVICE_PRIORITY);
    ck_assert_int_eq(price_bound(&price, &bound, 100).nano, 350000);
    ck_assert_int_eq(price_affordable(&price, &bound, (struct money){350000}, 1000), 100);
}
END_TEST

START_TEST(services_are_known_by_their_names)
{
    enum service service = SERVICE_COUNT;
    ck_assert(service_named(TEXT("default"), &service) && service == SERVICE_STANDARD);
    ck_assert(service_named(TEXT("flex"), &service) && service == SERVICE_FLEX);
    ck_assert(service_named(TEXT("priority"), &service) && service == SERVICE_PRIORITY);
    ck_assert(service_named(TEXT("fast"), &service) && service == SERVICE_PRIORITY);
    ck_assert(service_named(TEXT("batch"), &service) && service == SERVICE_BATCH);
    ck_assert(!service_named(TEXT("auto"), &service));
    ck_assert(!service_named(TEXT("scale"), &service));
    ck_assert(!service_named(TEXT_NONE, &service));
    ck_assert_int_eq(service, SERVICE_BATCH);
}
END_TEST

START_TEST(fees_are_paid_once_a_call_and_once_a_search)
{
    struct price price = MINI;
    price.request_pico = 5000000001;
    price.search_pico = 10000000000;
    struct usage_buckets usage = {.tokens = {1}, .searches = 3};
    ck_assert_int_eq(price_cost(&price, &usage).nano, 35000151); /* 35,000,150.001 rounded up */
    struct bound bound = {.input_tokens = 1, .choices = 1};
    ck_assert_int_eq(price_bound(&price, &bound, 0).nano, 5000151);
    ck_assert_int_eq(price_affordable(&price, &bound, (struct money){5000150}, 9), -1);
    ck_assert_int_eq(price_affordable(&price, &bound, (struct money){5000151}, 9), 0);
}
END_TEST

START_TEST(nothing_is_affordable_with_a_debt)
{
    struct price free_of_charge = {.tier_count = 1, .tiers = {{.above_input_tokens = -1}}};
    struct bound bound = {.choices = 1};
    ck_assert_int_eq(price_affordable(&free_of_charge, &bound, (struct money){-1}, 10), -1);
    ck_assert_int_eq(price_affordable(&free_of_charge, &bound, MONEY_ZERO, 10), 10);
    ck_assert_int_eq(price_affordable(&free_of_charge, &bound, (struct money){INT64_MIN}, 1), -1);
    ck_assert_int_eq(bound_affordable(&bound, -1, 10), -1);
    ck_assert_int_eq(bound_affordable(&bound, INT64_MIN, 10), -1);
}
END_TEST

START_TEST(saturates_where_figures_are_absurd)
{
    struct price dear = {.tier_count = 1,
                         .tiers = {{-1, {{PRICE_MOST_PICO, 0, 0, 0, PRICE_MOST_PICO, 0}}}}};
    struct bound vast = {
        .input_tokens = INT64_MAX, .choices = INT64_MAX, .extra_output = INT64_MAX};
    ck_assert_int_eq(price_bound(&dear, &vast, INT64_MAX).nano, MONEY_MOST.nano);
    ck_assert_int_eq(bound_tokens(&vast, INT64_MAX), 1000000000000000);
    ck_assert_int_eq(price_affordable(&dear, &vast, MONEY_MOST, INT64_MAX), INT64_MAX);
    struct money nearly = {MONEY_MOST.nano - 1};
    ck_assert_int_eq(price_affordable(&dear, &vast, nearly, INT64_MAX), -1);
    struct usage_buckets all = {.tokens = {1000000000000, 0, 0, 0, 1000000000000, 0}};
    ck_assert_int_eq(price_cost(&dear, &all).nano, MONEY_MOST.nano);
}
END_TEST

UNIT_MAIN(agrees_with_unlimited_integers, prices_a_plain_call_by_hand, rounds_up_once_per_call,
          nothing_used_costs_nothing, a_tier_reprices_the_whole_request_by_its_total_input,
          a_bound_takes_the_dearest_rates_that_may_apply,
          a_bound_looks_at_no_tier_its_input_cannot_reach,
          a_cheaper_higher_tier_does_not_lower_the_bound,
          no_usage_within_a_bound_costs_more_than_the_bound,
          calls_together_are_bounded_by_their_sums,
          what_is_affordable_is_the_exact_inverse_of_the_bound,
          affordable_tokens_are_the_exact_inverse_of_bound_tokens, each_service_has_its_own_price,
          services_are_known_by_their_names, fees_are_paid_once_a_call_and_once_a_search,
          nothing_is_affordable_with_a_debt, saturates_where_figures_are_absurd)
