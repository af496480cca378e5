/*
 * Whose ceiling must grow, and who can give back. Both are lists through the accounts, so that a
 * reservation that finds headroom pays for no more than a few assignments.
 */
#include "budget/headroom.h"

#include "budget/group.h"

/* What is spent on so many idle accounts may be untold before idle headroom has to wait for that.
 */
#define STAY_MOST 512

/* Headroom of a session on which nothing was held for so long goes back, whoever asks there. */
#define UNUSED_S 60

/* ---- those who want to grow ---- */

static void want(struct accounts *accounts, struct account *account)
{
    struct growing *growing = &account->growing;
    if (growing->wants || growing->asked || account->budget == ACCOUNT_GONE)
        return;
    growing->wants = true;
    growing->next = NULL;
    account->pins++;
    if (accounts->last_want != NULL)
        accounts->last_want->growing.next = account;
    else
        accounts->first_want = account;
    accounts->last_want = account;
}

static struct account *take_first(struct accounts *accounts)
{
    struct account *account = accounts->first_want;
    accounts->first_want = account->growing.next;
    if (accounts->first_want == NULL)
        accounts->last_want = NULL;
    account->growing.wants = false;
    return account;
}

/* Halved for every second that passed: so two seconds of a steady traffic. */
static int64_t flow_at(const struct account *account, int64_t now_s)
{
    int64_t seconds = now_s - account->growing.flow_s;
    if (seconds <= 0)
        return account->growing.flow;
    return seconds < 63 ? account->growing.flow >> seconds : 0;
}

/* What was reserved in the last second or so, times the seconds. */
static int64_t target_of(const struct accounts *accounts, int64_t flow)
{
    __int128 target = (__int128)flow * accounts->lease_s / 2;
    return target < ACCOUNT_MOST ? (int64_t)target : ACCOUNT_MOST;
}

/* ---- those who may have something to give ---- */

static void loose_remove(struct accounts *accounts, struct account *account)
{
    struct growing *growing = &account->growing;
    if (growing->older != NULL)
        growing->older->growing.newer = growing->newer;
    else
        accounts->oldest = growing->newer;
    if (growing->newer != NULL)
        growing->newer->growing.older = growing->older;
    else
        accounts->newest = growing->older;
    growing->loose = false;
}

static void loose_append(struct accounts *accounts, struct account *account)
{
    struct growing *growing = &account->growing;
    growing->older = accounts->newest;
    growing->newer = NULL;
    if (accounts->newest != NULL)
        accounts->newest->growing.newer = account;
    else
        accounts->oldest = account;
    accounts->newest = account;
    growing->loose = true;
}

static void loose_prepend(struct accounts *accounts, struct account *account)
{
    struct growing *growing = &account->growing;
    growing->newer = accounts->oldest;
    growing->older = NULL;
    if (accounts->oldest != NULL)
        accounts->oldest->growing.older = account;
    else
        accounts->newest = account;
    accounts->oldest = account;
    growing->loose = true;
}

void headroom_expect(const struct account *account)
{
    const struct growing *growing = &account->growing;
    if (growing->older != NULL)
        __builtin_prefetch(&growing->older->growing.newer);
    if (growing->newer != NULL)
        __builtin_prefetch(&growing->newer->growing.older);
}

/* Nobody will reserve there any more, or another sub-bucket needs it now. */
static bool is_left_over(const struct account *account)
{
    if (account->growing.gives || account->growing.shut)
        return true;
    return group_is_past(account) && !(account->growing.kept && account->held > 0);
}

void headroom_note_past(struct accounts *accounts, struct account *account)
{
    if (!accounts->leased || account->budget == ACCOUNT_GONE)
        return;
    if (account->growing.loose)
        loose_remove(accounts, account);
    loose_prepend(accounts, account);
    accounts->left_over = true;
}

void headroom_note_room(struct accounts *accounts, struct account *account)
{
    if (is_left_over(account)) {
        headroom_note_past(accounts, account);
        return;
    }
    if (!accounts->leased || accounts->newest == account)
        return;
    if (account->growing.loose)
        loose_remove(accounts, account);
    loose_append(accounts, account);
}

/* ---- told by the rest of the core ---- */

void headroom_note_use(struct accounts *accounts, struct account *account, int64_t amount)
{
    if (!accounts->leased)
        return;
    struct growing *growing = &account->growing;
    growing->flow = account_add(flow_at(account, account->used_s), amount, ACCOUNT_MOST);
    growing->flow_s = account->used_s;
    growing->refused = false;
    headroom_note_room(accounts, account);
    if (account_free(account) < target_of(accounts, growing->flow) / 2 && !group_is_past(account) &&
        account_obtainable(account) > 0)
        want(accounts, account);
}

