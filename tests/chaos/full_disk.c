/*
 * A disk without room: LD_PRELOAD this. While the file that FULL_DISK_GATE names is there, no file
 * below the folder that FULL_DISK names grows any further than by as many bytes as the gate says
 * (a whole number, for all of them together); what asks for more gets as much of it as fits, or
 * ENOSPC. What only overwrites has its room. Both unset: as without it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static _Atomic long used; /* since the gate was last seen shut */

/* The bytes that are left; -1: no end to them. */
static long room(void)
{
    const char *gate = getenv("FULL_DISK_GATE");
    int fd = gate != NULL ? open(gate, O_RDONLY | O_CLOEXEC) : -1;
    char line[32] = "";
    if (fd < 0) {
        used = 0;
        return -1;
    }
    ssize_t size = read(fd, line, sizeof line - 1);
    close(fd);
    long left = size > 0 ? strtol(line, NULL, 10) - used : 0;
    return left > 0 ? left : 0;
}

static bool is_below(int fd)
{
    const char *folder = getenv("FULL_DISK");
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = folder == NULL ? -1 : readlink(link, path, sizeof path - 1);
    if (size < 0)
        return false;
    path[size] = '\0';
    return strncmp(path, folder, strlen(folder)) == 0;
}

/* How many of `size` bytes at `offset` (-1: at the end) may be written. */
static size_t allowed(int fd, size_t size, off_t offset)
{
    struct stat stat;
    long left = is_below(fd) ? room() : -1;
    if (left < 0 || fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode))
        return size;
    off_t from = offset < 0 ? stat.st_size : offset;
    off_t inside = stat.st_size > from ? stat.st_size - from : 0;
    if ((off_t)size <= inside)
        return size;
    size_t growth = size - (size_t)inside;
    size_t granted = growth < (size_t)left ? growth : (size_t)left;
    used += (long)granted;
    return (size_t)inside + granted;
}

static ssize_t no_room(void)
{
    errno = ENOSPC;
    return -1;
}

/* Where a plain write goes to. */
static off_t place(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_APPEND) != 0 ? -1 : lseek(fd, 0, SEEK_CUR);
}

ssize_t write(int fd, const void *data, size_t size)
{
    ssize_t (*next)(int, const void *, size_t) =
        (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    size_t fits = allowed(fd, size, place(fd));
    return fits == 0 && size > 0 ? no_room() : next(fd, data, fits);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    ssize_t (*next)(int, const void *, size_t, off64_t) =
        (ssize_t(*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
    size_t fits = allowed(fd, size, offset);
    return fits == 0 && size > 0 ? no_room() : next(fd, data, fits, offset);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return pwrite64(fd, data, size, offset);
}

static int grow(const char *name, int fd, off64_t size)
{
    int (*next)(int, off64_t) = (int (*)(int, off64_t))dlsym(RTLD_NEXT, name);
    struct stat stat;
    if (fstat(fd, &stat) == 0 && size > stat.st_size &&
        allowed(fd, (size_t)(size - stat.st_size), -1) < (size_t)(size - stat.st_size))
        return (int)no_room();
    return next(fd, size);
}

int ftruncate(int fd, off_t size)
{
    return grow("ftruncate", fd, size);
}

int ftruncate64(int fd, off64_t size)
{
    return grow("ftruncate64", fd, size);
}
