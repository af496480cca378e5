/*
 * Responses that are kept (`store`), so that GET, DELETE, cancel and input_items find them: the
 * last SHELF_RING of them. One made in the background changes its state there while it is made.
 */
#ifndef FAKES_SHELF_H
#define FAKES_SHELF_H

#include "answer.h"
#include "http.h"

enum { SHELF_RING = 1024, SHELF_INPUT_MAX = 1024 * 1024 };

struct shelf;

struct shelf *shelf_open(void);
void shelf_close(struct shelf *shelf);
void shelf_reset(struct shelf *shelf);

/* Keeps a response, all of it copied; an input above SHELF_INPUT_MAX is left out. */
void shelf_put(struct shelf *shelf, const struct answer *answer, struct text input);
/* NULL: there is none of that id (any more). */
const struct answer *shelf_find(const struct shelf *shelf, struct text id);
/* Nothing happens if it is gone, or was cancelled. */
void shelf_change(struct shelf *shelf, const char *id, enum answer_state state);
bool shelf_cancelled(const struct shelf *shelf, const char *id);

/* Answers GET and DELETE of /v1/responses/{id}, POST …/cancel and GET …/input_items; returns the
 * status. */
int shelf_serve(struct shelf *shelf, const struct http_request *request, struct bytes *body);

#endif
