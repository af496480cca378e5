/*
 * An errand: a call about an object that costs nothing. It runs beside the chain, without a hold
 * and without a line in the books: a client's, whose answer is passed on, or purser's own, which
 * asks how far a batch is.
 */
#ifndef PURSER_PIPELINE_ERRAND_H
#define PURSER_PIPELINE_ERRAND_H

#include "pipeline/request.h"

struct errand {
    struct worker *worker;
    struct terms *terms;
    struct errand *next, **previous; /* of the worker's */
    struct arena arena;              /* for its owner, too: it goes with the errand */
    struct buffer bytes;             /* the body sent */
    struct transfer_ask ask;
    struct transfer *transfer;
    struct loop_timer timer;     /* request_seconds */
    bool cut;                    /* no time is left: it ends here */
    void (*news)(void *context); /* its owner's: see transfer_ask; also when it is cut */
    void *context;
};

/* With memory of its own, on the worker's terms of now. It does nothing yet. */
struct errand *errand_open(struct worker *worker);
void errand_close(struct errand *errand); /* also while it is under way; NULL-safe */

struct errand_target {
    struct text method;              /* static */
    const struct upstream *upstream; /* of the errand's terms */
    struct text path;                /* "/files/file-1" */
    struct text query;               /* the client's (see upstream_query); empty: none */
};

/* Sends it. With a request, its headers go along and, in passthrough, its key; without one `key`
 * does, or the upstream's own if that is empty. Of POST `bytes` is the body. */
void errand_start(struct errand *errand, const struct errand_target *target,
                  const struct request *request, struct text key);

/* Everybody's time is up. */
void errands_cut(struct worker *worker);

/* True if it came to a whole answer. */
bool errand_answered(const struct errand *errand);
bool errand_over(const struct errand *errand);

/* The upstream of that name; NULL: none has it now. */
const struct upstream *errand_upstream(const struct terms *terms, struct text name);

#endif
