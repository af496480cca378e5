/*
 * The table of the members that matter in a request to Anthropic's Messages API, and to its
 * counting of tokens. See wire/member.h.
 */
#include "wire/member.h"

#define MOST_USER      128  /* bytes: ids of users are not longer */
#define LEAST_THINKING 1024 /* tokens; Anthropic's own limit */
#define FORMAT_TOKENS  1024 /* wire/body.h */

/* ---- who pays ---- */

/* As many whole characters as there is room for: what two long ids have in common is one user, who
 * has one budget. */
static struct text shorten(struct text user)
{
    size_t size = user.size < MOST_USER ? user.size : MOST_USER;

    while (size < user.size && size > 0 && ((unsigned char)user.at[size] & 0xC0) == 0x80) {
        size--;
    }
    return text_slice(user, 0, size);
}

static bool read_metadata(struct body_reader *reader, const struct member *member,
                          struct json_value value)
{
    struct json_walk walk = json_walk(value);
    struct json_value entry;
    struct text name;
    bool seen = false;

    (void)member;
    while (json_next(&walk, &name, &entry)) {
        if (!json_name_equal(name, TEXT("user_id"))) {
            continue;
        }
        if (seen) {
            return body_refuse(reader, "duplicate_member", TEXT("metadata.user_id"),
                               "'metadata.user_id' stands twice; send it once.");
        }
        seen = true;
        if (entry.kind != JSON_NULL && entry.kind != JSON_STRING) {
            return body_refuse(reader, "invalid_type", TEXT("metadata.user_id"),
                               "'metadata.user_id' must be a string.");
        }
        reader->body.user = shorten(json_string(reader->arena, entry));
    }
    return true;
}

/* ---- thinking ---- */

static bool read_budget(struct body_reader *reader, struct json_value value)
{
    const struct text param = TEXT("thinking.budget_tokens");
    struct body *body = &reader->body;
    int64_t tokens;

    if (value.kind == JSON_NULL) {
        return true;
    }
    if (!json_int(value, &tokens) || tokens < 0 || tokens > BODY_MOST) {
        return body_refuse(reader, "invalid_value", param,
                           "'thinking.budget_tokens' must be a whole number from 0 to %d.",
                           BODY_MOST);
    }
    if (body->thinking_raw.size > 0) {
        return body_refuse(reader, "duplicate_member", param,
                           "'thinking.budget_tokens' stands twice; send it once.");
    }
    body->thinking_raw = value.raw;
    body->least_output = LEAST_THINKING + 1;
    return true;
}

static bool read_thinking(struct body_reader *reader, const struct member *member,
                          struct json_value value)
{
    struct json_walk walk = json_walk(value);
    struct json_value entry;
    struct text name;

    (void)member;
    while (json_next(&walk, &name, &entry)) {
        if (json_name_equal(name, TEXT("type"))) {
            struct text type = json_string(reader->arena, entry);
            reader->body.thinks |= !text_equal(type, TEXT("disabled"));
        }
        if (json_name_equal(name, TEXT("budget_tokens")) && !read_budget(reader, entry)) {
            return false;
        }
    }
    return true;
}

/* ---- what costs more than the text says ---- */

/* Anything but the one value that costs no more. */
static bool read_choice(struct body_reader *reader, const struct member *member,
                        struct json_value value)
{
    struct text plain = text_equal(member->name, TEXT("speed")) ? TEXT("standard") : TEXT("global");

    if (!text_equal(json_string(reader->arena, value), plain)) {
        body_note_unbounded(reader, member);
    }
    return true;
}

static bool read_list(struct body_reader *reader, const struct member *member,
                      struct json_value value)
{
    struct json_walk walk = json_walk(value);
    struct json_value element;

    if (json_next(&walk, NULL, &element)) {
        body_note_unbounded(reader, member);
    }
    return true;
}

/* Parsers differ in which of two types counts. */
static bool only_clears(struct body_reader *reader, struct json_value edit)
{
    struct json_walk walk = json_walk(edit);
    struct json_value value;
    struct text name;
    bool clears = false, other = false;

    while (json_next(&walk, &name, &value)) {
        if (body_name_is(reader, name, TEXT("type"))) {
            bool clear = text_starts(json_string(reader->arena, value), TEXT("clear_"));
            clears = clears || clear;
            other = other || !clear;
        }
    }
    return clears && !other;
}

/* Edits that only leave something out cost nothing; others have the model write a summary. */
static bool read_edits(struct body_reader *reader, const struct member *member,
                       struct json_value edits)
{
    struct json_walk walk = json_walk(edits);
    struct json_value edit;

    while (json_next(&walk, NULL, &edit)) {
        if (!only_clears(reader, edit)) {
            body_note_unbounded(reader, member);
        }
    }
    return true;
}

static bool read_management(struct body_reader *reader, const struct member *member,
                            struct json_value value)
{
    struct json_walk walk = json_walk(value);
    struct json_value entry;
    struct text name;

    while (json_next(&walk, &name, &entry)) {
        if (!json_name_equal(name, TEXT("edits")) || entry.kind != JSON_ARRAY) {
            body_note_unbounded(reader, member);
        } else {
            read_edits(reader, member, entry);
        }
    }
    return true;
}

