/*
 * One API call: from the whole request to the last byte of its answer. It writes into a buffer and
 * says when it wants to go on; it knows nothing of sockets. It may outlive its client
 * (cancel=ignore) and keeps its bill entry up to date all the while.
 */
#ifndef FAKES_CALL_H
#define FAKES_CALL_H

#include "answer.h"
#include "bill.h"
#include "shelf.h"

enum call_next {
    CALL_WAIT,  /* step again at call_due_ns */
    CALL_DRAIN, /* step again when the buffer is sent */
    CALL_PART,  /* all that its client gets is written: step it again at call_due_ns without one,
                   with a buffer to throw away */
    CALL_OVER,  /* all is written; see call_ending */
};

enum call_ending {
    ENDING_KEEP,  /* the connection may be used again */
    ENDING_CLOSE, /* close it when the buffer is sent */
    ENDING_RESET, /* then reset it (RST) */
};

struct call;

/* Where calls are made. */
struct call_place {
    struct bill *bill;
    struct shelf *shelf;
    struct text api_key;
};

/* Reads the request and opens its bill entry. A bad request, or a wrong key, becomes a call that
 * answers with an error. `now_ns` is the monotonic clock, as everywhere. */
struct call *call_open(const struct call_place *place, const struct ask *ask,
                       const struct http_request *request, int64_t now_ns);
void call_close(struct call *call);

/* Goes on as far as possible now, appending to `out`. */
enum call_next call_step(struct call *call, struct bytes *out, int64_t now_ns);
/* The client left. True: the call goes on without it (step it with a buffer to throw away);
 * false: it is over and billed for what it had generated. */
bool call_client_left(struct call *call, int64_t now_ns);

int64_t call_due_ns(const struct call *call);
bool call_is_stream(const struct call *call);
enum call_ending call_ending(const struct call *call);

#endif
