/*
 * The jobs of a batch: the lines of its input file (JSONL), each a request of its own:
 *
 *     {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {...}}
 *
 * Their sums bound what the batch may cost. A file has one model and one url, as OpenAI itself
 * demands. Lines are split at \n; no other character that some reader takes for a line's end can
 * stand in a line of valid JSON so that both readings are valid.
 */
#ifndef PURSER_WIRE_JOBS_H
#define PURSER_WIRE_JOBS_H

#include "wire/body.h"

#define JOBS_MOST        1000000 /* lines of a file */
#define JOBS_MOST_TOKENS INT64_C(1000000000000)
#define JOBS_WHY_SIZE    320

/* Zero-initialised is a file of no lines. */
struct jobs {
    int64_t lines;          /* blank ones do not count */
    char model[256];        /* of all, unescaped */
    enum endpoint endpoint; /* of all */
    int64_t input_tokens;   /* at most, of all whose bytes bound it */
    int64_t largest_input;  /* of these, the largest of one */
    int64_t far_inputs;     /* prompts of lines that have more in them than text */
    int64_t output_tokens;  /* at most, of all that name a maximum; and of all: predictions */
    int64_t open_choices;   /* choices of lines that name none */
    bool audio;             /* in some line */
    int64_t unbounded_line; /* the first that adds cost without a bound; 0: none */
    int64_t faulty_line; /* the first that is not understood; 0: none. Nothing behind it is read */
    char why[JOBS_WHY_SIZE]; /* of the faulty line, else of the unbounded one */
};

/* Reads whole lines from the file's bytes, from *at on, until `most` bytes are passed or the end is
 * reached; moves *at. True: there is more. */
bool jobs_read(struct jobs *jobs, struct text file, size_t *at, size_t most);

/* Whose batches are understood: "/v1/chat/completions" ... False: none, or it has no batches. */
MUST_USE bool jobs_endpoint(struct text url, enum endpoint *endpoint);

/* The same as one line of text, to be kept; and back. False: it is no such text. */
void jobs_put(struct buffer *out, const struct jobs *jobs);
MUST_USE bool jobs_parse(struct text line, struct jobs *jobs);

#endif
