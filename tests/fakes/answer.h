/*
 * The bodies of answers, OpenAI-shaped: whole ones and the events of a stream.
 */
#ifndef FAKES_ANSWER_H
#define FAKES_ANSWER_H

#include "ask.h"
#include "wish.h"

/* What an answer says. Its strings belong to the call. */
struct answer {
    enum ask_api api;
    const char *id;
    const char *model; /* as echoed */
    const char *tool;  /* chat: the function that is called, with the text as its one argument
                          `words`; empty: none, the text is said */
    int64_t created;
    int64_t choices;
    int64_t tries;     /* per-choice tokens are paid so many times */
    int64_t visible;   /* tokens of text per choice */
    int64_t reasoning; /* hidden tokens per choice */
    int64_t prompt;
    int64_t cached;
    int64_t lie;      /* completion tokens to report, or WISH_ABSENT */
    const char *tier; /* service tier to name; NULL: none */
    int64_t cost;     /* nano-dollars to name, or WISH_ABSENT */
    bool cut;         /* finish_reason "length" */
    bool usage_missing;
    bool running_usage; /* usage in every event */
    bool null_usage;    /* "usage":null in events without one */
    int64_t inputs;     /* embeddings */
    bool base64;
};

/* `count` words of the lorem text from word `from` on; each is one token of o200k_base and
 * cl100k_base alike. Plain ASCII, needs no escaping. */
void answer_words(struct bytes *out, int64_t from, int64_t count);

/* A whole answer in two parts. Between them may go any number of filler bytes: inside the text of
 * the last choice, or between the members of an embeddings list. */
void answer_begin(struct bytes *out, const struct answer *answer);
void answer_end(struct bytes *out, const struct answer *answer);
char answer_filler(const struct answer *answer);

/* One event's JSON. A chat stream begins with one event per choice that only names the role. */
void answer_role_event(struct bytes *out, const struct answer *answer, int64_t choice);
/* Words [from, to) of a choice. */
void answer_event(struct bytes *out, const struct answer *answer, int64_t choice, int64_t from,
                  int64_t to);
/* An event of `size` bytes of filler. */
void answer_filler_event(struct bytes *out, const struct answer *answer, size_t size);
/* The event with a choice's finish_reason; with_usage: usage stands in it, too. */
void answer_finish_event(struct bytes *out, const struct answer *answer, int64_t choice,
                         bool with_usage);
/* The event with `choices: []` and usage. */
void answer_usage_event(struct bytes *out, const struct answer *answer);

/* An error in OpenAI's shape; param (may be NULL) needs no escaping. */
void answer_error(struct bytes *out, int status, const char *message, const char *param);
void answer_page(struct bytes *out);

#endif
