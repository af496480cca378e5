/*
 * An upload: the body of a request while it comes. Kept up to limits.body_mb; what is larger is
 * read to its end (bounded) and refused. From a client without a key no more than 16 KB are kept,
 * so that strangers cannot fill the memory.
 */
#ifndef PURSER_FRONT_UPLOAD_H
#define PURSER_FRONT_UPLOAD_H

#include "pipeline/pipeline.h"

struct upload {
    struct request *request;
    bool known;          /* the body may be large: the caller has a key */
    bool stranger;       /* the body was large, and the caller has none */
    bool two_lengths;    /* the head tells more than one length of it */
    int64_t passed_over; /* bytes that were not kept */
};

/* The request's headers are there. */
void upload_begin(struct upload *upload, struct request *request);

/* Takes a piece. False if the client sends without end. */
MUST_USE bool upload_take(struct upload *upload, const char *bytes, size_t size);

/* The body is complete: true if it is refused, which decides the request's reply. A stranger's is
 * not; it goes the usual way to its 401, without its body. */
bool upload_refused(struct upload *upload);

#endif
