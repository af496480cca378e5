/* The lines of a batch's file: their sums, and the first that is wrong. */
#include "wire/jobs.h"

#include "../unit.h"

#define URL "/v1/chat/completions"
#define JOB(url, body)                                                                             \
    "{\"custom_id\":\"a\",\"method\":\"POST\",\"url\":\"" url "\",\"body\":" body "}\n"
#define CHAT(members)                                                                              \
    JOB(URL, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]" members "}")

static struct jobs read_all(const char *file, size_t most)
{
    struct jobs jobs = {0};
    size_t at = 0;
    while (jobs_read(&jobs, text_of(file), &at, most))
        continue;
    return jobs;
}

static void expect_fault(const char *file, int64_t line, const char *why)
{
    struct jobs jobs = read_all(file, SIZE_MAX / 2);
    ck_assert_msg(jobs.faulty_line == line, "%s: line %d", file, (int)jobs.faulty_line);
    ck_assert_msg(text_find(text_of(jobs.why), text_of(why), 0) != SIZE_MAX, "%s", jobs.why);
}

START_TEST(sums_are_of_all_lines)
{
    static const char file[] = CHAT(",\"max_tokens\":10")
        CHAT(",\"max_tokens\":5,\"n\":3") "\r\n   \n" CHAT("") CHAT(",\"n\":2");
    for (size_t most = 1; most < sizeof(file) + 1; most += 37) {
        struct jobs jobs = read_all(file, most);
        ck_assert_int_eq(jobs.faulty_line, 0);
        ck_assert_int_eq(jobs.lines, 4);
        ck_assert_str_eq(jobs.model, "m");
        ck_assert_int_eq(jobs.endpoint, ENDPOINT_CHAT);
        ck_assert_int_eq(jobs.output_tokens, 10 + 3 * 5);
        ck_assert_int_eq(jobs.open_choices, 1 + 2);
        ck_assert_int_gt(jobs.input_tokens, 3 * jobs.largest_input);
        ck_assert_int_lt(jobs.input_tokens, 4 * jobs.largest_input);
    }
}
END_TEST

START_TEST(the_bound_of_a_line_is_that_of_its_body)
{
    struct jobs jobs = read_all(CHAT(",\"max_tokens\":10"), 1000);
    struct arena arena = {0};
    struct body body;
    struct body_error error;
    ck_assert(body_read(ENDPOINT_CHAT,
                        TEXT("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":"
                             "\"hi\"}],\"max_tokens\":10}"),
                        &arena, &body, &error));
    ck_assert_int_eq(jobs.input_tokens, body.input_bound);
    arena_close(&arena);
}
END_TEST

START_TEST(embeddings_have_no_output)
{
    struct jobs jobs =
        read_all(JOB("/v1/embeddings", "{\"model\":\"m\",\"input\":[\"a\",\"b\"]}"), 1000);
    ck_assert_int_eq(jobs.faulty_line, 0);
    ck_assert_int_eq(jobs.output_tokens + jobs.open_choices, 0);
}
END_TEST

START_TEST(a_line_that_is_not_understood_is_named)
{
    expect_fault(CHAT("") "nonsense\n" CHAT(""), 2, "not a JSON object");
    expect_fault(CHAT("") "[1]", 2, "not a JSON object");
    expect_fault("{\"custom_id\":\"a\"}", 1, "method");
    expect_fault("{\"method\":\"GET\",\"url\":\"" URL "\",\"body\":{}}", 1, "method");
    expect_fault(JOB("/v1/files", "{}"), 1, "url");
    expect_fault(JOB("/v1/../files", "{}"), 1, "url");
    expect_fault(JOB(URL, "[]"), 1, "body");
    expect_fault(JOB(URL, "{}"), 1, "model");
    expect_fault(CHAT("") JOB(URL, "{\"model\":\"n\",\"messages\":[]}"), 2, "its model is another");
    expect_fault(CHAT("") JOB("/v1/completions", "{\"model\":\"m\",\"prompt\":\"x\"}"), 2,
                 "its url is another");
    expect_fault(CHAT(",\"stream\":true"), 1, "stream");
    expect_fault(CHAT(",\"model\":\"m\""), 1, "model");
    expect_fault(CHAT(",\"n\":-1"), 1, "n");
    expect_fault(CHAT(",\"previous_response_id\":\"r\""), 1, "response");
    expect_fault(CHAT(",\"conversation\":\"conv_1\""), 1, "conversation");
    expect_fault(JOB(URL, "{\"model\":\"m\\u0000\",\"messages\":[]}"), 1, "zero");
}
END_TEST

START_TEST(a_member_that_another_reader_might_take_is_a_fault)
{
    expect_fault("{\"method\":\"POST\",\"url\":\"" URL "\",\"body\":{},\"body\":{}}", 1, "twice");
    expect_fault("{\"method\":\"POST\",\"url\":\"" URL "\",\"body\":{},\"bod\\u0079\":{}}", 1,
                 "twice");
    expect_fault("{\"method\":\"POST\",\"url\":\"" URL "\",\"Body\":{},\"body\":{}}", 1, "capital");
}
END_TEST

