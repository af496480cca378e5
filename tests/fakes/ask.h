/*
 * What an API call asks for, read from its path and body.
 */
#ifndef FAKES_ASK_H
#define FAKES_ASK_H

#include "http.h"

enum ask_api {
    ASK_CHAT,
    ASK_COMPLETIONS,
    ASK_EMBEDDINGS,
    ASK_MESSAGES,
    ASK_COUNT_TOKENS, /* of messages */
    ASK_RESPONSES,
    ASK_INPUT_TOKENS, /* of responses */
    ASK_MODERATIONS,
    ASK_IMAGES,
    ASK_IMAGE_EDITS,
    ASK_SPEECH,
    ASK_TRANSCRIPTIONS,
    ASK_TRANSLATIONS,
};

/* Of images and sound. Names are empty where nothing was said. */
struct media {
    char size[16];
    char quality[16];
    char format[16]; /* response_format */
    int64_t files;
    int64_t partial_images;
    int64_t characters; /* to be spoken: of speech alone */
    int64_t seconds;    /* of sound, begun ones count */
};

struct ask {
    enum ask_api api;
    char model[128];
    int64_t max_tokens; /* 0: none named; the larger one if both fields are there */
    int64_t choices;    /* n × prompts */
    int64_t tries;      /* max(n, best_of) × prompts: what is generated and paid */
    int64_t inputs;     /* embeddings: vectors wanted */
    int64_t prompt_tokens;
    bool stream;
    bool include_usage;
    bool base64; /* embeddings: encoding_format */
    /* Of the API: */
    bool streams;
    bool calls_tools;
    bool free; /* on the bill, but for nothing */
    /* Of responses: */
    bool background;
    bool store;
    char previous[64]; /* previous_response_id, or empty */
    struct text input; /* as sent; it lives as long as the request */
    struct media media;
};

/* Finds the API a path names; Azure's /openai/deployments/<name>/… names the model, too.
 * False: the path is no API's. */
bool ask_find(struct ask *ask, struct text path);

/* Reads the body; what kind it is stands in the headers. False: the call is refused with 400;
 * *message says why and *param names the member (or is NULL). */
bool ask_read(struct ask *ask, const struct http_request *request, const char **message,
              const char **param);

/* The part of ask_read for images, sound and moderations: ask_media.c. */
bool ask_read_media(struct ask *ask, const struct http_request *request, const char **message,
                    const char **param);

#endif
