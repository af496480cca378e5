/*
 * Edit distance by three rows: the one being filled and the two before it, which a swap of
 * neighbours looks back to.
 */
#include "config/suggest.h"

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t suggest_distance(struct text a, struct text b)
{
    if (a.size > SUGGEST_MOST || b.size > SUGGEST_MOST)
        return SIZE_MAX;
    size_t rows[3][SUGGEST_MOST + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b.size; j++)
        above[j] = before[j] = j;
    for (size_t i = 1; i <= a.size; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b.size; j++) {
            size_t replaced = above[j - 1] + (a.at[i - 1] != b.at[j - 1]);
            row[j] = least(replaced, 1 + least(above[j], row[j - 1]));
            if (i > 1 && j > 1 && a.at[i - 1] == b.at[j - 2] && a.at[i - 2] == b.at[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        size_t *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[b.size];
}

void suggest_offer(struct suggest *suggest, struct text known)
{
    size_t most = (suggest->wrong.size + 2) / 3;
    size_t shorter = least(suggest->wrong.size, known.size);
    if (suggest->wrong.size + known.size - 2 * shorter > most)
        return;
    if (suggest->left != NULL && *suggest->left == 0)
        return;
    if (suggest->left != NULL)
        --*suggest->left;
    size_t distance = suggest_distance(suggest->wrong, known);
    if (distance > most)
        return;
    if (suggest->best.at == NULL || distance < suggest->distance) {
        suggest->best = known;
        suggest->distance = distance;
    }
}
