/*
 * The price catalog: which model costs what and how much it may take and give.
 *
 * Filled once from files (config/prices.json) and the operator's own models, later ones win, then
 * sealed and read by all threads without a lock. The format of the file is described by
 * config/generate/README.md.
 */
#ifndef PURSER_MONEY_CATALOG_H
#define PURSER_MONEY_CATALOG_H

#include "base/fault.h"
#include "money/price.h"

enum model_kind { MODEL_CHAT, MODEL_EMBEDDING, MODEL_OTHER };

struct model {
    struct text provider; /* "openai"; empty: any provider */
    struct text name;     /* the canonical name, under which it is booked */
    enum model_kind kind;
    struct price price;
    int64_t max_input_tokens;  /* of one prompt; 0: unknown */
    int64_t max_output_tokens; /* 0: unknown */
    bool reasoning;            /* may think before its first visible token */
};

struct catalog;

struct catalog *catalog_open(void);
void catalog_close(struct catalog *catalog);

/* Adds a file's records. A record that cannot be understood (negative or absurd prices, missing
 * members) fails the whole file with its name and what is wrong; nothing of it is added. */
MUST_USE bool catalog_load(struct catalog *catalog, const char *path, struct fault *fault);
/* The same from the file's bytes. */
MUST_USE bool catalog_load_text(struct catalog *catalog, struct text json, struct fault *fault);

/* Adds or replaces one model (the same provider and name); everything is copied. `aliases` are
 * further names for it; a replaced model keeps those it had. A name taken before by another model
 * of the provider now leads here. */
void catalog_add(struct catalog *catalog, const struct model *model, const struct text *aliases,
                 size_t alias_count);

/* No more additions; computes the version. */
void catalog_seal(struct catalog *catalog);

/* By name or alias, exact, of that provider, else of any ("" provider) record; NULL if not priced.
 * `provider` empty: the "" provider's, else the first record of that name of any provider. */
const struct model *catalog_find(const struct catalog *catalog, struct text provider,
                                 struct text name);

/* All models, in the order of their names: start with *at = 0; NULL at the end. */
const struct model *catalog_next(const struct catalog *catalog, size_t *at);

/* 16 hex digits of the SHA-256 over the sealed content: the same content, the same version. */
struct text catalog_version(const struct catalog *catalog);

#endif
