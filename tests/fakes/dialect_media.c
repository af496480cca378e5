/*
 * Moderations, images and sound, as OpenAI's API answers them; see dialect.h.
 */
#include "dialect.h"

#include <inttypes.h>
#include <string.h>

enum { SPOKEN_WORDS = 16 };

static bool by_tokens(const struct answer *answer)
{
    return answer_by_tokens(answer->billed);
}

static void begin_typed(struct bytes *out, const struct answer *answer, const char *type)
{
    bytes_print(out, "data: {\"type\":\"%s\"", type);
    (void)answer;
}

static bool no_opening(struct bytes *out, const struct answer *answer, int64_t number)
{
    (void)out;
    (void)answer;
    (void)number;
    return false;
}

static void end_nothing(struct bytes *out, const struct answer *answer)
{
    (void)out;
    (void)answer;
}

static void print_failing(struct bytes *out, const struct answer *answer)
{
    (void)answer;
    bytes_print(out, "data: {\"type\":\"error\",\"error\":");
    dialect_error(out, 500, "The fake provider was asked to fail in mid-stream.", NULL);
    bytes_print(out, "}");
}

/* "usage": of what is billed by tokens; `other` is what its prompt's other tokens are called. */
static void print_usage(struct bytes *out, const struct answer *answer, const char *details,
                        const char *other)
{
    int64_t output = answer_reported(answer);
    if (answer->usage_missing || !by_tokens(answer))
        return;
    bytes_print(out, ",\"usage\":{\"type\":\"tokens\",\"input_tokens\":%" PRId64, answer->prompt);
    bytes_print(out, ",\"%s\":{\"text_tokens\":%" PRId64 ",\"%s\":%" PRId64 "}", details,
                answer->prompt - answer->other, other, answer->other);
    bytes_print(out, ",\"output_tokens\":%" PRId64 ",\"total_tokens\":%" PRId64, output,
                answer->prompt + output);
    answer_cost(out, answer);
    bytes_print(out, "}");
}

/* ---- moderations */

static void begin_moderation(struct bytes *out, const struct answer *answer)
{
    bytes_print(out, "{\"id\":\"%s\",\"model\":", answer->id);
    bytes_add_json(out, text_of(answer->model));
    bytes_print(out, ",\"results\":[{\"flagged\":false,\"categories\":{\"hate\":false,"
                     "\"violence\":false},\"category_scores\":{\"hate\":0.01,\"violence\":0.02},"
                     "\"category_applied_input_types\":{\"hate\":[\"text\"],\"violence\":"
                     "[\"text\"]}}]}");
}

const struct dialect dialect_moderations = {
    .prefix = "modr-",
    .type = "application/json",
    .filler = ' ',
    .begin = begin_moderation,
    .end = end_nothing,
    .error = dialect_error,
};

/* ---- images */

static void print_picture(struct bytes *out, const struct answer *answer)
{
    for (int64_t i = 0; i < answer->bytes; i += 3)
        bytes_add(out, "AAAA", 4);
}

static void begin_images(struct bytes *out, const struct answer *answer)
{
    bool as_url = strcmp(answer->media->format, "url") == 0;
    bytes_print(out, "{\"created\":%" PRId64 ",\"data\":[", answer->created);
    for (int64_t i = 0; i < answer->choices; i++) {
        bytes_print(out, "%s{\"%s\":\"", i > 0 ? "," : "", as_url ? "url" : "b64_json");
        if (as_url)
            bytes_print(out, "https://example.com/%s-%" PRId64 ".png", answer->id, i);
        else
            print_picture(out, answer);
        bytes_print(out, "\"}");
    }
    bytes_print(out, "]");
}

static void end_images(struct bytes *out, const struct answer *answer)
{
    print_usage(out, answer, "input_tokens_details", "image_tokens");
    bytes_print(out, "}");
}

static void print_image_event(struct bytes *out, const struct answer *answer, const char *what)
{
    const char *kind = answer->api == ASK_IMAGES ? "image_generation" : "image_edit";
    bytes_print(out, "event: %s.%s%sdata: {\"type\":\"%s.%s\",\"created_at\":%" PRId64, kind, what,
                answer->newline, kind, what, answer->created);
    bytes_print(out, ",\"b64_json\":\"");
    print_picture(out, answer);
    bytes_print(out, "\"");
}

static void print_partial_image(struct bytes *out, const struct answer *answer, int64_t choice,
                                int64_t from, int64_t to)
{
    (void)choice;
    (void)from;
    (void)to;
    print_image_event(out, answer, "partial_image");
    bytes_print(out, ",\"partial_image_index\":%" PRId64 "}", answer->events);
}

static void fill_image(struct bytes *out, const struct answer *answer, size_t size)
{
    begin_typed(out, answer, "filler");
    bytes_print(out, ",\"b64_json\":\"");
    bytes_fill(out, 'x', size);
    bytes_print(out, "\"}");
}

static bool close_images(struct bytes *out, const struct answer *answer, int64_t number)
{
    if (number > 0)
        return false;
    print_image_event(out, answer, "completed");
    print_usage(out, answer, "input_tokens_details", "image_tokens");
    bytes_print(out, "}");
    return true;
}

