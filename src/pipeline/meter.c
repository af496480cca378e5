/* meter: from the usage that an upstream reported to what it costs. */
#include "gear/cost.h"
#include "pipeline/pipeline.h"

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
    struct usage_buckets buckets = cost_buckets(usage, &call->model->price);
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
