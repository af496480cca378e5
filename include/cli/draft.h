/*
 * Drafts terms from a configuration: at the start, and again for each reload.
 */
#ifndef PURSER_CLI_DRAFT_H
#define PURSER_CLI_DRAFT_H

#include "config/config.h"
#include "pipeline/terms.h"

/* Reads and checks a file (NULL: the environment alone) for a command that needs no terms. All
 * findings are collected; NULL if any is an error. */
MUST_USE struct config *draft_read(const char *path, struct findings *findings);

/* The catalog that a configuration asks for: the built-in prices or its files, and its own models;
 * sealed. NULL, and a finding, if one of them is wrong. */
MUST_USE struct catalog *draft_catalog(const struct config *config, struct findings *findings);

/* The terms of a configuration, which is borrowed and outlives them; takes the catalog. */
struct terms *draft_terms(const struct config *config, struct catalog *catalog);

/* Loads and checks a file (NULL: the configuration without one) with what was made at run time
 * (NULL: nothing), its catalog, and both together.
 * All findings are collected; NULL if any is an error. The terms own the configuration. */
MUST_USE struct terms *draft_load(const char *path, const struct config_amendments *amendments,
                                  struct findings *findings);

/* The same terms with the same prices, but for what was made at run time, which is `amendments`
 * now; nothing is read again. `in_force` are terms that draft_load or this made. */
MUST_USE struct terms *draft_amend(struct terms *in_force,
                                   const struct config_amendments *amendments,
                                   struct findings *findings);

/* What a configuration says of maxima that are too large. */
enum clamp draft_clamp(const struct config *config);

/* The configuration of terms that draft_load made. */
const struct config *draft_config(const struct terms *terms);

#endif
