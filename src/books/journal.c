/*
 * The file that is being written.
 */
#include "books/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static bool cut(struct journal *journal)
{
    int result = 0;
    do
        result = ftruncate(journal->fd, (off_t)journal->size);
    while (result < 0 && errno == EINTR);
    journal->uncut = result < 0;
    return result == 0;
}

/* 0, or the error. ENOSPC stands for a short write that names no reason. */
static int write_once(const struct journal *journal, struct text bytes)
{
    ssize_t size = 0;
    do
        size = pwrite(journal->fd, bytes.at, bytes.size, (off_t)journal->size);
    while (size < 0 && errno == EINTR);
    if (size < 0)
        return errno;
    return (size_t)size == bytes.size ? 0 : ENOSPC;
}

bool journal_write(struct journal *journal, struct text bytes, struct fault *fault)
{
    if (journal->uncut && !cut(journal))
        return fault_set(fault, "the ledger file %s cannot be cut back: %s", journal->file.name,
                         strerror(errno));
    int error = write_once(journal, bytes);
    /* A write comes back short when the disk fills up, and the next one says so; after a signal it
     * simply works. */
    if (error != 0 && cut(journal))
        error = write_once(journal, bytes);
    if (error != 0) {
        (void)cut(journal);
        return fault_set(fault, "the ledger file %s cannot be written: %s", journal->file.name,
                         strerror(error));
    }
    journal->size += (int64_t)bytes.size;
    return true;
}

struct ledger_file journal_next_file(const struct journal *journal, struct text node, int64_t day)
{
    if (journal->file.number == 0 || day > journal->file.day)
        return files_make(day, node, 1);
    return files_make(journal->file.day, node, journal->file.number + 1);
}

bool journal_begin(struct journal *journal, const struct ledger_file *file, struct text bytes,
                   int *old_fd, struct fault *fault)
{
    struct journal next = {.dir_fd = journal->dir_fd, .file = *file};
    next.fd =
        openat(next.dir_fd, file->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (next.fd < 0)
        return fault_set(fault, "the ledger file %s cannot be made: %s", file->name,
                         strerror(errno));
    if (!journal_write(&next, bytes, fault)) {
        unlinkat(next.dir_fd, file->name, 0);
        close(next.fd);
        return false;
    }
    next.begun = next.size;
    *old_fd = journal->fd;
    *journal = next;
    return true;
}
