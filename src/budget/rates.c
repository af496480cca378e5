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
    uint64_t era;                /* in which they were so numbered */
    /* Taken without a share, as one of more instances: for each of the others as much is kept. */
    int64_t for_others[RATED_BY_MINUTE];
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

static int64_t others_of(const struct rates_account *account, enum rated rated)
{
    return account->loans == NULL ? 0 : rates_others(account, rated);
}

/* Of the limit, as far as is known. */
static int64_t left_of(const struct rates_account *account, enum rated rated)
{
    int64_t left = account->limit[rated] - used_of(account, rated) - others_of(account, rated);
    return left > 0 ? left : 0;
}

static bool has_share(const struct rates_account *account, enum rated rated, int64_t need)
{
    return account->loans == NULL || need <= rates_free_share(account, rated);
}

/* Without the store: what is left is for all instances alike. Whoever has nothing of it may have
 * one. */
static bool fits_alone(const struct rates_core *core, const struct rates_account *account,
                       enum rated rated, int64_t need)
{
    if (core->alone == 0)
        return false;
    if (used_of(account, rated) == 0)
        return true;
    if (rated == RATED_PARALLEL)
        return account->running + need <= account->limit[rated] / core->alone;
    return need <= left_of(account, rated) / core->alone;
}

/* When so much will have left the minute that the need fits. */
static int64_t wait_of(const struct rates_core *core, const struct rates_account *account,
                       enum rated rated, int64_t need)
{
    if (rated == RATED_PARALLEL || need <= left_of(account, rated))
        return SECOND_US;
    int64_t left = used_of(account, rated) + others_of(account, rated);
    int64_t subwindow = account->newest - RATES_COUNTING;
    while (left + need > account->limit[rated] && subwindow < account->newest) {
        size_t slot = rates_slot(++subwindow);
        left -= account->rings[rated].used[slot];
        left -= account->loans == NULL ? 0 : account->loans[rated].others[slot];
    }
    return (subwindow + RATES_COUNTING) * RATES_SUBWINDOW_US - core->now_us;
}

static void note_wanted(struct rates_core *core, struct rates_account *account, enum rated rated,
                        int64_t need, bool urgent)
{
    struct rates_loan *loan = &account->loans[rated];
    if (loan->wanted == 0 || need < loan->useful)
        loan->useful = need;
    if (loan->wanted < RATES_MOST)
        loan->wanted += need;
    rates_list_account(core, account, urgent);
}

static enum rates_verdict judge_one(struct rates_core *core, struct rates_account *account,
                                    enum rated rated, int64_t need, bool patient)
{
    int64_t own_left = account->limit[rated] - used_of(account, rated);
    if (need > own_left)
        return RATES_LIMITED;
    if (has_share(account, rated, need) || fits_alone(core, account, rated, need))
        return RATES_PASSED;
    if (core->alone > 0)
        return RATES_LIMITED;
    const struct rates_loan *loan = &account->loans[rated];
    bool dry = core->now_us < loan->dry_until_us && need >= loan->dry;
    note_wanted(core, account, rated, need, !dry);
    return dry || !patient ? RATES_LIMITED : RATES_WAIT;
}

static void tell_limited(const struct rates_core *core, const struct seat *seat, enum rated rated,
                         int64_t need, struct rates_answer *answer)
{
    const struct rates_account *account = seat->account;
    int64_t wait_us = wait_of(core, account, rated, need);
    if (wait_us <= answer->wait_us)
        return;
    answer->wait_us = wait_us;
    answer->rated = rated;
    answer->scope = seat->scope;
    answer->id = seat->id;
    answer->limit = account->limit[rated];
    answer->used = used_of(account, rated) + others_of(account, rated);
    answer->requested = need;
}

/* One limit that has no room is enough; who waits for another would wait in vain. */
static void judge(struct rates_core *core, const struct seat *seat, const struct rates_ask *ask,
                  struct rates_answer *answer)
{
    for (unsigned at = 0; at < RATED_COUNT; at++) {
        enum rated rated = (enum rated)at;
        int64_t need = need_of(seat, ask, rated);
        if (need == 0)
            continue;
        enum rates_verdict verdict = judge_one(core, seat->account, rated, need, ask->patient);
        if (verdict == RATES_LIMITED)
            tell_limited(core, seat, rated, need, answer);
        if (verdict == RATES_LIMITED || (verdict == RATES_WAIT && answer->wait_us == 0))
            answer->verdict = verdict;
    }
}

