/*
 * A visit: a client's errand to an object at an upstream. Its answer is passed on; what it changes
 * is noted (an upload makes an object, a deletion ends one). Small answers are passed on whole,
 * large ones as they come.
 *
 * A client that leaves ends its visit if that only asks. An upload or a deletion goes on without
 * it: what happens at the upstream has to be noted.
 */
#ifndef PURSER_PIPELINE_VISIT_H
#define PURSER_PIPELINE_VISIT_H

#include "pipeline/errand.h"
#include "wire/jobs.h"

/* What a good answer means. */
enum visit_purpose {
    VISIT_READ,   /* nothing */
    VISIT_SHOW,   /* it is the object, as it is now */
    VISIT_DELETE, /* the object is gone */
    VISIT_UPLOAD, /* it is a file that the key has made */
};

struct visit {
    struct request *request; /* NULL: the client has left */
    struct errand *errand;   /* in whose arena this is */
    enum visit_purpose purpose;
    struct object object; /* of UPLOAD the id is not known before the answer */
    struct text key;
    struct text facts;    /* UPLOAD: to be noted of the file */
    struct buffer answer; /* up to VISIT_WHOLE_MOST */
    bool relayed;         /* it is too large: passed on as it comes */
};

#define VISIT_WHOLE_MOST (1024 * 1024)

/* Sends it for a request that has none. Upstream, id and path are copied; of UPLOAD the request's
 * body is taken. The request's reply is decided later. */
void visit_start(struct request *request, enum visit_purpose purpose, const struct object *object,
                 const struct errand_target *target, struct text facts);

/* Its client is gone; NULL-safe. */
void visit_leave(struct request *request);

#endif
