/*
 * A call: one attempt at an upstream. It owns its hold, its meter and its transfer, and may
 * outlive its client (draining). It ends exactly once, in settle and record.
 */
#ifndef PURSER_PIPELINE_CALL_H
#define PURSER_PIPELINE_CALL_H

#include "gear/gauge.h"
#include "pipeline/request.h"
#include "wire/ending.h"
#include "wire/sse.h"
#include "wire/usage.h"

/* Bytes kept of the name of a service tier. */
#define CALL_SERVICE_MOST 32
/* Answers up to this are kept whole until they are settled, so that they can carry their cost. */
#define CALL_ANSWER_MOST (1024 * 1024)
/* The same where the answer must be put together of parts. */
#define CALL_PARTS_MOST (32 * 1024 * 1024)

enum call_mode {
    CALL_WAITING, /* no head yet */
    CALL_WHOLE,   /* a plain answer, kept */
    CALL_RELAY,   /* a plain answer too large to keep: passed on as it comes */
    CALL_EVENTS,  /* server-sent events */
};

struct call {
    struct worker *worker;
    struct terms *terms; /* its request's */
    struct call *next_to_start;
    bool announced;          /* its RESERVE line is in the batch, not yet committed */
    uint64_t id;             /* in the worker's roster */
    struct request *request; /* NULL: its client is gone */
    struct arena arena;
    struct buffer bytes; /* the client's body, which the pieces point into */
    struct transfer_ask ask;
    struct transfer *transfer;
    struct loop_timer timer; /* request_seconds */
    int64_t began_us, first_byte_us;

    const struct upstream *upstream;
    const struct model *model;
    struct held held;
    struct rates_pass *rates; /* what it has taken of rate limits; NULL: nothing */
    struct flight *flight;    /* that it leads; NULL: it is not shared */
    enum endpoint endpoint;
    int64_t searches;    /* of the web, at most; 0: none */
    bool lasting;        /* what it pays for goes on behind its answer (pipeline/pledge.h) */
    struct text pending; /* the id of that, once the answer says that it is not done */
    struct buffer pending_answer; /* the answer, if it is a batch's */
    struct text credential;       /* lasting, in passthrough: the caller's key */
    bool stored;                  /* what it answers will stay at the upstream */
    bool claimed;                 /* and belongs to its key now */
    int64_t choices;              /* asked for; embeddings: inputs */
    int64_t wanted;  /* output of each choice that its client asked for, and its model can make; 0:
                        it named no maximum */
    bool exact;      /* its pieces are known and price it (pipeline/media.h) */
    bool in_parts;   /* some inputs only: the rest was known */
    bool seeking;    /* a follower was asked to pay, and has not answered yet */
    bool taken_over; /* a follower pays: the request that began it is booked already */
    struct arena payer_arena; /* what `entry` and `held` point into then */
    struct text
        guest; /* passthrough: the key id that an accepting answer makes known; else empty */
    struct entry entry; /* what its ledger lines have in common; texts in the arena */

    bool rolling;         /* its hold grows with the stream: rolling.c */
    int64_t slack;        /* tokens of all choices, by what its upstream's pace was before */
    uint64_t extended;    /* ledger_batch_written when its last EXTEND line was noted */
    int64_t refused_at;   /* tokens when an extension was refused last; 0: none was */
    bool lacks;           /* the last one was refused, if only until the lessor has answered */
    struct ending ending; /* of a rolling one */
    struct account_view *refused_by;       /* in the arena: who said so; NULL: nobody ever did */
    const struct account_view *stopped_by; /* that ended it early; NULL: it was not */
    bool unwritten; /* ended early, because the line of an extension is not in the ledger */

    enum call_mode mode;
    struct sse sse;
    struct gauge gauge;
    struct answer_scan scan;
    struct buffer answer; /* CALL_WHOLE */
    size_t answer_most;   /* of it; a larger one is relayed */
    bool usage_asked;     /* the client wants the usage chunk */
    bool hides;           /* request_hides_output */
    bool visible;         /* text a person could have seen has passed */
    bool done;            /* [DONE] was seen */
    bool started;         /* its transfer was handed to the transport */
    bool cancelled;       /* by us: the client is gone or time is up */
    bool too_large;       /* an event was: the splitter must not be asked again; or an answer was,
                             that must be put together of parts */
    bool is_error;        /* the answer, or an event, has an `error`, as providers shape it */
    bool usage_final;     /* the usage seen is the whole call's, not a running count */
    bool usage_begun;     /* it tells the input alone, and what was generated was not told yet */
    enum usage_result usage_result;
    struct usage usage;
    const char *stop_reason;
    bool settled; /* the entry says what it costs */

    int status; /* what the client got, for the books */
};

/* Makes the call for a request whose hold is granted: takes over its body, notes its RESERVE line
 * and lines it up to start after the turn's ledger commit. */
void call_open(struct request *request);

/* The headers that go to an upstream for a request: the client's, as far as they are the upstream's
 * business, with the credential and what the operator adds. In the arena. */
void call_dress(const struct request *request, const struct upstream *upstream, struct arena *arena,
                struct transfer_ask *ask);

/* For the text of its answer. */
void call_open_gauge(struct call *call);

/* Starts the calls whose lines are on disk's way; with `committed` false their holds are settled
 * at zero and their requests refused. */
void calls_start(struct worker *worker, bool committed);

/* Its client is gone: unless others want the answer it is deserted. The call has no request after
 * it. */
void call_abandon(struct call *call);

/* Nobody waits for it any more: cancel where that saves, unless all of its answer is here, else
 * drain. */
void call_desert(struct call *call);

/* Frees it, after settle and record. */
void call_close(struct call *call);

/* Ends it by force: no time left. Its client sees a break or an error, unless all of its answer is
 * here: then it ends as any other. */
void call_cut(struct call *call, const char *stop_reason);

#endif
