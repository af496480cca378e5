/* `purser budget list`: how budgets stand, for people; and the words for it that others share. */
#ifndef PURSER_CLI_BUDGET_LIST_H
#define PURSER_CLI_BUDGET_LIST_H

#include "budget/census.h"
#include "budget/registry.h"
#include "config/config.h"

/* Of a Redis: the store, its instances, its accounts. The exit status. */
int budget_list(struct lessor *lessor, struct arena *arena, const struct registry *registry);

/* Without one: the accounts of the running purser. The exit status. */
int budget_list_alone(const struct config *config);

/* "$1.25", "40 tokens"; of an account that is not named, in the store's units. */
#define BUDGET_AMOUNT_SIZE 48
const char *budget_amount(const struct census_account *account, int64_t stored,
                          char out[BUDGET_AMOUNT_SIZE]);

/* Its number and what it is, without a line end. What comes from other machines is not sent to a
 * terminal as it is. */
void budget_print_account(const struct census_account *account);

#endif
