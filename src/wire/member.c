/*
 * The table of the members that matter in a request: for cost, for the route, for the scopes that
 * pay. See wire/body_reader.h for how it is used.
 */
#include <inttypes.h>

#include "wire/member.h"

#define MOST_CHOICES  128 /* of n and best_of: OpenAI's own limit */
#define SCHEMA_TOKENS 64  /* wire/body.h */

static void *field_of(struct body_reader *reader, const struct member *member)
{
    return (char *)reader + member->field;
}

bool member_read_model(struct body_reader *reader, const struct member *member,
                       struct json_value value)
{
    struct text model = json_string(reader->arena, value);

    if (model.size == 0) {
        return body_refuse(reader, "invalid_value", member->name, "'model' is empty.");
    }
    reader->body.model = model;
    return true;
}

bool member_read_text(struct body_reader *reader, const struct member *member,
                      struct json_value value)
{
    *(struct text *)field_of(reader, member) = json_string(reader->arena, value);
    return true;
}

bool member_read_flag(struct body_reader *reader, const struct member *member,
                      struct json_value value)
{
    return body_read_flag(reader, member->name, value, field_of(reader, member));
}

/* True if the number is at most 10^9 in magnitude. */
static bool is_moderate(struct json_value number)
{
    struct json_decimal decimal = json_decimal(number);
    bool point = text_find(decimal.digits, TEXT("."), 0) != SIZE_MAX;
    int64_t before_point = (int64_t)decimal.digits.size - (point ? 1 : 0) + decimal.exponent;

    return decimal.digits.size == 0 || before_point < 10 ||
           (before_point == 10 && text_equal(decimal.digits, TEXT("1")));
}

bool member_read_number(struct body_reader *reader, const struct member *member,
                        struct json_value value)
{
    if (!is_moderate(value)) {
        return body_refuse(reader, "invalid_value", member->name,
                           "'%.*s' must be a number from -1000000000 to 1000000000.",
                           TEXT_ARG(member->name));
    }
    *(struct text *)field_of(reader, member) = value.raw;
    return true;
}

bool member_read_count(struct body_reader *reader, const struct member *member,
                       struct json_value value)
{
    int64_t count;

    if (!json_int(value, &count) || count < member->least || count > member->most) {
        return body_refuse(reader, "invalid_value", member->name,
                           "'%.*s' must be a whole number from %" PRId64 " to %" PRId64 ".",
                           TEXT_ARG(member->name), member->least, member->most);
    }
    *(int64_t *)field_of(reader, member) = count;
    return true;
}

static bool read_stream_options(struct body_reader *reader, const struct member *member,
                                struct json_value value)
{
    const struct text include_usage = TEXT("include_usage");
    const struct text param = TEXT("stream_options.include_usage");
    struct json_walk walk = json_walk(value);
    struct json_value option;
    struct text name;
    bool seen = false;

    (void)member;
    while (json_next(&walk, &name, &option)) {
        if (!body_name_is(reader, name, include_usage)) {
            continue;
        }
        if (!json_name_equal(name, include_usage)) {
            return body_refuse(reader, "misspelt_member", param,
                               "'%.*s' must be written 'include_usage'.", TEXT_ARG(name));
        }
        if (seen) {
            return body_refuse(reader, "duplicate_member", param,
                               "'stream_options.include_usage' stands twice; send it once.");
        }
        seen = true;
        if (!body_read_flag(reader, param, option, &reader->body.usage_asked)) {
            return false;
        }
    }
    return true;
}

/* ---- who pays ---- */

static bool add_tag(struct body_reader *reader, struct text tag)
{
    struct body *body = &reader->body;

    tag = text_trim(tag);
    if (tag.size == 0) {
        return true;
    }
    if (body->tag_count == BODY_MAX_TAGS) {
        return body_refuse(reader, "invalid_value", TEXT("metadata.tags"),
                           "'metadata.tags' has more than %d tags.", BODY_MAX_TAGS);
    }
    body->tags[body->tag_count++] = tag;
    return true;
}

