/* Counting the input of a request: see pipeline/estimate.h. */
#include "pipeline/estimate.h"

#include "wire/image_size.h"
#include "wire/skim.h"

#define MESSAGE_TOKENS  3
#define NAME_TOKENS     1
#define ANSWER_TOKENS   3
#define CALLS_TOKENS    16
#define TOOLS_TOKENS    32
#define TOOL_TOKENS     16
#define PROPERTY_TOKENS 8
#define SCHEMA_TOKENS   64
/* Templates of other models: "<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>". */
#define FOREIGN_MESSAGE_TOKENS 16

enum how {
    HOW_EXACT,
    HOW_ESTIMATED, /* the bound has half as much again */
    HOW_MARGIN,    /* the bound alone has it */
};

struct counting {
    const struct estimate_ask *ask;
    struct estimate *estimate;
    size_t left; /* bytes that may still be counted */
    struct arena arena;
};

/* ---- adding up ---- */

static void add(struct counting *counting, int64_t tokens, enum how how)
{
    struct estimate *estimate = counting->estimate;
    estimate->plain = estimate->plain && how == HOW_EXACT;
    estimate->tokens += how == HOW_MARGIN ? 0 : tokens;
    estimate->bound += tokens;
    if (how == HOW_ESTIMATED && counting->ask->model.exact)
        estimate->bound += (tokens + 1) / 2;
}

static int64_t count(struct counting *counting, struct text text)
{
    if (text.size > counting->left) {
        counting->estimate->plain = false;
        return (int64_t)text.size;
    }
    counting->left -= text.size;
    return (int64_t)tokens_at_most(counting->ask->model.encoding, text);
}

static void add_text(struct counting *counting, struct text text, enum how how)
{
    if (counting->ask->model.exact) {
        add(counting, count(counting, text), how);
        return;
    }
    counting->estimate->plain = counting->estimate->plain && how == HOW_EXACT;
    counting->estimate->bound += (int64_t)text.size;
    if (counting->ask->likely && how != HOW_MARGIN)
        counting->estimate->tokens += count(counting, text);
}

static void add_string(struct counting *counting, struct json_value string, enum how how)
{
    add_text(counting, json_string(&counting->arena, string), how);
}

static void leave_out(struct counting *counting, struct text what)
{
    if (counting->estimate->uncounted.at == NULL)
        counting->estimate->uncounted = what;
}

/* ---- JSON as it stands, without its blanks ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The bytes up to the end of the string, or up to the next string or blank. */
static size_t run_size(struct text rest)
{
    size_t at = 1;
    if (rest.at[0] == '"') {
        while (rest.at[at] != '"')
            at += rest.at[at] == '\\' ? 2 : 1;
        return at + 1;
    }
    while (at < rest.size && rest.at[at] != '"' && !is_blank(rest.at[at]))
        at++;
    return at;
}

static void add_json(struct counting *counting, struct json_value value, enum how how)
{
    struct buffer small = {0};
    struct text rest = value.raw;
    while (rest.size > 0) {
        size_t size = is_blank(rest.at[0]) ? 1 : run_size(rest);
        if (!is_blank(rest.at[0]))
            buffer_put(&small, text_slice(rest, 0, size));
        rest = text_from(rest, size);
    }
    add_text(counting, buffer_text(&small), how);
    buffer_close(&small);
}

static bool is_plain_string(struct json_value value, struct text plain)
{
    return value.kind == JSON_STRING &&
           json_name_equal(text_slice(value.raw, 1, value.raw.size - 1), plain);
}

/* ---- images ---- */

struct image {
    struct json_value url;
    bool low;
    bool irregular; /* members stand twice, or are of strange kinds: any of them may count */
    int addresses;
};

static void note_image_member(struct image *image, struct text name, struct json_value value)
{
    if (json_name_equal(name, TEXT("url"))) {
        image->url = value;
        image->addresses++;
        image->irregular = image->irregular || value.kind != JSON_STRING;
    } else if (json_name_equal(name, TEXT("detail"))) {
        image->irregular = image->irregular || image->low;
        image->low = is_plain_string(value, TEXT("low"));
    }
}

