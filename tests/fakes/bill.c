/*
 * The provider's account; see bill.h.
 */
#include "bill.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct bill {
    struct bill_entry *ring; /* entry n is at n % BILL_RING */
    uint64_t birth;          /* makes the ids of two runs differ */
    uint64_t first;          /* entries below this number were reset */
    uint64_t next;
    int64_t open;
    int64_t prompt_tokens;
    int64_t cached_tokens;
    int64_t completion_tokens;
    int64_t cost_nano_usd;
};

/* Pico-dollars per token: 1 USD per 1M tokens is 1,000,000. Source: OpenAI's price list of 2025,
 * Anthropic's of November 2025. */
static const struct price {
    const char *model;
    int64_t input;
    int64_t cached;
    int64_t output;
    int64_t max_output;
    int64_t written; /* to the cache for minutes; 0: as input */
    int64_t written_1h;
} prices[] = {
    {"gpt-4o-mini", 150000, 75000, 600000, 16384, 0, 0},
    {"gpt-4o", 2500000, 1250000, 10000000, 16384, 0, 0},
    {"gpt-4.1-nano", 100000, 25000, 400000, 32768, 0, 0},
    {"gpt-3.5-turbo-instruct", 1500000, 1500000, 2000000, 4096, 0, 0},
    {"text-embedding-3-small", 20000, 20000, 0, 0, 0, 0},
    {"o4-mini", 1100000, 275000, 4400000, 100000, 0, 0},
    {"gpt-5", 1250000, 125000, 10000000, 128000, 0, 0},
    {"gpt-5-codex", 1250000, 125000, 10000000, 128000, 0, 0},
    {"gpt-5-mini", 250000, 25000, 2000000, 128000, 0, 0},
    {"gpt-image-1", 5000000, 1250000, 40000000, 0, 0, 0},
    {"gpt-4o-transcribe", 2500000, 2500000, 10000000, 2000, 0, 0},
    {"gpt-4o-mini-transcribe", 1250000, 1250000, 5000000, 2000, 0, 0},
    {"gpt-4o-mini-tts", 600000, 600000, 12000000, 0, 0, 0},
    {"claude-sonnet-4-5", 3000000, 300000, 15000000, 64000, 3750000, 6000000},
    {"claude-haiku-4-5", 1000000, 100000, 5000000, 64000, 1250000, 2000000},
    {"claude-opus-4-5", 5000000, 500000, 25000000, 64000, 6250000, 10000000},
};

/* The same for a request with more input than that, all of it. Source: as above. */
static const struct long_price {
    const char *model;
    int64_t above;
    struct price price;
} long_prices[] = {
    {"claude-sonnet-4-5", 200000, {"", 6000000, 600000, 22500000, 0, 7500000, 12000000}},
};

/* A search of the web, $10 for a thousand at OpenAI and Anthropic alike. */
static const int64_t search_pico = 10000000000;

/* The same for the service tiers of some of them. Source: OpenAI's price list of October 2026. */
static const struct tier_price {
    const char *model;
    const char *tier;
    int64_t input;
    int64_t cached;
    int64_t output;
} tier_prices[] = {
    {"gpt-4o-mini", "priority", 250000, 125000, 1000000},
    {"gpt-4o-mini", "fast", 250000, 125000, 1000000},
    {"gpt-4o-mini", "batch", 75000, 75000, 300000},
    {"gpt-4o", "priority", 4250000, 2125000, 17000000},
    {"o4-mini", "flex", 550000, 138000, 2200000},
    {"o4-mini", "priority", 2000000, 500000, 8000000},
};

static const size_t price_count = sizeof prices / sizeof prices[0];

static const struct price *find_price(const char *model)
{
    for (size_t i = 0; i < price_count; i++)
        if (strcmp(prices[i].model, model) == 0)
            return &prices[i];
    return NULL;
}

static const struct tier_price *find_tier_price(const struct bill_entry *entry)
{
    for (size_t i = 0; i < sizeof tier_prices / sizeof tier_prices[0]; i++)
        if (strcmp(tier_prices[i].model, entry->model) == 0 &&
            strcmp(tier_prices[i].tier, entry->tier) == 0)
            return &tier_prices[i];
    return NULL;
}

