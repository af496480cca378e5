/*
 * What differs between two configurations, by the table of options. Values are compared as they
 * are, secrets included; only names come out.
 */
#ifndef PURSER_CONFIG_COMPARE_H
#define PURSER_CONFIG_COMPARE_H

#include "config/config.h"

/* The top-level options that differ in anything that a reload applies: "keys", "limits", ... The
 * list is in the arena. */
struct config_texts config_changed(const struct config *before, const struct config *after,
                                   struct arena *arena);

/* The options that differ and keep their value until a restart, with the names of their sections:
 * "listen", "limits.connections", ... */
struct config_texts config_not_applied(const struct config *in_force, const struct config *after,
                                       struct arena *arena);

#endif
