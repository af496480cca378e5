/* Replies: what the pipeline decided and the listener has yet to send. */
#include "gear/reply.h"

void reply_header(struct reply *reply, const char *name, const char *value)
{
    if (reply->header_count == REPLY_MAX_HEADERS)
        return;
    reply->headers[reply->header_count++] = (struct reply_header){name, value};
}

void reply_header_text(struct reply *reply, struct arena *arena, const char *name,
                       struct text value)
{
    reply_header(reply, name, arena_copy(arena, value).at);
}

static void ready(struct reply *reply)
{
    if (reply->on_ready != NULL)
        reply->on_ready(reply->ready_context);
}

void reply_whole(struct reply *reply, int status, struct text body)
{
    ASSERT(reply->status == 0);
    reply->status = status;
    buffer_put(&reply->bytes, body);
    reply->ended = true;
    ready(reply);
}

void reply_whole_take(struct reply *reply, int status, struct buffer *body)
{
    ASSERT(reply->status == 0);
    ASSERT(reply->bytes.size == 0);
    buffer_close(&reply->bytes);
    reply->bytes = *body;
    *body = (struct buffer){0};
    reply->status = status;
    reply->ended = true;
    ready(reply);
}

void reply_begin(struct reply *reply, int status)
{
    ASSERT(reply->status == 0);
    reply->status = status;
    reply->streamed = true;
    ready(reply);
}

void reply_put(struct reply *reply, struct text bytes)
{
    ASSERT(reply->streamed);
    ASSERT(!reply->ended);
    buffer_put(&reply->bytes, bytes);
    if (reply->bytes.size - reply->sent > REPLY_HIGH)
        reply->full = true;
}

void reply_flush(struct reply *reply)
{
    if (reply->bytes.size > reply->sent)
        ready(reply);
}

void reply_end(struct reply *reply)
{
    ASSERT(reply->streamed);
    reply->ended = true;
    ready(reply);
}

void reply_break(struct reply *reply)
{
    ASSERT(reply->streamed);
    reply->ended = true;
    reply->broken = true;
    ready(reply);
}

struct text reply_backlog(const struct reply *reply)
{
    return text_from(buffer_text(&reply->bytes), reply->sent);
}

void reply_passed_on(struct reply *reply, size_t size)
{
    reply->sent += size;
    ASSERT(reply->sent <= reply->bytes.size);
    if (reply->sent == reply->bytes.size) {
        buffer_clear(&reply->bytes);
        reply->sent = 0;
    } else if (reply->sent > REPLY_HIGH) { /* a backlog that never ends must not grow for ever */
        buffer_drop(&reply->bytes, reply->sent);
        reply->sent = 0;
    }
    if (reply->full && reply->bytes.size - reply->sent < REPLY_LOW) {
        reply->full = false;
        buffer_drop(&reply->bytes, reply->sent);
        reply->sent = 0;
        if (reply->on_drained != NULL)
            reply->on_drained(reply->drained_context);
    }
}

void reply_close(struct reply *reply)
{
    buffer_close(&reply->bytes);
}
