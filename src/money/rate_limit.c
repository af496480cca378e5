/*
 * What a rate limit's definition says about one caller.
 */
#include "money/rate_limit.h"

static const struct {
    const char *name, *words;
} NAMES[RATED_COUNT] = {
    [RATED_REQUESTS] = {"requests_per_minute", "requests per minute"},
    [RATED_TOKENS] = {"tokens_per_minute", "tokens per minute"},
    [RATED_PARALLEL] = {"parallel", "parallel requests"},
};

const char *rated_name(enum rated rated)
{
    ASSERT(rated < RATED_COUNT);
    return NAMES[rated].name;
}

const char *rated_words(enum rated rated)
{
    ASSERT(rated < RATED_COUNT);
    return NAMES[rated].words;
}

int64_t rate_limit_of(const struct rate_limit *limit, enum rated rated, struct text id)
{
    ASSERT(rated < RATED_COUNT);
    struct text written = scope_id_as_written(limit->who.scope, id);
    for (size_t at = 0; at < limit->override_count; at++) {
        const struct rate_override *override = &limit->overrides[at];
        if (text_equal(override->id, written) && override->limit[rated] != LIMIT_NONE)
            return override->limit[rated];
    }
    return limit->limit[rated];
}

static bool tag_counts(const struct budget *who, struct text tag)
{
    bool any = true;
    for (size_t at = 0; at < who->match_count; at++) {
        if (who->match[at].scope != SCOPE_TAG)
            continue;
        if (text_matches(tag, who->match[at].pattern))
            return true;
        any = false;
    }
    return any;
}

/* Admit names each of a request's tags once. */
size_t rate_limit_ids(const struct rate_limit *limit, const struct subject *subject,
                      struct text ids[SUBJECT_MAX_TAGS])
{
    const struct budget *who = &limit->who;
    size_t count = 0;
    if (!budget_applies(who, subject))
        return 0;
    if (who->scope != SCOPE_TAG) {
        ids[0] = subject->id[who->scope];
        return 1;
    }
    for (size_t at = 0; at < subject->tag_count; at++) {
        if (tag_counts(who, subject->tags[at]))
            ids[count++] = subject->tags[at];
    }
    return count;
}

int64_t rate_limits_least(const struct rate_limit *limits, size_t count, enum rated rated,
                          const struct subject *subject)
{
    int64_t least = LIMIT_NONE;
    struct text ids[SUBJECT_MAX_TAGS];
    for (size_t at = 0; at < count; at++) {
        size_t id_count = rate_limit_ids(&limits[at], subject, ids);
        for (size_t i = 0; i < id_count; i++) {
            int64_t limit = rate_limit_of(&limits[at], rated, ids[i]);
            if (limit != LIMIT_NONE && (least == LIMIT_NONE || limit < least))
                least = limit;
        }
    }
    return least;
}
