/*
 * Replay of a ledger's directory. Everything in the files is outside data: it is checked, and what
 * does not hold is refused with the file and the line.
 */
#include "books/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "books/lines.h"

/* One file's replay. */
struct replay {
    int dir_fd;
    int fd;
    const char *name;
    struct chain *chain;
    struct balances *balances;
    struct replay_counts *counts;
    size_t line; /* in this file, from 1 */
};

static bool io_fault(struct fault *fault, const char *name, const char *what)
{
    return fault_set(fault, "the ledger file %s cannot be %s: %s", name, what, strerror(errno));
}

/* ---- lines ---- */

/* The first line of a file begins a chain anew, from the hash it says it continues. False if it is
 * no open line. */
static bool start_chain(struct chain *chain, struct text line)
{
    struct json_value open_line;
    struct json_value chained_to;
    struct chain_place place;
    enum entry_kind kind;
    if (!entry_peek_kind(line, &kind) || kind != ENTRY_OPEN || !chain_read_place(line, &place) ||
        json_parse(line, &open_line, NULL) != JSON_OK ||
        !json_member(open_line, TEXT("chained_to"), &chained_to))
        return false;
    struct text hash = text_slice(chained_to.raw, 1, chained_to.raw.size - 1);
    uint8_t bytes[HASH_SIZE];
    chain->place = (struct chain_place){.seq = place.seq - 1};
    if (hash_from_hex(hash, bytes, HASH_SIZE))
        hash_hex(bytes, HASH_SIZE, chain->place.hash);
    return true;
}

static bool fold_open(struct replay *replay, struct text line, struct fault *fault)
{
    struct json_value value;
    if (json_parse(line, &value, NULL) != JSON_OK)
        return fault_set(fault, "it is no JSON object");
    return balances_read(replay->balances, value, fault);
}

static bool fold_line(struct replay *replay, struct text line, struct fault *fault)
{
    struct arena arena = {0};
    struct entry entry;
    bool good = entry_read(line, &arena, &entry, fault);
    if (good && entry.kind == ENTRY_OPEN)
        good = fold_open(replay, line, fault);
    else if (good)
        (void)balances_apply(replay->balances, &entry);
    arena_close(&arena);
    return good;
}

/* Folds lines as long as the chain holds. `*good_end` is the offset behind the last one. */
static bool fold_lines(struct replay *replay, int64_t *good_end, struct fault *fault)
{
    struct lines lines = {.fd = replay->fd};
    struct text line;
    enum lines_step step = LINES_END;
    bool good = true;
    *good_end = 0;
    while (good && (step = lines_next(&lines, &line)) == LINES_LINE) {
        if (replay->line == 0 && !start_chain(replay->chain, line))
            break;
        if (!chain_check(replay->chain, line))
            break;
        replay->line++;
        good = fold_line(replay, line, fault);
        *good_end = lines.offset;
    }
    if (step == LINES_FAILED)
        good = io_fault(fault, replay->name, "read");
    else if (!good)
        fault_prefix(fault, "line %zu of the ledger file %s is not of this version", replay->line,
                     replay->name);
    lines_close(&lines);
    return good;
}

/* ---- the tail ---- */

/* True if two neighbouring lines behind the damage chain to each other. */
static bool intact_lines_follow(struct replay *replay, int64_t from)
{
    struct lines lines = {.fd = replay->fd, .offset = from};
    struct chain chain = {.hasher = replay->chain->hasher};
    struct text line;
    bool found = false;
    bool have_place = false;
    while (!found && lines_next(&lines, &line) == LINES_LINE) {
        found = have_place && chain_check(&chain, line);
        have_place = chain_read_place(line, &chain.place);
    }
    lines_close(&lines);
    return found;
}

static bool copy_bytes(int from_fd, int64_t offset, int to_fd)
{
    char piece[16384];
    for (;;) {
        ssize_t size = pread(from_fd, piece, sizeof(piece), (off_t)offset);
        if (size <= 0)
            return size == 0;
        if (write(to_fd, piece, (size_t)size) != size)
            return false;
        offset += size;
    }
}

