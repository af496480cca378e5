/* Ending Responses streams before their time. */
#include <cjson/cJSON.h>
#include <stdio.h>

#include "../unit.h"
#include "wire/ending.h"

#define CREATED                                                                                    \
    "{\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_1\","        \
    "\"object\":\"response\",\"created_at\":5,\"status\":\"in_progress\",\"model\":\"gpt\","       \
    "\"instructions\":\"be \\u0062rief\",\"output\":[],\"usage\":null,\"error\":null,"             \
    "\"incomplete_details\":null,\"store\":true}}"
#define ITEM(type)                                                                                 \
    "{\"type\":\"response.output_item.added\",\"sequence_number\":1,\"output_index\":0,\"item\":{" \
    "\"id\":\"it\\u005f1\",\"type\":\"" type "\",\"name\":\"f\",\"content\":[]}}"
#define PART(type)                                                                                 \
    "{\"type\":\"response.content_part.added\",\"sequence_number\":2,\"output_index\":0,"          \
    "\"content_index\":0,\"item_id\":\"it_1\",\"part\":{\"type\":\"" type "\"}}"
#define DELTA(type, text)                                                                          \
    "{\"type\":\"response." type ".delta\",\"sequence_number\":3,\"output_index\":0,"              \
    "\"content_index\":0,\"item_id\":\"it_1\",\"delta\":\"" text "\"}"
#define PART_DONE                                                                                  \
    "{\"type\":\"response.content_part.done\",\"sequence_number\":4,\"output_index\":0,"           \
    "\"content_index\":0,\"part\":{\"type\":\"output_text\",\"text\":\"Hi\"}}"
#define ITEM_DONE                                                                                  \
    "{\"type\":\"response.output_item.done\",\"sequence_number\":5,\"output_index\":0,\"item\":{"  \
    "\"id\":\"it_1\",\"type\":\"message\",\"content\":[{\"type\":\"output_text\",\"text\":"        \
    "\"Hi\"}]}}"

static struct buffer out;
static cJSON *events[16];
static size_t event_count;

static const struct ending_facts length = {.id = TEXT("req_1"),
                                           .model = TEXT("m"),
                                           .created_s = 7,
                                           .input_tokens = 3,
                                           .output_tokens = 4,
                                           .cost = TEXT("0.0001")};

/* Reads what was written, and that each event's name is its type and its number the next one. */
static void read_events(double number)
{
    char *rest = (char *)(uintptr_t)buffer_string(&out);
    for (char *line; (line = strstr(rest, "data: ")) != NULL; number++) {
        rest = strstr(line, "\n\n");
        ck_assert_ptr_nonnull(rest);
        *rest++ = '\0';
        ck_assert_msg(strpbrk(line, "\r\n") == NULL, "%s", line);
        cJSON *event = events[event_count++] = cJSON_Parse(line + 6);
        ck_assert_msg(event != NULL, "%s", line);
        const char *type = cJSON_GetObjectItem(event, "type")->valuestring;
        ck_assert(strncmp(line - strlen(type) - 1, type, strlen(type)) == 0);
        ck_assert_double_eq(cJSON_GetObjectItem(event, "sequence_number")->valuedouble, number);
    }
}

/* The events that end a stream of these; NULL ends the list. */
static void end(const char *const *passed, const struct ending_facts *facts)
{
    struct delta_reader reader = {.endpoint = ENDPOINT_RESPONSES};
    struct ending ending;
    ending_open(&ending, ENDPOINT_RESPONSES, 1);
    for (; *passed != NULL; passed++) {
        delta_read(&reader, text_of(*passed));
        ending_note(&ending, text_of(*passed), &reader);
    }
    buffer_clear(&out);
    while (event_count > 0)
        cJSON_Delete(events[--event_count]);
    ending_put(&ending, facts, &out);
    ending_close(&ending);
    delta_reader_close(&reader);
    read_events((double)ending.sequence + (ending.begun ? 1 : 0));
}

static void is_event(size_t at, const char *type)
{
    ck_assert_uint_lt(at, event_count);
    ck_assert_str_eq(cJSON_GetObjectItem(events[at], "type")->valuestring, type);
}

/* The value at a path of members and indices, as JSON. */
static const char *value_at(size_t at, const char *path)
{
    static char *printed;
    struct text rest = text_of(path);
    const cJSON *value = events[at];
    while (rest.at != NULL) {
        struct text name = text_split(&rest, '.');
        char copy[32];
        (void)snprintf(copy, sizeof(copy), "%.*s", TEXT_ARG(name));
        value = copy[0] >= '0' && copy[0] <= '9' ? cJSON_GetArrayItem(value, copy[0] - '0')
                                                 : cJSON_GetObjectItem(value, copy);
    }
    free(printed);
    printed = value != NULL ? cJSON_PrintUnformatted(value) : NULL;
    return printed != NULL ? printed : "";
}

