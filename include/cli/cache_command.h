/*
 * `purser cache stats|clear --config FILE [--json]`: asks a running purser about its cache.
 */
#ifndef PURSER_CLI_CACHE_COMMAND_H
#define PURSER_CLI_CACHE_COMMAND_H

/* argv[0] is "cache". Asks the purser that serves the configuration FILE, at its `listen` address
 * and with its admin token; each time it has 10 s to answer. Prints a table, or the JSON that came
 * (GET and DELETE /admin/cache). Returns the exit status: 0; 1 if nobody answered as asked, with
 * the reason on standard error; 2 for a command line that it does not understand. */
int cli_cache(int argc, char **argv);

#endif
