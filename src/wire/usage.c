/* Reading the usage objects of the OpenAI-shaped dialects: see wire/usage.h. */
#include "wire/usage.h"

/* What the dialects report, by our own names; -1: not reported. */
struct reported {
    int64_t prompt, completion, total;
    int64_t cached, cache_write, audio_input;
    int64_t reasoning, audio_output;
};

#define NOT_REPORTED (-1)
#define AT(field)    offsetof(struct reported, field)

struct count {
    struct text name;
    size_t field; /* of struct reported */
};

/* Where a dialect gives a count under two names the larger one is taken: both are bounds. */
static const struct count of_usage[] = {
    {TEXT("prompt_tokens"), AT(prompt)},
    {TEXT("completion_tokens"), AT(completion)},
    {TEXT("total_tokens"), AT(total)},
    {TEXT("prompt_cache_hit_tokens"), AT(cached)},          /* DeepSeek */
    {TEXT("cached_tokens"), AT(cached)},                    /* Moonshot */
    {TEXT("cache_read_input_tokens"), AT(cached)},          /* gateways in front of Anthropic */
    {TEXT("cache_creation_input_tokens"), AT(cache_write)}, /* the same */
    {TEXT("reasoning_tokens"), AT(reasoning)},              /* xAI, Perplexity, some versions */
};

static const struct count of_prompt[] = {
    {TEXT("cached_tokens"), AT(cached)},
    {TEXT("cache_write_tokens"), AT(cache_write)},    /* OpenRouter */
    {TEXT("cache_creation_tokens"), AT(cache_write)}, /* gateways in front of Anthropic */
    {TEXT("audio_tokens"), AT(audio_input)},
};

static const struct count of_completion[] = {
    {TEXT("reasoning_tokens"), AT(reasoning)},
    {TEXT("audio_tokens"), AT(audio_output)},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static bool read_count(struct json_value value, int64_t *count)
{
    int64_t number;

    if (value.kind == JSON_NULL) {
        return true;
    }
    if (value.kind != JSON_NUMBER || !json_int(value, &number)) {
        return false;
    }
    if (number < 0 || number > USAGE_MOST) {
        return false;
    }
    *count = number > *count ? number : *count;
    return true;
}

static bool read_member(const struct count *counts, size_t size, struct text name,
                        struct json_value value, struct reported *reported)
{
    for (size_t i = 0; i < size; i++) {
        if (json_name_equal(name, counts[i].name)) {
            return read_count(value, (int64_t *)(void *)((char *)reported + counts[i].field));
        }
    }
    return true;
}

static bool read_details(const struct count *counts, size_t size, struct json_value details,
                         struct reported *reported)
{
    struct json_walk walk = json_walk(details);
    struct json_value value;
    struct text name;

    if (details.kind != JSON_OBJECT && details.kind != JSON_NULL) {
        return false;
    }
    while (json_next(&walk, &name, &value)) {
        if (!read_member(counts, size, name, value, reported)) {
            return false;
        }
    }
    return true;
}

static bool read_reported(struct json_value usage, struct reported *reported)
{
    struct json_walk walk = json_walk(usage);
    struct json_value value;
    struct text name;
    bool good = true;

    while (good && json_next(&walk, &name, &value)) {
        if (json_name_equal(name, TEXT("prompt_tokens_details"))) {
            good = read_details(of_prompt, COUNT(of_prompt), value, reported);
        } else if (json_name_equal(name, TEXT("completion_tokens_details"))) {
            good = read_details(of_completion, COUNT(of_completion), value, reported);
        } else {
            good = read_member(of_usage, COUNT(of_usage), name, value, reported);
        }
    }
    return good;
}

/* The part, at most what is left of the whole. */
static int64_t part_of(int64_t part, int64_t whole)
{
    if (part < 0) {
        return 0;
    }
    return part < whole ? part : whole;
}

static struct usage normalise(const struct reported *reported)
{
    int64_t completion = reported->completion < 0 ? 0 : reported->completion;
    int64_t prompt = reported->prompt;

    if (prompt < 0) {
        prompt = reported->total > completion ? reported->total - completion : 0;
    }
    if (reported->total - prompt > completion) {
        completion = reported->total - prompt;
    }
    struct usage usage = {.prompt = prompt, .completion = completion};
    usage.cached = part_of(reported->cached, prompt);
    usage.cache_write = part_of(reported->cache_write, prompt - usage.cached);
    usage.audio_input = part_of(reported->audio_input, prompt - usage.cached - usage.cache_write);
    usage.audio_output = part_of(reported->audio_output, completion);
    usage.reasoning = part_of(reported->reasoning, completion - usage.audio_output);
    return usage;
}

enum usage_result usage_read(struct json_value value, struct usage *usage)
{
    struct reported reported;

    memset(&reported, 0xff, sizeof(reported)); /* NOT_REPORTED everywhere */
    if (value.kind == JSON_NULL) {
        return USAGE_ABSENT;
    }
    if (value.kind != JSON_OBJECT || !read_reported(value, &reported)) {
        return USAGE_INVALID;
    }
    if (reported.prompt == NOT_REPORTED && reported.total == NOT_REPORTED) {
        return USAGE_INVALID;
    }
    *usage = normalise(&reported);
    return USAGE_FOUND;
}
