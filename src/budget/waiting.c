/*
 * Those who wait for others' holds or for the lessor, in the order in which they came.
 *
 * A waiter claims the accounts it waits for: those that have too little room for it at this moment,
 * or that somebody before it claims; none of which it needs nothing. What it would find room on is
 * left to others meanwhile. One walk in the order of arrival, in which each who stays claims before
 * the next is looked at, is all there is to fairness. A grant takes room, which may make somebody
 * earlier wait for one account more: so the walk begins anew after each.
 *
 * A walk is cheap (some 30 ns a waiter): what a waiter needs is computed again only when it is
 * first in line and spend on its accounts has changed.
 */
#include "budget/headroom.h"

#include <stddef.h>
#include <stdlib.h>

/* One bit per account of a waiter. */
_Static_assert(CHARGE_MOST <= 64, "struct waiter's `waits` has 64 bits");

bool waiting_has_claim(const struct places *places, const int64_t need[UNIT_COUNT])
{
    for (size_t at = 0; at < places->count; at++) {
        const struct account *account = places->accounts[at];
        if (account->line->wanted > 0 && need[account->unit] > 0)
            return true;
    }
    return false;
}

bool waiting_concerns(const struct places *places)
{
    for (size_t at = 0; at < places->count; at++) {
        if (places->accounts[at]->line->waiters > 0)
            return true;
    }
    return false;
}

/* ---- claims ---- */

static bool is_claimed(const struct waiter *waiter, uint64_t look)
{
    for (size_t at = 0; at < waiter->places.count; at++) {
        const struct account *account = waiter->places.accounts[at];
        if (account->line->claimed == look && waiter->demand.need[account->unit] > 0)
            return true;
    }
    return false;
}

static void set_claim(struct waiter *waiter, size_t at, bool waits)
{
    struct account *account = waiter->places.accounts[at];
    uint64_t bit = UINT64_C(1) << at;
    bool waited = (waiter->waits & bit) != 0;
    if (waits == waited)
        return;
    waiter->waits ^= bit;
    if (waits)
        account->line->wanted++;
    else
        account->line->wanted--;
}

/* Room that is under its limit only the lessor can give. */
static void ask_lessor(struct core *core, const struct waiter *waiter)
{
    for (size_t at = 0; at < waiter->places.count; at++) {
        struct account *account = waiter->places.accounts[at];
        if (!account_lacks(account, waiter->demand.need[account->unit]))
            continue;
        headroom_note_lack(&core->accounts, account, 0);
        headroom_note_alone(core, account);
    }
}

/* Until the store is heard who needs a session of it stands in the way of nobody else. */
static void claim(const struct core *core, struct waiter *waiter, uint64_t look)
{
    bool apart = places_apart(core, &waiter->places, waiter->demand.need) != NULL;
    for (size_t at = 0; at < waiter->places.count; at++) {
        struct account *account = waiter->places.accounts[at];
        int64_t need = waiter->demand.need[account->unit];
        bool lacks = account->line->claimed == look || need > account_free(account);
        bool waits = need > 0 && (apart ? account->idle_s > 0 : lacks);
        set_claim(waiter, at, waits);
        if (waits)
            account->line->claimed = look;
    }
}

/* ---- coming and going ---- */

static void queue_append(struct core *core, struct waiter *waiter)
{
    waiter->previous = core->last;
    if (core->last != NULL)
        core->last->next = waiter;
    else
        core->first = waiter;
    core->last = waiter;
}

static void queue_remove(struct core *core, struct waiter *waiter)
{
    if (waiter->previous != NULL)
        waiter->previous->next = waiter->next;
    else
        core->first = waiter->next;
    if (waiter->next != NULL)
        waiter->next->previous = waiter->previous;
    else
        core->last = waiter->previous;
}

static void note_turn(struct core *core, const struct account *account)
{
    bool sooner = core->turns_s == 0 || account->window.end_s < core->turns_s;
    if (account->group != NULL && account->window.end_s > core->now_s && sooner)
        core->turns_s = account->window.end_s;
}

