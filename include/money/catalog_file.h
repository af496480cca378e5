/*
 * Reading a price file into records: purser's own format (config/generate/README.md) or per-token
 * prices (money/catalog_foreign.h). Used by the catalog alone.
 */
#ifndef PURSER_MONEY_CATALOG_FILE_H
#define PURSER_MONEY_CATALOG_FILE_H

#include "base/arena.h"
#include "base/json.h"
#include "money/catalog.h"

#define CATALOG_FILE_MOST    67108864 /* bytes; a larger file is refused */
#define CATALOG_NAME_MOST    256      /* bytes of a model's or provider's name; not empty */
#define CATALOG_PERIODS_MOST 16       /* records of one name in a file, each for another time */

struct catalog_record {
    struct model model; /* without a source */
    const struct text *aliases;
    size_t alias_count;
    const struct catalog_record *earlier; /* in the file: the same model at another time */
};

struct catalog_records {
    const struct catalog_record *at;
    size_t count;
    struct text note; /* what was left out and why; empty: nothing */
};

/* Reads all records of the file into the arena. The fault names the file and the record. */
MUST_USE bool catalog_file_read(const char *path, struct arena *arena,
                                struct catalog_records *records, struct fault *fault);

/* The same from the file's text; what catalog_file_read calls, and the fuzzer. */
MUST_USE bool catalog_file_parse(struct text json, struct arena *arena,
                                 struct catalog_records *records, struct fault *fault);

/* ---- what both formats share ---- */

/* Has it 1 to CATALOG_NAME_MOST bytes, none of them a control character? Names go to terminals. */
bool catalog_is_name(struct text name);
#define CATALOG_NAME_RULE "a name is a text of 1 to 256 bytes without control characters"

/* How many members an object has, or elements an array. */
size_t catalog_count(struct json_value whole);

#define RATE_UNSET (-1)

/* Buckets that are RATE_UNSET get their parent's rate (money/price.h); input and output are set. */
void catalog_fill_rates(struct rates *rates);

#endif
