/*
 * Request bodies of the endpoints: scanned once for the members that matter for
 * cost, route and scopes; what must change is spliced into the client's own bytes.
 *
 * The byte bound. Every encoding in use is byte-level BPE: a token stands for at least one byte of
 * UTF-8, and JSON text is never shorter than the text it encodes. So
 *
 *     input tokens ≤ bytes of the body
 *                    + 3                      the answer's priming
 *                    + 32 + 16 × functions + 8 × properties      if there are tools
 *                    + 64                     if there is a response_format
 *                    + bytes of what the provider encrypted, once more     (Responses)
 *
 * (each message's own 4 tokens are less than the 20 bytes its JSON costs; token-id arrays have at
 * least two bytes per token). `properties` are the members of all objects of that name within the
 * tools. Images are counted apart: what one costs hangs on the model (money/images.h), and their
 * data URLs are no text, so those bytes are left out of the bound. Audio and files are not bounded
 * by their bytes, nor is what the provider adds from elsewhere (cached content, a chat template):
 * with one of them input_bound is BODY_UNBOUNDED and the model's max_input_tokens has to do.
 *
 * Messages. Claude's tokeniser is not public, but no token of it stands for less than a byte. The
 * framing of a message is less than what its JSON costs. With tools a system prompt is added:
 *
 *     input tokens ≤ bytes of the body + 3
 *                    + 1024 + 16 × tools + 8 × properties         if there are tools
 *                    + 1280 × tools whose definition is Anthropic's own (bash, text editor,
 *                      computer, memory)
 *                    + 1024                                       if the answer has a format
 *                    + 1024                                       if there are results of searches,
 *                      which may be cited
 *
 * (Anthropic's "Tool use: pricing" names up to 804 tokens for the prompt, depending on the model,
 * and up to 735 for a definition, beside 499 of a prompt of its own.) Images are counted
 * apart, as above; documents are not bounded by their bytes. Thinking of earlier turns is: its
 * signature holds the whole of it.
 */
#ifndef PURSER_WIRE_BODY_H
#define PURSER_WIRE_BODY_H

#include "base/arena.h"
#include "base/fault.h"
#include "base/json.h"
#include "wire/endpoint.h"

#define BODY_UNBOUNDED  INT64_MAX
#define BODY_ABSENT     (-1)
#define BODY_MOST       1000000000 /* the largest count a request may name */
#define BODY_MAX_TAGS   8
#define BODY_MOST_FILES 64
#define BODY_MOST_ITEMS 1024

/* Of images and sound: what their price hangs on. */
struct body_media {
    struct text size, quality; /* unescaped; TEXT_NONE if absent */
    int64_t images;            /* to be made */
    int64_t files;             /* that come with a form: images to be edited, or sound */
    int64_t characters;        /* of the text to be spoken */
    int64_t seconds;           /* of the sound that comes in, at most (wire/sound.h) */
    bool seconds_exact;        /* exactly so long, a begun second counts */
};

