/*
 * The store's operations on the wire to Redis: a request as the command that runs store.lua, and
 * what that answers as a reply. Pure: no connection.
 */
#ifndef PURSER_BUDGET_STORE_WIRE_H
#define PURSER_BUDGET_STORE_WIRE_H

#include "base/fault.h"
#include "budget/store.h"

struct redisReply;

#define STORE_SHA_SIZE 41 /* 40 hex digits and a zero */

/* The script itself. */
struct text store_script(void);

/* Appends "EVALSHA sha …" in Redis's protocol. What a request must be, store.h says. */
void store_wire_put(struct buffer *out, const char *sha, const struct store_request *request);

/* Reads an answer to `request`. Whatever stands there is checked: types, ranges, and what cannot be
 * true (I3; a growth above what was asked; another epoch than the one named). False: it cannot be
 * believed; `reply` is untouched. An error of the server's is not for this. */
MUST_USE bool store_wire_read(const struct redisReply *answer, const struct store_request *request,
                              struct store_reply *reply, struct fault *fault);

#endif
