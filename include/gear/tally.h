/*
 * What a worker counts, for GET /metrics: how many requests, refusals and calls, and what models
 * were booked.
 *
 * Each worker has its own and is the only one that writes it, so counting is a plain load and
 * store; whoever asks adds up those of all workers, which are never older than a moment. Counts
 * begin at 0 with the process and never fall. The books are the truth; this is for watching.
 *
 * A model is counted under its own name as long as there are fewer than TALLY_MODELS_MOST on the
 * worker, all others together as "(other)": callers could otherwise invent names without end.
 */
#ifndef PURSER_GEAR_TALLY_H
#define PURSER_GEAR_TALLY_H

#include <stdatomic.h>

#include "base/text.h"
#include "wire/endpoint.h"

#define TALLY_MODELS_MOST 200
#define TALLY_OTHER       TEXT("(other)")
#define TALLY_REFUSALS    64 /* room for enum refusal */

#define tally_count atomic_uint_fast64_t

enum tally_status { TALLY_2XX, TALLY_3XX, TALLY_4XX, TALLY_5XX, TALLY_STATUS_COUNT };

enum tally_token {
    TALLY_PROMPT, /* those that were cached included */
    TALLY_CACHED,
    TALLY_COMPLETION, /* hidden ones included */
    TALLY_REASONING,
    TALLY_TOKEN_COUNT
};

struct tally_model {
    struct text name; /* set before `used` is */
    atomic_bool used;
    tally_count calls, cost_nano, tokens[TALLY_TOKEN_COUNT];
};

struct tally {
    struct tally *next; /* of the house's list */
    tally_count calls[ENDPOINT_COUNT][TALLY_STATUS_COUNT];
    tally_count refusals[TALLY_REFUSALS];
    size_t model_count;
    struct tally_model other;
    struct tally_model models[2 * TALLY_MODELS_MOST]; /* by hash, open addressing */
};

/* The list of all workers' tallies. Zero-initialised is empty. */
struct tallies {
    _Atomic(struct tally *) first;
};

/* Adds a worker's (zero-initialised) to the list, where it stays as long as anybody may read. */
void tally_register(struct tallies *tallies, struct tally *tally);
/* Frees the names; nobody reads any more. */
void tally_close(struct tally *tally);

/* ---- the worker's ---- */

struct tally_call {
    enum endpoint endpoint;
    int status; /* that the client got */
    struct text model;
    int64_t cost_nano, tokens[TALLY_TOKEN_COUNT];
};

void tally_call(struct tally *tally, const struct tally_call *call);
void tally_refusal(struct tally *tally, size_t refusal);

/* ---- reading, from any thread ---- */

uint64_t tallies_calls(const struct tallies *tallies, enum endpoint endpoint,
                       enum tally_status status);
uint64_t tallies_refusals(const struct tallies *tallies, size_t refusal);

struct tally_sum {
    struct text name; /* lives as long as the tallies */
    uint64_t calls, cost_nano, tokens[TALLY_TOKEN_COUNT];
};

/* The models, those of all workers under one name added up; "(other)" last, if there are any.
 * Returns how many; at most TALLY_MODELS_MOST of different names are told, the rest is in
 * "(other)".
 */
size_t tallies_models(const struct tallies *tallies, struct tally_sum sums[TALLY_MODELS_MOST + 1]);

#endif