/* No more than any limit: how many instances there are and what was used is told from outside. */
static void keep_for_others(int64_t *others, int64_t instances, int64_t more)
{
    int64_t kept;
    if (__builtin_mul_overflow(instances, more, &kept) ||
        __builtin_add_overflow(*others, kept, &kept))
        kept = more > 0 ? RATES_MOST : 0;
    *others = kept < 0 ? 0 : kept < RATES_MOST ? kept : RATES_MOST;
}

static void take_shared(struct rates_core *core, struct seat *seat, enum rated rated, int64_t need)
{
    struct rates_account *account = seat->account;
    if (!has_share(account, rated, need) && rated != RATED_PARALLEL) {
        seat->for_others[rated] = core->alone - 1;
        keep_for_others(&account->loans[rated].others[rates_slot(account->newest)], core->alone - 1,
                        need);
    }
    account->entered_us = core->now_us;
    rates_list_account(core, account, false);
}

static void take(struct rates_core *core, struct seat *seat, const struct rates_ask *ask)
{
    struct rates_account *account = seat->account;
    for (unsigned rated = 0; rated < RATED_COUNT; rated++) {
        int64_t need = need_of(seat, ask, (enum rated)rated);
        if (need > 0 && account->loans != NULL)
            take_shared(core, seat, (enum rated)rated, need);
        if (need == 0 || rated == RATED_PARALLEL)
            continue;
        struct rates_ring *ring = &account->rings[rated];
        ASSERT(seat->taken[rated] == 0);
        ring->used[rates_slot(account->newest)] += need;
        ring->sum += need;
        seat->taken[rated] = need;
        seat->at[rated] = account->newest;
        seat->era = core->era;
    }
    account->running += seat->fresh ? 1 : 0;
    account->peak = account->running > account->peak ? account->running : account->peak;
    seat->fresh = false;
    for (unsigned rated = 0; account->loans != NULL && rated < RATED_COUNT; rated++) {
        if (rates_runs_short(core, account, (enum rated)rated))
            rates_list_account(core, account, true);
    }
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
        size_t slot = rates_slot(subwindow);
        if (account->rings[rated].used[slot] > 0 ||
            (account->loans != NULL && account->loans[rated].others[slot] > 0))
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
        int64_t left = left_of(account, rated);
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
    if (core->now_us < ask->now_us + core->offset_us)
        core->now_us = ask->now_us + core->offset_us;
    rates_sweep(core);
    if (!gather(core, pass, ask))
        answer->verdict = RATES_CROWDED;
    if (*pass == NULL)
        return;
    for (size_t i = 0; answer->verdict != RATES_CROWDED && i < (*pass)->count; i++)
        judge(core, &(*pass)->seats[i], ask, answer);
    for (size_t i = 0; answer->verdict == RATES_PASSED && i < (*pass)->count; i++)
        take(core, &(*pass)->seats[i], ask);
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
static void correct(struct rates_core *core, struct seat *seat, enum rated rated, int64_t used)
{
    struct rates_account *account = seat->account;
    struct rates_ring *ring = &account->rings[rated];
    int64_t more = used - seat->taken[rated];
    if (account->newest - seat->at[rated] >= RATES_COUNTING || more == 0 || seat->era != core->era)
        return;
    size_t slot = rates_slot(seat->at[rated]);
    ring->used[slot] += more;
    ring->sum += more;
    seat->taken[rated] = used;
    if (account->loans == NULL)
        return;
    if (core->alone > 0) /* else the store has told it anew */
        keep_for_others(&account->loans[rated].others[slot], seat->for_others[rated], more);
    rates_list_account(core, account, false);
}

static void leave_seat(struct rates_core *core, struct seat *seat, enum rates_end end,
                       int64_t tokens)
{
    struct rates_account *account = seat->account;
    ASSERT(account->running > 0);
    ASSERT(account->pins > 0);
    if (end == RATES_UNDONE)
        correct(core, seat, RATED_REQUESTS, 0);
    if (end != RATES_UNKNOWN && seat->taken[RATED_TOKENS] > 0)
        correct(core, seat, RATED_TOKENS, end == RATES_UNDONE ? 0 : tokens);
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
        leave_seat(core, &pass->seats[i], end, tokens < TOKENS_MOST ? tokens : TOKENS_MOST);
    pass_close(core, pass);
}

size_t rates_passes(const struct rates_core *core)
{
    return core->passes;
}
