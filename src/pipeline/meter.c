/* meter: from the usage that an upstream reported to what it costs. */
#include "pipeline/pipeline.h"

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

static struct usage_buckets buckets_of(const struct usage *usage, const struct price *price)
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

struct money meter_usage(const struct usage *usage, const struct price *price, unsigned services)
{
    struct usage_buckets buckets = buckets_of(usage, price);
    buckets.services = services;
    return price_cost(price, &buckets);
}

/* What the answer says; where it says nothing that is priced, all that may have been. */
static unsigned services_of(const struct call *call)
{
    enum service service;
    bool told = service_named(call->entry.service_tier, &service) &&
                price_of_service(&call->model->price, service) != NULL;
    return told ? SERVICE_BIT(service) : call->held.bound.services | SERVICE_BIT(SERVICE_STANDARD);
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
    return meter_price(call, &call->usage);
}

/* Where sound is what comes in, and nobody tells it from text, all may have been it. */
static void take_for_sound(const struct call *call, const struct usage *usage, int64_t *tokens)
{
    const int64_t *pico = call->model->price.tiers[0].rates.pico;
    const struct endpoint_facts *facts = endpoint_facts(call->endpoint);
    if (!facts->form || !facts->any_answer || usage->audio_input_told ||
        pico[BUCKET_AUDIO_INPUT] <= pico[BUCKET_INPUT])
        return;
    tokens[BUCKET_AUDIO_INPUT] += tokens[BUCKET_INPUT];
    tokens[BUCKET_INPUT] = 0;
}

struct money meter_price(const struct call *call, const struct usage *usage)
{
    if (call->model == NULL)
        return MONEY_ZERO;
    struct usage_buckets buckets = buckets_of(usage, &call->model->price);
    buckets.services = services_of(call);
    take_for_sound(call, usage, buckets.tokens);
    memcpy(buckets.pieces, call->held.bound.pieces, sizeof buckets.pieces);
    if (usage->seconds_told)
        buckets.pieces[PIECE_SECOND] = usage->seconds;
    return price_cost(&call->model->price, &buckets);
}

/* ---- what was saved ---- */

static int64_t of_all_choices(const struct call *call, int64_t tokens)
{
    int64_t product;
    bool over = __builtin_mul_overflow(tokens, call->choices, &product);
    return over || product > USAGE_MOST ? USAGE_MOST : product;
}

/* Less than the lowered maximum may have been all that there was to say. */
static bool was_stopped(const struct call *call)
{
    bool used_up = call->entry.usage_source == USAGE_REPORTED &&
                   call->entry.completion_tokens >= of_all_choices(call, call->held.max_output);
    return call->stopped_by != NULL || (call->held.clamped && used_up);
}

/* Of plain text: what is dearer would have been said. */
static struct money cost_with_output(const struct call *call, int64_t tokens)
{
    int64_t prompt = call->entry.prompt_tokens;
    const struct usage usage = {.prompt = prompt < USAGE_MOST ? prompt : USAGE_MOST,
                                .completion = tokens,
                                .reasoning_told = true,
                                .audio_input_told = true,
                                .image_input_told = true,
                                .image_output_told = true};
    return meter_price(call, &usage);
}

struct money meter_saved(const struct call *call)
{
    int64_t output = call->entry.completion_tokens;
    int64_t most = of_all_choices(call, call->wanted);
    if (call->model == NULL || most <= output || !was_stopped(call))
        return MONEY_ZERO;
    return money_subtract(cost_with_output(call, most), cost_with_output(call, output));
}
