/*
 * ceilings.db: what purser must not forget and no ledger line says. Here it is one table: which
 * key owns an object that was made through purser at an upstream (a stored response, a file, a
 * batch), so that others get 404 and lists are filtered; and what else is noted of it: above all
 * which hold stays open until the object (a batch, a background response) tells what it used.
 *
 * SQLite in WAL mode with synchronous=FULL: what a function reports as noted is on disk, which
 * costs about a millisecond. Ceilings are in the same file (vault.h). So one that is damaged, of a
 * later version or not purser's is never moved aside or made anew by itself: opening it fails, and
 * the start with it, until an operator has decided. Budgets alone could be rebuilt from the ledger;
 * but whose objects are whose could not, and if the machine has lost its power, too, lines that
 * only the ceilings vouch for would be forgotten. Each component of the file has a schema version
 * of its own (the table `component`), so that one can change without the others.
 *
 * Not thread-safe. A failure leaves the file as it was; the next call may succeed. All texts are
 * bytes of any kind and stay the caller's.
 */
#ifndef PURSER_BUDGET_CEILINGS_H
#define PURSER_BUDGET_CEILINGS_H

#include "base/arena.h"
#include "base/fault.h"

/* Bytes of an object's id, its upstream's name, and its key. Nothing longer can be owned. */
#define CEILINGS_TEXT_MOST 16384
/* Rows of a page, and objects that one call drops. */
#define CEILINGS_PAGE_MOST 1000
#define CEILINGS_DROP_MOST 10000
/* Bytes of a note. */
#define CEILINGS_NOTE_MOST 65536

struct ceilings;

/* Made (0600) if missing, in a folder that exists. NULL with what to do. */
MUST_USE struct ceilings *ceilings_open(const char *path, struct fault *fault);
void ceilings_close(struct ceilings *ceilings); /* leaves one file; NULL-safe */

enum object_kind {
    OBJECT_RESPONSE,
    OBJECT_FILE,
    OBJECT_BATCH,
    OBJECT_ITEM, /* of a response's output */
    OBJECT_KIND_COUNT
};

/* What names an object: ids are unique within their kind and upstream. */
struct object {
    enum object_kind kind;
    struct text upstream; /* its name in the configuration */
    struct text id;       /* as the upstream gave it */
};

enum claim {
    CLAIM_NOTED,   /* the key owns it; or did so already, and nothing has changed */
    CLAIM_FOREIGN, /* another key owns it, and goes on doing so */
    CLAIM_FAILED,  /* with a fault; also for an empty or overlong text */
};

/* Notes that the key owns the object, made at `made_s` (UTC seconds). */
enum claim ceilings_claim(struct ceilings *ceilings, const struct object *object, struct text key,
                          int64_t made_s, struct fault *fault);

/* What is noted of an object beside its owner. */
struct object_notes {
    struct text about; /* how its upstream shows it (JSON), for lists */
    struct text facts; /* purser's own */
    struct text call;  /* of the open hold that is settled by what the object will tell */
};

/* Replaces what is noted of an object that somebody owns; what is TEXT_NONE stays as it is. An
 * object that nobody owns is left so. Texts over CEILINGS_NOTE_MOST bytes fail. */
MUST_USE bool ceilings_note(struct ceilings *ceilings, const struct object *object,
                            const struct object_notes *notes, struct fault *fault);

enum owner { OWNER_KNOWN, OWNER_NOBODY, OWNER_FAILED };

/* All that is known of an object. */
struct owned {
    struct text upstream, key;
    int64_t made_s;
    struct object_notes notes; /* empty: nothing is noted */
};

/* Without an upstream: at any, the oldest of that id. The texts live in the arena. */
enum owner ceilings_look(struct ceilings *ceilings, const struct object *object,
                         struct arena *arena, struct owned *owned, struct fault *fault);

/* Who owns the object: `*key` is valid until the next call. */
enum owner ceilings_owner(struct ceilings *ceilings, const struct object *object, struct text *key,
                          struct fault *fault);

struct owned_object {
    struct text upstream, id;
    int64_t made_s;
    struct text about; /* as noted; not looked at in `after` */
};

struct objects_query {
    enum object_kind kind;
    struct text key;
    size_t most;         /* 1 to CEILINGS_PAGE_MOST */
    struct text purpose; /* only those whose `about` has it as `purpose`; empty: all */
    bool has_after;      /* only what stands behind `after`: the last row of the page before */
    struct owned_object after;
};

struct objects_page {
    const struct owned_object *rows; /* newest first; of one second, by upstream and id downwards */
    size_t count;
    bool more; /* at least one row follows */
};

/* The objects of a kind that a key owns, at all upstreams; rows and their texts live in the arena.
 */
MUST_USE bool ceilings_list(struct ceilings *ceilings, const struct objects_query *query,
                            struct arena *arena, struct objects_page *page, struct fault *fault);

/* The object belongs to nobody; that is no failure if it did before. */
MUST_USE bool ceilings_forget(struct ceilings *ceilings, const struct object *object,
                              struct fault *fault);

/* An object whose hold is open. */
struct open_object {
    struct object object;
    struct owned owned;
};

/* All of them, the oldest first; in the arena. */
MUST_USE bool ceilings_list_open(struct ceilings *ceilings, struct arena *arena,
                                 const struct open_object **rows, size_t *count,
                                 struct fault *fault);

/* Between these two all changes are one: on disk together, or not at all if ceilings_commit
 * fails. Questions see what was changed before them. */
MUST_USE bool ceilings_begin(struct ceilings *ceilings, struct fault *fault);
MUST_USE bool ceilings_commit(struct ceilings *ceilings, struct fault *fault);

/* Forgets objects of a kind made before `before_s`: at most CEILINGS_DROP_MOST of them, the oldest
 * first, and `*dropped` says how many; call again while it is as many. */
MUST_USE bool ceilings_drop_older(struct ceilings *ceilings, enum object_kind kind,
                                  int64_t before_s, size_t *dropped, struct fault *fault);

#endif
