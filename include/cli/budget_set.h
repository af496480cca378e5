/* `purser budget set`: other limits for a budget, by the running purser; in force at all instances.
 */
#ifndef PURSER_CLI_BUDGET_SET_H
#define PURSER_CLI_BUDGET_SET_H

#include "config/config.h"

struct limits_order {
    const char *budget;
    const char *id;                /* of this id of its scope alone; NULL: of the budget */
    const char *limit[UNIT_COUNT]; /* as typed; NULL: stays */
    bool reset;                    /* the configured ones again */
};

/* True if it says something, and numbers are numbers. */
bool limits_order_is_fine(const struct limits_order *order);

/* The exit status. */
int limits_run(const struct config *config, const struct limits_order *order);

#endif