/* Keeps what lies behind `from` in <file>.torn. It is on disk before the file is cut. */
static bool keep_torn(const struct replay *replay, int64_t from, struct fault *fault)
{
    char name[sizeof(((struct ledger_file *)NULL)->name) + 8];
    (void)snprintf(name, sizeof(name), "%s.torn", replay->name);
    int fd =
        openat(replay->dir_fd, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return io_fault(fault, name, "made");
    bool good = copy_bytes(replay->fd, from, fd) && fsync(fd) == 0;
    if (!good)
        io_fault(fault, name, "written");
    close(fd);
    return good;
}

static bool mend_tail(struct replay *replay, int64_t good_end, int64_t size, struct fault *fault)
{
    if (size <= good_end)
        return true;
    if (intact_lines_follow(replay, good_end))
        return fault_set(
            fault,
            "the ledger file %s is damaged at line %zu, and intact lines follow: "
            "restore it from a backup, or move it out of the directory (what it booked "
            "is then forgotten)",
            replay->name, replay->line + 1);
    if (!keep_torn(replay, good_end, fault))
        return false;
    if (ftruncate(replay->fd, (off_t)good_end) != 0)
        return io_fault(fault, replay->name, "cut");
    replay->counts->torn_bytes += (size_t)(size - good_end);
    return true;
}

/* ---- files ---- */

/* Replays and mends one file; `*good_end` 0: it had no whole line, and its bytes are kept aside. */
static bool replay_file(struct replay *replay, int64_t *good_end, struct fault *fault)
{
    struct stat stat;
    if (!fold_lines(replay, good_end, fault))
        return false;
    if (fstat(replay->fd, &stat) != 0)
        return io_fault(fault, replay->name, "read");
    if (!mend_tail(replay, *good_end, stat.st_size, fault))
        return false;
    replay->counts->lines += replay->line;
    return true;
}

/* Takes the newest file that has a line; empty ones, begun by a process that died then, go. */
static bool replay_newest(struct journal *journal, const struct ledger_files *files,
                          struct replay *replay, struct fault *fault)
{
    for (size_t left = files->count; left > 0; left--) {
        const struct ledger_file *file = &files->at[left - 1];
        int64_t good_end = 0;
        replay->chain->place = (struct chain_place){0};
        replay->line = 0;
        replay->name = file->name;
        replay->fd = openat(journal->dir_fd, file->name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (replay->fd < 0)
            return io_fault(fault, file->name, "opened");
        bool good = replay_file(replay, &good_end, fault);
        if (good && good_end > 0) {
            journal->fd = replay->fd;
            journal->size = good_end;
            journal->file = *file;
            return true;
        }
        close(replay->fd);
        if (!good)
            return false;
        if (unlinkat(journal->dir_fd, file->name, 0) != 0)
            return io_fault(fault, file->name, "removed");
    }
    replay->chain->place = (struct chain_place){0};
    return true;
}

bool replay_run(struct journal *journal, struct chain *chain, struct balances *balances,
                struct replay_counts *counts, struct fault *fault)
{
    struct ledger_files files;
    if (!files_list(journal->dir_fd, &files, fault))
        return false;
    struct replay replay = {
        .dir_fd = journal->dir_fd, .chain = chain, .balances = balances, .counts = counts};
    bool good = replay_newest(journal, &files, &replay, fault);
    files_free(&files);
    return good;
}

/* ---- looking ---- */

static bool look_at_file(struct replay *replay, int64_t *good_end, struct fault *fault)
{
    struct stat stat;
    if (!fold_lines(replay, good_end, fault))
        return false;
    if (fstat(replay->fd, &stat) != 0)
        return io_fault(fault, replay->name, "read");
    if (*good_end > 0 && stat.st_size > *good_end)
        return fault_set(fault,
                         "the ledger file %s is torn behind line %zu: it may not tell all that "
                         "was spent",
                         replay->name, replay->line);
    return true;
}

static bool look_at_newest(const struct ledger_files *files, struct replay *replay,
                           struct ledger_file *newest, struct fault *fault)
{
    int64_t good_end = 0;
    for (size_t left = files->count; left > 0; left--) {
        replay->name = files->at[left - 1].name;
        replay->chain->place = (struct chain_place){0};
        replay->line = 0;
        replay->fd = openat(replay->dir_fd, replay->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (replay->fd < 0)
            return io_fault(fault, replay->name, "opened");
        bool good = look_at_file(replay, &good_end, fault);
        close(replay->fd);
        if (!good)
            return false;
        if (good_end > 0) {
            *newest = files->at[left - 1];
            return true;
        }
    }
    return fault_set(fault, "there is no ledger");
}

bool replay_look(const char *directory, struct balances *balances, struct ledger_file *newest,
                 struct fault *fault)
{
    struct ledger_files files;
    struct chain chain;
    int dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return fault_set(fault, "%s: %s", directory, strerror(errno));
    bool good = files_list(dir_fd, &files, fault);
    if (good) {
        chain_open(&chain);
        struct replay replay = {.dir_fd = dir_fd, .chain = &chain, .balances = balances};
        good = look_at_newest(&files, &replay, newest, fault);
        chain_close(&chain);
        files_free(&files);
    }
    close(dir_fd);
    return good || fault_prefix(fault, "%s", directory);
}
