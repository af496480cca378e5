/* Splicing changes into a body: the changes are there, every other byte is the client's. */
#include <cjson/cJSON.h>
#include <stdio.h>

#include "../unit.h"
#include "wire/body.h"

static struct arena arena;
static struct buffer sent;
static struct text pieces[BODY_MAX_PIECES];
static size_t piece_count;

static const struct body_changes no_changes = {.max_output = BODY_ABSENT};

static void forward(struct text raw, const struct body_changes *changes)
{
    struct body body;
    struct body_error error;

    ck_assert_msg(body_read(ENDPOINT_CHAT, raw, &arena, &body, &error), "%.*s: %s", TEXT_ARG(raw),
                  error.message);
    piece_count = body_forward(&body, changes, &arena, pieces);
    ck_assert_uint_le(piece_count, BODY_MAX_PIECES);
    buffer_clear(&sent);
    for (size_t i = 0; i < piece_count; i++)
        buffer_put(&sent, pieces[i]);
}

static void check(const char *raw, const struct body_changes *changes, const char *want)
{
    forward(text_of(raw), changes);
    UNIT_TEXT(buffer_text(&sent), want);
}

START_TEST(without_a_change_it_is_the_raw_body)
{
    struct text raw = TEXT(" { \"model\" : \"m\", \"messages\":[], \"max_tokens\": 1.0e1 } ");
    struct body_changes same = {
        .model = TEXT("m"), .max_output = 10, .max_field = TEXT("max_tokens")};

    forward(raw, &no_changes);
    ck_assert_uint_eq(piece_count, 1);
    ck_assert_ptr_eq(pieces[0].at, raw.at);
    ck_assert_uint_eq(pieces[0].size, raw.size);
    forward(raw, &same);
    ck_assert_uint_eq(piece_count, 1);
    ck_assert_uint_eq(pieces[0].size, raw.size);
}
END_TEST

START_TEST(replaces_the_model_with_escapes)
{
    struct body_changes changes = {.model = TEXT("a\"b\\\n\xC3\xA9"), .max_output = BODY_ABSENT};
    check("{\"messages\":[],\"model\" : \"gpt\\u002d4o\" }", &changes,
          "{\"messages\":[],\"model\" : \"a\\\"b\\\\\\n\xC3\xA9\" }");
}
END_TEST

/* Who asked may be gone, with all it had, before the last piece is sent. */
START_TEST(the_pieces_do_not_point_into_the_changes)
{
    char input[] = "[\"b\"]";
    char model[] = "other";
    const struct body_changes changes = {
        .model = text_of(model), .max_output = BODY_ABSENT, .input = text_of(input)};
    struct body body;
    struct body_error error;

    ck_assert(body_read(ENDPOINT_EMBEDDINGS, TEXT("{\"input\":[\"a\"],\"model\":\"m\"}"), &arena,
                        &body, &error));
    piece_count = body_forward(&body, &changes, &arena, pieces);
    memset(input, '?', sizeof(input));
    memset(model, '?', sizeof(model));
    buffer_clear(&sent);
    for (size_t i = 0; i < piece_count; i++)
        buffer_put(&sent, pieces[i]);
    UNIT_TEXT(buffer_text(&sent), "{\"input\":[\"b\"],\"model\":\"other\"}");
}
END_TEST

START_TEST(replaces_the_input_of_embeddings)
{
    struct text raw = TEXT("{\"input\" : [\"a\", \"b\"], \"model\":\"m\",\"x\":1}");
    struct body_changes changes = {
        .model = TEXT("n"), .max_output = BODY_ABSENT, .input = TEXT("[\"b\"]")};
    struct body body;
    struct body_error error;

    ck_assert(body_read(ENDPOINT_EMBEDDINGS, raw, &arena, &body, &error));
    UNIT_TEXT(body.input_raw, "[\"a\", \"b\"]");
    piece_count = body_forward(&body, &changes, &arena, pieces);
    buffer_clear(&sent);
    for (size_t i = 0; i < piece_count; i++)
        buffer_put(&sent, pieces[i]);
    UNIT_TEXT(buffer_text(&sent), "{\"input\" : [\"b\"], \"model\":\"n\",\"x\":1}");
}
END_TEST