uint64_t waiting_add(struct core *core, const struct ask *ask, const struct places *places,
                     const struct demand *demand)
{
    struct waiter *waiter = memory_new(sizeof(*waiter));
    waiter->ask = *ask;
    waiter->ask.subject = NULL;
    waiter->ask.own = NULL; /* in its places */
    waiter->places = *places;
    waiter->demand = *demand;
    waiter->assessed = core->event;
    waiter->id = roster_add(&core->waiters, waiter);
    uint64_t look = ++core->look;
    for (size_t at = 0; at < places->count; at++) {
        struct account *account = places->accounts[at];
        account->line->claimed = account->line->wanted > 0 ? look : account->line->claimed;
        account->line->waiters++;
        note_turn(core, account);
    }
    claim(core, waiter, look);
    queue_append(core, waiter);
    ask_lessor(core, waiter);
    ASSERT(waiter->waits != 0);
    return waiter->id;
}

/* It waits no more; its pins are the caller's to keep or to drop. */
static void withdraw(struct core *core, struct waiter *waiter)
{
    for (size_t at = 0; at < waiter->places.count; at++) {
        ASSERT(waiter->places.accounts[at]->line->waiters > 0);
        waiter->places.accounts[at]->line->waiters--;
        set_claim(waiter, at, false);
    }
    queue_remove(core, waiter);
    roster_remove(&core->waiters, waiter->id);
}

void waiting_close(struct core *core)
{
    while (core->first != NULL) {
        struct waiter *waiter = core->first;
        queue_remove(core, waiter);
        free(waiter);
    }
    roster_close(&core->waiters);
    while (core->first_wake != NULL) {
        struct wake *wake = core->first_wake;
        core->first_wake = wake->next;
        free(wake);
    }
}

/* ---- deciding ---- */

static struct grant *wake_add(struct core *core, struct cookie cookie)
{
    struct wake *wake = memory_resize(NULL, sizeof(*wake)); /* its grant is large, and filled in */
    wake->cookie = cookie;
    wake->next = NULL;
    if (core->first_wake == NULL)
        core->first_wake = wake;
    else
        core->last_wake->next = wake;
    core->last_wake = wake;
    return &wake->grant;
}

static void grant_waiter(struct core *core, struct waiter *waiter, struct grant *grant)
{
    withdraw(core, waiter);
    core_grant(core, &waiter->ask, &waiter->places, &waiter->demand, grant);
    free(waiter);
}

static void refuse_waiter(struct core *core, struct waiter *waiter, enum verdict verdict,
                          struct grant *grant)
{
    core_refuse(core, &waiter->places, verdict, &waiter->demand, grant);
    withdraw(core, waiter);
    places_unpin(&waiter->places);
    free(waiter);
}

static void refuse_away(struct core *core, struct waiter *waiter, struct grant *grant)
{
    for (size_t at = 0; at < waiter->places.count; at++) {
        struct account *account = waiter->places.accounts[at];
        if (account_lacks(account, waiter->demand.need[account->unit]))
            headroom_note_refusal(core, account);
    }
    refuse_waiter(core, waiter, VERDICT_AWAY, grant);
}

/* Spend only grows, so a demand only shrinks, down to a refusal; but that of a rolling window falls
 * when it turns. */
static void assess_again(struct core *core, struct waiter *waiter)
{
    bool stale = waiter->turned;
    for (size_t at = 0; at < waiter->places.count; at++)
        stale = stale || group_spent_event(waiter->places.accounts[at]) > waiter->assessed;
    if (!stale)
        return;
    demand_assess(&core->options, &waiter->ask, &waiter->places, &waiter->demand);
    waiter->assessed = core->event;
    waiter->turned = false;
}

