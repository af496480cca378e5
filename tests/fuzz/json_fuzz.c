/*
 * Fuzzing JSON: any bytes are parsed; what is accepted is walked to the last value, and what the
 * header promises about each of them is checked. The input ends where its memory ends, so a step
 * too far is seen.
 */
#include <stdlib.h>

#include "base/json.h"
#include "fuzz.h"

static void check_parses(struct text raw, enum json_kind kind)
{
    struct json_value again = {0};
    enum json_error error = json_parse(raw, &again, NULL);
    ASSERT(error == JSON_OK);
    ASSERT(again.kind == kind);
    ASSERT(text_equal(again.raw, raw));
}

/* A text as the inside of a string: written, it parses and reads back as the same text. */
static void check_writes(struct arena *arena, struct text plain)
{
    struct buffer written = {0};
    json_put_string(&written, plain);
    struct json_value value = {0};
    enum json_error error = json_parse(buffer_text(&written), &value, NULL);
    ASSERT(error == JSON_OK);
    ASSERT(value.kind == JSON_STRING);

    struct text back = arena_copy(arena, json_string(arena, value));
    ASSERT(json_name_equal(text_slice(value.raw, 1, value.raw.size - 1), back));
    struct buffer again = {0};
    json_put_string(&again, back);
    ASSERT(text_equal(buffer_text(&again), buffer_text(&written)));
    buffer_close(&again);
    buffer_close(&written);
}

static void check_string(struct arena *arena, struct json_value string)
{
    struct text inside = text_slice(string.raw, 1, string.raw.size - 1);
    struct text plain = json_string(arena, string);
    ASSERT(plain.at != NULL);
    ASSERT(plain.size <= inside.size);
    ASSERT(json_name_equal(inside, plain));
    struct text longer = arena_printf(arena, "%.*sx", TEXT_ARG(plain));
    ASSERT(!json_name_equal(inside, longer));

    /* what was valid UTF-8 is written as it was: reading it gives the same text */
    struct buffer written = {0};
    json_put_string(&written, plain);
    struct json_value value = {0};
    enum json_error error = json_parse(buffer_text(&written), &value, NULL);
    ASSERT(error == JSON_OK);
    ASSERT(text_equal(json_string(arena, value), plain));
    buffer_close(&written);
}

static void check_number(struct json_value number)
{
    int64_t whole, again;
    if (!json_int(number, &whole))
        return;
    struct buffer digits = {0};
    buffer_put_int(&digits, whole);
    bool read = text_to_int(buffer_text(&digits), &again);
    ASSERT(read);
    ASSERT(again == whole);
    buffer_close(&digits);
}

/* The levels are at most JSON_MAX_DEPTH. */
static void check_value(struct arena *arena, struct json_value value)
{
    if (value.kind == JSON_STRING)
        check_string(arena, value);
    if (value.kind == JSON_NUMBER)
        check_number(value);

    struct json_walk walk = json_walk(value);
    const char *at = value.raw.at;
    struct text name;
    struct json_value inner;
    while (json_next(&walk, &name, &inner)) {
        ASSERT(inner.raw.at > at);
        at = inner.raw.at + inner.raw.size;
        ASSERT(at < value.raw.at + value.raw.size);
        ASSERT((name.at != NULL) == (value.kind == JSON_OBJECT));
        if (inner.kind != JSON_ARRAY && inner.kind != JSON_OBJECT)
            check_parses(inner.raw, inner.kind);
        if (name.at != NULL)
            check_string(arena,
                         (struct json_value){JSON_STRING, text_make(name.at - 1, name.size + 2)});
        check_value(arena, inner);
    }
}

static void check_first_member(struct arena *arena, struct json_value object)
{
    struct json_walk walk = json_walk(object);
    struct text name;
    struct json_value first, found = {0};
    if (object.kind != JSON_OBJECT || !json_next(&walk, &name, &first))
        return;
    struct json_value quoted = {JSON_STRING, text_make(name.at - 1, name.size + 2)};
    bool there = json_member(object, json_string(arena, quoted), &found);
    ASSERT(there);
    ASSERT(found.raw.at == first.raw.at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct text whole = text_make((const char *)data, size);
    struct json_value value = {0};
    size_t where = SIZE_MAX;
    enum json_error error = json_parse(whole, &value, &where);
    if (error == JSON_OK) {
        check_parses(value.raw, value.kind);
        check_value(&arena, value);
        check_first_member(&arena, value);
    } else {
        ASSERT(where <= size);
        ASSERT(value.raw.at == NULL);
        /* what came before the fault was fine: cut there, the text is at worst unfinished */
        error = json_parse(text_slice(whole, 0, where), &value, NULL);
        ASSERT(error == JSON_OK || error == JSON_SYNTAX);
    }
    check_writes(&arena, whole);
    arena_close(&arena);
    return 0;
}
