/* The moves of one operation: from what the core wants to what the store and the journal get. */
#include "budget/lease_state.h"

/* Accounts that are looked at with each sign of life, besides idle ones of which there is something
 * to tell: these stay in the list for that (headroom_yield). */
#define LOOKS_MOST 64

/* Where a store comes and goes: often enough for rows that last for hours, of accounts by the
 * 100,000. */
#define RENEW_MS 5000

/* Nobody is granted anything while one looks at accounts or rows: so many at a time. */
#define RENEW_CHAINS       1024
#define LOOKS_AT_ROWS_MOST 2048

/* After a pause the round goes on with no more than this part of all. */
#define ROUND_PORTION 16

static struct move *move_add(struct lease *lease, enum move_kind kind, struct account *account)
{
    ASSERT(lease->move_count < STORE_ROWS_MOST);
    struct move *move = &lease->moves[lease->move_count++];
    *move = (struct move){.kind = kind, .account = account};
    if (account != NULL)
        move->number = account->number;
    return move;
}

static size_t room_for_moves(const struct lease *lease)
{
    return STORE_ROWS_MOST - lease->move_count;
}

/* ---- gathering ---- */

void work_add_growths(struct lease *lease, bool beats)
{
    struct growth growths[STORE_ROWS_MOST];
    size_t room = room_for_moves(lease);
    size_t spared = beats ? LOOKS_MOST : 0; /* or nobody is told of who does not grow */
    if (!headroom_any(lease->options.core) || room <= spared)
        return;
    size_t count = headroom_take(lease->options.core, growths, room - spared);
    for (size_t at = 0; at < count; at++)
        move_add(lease, MOVE_GROW, growths[at].account)->growth = growths[at];
}

void work_add_gifts(struct lease *lease)
{
    struct gift gifts[STORE_ROWS_MOST];
    size_t count = headroom_yield(lease->options.core, lease->now_s, lease->retiring, gifts,
                                  room_for_moves(lease));
    for (size_t at = 0; at < count; at++)
        move_add(lease, MOVE_GIVE, gifts[at].account);
}

void work_add_mends(struct lease *lease)
{
    size_t at = 0;
    const struct lease_row *row = NULL;
    while (lease->rows.lacking > 0 && room_for_moves(lease) > 0 &&
           (row = lease_rows_next(&lease->rows, &at, lease->now_s)) != NULL) {
        if (row->lacking)
            move_add(lease, MOVE_MEND, NULL)->number = row->charge.account;
    }
}

void work_add_looks(struct lease *lease)
{
    struct account *account = lease->options.core->accounts.oldest;
    size_t count = 0;
    for (; account != NULL && room_for_moves(lease) > 0; account = account->growing.newer) {
        bool told = account->growing.told == account->spent;
        bool idle = account->used_s + HEADROOM_IDLE_S <= lease->now_s;
        if (count == LOOKS_MOST && !idle)
            break;
        if (account->growing.asked || (told && (account_free(account) <= 0 || count == LOOKS_MOST)))
            continue;
        account->pins++;
        move_add(lease, MOVE_LOOK, account);
        count += count < LOOKS_MOST ? 1 : 0;
    }
}

void work_add_round(struct lease *lease)
{
    struct core *core = lease->options.core;
    struct account *found[STORE_ROWS_MOST];
    size_t chains = core->accounts.chain_count;
    int64_t passed_ms = lease->now_ms - lease->looked_ms;
    if (passed_ms > ROUND_MS / ROUND_PORTION)
        passed_ms = ROUND_MS / ROUND_PORTION;
    size_t portion = chains * (size_t)passed_ms / ROUND_MS + 1;
    lease->looked_ms += passed_ms; /* what is left follows with the next beats */
    size_t count = headroom_round(core, portion, found, room_for_moves(lease));
    for (size_t at = 0; at < count; at++) {
        found[at]->pins++;
        move_add(lease, MOVE_LOOK, found[at]);
    }
}

/* ---- rows ---- */

