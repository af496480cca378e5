/*
 * A tour: a look at every account in portions, between which the core goes on. There may be a
 * hundred thousand accounts, and nobody is granted anything while one looks at them. Part of the
 * core (core.h); nobody else includes this but core.h's own struct survey.
 */
#ifndef PURSER_BUDGET_TOUR_H
#define PURSER_BUDGET_TOUR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct account;
struct core;
struct restored;

/* Zero-initialised it has not begun. */
struct tour {
    bool begun;
    uint64_t redefined;    /* the core's, then */
    size_t lane;           /* whose accounts it is at */
    struct account *after; /* the next one, pinned until then; NULL: all of them were visited */
    size_t place;          /* the next of what was restored; 0: none of it was visited */
    uint64_t layouts;      /* of that table, then */
};

struct tour_visitor {
    /* The tour begins, or anew because the budgets are others, or because what was restored lies
     * elsewhere now: what was found before is void. */
    void (*begin)(struct core *core, void *context);
    void (*account)(struct core *core, struct account *account, void *context);
    /* NULL: what is restored is not visited. */
    void (*restored)(struct core *core, uint64_t number, struct restored *restored, void *context);
    void *context;
};

/* Visits at most `portion` accounts: those of each budget in the order of appearing, then those
 * that were restored and did not appear yet. True: there are more. What appears meanwhile may be
 * missed, and what changes is told as it was or as it is. */
bool tour_go_on(struct core *core, struct tour *tour, const struct tour_visitor *visitor,
                size_t portion);
/* Ends it before that. */
void tour_end(struct core *core, struct tour *tour);

#endif
