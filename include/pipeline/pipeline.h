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
/* The time to stop has come: a request that still waits, but not for its own call, is refused or
 * cut. */
void pipeline_send_away(struct request *request);

/* Resolves who is calling without running the chain, for purser's own endpoints; false: the
 * request is refused. */
bool pipeline_identify(struct request *request);
/* Whether it has the key of a caller (or needs none); decides nothing. For the listener, before the
 * body is there. */
bool pipeline_knows_caller(const struct request *request);
/* The parts of admit that own endpoints need alone: the web page's origin (adds CORS headers for
 * one that may call), and the session that the URL or a header names. False: refused. */
bool pipeline_check_origin(struct request *request);
bool pipeline_name_session(struct request *request);
/* That the body is said to be JSON, which no web page's form can; and all that a caller may name
 * itself: session, user, tags, label. */
bool pipeline_check_json(struct request *request);
bool pipeline_name_caller(struct request *request);

/* Delivers a letter to a worker's requests: the grant of one that waited. False if the letter is
 * not the pipeline's. Takes the letter if true. */
bool pipeline_letter(struct worker *worker, struct letter *letter);

/* The steps; each in a file of its name. */
enum next admit_request(struct request *request);
enum next admit_awake(struct request *request);
enum next recall_request(struct request *request);
enum next recall_awake(struct request *request);
enum next route_request(struct request *request);
enum next route_awake(struct request *request);
enum next reserve_request(struct request *request);
enum next reserve_awake(struct request *request);
/* The answer for a request that waits: what reserve_awake then goes on with. */
void reserve_take(struct request *request, const struct grant *grant);
enum next forward_request(struct request *request);
enum next forward_awake(struct request *request);
enum next settle_request(struct request *request);
enum next record_request(struct request *request);

/* Takes what a call's transfer has: its head, the bytes of its body. */
void forward_take(struct call *call);
/* News of a call's transfer (struct call), from the loop. */
void forward_progress(void *call);
/* The upstream's headers of an answer that are the client's business go into its reply. */
void forward_headers(struct request *request, const struct transfer *transfer);
/* Passes an event on with `usage.cost` in it; false, and nothing is passed on, if it has no usage
 * or names a cost already. */
MUST_USE bool forward_put_with_cost(struct reply *reply, const struct sse_event *event,
                                    struct money cost);
/* Its answer came to its own end: by its length, or else by the [DONE] of a stream. */
bool forward_is_whole(const struct call *call);
/* The call is over, by itself or cut: decides its client's reply and sends it to its books. */
void forward_over(struct call *call);

/* Settle and record of a call, with or without its request. */
void settle_call(struct call *call);
/* What it costs, into its entry, before settle_call books it; nothing the second time. */
void settle_decide(struct call *call);
void record_call(struct call *call);
/* Books a call that somebody else pays from now on: it was a request, and used nothing. */
void settle_without_use(struct call *call);
/* What the ledger lines of a request have in common, copied into the arena; with what it holds. */
void record_describe(const struct request *request, const struct held *held, struct arena *arena,
                     struct entry *entry);
/* The access log's line of a request that did not run the chain. */
void record_other(const struct request *request);
/* The x-purser headers of an answer: with its cost, or with its hold when a stream begins. */
void settle_headers(struct call *call);
/* The same for an answer that costs nothing. */
void settle_headers_of_replay(struct request *request);

/* What the usage that a call was reported costs: what the upstream says it billed, if it is one to
 * be believed (upstream.names_cost) and makes sense, rounded up; else by the model's price, zero if
 * it has none. */
struct money meter_cost(const struct call *call);
/* What such a usage costs by the model's price. */
struct money meter_price(const struct call *call, const struct usage *usage);
/* What a booked call that was stopped early would have cost beyond that, at the most: had all that
 * was left to its client's maximum been generated. Zero if it was not, or if its client named no
 * maximum. Stopped is also whose maximum a budget lowered, if it generated as much as that. */
