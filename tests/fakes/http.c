/*
 * HTTP/1.1 for a server; see http.h.
 */
#include "http.h"

#include <string.h>

enum { CHUNK_LINE_MAX = 1024 };

bool http_next_header(struct text *headers, struct text *name, struct text *value)
{
    while (headers->size > 0) {
        struct text line = text_cut(headers, '\n');
        struct text rest = line;
        *name = text_cut(&rest, ':');
        *value = text_trim(rest);
        if (name->size < line.size)
            return true;
    }
    return false;
}

bool http_header(struct text headers, struct text name, struct text *value)
{
    struct text found;
    struct text content;
    while (http_next_header(&headers, &found, &content)) {
        if (!text_same_word(found, name))
            continue;
        *value = content;
        return true;
    }
    return false;
}

bool http_carries_key(struct text headers, struct text key)
{
    struct text value;
    if (key.size == 0)
        return true;
    if (http_header(headers, TEXT("authorization"), &value) && text_starts(value, TEXT("Bearer ")))
        return text_equal(text_after(value, 7), key);
    return (http_header(headers, TEXT("api-key"), &value) ||
            http_header(headers, TEXT("x-api-key"), &value)) &&
           text_equal(value, key);
}

bool http_query(struct text query, struct text name, struct text *value)
{
    while (query.size > 0) {
        struct text pair = text_cut(&query, '&');
        if (!text_equal(text_cut(&pair, '='), name))
            continue;
        *value = pair;
        return true;
    }
    return false;
}

static bool read_framing(struct http_reader *reader, struct text headers)
{
    struct text value;
    reader->length = 0;
    if (http_header(headers, TEXT("transfer-encoding"), &value)) {
        reader->chunked = text_same_word(value, TEXT("chunked"));
        if (!reader->chunked)
            return false;
    } else if (http_header(headers, TEXT("content-length"), &value)) {
        if (!text_number(value, &reader->length))
            return false;
    }
    reader->wants_continue =
        http_header(headers, TEXT("expect"), &value) && text_same_word(value, TEXT("100-continue"));
    return true;
}

static struct text header_lines(const struct http_reader *reader)
{
    struct text head = {reader->in.at, reader->head_size};
    text_cut(&head, '\n');
    return head;
}

static enum http_got look_for_head(struct http_reader *reader)
{
    size_t from = reader->looked < 3 ? 0 : reader->looked - 3;
    const char *end = reader->in.size <= from
                          ? NULL
                          : memmem(reader->in.at + from, reader->in.size - from, "\r\n\r\n", 4);
    reader->looked = reader->in.size;
    if (end == NULL)
        return reader->in.size > HTTP_HEAD_MAX ? HTTP_MALFORMED : HTTP_MORE;
    reader->head_size = (size_t)(end - reader->in.at) + 4;
    reader->used = reader->head_size;
    if (!read_framing(reader, header_lines(reader)))
        return HTTP_MALFORMED;
    return reader->length > HTTP_BODY_MAX ? HTTP_TOO_LARGE : HTTP_READY;
}

static bool read_chunk_size(struct text line, size_t *size)
{
    size_t value = 0;
    struct text digits = text_trim(text_cut(&line, ';'));
    if (digits.size == 0 || digits.size > 8)
        return false;
    for (size_t i = 0; i < digits.size; i++) {
        char c = (char)(digits.at[i] | 32);
        bool digit = c >= '0' && c <= '9';
        if (!digit && (c < 'a' || c > 'f'))
            return false;
        value = value * 16 + (size_t)(digit ? c - '0' : c - 'a' + 10);
    }
    *size = value;
    return true;
}

/* Decodes one chunk. HTTP_READY: it was the last one; HTTP_MORE with `used` unmoved: it is not
 * complete. */
static enum http_got take_chunk(struct http_reader *reader)
{
    struct text rest = text_after(bytes_text(&reader->in), reader->used);
    const char *end = rest.size > 0 ? memchr(rest.at, '\n', rest.size) : NULL;
    size_t size = 0;
    if (end == NULL)
        return rest.size > CHUNK_LINE_MAX ? HTTP_MALFORMED : HTTP_MORE;
    size_t line = (size_t)(end - rest.at) + 1;
    if (!read_chunk_size((struct text){rest.at, line}, &size))
        return HTTP_MALFORMED;
    if (reader->unchunked.size + size > HTTP_BODY_MAX)
        return HTTP_TOO_LARGE;
    if (rest.size < line + size + 2)
        return HTTP_MORE;
    if (rest.at[line + size] != '\r' || rest.at[line + size + 1] != '\n')
        return HTTP_MALFORMED;
    bytes_add(&reader->unchunked, rest.at + line, size);
    reader->used += line + size + 2;
    return size == 0 ? HTTP_READY : HTTP_MORE;
}

static enum http_got look_for_chunks(struct http_reader *reader)
{
    size_t before = 0;
    do {
        before = reader->used;
        enum http_got got = take_chunk(reader);
        if (got != HTTP_MORE)
            return got;
    } while (reader->used > before);
    return HTTP_MORE;
}

static void fill_request(const struct http_reader *reader, struct http_request *request)
{
    struct text head = {reader->in.at, reader->head_size};
    struct text line = text_trim(text_cut(&head, '\n'));
    struct text value;
    request->headers = head;
    request->last =
        http_header(head, TEXT("connection"), &value) && text_same_word(value, TEXT("close"));
    request->method = text_cut(&line, ' ');
    request->target = text_cut(&line, ' ');
    request->query = request->target;
    request->path = text_cut(&request->query, '?');
    size_t length = (size_t)reader->length;
    request->body = reader->chunked ? bytes_text(&reader->unchunked)
                                    : (struct text){reader->in.at + reader->head_size, length};
}

enum http_got http_reader_look(struct http_reader *reader, struct http_request *request)
{
    if (reader->head_size == 0) {
        enum http_got head = look_for_head(reader);
        if (head != HTTP_READY)
            return head;
    }
    if (reader->chunked) {
        enum http_got body = look_for_chunks(reader);
        if (body != HTTP_READY)
            return body;
    } else {
        size_t all = reader->head_size + (size_t)reader->length;
        if (reader->in.size < all)
            return HTTP_MORE;
        reader->used = all;
    }
    fill_request(reader, request);
    return request->path.size > 0 ? HTTP_READY : HTTP_MALFORMED;
}

void http_reader_next(struct http_reader *reader)
{
    const size_t keep = 256 * 1024;
    struct http_reader fresh = {.in = reader->in, .unchunked = reader->unchunked};
    bytes_drop(&fresh.in, reader->used);
    fresh.unchunked.size = 0;
    if (fresh.in.room > keep && fresh.in.size == 0)
        bytes_free(&fresh.in);
    if (fresh.unchunked.room > keep)
        bytes_free(&fresh.unchunked);
    *reader = fresh;
}

void http_reader_free(struct http_reader *reader)
{
    bytes_free(&reader->in);
    bytes_free(&reader->unchunked);
}

static const char *reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {413, "Content Too Large"},
        {429, "Too Many Requests"},
        {500, "Internal Server Error"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Status";
}

void http_status_line(struct bytes *out, int status)
{
    bytes_print(out, "HTTP/1.1 %d %s\r\n", status, reason(status));
}

void http_chunk(struct bytes *out, struct text data)
{
    bytes_print(out, "%zx\r\n", data.size);
    bytes_add_text(out, data);
    bytes_add(out, "\r\n", 2);
}
