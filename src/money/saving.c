/*
 * The names of the causes that save money.
 */
#include "money/saving.h"

struct text saving_name(enum saving cause)
{
    static const char *const names[SAVING_COUNT] = {
        [SAVING_CACHE] = "cache",           [SAVING_ROUTER] = "router",
        [SAVING_OPTIMIZER] = "optimizer",   [SAVING_BATCH] = "batch",
        [SAVING_EARLY_STOP] = "early_stop",
    };
    ASSERT(cause < SAVING_COUNT);
    return text_of(names[cause]);
}
