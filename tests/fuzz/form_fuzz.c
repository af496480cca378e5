/*
 * Forms: read in bounds or refused with a reason; what is read lies inside, its parts are as many
 * as its boundaries, and writing another model into it leaves a form that is read as that.
 *
 * The first byte chooses the endpoint, the rest is the form, with the boundary "b". The whole input
 * is a sound file, too.
 */
#include "fuzz.h"
#include "wire/form.h"
#include "wire/multipart.h"
#include "wire/sound.h"

static void check_inside(struct text whole, struct text part)
{
    demand(part.at >= whole.at && part.at + part.size <= whole.at + whole.size);
}

static void check_parts(struct text raw)
{
    struct multipart form = multipart_begin(raw, TEXT("b"));
    struct multipart_part part;
    enum multipart_result result;
    while ((result = multipart_next(&form, &part)) == MULTIPART_PART) {
        check_inside(raw, part.name);
        check_inside(raw, part.content);
        demand(text_find(part.content, TEXT("\r\n--b"), 0) == SIZE_MAX);
    }
    demand(result == MULTIPART_BROKEN || form.parts <= MULTIPART_MOST_PARTS);
}

static void check_rename(const struct body *body, enum endpoint endpoint, struct arena *arena)
{
    const struct body_changes changes = {.model = TEXT("other"), .max_output = BODY_ABSENT};
    struct text pieces[BODY_MAX_PIECES];
    struct body again;
    struct body_error error;
    size_t count = body_forward(body, &changes, arena, pieces);
    struct text renamed = arena_join(arena, pieces, count);
    demand(form_read(endpoint, TEXT("multipart/form-data; boundary=b"), renamed, arena, &again,
                     &error));
    demand(text_equal(again.model, TEXT("other")));
    demand(again.media.files == body->media.files && again.stream == body->stream &&
           again.media.images == body->media.images);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum endpoint endpoints[] = {ENDPOINT_IMAGE_EDITS, ENDPOINT_TRANSCRIPTIONS,
                                              ENDPOINT_TRANSLATIONS};
    struct arena arena = {0};
    struct body body;
    struct body_error error = {.code = NULL};
    bool exact;
    if (size == 0)
        return 0;
    enum endpoint endpoint = endpoints[data[0] % 3];
    struct text raw = text_make((const char *)data + 1, size - 1);
    demand(sound_seconds(raw, &exact) >= 0);
    check_parts(raw);
    bool read =
        form_read(endpoint, TEXT("multipart/form-data; boundary=b"), raw, &arena, &body, &error);
    if (read) {
        check_inside(raw, body.model_raw);
        demand(body.model.size > 0 && body.media.files > 0 && body.media.seconds >= 0);
        check_rename(&body, endpoint, &arena);
    } else {
        demand(error.code != NULL && error.status == 400);
    }
    arena_close(&arena);
    return 0;
}
