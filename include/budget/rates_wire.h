/*
 * What instances ask of the store of rate limits, as words of a command for Redis (rates.lua), and
 * its answer as a reply. Pure: no connection.
 */
#ifndef PURSER_BUDGET_RATES_WIRE_H
#define PURSER_BUDGET_RATES_WIRE_H

#include "base/fault.h"
#include "budget/rates_store.h"

struct redisReply;

/* The script itself. */
struct text rates_script(void);

/* Appends the words after "EVALSHA sha" in Redis's protocol; returns how many. */
size_t rates_wire_put(struct buffer *out, const struct rates_request *request);

/* Reads an answer to `request`; types and ranges are checked. False: it cannot be believed; `reply`
 * is untouched. An error of the server's is not for this. */
MUST_USE bool rates_wire_read(const struct redisReply *answer, const struct rates_request *request,
                              struct rates_reply *reply, struct fault *fault);

#endif