void headroom_note_coming(struct accounts *accounts, struct account *account, int64_t flow)
{
    account->growing.flow = flow;
    account->growing.flow_s = account->used_s;
    headroom_note_room(accounts, account);
    want(accounts, account);
}

/* A stream goes before those who come: what the others of its group do not use is its. */
static void gather_for(struct accounts *accounts, const struct account *account)
{
    for (struct account *other = account->group->newest; other != NULL; other = other->earlier) {
        bool gives = other->ceiling > other->spent + other->held + other->returning;
        if (other == account || !gives)
            continue;
        other->growing.gives = true;
        headroom_note_past(accounts, other);
    }
}

void headroom_note_lack(struct accounts *accounts, struct account *account, int64_t lack)
{
    if (!accounts->leased)
        return;
    if (account->growing.lack < lack)
        account->growing.lack = lack;
    int64_t obtainable = account_obtainable(account);
    if (group_is_past(account) && lack > obtainable)
        gather_for(accounts, account);
    if (obtainable > 0)
        want(accounts, account);
}

void headroom_note_refusal(const struct core *core, struct account *account)
{
    account->growing.refused = true;
    account->growing.refused_alone = core->alone;
}

void headroom_note_over(struct accounts *accounts, struct account *account)
{
    if (accounts->leased && account->over > 0)
        want(accounts, account);
}

/* One that wants to grow is pinned, and is not freed. */
void headroom_forget(struct accounts *accounts, struct account *account)
{
    ASSERT(!account->growing.wants);
    ASSERT(!account->growing.asked);
    if (account->growing.loose)
        loose_remove(accounts, account);
}

/* ---- asking ---- */

static int64_t step_of(const struct core *core, const struct account *account)
{
    return account->unit == UNIT_USD ? core->accounts.usd_step : 1;
}

/* An amount of 0 or more; at most ACCOUNT_MOST, which is more than any limit. */
static int64_t round_up(int64_t amount, int64_t step)
{
    int64_t rest = amount % step;
    return rest == 0 || amount > ACCOUNT_MOST - step ? amount - rest : amount - rest + step;
}

/* What those need together who wait for one of the accounts that are about to be asked for. */
static void count_waiting(const struct core *core)
{
    for (const struct waiter *waiter = core->first; waiter != NULL; waiter = waiter->next) {
        for (size_t at = 0; at < waiter->places.count; at++) {
            struct account *account = waiter->places.accounts[at];
            int64_t need = waiter->demand.need[account->unit];
            account->growing.wait = account_add(account->growing.wait, need, ACCOUNT_MOST);
        }
    }
}

static void forget_waiting(const struct core *core)
{
    for (const struct waiter *waiter = core->first; waiter != NULL; waiter = waiter->next) {
        for (size_t at = 0; at < waiter->places.count; at++)
            waiter->places.accounts[at]->growing.wait = 0;
    }
}

static int64_t least_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* No more than what the limit leaves: a part of it is of use, too. */
static int64_t missing(const struct account *account, int64_t wanted, int64_t step)
{
    int64_t more = wanted - account_free(account);
    return more <= 0 ? 0 : least_of(round_up(more, step), account_obtainable(account));
}

/* What others have may have come back since they were heard of: nobody waits without asking. */
static int64_t missing_to_wait(const struct account *account, int64_t wanted, int64_t step)
{
    int64_t more = wanted - account_free(account);
    int64_t leaves =
        account->group != NULL ? group_leaves(account) : account->limit - account->ceiling;
    return more <= 0 || leaves <= 0 ? 0 : least_of(round_up(more, step), leaves);
}

/* Exactly: what a step has more is not granted. But of sub-buckets each would have such a rest, and
 * what they leave together would be no whole steps. */
static int64_t charge_of(const struct account *account, int64_t step)
{
    return account->group == NULL ? account->over : round_up(account->over, step);
}

static struct growth growth_of(const struct core *core, struct account *account)
{
    struct growing *growing = &account->growing;
    int64_t step = step_of(core, account);
    if (account->budget == ACCOUNT_GONE) /* since it wanted that */
        return (struct growth){.account = account, .charge = charge_of(account, step)};
    int64_t least = missing_to_wait(account, growing->wait, step);
    int64_t lack = least_of(round_up(growing->lack, step), account_obtainable(account));
    int64_t most =
        missing(account, target_of(&core->accounts, flow_at(account, core->now_s)), step);
    if (least < lack)
        least = lack;
    if (group_is_past(account))
        most = least;
    return (struct growth){.account = account,
                           .least = least,
                           .most = most > least ? most : least,
                           .charge = charge_of(account, step)};
}

bool headroom_any(const struct core *core)
{
    return core->accounts.first_want != NULL || core->accounts.left_over;
}

bool headroom_left_over(const struct core *core)
{
    return core->accounts.left_over;
}

