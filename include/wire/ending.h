/*
 * Ending a stream before its time, so that its client sees a regular end: an answer that was cut
 * at its maximum length; or an error event. What the end must name is remembered while the stream
 * passes.
 *
 *     struct ending ending;
 *     ending_open(&ending, endpoint, choices);
 *     ending_note(&ending, event.data, &reader); for each event that passes, after delta_read
 *     ending_put(&ending, &facts, &out);         instead of what would have come
 *     ending_close(&ending);
 *
 *     chat, completions  for each choice still open a chunk with finish_reason "length"; the chunk
 *                        with the usage if asked for; [DONE]
 *     Messages           the open block's content_block_stop; message_delta with stop_reason
 *                        "max_tokens" and the output tokens; message_stop
 *     Responses          the ends of the open message and its part; response.incomplete with the
 *                        whole response, because of "max_output_tokens"
 */
#ifndef PURSER_WIRE_ENDING_H
#define PURSER_WIRE_ENDING_H

#include "wire/delta.h"

#define ENDING_MOST_CHOICES 128 /* of a stream that is to be ended here */
/* Responses: bytes of a response as it begins, and of its output, that are remembered. Of more the
 * last event tells only the least of members, or no output. */
#define ENDING_MOST_RESPONSE (256 * 1024)
#define ENDING_MOST_OUTPUT   (2 * 1024 * 1024)

struct ending {
    enum endpoint endpoint;
    bool over; /* the stream has come to its own end: nothing may follow */
    /* chat and completions: raw JSON of the first chunk; empty: it has none */
    struct buffer id, created, model;
    int64_t choices;                    /* asked for, at most ENDING_MOST_CHOICES */
    bool finished[ENDING_MOST_CHOICES]; /* have their finish_reason */
    /* Messages: message_start has passed; the block that has begun and not ended */
    bool begun, block_open;
    int64_t block;
    /* Responses: also whether response.created has passed, and its id and model (insides of
     * strings); the number of the last event; the response as it began; items that ended; of the
     * open message its id, its parts that ended, and the text of the one that did not */
    int64_t sequence, item, part;
    bool item_open, part_open, refusal;
    bool forgotten; /* it said more than is remembered */
    struct buffer response, items, item_id, parts, text;
};

enum ending_manner {
    ENDING_LENGTH, /* as if the maximum length were reached */
    ENDING_ERROR,  /* an error event that says why */
};

struct ending_facts {
    enum ending_manner manner;
    /* In place of what no event named. */
    struct text id, model;
    int64_t created_s;
    bool usage; /* the client asked for it; ignored where it always comes */
    int64_t input_tokens, output_tokens;
    struct text cost; /* decimal dollars, for `usage.cost`; TEXT_NONE: not told */
    /* ENDING_ERROR: a sentence, the error's code and OpenAI's type of it */
    struct text message, code, type;
};

/* Whether the streams of an endpoint can be ended here; only for these is it opened. */
bool ending_knows(enum endpoint endpoint);

/* More choices than ENDING_MOST_CHOICES are asserted. */
void ending_open(struct ending *ending, enum endpoint endpoint, int64_t choices);
void ending_close(struct ending *ending); /* also of zeroes */

/* Remembers of an event what the end needs; it was read by delta_read. */
void ending_note(struct ending *ending, struct text data, const struct delta_reader *reader);

/* Appends the events that end the stream; nothing if it is over. Events end with a blank line. */
void ending_put(const struct ending *ending, const struct ending_facts *facts, struct buffer *out);

/* ---- for the dialects: src/wire/ending_<dialect>.c ---- */

/* Keeps a JSON value behind what is kept already. An upstream may break its events into lines,
 * where JSON has room for white space; the event that repeats the value is one line. */
void ending_keep(struct buffer *kept, struct text value);

/* `whole` is an object. Of usual events (wire/delta.h) only a dialect of which the end has their
 * text is told. */
void ending_note_chat(struct ending *ending, struct json_value whole);
void ending_put_chat(const struct ending *ending, const struct ending_facts *facts,
                     struct buffer *out);
void ending_note_messages(struct ending *ending, struct json_value whole);
void ending_put_messages(const struct ending *ending, const struct ending_facts *facts,
                         struct buffer *out);
void ending_note_responses(struct ending *ending, struct json_value whole);
void ending_note_responses_text(struct ending *ending, const struct delta_reader *reader);
void ending_put_responses(const struct ending *ending, const struct ending_facts *facts,
                          struct buffer *out);

#endif
