/* Going through a whole stream: see wire/events.h. */
#include "wire/events.h"

void events_begin(struct events *events, struct text stream, struct arena *arena)
{
    *events = (struct events){.arena = arena};
    sse_feed(&events->sse, stream);
}

/* Some upstreams leave out the last blank line. */
static bool take_event(struct events *events, struct sse_event *event)
{
    if (events->ended) {
        return false;
    }
    enum sse_result result = sse_next(&events->sse, event);
    if (result == SSE_EVENT) {
        return true;
    }
    events->ended = true;
    return result == SSE_MORE && sse_last(&events->sse, event);
}

/* Data of several lines was joined elsewhere and does not last; the rest of a piece that lacks its
 * end neither. */
static bool lasts(const struct events *events, const struct sse_event *event)
{
    return !events->ended && event->data.at >= event->raw.at &&
           event->data.at + event->data.size <= event->raw.at + event->raw.size;
}

enum events_next events_next(struct events *events, struct text *data)
{
    struct sse_event event;

    while (take_event(events, &event) && !text_equal(event.name, TEXT("error"))) {
        if (event.data.at == NULL) {
            continue;
        }
        if (event.data.size < 16 && text_equal(text_trim(event.data), TEXT("[DONE]"))) {
            return EVENTS_DONE;
        }
        *data = lasts(events, &event) ? event.data : arena_copy(events->arena, event.data);
        return EVENTS_DATA;
    }
    return EVENTS_CUT;
}

void events_close(struct events *events)
{
    sse_close(&events->sse);
}