static bool read_tags(struct body_reader *reader, struct json_value value)
{
    struct json_walk walk = json_walk(value);
    struct text rest = json_string(reader->arena, value);
    struct json_value tag;
    bool good = true;

    if (value.kind != JSON_ARRAY && value.kind != JSON_STRING) {
        return body_refuse(reader, "invalid_type", TEXT("metadata.tags"),
                           "'metadata.tags' must be an array of strings, or one with commas.");
    }
    while (good && rest.size > 0) {
        good = add_tag(reader, text_split(&rest, ','));
    }
    while (good && json_next(&walk, NULL, &tag)) {
        good = tag.kind == JSON_STRING ? add_tag(reader, json_string(reader->arena, tag))
                                       : body_refuse(reader, "invalid_type", TEXT("metadata.tags"),
                                                     "'metadata.tags' must hold strings only.");
    }
    return good;
}

static bool read_metadata_text(struct body_reader *reader, struct text param,
                               struct json_value value, struct text *field)
{
    if (value.kind != JSON_STRING) {
        return body_refuse(reader, "invalid_type", param, "'%.*s' must be a string.",
                           TEXT_ARG(param));
    }
    *field = json_string(reader->arena, value);
    return true;
}

enum { SEEN_SESSION = 1, SEEN_LABEL = 2, SEEN_TAGS = 4 };

static int metadata_called(struct text name)
{
    if (json_name_equal(name, TEXT("session_id"))) {
        return SEEN_SESSION;
    }
    if (json_name_equal(name, TEXT("label"))) {
        return SEEN_LABEL;
    }
    return json_name_equal(name, TEXT("tags")) ? SEEN_TAGS : 0;
}

static bool read_metadata_member(struct body_reader *reader, int which, struct json_value value)
{
    struct body *body = &reader->body;

    switch (which) {
    case SEEN_SESSION:
        return read_metadata_text(reader, TEXT("metadata.session_id"), value, &body->session);
    case SEEN_LABEL:
        return read_metadata_text(reader, TEXT("metadata.label"), value, &body->label);
    case SEEN_TAGS:
        return read_tags(reader, value);
    default:
        return true;
    }
}

bool member_read_metadata(struct body_reader *reader, const struct member *member,
                          struct json_value value)
{
    struct json_walk walk = json_walk(value);
    struct json_value entry;
    struct text name;
    int seen = 0;

    while (json_next(&walk, &name, &entry)) {
        int which = metadata_called(name);
        if ((seen & which) != 0) {
            return body_refuse(reader, "duplicate_member", member->name,
                               "'metadata.%.*s' stands twice; send it once.", TEXT_ARG(name));
        }
        seen |= which;
        if (entry.kind != JSON_NULL && !read_metadata_member(reader, which, entry)) {
            return false;
        }
    }
    return true;
}

/* ---- what costs more than the text says ---- */

bool member_read_unbounded(struct body_reader *reader, const struct member *member,
                           struct json_value value)
{
    if (value.kind != JSON_FALSE) {
        body_note_unbounded(reader, member);
    }
    return true;
}

/* Text and audio have prices; images as output have other ones. */
static bool read_modalities(struct body_reader *reader, const struct member *member,
                            struct json_value value)
{
    struct json_walk walk = json_walk(value);
    struct json_value modality;

    while (json_next(&walk, NULL, &modality)) {
        struct text name = json_string(reader->arena, modality);
        if (text_equal(name, TEXT("audio"))) {
            reader->body.audio = true;
        } else if (!text_equal(name, TEXT("text"))) {
            body_note_unbounded(reader, member);
        }
    }
    return true;
}

static bool read_audio(struct body_reader *reader, const struct member *member,
                       struct json_value value)
{
    (void)member;
    (void)value;
    reader->body.audio = true;
    return true;
}

static bool read_prediction(struct body_reader *reader, const struct member *member,
                            struct json_value value)
{
    (void)member;
    reader->body.extra_output = (int64_t)value.raw.size;
    return true;
}

static bool read_response_format(struct body_reader *reader, const struct member *member,
                                 struct json_value value)
{
    (void)member;
    (void)value;
    reader->hidden_tokens += SCHEMA_TOKENS;
    return true;
}

static bool read_far_input(struct body_reader *reader, const struct member *member,
                           struct json_value value)
{
    (void)member;
    (void)value;
    reader->input_unbounded = true;
    return true;
}