START_TEST(an_open_message_is_ended_with_what_it_said)
{
    static const char *const passed[] = {CREATED,
                                         ITEM("message"),
                                         PART("output_text"),
                                         DELTA("output_text", "Hi \\u00e4"),
                                         DELTA("output_text", "\\n you"),
                                         NULL};
    end(passed, &length);
    ck_assert_uint_eq(event_count, 4);
    is_event(0, "response.output_text.done");
    ck_assert_str_eq(value_at(0, "text"), "\"Hi \xC3\xA4\\n you\"");
    ck_assert_str_eq(value_at(0, "item_id"), "\"it_1\"");
    is_event(1, "response.content_part.done");
    ck_assert_str_eq(value_at(1, "part.text"), "\"Hi \xC3\xA4\\n you\"");
    is_event(2, "response.output_item.done");
    ck_assert_str_eq(value_at(2, "item.status"), "\"incomplete\"");
    is_event(3, "response.incomplete");
    ck_assert_str_eq(value_at(3, "response.status"), "\"incomplete\"");
    ck_assert_str_eq(value_at(3, "response.incomplete_details"),
                     "{\"reason\":\"max_output_tokens\"}");
    ck_assert_str_eq(value_at(3, "response.id"), "\"resp_1\"");
    ck_assert_str_eq(value_at(3, "response.instructions"), "\"be brief\"");
    ck_assert_str_eq(value_at(3, "response.error"), "null");
    ck_assert_str_eq(value_at(3, "response.output.0.content.0.text"), "\"Hi \xC3\xA4\\n you\"");
    ck_assert_str_eq(value_at(3, "response.usage"),
                     "{\"input_tokens\":3,\"input_tokens_details\":{\"cached_tokens\":0},"
                     "\"output_tokens\":4,\"output_tokens_details\":{\"reasoning_tokens\":0},"
                     "\"total_tokens\":7,\"cost\":0.0001}");
}
END_TEST

/* Numbers and texts of events that are told by the form of the first one alone. */
START_TEST(usual_events_count_and_say_what_they_said)
{
    static const char *const kinds[] = {"output_text", "refusal"};
    for (size_t i = 0; i < UNIT_COUNT(kinds); i++) {
        char part[256], words[3][256];
        (void)snprintf(part, sizeof(part),
                       "{\"type\":\"response.content_part.added\",\"content_index\":0,\"part\":{"
                       "\"type\":\"%s\"}}",
                       kinds[i]);
        for (int word = 0; word < 3; word++)
            (void)snprintf(words[word], sizeof(words[word]),
                           "{\"type\":\"response.%s.delta\",\"delta\":\"%d\\n\","
                           "\"sequence_number\":%d,\"obfuscation\":\"%d\"}",
                           kinds[i], word, 9 + word, word);
        const char *const passed[] = {CREATED,  ITEM("message"), part, words[0],
                                      words[1], words[2],        NULL};
        end(passed, &length);
        ck_assert_uint_eq(event_count, 4);
        ck_assert_str_eq(value_at(0, "sequence_number"), "12");
        ck_assert_str_eq(value_at(0, i == 0 ? "text" : "refusal"), "\"0\\n1\\n2\\n\"");
    }
}
END_TEST

START_TEST(parts_and_items_that_ended_are_told_again)
{
    static const char *const part_ended[] = {
        CREATED, ITEM("message"), PART("output_text"), DELTA("output_text", "Hi"), PART_DONE, NULL};
    end(part_ended, &length);
    ck_assert_uint_eq(event_count, 2);
    is_event(0, "response.output_item.done");
    ck_assert_str_eq(value_at(0, "item.content.0.text"), "\"Hi\"");
    static const char *const item_ended[] = {
        CREATED, ITEM("message"), PART("output_text"), PART_DONE, ITEM_DONE, ITEM("message"), NULL};
    end(item_ended, &length);
    ck_assert_uint_eq(event_count, 2);
    is_event(1, "response.incomplete");
    ck_assert_str_eq(value_at(1, "response.output.0.content.0.text"), "\"Hi\"");
    ck_assert_str_eq(value_at(1, "response.output.1.content"), "[]");
}
END_TEST

START_TEST(a_refusal_is_ended_as_one)
{
    static const char *const passed[] = {CREATED, ITEM("message"), PART("refusal"),
                                         DELTA("refusal", "No"), NULL};
    end(passed, &length);
    is_event(0, "response.refusal.done");
    ck_assert_str_eq(value_at(0, "refusal"), "\"No\"");
    ck_assert_str_eq(value_at(3, "response.output.0.content.0"),
                     "{\"type\":\"refusal\",\"refusal\":\"No\"}");
}
END_TEST

