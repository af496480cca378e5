/*
 * Builds the house from a configuration, and takes it down: the one place where all modules meet.
 */
#ifndef PURSER_CLI_HOUSE_H
#define PURSER_CLI_HOUSE_H

#include "budget/ceilings.h"
#include "budget/vault.h"
#include "cli/draft.h"
#include "pipeline/house.h"

/* A house and what it stands on; freed together. */
struct estate {
    struct house house;
    struct arena arena;
    struct terms *founding;         /* those of the start */
    const struct config *config;    /* theirs: what no reload changes is what it says */
    struct terms *terms;            /* in force */
    const struct open_object *open; /* whose holds were open at the start */
    size_t open_count;
    struct table pledged;      /* their calls */
    struct ceilings *ceilings; /* ceilings.db; the registrar's while there is one */
    struct vault *vault;       /* likewise; the treasury's while there is one */
    struct lessor *lessor;     /* the treasury's; NULL: budgets are not shared */
    struct lessor *rationer;   /* the warden's; NULL: rate limits are not shared */
    struct council *council;   /* borrowed: what was made at run time */
    struct buffer misfits;     /* what of it is not in force, as it was logged last */
    bool stuck;                /* it could not be put in force at all, and that was logged */
    bool ledger_whole;         /* the start found lines in it */
};

/* Opens ceilings, ledger (with replay), budgets (recovery.h) and clerk, in this order; takes a
 * reference to the terms, which draft_load made. False: nothing is left open. */
MUST_USE bool estate_open(struct estate *estate, struct terms *terms, struct fault *fault);

/* What the process before had promised to settle goes on with this worker, before any of them
 * runs. */
void estate_resume(struct estate *estate, struct worker *worker);

/* What a configuration says of budgets, with what no reload changes. */
struct core_options estate_budgets(const struct estate *estate, const struct config *config);

/* Ends clerk, registrar, treasury and warden, who post to the workers' mailboxes: between their
 * leaving the loops and their being closed. */
void estate_dismiss_writers(struct estate *estate);
void estate_close(struct estate *estate); /* all workers are closed before */

#endif
