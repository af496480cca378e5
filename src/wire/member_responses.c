/*
 * The members that matter in a request to the Responses API. See wire/member.h.
 *
 * Unlike chat, what it answers is kept by the provider unless `store` is false, and its input may
 * hang on what was kept before.
 */
#include "wire/member.h"

#define RESPONSES (1u << ENDPOINT_RESPONSES | 1u << ENDPOINT_RESPONSES_TOKENS)

#define SCHEMA_TOKENS   64   /* wire/body.h */
#define MOST_TOOL_CALLS 1000 /* far above what an answer can have use for */

/* Its bytes bound it. The row is there for the kinds that may stand there: none but a text. */
static bool read_plain(struct body_reader *reader, const struct member *member,
                       struct json_value value)
{
    (void)reader;
    (void)member;
    (void)value;
    return true;
}

/* {"format":{"type":"json_schema",...},"verbosity":"low"} */
static bool read_format(struct body_reader *reader, const struct member *member,
                        struct json_value value)
{
    (void)member;
    (void)value;
    reader->hidden_tokens += SCHEMA_TOKENS;
    return true;
}

static bool read_store(struct body_reader *reader, const struct member *member,
                       struct json_value value)
{
    (void)member;
    reader->body.not_stored = value.kind == JSON_FALSE;
    return true;
}

#define COUNT(text, how_many, into, bytes)                                                         \
    ROW(text, RESPONSES, NUMBER, member_read_count), .least = 1, .most = (how_many),               \
                                                     .field = AT(into), .raw = AT(bytes)
#define TEXT_OF(text, into)      ROW(text, RESPONSES, STRING, member_read_text), .field = AT(into)
#define NO_BOUND(text, sentence) UNBOUNDED(text, RESPONSES, sentence)

/* clang-format off */
static const struct member members[] = {
    {ROW("model", RESPONSES, STRING, member_read_model), .required = true,
     .raw = AT(body.model_raw)},
    {ROW("input", RESPONSES, STRING | ARRAY, NULL), .go_through = items_read_input,
     .why = "The input has items whose cost no budget can foresee: of a kind that purser does not "
            "know, or with tools that the provider runs itself."},
    {ROW("instructions", RESPONSES, STRING, read_plain)},
    {ROW("tools", RESPONSES, ARRAY, NULL), .go_through = items_read_tools,
     .why = "Tools that the provider runs itself (files, code, images, remote servers) add fees "
            "and input that no budget can foresee."},
    {ROW("text", RESPONSES, OBJECT, read_format)},

    {ROW("stream", RESPONSES, BOOL, member_read_flag), .field = AT(body.stream)},
    {COUNT("max_output_tokens", BODY_MOST, max_output_tokens, body.max_output_tokens_raw)},
    {COUNT("max_tool_calls", MOST_TOOL_CALLS, body.max_tool_calls, body.max_tool_calls_raw)},
    {ROW("temperature", RESPONSES, NUMBER, member_read_number), .field = AT(body.temperature_raw)},

    {TEXT_OF("user", body.user)},
    {TEXT_OF("prompt_cache_key", body.prompt_cache_key)},
    {ROW("metadata", RESPONSES, OBJECT, member_read_metadata)},
    {TEXT_OF("service_tier", body.service_tier)},

    {ROW("store", RESPONSES, BOOL, read_store)},
    {ROW("background", RESPONSES, BOOL, member_read_flag), .field = AT(body.background)},
    {ROW("previous_response_id", RESPONSES, STRING, member_read_before)},
    {ROW("conversation", RESPONSES, STRING | OBJECT, member_read_before)},

    {NO_BOUND("prompt", "A prompt template may bring tools and input that no budget can foresee.")},
    {NO_BOUND("context_management",
              "What the provider generates to make a context smaller, no budget can foresee.")},

    /* Of other dialects, and of gateways that speak this one. */
    {NO_BOUND("models", "With a list of models it is not known whose price applies.")},
    {NO_BOUND("plugins", "Plug-ins add fees and input that no budget can foresee.")},
    {NO_BOUND("preset", "A preset may name another model, plug-ins or prompts.")},
    {NO_BOUND("web_search_options", "Searching the web adds fees and input that no budget can "
                                    "foresee.")},
    {NO_BOUND("search_parameters", "Searching the web adds fees and input that no budget can "
                                   "foresee.")},
    {STRANGE("messages", RESPONSES)},
    {STRANGE("max_tokens", RESPONSES)},
    {STRANGE("max_completion_tokens", RESPONSES)},
    {STRANGE("n", RESPONSES)},
    {STRANGE("best_of", RESPONSES)},
};
/* clang-format on */

#define MEMBERS (sizeof(members) / sizeof(members[0]))
_Static_assert(MEMBERS <= MEMBER_MOST, "a bit per row");

const struct member_table *member_responses(void)
{
    static const struct member_table table = {members, MEMBERS};

    return &table;
}
