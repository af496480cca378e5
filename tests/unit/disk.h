/*
 * What tests that write files share: a folder that goes when the test ends, and a disk that is
 * full.
 */
#ifndef PURSER_TESTS_DISK_H
#define PURSER_TESTS_DISK_H

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "unit.h"

static inline int disk_remove_one(const char *path, const struct stat *stat, int kind,
                                  struct FTW *ftw)
{
    (void)stat;
    (void)kind;
    (void)ftw;
    return remove(path);
}

/* With all that is in it. */
static inline void disk_remove(const char *folder)
{
    ck_assert_int_eq(nftw(folder, disk_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* Files may not grow above so many bytes; RLIM_INFINITY: as they like. No ck_assert: it writes of
 * itself into a file. */
static inline void disk_limit_files(rlim_t bytes)
{
    struct rlimit limit;
    (void)signal(SIGXFSZ, SIG_IGN);
    bool known = getrlimit(RLIMIT_FSIZE, &limit) == 0;
    limit.rlim_cur = bytes;
    if (!known || setrlimit(RLIMIT_FSIZE, &limit) != 0)
        abort();
}

#endif
