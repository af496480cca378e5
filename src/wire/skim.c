/* Going through validated JSON in one pass: see wire/skim.h. */
#include "wire/skim.h"

#include "wire/find.h"

struct skim skim_begin(struct json_value value)
{
    return (struct skim){value.raw.at, value.raw.at + value.raw.size};
}

static bool is_white(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

static void pass_white(struct skim *skim)
{
    while (skim->at < skim->end && is_white(*skim->at)) {
        skim->at++;
    }
}

/* True if the byte at `at` has an odd number of backslashes before it. */
static bool is_escaped(struct text string, size_t at)
{
    size_t before = at;

    while (string.at[before - 1] == '\\') { /* the opening quote ends it at the latest */
        before--;
    }
    return (at - before) % 2 == 1;
}

/* At the opening quote. Only quotes are looked at: most escapes are line ends. */
static void pass_string(struct skim *skim)
{
    struct text rest = text_make(skim->at, (size_t)(skim->end - skim->at));
    size_t at = find_either(rest, 1, '"', '"');

    while (at < rest.size && is_escaped(rest, at)) {
        at = find_either(rest, at + 1, '"', '"');
    }
    ASSERT(at < rest.size);
    skim->at += at + 1;
}

static void pass_scalar(struct skim *skim)
{
    while (skim->at < skim->end && *skim->at != ',' && (*skim->at | 0x20) != '}' &&
           !is_white(*skim->at)) {
        skim->at++;
    }
}

static void pass_container(struct skim *skim)
{
    size_t depth = 0;

    do {
        char bracket = (char)(*skim->at | 0x20); /* one bit tells [ from { and ] from } */
        if (*skim->at == '"') {
            pass_string(skim);
            continue;
        }
        if (bracket == '{') {
            depth++;
        } else if (bracket == '}') {
            depth--;
        }
        skim->at++;
    } while (depth > 0);
}

enum json_kind skim_peek(const struct skim *skim)
{
    ASSERT(skim->at < skim->end);
    switch (*skim->at) {
    case '"':
        return JSON_STRING;
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case 't':
        return JSON_TRUE;
    case 'f':
        return JSON_FALSE;
    case 'n':
        return JSON_NULL;
    default:
        return JSON_NUMBER;
    }
}

struct json_value skim_value(struct skim *skim)
{
    enum json_kind kind = skim_peek(skim);
    const char *start = skim->at;

    if (kind == JSON_STRING) {
        pass_string(skim);
    } else if (kind == JSON_OBJECT || kind == JSON_ARRAY) {
        pass_container(skim);
    } else {
        pass_scalar(skim);
    }
    return (struct json_value){kind, text_make(start, (size_t)(skim->at - start))};
}

void skim_enter(struct skim *skim)
{
    ASSERT(skim->at < skim->end);
    skim->at++;
}

bool skim_element(struct skim *skim)
{
    pass_white(skim);
    ASSERT(skim->at < skim->end);
    if (*skim->at == ',') {
        skim->at++;
        pass_white(skim);
        return true;
    }
    if (*skim->at == ']' || *skim->at == '}') {
        skim->at++;
        return false;
    }
    return true;
}

bool skim_member(struct skim *skim, struct text *name)
{
    if (!skim_element(skim)) {
        return false;
    }
    const char *start = skim->at + 1;
    pass_string(skim);
    *name = text_make(start, (size_t)(skim->at - start) - 1);
    pass_white(skim);
    skim->at++; /* the colon */
    pass_white(skim);
    return true;
}

/* ---- counting ---- */

struct count {
    struct text name;                  /* whose members count */
    size_t depth;                      /* open containers */
    bool counting[JSON_MAX_DEPTH + 1]; /* by depth: an object of that name */
    bool named;                        /* the member whose value comes next is called so */
    int64_t members;
};

static void count_string(struct skim *skim, struct count *count)
{
    const char *start = skim->at + 1;

    pass_string(skim);
    struct text inside = text_make(start, (size_t)(skim->at - start) - 1);
    pass_white(skim);
    if (skim->at < skim->end && *skim->at == ':') {
        count->members += count->counting[count->depth] ? 1 : 0;
        count->named = json_name_equal(inside, count->name);
    }
}

static void count_bracket(struct skim *skim, struct count *count)
{
    char bracket = *skim->at++;

    if (bracket == ']' || bracket == '}') {
        ASSERT(count->depth > 0);
        count->depth--;
        return;
    }
    ASSERT(count->depth < JSON_MAX_DEPTH);
    count->depth++;
    count->counting[count->depth] = bracket == '{' && count->named;
    count->named = false;
}

int64_t skim_count_members_of(struct json_value value, struct text name)
{
    struct skim skim = skim_begin(value);
    struct count count = {.name = name};

    while (skim.at < skim.end) {
        char bracket = (char)(*skim.at | 0x20);
        if (*skim.at == '"') {
            count_string(&skim, &count);
        } else if (bracket == '{' || bracket == '}') {
            count_bracket(&skim, &count);
        } else {
            skim.at++;
        }
    }
    return count.members;
}
