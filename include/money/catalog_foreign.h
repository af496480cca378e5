/*
 * Reading per-token prices: the format of model_prices_and_context_window.json, an object with a
 * record for each model, as LiteLLM publishes it and others read it. Used by money/catalog_file.h.
 *
 * Prices are USD per token (1.5e-07), read as decimal text; what is finer than a pico-dollar is
 * rounded up. `litellm_provider` becomes our provider ids. The provider's prefix of a name
 * ("azure/gpt-4o") is no part of the canonical name, but the name with it is an alias, and so is
 * one for names without it ("openai/gpt-4o"). Where two records come to the same provider and name,
 * the dearer stays.
 *
 * Taken: modes chat, completion, responses and embedding, if tokens and fees for requests price
 * them; prices of the service tiers flex, priority and batches, where both input and output have
 * one (what else they do not say is taken to be no cheaper than the standard price); the dearest
 * fee of a search; and for other endpoints image_generation and image_edit (tokens, or
 * input_ or output_cost_per_image), audio_speech (tokens, or input_cost_per_character),
 * audio_transcription (tokens, or input_ or output_cost_per_second) and moderation. Prices by the
 * pixel are not. Fees of other tools that a request has to ask for are ignored, since such
 * requests are refused under a USD budget. All other models are left out, and counted.
 */
#ifndef PURSER_MONEY_CATALOG_FOREIGN_H
#define PURSER_MONEY_CATALOG_FOREIGN_H

#include "base/json.h"
#include "money/catalog_file.h"

/* Is this parsed file of that format? It has no "format", and a member with "litellm_provider". */
bool catalog_is_foreign(struct json_value file);

/* Reads all records. The fault names the record. */
MUST_USE bool catalog_foreign_read(struct json_value file, struct arena *arena,
                                   struct catalog_records *records, struct fault *fault);

/* Gives the record its canonical name and provider and, as alias, the name with or without the
 * provider's prefix: `key` is its name, `theirs` its provider in the file. */
void catalog_foreign_name(struct catalog_record *record, struct text key, struct text theirs,
                          struct arena *arena);
void catalog_foreign_alias(struct catalog_record *record, struct text alias, struct arena *arena);

/* What the calls of a mode are, and which prices by the piece are meant for all they cost. The
 * dearer of two for one piece holds: they are two ways to say the same. */
struct catalog_foreign_mode {
    struct text name;
    enum model_kind kind;
    struct {
        struct text name; /* TEXT_NONE: no more */
        enum piece piece;
    } prices[2];
};

/* NULL: a mode of endpoints that are not served. */
const struct catalog_foreign_mode *catalog_foreign_mode(struct text name);

#endif
