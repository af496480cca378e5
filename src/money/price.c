/*
 * The price function and its inverse.
 *
 * Why a cost never exceeds its bound: the bound takes, among the services that may be billed and
 * the tiers the bounded input can reach (the call's own are among them), those that make it
 * largest; there every input token is at the dearest input rate and every output token at the
 * dearest output rate; and both are rounded the same way, once.
 */
#include "money/price.h"

#define PICO_PER_NANO 1000
/* More tokens than any two calls use; clamping here keeps every product far inside 128 bits:
 * 2 × 10^15 tokens at 10^12 pico-dollars are below 10^28. */
#define TOKENS_MOST       1000000000000000
#define USAGE_TOKENS_MOST 1000000000000
#define PIECES_MOST       1000000000000

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

/* ---- services ---- */

static const struct {
    struct text name;
    enum service service;
} SERVICES[] = {
    {TEXT("default"), SERVICE_STANDARD},
    {TEXT("standard"), SERVICE_STANDARD},
    {TEXT("standard_only"), SERVICE_STANDARD}, /* Anthropic */
    {TEXT("on_demand"), SERVICE_STANDARD},     /* Groq */
    {TEXT("flex"), SERVICE_FLEX},
    {TEXT("priority"), SERVICE_PRIORITY},
    {TEXT("fast"), SERVICE_PRIORITY}, /* OpenAI's newer name for it, at the same price */
    {TEXT("batch"), SERVICE_BATCH},
};

bool service_named(struct text name, enum service *service)
{
    for (size_t at = 0; at < sizeof(SERVICES) / sizeof(SERVICES[0]); at++) {
        if (text_equal(SERVICES[at].name, name)) {
            *service = SERVICES[at].service;
            return true;
        }
    }
    return false;
}

const char *service_name(enum service service)
{
    static const char *const names[] = {"standard", "flex", "priority", "batch"};
    ASSERT((unsigned)service < SERVICE_COUNT);
    return names[service];
}

const struct price *price_of_service(const struct price *price, enum service service)
{
    ASSERT((unsigned)service < SERVICE_COUNT);
    return service == SERVICE_STANDARD ? price : price->services[service];
}

/* The price of the service if its bit is set and it has one. */
static const struct price *offered(const struct price *price, unsigned services, int service)
{
    bool asked = (services & SERVICE_BIT(service)) != 0;
    return asked ? price_of_service(price, (enum service)service) : NULL;
}

/* ---- costs ---- */

const char *piece_name(enum piece piece)
{
    static const char *const names[] = {"image", "second", "character"};
    ASSERT((unsigned)piece < PIECE_COUNT);
    return names[piece];
}

/* The fees that do not hang on tokens, but for searches. */
static __int128 fees_pico(const struct price *price, const int64_t pieces[PIECE_COUNT])
{
    __int128 pico = price->request_pico;
    for (int piece = 0; piece < PIECE_COUNT; piece++) {
        ASSERT(pieces[piece] >= 0);
        ASSERT(pieces[piece] <= PIECES_MOST);
        pico += (__int128)pieces[piece] * price->piece_pico[piece];
    }
    return pico;
}

static bool is_output(int bucket)
{
    return bucket == BUCKET_OUTPUT || bucket == BUCKET_AUDIO_OUTPUT || bucket == BUCKET_REASONING ||
           bucket == BUCKET_IMAGE_OUTPUT;
}

static bool is_audio(int bucket)
{
    return bucket == BUCKET_AUDIO_INPUT || bucket == BUCKET_CACHED_AUDIO ||
           bucket == BUCKET_AUDIO_OUTPUT;
}

