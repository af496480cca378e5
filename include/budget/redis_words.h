/*
 * Commands for a Redis, written word by word into a buffer: a count of words, then each.
 */
#ifndef PURSER_BUDGET_REDIS_WORDS_H
#define PURSER_BUDGET_REDIS_WORDS_H

#include "base/text.h"

/* A command of so many words begins. */
void redis_words_begin(struct buffer *out, size_t count);
void redis_words_put(struct buffer *out, struct text word);
void redis_words_put_number(struct buffer *out, int64_t number); /* in decimal */

#endif
