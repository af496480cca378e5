/* `purser budget refund`: what was forfeited, listed or given back by the running purser. */
#ifndef PURSER_CLI_REFUND_H
#define PURSER_CLI_REFUND_H

#include "config/config.h"

struct refund_order {
    const char *name;         /* a request id or call; NULL: all, or only a list */
    const char *usd, *tokens; /* of the named one so much, as typed; both NULL: all of it */
    bool all;
    bool yes; /* of all: do it, do not only say what would be done */
};

/* True if it says something, and numbers are numbers. */
bool refund_order_is_fine(const struct refund_order *order);

/* The exit status. */
int refund_run(const struct config *config, const struct refund_order *order);

#endif
