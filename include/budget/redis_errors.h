/*
 * Errors of a Redis, for the person who can mend them: what to do, and then its own words.
 */
#ifndef PURSER_BUDGET_REDIS_ERRORS_H
#define PURSER_BUDGET_REDIS_ERRORS_H

#include "base/fault.h"

/* True if it is one of those for which there is advice; else its own words alone. */
bool redis_errors_explain(const char *error, struct fault *told);

/* The same of a reply that should be another one; NULL: it is no error. Points into `told`. */
const char *redis_errors_tell(const char *error, struct fault *told);

#endif
