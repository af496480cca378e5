/*
 * Going through JSON that json_parse accepted in one pass, however deep one looks: every byte is
 * passed once. (A json_walk passes a value once per level that is entered.)
 *
 *     skim_enter(&skim);                          at a container: now inside
 *     while (skim_member(&skim, &name)) ...       each value must be passed or entered and left
 *
 * Nothing is validated again.
 */
#ifndef PURSER_WIRE_SKIM_H
#define PURSER_WIRE_SKIM_H

#include "base/json.h"

struct skim {
    const char *at;
    const char *end;
};

struct skim skim_begin(struct json_value value); /* at the value */

/* The kind of the value that comes next. */
enum json_kind skim_peek(const struct skim *skim);

/* Passes the value that comes next, with all it contains. */
struct json_value skim_value(struct skim *skim);

/* Goes into the object or array that comes next. */
void skim_enter(struct skim *skim);

/* Inside an object: goes to the value of the next member, whose raw name it tells. Inside an
 * array: goes to the next element. False, and behind the closing bracket, if there is none. */
bool skim_member(struct skim *skim, struct text *name);
bool skim_element(struct skim *skim);

/* Counts the members of all objects called `name` within the value, at any depth. */
int64_t skim_count_members_of(struct json_value value, struct text name);

#endif
