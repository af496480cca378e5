/* Cores: the CPU quota of a container, as the control groups of both versions write it. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../unit.h"
#include "cli/cores.h"

static char folder[64];

static const char *below(const char *name)
{
    static char path[128];
    ck_assert_int_lt(snprintf(path, sizeof path, "%s/%s", folder, name), (int)sizeof path);
    return path;
}

static void make_folder(void)
{
    ck_assert_int_lt(snprintf(folder, sizeof folder, "/tmp/purser-cores-XXXXXX"),
                     (int)sizeof folder);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(mkdir(below("cpu"), 0700), 0);
}

static void write_file(const char *name, const char *content)
{
    FILE *file = fopen(below(name), "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(content, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void remove_folder(void)
{
    (void)unlink(below("cpu.max"));
    (void)unlink(below("cpu/cpu.cfs_quota_us"));
    (void)unlink(below("cpu/cpu.cfs_period_us"));
    ck_assert_int_eq(rmdir(below("cpu")), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}

START_TEST(reads_the_quota_of_version_2)
{
    static const struct {
        const char *content;
        size_t cores;
    } cases[] = {{"200000 100000\n", 2},
                 {"150000 100000\n", 2},
                 {"50000 100000\n", 1},
                 {"100001 100000\n", 2},
                 {"max 100000\n", 0},
                 {"0 100000\n", 0},
                 {"100000 0\n", 0},
                 {"-1 100000\n", 0},
                 {"9223372036854775807 9223372036854775807\n", 1},
                 {"100000\n", 0},
                 {"", 0}};
    make_folder();
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        write_file("cpu.max", cases[i].content);
        ck_assert_msg(cores_of_quota(folder) == cases[i].cores, "'%s' gives %zu", cases[i].content,
                      cores_of_quota(folder));
    }
    remove_folder();
}
END_TEST

START_TEST(reads_the_quota_of_version_1)
{
    make_folder();
    write_file("cpu/cpu.cfs_period_us", "100000\n");
    ck_assert_uint_eq(cores_of_quota(folder), 0);
    write_file("cpu/cpu.cfs_quota_us", "-1\n");
    ck_assert_uint_eq(cores_of_quota(folder), 0);
    write_file("cpu/cpu.cfs_quota_us", "250000\n");
    ck_assert_uint_eq(cores_of_quota(folder), 3);
    write_file("cpu.max", "100000 100000\n");
    ck_assert_uint_eq(cores_of_quota(folder), 1);
    remove_folder();
}
END_TEST

START_TEST(there_is_no_quota_where_nothing_can_be_read)
{
    ck_assert_uint_eq(cores_of_quota("/nowhere/at/all"), 0);
}
END_TEST

START_TEST(there_is_always_a_core)
{
    ck_assert_uint_ge(cores_available(), 1);
}
END_TEST

UNIT_MAIN(reads_the_quota_of_version_2, reads_the_quota_of_version_1,
          there_is_no_quota_where_nothing_can_be_read, there_is_always_a_core)
