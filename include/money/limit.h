/*
 * A budget's definition, as the operator wrote it: pure data, owned by the configuration, shared
 * read-only by everything that runs.
 */
#ifndef PURSER_MONEY_LIMIT_H
#define PURSER_MONEY_LIMIT_H

#include "money/money.h"
#include "money/scope.h"
#include "money/window.h"

enum unit { UNIT_USD, UNIT_TOKENS, UNIT_REQUESTS, UNIT_COUNT };

const char *unit_name(enum unit unit); /* "usd", "tokens", "requests" */

/* Nano-dollars, tokens or requests; LIMIT_NONE: that unit is not limited. */
#define LIMIT_NONE (-1)

struct budget_match {
    enum scope scope;
    struct text pattern; /* '*' stands for any run; for tags: any tag that matches; for sessions:
                            of the session without its key */
};

struct budget_override {
    struct text id;            /* of the budget's scope (for sessions: without the key) */
    int64_t limit[UNIT_COUNT]; /* LIMIT_NONE: the budget's own, so that none is lifted unnamed */
};

struct budget {
    struct text name; /* unique */
    enum scope scope;
    struct budget_match *match; /* all must hold for the budget to apply */
    size_t match_count;
    enum window_kind window;   /* ignored for SCOPE_REQUEST */
    int64_t rolling_s;         /* WINDOW_ROLLING: its length */
    struct text timezone;      /* its name, as written */
    const struct zone *zone;   /* not NULL */
    int64_t limit[UNIT_COUNT]; /* as configured, before the buffer */
    int buffer_bp;             /* hundredths of a percent taken off each limit that is enforced */
    struct budget_override *overrides;
    size_t override_count;
    int64_t away_open; /* nano-dollars that each instance may spend on an account of it beyond what
                          it was granted, while the store does not answer; 0: none */
    int64_t idle_s;    /* session accounts are forgotten after so long without use; 0: never */
};

/* The configured limit for one id (overrides looked up), and the enforced one: floor(limit ×
 * (10000 − buffer_bp) / 10000). LIMIT_NONE stays. `id` is the subject's, so a session's is
 * "<key>/<session>": it is cut at the first '/', which no key's name contains. */
int64_t budget_limit_configured(const struct budget *budget, enum unit unit, struct text id);
int64_t budget_limit_enforced(const struct budget *budget, enum unit unit, struct text id);

/* The window of the budget that holds the moment; of a rolling one the sub-bucket. */
struct window budget_window_at(const struct budget *budget, int64_t now_s);

/* True if the budget's `match` holds for the subject (its scope's own id must be present too; a
 * request is itself its id). */
bool budget_applies(const struct budget *budget, const struct subject *subject);

#endif
