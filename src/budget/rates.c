/*
 * Entering and leaving the rate limits. A pass has a seat at each account it has entered; an ask
 * sits down at those it finds, and stands up again from the new ones if any has no room.
 */
#include <stdlib.h>

#include "budget/rates_state.h"

#define SECOND_US   INT64_C(1000000)
#define TOKENS_MOST INT64_C(1000000000000000)

struct seat {
    struct rates_account *account;
    enum scope scope;
    struct text id; /* the asker's; only while it asks */
    bool fresh;     /* entered by the ask under way */
    int64_t taken[RATED_BY_MINUTE];
    int64_t at[RATED_BY_MINUTE]; /* the sub-window */
};

struct rates_pass {
    size_t count, room;
    struct seat seats[];
};

/* ---- entering ---- */

static struct rates_pass *pass_new(struct rates_core *core, const struct rates_ask *ask)
{
    size_t room = 0;
    for (size_t at = 0; at < ask->limit_count; at++)
        room += ask->limits[at].who.scope == SCOPE_TAG ? ask->subject->tag_count : 1;
    struct rates_pass *pass = memory_new(sizeof *pass + room * sizeof *pass->seats);
    pass->room = room;
    core->passes++;
    return pass;
}

static struct seat *seat_of(struct rates_pass *pass, const struct rates_account *account)
{
    for (size_t i = 0; i < pass->count; i++) {
        if (pass->seats[i].account == account)
            return &pass->seats[i];
    }
    return NULL;
}

static void take_seat(struct rates_pass *pass, struct rates_account *account)
{
    ASSERT(pass->count < pass->room);
    pass->seats[pass->count++] = (struct seat){.account = account, .fresh = true};
    account->pins++;
}

static bool gather_one(struct rates_core *core, struct rates_pass **pass,
                       const struct rates_ask *ask, const struct rate_limit *limit)
{
    struct text ids[SUBJECT_MAX_TAGS];
    size_t count = rate_limit_ids(limit, ask->subject, ids);
    for (size_t i = 0; i < count; i++) {
        struct rates_account *account = rates_use(core, limit, ids[i]);
        if (account == NULL)
            return false;
        if (*pass == NULL)
            *pass = pass_new(core, ask);
        if (seat_of(*pass, account) == NULL)
            take_seat(*pass, account);
        struct seat *seat = seat_of(*pass, account);
        seat->scope = limit->who.scope;
        seat->id = ids[i];
    }
    return true;
}

/* Seats for all that apply; false: crowded. */
static bool gather(struct rates_core *core, struct rates_pass **pass, const struct rates_ask *ask)
{
    for (size_t at = 0; at < ask->limit_count; at++) {
        const struct rate_limit *limit = &ask->limits[at];
        if ((ask->scopes & 1u << limit->who.scope) != 0 && !gather_one(core, pass, ask, limit))
            return false;
    }
    return true;
}

/* What the ask needs on a seat. */
static int64_t need_of(const struct seat *seat, const struct rates_ask *ask, enum rated rated)
{
    int64_t limit = seat->account->limit[rated];
    if (limit == LIMIT_NONE)
        return 0;
    if (rated != RATED_TOKENS)
        return seat->fresh ? 1 : 0;
    return ask->tokens < limit ? ask->tokens : limit;
}

static int64_t used_of(const struct rates_account *account, enum rated rated)
{
    return rated == RATED_PARALLEL ? account->running : account->rings[rated].sum;
}

/* Of its share of now; INT64_MAX: it has the whole limit. */
static int64_t share_left(const struct rates_core *core, const struct rates_account *account,
                          enum rated rated)
{
    if (!core->leased)
        return INT64_MAX;
    if (rated == RATED_PARALLEL)
        return account->running_share - account->running;
    size_t slot = rates_slot(account->newest);
    return account->rings[rated].share[slot] - account->rings[rated].used[slot];
}

static int64_t left_of(const struct rates_core *core, const struct rates_account *account,
                       enum rated rated)
{
    int64_t left = account->limit[rated] - used_of(account, rated);
    int64_t share = share_left(core, account, rated);
    left = left < share ? left : share;
    return left > 0 ? left : 0;
}

/* When so much will have left the minute that the need fits. */
static int64_t wait_of(const struct rates_core *core, const struct rates_account *account,
                       enum rated rated, int64_t need)
{
    int64_t left = used_of(account, rated);
    if (rated == RATED_PARALLEL || left + need <= account->limit[rated])
        return SECOND_US;
    int64_t subwindow = account->newest - RATES_COUNTING;
    while (left + need > account->limit[rated]) {
        subwindow++;
        ASSERT(subwindow <= account->newest);
        left -= account->rings[rated].used[rates_slot(subwindow)];
    }
    return (subwindow + RATES_COUNTING) * RATES_SUBWINDOW_US - core->now_us;
}

static void note_wanted(struct rates_core *core, struct rates_account *account, enum rated rated,
                        int64_t need)
{
    if (share_left(core, account, rated) >= need)
        return;
    if (rated == RATED_PARALLEL)
        account->running_wanted += need;
    else
        account->rings[rated].wanted += need;
}

