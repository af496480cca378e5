/*
 * HTTP/1.1 answers, read as they come (RFC 9112): status line, header lines, and a body that is
 * counted, chunked, or ends with the connection. Sans I/O and without a copy of the body.
 *
 *     while (http1_next(&answer, &bytes, &body) == HTTP1_BODY) ... take body ...
 *
 * `bytes` is moved behind what was understood; everything of it is taken unless the answer ended
 * (bytes behind an answer then belong to nobody) or is broken.
 */
#ifndef PURSER_WIRE_HTTP1_H
#define PURSER_WIRE_HTTP1_H

#include "base/text.h"

#define HTTP1_HEAD_MOST (256 * 1024) /* bytes of all header lines */

enum http1_result {
    HTTP1_MORE,  /* all bytes are used up, the answer goes on */
    HTTP1_BODY,  /* a piece of the body, pointing into `bytes` */
    HTTP1_END,   /* the answer is complete */
    HTTP1_BROKEN /* not HTTP, contradictory lengths, or a head that is too large */
};

/* Zero-initialised is ready for one answer; http1_close frees and makes it ready again. */
struct http1 {
    struct buffer head; /* of the final answer, each line with its end; status line first */
    int phase;
    int status;       /* 0: not known yet */
    bool head_done;   /* status and headers are complete, and sound */
    bool keep_alive;  /* after the end another request may follow */
    bool until_close; /* the body ends with the connection */
    bool chunked;
    uint64_t left; /* of the body, or of the chunk */
    size_t line;   /* where the unfinished line of the head begins */
};

enum http1_result http1_next(struct http1 *answer, struct text *bytes, struct text *body);

/* The connection ended: true if that completes the answer (a body until close). */
bool http1_eof(const struct http1 *answer);

/* Walks the header lines: start with *at = 0; false at the end. Valid once head_done. */
bool http1_header(const struct http1 *answer, size_t *at, struct text *name, struct text *value);

void http1_close(struct http1 *answer);

#endif
