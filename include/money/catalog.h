/*
 * The price catalog: which model costs what and how much it may take and give.
 *
 * Filled once from files (config/prices.json) and the operator's own models, later ones win, then
 * sealed and read by all threads without a lock. Files are in purser's own format, described by
 * config/generate/README.md, or in that of model_prices_and_context_window.json (per-token prices,
 * money/catalog_foreign.h); which one it is shows in the file.
 *
 * A record may hold for a time only: of those of one name, the one added last among those in force
 * applies.
 */
#ifndef PURSER_MONEY_CATALOG_H
#define PURSER_MONEY_CATALOG_H

#include "base/fault.h"
#include "money/price.h"

enum model_kind { MODEL_CHAT, MODEL_EMBEDDING, MODEL_OTHER };

#define MODEL_FOREVER INT64_MAX

struct model {
    struct text provider; /* "openai"; empty: any provider */
    struct text name;     /* the canonical name, under which it is booked */
    enum model_kind kind;
    struct price price;
    int64_t max_input_tokens;  /* of one prompt; 0: unknown */
    int64_t max_output_tokens; /* 0: unknown */
    bool reasoning;            /* may think before its first visible token */
    int64_t from_s, until_s;   /* UTC seconds in which it is in force, [from, until); until 0:
                                  MODEL_FOREVER */
    struct text source;        /* the file it comes from, for people */
    /* Set by the catalog. */
    struct model *below; /* the record that this one covers while it is in force */
    size_t number;       /* of the record, once sealed: 0 ... */
};

struct catalog;

struct catalog *catalog_open(void);
void catalog_close(struct catalog *catalog);

/* Adds a file's records. A record that cannot be understood (negative or absurd prices, missing
 * members, a name that stands twice) fails the whole file with its name and what is wrong; nothing
 * of it is added. Records that tokens alone do not price are left out, and a note says so. */
MUST_USE bool catalog_load(struct catalog *catalog, const char *path, struct fault *fault);
/* The same from the file's bytes; `source` is what its records say they come from. */
MUST_USE bool catalog_load_text(struct catalog *catalog, struct text source, struct text json,
                                struct fault *fault);

/* Adds one model; everything is copied. It replaces what is there under the same provider and name,
 * or covers it while it is in force. `aliases` are further names for it; it keeps those it had. A
 * name taken before by another model of the provider now leads here. */
void catalog_add(struct catalog *catalog, const struct model *model, const struct text *aliases,
                 size_t alias_count);

/* What models without a price are priced as: a model under this provider and name. */
#define CATALOG_STAND_IN_PROVIDER TEXT("unpriced")
#define CATALOG_STAND_IN_NAME     TEXT("(unpriced)")

/* Makes the stand-in: with the prices of the operator's model of that name, else of the
 * dearest one of any provider, its limits unknown. False if there is none. */
MUST_USE bool catalog_add_stand_in(struct catalog *catalog, struct text name);

/* No more additions; computes the version. */
void catalog_seal(struct catalog *catalog);

/* By name or alias, exact, of that provider, else of any ("" provider) record, in force at the time
 * (UTC seconds); NULL if not priced. `provider` empty: the "" provider's, else the dearest record
 * of that name of any provider (a cheaper one would be a guess at somebody's expense). */
const struct model *catalog_find(const struct catalog *catalog, struct text provider,
                                 struct text name, int64_t when_s);

/* The name without the date of a snapshot at its end: "gpt-4o-2026-01-01", "-20260101" or "-0101"
 * gives "gpt-4o". TEXT_NONE if it does not end in a date. A snapshot that no record names may be
 * priced as its family: providers price them alike, with few exceptions. */
struct text catalog_family(struct text name);

/* What a fine-tuned model's price is listed under: of "ft:gpt-4o-mini-2024-07-18:org::id" it is
 * "ft:gpt-4o-mini-2024-07-18". TEXT_NONE of any other name. */
struct text catalog_tuned(struct text name);

/* True once for each record: for what is to be said once. Any thread. */
bool catalog_first_time(const struct catalog *catalog, const struct model *model);

/* All records, in the order of their names, whether in force now or not: start with *at = 0; NULL
 * at the end. */
const struct model *catalog_next(const struct catalog *catalog, size_t *at);

/* What was left out of the files and why, a sentence for each file: start with *at = 0; TEXT_NONE
 * at the end. */
struct text catalog_next_note(const struct catalog *catalog, size_t *at);

/* 16 hex digits of the SHA-256 over the sealed content: the same content, the same version. */
struct text catalog_version(const struct catalog *catalog);

#endif
