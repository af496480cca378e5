/*
 * JSON in two ways.
 *
 * 1. A pull scanner over bytes, without allocation: it validates everything it passes (syntax of
 *    RFC 8259, UTF-8, nesting) and hands out the byte ranges of members and values. This is what
 *    reads request bodies: what purser has no reason to change is passed on byte for byte.
 * 2. Appending to a buffer, for what we write ourselves. Amounts of money never pass through a
 *    double: they are put as decimal text.
 */
#ifndef PURSER_BASE_JSON_H
#define PURSER_BASE_JSON_H

#include "base/arena.h"
#include "base/fault.h"
#include "base/text.h"

#define JSON_MAX_DEPTH 256

enum json_kind {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

struct json_value {
    enum json_kind kind;
    struct text raw; /* the value's own bytes, quotes and brackets included */
};

enum json_error {
    JSON_OK,
    JSON_SYNTAX,   /* not JSON; also a truncated text or bytes behind the value */
    JSON_ENCODING, /* invalid UTF-8, a raw control character in a string */
    JSON_TOO_DEEP, /* more than JSON_MAX_DEPTH levels */
};

/* Validates the whole text as one value with nothing but white space around it. On an error
 * `*where` (may be NULL) is the byte offset. `value` is set only on JSON_OK. One pass; about
 * 1 GB/s on long strings. */
MUST_USE enum json_error json_parse(struct text whole, struct json_value *value, size_t *where);

/* Walks the members of an object, or the elements of an array, of a value that json_parse accepted
 * (nothing is validated again). Start with `struct json_walk walk = json_walk(value)`. */
struct json_walk {
    struct text rest;
    bool object;
};
struct json_walk json_walk(struct json_value container); /* of another kind: no members */
/* False at the end. `name` is the raw text between the member's quotes (escapes not resolved),
 * TEXT_NONE in an array. */
bool json_next(struct json_walk *walk, struct text *name, struct json_value *value);

/* The first member called `name` (compared after unescaping); false if none or not an object. */
bool json_member(struct json_value object, struct text name, struct json_value *value);

/* True if a raw member name or the inside of a raw string, once unescaped, equals `plain`. */
bool json_name_equal(struct text raw_inside, struct text plain);

/* What stands between the quotes of a JSON_STRING, escapes and all; TEXT_NONE of another kind. */
struct text json_inside(struct json_value string);

/* The same for people: what has no quotes is shown as it stands. Escapes drive no terminal. */
struct text json_shown(struct json_value value);

/* True if it is a JSON_STRING that, once unescaped, equals `plain`. */
bool json_is(struct json_value value, struct text plain);

/* True if the object has a member of which that is true. */
bool json_member_is(struct json_value object, struct text name, struct text plain);

/* The unescaped content of a JSON_STRING value, in the arena (or pointing into the raw text if it
 * has no escapes). A lone surrogate becomes U+FFFD. TEXT_NONE for a value of another kind. */
struct text json_string(struct arena *arena, struct json_value string);

/* The same for a raw member name, or the inside of any raw string. */
struct text json_name(struct arena *arena, struct text raw_inside);

/* The same into `out`, which has as many bytes as that: no escape
 * is shorter than what it stands for. Returns the size. */
size_t json_unescape(struct text raw_inside, char *out);

/* The size of the string that `rest` begins with, quotes included: 0 if it is none, or not
 * well-formed. Behind it may stand anything. */
size_t json_string_size(struct text rest);

/* A JSON_NUMBER that is a whole number in the range of int64 ("10", "-3"; also "1e3", "10.0"). */
MUST_USE bool json_int(struct json_value number, int64_t *value);

/* A JSON_NUMBER by its value: its digits times ten to the power of `exponent`. Numbers are equal
 * exactly if all three are, but for the point: "1.50", "15e-1" and "0.15e1" have the digits "1.5",
 * "15" and "15". Exponents beyond 10^17 are cut short. */
struct json_decimal {
    bool negative;
    struct text digits; /* without zeros at either end, maybe with a point inside; empty: zero */
    int64_t exponent;   /* of the last digit */
};
struct json_decimal json_decimal(struct json_value number);

/* ---- writing ---- */

/* With quotes, escaped; invalid UTF-8 becomes U+FFFD. */
void json_put_string(struct buffer *out, struct text plain);
/* `"name":` preceded by a comma unless the last byte in `out` is '{' or '['. */
void json_put_name(struct buffer *out, struct text name);
void json_put_text_member(struct buffer *out, struct text name, struct text plain);
void json_put_int_member(struct buffer *out, struct text name, int64_t value);
void json_put_bool_member(struct buffer *out, struct text name, bool value);
void json_put_raw_member(struct buffer *out, struct text name, struct text raw);

#endif
