/*
 * A recording: the bytes of one answer. One writer (the call that gets it) and any number of
 * readers, on any thread: while it is written (those who joined the call) and afterwards (answers
 * from the cache). Bytes are only ever added; so readers share them without a copy.
 *
 * Counted by reference: whoever has a pointer has a reference. Safe from any thread; readers never
 * wait. The writer is one thread at a time.
 */
#ifndef PURSER_CACHE_RECORDING_H
#define PURSER_CACHE_RECORDING_H

#include "base/text.h"
#include "money/money.h"

enum recording_shape {
    RECORDING_WHOLE,  /* a JSON body */
    RECORDING_EVENTS, /* server-sent events */
};

enum recording_state {
    RECORDING_EMPTY,    /* no head yet */
    RECORDING_RUNNING,  /* head known, bytes come */
    RECORDING_COMPLETE, /* the whole answer, as the upstream gave it */
    RECORDING_BROKEN,   /* the answer broke off, or there was none */
    RECORDING_GIVEN_UP, /* it grew too large to be kept: whoever did not begin to read goes alone */
};

/* What its first client was told; texts are copied. */
struct recording_head {
    int status;
    enum recording_shape shape;
    struct text content_type;
    struct text retry_after; /* of an upstream's error; empty: none */
};

struct recording;

struct recording *recording_new(void); /* EMPTY, one reference */
struct recording *recording_take(struct recording *recording);
void recording_drop(struct recording *recording); /* NULL-safe; the last one frees */

/* ---- the writer, in this order ---- */

void recording_begin(struct recording *recording, const struct recording_head *head);
void recording_put(struct recording *recording, struct text bytes);
/* The next `size` bytes put are the event with the usage that a client gets only if it asked. At
 * most one such event; a second one is an ordinary event. Call before the put. */
void recording_mark_usage(struct recording *recording, size_t size);
/* COMPLETE, BROKEN or GIVEN_UP; `cost` is what the call was booked at. Nothing is put afterwards.
 * One that is still EMPTY can only be BROKEN or GIVEN_UP; its head stays zero. */
void recording_end(struct recording *recording, enum recording_state state, struct money cost);

/* ---- readers ---- */

enum recording_state recording_state(const struct recording *recording);
size_t recording_size(const struct recording *recording);   /* bytes put so far */
size_t recording_memory(const struct recording *recording); /* bytes allocated, all in all */
/* Once RUNNING or later: the head; its texts live as long as the recording. */
const struct recording_head *recording_head(const struct recording *recording);
struct money recording_cost(const struct recording *recording); /* once it ended */

/* Where a reader is: zero-initialised is the beginning. */
struct recording_place {
    size_t at;
    const void *block; /* the recording's own */
    size_t in_block;
};

/* The next bytes that are there in one piece, at most `most`; TEXT_NONE if there are none (yet).
 * To know whether more will come, ask for the state first: if it had ended by then, there will be
 * no more. The text lives as long as the reference. Without `usage` the marked event is passed
 * over. */
struct text recording_next(const struct recording *recording, struct recording_place *place,
                           size_t most, bool usage);

/* All bytes there are in one piece: the recording's own where they stand in one block, else put
 * together in `joined`, which must be empty and is the caller's to close. */
struct text recording_all(const struct recording *recording, struct buffer *joined);

/* Where the marked usage event stands: [from, to); both 0 if there is none. */
void recording_usage_at(const struct recording *recording, size_t *from, size_t *to);

#endif
