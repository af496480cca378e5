/*
 * `purser keys`: makes, lists and deletes callers' keys while purser runs.
 */
#ifndef PURSER_CLI_KEYS_COMMAND_H
#define PURSER_CLI_KEYS_COMMAND_H

/* argv[0] is "keys". Asks the purser that serves the configuration FILE (cli/operator.h). Prints a
 * new key alone on standard output, so that a script may take it; or a table, or the JSON that
 * came. Returns the exit status: 0; 1 if it was not done, with the reason on standard error; 2 for
 * a command line that it does not understand. */
int cli_keys(int argc, char **argv);

#endif
