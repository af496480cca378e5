/* Who takes part in the store: members, whom others vouch for, and who is waited for. */
#include "budget/store_state.h"

#include <string.h>

size_t members_find(const struct store *store, const char *journal)
{
    for (size_t i = 0; i < store->member_count; i++)
        if (strcmp(store->members[i].journal, journal) == 0)
            return i;
    return NOBODY;
}

static size_t member_add(struct store *store, const char *journal)
{
    size_t size = (store->member_count + 1) * sizeof(struct member);
    store->members = memory_resize(store->members, size);
    struct member *member = &store->members[store->member_count];
    *member = (struct member){0};
    size_t length = strlen(journal);
    ASSERT(length < STORE_JOURNAL_SIZE);
    memcpy(member->journal, journal, length);
    return store->member_count++;
}

/* I5 */
bool members_is_fresh(const struct store *store, size_t at, const struct store_request *request)
{
    const struct member *member = &store->members[at];
    if (request->incarnation != member->incarnation)
        return request->incarnation > member->incarnation;
    return request->sequence > member->sequence;
}

static bool is_present(const struct store *store, size_t at)
{
    return store->recovering && store->members[at].present == store->epoch;
}

int64_t members_absent(const struct store *store)
{
    int64_t remembered = store->awaited > 0 ? store->awaited + store->newcomers : 0;
    return store->recovering ? store_most(store->registered, remembered) - store->present : 0;
}

static bool is_newcomer(const struct store *store, size_t at)
{
    return store->recovering && store->members[at].newcomer == store->openings;
}

/* ---- who vouches for whom ---- */

bool members_is_vouched(const struct store *store, size_t at)
{
    const struct member *member = &store->members[at];
    return member->registered && member->number <= store->vouched;
}

/* The process is the one in which the epoch began: no failover has led here since. */
static bool is_same_run(const struct store *store)
{
    size_t run = strcspn(store->fence, ".");
    return run == strcspn(store->server, ".") && memcmp(store->fence, store->server, run) == 0;
}

void members_vouch(struct store *store, size_t at, const struct store_request *request)
{
    if (request->vouches == 0)
        return;
    store->members[at].number = 0;
    store->vouched = store_most(store->vouched, request->vouches);
}

static bool nobody_could_vouch(const struct store *store)
{
    for (size_t i = 0; i < store->member_count; i++)
        if (members_is_vouched(store, i))
            return false;
    return store->registered > 0;
}

static void vouch_for_all(struct store *store)
{
    for (size_t i = 0; i < store->member_count; i++)
        store->members[i].number = 0;
}

/* ---- coming and going ---- */

static void count_newcomer(struct store *store, struct member *member, bool counts)
{
    bool counted = member->newcomer == store->openings;
    member->newcomer = counts ? store->openings : 0;
    store->newcomers += (int)counts - (int)counted;
}

static void register_member(struct store *store, struct member *member)
{
    bool is_first = store->registered == 0 && !store->recovering && is_same_run(store);
    member->registered = true;
    member->present = 0;
    member->newcomer = 0;
    member->number = is_first ? 0 : STORE_MOST;
    store->registered++;
}

enum store_verdict members_join(struct store *store, const struct store_request *request)
{
    size_t at = members_find(store, request->journal);
    if (at == NOBODY)
        at = member_add(store, request->journal);
    else if (!members_is_fresh(store, at, request))
        return STORE_STALE;
    struct member *member = &store->members[at];
    member->incarnation = request->incarnation;
    member->sequence = request->sequence;
    bool recovers = store->recovering || strcmp(store->fence, store->server) != 0;
    bool registers = !member->registered;
    if (registers)
        register_member(store, member);
    if (recovers && request->known > 0) {
        member->number = 0;
        count_newcomer(store, member, false);
    } else if (recovers && registers) {
        count_newcomer(store, member, true);
    }
    return STORE_OK;
}

void members_begin_epoch(struct store *store)
{
    for (size_t i = 0; i < store->member_count; i++)
        if (store->members[i].registered && !members_is_vouched(store, i))
            count_newcomer(store, &store->members[i], true);
}

void members_enrol(struct store *store, size_t at, const struct store_request *request)
{
    struct member *member = &store->members[at];
    bool was_present = is_present(store, at);
    store->enrolled += member->present == 0;
    if (member->present == 0 && member->number > 0)
        member->number = store->gseq + 1; /* that of the reply */
    member->present = store->epoch;
    if (!store->recovering || was_present)
        return;
    store->present++;
    store->awaited = store_most(store->awaited, request->instances);
}

static bool waits_for_unknown(const struct store *store)
{
    if (store->recovering)
        return store->awaited > 0 && store->awaited + store->newcomers > store->registered;
    return nobody_could_vouch(store);
}

static void strike_member(struct store *store, size_t at)
{
    store->enrolled -= store->members[at].present > 0;
    store->present -= is_present(store, at);
    store->members[at].registered = false;
    store->registered--;
}

enum store_verdict members_leave(struct store *store, const struct store_request *request)
{
    if (request->epoch != store->epoch || strcmp(store->fence, store->server) != 0)
        return STORE_OLD_FENCE;
    size_t at = members_find(store, request->whose);
    bool known = at != NOBODY && store->members[at].registered;
    if (!known && !waits_for_unknown(store))
        return STORE_STRANGER;
    if (known && is_newcomer(store, at))
        store->newcomers--;
    else
        store->awaited = store_most(0, store->awaited - 1);
    if (known)
        strike_member(store, at);
    if (!store->recovering && nobody_could_vouch(store))
        vouch_for_all(store);
    return STORE_OK;
}
