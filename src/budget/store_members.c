/* Who takes part in the store: members, whom others vouch for, and who is waited for. */
#include "budget/store_state.h"

#include <stdlib.h>
#include <string.h>

size_t members_find(const struct store *store, const char *journal)
{
    for (size_t i = 0; i < store->member_count; i++)
        if (store->members[i].journal[0] == journal[0] &&
            strcmp(store->members[i].journal, journal) == 0)
            return i;
    return NOBODY;
}

struct store_seat members_seat(const struct member *member)
{
    struct store_seat seat = {.incarnation = member->incarnation, .sequence = member->sequence};
    memcpy(seat.journal, member->journal, sizeof(seat.journal));
    return seat;
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
    return store->recovering
               ? store_most(store->registered - store->present, store->awaited - store->returned)
               : 0;
}

/* ---- who vouches for whom ---- */

bool members_is_vouched(const struct store *store, size_t at)
{
    const struct member *member = &store->members[at];
    return member->registered && member->number <= store->vouched;
}

static bool is_same_run(const struct store *store)
{
    size_t run = strcspn(store->fence, ".");
    return run == strcspn(store->server, ".") && memcmp(store->fence, store->server, run) == 0;
}

/* The epoch began here, and no failover has led away since, or away and back. The first replica of
 * all gives the server another replication id, too. */
