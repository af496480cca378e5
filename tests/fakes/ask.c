/*
 * Reads what an API call asks for; see ask.h.
 */
#include "ask.h"

#include <string.h>

#include "json.h"

enum { CHOICES_MAX = 128, INPUTS_MAX = 2048 };

static const struct {
    const char *path;
    enum ask_api api;
} apis[] = {
    {"/chat/completions", ASK_CHAT},
    {"/completions", ASK_COMPLETIONS},
    {"/embeddings", ASK_EMBEDDINGS},
};

bool ask_find(struct ask *ask, struct text path)
{
    const struct text azure = TEXT("/openai/deployments/");
    *ask = (struct ask){.choices = 1, .tries = 1, .inputs = 1};
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
        if (!text_equal(path, text_of(apis[i].path)))
            continue;
        ask->api = apis[i].api;
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
    MEMBER(n),
    MEMBER(best_of),
    MEMBER(stream),
    MEMBER(stream_options),
    MEMBER(encoding_format),
};

static void keep_member(struct body *body, struct text raw_name, struct text value)
{
    char name[32];
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

static int64_t string_bytes(struct text value)
{
    struct text raw;
    return json_raw_string(value, &raw) ? (int64_t)raw.size : 0;
}

/* The bytes of a message's content: a string, or parts of which the texts count. */
static int64_t content_bytes(struct text content)
{
    struct json_walk parts;
    struct json_walk part;
    struct text name;
    struct text value;
    int64_t bytes = string_bytes(content);
    if (bytes > 0 || !json_enter(&parts, content))
        return bytes;
    while (json_next(&parts, &name, &value) == JSON_ITEM) {
        if (!json_enter(&part, value))
            continue;
        while (json_next(&part, &name, &value) == JSON_ITEM)
            if (text_equal(name, TEXT("text")))
                bytes += string_bytes(value);
    }
    return bytes;
}

static int64_t messages_bytes(struct text messages)
{
    struct json_walk list;
    struct json_walk message;
    struct text name;
    struct text value;
    int64_t bytes = 0;
    if (!json_enter(&list, messages))
        return 0;
    while (json_next(&list, &name, &value) == JSON_ITEM) {
        if (!json_enter(&message, value))
            continue;
        while (json_next(&message, &name, &value) == JSON_ITEM)
            if (text_equal(name, TEXT("content")))
                bytes += content_bytes(value);
    }
    return bytes;
}

static int64_t tokens_of_bytes(int64_t bytes)
{
    return (bytes + 3) / 4;
}

static int64_t count_items(struct text array)
{
    struct json_walk walk;
    struct text name;
    struct text value;
    int64_t count = 0;
    if (json_enter(&walk, array))
        while (json_next(&walk, &name, &value) == JSON_ITEM)
            count++;
    return count;
}

/* A prompt or input: a string, a list of strings, of token ids, or of lists of token ids.
 * Says how many texts it is and how many tokens they are. */
static void read_texts(struct text value, int64_t *texts, int64_t *tokens)
{
    struct json_walk walk;
    struct text name;
    struct text item;
    int64_t ids = 0;
    *texts = 0;
    *tokens = tokens_of_bytes(string_bytes(value));
    if (json_enter(&walk, value)) {
        while (json_next(&walk, &name, &item) == JSON_ITEM) {
            bool is_id = item.at[0] != '"' && item.at[0] != '[';
            ids += is_id ? 1 : 0;
            *texts += is_id ? 0 : 1;
            *tokens += tokens_of_bytes(string_bytes(item)) + count_items(item);
        }
    }
    *tokens += ids;
    *texts = *texts > 0 ? *texts : 1;
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

static bool read_numbers(struct ask *ask, const struct body *body, const char **param)
{
    int64_t newer = 0;
    int64_t n = 1;
    int64_t best_of = 1;
    *param = "max_tokens";
    if (!read_count(body->max_tokens, 1, &ask->max_tokens))
        return false;
    *param = "max_completion_tokens";
    if (!read_count(body->max_completion_tokens, 1, &newer))
        return false;
    *param = "n";
    if (!read_count(body->n, 1, &n) || n > CHOICES_MAX)
        return false;
    *param = "best_of";
    if (!read_count(body->best_of, 1, &best_of) || best_of > CHOICES_MAX)
        return false;
    ask->max_tokens = newer > ask->max_tokens ? newer : ask->max_tokens;
    ask->choices = n;
    ask->tries = best_of > n ? best_of : n;
    return true;
}

static bool read_prompt(struct ask *ask, const struct body *body, const char **param)
{
    const struct {
        const char *param;
        struct text value;
    } sources[] = {
        [ASK_CHAT] = {"messages", body->messages},
        [ASK_COMPLETIONS] = {"prompt", body->prompt},
        [ASK_EMBEDDINGS] = {"input", body->input},
    };
    struct text value = sources[ask->api].value;
    int64_t texts = 1;
    int64_t tokens = 0;
    *param = sources[ask->api].param;
    if (is_absent(value) || (value.at[0] != '"' && value.at[0] != '['))
        return false;
    if (ask->api == ASK_CHAT)
        tokens = tokens_of_bytes(messages_bytes(value));
    else
        read_texts(value, &texts, &tokens);
    ask->prompt_tokens = tokens + 3;
    ask->inputs = texts;
    ask->choices *= texts;
    ask->tries *= texts;
    return texts <= INPUTS_MAX;
}

static bool read_model(struct ask *ask, struct text value)
{
    struct text raw;
    if (ask->model[0] != 0) /* an Azure deployment: the path has named it */
        return true;
    return json_raw_string(value, &raw) && raw.size > 0 &&
           json_decode(raw, ask->model, sizeof ask->model);
}

bool ask_read(struct ask *ask, struct text text, const char **message, const char **param)
{
    struct body body;
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
    ask->stream = ask->api != ASK_EMBEDDINGS && text_equal(body.stream, TEXT("true"));
    ask->include_usage = asks_usage(body.stream_options);
    ask->base64 = text_equal(body.encoding_format, TEXT("\"base64\""));
    return true;
}
