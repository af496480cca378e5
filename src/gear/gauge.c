/* The gauge of what a stream generates; see gear/gauge.h. */
#include "gear/gauge.h"

#include <stdlib.h>

#define PENDING_MOST 4096 /* bytes of a choice that wait to be counted */
#define TAIL_MOST                                                                                  \
    4096 /* bytes without an end to its words, as no model writes: counted in parts                \
          */
#define PART_MOST    (64 * 1024 * 1024) /* bytes; what is behind is counted as a part of its own */
#define CHOICES_MOST 128                /* beyond that they share the first one's place */
#define WINDOW_US    (250 * 1000)
#define MOMENT_US    (25 * 1000)

struct gauge_text {
    struct tokens_stream stream;
    struct buffer pending;
    size_t size; /* bytes of the part */
    bool begun;
    enum delta_kind kind;
    int64_t part;
};

void gauge_open(struct gauge *gauge, const struct gauge_options *options)
{
    *gauge = (struct gauge){
        .on = true,
        .reader = {.endpoint = options->endpoint},
        .counted = options->choices,
        .window_tokens = options->choices,
        .most = options->most,
    };
    gauge->bytes = !tokens_by_model(options->model, &gauge->encoding);
}

void gauge_close(struct gauge *gauge)
{
    for (size_t i = 0; i < gauge->text_count; i++) {
        tokens_stream_close(&gauge->texts[i].stream);
        buffer_close(&gauge->texts[i].pending);
    }
    free(gauge->texts);
    delta_reader_close(&gauge->reader);
    *gauge = (struct gauge){0};
}

static struct gauge_text *text_of_choice(struct gauge *gauge, int64_t choice)
{
    size_t index = choice < 0 || choice >= CHOICES_MOST ? 0 : (size_t)choice;
    if (index >= gauge->text_count) {
        gauge->texts = memory_resize(gauge->texts, (index + 1) * sizeof *gauge->texts);
        for (size_t i = gauge->text_count; i <= index; i++)
            gauge->texts[i] = (struct gauge_text){.stream = {.encoding = gauge->encoding}};
        gauge->text_count = index + 1;
    }
    return &gauge->texts[index];
}

/* What was counted stays so. */
static void begin_anew(struct gauge *gauge, struct gauge_text *text)
{
    tokens_stream_close(&text->stream);
    text->stream = (struct tokens_stream){.encoding = gauge->encoding};
    text->size = 0;
}

/* The stream's count may fall when an addition joins what stood apart. */
static void count_pending(struct gauge *gauge, struct gauge_text *text)
{
    size_t before = text->stream.tokens;
    size_t after = tokens_stream_add(&text->stream, buffer_text(&text->pending));
    gauge->counted += (int64_t)after - (int64_t)before;
    gauge->pending -= (int64_t)text->pending.size;
    buffer_clear(&text->pending);
    if (text->stream.tail.size > TAIL_MOST)
        begin_anew(gauge, text);
}

static void begin_part(struct gauge *gauge, struct gauge_text *text, const struct delta *delta)
{
    bool same = text->begun && text->kind == delta->kind && text->part == delta->part;
    if (same && text->size < PART_MOST)
        return;
    count_pending(gauge, text);
    begin_anew(gauge, text);
    text->begun = true;
    text->kind = delta->kind;
    text->part = delta->part;
    if (delta->kind == DELTA_TOOL && !same)
        gauge->counted += GAUGE_PER_CALL;
}

/* Long texts in pieces: a piece takes forty times its size of memory while it is counted. */
static void collect(struct gauge *gauge, struct gauge_text *text, struct text addition)
{
    text->size += addition.size;
    while (addition.size > 0) {
        struct text piece = text_slice(addition, 0, PENDING_MOST);
        buffer_put(&text->pending, piece);
        gauge->pending += (int64_t)piece.size;
        if (text->pending.size >= PENDING_MOST)
            count_pending(gauge, text);
        addition = text_from(addition, piece.size);
    }
}

static void add(struct gauge *gauge, const struct delta *delta)
{
    gauge->visible = gauge->visible || delta->kind != DELTA_REASONING;
    if (gauge->counted >= gauge->most)
        return;
    struct gauge_text *text = text_of_choice(gauge, delta->choice);
    begin_part(gauge, text, delta);
    if (gauge->bytes)
        gauge->counted += (int64_t)delta->text.size;
    else
        collect(gauge, text, delta->text);
}

/* Within a window, but over no less than a moment: events come in clumps. What comes at once counts
 * as generated in a moment: who generates much at once may have generated as much again. What is
 * not counted yet is guessed, at three bytes a token. */
static void measure(struct gauge *gauge, int64_t now_us)
{
    int64_t tokens = gauge->counted + gauge->pending / 3;
    if (gauge->window_us == 0)
        gauge->window_us = now_us;
    int64_t passed_us = now_us - gauge->window_us;
    int64_t pace =
        (tokens - gauge->window_tokens) * 1000000 / (passed_us < WINDOW_US ? WINDOW_US : passed_us);
    if (pace > gauge->per_second)
        gauge->per_second = pace;
    if (passed_us >= WINDOW_US) {
        gauge->window_us = now_us;
        gauge->window_tokens = tokens;
    }
}

void gauge_read(struct gauge *gauge, struct text data, int64_t now_us)
{
    if (!gauge->on)
        return;
    delta_read(&gauge->reader, data);
    gauge->opaque = gauge->opaque || gauge->reader.opaque;
    for (size_t i = 0; i < gauge->reader.count; i++)
        add(gauge, &gauge->reader.at[i]);
    if (gauge->reader.count > 0)
        measure(gauge, now_us);
}

void gauge_read_rest(struct gauge *gauge, struct text data)
{
    gauge->cut += (int64_t)data.size;
}

int64_t gauge_at_most(const struct gauge *gauge)
{
    int64_t tokens = gauge->counted + gauge->pending;
    return tokens < gauge->most ? tokens : gauge->most;
}

int64_t gauge_tokens(struct gauge *gauge)
{
    for (size_t i = 0; i < gauge->text_count; i++) {
        struct gauge_text *text = &gauge->texts[i];
        count_pending(gauge, text);
        size_t before = text->stream.tokens;
        gauge->counted += (int64_t)tokens_stream_exact(&text->stream) - (int64_t)before;
    }
    return gauge->counted < gauge->most ? gauge->counted : gauge->most;
}

int64_t gauge_slack(const struct gauge *gauge)
{
    int64_t lag = gauge->per_second * GAUGE_LAG_MS / 1000;
    return (lag > GAUGE_LEAST_SLACK ? lag : GAUGE_LEAST_SLACK) + gauge->cut;
}