START_TEST(lowers_every_maximum_that_is_larger_and_no_other)
{
    struct body_changes changes = {.max_output = 50, .max_field = TEXT("max_completion_tokens")};
    check("{\"model\":\"m\",\"max_tokens\":100,\"messages\":[],\"max_completion_tokens\": 50}",
          &changes,
          "{\"model\":\"m\",\"max_tokens\":50,\"messages\":[],\"max_completion_tokens\": 50}");
    check("{\"model\":\"m\",\"max_tokens\":1e2,\"messages\":[],\"max_completion_tokens\":null}",
          &changes,
          "{\"model\":\"m\",\"max_tokens\":50,\"messages\":[],\"max_completion_tokens\":null}");
    check("{\"model\":\"m\",\"max_tokens\":9,\"messages\":[]}", &changes,
          "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[]}");
}
END_TEST

START_TEST(adds_a_maximum_where_there_is_none)
{
    struct body_changes changes = {.max_output = 50, .max_field = TEXT("max_completion_tokens")};
    struct body_changes nameless = {.max_output = 50};
    check(" {\"model\":\"m\",\"messages\":[]}", &changes,
          " {\"max_completion_tokens\":50,\"model\":\"m\",\"messages\":[]}");
    check("{\"max_completion_tokens\": null ,\"model\":\"m\",\"messages\":[]}", &changes,
          "{\"max_completion_tokens\": 50 ,\"model\":\"m\",\"messages\":[]}");
    check("{\"max_tokens\":null,\"model\":\"m\",\"messages\":[]}", &changes,
          "{\"max_completion_tokens\":50,\"max_tokens\":null,\"model\":\"m\",\"messages\":[]}");
    check("{\"model\":\"m\",\"messages\":[]}", &nameless, "{\"model\":\"m\",\"messages\":[]}");
}
END_TEST

START_TEST(renames_a_maximum_to_the_name_the_upstream_knows)
{
    struct body_changes older = {.max_output = BODY_ABSENT, .max_field = TEXT("max_tokens")};
    struct body_changes lower = {.max_output = 5, .max_field = TEXT("max_tokens")};
    check("{\"model\":\"m\",\"messages\":[],\"max_completion_\\u0074okens\" : 9}", &older,
          "{\"model\":\"m\",\"messages\":[],\"max_tokens\" : 9}");
    check("{\"max_completion_tokens\":9,\"model\":\"m\",\"max_tokens\":null,\"messages\":[]}",
          &lower,
          "{\"max_tokens\":5,\"model\":\"m\",\"max_completion_tokens\":null,\"messages\":[]}");
    check("{\"max_completion_tokens\":9,\"model\":\"m\",\"max_tokens\":8,\"messages\":[]}", &older,
          "{\"max_completion_tokens\":9,\"model\":\"m\",\"max_tokens\":8,\"messages\":[]}");
    check("{\"max_completion_tokens\":null,\"model\":\"m\",\"messages\":[]}", &older,
          "{\"max_completion_tokens\":null,\"model\":\"m\",\"messages\":[]}");
}
END_TEST

START_TEST(asks_for_usage)
{
    struct body_changes changes = {.max_output = BODY_ABSENT, .include_usage = true};
    static const struct {
        const char *before, *after;
    } cases[] = {
        {"{\"include_usage\":true}", "{\"include_usage\":true}"},
        {"{\"include_usage\" : false}", "{\"include_usage\" : true}"},
        {"{\"x\":1,\"include\\u005fusage\":null}", "{\"x\":1,\"include\\u005fusage\":true}"},
        {"{\"x\":\"}\"}", "{\"include_usage\":true,\"x\":\"}\"}"},
        {"{}", "{\"include_usage\":true}"},
        {"{ }", "{\"include_usage\":true }"},
        {"null", "{\"include_usage\":true}"},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        char before[256], after[256];
        static const char form[] = "{\"model\":\"m\",\"stream_options\":%s,\"messages\":[]}";
        (void)snprintf(before, sizeof(before), form, cases[i].before);
        (void)snprintf(after, sizeof(after), form, cases[i].after);
        check(before, &changes, after);
    }
    check("{\"model\":\"m\",\"messages\":[]}", &changes,
          "{\"stream_options\":{\"include_usage\":true},\"model\":\"m\",\"messages\":[]}");
}
END_TEST

