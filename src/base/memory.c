/*
 * Memory that is never refused: without memory the process ends here, and the ledger makes that
 * safe.
 */
#include <stdlib.h>

#include "base/text.h"

void *memory_new(size_t size)
{
    void *fresh = calloc(1, size > 0 ? size : 1);
    ASSERT(fresh != NULL);
    return fresh;
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