static struct charge charge_of(const struct lease *lease, const struct account *account)
{
    const struct core *core = lease->options.core;
    struct charge charge = {.account = account->number,
                            .amount = account->ceiling,
                            .overdraft = account->overdraft,
                            .until_s = account_until_s(account),
                            .unit = account->unit,
                            .scope = account->scope,
                            .id = account->id};
    if (account->budget != ACCOUNT_GONE)
        charge.budget = core->options.budgets[account->budget].name;
    memcpy(charge.window, account->window.id, sizeof(charge.window));
    return charge;
}

/* What is held is in use, however long ago it was taken. */
static void note_held(const struct lease *lease, struct account *account)
{
    if (account->held > 0 && account->held_s < lease->now_s)
        account->held_s = lease->now_s;
}

/* Where there is no row (any more) nothing is expected of the store. What the ledger still knows is
 * charged. */
static struct lease_row *row_of(struct lease *lease, struct account *account)
{
    struct lease_row *row = lease_rows_find(&lease->rows, account->number);
    note_held(lease, account);
    if (row == NULL || row->charge.until_s < lease->now_s) {
        struct charge charge = charge_of(lease, account);
        row = lease_rows_put(&lease->rows, &charge, lease->now_s);
        row->anew = row->anew && (account->spent == 0 || account->growing.fresh);
    }
    lease_rows_renew(&lease->rows, row, account_until_s(account), lease->now_s);
    row->renewal = lease->renewal.number;
    row->lapses = account->idle_s > 0;
    row->limit = store_floor(account->unit, account->limit);
    row->spent = store_ceil(account->unit, account->spent);
    account->growing.told = row->anew ? 0 : account->spent; /* as stored_move says */
    if (!row->anew)
        account->growing.fresh = false;
    return row;
}

static void renew_row(struct lease *lease, struct account *account)
{
    if (account->ceiling > 0)
        (void)row_of(lease, account);
}

static void begin_renewal(struct lease *lease)
{
    struct renewal *renewal = &lease->renewal;
    renewal->number++;
    renewal->at = 0;
    renewal->redefined = lease->options.core->redefined;
}

bool work_renew_rows(struct lease *lease)
{
    struct renewal *renewal = &lease->renewal;
    const struct core *core = lease->options.core;
    const struct accounts *accounts = &core->accounts;
    bool due = renewal->at > 0 || lease->now_ms - renewal->ended_ms >= RENEW_MS;
    if (lease->sync_at > 0 || !due)
        return false;
    if (renewal->at == 0 || renewal->redefined != core->redefined)
        begin_renewal(lease);
    for (int left = RENEW_CHAINS; left > 0 && renewal->at < accounts->chain_count; left--) {
        struct account *account = accounts->chains[renewal->at++].first;
        for (; account != NULL; account = account->next_in_chain)
            renew_row(lease, account);
    }
    if (renewal->at < accounts->chain_count)
        return true;
    for (struct account *account = accounts->gone.first; account != NULL; account = account->next)
        renew_row(lease, account);
    renewal->at = 0;
    renewal->ended_ms = lease->now_ms;
    return false;
}

static struct restored *restored_of(const struct lease *lease, uint64_t number)
{
    struct text key = text_make((const char *)&number, sizeof(number));
    return table_get(&lease->options.core->accounts.restored, key);
}

/* A session that appeared since the renewal began, with what the journal has, gives that back
 * before it is used (headroom_shut), and what was spent there is charged with its next row. */
static bool is_in_use(const struct lease *lease, const struct lease_row *row)
{
    const struct core *core = lease->options.core;
    const struct renewal *renewal = &lease->renewal;
    return row->renewal == renewal->number || renewal->redefined != core->redefined;
}

/* A session that is over is not stated, or the store would keep what was spent on it for hours. If
 * the clock was wrong, what was spent is charged when the session is used: its ceiling is not. */
static bool drop_over(struct lease *lease, struct lease_row *row)
{
    if (!row->lapses || row->charge.until_s >= lease->now_s)
        return false;
    struct restored *restored = restored_of(lease, row->charge.account);
    if (restored != NULL)
        restored->ceiling = 0;
    else if (is_in_use(lease, row))
        return false;
    lease_rows_drop(&lease->rows, row);
    return true;
}

