/*
 * Fitting: what was made at run time, put into terms. All of it, or, where the file contradicts
 * some of it, all the rest: a key that was deleted must not go on, nor what is made now be refused,
 * because of a budget elsewhere. Where they contradict each other the file holds. For the main
 * thread.
 */
#ifndef PURSER_CLI_FITTING_H
#define PURSER_CLI_FITTING_H

#include "budget/bylaws.h"
#include "cli/draft.h"

/* The terms with these bylaws; NULL, and findings, if they do not fit. `terms` stay the caller's.
 */
MUST_USE struct terms *fitting_amend(struct terms *terms, const struct bylaws *bylaws,
                                     struct findings *findings);

/* The terms with all of them, or with the `first` and as many of the others as fit beside these:
 * `*held` (to be closed). The findings say what of all does not fit. NULL if not even the first do:
 * then the findings are theirs. */
MUST_USE struct terms *fitting_most(struct terms *terms, const struct bylaws *all,
                                    const struct bylaws *first, struct bylaws **held,
                                    struct findings *findings);

#endif
