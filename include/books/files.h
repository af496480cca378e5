/*
 * The ledger's files by name: <YYYY-MM-DD>.<node>.<nnnn>.jsonl. Numbers count a day's files from 1,
 * whatever node wrote them, so day and number put all files of a directory in order.
 */
#ifndef PURSER_BOOKS_FILES_H
#define PURSER_BOOKS_FILES_H

#include "base/fault.h"
#include "base/text.h"

#define FILES_NODE_MOST 64

struct ledger_file {
    int64_t day; /* since 1970-01-01 UTC */
    int64_t number;
    char name[128];
};

/* The name for a file; of the node the first FILES_NODE_MOST bytes, anything but ASCII letters,
 * digits, '-' and '_' replaced by '_'. */
struct ledger_file files_make(int64_t day, struct text node, int64_t number);

/* False if it is no name of ours. */
MUST_USE bool files_parse(struct text name, struct ledger_file *file);

/* <0, 0, >0 as `a` comes before, is, or comes after `b`. */
int files_compare(const struct ledger_file *a, const struct ledger_file *b);

/* True if both were written by the same node. */
bool files_same_node(const struct ledger_file *a, const struct ledger_file *b);

struct ledger_files {
    struct ledger_file *at; /* in order */
    size_t count;
};

/* All files of a directory; other names are passed over. */
MUST_USE bool files_list(int dir_fd, struct ledger_files *files, struct fault *fault);
void files_free(struct ledger_files *files);

#endif
