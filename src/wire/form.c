/* Requests that are forms: see wire/form.h. */
#include "wire/form.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/utf8.h"
#include "wire/multipart.h"
#include "wire/sound.h"

#define MOST_FIELD (64 * 1024) /* bytes */

/* The fields that matter (wire/member_media.c), and what they are as members of JSON. */
static const struct field {
    struct text name;
    enum json_kind kind;
} fields[] = {
    {TEXT("model"), JSON_STRING},
    {TEXT("prompt"), JSON_STRING},
    {TEXT("n"), JSON_NUMBER},
    {TEXT("size"), JSON_STRING},
    {TEXT("quality"), JSON_STRING},
    {TEXT("partial_images"), JSON_NUMBER},
    {TEXT("stream"), JSON_TRUE},
    {TEXT("user"), JSON_STRING},
    {TEXT("num_images"), JSON_STRING},
    {TEXT("num_outputs"), JSON_STRING},
    {TEXT("number_results"), JSON_STRING},
    {TEXT("number_of_images"), JSON_STRING},
    {TEXT("n_images"), JSON_STRING},
    {TEXT("samples"), JSON_STRING},
    {TEXT("batch_size"), JSON_STRING},
    {TEXT("best_of"), JSON_STRING},
};

struct form_reader {
    struct body_error *error;
    struct buffer json; /* the fields, as an object */
    struct text model;  /* what the field holds, in the form */
    struct body_media media;
};

static bool refuse(struct form_reader *reader, const char *code, struct text param,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));

static bool refuse(struct form_reader *reader, const char *code, struct text param,
                   const char *format, ...)
{
    va_list arguments;

    *reader->error = (struct body_error){.status = 400, .code = code, .param = param};
    va_start(arguments, format);
    (void)vsnprintf(reader->error->message, sizeof(reader->error->message), format, arguments);
    va_end(arguments);
    return false;
}

/* The field that some parser may take the name for: in other letters, or as a list. */
static const struct field *find_field(struct text name)
{
    size_t bracket = text_find(name, TEXT("["), 0);
    struct text stem = text_slice(name, 0, bracket == SIZE_MAX ? name.size : bracket);

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (text_equal_nocase(stem, fields[i].name)) {
            return &fields[i];
        }
    }
    return NULL;
}

static bool is_plain_text(struct text type)
{
    struct text rest = type;
    struct text kind = text_trim(text_split(&rest, ';'));
    struct text set = text_trim(rest);

    if (type.at == NULL) {
        return true;
    }
    return text_equal_nocase(kind, TEXT("text/plain")) &&
           (rest.at == NULL || text_equal_nocase(set, TEXT("charset=utf-8")) ||
            text_equal_nocase(set, TEXT("charset=us-ascii")));
}

static bool check_field(struct form_reader *reader, const struct field *field,
                        const struct multipart_part *part)
{
    struct text name = field->name;

    if (!text_equal(part->name, name)) {
        return refuse(reader, "misspelt_member", name, "The field '%.*s' must be written '%.*s'.",
                      TEXT_ARG(text_slice(part->name, 0, 64)), TEXT_ARG(name));
    }
    if (part->filename.at != NULL || !is_plain_text(part->type)) {
        return refuse(reader, "invalid_type", name, "The field '%.*s' must be plain text.",
                      TEXT_ARG(name));
    }
    if (part->content.size > MOST_FIELD || !utf8_valid(part->content)) {
        return refuse(reader, "invalid_value", name,
                      "The field '%.*s' must be UTF-8 of at most %d bytes.", TEXT_ARG(name),
                      MOST_FIELD);
    }
    return true;
}

/* What is no number or flag stays a text, which is then of a wrong type. */
static bool is_bare(enum json_kind kind, struct text content)
{
    struct json_value value;

    if (kind == JSON_TRUE) {
        return text_equal(content, TEXT("true")) || text_equal(content, TEXT("false"));
    }
    return kind == JSON_NUMBER && json_parse(content, &value, NULL) == JSON_OK &&
           value.kind == JSON_NUMBER && value.raw.size == content.size;
}