bool member_read_before(struct body_reader *reader, const struct member *member,
                        struct json_value value)
{
    reader->body.kept_by_provider = true;
    if (text_equal(member->name, TEXT("conversation")))
        reader->body.conversation = true;
    else
        reader->body.previous_response = json_string(reader->arena, value);
    return read_far_input(reader, member, value);
}

static bool read_kept(struct body_reader *reader, const struct member *member,
                      struct json_value value)
{
    (void)member;
    reader->body.kept_by_provider |= value.kind == JSON_TRUE;
    return true;
}

/* ---- the table ---- */

#define CHAT        (1u << ENDPOINT_CHAT)
#define COMPLETIONS (1u << ENDPOINT_COMPLETIONS)
#define EMBEDDINGS  (1u << ENDPOINT_EMBEDDINGS)
#define GENERATING  (CHAT | COMPLETIONS)
#define BATCHES     (1u << ENDPOINT_BATCHES)
#define ALL         (CHAT | COMPLETIONS | EMBEDDINGS)

#define COUNT(text, where, how_many, into)                                                         \
    ROW(text, where, NUMBER, member_read_count), .least = 1, .most = (how_many), .field = AT(into)
#define SEARCH "Searching the web adds fees and input that no budget can foresee."

/* clang-format off */
static const struct member members[] = {
    {ROW("model", ALL, STRING, member_read_model), .required = true, .raw = AT(body.model_raw)},
    {ROW("input_file_id", BATCHES, STRING, member_read_text), .required = true,
     .field = AT(body.input_file)},
    {ROW("endpoint", BATCHES, STRING, member_read_text), .required = true,
     .field = AT(body.url)},
    {ROW("messages", CHAT, ARRAY, NULL), .go_through = content_read_messages, .required = true},
    {ROW("prompt", COMPLETIONS, STRING | ARRAY, content_read_prompts), .required = true},
    {ROW("input", EMBEDDINGS, STRING | ARRAY, content_read_prompts), .required = true,
     .raw = AT(body.input_raw)},

    {ROW("stream", GENERATING, BOOL, member_read_flag), .field = AT(body.stream)},
    {ROW("stream_options", GENERATING, OBJECT, read_stream_options),
     .raw = AT(body.stream_options_raw)},

    {COUNT("max_tokens", CHAT, BODY_MOST, max_tokens), .raw = AT(body.max_tokens_raw)},
    {ROW("max_tokens", COMPLETIONS, NUMBER, member_read_count), .least = 0, .most = BODY_MOST,
     .field = AT(max_tokens), .raw = AT(body.max_tokens_raw)},
    {COUNT("max_completion_tokens", GENERATING, BODY_MOST, max_completion_tokens),
     .raw = AT(body.max_completion_tokens_raw)},
    {COUNT("n", GENERATING, MOST_CHOICES, n)},
    {COUNT("best_of", GENERATING, MOST_CHOICES, best_of)},
    {ROW("temperature", GENERATING, NUMBER, member_read_number), .field = AT(body.temperature_raw)},

    {ROW("user", ALL, STRING, member_read_text), .field = AT(body.user)},
    {ROW("prompt_cache_key", ALL, STRING, member_read_text), .field = AT(body.prompt_cache_key)},
    {ROW("metadata", ALL | BATCHES, OBJECT, member_read_metadata)},

    {ROW("tools", GENERATING, ARRAY, NULL), .go_through = content_read_tools,
     .why = "Tools that the provider runs itself (searches, code, remote servers) add fees and "
            "input that no budget can foresee."},
    {ROW("functions", GENERATING, ARRAY, content_read_functions)},
    {ROW("response_format", GENERATING, STRING | OBJECT, read_response_format)},
    {ROW("prediction", GENERATING, STRING | OBJECT, read_prediction)},
    {ROW("audio", GENERATING, OBJECT, read_audio)},
    {ROW("modalities", GENERATING, ARRAY, read_modalities),
     .why = "Only text and audio have a known price as output."},

    /* Input that the provider has and the body only names, or makes from a template. */
    {ROW("extra_body", GENERATING, ANY, read_far_input)},     /* Gemini */
    {ROW("cached_content", GENERATING, ANY, read_far_input)}, /* Gemini */
    {ROW("chat_template", GENERATING, ANY, read_far_input)},  /* vLLM */
    {ROW("previous_response_id", GENERATING, STRING, member_read_before)}, /* as in Responses */
    {ROW("conversation", GENERATING, STRING | OBJECT, member_read_before)},

    {ROW("store", GENERATING, BOOL, read_kept)},
    {ROW("background", GENERATING, BOOL, read_kept)},

    {ROW("service_tier", ALL, STRING, member_read_text), .field = AT(body.service_tier)},
    {UNBOUNDED("web_search_options", GENERATING, SEARCH)},
    {UNBOUNDED("search_parameters", GENERATING, SEARCH)}, /* xAI */
    {UNBOUNDED("enable_search", GENERATING, SEARCH)},     /* Alibaba */
    {UNBOUNDED("plugins", GENERATING,
               "Plug-ins add fees and input that no budget can foresee.")},
    {UNBOUNDED("models", GENERATING,
               "With a list of models it is not known whose price applies.")},
    {UNBOUNDED("preset", GENERATING,
               "A preset may name another model, plug-ins or prompts.")}, /* OpenRouter */
    {UNBOUNDED("data_sources", GENERATING,
               "Data sources add input that no budget can foresee.")}, /* Azure */
    {UNBOUNDED("mcp_servers", GENERATING,
               "Remote tools add calls and input that no budget can foresee.")},
    {UNBOUNDED("compound_custom", GENERATING,
               "A compound system calls other models and tools.")}, /* Groq */

    /* Other dialects' maxima, counts and inputs, which lenient servers take as well. */
    {STRANGE("n_predict", GENERATING)}, /* llama.cpp */
    {STRANGE("num_predict", GENERATING)},
    {STRANGE("max_new_tokens", GENERATING)},
    {STRANGE("max_output_tokens", GENERATING)},
    {STRANGE("max_tokens_to_sample", GENERATING)},
    {STRANGE("candidate_count", GENERATING)},
    {STRANGE("num_return_sequences", GENERATING)},
    {STRANGE("num_generations", GENERATING)},
    {STRANGE("prompt", CHAT)}, /* OpenRouter takes either at both endpoints */
    {STRANGE("messages", COMPLETIONS)},
};
/* clang-format on */

