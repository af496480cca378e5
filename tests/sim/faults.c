/*
 * What goes wrong, and when it is mended. Each seed has some kinds of faults and not others, so
 * that the rare ones are not always hidden by the common ones.
 */
#include "sim.h"

#include <stdio.h>

enum mishap {
    FAULT_KILL,     /* kill -9 of a process */
    FAULT_POWER,    /* its machine's power is lost */
    FAULT_EMPTY,    /* its data_dir is emptied: it is another instance from then on */
    FAULT_END,      /* it ends by itself, and gives back what it has */
    FAULT_LOST,     /* messages are lost, */
    FAULT_DOUBLED,  /* doubled, */
    FAULT_LATE,     /* and late */
    FAULT_CUT,      /* an instance reaches no server for a while */
    FAULT_DISK,     /* commits and syncs fail for a while */
    FAULT_COMMIT,   /* or now and then */
    FAULT_STALL,    /* a server does not answer for a while */
    FAULT_RESTART,  /* a server restarts, with what a replica has */
    FAULT_FAILOVER, /* the other server takes its place, with what a replica has */
    FAULT_FLIP,     /* and at once the first one again, with what the other one had */
    FAULT_SPLIT,    /* instances follow a failover at different times */
    FAULT_BACK,     /* and may find the server again that does not know it was left */
    FAULT_WIPE,     /* the store is empty */
    FAULT_CLOCK,    /* an instance's wall clock jumps */
    FAULT_LIMIT,    /* limits are lowered or raised */
    FAULT_LIES,     /* upstreams bill above the bound */
    FAULT_KINDS
};

static const char *const NAMES[FAULT_KINDS] = {
    "kill",  "power",   "empty",    "end",  "lost",  "doubled", "late", "cut",   "disk",  "commit",
    "stall", "restart", "failover", "flip", "split", "back",    "wipe", "clock", "limit", "lies"};

static bool has(const struct world *world, enum mishap fault)
{
    return (world->profile.faults & 1u << fault) != 0;
}

const char *faults_list(const struct world *world, char out[200])
{
    size_t size = 0;
    out[0] = 0;
    for (int fault = 0; fault < FAULT_KINDS; fault++) {
        if (has(world, (enum mishap)fault) && size < 180)
            size += (size_t)snprintf(out + size, 200 - size, " %s", NAMES[fault]);
    }
    return out;
}

/* ---- the seed's character ---- */

static void draw_faults(struct world *world)
{
    struct profile *profile = &world->profile;
    int thousandths = chance(world, 500) ? 150 : 400;
    for (int fault = 0; fault < FAULT_KINDS; fault++)
        profile->faults |= chance(world, thousandths) ? 1u << fault : 0;
    if (chance(world, 800))
        profile->faults &= ~(1u << FAULT_WIPE);
    if (!profile->shared)
        profile->faults &= ~(1u << FAULT_EMPTY); /* nobody else knows what was spent */
    const unsigned others =
        1u << FAULT_FAILOVER | 1u << FAULT_FLIP | 1u << FAULT_SPLIT | 1u << FAULT_BACK;
    /* Another sign of a loss hides whether this one is seen. */
    if (profile->flips)
        profile->faults = (profile->faults & ~(others | 1u << FAULT_RESTART | 1u << FAULT_WIPE)) |
                          1u << FAULT_FLIP;
    profile->lonely = (profile->faults & others) == 0 && world->seed % 2 == 0;
    profile->confirms = !profile->lonely && world->seed % 7 == 0;
}

/* No clock jumps: who has seen another time rightly begins a session anew at another one. */
static void make_idle(struct world *world)
{
    static const int64_t LEAPS[] = {400 * MS, SECOND, 3 * SECOND};
    struct profile *profile = &world->profile;
    profile->leap_us = LEAPS[world->seed % 3];
    profile->rolling = false;
    profile->jumps = false;
    profile->faults &= ~(1u << FAULT_CLOCK);
    profile->faults |= 1u << FAULT_CUT;
    if (world->seed % 2 == 0 && profile->instances > 3)
        profile->instances = 3;
}

