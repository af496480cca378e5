/* meter: from the usage that an upstream reported to what it costs. */
#include "pipeline/pipeline.h"

static struct usage_buckets buckets_of(const struct usage *usage)
{
    struct usage_buckets buckets = {{0}};
    buckets.tokens[BUCKET_CACHED_INPUT] = usage->cached;
    buckets.tokens[BUCKET_CACHE_WRITE] = usage->cache_write;
    buckets.tokens[BUCKET_AUDIO_INPUT] = usage->audio_input;
    buckets.tokens[BUCKET_INPUT] =
        usage->prompt - usage->cached - usage->cache_write - usage->audio_input;
    buckets.tokens[BUCKET_AUDIO_OUTPUT] = usage->audio_output;
    buckets.tokens[BUCKET_OUTPUT] = usage->completion - usage->audio_output;
    return buckets;
}

static bool read_dollars(const char *written, struct money *amount)
{
    return money_parse_scaled_up(text_of(written), 9, MONEY_MOST.nano / 2, &amount->nano);
}

/* What the upstream says it billed. What makes no sense is as if it had said nothing. */
static bool named_cost(const struct usage *usage, struct money *cost)
{
    struct money own, of_key = MONEY_ZERO;
    if (usage->cost[0] == '\0' || !read_dollars(usage->cost, &own))
        return false;
    if (usage->key_cost[0] != '\0' && !read_dollars(usage->key_cost, &of_key))
        return false;
    *cost = money_add(own, of_key);
    return true;
}

struct money meter_cost(const struct call *call)
{
    struct money cost;
    if (call->upstream->names_cost && named_cost(&call->usage, &cost))
        return cost;
    if (call->model == NULL)
        return MONEY_ZERO;
    struct usage_buckets buckets = buckets_of(&call->usage);
    return price_cost(&call->model->price, &buckets);
}