static bool is_where_it_began(const struct store *store)
{
    if (store->replicated || store->promoted)
        return strcmp(store->fence, store->server) == 0;
    return is_same_run(store);
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

/* ---- rosters ---- */

static size_t names_of(const struct store_request *request)
{
    return request->roster == NULL ? 0 : request->roster->count;
}

static bool is_later(const struct store_seat *seat, int64_t incarnation, int64_t sequence)
{
    if (seat->incarnation != incarnation)
        return seat->incarnation > incarnation;
    return seat->sequence > sequence;
}

/* The name is later than the last word of an operator who let that journal go (NOBODY: none). */
static bool counts(const struct store *store, size_t at, const struct store_seat *name)
{
    if (at == NOBODY)
        return is_later(name, 0, 0);
    const struct member *member = &store->members[at];
    return is_later(name, member->left_incarnation, member->left_sequence);
}

bool members_are_forgotten(const struct store *store, const struct store_request *request)
{
    if (store->recovering)
        return false;
    for (size_t i = 0; i < names_of(request); i++) {
        const struct store_seat *name = &request->roster->at[i];
        size_t at = members_find(store, name->journal);
        if (!counts(store, at, name))
            continue;
        if (at == NOBODY || !store->members[at].registered)
            return true;
        if (strcmp(name->journal, request->journal) == 0 && nobody_could_vouch(store))
            return true;
    }
    return false;
}

static void await(struct store *store, const struct store_seat *name, bool is_own)
{
    size_t at = members_find(store, name->journal);
    if (!counts(store, at, name))
        return;
    if (at == NOBODY)
        at = member_add(store, name->journal);
    struct member *member = &store->members[at];
    member->number = 0;
    if (!is_own && is_later(name, member->incarnation, member->sequence)) {
        member->incarnation = name->incarnation;
        member->sequence = name->sequence;
    }
    if (member->registered)
        return;
    member->registered = true;
    member->present = 0;
    store->registered++;
}

void members_await(struct store *store, const struct store_request *request)
{
    for (size_t i = 0; i < names_of(request); i++) {
        const struct store_seat *name = &request->roster->at[i];
        await(store, name, strcmp(name->journal, request->journal) == 0);
    }
}

static int by_journal(const void *a, const void *b)
{
    const struct store_seat *one = a, *other = b;
    return strcmp(one->journal, other->journal);
}

/* Those who have stated their rows, or those who have not in this epoch. */
static void tell(const struct store *store, bool absent, struct store_roster *roster)
{
    for (size_t i = 0; i < store->member_count; i++) {
        const struct member *member = &store->members[i];
        bool meant = absent ? member->present != store->epoch : member->present > 0;
        if (!member->registered || !meant)
            continue;
        if (roster->count == STORE_MEMBERS_MOST) {
            roster->count = 0;
            return;
        }
        roster->at[roster->count++] = members_seat(member);
    }
    qsort(roster->at, roster->count, sizeof(roster->at[0]), by_journal);
}

void members_tell(const struct store *store, size_t at, const struct store_request *request,
                  struct store_roster *roster)
{
    bool knows = request->vouches > 0 && store->changed <= request->vouches;
    if (store->recovering && request->kind == STORE_READY)
        tell(store, true, roster);
    if (!store->recovering && !knows && store->members[at].present > 0)
        tell(store, false, roster);
}

/* ---- coming and going ---- */

static void register_member(struct store *store, struct member *member)
{
    bool is_first = store->registered == 0 && !store->recovering && is_where_it_began(store);
    member->registered = true;
    member->present = 0;
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
    if (!member->registered)
        register_member(store, member);
    return STORE_OK;
}

void members_enrol(struct store *store, size_t at, const struct store_request *request)
{
    struct member *member = &store->members[at];
    bool was_present = is_present(store, at);
    if (member->present == 0) {
        store->enrolled++;
        store->changed = store->gseq + 1; /* that of the reply */
        member->number = member->number > 0 ? store->changed : 0;
    }
    member->present = store->epoch;
    if (!store->recovering)
        return;
    if (request->instances > 0)
        member->number = 0;
    members_await(store, request);
    if (was_present)
        return;
    store->present++;
    bool remembers = names_of(request) > 0 || request->instances > 0;
    if (remembers && !store->members[at].excused) {
        store->returned++;
        store->members[at].counted = store->epoch;
    }
    store->awaited = store_most(store->awaited, request->instances);
}

void members_open(struct store *store)
{
    if (members_absent(store) > 0)
        return;
    store->recovering = false;
    store->awaited = 0;
    for (size_t i = 0; i < store->member_count; i++)
        store->members[i].excused = false;
}

static bool waits_for_unknown(const struct store *store)
{
    return store->recovering ? store->awaited > store->returned : nobody_could_vouch(store);
}

/* Others may name it once more with a later word: that one is still the same of those counted. */
static void excuse(struct store *store, size_t at)
{
    if (store->awaited == 0)
        return;
    store->awaited--;
    if (at != NOBODY)
        store->members[at].excused = true;
}

/* It may come back in the same recovery: counted again it would stand for somebody else. */
static bool uncount(struct store *store, size_t at)
{
    if (at == NOBODY || !store->recovering || store->members[at].counted != store->epoch)
        return false;
    store->members[at].counted = 0;
    store->returned--;
    return true;
}

static void strike_member(struct store *store, size_t at)
{
    struct member *member = &store->members[at];
    if (member->present > 0) {
        store->enrolled--;
        store->changed = store->gseq + 1;
    }
    store->present -= is_present(store, at);
    member->registered = false;
    member->left_incarnation = member->incarnation;
    member->left_sequence = member->sequence;
    store->registered--;
}

enum store_verdict members_leave(struct store *store, const struct store_request *request)
{
    if (request->epoch != store->epoch || strcmp(store->fence, store->server) != 0)
        return STORE_OLD_FENCE;
    size_t at = members_find(store, request->whose);
    bool known = at != NOBODY && store->members[at].registered;
    bool excused = at != NOBODY && store->members[at].excused;
    if (!known && (excused || !waits_for_unknown(store)))
        return STORE_STRANGER;
    /* One that is new is none of those who are waited for. */
    bool is_missing = !known || (members_is_vouched(store, at) && !is_present(store, at));
    if (!excused && (uncount(store, at) || is_missing))
        excuse(store, at);
    if (known)
        strike_member(store, at);
    if (!store->recovering && nobody_could_vouch(store))
        vouch_for_all(store);
    return STORE_OK;
}
