/*
 * Motions: what becomes of a petition for a key or a budget made at run time (gear/bell.h). A
 * motion says what would change, if it may, and what is to be answered; nothing is done here.
 */
#ifndef PURSER_CLI_MOTION_H
#define PURSER_CLI_MOTION_H

#include "budget/bylaws.h"
#include "config/config.h"
#include "gear/bell.h"

#define MOTION_MOST 3 /* changes at once */

struct motion {
    struct bylaw changes[MOTION_MOST];
    size_t count;         /* none: it was a question, and `answer` is its answer */
    struct text about;    /* the id or name that it is about */
    struct buffer answer; /* JSON; where something changes without its end: warnings, '}' */
    struct arena arena;   /* of all texts */
};

/* BELL_DONE, or why not, in the answer. What a body says is checked by the configuration later.
 * `config` is in force, with `bylaws`. */
enum bell_result motion_make(struct motion *motion, const struct petition *petition,
                             const struct config *config, const struct bylaws *bylaws);
void motion_close(struct motion *motion);

/* All keys, all budgets, as JSON; of those made at run time with what only bylaws know. */
void motion_list_keys(struct buffer *out, const struct config *config, const struct bylaws *bylaws);
void motion_list_budgets(struct buffer *out, const struct config *config,
                         const struct bylaws *bylaws);

#endif
