/*
 * The names of the ledger's files, and what lies in its directory.
 */
#include "books/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"

#define SUFFIX TEXT(".jsonl")

enum { DAY_SIZE = 10, NUMBER_MOST = 9 };

static bool is_plain(char byte)
{
    return (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z') ||
           byte == '-' || byte == '_';
}

struct ledger_file files_make(int64_t day, struct text node, int64_t number)
{
    char plain[FILES_NODE_MOST + 1] = "node";
    for (size_t i = 0; i < node.size && i < FILES_NODE_MOST; i++) {
        plain[i] = is_plain(node.at[i]) ? node.at[i] : '_';
        plain[i + 1] = '\0';
    }
    int64_t year = 0;
    int month = 0;
    int month_day = 0;
    clock_civil_from_days(day, &year, &month, &month_day);
    struct ledger_file file = {.day = day, .number = number};
    int size = snprintf(file.name, sizeof(file.name), "%04d-%02d-%02d.%s.%04lld.jsonl", (int)year,
                        month, month_day, plain, (long long)number);
    ASSERT(size > 0);
    ASSERT((size_t)size < sizeof(file.name));
    return file;
}

/* The parts of a name without its suffix: day, node, number. */
static bool take_apart(struct text stem, struct text *day, struct text *node, struct text *number)
{
    size_t dot = stem.size;
    while (dot > 0 && stem.at[dot - 1] != '.')
        dot--;
    if (dot < DAY_SIZE + 3 || stem.at[DAY_SIZE] != '.')
        return false;
    *day = text_slice(stem, 0, DAY_SIZE);
    *node = text_slice(stem, DAY_SIZE + 1, dot - 1);
    *number = text_from(stem, dot);
    return true;
}

bool files_parse(struct text name, struct ledger_file *file)
{
    struct ledger_file read = {0};
    if (!text_ends(name, SUFFIX) || name.size >= sizeof(read.name))
        return false;
    struct text day;
    struct text node;
    struct text number;
    int64_t day_us = 0;
    if (!take_apart(text_slice(name, 0, name.size - SUFFIX.size), &day, &node, &number) ||
        !clock_parse(day, &day_us) || number.size > NUMBER_MOST ||
        !text_to_int(number, &read.number) || read.number < 0)
        return false;
    read.day = day_us / INT64_C(86400000000);
    memcpy(read.name, name.at, name.size);
    *file = read;
    return true;
}

int files_compare(const struct ledger_file *a, const struct ledger_file *b)
{
    if (a->day != b->day)
        return a->day < b->day ? -1 : 1;
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    return strcmp(a->name, b->name);
}

bool files_same_node(const struct ledger_file *a, const struct ledger_file *b)
{
    size_t suffix = SUFFIX.size;
    struct text day;
    struct text number;
    struct text node_a;
    struct text node_b;
    struct text stem_a = text_of(a->name);
    struct text stem_b = text_of(b->name);
    stem_a.size -= suffix;
    stem_b.size -= suffix;
    return take_apart(stem_a, &day, &node_a, &number) &&
           take_apart(stem_b, &day, &node_b, &number) && text_equal(node_a, node_b);
}

/* ---- a directory ---- */

static int compare_for_sort(const void *a, const void *b)
{
    return files_compare(a, b);
}

static void add_file(struct ledger_files *files, size_t *room, const struct ledger_file *file)
{
    if (files->count == *room) {
        *room = *room == 0 ? 16 : 2 * *room;
        files->at = memory_resize(files->at, *room * sizeof(*files->at));
    }
    files->at[files->count++] = *file;
}

bool files_list(int dir_fd, struct ledger_files *files, struct fault *fault)
{
    /* A descriptor of its own: readdir moves the position, which duplicates would share. */
    int own_fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = own_fd < 0 ? NULL : fdopendir(own_fd);
    if (dir == NULL) {
        fault_set(fault, "the ledger's directory cannot be listed: %s", strerror(errno));
        if (own_fd >= 0)
            close(own_fd);
        return false;
    }
    struct ledger_files found = {0};
    size_t room = 0;
    struct dirent *item = NULL;
    while ((item = readdir(dir)) != NULL) {
        struct ledger_file file;
        if (files_parse(text_of(item->d_name), &file))
            add_file(&found, &room, &file);
    }
    closedir(dir);
    if (found.count > 1)
        qsort(found.at, found.count, sizeof(*found.at), compare_for_sort);
    *files = found;
    return true;
}

void files_free(struct ledger_files *files)
{
    free(files->at);
    *files = (struct ledger_files){0};
}
