/*
 * The other shape of an answer: see wire/reshape.h. Both shapes are read into the same tree
 * (wire/tree.h), which is then written in the other one.
 */
#include "wire/reshape.h"

#include "wire/events.h"
#include "wire/find.h"
#include "wire/tree.h"

static bool parse_object(struct text data, struct json_value *value)
{
    return json_parse(data, value, NULL) == JSON_OK && value->kind == JSON_OBJECT;
}

/* ---- a tree as a whole answer ---- */

static const struct text object_names[][2] = {
    [ENDPOINT_CHAT] = {TEXT("chat.completion"), TEXT("chat.completion.chunk")},
    [ENDPOINT_COMPLETIONS] = {TEXT("text_completion"), TEXT("text_completion")},
};

/* The object's members behind its index. */
static void put_choice(struct buffer *out, const struct tree *choice)
{
    buffer_put_byte(out, '{');
    json_put_int_member(out, TEXT("index"), choice->index);
    for (const struct tree *member = choice->children; member != NULL; member = member->next) {
        tree_put_member(out, member);
    }
    buffer_put_byte(out, '}');
}

static void put_choices(struct buffer *out, const struct tree *choices)
{
    json_put_name(out, TEXT("choices"));
    buffer_put_byte(out, '[');
    for (const struct tree *choice = choices->children; choice != NULL; choice = choice->next) {
        buffer_put(out, choice == choices->children ? TEXT("") : TEXT(","));
        put_choice(out, choice);
    }
    buffer_put_byte(out, ']');
}

static void put_whole(struct buffer *out, enum endpoint endpoint, const struct tree *answer)
{
    buffer_put_byte(out, '{');
    for (const struct tree *member = answer->children; member != NULL; member = member->next) {
        if (text_equal(member->name, TEXT("choices"))) {
            put_choices(out, member);
        } else if (text_equal(member->name, TEXT("object"))) {
            json_put_text_member(out, member->name, object_names[endpoint][0]);
        } else if (member->kind != TREE_NULL || !text_equal(member->name, TEXT("usage"))) {
            tree_put_member(out, member);
        }
    }
    buffer_put_byte(out, '}');
}

/* True if it has choices, and each of them what the endpoint gives. */
static bool is_answer(enum endpoint endpoint, const struct tree *answer)
{
    bool chat = endpoint == ENDPOINT_CHAT;
    const struct tree *choices = tree_member(answer, TEXT("choices"));

    if (choices == NULL || choices->children == NULL) {
        return false;
    }
    for (const struct tree *choice = choices->children; choice != NULL; choice = choice->next) {
        const struct tree *content = tree_member(choice, chat ? TEXT("message") : TEXT("text"));
        if (content == NULL || content->kind != (chat ? TREE_OBJECT : TREE_TEXT)) {
            return false;
        }
    }
    return true;
}

static bool read_events(struct tree_reader *reader, struct text stream, struct tree *answer)
{
    struct events events;
    struct json_value value;
    struct text data;
    enum events_next next;

    events_begin(&events, stream, reader->arena);
    do {
        next = events_next(&events, &data);
    } while (next == EVENTS_DATA && parse_object(data, &value) && tree_read(reader, answer, value));
    events_close(&events);
    return next == EVENTS_DONE;
}

static bool has_choices(enum endpoint endpoint)
{
    return endpoint == ENDPOINT_CHAT || endpoint == ENDPOINT_COMPLETIONS;
}

bool reshape_to_whole(enum endpoint endpoint, struct text events, struct buffer *out)
{
    struct arena arena = {0};
    struct tree_reader reader = {.endpoint = endpoint, .events = true, .arena = &arena};
    struct tree answer = {0};
    bool good = has_choices(endpoint) && read_events(&reader, events, &answer) &&
                is_answer(endpoint, &answer);

    if (good) {
        put_whole(out, endpoint, &answer);
    }
    arena_close(&arena);
    return good;
}

/* ---- a tree as events ---- */

struct writer {
    struct buffer *out;
    enum endpoint endpoint;
    const struct tree *answer;
    const struct tree *usage; /* NULL: not to be told */
    size_t begin;             /* of the event being written */
    bool begun;               /* it is not the first one */
    bool good;
};

static bool is_one_of(struct text name, const struct text *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (text_equal(name, names[i])) {
            return true;
        }
    }
    return false;
}

/* What every chunk says; other members of the top level come in the first chunk only. */
static bool is_in_all(struct text name)
{
    static const struct text names[] = {TEXT("id"), TEXT("created"), TEXT("model"),
                                        TEXT("system_fingerprint"), TEXT("service_tier")};

    return is_one_of(name, names, sizeof(names) / sizeof(names[0]));
}

static bool is_apart(struct text name)
{
    static const struct text names[] = {TEXT("choices"), TEXT("usage"), TEXT("object")};

    return is_one_of(name, names, sizeof(names) / sizeof(names[0]));
}

