/*
 * Apart: the store was not heard for so long that it may have forgotten sessions, while this
 * instance has headroom on them.
 *
 * The store keeps a row for two hours after it was told of it, and for `idle` and two hours after
 * its session was used (STORE_LINGER_S, account_until_s). While it is heard, it is told every five
 * minutes of each session with headroom or holds (headroom_round). So who reserves nothing new on
 * sessions APART_S after it was heard last has its last call, of an hour at the most, ended before
 * any row of it goes that it had headroom on: half an hour to be told in, half an hour apart, an
 * hour for the call. An answer that comes after more than a round's time says nothing of what the
 * round would have told: then the store is entered anew, and all rows are stated.
 *
 * Steady time tells how long that is, and the wall clock as well: steady time may stand still while
 * a whole machine is stopped. A wall clock that is wrong costs no more than one way into the store.
 *
 * Then, as at a start, the store is entered anew, and what sessions have left of before is given
 * back when they are used again (headroom_shut): between being heard and being told, others may
 * have begun them anew.
 */
#include "budget/lease_state.h"

#define APART_S INT64_C(1800)

void apart_begin(struct lease *lease)
{
    struct core *core = lease->options.core;
    lease->apart = true;
    core->apart_s = INT64_MIN;
    core->accounts.era++;
}

void apart_tell(struct lease *lease, bool refused)
{
    struct core *core = lease->options.core;
    bool news = lease->apart && refused && !core->parted;
    core->parted = lease->apart && refused;
    if (news)
        waiting_part(core);
}

static bool is_past(const struct lease *lease)
{
    return lease->now_ms - lease->heard_ms >= APART_S * 1000 ||
           lease->wall_s - lease->heard_s >= APART_S;
}

bool apart_is_due(const struct lease *lease)
{
    if (!lease->options.shared)
        return false;
    return lease->apart ? lease->phase == PHASE_OPEN : is_past(lease);
}

bool apart_must_state(const struct lease *lease)
{
    return lease->options.shared && lease->phase == PHASE_OPEN && lease->move_count == 0 &&
           lease->charge_count == 0 &&
           (lease->now_ms - lease->heard_ms >= ROUND_MS ||
            lease->wall_s - lease->heard_s >= ROUND_MS / 1000);
}

void apart_note_stated(struct lease *lease)
{
    lease->stated_ms = lease->now_ms;
    lease->stated_s = lease->wall_s;
}

static void show(struct lease *lease)
{
    if (!lease->apart)
        lease->options.core->apart_s = lease->heard_s + APART_S;
}

void apart_note_heard(struct lease *lease)
{
    lease->heard_ms = lease->asked_ms;
    lease->heard_s = lease->asked_s;
    show(lease);
}

/* A recovery may have lasted for long since the rows were stated: then it enters once more. */
void apart_note_opened(struct lease *lease)
{
    bool was_apart = lease->apart;
    lease->heard_ms = lease->stated_ms;
    lease->heard_s = lease->stated_s;
    lease->apart = was_apart && is_past(lease);
    show(lease);
    if (was_apart && !lease->apart)
        waiting_rejoin(lease->options.core);
}