void headroom_postpone(struct core *core)
{
    core->accounts.left_over = false;
}

size_t headroom_take(struct core *core, struct growth *growths, size_t most)
{
    struct accounts *accounts = &core->accounts;
    size_t count = 0;
    if (accounts->first_want == NULL)
        return 0;
    count_waiting(core);
    while (count < most && accounts->first_want != NULL) {
        struct account *account = take_first(accounts);
        if (account->growing.asked) { /* it gives first */
            accounts_release(accounts, account);
            continue;
        }
        struct growth growth = growth_of(core, account);
        account->growing.lacked = account->growing.lack;
        account->growing.lack = 0;
        if (growth.most == 0 && growth.charge == 0) {
            headroom_note_room(accounts, account); /* it has what it wanted by now, or more */
            accounts_release(accounts, account);
            continue;
        }
        account->growing.asked = true;
        growths[count++] = growth;
    }
    forget_waiting(core);
    return count;
}

/* ---- the answer ---- */

static void take_answer(struct account *account, const struct growth_answer *answer)
{
    int64_t more = account_add(answer->grown, answer->charged, ACCOUNT_MOST);
    group_take_out(account);
    account->ceiling = account_add(account->ceiling, more, ACCOUNT_MOST);
    account->overdraft = account_add(account->overdraft, answer->overdrawn, ACCOUNT_MOST);
    group_put_in(account);
    account->over -= least_of(account->over, answer->charged);
    account->growing.away = answer->away;
    if (answer->away)
        return;
    account->growing.refused = false;
    if (!answer->heard)
        return;
    if (account->group != NULL) {
        group_tell(account, answer->elsewhere_granted, answer->elsewhere_spent);
        return;
    }
    account->elsewhere_granted = answer->elsewhere_granted;
    account->elsewhere_spent = answer->elsewhere_spent;
}

/* An overrun that nobody answered for. */
static void note_owed(struct accounts *accounts, struct account *account)
{
    if (account->growing.owes)
        return;
    account->growing.owes = true;
    account->growing.next_owing = accounts->first_owing;
    accounts->first_owing = account;
    account->pins++;
}

static void want_owed(struct accounts *accounts)
{
    struct account *account = accounts->first_owing;
    accounts->first_owing = NULL;
    while (account != NULL) {
        struct account *next = account->growing.next_owing;
        account->growing.owes = false;
        headroom_note_over(accounts, account);
        accounts_release(accounts, account);
        account = next;
    }
}

/* Who came while the answer was under way. */
static bool needs_more(const struct account *account)
{
    bool lacks = account->line->wanted > 0 || account->growing.lack > 0;
    return account->over > 0 || (lacks && account_obtainable(account) > 0);
}

void headroom_answer(struct core *core, struct account *account, const struct growth_answer *answer)
{
    ASSERT(account->growing.asked);
    ASSERT(answer->grown >= 0);
    ASSERT(answer->charged >= 0);
    account->growing.asked = false;
    core->event++;
    take_answer(account, answer);
    if (answer->grown > 0)
        account_note_visit(account, core->now_s); /* what came just now is not idle */
    group_note_spent(account, core->event);
    account_check(account);
    account->growing.kept = group_is_past(account) && account->growing.lacked > 0 &&
                            account_free(account) >= account->growing.lacked;
    headroom_note_room(&core->accounts, account);
    if (account->line->waiters > 0)
        waiting_look(core);
    if (!answer->away && needs_more(account))
        want(&core->accounts, account);
    if (answer->away && account->over > 0)
        note_owed(&core->accounts, account);
    accounts_release(&core->accounts, account);
}

int64_t headroom_allowance(const struct core *core, const struct account *account)
{
    bool apart = account->idle_s > 0 && core->apart_s <= core->now_s;
    if (account->unit != UNIT_USD || account->budget == ACCOUNT_GONE || account->group != NULL ||
        apart)
        return 0;
    int64_t allowed = core->options.budgets[account->budget].away_open - account->overdraft;
    return allowed <= 0 ? 0 : allowed - allowed % step_of(core, account);
}

bool headroom_overdraws(const struct core *core, const struct account *account)
{
    return core->alone && account->limit > account->ceiling &&
           headroom_allowance(core, account) > 0;
}

void headroom_note_alone(struct core *core, struct account *account)
{
    if (headroom_overdraws(core, account))
        want(&core->accounts, account);
}

static void remind_those(struct core *core, bool open)
{
    for (const struct waiter *waiter = core->first; waiter != NULL; waiter = waiter->next) {
        for (size_t at = 0; at < waiter->places.count; at++) {
            struct account *account = waiter->places.accounts[at];
            if (account_lacks(account, waiter->demand.need[account->unit]) &&
                (!open || headroom_allowance(core, account) > 0))
                want(&core->accounts, account);
        }
    }
}

