/*
 * The reader: walks a YAML document by a table of options and keeps what it finds.
 *
 * The walk is led by the table, not by the document, so it ends however the document's aliases
 * refer to each other; what they multiply is counted and refused beyond READER_MOST_NODES. All
 * faults of a document are reported in one pass.
 */
#ifndef PURSER_CONFIG_READER_H
#define PURSER_CONFIG_READER_H

#include <yaml.h>

#include "base/table.h"
#include "config/config.h"
#include "config/option.h"

#define READER_MOST_NODES 1000000
/* Names that are compared to find out what was meant; then nothing more is suggested. */
#define READER_MOST_COMPARED 10000

/* Where the walk is, for findings: "budgets[2].usd". */
struct reader_place {
    const struct reader_place *outer;
    const char *name;
    size_t index;
    bool has_index;
};

/* A list of the document, and what was put behind the file's own entries (amend.h). */
struct reader_list {
    const char *name;          /* NULL before amend_document */
    const char *id;            /* the option that names an entry */
    int node;                  /* 0: not looked for */
    size_t own;                /* entries of the file */
    struct table entries;      /* by name: their nodes; while amending */
    struct config_texts added; /* their names */
};

/* What the keys' entries name, for checks of many ids; filled when the first one is checked. */
struct reader_ids {
    bool filled;
    struct table of[SCOPE_COUNT]; /* of the scopes key, user and team: a key that has the id */
    bool any_user;                /* some key's caller may name any user, */
    bool any_service;             /* or any service */
};

struct reader {
    yaml_document_t *document;
    int own_nodes; /* of the file; what is above was added */
    struct reader_list keys, budgets;
    struct config *config; /* its arena takes what is kept */
    config_env *env;
    struct findings *findings;
    bool has_lines; /* false: the document is our own and its lines mean nothing to the user */
    const struct reader_place *place;
    size_t nodes;       /* looked at so far */
    size_t comparisons; /* that may still be made (suggest.h) */
    struct reader_ids ids;
};

/* Reads the whole document into the (zeroed) config, defaults included. */
void reader_read(struct reader *reader, const struct option_table *table);

/* Two equal names in one mapping, anywhere in the document, are errors. */
void reader_check_duplicates(struct reader *reader);

/* A finding at a line of the document; the message stands as it is. */
void reader_report(struct reader *reader, enum finding_kind kind, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* An error about a value: "<place>: <message> (it is "<written>")", the value left out where the
 * option is secret. */
void reader_refuse(struct reader *reader, const struct option *option, const struct scalar *scalar,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));

/* For checks after the walk: the line of `option` in the entry `index` of the top-level list
 * `list` (or in the section `list`); of the entry if the option was not written; of the list if
 * there is no such entry; 0 if nothing of it was written. `option` may be NULL. */
int reader_line(const struct reader *reader, const char *list, size_t index, const char *option);
/* True if an error is reported for that line: what is wrong there need not be said twice. */
bool reader_has_error(const struct reader *reader, int line);
/* True if that option was written. */
bool reader_wrote(const struct reader *reader, const char *list, size_t index, const char *option);

#endif
