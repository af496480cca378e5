/*
 * The form of answers: whole ones, the events of a stream, and errors, for each API. A dialect
 * only writes; when and whether is call.h's.
 */
#ifndef FAKES_DIALECT_H
#define FAKES_DIALECT_H

#include "answer.h"

/* Each event is written whole ("data: …", perhaps with an "event: …" line before it) but for the
 * empty line behind it. */
struct dialect {
    const char *prefix; /* of ids */
    const char *type;   /* see dialect_type */
    char filler;        /* what big answers are filled with */

    /* A whole answer in two parts. Between them may go any number of filler bytes. */
    void (*begin)(struct bytes *out, const struct answer *answer);
    void (*end)(struct bytes *out, const struct answer *answer);

    /* The events before the content and behind it, by their number from 0 on. False: there is none
     * of that number. NULL, as are the next two: the API does not stream. */
    bool (*opening)(struct bytes *out, const struct answer *answer, int64_t number);
    bool (*closing)(struct bytes *out, const struct answer *answer, int64_t number);
    /* Words [from, to) of a choice. */
    void (*content)(struct bytes *out, const struct answer *answer, int64_t choice, int64_t from,
                    int64_t to);
    /* An event of `size` bytes of filler. */
    void (*filling)(struct bytes *out, const struct answer *answer, size_t size);
    /* The event of a stream that fails before its end. */
    void (*failing)(struct bytes *out, const struct answer *answer);

    /* param (may be NULL) needs no escaping. */
    void (*error)(struct bytes *out, int status, const char *message, const char *param);
};

const struct dialect *dialect_of(enum ask_api api);

extern const struct dialect dialect_chat; /* dialect_chat.c */
extern const struct dialect dialect_completions;
extern const struct dialect dialect_embeddings;  /* dialect_embeddings.c */
extern const struct dialect dialect_messages;    /* dialect_messages.c */
extern const struct dialect dialect_count;       /* its count_tokens */
extern const struct dialect dialect_responses;   /* dialect_responses.c */
extern const struct dialect dialect_input_count; /* its input_tokens */

extern const struct dialect dialect_moderations; /* dialect_media.c */
extern const struct dialect dialect_images;
extern const struct dialect dialect_speech;
extern const struct dialect dialect_transcripts;

/* The content type of a whole answer. */
const char *dialect_type(const struct dialect *dialect, const struct answer *answer);

/* An error in OpenAI's shape. */
void dialect_error(struct bytes *out, int status, const char *message, const char *param);
/* A response as GET shows it. */
void dialect_response(struct bytes *out, const struct answer *answer);

#endif