void headroom_remind(struct core *core)
{
    want_owed(&core->accounts);
    remind_those(core, false);
}

void headroom_remind_open(struct core *core)
{
    remind_those(core, true);
}

/* ---- giving back ---- */

/* What one sub-bucket gives may be what is lacking on another. */
static void want_instead(struct accounts *accounts, const struct account *account)
{
    struct account *other = account->group == NULL ? NULL : account->group->newest;
    if (group_is_past(account) && account->line->wanted > 0)
        want(accounts, other);
    for (; other != NULL; other = other->earlier) {
        if (other != account && other->growing.lack > 0)
            want(accounts, other);
    }
}

/* In whole steps. */
static int64_t unused(const struct accounts *accounts, const struct account *account)
{
    int64_t amount = account->ceiling - account->spent - account->held - account->returning;
    if (amount <= 0)
        return 0;
    return account->unit == UNIT_USD ? amount - amount % accounts->usd_step : amount;
}

bool headroom_yield_one(struct core *core, struct account *account, struct gift *gift)
{
    struct growing *growing = &account->growing;
    bool busy = growing->asked || (growing->wants && !growing->shut);
    if (busy || account->budget == ACCOUNT_GONE)
        return false;
    /* What was granted since it was shut is for those who asked for it. */
    int64_t amount = growing->shut ? 0 : unused(&core->accounts, account);
    if (amount == 0 && !growing->shut)
        return false;
    growing->shut = false;
    group_take_out(account);
    account->ceiling -= amount;
    group_put_in(account);
    want_instead(&core->accounts, account);
    growing->asked = true;
    account->pins++;
    account_check(account);
    *gift = (struct gift){.account = account, .amount = amount};
    return true;
}

/* It stays where it is, for the look that tells the store what is spent there. */
static bool is_untold(const struct core *core, const struct account *account)
{
    return core->tells && account->growing.told != account->spent;
}

size_t headroom_yield(struct core *core, int64_t now_s, bool all, struct gift *gifts, size_t most)
{
    struct accounts *accounts = &core->accounts;
    struct account *account = accounts->oldest;
    size_t count = 0, stay = 0;
    while (count < most && stay < STAY_MOST && account != NULL) {
        struct account *newer = account->growing.newer;
        bool idle = account->used_s + HEADROOM_IDLE_S <= now_s;
        if (!all && !idle && !is_left_over(account))
            break;
        account->growing.kept = false;
        account->growing.gives = false;
        if (!all && is_untold(core, account))
            stay++;
        else if (!account->growing.asked)
            loose_remove(accounts, account);
        if (headroom_yield_one(core, account, &gifts[count]))
            count++;
        account = newer;
    }
    accounts->left_over = account != NULL && stay < STAY_MOST && is_left_over(account);
    return count;
}

void headroom_given(struct core *core, struct account *account)
{
    ASSERT(account->growing.asked);
    account->growing.asked = false;
    if (needs_more(account))
        want(&core->accounts, account);
    /* It grew since it was shut, and is not in the list any more. */
    if (!account->growing.loose && unused(&core->accounts, account) > 0)
        headroom_note_room(&core->accounts, account);
    accounts_release(&core->accounts, account);
}

/* ---- sessions ---- */

void headroom_shut(struct accounts *accounts, struct account *account)
{
    if (account->idle_s == 0 || account->growing.era == accounts->era)
        return;
    account->growing.era = accounts->era;
    account->elsewhere_granted = 0; /* they may have begun it anew */
    account->elsewhere_spent = 0;
    int64_t amount = unused(accounts, account);
    if (amount == 0)
        return;
    account->ceiling -= amount;
    account->growing.shut = true;
    headroom_note_past(accounts, account);
}

/* Who asks in vain is no use, and keeps no headroom for longer than others. */
static bool must_be_told(struct core *core, struct account *account)
{
    bool rests = account->held == 0 && account->returning == 0;
    if (account->idle_s == 0 || account->growing.asked)
        return false;
    if (rests && unused(&core->accounts, account) == 0)
        return false;
    if (!rests || account->held_s + UNUSED_S >= core->now_s || account->growing.wants)
        return true;
    account->growing.gives = true;
    headroom_note_past(&core->accounts, account);
    return false;
}

size_t headroom_round(struct core *core, size_t portion, struct account **found, size_t most)
{
    struct accounts *accounts = &core->accounts;
    size_t count = 0;
    for (; portion > 0 && count < most; portion--) {
        accounts->round_at &= accounts->chain_count - 1;
        struct account *account = accounts->chains[accounts->round_at].first;
        for (; account != NULL && count < most; account = account->next_in_chain) {
            if (must_be_told(core, account))
                found[count++] = account;
        }
        if (account != NULL)
            break; /* the rest of the chain comes again */
        accounts->round_at++;
    }
    return count;
}
