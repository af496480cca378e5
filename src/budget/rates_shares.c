/*
 * Shares of rate limits: what their lessee tells the store, and what it makes of the answer.
 */
#include "budget/rates_state.h"

#define SECOND_US INT64_C(1000000)
/* What the store refused is not asked for again so soon; what it gave is not given back. */
#define PATIENCE_US (SECOND_US / 4)
#define REFILL_US   (SECOND_US / 50) /* headroom is asked for no more often */
#define ROUNDS      4                /* per second (rates_lessee.c) */
/* Shares of parallel are said again at least so often; they live for longer (rates_lessee.c). */
#define RENEW_US  (2 * SECOND_US)
#define IDLE_US   SECOND_US
#define SUBWINDOW (RATES_SUBWINDOW_US / SECOND_US) /* seconds */

void rates_lease(struct rates_core *core, int64_t offset_us)
{
    ASSERT(core->count == 0);
    core->leased = true;
    core->offset_us = offset_us;
}

void rates_alone(struct rates_core *core, int64_t instances)
{
    ASSERT(instances >= 0);
    core->alone = instances;
}

void rates_give_back(struct rates_core *core)
{
    core->leaving = true;
}

/* ---- the list of accounts that have something to tell ---- */

static void unlist(struct rates_core *core, struct rates_account *account)
{
    *(account->before != NULL ? &account->before->after : &core->first) = account->after;
    *(account->after != NULL ? &account->after->before : &core->last) = account->before;
    account->before = account->after = NULL;
    account->listed = account->urgent = false;
}

static void put_first(struct rates_core *core, struct rates_account *account)
{
    account->after = core->first;
    *(core->first != NULL ? &core->first->before : &core->last) = account;
    core->first = account;
    account->listed = true;
}

static void put_last(struct rates_core *core, struct rates_account *account)
{
    account->before = core->last;
    *(core->last != NULL ? &core->last->after : &core->first) = account;
    core->last = account;
    account->listed = true;
}

void rates_list_account(struct rates_core *core, struct rates_account *account, bool urgent)
{
    if (account->urgent || (account->listed && !urgent))
        return;
    if (account->listed)
        unlist(core, account);
    if (urgent) {
        put_first(core, account);
        account->urgent = true;
    } else {
        account->round = core->round;
        put_last(core, account);
    }
}

void rates_begin_round(struct rates_core *core)
{
    core->round++;
}

bool rates_is_urgent(const struct rates_core *core)
{
    return core->first != NULL && core->first->urgent;
}

bool rates_is_due(const struct rates_core *core)
{
    return core->first != NULL && (rates_is_urgent(core) || core->first->round != core->round);
}

bool rates_has_listed(const struct rates_core *core)
{
    return core->first != NULL;
}

/* ---- how much ---- */

int64_t rates_free_share(const struct rates_account *account, enum rated rated)
{
    if (rated == RATED_PARALLEL)
        return account->loans[rated].share[0] - account->running;
    size_t slot = rates_slot(account->newest);
    return account->loans[rated].share[slot] - account->rings[rated].used[slot];
}

int64_t rates_others(const struct rates_account *account, enum rated rated)
{
    int64_t sum = 0;
    for (size_t slot = 0; slot < RATES_COUNTING; slot++)
        sum += account->loans[rated].others[slot];
    return sum;
}

/* What may be needed until the next round, four times a second: as much as of late. */
static int64_t headroom_of(const struct rates_core *core, const struct rates_account *account,
                           enum rated rated)
{
    if (core->leaving || account->limit[rated] == LIMIT_NONE)
        return 0;
    if (rated == RATED_PARALLEL)
        return account->peak - account->running;
    if (core->now_us - account->entered_us > IDLE_US)
        return 0;
    const struct rates_ring *ring = &account->rings[rated];
    int64_t seconds = core->now_us / SECOND_US - account->newest * SUBWINDOW + 1;
    int64_t now = ring->used[rates_slot(account->newest)] / seconds;
    int64_t before = ring->used[rates_slot(account->newest - 1)] / SUBWINDOW;
    return (now > before ? now : before) / ROUNDS;
}

bool rates_runs_short(const struct rates_core *core, const struct rates_account *account,
                      enum rated rated)
{
    const struct rates_loan *loan = &account->loans[rated];
    return core->alone == 0 && core->now_us >= loan->dry_until_us &&
           core->now_us >= loan->refill_us &&
           2 * rates_free_share(account, rated) < headroom_of(core, account, rated);
}

static int64_t most_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t at_most(int64_t amount, int64_t most)
{
    return amount < most ? amount : most;
}