START_TEST(what_cannot_be_bounded_is_noted)
{
    struct jobs jobs = read_all(CHAT("") CHAT(",\"web_search_options\":{}"), 1000);
    ck_assert_int_eq(jobs.faulty_line, 0);
    ck_assert_int_eq(jobs.unbounded_line, 2);
    jobs = read_all(CHAT(",\"service_tier\":\"default\"") CHAT(",\"service_tier\":\"priority\""),
                    1000);
    ck_assert_int_eq(jobs.unbounded_line, 2);
    jobs = read_all(JOB("/v1/responses", "{\"model\":\"m\",\"input\":"
                                         "[{\"type\":\"computer_call_output\"}]}"),
                    1000);
    ck_assert_int_eq(jobs.far_inputs, 1);
    ck_assert_int_eq(jobs.input_tokens, 0);
    jobs = read_all(JOB("/v1/responses", "{\"model\":\"m\",\"input\":\"x\",\"tools\":"
                                         "[{\"type\":\"web_search\"}],\"max_tool_calls\":3}"),
                    1000);
    ck_assert_int_eq(jobs.faulty_line, 0);
    ck_assert_int_eq(jobs.unbounded_line, 1);
}
END_TEST

#define PARTS(parts)                                                                               \
    JOB(URL, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[" parts "]}]}")

/* Their tokens are not in the bytes. */
START_TEST(images_are_as_much_as_the_model_takes)
{
    struct jobs jobs = read_all(
        PARTS("{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://a/b.png\"}}"), 1000);
    ck_assert_int_eq(jobs.faulty_line, 0);
    ck_assert_int_eq(jobs.far_inputs, 1);
    ck_assert_int_eq(jobs.input_tokens, 0);
}
END_TEST

START_TEST(files_that_are_named_are_a_fault)
{
    expect_fault(PARTS("{\"type\":\"file\",\"file\":{\"file_id\":\"file-1\"}}"), 1, "file");
    expect_fault(PARTS("{\"type\":\"file\",\"file\":{\"File\\u005fid\":\"file-1\"}}"), 1, "file");
}
END_TEST

START_TEST(sums_stay_in_their_range)
{
    struct buffer file = {0};
    for (int i = 0; i < 20; i++)
        buffer_put(&file, TEXT(CHAT(",\"max_tokens\":1000000000,\"n\":128")));
    struct jobs jobs = read_all(buffer_string(&file), 100000);
    ck_assert_int_eq(jobs.faulty_line, 0);
    ck_assert_int_eq(jobs.output_tokens, JOBS_MOST_TOKENS);
    buffer_close(&file);
}
END_TEST

START_TEST(what_is_kept_reads_the_same)
{
    static const char *const files[] = {
        CHAT(",\"max_tokens\":10") CHAT(""),
        CHAT(",\"audio\":{},\"modalities\":[\"text\",\"audio\"]"),
        CHAT("") "{\"a\":\"\xc3\xa9\"}",
        "",
        JOB("/v1/embeddings", "{\"model\":\"\\\"m\\n\",\"input\":\"x\"}"),
    };
    for (size_t i = 0; i < UNIT_COUNT(files); i++) {
        struct jobs jobs = read_all(files[i], 1000), again;
        struct buffer kept = {0};
        jobs_put(&kept, &jobs);
        ck_assert_msg(jobs_parse(buffer_text(&kept), &again), "%s", buffer_string(&kept));
        ck_assert_int_eq(memcmp(&jobs, &again, offsetof(struct jobs, model)), 0);
        ck_assert_str_eq(jobs.model, again.model);
        ck_assert_str_eq(jobs.why, again.why);
        ck_assert_int_eq(jobs.output_tokens, again.output_tokens);
        ck_assert_int_eq(jobs.faulty_line, again.faulty_line);
        ck_assert_int_eq(jobs.audio, again.audio);
        ck_assert_int_eq(jobs.endpoint, again.endpoint);
        buffer_close(&kept);
    }
    struct jobs jobs;
    ck_assert(!jobs_parse(TEXT(""), &jobs));
    ck_assert(!jobs_parse(TEXT("{}"), &jobs));
    ck_assert(!jobs_parse(TEXT("nonsense"), &jobs));
}
END_TEST

UNIT_MAIN(sums_are_of_all_lines, the_bound_of_a_line_is_that_of_its_body, embeddings_have_no_output,
          a_line_that_is_not_understood_is_named,
          a_member_that_another_reader_might_take_is_a_fault, what_cannot_be_bounded_is_noted,
          images_are_as_much_as_the_model_takes, files_that_are_named_are_a_fault,
          sums_stay_in_their_range, what_is_kept_reads_the_same)
