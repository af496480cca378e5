/*
 * The kinds of options that are about keys, prices and budgets.
 */
#include <stdio.h>

#include "base/hash.h"
#include "config/option.h"
#include "config/reader.h"
#include "config/suggest.h"
#include "config/yaml_text.h"
#include "money/price.h"

#define FEE_SCALE     12 /* decimals of USD that a pico-dollar can hold */
#define PRICE_SCALE   6  /* decimals of USD per 1M tokens that a pico-dollar per token can hold */
#define COUNT_MOST    INT64_C(1000000000000000)
#define PERCENT_SCALE 2
#define PERCENT_WHOLE 10000
#define DURATION_MOST (INT64_C(10) * 366 * 86400)
#define KEY_LEAST     16 /* bytes; a shorter key can be guessed */

/* ---- keys ---- */

static void read_key(struct reader *reader, const struct option *option,
                     const struct scalar *scalar, void *target)
{
    struct text key = scalar->value;
    if (key.size == 0 || key.size > (size_t)option->most) {
        reader_refuse(reader, option, scalar, "must have 1 to %lld bytes", (long long)option->most);
        return;
    }
    for (size_t i = 0; i < key.size; i++)
        if (key.at[i] <= 0x20 || key.at[i] >= 0x7f) {
            reader_refuse(reader, option, scalar,
                          "must be ASCII letters, digits and signs without spaces");
            return;
        }
    if (key.size < KEY_LEAST)
        reader_report(reader, FINDING_WARNING, scalar->line,
                      "a key of %zu bytes can be guessed: make one with `openssl rand -hex 24`",
                      key.size);
    hash_text(key, target);
}

static void put_key(struct buffer *out, const struct option *option, const void *target)
{
    (void)option;
    (void)target;
    buffer_put(out, TEXT("(hidden)"));
}
const struct option_kind kind_key = {SHAPE_ONE, NULL, read_key, put_key};

static void read_hash(struct reader *reader, const struct option *option,
                      const struct scalar *scalar, void *target)
{
    struct text prefix = TEXT("sha256:");
    uint8_t hash[HASH_SIZE];
    if (text_starts(scalar->value, prefix) &&
        hash_from_hex(text_from(scalar->value, prefix.size), hash, sizeof(hash)))
        memcpy(target, hash, sizeof(hash));
    else
        reader_refuse(reader, option, scalar,
                      "must be \"sha256:\" and 64 hex digits; printf %%s \"$KEY\" | sha256sum "
                      "makes them");
}

/* The key's line says "(hidden)" for both. */
static void put_nothing(struct buffer *out, const struct option *option, const void *target)
{
    (void)out;
    (void)option;
    (void)target;
}
const struct option_kind kind_hash = {SHAPE_ONE, NULL, read_hash, put_nothing};

static void begin_may_set(struct reader *reader, size_t count, void *target)
{
    (void)reader;
    (void)count;
    *(unsigned *)target = 0;
}

static void read_may_set(struct reader *reader, const struct option *option,
                         const struct scalar *scalar, void *target)
{
    for (const struct option_choice *at = option->choices; at->name != NULL; at++)
        if (text_equal(scalar->value, text_of(at->name))) {
            *(unsigned *)target |= at->value;
            return;
        }
    reader_refuse(reader, option, scalar, "an entry must be session, label, tags or user");
}

static void put_may_set(struct buffer *out, const struct option *option, const void *target)
{
    bool first = true;
    buffer_put_byte(out, '[');
    for (const struct option_choice *at = option->choices; at->name != NULL; at++)
        if (*(const unsigned *)target & at->value) {
            buffer_printf(out, "%s%s", first ? "" : ", ", at->name);
            first = false;
        }
    buffer_put_byte(out, ']');
}
const struct option_kind kind_may_set = {SHAPE_MANY, begin_may_set, read_may_set, put_may_set};

/* ---- amounts ---- */

static void put_decimal(struct buffer *out, int64_t value, int64_t unit, int decimals)
{
    size_t start = out->size;
    buffer_printf(out, "%lld.%0*lld", (long long)(value / unit), decimals,
                  (long long)(value % unit));
    while (out->at[out->size - 1] == '0')
        out->size--;
    if (out->at[out->size - 1] == '.')
        out->size--;
    ASSERT(out->size > start);
}

