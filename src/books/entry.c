/*
 * The text of a ledger line: what its members are, and writing them.
 */
#include "books/entry_members.h"

#include "base/clock.h"
#include "base/hash.h"

#define LABEL(text)                                                                                \
    {                                                                                              \
        ("" text ""), sizeof(text) - 1                                                             \
    }
#define MEMBER(name, form, field)                                                                  \
    {                                                                                              \
        LABEL(",\"" name "\":"), form, offsetof(struct entry, field)                               \
    }

const struct entry_member entry_members[ENTRY_MEMBER_COUNT] = {
    {LABEL("{\"timestamp\":"), FORM_STAMP, offsetof(struct entry, wall_us)},
    MEMBER("kind", FORM_KIND, kind),
    MEMBER("request_id", FORM_GIVEN_TEXT, request_id),
    MEMBER("model", FORM_GIVEN_TEXT, model),
    MEMBER("prompt_tokens", FORM_GIVEN_COUNT, prompt_tokens),
    MEMBER("completion_tokens", FORM_GIVEN_COUNT, completion_tokens),
    MEMBER("total_tokens", FORM_TOTAL, prompt_tokens),
    MEMBER("cost_usd", FORM_DOLLARS, cost),
    {LABEL(",\"node\":"), FORM_NODE, 0},
    MEMBER("call", FORM_TEXT, call),
    MEMBER("attempt", FORM_SMALL, attempt),
    MEMBER("cost_nano_usd", FORM_COST, cost),
    MEMBER("hold_nano_usd", FORM_HOLD, hold),
    MEMBER("endpoint", FORM_TEXT, endpoint),
    MEMBER("service", FORM_TEXT, service),
    MEMBER("upstream", FORM_TEXT, upstream),
    MEMBER("model_requested", FORM_TEXT, model_requested),
    MEMBER("key", FORM_TEXT, key),
    MEMBER("user", FORM_TEXT, user),
    MEMBER("team", FORM_TEXT, team),
    MEMBER("session", FORM_TEXT, session),
    MEMBER("tags", FORM_TAGS, tags),
    MEMBER("label", FORM_TEXT, label),
    MEMBER("idempotency_key", FORM_TEXT, idempotency_key),
    MEMBER("cached_tokens", FORM_COUNT, cached_tokens),
    MEMBER("cache_write_tokens", FORM_COUNT, cache_write_tokens),
    MEMBER("reasoning_tokens", FORM_COUNT, reasoning_tokens),
    MEMBER("service_tier", FORM_TEXT, service_tier),
    MEMBER("usage_source", FORM_SOURCE, usage_source),
    MEMBER("price_version", FORM_TEXT, price_version),
    MEMBER("accounts", FORM_CHARGES, charges),
    MEMBER("cache", FORM_TEXT, cache),
    MEMBER("route", FORM_TEXT, route),
    MEMBER("saved_nano_usd", FORM_SAVED, saved),
    MEMBER("error", FORM_TEXT, error),
    MEMBER("stop_reason", FORM_TEXT, stop_reason),
    MEMBER("status", FORM_SMALL, status),
    MEMBER("ttft_ms", FORM_MS, ttft_ms),
    MEMBER("duration_ms", FORM_MS, duration_ms),
};

const struct text entry_kind_names[ENTRY_KIND_COUNT] = {
    [ENTRY_OPEN] = LABEL("open"),       [ENTRY_RESERVE] = LABEL("reserve"),
    [ENTRY_EXTEND] = LABEL("extend"),   [ENTRY_SETTLE] = LABEL("settle"),
    [ENTRY_FORFEIT] = LABEL("forfeit"), [ENTRY_REFUND] = LABEL("refund"),
    [ENTRY_DISOWN] = LABEL("disown"),   [ENTRY_REFUSE] = LABEL("refuse"),
    [ENTRY_CLOSE] = LABEL("close"),
};

const struct text entry_source_names[USAGE_SOURCE_COUNT] = {
    [USAGE_NONE] = LABEL(""),
    [USAGE_REPORTED] = LABEL("reported"),
    [USAGE_COUNTED] = LABEL("counted"),
    [USAGE_BOUND] = LABEL("bound"),
};

