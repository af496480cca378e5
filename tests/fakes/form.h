/*
 * A body of multipart/form-data, part by part.
 */
#ifndef FAKES_FORM_H
#define FAKES_FORM_H

#include "bytes.h"

struct form {
    struct text rest;
    char mark[80]; /* CRLF, two dashes and the boundary */
};

struct form_part {
    struct text name;
    struct text file; /* its filename; empty: the part is a field */
    struct text value;
};

/* Begins. False: the content type names no boundary, or the body does not begin with it. */
bool form_begin(struct form *form, struct text content_type, struct text body);
/* The next part. False: there is none. */
bool form_next(struct form *form, struct form_part *part);

#endif
