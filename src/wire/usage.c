/* Reading usage objects of all dialects: see wire/usage.h. */
#include "wire/usage.h"

/* What the dialects report, by our own names; -1: not reported. */
struct reported {
    int64_t prompt, completion, total;
    int64_t input;            /* Responses: all of it; Messages: what no cache took part in */
    int64_t read, written;    /* Messages: on top of `input`; elsewhere parts of the prompt */
    int64_t cached, uncached; /* DeepSeek tells both */
    int64_t cache_write, written_5m, written_1h;
    int64_t audio_input, image_input, cached_audio;
    int64_t reasoning, audio_output, image_output;
    int64_t searches, seconds;
    struct text cost, key_cost;
    bool own_key;
};

#define NOT_REPORTED (-1)
#define AT(field)    offsetof(struct reported, field)

struct count {
    struct text name;
    size_t field; /* of struct reported */
};

/* A member that is an object, and the counts in it. */
struct group {
    struct text name;
    const struct count *counts;
    size_t size;
};

/* Where a dialect gives a count under two names the larger one is taken: both are bounds. */
static const struct count of_usage[] = {
    {TEXT("prompt_tokens"), AT(prompt)},
    {TEXT("completion_tokens"), AT(completion)},
    {TEXT("total_tokens"), AT(total)},
    {TEXT("input_tokens"), AT(input)},                  /* Responses, Messages */
    {TEXT("output_tokens"), AT(completion)},            /* the same */
    {TEXT("cache_read_input_tokens"), AT(read)},        /* Messages, and gateways before it */
    {TEXT("cache_creation_input_tokens"), AT(written)}, /* the same */
    {TEXT("prompt_cache_hit_tokens"), AT(cached)},      /* DeepSeek */
    {TEXT("prompt_cache_miss_tokens"), AT(uncached)},   /* the same */
    {TEXT("cached_tokens"), AT(cached)},                /* Moonshot */
    {TEXT("reasoning_tokens"), AT(reasoning)},          /* xAI, Perplexity, some versions */
    {TEXT("num_search_queries"), AT(searches)},         /* Perplexity */
};

static const struct count of_prompt[] = {
    {TEXT("cached_tokens"), AT(cached)},
    {TEXT("cache_write_tokens"), AT(cache_write)},    /* OpenRouter */
    {TEXT("cache_creation_tokens"), AT(cache_write)}, /* gateways in front of Anthropic */
    {TEXT("audio_tokens"), AT(audio_input)},
    {TEXT("image_tokens"), AT(image_input)},
};

static const struct count of_completion[] = {
    {TEXT("reasoning_tokens"), AT(reasoning)},
    {TEXT("thinking_tokens"), AT(reasoning)}, /* Messages */
    {TEXT("audio_tokens"), AT(audio_output)},
    {TEXT("image_tokens"), AT(image_output)},
};

static const struct count of_creation[] = {
    {TEXT("ephemeral_5m_input_tokens"), AT(written_5m)},
    {TEXT("ephemeral_1h_input_tokens"), AT(written_1h)},
};

static const struct count of_cached[] = {
    {TEXT("audio_tokens"), AT(cached_audio)},
};

static const struct count of_tools[] = {
    {TEXT("web_search_requests"), AT(searches)},
};

#define GROUP(name, counts)                                                                        \
    {                                                                                              \
        TEXT(name), counts, sizeof(counts) / sizeof((counts)[0])                                   \
    }

static const struct group groups_of_usage[] = {
    GROUP("prompt_tokens_details", of_prompt),
    GROUP("input_tokens_details", of_prompt), /* Responses, images */
    GROUP("input_token_details", of_prompt),  /* sound */
    GROUP("completion_tokens_details", of_completion),
    GROUP("output_tokens_details", of_completion), /* Responses, Messages */
    GROUP("output_token_details", of_completion),  /* sound */
    GROUP("cache_creation", of_creation),          /* Messages */
    GROUP("server_tool_use", of_tools),            /* Messages, OpenRouter */
};

