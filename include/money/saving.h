/*
 * What can save money: the causes by which the books sum what was saved, against the same call
 * without them.
 */
#ifndef PURSER_MONEY_SAVING_H
#define PURSER_MONEY_SAVING_H

#include "base/text.h"

enum saving {
    SAVING_CACHE,      /* answered from the cache: what the call would have cost */
    SAVING_ROUTER,     /* sent to a cheaper model or upstream than the one asked for */
    SAVING_OPTIMIZER,  /* sent with a shorter prompt */
    SAVING_BATCH,      /* at the batch price */
    SAVING_EARLY_STOP, /* an answer stopped before its end: what the rest would have cost at the
                          most, up to the maximum that its client named; nothing if it named none */
    SAVING_COUNT
};

/* "cache", "router", "optimizer", "batch", "early_stop": as the ledger and /costs have them. */
struct text saving_name(enum saving cause);

#endif
