/*
 * `purser budget reconcile`: an operator's word on what an instance has really spent that is gone
 * for good. What it had been granted stays charged until then (budget/store.h, STORE_RECONCILE).
 */
#ifndef PURSER_CLI_RECONCILE_H
#define PURSER_CLI_RECONCILE_H

#include "budget/registry.h"

/* Nothing but `node`: it is only listed what that one has. */
struct reconcile_order {
    const char *node;            /* its label, or the first letters of its id */
    const char *ledger;          /* the directory of its ledger */
    const char *account, *spent; /* or of one account: its number, an amount as typed */
    bool yes;                    /* do it, do not only say what would be done */
};

/* Takes a word of the command line, and what follows it if it needs that (NULL: nothing does). So
 * many words were taken; 0: it is none. */
int reconcile_order_take(struct reconcile_order *order, const char *word, const char *next);
bool reconcile_order_is_fine(const struct reconcile_order *order);

/* The exit status. */
int reconcile_run(struct lessor *lessor, struct arena *arena, const struct registry *registry,
                  const struct reconcile_order *order);

#endif
