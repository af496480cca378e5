/*
 * The council: has the bylaws (budget/bylaws.h), on disk in data_dir/bylaws.jsonl and, where
 * instances share a Redis, there; looks there for those of other instances. For the main thread,
 * which may wait.
 *
 * The file is the instance's own copy: with a Redis it is what is in force while that is away. An
 * instance that has neither a copy nor an answer does not know what it would have to cap: `unread`.
 */
#ifndef PURSER_CLI_COUNCIL_H
#define PURSER_CLI_COUNCIL_H

#include "budget/bylaws_store.h"
#include "config/config.h"

struct council;

/* Reads the file, and looks into the store. NULL: the file is damaged, or there can be none. */
MUST_USE struct council *council_open(const struct config *config, struct fault *fault);
void council_close(struct council *council); /* NULL-safe */

const struct bylaws *council_bylaws(const struct council *council);
bool council_unread(const struct council *council);

/* Those that are in force: all of them, unless some do not fit to this instance's file. */
const struct bylaws *council_in_force(const struct council *council);
/* These are in force from now on; NULL: all of them. Copied. */
void council_enact(struct council *council, const struct bylaws *bylaws);
/* How many are not in force, and which: 'key "bob", budget "cap"'. */
size_t council_misfits(const struct council *council, struct buffer *names);
bool council_is_split(const struct council *council); /* some are not */

/* Milliseconds until the next look; -1: there is nowhere to look. */
int council_wait_ms(const struct council *council);
/* Looks, if it is time; true: the bylaws have changed. What goes wrong is logged once. */
bool council_look(struct council *council);
/* The next look says that they have changed, though nobody has: they are not in force yet. */
void council_look_again(struct council *council);

/* Keeps changes in the store and on disk; `after` is the bylaws with them, and taken if that is
 * BYLAWS_PUT. Overruled: somebody else has changed one of them since the last look; those before it
 * are kept. Otherwise nobody knows whether some are. The next look, at once, shows it. */
MUST_USE enum bylaws_put council_decide(struct council *council, struct bylaws *after,
                                        const struct bylaw *changes, size_t count,
                                        struct fault *fault);

/* What is in force of bylaws, for a configuration; in the arena, pointing into the bylaws. */
struct config_amendments council_amendments(const struct bylaws *bylaws, struct arena *arena);

#endif
