/*
 * Embeddings in parts: the inputs of a request, each of them alone, and answers put together from
 * what is known and what an upstream was asked for. Pure.
 */
#ifndef PURSER_WIRE_INPUTS_H
#define PURSER_WIRE_INPUTS_H

#include "wire/body.h"

/* The inputs of an embeddings body: the elements of an array of texts or token lists; one text or
 * one list of token ids is one input. Raw JSON, pointing into the body. Returns how many; 0 if
 * there are more than `most`. */
size_t inputs_of(const struct body *body, struct text *inputs, size_t most);

/* An array of these inputs, to be sent in place of all (body_changes.input). In the arena. */
struct text inputs_join(const struct text *inputs, size_t count, struct arena *arena);

/* The raw `embedding` of each element of an answer's `data`, by its `index`: fills embeddings[0 ..
 * count). False unless each index from 0 to count - 1 is there exactly once and the answer is a
 * list of embeddings. */
MUST_USE bool inputs_read_answer(struct text answer, struct text *embeddings, size_t count);

/* The answer for all inputs: `embeddings[i]` raw JSON each; `model` as in answers (raw JSON
 * string), usage of what the upstream billed now (0 if it was not asked). */
void inputs_put_answer(struct buffer *out, const struct text *embeddings, size_t count,
                       struct text model, int64_t prompt_tokens);

#endif