/* Not below what is used, which is a fact; not above what may be kept. */
static int64_t trim(int64_t *share, int64_t used, int64_t keep)
{
    if (*share > keep)
        *share = keep;
    if (*share < used)
        *share = used;
    return *share;
}

/* Of the current sub-window, or of parallel. */
static bool fill_growing(struct rates_core *core, struct rates_account *account, enum rated rated,
                         struct rates_row *row)
{
    struct rates_loan *loan = &account->loans[rated];
    bool parallel = rated == RATED_PARALLEL;
    size_t slot = parallel ? 0 : rates_slot(account->newest);
    int64_t used = parallel ? account->running : account->rings[rated].used[slot];
    int64_t headroom = headroom_of(core, account, rated);
    bool fresh = !core->leaving && core->now_us - loan->granted_us < PATIENCE_US;
    int64_t share = trim(&loan->share[slot], used, fresh ? INT64_MAX : used + headroom);
    int64_t left = share - used, wanted = loan->wanted, useful = loan->useful;
    *row = (struct rates_row){.account = account->number,
                              .rated = rated,
                              .subwindow = parallel ? 0 : account->newest,
                              .limit = at_most(account->limit[rated], RATES_MOST),
                              .have = at_most(share, RATES_MOST)};
    bool grows = !core->leaving && core->alone == 0;
    loan->wanted = loan->useful = 0;
    if (wanted > left && grows) {
        row->wanted = at_most(wanted - left, RATES_MOST);
        row->useful = at_most(most_of(useful - left, 1), RATES_MOST);
        loan->dry = useful;
    }
    if (grows && (wanted > left || 2 * left < headroom))
        row->ahead = at_most(wanted + headroom - left, RATES_MOST);
    if (row->ahead > 0)
        loan->refill_us = core->now_us + REFILL_US;
    bool renewed = parallel && share > 0 && core->now_us - account->told_us >= RENEW_US;
    return loan->told[slot] != share || row->wanted > 0 || row->ahead > 0 || renewed;
}

/* Of a sub-window that is over: what is not used is given back. */
static bool fill_past(struct rates_account *account, enum rated rated, int64_t subwindow,
                      struct rates_row *row)
{
    struct rates_loan *loan = &account->loans[rated];
    size_t slot = rates_slot(subwindow);
    int64_t used = account->rings[rated].used[slot];
    int64_t share = trim(&loan->share[slot], used, used);
    *row = (struct rates_row){.account = account->number,
                              .rated = rated,
                              .subwindow = subwindow,
                              .limit = at_most(account->limit[rated], RATES_MOST),
                              .have = at_most(share, RATES_MOST)};
    return loan->told[slot] != share;
}

/* The oldest first: what they give back, the newest may have. */
static size_t ask_for(struct rates_core *core, struct rates_account *account,
                      struct rates_row *rows)
{
    size_t count = 0;
    rates_turn(core, account);
    for (unsigned rated = 0; rated < RATED_COUNT; rated++) {
        if (account->limit[rated] == LIMIT_NONE)
            continue;
        for (int64_t ago = RATES_SUBWINDOWS; rated != RATED_PARALLEL && ago > 0; ago--)
            count += fill_past(account, (enum rated)rated, account->newest - ago, &rows[count]);
        count += fill_growing(core, account, (enum rated)rated, &rows[count]);
    }
    account->peak = (account->peak + account->running) / 2;
    return count;
}

/* Nothing more will have to be said unless somebody enters or a call ends. */
static bool is_quiet(const struct rates_core *core, const struct rates_account *account)
{
    if (account->pins > 0 || core->now_us - account->entered_us <= IDLE_US)
        return false;
    for (unsigned rated = 0; rated < RATED_COUNT; rated++) {
        if (account->limit[rated] != LIMIT_NONE && rates_free_share(account, (enum rated)rated) > 0)
            return false;
    }
    return true;
}

size_t rates_ask_shares(struct rates_core *core, int64_t steady_us, struct rates_row *rows,
                        size_t most)
{
    size_t count = 0;
    if (core->now_us < steady_us + core->offset_us)
        core->now_us = steady_us + core->offset_us;
    while (rates_is_due(core) && most - count >= RATES_ROWS_LEAST) {
        struct rates_account *account = core->first;
        size_t more = ask_for(core, account, &rows[count]);
        unlist(core, account);
        account->round = core->round;
        if (more > 0 || !is_quiet(core, account))
            put_last(core, account);
        count += more;
    }
    return count;
}

/* ---- answers ---- */

