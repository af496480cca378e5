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

#endif
