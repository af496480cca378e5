/* The text that events generate: what is the same in all dialects; see wire/delta.h. */
#include "wire/delta.h"

#include <stdlib.h>

typedef void delta_dialect(struct delta_reader *reader);

static delta_dialect *const dialects[ENDPOINT_COUNT] = {
    [ENDPOINT_CHAT] = delta_chat,
    [ENDPOINT_COMPLETIONS] = delta_chat,
    [ENDPOINT_MESSAGES] = delta_messages,
    [ENDPOINT_RESPONSES] = delta_responses,
};

bool delta_knows(enum endpoint endpoint)
{
    ASSERT((unsigned)endpoint < ENDPOINT_COUNT);
    return dialects[endpoint] != NULL;
}

static struct delta *append(struct delta_reader *reader)
{
    if (reader->count == reader->room) {
        reader->room = reader->room == 0 ? 8 : 2 * reader->room;
        reader->at = memory_resize(reader->at, reader->room * sizeof(*reader->at));
    }
    return &reader->at[reader->count++];
}

/* The buffer never moves: at its first use there is made room for all of the event. */
static struct text plain_of(struct delta_reader *reader, struct json_value value)
{
    struct buffer *out = &reader->unescaped;
    struct text raw = text_slice(value.raw, 1, value.raw.size - 1);

    if (value.kind != JSON_STRING) {
        return value.raw;
    }
    if (raw.size == 0 || memchr(raw.at, '\\', raw.size) == NULL) {
        return raw;
    }
    if (out->size == 0) {
        size_t all = reader->whole.raw.size;
        buffer_reserve(out, all > raw.size ? all : raw.size);
    }
    ASSERT(out->room - out->size >= raw.size);
    char *plain = out->at + out->size;
    size_t size = json_unescape(raw, plain);
    out->size += size;
    return text_make(plain, size);
}

void delta_add(struct delta_reader *reader, const struct delta *where, struct json_value value)
{
    bool container = value.kind == JSON_ARRAY || value.kind == JSON_OBJECT;
    struct json_walk walk = json_walk(value);

    if (value.kind == JSON_NULL ||
        (container && !json_next(&walk, &(struct text){0}, &(struct json_value){0}))) {
        return;
    }
    struct text text = plain_of(reader, value);
    if (text.size == 0) {
        return;
    }
    struct delta *delta = append(reader);
    *delta = *where;
    delta->text = text;
    reader->raw = value.kind == JSON_STRING ? value.raw : TEXT_NONE;
}

#define FORM_MOST   4096 /* bytes: those of a word have a few hundred */
#define DIGITS_MOST 18   /* of a number that surely fits */

/* ---- events that have the form of an earlier one ---- */

/* The size of the number at the beginning that is told by its digits alone, or 0. */
static size_t count_size(struct text rest)
{
    size_t size = 0;

    while (size < rest.size && rest.at[size] >= '0' && rest.at[size] <= '9') {
        size++;
    }
    return size > DIGITS_MOST || (size > 1 && rest.at[0] == '0') ? 0 : size;
}

bool delta_is_count(struct json_value value)
{
    return value.kind == JSON_NUMBER && count_size(value.raw) == value.raw.size;
}

/* Holes are few: each finds its place among those before it. */
static void add_hole(struct delta_form *form, enum delta_hole_kind kind, struct text data,
                     struct text raw)
{
    size_t from = (size_t)(raw.at - data.at);
    size_t at = form->hole_count++;

    for (; at > 0 && form->holes[at - 1].from > from; at--) {
        form->holes[at] = form->holes[at - 1];
    }
    form->holes[at] = (struct delta_hole){kind, from, from + raw.size};
}

