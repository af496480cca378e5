/* The terms: how they are counted, and how they end. */
#include "pipeline/terms.h"

#include <stdlib.h>

struct terms *terms_new(void)
{
    struct terms *terms = aligned_alloc(_Alignof(struct terms), sizeof *terms);
    ASSERT(terms != NULL);
    memset(terms, 0, sizeof *terms);
    atomic_init(&terms->users, 1);
    return terms;
}

struct terms *terms_take(struct terms *terms)
{
    atomic_fetch_add_explicit(&terms->users, 1, memory_order_relaxed);
    return terms;
}

void terms_drop(struct terms *terms)
{
    if (terms == NULL || atomic_fetch_sub_explicit(&terms->users, 1, memory_order_acq_rel) != 1)
        return;
    table_close(&terms->admission.keys);
    if (terms->lender == NULL)
        catalog_close(terms->catalog);
    terms_drop(terms->lender);
    arena_close(&terms->arena);
    if (terms->basis_free != NULL)
        terms->basis_free(terms->basis);
    free(terms);
}
