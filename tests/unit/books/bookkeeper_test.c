/*
 * The bookkeeper, with a disk that the test plays: this program has an fdatasync, a pwrite and an
 * openat of its own, which come before the C library's.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "desk.h"

int fdatasync(int fd);

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int syncs;   /* begun */
    int failing; /* so many of the next ones fail */
    bool stuck;  /* they do not come back */
    int failed_fd;
    bool repeated; /* a sync was tried again on a descriptor where it had failed */
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .failed_fd = -1};

int fdatasync(int fd)
{
    pthread_mutex_lock(&disk.lock);
    disk.syncs++;
    disk.repeated = disk.repeated || fd == disk.failed_fd;
    pthread_cond_broadcast(&disk.changed);
    while (disk.stuck)
        pthread_cond_wait(&disk.changed, &disk.lock);
    bool fails = disk.failing > 0;
    if (fails) {
        disk.failing--;
        disk.failed_fd = fd;
    }
    pthread_mutex_unlock(&disk.lock);
    errno = EIO;
    return fails ? -1 : 0;
}

static atomic_int full; /* so many of the next writes find no room */

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at)
{
    if (atomic_load(&full) == 0)
        return syscall(SYS_pwrite64, fd, bytes, size, at);
    atomic_fetch_sub(&full, 1);
    errno = ENOSPC;
    return -1;
}

static atomic_int scarce; /* so many times there is no descriptor for the folder */

int openat(int dir_fd, const char *path, int flags, ...)
{
    if (strcmp(path, ".") == 0 && atomic_load(&scarce) > 0) {
        atomic_fetch_sub(&scarce, 1);
        errno = EMFILE;
        return -1;
    }
    return (int)syscall(SYS_openat, dir_fd, path, flags, 0600);
}

static void wait_for_syncs(int count)
{
    pthread_mutex_lock(&disk.lock);
    while (disk.syncs < count)
        pthread_cond_wait(&disk.changed, &disk.lock);
    pthread_mutex_unlock(&disk.lock);
}

static int sync_count(void)
{
    pthread_mutex_lock(&disk.lock);
    int count = disk.syncs;
    pthread_mutex_unlock(&disk.lock);
    return count;
}

static void set_stuck(bool stuck)
{
    pthread_mutex_lock(&disk.lock);
    disk.stuck = stuck;
    pthread_cond_broadcast(&disk.changed);
    pthread_mutex_unlock(&disk.lock);
}

static void set_failing(int times)
{
    pthread_mutex_lock(&disk.lock);
    disk.failing = times;
    pthread_mutex_unlock(&disk.lock);
}

START_TEST(syncs_what_was_written)
{
    struct desk desk = desk_make();
    desk_open(&desk);
    ledger_start(desk.ledger);
    wait_for_syncs(1); /* the open line's */
    desk_call(&desk, 1, 5);
    wait_for_syncs(2);
    desk_close(&desk);
    desk_end(&desk);
}
END_TEST

START_TEST(a_sync_that_hangs_delays_no_commit)
{
    struct desk desk = desk_make();
    desk.rotate_bytes = 4000;
    set_stuck(true);
    desk_open(&desk);
    ledger_start(desk.ledger);
    wait_for_syncs(1); /* it has begun, and will not come back */
    for (int call = 0; call < 20; call++)
        desk_call(&desk, call, 5);
    ck_assert_int_eq(sync_count(), 1);
    ck_assert_int_eq(desk_spent(&desk), 100);
    ck_assert_uint_gt(desk_file_count(&desk), 2); /* rotation goes on, too */
    ck_assert(!ledger_failing(desk.ledger));
    set_stuck(false);
    desk_close(&desk);
    ck_assert(desk_chain_holds(&desk));
    desk_end(&desk);
}
END_TEST

START_TEST(after_a_failed_sync_the_file_is_left_and_never_synced_again)
{
    struct desk desk = desk_make();
    desk_open(&desk);
    desk_call(&desk, 1, 5);
    set_failing(1);
    ledger_start(desk.ledger);
    wait_for_syncs(2); /* the second is the new file's */
    desk_call(&desk, 2, 5);
    wait_for_syncs(3);
    ck_assert_uint_eq(desk_file_count(&desk), 2);
    desk_close(&desk);
    ck_assert(!disk.repeated);
    ck_assert(desk_chain_holds(&desk));

    desk_open(&desk);
    ck_assert_int_eq(desk_spent(&desk), 10);
    desk_close(&desk);
    desk_end(&desk);
}
END_TEST

START_TEST(without_a_descriptor_for_it_the_folder_is_synced_later_and_no_call_refused)
{
    struct desk desk = desk_make();
    desk_open(&desk);
    desk_call(&desk, 1, 5);
    atomic_store(&scarce, 3);
    ledger_start(desk.ledger);
    for (int round = 1; atomic_load(&scarce) > 0; round++) {
        wait_for_syncs(round);
        ck_assert(!ledger_failing(desk.ledger));
    }
    desk_call(&desk, 2, 5);
    ck_assert_uint_eq(desk_file_count(&desk), 1);
    desk_close(&desk);
    ck_assert(desk_chain_holds(&desk));
    desk_end(&desk);
}
END_TEST

START_TEST(a_write_that_failed_is_tried_again_although_nothing_was_to_be_synced)
{
    struct fault fault;
    struct desk desk = desk_make();
    desk_open(&desk);
    ledger_start(desk.ledger);
    desk_call(&desk, 1, 5);
    wait_for_syncs(1);
    for (int i = 0; i < 100000; i++) /* it goes to sleep meanwhile */
        sched_yield();
    atomic_store(&full, 2); /* each write is tried twice */
    desk_note(&desk, ENTRY_RESERVE, 2, 5);
    ck_assert(!ledger_commit(desk.batch, &fault));
    ck_assert(ledger_failing(desk.ledger));
    while (ledger_failing(desk.ledger))
        sched_yield();
    desk_close(&desk);
    desk_end(&desk);
}
END_TEST

START_TEST(fails_until_a_sync_works)
{
    struct desk desk = desk_make();
    desk_open(&desk);
    set_failing(1000000);
    ledger_start(desk.ledger);
    wait_for_syncs(2);
    ck_assert(ledger_failing(desk.ledger));
    set_failing(0);
    /* One may have been on its way; when the third begins, the second was taken note of. */
    for (int i = 1; i <= 3; i++) {
        int before = sync_count();
        desk_call(&desk, i, 5);
        wait_for_syncs(before + 1);
    }
    ck_assert(!ledger_failing(desk.ledger));
    desk_close(&desk);
    desk_end(&desk);
}
END_TEST

START_TEST(a_disk_that_only_fails_does_not_keep_purser_from_stopping)
{
    struct desk desk = desk_make();
    desk_open(&desk);
    set_failing(1000000);
    ledger_start(desk.ledger);
    wait_for_syncs(3);
    desk_close(&desk);
    ck_assert(!disk.repeated);
    desk_end(&desk);
}
END_TEST

UNIT_MAIN(syncs_what_was_written, a_sync_that_hangs_delays_no_commit,
          after_a_failed_sync_the_file_is_left_and_never_synced_again,
          without_a_descriptor_for_it_the_folder_is_synced_later_and_no_call_refused,
          a_write_that_failed_is_tried_again_although_nothing_was_to_be_synced,
          fails_until_a_sync_works, a_disk_that_only_fails_does_not_keep_purser_from_stopping)
