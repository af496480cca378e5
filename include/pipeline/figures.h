/*
 * The figures of a budget's account, as everybody is shown them: rows of GET /budget and refusals
 * carry the same, from here.
 */
#ifndef PURSER_PIPELINE_FIGURES_H
#define PURSER_PIPELINE_FIGURES_H

#include "base/text.h"
#include "budget/core.h"

/* An amount: USD as a decimal number, exact; else an integer. */
void figures_put_amount(struct buffer *out, enum unit unit, int64_t amount);

/* What is spent, by other instances too, as far as they said. */
int64_t figures_spent(const struct account_view *view);
/* What is left of the limit, holds taken off: never below 0. */
int64_t figures_remaining(const struct account_view *view);

/* Members of an object, each with a comma before it where one belongs:
 *     limit, limit_configured, spent, reserved, remaining, forfeited, ceiling, overdraft,
 *     spent_elsewhere
 * `forfeited` and `spent_elsewhere` are parts of `spent`; `ceiling` is how far this instance may
 * spend and hold before it must ask for more, `overdraft` what of it no store has granted. */
void figures_put(struct buffer *out, const struct account_view *view);

/* `"resets_at"`: when the window ends (of a rolling one: core.h); null: never. */
void figures_put_reset(struct buffer *out, const struct account_view *view);

#endif