static struct rates_account *account_of(const struct rates_core *core, const struct rates_row *row)
{
    return table_get(&core->by_number, text_make((const char *)&row->account, sizeof row->account));
}

static bool still_counts(const struct rates_account *account, int64_t subwindow)
{
    return subwindow <= account->newest && account->newest - subwindow < RATES_COUNTING;
}

/* `alone`: a store that comes back does not know yet what others took meanwhile. */
static void take_others(struct rates_account *account, int64_t alone, const struct rates_row *row,
                        const struct rates_row_answer *answer)
{
    struct rates_loan *loan = &account->loans[row->rated];
    if (row->rated == RATED_PARALLEL) {
        loan->others[0] = answer->others[0];
        return;
    }
    for (int64_t i = 0; i < RATES_COUNTING; i++) {
        int64_t subwindow = row->subwindow - RATES_SUBWINDOWS + i;
        int64_t *others = &loan->others[rates_slot(subwindow)];
        if (still_counts(account, subwindow) && (alone == 0 || answer->others[i] > *others))
            *others = answer->others[i];
    }
}

static void take_share(struct rates_core *core, const struct rates_row *row,
                       const struct rates_row_answer *answer)
{
    struct rates_account *account = account_of(core, row);
    if (account == NULL)
        return;
    struct rates_loan *loan = &account->loans[row->rated];
    bool parallel = row->rated == RATED_PARALLEL;
    take_others(account, core->alone, row, answer);
    if (parallel)
        account->told_us = core->now_us;
    if (!parallel && !still_counts(account, row->subwindow))
        return;
    size_t slot = parallel ? 0 : rates_slot(row->subwindow);
    loan->share[slot] += answer->moved;
    loan->told[slot] = loan->share[slot];
    if (answer->moved > 0)
        loan->granted_us = core->now_us;
    if (row->wanted > 0) {
        loan->dry_until_us = answer->moved < row->wanted ? core->now_us + PATIENCE_US : 0;
        loan->dry = answer->moved > 0 ? 1 : loan->dry; /* what was left was given */
    }
    if (row->ahead > 0 && answer->moved == 0)
        loan->refill_us = core->now_us + PATIENCE_US;
}

void rates_take_shares(struct rates_core *core, const struct rates_row *rows,
                       const struct rates_row_answer *answers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        take_share(core, &rows[i], &answers[i]);
}

void rates_lose_shares(struct rates_core *core, const struct rates_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct rates_account *account = account_of(core, &rows[i]);
        bool parallel = rows[i].rated == RATED_PARALLEL;
        if (account == NULL || (!parallel && !still_counts(account, rows[i].subwindow)))
            continue;
        size_t slot = parallel ? 0 : rates_slot(rows[i].subwindow);
        account->loans[rows[i].rated].told[slot] = RATES_UNTOLD;
        rates_list_account(core, account, false);
    }
}

/* ---- what the store may have forgotten ---- */

static void restate(struct rates_core *core, struct rates_account *account)
{
    bool any = account->running > 0;
    rates_turn(core, account);
    for (unsigned rated = 0; rated < RATED_COUNT; rated++) {
        struct rates_loan *loan = &account->loans[rated];
        for (size_t slot = 0; slot < RATES_COUNTING; slot++) {
            bool used = rated != RATED_PARALLEL && account->rings[rated].used[slot] > 0;
            if (used || loan->share[slot] > 0 || loan->told[slot] != 0)
                loan->told[slot] = RATES_UNTOLD;
            any = any || loan->told[slot] != 0;
        }
    }
    if (any)
        rates_list_account(core, account, true);
}

void rates_restate(struct rates_core *core)
{
    for (size_t i = 0; i < core->bucket_count; i++) {
        for (struct rates_account *account = core->buckets[i]; account; account = account->next)
            restate(core, account);
    }
}

/* ---- time ---- */

static void jump(struct rates_core *core, int64_t now_us)
{
    core->now_us = now_us;
    core->era++;
    for (size_t i = 0; i < core->bucket_count; i++) {
        for (struct rates_account *account = core->buckets[i]; account; account = account->next)
            rates_rebase(core, account);
    }
    rates_restate(core);
}

bool rates_set_clock(struct rates_core *core, int64_t steady_us, int64_t least_us, int64_t most_us)
{
    int64_t believed = steady_us + core->offset_us, right = believed;
    if (right > most_us)
        right = most_us;
    if (right < least_us)
        right = least_us;
    core->offset_us += right - believed;
    int64_t by = right > believed ? right - believed : believed - right;
    if (by > SECOND_US)
        jump(core, right);
    return by > SECOND_US;
}
