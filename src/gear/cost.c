/* From the usage that an upstream reported to what it costs by a price. */
#include "gear/cost.h"

/* Where a part was not told apart and is dearer than the rest, all may have been it. */
static enum bucket dearer(const struct price *price, enum bucket rest, enum bucket part, bool told)
{
    const int64_t *pico = price->tiers[0].rates.pico;
    return !told && pico[part] > pico[rest] ? part : rest;
}

static enum bucket plain_output(const struct usage *usage, const struct price *price)
{
    enum bucket plain = dearer(price, BUCKET_OUTPUT, BUCKET_REASONING, usage->reasoning_told);
    return dearer(price, plain, BUCKET_IMAGE_OUTPUT, usage->image_output_told);
}

struct usage_buckets cost_buckets(const struct usage *usage, const struct price *price)
{
    struct usage_buckets buckets = {.searches = usage->searches};
    int64_t *tokens = buckets.tokens;
    tokens[BUCKET_CACHED_INPUT] = usage->cached - usage->cached_audio;
    tokens[BUCKET_CACHED_AUDIO] = usage->cached_audio;
    tokens[BUCKET_CACHE_WRITE] = usage->cache_write_5m;
    tokens[BUCKET_CACHE_WRITE_1H] = usage->cache_write - usage->cache_write_5m;
    tokens[BUCKET_AUDIO_INPUT] = usage->audio_input;
    tokens[BUCKET_IMAGE_INPUT] = usage->image_input;
    tokens[dearer(price, BUCKET_INPUT, BUCKET_IMAGE_INPUT, usage->image_input_told)] +=
        usage->prompt - usage->cached - usage->cache_write - usage->audio_input -
        usage->image_input;
    tokens[BUCKET_REASONING] = usage->reasoning;
    tokens[BUCKET_AUDIO_OUTPUT] = usage->audio_output;
    tokens[BUCKET_IMAGE_OUTPUT] = usage->image_output;
    tokens[plain_output(usage, price)] +=
        usage->completion - usage->reasoning - usage->audio_output - usage->image_output;
    return buckets;
}

struct money cost_of_usage(const struct usage *usage, const struct price *price, unsigned services)
{
    struct usage_buckets buckets = cost_buckets(usage, price);
    buckets.services = services;
    return price_cost(price, &buckets);
}