struct money meter_saved(const struct call *call);

/* Rolling holds (rolling.c). Says in the ask with how many tokens of each choice a request's hold
 * begins, if it need not be held in full. */
void rolling_fill_ask(const struct request *request, struct ask *ask);
/* A call's hold is granted. */
void rolling_begin(struct call *call, const struct request *request);
/* An event passes; the gauge has read it. */
void rolling_note(struct call *call, struct text data);
/* After what came was read: extends the hold if little is left of it; where that is refused, looks
 * for somebody else to pay, and stops the call if it is used up (then it is cancelled, and
 * `stopped_by` says by what). */
void rolling_check(struct call *call);
/* Ends a call that somebody took over and nobody pays for any more: where its first budget ended.
 * Not one that comes to its own end right now. */
void rolling_stop(struct call *call);
/* A full hold, before its upstream is made to wait for a slow client: who does not read does not
 * slow down a provider's bill. False: there is none, and the call is stopped; or the lessor has not
 * granted it yet: then it is read on, and asked again with what comes next. */
MUST_USE bool rolling_hold_all(struct call *call);
/* The same, if it can be had, for one that cannot be stopped any more: it is over and nobody knows
 * what it used, or its answer is no stream. */
void rolling_book_all(struct call *call);
/* A call is to be booked by what it generated, and a slack if it was cut: the hold grows to cover
 * them if that can be had, or what was generated and a part of the slack, or what was generated at
 * least, which may have come all at once while this worker was late. So it is no overrun, and a
 * slack not cut off by a hold. */
void rolling_cover(struct call *call, int64_t generated, int64_t slack);
/* It reports so many tokens: likewise, but no more than was generated and a slack. Who bills more
 * is found out by its hold. */
void rolling_cover_report(struct call *call, int64_t reported);
/* A call is over: how fast its upstream was is remembered; and if it `billed_more` than was held,
 * it gets full holds for an hour. */
void rolling_learn(struct call *call, bool billed_more);
void rolling_forget(struct worker *worker); /* when the worker closes */
/* Its budget ended a call, or the ledger, in which no line of its next slice can be written. */
bool rolling_cut(const struct call *call);
/* Whether it did so before the stream's end, so that it must be given one. */
bool rolling_stopped(const struct call *call);
/* Ends the stream of a call that was stopped, for its client and for whoever follows; it is
 * settled.
 */
void rolling_put_end(struct call *call);

/* Finds upstream, model and scopes of a request; false: no upstream serves the model. */
bool route_find(struct request *request);

/* Its model will be asked of that upstream, under the name model_sent. */
void route_to(struct request *request, const struct upstream *upstream);
/* What a call for it wants to hold; and what it holds once that is granted, in the arena. */
void reserve_fill_ask(struct request *request, struct ask *ask);
/* Asks the gate: with the bound that is free, and only if that is not granted at once and in full,
 * with the input counted. On VERDICT_WAIT a letter will come to the worker's `to`. */
void reserve_ask(const struct request *request, struct ask *ask, uint64_t to, struct grant *grant);
/* Bounds the input as closely as it can be; then the ask may not be recounted any more. */
void reserve_recount(const struct request *request, struct ask *ask);
void reserve_fill_held(const struct ask *ask, const struct grant *grant, struct arena *arena,
                       struct held *held);
/* With the ids of the accounts: the ledger line is written after the hold's end, when the accounts
 * may be gone. */
const struct charge *reserve_copy_charges(const struct charge *charges, size_t count,
                                          struct arena *arena);

/* GET /v1/models and /v1/models/{id}, from the catalog and the upstreams. */
bool route_model_visible(const struct request *request, struct text name);
/* The record in force at the time (UTC seconds) for a model that an upstream serves; NULL: no
 * price. What `unpriced` says is not asked. */
const struct model *route_price(const struct terms *terms, const struct upstream *upstream,
                                struct text sent, struct text asked, int64_t when_s);

#endif
