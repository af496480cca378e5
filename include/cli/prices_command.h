/*
 * `purser prices [MODEL] [--config FILE] [--input N] [--output N] [--date YYYY-MM-DD] [--json]`.
 */
#ifndef PURSER_CLI_PRICES_COMMAND_H
#define PURSER_CLI_PRICES_COMMAND_H

/* argv[0] is "prices". With MODEL: the record that applies, its file, and what a call would cost;
 * by the upstream that serves it in the configuration, or without --config of every provider in the
 * built-in catalog. Without MODEL: all records in force. Returns the exit status: 0; 1 if the model
 * has no price, or the configuration has errors; 2 for a command line that it does not
 * understand. */
int cli_prices(int argc, char **argv);

#endif