void faults_profile(struct world *world)
{
    static const int64_t ARRIVALS[] = {80 * MS, 160 * MS, 300 * MS, 600 * MS, SECOND};
    struct profile *profile = &world->profile;
    profile->shared = chance(world, 900);
    profile->instances = profile->shared ? 1 + (size_t)below(world, INSTANCES) : 1;
    profile->flips = profile->shared && lot_below(world, LOT_FLIPS, 1000) < 200;
    draw_faults(world);
    profile->arrive_us = ARRIVALS[below(world, 5)];
    profile->latency_us = chance(world, 800) ? 1 * MS : 60 * MS;
    profile->commit_us = chance(world, 800) ? 2 * MS : 40 * MS;
    profile->sync_us = chance(world, 500) ? SECOND : 5 * SECOND;
    profile->lost = has(world, FAULT_LOST) ? 10 + (int)below(world, 200) : 0;
    profile->doubled = has(world, FAULT_DOUBLED) ? 10 + (int)below(world, 200) : 0;
    profile->late = has(world, FAULT_LATE) ? 10 + (int)below(world, 200) : 0;
    profile->commit_fails = has(world, FAULT_COMMIT) ? 1 + (int)below(world, 100) : 0;
    profile->lies = has(world, FAULT_LIES) ? 1 + (int)below(world, 50) : 0;
    profile->rolls = (int)below(world, 1000);
    profile->posts = (int)below(world, 100);
    profile->unnamed = (int)below(world, 500);
    profile->wait_us = chance(world, 500) ? SECOND : 4 * SECOND;
    profile->crowded = chance(world, 150);
    profile->jumps = has(world, FAULT_CLOCK);
    profile->disk_fails = has(world, FAULT_DISK) || has(world, FAULT_COMMIT);
    profile->fault_us = chance(world, 500) ? 2 * SECOND : 6 * SECOND;
    profile->rolling = lot_below(world, LOT_ROLLING, 1000) < 350;
    profile->open = lot_below(world, LOT_OPEN, 1000) < 300;
    profile->idle = lot_below(world, LOT_IDLE, 1000) < 333;
    if (profile->idle)
        make_idle(world);
    if (profile->flips) {
        profile->fault_us = SECOND;
        profile->instances = INSTANCES;
        profile->arrive_us = 80 * MS;
    }
}

/* ---- instances ---- */

static void start_later(struct world *world, size_t at)
{
    world_at(world, world->now + 1 + below(world, chance(world, 700) ? SECOND : 15 * SECOND),
             EVENT_START, at, world->instances[at].life);
}

static void kill_one(struct world *world, size_t at, bool power)
{
    if (!world->instances[at].up)
        return;
    world_say(world, "instance %zu: %s", at, power ? "its power is lost" : "kill -9");
    instance_die(world, at, power);
    start_later(world, at);
}

static void empty(struct world *world, size_t at)
{
    struct instance *instance = &world->instances[at];
    if (world->journal_count == JOURNALS || !world->profile.shared)
        return;
    kill_one(world, at, chance(world, 500));
    world_say(world, "instance %zu: its data_dir is emptied", at);
    world->journals[instance->journal].gone = true;
    instance->journal = journal_new(world, at);
    instance->booted_anew = false;
}

static void end(struct world *world, size_t at)
{
    world_say(world, "instance %zu is asked to end", at);
    if (!world->instances[at].up)
        return;
    world->instances[at].closing = true;
    instance_go_on(world, &world->instances[at]);
}

static void cut(struct world *world, size_t at)
{
    world->instances[at].cut = !world->instances[at].cut;
    world_say(world, "instance %zu: the network %s", at,
              world->instances[at].cut ? "is cut" : "is back");
    if (world->instances[at].cut)
        idle_note_cut(world, at);
}

static void break_disk(struct world *world, size_t at)
{
    world_say(world, "instance %zu: its disk fails for a while", at);
    world->instances[at].fails_until = world->now + below(world, 4 * SECOND);
}

static void jump(struct world *world, size_t at)
{
    static const int64_t JUMPS[] = {30, 1800, 5400, 86400, 5 * 365 * 86400};
    int64_t jump_s = JUMPS[below(world, 5)];
    int64_t off_s = chance(world, 600) ? jump_s : -jump_s;
    if (jump_s > 86400 && off_s < 0)
        off_s = 0;
    world->instances[at].clock_off_s = off_s;
    world_say(world, "instance %zu: its clock is wrong by %lld s", at, (long long)off_s);
}

