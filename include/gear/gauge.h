/*
 * The gauge: how many output tokens a call has generated so far, by the text that has come.
 *
 * Generated is what was generated visibly (wire/delta.h), and a token that ends each choice; 16
 * more for each tool call, whose frame is not public (money/tokens_chat.h has as many). It is
 * counted in the encoding of the model; for a model without a public tokeniser a byte counts as a
 * token, which it is at the most (every token stands for one or more).
 *
 * Text is collected and counted in large pieces, when a window of the pace is over, or when
 * somebody asks, which costs a tenth of counting each word; until then its bytes are taken for
 * tokens. So gauge_at_most costs nothing, and gauge_tokens little if it is asked rarely. What is
 * beyond options.most is not counted at all.
 *
 * The pace is tokens as counted in windows of GAUGE_WINDOW_MS, never guessed by bytes: how many a
 * token has is anything from one (digits, signs, Chinese) to dozens. A window begins with the first
 * event that comes after the last one's end, and counts as no shorter than it is: events come in
 * clumps, and who generates much at once may have generated as much again.
 */
#ifndef PURSER_GEAR_GAUGE_H
#define PURSER_GEAR_GAUGE_H

#include "money/tokens_stream.h"
#include "wire/delta.h"

#define GAUGE_PER_CALL 16 /* tokens of a tool call beside its text */

struct gauge_text; /* a choice's */

struct gauge {
    bool visible; /* text that a person could have seen has come */
    bool opaque;  /* something has come whose tokens its text does not tell */
    struct delta_reader reader;
    /* Private. */
    bool on, bytes;
    enum tokens_encoding encoding;
    int64_t most;
    struct gauge_text *texts;
    size_t text_count;
    int64_t counted, pending;         /* tokens; bytes */
    int64_t window_us, window_tokens; /* since when the pace is measured, and what was then */
    int64_t per_second;               /* the fastest pace of a window that is over */
    int64_t cut;                      /* bytes of what was cut off */
};

struct gauge_options {
    enum endpoint endpoint;
    struct text model; /* the name of what answers, for its encoding */
    int64_t choices;
    int64_t most; /* tokens that all choices may have: what the upstream was told; INT64_MAX: any */
};

void gauge_open(struct gauge *gauge, const struct gauge_options *options);
void gauge_close(struct gauge *gauge); /* also of zeroes */

/* Takes the data of an event, or a whole answer, that came now (steady time). Nothing happens if
 * the gauge was not opened. */
void gauge_read(struct gauge *gauge, struct text data, int64_t now_us);

/* The beginning of an event that was cut off: so many tokens as it has bytes may have been
 * generated besides (slack). */
void gauge_read_rest(struct gauge *gauge, struct text data);

/* All choices' tokens, at most options.most: an upper bound; and as the text tells, never more than
 * that. */
int64_t gauge_at_most(const struct gauge *gauge);
int64_t gauge_tokens(struct gauge *gauge);

/* Tokens per second of the fastest window so far, rounded up. Counts what is not counted yet. */
#define GAUGE_WINDOW_MS 250
int64_t gauge_pace(struct gauge *gauge);

/* What may be generated between a cancellation and its effect, and was before it came here: the
 * fastest pace for GAUGE_LAG_MS, but no fewer than GAUGE_LEAST_SLACK; and what was cut off. It is
 * no less than came within any GAUGE_WINDOW_MS, wherever those lie: they touch two windows. Right
 * after gauge_tokens it is as exact as that; otherwise an upper bound, as gauge_at_most is. */
#define GAUGE_LAG_MS      500
#define GAUGE_LEAST_SLACK 16
#define GAUGE_FIRST_SLACK 64 /* before there is a pace */
int64_t gauge_slack(const struct gauge *gauge);

#endif