START_TEST(makes_all_changes_at_once)
{
    struct body_changes changes = {.model = TEXT("other"),
                                   .max_output = 5,
                                   .max_field = TEXT("max_tokens"),
                                   .include_usage = true};
    check("{\"messages\":[],\"model\":\"m\"}", &changes,
          "{\"max_tokens\":5,\"stream_options\":{\"include_usage\":true},\"messages\":[],"
          "\"model\":\"other\"}");
    check("{\"max_completion_tokens\":6,\"stream_options\":{},\"max_tokens\":7,\"model\":\"m\","
          "\"messages\":[]}",
          &changes,
          "{\"max_completion_tokens\":5,\"stream_options\":{\"include_usage\":true},"
          "\"max_tokens\":5,\"model\":\"other\",\"messages\":[]}");
}
END_TEST

/* ---- the property, on random bodies, with cJSON as the oracle ---- */

static unsigned seed;

static unsigned below(unsigned most)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % most;
}

static void put_one_of(struct buffer *out, const char *const *choices, unsigned count)
{
    buffer_put(out, text_of(choices[below(count)]));
}

/* A body with its members in random order, with random white space, values and neighbours. */
static void put_random_body(struct buffer *out)
{
    static const char *const options[] = {"null",
                                          "{}",
                                          "{ }",
                                          "{\"include_usage\":false}",
                                          "{\"include_usage\":true}",
                                          "{\"include_obfuscation\":false}",
                                          "{\"a\":[1,{}],\"include_usage\":null , \"b\":2}"};
    static const char *const counts[] = {"null", "1", "49", "50", "51", "1e3", "1000000000"};
    static const char *const others[] = {"\"seed\":12345678901234567890",
                                         "\"top_p\":0.10",
                                         "\"x\":\"model\\\":\"",
                                         "\"y\":{\"model\":\"in\",\"max_tokens\":99}",
                                         "\"z\":[]",
                                         "\"\":null"};
    static const char *const spaces[] = {"", "", " ", "\n\t"};
    unsigned first = below(7);

    put_one_of(out, spaces, 4);
    buffer_put_byte(out, '{');
    for (unsigned i = 0; i < 7; i++) {
        struct buffer member = {0};
        switch ((first + i) % 7) {
        case 0:
            buffer_put(&member, TEXT("\"model\":\"gpt-\\u0034o\""));
            break;
        case 1:
            buffer_put(&member,
                       TEXT("\"messages\":[{\"role\":\"user\",\"content\":\"\\ud83d\\ude00\"}]"));
            break;
        case 2:
            buffer_put(&member, TEXT("\"max_tokens\":"));
            put_one_of(&member, counts, 7);
            break;
        case 3:
            buffer_put(&member, TEXT("\"max_completion_tokens\":"));
            put_one_of(&member, counts, 7);
            break;
        case 4:
            buffer_put(&member, TEXT("\"stream_options\":"));
            put_one_of(&member, options, 7);
            break;
        default:
            put_one_of(&member, others, 6);
        }
        bool optional = (first + i) % 7 > 1;
        if (!optional || below(2) == 0) {
            if (out->at[out->size - 1] != '{')
                buffer_put_byte(out, ',');
            put_one_of(out, spaces, 4);
            buffer_put(out, buffer_text(&member));
            put_one_of(out, spaces, 4);
            if (out->at[out->size - 1] == '{')
                buffer_put_byte(out, ' ');
        }
        buffer_close(&member);
    }
    buffer_put_byte(out, '}');
}

static void set(cJSON *object, const char *name, cJSON *value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(object, name);
    cJSON_AddItemToObject(object, name, value);
}

static bool lower(cJSON *object, const char *name, double most)
{
    cJSON *field = cJSON_GetObjectItemCaseSensitive(object, name);
    if (field == NULL || cJSON_IsNull(field))
        return false;
    if (field->valuedouble > most)
        set(object, name, cJSON_CreateNumber(most));
    return true;
}