/* Up to the bracket of `choices`. */
static void begin_event(struct writer *writer)
{
    struct buffer *out = writer->out;
    const struct tree *member = writer->answer->children;

    writer->begin = out->size;
    buffer_put(out, TEXT("data: {"));
    for (; member != NULL; member = member->next) {
        if (!is_apart(member->name) && (!writer->begun || is_in_all(member->name))) {
            tree_put_member(out, member);
        } else if (text_equal(member->name, TEXT("object"))) {
            json_put_text_member(out, member->name, object_names[writer->endpoint][1]);
        }
    }
    json_put_name(out, TEXT("choices"));
    buffer_put_byte(out, '[');
    writer->begun = true;
}

/* A line end can only be white space between tokens, but would end the event's line. */
static void join_lines(struct text event)
{
    char *at = (char *)event.at;

    for (size_t i = find_either(event, 0, '\n', '\r'); i < event.size;
         i = find_either(event, i, '\n', '\r')) {
        at[i] = ' ';
    }
}

/* From the bracket of `choices` on. */
static void end_event(struct writer *writer)
{
    join_lines(text_from(buffer_text(writer->out), writer->begin));
    buffer_put(writer->out, TEXT("}\n\n"));
    if (writer->out->size - writer->begin > SSE_MAX_EVENT) {
        writer->good = false;
    }
}

static void end_choice_event(struct writer *writer)
{
    buffer_put(writer->out, writer->usage != NULL ? TEXT("}],\"usage\":null") : TEXT("}]"));
    end_event(writer);
}

static void begin_choice_event(struct writer *writer, const struct tree *choice)
{
    begin_event(writer);
    buffer_put_byte(writer->out, '{');
    json_put_int_member(writer->out, TEXT("index"), choice->index);
}

/* What a chunk says that is not the last one: log probabilities, if they go with it. */
static void put_running(struct writer *writer, const struct tree *choice, bool with_logprobs)
{
    const struct tree *logprobs = tree_member(choice, TEXT("logprobs"));

    if (logprobs != NULL && with_logprobs) {
        tree_put_member(writer->out, logprobs);
    } else if (logprobs != NULL) {
        json_put_raw_member(writer->out, TEXT("logprobs"), TEXT("null"));
    }
    json_put_raw_member(writer->out, TEXT("finish_reason"), TEXT("null"));
}

static void put_last_event(struct writer *writer, const struct tree *choice)
{
    static const struct text said[] = {TEXT("message"), TEXT("text"), TEXT("logprobs")};
    bool chat = writer->endpoint == ENDPOINT_CHAT;

    begin_choice_event(writer, choice);
    json_put_raw_member(writer->out, chat ? TEXT("delta") : TEXT("text"),
                        chat ? TEXT("{}") : TEXT("\"\""));
    if (tree_member(choice, TEXT("logprobs")) != NULL) {
        json_put_raw_member(writer->out, TEXT("logprobs"), TEXT("null"));
    }
    for (const struct tree *member = choice->children; member != NULL; member = member->next) {
        if (!is_one_of(member->name, said, sizeof(said) / sizeof(said[0]))) {
            tree_put_member(writer->out, member);
        }
    }
    end_choice_event(writer);
}

/* The parts of a message, in the order in which they come. */
enum stage { STAGE_ROLE, STAGE_OTHERS, STAGE_CONTENT, STAGE_CALLS, STAGES };

static bool is_empty(const struct tree *member)
{
    bool grows =
        member->kind == TREE_TEXT || member->kind == TREE_LIST || member->kind == TREE_INDEXED;

    return member->kind == TREE_NULL ||
           (grows && member->first == NULL && member->children == NULL);
}

/* What is empty comes with the role. */
static enum stage stage_of(const struct tree *member)
{
    static const struct {
        struct text name;
        enum stage stage;
    } stages[] = {
        {TEXT("role"), STAGE_ROLE},           {TEXT("content"), STAGE_CONTENT},
        {TEXT("refusal"), STAGE_CONTENT},     {TEXT("tool_calls"), STAGE_CALLS},
        {TEXT("function_call"), STAGE_CALLS},
    };

    if (is_empty(member)) {
        return STAGE_ROLE;
    }
    for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
        if (text_equal(member->name, stages[i].name)) {
            return stages[i].stage;
        }
    }
    return STAGE_OTHERS;
}

/* One call, as a delta has it: with its index. */
static void put_call(struct buffer *out, const struct tree *call)
{
    json_put_name(out, TEXT("tool_calls"));
    buffer_put_byte(out, '[');
    put_choice(out, call);
    buffer_put_byte(out, ']');
}

static void begin_delta(struct writer *writer, const struct tree *choice)
{
    begin_choice_event(writer, choice);
    json_put_name(writer->out, TEXT("delta"));
    buffer_put_byte(writer->out, '{');
}

static void end_delta(struct writer *writer, const struct tree *choice, bool with_logprobs)
{
    buffer_put_byte(writer->out, '}');
    put_running(writer, choice, with_logprobs);
    end_choice_event(writer);
}

