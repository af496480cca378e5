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

#define FORM_MOST 4096 /* bytes: those of a word have a few hundred */

/* ---- events that have the form of an earlier one ---- */

static struct delta_hole hole_of(struct text data, struct text raw)
{
    size_t from = (size_t)(raw.at - data.at);

    return (struct delta_hole){from, from + raw.size};
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
    form->text = hole_of(data, reader->raw);
    form->padding = (struct delta_hole){0, 0};
    if (reader->padding.kind == JSON_STRING) {
        form->padding = hole_of(data, reader->padding.raw);
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

/* Passes the string that stands in the place of the form's. */
static bool pass_string(struct text data, size_t *at, struct text *string)
{
    *string = text_make(data.at + *at, json_string_size(text_from(data, *at)));
    *at += string->size;
    return string->size > 0;
}

/* What is the same byte by byte means the same: only the strings have to be read. */
static bool has_form(const struct delta_form *form, struct text data, struct text *text)
{
    bool text_first = form->padding.to == 0 || form->text.from < form->padding.from;
    struct delta_hole first = text_first ? form->text : form->padding;
    struct delta_hole second = text_first ? form->padding : form->text;
    struct text strings[2];
    size_t at = 0;

    if (!pass_same(form, 0, first.from, data, &at) || !pass_string(data, &at, &strings[0])) {
        return false;
    }
    size_t rest = first.to;
    if (second.to > 0) {
        if (!pass_same(form, rest, second.from, data, &at) ||
            !pass_string(data, &at, &strings[1])) {
            return false;
        }
        rest = second.to;
    }
    *text = strings[text_first ? 0 : 1];
    return pass_same(form, rest, form->data.size, data, &at) && at == data.size;
}

static bool read_usual(struct delta_reader *reader, struct text data)
{
    struct json_value value = {.kind = JSON_STRING};

    if (reader->form.data.size == 0 || !has_form(&reader->form, data, &value.raw)) {
        return false;
    }
    reader->usual = true;
    buffer_clear(&reader->unescaped);
    delta_add(reader, &reader->form.where, value);
    return true;
}

void delta_read(struct delta_reader *reader, struct text data)
{
    ASSERT(delta_knows(reader->endpoint));
    reader->count = 0;
    reader->opaque = false;
    reader->usual = false;
    reader->whole = (struct json_value){.kind = JSON_NULL};
    if (read_usual(reader, data)) {
        return;
    }
    reader->plain = false;
    reader->padding = (struct json_value){.kind = JSON_NULL};
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
