/*
 * `purser tokens [--encoding NAME | --model NAME] [FILE...]`: counts the tokens of texts.
 */
#ifndef PURSER_CLI_TOKENS_H
#define PURSER_CLI_TOKENS_H

/* argv[0] is "tokens". Prints a line for each file: the count, a blank, the file's name; for
 * standard input (no file, or "-") the count alone. The encoding is o200k_base unless it is named,
 * or the model that uses it is (money/tokens.h). Returns the exit status: 0; 1 if a file cannot be
 * read or is larger than 1 GiB, after the others; 2 for a command line that it does not understand,
 * an unknown encoding and a model without a public tokeniser among them. */
int cli_tokens(int argc, char **argv);

#endif
