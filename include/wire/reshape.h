/*
 * The other shape of an answer: a stream of events made from a whole answer, and a whole answer
 * from a stream, for chat completions and completions. Pure. What a client gets is what its
 * dialect would have given: the same ids, texts, tool calls, refusals, log probabilities, finish
 * reasons and usage.
 *
 * Members that are not known are carried over where they have a place in the other shape (in the
 * top level and in choices; in a message they become members of a delta and the other way round:
 * texts and arrays that repeat over deltas are joined, anything else is the last one seen). What
 * cannot be told for certain is refused: members standing twice, more than 64 members of an object,
 * tool calls of one index with different ids, an `error`.
 */
#ifndef PURSER_WIRE_RESHAPE_H
#define PURSER_WIRE_RESHAPE_H

#include "wire/body.h"

/* Appends events for a whole answer of the endpoint, the last one `data: [DONE]`: for each choice
 * its role, its texts, its tool calls, its end. False also if an event would be larger than
 * SSE_MAX_EVENT. With `usage` the
 * chunk with the usage stands before it (if the answer has one; its `usage.cost` is 0). False if
 * the answer is not what the endpoint gives; `out` may hold something then. */
MUST_USE bool reshape_to_events(enum endpoint endpoint, struct text whole, bool usage,
                                struct buffer *out);

/* Appends the whole answer that a complete stream (with its [DONE]) gives. The usage is that of the
 * usage chunk. False if it cannot be told. */
MUST_USE bool reshape_to_whole(enum endpoint endpoint, struct text events, struct buffer *out);

/* Whether an answer is complete: each of the `choices` choices asked for is there once and came
 * to its end (has a finish_reason that is neither null nor "error"), no other one did, and there
 * is no error. Of a stream also that it ends with [DONE]; of embeddings that each index is there
 * once. A complete answer may still be one that the functions above refuse. */
MUST_USE bool reshape_whole_is_complete(enum endpoint endpoint, struct text whole, int64_t choices);
MUST_USE bool reshape_events_are_complete(enum endpoint endpoint, struct text events,
                                          int64_t choices);

#endif
