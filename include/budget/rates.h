/*
 * Rate limits: requests and tokens of a minute, and requests at once. Sans I/O: time comes in as an
 * argument. Not thread-safe: rates_gate.h puts the lock around it.
 *
 * A minute slides. It is made of sub-windows of five seconds, numbered since the clock's zero; what
 * is taken counts in the sub-window in which it was taken, and at any moment the current one and
 * the twelve before it must stay within the limit:
 *
 *     used(s - 12) + ... + used(s) ≤ limit          s: the sub-window of now
 *
 * Any span of 60 seconds lies within 13 sub-windows, so none sees more than the limit; a steady
 * stream gets 60/65 of it, 92 %. Nobody waits here: who does not fit is told when to come again.
 *
 * Tokens are taken before a call by its bound and corrected, in the sub-window in which they were
 * taken, when its use is known. A bound above a whole minute's limit takes that limit: it passes
 * only alone, and what it used beyond it (the caller lowers maxima so that there is nothing) counts
 * once it is known.
 *
 * An account is one (limit's scope and match, id). It appears with its first request, with its
 * limits, and goes once a minute has passed without one. At the bound new ids are refused, never
 * let pass uncounted. Definitions come with each ask and are not kept: after a reload an account
 * goes on with what it counted, under the new limits.
 *
 * Shared limits (rates_lease): instances lease shares of each sub-window from a store
 * (rates_store.h), which keeps Σ shares of all of them over 13 sub-windows ≤ limit (for parallel: Σ
 * shares ≤ limit). Who finds no share is told to wait while the store is asked. All instances must
 * number sub-windows alike: their time is steady time plus an offset, so that it is the store's.
 */
#ifndef PURSER_BUDGET_RATES_H
#define PURSER_BUDGET_RATES_H

#include "budget/rates_store.h"

struct rates_core;

/* `most` accounts at a time. */
struct rates_core *rates_open(size_t most);
void rates_close(struct rates_core *core); /* NULL-safe; no pass is open */

/* Sets number and version: two limits have one number if they have the same scope and match, so
 * that they share accounts; and one version if they limit alike. */
void rates_seal(struct rate_limit *limit);

enum rates_verdict {
    RATES_PASSED,
    RATES_LIMITED, /* come again after wait_us */
    RATES_CROWDED, /* a new id at the bound */
    RATES_WAIT, /* (patient) the store will be asked for a share: ask again when it has answered */
};

struct rates_ask {
    const struct rate_limit *limits; /* sealed; no two of one number */
    size_t limit_count;
    const struct subject *subject;
    unsigned scopes; /* bits (1 << enum scope): only limits of these are looked at. With a pass all
                        that it has entered are among them */
    int64_t tokens;  /* 0: none. A pass takes them once */
    int64_t now_us;  /* steady; if it goes back, it is as if it had not moved */
    bool patient;    /* may be told to wait */
};

/* How it stands with the limit that has the least left: of all instances, as far as is known. */
struct rates_level {
    bool known; /* false: nothing limits this */
    int64_t limit, remaining;
    int64_t reset_us; /* until nothing of it is used any more, if nothing else is taken */
};

struct rates_answer {
    enum rates_verdict verdict;
    /* LIMITED: by the limit that takes the longest. */
    int64_t wait_us; /* from ask.now_us until it may pass, if nobody else comes; parallel: 1 s */
    enum rated rated;
    enum scope scope;
    struct text id; /* the subject's */
    int64_t limit, used, requested;
    /* PASSED and LIMITED: of all limits that the pass has entered or would. */
    struct rates_level level[RATED_BY_MINUTE];
};

/* What a request has taken. */
struct rates_pass;

/* Enters the limits of `scopes` that apply to the subject and that `*pass` has not entered yet: one
 * request on each, one running; and takes `tokens` on all that the pass has. All or nothing.
 * `*pass` is NULL at first and stays so as long as no limit applies or none was PASSED. */
void rates_enter(struct rates_core *core, struct rates_pass **pass, const struct rates_ask *ask,
                 struct rates_answer *answer);

enum rates_end {
    RATES_KNOWN,   /* so many tokens were used */
    RATES_UNKNOWN, /* what was taken stays taken */
    RATES_UNDONE,  /* it was refused: neither its request nor its tokens count */
};

/* The request ends: it runs no more. Frees the pass. NULL-safe. */
void rates_leave(struct rates_core *core, struct rates_pass *pass, enum rates_end end,
                 int64_t tokens);

size_t rates_accounts(const struct rates_core *core);
size_t rates_passes(const struct rates_core *core); /* open ones */

/* ---- shares; for their lessee (rates_lessee.h) ---- */

/* Limits are shared from now on; nobody has entered yet. `offset_us`: from steady time to the
 * store's, as far as is known. */
void rates_lease(struct rates_core *core, int64_t offset_us);

/* At steady time `steady_us` the store's is between `least_us` and `most_us`. Time is put right; if
 * it was wrong by more than a second it jumps, and what was used in the last minute counts as if it
 * had been used now. True: it jumped, and shares are void. */
MUST_USE bool rates_set_clock(struct rates_core *core, int64_t steady_us, int64_t least_us,
                              int64_t most_us);

/* The store does not answer: until it does, an instance has what it leased and, of what is left as
 * far as it knows, its part as one of so many; but at least one request in a minute, or one at
 * once. 0: the store answers. */
void rates_alone(struct rates_core *core, int64_t instances);

/* A round begins: each account that has anything to tell is due once. */
void rates_begin_round(struct rates_core *core);

/* Whether somebody waits, or headroom runs short. */
bool rates_is_urgent(const struct rates_core *core);

/* Whether any account is due in this round, for that or because it was not yet. */
bool rates_is_due(const struct rates_core *core);

/* Whether any account will be due in the next round. */
bool rates_has_listed(const struct rates_core *core);

/* What is to be said about the accounts that are due: at most `most` rows (RATES_ROWS_LEAST or
 * more). What is idle is given back by them. Then rates_take_shares or rates_lose_shares. */
size_t rates_ask_shares(struct rates_core *core, int64_t steady_us, struct rates_row *rows,
                        size_t most);
void rates_take_shares(struct rates_core *core, const struct rates_row *rows,
                       const struct rates_row_answer *answers, size_t count);
/* Nobody knows what became of them. */
void rates_lose_shares(struct rates_core *core, const struct rates_row *rows, size_t count);

/* The store may have forgotten: all that counts will be said anew. */
void rates_restate(struct rates_core *core);

/* The last words: all that is not used is given back. */
void rates_give_back(struct rates_core *core);

#endif