static const struct group groups_of_prompt[] = {
    GROUP("cached_tokens_details", of_cached),
    GROUP("cache_creation_token_details", of_creation), /* gateways in front of Anthropic */
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

static const struct group *group_called(struct text name, const struct group *groups, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (json_name_equal(name, groups[i].name)) {
            return &groups[i];
        }
    }
    return NULL;
}

/* Only the details of the prompt have groups of their own. */
static bool read_group(const struct group *group, struct json_value details,
                       struct reported *reported)
{
    struct json_walk walk = json_walk(details);
    struct json_value value;
    struct text name;
    bool good = details.kind == JSON_OBJECT || details.kind == JSON_NULL;

    while (good && json_next(&walk, &name, &value)) {
        const struct group *inner = NULL;
        if (group->counts == of_prompt) {
            inner = group_called(name, groups_of_prompt, COUNT(groups_of_prompt));
        }
        good = inner != NULL ? read_group(inner, value, reported)
                             : read_member(group->counts, group->size, name, value, reported);
    }
    return good;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static bool sum_up(struct json_value rounds, const struct count *count, int64_t *sum)
{
    struct json_walk walk = json_walk(rounds);
    struct json_value round, value;

    while (json_next(&walk, NULL, &round)) {
        int64_t of_round = 0;
        if (json_member(round, count->name, &value) && !read_count(value, &of_round)) {
            return false;
        }
        *sum += of_round;
        if (*sum > USAGE_MOST) {
            return false;
        }
    }
    return true;
}

/* Messages: an answer that took several rounds, as when the conversation was summarised first,
 * tells each. All are billed, and the rest of the usage leaves out those that are not of the answer
 * itself. */
static bool read_rounds(struct json_value rounds, struct reported *reported)
{
    static const struct count of_round[] = {
        {TEXT("input_tokens"), AT(input)},
        {TEXT("output_tokens"), AT(completion)},
        {TEXT("cache_read_input_tokens"), AT(read)},
        {TEXT("cache_creation_input_tokens"), AT(written)},
    };
    struct json_walk walk = json_walk(rounds);

    if (rounds.kind != JSON_ARRAY || !json_next(&walk, NULL, &(struct json_value){0})) {
        return true;
    }
    for (size_t i = 0; i < COUNT(of_round); i++) {
        int64_t *field = (int64_t *)(void *)((char *)reported + of_round[i].field);
        int64_t sum = 0;
        if (!sum_up(rounds, &of_round[i], &sum)) {
            return false;
        }
        *field = sum > 0 ? larger(*field, sum) : *field;
    }
    return true;
}

/* A begun second counts. What makes no sense is as if nothing had been said: whoever bills by
 * tokens may mean something else. */
static void read_seconds(struct json_value value, int64_t *seconds)
{
    size_t point = text_find(value.raw, TEXT("."), 0);
    int64_t whole = NOT_REPORTED;

    if (value.kind != JSON_NUMBER || value.raw.at[0] == '-') {
        return;
    }
    if (!json_int(value, &whole)) {
        bool plain = text_find(value.raw, TEXT("e"), 0) == SIZE_MAX &&
                     text_find(value.raw, TEXT("E"), 0) == SIZE_MAX;
        if (!plain || !text_to_int(text_slice(value.raw, 0, point), &whole)) {
            return;
        }
        whole += whole < USAGE_MOST ? 1 : 0;
    }
    *seconds = whole <= USAGE_MOST ? whole : *seconds;
}

/* Nothing of it makes a usage invalid: most dialects that have a `cost` mean something else. */
static void read_cost(struct text name, struct json_value value, struct reported *reported)
{
    struct json_value inner;

    if (json_name_equal(name, TEXT("cost")) && value.kind == JSON_NUMBER) {
        reported->cost = value.raw;
    } else if (json_name_equal(name, TEXT("is_byok"))) {
        reported->own_key = value.kind == JSON_TRUE;
    } else if (json_name_equal(name, TEXT("cost_details")) && value.kind == JSON_OBJECT &&
               json_member(value, TEXT("upstream_inference_cost"), &inner) &&
               inner.kind == JSON_NUMBER) {
        reported->key_cost = inner.raw;
    }
}

static bool read_reported(struct json_value usage, struct reported *reported)
{
    struct json_walk walk = json_walk(usage);
    struct json_value value;
    struct text name;
    bool good = true;

    while (good && json_next(&walk, &name, &value)) {
        const struct group *group = group_called(name, groups_of_usage, COUNT(groups_of_usage));
        good = group != NULL ? read_group(group, value, reported)
                             : read_member(of_usage, COUNT(of_usage), name, value, reported);
        if (json_name_equal(name, TEXT("iterations"))) {
            good = read_rounds(value, reported);
        }
        read_cost(name, value, reported);
        if (json_name_equal(name, TEXT("seconds"))) {
            read_seconds(value, &reported->seconds);
        }
    }
    return good;
}

/* ---- normalising ---- */

/* The part, at most what is left of the whole. */
static int64_t part_of(int64_t part, int64_t whole)
{
    if (part < 0) {
        return 0;
    }
    return part < whole ? part : whole;
}

/* All input tokens; NOT_REPORTED if nothing tells. What stands beside `input_tokens` as a cache's
 * is on top of it, beside `prompt_tokens` it is inside. */
static int64_t whole_prompt(const struct reported *reported)
{
    int64_t prompt = larger(reported->prompt, reported->input);

    if (reported->prompt == NOT_REPORTED && reported->input != NOT_REPORTED) {
        prompt += larger(reported->read, 0) + larger(reported->written, 0);
    }
    if (reported->uncached != NOT_REPORTED) {
        prompt = larger(prompt, larger(reported->cached, 0) + reported->uncached);
    }
    if (prompt == NOT_REPORTED && reported->total != NOT_REPORTED) {
        prompt = larger(reported->total - larger(reported->completion, 0), 0);
    }
    return prompt;
}

static void split_prompt(const struct reported *reported, struct usage *usage)
{
    int64_t told = larger(reported->written_5m, 0) + larger(reported->written_1h, 0);
    int64_t written = larger(larger(reported->cache_write, reported->written), told);
    int64_t left = usage->prompt;

    usage->cached = part_of(larger(reported->cached, reported->read), left);
    left -= usage->cached;
    usage->cache_write = part_of(written, left);
    left -= usage->cache_write;
    usage->cache_write_5m =
        part_of(reported->written_5m,
                usage->cache_write - part_of(reported->written_1h, usage->cache_write));
    usage->audio_input = part_of(reported->audio_input, left);
    left -= usage->audio_input;
    /* audio for which there is no room beside the cached tokens is among them */
    int64_t among = reported->audio_input - usage->audio_input;
    usage->cached_audio = part_of(larger(reported->cached_audio, among), usage->cached);
    usage->image_input = part_of(reported->image_input, left);
    usage->image_input_told = reported->image_input != NOT_REPORTED;
    usage->audio_input_told = reported->audio_input != NOT_REPORTED;
}

static void split_completion(const struct reported *reported, struct usage *usage)
{
    int64_t left = usage->completion;

    usage->audio_output = part_of(reported->audio_output, left);
    left -= usage->audio_output;
    usage->image_output = part_of(reported->image_output, left);
    left -= usage->image_output;
    usage->reasoning = part_of(reported->reasoning, left);
    usage->reasoning_told = reported->reasoning != NOT_REPORTED;
    usage->image_output_told = reported->image_output != NOT_REPORTED;
}

/* Empty if it is too long to be a price of anything. */
static void keep_cost(struct text raw, char cost[USAGE_COST_SIZE])
{
    if (raw.size > 0 && raw.size < USAGE_COST_SIZE) {
        memcpy(cost, raw.at, raw.size);
    }
}

/* With a key of one's own `cost` is a fee alone: both are needed then. */
static void take_cost(const struct reported *reported, struct usage *usage)
{
    if (reported->own_key) {
        keep_cost(reported->key_cost, usage->key_cost);
    }
    if (!reported->own_key || usage->key_cost[0] != '\0') {
        keep_cost(reported->cost, usage->cost);
    }
}

static enum usage_result read_with_input(struct json_value value, int64_t known_input,
                                         struct usage *usage)
{
    struct reported reported;

