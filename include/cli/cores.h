/* How many cores this process may use. */
#ifndef PURSER_CLI_CORES_H
#define PURSER_CLI_CORES_H

#include <stddef.h>

/* The cores it may run on, or the container's CPU quota (cgroup v2 cpu.max, v1 cfs quota), rounded
 * up, whichever is less; at least 1. */
size_t cores_available(void);

/* The CPU quota that the control groups mounted at `folder` set, in cores, rounded up; 0 if they
 * set none, or it cannot be read. */
size_t cores_of_quota(const char *folder);

#endif
