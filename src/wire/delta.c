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

/* The buffer never moves: delta_read made room for the whole event. */
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
}

void delta_read(struct delta_reader *reader, struct text data)
{
    ASSERT(delta_knows(reader->endpoint));
    reader->count = 0;
    reader->opaque = false;
    reader->usual = false;
    reader->whole = (struct json_value){.kind = JSON_NULL};
    if (data.size == 0 || text_equal(text_trim(data), TEXT("[DONE]"))) {
        return;
    }
    if (json_parse(data, &reader->whole, NULL) != JSON_OK || reader->whole.kind != JSON_OBJECT) {
        reader->opaque = true;
        return;
    }
    buffer_clear(&reader->unescaped);
    buffer_reserve(&reader->unescaped, data.size);
    dialects[reader->endpoint](reader);
}

void delta_reader_close(struct delta_reader *reader)
{
    free(reader->at);
    buffer_close(&reader->unescaped);
    *reader = (struct delta_reader){.endpoint = reader->endpoint};
}
