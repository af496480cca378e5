/* Finding the usage and the model of a whole answer while its bytes pass by: see wire/usage.h. */
#include "wire/find.h"
#include "wire/usage.h"

#define NAME_MOST 64 /* longer than any name looked for with all its letters escaped */

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

enum member { MEMBER_OTHER, MEMBER_USAGE, MEMBER_MODEL, MEMBER_ERROR };

static bool is_white(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

static void keep(struct answer_scan *scan, struct text bytes)
{
    struct buffer *kept = scan->member == MEMBER_USAGE ? &scan->usage_raw : &scan->model_raw;

    if (scan->member != MEMBER_USAGE && scan->member != MEMBER_MODEL) {
        return;
    }
    buffer_put(kept, text_slice(bytes, 0, ANSWER_MOST_KEPT - kept->size));
}

/* The white space between the value and the comma is none of it. */
static void trim(struct buffer *kept)
{
    while (kept->size > 0 && is_white(kept->at[kept->size - 1])) {
        kept->size--;
    }
}

static enum member member_called(const struct answer_scan *scan)
{
    struct text name = buffer_text(&scan->name);

    if (json_name_equal(name, TEXT("usage")) && scan->usage_raw.size == 0) {
        return MEMBER_USAGE;
    }
    if (json_name_equal(name, TEXT("model")) && scan->model_raw.size == 0) {
        return MEMBER_MODEL;
    }
    return json_name_equal(name, TEXT("error")) ? MEMBER_ERROR : MEMBER_OTHER;
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

enum usage_result answer_scan_usage(const struct answer_scan *scan, struct usage *usage)
{
    struct json_value value;

    if (scan->usage_raw.size == 0) {
        return USAGE_ABSENT;
    }
    if (json_parse(buffer_text(&scan->usage_raw), &value, NULL) != JSON_OK) {
        return USAGE_INVALID;
    }
    return usage_read(value, usage);
}

void answer_scan_close(struct answer_scan *scan)
{
    buffer_close(&scan->usage_raw);
    buffer_close(&scan->model_raw);
    buffer_close(&scan->name);
    *scan = (struct answer_scan){0};
}

enum usage_result answer_read(struct text whole, struct usage *usage, bool *is_error)
{
    struct json_value answer, value;
    struct text name;
    bool seen = false;
    enum usage_result result = USAGE_ABSENT;
    *is_error = false;
    if (json_parse(whole, &answer, NULL) != JSON_OK)
        return USAGE_ABSENT;
    struct json_walk walk = json_walk(answer);
    while (json_next(&walk, &name, &value)) {
        if (json_name_equal(name, TEXT("error")))
            *is_error = *is_error || value.kind != JSON_NULL;
        if (seen || !json_name_equal(name, TEXT("usage")))
            continue;
        seen = true;
        result = usage_read(value, usage);
    }
    return result;
}
