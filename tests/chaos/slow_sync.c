/*
 * A disk that does not finish: LD_PRELOAD this, and fdatasync and fsync take their time.
 *
 *     SLOW_SYNC_MS      each sync sleeps so long first
 *     SLOW_SYNC_MOST_MS one sync of eight sleeps some time up to it first, by chance
 *                       (SLOW_SYNC_SEED)
 *     SLOW_SYNC_GATE    a path: while that file is there no sync goes on; one that waits makes the
 *                       file <gate>.reached
 *     SLOW_SYNC_SPARES  part of a path: files that have it are synced as without it
 *
 * All unset: as without it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
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

/* Another number for each sync of the process, from the seed; it need not be even. */
static long chance_below(unsigned long bound)
{
    static atomic_ulong count;
    const char *seed = getenv("SLOW_SYNC_SEED");
    unsigned long x = seed == NULL ? 1 : strtoul(seed, NULL, 10);
    x = (x + atomic_fetch_add(&count, 1)) * 0x9E3779B97F4A7C15ul;
    x = (x ^ (x >> 32)) * 0xD6E8FEB86659FD93ul;
    return (long)((x >> 32) % bound);
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
    const char *most = getenv("SLOW_SYNC_MOST_MS");
    const char *gate = getenv("SLOW_SYNC_GATE");
    int (*sync)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    if (is_spared(fd))
        return sync(fd);
    if (ms != NULL)
        sleep_ms(strtol(ms, NULL, 10));
    if (most != NULL)
        sleep_ms(chance_below(8) == 0 ? chance_below(strtoul(most, NULL, 10) + 1) : 0);
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