#define MEMBERS (sizeof(members) / sizeof(members[0]))
_Static_assert(MEMBERS <= MEMBER_MOST, "a bit per row");

const struct member_table *member_openai(void)
{
    static const struct member_table table = {members, MEMBERS};

    return &table;
}

/* ---- looking up ---- */

static const struct member_table *table_of(enum endpoint endpoint)
{
    const struct endpoint_facts *facts = endpoint_facts(endpoint);

    if (endpoint == ENDPOINT_RESPONSES || endpoint == ENDPOINT_RESPONSES_TOKENS) {
        return member_responses();
    }

    if (facts->media || endpoint == ENDPOINT_MODERATIONS) {
        return member_media();
    }
    return facts->dialect == DIALECT_ANTHROPIC ? member_messages() : member_openai();
}

static bool matters_at(const struct member *member, enum endpoint endpoint)
{
    return (member->endpoints >> endpoint & 1) != 0;
}

const struct member *member_find(struct body_reader *reader, struct text raw_name, bool *exact,
                                 unsigned *row)
{
    const struct member_table *table = table_of(reader->body.endpoint);
    struct text name = body_fold_name(reader, raw_name);

    for (unsigned i = 0; i < table->count; i++) {
        const struct member *member = &table->rows[i];
        if (!text_equal(member->name, name) || !matters_at(member, reader->body.endpoint)) {
            continue;
        }
        *exact = json_name_equal(raw_name, member->name);
        *row = i;
        return member;
    }
    return NULL;
}

const struct member *member_missing(const struct body_reader *reader)
{
    const struct member_table *table = table_of(reader->body.endpoint);

    for (unsigned i = 0; i < table->count; i++) {
        const struct member *member = &table->rows[i];
        if (member->required && matters_at(member, reader->body.endpoint) &&
            (reader->seen >> i & 1) == 0) {
            return member;
        }
    }
    return NULL;
}