static void keep_form(struct delta_reader *reader, struct text data)
{
    struct delta_form *form = &reader->form;

    if (!reader->plain || reader->count != 1 || reader->opaque || reader->raw.size == 0 ||
        data.size > FORM_MOST) {
        return;
    }
    buffer_clear(&form->data);
    buffer_put(&form->data, data);
    form->hole_count = 0;
    add_hole(form, DELTA_HOLE_TEXT, data, reader->raw);
    if (reader->padding.kind == JSON_STRING) {
        add_hole(form, DELTA_HOLE_PADDING, data, reader->padding.raw);
    }
    if (delta_is_count(reader->counter)) {
        add_hole(form, DELTA_HOLE_NUMBER, data, reader->counter.raw);
    }
    form->where = reader->at[0];
}

/* Passes what stands in the form from one place to another, if the same stands at `*at`. */
static bool pass_same(const struct delta_form *form, size_t from, size_t to, struct text data,
                      size_t *at)
{
    struct text same = text_slice(buffer_text(&form->data), from, to);

    if (!text_starts(text_from(data, *at), same)) {
        return false;
    }
    *at += same.size;
    return true;
}

/* Passes what stands in the place of the form's string or number. */
static bool pass_value(enum delta_hole_kind kind, struct text data, size_t *at, struct text *value)
{
    struct text rest = text_from(data, *at);
    size_t size = kind == DELTA_HOLE_NUMBER ? count_size(rest) : json_string_size(rest);

    *value = text_slice(rest, 0, size);
    *at += size;
    return size > 0;
}

/* What is the same byte by byte means the same: only strings and numbers have to be read. Puts the
 * values where their kinds have their places. */
static bool has_form(const struct delta_form *form, struct text data, struct text *values)
{
    size_t at = 0, rest = 0;

    for (size_t i = 0; i < form->hole_count; i++) {
        const struct delta_hole *hole = &form->holes[i];
        if (!pass_same(form, rest, hole->from, data, &at) ||
            !pass_value(hole->kind, data, &at, &values[hole->kind])) {
            return false;
        }
        rest = hole->to;
    }
    return pass_same(form, rest, form->data.size, data, &at) && at == data.size;
}

static bool read_usual(struct delta_reader *reader, struct text data)
{
    struct text values[] = {TEXT_NONE, TEXT_NONE, TEXT_NONE};

    if (reader->form.data.size == 0 || !has_form(&reader->form, data, values)) {
        return false;
    }
    struct json_value text = {JSON_STRING, values[DELTA_HOLE_TEXT]};
    reader->usual = true;
    reader->said = text_slice(text.raw, 1, text.raw.size - 1);
    if (values[DELTA_HOLE_NUMBER].size > 0) {
        reader->number = (struct json_value){JSON_NUMBER, values[DELTA_HOLE_NUMBER]};
    }
    buffer_clear(&reader->unescaped);
    delta_add(reader, &reader->form.where, text);
    return true;
}

void delta_read(struct delta_reader *reader, struct text data)
{
    ASSERT(delta_knows(reader->endpoint));
    reader->count = 0;
    reader->opaque = false;
    reader->usual = false;
    reader->said = TEXT_NONE;
    reader->number = (struct json_value){.kind = JSON_NULL};
    reader->whole = (struct json_value){.kind = JSON_NULL};
    if (read_usual(reader, data)) {
        return;
    }
    reader->plain = false;
    reader->padding = (struct json_value){.kind = JSON_NULL};
    reader->counter = (struct json_value){.kind = JSON_NULL};
    if (data.size == 0 || text_equal(text_trim(data), TEXT("[DONE]"))) {
        return;
    }
    if (json_parse(data, &reader->whole, NULL) != JSON_OK || reader->whole.kind != JSON_OBJECT) {
        reader->opaque = true;
        return;
    }
    buffer_clear(&reader->unescaped);
    dialects[reader->endpoint](reader);
    keep_form(reader, data);
}

void delta_reader_close(struct delta_reader *reader)
{
    free(reader->at);
    buffer_close(&reader->unescaped);
    buffer_close(&reader->form.data);
    *reader = (struct delta_reader){.endpoint = reader->endpoint};
}
