/*
 * A reply on its way to a client: decided by the pipeline, sent by the listener.
 *
 * Either whole (status, headers, body at once) or a stream (head first, bytes as they come, then
 * an end or a visible break). `on_ready` tells the listener that there is something new to send;
 * it only takes note and sends later in the turn.
 */
#ifndef PURSER_GEAR_REPLY_H
#define PURSER_GEAR_REPLY_H

#include "base/arena.h"
#include "base/text.h"

#define REPLY_MAX_HEADERS 64
#define REPLY_OWN_HEADERS 12 /* of these are kept for purser's own */

/* Bytes of a request's head and its reply's together, REPLY_HEAD_OWN of them for purser's own
 * headers; each line costs REPLY_HEAD_LINE beside its text. The listener has room for so much. */
#define REPLY_HEADS_MOST (15 * 1024)
#define REPLY_HEAD_OWN   1024
#define REPLY_HEAD_LINE  64

/* Above HIGH bytes not yet sent the upstream is held; it goes on below LOW. */
#define REPLY_HIGH (64 * 1024)
#define REPLY_LOW  (16 * 1024)

struct reply_header {
    const char *name, *value; /* zero-terminated, in the request's arena or static */
};

struct reply {
    int status; /* 0: not decided yet */
    struct reply_header headers[REPLY_MAX_HEADERS];
    size_t header_count;
    bool streamed;
    bool ended;                      /* no further bytes will come */
    bool broken;                     /* the client must see that the answer is cut */
    struct buffer bytes;             /* not yet sent */
    size_t sent;                     /* of bytes: how much the listener has passed on already */
    void (*on_ready)(void *context); /* the listener's */
    void *ready_context;
    void (*on_drained)(void *context); /* the pipeline's: the backlog fell below REPLY_LOW */
    void *drained_context;
    bool full; /* the backlog was above REPLY_HIGH and on_drained is owed */
};

/* Adds a header; name and value must outlive the reply. Over REPLY_MAX_HEADERS it is dropped. */
void reply_header(struct reply *reply, const char *name, const char *value);
void reply_header_text(struct reply *reply, struct arena *arena, const char *name,
                       struct text value);

/* Decides a whole reply; `body` is copied. */
void reply_whole(struct reply *reply, int status, struct text body);
/* Decides a whole reply and takes the buffer's memory. */
void reply_whole_take(struct reply *reply, int status, struct buffer *body);

/* Begins a stream; then bytes, then an end. */
void reply_begin(struct reply *reply, int status);
void reply_put(struct reply *reply, struct text bytes);
void reply_end(struct reply *reply);
void reply_break(struct reply *reply);
/* Tells the listener about bytes put since. */
void reply_flush(struct reply *reply);

/* For the listener: bytes not yet passed on; and how many it passed on now. */
struct text reply_backlog(const struct reply *reply);
void reply_passed_on(struct reply *reply, size_t size);

void reply_close(struct reply *reply);

#endif
