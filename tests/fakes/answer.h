/*
 * What an answer says, whatever API it is given in; dialect.h gives it its form.
 */
#ifndef FAKES_ANSWER_H
#define FAKES_ANSWER_H

#include "ask.h"
#include "wish.h"

enum answer_state {
    ANSWER_DONE, /* or cut */
    ANSWER_QUEUED,
    ANSWER_IN_PROGRESS,
    ANSWER_FAILED,
    ANSWER_CANCELLED,
};

/* Its strings belong to the call. */
struct answer {
    enum ask_api api;
    const char *id;
    const char *model;   /* as echoed */
    const char *tool;    /* the function that is called, with the text as its one argument
                            `words`; empty: none, the text is said */
    const char *newline; /* between the lines of an event */
    int64_t created;
    int64_t choices;
    int64_t tries;     /* per-choice tokens are paid so many times */
    int64_t visible;   /* tokens of text per choice */
    int64_t reasoning; /* hidden tokens per choice */
    int64_t prompt;
    int64_t cached;
    int64_t written;    /* tokens of the prompt written to the cache for minutes */
    int64_t written_1h; /* and for an hour */
    int64_t searches;   /* of the web */
    int64_t other;      /* tokens of the prompt that are images or sound */
    int64_t bytes;      /* of each image, or of the sound spoken */
    int64_t seconds;    /* of sound transcribed */
    const struct media *media;
    const char *billed;   /* the model whose prices hold */
    int64_t lie;          /* completion tokens to report, or WISH_ABSENT */
    const char *tier;     /* service tier to name; NULL: none */
    int64_t cost;         /* nano-dollars to name, or WISH_ABSENT */
    bool dense;           /* its text has a token for each byte */
    bool cut;             /* it ended at a maximum */
    bool usage_missing;   /* no usage at all */
    bool usage_event;     /* a chat's stream has an event for usage alone */
    bool usage_in_choice; /* its last event with choices has usage */
    bool running_usage;   /* usage in every event */
    bool null_usage;      /* "usage":null in events without one */
    int64_t inputs;       /* embeddings */
    bool base64;
    /* Responses */
    enum answer_state state;
    int64_t max_output; /* as asked; 0: none */
    bool store;
    bool background;
    char previous[64]; /* previous_response_id, or empty */
    int64_t events;    /* events of the stream written so far: its sequence number */
};

/* Images and sound: the model's prices are by the token. */
bool answer_by_tokens(const char *model);

/* All the tokens generated for it. */
int64_t answer_tokens(const struct answer *answer);

/* `count` words of the lorem text from word `from` on; each is one token of o200k_base and
 * cl100k_base alike. Plain ASCII, needs no escaping. */
void answer_words(struct bytes *out, int64_t from, int64_t count);

/* So many tokens of the answer's text: words, or if it is dense tokens of a byte each. */
void answer_text(struct bytes *out, const struct answer *answer, int64_t from, int64_t count);

/* Around the words when they are the argument of a tool: {"words":"..."} inside a string. */
#define WORDS_OPEN  "{\\\"words\\\":\\\""
#define WORDS_CLOSE "\\\"}"

/* The words [from, to) of a choice as a stream says them: of a tool's argument also what stands
 * around the whole of it. */
void answer_part(struct bytes *out, const struct answer *answer, int64_t from, int64_t to);
/* The whole text or argument. */
void answer_whole(struct bytes *out, const struct answer *answer);

/* Of a usage object: `,"cost":0.000001`, if a cost is to be named. */
void answer_cost(struct bytes *out, const struct answer *answer);
/* Output tokens to report: what was generated, unless it lies. */
int64_t answer_reported(const struct answer *answer);

void answer_page(struct bytes *out);

#endif
