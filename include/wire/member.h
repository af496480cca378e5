/*
 * The tables of the members that matter in a request, one for each dialect, and what they are
 * written with. For src/wire/member*.c only. How rows are used: wire/body_reader.h.
 */
#ifndef PURSER_WIRE_MEMBER_H
#define PURSER_WIRE_MEMBER_H

#include <stddef.h>

#include "wire/body_reader.h"

struct member_table {
    const struct member *rows;
    size_t count; /* at most MEMBER_MOST */
};

#define MEMBER_MOST 64 /* reader.seen has a bit per row */

const struct member_table *member_openai(void);    /* src/wire/member.c */
const struct member_table *member_messages(void);  /* src/wire/member_messages.c */
const struct member_table *member_responses(void); /* src/wire/member_responses.c */

const struct member_table *member_media(void); /* images, sound, moderations:
                                                  src/wire/member_media.c */

/* ---- readers that tables share ---- */

bool member_read_model(struct body_reader *reader, const struct member *member,
                       struct json_value value);
/* These put what they read where the row's `field` says. */
bool member_read_text(struct body_reader *reader, const struct member *member,
                      struct json_value value);
bool member_read_flag(struct body_reader *reader, const struct member *member,
                      struct json_value value);
bool member_read_number(struct body_reader *reader, const struct member *member,
                        struct json_value value); /* its raw text */
bool member_read_count(struct body_reader *reader, const struct member *member,
                       struct json_value value); /* from the row's least to its most */
/* Session, label and tags. */
bool member_read_metadata(struct body_reader *reader, const struct member *member,
                          struct json_value value);
/* What the provider keeps and the answer goes on from: `previous_response_id`, `conversation`. */
bool member_read_before(struct body_reader *reader, const struct member *member,
                        struct json_value value);
/* Anything but false adds cost without a bound, as the row says. */
bool member_read_unbounded(struct body_reader *reader, const struct member *member,
                           struct json_value value);

/* ---- what rows are written with ---- */

#define BOOL   (1u << JSON_FALSE | 1u << JSON_TRUE)
#define NUMBER (1u << JSON_NUMBER)
#define STRING (1u << JSON_STRING)
#define ARRAY  (1u << JSON_ARRAY)
#define OBJECT (1u << JSON_OBJECT)
#define ANY    (BOOL | NUMBER | STRING | ARRAY | OBJECT)

#define AT(member) offsetof(struct body_reader, member)

#define ROW(text, where, what, how)                                                                \
    .name = TEXT(text), .endpoints = (where), .kinds = (what), .read = (how)
#define UNBOUNDED(text, where, sentence)                                                           \
    ROW(text, where, ANY, member_read_unbounded), .why = (sentence)
#define STRANGE(text, where)                                                                       \
    UNBOUNDED(text, where,                                                                         \
              "Some providers obey it beside the members that bound this request's cost: leave "   \
              "it out.")

#endif
