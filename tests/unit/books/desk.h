/*
 * A ledger at work in a directory of its own, for tests: open, commit, die, look at the files.
 */
#ifndef PURSER_TESTS_BOOKS_DESK_H
#define PURSER_TESTS_BOOKS_DESK_H

#include <sys/wait.h>

#include "books/files.h"
#include "books/ledger.h"
#include "sample.h"

struct desk {
    struct sample_dir dir;
    struct clock_fake clock;
    int64_t rotate_bytes;
    const char *node;
    const struct table *kept;
    struct ledger *ledger;
    struct ledger_batch *batch;
    struct ledger_replay replay;
    struct fault fault;
};

static inline struct desk desk_make(void)
{
    return (struct desk){.dir = sample_dir_make(),
                         .clock = clock_fake_at(SAMPLE_US),
                         .rotate_bytes = 1 << 20,
                         .node = "n1"};
}

static inline bool desk_try_open(struct desk *desk)
{
    struct ledger_options options = {.dir = desk->dir.path,
                                     .node = text_of(desk->node),
                                     .clock = &desk->clock.clock,
                                     .fsync_ms = 1,
                                     .rotate_bytes = desk->rotate_bytes,
                                     .price_version = TEXT("0011223344556677"),
                                     .kept = desk->kept};
    desk->ledger = ledger_open(&options, &desk->replay, &desk->fault);
    desk->batch = desk->ledger == NULL ? NULL : ledger_batch_open(desk->ledger);
    return desk->ledger != NULL;
}

static inline void desk_open(struct desk *desk)
{
    bool good = desk_try_open(desk);
    ck_assert_msg(good, "%s", desk->fault.message);
}

static inline void desk_close(struct desk *desk)
{
    ledger_batch_close(desk->batch);
    ledger_close(desk->ledger);
    desk->ledger = NULL;
}

static inline void desk_note(struct desk *desk, enum entry_kind kind, int call, int64_t amount)
{
    char room[48];
    struct charge charge = sample_charge(1, amount);
    struct entry entry = sample_entry(kind, sample_call(call, room), &charge);
    ledger_note(desk->batch, &entry);
}

static inline void desk_commit(struct desk *desk)
{
    bool good = ledger_commit(desk->batch, &desk->fault);
    ck_assert_msg(good, "%s", desk->fault.message);
}

/* Holds `amount`, then books it. */
static inline void desk_call(struct desk *desk, int call, int64_t amount)
{
    desk_note(desk, ENTRY_RESERVE, call, amount + 1);
    desk_commit(desk);
    desk_note(desk, ENTRY_SETTLE, call, amount);
    desk_commit(desk);
}

/* Runs `work` in a process that opens the ledger and then dies without closing it. */
static inline void desk_die_after(struct desk *desk, void (*work)(struct desk *desk))
{
    (void)fflush(NULL);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        if (!desk_try_open(desk))
            _exit(1);
        work(desk);
        _exit(0);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

/* What the one account of the tests has spent. */
static inline int64_t desk_spent(const struct desk *desk)
{
    struct charge charge;
    size_t at = 0;
    return ledger_next_balance(desk->ledger, &at, &charge) ? charge.amount : 0;
}

static inline struct ledger_files desk_files(const struct desk *desk)
{
    struct ledger_files files;
    int fd = open(desk->dir.path, O_RDONLY | O_DIRECTORY);
    ck_assert(files_list(fd, &files, NULL));
    close(fd);
    return files;
}

static inline size_t desk_file_count(const struct desk *desk)
{
    struct ledger_files files = desk_files(desk);
    size_t count = files.count;
    files_free(&files);
    return count;
}

static inline struct ledger_file desk_newest(const struct desk *desk)
{
    struct ledger_files files = desk_files(desk);
    ck_assert_uint_gt(files.count, 0);
    struct ledger_file newest = files.at[files.count - 1];
    files_free(&files);
    return newest;
}

/* The script that anybody may use agrees that the chain holds from the first file to the last. */
static inline bool desk_chain_holds(const struct desk *desk)
{
    char command[256];
    (void)snprintf(command, sizeof(command),
                   "python3 tests/unit/books/verify_chain.py %s >/dev/null 2>&1", desk->dir.path);
    return system(command) == 0;
}

/* The newest file's content, to be damaged and written back. */
static inline struct buffer desk_content(const struct desk *desk)
{
    struct ledger_file newest = desk_newest(desk);
    return sample_read(&desk->dir, newest.name);
}

static inline void desk_end(struct desk *desk)
{
    sample_dir_remove(&desk->dir);
}

#endif
