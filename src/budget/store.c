/*
 * The store's operations in C. What store.lua does in Redis, this does in memory, in the same order
 * and with the same numbers: so whatever is changed here is changed there.
 */
#include "budget/store_state.h"

#include "money/charge.h"

#include <stdlib.h>
#include <string.h>

struct store *store_open(void)
{
    return memory_new(sizeof(struct store));
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    for (size_t i = 0; i < store->entry_count; i++)
        free(store->entries[i].shares);
    free(store->entries);
    free(store->slots);
    free(store->members);
    free(store);
}

void store_set_fence(struct store *store, const char *fence)
{
    size_t size = strlen(fence);
    ASSERT(size < STORE_FENCE_SIZE);
    memcpy(store->server, fence, size + 1);
}

void store_set_replicas(struct store *store, bool has)
{
    store->replicas = has;
}

void store_set_promoted(struct store *store, bool was)
{
    store->promoted = was;
}

void store_init(struct store *store, const char *fence)
{
    struct store_request request = {.kind = STORE_INIT, .epoch = 1};
    struct store_reply *reply = memory_new(sizeof(*reply));
    store_set_fence(store, fence);
    store_apply(store, &request, reply);
    free(reply);
}

/* ---- accounts ---- */

static size_t slot_of(const struct store *store, uint64_t account)
{
    size_t at = (size_t)((account * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
    for (at &= store->slot_count - 1; store->slots[at] != 0;
         at = (at + 1) & (store->slot_count - 1))
        if (store->entries[store->slots[at] - 1].account == account)
            break;
    return at;
}

static void index_again(struct store *store, size_t slot_count)
{
    free(store->slots);
    store->slots = memory_new(slot_count * sizeof(*store->slots));
    store->slot_count = slot_count;
    for (size_t i = 0; i < store->entry_count; i++)
        store->slots[slot_of(store, store->entries[i].account)] = (uint32_t)(i + 1);
}

static struct entry *entry_find(const struct store *store, uint64_t account)
{
    if (store->slot_count == 0)
        return NULL;
    uint32_t found = store->slots[slot_of(store, account)];
    return found == 0 ? NULL : &store->entries[found - 1];
}

static struct entry *entry_use(struct store *store, uint64_t account)
{
    struct entry *entry = entry_find(store, account);
    if (entry != NULL)
        return entry;
    if (store->entry_count == store->entry_room) {
        store->entry_room = store->entry_room == 0 ? 16 : 2 * store->entry_room;
        store->entries = memory_resize(store->entries, store->entry_room * sizeof(*entry));
        index_again(store, 2 * store->entry_room);
    }
    entry = &store->entries[store->entry_count++];
    *entry = (struct entry){.account = account, .wanter = NOBODY};
    store->slots[slot_of(store, account)] = (uint32_t)store->entry_count;
    return entry;
}

static struct share *share_use(struct entry *entry, size_t member)
{
    if (member >= entry->share_count) {
        size_t count = member + 4;
        entry->shares = memory_resize(entry->shares, count * sizeof(*entry->shares));
        memset(&entry->shares[entry->share_count], 0,
               (count - entry->share_count) * sizeof(*entry->shares));
        entry->share_count = count;
    }
    return &entry->shares[member];
}

void store_set_time(struct store *store, int64_t now_s)
{
    size_t kept = 0;
    store->now_s = now_s;
    for (size_t i = 0; i < store->entry_count; i++) {
        if (store->entries[i].until_s > now_s)
            store->entries[kept++] = store->entries[i];
        else
            free(store->entries[i].shares);
    }
    if (kept == store->entry_count)
        return;
    store->entry_count = kept;
    index_again(store, store->slot_count);
}

int64_t store_least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t store_most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* ---- rolling windows ---- */

/* The sub-buckets around one: it stands in the middle. */
struct around {
    int64_t total[2 * WINDOW_ROLLING_BUCKETS + 1];
};

/* Lua's numbers are exact up to twice STORE_MOST. */
static int64_t capped(int64_t sum, int64_t more)
{
    return store_least(sum + more, STORE_MOST);
}

static struct around look_around(const struct store *store, const struct store_row *row, size_t at,
                                 struct store_answer *answer)
{
    struct around around = {{0}};
    for (int later = -WINDOW_ROLLING_BUCKETS; later <= WINDOW_ROLLING_BUCKETS; later++) {
        const struct entry *entry = entry_find(store, charge_sibling(row->account, later));
        if (entry == NULL)
            continue;
        around.total[WINDOW_ROLLING_BUCKETS + later] = entry->total;
        if (later >= 0)
            continue;
        bool has = at < entry->share_count;
        int64_t granted = entry->total - (has ? entry->shares[at].granted : 0);
        int64_t spent = entry->spent - (has ? entry->shares[at].spent : 0);
        answer->beside_granted = capped(answer->beside_granted, granted);
        answer->beside_spent = capped(answer->beside_spent, spent);
    }
    return around;
}

/* G of the fullest span that has the one in the middle. */
static int64_t fullest(const struct around *around)
{
    int64_t most = 0;
    for (int first = 0; first < WINDOW_ROLLING_SPAN; first++) {
        int64_t span = 0;
        for (int at = first; at < first + WINDOW_ROLLING_SPAN; at++)
            span = capped(span, around->total[at]);
        most = store_most(most, span);
    }
    return most;
}

static int64_t total_for(const struct store *store, const struct entry *entry,
                         const struct store_row *row, size_t at, struct store_answer *answer)
{
    if (!row->rolling)
        return entry->total;
    struct around around = look_around(store, row, at, answer);
    return fullest(&around);
}

static void row_grow(const struct store *store, struct entry *entry, const struct store_row *row,
                     size_t at, struct store_answer *answer)
{
    struct share *share = &entry->shares[at];
    int64_t room = store_most(0, row->limit - total_for(store, entry, row, at, answer));
    int64_t fair = room / (2 * store->registered);
    answer->moved = store_least(room, store_most(row->least, store_least(row->most, fair)));
    share->granted += answer->moved;
    entry->total += answer->moved;
}

static void row_move(const struct store *store, struct entry *entry, const struct store_row *row,
                     size_t at, struct store_answer *answer)
{
    struct share *share = &entry->shares[at];
    int64_t given = store_least(row->give, share->granted);
    int64_t charged = store_least(row->charge, STORE_MOST - (entry->total - given));
    share->granted += charged - given;
    entry->total += charged - given;
    if (store->recovering)
        return;
    row_grow(store, entry, row, at, answer);
    if (answer->moved < row->least) {
        entry->wanter = at;
        entry->hints = 2 * store->registered;
    } else if (row->least > 0 && entry->wanter == at) {
        entry->wanter = NOBODY;
    }
}

static void row_sync(const struct store *store, struct entry *entry, const struct store_row *row,
                     struct share *share)
{
    int64_t others = entry->total - share->granted;
    share->granted =
        store_least(row->value, store->recovering ? STORE_MOST - others : share->granted);
    entry->total = others + share->granted;
}

static bool knows_nothing(const struct store_request *request, const struct store_row *row,
                          const struct share *share)
{
    if (!row->anew)
        return false;
    if (row->beginning == 0)
        return share->spent > 0;
    return share->incarnation != request->incarnation || share->beginning != row->beginning;
}

/* What it has not said it may have spent all the same. */
static void row_forget(const struct store_request *request, const struct store_row *row,
                       struct entry *entry, struct share *share)
{
    if (!knows_nothing(request, row, share))
        return;
    entry->gone += share->granted;
    entry->spent = capped(entry->spent, store_most(0, share->granted - share->spent));
    share->granted = share->spent = 0;
    if (row->beginning == 0)
        return;
    share->incarnation = request->incarnation;
    share->beginning = row->beginning;
}

static void row_report(const struct store *store, struct entry *entry, const struct store_row *row,
                       struct share *share)
{
    int64_t others = entry->spent - share->spent;
    share->spent = store_least(row->spent, STORE_MOST - others);
    entry->spent = others + share->spent;
    int64_t keep_s = store_most(row->until_s, store->now_s + STORE_LINGER_S);
    entry->until_s = store_most(entry->until_s, keep_s);
}

static void row_apply(struct store *store, const struct store_request *request,
                      const struct store_row *row, size_t at, struct store_answer *answer)
{
    struct entry *entry = entry_use(store, row->account);
    struct share *share = share_use(entry, at);
    *answer = (struct store_answer){0};
    row_forget(request, row, entry, share);
    if (request->kind == STORE_MOVE)
        row_move(store, entry, row, at, answer);
    if (request->kind == STORE_SYNC)
        row_sync(store, entry, row, share);
    row_report(store, entry, row, share);
    answer->granted = share->granted;
    answer->total = entry->total;
    answer->elsewhere = entry->spent - share->spent;
    answer->wanted = entry->wanter != NOBODY && entry->wanter != at && entry->hints > 0;
    if (answer->wanted)
        entry->hints--;
}

static void row_reconcile(struct store *store, const struct store_row *row, size_t at,
                          struct store_answer *answer)
{
    struct entry *entry = entry_find(store, row->account);
    *answer = (struct store_answer){.total = entry == NULL ? 0 : entry->total};
    if (entry == NULL || at >= entry->share_count)
        return;
    struct share *share = &entry->shares[at];
    int64_t others = entry->spent - share->spent;
    answer->granted = store_least(share->granted, store_most(row->value, share->spent));
    entry->total -= share->granted - answer->granted;
    share->granted = answer->granted;
    share->spent = store_most(share->spent, store_least(share->granted, STORE_MOST - others));
    entry->spent = others + share->spent;
    answer->total = entry->total;
}

static void check_row(enum store_kind kind, const struct store_row *row)
{
    const int64_t amounts[] = {row->least,  row->most,  row->give,
                               row->charge, row->value, row->spent};
    for (size_t i = 0; i < sizeof(amounts) / sizeof(amounts[0]); i++) {
        ASSERT(amounts[i] >= 0);
        ASSERT(amounts[i] <= STORE_MOST);
    }
    bool grows = kind == STORE_MOVE && row->least + row->most > 0;
    ASSERT(row->limit >= (grows ? 0 : LIMIT_NONE));
    ASSERT(row->limit <= STORE_MOST);
    ASSERT(row->until_s >= 0);
    ASSERT(!row->anew || row->spent == 0);
    ASSERT(row->beginning >= 0);
    ASSERT(row->beginning < STORE_MOST);
}

static void apply_rows(struct store *store, const struct store_request *request, size_t at,
                       struct store_reply *reply)
{
    ASSERT(request->row_count <= STORE_ROWS_MOST);
    for (size_t i = 0; i < request->row_count; i++) {
        check_row(request->kind, &request->rows[i]);
        if (request->kind == STORE_RECONCILE)
            row_reconcile(store, &request->rows[i], at, &reply->rows[i]);
        else
            row_apply(store, request, &request->rows[i], at, &reply->rows[i]);
    }
    reply->row_count = request->row_count;
}

/* ---- operations ---- */

static enum store_verdict apply_init(struct store *store, const struct store_request *request)
{
    if (store->there)
        return STORE_STALE;
    store->there = true;
    memcpy(store->fence, store->server, sizeof(store->fence));
    store->epoch = request->epoch;
    store->awaited = request->instances;
    store->recovering = request->instances > 0;
    return STORE_OK;
}

static void begin_epoch(struct store *store, const struct store_request *request)
{
    memcpy(store->fence, store->server, sizeof(store->fence));
    store->epoch = store_most(store->epoch, request->known) + 1;
    store->recovering = true;
    store->present = 0;
    store->returned = 0;
    store->awaited = store_most(store->awaited, request->instances);
}

static void apply_epoch(struct store *store, const struct store_request *request)
{
    bool torn = strcmp(store->fence, store->server) != 0;
    if (request->epoch != store->epoch)
        return;
    if (torn || request->lost || members_are_forgotten(store, request))
        begin_epoch(store, request);
    if (store->recovering)
        members_await(store, request);
}

static void apply_sync(struct store *store, const struct store_request *request, size_t at,
                       struct store_reply *reply)
{
    apply_rows(store, request, at, reply);
    if (request->complete)
        members_enrol(store, at, request);
}

static enum store_verdict apply_reconcile(struct store *store, const struct store_request *request,
                                          struct store_reply *reply)
{
    if (request->epoch != store->epoch || store->recovering ||
        strcmp(request->fence, store->server) != 0 || strcmp(store->fence, store->server) != 0)
        return STORE_OLD_FENCE;
    size_t at = members_find(store, request->whose);
    if (at == NOBODY || store->members[at].registered)
        return STORE_STRANGER;
    if (request->incarnation != store->members[at].incarnation ||
        request->sequence != store->members[at].sequence)
        return STORE_STALE;
    apply_rows(store, request, at, reply);
    return STORE_OK;
}

/* What an instance of the registry may do only with a fresh fence, epoch and sequence. */
static enum store_verdict apply_member(struct store *store, const struct store_request *request,
                                       struct store_reply *reply)
{
    bool epoch = request->kind == STORE_EPOCH;
    if (!epoch && (request->epoch != store->epoch || strcmp(request->fence, store->server) != 0 ||
                   strcmp(store->fence, store->server) != 0))
        return STORE_OLD_FENCE;
    size_t at = members_find(store, request->journal);
    if (at == NOBODY || !store->members[at].registered)
        return STORE_STRANGER;
    if (!members_is_fresh(store, at, request))
        return STORE_STALE;
    store->members[at].incarnation = request->incarnation;
    store->members[at].sequence = request->sequence;
    members_vouch(store, at, request);
    if (epoch)
        apply_epoch(store, request);
    else if (request->kind == STORE_READY)
        members_open(store);
    else if (request->kind == STORE_SYNC)
        apply_sync(store, request, at, reply);
    else
        apply_rows(store, request, at, reply);
    return request->kind == STORE_MOVE && store->recovering ? STORE_RECOVERING : STORE_OK;
}

static enum store_verdict apply(struct store *store, const struct store_request *request,
                                struct store_reply *reply)
{
    if (request->kind == STORE_INIT)
        return apply_init(store, request);
    if (!store->there)
        return STORE_EMPTY;
    if (request->kind == STORE_JOIN)
        return members_join(store, request);
    if (request->kind == STORE_LEAVE)
        return members_leave(store, request);
    if (request->kind == STORE_RECONCILE)
        return apply_reconcile(store, request, reply);
    return apply_member(store, request, reply);
}

static void check_numbers(const struct store_request *request)
{
    const int64_t numbers[] = {request->epoch,  request->incarnation, request->sequence,
                               request->now_s,  request->instances,   request->known,
                               request->vouches};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        ASSERT(numbers[i] >= 0);
        ASSERT(numbers[i] < STORE_MOST);
    }
}

/* NOBODY: an operator, or somebody unknown. */
static size_t who_asks(const struct store *store, const struct store_request *request)
{
    bool is_operator = request->kind == STORE_INIT || request->kind == STORE_LEAVE ||
                       request->kind == STORE_RECONCILE;
    return is_operator ? NOBODY : members_find(store, request->journal);
}

static bool asks_as_vouched(const struct store *store, size_t at)
{
    return at != NOBODY && store->members[at].present > 0 && members_is_vouched(store, at);
}

void store_apply(struct store *store, const struct store_request *request,
                 struct store_reply *reply)
{
    check_numbers(request);
    reply->row_count = 0;
    reply->roster.count = 0;
    reply->verdict = apply(store, request, reply);
    size_t at = who_asks(store, request);
    if (reply->verdict == STORE_OK || reply->verdict == STORE_RECOVERING) {
        store->gseq++;
        store->replicated = store->replicated || store->replicas;
    }
    memcpy(reply->fence, store->server, sizeof(reply->fence));
    reply->epoch = store->epoch;
    reply->recovering = store->recovering;
    reply->unfenced = store->there && strcmp(store->fence, store->server) != 0;
    reply->gseq = store->gseq;
    reply->instances = store->enrolled;
    reply->absent = members_absent(store);
    reply->vouched = asks_as_vouched(store, at);
    reply->changed = store->changed;
    reply->alone = !store->replicas && !store->replicated;
    reply->replicated = false;
    if (at != NOBODY && reply->verdict == STORE_OK)
        members_tell(store, at, request, &reply->roster);
}

/* ---- copies and checks ---- */

static void *copy_of(const void *from, size_t size)
{
    void *copy = size == 0 ? NULL : memory_new(size);
    if (size > 0)
        memcpy(copy, from, size);
    return copy;
}

struct store *store_copy(const struct store *store)
{
    struct store *copy = copy_of(store, sizeof(*store));
    copy->members = copy_of(store->members, store->member_count * sizeof(*store->members));
    copy->slots = copy_of(store->slots, store->slot_count * sizeof(*store->slots));
    copy->entries = copy_of(store->entries, store->entry_room * sizeof(*store->entries));
    for (size_t i = 0; i < store->entry_count; i++) {
        struct entry *entry = &copy->entries[i];
        entry->shares = copy_of(entry->shares, entry->share_count * sizeof(*entry->shares));
    }
    return copy;
}

int64_t store_granted(const struct store *store, uint64_t account, const char *journal)
{
    const struct entry *entry = entry_find(store, account);
    if (entry == NULL || entry->share_count == 0)
        return 0;
    size_t at = members_find(store, journal);
    return at >= entry->share_count ? 0 : entry->shares[at].granted;
}

int64_t store_gone(const struct store *store, uint64_t account)
{
    const struct entry *entry = entry_find(store, account);
    return entry == NULL ? 0 : entry->gone;
}

int64_t store_total(const struct store *store, uint64_t account)
{
    const struct entry *entry = entry_find(store, account);
    return entry == NULL ? 0 : entry->total;
}

bool store_has(const struct store *store, const char *journal, struct store_seat *last)
{
    size_t at = members_find(store, journal);
    *last = (struct store_seat){0};
    if (at == NOBODY)
        return false;
    *last = members_seat(&store->members[at]);
    return store->members[at].registered;
}

bool store_roster_equal(const struct store_roster *a, const struct store_roster *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct store_seat *one = &a->at[i], *other = &b->at[i];
        if (strcmp(one->journal, other->journal) != 0 || one->incarnation != other->incarnation ||
            one->sequence != other->sequence)
            return false;
    }
    return true;
}