static void rename_max(cJSON *object, bool to_older)
{
    cJSON *older = cJSON_GetObjectItemCaseSensitive(object, "max_tokens");
    cJSON *newer = cJSON_GetObjectItemCaseSensitive(object, "max_completion_tokens");
    bool renames = to_older && newer != NULL && !cJSON_IsNull(newer);
    if (!renames || (older != NULL && !cJSON_IsNull(older)))
        return;
    double most = newer->valuedouble;
    if (older != NULL)
        set(object, "max_completion_tokens", cJSON_CreateNull());
    else
        cJSON_DeleteItemFromObjectCaseSensitive(object, "max_completion_tokens");
    set(object, "max_tokens", cJSON_CreateNumber(most));
}

/* What body_changes say, done the plain way. */
static void apply(cJSON *object, const struct body_changes *changes)
{
    if (changes->model.at != NULL)
        set(object, "model", cJSON_CreateString("new \"name\""));
    rename_max(object, changes->max_field.size == 10);
    if (changes->max_output != BODY_ABSENT) {
        double most = (double)changes->max_output;
        bool tokens = lower(object, "max_tokens", most);
        bool completion = lower(object, "max_completion_tokens", most);
        if (!tokens && !completion)
            set(object, changes->max_field.size == 10 ? "max_tokens" : "max_completion_tokens",
                cJSON_CreateNumber(most));
    }
    if (changes->include_usage) {
        cJSON *options = cJSON_GetObjectItemCaseSensitive(object, "stream_options");
        if (!cJSON_IsObject(options)) {
            set(object, "stream_options", cJSON_CreateObject());
            options = cJSON_GetObjectItemCaseSensitive(object, "stream_options");
        }
        set(options, "include_usage", cJSON_CreateTrue());
    }
}

/* The client's bytes in order: every piece that points into the raw body, one behind the other,
 * and together all of it but what was replaced. */
static void check_pieces(struct text raw)
{
    const char *at = raw.at;
    size_t kept = 0;
    for (size_t i = 0; i < piece_count; i++) {
        if (pieces[i].at < raw.at || pieces[i].at >= raw.at + raw.size)
            continue;
        ck_assert(pieces[i].at >= at);
        at = pieces[i].at + pieces[i].size;
        kept += pieces[i].size;
    }
    ck_assert_ptr_eq(at, raw.at + raw.size);
    ck_assert_uint_ge(kept + 120, raw.size); /* what was replaced is shorter in all */
}

START_TEST(the_body_sent_is_the_original_with_the_changes_applied)
{
    for (unsigned round = 0; round < 20000; round++) {
        struct buffer raw = {0};
        struct body_changes changes = no_changes;

        seed = round * 2654435761u;
        put_random_body(&raw);
        if (below(2) == 0)
            changes.model = TEXT("new \"name\"");
        if (below(3) != 0)
            changes.max_output = 50;
        changes.max_field = below(2) == 0 ? TEXT("max_tokens") : TEXT("max_completion_tokens");
        changes.include_usage = below(2) == 0;

        cJSON *want = cJSON_Parse(buffer_string(&raw));
        ck_assert_msg(want != NULL, "%s", buffer_string(&raw));
        apply(want, &changes);
        forward(buffer_text(&raw), &changes);
        check_pieces(buffer_text(&raw));
        cJSON *have = cJSON_Parse(buffer_string(&sent));
        ck_assert_msg(cJSON_Compare(have, want, true), "%s\nbecame\n%s", buffer_string(&raw),
                      buffer_string(&sent));
        cJSON_Delete(have);
        cJSON_Delete(want);
        buffer_close(&raw);
        arena_close(&arena);
    }
}
END_TEST

UNIT_MAIN(the_pieces_do_not_point_into_the_changes, replaces_the_input_of_embeddings,
          without_a_change_it_is_the_raw_body, replaces_the_model_with_escapes,
          lowers_every_maximum_that_is_larger_and_no_other, adds_a_maximum_where_there_is_none,
          renames_a_maximum_to_the_name_the_upstream_knows, asks_for_usage,
          makes_all_changes_at_once, the_body_sent_is_the_original_with_the_changes_applied)
