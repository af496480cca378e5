/* Writing YAML: what is written is read back as it was, in blocks and inside braces. */
#include <yaml.h>

#include "../unit.h"
#include "config/node.h"
#include "config/yaml_text.h"

static const char *const VALUES[] = {
    "",
    "a",
    "a b",
    "https://x:80/v1?a=b",
    "gpt-*",
    "*",
    "a:",
    "a: b",
    "null",
    "~",
    "true",
    "10%",
    "%x",
    "-",
    "- a",
    "@a",
    "#a",
    "a#",
    "a,b",
    "{a}",
    "\"q\"",
    "it's",
    "\\",
    "\xc3\xa4",
    "...",
    "(hidden)",
    "NULL",
    "a\tb",
    "unix:/x",
    "127.0.0.1:8080",
    "!x",
    "&x",
    "|",
    ">",
    "`",
    " a ",
    "sha256:0",
    "=",
    "<<",
    "?",
    "a\nb",
    "\xc2\x80",
    "\xc2\x85",
    "\xe2\x80\xa8",
    "\xef\xbb\xbf",
    "\xf0\x9f\x92\xb0",
};

static void check_read_back(const char *before, const char *value, const char *after)
{
    struct buffer yaml = {0};
    yaml_parser_t parser;
    yaml_document_t document;
    buffer_put(&yaml, text_of(before));
    yaml_put_text(&yaml, text_of(value));
    buffer_put(&yaml, text_of(after));
    ck_assert_int_eq(yaml_parser_initialize(&parser), 1);
    yaml_parser_set_input_string(&parser, (const unsigned char *)yaml.at, yaml.size);
    ck_assert_msg(yaml_parser_load(&parser, &document), "%s", buffer_string(&yaml));
    int node = node_member(&document, 1, TEXT("x"));
    ck_assert_msg(node != 0 && !node_is_null(&document, node), "%s", buffer_string(&yaml));
    UNIT_TEXT(node_text(&document, node), value);
    yaml_document_delete(&document);
    yaml_parser_delete(&parser);
    buffer_close(&yaml);
}

START_TEST(is_read_back_as_it_was)
{
    for (size_t i = 0; i < UNIT_COUNT(VALUES); i++) {
        check_read_back("x: ", VALUES[i], "\n");
        check_read_back("{x: ", VALUES[i], ", y: z}\n");
    }
}
END_TEST

START_TEST(writes_bytes_that_are_no_text_as_something_harmless)
{
    struct buffer out = {0};
    yaml_put_text(&out, TEXT("a\xff\xc3"));
    UNIT_TEXT(buffer_text(&out), "\"a\\u00ff\\u00c3\"");
    buffer_close(&out);
}
END_TEST

START_TEST(is_plain_where_that_is_safe)
{
    struct buffer out = {0};
    yaml_put_text(&out, TEXT("https://api.openai.com/v1"));
    yaml_put_text(&out, TEXT("a,b"));
    UNIT_TEXT(buffer_text(&out), "https://api.openai.com/v1\"a,b\"");
    buffer_close(&out);
}
END_TEST

UNIT_MAIN(is_read_back_as_it_was, writes_bytes_that_are_no_text_as_something_harmless,
          is_plain_where_that_is_safe)
