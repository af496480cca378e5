/*
 * The members of a ledger line: one table in the order in which they are written. Writing, reading
 * and copying all walk it, so that they cannot disagree. Of entry.c, entry_read.c and entry_copy.c
 * alone; everybody else includes books/entry.h.
 */
#ifndef PURSER_BOOKS_ENTRY_MEMBERS_H
#define PURSER_BOOKS_ENTRY_MEMBERS_H

#include "books/entry.h"

enum entry_form {
    FORM_STAMP,
    FORM_KIND,
    FORM_TEXT,        /* left out if empty */
    FORM_GIVEN_TEXT,  /* always there */
    FORM_COUNT,       /* int64_t, left out if zero */
    FORM_GIVEN_COUNT, /* int64_t, always there */
    FORM_SMALL,       /* int, left out if zero */
    FORM_MS,          /* int64_t, left out if -1 */
    FORM_TOTAL,       /* prompt + completion; derived, so not read */
    FORM_DOLLARS,     /* the cost; derived, so not read */
    FORM_COST,        /* nano-dollars; always there if the line books */
    FORM_HOLD,        /* nano-dollars; left out if zero */
    FORM_TAGS,
    FORM_SOURCE,
    FORM_CHARGES,
    FORM_SAVED, /* nano-dollars by cause; left out if there are none */
    FORM_NODE,  /* the writer's, no member of the entry */
};

struct entry_member {
    struct text label; /* with the comma before and the colon behind */
    enum entry_form form;
    size_t offset; /* in struct entry */
};

enum {
    ENTRY_MEMBER_COUNT = 39,
    ENTRY_GIVEN_COUNT = 8, /* the first ones: every line has them */
};

extern const struct entry_member entry_members[ENTRY_MEMBER_COUNT];

/* By enum entry_kind and enum usage_source. */
extern const struct text entry_kind_names[ENTRY_KIND_COUNT];
extern const struct text entry_source_names[USAGE_SOURCE_COUNT];

/* The place of a name in a list of names; `count` if it is not there. */
size_t entry_place_of(struct text name, const struct text *names, size_t count);

/* A line of that kind may book something. */
bool entry_books(const struct entry *entry);

/* True if any cause saved something. */
bool entry_saves(const struct entry *entry);

/* The field of an entry that a member stands for. */
static inline const void *entry_field_of(const struct entry *entry,
                                         const struct entry_member *member)
{
    return (const char *)entry + member->offset;
}

static inline void *entry_field_in(struct entry *entry, const struct entry_member *member)
{
    return (char *)entry + member->offset;
}

static inline bool entry_is_text(const struct entry_member *member)
{
    return member->form == FORM_TEXT || member->form == FORM_GIVEN_TEXT;
}

#endif
