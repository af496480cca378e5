/*
 * Reading JSON without building anything: json_parse validates a whole text in one pass, the walk
 * then hands out byte ranges of what was validated.
 *
 * The validator is a loop over a stack of bits (which of the open containers are objects), not a
 * recursion: its memory is the same for any input.
 */
#include "base/json.h"
#include "base/json_run.h"
#include "base/utf8.h"

struct scan {
    const char *at;
    const char *end;
    size_t depth;                          /* open containers */
    uint64_t objects[JSON_MAX_DEPTH / 64]; /* bit d: the container of level d is an object */
    enum json_error error;
};

/* What the scanner does next. */
enum step {
    STEP_VALUE,  /* a value must begin */
    STEP_AFTER,  /* a value has ended */
    STEP_DONE,   /* the outermost value has ended */
    STEP_FAILED, /* scan->error says why, scan->at where */
};

static enum step fail(struct scan *scan, enum json_error error)
{
    scan->error = error;
    return STEP_FAILED;
}

static inline bool is_white(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

static inline bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static inline const char *skip_white(const char *at, const char *end)
{
    while (at < end && is_white(*at))
        at++;
    return at;
}

/* True if the next byte is `byte`; then it is passed. */
static inline bool take(struct scan *scan, char byte)
{
    if (scan->at == scan->end || *scan->at != byte)
        return false;
    scan->at++;
    return true;
}

/* ---- strings ---- */

static bool is_hex(char byte)
{
    char small = (char)(byte | 0x20);
    return is_digit(byte) || (small >= 'a' && small <= 'f');
}

static bool scan_hex4(struct scan *scan)
{
    for (int i = 0; i < 4; i++, scan->at++)
        if (scan->at == scan->end || !is_hex(*scan->at))
            return false;
    return true;
}

/* At the backslash. */
static bool scan_escape(struct scan *scan)
{
    scan->at++;
    if (take(scan, 'u'))
        return scan_hex4(scan);
    if (scan->at == scan->end || *scan->at == '\0' || strchr("\"\\/bfnrt", *scan->at) == NULL)
        return false;
    scan->at++;
    return true;
}

/* At a byte that is not ASCII. */
static enum json_error scan_wide(struct scan *scan)
{
    struct text rest = text_make(scan->at, (size_t)(scan->end - scan->at));
    size_t run = utf8_run(rest);
    if (run == 0 && utf8_size(rest) == UTF8_MALFORMED)
        return JSON_ENCODING;
    scan->at = run == 0 ? scan->end : scan->at + run;
    return run == 0 ? JSON_SYNTAX : JSON_OK;
}

/* At the byte that ended a run: a quote aside, anything that needs a closer look. */
static enum json_error scan_special(struct scan *scan)
{
    if (*scan->at == '\\')
        return scan_escape(scan) ? JSON_OK : JSON_SYNTAX;
    if ((unsigned char)*scan->at < 0x20)
        return JSON_ENCODING;
    return scan_wide(scan);
}

/* Behind the opening quote. */
static enum step scan_string(struct scan *scan)
{
    for (;;) {
        scan->at += json_run(scan->at, scan->end, true);
        if (scan->at == scan->end)
            return fail(scan, JSON_SYNTAX);
        if (take(scan, '"'))
            return STEP_AFTER;
        enum json_error error = scan_special(scan);
        if (error != JSON_OK)
            return fail(scan, error);
    }
}

/* ---- numbers and words ---- */

static bool scan_digits(struct scan *scan)
{
    const char *start = scan->at;
    while (scan->at < scan->end && is_digit(*scan->at))
        scan->at++;
    return scan->at > start;
}

static enum step scan_number(struct scan *scan)
{
    (void)take(scan, '-');
    if (!take(scan, '0') && !scan_digits(scan))
        return fail(scan, JSON_SYNTAX);
    if (take(scan, '.') && !scan_digits(scan))
        return fail(scan, JSON_SYNTAX);
    if (take(scan, 'e') || take(scan, 'E')) {
        if (!take(scan, '+'))
            (void)take(scan, '-');
        if (!scan_digits(scan))
            return fail(scan, JSON_SYNTAX);
    }
    return STEP_AFTER;
}

static enum step scan_word(struct scan *scan, const char *word)
{
    for (; *word != '\0'; word++)
        if (!take(scan, *word))
            return fail(scan, JSON_SYNTAX);
    return STEP_AFTER;
}

/* ---- containers ---- */

static inline bool in_object(const struct scan *scan)
{
    size_t level = scan->depth - 1;
    return (scan->objects[level / 64] >> (level % 64) & 1) != 0;
}

/* A member's name and its colon. */
static enum step scan_name(struct scan *scan)
{
    scan->at = skip_white(scan->at, scan->end);
    if (!take(scan, '"'))
        return fail(scan, JSON_SYNTAX);
    if (scan_string(scan) == STEP_FAILED)
        return STEP_FAILED;
    scan->at = skip_white(scan->at, scan->end);
    return take(scan, ':') ? STEP_VALUE : fail(scan, JSON_SYNTAX);
}

/* At the opening bracket. */
static enum step scan_open(struct scan *scan, bool object)
{
    if (scan->depth == JSON_MAX_DEPTH)
        return fail(scan, JSON_TOO_DEEP);
    uint64_t bit = UINT64_C(1) << (scan->depth % 64);
    uint64_t *word = &scan->objects[scan->depth / 64];
    *word = object ? *word | bit : *word & ~bit;
    scan->depth++;

    scan->at = skip_white(scan->at + 1, scan->end);
    if (take(scan, object ? '}' : ']')) {
        scan->depth--;
        return STEP_AFTER;
    }
    return object ? scan_name(scan) : STEP_VALUE;
}

static enum step scan_after(struct scan *scan)
{
    scan->at = skip_white(scan->at, scan->end);
    if (scan->depth == 0)
        return scan->at == scan->end ? STEP_DONE : fail(scan, JSON_SYNTAX);
    bool object = in_object(scan);
    if (take(scan, ','))
        return object ? scan_name(scan) : STEP_VALUE;
    if (!take(scan, object ? '}' : ']'))
        return fail(scan, JSON_SYNTAX);
    scan->depth--;
    return STEP_AFTER;
}

static enum step scan_value(struct scan *scan)
{
    scan->at = skip_white(scan->at, scan->end);
    switch (scan->at == scan->end ? '\0' : *scan->at) {
    case '"':
        scan->at++;
        return scan_string(scan);
    case '{':
        return scan_open(scan, true);
    case '[':
        return scan_open(scan, false);
    case 't':
        return scan_word(scan, "true");
    case 'f':
        return scan_word(scan, "false");
    case 'n':
        return scan_word(scan, "null");
    default:
        return scan_number(scan);
    }
}

/* Of a value that is known to be valid. */
static enum json_kind kind_of(char first)
{
    static const unsigned char kinds[256] = {
        ['n'] = JSON_NULL,   ['f'] = JSON_FALSE,          ['t'] = JSON_TRUE,  ['-'] = JSON_NUMBER,
        ['"'] = JSON_STRING, ['0' ... '9'] = JSON_NUMBER, ['['] = JSON_ARRAY, ['{'] = JSON_OBJECT,
    };
    return (enum json_kind)kinds[(unsigned char)first];
}

size_t json_string_size(struct text rest)
{
    struct scan scan = {.at = rest.at, .end = rest.at + rest.size};
    if (rest.size == 0 || !take(&scan, '"') || scan_string(&scan) == STEP_FAILED)
        return 0;
    return (size_t)(scan.at - rest.at);
}

enum json_error json_parse(struct text whole, struct json_value *value, size_t *where)
{
    if (whole.size == 0)
        whole = TEXT("");
    struct scan scan = {.at = whole.at, .end = whole.at + whole.size};
    enum step step = STEP_VALUE;
    while (step == STEP_VALUE || step == STEP_AFTER)
        step = step == STEP_VALUE ? scan_value(&scan) : scan_after(&scan);
    if (step == STEP_FAILED) {
        if (where != NULL)
            *where = (size_t)(scan.at - whole.at);
        return scan.error;
    }
    const char *start = skip_white(whole.at, scan.end);
    const char *end = scan.end;
    while (is_white(end[-1]))
        end--;
    *value = (struct json_value){kind_of(*start), text_make(start, (size_t)(end - start))};
    return JSON_OK;
}

/* ---- walking what was validated ----
 *
 * Nothing is validated again, but every step still looks where the text ends. */

/* From behind the opening quote to behind the closing one. */
static const char *pass_string(const char *at, const char *end)
{
    for (;;) {
        at += json_run(at, end, false);
        if (at == end)
            return end;
        if (*at == '"')
            return at + 1;
        at = end - at > 2 ? at + 2 : end;
    }
}

/* From the opening bracket to behind the one that closes it. */
static const char *pass_container(const char *at, const char *end)
{
    size_t depth = 0;
    while (at < end) {
        char byte = *at++;
        if (byte == '"') {
            at = pass_string(at, end);
            continue;
        }
        /* one bit tells [ from { and ] from } */
        char bracket = (char)(byte | 0x20);
        if (bracket == '{')
            depth++;
        else if (bracket == '}' && --depth == 0)
            return at;
    }
    return end;
}

static const char *pass_word(const char *at, const char *end)
{
    while (at < end && *at != ',' && *at != '}' && *at != ']' && !is_white(*at))
        at++;
    return at;
}

static const char *pass_value(const char *at, const char *end)
{
    if (*at == '"')
        return pass_string(at + 1, end);
    return *at == '{' || *at == '[' ? pass_container(at, end) : pass_word(at, end);
}

struct json_walk json_walk(struct json_value container)
{
    struct json_walk walk = {TEXT_NONE, container.kind == JSON_OBJECT};
    if ((walk.object || container.kind == JSON_ARRAY) && container.raw.size >= 2)
        walk.rest = text_slice(container.raw, 1, container.raw.size - 1);
    return walk;
}

/* The name of a member: from its quote to where its value begins. */
static const char *pass_name(const char *at, const char *end, struct text *name)
{
    const char *inside = at + 1;
    at = pass_string(inside, end);
    ASSERT(at > inside);
    *name = text_make(inside, (size_t)(at - inside) - 1);
    at = skip_white(at, end);
    return at == end ? end : skip_white(at + 1, end);
}

bool json_next(struct json_walk *walk, struct text *name, struct json_value *value)
{
    if (walk->rest.size == 0)
        return false;
    const char *end = walk->rest.at + walk->rest.size;
    const char *at = skip_white(walk->rest.at, end);
    struct text found = TEXT_NONE;
    if (walk->object && at < end)
        at = pass_name(at, end, &found);
    if (at == end)
        return false;

    const char *start = at;
    at = pass_value(at, end);
    if (name != NULL)
        *name = found;
    *value = (struct json_value){kind_of(*start), text_make(start, (size_t)(at - start))};
    at = skip_white(at, end);
    if (at < end)
        at++; /* the comma */
    walk->rest = text_make(at, (size_t)(end - at));
    return true;
}

bool json_member(struct json_value object, struct text name, struct json_value *value)
{
    if (object.kind != JSON_OBJECT)
        return false;
    struct json_walk walk = json_walk(object);
    struct text found;
    struct json_value candidate;
    while (json_next(&walk, &found, &candidate))
        if (json_name_equal(found, name)) {
            *value = candidate;
            return true;
        }
    return false;
}