/* It lacks what only the lessor can give. */
static bool lacks_growth(const struct waiter *waiter)
{
    bool lacks = false;
    for (size_t at = 0; at < waiter->places.count; at++) {
        const struct account *account = waiter->places.accounts[at];
        int64_t need = waiter->demand.need[account->unit];
        if (!account_reaches(account, need))
            return false;
        lacks = lacks || account_lacks(account, need);
    }
    return lacks;
}

/* Nobody answered for what it lacks, nor is anybody about to be asked. */
static bool is_away(const struct waiter *waiter)
{
    bool away = false;
    for (size_t at = 0; at < waiter->places.count; at++) {
        const struct account *account = waiter->places.accounts[at];
        const struct growing *growing = &account->growing;
        bool lacks = account_lacks(account, waiter->demand.need[account->unit]);
        away = away || (lacks && growing->away && !growing->asked && !growing->wants);
    }
    return away;
}

/* The store was not heard for so long that it may have forgotten its session. */
static bool is_apart(const struct core *core, const struct waiter *waiter)
{
    return places_apart(core, &waiter->places, waiter->demand.need) != NULL;
}

/* What it lacks, or the output that it may be clamped to, only the lessor can give. */
static bool lacks_lessor(const struct waiter *waiter)
{
    return lacks_growth(waiter) ||
           demand_shrinks_once_grown(&waiter->ask, &waiter->places, &waiter->demand);
}

enum decided { STAYS, REFUSED, GRANTED };

static enum decided decide_first_in_line(struct core *core, struct waiter *waiter)
{
    assess_again(core, waiter);
    enum verdict verdict = waiter->demand.verdict;
    if (verdict != VERDICT_GRANTED) {
        refuse_waiter(core, waiter, verdict, wake_add(core, waiter->ask.cookie));
        return REFUSED;
    }
    if (is_apart(core, waiter))
        return STAYS;
    bool room = places_have_room(&waiter->places, waiter->demand.need);
    if (!room && is_away(waiter) && lacks_growth(waiter)) {
        room = demand_shrink(&waiter->ask, &waiter->places, &waiter->demand);
        if (!room) {
            refuse_away(core, waiter, wake_add(core, waiter->ask.cookie));
            return REFUSED;
        }
    }
    if (!room)
        return STAYS;
    grant_waiter(core, waiter, wake_add(core, waiter->ask.cookie));
    return GRANTED;
}

/* True if somebody was granted. */
static bool walk(struct core *core)
{
    uint64_t look = ++core->look;
    struct waiter *next = NULL;
    for (struct waiter *waiter = core->first; waiter != NULL; waiter = next) {
        next = waiter->next;
        enum decided decided = STAYS;
        if (!is_claimed(waiter, look))
            decided = decide_first_in_line(core, waiter);
        if (decided == GRANTED)
            return true;
        if (decided == STAYS)
            claim(core, waiter, look);
    }
    return false;
}

void waiting_dismiss(struct core *core)
{
    while (core->first != NULL) {
        struct waiter *waiter = core->first;
        grant_clear(wake_add(core, waiter->ask.cookie), VERDICT_AGAIN);
        withdraw(core, waiter);
        places_unpin(&waiter->places);
        free(waiter);
    }
    ASSERT(core->waiters.count == 0);
}

void waiting_part(struct core *core)
{
    struct waiter *next = NULL;
    for (struct waiter *waiter = core->first; waiter != NULL; waiter = next) {
        next = waiter->next;
        if (is_apart(core, waiter))
            refuse_away(core, waiter, wake_add(core, waiter->ask.cookie));
    }
    waiting_look(core);
}

void waiting_rejoin(struct core *core)
{
    for (struct waiter *waiter = core->first; waiter != NULL; waiter = waiter->next) {
        for (size_t at = 0; at < waiter->places.count; at++)
            headroom_shut(&core->accounts, waiter->places.accounts[at]);
        ask_lessor(core, waiter);
    }
    waiting_look(core);
}

void waiting_look(struct core *core)
{
    while (walk(core)) {
    }
}