int64_t bill_max_output(const char *model)
{
    const struct price *price = find_price(model);
    return price == NULL ? 0 : price->max_output;
}

static const struct long_price *find_long_price(const struct bill_entry *entry)
{
    for (size_t i = 0; i < sizeof long_prices / sizeof long_prices[0]; i++)
        if (strcmp(long_prices[i].model, entry->model) == 0 &&
            entry->prompt_tokens > long_prices[i].above)
            return &long_prices[i];
    return NULL;
}

/* Its rates; all 0 for a model that is not in the table. */
static struct price rates_of(const struct bill_entry *entry)
{
    const struct price *price = find_price(entry->model);
    const struct tier_price *tier = find_tier_price(entry);
    const struct long_price *longer = find_long_price(entry);
    struct price rates = {0};
    if (price != NULL)
        rates = longer != NULL ? longer->price : *price;
    if (tier != NULL) {
        rates.input = tier->input;
        rates.cached = tier->cached;
        rates.output = tier->output;
    }
    rates.written = rates.written > 0 ? rates.written : rates.input;
    rates.written_1h = rates.written_1h > 0 ? rates.written_1h : rates.written;
    return rates;
}

static int64_t cost_nano(const struct bill_entry *entry)
{
    if (entry->status >= 400 || entry->free)
        return 0;
    if (entry->named_nano_usd >= 0)
        return entry->named_nano_usd;
    const struct price rates = rates_of(entry);
    int64_t plain = entry->prompt_tokens - entry->cached_tokens - entry->written_tokens -
                    entry->written_1h_tokens - entry->other_tokens;
    __int128 pico = (__int128)plain * rates.input + bill_media_pico(entry) +
                    (__int128)entry->cached_tokens * rates.cached +
                    (__int128)entry->written_tokens * rates.written +
                    (__int128)entry->written_1h_tokens * rates.written_1h +
                    (__int128)entry->searches * search_pico +
                    (__int128)entry->completion_tokens * rates.output;
    return (int64_t)((pico + 999) / 1000);
}

struct bill *bill_open(void)
{
    struct bill *bill = calloc(1, sizeof *bill);
    struct bill_entry *ring = calloc(BILL_RING, sizeof *ring);
    if (bill == NULL || ring == NULL)
        abort();
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    *bill = (struct bill){.ring = ring, .first = 1, .next = 1};
    bill->birth = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    return bill;
}

void bill_close(struct bill *bill)
{
    if (bill == NULL)
        return;
    free(bill->ring);
    free(bill);
}

static struct bill_entry *place_of(const struct bill *bill, uint64_t number)
{
    return &bill->ring[number % BILL_RING];
}

static void keep(struct bill *bill, const struct bill_entry *entry)
{
    if (place_of(bill, entry->number)->number == entry->number)
        *place_of(bill, entry->number) = *entry;
}

void bill_begin(struct bill *bill, struct bill_entry *entry, const char *prefix)
{
    entry->number = bill->next++;
    entry->completion_tokens = 0;
    entry->state = BILL_OPEN;
    if (entry->status >= 400 || entry->free) {
        entry->prompt_tokens = 0;
        entry->cached_tokens = 0;
        entry->written_tokens = 0;
        entry->written_1h_tokens = 0;
        entry->searches = 0;
        entry->other_tokens = 0;
        entry->images = 0;
        entry->seconds = 0;
        entry->characters = 0;
    }
    entry->cost_nano_usd = cost_nano(entry);
    snprintf(entry->id, sizeof entry->id, "%s%011" PRIx64 "%010" PRIx64, prefix, bill->birth,
             entry->number);
    *place_of(bill, entry->number) = *entry;
    bill->open++;
    bill->prompt_tokens += entry->prompt_tokens;
    bill->cached_tokens += entry->cached_tokens;
    bill->cost_nano_usd += entry->cost_nano_usd;
}

