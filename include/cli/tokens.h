/*
 * `purser tokens [--chat] [--encoding NAME | --model NAME] [FILE...]`: counts the tokens of texts,
 * or the input tokens of chat requests.
 */
#ifndef PURSER_CLI_TOKENS_H
#define PURSER_CLI_TOKENS_H

/* argv[0] is "tokens". Prints a line for each file: the count, a blank, the file's name; for
 * standard input (no file, or "-") the count alone. The encoding is the one that is named, or that
 * the named model uses (money/tokens.h); else o200k_base, or with --chat that of the request's own
 * model. Returns the exit status: 0; 1 if a file cannot be read or is larger than 1 GiB, or is no
 * chat request that can be counted (pipeline/estimate.h), after the others; 2 for a command line
 * that it does not understand, an unknown encoding and a model without a public tokeniser among
 * them. */
int cli_tokens(int argc, char **argv);

#endif
