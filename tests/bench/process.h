/*
 * What a process has used, read from /proc. In a header of its own, whole, so that the load
 * generator stays one program of one object file.
 */
#ifndef BENCH_PROCESS_H
#define BENCH_PROCESS_H

#include <dirent.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct process {
    int64_t cpu_ns; /* time run so far, by all threads that still live */
    int64_t rss_kb;
    int64_t pss_kb;
};

/* The number behind `name` in a file of /proc; 0: it is not there. */
static inline int64_t process_number(const char *path, const char *name)
{
    char line[256];
    int64_t number = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    while (number == 0 && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            number = strtoll(line + strlen(name), NULL, 10);
    fclose(file);
    return number;
}

static inline void process_add_threads(struct process *process, int64_t pid)
{
    char path[320];
    snprintf(path, sizeof path, "/proc/%" PRId64 "/task", pid);
    DIR *tasks = opendir(path);
    if (tasks == NULL)
        return;
    for (struct dirent *task = readdir(tasks); task != NULL; task = readdir(tasks)) {
        if (task->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%" PRId64 "/task/%s/schedstat", pid, task->d_name);
        process->cpu_ns += process_number(path, ""); /* its first number is the time run, in ns */
    }
    closedir(tasks);
}

static inline void process_add(struct process *process, int64_t pid)
{
    char path[64];
    process_add_threads(process, pid);
    snprintf(path, sizeof path, "/proc/%" PRId64 "/status", pid);
    process->rss_kb += process_number(path, "VmRSS:");
    snprintf(path, sizeof path, "/proc/%" PRId64 "/smaps_rollup", pid);
    process->pss_kb += process_number(path, "Pss:");
}

/* The process and its children (nginx works in a child of the process that was started). */
static inline struct process process_look(int64_t pid)
{
    char path[320];
    struct process process = {0};
    DIR *all = pid == 0 ? NULL : opendir("/proc");
    if (all == NULL)
        return process;
    process_add(&process, pid);
    for (struct dirent *one = readdir(all); one != NULL; one = readdir(all)) {
        snprintf(path, sizeof path, "/proc/%s/status", one->d_name);
        if (one->d_name[0] >= '1' && one->d_name[0] <= '9' && process_number(path, "PPid:") == pid)
            process_add(&process, strtoll(one->d_name, NULL, 10));
    }
    closedir(all);
    return process;
}

#endif
