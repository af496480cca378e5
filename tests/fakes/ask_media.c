/*
 * What a call for images, sound or a moderation asks for, read from JSON or a form; see ask.h.
 */
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "form.h"
#include "json.h"

enum { IMAGES_MAX = 10, BYTES_PER_SECOND = 16000, VALUE_MAX = 64 * 1024 };

static int64_t tokens_of(struct text text)
{
    return ((int64_t)text.size + 3) / 4;
}

/* UTF-8 characters. */
static int64_t characters_of(struct text text)
{
    int64_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += (text.at[i] & 0xC0) != 0x80;
    return count;
}

/* One field, as text. False: it is out of range. */
static bool set_field(struct ask *ask, struct text name, struct text value)
{
    const struct {
        const char *name;
        char *to;
        size_t room;
    } words[] = {
        {"model", ask->model, sizeof ask->model},
        {"size", ask->media.size, sizeof ask->media.size},
        {"quality", ask->media.quality, sizeof ask->media.quality},
        {"response_format", ask->media.format, sizeof ask->media.format},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (text_equal(name, text_of(words[i].name)))
            text_copy(words[i].to, words[i].room, value);
    if (text_equal(name, TEXT("stream")))
        ask->stream = text_equal(value, TEXT("true"));
    if (text_equal(name, TEXT("stream_format")))
        ask->stream = text_equal(value, TEXT("sse"));
    if (text_equal(name, TEXT("prompt")) || text_equal(name, TEXT("input")))
        ask->prompt_tokens += tokens_of(value);
    if (text_equal(name, TEXT("input")))
        ask->media.characters = characters_of(value);
    if (text_equal(name, TEXT("partial_images")))
        return text_number(value, &ask->media.partial_images) && ask->media.partial_images <= 3;
    if (text_equal(name, TEXT("n")))
        return text_number(value, &ask->choices) && ask->choices >= 1 && ask->choices <= IMAGES_MAX;
    return true;
}

static bool read_json(struct ask *ask, struct text body)
{
    struct json_walk walk;
    struct text name;
    struct text value;
    struct text raw;
    bool fine = json_whole(body) && json_enter(&walk, body) && walk.object;
    char *decoded = malloc(VALUE_MAX);
    if (decoded == NULL)
        abort();
    while (fine && json_next(&walk, &name, &value) == JSON_ITEM) {
        if (text_equal(value, TEXT("null")))
            continue;
        if (json_raw_string(value, &raw)) {
            fine = json_decode(raw, decoded, VALUE_MAX);
            value = text_of(decoded);
        }
        fine = fine && set_field(ask, name, value);
    }
    free(decoded);
    return fine;
}

static int64_t little_endian(struct text text, size_t at)
{
    uint32_t value = 0;
    memcpy(&value, text.at + at, sizeof value);
    return value;
}

/* A WAV file of the usual head of 44 bytes says how long it is; others have 128 kbit/s here. */
static int64_t seconds_of(struct text file)
{
    int64_t size = (int64_t)file.size;
    int64_t rate = BYTES_PER_SECOND;
    if (size > 44 && text_starts(file, TEXT("RIFF")) && little_endian(file, 28) > 0) {
        rate = little_endian(file, 28);
        size -= 44;
    }
    return (size + rate - 1) / rate;
}

static bool read_form(struct ask *ask, struct text content_type, struct text body)
{
    struct form form;
    struct form_part part;
    bool fine = form_begin(&form, content_type, body);
    while (fine && form_next(&form, &part)) {
        if (part.file.size == 0) {
            fine = set_field(ask, part.name, part.value);
            continue;
        }
        ask->media.files++;
        if (ask->api != ASK_IMAGE_EDITS)
            ask->media.seconds += seconds_of(part.value);
    }
    return fine;
}

bool ask_read_media(struct ask *ask, const struct http_request *request, const char **message,
                    const char **param)
{
    bool form = ask->api == ASK_IMAGE_EDITS || ask->api >= ASK_TRANSCRIPTIONS;
    struct text type = {"", 0};
    http_header(request->headers, TEXT("content-type"), &type);
    *param = NULL;
    *message = "We could not parse the body of your request.";
    if (form ? !read_form(ask, type, request->body) : !read_json(ask, request->body))
        return false;
    *param = "model";
    *message = "you must provide a model parameter";
    if (ask->api == ASK_MODERATIONS && ask->model[0] == 0) /* it has a usual one */
        text_copy(ask->model, sizeof ask->model, TEXT("omni-moderation-latest"));
    if (ask->model[0] == 0)
        return false;
    *param = "file";
    *message = "Missing or invalid required parameter.";
    if (form && ask->media.files == 0)
        return false;
    ask->stream = ask->stream && ask->api != ASK_TRANSLATIONS && ask->streams &&
                  strcmp(ask->model, "whisper-1") != 0;
    if (ask->stream)
        ask->choices = 1;
    ask->tries = ask->choices;
    if (!answer_by_tokens(ask->model)) /* the prompt is free */
        ask->prompt_tokens = 0;
    return true;
}