static void read_price(struct reader *reader, const struct option *option,
                       const struct scalar *scalar, void *target)
{
    if (!money_parse_scaled(scalar->value, PRICE_SCALE, PRICE_MOST_PICO, target))
        reader_refuse(reader, option, scalar,
                      "must be USD per 1M tokens like 2.50, 0 to 1000000, with at most %d decimals",
                      PRICE_SCALE);
}

static void put_price(struct buffer *out, const struct option *option, const void *target)
{
    (void)option;
    if (*(const int64_t *)target >= 0)
        put_decimal(out, *(const int64_t *)target, 1000000, PRICE_SCALE);
}
const struct option_kind kind_price = {SHAPE_ONE, NULL, read_price, put_price};

static void read_fee(struct reader *reader, const struct option *option,
                     const struct scalar *scalar, void *target)
{
    if (!money_parse_scaled(scalar->value, FEE_SCALE, PRICE_MOST_FEE_PICO, target))
        reader_refuse(reader, option, scalar,
                      "must be USD like 0.04, 0 to 1000, with at most %d decimals", FEE_SCALE);
}

static void put_fee(struct buffer *out, const struct option *option, const void *target)
{
    (void)option;
    if (*(const int64_t *)target >= 0)
        put_decimal(out, *(const int64_t *)target, 1000000000000, FEE_SCALE);
}
const struct option_kind kind_fee = {SHAPE_ONE, NULL, read_fee, put_fee};

static void read_usd(struct reader *reader, const struct option *option,
                     const struct scalar *scalar, void *target)
{
    struct money amount;
    if (money_parse(scalar->value, &amount))
        *(int64_t *)target = amount.nano;
    else
        reader_refuse(reader, option, scalar,
                      "must be dollars like 50 or 0.005, from 0 to 4000000000, with at most 9 "
                      "decimals and without a sign");
}

static void put_usd(struct buffer *out, const struct option *option, const void *target)
{
    (void)option;
    if (*(const int64_t *)target != LIMIT_NONE)
        money_put(out, (struct money){*(const int64_t *)target});
}
const struct option_kind kind_usd = {SHAPE_ONE, NULL, read_usd, put_usd};

static void read_count(struct reader *reader, const struct option *option,
                       const struct scalar *scalar, void *target)
{
    if (!money_parse_scaled(scalar->value, 0, COUNT_MOST, target))
        reader_refuse(reader, option, scalar, "must be a whole number from 0 to %lld",
                      (long long)COUNT_MOST);
}

static void put_count(struct buffer *out, const struct option *option, const void *target)
{
    (void)option;
    if (*(const int64_t *)target != LIMIT_NONE)
        buffer_put_int(out, *(const int64_t *)target);
}
const struct option_kind kind_count = {SHAPE_ONE, NULL, read_count, put_count};

#define DECIMAL_SCALE 9
#define DECIMAL_UNIT  1000000000

static void read_decimal(struct reader *reader, const struct option *option,
                         const struct scalar *scalar, void *target)
{
    if (!money_parse_scaled(scalar->value, DECIMAL_SCALE, option->most, target))
        reader_refuse(reader, option, scalar, "must be a number from 0 to %lld like 0.2",
                      (long long)(option->most / DECIMAL_UNIT));
}

static void put_decimal_number(struct buffer *out, const struct option *option, const void *target)
{
    (void)option;
    put_decimal(out, *(const int64_t *)target, DECIMAL_UNIT, DECIMAL_SCALE);
}
const struct option_kind kind_decimal = {SHAPE_ONE, NULL, read_decimal, put_decimal_number};

static void read_percent(struct reader *reader, const struct option *option,
                         const struct scalar *scalar, void *target)
{
    int64_t hundredths;
    struct text number = text_slice(scalar->value, 0, scalar->value.size - 1);
    if (text_ends(scalar->value, TEXT("%")) &&
        money_parse_scaled(text_trim(number), PERCENT_SCALE, PERCENT_WHOLE - 1, &hundredths))
        *(int *)target = (int)hundredths;
    else
        reader_refuse(reader, option, scalar,
                      "must be a percentage below 100%% with at most two decimals: write 10%%");
}

static void put_percent(struct buffer *out, const struct option *option, const void *target)
{
    (void)option;
    put_decimal(out, *(const int *)target, 100, PERCENT_SCALE);
    buffer_put_byte(out, '%');
}
const struct option_kind kind_percent = {SHAPE_ONE, NULL, read_percent, put_percent};

