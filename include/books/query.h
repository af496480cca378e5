/*
 * Questions to the books: what the clerk is asked, and what it answers.
 */
#ifndef PURSER_BOOKS_QUERY_H
#define PURSER_BOOKS_QUERY_H

#include "base/arena.h"
#include "base/mailbox.h"

/* What sums can be grouped by, in the order in which answers show them; all but the first three can
 * be filtered by too. Hours, days and months are UTC. */
enum books_group {
    GROUP_HOUR,
    GROUP_DAY,
    GROUP_MONTH,
    GROUP_MODEL,
    GROUP_UPSTREAM,
    GROUP_SERVICE,
    GROUP_KEY,
    GROUP_USER,
    GROUP_TEAM,
    GROUP_SESSION,
    GROUP_TAG,
    GROUP_ENDPOINT,
    GROUP_COUNT
};
#define GROUP_FIRST_FILTER GROUP_MODEL
#define GROUP_BIT(group)   (1u << (group))

struct text books_group_name(enum books_group group); /* "hour", "day", ... */

enum books_subject {
    BOOKS_SUMS,    /* GET /costs */
    BOOKS_REQUEST, /* GET /costs/{request_id} */
    BOOKS_RECENT,  /* GET /requests */
    BOOKS_BOOKING, /* was a cost with this idempotency key booked? */
};

/* What each question needs is named in brackets; the rest stays zero. */
struct books_query {
    uint64_t to;             /* roster id the answer goes to */
    struct mailbox *mailbox; /* where the answer goes */
    enum books_subject subject;
    struct text request_id; /* [REQUEST] */
    struct text booking;    /* [BOOKING] "<key id>\n<idempotency key>" */
    int64_t from_us, to_us; /* [SUMS, RECENT] [from, to) of the moment of the line. Of sums whole
                               hours count: both are rounded down, and the answer says so */
    struct text filter[GROUP_COUNT]; /* [SUMS, RECENT; REQUEST: the key] TEXT_NONE: all; empty:
                                        those that have none */
    int64_t limit;                   /* [SUMS, RECENT] rows of a page, above zero */
    unsigned groups;                 /* [SUMS] GROUP_BIT(...) */
    bool csv;                        /* [SUMS] */
    bool has_after;                  /* [SUMS] only rows after the one of these groups */
    struct text after[GROUP_COUNT];
    int64_t before;    /* [RECENT] only rows with a smaller number than this; 0: all */
    int64_t status;    /* [RECENT] 0: all */
    struct text error; /* [RECENT] as a filter */
};

#define BOOKS_LETTER_ANSWER 2 /* body: struct books_answer */

struct books_answer {
    enum books_subject subject;
    int status;           /* 200; 404 if it is not in the books; 500 */
    bool csv;             /* the body is CSV, else JSON */
    struct buffer body;   /* of a booking: its ledger line */
    struct buffer next;   /* csv: the cursor of the next page, or empty */
    struct buffer ticket; /* of a booking: the query's `booking` */
};
void books_answer_free(void *answer);

/* A page's end as an opaque word: what `after` was in the row, of the groups asked for; and back.
 * False if it is no cursor of these groups. */
void cursor_put(struct buffer *out, unsigned groups, const struct text values[GROUP_COUNT]);
MUST_USE bool cursor_read(struct text word, unsigned groups, struct arena *arena,
                          struct text values[GROUP_COUNT]);

#endif
