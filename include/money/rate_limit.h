/*
 * A rate limit's definition, as the operator wrote it: how much of a minute each id of a scope may
 * use, and how many requests at once. Pure data, owned by the configuration, shared read-only.
 */
#ifndef PURSER_MONEY_RATE_LIMIT_H
#define PURSER_MONEY_RATE_LIMIT_H

#include "money/limit.h"

/* What is limited. The first two within a minute, the last at any moment. */
enum rated { RATED_REQUESTS, RATED_TOKENS, RATED_PARALLEL, RATED_COUNT };
#define RATED_BY_MINUTE (RATED_TOKENS + 1)

const char *rated_name(enum rated rated);  /* "requests_per_minute": the option */
const char *rated_words(enum rated rated); /* "requests per minute" */

struct rate_override {
    struct text id;             /* of the limit's scope (for sessions: without the key) */
    int64_t limit[RATED_COUNT]; /* LIMIT_NONE: the limit's own */
};

struct rate_limit {
    struct budget who;          /* of this its scope and match: to whom it applies. First member */
    uint64_t number, version;   /* as rates_seal (budget/rates.h) sets them, before it is used */
    int64_t limit[RATED_COUNT]; /* 1 or more; LIMIT_NONE: not limited */
    struct rate_override *overrides;
    size_t override_count;
};

/* What holds for one id of its scope; `id` is the subject's, so a session's is "<key>/<session>".
 * LIMIT_NONE: nothing. */
int64_t rate_limit_of(const struct rate_limit *limit, enum rated rated, struct text id);

/* Which ids of the subject it counts, each once: one, or of scope tag those of its tags that match.
 * Returns how many; 0: it does not apply. */
size_t rate_limit_ids(const struct rate_limit *limit, const struct subject *subject,
                      struct text ids[SUBJECT_MAX_TAGS]);

/* The lowest limit that applies to a subject; LIMIT_NONE: there is none. */
int64_t rate_limits_least(const struct rate_limit *limits, size_t count, enum rated rated,
                          const struct subject *subject);

#endif
