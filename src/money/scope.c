/*
 * The names of the scopes.
 */
#include "money/scope.h"

static const char *const NAMES[SCOPE_COUNT] = {
    [SCOPE_GLOBAL] = "global",   [SCOPE_KEY] = "key",           [SCOPE_USER] = "user",
    [SCOPE_TEAM] = "team",       [SCOPE_SESSION] = "session",   [SCOPE_TAG] = "tag",
    [SCOPE_MODEL] = "model",     [SCOPE_UPSTREAM] = "upstream", [SCOPE_SERVICE] = "service",
    [SCOPE_REQUEST] = "request",
};

const char *scope_name(enum scope scope)
{
    ASSERT(scope < SCOPE_COUNT);
    return NAMES[scope];
}

bool scope_parse(struct text name, enum scope *scope)
{
    for (unsigned at = 0; at < SCOPE_COUNT; at++) {
        if (text_equal(name, text_of(NAMES[at]))) {
            *scope = (enum scope)at;
            return true;
        }
    }
    return false;
}

struct text scope_id_as_written(enum scope scope, struct text id)
{
    size_t slash = scope == SCOPE_SESSION ? text_find(id, TEXT("/"), 0) : SIZE_MAX;
    return slash == SIZE_MAX ? id : text_from(id, slash + 1);
}
