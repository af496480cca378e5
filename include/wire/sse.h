/*
 * Server-sent events, split as they come: events in, in whatever pieces the network made of them,
 * out as whole events with their exact bytes (WHATWG HTML, "9.2 Server-sent events"). Line ends
 * may be \n, \r\n or \r, also mixed.
 *
 *     sse_feed(&sse, piece);
 *     while (sse_next(&sse, &event)) ...       until it says SSE_MORE or SSE_TOO_LARGE
 *
 * The raw texts of all events, one after the other, are the stream. An event is given out as soon
 * as its end is certain: if a piece ends inside the \r\n of the blank line, the \n comes later as
 * an event of its own without data. After SSE_TOO_LARGE only sse_close may follow.
 *
 * An event's texts are valid until the next call. Whole events inside one piece are not copied;
 * only the unfinished rest of a piece is kept. A piece must stay valid until sse_next says
 * SSE_MORE. Zero-initialised is ready.
 */
#ifndef PURSER_WIRE_SSE_H
#define PURSER_WIRE_SSE_H

#include "base/text.h"

/* Bytes of one event. The last one of a Responses stream repeats all that was asked and said. */
#define SSE_MAX_EVENT (16 * 1024 * 1024)

struct sse {
    struct buffer kept;   /* an unfinished event, and what follows it */
    struct buffer joined; /* data of an event with several data lines */
    struct text piece;    /* what is still to be read of the piece, or of `kept` */
    size_t scanned; /* how much of an unfinished event holds no end (no byte is scanned twice) */
    bool begun;     /* the first event, which may have a byte order mark, is past */
};

struct sse_event {
    struct text raw;  /* everything, the blank line that ends it included */
    struct text name; /* of the `event:` field; empty if none */
    struct text data; /* of the `data:` fields, joined by \n; TEXT_NONE if there is none
                         (comments, keep-alives) */
};

enum sse_result { SSE_EVENT, SSE_MORE, SSE_TOO_LARGE };

void sse_close(struct sse *sse);
void sse_feed(struct sse *sse, struct text piece);
enum sse_result sse_next(struct sse *sse, struct sse_event *event);

/* What is left unfinished at the end of a stream (some upstreams leave out the last blank line):
 * true and the event if it has a data field. */
MUST_USE bool sse_last(struct sse *sse, struct sse_event *event);

#endif
