/*
 * How many tokens a prompt is to the fake: the words of its texts. No real tokeniser finds fewer:
 * so the bill is never above a bound by counted tokens, unless a directive makes it so.
 */
#ifndef FAKES_PROMPT_H
#define FAKES_PROMPT_H

#include "bytes.h"

/* A prompt or input: a string, a list of strings, of token ids, or of lists of token ids.
 * Says how many texts it is and how many tokens they are. */
void prompt_texts(struct text value, int64_t *texts, int64_t *tokens);

/* A text, or a list of messages and other items; `more`: a system prompt beside it, a text or
 * parts, or empty. */
int64_t prompt_messages(struct text messages, struct text more);

#endif
