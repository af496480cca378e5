/*
 * The n-th call fails: LD_PRELOAD this.
 *
 *     FAULT_CALL     which calls count: write, sync, read, open, truncate, unlink, connect, malloc
 *     FAULT_PLACE    of these, those on a file whose path has this in it; "port:6379": on a
 *                    connection to that port; for malloc: by a library (or program) whose path has
 *                    it. Empty: all
 *     FAULT_ERROR    the errno; 0: half of the bytes are written or read, and none is an error
 *     FAULT_CONTROL  a file of struct control, which the test maps, too: it says when, and learns
 *                    what happened
 *
 * A sync of a descriptor whose last one failed is counted as `resynced`, unless something was
 * written to it in between: the kernel may have dropped what was not written, and say "done" to the
 * second one.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { DESCRIPTORS = 4096, RANGES = 16 };

struct control {
    _Atomic int64_t at;       /* this call fails, counted from 1; 0: none */
    _Atomic int64_t lasts;    /* so many after it fail as well */
    _Atomic int64_t count;    /* of calls so far */
    _Atomic int64_t failed;   /* of calls that failed */
    _Atomic int64_t resynced; /* see above */
};

static struct control *control;
static const char *call_wanted = "", *place = "";
static int error_wanted;
static int port_wanted;
static struct range {
    uintptr_t from, to;
} ranges[RANGES];
static int range_count;
static _Atomic char unsynced[DESCRIPTORS];

static int note_library(struct dl_phdr_info *info, size_t size, void *context)
{
    char own[4096] = "";
    const char *name = info->dlpi_name;
    (void)size;
    (void)context;
    if (name[0] == '\0' && readlink("/proc/self/exe", own, sizeof(own) - 1) > 0)
        name = own;
    for (int i = 0; i < info->dlpi_phnum && strstr(name, place) != NULL; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X) || range_count == RANGES)
            continue;
        uintptr_t from = info->dlpi_addr + part->p_vaddr;
        ranges[range_count++] = (struct range){from, from + part->p_memsz};
    }
    return 0;
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("FAULT_CONTROL");
    if (path == NULL)
        return;
    call_wanted = getenv("FAULT_CALL");
    place = getenv("FAULT_PLACE");
    error_wanted = (int)strtol(getenv("FAULT_ERROR"), NULL, 10);
    if (strncmp(place, "port:", 5) == 0)
        port_wanted = (int)strtol(place + 5, NULL, 10);
    if (strcmp(call_wanted, "malloc") == 0)
        dl_iterate_phdr(note_library, NULL);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *block = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    control = block == MAP_FAILED ? NULL : block;
}

static int counts(const char *call)
{
    return control != NULL && strcmp(call, call_wanted) == 0;
}

/* Counts the call; true if it is to fail. */
static int fails(void)
{
    int64_t number = atomic_fetch_add(&control->count, 1) + 1;
    int64_t at = atomic_load(&control->at);
    if (at == 0 || number < at || number - at > atomic_load(&control->lasts))
        return 0;
    atomic_fetch_add(&control->failed, 1);
    return 1;
}

static int port_of(int fd)
{
    struct sockaddr_in peer;
    socklen_t size = sizeof(peer);
    if (getpeername(fd, (struct sockaddr *)&peer, &size) != 0 || peer.sin_family != AF_INET)
        return 0;
    return ntohs(peer.sin_port);
}

static int is_there(int fd)
{
    char link[64], path[4096];
    if (port_wanted != 0)
        return port_of(fd) == port_wanted;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof(path) - 1);
    path[size < 0 ? 0 : size] = '\0';
    return strstr(path, place) != NULL;
}

static int on_descriptor(const char *call, int fd)
{
    return counts(call) && is_there(fd) && fails();
}

