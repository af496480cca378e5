/*
 * Request bodies: nothing a client sends makes body_read step out of bounds or abort, and what it
 * takes can be forwarded with every change: the result reads as the changes say.
 *
 * The first byte chooses the endpoint, the second the changes, the rest is the body.
 */
#include "fuzz.h"
#include "wire/body.h"

static struct body_changes changes_of(const struct body *body, uint8_t choice)
{
    struct text field = endpoint_facts(body->endpoint)->max_field;
    if (endpoint_facts(body->endpoint)->by_file) /* it names no model, and is sent as it is */
        return (struct body_changes){.max_output = BODY_ABSENT};
    if (field.size == 0)
        field = (choice & 16) != 0 ? TEXT("max_tokens") : TEXT("max_completion_tokens");
    return (struct body_changes){
        .model = (choice & 4) != 0 ? TEXT("a \"new\" model") : TEXT_NONE,
        .max_output =
            (choice & 8) != 0 && !endpoint_facts(body->endpoint)->output_free ? 7 : BODY_ABSENT,
        .max_field = field,
        .max_tool_calls =
            (choice & 64) != 0 && body->searches && body->max_tool_calls == BODY_ABSENT ? 3 : 0,
        .include_usage = (choice & 32) != 0 && endpoint_facts(body->endpoint)->usage_asked,
        .input = (choice & 64) != 0 && body->endpoint == ENDPOINT_EMBEDDINGS ? TEXT("[\"a\"]")
                                                                             : TEXT_NONE,
    };
}

static void check_sent(const struct body *before, const struct body_changes *changes,
                       struct text sent, struct arena *arena)
{
    struct body after;
    struct body_error error;

    demand(body_read(before->endpoint, sent, arena, &after, &error));
    demand(text_equal(after.model, changes->model.at != NULL ? changes->model : before->model));
    demand(after.choices == (changes->input.at != NULL ? 1 : before->choices));
    demand(after.stream == before->stream);
    if (endpoint_facts(before->endpoint)->output_free)
        return;
    if (changes->max_output != BODY_ABSENT)
        demand(after.max_output >= 0 && after.max_output <= changes->max_output);
    else
        demand(after.max_output == before->max_output);
    demand(after.max_tool_calls ==
           (changes->max_tool_calls > 0 ? changes->max_tool_calls : before->max_tool_calls));
    bool asks = endpoint_facts(before->endpoint)->usage_asked && changes->include_usage;
    demand(after.usage_asked == (before->usage_asked || asks));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct body body;
    struct body_error error;
    struct text pieces[BODY_MAX_PIECES];
    struct buffer sent = {0};

    if (size < 2)
        return 0;
    enum endpoint endpoint = (enum endpoint)(data[0] % ENDPOINT_COUNT);
    struct text raw = text_make((const char *)data + 2, size - 2);
    if (body_read(endpoint, raw, &arena, &body, &error)) {
        struct body_changes changes = changes_of(&body, data[1]);
        size_t count = body_forward(&body, &changes, &arena, pieces);
        demand(count >= 1 && count <= BODY_MAX_PIECES);
        for (size_t i = 0; i < count; i++)
            buffer_put(&sent, pieces[i]);
        check_sent(&body, &changes, buffer_text(&sent), &arena);
    } else {
        demand(error.status == 400 && error.code != NULL && error.message[0] != '\0');
    }
    buffer_close(&sent);
    arena_close(&arena);
    return 0;
}
