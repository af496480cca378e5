/*
 * What an upstream's answer says it used, in every dialect, normalised to disjoint parts.
 *
 * Usage is tri-state: absent, zero, value. Of what is part of a total a provider says so by the
 * names it uses (▲ inside the total, ✚ on top of it):
 *
 *   chat, completions  prompt_tokens: cached▲, cache writes▲, audio▲, images▲; completion_tokens:
 *                      reasoning▲, audio▲, images▲, rejected predictions▲ (billed as any output)
 *   Responses          input_tokens, output_tokens: the same parts▲ in their _details
 *   Messages           input_tokens, cache_creation_input_tokens✚ (told apart for 5 minutes and
 *                      an hour), cache_read_input_tokens✚; output_tokens
 *   Gemini             completion_tokens without thinking, total_tokens with it: the completion is
 *                      max(completion, total − prompt)
 *   DeepSeek           prompt_tokens = hit▲ + miss▲; a miss is no cache write
 *   Groq               x_groq.usage in streams
 *   images, sound      input_tokens, output_tokens and their details (also input_token_details); or
 *                      `seconds` alone, in whole or in decimals
 *   OpenRouter         as chat, and cost: what was billed
 *
 * Parts never exceed their total (they are clamped), so that no difference is negative.
 */
#ifndef PURSER_WIRE_USAGE_H
#define PURSER_WIRE_USAGE_H

#include "base/json.h"
#include "wire/endpoint.h"

#define USAGE_MOST      1000000000000 /* counts above are not believed: the usage is invalid */
#define USAGE_COST_SIZE 32

struct usage {
    int64_t prompt;         /* all input tokens */
    int64_t cached;         /* of prompt: read from the provider's cache */
    int64_t cached_audio;   /* of cached */
    int64_t cache_write;    /* of prompt: written to it */
    int64_t cache_write_5m; /* of cache_write: for minutes. The rest is for an hour, or nobody says
                               for how long */
    int64_t audio_input;    /* of prompt, disjoint from cached */
    int64_t image_input;    /* of prompt, disjoint from all these */
    int64_t completion;     /* all output tokens */
    int64_t reasoning;      /* of completion: hidden */
    int64_t audio_output;   /* of completion */
    int64_t image_output;   /* of completion */
    int64_t searches;       /* of the web, by the provider */
    int64_t seconds;        /* of sound; a begun one counts */
    /* The part is what was reported, if only 0. */
    bool reasoning_told, audio_input_told, image_input_told, image_output_told, seconds_told;
    /* `cost` in decimal dollars as it stands, zero-terminated; empty: none, or none that makes
     * sense. Whether it is believed is for others to say: anybody may write one. */
    char cost[USAGE_COST_SIZE];
    /* Beside it, what a provider bills to a key of one's own (is_byok); empty: nothing. */
    char key_cost[USAGE_COST_SIZE];
};

enum usage_result {
    USAGE_ABSENT, /* no usage member, or null */
    USAGE_FOUND,
    USAGE_INVALID, /* there, but negative, not whole, absurd or of a wrong type */
};

/* Reads the value of a `usage` member. `usage` is set on USAGE_FOUND only. */
enum usage_result usage_read(struct json_value value, struct usage *usage);

/* The same of one that may leave out the input (it was told before): that is 0 then. Without the
 * output it tells nothing: USAGE_ABSENT. */
enum usage_result usage_read_later(struct json_value value, struct usage *usage);

/* Adds what is told later of the same call, in counts that only grow: of each part of the input the
 * larger one counts, of the output the larger one with its parts. */
void usage_merge(struct usage *usage, const struct usage *later);

/* Adds the searches of the web among the items of a Responses answer's `output`: its usage does
 * not tell them. Opening a page that was found is none (OpenAI's guide "Web search"). */
void usage_count_searches(struct usage *usage, struct json_value output);

/* ---- whole answers ---- */

/* What a whole JSON answer says of its cost. */
struct answer_report {
    enum usage_result usage_result;
    struct usage usage;       /* on USAGE_FOUND */
    struct text service_tier; /* the inside of the string, at the top level or in the usage,
                                 pointing into the answer; TEXT_NONE if there is none */
    struct text id;           /* the inside of the top-level string, as service_tier */
    bool is_error;            /* a top-level `error` that is not null */
};

void answer_read(struct text whole, struct answer_report *answer);

/* The same for an answer of any length that passes by in pieces: finds the top-level `usage`,
 * `model`, `id` and `service_tier` in constant memory. Of members standing twice the first counts.
 * Values over 64 KiB are cut (such a usage is invalid). What is not a JSON object holds nothing.
 * Zero-initialised is ready. */
#define ANSWER_MOST_KEPT (64 * 1024)

struct answer_scan {
    struct buffer usage_raw; /* the member's value as it stands; empty if absent */
    struct buffer model_raw; /* with its quotes */
    struct buffer tier_raw;  /* the same */
    struct buffer id_raw;    /* the same */
    struct buffer name;      /* the top-level member being read, escapes not resolved */
    int depth;               /* open containers within the member's value */
    int state;
    int member;    /* which member's value is being read */
    bool escaped;  /* the byte before, in a string, was a backslash */
    bool is_error; /* a top-level `error` that is not null */
};

void answer_scan_feed(struct answer_scan *scan, struct text piece);
/* What was found, as answer_read says it; its text points into the scan. */
void answer_scan_read(const struct answer_scan *scan, struct answer_report *answer);
void answer_scan_close(struct answer_scan *scan);

/* ---- stream chunks ---- */

struct chunk {
    bool done;                /* the stream has come to its end: [DONE], response.completed */
    bool error;               /* carries a top-level `error`; says that it failed */
    bool visible;             /* brings text, a refusal, or a tool call a person could see */
    struct text id;           /* Responses: of the response, as in an answer */
    struct json_value item;   /* Responses: of the output, complete; `raw` is empty if none is */
    struct text service_tier; /* as in an answer; only looked for in chunks that are parsed */
    bool choices_empty;       /* has `choices: []`; always told in a chunk with usage or error */
    bool usage_first;         /* its usage is a beginning: another one, of the output, follows */
    bool usage_later;         /* its usage goes on with an earlier one (usage_merge) */
    bool usage_ends;          /* and no output comes behind it: it says why the output stopped */
    enum usage_result usage_result;
    struct usage usage;
};

/* Reads the data of one event of the endpoint's streams. `look_for_visible` false skips that search
 * (it needs a full parse of every chunk; once text was seen nobody asks any more). Reasoning is not
 * visible. Without a top-level usage Groq's `x_groq.usage` is taken. Data that is not JSON gives an
 * empty chunk: it is relayed as it is. Of Messages an event is a chunk: message_start has the first
 * usage, message_delta later ones, the last of which has a stop_reason, message_stop is the end. */
void chunk_read(enum endpoint endpoint, struct text data, bool look_for_visible,
                struct chunk *chunk);

/* ---- for the dialects: src/wire/chunk_<dialect>.c ---- */

/* Fills an empty chunk from an event's JSON. */
void chunk_read_responses(struct json_value event, bool look_for_visible, struct chunk *chunk);

#endif
