/*
 * What a budget's definition says about one caller: whether it applies, and with which limit.
 */
#include "money/limit.h"

#define BUFFER_WHOLE_BP 10000

static const char *const UNITS[UNIT_COUNT] = {
    [UNIT_USD] = "usd", [UNIT_TOKENS] = "tokens", [UNIT_REQUESTS] = "requests"};

const char *unit_name(enum unit unit)
{
    ASSERT(unit < UNIT_COUNT);
    return UNITS[unit];
}

static const struct budget_override *override_of(const struct budget *budget, struct text id)
{
    struct text written = scope_id_as_written(budget->scope, id);
    for (size_t at = 0; at < budget->override_count; at++) {
        if (text_equal(budget->overrides[at].id, written)) {
            return &budget->overrides[at];
        }
    }
    return NULL;
}

int64_t budget_limit_configured(const struct budget *budget, enum unit unit, struct text id)
{
    ASSERT(unit < UNIT_COUNT);
    const struct budget_override *override = override_of(budget, id);
    if (override != NULL && override->limit[unit] != LIMIT_NONE) {
        return override->limit[unit];
    }
    return budget->limit[unit];
}

int64_t budget_limit_enforced(const struct budget *budget, enum unit unit, struct text id)
{
    ASSERT(budget->buffer_bp >= 0);
    ASSERT(budget->buffer_bp <= BUFFER_WHOLE_BP);
    int64_t limit = budget_limit_configured(budget, unit, id);
    if (limit == LIMIT_NONE) {
        return LIMIT_NONE;
    }
    ASSERT(limit >= 0);
    __int128 enforced = (__int128)limit * (BUFFER_WHOLE_BP - budget->buffer_bp);
    return (int64_t)(enforced / BUFFER_WHOLE_BP);
}

struct window budget_window_at(const struct budget *budget, int64_t now_s)
{
    if (budget->window == WINDOW_ROLLING)
        return window_rolling(budget->rolling_s, now_s);
    return window_at(budget->window, budget->zone, now_s);
}

static bool is_present(const struct subject *subject, enum scope scope)
{
    if (scope == SCOPE_REQUEST) {
        return true;
    }
    return scope == SCOPE_TAG ? subject->tag_count > 0 : subject->id[scope].size > 0;
}

static bool tag_matches(const struct subject *subject, struct text pattern)
{
    for (size_t at = 0; at < subject->tag_count; at++) {
        if (text_matches(subject->tags[at], pattern)) {
            return true;
        }
    }
    return false;
}

static bool match_holds(const struct budget_match *match, const struct subject *subject)
{
    if (match->scope == SCOPE_TAG) {
        return tag_matches(subject, match->pattern);
    }
    struct text id = subject->id[match->scope];
    return id.size > 0 && text_matches(scope_id_as_written(match->scope, id), match->pattern);
}

bool budget_applies(const struct budget *budget, const struct subject *subject)
{
    if (!is_present(subject, budget->scope)) {
        return false;
    }
    for (size_t at = 0; at < budget->match_count; at++) {
        if (!match_holds(&budget->match[at], subject)) {
            return false;
        }
    }
    return true;
}
