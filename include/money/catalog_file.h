/*
 * Reading a price file (its format: config/generate/README.md) into records. Used by the catalog
 * alone.
 */
#ifndef PURSER_MONEY_CATALOG_FILE_H
#define PURSER_MONEY_CATALOG_FILE_H

#include "base/arena.h"
#include "money/catalog.h"

#define CATALOG_FILE_MOST 67108864 /* bytes; a larger file is refused */
#define CATALOG_NAME_MOST 256      /* bytes of a model's or provider's name; not empty */

struct catalog_record {
    struct model model;
    const struct text *aliases;
    size_t alias_count;
};

/* Reads all records of the file into the arena. The fault names the file and the record. */
MUST_USE bool catalog_file_read(const char *path, struct arena *arena,
                                const struct catalog_record **records, size_t *count,
                                struct fault *fault);

/* The same from the file's text; what catalog_file_read calls, and the fuzzer. */
MUST_USE bool catalog_file_parse(struct text json, struct arena *arena,
                                 const struct catalog_record **records, size_t *count,
                                 struct fault *fault);

#endif