START_TEST(half_a_call_is_left_out)
{
    static const char *const passed[] = {CREATED, ITEM("function_call"),
                                         DELTA("function_call_arguments", "{"), NULL};
    end(passed, &length);
    ck_assert_uint_eq(event_count, 1);
    is_event(0, "response.incomplete");
    ck_assert_str_eq(value_at(0, "response.output"), "[]");
}
END_TEST

START_TEST(what_no_event_named_comes_from_the_facts)
{
    static const char *const nothing[] = {NULL};
    end(nothing, &length);
    ck_assert_uint_eq(event_count, 2);
    is_event(0, "response.created");
    ck_assert_str_eq(value_at(0, "response.id"), "\"req_1\"");
    is_event(1, "response.incomplete");
    ck_assert_str_eq(value_at(1, "response.created_at"), "7");
    ck_assert_str_eq(value_at(1, "response.model"), "\"m\"");
}
END_TEST

START_TEST(after_its_own_end_nothing_follows)
{
    static const char *const ends[] = {
        "{\"type\":\"response.completed\",\"response\":{}}", "{\"type\":\"response.incomplete\"}",
        "{\"type\":\"response.failed\"}", "{\"type\":\"error\"}", "[DONE]"};
    for (size_t i = 0; i < UNIT_COUNT(ends); i++) {
        const char *const passed[] = {CREATED, ends[i], NULL};
        end(passed, &length);
        ck_assert_uint_eq(event_count, 0);
    }
}
END_TEST

START_TEST(an_error_says_why)
{
    static const char *const passed[] = {CREATED, ITEM("message"), PART("output_text"),
                                         DELTA("output_text", "Hi"), NULL};
    struct ending_facts facts = length;
    facts.manner = ENDING_ERROR;
    facts.message = TEXT("Budget \"x\" has been exceeded!");
    facts.code = TEXT("budget_exceeded");
    facts.type = TEXT("insufficient_quota");
    end(passed, &facts);
    ck_assert_uint_eq(event_count, 5);
    is_event(3, "error");
    ck_assert_str_eq(value_at(3, "code"), "\"budget_exceeded\"");
    ck_assert_str_eq(value_at(3, "message"), "\"Budget \\\"x\\\" has been exceeded!\"");
    is_event(4, "response.failed");
    ck_assert_str_eq(value_at(4, "response.status"), "\"failed\"");
    ck_assert_str_eq(value_at(4, "response.error.code"), "\"insufficient_quota\"");
    ck_assert_str_eq(value_at(4, "response.usage.output_tokens"), "4");
}
END_TEST

START_TEST(what_is_too_much_to_remember_is_left_out)
{
    size_t size = ENDING_MOST_OUTPUT + 1;
    char *much = malloc(size + 1);
    memset(much, 'x', size);
    much[size] = '\0';
    struct buffer delta = {0}, created = {0};
    buffer_printf(&delta,
                  "{\"type\":\"response.output_text.delta\",\"sequence_number\":3,"
                  "\"delta\":\"%s\"}",
                  much);
    much[ENDING_MOST_RESPONSE] = '\0';
    buffer_printf(&created,
                  "{\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\","
                  "\"instructions\":\"%s\"}}",
                  much);
    const char *const passed[] = {buffer_string(&created), ITEM("message"), PART("output_text"),
                                  buffer_string(&delta), NULL};
    end(passed, &length);
    ck_assert_uint_eq(event_count, 1);
    is_event(0, "response.incomplete");
    ck_assert_str_eq(value_at(0, "response.id"), "\"resp_1\"");
    ck_assert_str_eq(value_at(0, "response.instructions"), "");
    ck_assert_str_eq(value_at(0, "response.output"), "[]");
    buffer_close(&delta);
    buffer_close(&created);
    free(much);
}
END_TEST

/* Its data was of several lines. */
START_TEST(an_event_that_was_broken_into_lines_is_told_again_in_one)
{
    static const char *const passed[] = {
        "{\"type\":\"response.created\",\n\"response\":{\"id\":\n\"resp_1\",\r\n\"store\":true}}",
        ITEM("message"),
        "{\"type\":\"response.content_part.done\",\"part\":{\n\"type\":\"output_text\"\r}}",
        "{\"type\":\"response.output_item.done\",\"item\":{\"id\":\r\"it_1\"\n}}", NULL};
    end(passed, &length);
    ck_assert_uint_eq(event_count, 1);
    ck_assert_str_eq(value_at(0, "response.store"), "true");
    ck_assert_str_eq(value_at(0, "response.output.0.id"), "\"it_1\"");
}
END_TEST

UNIT_MAIN(an_event_that_was_broken_into_lines_is_told_again_in_one,
          usual_events_count_and_say_what_they_said, an_open_message_is_ended_with_what_it_said,
          parts_and_items_that_ended_are_told_again, a_refusal_is_ended_as_one,
          half_a_call_is_left_out, what_no_event_named_comes_from_the_facts,
          after_its_own_end_nothing_follows, an_error_says_why,
          what_is_too_much_to_remember_is_left_out)
