/*
 * A process: its start from what is on disk, its treasury, which does what the lease says, and its
 * end.
 */
#include "sim.h"

#include <stdlib.h>

int64_t instance_wall_s(const struct world *world, const struct instance *instance)
{
    return world_wall_s(world) + instance->clock_off_s;
}

static int64_t steady_us(const struct world *world)
{
    return world->now + world->leapt_s * SECOND;
}

int64_t instance_steady_ms(const struct world *world, const struct instance *instance)
{
    return 1000 + (steady_us(world) - instance->booted_at) / MS;
}

void instance_check_clock(const struct world *world, struct instance *instance)
{
    core_check_clock(instance->core, instance_wall_s(world, instance) * 1000,
                     instance_steady_ms(world, instance));
}

static size_t index_of(const struct world *world, const struct instance *instance)
{
    return (size_t)(instance - world->instances);
}

/* ---- the start ---- */

static struct charge charge_of(const struct world *world, const struct instance *instance,
                               size_t account, int64_t amount)
{
    struct charge charge = world->accounts[account].name;
    charge.amount = amount;
    if (idle_is_session(world, account))
        charge.until_s = instance->until_s[account];
    return charge;
}

/* After a loss of power lines may be missing that a part of a ceiling was spent by: what the ledger
 * does not prove is spent, too. */
static void forfeit(struct world *world, struct instance *instance, size_t account)
{
    struct journal *journal = &world->journals[instance->journal];
    int64_t unproven = journal->ceiling[account] - instance->spent[account];
    bool over = idle_is_session(world, account) &&
                instance->until_s[account] < instance_wall_s(world, instance);
    if (!instance->booted_anew || unproven == 0 || over)
        return;
    if (unproven < 0) {
        /* A line that told less than the hold is lost. */
        world->accounts[account].excess -= unproven;
        return;
    }
    const struct charge charge = charge_of(world, instance, account, unproven);
    struct call none = {.journal = instance->journal,
                        .count = 1,
                        .accounts = {account},
                        .begun_s = idle_used_s(world, account, charge.until_s)};
    int64_t amounts[UNIT_COUNT] = {unproven, unproven, unproven};
    world_say(world, "  forfeited on account %zu: %lld", account, (long long)unproven);
    disk_note(world, &none, LINE_SETTLE, amounts);
    core_restore(instance->core, &charge);
    core_restore_forfeited(instance->core, &charge);
    instance->spent[account] += unproven;
    instance->forfeited[account] += unproven;
}

/* Of a session that is over nothing counts. */
static void forget(struct world *world, struct instance *instance, size_t account)
{
    struct journal *journal = &world->journals[instance->journal];
    bool over = instance->until_s[account] < instance_wall_s(world, instance);
    if (!idle_is_session(world, account) || !over)
        return;
    instance->spent[account] = 0;
    instance->drawn[account] = 0;
    journal->billed[account] = 0;
    journal->over[account] = 0;
    for (size_t at = 0; at < CALLS; at++) {
        struct call *call = &world->calls[at];
        call->forgotten = call->forgotten || call->journal == instance->journal;
    }
}

/* Of a session, as far as ledger and journal say. */
static int64_t until_of(const struct world *world, const struct journal *journal, size_t account)
{
    int64_t until_s = disk_until_s(world, journal, account);
    return until_s > journal->until_s[account] ? until_s : journal->until_s[account];
}

static size_t restore(struct world *world, struct instance *instance, struct charge *rows)
{
    struct journal *journal = &world->journals[instance->journal];
    size_t count = 0;
    for (size_t at = 0; at < world->account_count; at++) {
        if (idle_is_session(world, at))
            instance->until_s[at] = until_of(world, journal, at);
        struct charge charge = charge_of(world, instance, at, instance->spent[at]);
        if (charge.amount > 0)
            core_restore(instance->core, &charge);
        if (!journal->has[at])
            continue;
        forfeit(world, instance, at);
        forget(world, instance, at);
        rows[count] = charge_of(world, instance, at, journal->ceiling[at]);
        rows[count].overdraft = journal->overdraft[at];
        core_restore_ceiling(instance->core, &rows[count++]);
    }
    return count;
}

