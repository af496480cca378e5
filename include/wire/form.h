/*
 * Requests that are forms: files with some fields beside them. The fields are read as the members
 * of a JSON object of that name and value are (wire/body.h), by the same table with the same
 * refusals; the files are only looked at for what bounds their cost.
 */
#ifndef PURSER_WIRE_FORM_H
#define PURSER_WIRE_FORM_H

#include "wire/body.h"

/* Reads and checks a form. `body` points into the raw bytes and the arena; its `raw` is the form.
 * Refused beside what body_read refuses: what wire/multipart.h refuses; a field of text
 * that is over 64 KB, no UTF-8, of another content type or sent as a file, where it matters; a
 * field that matters written as a list ("n[]"); no file, or of sound more than one. */
MUST_USE bool form_read(enum endpoint endpoint, struct text content_type, struct text raw,
                        struct arena *arena, struct body *body, struct body_error *error);

#endif
