/*
 * The data of a stream's events, one after the other, of a stream that is there as a whole and ends
 * with [DONE].
 *
 *     events_begin(&events, stream, &arena);
 *     while (events_next(&events, &data) == EVENTS_DATA) ...
 *     events_close(&events);
 */
#ifndef PURSER_WIRE_EVENTS_H
#define PURSER_WIRE_EVENTS_H

#include "base/arena.h"
#include "wire/sse.h"

struct events {
    struct sse sse;
    struct arena *arena;
    bool ended;
};

enum events_next {
    EVENTS_DATA, /* `data` lives as long as the stream and the arena */
    EVENTS_DONE, /* [DONE]; what comes behind it is not read */
    EVENTS_CUT,  /* the stream ended without it; or an event that is too large, or an `error` */
};

void events_begin(struct events *events, struct text stream, struct arena *arena);
enum events_next events_next(struct events *events, struct text *data);
void events_close(struct events *events);

#endif
