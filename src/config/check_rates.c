/*
 * Checks of rate limits: each must limit something, be unlike the others, and be able to match.
 */
#include "config/check.h"

#define LIST "rate_limits"

static void report(struct reader *reader, size_t at, const char *option, const char *message)
{
    reader_report(reader, FINDING_ERROR, reader_line(reader, LIST, at, option),
                  LIST "[%zu]%s%s: %s", at, option == NULL ? "" : ".", option == NULL ? "" : option,
                  message);
}

static void check_limits(struct reader *reader, size_t at)
{
    for (unsigned rated = 0; rated < RATED_COUNT; rated++)
        if (reader_wrote(reader, LIST, at, rated_name((enum rated)rated)))
            return;
    report(reader, at, NULL,
           "limits nothing: write requests_per_minute: 600, tokens_per_minute: 200000 or "
           "parallel: 50");
}

/* They would share an account, whatever they limit. */
static void check_others(struct reader *reader, size_t at)
{
    const struct rate_limit *limits = reader->config->rate_limits;
    for (size_t i = 0; i < at; i++) {
        if (limits[i].who.scope != limits[at].who.scope ||
            !check_same_match(&limits[i].who, &limits[at].who))
            continue;
        reader_report(reader, FINDING_ERROR, reader_line(reader, LIST, at, NULL),
                      LIST "[%zu]: is for the same callers as " LIST
                           "[%zu] (scope and match): write all limits in one entry",
                      at, i);
        return;
    }
}

static void check_overrides(struct reader *reader, size_t at)
{
    const struct rate_limit *limit = &reader->config->rate_limits[at];
    int line = reader_line(reader, LIST, at, "scope");
    if (limit->who.scope == SCOPE_GLOBAL && limit->override_count > 0 &&
        !reader_has_error(reader, line))
        report(reader, at, "overrides", "scope global has no ids to except: take the line out");
    for (size_t i = 0; i < limit->override_count; i++)
        if (limit->overrides[i].id.size == 0 || limit->overrides[i].id.size > SUBJECT_MAX_ID)
            report(reader, at, "overrides", "an id must have 1 to 256 bytes");
}

static void check_matches(struct reader *reader, size_t at)
{
    const struct rate_limit *limit = &reader->config->rate_limits[at];
    const struct check_entry entry = {LIST, at};
    bool possible = check_match_ids(reader, &entry, &limit->who);
    for (size_t i = 0; i < limit->override_count; i++)
        possible &= check_id(reader, &entry, "overrides", limit->who.scope, limit->overrides[i].id);
    if (possible)
        check_one_key_fits(reader, &entry, &limit->who);
}

void check_rates(struct reader *reader)
{
    _Static_assert(SUBJECT_MAX_ID == 256, "as the message says");
    for (size_t at = 0; at < reader->config->rate_limit_count; at++) {
        check_limits(reader, at);
        check_overrides(reader, at);
        check_others(reader, at);
        check_matches(reader, at);
    }
}
