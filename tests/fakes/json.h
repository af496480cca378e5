/*
 * Reads JSON in place, without building anything: a walk over the members of one object or array.
 * It checks strings and brackets, which is what tells a whole body from a truncated one; it is no
 * validator of numbers and does not care which bracket closes which.
 */
#ifndef FAKES_JSON_H
#define FAKES_JSON_H

#include "bytes.h"

enum json_got { JSON_ITEM, JSON_END, JSON_BAD };

struct json_walk {
    struct text rest;
    bool object;
    bool started;
};

/* Begins a walk. False: the value is neither object nor array. */
bool json_enter(struct json_walk *walk, struct text value);

/* The next member. `name` is the raw text between the quotes (empty in an array), `value` the raw
 * value, quotes included. JSON_BAD: the text is broken or ends too early. */
enum json_got json_next(struct json_walk *walk, struct text *name, struct text *value);

/* True: the text is one JSON value and nothing else but blanks. */
bool json_whole(struct text text);

/* What stands between the quotes of a string value, escapes left as they are. */
bool json_raw_string(struct text value, struct text *raw);

/* Decodes raw text (without quotes) into `to`; escapes become UTF-8. False: too long for `room`
 * (with its terminating zero) or a broken escape. */
bool json_decode(struct text raw, char *to, size_t room);

#endif
