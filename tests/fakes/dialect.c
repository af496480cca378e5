/*
 * Which API has which dialect, and errors in OpenAI's shape; see dialect.h.
 */
#include "dialect.h"

const struct dialect *dialect_of(enum ask_api api)
{
    static const struct dialect *const dialects[] = {
        [ASK_CHAT] = &dialect_chat,
        [ASK_COMPLETIONS] = &dialect_completions,
        [ASK_EMBEDDINGS] = &dialect_embeddings,
        [ASK_MESSAGES] = &dialect_messages,
        [ASK_COUNT_TOKENS] = &dialect_count,
        [ASK_RESPONSES] = &dialect_responses,
        [ASK_INPUT_TOKENS] = &dialect_input_count,
        [ASK_MODERATIONS] = &dialect_moderations,
        [ASK_IMAGES] = &dialect_images,
        [ASK_IMAGE_EDITS] = &dialect_images,
        [ASK_SPEECH] = &dialect_speech,
        [ASK_TRANSCRIPTIONS] = &dialect_transcripts,
        [ASK_TRANSLATIONS] = &dialect_transcripts,
    };
    return dialects[api];
}

static void print_optional(struct bytes *out, const char *string)
{
    if (string == NULL)
        bytes_print(out, "null");
    else
        bytes_print(out, "\"%s\"", string);
}

void dialect_error(struct bytes *out, int status, const char *message, const char *param)
{
    static const struct {
        int status;
        const char *type;
        const char *code; /* NULL: null */
    } shapes[] = {
        {400, "invalid_request_error", NULL},     {401, "invalid_request_error", "invalid_api_key"},
        {403, "permission_error", "forbidden"},   {404, "invalid_request_error", "model_not_found"},
        {429, "requests", "rate_limit_exceeded"},
    };
    const char *type = status >= 500 ? "server_error" : "invalid_request_error";
    const char *code = NULL;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        if (shapes[i].status != status)
            continue;
        type = shapes[i].type;
        code = shapes[i].code;
    }
    bytes_print(out, "{\"error\":{\"message\":");
    bytes_add_json(out, text_of(message));
    bytes_print(out, ",\"type\":\"%s\",\"param\":", type);
    print_optional(out, param);
    bytes_print(out, ",\"code\":");
    print_optional(out, code);
    bytes_print(out, "}}");
}
