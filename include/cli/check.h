/*
 * `purser check [--print] [FILE]` and `purser check --reference`.
 */
#ifndef PURSER_CLI_CHECK_H
#define PURSER_CLI_CHECK_H

/* argv[0] is "check". Findings go to standard error; what is in force (--print), every option
 * (--reference) or a line that all is well goes to standard output. Without FILE the environment
 * is checked. Returns the exit status: 0 without errors (warnings are fine), 1 with errors,
 * 2 for a command line that it does not understand. */
int cli_check(int argc, char **argv);

#endif
