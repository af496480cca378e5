/*
 * Scopes: who or what a budget counts for; and the subject of a call: its id in each of them.
 */
#ifndef PURSER_MONEY_SCOPE_H
#define PURSER_MONEY_SCOPE_H

#include "base/text.h"

enum scope {
    SCOPE_GLOBAL,
    SCOPE_KEY,
    SCOPE_USER,
    SCOPE_TEAM,
    SCOPE_SESSION,
    SCOPE_TAG,
    SCOPE_MODEL,
    SCOPE_UPSTREAM,
    SCOPE_SERVICE,
    SCOPE_REQUEST, /* each request alone: a limit, never an account */
    SCOPE_COUNT
};

#define SUBJECT_MAX_TAGS 8
#define SUBJECT_MAX_TAG  64  /* bytes of a tag */
#define SUBJECT_MAX_ID   256 /* bytes of any other id */

/* Everything points into memory of the request or the configuration. An id with size 0 is absent
 * and no budget of that scope applies. `id[SCOPE_TAG]` is unused: tags are a list. A session
 * belongs to its key: its id is "<key>/<session>", so nobody exhausts somebody else's. */
struct subject {
    struct text id[SCOPE_COUNT]; /* [SCOPE_GLOBAL] is "all" */
    struct text tags[SUBJECT_MAX_TAGS];
    size_t tag_count;
};

const char *scope_name(enum scope scope); /* "global", "key", ... */
MUST_USE bool scope_parse(struct text name, enum scope *scope);

/* A subject's id as an operator writes it: a session's is cut at the first '/', which no key's name
 * contains. */
struct text scope_id_as_written(enum scope scope, struct text id);

#endif
