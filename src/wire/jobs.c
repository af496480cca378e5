/* The lines of a batch's input file; see wire/jobs.h. */
#include "wire/jobs.h"

#include <stdio.h>

/* ---- one line ---- */

enum member { MEMBER_ID, MEMBER_METHOD, MEMBER_URL, MEMBER_BODY, MEMBER_COUNT };

static const struct text member_names[MEMBER_COUNT] = {
    [MEMBER_ID] = TEXT("custom_id"),
    [MEMBER_METHOD] = TEXT("method"),
    [MEMBER_URL] = TEXT("url"),
    [MEMBER_BODY] = TEXT("body"),
};

static bool fault(struct jobs *jobs, const char *why)
{
    jobs->faulty_line = jobs->lines;
    (void)snprintf(jobs->why, sizeof jobs->why, "%s", why);
    return false;
}

bool jobs_endpoint(struct text url, enum endpoint *endpoint)
{
    if (!text_starts(url, TEXT("/v1/")))
        return false;
    struct text path = text_from(url, 3);
    for (int i = 0; i < ENDPOINT_COUNT; i++) {
        const struct endpoint_facts *facts = endpoint_facts((enum endpoint)i);
        if (!facts->batched || !text_equal(facts->path, path))
            continue;
        *endpoint = (enum endpoint)i;
        return true;
    }
    return false;
}

/* A member twice, or in other letter case, is another one to another reader. */
static bool find_members(struct jobs *jobs, struct json_value line, struct arena *arena,
                         struct json_value members[MEMBER_COUNT])
{
    struct json_walk walk = json_walk(line);
    struct text raw;
    struct json_value value;
    while (json_next(&walk, &raw, &value)) {
        struct text quoted = text_make(raw.at - 1, raw.size + 2);
        struct text name = json_string(arena, (struct json_value){JSON_STRING, quoted});
        for (int i = 0; i < MEMBER_COUNT; i++) {
            if (!text_equal_nocase(name, member_names[i]))
                continue;
            if (!text_equal(name, member_names[i]))
                return fault(jobs, "a member's name has capital letters");
            if (members[i].raw.size > 0)
                return fault(jobs, "a member stands twice");
            members[i] = value;
        }
    }
    return true;
}

static bool is_text(struct json_value value, struct arena *arena, struct text *text)
{
    if (value.raw.size == 0 || value.kind != JSON_STRING)
        return false;
    *text = json_string(arena, value);
    return true;
}

static bool read_envelope(struct jobs *jobs, struct text raw, struct arena *arena,
                          enum endpoint *endpoint, struct text *body)
{
    struct json_value line, members[MEMBER_COUNT] = {{0}};
    struct text method, url;
    if (json_parse(raw, &line, NULL) != JSON_OK || line.kind != JSON_OBJECT)
        return fault(jobs, "it is not a JSON object");
    if (!find_members(jobs, line, arena, members))
        return false;
    if (!is_text(members[MEMBER_METHOD], arena, &method) || !text_equal(method, TEXT("POST")))
        return fault(jobs, "its method is not POST");
    if (!is_text(members[MEMBER_URL], arena, &url) || !jobs_endpoint(url, endpoint))
        return fault(jobs, "its url is none that has batches");
    if (members[MEMBER_BODY].raw.size == 0 || members[MEMBER_BODY].kind != JSON_OBJECT)
        return fault(jobs, "its body is not a JSON object");
    *body = members[MEMBER_BODY].raw;
    return true;
}

/* ---- sums ---- */

static int64_t add(int64_t a, int64_t b)
{
    return a > JOBS_MOST_TOKENS - b ? JOBS_MOST_TOKENS : a + b;
}

static int64_t times(int64_t a, int64_t b)
{
    return b > 0 && a > JOBS_MOST_TOKENS / b ? JOBS_MOST_TOKENS : a * b;
}

/* The first line sets model and url; all others have the same. */
static bool same_as_all(struct jobs *jobs, enum endpoint endpoint, struct text model)
{
    if (model.size >= sizeof jobs->model || text_find(model, TEXT("\0"), 0) != SIZE_MAX)
        return fault(jobs, "its model's name is too long, or has a zero in it");
    if (jobs->lines == 1) {
        jobs->endpoint = endpoint;
        memcpy(jobs->model, model.at, model.size);
        jobs->model[model.size] = '\0';
        return true;
    }
    if (jobs->endpoint != endpoint)
        return fault(jobs, "its url is another than that of the lines before");
    if (!text_equal(text_of(jobs->model), model))
        return fault(jobs, "its model is another than that of the lines before");
    return true;
}

static void note_unbounded(struct jobs *jobs, struct text param, const char *why)
{
    if (jobs->unbounded_line != 0)
        return;
    jobs->unbounded_line = jobs->lines;
    (void)snprintf(jobs->why, sizeof jobs->why, "%.*s: %s", TEXT_ARG(param), why);
}

