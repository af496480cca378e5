/*
 * How the chunks of other dialects than OpenAI's are read: behind chunk_read (wire/usage.h). For
 * src/wire/chunk*.c only.
 */
#ifndef PURSER_WIRE_CHUNK_H
#define PURSER_WIRE_CHUNK_H

#include "wire/usage.h"

/* Fills a zeroed chunk from an event of Messages. */
void chunk_read_messages(struct text data, bool look_for_visible, struct chunk *chunk);

/* The inside of a member that is a string, escapes and all; TEXT_NONE if there is none. */
struct text chunk_word(struct json_value object, struct text name);

/* For chunks of any dialect: whether the names "usage" or "error" stand anywhere in the data with a
 * value: a first look, which deeper levels and texts may fool. */
bool chunk_has_names(struct text data);

#endif
