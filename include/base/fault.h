/*
 * A failure on its way up: one sentence for the person who can mend it.
 *
 * Functions that can fail return bool and take a `struct fault *`. They set it, return false and
 * leave their outputs untouched; they never log it too. The caller prints, returns or drops it.
 */
#ifndef PURSER_BASE_FAULT_H
#define PURSER_BASE_FAULT_H

#include <stdbool.h>

#include "base/assert.h"

struct fault {
    char message[512]; /* always terminated; cut if longer */
};

/* Writes the sentence and returns false, so that a failing function ends in
 * `return fault_set(fault, "...")`. `fault` may be NULL when the caller does not care. */
bool fault_set(struct fault *fault, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "context: " before the sentence that is there. Returns false, like fault_set. */
bool fault_prefix(struct fault *fault, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