/* Each call in an event of its own. */
static void put_calls(struct writer *writer, const struct tree *choice, const struct tree *calls)
{
    for (const struct tree *call = calls->children; call != NULL; call = call->next) {
        begin_delta(writer, choice);
        put_call(writer->out, call);
        end_delta(writer, choice, false);
    }
}

/* Texts begin empty: clients wait for a content that is not null. */
static void put_opening(struct writer *writer, const struct tree *member)
{
    struct text name = member->name;

    if (stage_of(member) == STAGE_ROLE) {
        tree_put_member(writer->out, member);
    } else if (text_equal(name, TEXT("content")) && member->kind == TREE_TEXT) {
        json_put_raw_member(writer->out, name, TEXT("\"\""));
    }
}

static bool has_stage(const struct tree *message, enum stage stage)
{
    for (const struct tree *member = message->children; member != NULL; member = member->next) {
        if (stage_of(member) == stage && member->kind != TREE_INDEXED) {
            return true;
        }
    }
    return false;
}

static void put_stage(struct writer *writer, const struct tree *choice, enum stage stage)
{
    const struct tree *message = tree_member(choice, TEXT("message"));
    const struct tree *logprobs = tree_member(choice, TEXT("logprobs"));
    const struct tree *member = message->children;
    bool with_logprobs = stage == STAGE_CONTENT && logprobs != NULL && logprobs->kind != TREE_NULL;

    if (stage != STAGE_ROLE && !has_stage(message, stage) && !with_logprobs) {
        return;
    }
    begin_delta(writer, choice);
    for (; member != NULL; member = member->next) {
        if (stage == STAGE_ROLE) {
            put_opening(writer, member);
        } else if (stage_of(member) == stage && member->kind != TREE_INDEXED) {
            tree_put_member(writer->out, member);
        }
    }
    end_delta(writer, choice, with_logprobs);
}

static void put_chat_choice(struct writer *writer, const struct tree *choice)
{
    const struct tree *message = tree_member(choice, TEXT("message"));
    const struct tree *calls = tree_member(message, TEXT("tool_calls"));

    for (enum stage stage = 0; stage < STAGES; stage++) {
        put_stage(writer, choice, stage);
    }
    if (calls != NULL) {
        put_calls(writer, choice, calls);
    }
}

static void put_prompt_choice(struct writer *writer, const struct tree *choice)
{
    begin_choice_event(writer, choice);
    tree_put_member(writer->out, tree_member(choice, TEXT("text")));
    put_running(writer, choice, true);
    end_choice_event(writer);
}

/* What the upstream billed is no part of this answer's cost. */
static void put_usage_event(struct writer *writer)
{
    struct json_walk walk = json_walk((struct json_value){JSON_OBJECT, writer->usage->raw});
    struct json_value value;
    struct text name;

    begin_event(writer);
    buffer_put(writer->out, TEXT("],\"usage\":{"));
    while (json_next(&walk, &name, &value)) {
        if (!json_name_equal(name, TEXT("cost"))) {
            buffer_put(writer->out,
                       writer->out->at[writer->out->size - 1] == '{' ? TEXT("\"") : TEXT(",\""));
            buffer_put(writer->out, name);
            buffer_put(writer->out, TEXT("\":"));
            buffer_put(writer->out, value.raw);
        }
    }
    json_put_int_member(writer->out, TEXT("cost"), 0);
    buffer_put_byte(writer->out, '}');
    end_event(writer);
}

static void put_events(struct writer *writer)
{
    const struct tree *choices = tree_member(writer->answer, TEXT("choices"));
    const struct tree *choice = choices->children;

    for (; choice != NULL; choice = choice->next) {
        if (writer->endpoint == ENDPOINT_CHAT) {
            put_chat_choice(writer, choice);
        } else {
            put_prompt_choice(writer, choice);
        }
        put_last_event(writer, choice);
    }
    if (writer->usage != NULL) {
        put_usage_event(writer);
    }
    buffer_put(writer->out, TEXT("data: [DONE]\n\n"));
}

bool reshape_to_events(enum endpoint endpoint, struct text whole, bool usage, struct buffer *out)
{
    struct arena arena = {0};
    struct tree_reader reader = {.endpoint = endpoint, .arena = &arena};
    struct tree answer = {0};
    struct json_value value;
    struct writer writer = {.out = out, .endpoint = endpoint, .answer = &answer};

    writer.good = has_choices(endpoint) && parse_object(whole, &value) &&
                  tree_read(&reader, &answer, value) && is_answer(endpoint, &answer);
    if (writer.good) {
        const struct tree *member = tree_member(&answer, TEXT("usage"));
        bool there = usage && member != NULL && member->kind == TREE_RAW;
        writer.usage = there && member->raw.at[0] == '{' ? member : NULL;
        put_events(&writer);
    }
    arena_close(&arena);
    return writer.good;
}
