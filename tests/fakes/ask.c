/*
 * Reads what an API call asks for; see ask.h.
 */
#include "ask.h"

#include <string.h>

#include "json.h"
#include "prompt.h"

/* OpenAI's API takes no max_output_tokens below 16. */
enum { CHOICES_MAX = 128, INPUTS_MAX = 2048, RESPONSES_MAX_LEAST = 16 };

static const struct row {
    const char *path;
    enum ask_api api;
    bool streams;
    bool calls_tools;
    bool free;
} apis[] = {
    {.path = "/chat/completions", .api = ASK_CHAT, .streams = true, .calls_tools = true},
    {.path = "/completions", .api = ASK_COMPLETIONS, .streams = true},
    {.path = "/embeddings", .api = ASK_EMBEDDINGS},
    {.path = "/messages", .api = ASK_MESSAGES, .streams = true, .calls_tools = true},
    {.path = "/messages/count_tokens", .api = ASK_COUNT_TOKENS, .free = true},
    {.path = "/responses", .api = ASK_RESPONSES, .streams = true, .calls_tools = true},
    {.path = "/responses/input_tokens", .api = ASK_INPUT_TOKENS, .free = true},
    {.path = "/moderations", .api = ASK_MODERATIONS, .free = true},
    {.path = "/images/generations", .api = ASK_IMAGES, .streams = true},
    {.path = "/images/edits", .api = ASK_IMAGE_EDITS, .streams = true},
    {.path = "/audio/speech", .api = ASK_SPEECH, .streams = true},
    {.path = "/audio/transcriptions", .api = ASK_TRANSCRIPTIONS, .streams = true},
    {.path = "/audio/translations", .api = ASK_TRANSLATIONS},
};

bool ask_find(struct ask *ask, struct text path)
{
    const struct text azure = TEXT("/openai/deployments/");
    *ask = (struct ask){.choices = 1, .tries = 1, .inputs = 1, .store = true};
    if (text_starts(path, azure)) {
        struct text rest = text_after(path, azure.size);
        struct text name = text_cut(&rest, '/');
        text_copy(ask->model, sizeof ask->model, name);
        path = text_after(path, azure.size + name.size);
    } else if (text_starts(path, TEXT("/v1/"))) {
        path = text_after(path, 3);
    } else {
        return false;
    }
    for (size_t i = 0; i < sizeof apis / sizeof apis[0]; i++) {
        const struct row *row = &apis[i];
        if (!text_equal(path, text_of(row->path)))
            continue;
        ask->api = row->api;
        ask->streams = row->streams;
        ask->calls_tools = row->calls_tools;
        ask->free = row->free;
        return true;
    }
    return false;
}

/* What the members of a body say, before it is made into an ask. */
struct body {
    struct text model;
    struct text messages;
    struct text prompt;
    struct text input;
    struct text max_tokens;
    struct text max_completion_tokens;
    struct text max_output_tokens;
    struct text system;
    struct text instructions;
    struct text thinking;
    struct text background;
    struct text store;
    struct text previous_response_id;
    struct text n;
    struct text best_of;
    struct text stream;
    struct text stream_options;
    struct text encoding_format;
};

#define MEMBER(field)                                                                              \
    {                                                                                              \
#field, offsetof(struct body, field)                                                       \
    }

static const struct {
    const char *name;
    size_t offset;
} members[] = {
    MEMBER(model),
    MEMBER(messages),
    MEMBER(prompt),
    MEMBER(input),
    MEMBER(max_tokens),
    MEMBER(max_completion_tokens),
    MEMBER(max_output_tokens),
    MEMBER(system),
    MEMBER(instructions),
    MEMBER(thinking),
    MEMBER(background),
    MEMBER(store),
    MEMBER(previous_response_id),
    MEMBER(n),
    MEMBER(best_of),
    MEMBER(stream),
    MEMBER(stream_options),
    MEMBER(encoding_format),
};

static void keep_member(struct body *body, struct text raw_name, struct text value)
{
    char name[40];
    if (!json_decode(raw_name, name, sizeof name))
        return;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (strcmp(name, members[i].name) == 0)
            *(struct text *)(void *)((char *)body + members[i].offset) = value;
}

static bool read_members(struct body *body, struct text text)
{
    struct json_walk walk;
    struct text name;
    struct text value;
    *body = (struct body){0};
    if (!json_whole(text) || !json_enter(&walk, text) || !walk.object)
        return false;
    enum json_got got = json_next(&walk, &name, &value);
    for (; got == JSON_ITEM; got = json_next(&walk, &name, &value))
        keep_member(body, name, value);
    return got == JSON_END;
}

static bool is_absent(struct text value)
{
    return value.size == 0 || text_equal(value, TEXT("null"));
}

static bool read_count(struct text value, int64_t least, int64_t *number)
{
    if (is_absent(value))
        return true;
    return text_number(value, number) && *number >= least;
}

static bool asks_usage(struct text options)
{
    struct json_walk walk;
    struct text name;
    struct text value;
    bool asked = false;
    if (!json_enter(&walk, options))
        return false;
    while (json_next(&walk, &name, &value) == JSON_ITEM)
        if (text_equal(name, TEXT("include_usage")))
            asked = text_equal(value, TEXT("true"));
    return asked;
}