static bool take_field(struct form_reader *reader, const struct field *field,
                       const struct multipart_part *part)
{
    if (!check_field(reader, field, part)) {
        return false;
    }
    if (text_equal(field->name, TEXT("model"))) {
        reader->model = part->content;
    }
    json_put_name(&reader->json, field->name);
    if (is_bare(field->kind, part->content)) {
        buffer_put(&reader->json, part->content);
    } else {
        json_put_string(&reader->json, part->content);
    }
    return true;
}

static int64_t sum(int64_t a, int64_t b)
{
    return b > SOUND_UNBOUNDED - a ? SOUND_UNBOUNDED : a + b;
}

static void take_file(struct form_reader *reader, bool sound, struct text content)
{
    struct body_media *media = &reader->media;

    media->files++;
    if (sound) {
        bool exact;
        media->seconds = sum(media->seconds, sound_seconds(content, &exact));
        media->seconds_exact = exact && media->files == 1;
    }
}

static bool is_file(const struct multipart_part *part)
{
    return part->filename.at != NULL || text_equal(part->name, TEXT("file")) ||
           text_equal(part->name, TEXT("image")) || text_equal(part->name, TEXT("image[]")) ||
           text_equal(part->name, TEXT("mask"));
}

static bool read_parts(struct form_reader *reader, bool sound, struct multipart *form)
{
    struct multipart_part part;
    enum multipart_result got;

    while ((got = multipart_next(form, &part)) == MULTIPART_PART) {
        const struct field *field = find_field(part.name);
        if (field != NULL && !take_field(reader, field, &part)) {
            return false;
        }
        if (field == NULL && is_file(&part)) {
            take_file(reader, sound, part.content);
        }
    }
    return got == MULTIPART_END ||
           refuse(reader, "invalid_form", TEXT_NONE,
                  "The form is malformed, or may be read in two ways: behind part %zu.",
                  form->parts);
}

static bool check_files(struct form_reader *reader, bool sound)
{
    struct text name = sound ? TEXT("file") : TEXT("image");

    if (reader->media.files == 0) {
        return refuse(reader, "missing_member", name, "The file '%.*s' is missing.",
                      TEXT_ARG(name));
    }
    if (sound && reader->media.files > 1) {
        return refuse(reader, "duplicate_member", name, "Send one file at a time.");
    }
    return true;
}

static bool read_form(struct form_reader *reader, bool sound, struct text content_type,
                      struct text raw)
{
    struct text boundary = multipart_boundary(content_type);
    struct multipart form = multipart_begin(raw, boundary);

    if (boundary.size == 0) {
        return refuse(reader, "invalid_form", TEXT_NONE,
                      "The request must be a form: 'Content-Type: multipart/form-data' with its "
                      "boundary.");
    }
    buffer_put_byte(&reader->json, '{');
    if (!read_parts(reader, sound, &form)) {
        return false;
    }
    buffer_put_byte(&reader->json, '}');
    return check_files(reader, sound);
}

bool form_read(enum endpoint endpoint, struct text content_type, struct text raw,
               struct arena *arena, struct body *body, struct body_error *error)
{
    struct form_reader reader = {.error = error};
    bool sound = endpoint != ENDPOINT_IMAGE_EDITS;
    struct body read;

    bool good =
        read_form(&reader, sound, content_type, raw) &&
        body_read(endpoint, arena_copy(arena, buffer_text(&reader.json)), arena, &read, error);
    buffer_close(&reader.json);
    if (!good) {
        return false;
    }
    read.raw = raw;
    read.form = true;
    read.model_raw = reader.model;
    read.media.files = reader.media.files;
    read.media.seconds = reader.media.seconds;
    read.media.seconds_exact = reader.media.seconds_exact;
    *body = read;
    return true;
}