static void note_address(struct image *image, struct json_value value)
{
    struct json_walk walk = json_walk(value);
    struct text name;
    struct json_value member;
    if (value.kind == JSON_STRING)
        note_image_member(image, TEXT("url"), value);
    while (json_next(&walk, &name, &member))
        note_image_member(image, name, member);
}

static void add_image(struct counting *counting, struct json_value part)
{
    const struct image_family *family = counting->ask->model.images;
    struct image image = {.low = false};
    struct json_walk walk = json_walk(part);
    struct text name;
    struct json_value value;
    while (json_next(&walk, &name, &value)) {
        if (json_name_equal(name, TEXT("image_url")))
            note_address(&image, value);
        else
            note_image_member(&image, name, value);
    }
    if (family == NULL) {
        leave_out(counting, TEXT("an image, and what this model takes for one is not known"));
        return;
    }
    int64_t most = image_tokens_most(family), width, height;
    if (image.irregular || image.addresses != 1) {
        add(counting, most * (image.addresses > 0 ? image.addresses : 1), HOW_MARGIN);
        return;
    }
    bool sized = image_size(json_string(&counting->arena, image.url), &width, &height);
    counting->estimate->plain = false;
    int64_t tokens = sized ? image_tokens(family, width, height, image.low) : most;
    counting->estimate->tokens += tokens;
    counting->estimate->bound += tokens;
}

/* ---- messages ---- */

static bool is_text_part(struct json_value type)
{
    return is_plain_string(type, TEXT("text")) || is_plain_string(type, TEXT("refusal")) ||
           is_plain_string(type, TEXT("output_text")) || is_plain_string(type, TEXT("input_text"));
}

static void add_text_part(struct counting *counting, struct json_value part)
{
    struct json_walk walk = json_walk(part);
    struct text name;
    struct json_value value;
    while (json_next(&walk, &name, &value)) {
        bool text = json_name_equal(name, TEXT("text")) || json_name_equal(name, TEXT("refusal"));
        if (text && value.kind == JSON_STRING)
            add_string(counting, value, HOW_EXACT);
        else if (!json_name_equal(name, TEXT("type")))
            add_json(counting, value, HOW_MARGIN);
    }
}

static void add_part(struct counting *counting, struct json_value part)
{
    struct json_value type;
    if (part.kind == JSON_STRING)
        add_string(counting, part, HOW_ESTIMATED);
    else if (!json_member(part, TEXT("type"), &type))
        leave_out(counting, TEXT("a part of a message without a type"));
    else if (is_text_part(type))
        add_text_part(counting, part);
    else if (is_plain_string(type, TEXT("image_url")) || is_plain_string(type, TEXT("input_image")))
        add_image(counting, part);
    else
        leave_out(counting, type.raw);
}

static void add_content(struct counting *counting, struct json_value content)
{
    struct json_walk walk = json_walk(content);
    struct text name;
    struct json_value part;
    if (content.kind == JSON_STRING)
        add_string(counting, content, HOW_EXACT);
    else if (content.kind == JSON_OBJECT)
        add_part(counting, content);
    else if (content.kind != JSON_ARRAY && content.kind != JSON_NULL)
        add_json(counting, content, HOW_MARGIN);
    while (content.kind == JSON_ARRAY && json_next(&walk, &name, &part))
        add_part(counting, part);
}

static void add_message_member(struct counting *counting, struct text name, struct json_value value)
{
    if (json_name_equal(name, TEXT("content"))) {
        add_content(counting, value);
    } else if (json_name_equal(name, TEXT("role")) && value.kind == JSON_STRING) {
        add_string(counting, value, HOW_EXACT);
    } else if (json_name_equal(name, TEXT("name")) && value.kind == JSON_STRING) {
        add_string(counting, value, HOW_EXACT);
        add(counting, NAME_TOKENS, HOW_EXACT);
    } else if (json_name_equal(name, TEXT("audio")) && value.kind != JSON_NULL) {
        leave_out(counting, TEXT("an earlier answer's audio"));
    } else if (json_name_equal(name, TEXT("tool_call_id"))) {
        add_json(counting, value, HOW_MARGIN);
        add(counting, CALLS_TOKENS, HOW_MARGIN); /* whose answer it is */
    } else if (value.kind != JSON_NULL) {
        add_json(counting, value, HOW_MARGIN);
    }
}