static void add_line(struct jobs *jobs, const struct body *body)
{
    const struct endpoint_facts *facts = endpoint_facts(body->endpoint);
    if (body->input_bound == BODY_UNBOUNDED || body->images > 0) {
        jobs->far_inputs = add(jobs->far_inputs, body->prompts);
    } else {
        jobs->input_tokens = add(jobs->input_tokens, body->input_bound);
        if (body->input_bound > jobs->largest_input)
            jobs->largest_input = body->input_bound;
    }
    jobs->audio = jobs->audio || body->audio;
    if (!facts->output_free && body->max_output == BODY_ABSENT)
        jobs->open_choices = add(jobs->open_choices, body->choices);
    else if (!facts->output_free)
        jobs->output_tokens = add(jobs->output_tokens, times(body->max_output, body->choices));
    jobs->output_tokens = add(jobs->output_tokens, body->extra_output);
    if (body->unbounded_param.size > 0)
        note_unbounded(jobs, body->unbounded_param, body->unbounded_why);
    else if (body->searches)
        note_unbounded(jobs, TEXT("tools"), "in a batch nobody bounds searches of the web");
    else if (body->service_tier.size > 0 && !text_equal(body->service_tier, TEXT("auto")) &&
             !text_equal(body->service_tier, TEXT("default")))
        note_unbounded(jobs, TEXT("service_tier"), "in a batch no other has a known price");
}

static void read_line(struct jobs *jobs, struct text raw)
{
    struct arena arena = {0};
    enum endpoint endpoint = ENDPOINT_CHAT;
    struct text body_raw;
    struct body body;
    struct body_error error;
    jobs->lines++;
    if (jobs->lines > JOBS_MOST) {
        fault(jobs, "there are more lines than a batch can have");
    } else if (read_envelope(jobs, raw, &arena, &endpoint, &body_raw)) {
        if (!body_read(endpoint, body_raw, &arena, &body, &error))
            fault(jobs, error.message);
        else if (body.stream)
            fault(jobs, "it asks for a stream");
        else if (body.previous_response.size > 0 || body.conversation || body.item_count > 0)
            fault(jobs, "it goes on from a response, a conversation or its items, whose owner is "
                        "not asked for in batches");
        else if (body.file_count > 0)
            fault(jobs, "it names a file, whose owner is not asked for in batches");
        else if (same_as_all(jobs, endpoint, body.model))
            add_line(jobs, &body);
    }
    arena_close(&arena);
}

bool jobs_read(struct jobs *jobs, struct text file, size_t *at, size_t most)
{
    size_t stop = *at + most;
    while (*at < file.size && *at < stop && jobs->faulty_line == 0) {
        size_t end = text_find(file, TEXT("\n"), *at);
        end = end == SIZE_MAX ? file.size : end;
        struct text line = text_trim(text_slice(file, *at, end));
        *at = end < file.size ? end + 1 : end;
        if (line.size > 0)
            read_line(jobs, line);
    }
    return *at < file.size && jobs->faulty_line == 0;
}

/* ---- to be kept ---- */

/* The counts by their names in the text. */
static const struct {
    const char *name;
    size_t at;
} counts[] = {
    {"lines", offsetof(struct jobs, lines)},
    {"input_tokens", offsetof(struct jobs, input_tokens)},
    {"largest_input", offsetof(struct jobs, largest_input)},
    {"far_inputs", offsetof(struct jobs, far_inputs)},
    {"output_tokens", offsetof(struct jobs, output_tokens)},
    {"open_choices", offsetof(struct jobs, open_choices)},
    {"unbounded_line", offsetof(struct jobs, unbounded_line)},
    {"faulty_line", offsetof(struct jobs, faulty_line)},
};

#define COUNTS (sizeof counts / sizeof *counts)

void jobs_put(struct buffer *out, const struct jobs *jobs)
{
    struct text path = endpoint_facts(jobs->endpoint)->path;
    buffer_put_byte(out, '{');
    for (size_t i = 0; i < COUNTS; i++)
        json_put_int_member(out, text_of(counts[i].name),
                            *(const int64_t *)((const char *)jobs + counts[i].at));
    json_put_text_member(out, TEXT("path"), path);
    json_put_text_member(out, TEXT("model"), text_of(jobs->model));
    json_put_text_member(out, TEXT("why"), text_of(jobs->why));
    json_put_bool_member(out, TEXT("audio"), jobs->audio);
    buffer_put_byte(out, '}');
}

static bool take_text(struct json_value line, const char *name, size_t room, char *out)
{
    struct arena arena = {0};
    struct json_value value;
    struct text text = TEXT_NONE;
    bool good = json_member(line, text_of(name), &value) && is_text(value, &arena, &text) &&
                text.size < room;
    if (good)
        (void)snprintf(out, room, "%.*s", TEXT_ARG(text));
    arena_close(&arena);
    return good;
}

bool jobs_parse(struct text line, struct jobs *jobs)
{
    struct json_value whole, value;
    char url[64] = "/v1";
    *jobs = (struct jobs){0};
    if (json_parse(line, &whole, NULL) != JSON_OK)
        return false;
    for (size_t i = 0; i < COUNTS; i++) {
        int64_t *count = (int64_t *)((char *)jobs + counts[i].at);
        if (!json_member(whole, text_of(counts[i].name), &value) || !json_int(value, count) ||
            *count < 0)
            return false;
    }
    jobs->audio = json_member(whole, TEXT("audio"), &value) && value.kind == JSON_TRUE;
    return take_text(whole, "path", sizeof url - 3, url + 3) &&
           jobs_endpoint(text_of(url), &jobs->endpoint) &&
           take_text(whole, "model", sizeof jobs->model, jobs->model) &&
           take_text(whole, "why", sizeof jobs->why, jobs->why);
}
