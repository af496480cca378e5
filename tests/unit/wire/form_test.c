/* Forms are read as the bodies of JSON are. */
#include "wire/form.h"

#include <stdio.h>

#include "../unit.h"

#define TYPE        "multipart/form-data; boundary=b"
#define FIELD(name) "--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n"
#define FILE_OF(name)                                                                              \
    "--b\r\nContent-Disposition: form-data; name=\"" name "\"; filename=\"f\"\r\n"                 \
    "Content-Type: application/octet-stream\r\n\r\nxx\r\n"
#define MODEL FIELD("model") "\r\nm\r\n"
#define END   "--b--\r\n"

static bool read(enum endpoint endpoint, const char *raw, struct body *body,
                 struct body_error *error, struct arena *arena)
{
    return form_read(endpoint, TEXT(TYPE), text_of(raw), arena, body, error);
}

START_TEST(fields_are_read_as_members)
{
    struct arena arena = {0};
    struct body body;
    struct body_error error;
    const char *raw = FIELD("prompt") "\r\nsay \"hi\"\n\r\n" MODEL FIELD("n") "\r\n3\r\n" FIELD(
        "size") "Content-Type: text/plain; "
                "charset=utf-8\r\n\r\n512x512\r\n" FIELD("stream") "\r\ntrue\r\n" FIELD(
                    "unknown[]") "\r\n\xff\r\n" FILE_OF("image[]") FILE_OF("mask") END;
    ck_assert(read(ENDPOINT_IMAGE_EDITS, raw, &body, &error, &arena));
    UNIT_TEXT(body.model, "m");
    UNIT_TEXT(body.media.size, "512x512");
    ck_assert_int_eq(body.media.images, 3);
    ck_assert_int_eq(body.media.files, 2);
    ck_assert(body.stream);
    ck_assert(body.form);
    UNIT_TEXT(body.raw, raw);
    arena_close(&arena);
}
END_TEST

START_TEST(another_model_is_written_in_its_place_and_nothing_else_changes)
{
    struct arena arena = {0};
    struct body body;
    struct body_error error;
    struct text pieces[BODY_MAX_PIECES];
    ck_assert(read(ENDPOINT_TRANSCRIPTIONS, MODEL FILE_OF("file") END, &body, &error, &arena));
    const struct body_changes changes = {.model = TEXT("other"), .max_output = BODY_ABSENT};
    size_t count = body_forward(&body, &changes, &arena, pieces);
    UNIT_TEXT(arena_join(&arena, pieces, count),
              FIELD("model") "\r\nother\r\n" FILE_OF("file") END);
    arena_close(&arena);
}
END_TEST

START_TEST(a_moderation_may_leave_its_model_out)
{
    struct arena arena = {0};
    struct body body;
    struct body_error error;
    struct text pieces[BODY_MAX_PIECES];
    ck_assert(body_read(ENDPOINT_MODERATIONS, TEXT("{\"input\":\"x\"}"), &arena, &body, &error));
    UNIT_TEXT(body.model, "omni-moderation-latest");
    const struct body_changes changes = {.model = TEXT("a\"b"), .max_output = BODY_ABSENT};
    size_t count = body_forward(&body, &changes, &arena, pieces);
    UNIT_TEXT(arena_join(&arena, pieces, count), "{\"model\":\"a\\\"b\",\"input\":\"x\"}");
    arena_close(&arena);
}
END_TEST

START_TEST(characters_are_code_points)
{
    struct arena arena = {0};
    struct body body;
    struct body_error error;
    ck_assert(body_read(ENDPOINT_SPEECH,
                        TEXT("{\"model\":\"m\",\"input\":\"a\\u00e9\xc3\xa9\\ud83d\\ude00\"}"),
                        &arena, &body, &error));
    ck_assert_int_eq(body.media.characters, 4);
    arena_close(&arena);
}
END_TEST

static const struct {
    const char *raw;
    const char *code;
} REFUSED[] = {
    {"", "invalid_form"},
    {MODEL END "x", "invalid_form"},
    {MODEL FILE_OF("file"), "invalid_form"},
    {MODEL END, "missing_member"},
    {FILE_OF("file") END, "missing_member"},
    {MODEL MODEL FILE_OF("file") END, "duplicate_member"},
    {MODEL FILE_OF("file") FILE_OF("other") END, "duplicate_member"},
    {FIELD("MODEL") "\r\nm\r\n" FILE_OF("file") END, "misspelt_member"},
    {FIELD("model[0]") "\r\nm\r\n" FILE_OF("file") END, "misspelt_member"},
    {FILE_OF("model") FILE_OF("file") END, "invalid_type"},
    {FIELD("model") "Content-Type: text/plain; charset=utf-7\r\n\r\nm\r\n" FILE_OF("file") END,
     "invalid_type"},
    {FIELD("model") "Content-Type: application/json\r\n\r\n\"m\"\r\n" FILE_OF("file") END,
     "invalid_type"},
    {FIELD("model") "\r\n\xff\r\n" FILE_OF("file") END, "invalid_value"},
    {FIELD("model") "\r\n\r\n" FILE_OF("file") END, "invalid_value"},
    {MODEL FIELD("stream") "\r\n1\r\n" FILE_OF("file") END, "invalid_type"},
    {MODEL FIELD("stream") "\r\nTRUE\r\n" FILE_OF("file") END, "invalid_type"},
};

START_TEST(refuses_what_it_cannot_be_sure_of)
{
    for (size_t i = 0; i < UNIT_COUNT(REFUSED); i++) {
        struct arena arena = {0};
        struct body body;
        struct body_error error = {.code = ""};
        ck_assert_msg(!read(ENDPOINT_TRANSCRIPTIONS, REFUSED[i].raw, &body, &error, &arena),
                      "%zu is accepted", i);
        ck_assert_msg(strcmp(error.code, REFUSED[i].code) == 0, "%zu: %s: %s", i, error.code,
                      error.message);
        ck_assert_int_eq(error.status, 400);
        arena_close(&arena);
    }
}
END_TEST

START_TEST(a_number_of_images_is_a_number)
{
    static const char *const bad[] = {"two", "\"2\"", "0", "1.5", "", " 2", "2x", "[2]", "999"};
    for (size_t i = 0; i < UNIT_COUNT(bad); i++) {
        struct arena arena = {0};
        struct body body;
        struct body_error error;
        char raw[512];
        (void)snprintf(
            raw, sizeof raw,
            MODEL FIELD("prompt") "\r\np\r\n" FIELD("n") "\r\n%s\r\n" FILE_OF("image") END, bad[i]);
        ck_assert_msg(!read(ENDPOINT_IMAGE_EDITS, raw, &body, &error, &arena), "%s", bad[i]);
        arena_close(&arena);
    }
}
END_TEST

UNIT_MAIN(fields_are_read_as_members,
          another_model_is_written_in_its_place_and_nothing_else_changes,
          a_moderation_may_leave_its_model_out, characters_are_code_points,
          refuses_what_it_cannot_be_sure_of, a_number_of_images_is_a_number)
