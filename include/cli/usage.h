/*
 * `purser <command> --help`.
 */
#ifndef PURSER_CLI_USAGE_H
#define PURSER_CLI_USAGE_H

#include <stdbool.h>

/* True if --help or -h is among the arguments (before a --): the text is on standard output, and
 * the command has nothing else to do. */
bool usage_asked(int argc, char **argv, const char *text);

#endif
