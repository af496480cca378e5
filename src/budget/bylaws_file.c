/*
 * Bylaws on disk: a file of lines, replaced as a whole. The last line says how many there are, so
 * that a file that was cut short is not taken for one with fewer budgets.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "budget/bylaws.h"

#define FILE_MOST ((size_t)BYLAWS_MOST * BYLAW_LINE_MOST)

/* ---- reading ---- */

static bool read_all(int file, struct buffer *out)
{
    char piece[65536];
    ssize_t got;
    while ((got = read(file, piece, sizeof piece)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return false;
        if (out->size + (size_t)got > FILE_MOST) {
            errno = EFBIG;
            return false;
        }
        buffer_put(out, text_make(piece, (size_t)got));
    }
    return true;
}

static bool read_end(struct text line, size_t lines)
{
    int64_t count;
    return text_starts(line, TEXT("end ")) && text_to_int(text_from(line, 4), &count) &&
           count >= 0 && (size_t)count == lines;
}

static bool take_lines(struct bylaws *bylaws, struct text rest, struct fault *fault)
{
    struct arena arena = {0};
    size_t lines = 0;
    bool good = true, ended = false;
    while (good && !ended && rest.size > 0) {
        struct text line = text_split(&rest, '\n');
        struct bylaw bylaw;
        ended = read_end(line, lines) && rest.size == 0 && rest.at != NULL;
        if (ended)
            break;
        good = bylaw_read_line(line, &arena, &bylaw, fault) ||
               fault_prefix(fault, "line %zu", lines + 1);
        lines++;
        if (good && bylaws_merge(bylaws, &bylaw) == BYLAW_FULL)
            good = fault_set(fault, "it has more than %d lines", BYLAWS_MOST);
    }
    arena_close(&arena);
    return good && (ended || fault_set(fault, "it was cut short"));
}

static bool damaged(const char *path, struct fault *fault)
{
    struct fault why = *fault;
    return fault_set(fault,
                     "%s: %s. In it are the keys and budgets made at run time: put the file back "
                     "from a copy, or take it away to go on without them",
                     path, why.message);
}

bool bylaws_load(struct bylaws *bylaws, const char *path, struct fault *fault)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 && errno == ENOENT)
        return true;
    if (file < 0)
        return fault_set(fault, "%s: %s", path, strerror(errno));
    struct buffer bytes = {0};
    bool good =
        read_all(file, &bytes) || fault_set(fault, "it cannot be read: %s", strerror(errno));
    good = good && take_lines(bylaws, buffer_text(&bytes), fault);
    (void)close(file);
    buffer_close(&bytes);
    return good || damaged(path, fault);
}

/* ---- writing ---- */

static bool write_all(int file, struct text bytes)
{
    while (bytes.size > 0) {
        ssize_t done = write(file, bytes.at, bytes.size);
        if (done < 0 && errno != EINTR)
            return false;
        if (done > 0)
            bytes = text_from(bytes, (size_t)done);
    }
    return true;
}

static bool write_file(const char *path, struct text bytes)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0)
        return false;
    bool good = write_all(file, bytes) && fsync(file) == 0;
    int reason = errno;
    if (close(file) != 0 && good)
        return false;
    errno = reason;
    return good;
}

/* A name is on disk when its folder is. */
static bool sync_folder(struct text path)
{
    size_t end = path.size;
    while (end > 0 && path.at[end - 1] != '/')
        end--;
    char *name = memory_copy(end == 0 ? TEXT(".") : text_slice(path, 0, end));
    int folder = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(name);
    if (folder < 0)
        return false;
    bool good = fsync(folder) == 0;
    int reason = errno;
    (void)close(folder);
    errno = reason;
    return good;
}

bool bylaws_save(const struct bylaws *bylaws, const char *path, struct fault *fault)
{
    struct arena arena = {0};
    struct buffer bytes = {0};
    const char *fresh = arena_printf(&arena, "%s.new", path).at;
    for (size_t i = 0; i < bylaws_count(bylaws); i++) {
        buffer_put(&bytes, bylaws_line(bylaws, i));
        buffer_put_byte(&bytes, '\n');
    }
    buffer_printf(&bytes, "end %zu\n", bylaws_count(bylaws));
    bool good = write_file(fresh, buffer_text(&bytes)) && rename(fresh, path) == 0 &&
                sync_folder(text_of(path));
    if (!good)
        fault_set(fault, "%s: %s", path, strerror(errno));
    buffer_close(&bytes);
    arena_close(&arena);
    return good;
}
