/*
 * The store's registry as people want to see it: which instances there are, and how it stands.
 */
#ifndef PURSER_BUDGET_REGISTRY_H
#define PURSER_BUDGET_REGISTRY_H

#include "budget/lessor.h"

struct registry_member {
    char journal[STORE_JOURNAL_SIZE];
    struct text label;
    int64_t first_s, last_s;       /* seen; UTC, by its own clock; 0: others have named it */
    int64_t incarnation, sequence; /* of the last operation of its own that was applied */
    bool registered;               /* else it was made to leave */
    bool present;                  /* it has synced in this epoch; only while it recovers */
    bool stated;                   /* it has synced since it joined, and the store has that still */
    bool is_new;                   /* nobody has vouched for it yet (store.h) */
};

/* Texts are in the arena. */
struct registry {
    bool there; /* it was set up; else all else is 0 */
    bool recovering;
    int64_t epoch, absent;
    int64_t nameless; /* so many of the absent ones are not among the members: they were counted */
    char fence[STORE_FENCE_SIZE];
    struct registry_member *members; /* by their first day */
    size_t count;
};

/* The only one, of those that are registered or of those that have left, with this label or whose
 * journal begins so (at least 4 letters). NULL: there is none, or there are `*several`. */
const struct registry_member *registry_find(const struct registry *registry, struct text name,
                                            bool registered, bool *several);

MUST_USE bool registry_read(struct lessor *lessor, struct arena *arena, struct registry *registry,
                            struct fault *fault);

#endif