static bool has_calls(struct json_value message)
{
    struct json_value calls;
    return (json_member(message, TEXT("tool_calls"), &calls) && calls.kind == JSON_ARRAY) ||
           (json_member(message, TEXT("function_call"), &calls) && calls.kind == JSON_OBJECT);
}

static void add_message(struct counting *counting, struct json_value message)
{
    struct json_walk walk = json_walk(message);
    struct text name;
    struct json_value value;
    if (!counting->ask->model.exact)
        counting->estimate->bound += FOREIGN_MESSAGE_TOKENS - MESSAGE_TOKENS;
    if (has_calls(message)) {
        add_json(counting, message, HOW_ESTIMATED);
        add(counting, CALLS_TOKENS, HOW_ESTIMATED);
        return;
    }
    add(counting, MESSAGE_TOKENS, HOW_EXACT);
    while (json_next(&walk, &name, &value))
        add_message_member(counting, name, value);
}

static void add_messages(struct counting *counting, struct json_value messages)
{
    struct skim skim = skim_begin(messages);
    add(counting, ANSWER_TOKENS, HOW_EXACT);
    if (messages.kind != JSON_ARRAY)
        return;
    skim_enter(&skim);
    while (skim_element(&skim))
        add_message(counting, skim_value(&skim));
}

/* ---- what comes beside them ---- */

static int64_t element_count(struct json_value list)
{
    struct json_walk walk = json_walk(list);
    struct text name;
    struct json_value element;
    int64_t elements = 0;
    while (json_next(&walk, &name, &element))
        elements++;
    return elements;
}

static void add_tools(struct counting *counting, struct json_value tools)
{
    int64_t count = element_count(tools);
    if (count == 0)
        return;
    add_json(counting, tools, HOW_ESTIMATED);
    add(counting,
        TOOLS_TOKENS + TOOL_TOKENS * count +
            PROPERTY_TOKENS * skim_count_members_of(tools, TEXT("properties")),
        HOW_ESTIMATED);
}

static void add_format(struct counting *counting, struct json_value format)
{
    struct json_value schema;
    if (!json_member(format, TEXT("json_schema"), &schema))
        return;
    add_json(counting, schema, HOW_ESTIMATED);
    add(counting, SCHEMA_TOKENS, HOW_ESTIMATED);
}

/* A text, token ids, or a list of either. */
static void add_prompts(struct counting *counting, struct json_value prompts)
{
    struct json_walk walk = json_walk(prompts);
    struct text name;
    struct json_value prompt;
    if (prompts.kind == JSON_STRING)
        add_string(counting, prompts, HOW_EXACT);
    while (json_next(&walk, &name, &prompt)) {
        if (prompt.kind == JSON_STRING)
            add_string(counting, prompt, HOW_EXACT);
        else
            add(counting, prompt.kind == JSON_ARRAY ? element_count(prompt) : 1, HOW_EXACT);
    }
}

static void add_input(struct counting *counting, struct json_value input)
{
    struct text other = counting->ask->input;
    if (other.size > 0) {
        struct skim skim = {other.at, other.at + other.size};
        input = skim_value(&skim);
    }
    add_prompts(counting, input);
}

/* ---- the top level ---- */

#define BIT(endpoint) (1u << (endpoint))
#define EVERYWHERE    (~0u)

struct top_member {
    struct text name;
    unsigned endpoints;
    void (*add)(struct counting *counting, struct json_value value); /* NULL: it is no input */
};

