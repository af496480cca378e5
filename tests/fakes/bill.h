/*
 * The provider's own account of what it served: the judge of every budget test. It shares no code
 * and no price table with the product.
 *
 * A call's cost is one sum of pico-dollars, rounded up to a nano-dollar once. Calls answered with
 * a status of 400 or more cost nothing, nor do calls of models that are not in the table.
 */
#ifndef FAKES_BILL_H
#define FAKES_BILL_H

#include "bytes.h"

enum bill_state { BILL_OPEN, BILL_DONE, BILL_CLIENT_GONE };
enum { BILL_RING = 100000 };

/* One call. Its owner is the call itself; the bill keeps a copy in its ring. */
struct bill_entry {
    uint64_t number; /* counts from 1; also in the id */
    char id[40];     /* "chatcmpl-…": the answer's id and x-request-id */
    char model[128];
    char tier[32];      /* the service tier it is billed at; empty or unknown: the default one */
    char purser_id[64]; /* x-client-request-id as received, or empty */
    int64_t prompt_tokens;
    int64_t cached_tokens;     /* of prompt_tokens */
    int64_t written_tokens;    /* of prompt_tokens: written to the cache for minutes */
    int64_t written_1h_tokens; /* of prompt_tokens: and for an hour */
    int64_t other_tokens;      /* of prompt_tokens: of images, or of sound */
    int64_t searches;
    int64_t images;
    char size[16]; /* of the images, and */
    char quality[16];
    int64_t seconds;    /* of sound transcribed */
    int64_t characters; /* spoken */
    int64_t completion_tokens;
    int64_t cost_nano_usd;
    int64_t named_nano_usd; /* what it costs whatever it used, as told in usage.cost; -1: nothing */
    bool free;              /* it costs nothing, and no model has worked */
    int status;
    enum bill_state state;
};

struct bill;

struct bill *bill_open(void);
void bill_close(struct bill *bill);

/* Begins an entry: gives it number and id (`prefix` before it) and books its prompt. The caller
 * has set all but number, id, completion_tokens, cost_nano_usd and state. */
void bill_begin(struct bill *bill, struct bill_entry *entry, const char *prefix);
/* Books that the entry's call has generated so many completion tokens by now (never fewer). */
void bill_generated(struct bill *bill, struct bill_entry *entry, int64_t completion_tokens);
void bill_end(struct bill *bill, struct bill_entry *entry, enum bill_state state);
/* Forgets everything. Calls still open finish without a trace. */
void bill_reset(struct bill *bill);

/* The answer of GET /fake/bill, with or without the list of calls. */
void bill_print(const struct bill *bill, struct bytes *out, bool with_calls);
/* One call by its id. False: not known (any more). */
bool bill_print_call(const struct bill *bill, struct bytes *out, struct text id);
/* GET /v1/models: the models of the price table. */
void bill_print_models(struct bytes *out);

/* What its images, seconds, characters and other tokens cost, in pico-dollars: bill_media.c. */
__int128 bill_media_pico(const struct bill_entry *entry);

/* The longest answer the model gives, in tokens; 0: the model is not in the table. */
int64_t bill_max_output(const char *model);

#endif
