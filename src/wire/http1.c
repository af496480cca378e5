/* HTTP/1.1 answers. */
#include "wire/http1.h"

enum phase {
    PHASE_HEAD,
    PHASE_COUNTED,
    PHASE_UNTIL_CLOSE,
    PHASE_CHUNK_SIZE,
    PHASE_CHUNK_EXTENSION,
    PHASE_CHUNK_DATA,
    PHASE_CHUNK_END,
    PHASE_TRAILER,
    PHASE_END,
    PHASE_BROKEN,
};

#define CHUNK_MOST (UINT64_MAX >> 8) /* a larger size cannot take another hex digit */

/* ---- the head ---- */

static bool read_status(struct http1 *answer, struct text line)
{
    int64_t status;
    bool known = text_starts(line, TEXT("HTTP/1.1 ")) || text_starts(line, TEXT("HTTP/1.0 "));
    if (!known || line.size < 12 || (line.size > 12 && line.at[12] != ' ') ||
        !text_to_int(text_slice(line, 9, 12), &status) || status < 100 || status > 599)
        return false;
    answer->status = (int)status;
    answer->keep_alive = line.at[7] == '1';
    return true;
}

struct framing {
    bool has_length, chunked, other_coding;
    int64_t length;
};

static void read_connection(struct http1 *answer, struct text value)
{
    while (value.at != NULL) {
        struct text word = text_trim(text_split(&value, ','));
        if (text_equal_nocase(word, TEXT("close")))
            answer->keep_alive = false;
        else if (text_equal_nocase(word, TEXT("keep-alive")))
            answer->keep_alive = true;
    }
}

/* What two readers might understand differently is how answers are smuggled: folded lines, a space
 * before the colon, line ends of half a kind. */
static bool header_is_sound(struct text name, struct text value)
{
    for (size_t i = 0; i < name.size; i++) {
        unsigned char c = (unsigned char)name.at[i];
        if (c <= ' ' || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c) != NULL)
            return false;
    }
    return name.size > 0 && value.at != NULL && memchr(value.at, '\r', value.size) == NULL &&
           memchr(value.at, '\0', value.size) == NULL;
}

static bool read_header(struct http1 *answer, struct text name, struct text value,
                        struct framing *framing)
{
    if (!header_is_sound(name, value))
        return false;
    if (text_equal_nocase(name, TEXT("content-length"))) {
        int64_t length;
        if (text_starts(value, TEXT("-")) || !text_to_int(value, &length) ||
            (framing->has_length && framing->length != length))
            return false;
        framing->has_length = true;
        framing->length = length;
    } else if (text_equal_nocase(name, TEXT("transfer-encoding"))) {
        bool chunked = text_equal_nocase(value, TEXT("chunked")) && !framing->chunked;
        framing->chunked = framing->chunked || chunked;
        framing->other_coding = framing->other_coding || !chunked;
    } else if (text_equal_nocase(name, TEXT("connection"))) {
        read_connection(answer, value);
    }
    return true;
}

/* How long the body is: RFC 9112, 6.3. Both lengths at once is how answers are smuggled. */
static bool frame_body(struct http1 *answer)
{
    struct framing framing = {0};
    struct text name, value;
    size_t at = 0;
    while (http1_header(answer, &at, &name, &value)) {
        if (!read_header(answer, name, value, &framing))
            return false;
    }
    if (framing.other_coding || (framing.chunked && framing.has_length))
        return false;
    answer->chunked = framing.chunked;
    if (framing.chunked && answer->head.at[7] == '0') /* HTTP/1.0 has no chunks: 6.1 */
        answer->keep_alive = false;
    answer->left = framing.has_length ? (uint64_t)framing.length : 0;
    bool bodyless = answer->status == 204 || answer->status == 304;
    if (bodyless || (framing.has_length && framing.length == 0)) {
        answer->phase = PHASE_END;
    } else if (framing.chunked) {
        answer->phase = PHASE_CHUNK_SIZE;
    } else if (framing.has_length) {
        answer->phase = PHASE_COUNTED;
    } else {
        answer->phase = PHASE_UNTIL_CLOSE;
        answer->until_close = true;
        answer->keep_alive = false;
    }
    return true;
}

static struct text without_line_end(struct text line)
{
    if (line.size > 0 && line.at[line.size - 1] == '\n')
        line.size--;
    if (line.size > 0 && line.at[line.size - 1] == '\r')
        line.size--;
    return line;
}

static bool end_head(struct http1 *answer)
{
    struct text rest = buffer_text(&answer->head);
    if (!read_status(answer, without_line_end(text_split(&rest, '\n'))))
        return false;
    if (answer->status < 200) { /* 100 Continue and its like come before the answer */
        buffer_clear(&answer->head);
        answer->line = 0;
        answer->status = 0;
        return true;
    }
    answer->line = 0; /* from here on a counter: see next_phase */
    answer->head_done = frame_body(answer);
    return answer->head_done;
}

