/* Counting for GET /metrics: see gear/tally.h. */
#include "gear/tally.h"

#include <stdlib.h>

#define SLOTS (2 * TALLY_MODELS_MOST)

/* Of a count that nobody else writes. */
static void raise_by(tally_count *count, uint64_t by)
{
    uint64_t now = atomic_load_explicit(count, memory_order_relaxed);
    atomic_store_explicit(count, now + by, memory_order_relaxed);
}

static uint64_t value_of(const tally_count *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

void tally_register(struct tallies *tallies, struct tally *tally)
{
    tally->next = atomic_load(&tallies->first);
    while (!atomic_compare_exchange_weak(&tallies->first, &tally->next, tally)) {
    }
}

void tally_close(struct tally *tally)
{
    for (size_t i = 0; i < SLOTS; i++)
        free((char *)(uintptr_t)tally->models[i].name.at);
}

/* ---- the worker's ---- */

static bool is_used(const struct tally_model *model)
{
    return atomic_load_explicit(&model->used, memory_order_acquire);
}

static struct tally_model *take_model(struct tally *tally, struct tally_model *slot,
                                      struct text name)
{
    if (tally->model_count == TALLY_MODELS_MOST)
        return &tally->other;
    tally->model_count++;
    slot->name = text_make(memory_copy(name), name.size);
    atomic_store_explicit(&slot->used, true, memory_order_release);
    return slot;
}

/* The slots are never full. */
static struct tally_model *find_model(struct tally *tally, struct text name)
{
    size_t at = text_hash(name) % SLOTS;
    while (is_used(&tally->models[at])) {
        if (text_equal(tally->models[at].name, name))
            return &tally->models[at];
        at = (at + 1) % SLOTS;
    }
    return take_model(tally, &tally->models[at], name);
}

static enum tally_status class_of(int status)
{
    if (status < 300)
        return TALLY_2XX;
    if (status < 400)
        return TALLY_3XX;
    return status < 500 ? TALLY_4XX : TALLY_5XX;
}

void tally_call(struct tally *tally, const struct tally_call *call)
{
    raise_by(&tally->calls[call->endpoint][class_of(call->status)], 1);
    struct tally_model *model = find_model(tally, call->model);
    raise_by(&model->calls, 1);
    raise_by(&model->cost_nano, (uint64_t)call->cost_nano);
    for (size_t i = 0; i < TALLY_TOKEN_COUNT; i++)
        raise_by(&model->tokens[i], (uint64_t)call->tokens[i]);
}

void tally_refusal(struct tally *tally, size_t refusal)
{
    ASSERT(refusal < TALLY_REFUSALS);
    raise_by(&tally->refusals[refusal], 1);
}

/* ---- reading ---- */

static const struct tally *first_of(const struct tallies *tallies)
{
    return atomic_load(&((struct tallies *)(uintptr_t)tallies)->first);
}

uint64_t tallies_calls(const struct tallies *tallies, enum endpoint endpoint,
                       enum tally_status status)
{
    uint64_t sum = 0;
    for (const struct tally *tally = first_of(tallies); tally != NULL; tally = tally->next)
        sum += value_of(&tally->calls[endpoint][status]);
    return sum;
}

uint64_t tallies_refusals(const struct tallies *tallies, size_t refusal)
{
    uint64_t sum = 0;
    for (const struct tally *tally = first_of(tallies); tally != NULL; tally = tally->next)
        sum += value_of(&tally->refusals[refusal]);
    return sum;
}

static void add_model(const struct tally_model *model, struct tally_sum *sum)
{
    sum->calls += value_of(&model->calls);
    sum->cost_nano += value_of(&model->cost_nano);
    for (size_t i = 0; i < TALLY_TOKEN_COUNT; i++)
        sum->tokens[i] += value_of(&model->tokens[i]);
}

static struct tally_sum *find_sum(struct tally_sum *sums, size_t *count, struct text name,
                                  struct tally_sum *other)
{
    for (size_t i = 0; i < *count; i++) {
        if (text_equal(sums[i].name, name))
            return &sums[i];
    }
    if (*count == TALLY_MODELS_MOST)
        return other;
    sums[*count] = (struct tally_sum){.name = name};
    return &sums[(*count)++];
}

size_t tallies_models(const struct tallies *tallies, struct tally_sum sums[TALLY_MODELS_MOST + 1])
{
    struct tally_sum other = {.name = TALLY_OTHER};
    size_t count = 0;
    for (const struct tally *tally = first_of(tallies); tally != NULL; tally = tally->next) {
        for (size_t i = 0; i < SLOTS; i++) {
            const struct tally_model *model = &tally->models[i];
            if (is_used(model))
                add_model(model, find_sum(sums, &count, model->name, &other));
        }
        add_model(&tally->other, &other);
    }
    if (other.calls > 0)
        sums[count++] = other;
    return count;
}