static void judge(struct rates_core *core, const struct seat *seat, const struct rates_ask *ask,
                  struct rates_answer *answer)
{
    struct rates_account *account = seat->account;
    for (unsigned at = 0; at < RATED_COUNT; at++) {
        enum rated rated = (enum rated)at;
        int64_t need = need_of(seat, ask, rated);
        if (need == 0 || need <= left_of(core, account, rated))
            continue;
        note_wanted(core, account, rated, need);
        int64_t wait_us = wait_of(core, account, rated, need);
        if (wait_us <= answer->wait_us)
            continue;
        answer->verdict = RATES_LIMITED;
        answer->wait_us = wait_us;
        answer->rated = rated;
        answer->scope = seat->scope;
        answer->id = seat->id;
        answer->limit = account->limit[rated];
        answer->used = used_of(account, rated);
        answer->requested = need;
    }
}

static void take(struct seat *seat, const struct rates_ask *ask)
{
    struct rates_account *account = seat->account;
    for (unsigned rated = 0; rated < RATED_BY_MINUTE; rated++) {
        int64_t need = need_of(seat, ask, (enum rated)rated);
        if (need == 0)
            continue;
        struct rates_ring *ring = &account->rings[rated];
        ASSERT(seat->taken[rated] == 0);
        ring->used[rates_slot(account->newest)] += need;
        ring->sum += need;
        seat->taken[rated] = need;
        seat->at[rated] = account->newest;
    }
    account->running += seat->fresh ? 1 : 0;
    seat->fresh = false;
}

static void stand_up(struct rates_pass *pass)
{
    while (pass->count > 0 && pass->seats[pass->count - 1].fresh)
        pass->seats[--pass->count].account->pins--;
}

static int64_t reset_of(const struct rates_core *core, const struct rates_account *account,
                        enum rated rated)
{
    for (int64_t ago = 0; ago < RATES_COUNTING; ago++) {
        int64_t subwindow = account->newest - ago;
        if (account->rings[rated].used[rates_slot(subwindow)] > 0)
            return (subwindow + RATES_COUNTING) * RATES_SUBWINDOW_US - core->now_us;
    }
    return 0;
}

static void find_level(const struct rates_core *core, const struct rates_pass *pass,
                       enum rated rated, struct rates_level *level)
{
    for (size_t i = 0; i < pass->count; i++) {
        const struct rates_account *account = pass->seats[i].account;
        if (account->limit[rated] == LIMIT_NONE)
            continue;
        int64_t left = left_of(core, account, rated);
        if (level->known && left >= level->remaining)
            continue;
        *level = (struct rates_level){
            .known = true,
            .limit = account->limit[rated],
            .remaining = left,
            .reset_us = reset_of(core, account, rated),
        };
    }
}

static void pass_close(struct rates_core *core, struct rates_pass *pass)
{
    core->passes--;
    free(pass);
}

void rates_enter(struct rates_core *core, struct rates_pass **pass, const struct rates_ask *ask,
                 struct rates_answer *answer)
{
    *answer = (struct rates_answer){.verdict = RATES_PASSED};
    if (core->now_us < ask->now_us)
        core->now_us = ask->now_us;
    rates_sweep(core);
    if (!gather(core, pass, ask))
        answer->verdict = RATES_CROWDED;
    if (*pass == NULL)
        return;
    for (size_t i = 0; answer->verdict != RATES_CROWDED && i < (*pass)->count; i++)
        judge(core, &(*pass)->seats[i], ask, answer);
    for (size_t i = 0; answer->verdict == RATES_PASSED && i < (*pass)->count; i++)
        take(&(*pass)->seats[i], ask);
    for (unsigned rated = 0; rated < RATED_BY_MINUTE; rated++)
        find_level(core, *pass, (enum rated)rated, &answer->level[rated]);
    stand_up(*pass);
    if ((*pass)->count > 0)
        return;
    pass_close(core, *pass);
    *pass = NULL;
}

/* ---- leaving ---- */

/* In the sub-window in which it was taken, if that still counts. */
static void correct(struct seat *seat, enum rated rated, int64_t used)
{
    struct rates_account *account = seat->account;
    struct rates_ring *ring = &account->rings[rated];
    if (account->newest - seat->at[rated] >= RATES_COUNTING || seat->taken[rated] == used)
        return;
    ring->used[rates_slot(seat->at[rated])] += used - seat->taken[rated];
    ring->sum += used - seat->taken[rated];
    seat->taken[rated] = used;
}

static void leave_seat(struct seat *seat, enum rates_end end, int64_t tokens)
{
    struct rates_account *account = seat->account;
    ASSERT(account->running > 0);
    ASSERT(account->pins > 0);
    if (end == RATES_UNDONE)
        correct(seat, RATED_REQUESTS, 0);
    if (end != RATES_UNKNOWN && seat->taken[RATED_TOKENS] > 0)
        correct(seat, RATED_TOKENS, end == RATES_UNDONE ? 0 : tokens);
    account->running--;
    account->pins--;
}

void rates_leave(struct rates_core *core, struct rates_pass *pass, enum rates_end end,
                 int64_t tokens)
{
    if (pass == NULL)
        return;
    ASSERT(tokens >= 0);
    for (size_t i = 0; i < pass->count; i++)
        leave_seat(&pass->seats[i], end, tokens < TOKENS_MOST ? tokens : TOKENS_MOST);
    pass_close(core, pass);
}

size_t rates_passes(const struct rates_core *core)
{
    return core->passes;
}
