/*
 * The input tokens of a request, counted. The bound by the bytes of the body (wire/body.h) is free,
 * always holds and nearly always suffices; so requests are counted only where it does not (reserve)
 * or where nobody reported what a call used. `purser tokens --chat` counts with the same code.
 *
 * Chat, as OpenAI bills it, which is exact for text:
 *
 *     3, and for each message 3 + role + content (text parts added up), + name + 1 if it has one
 *
 * and, since it is not public how these are written for the model, estimated:
 *
 *     a message with tool calls: its JSON + 16
 *     tools, functions: their JSON + 16 for each + 8 for each property of their schemas + 32
 *     a JSON schema for the answer: its JSON + 64
 *     images: money/images.h
 *
 * JSON is counted without blanks between its members. Completions and embeddings: their texts, and
 * a token for each token id. `n` and `best_of` do not multiply input.
 *
 * The bound has half as much again of what is estimated (of tools until reported usage has
 * confirmed for the model that they are no more: gear/drift.h), and whatever else may reach the
 * model (members nobody knows, ids of tool calls) as text. Of a model without a public tokeniser it
 * is bytes: those of the texts in UTF-8, unescaped, and 16 for each message.
 *
 * 4 KB of English take 40 us, 100 KB 0.8 ms; other texts two or three times as long. Of a request's
 * texts ESTIMATE_MOST_BYTES are counted, the rest of them is bounded by its bytes: counting runs on
 * the loop of a worker, which is held up no longer than 20 ms by English and 0.3 s by whatever it
 * is.
 */
#ifndef PURSER_PIPELINE_ESTIMATE_H
#define PURSER_PIPELINE_ESTIMATE_H

#include "money/images.h"
#include "money/tokens.h"
#include "pipeline/call.h"

#define ESTIMATE_MOST_BYTES ((size_t)1 << 20)

/* Whose tokens are counted. */
struct estimate_model {
    bool exact; /* its tokeniser is public: `encoding`. Else counts of o200k_base stand in for it */
    enum tokens_encoding encoding;
    int64_t guess_permille; /* 0: as `encoding` counts. Else a text has about so many tokens: not
                               exact, and never for a hold (money/tokens_guess.h) */
    const struct image_family *images; /* NULL: what an image costs is not known */
};

struct estimate_ask {
    enum endpoint endpoint;
    struct text body;  /* JSON that json_parse accepted */
    struct text input; /* raw JSON in place of the member `input`; TEXT_NONE: as it is */
    struct estimate_model model;
    int64_t hidden;       /* Responses and Messages: what body_read says that the provider adds */
    bool tools_confirmed; /* by drift_tools_confirmed */
    bool likely;          /* count also where only bytes are a bound; else `tokens` is 0 there */
};

struct estimate {
    int64_t tokens; /* as they will probably be billed; without a public tokeniser, in o200k_base */
    int64_t bound;  /* never fewer are billed */
    bool plain;     /* nothing but texts, all of them counted */
    bool with_tools; /* the same but for functions that the model may call */
    bool exact;      /* `tokens` is what will be billed: plain, and by a public tokeniser */
    /* What stands in the request and is not counted ("audio", a file, an image of an unknown
     * family): there is no bound then. TEXT_NONE: nothing. Points into the body or is static. */
    struct text uncounted;
};

/* Whether the requests to an endpoint can be counted. */
bool estimate_knows(enum endpoint endpoint);

/* Of an endpoint that is known. */
void estimate_input(const struct estimate_ask *ask, struct estimate *estimate);

/* By the model's name alone, whoever serves it. */
struct estimate_model estimate_model_named(struct text name);
/* The same, guessing where the tokeniser is not public. */
struct estimate_model estimate_model_guessed(struct text name);

/* By what an upstream is sent; where that is a deployment's own name, by the record it is priced
 * as (NULL: none). Exact only at those that are known to be OpenAI's: anybody may call another
 * model "gpt-4o". gpt-oss is not: who serves it adds text of its own. */
struct estimate_model estimate_model_of(const struct upstream *upstream, struct text sent,
                                        const struct model *priced);

/* The free bound, of body_read's figures: BODY_UNBOUNDED with images of an unknown family. */
int64_t estimate_free_bound(const struct body *body, const struct estimate_model *model);

/* What a call's own body had as input, for one that ended without having been told its usage: exact
 * if it is all text, else its bound. False if it cannot be counted (its model's tokeniser is not
 * public), or not below what was held for its input: then that is all that is known. */
MUST_USE bool estimate_call(const struct call *call, int64_t *tokens);

/* Counts the input of a call that was told its usage, and notes how the two differ
 * (gear/drift.h). Not of large bodies, nor of what is not all text. */
void estimate_compare(const struct call *call);

/* The bound by what was learned of the model, if that is smaller: of an estimate made with
 * `likely`. Only of texts: what a provider adds for tools was not in what was learned from. */
int64_t estimate_learned(const struct estimate *estimate, int64_t permille);

#endif
