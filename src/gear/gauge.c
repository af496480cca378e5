/* The gauge of what a stream generates; see gear/gauge.h. */
#include "gear/gauge.h"

#include <stdlib.h>

#define PENDING_MOST 4096               /* bytes of a choice that wait to be counted */
#define PART_MOST    (64 * 1024 * 1024) /* bytes; what is behind is counted as a part of its own */
#define CHOICES_MOST 128                /* beyond that they share the first one's place */
#define SECOND_US    1000000
#define WINDOW_US    (GAUGE_WINDOW_MS * 1000)

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

static int64_t count(struct gauge *gauge)
{
    for (size_t i = 0; i < gauge->text_count; i++)
        count_pending(gauge, &gauge->texts[i]);
    return gauge->counted;
}

/* ---- the pace ---- */

static void note_pace(struct gauge *gauge, int64_t tokens, int64_t passed_us)
{
    int64_t pace = (tokens * SECOND_US + passed_us - 1) / passed_us;
    if (pace > gauge->per_second)
        gauge->per_second = pace;
}

static bool is_window_over(const struct gauge *gauge, int64_t now_us)
{
    return gauge->window_us == 0 || now_us - gauge->window_us >= WINDOW_US;
}

/* What a window has begun with, and all that came in it, came within WINDOW_US. */
static int64_t pace_of_window(const struct gauge *gauge)
{
    int64_t tokens = gauge->counted + gauge->pending - gauge->window_tokens;
    return tokens * SECOND_US / WINDOW_US;
}

static void add_all(struct gauge *gauge)
{
    for (size_t i = 0; i < gauge->reader.count; i++)
        add(gauge, &gauge->reader.at[i]);
}

/* The event that comes after a window's end begins the next one, so that a clump counts as
 * generated within a window however long nothing came before it. It counts with the window before,
 * too, which it may belong to if we were late; later than two windows that changes nothing. */
static void begin_window(struct gauge *gauge, int64_t now_us)
{
    int64_t tokens = count(gauge), passed_us = now_us - gauge->window_us;
    note_pace(gauge, tokens - gauge->window_tokens, WINDOW_US);
    add_all(gauge);
    if (gauge->window_us != 0 && passed_us < 2 * WINDOW_US)
        note_pace(gauge, count(gauge) - gauge->window_tokens, passed_us);
    gauge->window_us = now_us;
    gauge->window_tokens = tokens;
}

void gauge_read(struct gauge *gauge, struct text data, int64_t now_us)
{
    if (!gauge->on)
        return;
    delta_read(&gauge->reader, data);
    gauge->opaque = gauge->opaque || gauge->reader.opaque;
    if (gauge->reader.count > 0 && is_window_over(gauge, now_us))
        begin_window(gauge, now_us);
    else
        add_all(gauge);
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
    int64_t tokens = count(gauge);
    return tokens < gauge->most ? tokens : gauge->most;
}

static int64_t pace_at_most(const struct gauge *gauge)
{
    int64_t pace = pace_of_window(gauge);
    return pace > gauge->per_second ? pace : gauge->per_second;
}

int64_t gauge_pace(struct gauge *gauge)
{
    (void)count(gauge);
    return pace_at_most(gauge);
}

int64_t gauge_slack(const struct gauge *gauge)
{
    int64_t lag = (pace_at_most(gauge) * GAUGE_LAG_MS + 999) / 1000;
    return (lag > GAUGE_LEAST_SLACK ? lag : GAUGE_LEAST_SLACK) + gauge->cut;
}