/* ---- the store ---- */

/* A journal that nobody opens any more, and nobody waits for, is only known to the store: what the
 * store then forgets of it, nobody can tell. */
static bool would_forget_the_gone(const struct world *world, const struct server *copy)
{
    for (size_t at = 0; at < world->journal_count; at++) {
        const struct journal *journal = &world->journals[at];
        for (size_t account = 0; journal->left && account < world->account_count; account++) {
            if (!idle_is_over(world, at, account) &&
                network_granted_by(world, copy, account, at) + journal->drawn[account] <
                    journal->ceiling[account])
                return true;
        }
    }
    return false;
}

/* The replica, or where that may not be, what it should be. */
static const struct server *survivor(struct world *world)
{
    if (chance(world, 300) || world->servers[world->primary].empty ||
        would_forget_the_gone(world, &world->replica))
        return &world->servers[world->primary];
    world_say(world, "what happened after %.3f s is lost", (double)world->replica.taken_at / 1e6);
    return &world->replica;
}

static void doubt(struct world *world)
{
    int64_t epoch = world->servers[0].epoch > world->servers[1].epoch ? world->servers[0].epoch
                                                                      : world->servers[1].epoch;
    world->doubt = true;
    world->set_back = true;
    world->doubt_epoch = epoch > world->doubt_epoch ? epoch : world->doubt_epoch;
}

static void route_all(struct world *world)
{
    for (size_t at = 0; at < INSTANCES; at++)
        world->instances[at].route = world->primary;
}

static void restart(struct world *world)
{
    struct server *server = &world->servers[world->primary];
    const struct server *from = survivor(world);
    doubt(world);
    idle_note_lost(world, from);
    world_say(world, "the store restarts");
    if (from != server)
        network_copy(world, server, from);
    network_rename(world, server, true);
}

/* The other server is what `from` was. */
static void promote(struct world *world, const struct server *from)
{
    doubt(world);
    idle_note_lost(world, from);
    world->primary = 1 - world->primary;
    world_say(world, "failover to server %zu", world->primary);
    network_copy(world, &world->servers[world->primary], from);
    network_rename(world, &world->servers[world->primary], false);
    network_copy(world, &world->replica, &world->servers[world->primary]);
}

static void failover(struct world *world)
{
    promote(world, survivor(world));
    route_all(world);
}

/* The first server was a replica of the other one in between, and has its own run id again. */
static void flip(struct world *world)
{
    promote(world, survivor(world));
    promote(world, &world->servers[world->primary]);
    route_all(world);
}

/* Some instances find the new server at once, others later. */
static void split(struct world *world)
{
    promote(world, survivor(world));
    for (size_t at = 0; at < world->profile.instances; at++)
        world_at(world, world->now + (chance(world, 300) ? 0 : below(world, 4 * SECOND)),
                 EVENT_ROUTE, at, 0);
}

static void back(struct world *world)
{
    for (size_t at = 0; at < world->profile.instances; at++) {
        if (chance(world, 500))
            continue;
        world->instances[at].route = 1 - world->primary;
        world_say(world, "instance %zu talks to server %zu", at, world->instances[at].route);
        world_at(world, world->now + below(world, 4 * SECOND), EVENT_ROUTE, at, 0);
        if (chance(world, 300))
            kill_one(world, at, false);
    }
}

static void wipe(struct world *world)
{
    world_say(world, "the store loses everything");
    doubt(world);
    idle_note_lost(world, NULL);
    network_wipe(world, &world->servers[world->primary]);
    network_copy(world, &world->replica, &world->servers[world->primary]);
    route_all(world);
}

static void stall(struct world *world)
{
    world_say(world, "the store stalls");
    world->servers[world->primary].stalled_until = world->now + below(world, 4 * SECOND);
}

/* ---- limits ---- */

static int64_t other_limit(struct world *world, int64_t limit)
{
    if (limit == LIMIT_NONE)
        return limit;
    if (chance(world, 600))
        return below(world, limit + 1);
    int64_t more = below(world, limit + 1);
    return more < MONEY_MOST.nano - limit ? limit + more : MONEY_MOST.nano;
}

