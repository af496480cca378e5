/* Reading a request body: one walk over its top level. See wire/body.h and wire/body_reader.h. */
#include "wire/body.h"

#include <stdarg.h>
#include <stdio.h>

#include "wire/body_reader.h"

#define PRIMING 3 /* tokens that begin the answer and count as input; wire/body.h */

/* ---- common to all readers ---- */

bool body_refuse(struct body_reader *reader, const char *code, struct text param,
                 const char *format, ...)
{
    struct body_error *error = reader->error;
    va_list arguments;

    *error = (struct body_error){.status = 400, .code = code, .param = param};
    va_start(arguments, format);
    (void)vsnprintf(error->message, sizeof(error->message), format, arguments);
    va_end(arguments);
    return false;
}

void body_note_unbounded(struct body_reader *reader, const struct member *member)
{
    if (reader->body.unbounded_param.at == NULL) {
        reader->body.unbounded_param = member->name;
        reader->body.unbounded_why = member->why;
    }
}

/* The letter that some parser takes the character at `plain` for, and the character's size. Go's
 * encoding/json folds two letters beyond ASCII: the long s (U+017F) and the Kelvin sign (U+212A).
 */
static char fold_letter(struct text plain, size_t *size)
{
    char first = plain.at[0];

    *size = 1;
    if ((unsigned char)first < 0x80) {
        return (char)(first >= 'A' && first <= 'Z' ? first | 0x20 : first);
    }
    if (text_starts(plain, TEXT("\xC5\xBF"))) {
        *size = 2;
        return 's';
    }
    if (text_starts(plain, TEXT("\xE2\x84\xAA"))) {
        *size = 3;
        return 'k';
    }
    return first;
}

struct text body_fold_name(struct body_reader *reader, struct text raw_name)
{
    struct json_value string = {JSON_STRING, text_make(raw_name.at - 1, raw_name.size + 2)};
    size_t size = 0;

    if (raw_name.size > 6 * BODY_MOST_NAME) {
        return TEXT("");
    }
    struct text plain = json_string(reader->arena, string);
    while (plain.size > 0) {
        size_t taken;
        if (size == BODY_MOST_NAME) {
            return TEXT("");
        }
        reader->folded[size++] = fold_letter(plain, &taken);
        plain = text_from(plain, taken);
    }
    return text_make(reader->folded, size);
}

bool body_name_is(struct body_reader *reader, struct text raw_name, struct text plain)
{
    if (raw_name.size <= plain.size) {
        return text_equal_nocase(raw_name, plain);
    }
    return text_equal(body_fold_name(reader, raw_name), plain);
}

bool body_read_flag(struct body_reader *reader, struct text param, struct json_value value,
                    bool *flag)
{
    if (value.kind == JSON_NULL) {
        return true;
    }
    if (value.kind != JSON_TRUE && value.kind != JSON_FALSE) {
        return body_refuse(reader, "invalid_type", param, "'%.*s' must be true or false.",
                           TEXT_ARG(param));
    }
    *flag = value.kind == JSON_TRUE;
    return true;
}

/* ---- types ---- */

/* "a string or an array", for the kinds a row allows. */
static void name_kinds(unsigned kinds, char *out, size_t room)
{
    static const char *const names[] = {
        [JSON_NULL] = "null",        [JSON_FALSE] = "true or false", [JSON_TRUE] = NULL,
        [JSON_NUMBER] = "a number",  [JSON_STRING] = "a string",     [JSON_ARRAY] = "an array",
        [JSON_OBJECT] = "an object",
    };
    size_t size = 0;

    out[0] = '\0';
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if ((kinds >> i & 1) != 0 && names[i] != NULL && size < room) {
            int put = snprintf(out + size, room - size, "%s%s", size == 0 ? "" : " or ", names[i]);
            size += (size_t)put;
        }
    }
}

static bool refuse_kind(struct body_reader *reader, const struct member *member)
{
    char kinds[64];

    name_kinds(member->kinds, kinds, sizeof(kinds));
    return body_refuse(reader, "invalid_type", member->name, "'%.*s' must be %s.",
                       TEXT_ARG(member->name), kinds);
}

static bool refuse_missing(struct body_reader *reader, const struct member *member)
{
    return body_refuse(reader, "missing_member", member->name, "'%.*s' is missing.",
                       TEXT_ARG(member->name));
}

/* ---- the walk ---- */