static int on_path(const char *call, const char *path)
{
    return counts(call) && port_wanted == 0 && strstr(path, place) != NULL && fails();
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int fail(void)
{
    errno = error_wanted;
    return -1;
}

/* ---- bytes ---- */

static void written(int fd)
{
    if (fd >= 0 && fd < DESCRIPTORS)
        unsynced[fd] = 0;
}

#define HALF(size) (error_wanted == 0 ? (size) / 2 : 0)

ssize_t write(int fd, const void *bytes, size_t size)
{
    written(fd);
    if (!on_descriptor("write", fd))
        return REAL(write)(fd, bytes, size);
    return HALF(size) > 0 ? REAL(write)(fd, bytes, HALF(size)) : fail();
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at)
{
    written(fd);
    if (!on_descriptor("write", fd))
        return REAL(pwrite)(fd, bytes, size, at);
    return HALF(size) > 0 ? REAL(pwrite)(fd, bytes, HALF(size), at) : fail();
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at)
{
    return pwrite(fd, bytes, size, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    written(fd);
    return on_descriptor("write", fd) ? fail() : REAL(writev)(fd, parts, count);
}

ssize_t read(int fd, void *bytes, size_t size)
{
    if (!on_descriptor("read", fd))
        return REAL(read)(fd, bytes, size);
    return error_wanted == 0 ? 0 : fail();
}

ssize_t pread(int fd, void *bytes, size_t size, off_t at)
{
    if (!on_descriptor("read", fd))
        return REAL(pread)(fd, bytes, size, at);
    return HALF(size) > 0 ? REAL(pread)(fd, bytes, HALF(size), at) : fail();
}

ssize_t pread64(int fd, void *bytes, size_t size, off64_t at)
{
    return pread(fd, bytes, size, at);
}

/* ---- syncs ---- */

static int sync_by(int (*sync)(int), int fd)
{
    int known = fd >= 0 && fd < DESCRIPTORS;
    if (known && unsynced[fd] && control != NULL) {
        char link[64], path[4096];
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        ssize_t size = readlink(link, path, sizeof(path) - 1);
        dprintf(2, "synced again: %.*s\n", (int)size, path);
        atomic_fetch_add(&control->resynced, 1);
    }
    if (!on_descriptor("sync", fd))
        return sync(fd);
    if (known)
        unsynced[fd] = 1;
    return fail();
}

int fsync(int fd)
{
    return sync_by(REAL(fsync), fd);
}

int fdatasync(int fd)
{
    return sync_by(REAL(fdatasync), fd);
}

int close(int fd)
{
    written(fd);
    return REAL(close)(fd);
}

/* ---- names and sizes ---- */

static mode_t mode_of(int flags, va_list more)
{
    return flags & O_CREAT ? va_arg(more, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = mode_of(flags, more);
    va_end(more);
    return on_path("open", path) ? fail() : REAL(open)(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = mode_of(flags, more);
    va_end(more);
    return open(path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = mode_of(flags, more);
    va_end(more);
    return on_path("open", path) ? fail() : REAL(openat)(folder, path, flags, mode);
}

int ftruncate(int fd, off_t size)
{
    written(fd);
    return on_descriptor("truncate", fd) ? fail() : REAL(ftruncate)(fd, size);
}

int ftruncate64(int fd, off64_t size)
{
    return ftruncate(fd, size);
}

int unlink(const char *path)
{
    return on_path("unlink", path) ? fail() : REAL(unlink)(path);
}

int unlinkat(int folder, const char *path, int flags)
{
    return on_path("unlink", path) ? fail() : REAL(unlinkat)(folder, path, flags);
}

int connect(int fd, const struct sockaddr *to, socklen_t size)
{
    const struct sockaddr_in *peer = (const struct sockaddr_in *)to;
    int there = to->sa_family == AF_INET && ntohs(peer->sin_port) == port_wanted;
    return counts("connect") && there && fails() ? fail() : REAL(connect)(fd, to, size);
}

/* ---- memory ---- */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static int memory_fails(const void *caller)
{
    if (range_count == 0 || control == NULL)
        return 0;
    uintptr_t at = (uintptr_t)caller;
    int found = 0;
    for (int i = 0; i < range_count; i++)
        found |= at >= ranges[i].from && at < ranges[i].to;
    if (!found || !fails())
        return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    return memory_fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return memory_fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return memory_fails(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}
