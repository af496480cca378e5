/* Finding the usage and the model of a whole answer while its bytes pass by: see wire/usage.h. */
#include "wire/find.h"
#include "wire/usage.h"

#define NAME_MOST 80 /* longer than any name looked for with all its letters escaped */

enum state {
    STATE_START,  /* before the first byte of the answer */
    STATE_MEMBER, /* in the outermost object, before a name */
    STATE_NAME,   /* in a name */
    STATE_COLON,  /* behind a name */
    STATE_BEGIN,  /* behind the colon, before the value's first byte */
    STATE_VALUE,  /* in a value, outside strings */
    STATE_STRING, /* in a string of a value */
    STATE_END,    /* behind the outermost object, or there is none */
};

enum member { MEMBER_OTHER, MEMBER_USAGE, MEMBER_MODEL, MEMBER_TIER, MEMBER_ID, MEMBER_ERROR };

static bool is_white(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

/* Where the member's value is kept; NULL: nowhere. */
static struct buffer *place_of(struct answer_scan *scan, enum member member)
{
    switch (member) {
    case MEMBER_USAGE:
        return &scan->usage_raw;
    case MEMBER_MODEL:
        return &scan->model_raw;
    case MEMBER_TIER:
        return &scan->tier_raw;
    case MEMBER_ID:
        return &scan->id_raw;
    default:
        return NULL;
    }
}

static void keep(struct answer_scan *scan, struct text bytes)
{
    struct buffer *kept = place_of(scan, (enum member)scan->member);

    if (kept != NULL) {
        buffer_put(kept, text_slice(bytes, 0, ANSWER_MOST_KEPT - kept->size));
    }
}

/* The white space between the value and the comma is none of it. */
static void trim(struct buffer *kept)
{
    while (kept->size > 0 && is_white(kept->at[kept->size - 1])) {
        kept->size--;
    }
}

static enum member member_called(struct answer_scan *scan)
{
    static const struct {
        struct text name;
        enum member member;
    } names[] = {
        {TEXT("usage"), MEMBER_USAGE},       {TEXT("model"), MEMBER_MODEL},
        {TEXT("service_tier"), MEMBER_TIER}, {TEXT("id"), MEMBER_ID},
        {TEXT("error"), MEMBER_ERROR},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (json_name_equal(buffer_text(&scan->name), names[i].name)) {
            const struct buffer *kept = place_of(scan, names[i].member);
            return kept == NULL || kept->size == 0 ? names[i].member : MEMBER_OTHER;
        }
    }
    return MEMBER_OTHER;
}

/* Passes what is inside a string; returns how much, the closing quote included if it came. */
static size_t pass_string(struct answer_scan *scan, struct text rest, bool *closed)
{
    size_t at = 0;

    *closed = false;
    while (at < rest.size && !*closed) {
        if (scan->escaped) {
            scan->escaped = false;
            at++;
            continue;
        }
        at = find_either(rest, at, '"', '\\');
        if (at < rest.size) {
            *closed = rest.at[at] == '"';
            scan->escaped = !*closed;
            at++;
        }
    }
    return at;
}

/* ---- one function per state: takes bytes or changes the state; returns how many ---- */

static size_t in_start(struct answer_scan *scan, struct text rest)
{
    if (!is_white(rest.at[0])) {
        scan->state = rest.at[0] == '{' ? STATE_MEMBER : STATE_END;
    }
    return 1;
}

static size_t in_member(struct answer_scan *scan, struct text rest)
{
    if (rest.at[0] == '"') {
        buffer_clear(&scan->name);
        scan->state = STATE_NAME;
    } else if (rest.at[0] == '}') {
        scan->state = STATE_END;
    }
    return 1;
}

static size_t in_name(struct answer_scan *scan, struct text rest)
{
    bool closed;
    size_t passed = pass_string(scan, rest, &closed);
    struct text inside = text_slice(rest, 0, closed ? passed - 1 : passed);

    buffer_put(&scan->name, text_slice(inside, 0, NAME_MOST - scan->name.size));
    if (closed) {
        scan->member = (int)member_called(scan);
        scan->state = STATE_COLON;
    }
    return passed;
}

static size_t in_colon(struct answer_scan *scan, struct text rest)
{
    if (rest.at[0] == ':') {
        scan->state = STATE_BEGIN;
    }
    return 1;
}

static size_t in_begin(struct answer_scan *scan, struct text rest)
{
    if (is_white(rest.at[0])) {
        return 1;
    }
    if (scan->member == MEMBER_ERROR && rest.at[0] != 'n') {
        scan->is_error = true;
    }
    scan->depth = 0;
    scan->state = STATE_VALUE;
    return 0;
}

static void at_value_byte(struct answer_scan *scan, char byte)
{
    if (byte == '"') {
        scan->state = STATE_STRING;
    } else if (byte == '{' || byte == '[') {
        scan->depth++;
    } else if (scan->depth > 0) {
        scan->depth--;
    } else {
        scan->state = byte == ',' ? STATE_MEMBER : STATE_END;
    }
}

static size_t in_value(struct answer_scan *scan, struct text rest)
{
    /* a comma means something outside all containers only */
    static const unsigned char means[256] = {
        ['"'] = 3, ['{'] = 3, ['}'] = 3, ['['] = 3, [']'] = 3, [','] = 1};
    unsigned char wanted = scan->depth == 0 ? 1 : 2;
    size_t at = 0;

    while (at < rest.size && (means[(unsigned char)rest.at[at]] & wanted) == 0) {
        at++;
    }
    if (at < rest.size) {
        at_value_byte(scan, rest.at[at]);
        at++;
    }
    bool ended = scan->state == STATE_MEMBER || scan->state == STATE_END;
    keep(scan, text_slice(rest, 0, ended ? at - 1 : at));
    if (ended) {
        trim(&scan->usage_raw);
        trim(&scan->model_raw);
        trim(&scan->tier_raw);
        trim(&scan->id_raw);
    }
    return at;
}

static size_t in_string(struct answer_scan *scan, struct text rest)
{
    bool closed;
    size_t passed = pass_string(scan, rest, &closed);

    keep(scan, text_slice(rest, 0, passed));
    if (closed) {
        scan->state = STATE_VALUE;
    }
    return passed;
}

static size_t in_end(struct answer_scan *scan, struct text rest)
{
    (void)scan;
    return rest.size;
}

void answer_scan_feed(struct answer_scan *scan, struct text piece)
{
    static size_t (*const steps[])(struct answer_scan *, struct text) = {
        [STATE_START] = in_start,   [STATE_MEMBER] = in_member, [STATE_NAME] = in_name,
        [STATE_COLON] = in_colon,   [STATE_BEGIN] = in_begin,   [STATE_VALUE] = in_value,
        [STATE_STRING] = in_string, [STATE_END] = in_end,
    };

    while (piece.size > 0) {
        piece = text_from(piece, steps[scan->state](scan, piece));
    }
}

static struct text inside_of_kept(const struct buffer *kept)
{
    struct json_value value;
    bool good = kept->size > 0 && json_parse(buffer_text(kept), &value, NULL) == JSON_OK;

    return good ? json_inside(value) : TEXT_NONE;
}

static void take_usage(struct json_value usage, struct answer_report *answer)
{
    struct json_value tier;

    answer->usage_result = usage_read(usage, &answer->usage);
    if (answer->service_tier.at == NULL && json_member(usage, TEXT("service_tier"), &tier)) {
        answer->service_tier = json_inside(tier); /* Messages */
    }
}

void answer_scan_read(const struct answer_scan *scan, struct answer_report *answer)
{
    struct json_value value;

    *answer = (struct answer_report){.usage_result = USAGE_ABSENT, .is_error = scan->is_error};
    answer->service_tier = inside_of_kept(&scan->tier_raw);
    answer->id = inside_of_kept(&scan->id_raw);
    if (scan->usage_raw.size == 0) {
        return;
    }
    answer->usage_result = USAGE_INVALID;
    if (json_parse(buffer_text(&scan->usage_raw), &value, NULL) == JSON_OK) {
        take_usage(value, answer);
    }
}

void answer_scan_close(struct answer_scan *scan)
{
    buffer_close(&scan->usage_raw);
    buffer_close(&scan->model_raw);
    buffer_close(&scan->tier_raw);
    buffer_close(&scan->id_raw);
    buffer_close(&scan->name);
    *scan = (struct answer_scan){0};
}

void answer_read(struct text whole, struct answer_report *answer)
{
    struct json_value parsed, value, usage = {0}, tier = {0}, output = {0}, id = {0};
    struct text name;

    *answer = (struct answer_report){.usage_result = USAGE_ABSENT};
    if (json_parse(whole, &parsed, NULL) != JSON_OK) {
        return;
    }
    struct json_walk walk = json_walk(parsed);
    while (json_next(&walk, &name, &value)) {
        if (json_name_equal(name, TEXT("error"))) {
            answer->is_error = answer->is_error || value.kind != JSON_NULL;
        } else if (usage.raw.at == NULL && json_name_equal(name, TEXT("usage"))) {
            usage = value;
        } else if (id.raw.at == NULL && json_name_equal(name, TEXT("id"))) {
            id = value;
        } else if (output.raw.at == NULL && json_name_equal(name, TEXT("output"))) {
            output = value;
        } else if (tier.raw.at == NULL && json_name_equal(name, TEXT("service_tier"))) {
            tier = value;
        }
    }
    answer->service_tier = json_inside(tier);
    answer->id = json_inside(id);
    if (usage.raw.at != NULL) {
        take_usage(usage, answer);
    }
    if (answer->usage_result == USAGE_FOUND && output.raw.at != NULL) {
        usage_count_searches(&answer->usage, output);
    }
}
