/*
 * Builds the house from a configuration, and takes it down: the one place where all modules meet.
 */
#ifndef PURSER_CLI_HOUSE_H
#define PURSER_CLI_HOUSE_H

#include "config/config.h"
#include "pipeline/house.h"

/* A house and what it stands on; freed together. */
struct estate {
    struct house house;
    struct arena arena;
    const struct config *config;
    struct catalog *catalog;
    struct budget *budgets;
};

/* The catalog that a configuration asks for: the built-in prices or its files, and its own models;
 * sealed. NULL with a fault. */
MUST_USE struct catalog *estate_catalog(const struct config *config, struct fault *fault);

/* Opens ledger (with replay), budgets and clerk, in this order. `config` and `catalog` are borrowed
 * and outlive it. False: nothing is left open. */
MUST_USE bool estate_open(struct estate *estate, const struct config *config,
                          struct catalog *catalog, struct fault *fault);
/* The upstreams and the catalog alone: enough for route_price, and nothing is written. */
void estate_open_routes(struct estate *estate, const struct config *config,
                        struct catalog *catalog);
void estate_close_routes(struct estate *estate);

/* Ends the clerk, who posts to the workers' mailboxes: between their leaving the loops and their
 * being closed. */
void estate_dismiss_clerk(struct estate *estate);
void estate_close(struct estate *estate); /* all workers are closed before */

#endif
