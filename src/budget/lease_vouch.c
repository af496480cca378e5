/* Whether this instance may grow, and for whom it vouches (store.h). */
#include "budget/lease_state.h"

/* Others that live have heard of a newcomer by then: two beats, and two round trips. */
#define OTHERS_MS 1000

void vouch_begin(struct lease *lease, const struct store_reply *reply)
{
    lease->vouched = reply->replicated;
    lease->heard = 0;
    lease->joined_ms = lease->now_ms;
}

void vouch_take(struct lease *lease, const struct store_reply *reply)
{
    bool waited = lease->now_ms - lease->joined_ms >= OTHERS_MS;
    lease->vouched = lease->vouched || reply->vouched || (reply->alone && waited);
    if (lease->phase != PHASE_OPEN || !lease->vouched || reply->recovering || reply->unfenced)
        return;
    if (reply->roster.count > 0)
        lease->mark.roster = reply->roster;
    else if (lease->request.vouches == 0 || reply->changed > lease->request.vouches)
        return; /* they are too many */
    lease->mark.instances = reply->instances;
    lease->heard = reply->gseq;
}

int64_t vouch_for_others(const struct lease *lease)
{
    return lease->phase == PHASE_OPEN && lease->vouched ? lease->heard : 0;
}

void vouch_state(struct lease *lease)
{
    bool named = lease->mark.roster.count > 0;
    lease->request.roster = &lease->mark.roster;
    lease->request.instances = named ? 0 : lease->mark.instances;
}
