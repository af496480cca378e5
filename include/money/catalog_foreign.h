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
 * fee of a search. Fees of other tools that a request has to ask for are ignored, since such
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

#endif
