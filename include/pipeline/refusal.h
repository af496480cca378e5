/*
 * Refusals: our own errors, in OpenAI's shape, or in Anthropic's for its clients. One table holds
 * status, type, code and the headers that tell SDKs whether to try again.
 */
#ifndef PURSER_PIPELINE_REFUSAL_H
#define PURSER_PIPELINE_REFUSAL_H

#include "budget/rates.h"
#include "pipeline/request.h"
#include "wire/ending.h"

enum refusal {
    REFUSAL_BUDGET_EXCEEDED,
    REFUSAL_BUDGET_CONTENTION,
    REFUSAL_NEVER_FITS,
    REFUSAL_NOT_PRICED,
    REFUSAL_UNBOUNDED,
    REFUSAL_ACCOUNTS_FULL,
    REFUSAL_RATE_REQUESTS, /* in the order of enum rated */
    REFUSAL_RATE_TOKENS,
    REFUSAL_RATE_PARALLEL,
    REFUSAL_STORE_AWAY,
    REFUSAL_MODEL_NOT_FOUND,
    REFUSAL_DIALECT,
    REFUSAL_UNKNOWN_PATH,
    REFUSAL_METHOD,
    REFUSAL_INVALID_KEY,
    REFUSAL_MODEL_NOT_ALLOWED,
    REFUSAL_NOT_ALLOWED,
    REFUSAL_SESSION_REQUIRED,
    REFUSAL_CACHE_MISS,
    REFUSAL_BAD_REQUEST, /* `code` is given by the caller */
    REFUSAL_TOO_LARGE,
    REFUSAL_CONTENT_TYPE,
    REFUSAL_ORIGIN,
    REFUSAL_HOST,
    REFUSAL_NOT_FOUND,
    REFUSAL_BAD_BATCH,
    REFUSAL_NO_SUCH_OBJECT, /* of an upstream */
    REFUSAL_STORE,          /* ceilings.db */
    REFUSAL_CONFIGURATION,
    REFUSAL_BOOKS_BUSY,
    REFUSAL_OVERLOADED,
    REFUSAL_LEDGER,
    REFUSAL_SHUTTING_DOWN,
    REFUSAL_UPSTREAM_UNREACHABLE,
    REFUSAL_UPSTREAM_UNANSWERED,
    REFUSAL_UPSTREAM_TIMEOUT,
    REFUSAL_UPSTREAM_AUTH,
    REFUSAL_UPSTREAM_BAD_ANSWER,
    REFUSAL_CLIENT_GONE, /* for the books only */
    REFUSAL_COUNT
};

/* Its code: "budget_exceeded". */
const char *refusal_code(enum refusal refusal);

/* Decides the request's reply: status, headers and body. `param` may be NULL. */
void refuse(struct request *request, enum refusal refusal, const char *param, const char *format,
            ...) __attribute__((format(printf, 4, 5)));

/* What a client is told whose stream a budget ended early: a sentence, appended; and the error's
 * code and type. */
void refusal_of_stream(const struct account_view *view, bool hide_amounts, struct buffer *message,
                       struct ending_facts *facts);
/* The same where the ledger did. */
void refusal_of_unwritten(struct buffer *message, struct ending_facts *facts);

/* REFUSAL_LEDGER, with its one sentence. */
void refuse_without_ledger(struct request *request);

/* REFUSAL_CONFIGURATION: all that is wrong with a file, however long. */
void refuse_configuration(struct request *request, const char *findings);

/* REFUSAL_BAD_REQUEST with a code of its own. */
void refuse_body(struct request *request, const struct body_error *error);

/* What a rate limit says that lets a request not pass. Retry-After is at most a minute; the message
 * tells the whole wait. */
void refuse_rate(struct request *request, const struct rates_answer *answer);

/* The refusal that a verdict other than GRANTED and WAIT asks for. */
void refuse_verdict(struct request *request, const struct grant *grant);

#endif