static void change_limits(struct world *world)
{
    if (world->version_count == VERSIONS)
        return;
    size_t version = world->version_count++;
    size_t budget = (size_t)below(world, BUDGETS);
    memcpy(world->limits[version], world->limits[version - 1], sizeof(world->limits[0]));
    for (int unit = 0; unit < UNIT_COUNT; unit++)
        world->limits[version][budget][unit] =
            other_limit(world, world->limits[version][budget][unit]);
    world_say(world, "limits of budget %zu change", budget);
    world->version_at = world->now;
    for (size_t at = 0; at < world->account_count; at++) {
        int64_t limit = world_limit(world, at, version);
        if (world->accounts[at].most < limit)
            world->accounts[at].most = limit;
    }
    for (size_t at = 0; at < world->profile.instances; at++)
        world_at(world, world->now + below(world, 2 * SECOND), EVENT_ADOPT, at, 0);
}

/* ---- striking ---- */

static void strike(struct world *world, enum mishap fault)
{
    static void (*const OF_INSTANCES[FAULT_KINDS])(struct world *,
                                                   size_t) = {[FAULT_EMPTY] = empty,
                                                              [FAULT_END] = end,
                                                              [FAULT_CUT] = cut,
                                                              [FAULT_DISK] = break_disk,
                                                              [FAULT_CLOCK] = jump};
    static void (*const OF_THE_STORE[FAULT_KINDS])(struct world *) = {
        [FAULT_STALL] = stall, [FAULT_RESTART] = restart,    [FAULT_FAILOVER] = failover,
        [FAULT_FLIP] = flip,   [FAULT_SPLIT] = split,        [FAULT_BACK] = back,
        [FAULT_WIPE] = wipe,   [FAULT_LIMIT] = change_limits};
    size_t at = (size_t)below(world, (int64_t)world->profile.instances);
    if (fault == FAULT_KILL || fault == FAULT_POWER)
        kill_one(world, at, fault == FAULT_POWER);
    else if (OF_INSTANCES[fault] != NULL)
        OF_INSTANCES[fault](world, at);
    else if (OF_THE_STORE[fault] != NULL)
        OF_THE_STORE[fault](world);
}

void faults_strike(struct world *world)
{
    if (world->healed || world->now >= HEAL_AT)
        return;
    enum mishap fault = (enum mishap)below(world, FAULT_KINDS);
    for (int tries = 0; tries < FAULT_KINDS && !has(world, fault); tries++)
        fault = (enum mishap)((fault + 1) % FAULT_KINDS);
    if (world->profile.idle && chance(world, 200))
        fault = FAULT_CUT;
    if (has(world, fault))
        strike(world, fault);
    int64_t after = around(world, world->profile.fault_us);
    if (world->profile.flips && chance(world, 500)) { /* little is lost, and the rest goes on */
        network_copy(world, &world->replica, &world->servers[world->primary]);
        after = below(world, 50 * MS);
    }
    world_at(world, world->now + after, EVENT_FAULT, 0, 0);
}

/* ---- healing ---- */

/* What was granted to a journal is less in the store than on its disk. */
static bool is_unknown(const struct world *world, size_t at)
{
    const struct journal *journal = &world->journals[at];
    for (size_t account = 0; account < world->account_count; account++) {
        if (!idle_is_over(world, at, account) &&
            network_granted(world, account, at) + journal->drawn[account] <
                journal->ceiling[account])
            return true;
    }
    return false;
}

/* Nobody is let go before all that run are in the list: one that is not may be known only to him
 * who goes. */
static bool all_are_listed(const struct world *world)
{
    for (size_t at = 0; at < world->profile.instances; at++) {
        const struct instance *instance = &world->instances[at];
        const struct journal *journal = &world->journals[instance->journal];
        if (journal->joined_at >= 0 &&
            !network_has(world, &world->servers[world->primary], instance->journal))
            return false;
    }
    return true;
}

void faults_let_go(struct world *world, size_t at)
{
    const struct server *server = &world->servers[world->primary];
    struct journal *journal = &world->journals[at];
    struct store_seat last;
    if (!journal->gone || !all_are_listed(world) || !network_has(world, server, at))
        return;
    if (is_unknown(world, at)) {
        if (!world->stuck)
            world_say(world, "journal %zu is gone, and the store does not know all it had", at + 1);
        world->stuck = true;
        return;
    }
    (void)store_has(server->store, journal->id, &last);
    if (server->left[at].journal[0] != 0 && last.sequence == server->left[at].sequence &&
        last.incarnation == server->left[at].incarnation)
        world_fail(world, "liveness", "journal %zu, that an operator let go, is waited for again",
                   at + 1);
    world_say(world, "an operator lets journal %zu go", at + 1);
    network_leave(world, at);
}

