/*
 * The chain: the one table of steps and the one driver. The order is the product.
 */
#ifndef PURSER_PIPELINE_PIPELINE_H
#define PURSER_PIPELINE_PIPELINE_H

#include "pipeline/call.h"

enum next {
    GO_ON,    /* to the next step */
    GO_WAIT,  /* will be woken exactly once, from the loop, never from inside the step */
    GO_BOOKS, /* the reply is decided: on to settle */
    GO_DONE,
};

/* Starts a request whose head and body are complete. */
void pipeline_start(struct request *request);

/* Wakes a waiting request: its step's `awake` runs, then the chain goes on. */
void pipeline_awake(struct request *request);

/* The client hung up. The request goes to its books at once; a call may go on without it. */
void pipeline_client_gone(struct request *request);

/* Resolves who is calling without running the chain, for purser's own endpoints; false: the
 * request is refused. */
bool pipeline_identify(struct request *request);

/* Delivers a letter to a worker's requests: the grant of one that waited. False if the letter is
 * not the pipeline's. Takes the letter if true. */
bool pipeline_letter(struct worker *worker, struct letter *letter);

/* The steps; each in a file of its name. */
enum next admit_request(struct request *request);
enum next route_request(struct request *request);
enum next reserve_request(struct request *request);
enum next reserve_awake(struct request *request);
enum next forward_request(struct request *request);
enum next forward_awake(struct request *request);
enum next settle_request(struct request *request);
enum next record_request(struct request *request);

/* Settle and record of a call, with or without its request. */
void settle_call(struct call *call);
void record_call(struct call *call);

/* GET /v1/models and /v1/models/{id}, from the catalog and the upstreams. */
bool route_model_visible(const struct request *request, struct text name);
const struct model *route_price(const struct house *house, const struct upstream *upstream,
                                struct text sent, struct text asked);

#endif
