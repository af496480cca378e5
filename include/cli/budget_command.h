/*
 * `purser budget init|list|leave --config FILE`: what an operator says to the store that instances
 * share (store.redis). None of them needs a running purser.
 */
#ifndef PURSER_CLI_BUDGET_COMMAND_H
#define PURSER_CLI_BUDGET_COMMAND_H

/* argv[0] is "budget". Returns the exit status: 0; 1 if it could not be done, with the reason on
 * standard error; 2 for a command line that it does not understand. */
int cli_budget(int argc, char **argv);

#endif
