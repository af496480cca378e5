/*
 * Memory that is never refused: without memory the process ends here, and the ledger makes that
 * safe.
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* What is no larger malloc takes from the thread's own store of pieces (glibc's tcache), and calloc
 * does not before glibc 2.41: it locks, and searches. */
#define SMALL 1024

void *memory_new(size_t size)
{
    if (size > SMALL) {
        void *large = calloc(1, size);
        ASSERT(large != NULL);
        return large;
    }
    void *fresh = malloc(size > 0 ? size : 1);
    ASSERT(fresh != NULL);
    return memset(fresh, 0, size);
}

void *memory_resize(void *old, size_t size)
{
    void *resized = realloc(old, size > 0 ? size : 1);
    ASSERT(resized != NULL);
    return resized;
}

char *memory_copy(struct text original)
{
    ASSERT(original.size < SIZE_MAX);
    char *copy = memory_new(original.size + 1);
    if (original.size > 0)
        memcpy(copy, original.at, original.size);
    return copy;
}
