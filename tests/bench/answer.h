/*
 * Reads HTTP/1.1 answers as they come, bodies of all kinds, and counts the events of streams. In a
 * header of its own, whole, so that the load generator stays one program of one object file.
 */
#ifndef BENCH_ANSWER_H
#define BENCH_ANSWER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What is expected next. */
enum answer_awaits { STATUS_LINE, HEADER_LINE, BODY, CHUNK_LINE, CHUNK_DATA, TRAILER };

/* A line being collected, cut at its room and terminated when complete. */
struct answer_line {
    char text[512];
    size_t size;
};

/* One connection's answers. {0} begins; answer_begin precedes each further one. */
struct answer {
    enum answer_awaits awaited;
    int status;
    bool chunked;
    bool last; /* the server closes behind it */
    bool is_stream;
    int64_t left;             /* of the body or chunk, in bytes; -1: it ends with the connection */
    struct answer_line line;  /* of the head, or of a chunk's size */
    struct answer_line event; /* of a stream */
    /* Over all answers: */
    int64_t events;
    int64_t streams_done; /* saw [DONE] */
    int64_t bytes;        /* of bodies */
};

static inline void answer_begin(struct answer *answer)
{
    answer->awaited = STATUS_LINE;
    answer->line.size = 0;
}

static inline bool answer_ends_with_connection(const struct answer *answer)
{
    return answer->awaited == BODY && answer->left < 0;
}

/* Collects a line, its end not included. False: it is not complete. */
static inline bool answer_take_line(struct answer_line *line, const char **at, const char *end)
{
    const char *newline = memchr(*at, '\n', (size_t)(end - *at));
    size_t size = (size_t)((newline == NULL ? end : newline) - *at);
    size_t room = sizeof line->text - 1 - line->size;
    size_t kept = size < room ? size : room;
    memcpy(line->text + line->size, *at, kept);
    line->size += kept;
    *at += size + (newline == NULL ? 0 : 1);
    if (newline == NULL)
        return false;
    if (line->size > 0 && line->text[line->size - 1] == '\r')
        line->size--;
    line->text[line->size] = 0;
    line->size = 0;
    return true;
}

/* What an answer's body is like is known when its head ends. */
static inline void answer_end_head(struct answer *answer)
{
    if (answer->status == 100)
        answer->awaited = STATUS_LINE;
    else if (answer->chunked)
        answer->awaited = CHUNK_LINE;
    else
        answer->awaited = BODY;
}

static inline void answer_take_header(struct answer *answer)
{
    const char *line = answer->line.text;
    if (line[0] == 0)
        answer_end_head(answer);
    else if (strncasecmp(line, "content-length:", 15) == 0)
        answer->left = strtoll(line + 15, NULL, 10);
    else if (strncasecmp(line, "transfer-encoding: chunked", 26) == 0)
        answer->chunked = true;
    else if (strncasecmp(line, "connection: close", 17) == 0)
        answer->last = true;
    else if (strncasecmp(line, "content-type: text/event-stream", 31) == 0)
        answer->is_stream = true;
}

static inline void answer_take_status(struct answer *answer)
{
    const char *line = answer->line.text;
    answer->status = strncmp(line, "HTTP/1.1 ", 9) == 0 ? (int)strtol(line + 9, NULL, 10) : 0;
    answer->left = -1;
    answer->chunked = false;
    answer->last = false;
    answer->is_stream = false;
    answer->event.size = 0;
    answer->awaited = HEADER_LINE;
}

/* A chunk's size, or the empty line behind a chunk. */
static inline void answer_take_chunk_line(struct answer *answer)
{
    const char *line = answer->line.text;
    if (line[0] == 0)
        return;
    answer->left = strtoll(line, NULL, 16);
    answer->awaited = answer->left == 0 ? TRAILER : CHUNK_DATA;
}

static inline void answer_count_events(struct answer *answer, const char *at, const char *end)
{
    while (at < end && answer_take_line(&answer->event, &at, end)) {
        if (strncmp(answer->event.text, "data: ", 6) == 0)
            answer->events++;
        if (strcmp(answer->event.text, "data: [DONE]") == 0)
            answer->streams_done++;
    }
}

static inline void answer_take_body(struct answer *answer, const char **at, const char *end)
{
    int64_t size = end - *at;
    if (answer->left >= 0 && answer->left < size)
        size = answer->left;
    if (answer->is_stream)
        answer_count_events(answer, *at, *at + size);
    answer->bytes += size;
    answer->left -= answer->left < 0 ? 0 : size;
    *at += size;
}

/* Takes one line or one piece of body. True: the answer is complete. */
static inline bool answer_take(struct answer *answer, const char **at, const char *end)
{
    if (answer->awaited == BODY || answer->awaited == CHUNK_DATA) {
        answer_take_body(answer, at, end);
        if (answer->left != 0)
            return false;
        bool whole = answer->awaited == BODY;
        answer->awaited = CHUNK_LINE;
        return whole;
    }
    if (!answer_take_line(&answer->line, at, end))
        return false;
    if (answer->awaited == STATUS_LINE)
        answer_take_status(answer);
    else if (answer->awaited == HEADER_LINE)
        answer_take_header(answer);
    else if (answer->awaited == CHUNK_LINE)
        answer_take_chunk_line(answer);
    else
        return answer->line.text[0] == 0;
    return answer->awaited == BODY && answer->left == 0;
}

#endif
