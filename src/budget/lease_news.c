/* How a lease stands, as people are told it. */
#include "budget/lease_state.h"

const char *lease_state_name(enum lease_state state)
{
    static const char *const names[] = {
        [LEASE_EMBEDDED] = "embedded", [LEASE_OPEN] = "redis", [LEASE_RECOVERING] = "recovering",
        [LEASE_EMPTY] = "empty",       [LEASE_GONE] = "away",  [LEASE_NEWCOMER] = "newcomer",
    };
    return names[state];
}

const char *lease_state_why(enum lease_state state, bool grants)
{
    static const char *const reasons[] = {
        [LEASE_EMBEDDED] = "ceilings.db cannot be written",
        [LEASE_OPEN] = "ceilings.db cannot be written",
        [LEASE_RECOVERING] = "the store of budgets waits for instances (purser budget list, leave)",
        [LEASE_NEWCOMER] =
            "this instance is new, and no other has vouched for it (purser budget list)",
        [LEASE_EMPTY] = "the store of budgets is empty (purser budget init sets it up)",
        [LEASE_GONE] = "the store of budgets does not answer",
    };
    if (state == LEASE_OPEN && grants)
        return "the store of budgets did not answer in time";
    return reasons[state];
}

struct lease_news lease_news(const struct lease *lease)
{
    struct lease_news news = {.state = lease_state(lease),
                              .epoch = lease->epoch,
                              .instances = lease->mark.instances,
                              .absent = lease->absent};
    memcpy(news.missing, lease->missing.journal, sizeof(news.missing));
    return news;
}
