/*
 * A request: a client waiting for an answer. It owns its arena and dies with its reply.
 */
#ifndef PURSER_PIPELINE_REQUEST_H
#define PURSER_PIPELINE_REQUEST_H

#include "gear/reply.h"
#include "pipeline/recall.h"
#include "pipeline/worker.h"
#include "wire/body.h"

#define REQUEST_MAX_HEADERS 100

enum step {
    STEP_ADMIT,
    STEP_RECALL,
    STEP_ROUTE,
    STEP_RESERVE,
    STEP_FORWARD,
    STEP_SETTLE,
    STEP_RECORD,
    STEP_COUNT,
    STEP_OVER = STEP_COUNT /* nothing more to do */
};

/* Why a request has no call, or its call no answer: code and status for the books. */
struct outcome {
    const char *error;  /* the code of our own error; NULL: none */
    struct text budget; /* that refused it, in the arena; empty: none did */
    bool logged;        /* its line is in the access log, or will be its call's */
};

/* What the budget gate granted, in the arena of its owner. */
struct held {
    uint64_t hold; /* 0: no budget applies */
    int64_t max_output;
    int64_t held_output; /* per choice, what it covers: less than max_output if it is rolling */
    bool send_max, clamped;
    bool lowered; /* what the client named is above what its model makes at the most: that is sent
                     instead */
    struct money amount;                 /* what is booked if the call's use stays unknown */
    int64_t input_tokens, output_tokens; /* the same in tokens */
    struct bound bound;                  /* what it was held for */
    const struct charge *charges;
    size_t charge_count;
};

struct request_header {
    struct text name, value;
};

struct request {
    struct worker *worker;
    struct terms *terms; /* in force when it was complete */
    uint64_t id;         /* in the worker's roster */
    char name[REQUEST_ID_SIZE];
    struct arena arena;
    int64_t began_us, began_wall_us;

    /* What the client sent; texts in the arena, the body in a buffer of its own. */
    struct text method, target; /* target: path and query, as sent */
    struct text query;          /* without '?' */
    struct text url_session;    /* of /s/<session>/, decoded */
    struct request_header headers[REQUEST_MAX_HEADERS];
    size_t header_count;
    bool too_many_headers;
    struct buffer bytes;
    enum endpoint endpoint;

    /* admit */
    const struct key *key;
    struct text credential; /* the key as the client sent it, for passthrough */
    bool admin;
    struct subject subject;
    struct text session, label;
    struct rating *rating;        /* pipeline/rating.h; NULL: no rate limit applies */
    const struct own_limits *own; /* what it may cost, as it says itself; NULL: it says nothing */
    struct body body;

    /* recall */
    struct recall recall;

    /* route */
    const struct upstream *upstream;
    const struct model *model; /* NULL: unpriced */
    struct text model_sent, model_booked;
    unsigned services; /* bits: the service tiers that it may be billed at */
    int64_t searches;  /* of the web by the provider: at most so many under a budget; 0: none */

    /* reserve */
    struct ask ask;
    uint64_t waiter;             /* 0: not waiting */
    const struct grant *granted; /* what the letter said */
    struct held held;            /* once granted */
    struct loop_timer timer;     /* of the waiting step */
    int growth_looks;            /* so often its time is not up while the lessor may still help */

    struct batch *batch;             /* what it makes (pipeline/batch.h) */
    struct visit *visit;             /* to an object at an upstream, under way (pipeline/visit.h) */
    struct inquiry *inquiry;         /* about objects (front/objects.c) */
    struct mentions *mentions;       /* objects that it names (pipeline/objects.c) */
    const struct deed_answer *found; /* while the step that asked who owns an object is awake */

    struct booking *booking; /* POST /costs: while the clerk looks for its idempotency key */

    struct call *call; /* NULL before forward and after its end */
    struct outcome outcome;
    enum step step;
    bool client_gone;
    struct reply reply;
};

/* A new request on a worker, in its roster; the listener fills in what the client sent. */
struct request *request_open(struct worker *worker);

/* It is complete: the worker's terms of now are its own to the end. Before anybody looked at it. */
void request_complete(struct request *request);

/* The listener is done with it (sent, or the client is gone): freed once the pipeline is, too. */
void request_close(struct request *request);

/* Tokens may be generated for it that nobody sees: its model reasons. In Anthropic's dialect the
 * request says so, and the answer shows where there was some. Once it is routed. */
bool request_hides_output(const struct request *request);

/* The dialect that its client understands, told from the path, or else from the header
 * `anthropic-version`. Once its head is there. */
enum dialect request_dialect(const struct request *request);

/* The first header of that name (ASCII case ignored); TEXT_NONE if there is none. */
struct text request_header(const struct request *request, const char *name);

/* How many headers of that name there are. */
size_t request_times_sent(const struct request *request, const char *name);

#endif
