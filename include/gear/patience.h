/*
 * Patience: when a pledge (pipeline/pledge.h) asks its provider again, and when it gives up. Pure.
 * A first wait is limits.poll_ms; in brackets what follows from its default, 2 s.
 *
 *     answer                       next question                    in the end
 *     it is under way              waits double, up to 30 (60 s)    never: PATIENCE_MOST_S
 *     it is not known, not whole   the same                         after 150 (5 min), and 3 of
 * them anything else, or none       waits double, up to 450 (15 min) never: PATIENCE_MOST_S
 *
 * "Anything else" (401, 5xx, no connection) says nothing of the object, but of the way to it, which
 * somebody will mend: until then the hold stays. After PATIENCE_MOST_S nobody waits any more.
 */
#ifndef PURSER_GEAR_PATIENCE_H
#define PURSER_GEAR_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

#define PATIENCE_MOST_S (8 * 24 * 3600) /* since it was made: a batch has a day */

enum news {
    NEWS_RUNNING, /* it is under way */
    NEWS_LOST,    /* its provider does not know it, or what it gave was not whole */
    NEWS_NONE,    /* no answer that says anything */
};

enum patience_end {
    PATIENCE_WAITS, /* ask again after wait_us */
    PATIENCE_LOST,  /* it is gone */
    PATIENCE_ENDED, /* it has lasted for too long */
};

struct patience {
    int64_t poll_us; /* the first wait */
    int64_t made_us; /* wall time, as all others */
    int64_t wait_us; /* before the next question */
    enum news last;
    int in_a_row;     /* answers like the last */
    int64_t since_us; /* of the first of these */
};

struct patience patience_begin(int64_t poll_us, int64_t made_us);
enum patience_end patience_take(struct patience *patience, enum news news, int64_t now_us);

/* True if nobody has told anything lately: somebody has to mend the way. */
bool patience_is_tried(const struct patience *patience);
/* The way may be mended, the first wait be another: the next question comes after that. */
void patience_renew(struct patience *patience, int64_t poll_us);

#endif