size_t entry_place_of(struct text name, const struct text *names, size_t count)
{
    size_t i = 0;
    while (i < count && !text_equal(names[i], name))
        i++;
    return i;
}

bool entry_peek_kind(struct text line, enum entry_kind *kind)
{
    /* {"timestamp":"<stamp>","kind":"<kind>" */
    size_t label_at = entry_members[0].label.size + CLOCK_STAMP_SIZE + 1;
    struct text label = entry_members[1].label;
    if (!text_equal(text_slice(line, label_at, label_at + label.size), label))
        return false;
    struct text rest = text_slice(line, label_at + label.size + 1, label_at + label.size + 16);
    size_t place = entry_place_of(text_split(&rest, '"'), entry_kind_names, ENTRY_KIND_COUNT);
    if (place == ENTRY_KIND_COUNT)
        return false;
    *kind = (enum entry_kind)place;
    return true;
}

bool entry_books(const struct entry *entry)
{
    return entry->kind == ENTRY_SETTLE || entry->kind == ENTRY_FORFEIT ||
           entry->kind == ENTRY_REFUND;
}

bool entry_saves(const struct entry *entry)
{
    bool saves = false;
    for (int i = 0; i < SAVING_COUNT; i++) {
        ASSERT(entry->saved[i].nano >= 0);
        saves = saves || entry->saved[i].nano > 0;
    }
    return saves;
}

const char *entry_kind_name(enum entry_kind kind)
{
    return entry_kind_names[kind].at;
}

/* ---- writing ---- */

static void put_quoted(struct buffer *out, struct text label, struct text plain)
{
    buffer_put(out, label);
    buffer_put_byte(out, '"');
    buffer_put(out, plain);
    buffer_put_byte(out, '"');
}

static void put_number(struct buffer *out, struct text label, int64_t value)
{
    buffer_put(out, label);
    buffer_put_int(out, value);
}

static void put_text(struct buffer *out, struct text label, struct text plain)
{
    buffer_put(out, label);
    json_put_string(out, plain);
}

void entry_put_charge(struct buffer *out, const struct charge *charge)
{
    uint8_t id[sizeof(charge->account)];
    for (size_t i = 0; i < sizeof(id); i++)
        id[i] = (uint8_t)(charge->account >> (56 - 8 * i));
    char digits[2 * sizeof(id) + 1];
    hash_hex(id, sizeof(id), digits);

    put_text(out, TEXT("{\"budget\":"), charge->budget);
    put_quoted(out, TEXT(",\"scope\":"), text_of(scope_name(charge->scope)));
    put_text(out, TEXT(",\"id\":"), charge->id);
    put_quoted(out, TEXT(",\"unit\":"), text_of(unit_name(charge->unit)));
    put_text(out, TEXT(",\"window\":"), text_of(charge->window));
    put_quoted(out, TEXT(",\"account\":"), text_make(digits, 2 * sizeof(id)));
    put_number(out, TEXT(",\"amount\":"), charge->amount);
    int64_t overdraft = charge->overdraft < charge->amount ? charge->overdraft : charge->amount;
    if (overdraft > 0)
        put_number(out, TEXT(",\"overdraft\":"), overdraft);
    if (charge->since_s > 0)
        put_number(out, TEXT(",\"since\":"), charge->since_s);
    if (charge->until_s == WINDOW_FOREVER)
        buffer_put(out, TEXT(",\"until\":null"));
    else
        put_number(out, TEXT(",\"until\":"), charge->until_s);
    buffer_put_byte(out, '}');
}

static void put_charges(struct buffer *out, struct text label, const struct entry *entry)
{
    ASSERT(entry->charge_count <= CHARGE_MOST);
    if (entry->charge_count == 0)
        return;
    buffer_put(out, label);
    for (size_t i = 0; i < entry->charge_count; i++) {
        buffer_put_byte(out, i == 0 ? '[' : ',');
        entry_put_charge(out, &entry->charges[i]);
    }
    buffer_put_byte(out, ']');
}

