/*
 * A disk that does not finish: LD_PRELOAD this, and fdatasync and fsync take their time.
 *
 *     SLOW_SYNC_MS      each sync sleeps so long first
 *     SLOW_SYNC_GATE    a path: while that file is there no sync goes on; one that waits makes the
 *                       file <gate>.reached
 *
 *     SLOW_SYNC_SPARES  part of a path: files that have it are synced as without it
 *
 * All unset: as without it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void sleep_ms(long ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static void wait_at_gate(const char *gate)
{
    if (access(gate, F_OK) != 0)
        return;
    char reached[4096];
    snprintf(reached, sizeof reached, "%s.reached", gate);
    int fd = open(reached, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    while (access(gate, F_OK) == 0)
        sleep_ms(5);
}

static int is_spared(int fd)
{
    const char *part = getenv("SLOW_SYNC_SPARES");
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = part == NULL ? -1 : readlink(link, path, sizeof path - 1);
    if (size < 0)
        return 0;
    path[size] = '\0';
    return strstr(path, part) != NULL;
}

static int delayed(const char *name, int fd)
{
    const char *ms = getenv("SLOW_SYNC_MS");
    const char *gate = getenv("SLOW_SYNC_GATE");
    int (*sync)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    if (is_spared(fd))
        return sync(fd);
    if (ms != NULL)
        sleep_ms(strtol(ms, NULL, 10));
    if (gate != NULL)
        wait_at_gate(gate);
    return sync(fd);
}

int fdatasync(int fd)
{
    return delayed("fdatasync", fd);
}

int fsync(int fd)
{
    return delayed("fsync", fd);
}
