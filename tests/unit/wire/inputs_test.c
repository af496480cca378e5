/* Embeddings in parts: the inputs of a request, and answers put together. */
#include "../unit.h"
#include "wire/inputs.h"

static struct arena arena;
static struct body body;

static size_t inputs_in(const char *input, struct text *inputs, size_t most)
{
    struct body_error error;
    struct text raw = arena_printf(&arena, "{\"model\":\"m\", \"input\" : %s }", input);
    ck_assert_msg(body_read(ENDPOINT_EMBEDDINGS, raw, &arena, &body, &error), "%s: %s", input,
                  error.message);
    return inputs_of(&body, inputs, most);
}

START_TEST(each_text_and_each_list_of_tokens_is_an_input)
{
    static const struct {
        const char *input;
        size_t count;
        const char *inputs[3];
    } cases[] = {
        {"\"a\"", 1, {"\"a\""}},
        {"[1, 2,3]", 1, {"[1, 2,3]"}},
        {"[ \"a\" , \"b,\\\"\",\"\"]", 3, {"\"a\"", "\"b,\\\"\"", "\"\""}},
        {"[[1,2],[ 3 ]]", 2, {"[1,2]", "[ 3 ]"}},
    };
    struct text inputs[3];
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        ck_assert_uint_eq(inputs_in(cases[i].input, inputs, 3), cases[i].count);
        for (size_t j = 0; j < cases[i].count; j++)
            UNIT_TEXT(inputs[j], cases[i].inputs[j]);
        ck_assert_uint_eq(inputs_in(cases[i].input, inputs, cases[i].count - 1), 0);
    }
    arena_close(&arena);
}
END_TEST

START_TEST(what_was_taken_apart_can_be_joined)
{
    struct text inputs[3];
    size_t count = inputs_in("[\"a\", \"b\" ,\"c\"]", inputs, 3);
    UNIT_TEXT(inputs_join(inputs, count, &arena), "[\"a\",\"b\",\"c\"]");
    UNIT_TEXT(inputs_join(inputs + 1, 1, &arena), "[\"b\"]");
    arena_close(&arena);
}
END_TEST

START_TEST(reads_embeddings_by_their_index)
{
    struct text found[2];
    ck_assert(inputs_read_answer(
        TEXT("{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":1,\"embedding\":"
             "[0.10, 2e-3]},{\"embedding\":\"AACA\",\"index\":0}],\"model\":\"m\"}"),
        found, 2));
    UNIT_TEXT(found[0], "\"AACA\"");
    UNIT_TEXT(found[1], "[0.10, 2e-3]");
}
END_TEST

START_TEST(refuses_answers_that_lack_an_embedding)
{
    static const char *const answers[] = {
        "",
        "[]",
        "{}",
        "{\"data\":{}}",
        "{\"data\":[]}",
        "{\"data\":[{\"index\":0,\"embedding\":[1]}]}",
        "{\"data\":[{\"index\":0,\"embedding\":[1]},{\"index\":0,\"embedding\":[1]}]}",
        "{\"data\":[{\"index\":0,\"embedding\":[1]},{\"index\":2,\"embedding\":[1]}]}",
        "{\"data\":[{\"index\":0,\"embedding\":[1]},{\"index\":-1,\"embedding\":[1]}]}",
        "{\"data\":[{\"index\":0,\"embedding\":[1]},{\"index\":\"1\",\"embedding\":[1]}]}",
        "{\"data\":[{\"index\":0,\"embedding\":[1]},{\"index\":1,\"embedding\":null}]}",
        "{\"data\":[{\"index\":0,\"embedding\":[1]},{\"index\":1}]}",
        "{\"data\":[{\"index\":0,\"embedding\":[1]},7]}",
        "{\"data\":[{\"index\":0,\"embedding\":[]},{\"index\":1,\"embedding\":[]},{\"index\":2}]}",
        "{\"error\":{},\"data\":[{\"index\":0,\"embedding\":[1]},{\"index\":1,\"embedding\":[1]}]}",
    };
    struct text found[2];
    for (size_t i = 0; i < UNIT_COUNT(answers); i++)
        ck_assert_msg(!inputs_read_answer(text_of(answers[i]), found, 2), "%s", answers[i]);
}
END_TEST

START_TEST(an_answer_put_together_reads_as_openais)
{
    const struct text embeddings[] = {TEXT("[1, 2]"), TEXT("\"AA==\"")};
    struct text found[2];
    struct buffer out = {0};
    inputs_put_answer(&out, embeddings, 2, TEXT("\"m\\u0041\""), 17);
    UNIT_TEXT(buffer_text(&out),
              "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,\"embedding\":"
              "[1, 2]},{\"object\":\"embedding\",\"index\":1,\"embedding\":\"AA==\"}],\"model\":"
              "\"m\\u0041\",\"usage\":{\"prompt_tokens\":17,\"total_tokens\":17}}");
    ck_assert(inputs_read_answer(buffer_text(&out), found, 2));
    UNIT_TEXT(found[0], "[1, 2]");
    UNIT_TEXT(found[1], "\"AA==\"");
    buffer_close(&out);
}
END_TEST

UNIT_MAIN(each_text_and_each_list_of_tokens_is_an_input, what_was_taken_apart_can_be_joined,
          reads_embeddings_by_their_index, refuses_answers_that_lack_an_embedding,
          an_answer_put_together_reads_as_openais)