static void put_tags(struct buffer *out, struct text label, const struct entry *entry)
{
    ASSERT(entry->tag_count <= SUBJECT_MAX_TAGS);
    if (entry->tag_count == 0)
        return;
    buffer_put(out, label);
    for (size_t i = 0; i < entry->tag_count; i++)
        put_text(out, i == 0 ? TEXT("[") : TEXT(","), entry->tags[i]);
    buffer_put_byte(out, ']');
}

static void put_saved(struct buffer *out, struct text label, const struct entry *entry)
{
    if (!entry_saves(entry))
        return;
    buffer_put(out, label);
    buffer_put_byte(out, '{');
    for (int i = 0; i < SAVING_COUNT; i++)
        if (entry->saved[i].nano != 0)
            json_put_int_member(out, saving_name((enum saving)i), entry->saved[i].nano);
    buffer_put_byte(out, '}');
}

static void put_stamp(struct buffer *out, struct text label, int64_t wall_us)
{
    char stamp[CLOCK_STAMP_SIZE];
    clock_stamp(wall_us, stamp);
    put_quoted(out, label, text_make(stamp, CLOCK_STAMP_SIZE - 1));
}

static void put_count_unless(struct buffer *out, struct text label, int64_t value, int64_t absent)
{
    if (value != absent)
        put_number(out, label, value);
}

static void put_derived(struct buffer *out, const struct entry_member *member,
                        const struct entry *entry)
{
    if (member->form == FORM_TOTAL) {
        put_number(out, member->label, entry->prompt_tokens + entry->completion_tokens);
        return;
    }
    buffer_put(out, member->label);
    money_put(out, entry->cost);
}

static void put_member(struct buffer *out, const struct entry_member *member,
                       const struct entry *entry)
{
    const void *field = entry_field_of(entry, member);
    switch (member->form) {
    case FORM_STAMP:
        put_stamp(out, member->label, entry->wall_us);
        break;
    case FORM_KIND:
        put_quoted(out, member->label, entry_kind_names[entry->kind]);
        break;
    case FORM_TEXT:
        if (((const struct text *)field)->size > 0)
            put_text(out, member->label, *(const struct text *)field);
        break;
    case FORM_GIVEN_TEXT:
        put_text(out, member->label, *(const struct text *)field);
        break;
    case FORM_COUNT:
        put_count_unless(out, member->label, *(const int64_t *)field, 0);
        break;
    case FORM_GIVEN_COUNT:
        put_number(out, member->label, *(const int64_t *)field);
        break;
    case FORM_SMALL:
        put_count_unless(out, member->label, *(const int *)field, 0);
        break;
    case FORM_MS:
        put_count_unless(out, member->label, *(const int64_t *)field, -1);
        break;
    case FORM_TOTAL:
    case FORM_DOLLARS:
        put_derived(out, member, entry);
        break;
    case FORM_COST:
        if (entry_books(entry))
            put_number(out, member->label, entry->cost.nano);
        break;
    case FORM_HOLD:
        put_count_unless(out, member->label, entry->hold.nano, 0);
        break;
    case FORM_TAGS:
        put_tags(out, member->label, entry);
        break;
    case FORM_SOURCE:
        if (entry->usage_source != USAGE_NONE)
            put_quoted(out, member->label, entry_source_names[entry->usage_source]);
        break;
    case FORM_CHARGES:
        put_charges(out, member->label, entry);
        break;
    case FORM_SAVED:
        put_saved(out, member->label, entry);
        break;
    case FORM_NODE:
        break;
    }
}

void entry_put(struct buffer *out, const struct entry *entry, struct text node)
{
    ASSERT(entry_books(entry) || entry->cost.nano == 0);
    ASSERT(entry_books(entry) || entry->prompt_tokens + entry->completion_tokens == 0);
    ASSERT(entry_books(entry) || !entry_saves(entry));
    for (size_t i = 0; i < ENTRY_MEMBER_COUNT; i++) {
        if (entry_members[i].form == FORM_NODE && node.size > 0)
            put_text(out, entry_members[i].label, node);
        put_member(out, &entry_members[i], entry);
    }
}
