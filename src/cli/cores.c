/* Cores and quotas. */
#include "cli/cores.h"

#include <sched.h>
#include <stdio.h>

static size_t cores_of_affinity(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    int count = CPU_COUNT(&set);
    return count > 0 ? (size_t)count : 1;
}

static size_t quota_in_cores(long long quota, long long period)
{
    return quota > 0 && period > 0 ? (size_t)((quota - 1) / period + 1) : 0;
}

/* A file below the folder; NULL if there is none. */
static FILE *open_below(const char *folder, const char *name)
{
    char path[256];
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    return length > 0 && (size_t)length < sizeof path ? fopen(path, "re") : NULL;
}

static long long read_number(const char *folder, const char *name)
{
    long long value = -1;
    FILE *file = open_below(folder, name);
    if (file == NULL)
        return -1;
    if (fscanf(file, "%lld", &value) != 1)
        value = -1;
    fclose(file);
    return value;
}

size_t cores_of_quota(const char *folder)
{
    long long quota, period;
    FILE *file = open_below(folder, "cpu.max");
    if (file != NULL) {
        int got = fscanf(file, "%lld %lld", &quota, &period); /* "max 100000": no quota */
        fclose(file);
        return got == 2 ? quota_in_cores(quota, period) : 0;
    }
    return quota_in_cores(read_number(folder, "cpu/cpu.cfs_quota_us"),
                          read_number(folder, "cpu/cpu.cfs_period_us"));
}

size_t cores_available(void)
{
    size_t cores = cores_of_affinity();
    size_t quota = cores_of_quota("/sys/fs/cgroup");
    return quota > 0 && quota < cores ? quota : cores;
}
