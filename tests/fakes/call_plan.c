/*
 * What a call will be: its answer, its length, its failures; see call_state.h.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "call_state.h"
#include "shelf.h"

/* Of sound and images that go in, to models that count them; of images on the way. */
enum { TOKENS_PER_SECOND = 10, IMAGE_TOKENS = 323, PARTIAL_IMAGE_TOKENS = 100 };

static void refuse(struct call *call, int status, const char *message, const char *param)
{
    call->manner = MANNER_ERROR;
    call->status = status;
    call->param = param;
    snprintf(call->message, sizeof call->message, "%s", message);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t output_limit(const struct call *call)
{
    int64_t model = bill_max_output(call->ask.model);
    int64_t asked = call->ask.max_tokens;
    if (wish_on(call->wish.ignore_max) || (model == 0 && asked == 0))
        return INT64_MAX;
    return model == 0 || asked == 0 ? model + asked : least(model, asked);
}

/* "none": a provider that names no tier. Otherwise chats have one always, the rest if wished. */
static const char *tier_of(const struct call *call)
{
    const char *wished = call->wish.tier;
    if (strcmp(wished, "none") == 0)
        return NULL;
    if (wished[0] != '\0')
        return wished;
    return call->ask.api == ASK_MESSAGES    ? "standard"
           : call->ask.api == ASK_CHAT      ? "default"
           : call->ask.api == ASK_RESPONSES ? "default"
                                            : NULL;
}

/* Tokens of an image of gpt-image-1. Source: OpenAI's guide to image generation, 2025. */
static int64_t image_tokens(const struct media *media)
{
    static const struct {
        const char *quality;
        int64_t square, portrait, landscape;
    } rows[] = {{"low", 272, 408, 400}, {"medium", 1056, 1584, 1568}, {"high", 4160, 6240, 6208}};
    size_t row = 1;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(media->quality, rows[i].quality) == 0)
            row = i;
    int64_t tokens = rows[row].square;
    if (strcmp(media->size, "1024x1536") == 0)
        tokens = rows[row].portrait;
    if (strcmp(media->size, "1536x1024") == 0)
        tokens = rows[row].landscape;
    return tokens + PARTIAL_IMAGE_TOKENS * media->partial_images;
}

/* What it generates if nothing is wished. */
static int64_t usual_output(const struct ask *ask)
{
    bool images = ask->api == ASK_IMAGES || ask->api == ASK_IMAGE_EDITS;
    if (ask->api >= ASK_MODERATIONS && !answer_by_tokens(ask->model))
        return 0;
    return images ? image_tokens(&ask->media) : 16;
}

/* Images and sound that go in are tokens, too, where the model is billed by tokens. */
static int64_t other_tokens(const struct ask *ask, int64_t seconds)
{
    if (ask->api < ASK_MODERATIONS || !answer_by_tokens(ask->model))
        return 0;
    return ask->media.files * (ask->api == ASK_IMAGE_EDITS ? IMAGE_TOKENS : 0) +
           seconds * TOKENS_PER_SECOND;
}

