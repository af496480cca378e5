/* When pledges ask again. */
#include "gear/patience.h"

#define GROWTH     2
#define LOST_LEAST 3
#define LOST_POLLS 150
#define SECOND_US  INT64_C(1000000)

/* The longest wait, in first ones. */
static const int64_t polls_most[] = {[NEWS_RUNNING] = 30, [NEWS_LOST] = 30, [NEWS_NONE] = 450};

struct patience patience_begin(int64_t poll_us, int64_t made_us)
{
    return (struct patience){.poll_us = poll_us, .made_us = made_us, .wait_us = poll_us};
}

static void grow(struct patience *patience)
{
    int64_t most_us = patience->poll_us * polls_most[patience->last];
    int64_t wait_us = patience->wait_us * GROWTH;
    patience->wait_us = wait_us < most_us ? wait_us : most_us;
}

enum patience_end patience_take(struct patience *patience, enum news news, int64_t now_us)
{
    bool like_the_last = news == patience->last && patience->in_a_row > 0;
    patience->in_a_row = like_the_last ? patience->in_a_row + 1 : 1;
    patience->since_us = like_the_last ? patience->since_us : now_us;
    patience->last = news;
    if (now_us - patience->made_us > PATIENCE_MOST_S * SECOND_US)
        return PATIENCE_ENDED;
    if (news == NEWS_LOST && patience->in_a_row >= LOST_LEAST &&
        now_us - patience->since_us >= LOST_POLLS * patience->poll_us)
        return PATIENCE_LOST;
    grow(patience);
    return PATIENCE_WAITS;
}

bool patience_is_tried(const struct patience *patience)
{
    return patience->in_a_row > 0 && patience->last == NEWS_NONE;
}

void patience_renew(struct patience *patience, int64_t poll_us)
{
    patience->poll_us = poll_us;
    patience->wait_us = poll_us;
}