static const struct {
    char letter;
    int64_t seconds;
} DURATIONS[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};

static void read_duration(struct reader *reader, const struct option *option,
                          const struct scalar *scalar, void *target)
{
    int64_t number;
    struct text digits = text_slice(scalar->value, 0, scalar->value.size - 1);
    bool good = scalar->value.size > 0 && text_to_int(digits, &number) && number > 0;
    for (size_t i = 0; good && i < sizeof(DURATIONS) / sizeof(DURATIONS[0]); i++)
        if (scalar->value.at[digits.size] == DURATIONS[i].letter &&
            number <= DURATION_MOST / DURATIONS[i].seconds) {
            *(int64_t *)target = number * DURATIONS[i].seconds;
            return;
        }
    reader_refuse(reader, option, scalar,
                  "must be a length of time like 45s, 90m, 24h or 30d, up to ten years");
}

static void put_duration(struct buffer *out, const struct option *option, const void *target)
{
    (void)option;
    int64_t seconds = *(const int64_t *)target;
    if (seconds <= 0)
        return;
    size_t i = 0;
    while (seconds % DURATIONS[i].seconds != 0)
        i++;
    buffer_printf(out, "%lld%c", (long long)(seconds / DURATIONS[i].seconds), DURATIONS[i].letter);
}
const struct option_kind kind_duration = {SHAPE_ONE, NULL, read_duration, put_duration};

/* ---- who, when and with what limit ---- */

static void read_window(struct reader *reader, const struct option *option,
                        const struct scalar *scalar, void *target)
{
    struct budget *budget = target;
    if (scalar->name.at == NULL) {
        kind_choice.read(reader, option, scalar, &budget->window);
        return;
    }
    int64_t length_s = 0;
    if (!text_equal(scalar->name, TEXT("rolling"))) {
        reader_refuse(reader, option, scalar, "there is no such window: write {rolling: 24h}");
        return;
    }
    kind_duration.read(reader, option, scalar, &length_s);
    if (length_s == 0)
        return; /* it is told */
    if (length_s < WINDOW_ROLLING_LEAST_S || length_s > WINDOW_ROLLING_MOST_S) {
        reader_refuse(reader, option, scalar, "must be from %ds to %dd",
                      (int)WINDOW_ROLLING_LEAST_S, (int)(WINDOW_ROLLING_MOST_S / 86400));
        return;
    }
    budget->window = WINDOW_ROLLING;
    budget->rolling_s = length_s;
}

/* A single request has no window, whatever the struct says. */
static void put_window(struct buffer *out, const struct option *option, const void *target)
{
    const struct budget *budget = target;
    if (budget->scope != SCOPE_REQUEST && budget->window == WINDOW_ROLLING) {
        buffer_put(out, TEXT("{rolling: "));
        kind_duration.put(out, option, &budget->rolling_s);
        buffer_put_byte(out, '}');
    } else if (budget->scope != SCOPE_REQUEST) {
        kind_choice.put(out, option, &budget->window);
    }
}
const struct option_kind kind_window = {SHAPE_EITHER, NULL, read_window, put_window};

static void read_away(struct reader *reader, const struct option *option,
                      const struct scalar *scalar, void *target)
{
    int64_t *open = target;
    if (scalar->name.at == NULL && text_equal(scalar->value, TEXT("closed")))
        *open = 0;
    else if (scalar->name.at != NULL && text_equal(scalar->name, TEXT("open")))
        kind_usd.read(reader, option, scalar, open);
    else
        reader_refuse(reader, option, scalar, "must be closed, or {open: 5} for up to 5 dollars");
}

static void put_away(struct buffer *out, const struct option *option, const void *target)
{
    const int64_t *open = target;
    if (*open == 0) {
        buffer_put(out, TEXT("closed"));
        return;
    }
    buffer_put(out, TEXT("{open: "));
    kind_usd.put(out, option, open);
    buffer_put_byte(out, '}');
}
const struct option_kind kind_away = {SHAPE_EITHER, NULL, read_away, put_away};

static void begin_match(struct reader *reader, size_t count, void *target)
{
    struct budget *budget = target;
    budget->match_count = 0;
    budget->match = arena_new(&reader->config->arena, count * sizeof(struct budget_match));
}

