/*
 * What an image costs as input, in tokens, by the family of the model that sees it:
 *
 *     tiles    the image is fitted into 2048 x 2048, then made smaller until its shortest side has
 *              768 pixels (never larger): base + tile x squares of 512. `detail: low`: base
 *     patches  ceil(width / 32) x ceil(height / 32), at most 1,536, times the model's factor. The
 *              provider makes a larger image fit in whole patches, which may be a few less
 *     Claude   ceil(width / 28) x ceil(height / 28), at most 4,784 (some models: 1,568); here a
 *              twentieth more: it is also told as width x height / 750
 *
 * Sources: OpenAI's guide "Images and vision", chapter "Calculating costs"; Anthropic's "Vision",
 * chapter "Evaluate image size"; both as of November 2025. They change with each new family, so one
 * that is not in the table has no bound here, and the model's max_input_tokens has to do.
 *
 * Pure. The figures are never below what these documents say.
 */
#ifndef PURSER_MONEY_IMAGES_H
#define PURSER_MONEY_IMAGES_H

#include "base/text.h"

struct image_family;

/* By the model's name, with or without its provider's ("openai/gpt-4o", "anthropic.claude-..."),
 * dated or fine-tuned. NULL: not known, or it sees no images. */
const struct image_family *image_family(struct text model);

/* `width` and `height` in pixels, 1 or more; `low`: the request says `detail: low`. */
int64_t image_tokens(const struct image_family *family, int64_t width, int64_t height, bool low);

/* Of an image whose size is not known. */
int64_t image_tokens_most(const struct image_family *family);

#endif
