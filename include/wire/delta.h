/*
 * The text that a model generates, out of the events of a stream, in every dialect: what a call
 * has produced so far can be counted from it (gear/gauge.h).
 *
 *     struct delta_reader reader = {.endpoint = endpoint};
 *     delta_read(&reader, event.data);           for each event of the stream, in order
 *     for (i < reader.count) ... reader.at[i]
 *     delta_reader_close(&reader);
 *
 * Everything that was generated is told, tool calls and visible reasoning included, by its text; of
 * members standing twice, both. Events that differ from an earlier one in a few texts and numbers
 * alone, as most of a stream do, are compared with it and not parsed again.
 */
#ifndef PURSER_WIRE_DELTA_H
#define PURSER_WIRE_DELTA_H

#include "base/json.h"
#include "wire/endpoint.h"

enum delta_kind {
    DELTA_TEXT,      /* what a person reads: content, a refusal */
    DELTA_REASONING, /* where an upstream shows it */
    DELTA_TOOL,      /* the name of a tool, or of what it is called with */
    DELTA_OTHER,     /* a member of the generated message that is not known */
};

struct delta {
    int64_t choice; /* the index of the choice; 0 in dialects that have none */
    int64_t part;   /* texts of one choice, kind and part continue each other; 0, or the index of a
                       tool call or of a block */
    enum delta_kind kind;
    struct text text; /* unescaped, not empty; of what is no string its JSON, which has at least
                         the tokens of what it says. Valid until the next delta_read, and as long
                         as the event */
};

/* Zero-initialised, but for the endpoint, is ready. */
struct delta_reader {
    enum endpoint endpoint;
    /* What the last event brought, in its order. */
    struct delta *at;
    size_t count;
    bool opaque;              /* and something whose text does not tell its tokens: audio, images,
                                 encrypted reasoning, data that is not JSON */
    bool usual;               /* it has the form of an earlier event, and brings nothing but text:
                                 no end of a choice, no usage, no error */
    struct text said;         /* if it is usual: its text as it stood, between its quotes, */
    struct json_value number; /* and the number it has; of kind JSON_NULL if it has none */
    struct json_value whole;  /* what was parsed; of kind JSON_NULL if it is usual, or no JSON */
    /* Set by the dialect. */
    bool plain;                /* the event is nothing but its deltas */
    struct json_value padding; /* a string in it that means nothing and is never the same */
    struct json_value counter; /* a number in it that goes up: delta_is_count */
    /* Private. */
    size_t room;
    struct buffer unescaped;
    struct text raw; /* the last delta's, as it stood */
    struct delta_form {
        struct buffer data; /* the last plain event with one delta; empty: none was */
        struct delta_hole {
            enum delta_hole_kind { DELTA_HOLE_TEXT, DELTA_HOLE_PADDING, DELTA_HOLE_NUMBER } kind;
            size_t from, to; /* of `data`: a string with its quotes, or a number; another may
                                stand there */
        } holes[3];          /* in the order in which they stand */
        size_t hole_count;
        struct delta where;
    } form;
};

/* Whether the streams of an endpoint can be read here; only of these is delta_read called. */
bool delta_knows(enum endpoint endpoint);

/* Also of a whole answer: it has the members of a stream's events. */
void delta_read(struct delta_reader *reader, struct text data);
void delta_reader_close(struct delta_reader *reader);

/* ---- for the dialects: src/wire/delta_<dialect>.c ---- */

/* Adds a delta, `where` but for its text: what a string says, of anything else the JSON as it
 * stands. Not null, nor what is empty. */
void delta_add(struct delta_reader *reader, const struct delta *where, struct json_value value);

/* Whether it is a number that is told by its digits alone, and not too large to be counted on. */
bool delta_is_count(struct json_value value);

/* Adds what an event has, whose `whole` is a JSON object. */
void delta_chat(struct delta_reader *reader); /* completions, too */
void delta_messages(struct delta_reader *reader);
void delta_responses(struct delta_reader *reader);

#endif
