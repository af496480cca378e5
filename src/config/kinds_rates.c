/*
 * The kinds of options that are about rate limits.
 */
#include "config/option.h"
#include "config/reader.h"
#include "config/yaml_text.h"
#include "money/rate_limit.h"

#define RATE_MOST INT64_C(1000000000000)

static bool parse_rate(struct text written, int64_t *limit)
{
    int64_t value;
    if (!text_to_int(written, &value) || value < 1 || value > RATE_MOST)
        return false;
    *limit = value;
    return true;
}

static void read_rate(struct reader *reader, const struct option *option,
                      const struct scalar *scalar, void *target)
{
    if (!parse_rate(scalar->value, target))
        reader_refuse(reader, option, scalar, "must be a whole number from 1 to %lld",
                      (long long)RATE_MOST);
}

static void put_rate(struct buffer *out, const struct option *option, const void *target)
{
    (void)option;
    if (*(const int64_t *)target != LIMIT_NONE)
        buffer_put_int(out, *(const int64_t *)target);
}
const struct option_kind kind_rate = {SHAPE_ONE, NULL, read_rate, put_rate};

/* ---- exceptions ---- */

static void begin_overrides(struct reader *reader, size_t count, void *target)
{
    struct rate_limit *limit = target;
    limit->override_count = 0;
    limit->overrides = arena_new(&reader->config->arena, count * sizeof *limit->overrides);
}

/* What an override's value limits: what it names, or the only thing that the entry limits. */
static bool find_rated(const struct rate_limit *limit, const struct scalar *scalar,
                       enum rated *rated)
{
    unsigned found = 0;
    for (unsigned at = 0; at < RATED_COUNT; at++) {
        bool meant = scalar->member.at == NULL
                         ? limit->limit[at] != LIMIT_NONE
                         : text_equal(scalar->member, text_of(rated_name((enum rated)at)));
        if (meant)
            *rated = (enum rated)at;
        found += meant;
    }
    return found == 1;
}

/* The values of one id stand together. */
static struct rate_override *override_of(struct rate_limit *limit, struct text id)
{
    size_t count = limit->override_count;
    if (count > 0 && text_equal(limit->overrides[count - 1].id, id))
        return &limit->overrides[count - 1];
    limit->overrides[count] = (struct rate_override){id, {LIMIT_NONE, LIMIT_NONE, LIMIT_NONE}};
    limit->override_count++;
    return &limit->overrides[count];
}

static void read_override(struct reader *reader, const struct option *option,
                          const struct scalar *scalar, void *target)
{
    struct rate_limit *limit = target;
    enum rated rated = RATED_REQUESTS;
    if (!find_rated(limit, scalar, &rated)) {
        reader_refuse(reader, option, scalar,
                      scalar->member.at == NULL
                          ? "the entry has not just one limit: write {parallel: .., "
                            "requests_per_minute: ..}"
                          : "a limit must be requests_per_minute, tokens_per_minute or parallel");
        return;
    }
    if (limit->limit[rated] == LIMIT_NONE) {
        reader_refuse(reader, option, scalar, "the entry itself has no %s: write it there too",
                      rated_name(rated));
        return;
    }
    read_rate(reader, option, scalar, &override_of(limit, scalar->name)->limit[rated]);
}

static void put_override(struct buffer *out, const struct rate_override *override)
{
    bool first = true;
    buffer_put(out, TEXT(": {"));
    for (unsigned rated = 0; rated < RATED_COUNT; rated++) {
        if (override->limit[rated] == LIMIT_NONE)
            continue;
        buffer_printf(out, "%s%s: ", first ? "" : ", ", rated_name((enum rated)rated));
        buffer_put_int(out, override->limit[rated]);
        first = false;
    }
    buffer_put_byte(out, '}');
}

static void put_overrides(struct buffer *out, const struct option *option, const void *target)
{
    (void)option;
    const struct rate_limit *limit = target;
    buffer_put_byte(out, '{');
    for (size_t i = 0; i < limit->override_count; i++) {
        buffer_put(out, i == 0 ? TEXT("") : TEXT(", "));
        yaml_put_text(out, limit->overrides[i].id);
        put_override(out, &limit->overrides[i]);
    }
    buffer_put_byte(out, '}');
}
const struct option_kind kind_rate_overrides = {SHAPE_NESTED, begin_overrides, read_override,
                                                put_overrides};
