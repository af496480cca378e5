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
 * Shared limits (a lessor hands out shares): an instance may use of each sub-window only its share.
 * Alone its share is the limit. With rates_lease every sub-window begins with a share of 0, as does
 * `parallel`, until rates_grant raises it; rates_trim gives back what is not used. The lessor keeps
 * Σ shares of all instances over 13 sub-windows ≤ limit (for parallel: Σ shares ≤ limit). All
 * instances must then number sub-windows alike: their `now_us` is steady time plus an offset that
 * they agreed on.
 */
#ifndef PURSER_BUDGET_RATES_H
#define PURSER_BUDGET_RATES_H

#include "money/rate_limit.h"

#define RATES_SUBWINDOW_US (5 * INT64_C(1000000))
#define RATES_SUBWINDOWS   12 /* of a minute; one more counts */

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
};

struct rates_ask {
    const struct rate_limit *limits; /* sealed; no two of one number */
    size_t limit_count;
    const struct subject *subject;
    unsigned scopes; /* bits (1 << enum scope): only limits of these are looked at. With a pass all
                        that it has entered are among them */
    int64_t tokens;  /* 0: none. A pass takes them once */
    int64_t now_us;  /* steady; if it goes back, it is as if it had not moved */
};

/* How it stands with the limit that has the least left. */
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

/* ---- for a lessor ---- */

/* Switches to shares: nothing more may be used than has been, until there are grants. */
void rates_lease(struct rates_core *core);

/* One limit of one account: all sub-windows have counters of their own. */
struct rates_counter {
    uint64_t account; /* first 64 bits of SHA-256 over scope, match and id */
    enum rated rated;
    int64_t subwindow; /* parallel: 0 */
    int64_t limit, used, share;
    int64_t wanted; /* what was refused for want of a share, in the newest sub-window */
};

#define RATES_COUNTERS_MOST (RATED_BY_MINUTE * (RATES_SUBWINDOWS + 1) + 1) /* of an account */

struct rates_place {
    size_t bucket, account;
};

/* The counters of the next account: those that are limited, of the newest sub-window and of
 * parallel; and of earlier sub-windows that still count those with a share that is not used up.
 * Begins with a zeroed place. Returns how many, 0 at the end. Accounts that come or go meanwhile
 * may be left out or told twice. */
size_t rates_list(const struct rates_core *core, struct rates_place *place,
                  struct rates_counter counters[RATES_COUNTERS_MOST]);

/* Raises a share by `more`; the current sub-window, an earlier one that still counts, or the next.
 * False: there is no such account or sub-window. */
MUST_USE bool rates_grant(struct rates_core *core, const struct rates_counter *of, int64_t more);

/* Lowers a share to `least`, but not below what is used: what it is now. 0 if there is no such
 * account or sub-window. */
int64_t rates_trim(struct rates_core *core, const struct rates_counter *of, int64_t least);

#endif