/* Takes bytes up to the end of a line; false if the head is broken. */
static bool take_head(struct http1 *answer, struct text *bytes)
{
    while (answer->phase == PHASE_HEAD && bytes->size > 0) {
        const char *end = memchr(bytes->at, '\n', bytes->size);
        size_t size = end == NULL ? bytes->size : (size_t)(end - bytes->at) + 1;
        if (answer->head.size + size > HTTP1_HEAD_MOST)
            return false;
        buffer_put(&answer->head, text_make(bytes->at, size));
        *bytes = text_from(*bytes, size);
        if (end == NULL)
            return true;
        struct text line = without_line_end(text_from(buffer_text(&answer->head), answer->line));
        bool first = answer->line == 0;
        answer->line = answer->head.size;
        if (line.size == 0 && first)
            return false;
        if (line.size == 0 && !end_head(answer))
            return false;
    }
    return true;
}

bool http1_header(const struct http1 *answer, size_t *at, struct text *name, struct text *value)
{
    struct text rest = buffer_text(&answer->head);
    if (*at == 0) {
        text_split(&rest, '\n'); /* the status line */
        *at = answer->head.size - rest.size;
    }
    rest = text_from(buffer_text(&answer->head), *at);
    struct text line = text_split(&rest, '\n');
    *at += line.size + 1;
    line = without_line_end(line);
    if (line.size == 0)
        return false;
    *name = text_split(&line, ':');
    *value = text_trim(line);
    return true;
}

/* ---- chunks ---- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte of a chunk's frame: size, extension, line ends, trailer. `line` counts the digits of a
 * size, and the bytes of a trailer's line. */
static int next_phase(struct http1 *answer, char byte)
{
    int digit;
    switch (answer->phase) {
    case PHASE_CHUNK_SIZE:
        digit = hex_value(byte);
        if (digit >= 0 && answer->left <= CHUNK_MOST) {
            answer->left = answer->left * 16 + (uint64_t)digit;
            return ++answer->line > HTTP1_HEAD_MOST ? PHASE_BROKEN : PHASE_CHUNK_SIZE;
        }
        if (answer->line == 0 || digit >= 0)
            return PHASE_BROKEN;
        if (byte == '\n')
            break;
        return byte == '\r' || byte == ';' || byte == ' ' || byte == '\t' ? PHASE_CHUNK_EXTENSION
                                                                          : PHASE_BROKEN;
    case PHASE_CHUNK_EXTENSION:
        if (byte == '\n')
            break;
        return ++answer->line > HTTP1_HEAD_MOST ? PHASE_BROKEN : PHASE_CHUNK_EXTENSION;
    case PHASE_CHUNK_END:
        if (byte == '\n') {
            answer->line = 0;
            return PHASE_CHUNK_SIZE;
        }
        return byte == '\r' ? PHASE_CHUNK_END : PHASE_BROKEN;
    default: /* PHASE_TRAILER; `left` counts its bytes */
        if (++answer->left > HTTP1_HEAD_MOST)
            return PHASE_BROKEN;
        if (byte == '\n') {
            bool empty = answer->line == 0;
            answer->line = 0;
            return empty ? PHASE_END : PHASE_TRAILER;
        }
        answer->line += byte != '\r';
        return PHASE_TRAILER;
    }
    answer->line = 0;
    return answer->left > 0 ? PHASE_CHUNK_DATA : PHASE_TRAILER;
}

/* ---- bodies ---- */

static bool in_frame(int phase)
{
    return phase == PHASE_CHUNK_SIZE || phase == PHASE_CHUNK_EXTENSION ||
           phase == PHASE_CHUNK_END || phase == PHASE_TRAILER;
}

static enum http1_result take_data(struct http1 *answer, struct text *bytes, struct text *body)
{
    size_t size = bytes->size;
    if (answer->phase != PHASE_UNTIL_CLOSE) {
        if (size > answer->left)
            size = (size_t)answer->left;
        answer->left -= size;
    }
    *body = text_make(bytes->at, size);
    *bytes = text_from(*bytes, size);
    if (answer->phase == PHASE_COUNTED && answer->left == 0)
        answer->phase = PHASE_END;
    else if (answer->phase == PHASE_CHUNK_DATA && answer->left == 0)
        answer->phase = PHASE_CHUNK_END;
    return HTTP1_BODY;
}

enum http1_result http1_next(struct http1 *answer, struct text *bytes, struct text *body)
{
    if (answer->phase == PHASE_HEAD && !take_head(answer, bytes))
        answer->phase = PHASE_BROKEN;
    while (in_frame(answer->phase) && bytes->size > 0) {
        answer->phase = next_phase(answer, bytes->at[0]);
        *bytes = text_from(*bytes, 1);
    }
    if (answer->phase == PHASE_END)
        return HTTP1_END;
    if (answer->phase == PHASE_BROKEN)
        return HTTP1_BROKEN;
    return bytes->size > 0 ? take_data(answer, bytes, body) : HTTP1_MORE;
}

bool http1_eof(const struct http1 *answer)
{
    return answer->phase == PHASE_UNTIL_CLOSE;
}

void http1_close(struct http1 *answer)
{
    buffer_close(&answer->head);
    *answer = (struct http1){0};
}
