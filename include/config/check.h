/*
 * Checks that look at more than one option, made while the document is still at hand.
 */
#ifndef PURSER_CONFIG_CHECK_H
#define PURSER_CONFIG_CHECK_H

#include "config/reader.h"

/* Who may call, from where: auth, listen, keys. */
void check_access(struct reader *reader);
/* The upstreams and the operator's own models. */
void check_upstreams(struct reader *reader);
/* Budgets that can match nothing, that are the same, that limit nothing. */
void check_budgets(struct reader *reader);
/* After all others, whose lines are told by their number: leaves out optional upstreams without a
 * key. Some must be left. */
void check_optional_upstreams(struct reader *reader);
/* Rate limits, likewise. */
void check_rates(struct reader *reader);
/* The store's TLS: what its files are for, and whether they can be read. */
void check_store(struct reader *reader);

/* ---- what budgets and rate limits have in common: a scope and matches ---- */

/* An entry of a list of the document: budgets[2]. */
struct check_entry {
    const char *list;
    size_t at;
};

/* Whether two match the same calls, whatever the order. */
bool check_same_match(const struct budget *a, const struct budget *b);

/* Report that nobody is what is named there, and return false then: an id or pattern of a scope;
 * all those of a `match`; and (without an answer) all of it together with the scope. A warning,
 * where keys may be made at run time (there is an admin_token, or a store that others share) and
 * one of them could be meant; otherwise an error. A session that is named with its key, as answers
 * show it, is a warning. */
bool check_id(struct reader *reader, const struct check_entry *entry, const char *option,
              enum scope scope, struct text id);
bool check_match_ids(struct reader *reader, const struct check_entry *entry,
                     const struct budget *who);
void check_one_key_fits(struct reader *reader, const struct check_entry *entry,
                        const struct budget *who);
/* After all checks: what they looked up. */
void check_close_ids(struct reader *reader);

#endif
