/*
 * An estimate of how many tokens a text has for a model without a public tokeniser:
 *
 *     k x what o200k_base counts of its ASCII     k: 1.5 for Claude, 1.2 for all others
 *     half a token for each byte that is not ASCII
 *
 * For people who ask (`purser tokens`), never for a hold: that has a bound, a token for each byte
 * (wire/body.h), or what was learned of the model (gear/drift.h).
 */
#ifndef PURSER_MONEY_TOKENS_GUESS_H
#define PURSER_MONEY_TOKENS_GUESS_H

#include "base/text.h"

/* k, in thousandths, by the model's name. */
int64_t tokens_guess_permille(struct text model);

/* Rounded up. Of at most TOKENS_MAX_TEXT bytes; never more than tokens_at_most takes of memory. */
size_t tokens_guess(int64_t permille, struct text text);

#endif
