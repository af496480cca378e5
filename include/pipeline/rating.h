/*
 * Rate limits of a request (budget/rates.h): entered in admit for what is known of its caller, in
 * reserve for its model, its upstream and its tokens; left when it ends, or its call.
 *
 * A request counts from admit on, whatever becomes of it, unless a rate limit itself refuses it.
 * Answers from the cache, batches and what no provider bills take no tokens.
 *
 * Tokens are taken by the bound of the request. So that it cannot use more than a minute has, its
 * maximum is lowered to fit the least of its limits, where it named none to a quarter of what that
 * has beyond its input, as far as admission.clamp allows. An input that is above the limit for
 * certain (its tokeniser is public) is refused for good. What is then still above it passes only in
 * an empty minute, which it takes whole.
 */
#ifndef PURSER_PIPELINE_RATING_H
#define PURSER_PIPELINE_RATING_H

#include "budget/rates_gate.h"
#include "pipeline/request.h"

/* Response headers that tell a client how it stands, and their bytes with REPLY_HEAD_LINE each. */
#define RATING_HEADERS 6
#define RATING_HEAD    800

struct rating {
    struct rates_pass *pass; /* NULL: it has left, or its call has it */
    struct rates_level level[RATED_BY_MINUTE];
    struct rates_waiter waiter; /* while the store is asked for a share */
    bool waits, hurried;        /* hurried: it has waited for long enough */
    bool told;                  /* the reply has the headers */
    bool lowered;               /* its maximum was, by a limit of tokens */
};

enum rating_verdict {
    RATING_PASSED,
    RATING_REFUSED,
    RATING_WAITS, /* for a share, by a letter (RATES_LETTER) or the request's timer: it asks again
                   */
};

/* In admit: enters the limits of the caller. */
enum rating_verdict rating_admit(struct request *request);

/* In reserve, before the gate is asked: enters the other limits and takes what the ask is for; may
 * lower its wanted_output and count its input. */
enum rating_verdict rating_reserve(struct request *request);

/* The letter or the timer came; before either is called again. */
void rating_awake(struct request *request);
/* Whether it waits; and it does not any more. */
bool rating_waits(const struct request *request);
void rating_stop_waiting(struct request *request);

/* True if what the gate granted must be sent upstream, for it is less than was asked for. */
bool rating_lowered(const struct request *request);

/* The request is over, and had no call. */
void rating_end(struct request *request);
/* The call has the pass from now on; and is over. */
struct rates_pass *rating_hand_over(struct request *request);
void rating_end_call(struct call *call);

/* How it stands, once, into the reply, if any limit applies: in OpenAI's headers (x-ratelimit-...),
 * or Anthropic's. */
void rating_put_headers(struct request *request);
/* Whether these stand in place of an upstream's header. */
bool rating_replaces(const struct request *request, struct text header);

#endif