/* ---- what the answer must look like ---- */

static bool read_format(struct body_reader *reader, const struct member *member,
                        struct json_value value)
{
    (void)member;
    (void)value;
    reader->hidden_tokens += FORMAT_TOKENS;
    return true;
}

/* {"effort":"low","format":{"type":"json_schema",...}} */
static bool read_output(struct body_reader *reader, const struct member *member,
                        struct json_value value)
{
    struct json_walk walk = json_walk(value);
    struct json_value entry;
    struct text name;

    while (json_next(&walk, &name, &entry)) {
        if (body_name_is(reader, name, TEXT("format")) && entry.kind != JSON_NULL) {
            (void)read_format(reader, member, entry);
        }
    }
    return true;
}

/* ---- the table ---- */

#define MESSAGES (1u << ENDPOINT_MESSAGES)
#define TOKENS   (1u << ENDPOINT_MESSAGES_TOKENS)
#define BOTH     (MESSAGES | TOKENS)
#define SEARCH   "Searching the web adds fees and input that no budget can foresee."

/* clang-format off */
static const struct member members[] = {
    {ROW("model", BOTH, STRING, member_read_model), .required = true, .raw = AT(body.model_raw)},
    {ROW("messages", BOTH, ARRAY, NULL), .go_through = content_read_turns, .required = true},
    {ROW("system", BOTH, STRING | ARRAY, NULL), .go_through = content_read_system},
    {ROW("max_tokens", MESSAGES, NUMBER, member_read_count), .required = true, .least = 0,
     .most = BODY_MOST, .field = AT(max_tokens), .raw = AT(body.max_tokens_raw)},
    {ROW("thinking", MESSAGES, OBJECT, read_thinking)},
    {ROW("stream", MESSAGES, BOOL, member_read_flag), .field = AT(body.stream)},
    {ROW("temperature", MESSAGES, NUMBER, member_read_number), .field = AT(body.temperature_raw)},
    {ROW("metadata", BOTH, OBJECT, read_metadata)},
    {ROW("service_tier", MESSAGES, STRING, member_read_text), .field = AT(body.service_tier)},

    {ROW("output_config", BOTH, OBJECT, read_output)},
    {ROW("output_format", BOTH, OBJECT, read_format)}, /* its name in the beta */

    {ROW("tools", BOTH, ARRAY, NULL), .go_through = content_read_message_tools,
     .why = "Tools that the provider runs itself (searches, code, other models) add fees and input "
            "that no budget can foresee."},
    {ROW("mcp_servers", BOTH, ARRAY, read_list),
     .why = "Remote tools add calls and input that no budget can foresee."},
    {UNBOUNDED("container", BOTH, "What runs in a container adds fees and input that no budget can "
               "foresee.")},
    {ROW("context_management", BOTH, OBJECT, read_management),
     .why = "What makes the model summarise the conversation adds output that no budget can "
            "foresee: only edits that clear something have a known cost."},
    {ROW("speed", MESSAGES, STRING, read_choice),
     .why = "This speed has no known price for this model."},
    {ROW("inference_geo", MESSAGES, STRING, read_choice),
     .why = "Inference that is bound to a place has no known price for this model."},
    {UNBOUNDED("fallbacks", BOTH, "With a list of models it is not known whose price applies.")},
    {UNBOUNDED("models", BOTH, "With a list of models it is not known whose price applies.")},
    {UNBOUNDED("anthropic_beta", BOTH, "A beta that the body names may change prices and limits: "
               "name it in the header anthropic-beta.")},
    {UNBOUNDED("web_search_options", BOTH, SEARCH)},
    {UNBOUNDED("search_parameters", BOTH, SEARCH)}, /* xAI */
    {UNBOUNDED("enable_search", BOTH, SEARCH)},     /* Alibaba */
    {UNBOUNDED("plugins", BOTH, "Plug-ins add fees and input that no budget can foresee.")},
    {UNBOUNDED("preset", BOTH, "A preset may name another model, plug-ins or prompts.")},

    /* Other dialects' maxima, counts and inputs, which lenient servers take as well. */
    {STRANGE("max_completion_tokens", MESSAGES)},
    {STRANGE("max_output_tokens", MESSAGES)},
    {STRANGE("max_tokens_to_sample", MESSAGES)},
    {STRANGE("max_new_tokens", MESSAGES)},
    {STRANGE("n_predict", MESSAGES)}, /* llama.cpp */
    {STRANGE("num_predict", MESSAGES)},
    {STRANGE("candidate_count", MESSAGES)},
    {STRANGE("num_return_sequences", MESSAGES)},
    {STRANGE("num_generations", MESSAGES)},
    {STRANGE("n", MESSAGES)},
    {STRANGE("best_of", MESSAGES)},
    {STRANGE("prompt", BOTH)},
    {STRANGE("input", BOTH)},
    {STRANGE("extra_body", BOTH)},
    {STRANGE("chat_template", BOTH)}, /* vLLM */
};
/* clang-format on */

#define MEMBERS (sizeof(members) / sizeof(members[0]))
_Static_assert(MEMBERS <= MEMBER_MOST, "a bit per row");

const struct member_table *member_messages(void)
{
    static const struct member_table table = {members, MEMBERS};

    return &table;
}