/* What is not here may be input, and the bound has it as text. */
static const struct top_member top_members[] = {
    {TEXT("messages"), BIT(ENDPOINT_CHAT), add_messages},
    {TEXT("tools"), BIT(ENDPOINT_CHAT), add_tools},
    {TEXT("functions"), BIT(ENDPOINT_CHAT), add_tools},
    {TEXT("response_format"), BIT(ENDPOINT_CHAT), add_format},
    {TEXT("prompt"), BIT(ENDPOINT_COMPLETIONS), add_prompts},
    {TEXT("input"), BIT(ENDPOINT_EMBEDDINGS), add_input},
    {TEXT("model"), EVERYWHERE, NULL},
    {TEXT("stream"), EVERYWHERE, NULL},
    {TEXT("stream_options"), EVERYWHERE, NULL},
    {TEXT("max_tokens"), EVERYWHERE, NULL},
    {TEXT("max_completion_tokens"), EVERYWHERE, NULL},
    {TEXT("n"), EVERYWHERE, NULL},
    {TEXT("best_of"), EVERYWHERE, NULL},
    {TEXT("temperature"), EVERYWHERE, NULL},
    {TEXT("top_p"), EVERYWHERE, NULL},
    {TEXT("top_k"), EVERYWHERE, NULL},
    {TEXT("seed"), EVERYWHERE, NULL},
    {TEXT("stop"), EVERYWHERE, NULL},
    {TEXT("user"), EVERYWHERE, NULL},
    {TEXT("metadata"), EVERYWHERE, NULL},
    {TEXT("store"), EVERYWHERE, NULL},
    {TEXT("service_tier"), EVERYWHERE, NULL},
    {TEXT("presence_penalty"), EVERYWHERE, NULL},
    {TEXT("frequency_penalty"), EVERYWHERE, NULL},
    {TEXT("logit_bias"), EVERYWHERE, NULL},
    {TEXT("logprobs"), EVERYWHERE, NULL},
    {TEXT("top_logprobs"), EVERYWHERE, NULL},
    {TEXT("parallel_tool_calls"), EVERYWHERE, NULL},
    {TEXT("modalities"), EVERYWHERE, NULL},
    {TEXT("audio"), EVERYWHERE, NULL},
    {TEXT("prediction"), EVERYWHERE, NULL},
    {TEXT("prompt_cache_key"), EVERYWHERE, NULL},
    {TEXT("safety_identifier"), EVERYWHERE, NULL},
    {TEXT("reasoning_effort"), EVERYWHERE, NULL},
    {TEXT("verbosity"), EVERYWHERE, NULL},
    {TEXT("encoding_format"), EVERYWHERE, NULL},
    {TEXT("dimensions"), EVERYWHERE, NULL},
    {TEXT("echo"), EVERYWHERE, NULL},
};

#define TOP_MEMBERS (sizeof top_members / sizeof *top_members)

static const struct top_member *find_member(const struct estimate_ask *ask, struct text name)
{
    for (size_t i = 0; i < TOP_MEMBERS; i++) {
        const struct top_member *member = &top_members[i];
        if ((member->endpoints >> ask->endpoint & 1) != 0 && json_name_equal(name, member->name))
            return member;
    }
    return NULL;
}

static void add_top_member(struct counting *counting, struct text name, struct json_value value)
{
    const struct top_member *member = find_member(counting->ask, name);
    if (value.kind == JSON_NULL)
        return;
    if (member == NULL)
        add_json(counting, value, HOW_MARGIN);
    else if (member->add != NULL)
        member->add(counting, value);
}

bool estimate_knows(enum endpoint endpoint)
{
    return endpoint == ENDPOINT_CHAT || endpoint == ENDPOINT_COMPLETIONS ||
           endpoint == ENDPOINT_EMBEDDINGS;
}