static void open_core(struct world *world, struct instance *instance)
{
    struct budget budgets[BUDGETS];
    struct charge rows[ACCOUNTS];
    struct journal *journal = &world->journals[instance->journal];
    instance->version = world->version_count - 1;
    const struct core_options rules = world_rules(world, instance->version, budgets);
    instance->core = core_open(&rules);
    instance_check_clock(world, instance);
    disk_rotate(world, instance);
    disk_replay(world, journal, instance->spent);
    memcpy(instance->drawn, journal->drawn, sizeof(instance->drawn));
    size_t count = restore(world, instance, rows);
    struct lease_options options = {.core = instance->core,
                                    .shared = world->profile.shared,
                                    .incarnation = ++journal->incarnation,
                                    .mark = journal->mark,
                                    .label = TEXT("sim")};
    memcpy(options.journal, journal->id, sizeof(options.journal));
    instance->lease = lease_open(&options, rows, count);
}

void instance_start(struct world *world, size_t at)
{
    struct instance *instance = &world->instances[at];
    instance->up = true;
    instance->closing = false;
    instance->clock_off_s = 0; /* of a clock that is wrong at the start nobody can tell */
    instance->retiring = false;
    instance->eager = true;
    instance->life++;
    instance->busy = LEASE_REST;
    instance->rest_until = 0;
    instance->wake_at = INT64_MAX;
    memset(instance->held, 0, sizeof(instance->held));
    memset(instance->windows, 0, sizeof(instance->windows));
    memset(instance->forfeited, 0, sizeof(instance->forfeited));
    world_say(world, "instance %zu starts, journal %zu", at, instance->journal + 1);
    open_core(world, instance);
    instance->booted_anew = false;
    world_at(world, world->now + around(world, world->profile.arrive_us), EVENT_ARRIVE, at,
             instance->life);
    world_at(world, world->now + below(world, world->profile.sync_us), EVENT_SYNC, at,
             instance->life);
    instance_go_on(world, instance);
    check_instance(world, instance);
}

/* ---- the end ---- */

/* A commit under way is on disk, or it is not. */
static void end_commit(struct world *world, struct instance *instance)
{
    if ((instance->busy == LEASE_COMMIT || instance->busy == LEASE_MARK) && chance(world, 500))
        disk_apply(world, instance);
}

void instance_die(struct world *world, size_t at, bool power)
{
    struct instance *instance = &world->instances[at];
    if (!instance->up)
        return;
    end_commit(world, instance);
    lease_close(instance->lease);
    core_close(instance->core);
    instance->lease = NULL;
    instance->core = NULL;
    instance->up = false;
    instance->action++;
    if (power) {
        disk_lose(world, &world->journals[instance->journal]);
        instance->booted_anew = true;
        instance->booted_at = steady_us(world);
    }
}

/* Everything is settled and given back, as far as that can be. */
static void end_well(struct world *world, struct instance *instance)
{
    struct journal *journal = &world->journals[instance->journal];
    size_t at = index_of(world, instance);
    world_say(world, "instance %zu ends by itself", at);
    journal->synced = journal->count;
    instance_die(world, at, false);
    world_at(world, world->now + below(world, 3 * SECOND), EVENT_START, at, instance->life);
}

/* ---- the treasury ---- */

/* Of a ceiling that is to be noted: what no store has granted, with what it rises by now. */
static int64_t drawn_by(const struct world *world, const struct instance *instance,
                        const struct lease_action *action, size_t row)
{
    size_t account = world_account_by_number(world, action->rows[row].account);
    const struct account *now = check_find(instance->core, action->rows[row].account);
    if (world->profile.crowded && action->rows[row].amount == 0)
        return action->rows[row].overdraft; /* as check_forgot_drawn has it */
    if (now == NULL)
        return instance->drawn[account];
    int64_t rise = action->overdrawn ? action->rows[row].amount - now->ceiling : 0;
    return rise + (check_forgot_drawn(world, now) ? 0 : instance->drawn[account]);
}

static void begin_commit(struct world *world, struct instance *instance,
                         const struct lease_action *action)
{
    struct commit *commit = &instance->commit;
    ASSERT(action->row_count <= ACCOUNTS);
    commit->count = action->row_count;
    commit->marks = action->step == LEASE_MARK;
    if (commit->marks)
        commit->mark = *action->mark;
    for (size_t at = 0; at < action->row_count; at++) {
        size_t account = world_account(world, &action->rows[at]);
        commit->rows[at].account = account;
        commit->rows[at].amount = action->rows[at].amount;
        commit->rows[at].overdraft = action->rows[at].overdraft;
        commit->rows[at].drawn = drawn_by(world, instance, action, at);
        commit->rows[at].until_s = action->rows[at].until_s;
        world_say(world, "  instance %zu commits %lld on account %zu%s", index_of(world, instance),
                  (long long)action->rows[at].amount, account,
                  action->overdrawn ? ", which no store has granted" : "");
        check_overdraft(world, account, commit->rows[at].overdraft, commit->rows[at].drawn);
    }
    world_at(world, world->now + around(world, world->profile.commit_us), EVENT_COMMITTED,
             index_of(world, instance), instance->action);
}

