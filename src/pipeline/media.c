/* What images and sound may cost: see pipeline/media.h. */
#include "pipeline/media.h"

#include "pipeline/pipeline.h"
#include "wire/sound.h"

#define MOST_PIECES INT64_C(1000000000000) /* money/price.h */

/* ---- prices by size and quality ---- */

static bool has_rate(const struct price *price, bool (*wanted)(int bucket))
{
    for (int tier = 0; tier < price->tier_count; tier++) {
        for (int bucket = 0; bucket < BUCKET_COUNT; bucket++) {
            if (wanted(bucket) && price->tiers[tier].rates.pico[bucket] > 0)
                return true;
        }
    }
    return false;
}

static bool is_output(int bucket)
{
    return bucket == BUCKET_OUTPUT || bucket == BUCKET_AUDIO_OUTPUT || bucket == BUCKET_REASONING ||
           bucket == BUCKET_IMAGE_OUTPUT;
}

static bool is_input(int bucket)
{
    return !is_output(bucket);
}

static bool by_tokens(const struct price *price)
{
    return has_rate(price, is_input) || has_rate(price, is_output);
}

static bool makes_images(const struct request *request)
{
    return request->endpoint == ENDPOINT_IMAGES || request->endpoint == ENDPOINT_IMAGE_EDITS;
}

/* "1024x1792" as "1024-x-1792"; TEXT_NONE for what is no size in pixels. */
static struct text written_size(struct text size, struct arena *arena)
{
    struct text height = size;
    struct text width = text_split(&height, 'x');
    int64_t number;
    if (!text_to_int(width, &number) || !text_to_int(height, &number))
        return TEXT_NONE;
    return arena_join(arena, (struct text[]){width, TEXT("-x-"), height}, 3);
}

const struct model *media_find(const struct request *request, const struct model *model,
                               struct text sent, int64_t when_s)
{
    const struct body_media *media = &request->body.media;
    struct arena *arena = &((struct request *)(uintptr_t)request)->arena;
    if (!makes_images(request) || (model != NULL && by_tokens(&model->price)))
        return model;
    /* What is left out is what all of them make then. */
    struct text size = written_size(media->size.size > 0 ? media->size : TEXT("1024x1024"), arena);
    struct text quality = media->quality.size > 0 ? media->quality : TEXT("standard");
    if (size.size == 0 || sent.size + quality.size > SUBJECT_MAX_ID)
        return model;
    const struct text names[] = {
        arena_printf(arena, "%.*s/%.*s/%.*s", TEXT_ARG(quality), TEXT_ARG(size), TEXT_ARG(sent)),
        arena_printf(arena, "%.*s/%.*s", TEXT_ARG(size), TEXT_ARG(sent)),
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct model *found =
            route_price(request->terms, request->upstream, names[i], names[i], when_s);
        if (found != NULL)
            return found;
    }
    return model;
}

/* ---- bounds ---- */

static void note_unbounded(struct body *body, const char *param, const char *why)
{
    if (body->unbounded_param.size > 0)
        return;
    body->unbounded_param = text_of(param);
    body->unbounded_why = why;
}

static void bound_input(struct request *request)
{
    struct body *body = &request->body;
    bool hears = !makes_images(request) && body->form;
    if (hears)
        body->input_bound = BODY_UNBOUNDED;
    else if (body->form) /* the files' own bytes are no text */
        body->input_bound += body->media.files * MEDIA_IMAGE_TOKENS;
    body->audio = !makes_images(request);
    if (hears && request->model->max_input_tokens == 0)
        note_unbounded(body, "file",
                       "How many tokens the sound is nobody knows before: an operator gives the "
                       "model a `context`, or each call a flat price (models: hold_usd).");
}

static void bound_output(struct request *request)
{
    struct body *body = &request->body;
    int64_t most = request->model->max_output_tokens;
    body->extra_output = most * (makes_images(request) ? body->media.images : 1);
    if (most == 0 && has_rate(&request->model->price, is_output))
        note_unbounded(body, "model",
                       "How many tokens this model makes nobody knows before: an operator gives it "
                       "a `max_output`, or each call a flat price (models: hold_usd).");
}

/* What the endpoint's calls have of that piece. */
static bool has_piece(const struct request *request, enum piece piece)
{
    bool hears = endpoint_facts(request->endpoint)->form;
    switch (piece) {
    case PIECE_IMAGE:
        return makes_images(request);
    case PIECE_SECOND:
        return hears && !makes_images(request);
    default:
        return request->endpoint == ENDPOINT_SPEECH;
    }
}

/* Is its price by pieces, of which the endpoint's calls have none? */
static bool is_out_of_place(const struct request *request, const struct price *price)
{
    bool pieces = false;
    for (int piece = 0; piece < PIECE_COUNT; piece++) {
        if (price->piece_pico[piece] == 0)
            continue;
        if (has_piece(request, (enum piece)piece))
            return false;
        pieces = true;
    }
    return pieces && !by_tokens(price);
}

void media_bound(struct request *request)
{
    struct body *body = &request->body;
    if (request->model == NULL || endpoint_facts(request->endpoint)->free)
        return;
    const struct price *price = &request->model->price;
    if (is_out_of_place(request, price))
        note_unbounded(body, "model",
                       "This model is priced by the image, second or character: what it costs at "
                       "this endpoint nobody knows before.");
    if (!endpoint_facts(request->endpoint)->media)
        return;
    if (price->piece_pico[PIECE_SECOND] > 0 && body->media.seconds == SOUND_UNBOUNDED)
        note_unbounded(body, "file",
                       "How long this sound is cannot be told from its file: send WAV, MP3, AAC in "
                       "MP4, Opus in WebM, or Opus or Vorbis in Ogg; or an operator gives each "
                       "call a flat price (models: hold_usd).");
    if (by_tokens(price)) {
        bound_input(request);
        bound_output(request);
        return;
    }
    body->input_bound = 0; /* tokens are not what is billed */
    body->extra_output = 0;
}

bool media_is_size(struct text name)
{
    return text_find(name, TEXT("-x-"), 0) != SIZE_MAX && text_find(name, TEXT("/"), 0) != SIZE_MAX;
}

void media_pieces(const struct request *request, int64_t pieces[PIECE_COUNT])
{
    const struct body_media *media = &request->body.media;
    pieces[PIECE_IMAGE] = makes_images(request) ? media->images : 0;
    pieces[PIECE_SECOND] = media->seconds < MOST_PIECES ? media->seconds : MOST_PIECES;
    pieces[PIECE_CHARACTER] = media->characters;
}

bool media_is_exact(const struct request *request)
{
    if (!endpoint_facts(request->endpoint)->media || request->model == NULL)
        return false;
    const struct price *price = &request->model->price;
    bool seconds_known = price->piece_pico[PIECE_SECOND] == 0 || request->body.media.seconds_exact;
    return !by_tokens(price) && seconds_known;
}