static bool read_value(struct body_reader *reader, const struct member *member)
{
    enum json_kind kind = skim_peek(&reader->skim);

    if (kind != JSON_NULL && (member->kinds >> kind & 1) == 0) {
        return refuse_kind(reader, member);
    }
    if (kind != JSON_NULL && member->go_through != NULL) {
        return member->go_through(reader, member);
    }
    struct json_value value = skim_value(&reader->skim);
    if (member->raw != 0) {
        *(struct text *)(void *)((char *)reader + member->raw) = value.raw;
    }
    if (kind == JSON_NULL) {
        return !member->required || refuse_missing(reader, member);
    }
    return member->read(reader, member, value);
}

static bool read_member(struct body_reader *reader, struct text raw_name)
{
    unsigned row;
    bool exact;
    const struct member *member = member_find(reader, raw_name, &exact, &row);

    if (member == NULL) {
        (void)skim_value(&reader->skim);
        return true;
    }
    if (!exact) {
        return body_refuse(reader, "misspelt_member", member->name,
                           "'%.*s' must be written '%.*s': some providers ignore upper and "
                           "lower case.",
                           TEXT_ARG(raw_name), TEXT_ARG(member->name));
    }
    if ((reader->seen >> row & 1) != 0) {
        return body_refuse(reader, "duplicate_member", member->name,
                           "'%.*s' stands twice in the request; send it once.",
                           TEXT_ARG(member->name));
    }
    reader->seen |= UINT64_C(1) << row;
    return read_value(reader, member);
}

static bool read_members(struct body_reader *reader, struct json_value whole)
{
    struct text name;

    reader->skim = skim_begin(whole);
    skim_enter(&reader->skim);
    while (skim_member(&reader->skim, &name)) {
        if (!read_member(reader, name)) {
            return false;
        }
    }
    return true;
}

static bool parse(struct body_reader *reader, struct json_value *whole)
{
    static const char *const faults[] = {
        [JSON_SYNTAX] = "is not valid JSON: it goes wrong",
        [JSON_ENCODING] = "is not valid JSON: there is malformed UTF-8 or a control character",
        [JSON_TOO_DEEP] = "is nested too deeply",
    };
    size_t where = 0;
    enum json_error fault = json_parse(reader->body.raw, whole, &where);

    if (fault != JSON_OK) {
        return body_refuse(reader, "invalid_json", TEXT_NONE, "The request body %s at byte %zu.",
                           faults[fault], where);
    }
    if (whole->kind != JSON_OBJECT) {
        return body_refuse(reader, "invalid_json", TEXT_NONE,
                           "The request body must be a JSON object.");
    }
    return true;
}

static bool check_complete(struct body_reader *reader)
{
    const struct member *missing = member_missing(reader);

    return missing == NULL || refuse_missing(reader, missing);
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void add_up(struct body_reader *reader)
{
    struct body *body = &reader->body;

    body->max_output = larger(larger(reader->max_tokens, reader->max_completion_tokens),
                              reader->max_output_tokens);
    if (body->endpoint == ENDPOINT_RESPONSES) {
        body->kept_by_provider = body->kept_by_provider || !body->not_stored;
    }
    if (body->background && body->stream && body->unbounded_param.size == 0) {
        body->unbounded_param = TEXT("background");
        body->unbounded_why = "A stream from the background goes on when nobody reads it.";
    }
    body->choices = body->prompts * larger(reader->n, reader->best_of);
    body->unseen = reader->best_of > reader->n;
    body->media.images = reader->n;
    if (body->endpoint == ENDPOINT_MODERATIONS && body->model.size == 0) {
        body->model = TEXT("omni-moderation-latest");
    }
    body->extra_output *= body->choices;
    body->hidden_tokens = reader->hidden_tokens;
    body->input_bound = reader->input_unbounded ? BODY_UNBOUNDED
                                                : (int64_t)body->raw.size - body->image_bytes +
                                                      PRIMING + reader->hidden_tokens;
    body_find_files(body, reader->arena);
    body->kept_by_provider = body->kept_by_provider || body->file_count > 0;
}

bool body_read(enum endpoint endpoint, struct text raw, struct arena *arena, struct body *body,
               struct body_error *error)
{
    struct body_reader reader = {
        .body = {.endpoint = endpoint, .raw = raw, .prompts = 1, .max_tool_calls = BODY_ABSENT},
        .error = error,
        .arena = arena,
        .n = 1,
        .best_of = 1,
        .max_tokens = BODY_ABSENT,
        .max_completion_tokens = BODY_ABSENT,
        .max_output_tokens = BODY_ABSENT,
    };
    struct json_value whole;

    ASSERT((unsigned)endpoint < ENDPOINT_COUNT);
    if (!parse(&reader, &whole) || !read_members(&reader, whole) || !check_complete(&reader)) {
        return false;
    }
    add_up(&reader);
    *body = reader.body;
    return true;
}
