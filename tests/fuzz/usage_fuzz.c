/*
 * Answers and chunks: whatever an upstream sends, usage is read in bounds or not at all; the
 * incremental scanner agrees with the parser; the fast path of chunks with the slow one.
 *
 * The first byte chooses the size of the pieces and the endpoint, the rest is the answer.
 */
#include "fuzz.h"
#include "wire/usage.h"

static void check_bounds(const struct usage *usage)
{
    demand(usage->prompt >= 0 && usage->prompt <= USAGE_MOST);
    demand(usage->completion >= 0 && usage->completion <= USAGE_MOST);
    demand(usage->cached >= 0 && usage->cache_write >= 0 && usage->audio_input >= 0);
    demand(usage->image_input >= 0 && usage->cached_audio >= 0 && usage->cache_write_5m >= 0);
    demand(usage->cached + usage->cache_write + usage->audio_input + usage->image_input <=
           usage->prompt);
    demand(usage->cached_audio <= usage->cached && usage->cache_write_5m <= usage->cache_write);
    demand(usage->reasoning >= 0 && usage->audio_output >= 0 && usage->image_output >= 0);
    demand(usage->reasoning + usage->audio_output + usage->image_output <= usage->completion);
    demand(usage->seconds >= 0 && usage->seconds <= USAGE_MOST);
    demand(usage->searches >= 0 && usage->searches <= USAGE_MOST);
    demand(memchr(usage->cost, '\0', sizeof(usage->cost)) != NULL);
    demand(memchr(usage->key_cost, '\0', sizeof(usage->key_cost)) != NULL);
}

static void check_answer(struct text answer, size_t by)
{
    struct answer_scan scan = {0};
    struct answer_report have, want;
    struct json_value whole;

    for (size_t at = 0; at < answer.size; at += by)
        answer_scan_feed(&scan, text_slice(answer, at, at + by));
    answer_scan_read(&scan, &have);
    if (have.usage_result == USAGE_FOUND)
        check_bounds(&have.usage);
    if (json_parse(answer, &whole, NULL) == JSON_OK && answer.size < ANSWER_MOST_KEPT) {
        answer_read(answer, &want);
        demand(have.usage_result == want.usage_result && have.is_error == want.is_error);
        demand(text_equal(have.service_tier, want.service_tier));
        demand(text_equal(have.id, want.id));
        want.usage.searches = have.usage.searches; /* the scanner does not count them */
        demand(have.usage_result != USAGE_FOUND ||
               memcmp(&have.usage, &want.usage, sizeof(have.usage)) == 0);
    }
    answer_scan_close(&scan);
}

/* Two reports of one call, whatever they say. */
static void check_merged(const struct usage *first, const struct usage *later)
{
    struct usage sum = *first;
    usage_merge(&sum, later);
    demand(sum.cached + sum.cache_write + sum.audio_input + sum.image_input <= sum.prompt);
    demand(sum.cached_audio <= sum.cached && sum.cache_write_5m <= sum.cache_write);
    demand(sum.reasoning + sum.audio_output + sum.image_output <= sum.completion);
    demand(sum.prompt >= later->prompt && sum.completion >= later->completion);
}

static void check_chunk(enum endpoint endpoint, struct text data)
{
    struct chunk fast, slow;

    chunk_read(endpoint, data, false, &fast);
    chunk_read(endpoint, data, true, &slow);
    demand(fast.done == slow.done);
    if (fast.usage_result == USAGE_FOUND) {
        const struct usage other = {
            .prompt = 90, .cached = 30, .cache_write = 40, .completion = 50, .reasoning = 20};
        check_bounds(&fast.usage);
        check_merged(&fast.usage, &other);
        check_merged(&other, &fast.usage);
    }
    demand(slow.usage_result == fast.usage_result || fast.usage_result == USAGE_ABSENT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct text answer = text_make((const char *)data + 1, size - 1);
    check_answer(answer, (size_t)data[0] + 1);
    check_chunk((enum endpoint)(data[0] % ENDPOINT_COUNT), answer);
    return 0;
}
