/* Splitting a stream of server-sent events: see wire/sse.h. */
#include "wire/sse.h"

#include "wire/find.h"

#define MOST_ROOM (64 * 1024) /* a buffer larger than this is given back when it is empty */

void sse_close(struct sse *sse)
{
    buffer_close(&sse->kept);
    buffer_close(&sse->joined);
    *sse = (struct sse){0};
}

static bool piece_is_kept(const struct sse *sse)
{
    return sse->piece.size > 0 && sse->kept.size > 0 && sse->piece.at >= sse->kept.at &&
           sse->piece.at < sse->kept.at + sse->kept.size;
}

static void empty(struct buffer *buffer)
{
    buffer_clear(buffer);
    if (buffer->room > MOST_ROOM) {
        buffer_close(buffer);
    }
}

void sse_feed(struct sse *sse, struct text piece)
{
    if (sse->piece.size == 0) {
        empty(&sse->kept);
        sse->piece = piece;
        return;
    }
    ASSERT(piece_is_kept(sse));
    size_t read = (size_t)(sse->piece.at - sse->kept.at);
    if (read > 0) { /* else an event that comes byte by byte would be moved as often */
        buffer_drop(&sse->kept, read);
    }
    buffer_put(&sse->kept, piece);
    sse->piece = buffer_text(&sse->kept);
}

static bool is_line_end(char byte)
{
    return byte == '\n' || byte == '\r';
}

/* The size of the first event, its blank line included; 0 if its end is not there yet. */
static size_t event_size(struct sse *sse)
{
    struct text piece = sse->piece;
    size_t at = sse->scanned;

    while (at < piece.size) {
        if (at > 0 && piece.at[at] == '\n' && piece.at[at - 1] == '\r') {
            at++;
            continue;
        }
        size_t end = find_either(piece, at, '\n', '\r');
        if (end == piece.size) {
            break;
        }
        bool blank = end == at && (at == 0 || is_line_end(piece.at[at - 1]));
        at = end + 1;
        if (blank) {
            bool pair = piece.at[end] == '\r' && at < piece.size && piece.at[at] == '\n';
            return pair ? at + 1 : at;
        }
    }
    sse->scanned = piece.size;
    return 0;
}

/* Cuts the first line off, without its end. */
static struct text take_line(struct text *rest)
{
    size_t end = find_either(*rest, 0, '\n', '\r');
    struct text line = text_slice(*rest, 0, end);
    bool pair = end + 1 < rest->size && rest->at[end] == '\r' && rest->at[end + 1] == '\n';

    *rest = text_from(*rest, pair ? end + 2 : end + 1);
    return line;
}

/* `field:value`, `field: value` or `field`; false for another field. */
static bool line_value(struct text line, struct text field, struct text *value)
{
    if (!text_starts(line, field)) {
        return false;
    }
    if (line.size == field.size) {
        *value = text_make(line.at + line.size, 0);
        return true;
    }
    if (line.at[field.size] != ':') {
        return false;
    }
    bool space = line.size > field.size + 1 && line.at[field.size + 1] == ' ';
    *value = text_from(line, field.size + (space ? 2 : 1));
    return true;
}

static void add_data(struct sse *sse, struct sse_event *event, struct text value)
{
    if (event->data.at == NULL) {
        event->data = value;
        return;
    }
    if (sse->joined.size == 0) {
        buffer_put(&sse->joined, event->data);
    }
    buffer_put_byte(&sse->joined, '\n');
    buffer_put(&sse->joined, value);
    event->data = buffer_text(&sse->joined);
}

static struct sse_event read_event(struct sse *sse, struct text raw)
{
    struct sse_event event = {.raw = raw, .name = TEXT(""), .data = TEXT_NONE};
    struct text rest = raw;

    empty(&sse->joined);
    if (!sse->begun && text_starts(rest, TEXT("\xEF\xBB\xBF"))) {
        rest = text_from(rest, 3);
    }
    while (rest.size > 0) {
        struct text line = take_line(&rest);
        struct text value;
        if (line_value(line, TEXT("data"), &value)) {
            add_data(sse, &event, value);
        } else if (line_value(line, TEXT("event"), &value)) {
            event.name = value;
        }
    }
    sse->begun = true;
    return event;
}

/* Takes over what the caller's piece still holds. */
static void keep_rest(struct sse *sse)
{
    if (sse->piece.size == 0 || piece_is_kept(sse)) {
        return;
    }
    buffer_clear(&sse->kept);
    buffer_put(&sse->kept, sse->piece);
    sse->piece = buffer_text(&sse->kept);
}

enum sse_result sse_next(struct sse *sse, struct sse_event *event)
{
    size_t size = event_size(sse);

    if (size > SSE_MAX_EVENT || (size == 0 && sse->piece.size > SSE_MAX_EVENT)) {
        return SSE_TOO_LARGE;
    }
    if (size == 0) {
        keep_rest(sse);
        return SSE_MORE;
    }
    *event = read_event(sse, text_slice(sse->piece, 0, size));
    sse->piece = text_from(sse->piece, size);
    sse->scanned = 0;
    return SSE_EVENT;
}

bool sse_last(struct sse *sse, struct sse_event *event)
{
    struct sse_event last = read_event(sse, sse->piece);

    sse->piece = TEXT_NONE;
    sse->scanned = 0;
    if (last.data.at == NULL) {
        return false;
    }
    *event = last;
    return true;
}
