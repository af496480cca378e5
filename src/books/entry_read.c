/*
 * Reading a ledger line back. A file may have been altered by anybody, so nothing in it is
 * believed: each member is checked for its type and range.
 */
#include "books/entry_members.h"

#include "base/clock.h"
#include "base/hash.h"

/* A kind of JSON value that was expected, or a fault that names the member. */
static bool expect(struct json_value value, enum json_kind kind, struct text name,
                   struct fault *fault)
{
    if (value.kind == kind)
        return true;
    return fault_set(fault, "the member \"%.*s\" has the wrong type", TEXT_ARG(name));
}

static bool read_count(struct json_value value, struct text name, int64_t *count,
                       struct fault *fault)
{
    if (value.kind == JSON_NUMBER && json_int(value, count))
        return true;
    return fault_set(fault, "the member \"%.*s\" is no whole number", TEXT_ARG(name));
}

static bool read_small(struct json_value value, struct text name, int *small, struct fault *fault)
{
    int64_t count = 0;
    if (!read_count(value, name, &count, fault))
        return false;
    if (count < 0 || count > 1000000)
        return fault_set(fault, "the member \"%.*s\" is out of range", TEXT_ARG(name));
    *small = (int)count;
    return true;
}

static bool read_tokens(struct json_value value, struct text name, int64_t *tokens,
                        struct fault *fault)
{
    int64_t count = 0;
    if (!read_count(value, name, &count, fault))
        return false;
    if (count < 0 || count > INT64_C(1000000000000000))
        return fault_set(fault, "the member \"%.*s\" is out of range", TEXT_ARG(name));
    *tokens = count;
    return true;
}

/* A cost may be a refund. */
static bool read_nano(struct json_value value, struct text name, struct money *amount,
                      struct fault *fault)
{
    struct money read = MONEY_ZERO;
    if (!read_count(value, name, &read.nano, fault))
        return false;
    if (read.nano > MONEY_MOST.nano || read.nano < -MONEY_MOST.nano)
        return fault_set(fault, "the member \"%.*s\" is out of range", TEXT_ARG(name));
    *amount = read;
    return true;
}

static bool read_text(struct json_value value, struct text name, struct arena *arena,
                      struct text *plain, struct fault *fault)
{
    if (!expect(value, JSON_STRING, name, fault))
        return false;
    *plain = json_string(arena, value);
    return true;
}

static bool read_kind(struct json_value value, enum entry_kind *kind, struct fault *fault)
{
    struct text name = text_slice(value.raw, 1, value.raw.size - 1);
    size_t place = entry_place_of(name, entry_kind_names, ENTRY_KIND_COUNT);
    if (value.kind != JSON_STRING || place == ENTRY_KIND_COUNT)
        return fault_set(fault, "the member \"kind\" names no kind of line");
    *kind = (enum entry_kind)place;
    return true;
}

static bool read_source(struct json_value value, enum usage_source *source, struct fault *fault)
{
    struct text name = text_slice(value.raw, 1, value.raw.size - 1);
    size_t place = entry_place_of(name, entry_source_names, USAGE_SOURCE_COUNT);
    if (value.kind != JSON_STRING || place == USAGE_SOURCE_COUNT)
        return fault_set(fault, "the member \"usage_source\" names no source");
    *source = (enum usage_source)place;
    return true;
}

static bool read_stamp(struct json_value value, int64_t *wall_us, struct fault *fault)
{
    /* Behind the last year that can be written an offset may still lead. */
    int64_t most_us = clock_days_from_civil(9999, 12, 31) * INT64_C(86400000000);
    int64_t time_us = 0;
    if (value.kind != JSON_STRING ||
        !clock_parse(text_slice(value.raw, 1, value.raw.size - 1), &time_us) || time_us < 0 ||
        time_us > most_us)
        return fault_set(fault, "the member \"timestamp\" is no time");
    *wall_us = time_us;
    return true;
}

static bool read_tags(struct json_value value, struct arena *arena, struct entry *entry,
                      struct fault *fault)
{
    if (!expect(value, JSON_ARRAY, TEXT("tags"), fault))
        return false;
    struct text *tags = arena_new(arena, SUBJECT_MAX_TAGS * sizeof(*tags));
    size_t count = 0;
    struct json_walk walk = json_walk(value);
    struct text name;
    struct json_value tag;
    while (json_next(&walk, &name, &tag)) {
        if (count == SUBJECT_MAX_TAGS)
            return fault_set(fault, "more than %d tags", SUBJECT_MAX_TAGS);
        if (!read_text(tag, TEXT("tags"), arena, &tags[count++], fault))
            return false;
    }
    entry->tags = tags;
    entry->tag_count = count;
    return true;
}

