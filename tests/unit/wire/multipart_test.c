/* Forms, as uploads have them: one reading or none. */
#include "wire/multipart.h"

#include "../unit.h"

static void expect_boundary(const char *type, const char *boundary)
{
    struct text found = multipart_boundary(text_of(type));
    if (boundary == NULL)
        ck_assert_ptr_null(found.at);
    else
        UNIT_TEXT(found, boundary);
}

START_TEST(the_boundary_stands_in_the_content_type)
{
    expect_boundary("multipart/form-data; boundary=abc", "abc");
    expect_boundary("Multipart/Form-Data;charset=utf-8;  BOUNDARY=\"a b\"", "a b");
    expect_boundary("multipart/form-data", NULL);
    expect_boundary("multipart/form-data; boundary=", NULL);
    expect_boundary("multipart/form-data; boundary=\"", NULL);
    expect_boundary("multipart/form-data; boundary=\"\"", NULL);
    expect_boundary("multipart/form-data; boundary=a; boundary=b", NULL);
    expect_boundary("multipart/form-data; boundary=\"a\\\"b\"", NULL);
    expect_boundary("multipart/mixed; boundary=a", NULL);
    expect_boundary("multipart/form-data; boundary="
                    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggg1",
                    NULL);
}
END_TEST

#define HEAD(name) "Content-Disposition: form-data; name=" name "\r\n"

START_TEST(parts_come_in_their_order)
{
    struct multipart form = multipart_begin(
        TEXT("--b\r\n" HEAD("\"purpose\"") "\r\nbatch\r\n--b\r\n" HEAD(
            "\"file\"; filename=\"x.jsonl\"") "Content-Type: text/plain\r\n\r\na\r\n--\r\nb\r\n"
                                              "\r\n--b--\r\n"),
        TEXT("b"));
    struct multipart_part part;
    ck_assert_int_eq(multipart_next(&form, &part), MULTIPART_PART);
    UNIT_TEXT(part.name, "purpose");
    ck_assert_ptr_null(part.filename.at);
    UNIT_TEXT(part.content, "batch");
    ck_assert_int_eq(multipart_next(&form, &part), MULTIPART_PART);
    UNIT_TEXT(part.name, "file");
    UNIT_TEXT(part.filename, "x.jsonl");
    UNIT_TEXT(part.content, "a\r\n--\r\nb\r\n");
    ck_assert_int_eq(multipart_next(&form, &part), MULTIPART_END);
}
END_TEST

START_TEST(an_empty_file_is_a_file)
{
    struct multipart form =
        multipart_begin(TEXT("--b\r\n" HEAD("file") "\r\n\r\n--b--"), TEXT("b"));
    struct multipart_part part;
    ck_assert_int_eq(multipart_next(&form, &part), MULTIPART_PART);
    UNIT_TEXT(part.name, "file");
    ck_assert_uint_eq(part.content.size, 0);
    ck_assert_int_eq(multipart_next(&form, &part), MULTIPART_END);
}
END_TEST

START_TEST(what_has_two_readings_is_broken)
{
    static const char *const forms[] = {
        "",
        "--",
        "--b",
        "--bc\r\n" HEAD("a") "\r\nx\r\n--bc--",
        "x--b\r\n" HEAD("a") "\r\nx\r\n--b--",
        "\r\n--b\r\n" HEAD("a") "\r\nx\r\n--b--",
        "--b\r\n" HEAD("a") "\r\nx\r\n--b--more",
        "--b\r\n" HEAD("a") "\r\nx\r\n--bb\r\n" HEAD("a") "\r\ny\r\n--b--",
        "--b\n" HEAD("a") "\r\nx\r\n--b--",
        "--b\r\n\r\nx\r\n--b--",
        "--b\r\nContent-Type: a\r\n\r\nx\r\n--b--",
        "--b\r\n" HEAD("a") HEAD("b") "\r\nx\r\n--b--",
        "--b\r\n" HEAD("a; name=b") "\r\nx\r\n--b--",
        "--b\r\n" HEAD("\"a\\\"\"") "\r\nx\r\n--b--",
        "--b\r\n" HEAD("\"a\"; filename*=utf-8''x") "\r\nx\r\n--b--",
        "--b\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n--b--",
        "--b\r\n" HEAD("a") "Content-Transfer-Encoding: base64\r\n\r\nx\r\n--b--",
        "--b\r\n" HEAD("a") "Content-Encoding: gzip\r\n\r\nx\r\n--b--",
        "--b\r\n" HEAD("a") " folded: b\r\n\r\nx\r\n--b--",
        "--b\r\n" HEAD("a") "bare\nline: b\r\n\r\nx\r\n--b--",
        "--b\r\n" HEAD("a") "\r\nx",
        "--b\r\n" HEAD("a") "\r\nx\n--b\r\ny\r\n--b--",
        "--b\r\n" HEAD("a") "\r\nx\r--b\r\ny\r\n--b--",
        "--b\r\n" HEAD("a") "\r\n--b\r\ny\r\n--b--",
        "--b\r\n" HEAD("\"\"") "\r\nx\r\n--b--",
        "--b\r\n" HEAD("\"a\" x") "\r\nx\r\n--b--",
        "--b\r\n" HEAD("\"a\"; filename=\"x") "\r\nx\r\n--b--",
        "--b\r\n" HEAD("a") "Content-Type: a\r\nContent-Type: b\r\n\r\nx\r\n--b--",
    };
    for (size_t i = 0; i < UNIT_COUNT(forms); i++) {
        struct multipart form = multipart_begin(text_of(forms[i]), TEXT("b"));
        struct multipart_part part;
        enum multipart_result result = MULTIPART_PART;
        while (result == MULTIPART_PART)
            result = multipart_next(&form, &part);
        ck_assert_msg(result == MULTIPART_BROKEN, "form %zu", i);
    }
}
END_TEST

START_TEST(a_name_of_a_file_may_have_a_semicolon)
{
    struct multipart form = multipart_begin(
        TEXT("--b\r\n" HEAD("file; filename=\"a; name=b.wav\"") "Content-Type: audio/wav\r\n\r\nx"
                                                                "\r\n--b--"),
        TEXT("b"));
    struct multipart_part part;
    ck_assert_int_eq(multipart_next(&form, &part), MULTIPART_PART);
    UNIT_TEXT(part.name, "file");
    UNIT_TEXT(part.filename, "a; name=b.wav");
    UNIT_TEXT(part.type, "audio/wav");
    ck_assert_int_eq(multipart_next(&form, &part), MULTIPART_END);
}
END_TEST

START_TEST(there_are_only_so_many_parts)
{
    struct buffer body = {0};
    for (int i = 0; i <= MULTIPART_MOST_PARTS; i++)
        buffer_put(&body, TEXT("--b\r\n" HEAD("a") "\r\nx\r\n"));
    buffer_put(&body, TEXT("--b--"));
    struct multipart form = multipart_begin(buffer_text(&body), TEXT("b"));
    struct multipart_part part;
    for (int i = 0; i < MULTIPART_MOST_PARTS; i++)
        ck_assert_int_eq(multipart_next(&form, &part), MULTIPART_PART);
    ck_assert_int_eq(multipart_next(&form, &part), MULTIPART_BROKEN);
    buffer_close(&body);
}
END_TEST

UNIT_MAIN(a_name_of_a_file_may_have_a_semicolon, there_are_only_so_many_parts,
          the_boundary_stands_in_the_content_type, parts_come_in_their_order,
          an_empty_file_is_a_file, what_has_two_readings_is_broken)
