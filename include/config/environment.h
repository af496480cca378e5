/*
 * The configuration without a file, made of environment variables.
 */
#ifndef PURSER_CONFIG_ENVIRONMENT_H
#define PURSER_CONFIG_ENVIRONMENT_H

#include "config/config.h"

/* Appends the YAML that stands for the missing file: an open door on the loopback interface, the
 * upstream of OPENAI_API_KEY, a daily budget of PURSER_BUDGET_USD. What keeps that from being
 * useful is reported. */
void environment_put_yaml(struct buffer *out, config_env *env, struct findings *findings);

#endif
