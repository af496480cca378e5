/*
 * A pledge: a hold that outlives its request, because what it pays for does. A batch, or a response
 * made in the background, is worked on by the provider after its answer came; the hold stays open,
 * the provider is asked from time to time how far it is, and in the end what it used is settled.
 *
 *     call answers "in progress"  →  pledge  →  asks ... asks  →  (reads the batch's results)  →
 * settled
 *
 * It outlives reloads and restarts: its line in the ledger stays open, and ceilings.db knows which
 * object will tell (object_notes.call). Its budgets are those of the moment in which it was made;
 * its price is that moment's, from the catalog in force when it is settled. In passthrough mode
 * only the client's own key can ask, which is never stored: there a restart books the hold.
 *
 * What cannot be known is booked at its hold: an object that its provider no longer knows, results
 * that do not tell their usage, or no end after eight days (gear/patience.h). A provider that
 * cannot be asked (a wrong key, an outage) is asked on, less and less often: until then the hold
 * stays, the log tells, and GET /metrics counts it.
 */
#ifndef PURSER_PIPELINE_PLEDGE_H
#define PURSER_PIPELINE_PLEDGE_H

#include "books/ledger.h"
#include "gear/patience.h"
#include "gear/results.h"
#include "pipeline/pipeline.h"

struct pledge {
    struct worker *worker;
    struct pledge *next, **previous; /* of the worker's */
    struct arena arena;              /* of all texts: it was its call's */
    struct entry entry;
    struct held held;
    struct object object;
    struct text credential; /* passthrough: the caller's; else empty */
    int64_t made_s;
    struct loop_timer timer;
    struct patience patience;
    struct errand *errand; /* the question under way */
    struct buffer answer;
    struct buffer shown;    /* the last answer that was noted */
    bool reading;           /* the results, not the object */
    struct results results; /* of a batch */
    bool settled;           /* booked; its note goes when its line is written */
};

/* Looks at the whole answer of a lasting call: if what it made is not done, call->pending is its id
 * from now on, and the call's hold must stay open. */
void pledge_look(struct call *call);

/* Takes over the hold of a call that is over and pending; the call is booked by it, later. */
void pledge_open(struct call *call);

/* What is left of one after a restart. */
struct pledge_rest {
    const struct entry *entry; /* of its open hold */
    const struct open_object *object;
};
/* Takes it up again: before anything is reserved. */
void pledge_resume(struct worker *worker, const struct pledge_rest *rest);

/* The worker has new terms: what could not be asked may be asked now. */
void pledges_renew(struct worker *worker);

/* The process ends: they are taken up by the next one. Their holds leave the gate, not the books.
 */
void pledges_close(struct worker *worker);

#endif
