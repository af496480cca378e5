/*
 * A worker: one thread, one loop, and everything that is not shared. A request lives on one worker.
 */
#ifndef PURSER_PIPELINE_WORKER_H
#define PURSER_PIPELINE_WORKER_H

#include "base/hash.h"
#include "base/mailbox.h"
#include "base/roster.h"
#include "pipeline/house.h"
#include "pipeline/terms.h"
#include "upstream/transport.h"

struct worker {
    struct house *house;
    struct terms *terms; /* of what begins now */
    const struct clock *clock;
    struct loop *loop;
    struct mailbox *mailbox;
    struct transport *transport;
    struct ledger_batch *batch;
    struct hasher *hasher;
    struct keyed_hasher *keyed_hasher; /* by the house's secret */
    struct roster requests;            /* clients waiting for an answer */
    struct roster calls;               /* calls at upstreams; some have outlived their request */
    struct pledge *pledges;            /* holds that outlive their requests */
    struct errand *errands;            /* calls about objects, beside the chain */
    struct call *to_start, **to_start_end; /* announced in the batch, started after its commit */
    uint64_t *booked;                      /* holds to be released when the batch is committed */
    size_t booked_count, booked_room;
    struct table paces;      /* upstream's name → struct pace (rolling.c) */
    struct loop_timer retry; /* of lines that could not be written */
    uint64_t random;         /* state of the request ids */
    struct tally tally;
    unsigned compared; /* calls, one of DRIFT_ONE_OF of which is sampled */
    void (*on_letter)(void *context,
                      struct letter *letter); /* letters that are not the pipeline's */
    void *letter_context;
};

/* Fills a zeroed worker, on the thread that will run it or before it runs; takes a reference to the
 * terms. */
void worker_open(struct worker *worker, struct house *house, struct terms *terms,
                 const struct clock *clock);
/* From now on what begins on this worker begins under these terms; takes the reference. On its
 * thread. */
void worker_adopt(struct worker *worker, struct terms *terms);
void worker_close(struct worker *worker); /* no request or call may be left */

/* Books the hold (0: none) now, and releases it when the lines that were noted so far, and those of
 * this turn, are written. `over`: see core_book; may be NULL. */
void worker_book(struct worker *worker, uint64_t hold, const struct spend *used,
                 struct money *over);

/* True if something was left for the next turn, which must not sleep then. */
bool worker_has_work(const struct worker *worker);

/* A fresh id: "req_", 12 hex digits of the wall time in ms, 12 random ones. */
#define REQUEST_ID_SIZE 29
void worker_request_id(struct worker *worker, char out[REQUEST_ID_SIZE]);

/* Ends everything that still runs (drain time is over): clients see a break, calls are booked. */
void worker_end_all(struct worker *worker);

#endif