void bill_generated(struct bill *bill, struct bill_entry *entry, int64_t completion_tokens)
{
    if (completion_tokens <= entry->completion_tokens || entry->status >= 400 || entry->free)
        return;
    int64_t tokens_before = entry->completion_tokens;
    int64_t cost_before = entry->cost_nano_usd;
    entry->completion_tokens = completion_tokens;
    entry->cost_nano_usd = cost_nano(entry);
    if (entry->number < bill->first)
        return;
    bill->completion_tokens += completion_tokens - tokens_before;
    bill->cost_nano_usd += entry->cost_nano_usd - cost_before;
    keep(bill, entry);
}

void bill_end(struct bill *bill, struct bill_entry *entry, enum bill_state state)
{
    entry->state = state;
    if (entry->number < bill->first)
        return;
    bill->open--;
    keep(bill, entry);
}

void bill_reset(struct bill *bill)
{
    struct bill fresh = {.ring = bill->ring, .birth = bill->birth, .next = bill->next};
    fresh.first = bill->next;
    memset(bill->ring, 0, sizeof *bill->ring * BILL_RING);
    *bill = fresh;
}

static void print_entry(struct bytes *out, const struct bill_entry *entry)
{
    static const char *const states[] = {"open", "done", "client_gone"};
    bytes_print(out, "{\"id\":\"%s\",\"model\":", entry->id);
    bytes_add_json(out, text_of(entry->model));
    bytes_print(out, ",\"prompt_tokens\":%" PRId64 ",\"cached_tokens\":%" PRId64,
                entry->prompt_tokens, entry->cached_tokens);
    bytes_print(out, ",\"cache_write_tokens\":%" PRId64 ",\"cache_write_1h_tokens\":%" PRId64,
                entry->written_tokens, entry->written_1h_tokens);
    bytes_print(out, ",\"searches\":%" PRId64 ",\"images\":%" PRId64, entry->searches,
                entry->images);
    bytes_print(out, ",\"seconds\":%" PRId64 ",\"characters\":%" PRId64, entry->seconds,
                entry->characters);
    bytes_print(out, ",\"completion_tokens\":%" PRId64 ",\"cost_nano_usd\":%" PRId64,
                entry->completion_tokens, entry->cost_nano_usd);
    bytes_print(out, ",\"status\":%d,\"state\":\"%s\",\"purser_request_id\":", entry->status,
                states[entry->state]);
    bytes_add_json(out, text_of(entry->purser_id));
    bytes_print(out, "}");
}

static void print_calls(const struct bill *bill, struct bytes *out)
{
    uint64_t oldest = bill->next > BILL_RING ? bill->next - BILL_RING : 1;
    uint64_t from = oldest > bill->first ? oldest : bill->first;
    bytes_print(out, ",\"calls\":[");
    for (uint64_t number = from; number < bill->next; number++) {
        bytes_print(out, number > from ? "," : "");
        print_entry(out, place_of(bill, number));
    }
    bytes_print(out, "]");
}

void bill_print(const struct bill *bill, struct bytes *out, bool with_calls)
{
    bytes_print(out, "{\"requests\":%" PRIu64 ",\"open\":%" PRId64, bill->next - bill->first,
                bill->open);
    bytes_print(out, ",\"prompt_tokens\":%" PRId64 ",\"cached_tokens\":%" PRId64,
                bill->prompt_tokens, bill->cached_tokens);
    bytes_print(out, ",\"completion_tokens\":%" PRId64 ",\"cost_nano_usd\":%" PRId64,
                bill->completion_tokens, bill->cost_nano_usd);
    if (with_calls)
        print_calls(bill, out);
    bytes_print(out, "}");
}

bool bill_print_call(const struct bill *bill, struct bytes *out, struct text id)
{
    for (uint64_t i = 0; i < BILL_RING; i++) {
        const struct bill_entry *entry = &bill->ring[i];
        if (entry->number == 0 || !text_equal(id, text_of(entry->id)))
            continue;
        print_entry(out, entry);
        return true;
    }
    return false;
}

void bill_print_models(struct bytes *out)
{
    bytes_print(out, "{\"object\":\"list\",\"data\":[");
    for (size_t i = 0; i < price_count; i++)
        bytes_print(out,
                    "%s{\"id\":\"%s\",\"object\":\"model\",\"created\":1715367049,"
                    "\"owned_by\":\"fake\"}",
                    i > 0 ? "," : "", prices[i].model);
    bytes_print(out, "]}");
}