static void plan_answer(struct call *call)
{
    const struct wish *wish = &call->wish;
    const struct ask *ask = &call->ask;
    bool speaks = ask->streams; /* the others make no tokens */
    int64_t wanted = speaks ? wish_or(wish->output, usual_output(ask)) : 0;
    int64_t output = least(wanted, output_limit(call));
    int64_t reasoning = least(wish_or(wish->reasoning, 0), output);
    int64_t seconds = wish_or(wish->seconds, ask->media.seconds);
    int64_t other = other_tokens(ask, seconds);
    int64_t prompt = wish_or(wish->prompt, ask->prompt_tokens) + other;
    int64_t cached = speaks ? least(wish_or(wish->cached, 0), prompt) : 0;
    int64_t written = least(wish_or(wish->cache_write, 0), prompt - cached);
    bool in_choice = wish->usage == USAGE_WITH_CHOICES;
    call->answer = (struct answer){
        .api = ask->api,
        .id = call->entry.id,
        .model = wish->name[0] != 0 ? wish->name : ask->model,
        .created = (int64_t)time(NULL),
        .choices = ask->choices,
        .tries = ask->stream ? ask->choices : ask->tries,
        .visible = output - reasoning,
        .reasoning = reasoning,
        .tool = ask->calls_tools ? wish->tool : "",
        .newline = wish_on(wish->events_crlf) ? "\r\n" : "\n",
        .prompt = prompt,
        .cached = cached,
        .written = written,
        .written_1h = least(wish_or(wish->cache_write_1h, 0), prompt - cached - written),
        .other = other,
        .bytes = wish_or(wish->bytes, 300),
        .seconds = seconds,
        .media = &ask->media,
        .billed = ask->model,
        .searches = wish_or(wish->searches, 0),
        .lie = wish->lie,
        .cost = wish->cost,
        .tier = tier_of(call),
        .dense = wish_on(wish->dense),
        .cut = output < wanted,
        .usage_missing = wish->usage == USAGE_MISSING,
        .usage_event = ask->include_usage && wish->usage != USAGE_MISSING && !in_choice,
        .usage_in_choice = in_choice,
        .running_usage = wish->usage == USAGE_EVERY,
        .null_usage = ask->include_usage && wish->usage == USAGE_ASKED,
        .inputs = ask->inputs,
        .base64 = ask->base64,
        .max_output = ask->max_tokens,
        .store = ask->store,
        .background = ask->background,
    };
    text_copy(call->answer.previous, sizeof call->answer.previous, text_of(ask->previous));
    call->pieces = call->answer.visible == 0 ? 0 : wish_or(wish->chunks, call->answer.visible);
    if (ask->api == ASK_IMAGES || ask->api == ASK_IMAGE_EDITS)
        call->pieces = ask->media.partial_images;
    call->filler = wish_or(wish->big_mb, 0) * 1024 * 1024;
}

static void plan_manner(struct call *call)
{
    const struct wish *wish = &call->wish;
    call->status = (int)least(wish_or(wish->status, 200), 599);
    call->manner = call->ask.background ? MANNER_BACKGROUND : MANNER_PLAIN;
    if (call->ask.stream)
        call->manner = MANNER_STREAM;
    if (wish_on(wish->no_answer))
        call->manner = MANNER_SILENCE;
    else if (wish_on(wish->html))
        call->manner = MANNER_PAGE;
    else if (call->status >= 400)
        refuse(call, call->status, "The fake provider was asked to fail.", NULL);
}

/* A conversation goes on: what was said before is input again. */
static bool add_previous(struct call *call)
{
    struct text id = text_of(call->ask.previous);
    const struct answer *previous = shelf_find(call->shelf, id);
    if (id.size > 0 && previous == NULL)
        return false;
    if (previous != NULL)
        call->ask.prompt_tokens += previous->prompt + previous->visible;
    return true;
}

/* Anthropic's API names its version in a header, or there is none. */
static bool names_version(const struct call *call, struct text headers)
{
    struct text version;
    bool needed = call->ask.api == ASK_MESSAGES || call->ask.api == ASK_COUNT_TOKENS;
    return !needed || http_header(headers, TEXT("anthropic-version"), &version);
}

void call_plan(struct call *call, const struct http_request *request, struct text api_key)
{
    struct text wrong;
    const char *message;
    const char *param;
    bool wishes = wish_read(&call->wish, request->headers, request->body, &wrong);
    if (!http_carries_key(request->headers, api_key)) {
        refuse(call, 401, "Incorrect API key provided.", NULL);
    } else if (!wishes) {
        refuse(call, 400, "", NULL);
        snprintf(call->message, sizeof call->message, "The fake knows no directive '%.*s'.",
                 (int)least((int64_t)wrong.size, 100), wrong.at);
    } else if (!names_version(call, request->headers)) {
        refuse(call, 400, "anthropic-version: header is required", NULL);
    } else if (!ask_read(&call->ask, request, &message, &param)) {
        refuse(call, 400, message, param);
    } else if (!add_previous(call)) {
        refuse(call, 400, "Previous response not found.", "previous_response_id");
    } else {
        plan_manner(call);
    }
    plan_answer(call);
}
