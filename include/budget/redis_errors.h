/*
 * Errors of a Redis, for the person who can mend them: what to do, and then its own words.
 */
#ifndef PURSER_BUDGET_REDIS_ERRORS_H
#define PURSER_BUDGET_REDIS_ERRORS_H

#include "base/fault.h"

struct redisReply; /* hiredis's */

/* True if it is one of those for which there is advice. */
bool redis_errors_explain(const char *error, struct fault *told);

/* Of a reply that is not what was asked for, whether it is an error or not; points into `told`. */
const char *redis_errors_tell(const struct redisReply *reply, struct fault *told);

#endif