static bool is_behind_another(struct core *core, struct waiter *waiter)
{
    uint64_t look = ++core->look;
    for (struct waiter *other = core->first; other != waiter; other = other->next)
        claim(core, other, look);
    return is_claimed(waiter, look);
}

/* ---- rolling windows ---- */

/* Where there is no room for one more account, it stays on the one it has. */
static void turn_place(struct core *core, struct waiter *waiter, size_t at)
{
    struct account *account = waiter->places.accounts[at], *next = NULL;
    if (account->group == NULL || core->now_s < account->window.end_s)
        return;
    accounts_turn(&core->accounts, account->budget, core->now_s);
    struct account_key key = {.budget = account->budget,
                              .unit = account->unit,
                              .id = account->id,
                              .window = &core->accounts.lanes[account->budget].window};
    if (accounts_use(&core->accounts, &key, core->now_s, &next) != ACCOUNT_USED)
        return;
    ASSERT(next->line == account->line);
    waiter->places.accounts[at] = next;
    waiter->turned = true;
    accounts_release(&core->accounts, account);
}

void waiting_turn(struct core *core)
{
    if (core->turns_s == 0 || core->now_s < core->turns_s)
        return;
    core->turns_s = 0;
    for (struct waiter *waiter = core->first; waiter != NULL; waiter = waiter->next) {
        for (size_t at = 0; at < waiter->places.count; at++) {
            turn_place(core, waiter, at);
            note_turn(core, waiter->places.accounts[at]);
        }
        if (waiter->turned)
            ask_lessor(core, waiter);
    }
    waiting_look(core);
}

/* What it lacks may be had without a store. */
static bool awaits_overdraft(const struct core *core, const struct waiter *waiter)
{
    for (size_t at = 0; at < waiter->places.count; at++) {
        const struct account *account = waiter->places.accounts[at];
        if (account_lacks(account, waiter->demand.need[account->unit]) &&
            headroom_overdraws(core, account))
            return true;
    }
    return false;
}

bool core_waits_for_lessor(const struct core *core, uint64_t id)
{
    const struct waiter *waiter = roster_find(&core->waiters, id);
    if (waiter == NULL)
        return false;
    return is_apart(core, waiter) || awaits_overdraft(core, waiter) ||
           (lacks_lessor(waiter) && !is_away(waiter));
}

bool core_time_is_up(struct core *core, uint64_t id, int64_t now_s, struct grant *grant)
{
    struct waiter *waiter = roster_find(&core->waiters, id);
    core_see_time(core, now_s);
    if (waiter == NULL)
        return false;
    assess_again(core, waiter);
    enum verdict verdict = waiter->demand.verdict;
    if (verdict != VERDICT_GRANTED)
        refuse_waiter(core, waiter, verdict, grant);
    else if (is_apart(core, waiter))
        refuse_away(core, waiter, grant);
    else if (!is_behind_another(core, waiter) &&
             demand_shrink(&waiter->ask, &waiter->places, &waiter->demand))
        grant_waiter(core, waiter, grant);
    else if (lacks_lessor(waiter))
        refuse_away(core, waiter, grant);
    else
        refuse_waiter(core, waiter, VERDICT_CONTENTION, grant);
    waiting_look(core);
    return true;
}

bool core_leave(struct core *core, uint64_t id)
{
    struct waiter *waiter = roster_find(&core->waiters, id);
    if (waiter == NULL)
        return false;
    withdraw(core, waiter);
    places_unpin(&waiter->places);
    free(waiter);
    waiting_look(core);
    return true;
}

bool core_any_wake(const struct core *core)
{
    return core->first_wake != NULL;
}

bool core_next_wake(struct core *core, struct cookie *cookie, struct grant *grant)
{
    struct wake *wake = core->first_wake;
    if (wake == NULL)
        return false;
    core->first_wake = wake->next;
    *cookie = wake->cookie;
    size_t charges = wake->grant.charge_count * sizeof(grant->charges[0]);
    memcpy(grant, &wake->grant, offsetof(struct grant, charges) + charges);
    free(wake);
    return true;
}