void estimate_input(const struct estimate_ask *ask, struct estimate *estimate)
{
    struct counting counting = {.ask = ask, .estimate = estimate, .left = ESTIMATE_MOST_BYTES};
    struct text body = text_trim(ask->body);
    struct skim skim = {body.at, body.at + body.size};
    struct text name;
    *estimate = (struct estimate){.plain = true};
    if (skim_peek(&skim) == JSON_OBJECT) {
        skim_enter(&skim);
        while (skim_member(&skim, &name))
            add_top_member(&counting, name, skim_value(&skim));
    }
    arena_close(&counting.arena);
    estimate->exact = estimate->plain && ask->model.exact;
}

/* ---- whose tokens ---- */

struct estimate_model estimate_model_named(struct text name)
{
    struct estimate_model model = {.images = image_family(name)};
    model.encoding = TOKENS_O200K_BASE;
    model.exact = tokens_by_model(name, &model.encoding) && !text_matches(name, TEXT("*gpt-oss*"));
    return model;
}

static bool is_openais(const struct upstream *upstream, struct text name)
{
    return text_equal(upstream->provider, TEXT("openai")) ||
           text_equal(upstream->provider, TEXT("azure")) || text_starts(name, TEXT("openai/"));
}

struct estimate_model estimate_model_of(const struct upstream *upstream, struct text sent,
                                        const struct model *priced)
{
    struct estimate_model model = estimate_model_named(sent);
    struct text name = sent;
    if (!model.exact && model.images == NULL && priced != NULL) {
        name = priced->name;
        model = estimate_model_named(name);
    }
    model.exact = model.exact && is_openais(upstream, name);
    if (upstream->provider.size == 0)
        model.images = NULL;
    return model;
}

/* ---- of requests and calls ---- */

int64_t estimate_free_bound(const struct body *body, const struct estimate_model *model)
{
    if (body->input_bound == BODY_UNBOUNDED || body->images == 0)
        return body->input_bound;
    if (model->images == NULL)
        return BODY_UNBOUNDED;
    return body->input_bound + body->images * image_tokens_most(model->images);
}

/* Of a call whose own body can be counted. */
static bool fill_ask(const struct call *call, struct estimate_ask *ask)
{
    struct text asked = call->entry.model_requested, sent = asked;
    if (!estimate_knows(call->endpoint) || call->bytes.size == 0 || call->in_parts ||
        !upstream_serves(call->upstream, asked, &sent))
        return false;
    *ask = (struct estimate_ask){.endpoint = call->endpoint, .body = buffer_text(&call->bytes)};
    ask->model = estimate_model_of(call->upstream, sent, call->model);
    return true;
}

bool estimate_call(const struct call *call, int64_t *tokens)
{
    struct estimate_ask ask;
    struct estimate estimate;
    if (!fill_ask(call, &ask) || !ask.model.exact)
        return false;
    estimate_input(&ask, &estimate);
    int64_t most = call->held.input_tokens; /* 0: nothing bounded it */
    if (estimate.uncounted.at != NULL || (most > 0 && estimate.bound > most))
        return false;
    *tokens = estimate.bound;
    return true;
}

void estimate_compare(const struct call *call)
{
    struct estimate_ask ask;
    struct estimate estimate;
    if (call->bytes.size > DRIFT_BYTES_MOST || !fill_ask(call, &ask))
        return;
    ask.likely = true;
    estimate_input(&ask, &estimate);
    const struct drift_sample sample = {
        .model = call->entry.model,
        .exact = ask.model.exact,
        .counted = estimate.tokens,
        .reported = call->entry.prompt_tokens,
        .now_s = loop_wall_us(call->worker->loop) / 1000000,
    };
    if (estimate.plain && estimate.uncounted.at == NULL && sample.counted > 0 &&
        sample.reported > 0)
        drift_note(&call->worker->house->drift, &sample);
}

int64_t estimate_learned(const struct estimate *estimate, int64_t permille)
{
    ASSERT(estimate->tokens <= INT64_MAX / DRIFT_MOST_PERMILLE / 2);
    int64_t learned = (estimate->tokens * permille + 999) / 1000;
    return estimate->plain && learned < estimate->bound ? learned : estimate->bound;
}
