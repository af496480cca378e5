/* Counting the input of a request: see pipeline/estimate.h. */
#include "pipeline/estimate.h"

#include "money/tokens_guess.h"
#include "pipeline/estimate_parts.h"
#include "wire/skim.h"

#define HIDDEN_TOKENS 64 /* that Responses and Messages begin with; documents show up to 18 */

/* ---- adding up ---- */

static void note_how(struct counting *counting, enum how how)
{
    counting->tools = counting->tools || how == HOW_TOOLS;
    counting->others = counting->others || (how != HOW_TOOLS && how != HOW_EXACT);
}

void estimate_add(struct counting *counting, int64_t tokens, enum how how)
{
    struct estimate *estimate = counting->estimate;
    bool doubtful = how == HOW_ESTIMATED || (how == HOW_TOOLS && !counting->ask->tools_confirmed);
    note_how(counting, how);
    estimate->tokens += how == HOW_MARGIN ? 0 : tokens;
    estimate->bound += tokens;
    if (doubtful && counting->ask->model.exact)
        estimate->bound += (tokens + 1) / 2;
}

static int64_t count(struct counting *counting, struct text text)
{
    if (text.size > counting->left) {
        counting->others = true;
        return (int64_t)text.size;
    }
    counting->left -= text.size;
    if (counting->ask->model.guess_permille > 0)
        return (int64_t)tokens_guess(counting->ask->model.guess_permille, text);
    return (int64_t)tokens_at_most(counting->ask->model.encoding, text);
}

void estimate_add_text(struct counting *counting, struct text text, enum how how)
{
    if (counting->ask->model.exact) {
        estimate_add(counting, count(counting, text), how);
        return;
    }
    note_how(counting, how);
    counting->estimate->bound += (int64_t)text.size;
    if (counting->ask->likely && how != HOW_MARGIN)
        counting->estimate->tokens += count(counting, text);
}

void estimate_add_string(struct counting *counting, struct json_value string, enum how how)
{
    estimate_add_text(counting, json_string(&counting->arena, string), how);
}

void estimate_leave_out(struct counting *counting, struct text what)
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

void estimate_add_json(struct counting *counting, struct json_value value, enum how how)
{
    struct buffer small = {0};
    struct text rest = value.raw;
    while (rest.size > 0) {
        size_t size = is_blank(rest.at[0]) ? 1 : run_size(rest);
        if (!is_blank(rest.at[0]))
            buffer_put(&small, text_slice(rest, 0, size));
        rest = text_from(rest, size);
    }
    estimate_add_text(counting, buffer_text(&small), how);
    buffer_close(&small);
}

/* ---- images ---- */

static bool sees_images(struct counting *counting)
{
    if (counting->ask->model.images == NULL)
        estimate_leave_out(counting,
                           TEXT("an image, and what this model takes for one is not known"));
    return counting->ask->model.images != NULL;
}

static void add_image_tokens(struct counting *counting, int64_t tokens)
{
    counting->others = true;
    counting->estimate->tokens += tokens;
    counting->estimate->bound += tokens;
}

void estimate_add_sized_image(struct counting *counting, int64_t width, int64_t height, bool low)
{
    if (sees_images(counting))
        add_image_tokens(counting, image_tokens(counting->ask->model.images, width, height, low));
}

void estimate_add_unknown_image(struct counting *counting, int64_t images)
{
    if (sees_images(counting))
        add_image_tokens(counting, images * image_tokens_most(counting->ask->model.images));
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
    {TEXT("messages"), BIT(ENDPOINT_CHAT), estimate_add_messages},
    {TEXT("tools"), BIT(ENDPOINT_CHAT), estimate_add_tools},
    {TEXT("functions"), BIT(ENDPOINT_CHAT), estimate_add_tools},
    {TEXT("response_format"), BIT(ENDPOINT_CHAT), estimate_add_format},
    {TEXT("prompt"), BIT(ENDPOINT_COMPLETIONS), estimate_add_prompts},
    {TEXT("input"), BIT(ENDPOINT_EMBEDDINGS), estimate_add_input},
    {TEXT("input"), BIT(ENDPOINT_RESPONSES), estimate_add_items},
    {TEXT("instructions"), BIT(ENDPOINT_RESPONSES), estimate_add_instructions},
    {TEXT("text"), BIT(ENDPOINT_RESPONSES), estimate_add_definitions}, /* its format's schema */
    {TEXT("messages"), BIT(ENDPOINT_MESSAGES), estimate_add_turns},
    {TEXT("system"), BIT(ENDPOINT_MESSAGES), estimate_add_blocks},
    {TEXT("tools"), BIT(ENDPOINT_RESPONSES) | BIT(ENDPOINT_MESSAGES), estimate_add_definitions},
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
        estimate_add_json(counting, value, HOW_MARGIN);
    else if (member->add != NULL)
        member->add(counting, value);
}

/* Where a formula tells what is billed; elsewhere what the provider adds is only bounded. */
static bool has_formula(enum endpoint endpoint)
{
    return endpoint == ENDPOINT_CHAT || endpoint == ENDPOINT_COMPLETIONS ||
           endpoint == ENDPOINT_EMBEDDINGS;
}

bool estimate_knows(enum endpoint endpoint)
{
    return has_formula(endpoint) || endpoint == ENDPOINT_RESPONSES || endpoint == ENDPOINT_MESSAGES;
}

void estimate_input(const struct estimate_ask *ask, struct estimate *estimate)
{
    struct counting counting = {.ask = ask, .estimate = estimate, .left = ESTIMATE_MOST_BYTES};
    struct text body = text_trim(ask->body);
    struct skim skim = {body.at, body.at + body.size};
    struct text name;
    *estimate = (struct estimate){.tokens = 0};
    if (!has_formula(ask->endpoint))
        estimate->bound = ask->hidden + HIDDEN_TOKENS;
    if (skim_peek(&skim) == JSON_OBJECT) {
        skim_enter(&skim);
        while (skim_member(&skim, &name))
            add_top_member(&counting, name, skim_value(&skim));
    }
    arena_close(&counting.arena);
    bool texts = has_formula(ask->endpoint) && !counting.others;
    estimate->plain = texts && !counting.tools;
    estimate->with_tools = texts && counting.tools;
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

struct estimate_model estimate_model_guessed(struct text name)
{
    struct estimate_model model = estimate_model_named(name);
    model.guess_permille = model.exact ? 0 : tokens_guess_permille(name);
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
    if (!has_formula(call->endpoint) || call->bytes.size == 0 || call->in_parts ||
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
        .tools = estimate.with_tools,
        .counted = estimate.tokens,
        .reported = call->entry.prompt_tokens,
        .now_s = loop_wall_us(call->worker->loop) / 1000000,
    };
    bool known = estimate.plain || (estimate.with_tools && ask.model.exact);
    if (known && estimate.uncounted.at == NULL && sample.counted > 0 && sample.reported > 0)
        drift_note(&call->worker->house->drift, &sample);
}

int64_t estimate_learned(const struct estimate *estimate, int64_t permille)
{
    ASSERT(estimate->tokens <= INT64_MAX / DRIFT_MOST_PERMILLE / 2);
    int64_t learned = (estimate->tokens * permille + 999) / 1000;
    return estimate->plain && learned < estimate->bound ? learned : estimate->bound;
}