static bool read_unit(struct text name, enum unit *unit)
{
    for (int i = 0; i < UNIT_COUNT; i++)
        if (text_equal(name, text_of(unit_name((enum unit)i)))) {
            *unit = (enum unit)i;
            return true;
        }
    return false;
}

static bool read_account_id(struct text hex, uint64_t *account)
{
    uint8_t id[sizeof(*account)];
    if (!hash_from_hex(hex, id, sizeof(id)))
        return false;
    *account = 0;
    for (size_t i = 0; i < sizeof(id); i++)
        *account = *account << 8 | id[i];
    return true;
}

/* The members of a charge that are named by short words. */
static bool read_charge_names(struct json_value object, struct arena *arena, struct charge *charge)
{
    struct json_value value;
    if (!json_member(object, TEXT("scope"), &value) || value.kind != JSON_STRING ||
        !scope_parse(json_string(arena, value), &charge->scope))
        return false;
    if (!json_member(object, TEXT("unit"), &value) || value.kind != JSON_STRING ||
        !read_unit(json_string(arena, value), &charge->unit))
        return false;
    if (!json_member(object, TEXT("account"), &value) || value.kind != JSON_STRING ||
        !read_account_id(json_string(arena, value), &charge->account))
        return false;
    if (!json_member(object, TEXT("window"), &value) || value.kind != JSON_STRING)
        return false;
    struct text window = json_string(arena, value);
    if (window.size >= sizeof(charge->window))
        return false;
    if (window.size > 0)
        memcpy(charge->window, window.at, window.size);
    return true;
}

static bool read_charge_rest(struct json_value object, struct arena *arena, struct charge *charge)
{
    struct json_value value;
    if (!json_member(object, TEXT("budget"), &value) || value.kind != JSON_STRING)
        return false;
    charge->budget = json_string(arena, value);
    if (!json_member(object, TEXT("id"), &value) || value.kind != JSON_STRING)
        return false;
    charge->id = json_string(arena, value);
    if (!json_member(object, TEXT("amount"), &value) || value.kind != JSON_NUMBER ||
        !json_int(value, &charge->amount))
        return false;
    if (json_member(object, TEXT("overdraft"), &value) &&
        (!json_int(value, &charge->overdraft) || charge->overdraft < 0))
        return false;
    if (json_member(object, TEXT("since"), &value) &&
        (!json_int(value, &charge->since_s) || charge->since_s < 0))
        return false;
    if (!json_member(object, TEXT("until"), &value))
        return false;
    charge->until_s = WINDOW_FOREVER;
    return value.kind == JSON_NULL ||
           (value.kind == JSON_NUMBER && json_int(value, &charge->until_s));
}

bool entry_read_charge(struct json_value object, struct arena *arena, struct charge *charge,
                       struct fault *fault)
{
    struct charge read = {0};
    if (!read_charge_names(object, arena, &read) || !read_charge_rest(object, arena, &read))
        return fault_set(fault, "an account without a proper budget, scope, id, unit, window, "
                                "account, amount and until");
    *charge = read;
    return true;
}

static bool read_charges(struct json_value value, struct arena *arena, struct entry *entry,
                         struct fault *fault)
{
    if (!expect(value, JSON_ARRAY, TEXT("accounts"), fault))
        return false;
    size_t count = 0;
    struct json_walk walk = json_walk(value);
    struct text name;
    struct json_value element;
    while (json_next(&walk, &name, &element))
        count++;
    if (count > CHARGE_MOST)
        return fault_set(fault, "more than %d accounts", CHARGE_MOST);

    struct charge *charges = arena_new(arena, count * sizeof(*charges));
    walk = json_walk(value);
    for (size_t i = 0; i < count && json_next(&walk, &name, &element); i++)
        if (!entry_read_charge(element, arena, &charges[i], fault))
            return false;
    entry->charges = charges;
    entry->charge_count = count;
    return true;
}

static bool read_saving(struct json_value value, struct text name, struct money *saved,
                        struct fault *fault)
{
    struct money read = MONEY_ZERO;
    if (!read_nano(value, name, &read, fault))
        return false;
    if (read.nano < 0)
        return fault_set(fault, "what \"%.*s\" saved is below zero", TEXT_ARG(name));
    *saved = read;
    return true;
}