/* Nothing more is billed for it. */
static bool is_over(const struct world *world, size_t at)
{
    for (size_t call = 0; call < CALLS; call++) {
        if (world->calls[call].serial != 0 && world->calls[call].journal == at)
            return false;
    }
    return world->journals[at].gone && world->journals[at].left;
}

/* One that is in the registry is meant by mistake: that must be refused. */
void faults_reconcile(struct world *world, size_t at)
{
    const struct server *server = &world->servers[world->primary];
    if (server->empty || world->doubt || (!network_has(world, server, at) && !is_over(world, at)))
        return;
    world_say(world, "an operator says what journal %zu has spent", at + 1);
    network_reconcile(world, at);
}

/* One that is gone has spent at a server that was left behind: no list names it, and what it spent
 * only an operator could say. */
static bool is_any_unlisted(const struct world *world)
{
    for (size_t at = 0; at < world->journal_count; at++) {
        const struct journal *journal = &world->journals[at];
        if (journal->gone && !journal->left && is_unknown(world, at))
            return true;
    }
    return false;
}

/* All are new to a server that a failover has led to before there was a first one, or since that
 * one is gone: nobody can tell whether there are others. */
void faults_let_unknown_go(struct world *world)
{
    if (!world->profile.shared || world->now < QUIET_AT + 5 * SECOND)
        return;
    for (size_t at = 0; at < world->profile.instances; at++) {
        const struct instance *instance = &world->instances[at];
        if (!instance->up || lease_state(instance->lease) != LEASE_NEWCOMER ||
            world->journals[instance->journal].mark.roster.count > 0)
            return;
    }
    world->stuck = world->stuck || is_any_unlisted(world);
    if (world->stuck)
        return;
    world_say(world, "an operator says that there are no others");
    network_leave_unknown(world);
}

/* Those that have taken part, or all. */
static int64_t count_instances(const struct world *world, bool all)
{
    int64_t count = 0;
    for (size_t at = 0; at < world->journal_count; at++) {
        const struct journal *journal = &world->journals[at];
        count += !journal->gone && (all || journal->mark.roster.count > 0) ? 1 : 0;
    }
    return count;
}

static void set_up_again(struct world *world)
{
    if (!world->servers[world->primary].empty)
        return;
    for (size_t at = 0; at < world->journal_count; at++) {
        for (size_t account = 0; world->journals[at].gone && account < ACCOUNTS; account++)
            world->stuck = world->stuck || world->journals[at].ceiling[account] > 0;
        /* The number that the store is told leaves them out. */
        world->journals[at].left = world->journals[at].left || world->journals[at].gone;
    }
    if (world->stuck)
        return;
    world_say(world, "an operator sets up the store");
    /* Of one instance alone nobody else can spend what it has: so that may be forgotten. */
    world->careless = count_instances(world, true) == 1 && chance(world, 800);
    network_init(world, world->careless ? 0 : count_instances(world, false));
}

static void calm(struct world *world)
{
    struct profile *profile = &world->profile;
    profile->lost = 0;
    profile->doubled = 0;
    profile->late = 0;
    profile->commit_fails = 0;
    profile->lies = 0;
    profile->latency_us = profile->latency_us > 10 * MS ? 10 * MS : profile->latency_us;
    for (size_t at = 0; at < SERVERS; at++)
        world->servers[at].stalled_until = 0;
    route_all(world);
}

void faults_heal(struct world *world)
{
    world_say(world, "all faults end");
    world->healed = true;
    calm(world);
    set_up_again(world);
    for (size_t at = 0; at < world->profile.instances; at++) {
        struct instance *instance = &world->instances[at];
        instance->cut = false;
        instance->clock_off_s = 0;
        instance->fails_until = 0;
        if (!instance->up)
            world_at(world, world->now + below(world, SECOND), EVENT_START, at, instance->life);
    }
}
