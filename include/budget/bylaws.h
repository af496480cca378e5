/*
 * Bylaws: the keys, the budgets and the limits that were made at run time. Each is a record with a
 * version; of two records of one bylaw the one with the higher version holds, wherever it comes
 * from, and of equal versions the one whose line is greater. One that was taken back stays as a
 * record that says so. So sets may be merged in any order and any number of times, and end alike:
 * what a store has lost is put back by whoever still knows it, and nothing that was deleted comes
 * back.
 *
 * A line, as a file and a store keep it:
 *
 *     1763800000000 {"kind":"key","id":"bob","at":1763800000,"last4":"9f3c","body":{...}}
 *
 * version, then members; without `body` the bylaw was taken back. A key's body has its hash, never
 * the key itself.
 *
 * Not thread-safe.
 */
#ifndef PURSER_BUDGET_BYLAWS_H
#define PURSER_BUDGET_BYLAWS_H

#include "base/arena.h"
#include "base/fault.h"

enum bylaw_kind {
    BYLAW_KEY,    /* a caller's key */
    BYLAW_BUDGET, /* a budget */
    BYLAW_LIMITS, /* other limits for the budget of that name */
    BYLAW_KIND_COUNT
};

#define BYLAWS_MOST     20000 /* records, those that were taken back included */
#define BYLAW_LINE_MOST 262144
#define BYLAW_BODY_MOST 131072
#define BYLAW_ID_MOST   64
/* Doubles tell all whole numbers up to 2^53 apart. */
#define BYLAW_VERSION_MOST INT64_C(9007199254740991)

struct bylaw {
    enum bylaw_kind kind;
    struct text id;    /* of the key, name of the budget: 1 to BYLAW_ID_MOST bytes */
    int64_t version;   /* 1 to BYLAW_VERSION_MOST */
    int64_t at_s;      /* when it was made, changed or taken back */
    struct text last4; /* of the key, to tell it by; may be empty */
    struct text body;  /* a JSON object, its members as in a configuration; empty: taken back */
};

/* ---- lines ---- */

/* Without a line break. */
void bylaw_put_line(struct buffer *out, const struct bylaw *bylaw);
/* Its texts point into the line or the arena. False: it is none; the fault says why, and shows
 * nothing of it. */
MUST_USE bool bylaw_read_line(struct text line, struct arena *arena, struct bylaw *bylaw,
                              struct fault *fault);

/* ---- sets ---- */

struct bylaws;

struct bylaws *bylaws_open(void);
struct bylaws *bylaws_copy(const struct bylaws *bylaws);
void bylaws_close(struct bylaws *bylaws); /* NULL-safe */

/* NULL: there is no such record. */
const struct bylaw *bylaws_find(const struct bylaws *bylaws, enum bylaw_kind kind, struct text id);
/* This very one is among them, or one that goes before it. */
bool bylaws_has(const struct bylaws *bylaws, const struct bylaw *bylaw);
/* All records, by kind and id. */
size_t bylaws_count(const struct bylaws *bylaws);
const struct bylaw *bylaws_at(const struct bylaws *bylaws, size_t at);
struct text bylaws_line(const struct bylaws *bylaws, size_t at);

/* Another number after every change. */
uint64_t bylaws_changes(const struct bylaws *bylaws);

/* A version for a record made now: above all that are known, and no less than the time, so that
 * even who has lost all others makes none that is too low. BYLAW_VERSION_MOST where a record that
 * came from outside has that: there is none above it. */
int64_t bylaws_next_version(const struct bylaws *bylaws, int64_t now_ms);

enum bylaw_merge {
    BYLAW_TAKEN, /* it holds now */
    BYLAW_KNOWN, /* it is the very one that is held */
    BYLAW_OLDER, /* the one that is held goes before it */
    BYLAW_FULL,  /* there are BYLAWS_MOST others */
};
/* Copied. */
enum bylaw_merge bylaws_merge(struct bylaws *bylaws, const struct bylaw *bylaw);

/* ---- files ---- */

/* Merges what stands in the file, if there is one. False: it cannot be read or is damaged, and
 * nothing may be spent before somebody has looked at it: a budget may have stood there. */
MUST_USE bool bylaws_load(struct bylaws *bylaws, const char *path, struct fault *fault);
/* All of it or nothing, and on disk when this returns. */
MUST_USE bool bylaws_save(const struct bylaws *bylaws, const char *path, struct fault *fault);

#endif
