/*
 * Recall: answers that are known already, or on their way to somebody who asked the same.
 *
 *     recall.c   the step: may this be shared, is it known, is it under way
 *     replay.c   gives a request an answer that it did not call for, and books it
 *     share.c    a call that is shared: what it records, who pays when its client leaves or its
 *                budget ends
 *     parts.c    embeddings, each input by itself
 */
#ifndef PURSER_PIPELINE_RECALL_H
#define PURSER_PIPELINE_RECALL_H

#include "cache/cache.h"
#include "cache/fingerprint.h"

struct call;
struct parts;
struct request;
struct upstream;
struct worker;

enum recall_space { RECALL_PER_KEY, RECALL_PER_TEAM, RECALL_FOR_ALL };

struct recall_rules {
    bool on, normalized;
    enum recall_space space;
    int64_t ttl_us;
    struct fingerprint_rules fits;
};

enum recall_state {
    RECALL_OFF,    /* there is no cache; nothing is said of it */
    RECALL_BYPASS, /* not for the cache */
    RECALL_MISS,   /* a call of its own, which it may share (`flight`) */
    RECALL_FOLLOW, /* shares somebody's call */
    RECALL_HIT,
    RECALL_STATE_COUNT
};

/* What recall is to a request. */
struct recall {
    enum recall_state state;
    bool no_cache, no_store, only_if_cached; /* x-purser-cache */
    struct flight *flight;                   /* MISS: it leads, until its call does */
    struct follower follower;                /* FOLLOW */
    struct recording *recording;             /* HIT, and FOLLOW once there is a head */
    struct recording_place place;            /* how far it was replayed */
    struct buffer reshaped;                  /* HIT: the answer in the shape asked for */
    struct parts *parts;                     /* embeddings; in the request's arena */
    struct loop_timer offer;                 /* the next try to pay for the call it follows */
    int offers;                              /* tries that found no room granted yet */
    int64_t counted;                    /* its input, when it was counted for one; 0: not yet */
    const struct upstream *counted_for; /* where that would be sent */
};

/* True if the answer costs no call: it is replayed. */
bool recall_serves(const struct request *request);
/* "hit", "miss" or "bypass"; NULL: nothing is said. */
const char *recall_word(const struct request *request);

/* A request that leads makes no call, or not as asked: then somebody who follows leads; or, if they
 * were all to wait one after the other, everybody goes alone. */
void recall_refused(struct request *request, bool all_go_alone);

/* It gives back all that it shares; whatever led to its end. */
void recall_close(struct request *request);

/* ---- replay ---- */

/* Begins the replay (or goes on with it) of a request for which recall_serves. */
bool replay_go_on(struct request *request); /* true once the reply is decided to its end */
/* It was: not refused before or instead. */
bool replay_served(const struct request *request);
void replay_break(struct request *request); /* the client must see that no more will come */
void replay_settle(struct request *request);
void replay_record(struct request *request);

/* ---- the call's side; all fine for a call that is not shared ---- */

/* The head is known and passes to the client. */
void share_begin(struct call *call, enum recording_shape shape);
/* Bytes of the body; `usage` if they are the event that only some asked for. */
void share_put(struct call *call, struct text bytes, bool usage);
/* Tells those who follow. */
void share_flush(struct call *call);
/* Somebody else waits for what this call brings. */
bool share_has_followers(const struct call *call);
/* The request follows a call. It may be asked to pay for it, and cannot wait then: so room for that
 * is asked of the lessor now. */
void share_prepare(struct request *request);

/* Nobody else does, and it may wait for its own client, which is slow; if somebody joins then, it
 * goes on. */
MUST_USE bool share_lets_pause(struct call *call);
/* Its client is gone; true if others want the answer: then one of them is asked to pay. */
bool share_outlives_client(struct call *call);
/* Its stream goes on but its budget refused more: one of those who follow is asked to pay, unless
 * somebody was and has not answered yet. */
void share_seek_relief(struct call *call);
/* Nobody follows any more. It ends, if its client is gone, too, or somebody else had paid for it.
 */
void share_left_alone(struct call *call);
/* The call is over and booked. */
void share_end(struct call *call);

/* Letters about sharing; see pipeline_letter. */
bool share_letter(struct worker *worker, struct letter *letter);

/* ---- parts ---- */

/* Looks up the inputs of an embeddings request, each by itself. True if all are known: then the
 * answer is in request->recall.recording. */
bool parts_look(struct request *request, const struct fingerprint_ask *ask);
/* The inputs to ask the upstream for in place of all; TEXT_NONE: all. */
#define INPUTS_MOST 2048 /* of a batch that is looked at; OpenAI's own limit */
struct text parts_missing(const struct request *request);
/* Of the body's bytes, those that the upstream need not be sent. */
size_t parts_known_bytes(const struct request *request);
/* Keeps what an upstream answered for its inputs; if it was asked for some of them only, puts the
 * whole answer together in place of it. False if that cannot be done. */
bool parts_take(struct call *call, struct buffer *answer);
/* What the known inputs had cost. */
struct money parts_saved(const struct request *request);
void parts_close(struct parts *parts);

#endif