size_t work_state_rows(struct lease *lease, bool *complete)
{
    struct lease_row *row = NULL;
    size_t count = 0, looks = 0;
    while (count < STORE_ROWS_MOST && looks < LOOKS_AT_ROWS_MOST &&
           (row = lease_rows_next(&lease->rows, &lease->sync_at, INT64_MIN)) != NULL) {
        looks++;
        if (!drop_over(lease, row))
            lease->store_rows[count++] = lease_row_stated(row);
    }
    *complete = count < STORE_ROWS_MOST && looks < LOOKS_AT_ROWS_MOST;
    return count;
}

static bool lapses(const struct lease *lease, const struct restored *restored)
{
    const struct core_options *options = &lease->options.core->options;
    if (restored == NULL || restored->budget >= options->budget_count)
        return false;
    const struct budget *budget = &options->budgets[restored->budget];
    return budget->scope == SCOPE_SESSION && budget->window != WINDOW_ROLLING;
}

void work_take_journal(struct lease *lease, const struct charge *charge)
{
    struct lease_row *row = lease_rows_put(&lease->rows, charge, INT64_MIN);
    const struct restored *restored = restored_of(lease, charge->account);
    lease_rows_doubt(&lease->rows, row, false); /* all are stated anyway */
    row->anew = false;
    row->lapses = lapses(lease, restored);
    row->spent = restored == NULL ? 0 : store_ceil(charge->unit, restored->amount);
}

/* What the journal says next of an account; its row states the spend that goes with it, if no move
 * should tell it. */
static struct charge *add_charge(struct lease *lease, const struct account *account)
{
    struct charge *charge = &lease->charges[lease->charge_count++];
    struct lease_row *row = lease_rows_find(&lease->rows, account->number);
    if (row != NULL)
        row->spent = store_ceil(account->unit, account->spent);
    *charge = charge_of(lease, account);
    return charge;
}

static int64_t missing(const struct lease_row *row)
{
    int64_t stated = store_ceil(row->charge.unit, row->charge.amount);
    return stated > row->granted ? stated - row->granted : 0;
}

static int64_t surplus(const struct lease_row *row)
{
    int64_t stated = store_ceil(row->charge.unit, row->charge.amount);
    return row->granted > stated ? row->granted - stated : 0;
}

static int64_t ceiling_when_charged(const struct move *move)
{
    return account_add(move->account->ceiling, move->growth.charge, ACCOUNT_MOST);
}

/* The store counts in steps, and a ceiling is as exact as its overruns. */
static int64_t charged_for(const struct move *move)
{
    const struct account *account = move->account;
    return store_ceil(account->unit, ceiling_when_charged(move)) -
           store_ceil(account->unit, account->ceiling);
}

static struct store_row stored_move(struct lease *lease, const struct move *move)
{
    if (move->kind == MOVE_MEND) {
        const struct lease_row *row = lease_rows_find(&lease->rows, move->number);
        if (row == NULL)
            return (struct store_row){.account = move->number, .limit = LIMIT_NONE};
        return (struct store_row){.account = move->number,
                                  .limit = row->limit,
                                  .until_s = row->charge.until_s,
                                  .charge = missing(row),
                                  .spent = row->spent};
    }
    const struct lease_row *row = row_of(lease, move->account);
    enum unit unit = move->account->unit;
    struct store_row stored = {.account = move->number,
                               .limit = row->limit,
                               .until_s = row->charge.until_s,
                               .spent = row->anew ? 0 : row->spent,
                               .anew = row->anew,
                               .beginning = row->anew && row->lapses ? row->beginning : 0};
    if (move->kind == MOVE_GIVE)
        stored.give = surplus(row); /* the journal has the lower ceiling already */
    if (move->kind != MOVE_GROW)
        return stored;
    stored.least = store_ceil(unit, move->growth.least);
    stored.most = store_ceil(unit, move->growth.most);
    stored.charge = charged_for(move);
    stored.rolling = move->account->group != NULL && stored.most > 0;
    if (row->granted == 0)
        stored.what = &row->charge; /* the first time, or nearly */
    return stored;
}

void work_fill_rows(struct lease *lease)
{
    for (size_t at = 0; at < lease->move_count; at++)
        lease->store_rows[at] = stored_move(lease, &lease->moves[at]);
}

/* ---- answers ---- */

