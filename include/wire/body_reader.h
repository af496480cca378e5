/*
 * How a request body is read: the state that the parts of body_read share. For src/wire only; what
 * the others need is in wire/body.h.
 *
 * A table (wire/member.h) names the top-level members that matter. body_read walks the top level
 * once, looks each member up and lets its row read the value; whatever has no row passes
 * untouched.
 */
#ifndef PURSER_WIRE_BODY_READER_H
#define PURSER_WIRE_BODY_READER_H

#include "wire/body.h"
#include "wire/skim.h"

#define BODY_MOST_NAME 32 /* bytes of a name that may match one of ours */

struct body_reader {
    struct body body;
    struct body_error *error;
    struct arena *arena;
    struct skim skim;   /* at the value being read; behind it once a row has read it */
    uint64_t seen;      /* bit per row of the table */
    int64_t n, best_of; /* 1 if absent */
    int64_t max_tokens, max_completion_tokens; /* BODY_ABSENT if absent */
    int64_t max_output_tokens;                 /* the same, of Responses */
    int64_t functions;                         /* of the tools being read */
    int64_t hidden_tokens; /* input that the providers add for tools and schemas */
    bool input_unbounded;  /* input that no byte of the body bounds */
    bool cites;            /* Messages: a prompt about citations is among the hidden tokens */
    char folded[BODY_MOST_NAME];
};

/* A row: a member, where it matters, what may stand there and who reads it. */
struct member {
    struct text name;
    unsigned endpoints; /* bit per enum endpoint */
    unsigned kinds;     /* bit per enum json_kind; null is always allowed and means absent */
    bool required;
    /* One of the two: given the value, or going through it by reader->skim. False after
     * body_refuse. */
    bool (*read)(struct body_reader *reader, const struct member *member, struct json_value value);
    bool (*go_through)(struct body_reader *reader, const struct member *member);
    size_t field;        /* of struct body_reader: where the value goes, if the row says so */
    size_t raw;          /* of struct body_reader: where its bytes go; 0: nowhere */
    int64_t least, most; /* counts */
    const char *why;     /* members without a bound: the sentence */
};

/* The row of a member by its name in any spelling that some parser would take for it: unescaped
 * and without regard to case. NULL: the member does not matter. `*exact` tells whether it is
 * written as it should be. `*row` is its number. */
const struct member *member_find(struct body_reader *reader, struct text raw_name, bool *exact,
                                 unsigned *row);

/* The first row that is required at the body's endpoint and was not seen; NULL if none. */
const struct member *member_missing(const struct body_reader *reader);

/* ---- rows' readers that look into content (wire/content.c) ---- */

bool content_read_messages(struct body_reader *reader, const struct member *member);
bool content_read_tools(struct body_reader *reader, const struct member *member);
bool content_read_prompts(struct body_reader *reader, const struct member *member,
                          struct json_value value);
bool content_read_functions(struct body_reader *reader, const struct member *member,
                            struct json_value value);

/* Reads an object, or each element of an array; passes anything else. */
void content_read_each(struct body_reader *reader, void (*read)(struct body_reader *reader));
/* Of what messages and items hold, the value that comes next: a text, or parts that may be more. */
void content_read_parts(struct body_reader *reader);
/* Notes the hidden tokens of tools. */
void content_add_tools(struct body_reader *reader, int64_t functions, struct json_value tools);

/* ---- the same of Messages (wire/content_messages.c) ---- */

bool content_read_turns(struct body_reader *reader, const struct member *member);
bool content_read_system(struct body_reader *reader, const struct member *member);
bool content_read_message_tools(struct body_reader *reader, const struct member *member);

/* ---- the same for Responses (wire/items.c) ---- */

bool items_read_input(struct body_reader *reader, const struct member *member);
bool items_read_tools(struct body_reader *reader, const struct member *member);

/* ---- common ---- */

/* Fills the error and returns false. `code` is a literal, `param` lives as long as the body. */
bool body_refuse(struct body_reader *reader, const char *code, struct text param,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Notes a member without a bound; the first one counts. */
void body_note_unbounded(struct body_reader *reader, const struct member *member);

/* A raw name unescaped and folded as the widest of case-insensitive parsers does; empty if longer
 * than BODY_MOST_NAME. Valid until the next call. */
struct text body_fold_name(struct body_reader *reader, struct text raw_name);

/* True if any parser would take the raw name for `plain` (in lower case). */
bool body_name_is(struct body_reader *reader, struct text raw_name, struct text plain);

/* Reads `value` as true, false or null (no change); else refuses with `param`. */
bool body_read_flag(struct body_reader *reader, struct text param, struct json_value value,
                    bool *flag);

/* Once the input's bound is known: fills in the files that the body names. */
void body_find_files(struct body *body, struct arena *arena);

#endif