    memset(&reported, 0xff, sizeof(reported)); /* NOT_REPORTED everywhere */
    reported.cost = reported.key_cost = TEXT_NONE;
    reported.own_key = false;
    if (value.kind == JSON_NULL) {
        return USAGE_ABSENT;
    }
    if (value.kind != JSON_OBJECT || !read_reported(value, &reported)) {
        return USAGE_INVALID;
    }
    int64_t prompt = larger(whole_prompt(&reported), known_input);
    if (prompt == NOT_REPORTED && reported.seconds != NOT_REPORTED) {
        prompt = 0; /* billed by the second, not by tokens */
    }
    if (prompt == NOT_REPORTED || prompt > USAGE_MOST) {
        return USAGE_INVALID;
    }
    if (known_input == 0 && reported.completion == NOT_REPORTED && reported.total == NOT_REPORTED) {
        return USAGE_ABSENT;
    }
    int64_t completion = larger(reported.completion, 0);
    memset(usage, 0, sizeof(*usage)); /* what lies between its members, too: usages are compared */
    usage->prompt = prompt;
    usage->completion = larger(completion, reported.total - prompt);
    usage->searches = larger(reported.searches, 0);
    usage->seconds = larger(reported.seconds, 0);
    usage->seconds_told = reported.seconds != NOT_REPORTED;
    split_prompt(&reported, usage);
    split_completion(&reported, usage);
    take_cost(&reported, usage);
    return USAGE_FOUND;
}

enum usage_result usage_read(struct json_value value, struct usage *usage)
{
    return read_with_input(value, NOT_REPORTED, usage);
}

enum usage_result usage_read_later(struct json_value value, struct usage *usage)
{
    return read_with_input(value, 0, usage);
}

/* ---- what is told in two parts ---- */

static int64_t plain_input(const struct usage *usage)
{
    return usage->prompt - usage->cached - usage->cache_write - usage->audio_input -
           usage->image_input;
}

static void merge_input(struct usage *usage, const struct usage *later)
{
    int64_t plain = larger(plain_input(usage), plain_input(later));

    usage->cached = larger(usage->cached, later->cached);
    usage->cached_audio = larger(usage->cached_audio, later->cached_audio);
    usage->cache_write = larger(usage->cache_write, later->cache_write);
    usage->cache_write_5m = larger(usage->cache_write_5m, later->cache_write_5m);
    usage->audio_input = larger(usage->audio_input, later->audio_input);
    usage->image_input = larger(usage->image_input, later->image_input);
    usage->image_input_told = usage->image_input_told || later->image_input_told;
    usage->audio_input_told = usage->audio_input_told || later->audio_input_told;
    usage->prompt =
        plain + usage->cached + usage->cache_write + usage->audio_input + usage->image_input;
}

static void merge_output(struct usage *usage, const struct usage *later)
{
    if (later->completion < usage->completion) {
        return;
    }
    usage->completion = later->completion;
    usage->reasoning = later->reasoning;
    usage->reasoning_told = later->reasoning_told;
    usage->audio_output = later->audio_output;
    usage->image_output = later->image_output;
    usage->image_output_told = later->image_output_told;
}

void usage_merge(struct usage *usage, const struct usage *later)
{
    merge_input(usage, later);
    merge_output(usage, later);
    usage->searches = larger(usage->searches, later->searches);
    if (later->cost[0] != '\0') {
        memcpy(usage->cost, later->cost, sizeof(usage->cost));
        memcpy(usage->key_cost, later->key_cost, sizeof(usage->key_cost));
    }
}

/* ---- searches ---- */

static bool is_search(struct json_value item)
{
    struct json_value action;

    if (!json_member_is(item, TEXT("type"), TEXT("web_search_call"))) {
        return false;
    }
    return !json_member(item, TEXT("action"), &action) ||
           !(json_member_is(action, TEXT("type"), TEXT("open_page")) ||
             json_member_is(action, TEXT("type"), TEXT("find_in_page")));
}

void usage_count_searches(struct usage *usage, struct json_value output)
{
    struct json_walk walk = json_walk(output);
    struct json_value item;
    int64_t searches = 0;

    while (json_next(&walk, NULL, &item)) {
        searches += is_search(item) ? 1 : 0;
    }
    usage->searches = larger(usage->searches, searches);
}