const struct dialect dialect_images = {
    .prefix = "img-",
    .type = "application/json",
    .filler = ' ',
    .begin = begin_images,
    .end = end_images,
    .opening = no_opening,
    .closing = close_images,
    .content = print_partial_image,
    .filling = fill_image,
    .failing = print_failing,
    .error = dialect_error,
};

/* ---- speech: bytes that are no text, or events */

static void begin_speech(struct bytes *out, const struct answer *answer)
{
    static const char frame[] = {'\xFF', '\xFB', '\x90', '\x00', '\r', '\n', '\x00', '\x80'};
    for (int64_t i = 0; i < answer->bytes; i++)
        bytes_add(out, &frame[i % 8], 1);
}

static void print_sound(struct bytes *out, const struct answer *answer, int64_t choice,
                        int64_t from, int64_t to)
{
    (void)choice;
    begin_typed(out, answer, "speech.audio.delta");
    bytes_print(out, ",\"audio\":\"");
    for (int64_t i = from; i < to; i++)
        bytes_add(out, "AAAA", 4);
    bytes_print(out, "\"}");
}

static void fill_speech(struct bytes *out, const struct answer *answer, size_t size)
{
    begin_typed(out, answer, "speech.audio.delta");
    bytes_print(out, ",\"audio\":\"");
    bytes_fill(out, 'A', size);
    bytes_print(out, "\"}");
}

static bool close_speech(struct bytes *out, const struct answer *answer, int64_t number)
{
    if (number > 0)
        return false;
    begin_typed(out, answer, "speech.audio.done");
    print_usage(out, answer, "input_token_details", "audio_tokens");
    bytes_print(out, "}");
    return true;
}

const struct dialect dialect_speech = {
    .prefix = "speech-",
    .type = "audio/mpeg",
    .filler = 'x',
    .begin = begin_speech,
    .end = end_nothing,
    .opening = no_opening,
    .closing = close_speech,
    .content = print_sound,
    .filling = fill_speech,
    .failing = print_failing,
    .error = dialect_error,
};

/* ---- transcriptions and translations */

static bool as_text(const struct answer *answer)
{
    const char *format = answer->media->format;
    return strcmp(format, "text") == 0 || strcmp(format, "srt") == 0 || strcmp(format, "vtt") == 0;
}

static void print_transcript(struct bytes *out, const struct answer *answer)
{
    answer_words(out, 0, answer->visible > 0 ? answer->visible : SPOKEN_WORDS);
}

static void begin_transcript(struct bytes *out, const struct answer *answer)
{
    if (!as_text(answer))
        bytes_print(out, "{\"text\":\"");
    print_transcript(out, answer);
}

/* By the second, its usage is the duration. */
static void print_duration(struct bytes *out, const struct answer *answer)
{
    if (strcmp(answer->media->format, "verbose_json") == 0)
        bytes_print(out,
                    ",\"task\":\"transcribe\",\"language\":\"english\",\"duration\":%" PRId64
                    ".0,\"segments\":[]",
                    answer->seconds);
    if (!answer->usage_missing && !by_tokens(answer))
        bytes_print(out, ",\"usage\":{\"type\":\"duration\",\"seconds\":%" PRId64 "}",
                    answer->seconds);
}

static void end_transcript(struct bytes *out, const struct answer *answer)
{
    if (as_text(answer)) {
        bytes_print(out, "\n");
        return;
    }
    bytes_print(out, "\"");
    if (answer->api == ASK_TRANSCRIPTIONS || strcmp(answer->media->format, "verbose_json") == 0)
        print_duration(out, answer);
    print_usage(out, answer, "input_token_details", "audio_tokens");
    bytes_print(out, "}");
}

static void print_heard(struct bytes *out, const struct answer *answer, int64_t choice,
                        int64_t from, int64_t to)
{
    (void)choice;
    begin_typed(out, answer, "transcript.text.delta");
    bytes_print(out, ",\"delta\":\"");
    answer_words(out, from, to - from);
    bytes_print(out, "\"}");
}

static void fill_transcript(struct bytes *out, const struct answer *answer, size_t size)
{
    begin_typed(out, answer, "transcript.text.delta");
    bytes_print(out, ",\"delta\":\"");
    bytes_fill(out, 'x', size);
    bytes_print(out, "\"}");
}

static bool close_transcript(struct bytes *out, const struct answer *answer, int64_t number)
{
    if (number > 0)
        return false;
    begin_typed(out, answer, "transcript.text.done");
    bytes_print(out, ",\"text\":\"");
    print_transcript(out, answer);
    bytes_print(out, "\"");
    print_usage(out, answer, "input_token_details", "audio_tokens");
    bytes_print(out, "}");
    return true;
}

const struct dialect dialect_transcripts = {
    .prefix = "transcript-",
    .type = "application/json",
    .filler = 'x',
    .begin = begin_transcript,
    .end = end_transcript,
    .opening = no_opening,
    .closing = close_transcript,
    .content = print_heard,
    .filling = fill_transcript,
    .failing = print_failing,
    .error = dialect_error,
};

const char *dialect_type(const struct dialect *dialect, const struct answer *answer)
{
    return dialect == &dialect_transcripts && as_text(answer) ? "text/plain; charset=utf-8"
                                                              : dialect->type;
}
