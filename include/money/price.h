/*
 * The one price function. Estimate, hold, settlement and report all end here.
 *
 * Rates are whole pico-dollars per token ($1 per 1M tokens = 1,000,000 pico-dollars per token). A
 * cost is one 128-bit sum over disjoint buckets and fees, rounded up to a nano-dollar once per
 * call.
 */
#ifndef PURSER_MONEY_PRICE_H
#define PURSER_MONEY_PRICE_H

#include "money/money.h"

/* What a call used, in disjoint buckets: a token is in exactly one. Never negative. */
enum bucket {
    BUCKET_INPUT,        /* plain input */
    BUCKET_CACHED_INPUT, /* input read from the provider's prompt cache */
    BUCKET_CACHE_WRITE,  /* input written to it for minutes, where that is priced apart */
    BUCKET_AUDIO_INPUT,
    BUCKET_OUTPUT, /* plain output */
    BUCKET_AUDIO_OUTPUT,
    BUCKET_CACHE_WRITE_1H, /* written for an hour, or nobody says for how long */
    BUCKET_CACHED_AUDIO,   /* audio read from the cache */
    BUCKET_IMAGE_INPUT,
    BUCKET_REASONING, /* hidden output */
    BUCKET_IMAGE_OUTPUT,
    BUCKET_COUNT
};

/* What is billed by the piece, whatever tokens it is. A second that has begun counts. */
enum piece { PIECE_IMAGE, PIECE_SECOND, PIECE_CHARACTER, PIECE_COUNT };

const char *piece_name(enum piece piece); /* "image", "second", "character" */

/* How fast a call is worked on. Who asks for one may get another; the answer says which. */
enum service { SERVICE_STANDARD, SERVICE_FLEX, SERVICE_PRIORITY, SERVICE_BATCH, SERVICE_COUNT };

#define SERVICE_BIT(service) (1u << (service))

/* By the name that requests and answers use: "default", "flex", "priority", ... False: none that
 * has a price of its own. "auto" is none: it leaves the choice to the provider. */
MUST_USE bool service_named(struct text name, enum service *service);
const char *service_name(enum service service); /* "standard", "flex", "priority", "batch" */

struct usage_buckets {
    int64_t tokens[BUCKET_COUNT];
    int64_t searches;  /* of the web, by the provider; at most 10^12 */
    unsigned services; /* bits: which it may have been; the dearest with a price counts. None, or
                          none with a price: the standard one */
    int64_t pieces[PIECE_COUNT]; /* at most 10^12 each */
};

/* No rate is higher: $1,000,000 per 1M tokens. Whoever reads prices from outside refuses more. */
#define PRICE_MOST_PICO INT64_C(1000000000000)
/* Nor any fee: $1000. */
#define PRICE_MOST_FEE_PICO INT64_C(1000000000000000)

struct rates {
    int64_t pico[BUCKET_COUNT]; /* pico-dollars per token; always set: a bucket without a price of
                                   its own has its parent's (cached, audio and image input: input;
                                   cached audio: cached input; cache write: input, for an hour: at
                                   least that for minutes; reasoning, audio and image output:
                                   output) */
};

#define PRICE_MAX_TIERS 4

/* Context tiers reprice the whole request: the last tier whose `above_input_tokens` is below the
 * request's total input (all input buckets) gives all rates. tiers[0] has -1. */
struct price {
    int tier_count; /* 1..PRICE_MAX_TIERS */
    struct {
        int64_t above_input_tokens;
        struct rates rates;
    } tiers[PRICE_MAX_TIERS];
    int64_t request_pico;            /* for each call */
    int64_t search_pico;             /* for each search */
    int64_t piece_pico[PIECE_COUNT]; /* for each image made, second heard, character spoken */
    /* Of the other service tiers; NULL: not known. [SERVICE_STANDARD] is NULL: this price is it.
     * Theirs have no services. */
    const struct price *services[SERVICE_COUNT];
};

/* The price of a service tier; NULL: not known. */
const struct price *price_of_service(const struct price *price, enum service service);

/* Buckets up to 10^12 tokens each are taken; more is asserted (wire/usage.h refuses it). Saturates
 * at MONEY_MOST, so that it never exceeds a bound that holds for the usage. */
struct money price_cost(const struct price *price, const struct usage_buckets *usage);

/* What a request may cost at the most, before it is sent. Sources of the figures: the byte bound
 * (wire/body.h) for the input, the request's own members for the output and the searches. */
struct bound {
    int64_t input_tokens; /* at most so many, over all prompts */
    int64_t choices;      /* prompts × max(n, best_of): output counts so many times */
    int64_t extra_output; /* output tokens beyond the maximum (rejected predictions) */
    bool audio;           /* audio tokens are possible in and out: use their rates too */
    bool output_free;     /* an endpoint without output tokens (embeddings): choices is ignored */
    unsigned services;    /* bits: the service tiers that may be billed beside the standard one */
    int64_t searches;     /* of the web, by the provider */
    int64_t pieces[PIECE_COUNT]; /* at most so many of each, 0 to 10^12 */
};

/* The cost of the bound with `max_output` tokens per choice, at the dearest rate that may apply
 * (cache write included only where its rate is above plain input), in the dearest tier the input
 * may reach, at the dearest service, with the fees for the call, its searches and pieces. Rounded
 * up once.
 * Saturates at MONEY_MOST. */
struct money price_bound(const struct price *price, const struct bound *bound, int64_t max_output);

/* The same for `calls` calls together, at the one service whose price this is: their bounds add up
 * to `sum` (its output is extra_output alone), and none has more input than `largest_input`. */
struct money price_bound_all(const struct price *price, const struct bound *sum, int64_t calls,
                             int64_t largest_input);

/* input_tokens + choices × max_output + extra_output, saturating at 10^15. */
int64_t bound_tokens(const struct bound *bound, int64_t max_output);

/* The largest max_output in 0..most for which price_bound (or bound_tokens) is at most
 * `available`; -1 if even 0 is too dear. */
int64_t price_affordable(const struct price *price, const struct bound *bound,
                         struct money available, int64_t most);
int64_t bound_affordable(const struct bound *bound, int64_t available_tokens, int64_t most);

#endif
