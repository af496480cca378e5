/*
 * What images and sound cost; see bill.h.
 */
#include <string.h>

#include "bill.h"

/* Pico-dollars. Source: OpenAI's price list of 2025. */
static const struct image_price {
    const char *model;
    const char *quality;
    const char *size;
    int64_t pico;
} image_prices[] = {
    {"dall-e-3", "standard", "1024x1024", 40000000000},
    {"dall-e-3", "standard", "1024x1792", 80000000000},
    {"dall-e-3", "standard", "1792x1024", 80000000000},
    {"dall-e-3", "hd", "1024x1024", 80000000000},
    {"dall-e-3", "hd", "1024x1792", 120000000000},
    {"dall-e-3", "hd", "1792x1024", 120000000000},
    {"dall-e-2", "standard", "1024x1024", 20000000000},
    {"dall-e-2", "standard", "512x512", 18000000000},
    {"dall-e-2", "standard", "256x256", 16000000000},
};

static const struct unit_price {
    const char *model;
    int64_t second;
    int64_t character;
    int64_t other_token; /* of an image or of sound, in the prompt */
} unit_prices[] = {
    {"whisper-1", 100000000, 0, 0},       {"tts-1", 0, 15000000, 0},
    {"tts-1-hd", 0, 30000000, 0},         {"gpt-image-1", 0, 0, 10000000},
    {"gpt-4o-transcribe", 0, 0, 6000000}, {"gpt-4o-mini-transcribe", 0, 0, 3000000},
};

static const char *or_usual(const char *word, const char *usual)
{
    return word[0] == 0 || strcmp(word, "auto") == 0 ? usual : word;
}

static __int128 image_pico(const struct bill_entry *entry)
{
    const char *quality = or_usual(entry->quality, "standard");
    const char *size = or_usual(entry->size, "1024x1024");
    for (size_t i = 0; i < sizeof image_prices / sizeof image_prices[0]; i++)
        if (strcmp(image_prices[i].model, entry->model) == 0 &&
            strcmp(image_prices[i].quality, quality) == 0 &&
            strcmp(image_prices[i].size, size) == 0)
            return (__int128)entry->images * image_prices[i].pico;
    return 0;
}

__int128 bill_media_pico(const struct bill_entry *entry)
{
    /* Text has none of these, and is billed anew for each token: this must cost it nothing. */
    if ((entry->images | entry->seconds | entry->characters | entry->other_tokens) == 0)
        return 0;
    __int128 pico = image_pico(entry);
    for (size_t i = 0; i < sizeof unit_prices / sizeof unit_prices[0]; i++) {
        const struct unit_price *price = &unit_prices[i];
        if (strcmp(price->model, entry->model) != 0)
            continue;
        pico += (__int128)entry->seconds * price->second;
        pico += (__int128)entry->characters * price->character;
        pico += (__int128)entry->other_tokens * price->other_token;
    }
    return pico;
}
