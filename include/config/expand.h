/*
 * ${NAME} and ${NAME:-default} in values, taken from the environment.
 */
#ifndef PURSER_CONFIG_EXPAND_H
#define PURSER_CONFIG_EXPAND_H

#include "base/arena.h"
#include "base/fault.h"
#include "config/config.h"

/* `written` with every reference replaced, in the arena. A variable that is not set and has no
 * default is a fault, and so are control characters in the result (a line break at the end of a
 * key would end a header). A set but empty variable counts as unset where a default is written.
 * What is put in is not looked at again. The fault never shows a variable's content. */
MUST_USE bool expand_text(struct arena *arena, config_env *env, struct text written,
                          struct text *expanded, struct fault *fault);

/* True if the value has a control character (of ASCII), a line break for one. */
bool expand_has_control(struct text value);

#endif