/* So much of what the limit leaves a group is granted already by this operation. */
static int64_t granted_beside(const struct lease *lease, size_t move)
{
    const struct group *group = lease->moves[move].account->group;
    int64_t granted = 0;
    for (size_t at = 0; group != NULL && at < move; at++) {
        const struct move *other = &lease->moves[at];
        if (other->kind == MOVE_GROW && other->account->group == group)
            granted = account_add(granted, other->answer.grown, ACCOUNT_MOST);
    }
    return granted;
}

void work_answer_alone(struct lease *lease)
{
    for (size_t at = 0; at < lease->move_count; at++) {
        struct move *move = &lease->moves[at];
        if (move->kind != MOVE_GROW)
            continue;
        int64_t most = move->growth.most;
        int64_t leaves = account_obtainable(move->account) - granted_beside(lease, at);
        if (leaves < 0)
            leaves = 0;
        move->answer = (struct growth_answer){.grown = most < leaves ? most : leaves,
                                              .charged = move->growth.charge};
    }
}

static bool is_possible(const struct store_row *sent, const struct store_answer *answer)
{
    return answer->moved >= 0 && answer->moved <= sent->most && answer->granted >= 0 &&
           answer->total >= answer->granted && answer->elsewhere >= 0 &&
           answer->beside_granted >= 0 && answer->beside_spent >= 0;
}

/* Of a rolling window, others are added up only where something grows. */
static bool is_heard(const struct move *move, const struct store_row *sent, bool grows)
{
    bool rolls = move->account != NULL && move->account->group != NULL;
    return !rolls || (sent->rolling && grows);
}

/* It takes no more than the largest limit there is, so a charge may have been cut. Nobody can grow
 * there. */
static bool is_full(const struct store_answer *answer)
{
    return answer->total >= STORE_MOST;
}

/* What the store counts of it, and its ceiling has not: out as well, and nobody's to spend. */
static int64_t rest_of(const struct move *move)
{
    if (move->kind != MOVE_GROW)
        return 0;
    int64_t ceiling = ceiling_when_charged(move);
    enum unit unit = move->account->unit;
    int64_t rest = store_amount(unit, store_ceil(unit, ceiling)) - ceiling;
    return rest > 0 ? rest : 0;
}

/* False if the store has less than it granted. */
static bool take_answer(struct lease *lease, struct move *move, const struct store_row *sent,
                        const struct store_answer *answer, bool grows)
{
    struct lease_row *row = lease_rows_find(&lease->rows, move->number);
    if (row == NULL)
        return true;
    enum unit unit = row->charge.unit;
    int64_t expected = row->granted + answer->moved + sent->charge - sent->give;
    int64_t others = answer->total - answer->granted + answer->beside_granted;
    int64_t spent = answer->elsewhere + answer->beside_spent;
    int64_t elsewhere = spent < others ? spent : others;
    row->granted = answer->granted;
    row->anew = false;
    if (move->account != NULL)
        move->account->growing.fresh = false;
    move->wanted = answer->wanted;
    if (move->kind == MOVE_MEND)
        lease_rows_lack(&lease->rows, row, missing(row) > 0 && !is_full(answer));
    move->answer = (struct growth_answer){
        .grown = store_amount(unit, answer->moved),
        .charged = move->growth.charge,
        .elsewhere_granted = store_amount(unit, others) + rest_of(move),
        .elsewhere_spent = store_amount(unit, elsewhere),
        .heard = is_heard(move, sent, grows),
    };
    if (answer->granted > expected) /* nothing of it was used: it was never noted */
        lease_rows_doubt(&lease->rows, row, true);
    return answer->granted >= expected || is_full(answer);
}

bool work_take_reply(struct lease *lease, const struct store_reply *reply)
{
    bool possible = reply->row_count == lease->move_count;
    for (size_t at = 0; possible && at < lease->move_count; at++)
        possible = is_possible(&lease->store_rows[at], &reply->rows[at]);
    if (!possible)
        return false;
    bool remembered = true;
    for (size_t at = 0; at < lease->move_count; at++)
        remembered = take_answer(lease, &lease->moves[at], &lease->store_rows[at], &reply->rows[at],
                                 reply->verdict == STORE_OK) &&
                     remembered;
    return remembered;
}

/* ---- the journal ---- */

