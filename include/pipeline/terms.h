/*
 * The terms: everything that a reload of the configuration may change. Never changed once they are
 * shared; a reload makes new ones, and the old ones go with their last user.
 *
 * A worker, each request and each call has a reference of its own, so that whatever began under
 * some terms ends under them: what belongs to them (keys, upstreams, models, prices and all their
 * texts) may be pointed to for so long.
 */
#ifndef PURSER_PIPELINE_TERMS_H
#define PURSER_PIPELINE_TERMS_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/table.h"
#include "budget/core.h"
#include "money/catalog.h"
#include "money/rate_limit.h"
#include "money/scope.h"
#include "pipeline/recall.h"
#include "upstream/upstream.h"

enum admission_mode { ADMISSION_KEYS, ADMISSION_OPEN, ADMISSION_PASSTHROUGH };
enum session_naming { SESSION_FREE, SESSION_MUST_BE_NAMED, SESSION_IS_THE_KEY };

/* What a caller may name itself. */
enum naming { NAMING_SESSION = 1, NAMING_LABEL = 2, NAMING_TAGS = 4, NAMING_USER = 8 };

/* A caller's key. */
struct key {
    struct text id;
    struct text user, team;
    struct text tags[SUBJECT_MAX_TAGS];
    size_t tag_count;
    const struct text *models; /* patterns; none: all */
    size_t model_count;
    unsigned may_set;
    enum session_naming session;
    bool may_book; /* costs from elsewhere */
};

struct admission_options {
    enum admission_mode mode;
    uint8_t admin_digest[32]; /* SHA-256 of the admin token */
    bool has_admin;
    bool foreign_objects;       /* keys mode: what nobody made here may be named */
    struct table keys;          /* SHA-256 of the key (32 bytes) → struct key */
    struct key guest;           /* in open mode everybody; in passthrough the mould of a key */
    const struct text *origins; /* web pages that may call */
    size_t origin_count;
};

struct terms {
    struct admission_options admission;
    const struct upstream *upstreams;
    size_t upstream_count;
    struct catalog *catalog; /* sealed */
    struct terms *lender;    /* whose the catalog is; NULL: their own */
    size_t body_most;        /* bytes of a request body */
    int64_t request_ms, wait_ms, drain_ms;
    int64_t poll_us;        /* before the first question how far a batch is */
    int64_t max_tool_calls; /* of the provider's own tools, where a request names none */
    bool learned_input;     /* may bound an input that has no public tokeniser */
    int64_t slice_tokens;   /* of rolling holds; 0: there are none */
    bool may_lower;         /* a maximum that the client named (admission.clamp is `always`) */
    bool early_error;       /* a stream that is stopped early ends with an error event */
    bool cost_comment;      /* streams end with their cost in a comment */
    enum clamp clamp;       /* what may be done to a maximum that is too large */
    int64_t min_output_tokens, default_max_output;
    const struct rate_limit *rate_limits; /* sealed */
    size_t rate_limit_count;
    bool rate_tokens; /* some of them limit tokens */
    bool rate_routed; /* some hang on where a call goes */
    struct recall_rules recall;
    struct text
        routes;        /* a digest of where calls go: with other ones cached answers do not count */
    int budget_status; /* of an exhausted budget */
    bool hide_amounts, show_shared, log_access;

    struct arena arena; /* of what is made for them */
    void *basis;        /* what their texts may point into; may be NULL */
    void (*basis_free)(void *basis);

    /* Counted by all workers: on a cache line of its own. */
    _Alignas(64) atomic_size_t users;
};

/* Empty terms with one user: who makes them fills them in, then shares them. They own what is put
 * into `catalog`, `arena`, `basis` and the table of keys. */
struct terms *terms_new(void);

/* One more user, one less; any thread. The last frees them. NULL-safe: terms_drop. */
struct terms *terms_take(struct terms *terms);
void terms_drop(struct terms *terms);

#endif