/* The integer member of that name in an object; 0: none. */
static int64_t number_in(struct text object, struct text wanted)
{
    struct json_walk walk;
    struct text name;
    struct text value;
    int64_t number = 0;
    if (!json_enter(&walk, object))
        return 0;
    while (json_next(&walk, &name, &value) == JSON_ITEM)
        if (text_equal(name, wanted))
            text_number(value, &number);
    return number;
}

/* Which fields limit the output, and what they must be at least. */
static bool read_maximum(struct ask *ask, const struct body *body, const char **param)
{
    int64_t newer = 0;
    bool responses = ask->api == ASK_RESPONSES;
    *param = responses ? "max_output_tokens" : "max_tokens";
    if (!read_count(responses ? body->max_output_tokens : body->max_tokens,
                    responses ? RESPONSES_MAX_LEAST : 1, &ask->max_tokens))
        return false;
    if (ask->api == ASK_MESSAGES) {
        int64_t budget = number_in(body->thinking, TEXT("budget_tokens"));
        return ask->max_tokens > budget;
    }
    *param = "max_completion_tokens";
    if (!read_count(body->max_completion_tokens, 1, &newer))
        return false;
    ask->max_tokens = newer > ask->max_tokens ? newer : ask->max_tokens;
    return true;
}

static bool read_numbers(struct ask *ask, const struct body *body, const char **param)
{
    int64_t n = 1;
    int64_t best_of = 1;
    if (ask->api != ASK_CHAT && ask->api != ASK_COMPLETIONS)
        return ask->free || read_maximum(ask, body, param);
    *param = "n";
    if (!read_count(body->n, 1, &n) || n > CHOICES_MAX)
        return false;
    *param = "best_of";
    if (!read_count(body->best_of, 1, &best_of) || best_of > CHOICES_MAX)
        return false;
    ask->choices = n;
    ask->tries = best_of > n ? best_of : n;
    return read_maximum(ask, body, param);
}

static bool read_prompt(struct ask *ask, const struct body *body, const char **param)
{
    const struct {
        const char *param;
        struct text value;
        struct text more; /* a system prompt beside it */
    } sources[] = {
        [ASK_CHAT] = {"messages", body->messages, {0}},
        [ASK_COMPLETIONS] = {"prompt", body->prompt, {0}},
        [ASK_EMBEDDINGS] = {"input", body->input, {0}},
        [ASK_MESSAGES] = {"messages", body->messages, body->system},
        [ASK_COUNT_TOKENS] = {"messages", body->messages, body->system},
        [ASK_RESPONSES] = {"input", body->input, body->instructions},
        [ASK_INPUT_TOKENS] = {"input", body->input, body->instructions},
    };
    struct text value = sources[ask->api].value;
    int64_t texts = 1;
    int64_t tokens = 0;
    *param = sources[ask->api].param;
    if (is_absent(value) || (value.at[0] != '"' && value.at[0] != '['))
        return false;
    if (ask->api == ASK_COMPLETIONS || ask->api == ASK_EMBEDDINGS)
        prompt_texts(value, &texts, &tokens);
    else
        tokens = prompt_messages(value, sources[ask->api].more) + 3;
    ask->prompt_tokens = tokens;
    ask->input = value;
    ask->inputs = texts;
    ask->choices *= texts;
    ask->tries *= texts;
    return texts <= INPUTS_MAX;
}

/* What only Responses have. */
static bool read_keeping(struct ask *ask, const struct body *body, const char **param)
{
    struct text raw;
    ask->background = text_equal(body->background, TEXT("true"));
    ask->store = !text_equal(body->store, TEXT("false"));
    *param = "background"; /* what runs in the background has to be found again */
    if (ask->background && !ask->store)
        return false;
    *param = "previous_response_id";
    return is_absent(body->previous_response_id) ||
           (json_raw_string(body->previous_response_id, &raw) &&
            json_decode(raw, ask->previous, sizeof ask->previous));
}

static bool read_model(struct ask *ask, struct text value)
{
    struct text raw;
    if (ask->model[0] != 0) /* an Azure deployment: the path has named it */
        return true;
    return json_raw_string(value, &raw) && raw.size > 0 &&
           json_decode(raw, ask->model, sizeof ask->model);
}

bool ask_read(struct ask *ask, const struct http_request *request, const char **message,
              const char **param)
{
    struct body body;
    struct text text = request->body;
    if (ask->api >= ASK_MODERATIONS)
        return ask_read_media(ask, request, message, param);
    *param = NULL;
    *message = "We could not parse the JSON body of your request.";
    if (!read_members(&body, text))
        return false;
    *param = "model";
    *message = "you must provide a model parameter";
    if (!read_model(ask, body.model))
        return false;
    *message = "Invalid value: an integer in the allowed range is expected.";
    if (!read_numbers(ask, &body, param))
        return false;
    *message = "Missing or invalid required parameter.";
    if (!read_prompt(ask, &body, param))
        return false;
    if (ask->api == ASK_RESPONSES && !read_keeping(ask, &body, param))
        return false;
    ask->stream = ask->streams && text_equal(body.stream, TEXT("true"));
    ask->include_usage = asks_usage(body.stream_options);
    ask->base64 = text_equal(body.encoding_format, TEXT("\"base64\""));
    return true;
}
