/*
 * What commands of an operator share that ask the running purser of a configuration: their words,
 * its file, and one question with its admin token.
 */
#ifndef PURSER_CLI_OPERATOR_H
#define PURSER_CLI_OPERATOR_H

#include "base/json.h"
#include "config/config.h"

/* NULL, and said on stderr what is wrong with the file. */
struct config *operator_load(const char *path);

/* A command that needs the file which its words name (--config). */
struct operator_command {
    const char *manual; /* its usage, an empty line, and all else */
    /* Reads the words into the command's own `order`, and which file. False: they make no sense. */
    bool (*parse)(int argc, char **argv, void *order, const char **path);
    int (*run)(const void *order, const struct config *config); /* the exit status */
};

/* --help, or the words, or the file and the command. The exit status. */
int operator_command(const struct operator_command *command, int argc, char **argv, void *order);

struct operator_question {
    const struct config *config;
    const char *command; /* "cache": for what is said on stderr */
    const char *method;
    struct text path;
    struct text body; /* JSON; empty: none */
};

/* Asks at `listen`. False, and said why on stderr, unless the answer has status 200 and is JSON:
 * then `value` points into `body`, which is to be closed. */
MUST_USE bool operator_ask(const struct operator_question *question, struct buffer *body,
                           struct json_value *value);
/* Its `warnings`, on stderr. */
void operator_print_warnings(const struct operator_question *question, struct json_value answer);

#endif
