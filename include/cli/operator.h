/*
 * What commands of an operator share that ask the running purser of a configuration: its file, and
 * one question with its admin token.
 */
#ifndef PURSER_CLI_OPERATOR_H
#define PURSER_CLI_OPERATOR_H

#include "base/json.h"
#include "config/config.h"

/* NULL, and said on stderr what is wrong with the file. */
struct config *operator_load(const char *path);

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

#endif
