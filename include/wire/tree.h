/*
 * An answer of choices as a tree, whichever shape it came in: what src/wire/reshape.c reads both
 * shapes into, and writes both from. For src/wire only.
 *
 * A whole answer is read once, chunks of a stream one after the other into the same tree. What
 * grows is joined without a look inside (the inside of a JSON string behind that of another is the
 * inside of a JSON string), so the tree points into what was read.
 */
#ifndef PURSER_WIRE_TREE_H
#define PURSER_WIRE_TREE_H

#include "wire/body.h"

#define TREE_MOST_MEMBERS 64 /* of an object: more are not understood */
#define TREE_MOST_INDEX   4096

enum tree_kind {
    TREE_NULL,
    TREE_RAW,     /* a number, true, false; an object that nobody looks into: the last one seen */
    TREE_TEXT,    /* the raw insides of strings */
    TREE_LIST,    /* the raw insides of arrays */
    TREE_OBJECT,  /* children are members, in the order they came in */
    TREE_INDEXED, /* children are objects, in the order of their index: choices, tool calls */
};

struct tree_piece {
    struct text raw;
    struct tree_piece *next;
};

struct tree {
    enum tree_kind kind;
    struct text name; /* of a member, unescaped */
    int64_t index;    /* in a TREE_INDEXED */
    struct text raw;  /* TREE_RAW */
    struct tree_piece *first, *last;
    struct tree *children, *next;
    size_t count;     /* of children */
    uint64_t reading; /* an object that is being read: which reading it is */
    uint64_t seen;    /* a member: in which reading of its object it came last */
};

struct tree_reader {
    enum endpoint endpoint; /* chat or completions */
    bool events;            /* chunks of a stream */
    struct arena *arena;
    uint64_t readings;
};

/* Reads a whole answer or a chunk into `answer` (zero-initialised at first). False if it is not
 * understood: an error, members standing twice, kinds that do not go together. */
MUST_USE bool tree_read(struct tree_reader *reader, struct tree *answer, struct json_value value);

/* NULL if there is no such member. */
struct tree *tree_member(const struct tree *object, struct text name);

/* The value as JSON; for TREE_INDEXED the members of its objects without an index. */
void tree_put(struct buffer *out, const struct tree *node);
void tree_put_member(struct buffer *out, const struct tree *member);

#endif
