/*
 * Asks a running purser something by HTTP, on a connection of its own, and waits for the answer:
 * what commands need that speak to the process that serves.
 */
#ifndef PURSER_CLI_CLIENT_H
#define PURSER_CLI_CLIENT_H

#include "base/fault.h"
#include "base/text.h"

#define CLIENT_ANSWER_MOST (1024 * 1024) /* bytes of an answer's body */

struct client_question {
    struct text socket;     /* path of a unix socket; empty: TCP */
    struct text host, port; /* of TCP; an IPv6 address may have its brackets; port empty: 80 */
    const char *method;
    struct text path;
    struct text token; /* Authorization: Bearer; empty: none */
    struct text body;  /* JSON; empty: none */
    int patience_s;    /* to connect, and for each piece of the answer */
};

struct client_answer {
    int status;
    struct buffer body; /* freed by who asked */
};

/* False: nobody could be asked, or what came is no answer of HTTP (`*answer` is untouched). */
MUST_USE bool client_ask(const struct client_question *question, struct client_answer *answer,
                         struct fault *fault);

#endif