static int64_t raised_by(const struct move *move)
{
    const struct growth_answer *answer = &move->answer;
    if (move->kind != MOVE_GROW)
        return 0;
    return account_add(answer->grown, answer->charged, ACCOUNT_MOST);
}

void work_fill_charges(struct lease *lease, bool gifts)
{
    lease->charge_count = 0;
    for (size_t at = 0; at < lease->move_count; at++) {
        const struct move *move = &lease->moves[at];
        int64_t raised = raised_by(move);
        if (raised == 0 && !(gifts && move->kind == MOVE_GIVE))
            continue;
        /* It is about to be used: after a loss of power that may be all that tells so. */
        if (raised > 0 && move->account->held_s < lease->now_s)
            move->account->held_s = lease->now_s;
        struct charge *charge = add_charge(lease, move->account);
        charge->amount = account_add(charge->amount, raised, ACCOUNT_MOST);
        if (move->kind == MOVE_GROW)
            charge->overdraft += move->answer.overdrawn;
    }
}

void work_spoil(struct lease *lease)
{
    struct arena texts = {0};
    lease->charge_count = 0;
    for (size_t at = 0; at < lease->move_count; at++) {
        const struct move *move = &lease->moves[at];
        if (raised_by(move) == 0 && move->kind != MOVE_GIVE)
            continue;
        struct charge *charge = add_charge(lease, move->account);
        charge->id = arena_copy(&texts, charge->id);
    }
    arena_close(&lease->texts);
    lease->texts = texts;
}

/* ---- settling ---- */

static void settle(struct lease *lease, const struct move *move)
{
    struct core *core = lease->options.core;
    if (move->kind == MOVE_GROW)
        headroom_answer(core, move->account, &move->answer);
    else if (move->kind == MOVE_GIVE)
        headroom_given(core, move->account);
    else if (move->kind == MOVE_LOOK)
        accounts_release(&core->accounts, move->account); /* may be the end of it */
}

/* Somebody else was refused what is not used here. */
static bool should_give(const struct move *move)
{
    return move->wanted && move->kind == MOVE_LOOK && move->account->budget != ACCOUNT_GONE &&
           move->account->line->waiters == 0;
}

void work_settle(struct lease *lease)
{
    struct core *core = lease->options.core;
    size_t count = lease->move_count;
    lease->move_count = 0;
    for (size_t at = 0; at < count; at++) {
        const struct move move = lease->moves[at];
        struct gift gift;
        bool gives = should_give(&move);
        settle(lease, &move);
        if (gives && headroom_yield_one(core, move.account, &gift))
            move_add(lease, MOVE_GIVE, move.account);
    }
}

void work_refuse(struct lease *lease, bool away)
{
    for (size_t at = 0; at < lease->move_count; at++) {
        struct move *move = &lease->moves[at];
        move->wanted = false;
        move->answer = (struct growth_answer){.away = away};
    }
    work_settle(lease);
}

bool work_overdraw(struct lease *lease)
{
    bool any = false;
    for (size_t at = 0; at < lease->move_count; at++) {
        struct move *move = &lease->moves[at];
        if (move->kind != MOVE_GROW)
            continue;
        int64_t allowed = headroom_allowance(lease->options.core, move->account);
        int64_t amount = move->growth.least < allowed ? move->growth.least : allowed;
        move->answer = (struct growth_answer){.grown = amount, .overdrawn = amount, .away = true};
        any = any || amount > 0;
    }
    return any;
}

void work_doubt_overdrawn(struct lease *lease)
{
    for (size_t at = 0; at < lease->move_count; at++) {
        const struct move *move = &lease->moves[at];
        struct lease_row *row = lease_rows_find(&lease->rows, move->number);
        if (move->kind != MOVE_GROW || move->answer.overdrawn == 0 || row == NULL)
            continue;
        row->lapses = move->account->idle_s > 0; /* one that is new does not know */
        lease_rows_doubt(&lease->rows, row, true);
    }
}

void work_doubt(struct lease *lease)
{
    for (size_t at = 0; at < lease->move_count; at++) {
        struct lease_row *row = lease_rows_find(&lease->rows, lease->moves[at].number);
        if (row != NULL)
            lease_rows_doubt(&lease->rows, row, true);
    }
}
