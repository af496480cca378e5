/* Tokens of images: one table of families, three ways to count. See money/images.h. */
#include "money/images.h"

#include "base/assert.h"

#define MOST_PIXELS INT64_C(1000000) /* of a side; a larger one costs no more */

enum way { WAY_TILES, WAY_PATCHES };

struct image_family {
    const char *pattern;
    enum way way;
    int64_t base, tile;           /* tiles */
    int64_t side, most, hundreds; /* patches: pixels of a side; their number; factor in 1/100 */
};

#define TILES(name, base_tokens, tile_tokens)                                                      \
    .pattern = (name), .way = WAY_TILES, .base = (base_tokens), .tile = (tile_tokens)
#define PATCHES(name, factor)                                                                      \
    .pattern = (name), .way = WAY_PATCHES, .side = 32, .most = 1536, .hundreds = (factor)
#define CLAUDE(name)                                                                               \
    .pattern = (name), .way = WAY_PATCHES, .side = 28, .most = 4784, .hundreds = 105

/* The first that fits counts. "gpt-5.*" and later count otherwise, and are not here. */
static const struct image_family families[] = {
    {TILES("gpt-4o-mini*", 2833, 5667)},
    {TILES("gpt-4o*", 85, 170)},
    {TILES("chatgpt-4o*", 85, 170)},
    {PATCHES("gpt-4.1-mini*", 162)},
    {PATCHES("gpt-4.1-nano*", 246)},
    {TILES("gpt-4.1*", 85, 170)},
    {TILES("gpt-4.5*", 85, 170)},
    {TILES("gpt-4-turbo*", 85, 170)},
    {TILES("gpt-4-*vision*", 85, 170)},
    {PATCHES("gpt-5-mini*", 162)},
    {PATCHES("gpt-5-nano*", 246)},
    {TILES("gpt-5", 70, 140)},
    {TILES("gpt-5-2*", 70, 140)},
    {TILES("gpt-5-chat*", 70, 140)},
    {PATCHES("o4-mini*", 172)},
    {TILES("o1", 75, 150)},
    {TILES("o1-2*", 75, 150)},
    {TILES("o1-pro*", 75, 150)},
    {TILES("o3", 75, 150)},
    {TILES("o3-2*", 75, 150)},
    {TILES("o3-pro*", 75, 150)},
    {TILES("computer-use-preview*", 65, 129)},
    {CLAUDE("claude-*")},
    {CLAUDE("*anthropic.claude-*")},
};

#define FAMILY_COUNT (sizeof families / sizeof *families)

static struct text bare_name(struct text model)
{
    struct text rest = model;
    while (rest.at != NULL)
        model = text_split(&rest, '/');
    if (!text_starts(model, TEXT("ft:")))
        return model;
    model = text_from(model, 3);
    return text_split(&model, ':');
}

const struct image_family *image_family(struct text model)
{
    struct text name = bare_name(model);
    for (size_t i = 0; i < FAMILY_COUNT; i++) {
        if (text_matches(name, text_of(families[i].pattern)))
            return &families[i];
    }
    return NULL;
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* A side of `pixels` has pixels * up / down after the image was fitted. */
static int64_t tiles_of_side(int64_t pixels, int64_t up, int64_t down)
{
    return divide_up(pixels * up, down * 512);
}

static int64_t tiles(int64_t width, int64_t height)
{
    int64_t longer = width > height ? width : height;
    int64_t shorter = width > height ? height : width;
    int64_t up = 1, down = 1;
    if (longer > 2048) {
        up = 2048;
        down = longer;
    }
    if (shorter * up > 768 * down) {
        up = 768;
        down = shorter;
    }
    return tiles_of_side(width, up, down) * tiles_of_side(height, up, down);
}

static int64_t patches(const struct image_family *family, int64_t count)
{
    int64_t seen = count < family->most ? count : family->most;
    return divide_up(seen * family->hundreds, 100);
}

int64_t image_tokens(const struct image_family *family, int64_t width, int64_t height, bool low)
{
    ASSERT(width > 0);
    ASSERT(height > 0);
    if (width > MOST_PIXELS || height > MOST_PIXELS)
        return image_tokens_most(family);
    if (family->way == WAY_TILES)
        return family->base + (low ? 0 : family->tile * tiles(width, height));
    return patches(family, divide_up(width, family->side) * divide_up(height, family->side));
}

int64_t image_tokens_most(const struct image_family *family)
{
    if (family->way == WAY_TILES)
        return family->base + family->tile * tiles(2048, 768);
    return patches(family, family->most);
}
