/*
 * The endpoints whose requests run through the chain, and what is the same for all requests to one.
 */
#ifndef PURSER_WIRE_ENDPOINT_H
#define PURSER_WIRE_ENDPOINT_H

#include "base/text.h"

enum endpoint {
    ENDPOINT_CHAT,
    ENDPOINT_COMPLETIONS,
    ENDPOINT_EMBEDDINGS,
    ENDPOINT_MESSAGES,        /* Anthropic's */
    ENDPOINT_MESSAGES_TOKENS, /* counts what a request to it would have as input */
    ENDPOINT_RESPONSES,
    ENDPOINT_RESPONSES_TOKENS, /* counts what a request to it would have as input */
    ENDPOINT_BATCHES,
    ENDPOINT_MODERATIONS,
    ENDPOINT_IMAGES, /* made from a prompt */
    ENDPOINT_IMAGE_EDITS,
    ENDPOINT_SPEECH,
    ENDPOINT_TRANSCRIPTIONS,
    ENDPOINT_TRANSLATIONS,
    ENDPOINT_COUNT
};

/* Whose API it is: in what shape requests, answers and errors are. */
enum dialect { DIALECT_OPENAI, DIALECT_ANTHROPIC, DIALECT_COUNT };

#define DIALECT_BIT(dialect) (1u << (dialect))

struct endpoint_facts {
    const char *name; /* in the books: "chat.completions" */
    struct text path; /* at the upstream, behind its base URL: "/chat/completions" */
    enum dialect dialect;
    struct text input;     /* the member of a request that has its input; TEXT_NONE: none alone */
    struct text max_field; /* its maximum of output; TEXT_NONE: as the upstream is configured */
    bool output_free;      /* its answers have no output tokens */
    bool free;       /* nothing is billed for it: it is a request, and costs no USD and no tokens */
    bool media;      /* images or sound: billed by the piece or by tokens (wire/body.h) */
    bool form;       /* its requests are forms (wire/form.h), not JSON */
    bool any_answer; /* its answers may be something else than JSON: sound, subtitles */
    bool usage_asked; /* its streams tell usage only if stream_options.include_usage asks for it */
    bool by_file;     /* its body names a file, whose lines tell model and bounds */
    bool batched;     /* it may be the url of a batch's lines */
    bool stored;      /* its answers stay at the provider, by their ids: they belong to the key that
                         asked (pipeline/objects.h), which alone may name them later */
    bool ends_told;   /* its streams have a last event that says so: without it they were cut */
    bool kept;        /* its answers may be cached and shared (wire/reshape.h knows their shapes) */
};

const struct endpoint_facts *endpoint_facts(enum endpoint endpoint);

#endif