/* Causes that a later version may know are passed over. */
static bool read_saved(struct json_value value, struct entry *entry, struct fault *fault)
{
    if (!expect(value, JSON_OBJECT, TEXT("saved_nano_usd"), fault))
        return false;
    unsigned seen = 0;
    struct json_walk walk = json_walk(value);
    struct text name;
    struct json_value amount;
    while (json_next(&walk, &name, &amount)) {
        int cause = 0;
        while (cause < SAVING_COUNT && !text_equal(name, saving_name((enum saving)cause)))
            cause++;
        if (cause == SAVING_COUNT)
            continue;
        if (seen & 1u << cause)
            return fault_set(fault, "what \"%.*s\" saved stands twice", TEXT_ARG(name));
        seen |= 1u << cause;
        if (!read_saving(amount, name, &entry->saved[cause], fault))
            return false;
    }
    return true;
}

static struct text member_name(const struct entry_member *member)
{
    return text_slice(member->label, 2, member->label.size - 2);
}

static bool read_member(const struct entry_member *member, struct json_value value,
                        struct arena *arena, struct entry *entry, struct fault *fault)
{
    struct text name = member_name(member);
    void *field = entry_field_in(entry, member);
    switch (member->form) {
    case FORM_STAMP:
        return read_stamp(value, field, fault);
    case FORM_KIND:
        return read_kind(value, &entry->kind, fault);
    case FORM_TEXT:
    case FORM_GIVEN_TEXT:
        return read_text(value, name, arena, field, fault);
    case FORM_COUNT:
    case FORM_GIVEN_COUNT:
    case FORM_MS:
        return read_tokens(value, name, field, fault);
    case FORM_SMALL:
        return read_small(value, name, field, fault);
    case FORM_COST:
    case FORM_HOLD:
        return read_nano(value, name, field, fault);
    case FORM_TAGS:
        return read_tags(value, arena, entry, fault);
    case FORM_SOURCE:
        return read_source(value, &entry->usage_source, fault);
    case FORM_CHARGES:
        return read_charges(value, arena, entry, fault);
    case FORM_SAVED:
        return read_saved(value, entry, fault);
    case FORM_TOTAL:
    case FORM_DOLLARS:
    case FORM_NODE:
        break;
    }
    return true;
}

/* Our own lines have their members in the table's order, so the search begins behind the last. */
static size_t member_find(struct text name, size_t from)
{
    for (size_t i = 0; i < ENTRY_MEMBER_COUNT; i++) {
        size_t at = (from + i) % ENTRY_MEMBER_COUNT;
        if (text_equal(member_name(&entry_members[at]), name))
            return at;
    }
    return ENTRY_MEMBER_COUNT;
}

static bool is_consistent(const struct entry *entry)
{
    return entry_books(entry) ||
           (entry->cost.nano == 0 && entry->prompt_tokens + entry->completion_tokens == 0 &&
            !entry_saves(entry));
}

static bool read_members(struct json_value line, struct arena *arena, struct entry *entry,
                         struct fault *fault)
{
    uint64_t seen = 0;
    size_t next = 0;
    struct json_walk walk = json_walk(line);
    struct text name;
    struct json_value value;
    while (json_next(&walk, &name, &value)) {
        size_t at = member_find(name, next);
        if (at == ENTRY_MEMBER_COUNT)
            continue;
        next = at + 1;
        if (seen & UINT64_C(1) << at)
            return fault_set(fault, "the member \"%.*s\" stands twice", TEXT_ARG(name));
        seen |= UINT64_C(1) << at;
        if (!read_member(&entry_members[at], value, arena, entry, fault))
            return false;
    }
    for (size_t i = 0; i < ENTRY_GIVEN_COUNT; i++)
        if (!(seen & UINT64_C(1) << i))
            return fault_set(fault, "the member \"%.*s\" is missing",
                             TEXT_ARG(member_name(&entry_members[i])));
    return true;
}

bool entry_read(struct text line, struct arena *arena, struct entry *entry, struct fault *fault)
{
    struct json_value value;
    if (json_parse(line, &value, NULL) != JSON_OK || value.kind != JSON_OBJECT)
        return fault_set(fault, "it is no JSON object");
    struct entry read = {.ttft_ms = -1, .duration_ms = -1};
    if (!read_members(value, arena, &read, fault))
        return false;
    if (!is_consistent(&read))
        return fault_set(fault, "a line of kind \"%s\" books a cost, tokens or savings",
                         entry_kind_name(read.kind));
    *entry = read;
    return true;
}
