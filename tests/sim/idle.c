/*
 * Hours that pass at once, and what is over by then: windows that have ended, and sessions that
 * nobody has used for so long that they begin anew.
 *
 * Of a session T is what was billed since it began anew: that it may when no instance held or
 * booked anything on it for `idle`, by the true time. (All remember it for two hours longer; but
 * not equally long, so nothing that is granted until then tells what may be.)
 */
#include "sim.h"

int64_t world_wall_s(const struct world *world)
{
    return world->wall_s + world->leapt_s + world->now / SECOND;
}

/* ---- sessions ---- */

static int64_t idle_s(const struct world *world, size_t account)
{
    return world->budgets[world->accounts[account].budget].idle_s;
}

bool idle_is_session(const struct world *world, size_t account)
{
    return idle_s(world, account) > 0;
}

bool idle_lapses(const struct world *world, size_t at)
{
    bool ended = world->accounts[at].name.until_s <= world_wall_s(world);
    return world->profile.idle && (ended || idle_is_session(world, at));
}

int64_t idle_until_s(const struct world *world, size_t account, int64_t used_s)
{
    return used_s + idle_s(world, account) + ACCOUNT_LINGER_S;
}

int64_t idle_used_s(const struct world *world, size_t account, int64_t until_s)
{
    return until_s - idle_s(world, account) - ACCOUNT_LINGER_S;
}

/* No call lasts for longer; so this much earlier than its process a ledger may forget it. */
#define CALL_MOST_S 3600

/* For so long, the store has forgotten it; or all may have. */
static bool is_silent(const struct world *world, size_t at)
{
    const struct sim_account *account = &world->accounts[at];
    int64_t silent_s = world_wall_s(world) - account->used_s;
    if (account->open > 0 || silent_s <= idle_s(world, at))
        return false;
    bool known = world->profile.shared && network_total(world, at) > 0;
    return !known || silent_s > idle_s(world, at) + ACCOUNT_LINGER_S - CALL_MOST_S;
}

static void begin_anew(struct world *world, size_t at)
{
    struct sim_account *account = &world->accounts[at];
    world_say(world, "%s may begin anew: %lld was billed", world_name(world, at),
              (long long)account->billed);
    account->billed = 0;
    account->over = 0;
    account->lies = 0;
    account->excess = 0;
    account->left = 0;
    account->begun++;
}

void idle_look(struct world *world)
{
    for (size_t at = 0; world->profile.idle && at < world->account_count; at++) {
        if (world->accounts[at].billed > 0 && idle_is_session(world, at) && is_silent(world, at))
            begin_anew(world, at);
    }
}

void idle_open(struct world *world, const struct call *call, size_t at)
{
    struct sim_account *account = &world->accounts[at];
    account->open++;
    account->used_s = world_wall_s(world);
    world->journals[call->journal].begun[at] = account->begun;
}

void idle_close(struct world *world, size_t at)
{
    ASSERT(world->accounts[at].open > 0);
    world->accounts[at].open--;
    world->accounts[at].used_s = world_wall_s(world);
}

void idle_note_use(struct world *world, struct instance *instance, size_t at)
{
    if (idle_is_session(world, at))
        instance->until_s[at] = idle_until_s(world, at, instance->core->now_s);
}

void idle_note_forgotten(struct world *world, struct instance *instance, size_t at,
                         const struct account *now)
{
    struct journal *journal = &world->journals[instance->journal];
    bool forgotten = now != NULL && now->spent == 0 && instance->spent[at] > 0;
    if (!forgotten || !idle_is_session(world, at) || instance->core->now_s <= instance->until_s[at])
        return;
    world_say(world, "  instance %zu begins account %zu anew",
              (size_t)(instance - world->instances), at);
    instance->spent[at] = 0;
    instance->forfeited[at] = 0;
    instance->drawn[at] = 0;
    journal->billed[at] = 0;
    journal->over[at] = 0;
    idle_note_use(world, instance, at);
}

bool idle_is_over(const struct world *world, size_t journal, size_t at)
{
    const struct sim_account *account = &world->accounts[at];
    if (idle_is_session(world, at))
        return world->journals[journal].begun[at] < account->begun;
    return account->name.until_s <= world_wall_s(world);
}

