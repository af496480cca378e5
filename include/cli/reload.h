/*
 * Reload: the configuration file is read again while purser runs.
 *
 * The main thread loads and checks the file exactly as at the start. A file with an error changes
 * nothing. Otherwise budgets change at once, each worker adopts the new terms for what begins from
 * then on, and when all have, those who asked are answered. What no reload changes keeps its value
 * and is named in a warning.
 */
#ifndef PURSER_CLI_RELOAD_H
#define PURSER_CLI_RELOAD_H

#include "budget/bylaws.h"
#include "cli/house.h"
#include "pipeline/worker.h"

struct handover; /* new terms on their way to all workers */

/* `path`: of the file, NULL if purser runs without one. Takes the ringers (bell.h), who are
 * answered at the end; none: a signal asked. NULL: nothing changes, and all is said. */
struct handover *reload_begin(struct estate *estate, const char *path, size_t workers,
                              struct ringer *ringers);

/* Puts amended terms (draft_amend) in force, which are taken; the ringers hear `answer`. To be
 * followed by reload_enact. */
struct handover *reload_amended(struct estate *estate, struct terms *fresh, size_t workers,
                                struct ringer *ringers, struct text answer);

/* What of that was made at run time the terms in force have; NULL: all. What they have not is
 * logged, if it is something else than it was: `findings` (may be NULL) say why. */
void reload_enact(struct estate *estate, const struct bylaws *held,
                  const struct findings *findings);

/* The letter that one worker gets, and what that worker does with it (takes the letter). */
#define RELOAD_LETTER 102
struct letter *reload_letter(struct handover *handover);
void reload_adopt(struct worker *worker, struct letter *letter);

#endif
