/*
 * Writing the one sentence that a failure carries upwards.
 */
#include "base/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool fault_set(struct fault *fault, const char *format, ...)
{
    if (fault == NULL)
        return false;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(fault->message, sizeof(fault->message), format, arguments);
    va_end(arguments);
    return false;
}

bool fault_prefix(struct fault *fault, const char *format, ...)
{
    if (fault == NULL)
        return false;
    struct fault old = *fault;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(fault->message, sizeof(fault->message), format, arguments);
    va_end(arguments);

    size_t used = strlen(fault->message);
    (void)snprintf(fault->message + used, sizeof(fault->message) - used, ": %s", old.message);
    return false;
}
