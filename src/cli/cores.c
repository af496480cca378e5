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
    return quota > 0 && period > 0 ? (size_t)((quota + period - 1) / period) : 0;
}

static long long read_number(const char *path)
{
    long long value = -1;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return -1;
    if (fscanf(file, "%lld", &value) != 1)
        value = -1;
    fclose(file);
    return value;
}

static size_t cores_of_quota(void)
{
    long long quota, period;
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re");
    if (file != NULL) {
        int got = fscanf(file, "%lld %lld", &quota, &period); /* "max 100000": no quota */
        fclose(file);
        return got == 2 ? quota_in_cores(quota, period) : 0;
    }
    return quota_in_cores(read_number("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"),
                          read_number("/sys/fs/cgroup/cpu/cpu.cfs_period_us"));
}

size_t cores_available(void)
{
    size_t cores = cores_of_affinity();
    size_t quota = cores_of_quota();
    return quota > 0 && quota < cores ? quota : cores;
}