static int64_t total_input(const struct usage_buckets *usage)
{
    int64_t total = 0;
    for (int bucket = 0; bucket < BUCKET_COUNT; bucket++) {
        total += is_output(bucket) ? 0 : usage->tokens[bucket];
    }
    return total;
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

static __int128 cost_pico(const struct price *price, const struct usage_buckets *usage)
{
    int tier = tiers_reached(price, total_input(usage)) - 1;
    const struct rates *rates = &price->tiers[tier].rates;
    __int128 pico =
        fees_pico(price, usage->pieces) + (__int128)usage->searches * price->search_pico;
    for (int bucket = 0; bucket < BUCKET_COUNT; bucket++) {
        pico += (__int128)usage->tokens[bucket] * rates->pico[bucket];
    }
    return pico;
}

struct money price_cost(const struct price *price, const struct usage_buckets *usage)
{
    for (int bucket = 0; bucket < BUCKET_COUNT; bucket++) {
        ASSERT(usage->tokens[bucket] >= 0);
        ASSERT(usage->tokens[bucket] <= USAGE_TOKENS_MOST);
    }
    ASSERT(usage->searches >= 0);
    ASSERT(usage->searches <= USAGE_TOKENS_MOST);
    __int128 dearest = -1;
    for (int service = 0; service < SERVICE_COUNT; service++) {
        const struct price *of = offered(price, usage->services, service);
        __int128 pico = of != NULL ? cost_pico(of, usage) : -1;
        dearest = pico > dearest ? pico : dearest;
    }
    return round_up(dearest >= 0 ? dearest : cost_pico(price, usage));
}

/* ---- bounds ---- */

/* The dearest bucket of input, and of output. */
struct dearest {
    int64_t input, output;
};

static struct dearest dearest_of(const struct rates *rates, bool audio)
{
    struct dearest dearest = {0, 0};
    for (int bucket = 0; bucket < BUCKET_COUNT; bucket++) {
        int64_t *side = is_output(bucket) ? &dearest.output : &dearest.input;
        if (audio || !is_audio(bucket))
            *side = most_of(*side, rates->pico[bucket]);
    }
    return dearest;
}

static void check_bound(const struct bound *bound)
{
    ASSERT(bound->input_tokens >= 0);
    ASSERT(bound->choices >= 0);
    ASSERT(bound->extra_output >= 0);
    ASSERT(bound->searches >= 0);
}

static __int128 fees_of(const struct price *price, const struct bound *bound)
{
    int64_t searches = least(bound->searches, USAGE_TOKENS_MOST);
    return fees_pico(price, bound->pieces) + (__int128)searches * price->search_pico;
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

static __int128 bound_pico(const struct price *price, const struct bound *bound, int64_t max_output)
{
    __int128 input = least(bound->input_tokens, TOKENS_MOST);
    __int128 output = output_tokens(bound, max_output);
    int reached = tiers_reached(price, bound->input_tokens);
    __int128 dearest = 0;
    for (int tier = 0; tier < reached; tier++) {
        struct dearest rates = dearest_of(&price->tiers[tier].rates, bound->audio);
        __int128 pico = input * rates.input + output * rates.output;
        dearest = pico > dearest ? pico : dearest;
    }
    return dearest + fees_of(price, bound);
}

struct money price_bound(const struct price *price, const struct bound *bound, int64_t max_output)
{
    check_bound(bound);
    ASSERT(max_output >= 0);
    __int128 dearest = bound_pico(price, bound, max_output);
    for (int service = SERVICE_STANDARD + 1; service < SERVICE_COUNT; service++) {
        const struct price *of = offered(price, bound->services, service);
        __int128 pico = of != NULL ? bound_pico(of, bound, max_output) : 0;
        dearest = pico > dearest ? pico : dearest;
    }
    return round_up(dearest);
}

/* Each call may be in another tier: the dearest of each rate counts. Each is rounded up by itself.
 */
struct money price_bound_all(const struct price *price, const struct bound *sum, int64_t calls,
                             int64_t largest_input)
{
    check_bound(sum);
    ASSERT(calls >= 0);
    int64_t input_pico = 0, output_pico = 0;
    int reached = tiers_reached(price, largest_input);
    for (int tier = 0; tier < reached; tier++) {
        struct dearest rates = dearest_of(&price->tiers[tier].rates, sum->audio);
        input_pico = most_of(input_pico, rates.input);
        output_pico = most_of(output_pico, rates.output);
    }
    return round_up((__int128)least(sum->input_tokens, TOKENS_MOST) * input_pico +
                    (__int128)output_tokens(sum, 0) * output_pico +
                    (__int128)calls * (price->request_pico + PICO_PER_NANO));
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
static int64_t tier_affordable(const struct rates *of, const struct bound *bound,
                               __int128 available_pico, int64_t most)
{
    struct dearest rates = dearest_of(of, bound->audio);
    __int128 input = least(bound->input_tokens, TOKENS_MOST);
    __int128 left = available_pico - input * rates.input;
    if (left < 0) {
        return -1;
    }
    if (left >= (__int128)rates.output * TOKENS_MOST) {
        return most;
    }
    return share(bound, (int64_t)(left / rates.output), most);
}

/* The same for all tiers of one service's price. */
static int64_t service_affordable(const struct price *price, const struct bound *bound,
                                  struct money available, int64_t most)
{
    __int128 pico = (__int128)available.nano * PICO_PER_NANO - fees_of(price, bound);
    int reached = tiers_reached(price, bound->input_tokens);
    for (int tier = 0; tier < reached && most >= 0; tier++) {
        most = least(most, tier_affordable(&price->tiers[tier].rates, bound, pico, most));
    }
    return most;
}

int64_t price_affordable(const struct price *price, const struct bound *bound,
                         struct money available, int64_t most)
{
    check_bound(bound);
    ASSERT(most >= 0);
    if (money_compare(available, MONEY_MOST) >= 0) {
        return most;
    }
    most = service_affordable(price, bound, available, most);
    for (int service = SERVICE_STANDARD + 1; service < SERVICE_COUNT && most >= 0; service++) {
        const struct price *of = offered(price, bound->services, service);
        most = of != NULL ? service_affordable(of, bound, available, most) : most;
    }
    return most;
}
