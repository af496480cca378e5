/*
 * The price function and its inverse.
 *
 * Why a cost never exceeds its bound: the bound takes, among the tiers the bounded input can
 * reach (the call's own is one of them), the one that makes it largest; there every input token
 * is at the dearest input rate and every output token at the dearest output rate; and both are
 * rounded the same way, once.
 */
#include "money/price.h"

#define PICO_PER_NANO 1000
/* More tokens than any two calls use; clamping here keeps every product far inside 128 bits:
 * 2 × 10^15 tokens at 10^12 pico-dollars are below 10^28. */
#define TOKENS_MOST       1000000000000000
#define USAGE_TOKENS_MOST 1000000000000

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static struct money round_up(__int128 pico)
{
    if (pico > (__int128)MONEY_MOST.nano * PICO_PER_NANO) {
        return MONEY_MOST;
    }
    return (struct money){(int64_t)((pico + PICO_PER_NANO - 1) / PICO_PER_NANO)};
}

static int64_t total_input(const struct usage_buckets *usage)
{
    return usage->tokens[BUCKET_INPUT] + usage->tokens[BUCKET_CACHED_INPUT] +
           usage->tokens[BUCKET_CACHE_WRITE] + usage->tokens[BUCKET_AUDIO_INPUT];
}

/* How many tiers, from the first, an input of so many tokens reaches: at least 1. */
static int tiers_reached(const struct price *price, int64_t input_tokens)
{
    ASSERT(price->tier_count >= 1);
    ASSERT(price->tier_count <= PRICE_MAX_TIERS);
    ASSERT(price->tiers[0].above_input_tokens == -1);
    int reached = 1;
    while (reached < price->tier_count && price->tiers[reached].above_input_tokens < input_tokens) {
        reached++;
    }
    return reached;
}

struct money price_cost(const struct price *price, const struct usage_buckets *usage)
{
    for (int bucket = 0; bucket < BUCKET_COUNT; bucket++) {
        ASSERT(usage->tokens[bucket] >= 0);
        ASSERT(usage->tokens[bucket] <= USAGE_TOKENS_MOST);
    }
    int tier = tiers_reached(price, total_input(usage)) - 1;
    const struct rates *rates = &price->tiers[tier].rates;
    __int128 pico = 0;
    for (int bucket = 0; bucket < BUCKET_COUNT; bucket++) {
        pico += (__int128)usage->tokens[bucket] * rates->pico[bucket];
    }
    return round_up(pico);
}

static int64_t dearest_input(const struct rates *rates, bool audio)
{
    int64_t dearest = most_of(rates->pico[BUCKET_INPUT], rates->pico[BUCKET_CACHED_INPUT]);
    dearest = most_of(dearest, rates->pico[BUCKET_CACHE_WRITE]);
    return audio ? most_of(dearest, rates->pico[BUCKET_AUDIO_INPUT]) : dearest;
}

static int64_t dearest_output(const struct rates *rates, bool audio)
{
    int64_t output = rates->pico[BUCKET_OUTPUT];
    return audio ? most_of(output, rates->pico[BUCKET_AUDIO_OUTPUT]) : output;
}

static void check_bound(const struct bound *bound)
{
    ASSERT(bound->input_tokens >= 0);
    ASSERT(bound->choices >= 0);
    ASSERT(bound->extra_output >= 0);
}

static int64_t choices_of(const struct bound *bound)
{
    return bound->output_free ? 0 : bound->choices;
}

static int64_t output_tokens(const struct bound *bound, int64_t max_output)
{
    __int128 tokens = (__int128)choices_of(bound) * max_output + bound->extra_output;
    return tokens < TOKENS_MOST ? (int64_t)tokens : TOKENS_MOST;
}

struct money price_bound(const struct price *price, const struct bound *bound, int64_t max_output)
{
    check_bound(bound);
    ASSERT(max_output >= 0);
    __int128 input = least(bound->input_tokens, TOKENS_MOST);
    __int128 output = output_tokens(bound, max_output);
    int reached = tiers_reached(price, bound->input_tokens);
    __int128 dearest = 0;
    for (int tier = 0; tier < reached; tier++) {
        const struct rates *rates = &price->tiers[tier].rates;
        __int128 pico = input * dearest_input(rates, bound->audio) +
                        output * dearest_output(rates, bound->audio);
        dearest = pico > dearest ? pico : dearest;
    }
    return round_up(dearest);
}

int64_t bound_tokens(const struct bound *bound, int64_t max_output)
{
    check_bound(bound);
    ASSERT(max_output >= 0);
    int64_t input = least(bound->input_tokens, TOKENS_MOST);
    return least(input + output_tokens(bound, max_output), TOKENS_MOST);
}

/* The largest maximum in 0..most with which all choices together stay within `output` tokens. */
static int64_t share(const struct bound *bound, int64_t output, int64_t most)
{
    int64_t choices = choices_of(bound);
    if (output < bound->extra_output) {
        return -1;
    }
    return choices == 0 ? most : least(most, (output - bound->extra_output) / choices);
}

int64_t bound_affordable(const struct bound *bound, int64_t available_tokens, int64_t most)
{
    check_bound(bound);
    ASSERT(most >= 0);
    if (available_tokens >= TOKENS_MOST) {
        return most;
    }
    if (available_tokens < bound->input_tokens) {
        return -1;
    }
    return share(bound, available_tokens - bound->input_tokens, most);
}

/* The same for one tier's rates and the pico-dollars there are. */
static int64_t tier_affordable(const struct rates *rates, const struct bound *bound,
                               __int128 available_pico, int64_t most)
{
    __int128 input = least(bound->input_tokens, TOKENS_MOST);
    __int128 left = available_pico - input * dearest_input(rates, bound->audio);
    int64_t rate = dearest_output(rates, bound->audio);
    if (left < 0) {
        return -1;
    }
    if (left >= (__int128)rate * TOKENS_MOST) {
        return most;
    }
    return share(bound, (int64_t)(left / rate), most);
}

int64_t price_affordable(const struct price *price, const struct bound *bound,
                         struct money available, int64_t most)
{
    check_bound(bound);
    ASSERT(most >= 0);
    if (money_compare(available, MONEY_MOST) >= 0) {
        return most;
    }
    __int128 pico = (__int128)available.nano * PICO_PER_NANO;
    int reached = tiers_reached(price, bound->input_tokens);
    for (int tier = 0; tier < reached; tier++) {
        most = least(most, tier_affordable(&price->tiers[tier].rates, bound, pico, most));
        if (most < 0) {
            return -1;
        }
    }
    return most;
}