static void wake_at(struct world *world, struct instance *instance)
{
    if (instance->busy != LEASE_REST || instance->rest_until >= instance->wake_at)
        return;
    instance->wake_at = instance->rest_until;
    world_at(world, instance->wake_at, EVENT_TREASURY, index_of(world, instance), instance->life);
}

void instance_woken(struct world *world, struct instance *instance)
{
    instance->wake_at = INT64_MAX;
    instance_go_on(world, instance);
    if (instance->up)
        wake_at(world, instance);
}

static void rest(struct world *world, struct instance *instance, const struct lease_action *action)
{
    instance->rest_until = INT64_MAX;
    instance->eager = action->eager;
    if (action->until_ms == INT64_MAX)
        return;
    int64_t until = instance->booted_at + (action->until_ms - 1000) * MS - world->leapt_s * SECOND;
    until = until <= world->now ? world->now + MS : until;
    instance->rest_until = until;
    wake_at(world, instance);
}

static bool wants_more(const struct world *world, const struct instance *instance)
{
    if (instance->busy != LEASE_REST)
        return false;
    return world->now >= instance->rest_until ||
           (instance->eager && core_wants_growth(instance->core));
}

static void take_step(struct world *world, struct instance *instance)
{
    struct lease_action action;
    instance_check_clock(world, instance);
    lease_next(instance->lease, instance_steady_ms(world, instance),
               instance_wall_s(world, instance), &action);
    instance->busy = action.step;
    instance->action++;
    if (action.step == LEASE_COMMIT || action.step == LEASE_MARK)
        begin_commit(world, instance, &action);
    else if (action.step == LEASE_ASK)
        network_send(world, instance, action.request);
    else
        rest(world, instance, &action);
}

static bool has_retired(const struct instance *instance)
{
    return instance->retiring && instance->busy == LEASE_REST && instance->rest_until == INT64_MAX;
}

void instance_go_on(struct world *world, struct instance *instance)
{
    traffic_wakes(world, instance);
    if (!instance->up || world->failure[0] != 0)
        return;
    if (instance->closing && !instance->retiring && core_open_holds(instance->core) == 0) {
        instance->retiring = true;
        instance->rest_until = 0;
        lease_retire(instance->lease);
    }
    if (wants_more(world, instance))
        take_step(world, instance);
    if (has_retired(instance)) {
        end_well(world, instance);
        return;
    }
    traffic_wakes(world, instance);
}

static void note_drawn(struct instance *instance)
{
    const struct commit *commit = &instance->commit;
    for (size_t at = 0; at < commit->count; at++)
        instance->drawn[commit->rows[at].account] = commit->rows[at].drawn;
}

void instance_committed(struct world *world, struct instance *instance)
{
    bool failing = world->now < instance->fails_until || chance(world, world->profile.commit_fails);
    if (!failing || chance(world, 300))
        disk_apply(world, instance);
    if (failing)
        world_say(world, "  instance %zu: the commit fails", index_of(world, instance));
    else
        note_drawn(instance);
    instance->busy = LEASE_REST;
    instance->rest_until = 0;
    lease_committed(instance->lease, instance_steady_ms(world, instance), !failing);
    instance_go_on(world, instance);
    check_instance(world, instance);
}

void instance_replied(struct world *world, struct instance *instance,
                      const struct store_reply *reply)
{
    if (reply == NULL) {
        world->reply.verdict = STORE_AWAY;
        world->reply.row_count = 0;
        reply = &world->reply;
    }
    instance->busy = LEASE_REST;
    instance->rest_until = 0;
    lease_replied(instance->lease, instance_steady_ms(world, instance), reply);
    instance_go_on(world, instance);
    check_instance(world, instance);
}

void instance_adopt(struct world *world, struct instance *instance)
{
    struct budget budgets[BUDGETS];
    size_t newest = world->version_count - 1;
    if (!instance->up || instance->version == newest)
        return;
    world_say(world, "instance %zu has other limits", index_of(world, instance));
    instance->version = newest;
    const struct core_options rules = world_rules(world, newest, budgets);
    core_redefine(instance->core, &rules);
    instance_go_on(world, instance);
    check_instance(world, instance);
}
