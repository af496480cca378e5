/*
 * The core's own copy of the budgets' definitions, so that the configuration which told them may
 * go. Part of the core (core.h); nobody else includes this.
 */
#ifndef PURSER_BUDGET_DEFINITIONS_H
#define PURSER_BUDGET_DEFINITIONS_H

#include "base/arena.h"
#include "base/table.h"
#include "money/limit.h"

/* The names of all budgets there ever were, each once. They stay, because grants and views refer to
 * them and outlive a set of definitions. Zero-initialised is empty and valid. */
struct names {
    struct table kept; /* by name: its copy */
};

void names_close(struct names *names);

struct definitions {
    struct budget *budgets;
    size_t count;
    struct arena arena; /* all they point to but their names and zones */
};

/* A deep copy; the budgets' names are among `names`, which must be closed later. */
void definitions_open(struct definitions *definitions, const struct budget *budgets, size_t count,
                      struct names *names);
void definitions_close(struct definitions *definitions);

#endif
