/*
 * What a reported usage costs, by a price alone. The price knows nothing of dialects, the usage
 * nothing of money: here they meet.
 */
#ifndef PURSER_GEAR_COST_H
#define PURSER_GEAR_COST_H

#include "money/price.h"
#include "wire/usage.h"

/* Its tokens by what they are priced as. Where an answer does not tell two kinds apart, all are of
 * the dearer. */
struct usage_buckets cost_buckets(const struct usage *usage, const struct price *price);

/* At the dearest of these service tiers (bits); none of them: as a plain call. */
struct money cost_of_usage(const struct usage *usage, const struct price *price, unsigned services);

#endif
