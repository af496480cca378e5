/*
 * "Did you mean ...?": the nearest of the names that are known, by edit distance.
 */
#ifndef PURSER_CONFIG_SUGGEST_H
#define PURSER_CONFIG_SUGGEST_H

#include "base/text.h"

/* Start with `struct suggest suggest = {.wrong = name}`, offer each known name, read `best`:
 * TEXT_NONE if none is near enough (a third of its length) to be what was meant. */
struct suggest {
    struct text wrong;
    struct text best; /* borrowed from what was offered */
    size_t distance;  /* of the best one */
    size_t *left;     /* comparisons that may still be made; NULL: any number */
};

void suggest_offer(struct suggest *suggest, struct text known);

/* Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`. Texts over
 * SUGGEST_MOST bytes are as far apart as can be. */
#define SUGGEST_MOST 64
size_t suggest_distance(struct text a, struct text b);

#endif