/* What of a session only the server knows: its instance has forgotten it, has come back to it since
 * or not. */
static int64_t known_only_by(const struct world *world, const struct server *server, size_t at)
{
    int64_t known = network_gone_by(world, server, at);
    for (size_t of = 0; of < world->profile.instances; of++) {
        const struct instance *instance = &world->instances[of];
        if (instance_wall_s(world, instance) > instance->until_s[at])
            known += network_granted_by(world, server, at, instance->journal);
    }
    return known;
}

/* What the primary knows of it, and the other one does not. */
static int64_t lost_by(const struct world *world, const struct server *to, size_t at)
{
    int64_t kept = to == NULL ? 0 : known_only_by(world, to, at);
    int64_t lost = known_only_by(world, &world->servers[world->primary], at) - kept;
    return idle_is_session(world, at) && lost > 0 ? lost : 0;
}

void idle_note_lost(struct world *world, const struct server *to)
{
    for (size_t at = 0; world->profile.idle && at < world->account_count; at++) {
        world->accounts[at].over += lost_by(world, to, at);
        world->accounts[at].left = 0;
    }
}

void idle_note_left(struct world *world, const struct server *to)
{
    for (size_t at = 0; world->profile.idle && at < world->account_count; at++) {
        struct sim_account *account = &world->accounts[at];
        int64_t more = lost_by(world, to, at) - account->left;
        account->over += more > 0 ? more : 0;
        account->left += more > 0 ? more : 0;
    }
}

void idle_note_gone(struct world *world, const struct server *server, int sign)
{
    if (!world->profile.idle || server == &world->servers[world->primary])
        return;
    for (size_t at = 0; at < world->account_count; at++) {
        if (idle_is_session(world, at))
            world->accounts[at].over += sign * network_gone_by(world, server, at);
    }
}

/* ---- leaps ---- */

/* Often so short that a session of an hour stays in use. */
static int64_t leap_s(struct world *world)
{
    if (chance(world, 600))
        return 60 + below(world, 1440);
    if (chance(world, 600))
        return 1200 + below(world, 2200);
    return 3600 + below(world, 3 * 3600);
}

static void finish_calls(struct world *world, int64_t next_s)
{
    for (size_t at = 0; at < CALLS; at++) {
        const struct call *call = &world->calls[at];
        bool lasts = call->sent && next_s - call->begun_s <= CALL_MOST_S;
        if (call->serial != 0 && !lasts)
            traffic_finish(world, at);
    }
}

static void show_the_time(struct world *world, struct instance *instance)
{
    if (!instance->up)
        return;
    disk_rotate(world, instance);
    instance_check_clock(world, instance);
    core_turn(instance->core, instance_wall_s(world, instance));
    instance_go_on(world, instance);
    check_instance(world, instance);
}

/* Two of them are longer than a session is remembered that nobody uses, and one is not. */
static int64_t long_leap_s(struct world *world)
{
    int64_t kept_s = world->budgets[BUDGETS - 1].idle_s + ACCOUNT_LINGER_S;
    return kept_s * (55 + below(world, 40)) / 100;
}

void idle_note_cut(struct world *world, size_t instance)
{
    if (!world->profile.idle || world->now < world->lone_until || !chance(world, 700))
        return;
    int64_t first = world->now + below(world, 300 * MS);
    int64_t second = first + 200 * MS + below(world, 800 * MS);
    world_at(world, first, EVENT_LEAP, 0, 1);
    world_at(world, second, EVENT_LEAP, 0, 1);
    world->lone = instance;
    world->lone_until = second;
}

void idle_leap(struct world *world, bool extra)
{
    int64_t leap = extra ? long_leap_s(world) : leap_s(world);
    if (world->healed)
        return;
    finish_calls(world, world_wall_s(world) + leap);
    for (size_t at = 0; at < world->profile.instances; at++)
        disk_sync_now(world, &world->instances[at]);
    world_say(world, "%lld s pass", (long long)leap);
    world->leapt_s += leap;
    idle_look(world);
    for (size_t at = 0; at < world->profile.instances; at++)
        show_the_time(world, &world->instances[at]);
    if (!extra)
        world_at(world, world->now + around(world, world->profile.leap_us), EVENT_LEAP, 0, 0);
}