/* A request's body, read. Texts point into the raw bytes or the arena given to body_read. */
struct body {
    enum endpoint endpoint;
    struct text raw;
    struct text model; /* unescaped, not empty */
    bool stream;
    bool usage_asked;      /* the client's own stream_options.include_usage is true */
    int64_t max_output;    /* the larger of the maximum fields; BODY_ABSENT if none (or all null) */
    int64_t prompts;       /* 1, or the length of a prompt or input array of texts or token lists */
    int64_t choices;       /* prompts × max(n, best_of, 1) */
    bool unseen;           /* some of them are generated and not shown (best_of above n) */
    int64_t input_bound;   /* tokens, but those of images: see above */
    int64_t images;        /* parts of the messages that are images */
    int64_t image_bytes;   /* of the body: their data URLs */
    int64_t hidden_tokens; /* of input_bound: what the provider adds */
    int64_t extra_output;  /* the bytes of `prediction` × choices: its rejected tokens are billed
                              as output */
    bool thinks;           /* Messages: it asks for thinking, which is hidden or told in summary */
    int64_t least_output;  /* with a smaller maximum the provider would refuse it; 0: any will do */
    bool audio;            /* audio in or out */
    struct text service_tier;    /* unescaped; TEXT_NONE if absent */
    struct text temperature_raw; /* a number as it stands; TEXT_NONE if absent or null */
    /* `store` or `background` true, a `previous_response_id`, a `conversation`: the answer is not
     * all that the call leaves behind, or hangs on what was before; as it does where files are
     * named. At Responses also where `store` is not false. */
    bool kept_by_provider;
    bool background;               /* Responses: the answer comes before the work is done */
    struct text previous_response; /* `previous_response_id`; TEXT_NONE if absent */
    bool conversation;             /* a `conversation` that the provider keeps */
    bool not_stored;               /* Responses: `store` is false */
    /* Tools with which the provider searches the web while it answers: each search has a fee, and
     * makes the model read its input once more. */
    bool searches;
    int64_t max_tool_calls; /* BODY_ABSENT if absent; Messages: the sum of `max_uses` */
    /* `user`, `metadata.session_id`, `metadata.label`; TEXT_NONE if absent */
    struct text user, session, label;
    struct text prompt_cache_key;
    struct text tags[BODY_MAX_TAGS]; /* metadata.tags: an array, or one text with commas */
    size_t tag_count;
    /* A member that adds cost without a bound purser could know (hosted tools, plug-ins, lists
     * of models); TEXT_NONE if none. To be refused under a USD budget, with
     * `unbounded_why` as a sentence. */
    struct text unbounded_param;
    const char *unbounded_why;
    /* Files that it names by their ids: every member `file_id` (in any letter case) that is a text,
     * and every text of a list `file_ids` (those of a tool that runs code), at any depth. Only the
     * first BODY_MOST_FILES are told. Its answer then hangs on who asks. */
    struct text *files;
    size_t file_count;
    /* Responses: items of its input by their ids, where the provider looks up what they stand for:
     * references, reasoning whose text is not here, calls of the provider's own tools, items of
     * kinds that purser does not know. Only the first BODY_MOST_ITEMS are told. */
    struct text *items;
    size_t item_count;
    struct text input_file, url; /* batches: `input_file_id` and `endpoint`, not empty */
    struct body_media media;
    bool form; /* `raw` is a form (wire/form.h), and so is what the raw parts below hold */
    struct text input_raw; /* embeddings: the value of `input` as it stands */
    /* For body_forward. */
    struct text model_raw, stream_options_raw, max_tokens_raw, max_completion_tokens_raw;
    struct text thinking_raw; /* the number in thinking.budget_tokens; TEXT_NONE: none */
    struct text max_output_tokens_raw, max_tool_calls_raw;
};

/* Why a body is refused: OpenAI's `code`, `param` and sentence. */
struct body_error {
    int status;        /* 400 */
    const char *code;  /* "invalid_json", "duplicate_member", "invalid_type", "invalid_value",
                          "missing_member", "misspelt_member" */
    struct text param; /* the member; TEXT_NONE if none is to blame */
    char message[256];
};

/* Reads and checks a body. Refused: what is not a JSON object; invalid UTF-8; too deep nesting; a
 * member that matters for cost or route standing twice (after unescaping, also inside
 * stream_options) or written in other letter case (parsers that ignore case would obey it); wrong
 * types; counts that are negative, fractional or over BODY_MOST; n or best_of over 128; a missing
 * model, messages, prompt or input. `null` for an optional member counts as absent. */
MUST_USE bool body_read(enum endpoint endpoint, struct text raw, struct arena *arena,
                        struct body *body, struct body_error *error);

/* Whether an item of a response's output stands for more than its bytes when it is sent again. */
bool body_item_is_far(struct json_value item);

/* What must change on the way to the upstream. */
struct body_changes {
    struct text model;      /* the name to send; TEXT_NONE: as it is */
    int64_t max_output;     /* every maximum field is lowered to this, and thinking.budget_tokens
                               below it; BODY_ABSENT: as it is */
    struct text max_field;  /* the field to add when the client named none; if it is max_tokens, a
                               max_completion_tokens that stands alone is renamed to it */
    int64_t max_tool_calls; /* to be added where the client named none; 0: as it is */
    bool include_usage;     /* ask for the usage chunk (a stream whose client did not) */
    struct text input;      /* raw JSON in place of the value of `input`; TEXT_NONE: as it is */
};

#define BODY_MAX_PIECES 20

/* The body to send, as pieces in order (most of them the client's own bytes, nothing is copied).
 * With no change that is one piece: the raw body. Returns the number of pieces. */
size_t body_forward(const struct body *body, const struct body_changes *changes,
                    struct arena *arena, struct text pieces[BODY_MAX_PIECES]);

#endif
