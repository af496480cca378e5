/*
 * Time zones that are away: LD_PRELOAD this, and no file of theirs can be opened while there is a
 * file where LOST_ZONES says.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int open_unless_lost(const char *name, const char *path, int flags, mode_t mode)
{
    int (*open_it)(const char *, int, ...) =
        (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, name);
    const char *sign = getenv("LOST_ZONES");
    if (strstr(path, "/zoneinfo/") == NULL || sign == NULL || access(sign, F_OK) != 0)
        return open_it(path, flags, mode);
    errno = ENOENT;
    return -1;
}

static mode_t mode_of(int flags, va_list more)
{
    return (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = mode_of(flags, more);
    va_end(more);
    return open_unless_lost("open", path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = mode_of(flags, more);
    va_end(more);
    return open_unless_lost("open64", path, flags, mode);
}