static void read_match(struct reader *reader, const struct option *option,
                       const struct scalar *scalar, void *target)
{
    struct budget *budget = target;
    struct budget_match match = {.pattern = arena_copy(&reader->config->arena, scalar->value)};
    bool known = scope_parse(scalar->name, &match.scope) && match.scope != SCOPE_GLOBAL &&
                 match.scope != SCOPE_REQUEST;
    if (!known)
        reader_refuse(reader, option, scalar,
                      "nothing to match by: write key, user, team, session, tag, model, upstream "
                      "or service");
    else if (scalar->value.size == 0)
        reader_refuse(reader, option, scalar, "must not be empty: write an id, or * for any");
    else
        budget->match[budget->match_count++] = match;
}

static void put_match(struct buffer *out, const struct option *option, const void *target)
{
    (void)option;
    const struct budget *budget = target;
    buffer_put_byte(out, '{');
    for (size_t i = 0; i < budget->match_count; i++) {
        buffer_printf(out, "%s%s: ", i == 0 ? "" : ", ", scope_name(budget->match[i].scope));
        yaml_put_text(out, budget->match[i].pattern);
    }
    buffer_put_byte(out, '}');
}
const struct option_kind kind_match = {SHAPE_PAIRS, begin_match, read_match, put_match};

static void begin_overrides(struct reader *reader, size_t count, void *target)
{
    struct budget *budget = target;
    budget->override_count = 0;
    budget->overrides = arena_new(&reader->config->arena, count * sizeof(struct budget_override));
}

/* The unit that an override's value is in: the one named, or the only one of the budget. */
static bool find_unit(const struct budget *budget, const struct scalar *scalar, enum unit *unit)
{
    unsigned found = 0;
    for (unsigned at = 0; at < UNIT_COUNT; at++) {
        bool meant = scalar->member.at == NULL
                         ? budget->limit[at] != LIMIT_NONE
                         : text_equal(scalar->member, text_of(unit_name((enum unit)at)));
        if (meant)
            *unit = (enum unit)at;
        found += meant;
    }
    return found == 1;
}

/* The entries of one id stand together, so the last one is the only one to look at. */
static struct budget_override *override_of(struct budget *budget, struct text id)
{
    size_t count = budget->override_count;
    if (count > 0 && text_equal(budget->overrides[count - 1].id, id))
        return &budget->overrides[count - 1];
    budget->overrides[count] = (struct budget_override){id, {LIMIT_NONE, LIMIT_NONE, LIMIT_NONE}};
    budget->override_count++;
    return &budget->overrides[count];
}

static void read_override(struct reader *reader, const struct option *option,
                          const struct scalar *scalar, void *target)
{
    struct budget *budget = target;
    enum unit unit = UNIT_USD;
    if (!find_unit(budget, scalar, &unit)) {
        reader_refuse(reader, option, scalar,
                      scalar->member.at == NULL
                          ? "the budget has not just one unit: write {usd: .., tokens: ..}"
                          : "a limit must be usd, tokens or requests");
        return;
    }
    if (budget->limit[unit] == LIMIT_NONE) {
        reader_refuse(reader, option, scalar,
                      "the budget itself has no limit in %s: write one there too", unit_name(unit));
        return;
    }
    int64_t limit = LIMIT_NONE;
    (unit == UNIT_USD ? read_usd : read_count)(reader, option, scalar, &limit);
    override_of(budget, scalar->name)->limit[unit] = limit;
}

static void put_override(struct buffer *out, const struct budget_override *override)
{
    bool first = true;
    buffer_put(out, TEXT(": {"));
    for (unsigned unit = 0; unit < UNIT_COUNT; unit++) {
        if (override->limit[unit] == LIMIT_NONE)
            continue;
        buffer_printf(out, "%s%s: ", first ? "" : ", ", unit_name((enum unit)unit));
        (unit == UNIT_USD ? put_usd : put_count)(out, NULL, &override->limit[unit]);
        first = false;
    }
    buffer_put_byte(out, '}');
}

static void put_overrides(struct buffer *out, const struct option *option, const void *target)
{
    (void)option;
    const struct budget *budget = target;
    buffer_put_byte(out, '{');
    for (size_t i = 0; i < budget->override_count; i++) {
        buffer_put(out, i == 0 ? TEXT("") : TEXT(", "));
        yaml_put_text(out, budget->overrides[i].id);
        put_override(out, &budget->overrides[i]);
    }
    buffer_put_byte(out, '}');
}
const struct option_kind kind_overrides = {SHAPE_NESTED, begin_overrides, read_override,
                                           put_overrides};
