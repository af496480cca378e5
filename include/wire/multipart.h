/*
 * Bodies of multipart/form-data (RFC 7578), as uploads of files have them. Sans I/O, nothing is
 * copied. What two readers might understand differently is refused, so that a file is never another
 * to its provider than it was to purser: parts without a name, with two names, with an escaped or
 * extended one, with an encoding of their own; bytes before the first boundary or behind the last;
 * a boundary that is not alone on its line, or that a bare CR or LF stands before; more than
 * MULTIPART_MOST_PARTS parts.
 */
#ifndef PURSER_WIRE_MULTIPART_H
#define PURSER_WIRE_MULTIPART_H

#include "base/text.h"

#define MULTIPART_MOST_PARTS    256
#define MULTIPART_MOST_BOUNDARY 70 /* bytes: RFC 2046, 5.1.1 */

/* The boundary that a Content-Type of multipart/form-data names; TEXT_NONE: it is another type, or
 * names none, or two. */
struct text multipart_boundary(struct text content_type);

struct multipart {
    struct text rest;                       /* behind the last part's boundary */
    char mark[4 + MULTIPART_MOST_BOUNDARY]; /* CR, LF, two dashes, the boundary */
    size_t mark_size;
    bool begun;
    size_t parts; /* so far */
};

struct multipart_part {
    struct text name, filename; /* filename: TEXT_NONE if absent */
    struct text type;           /* its Content-Type; TEXT_NONE if absent */
    struct text content;
};

/* A boundary has at most MULTIPART_MOST_BOUNDARY bytes, as multipart_boundary tells it. */
struct multipart multipart_begin(struct text body, struct text boundary);

enum multipart_result { MULTIPART_PART, MULTIPART_END, MULTIPART_BROKEN };

/* The next part, pointing into the body. After END or BROKEN nothing more may be asked. */
enum multipart_result multipart_next(struct multipart *multipart, struct multipart_part *part);

#endif
