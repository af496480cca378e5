/*
 * The transport: calls to upstreams, in HTTP/1.1 over connections that libcurl makes
 * (connection.h). Nothing is retried here, and nothing is ever sent twice.
 *
 * A transfer is fed from the loop and read by its owner: `progress` is called (never from inside
 * transfer_start or another call of this module) whenever there is something new: the head has
 * come, body bytes have come, it has ended. The owner then looks at the transfer.
 */
#ifndef PURSER_UPSTREAM_TRANSPORT_H
#define PURSER_UPSTREAM_TRANSPORT_H

#include "base/loop.h"
#include "upstream/upstream.h"

enum transfer_end {
    TRANSFER_RUNNING,
    TRANSFER_COMPLETE,   /* a whole answer, whatever its status */
    TRANSFER_NOT_SENT,   /* no name, no connection, no TLS, or the body was not fully sent:
                            the upstream cannot have worked on it */
    TRANSFER_UNANSWERED, /* sent, then no head of an answer: whether it was worked on is unknown */
    TRANSFER_LATE,       /* the same, because first_byte_ms passed */
    TRANSFER_CUT,        /* died in the middle of an answer, idle_ms included */
};

struct transfer_ask {
    const struct upstream *upstream;
    struct text method;         /* empty: POST. GET and DELETE have no body */
    struct text url;            /* zero-terminated */
    const struct text *headers; /* "Name: value" lines, each zero-terminated */
    size_t header_count;
    const struct text *pieces; /* the body, in order */
    size_t piece_count;
    void (*progress)(void *context);
    void *context;
};

struct transport;
struct transfer;

struct transport *transport_open(struct loop *loop);
void transport_close(struct transport *transport); /* no transfer may be left */

/* See pool_renew. */
void transport_renew(struct transport *transport);

/* Tells owners what could not be told at once; for the end of a turn. Afterwards it may be pending
 * again. */
void transport_kick(struct transport *transport);
bool transport_pending(const struct transport *transport);

/* Everything in `ask` is borrowed until the transfer is closed. Never fails at once: a transfer
 * that cannot start ends as TRANSFER_NOT_SENT. */
struct transfer *transfer_start(struct transport *transport, const struct transfer_ask *ask);

/* Ends it if it runs (closing its connection) and frees it. NULL-safe; `progress` is not called
 * any more. May be called from `progress`. */
void transfer_close(struct transfer *transfer);

/* 0 until the head has come. */
int transfer_status(const struct transfer *transfer);
/* The value of a response header, the first of that name (ASCII case ignored); TEXT_NONE. */
struct text transfer_header(const struct transfer *transfer, struct text name);
/* Walks all response header lines as name and value; start with *at = 0; false at the end. */
bool transfer_next_header(const struct transfer *transfer, size_t *at, struct text *name,
                          struct text *value);

/* True if the body was compressed and is handed out undone. */
bool transfer_decoded(const struct transfer *transfer);

/* Decoded body bytes not yet taken. transfer_taken drops them all. Above 256 KiB untaken the
 * transfer pauses by itself and goes on when they are taken. */
struct text transfer_body(const struct transfer *transfer);
void transfer_taken(struct transfer *transfer);

/* Back-pressure: while held, no further bytes are read from the upstream (what is on the way may
 * still come) and idle_ms does not run. */
void transfer_hold(struct transfer *transfer, bool held);

/* Reads at once what has come by now, also if it was held, which it is no more; true if there are
 * bytes to take, and when they are taken maybe more. `progress` is not called by it. */
MUST_USE bool transfer_read(struct transfer *transfer);

enum transfer_end transfer_ended(const struct transfer *transfer);
/* The answer's body ends with its connection: a complete one and one that was cut look alike. */
bool transfer_until_close(const struct transfer *transfer);
/* The whole request is on its way. Before that the upstream cannot have worked on it. */
bool transfer_all_sent(const struct transfer *transfer);
/* Why, for people: "Connection refused"; valid with the transfer. */
const char *transfer_why(const struct transfer *transfer);

#endif
