/*
 * The invariants, as budget-protocol has them (T: what is billed; L_eff: the limit, or if that was
 * lowered what was granted above it; over: lies).
 *
 *     I0  T ≤ spent + held of the process, and of one call: what may be billed ≤ its hold
 *     I1  spent + held ≤ c + over
 *     I2  c ≤ g, as long as the store has lost nothing
 *     I3  G ≤ L_eff + over
 *     I4  c ≤ what the journal has on disk; and T ≤ that + over, even when nobody runs
 *     I5  what is applied is of the fence, the epoch, and newer than what was
 *     I6  held and spent of the core are what calls hold and what was booked, exactly
 *     T   T ≤ L_eff + over
 */
#include "sim.h"

/* What an upstream that lies may be charged for once more, because the store counts in steps. */
static int64_t over_of(const struct world *world, size_t account)
{
    const struct sim_account *known = &world->accounts[account];
    return known->over + known->excess +
           (known->lies + (known->excess > 0 ? JOURNALS : 0)) * world_step(world, account);
}

/* ---- an instance ---- */

const struct account *check_find(const struct core *core, uint64_t number)
{
    for (size_t lane = 0; lane <= core->accounts.budget_count; lane++) {
        const struct lane *in =
            lane < core->accounts.budget_count ? &core->accounts.lanes[lane] : &core->accounts.gone;
        for (const struct account *account = in->first; account != NULL; account = account->next) {
            if (account->number == number)
                return account;
        }
    }
    return NULL;
}

bool check_may_forget(const struct world *world, size_t instance)
{
    return world->instances[instance].life > 1 || world->set_back || world->profile.disk_fails;
}

static void check_amounts(struct world *world, const struct instance *instance, size_t at,
                          const struct account *account)
{
    const struct journal *journal = &world->journals[instance->journal];
    int64_t over = account->over;
    if (account->held != instance->held[at])
        world_fail(world, "I6", "%s holds %lld, and its calls %lld", world_name(world, at),
                   (long long)account->held, (long long)instance->held[at]);
    if (account->spent != instance->spent[at] || account->forfeited != instance->forfeited[at])
        world_fail(world, "I6", "%s has spent %lld, and booked was %lld", world_name(world, at),
                   (long long)account->spent, (long long)instance->spent[at]);
    if (account->spent + account->held > account->ceiling + over)
        world_fail(world, "I1", "%s: spent %lld + held %lld > ceiling %lld + over %lld",
                   world_name(world, at), (long long)account->spent, (long long)account->held,
                   (long long)account->ceiling, (long long)over);
    if (account->ceiling > journal->ceiling[at])
        world_fail(world, "I4", "%s: the ceiling is %lld, and %lld on disk", world_name(world, at),
                   (long long)account->ceiling, (long long)journal->ceiling[at]);
    if (journal->billed[at] > account->spent + account->held + journal->over[at])
        world_fail(world, "I0", "%s: billed %lld > spent %lld + held %lld", world_name(world, at),
                   (long long)journal->billed[at], (long long)account->spent,
                   (long long)account->held);
}

void check_instance(struct world *world, const struct instance *instance)
{
    if (!instance->up || world->failure[0] != 0)
        return;
    const struct accounts *accounts = &instance->core->accounts;
    for (size_t lane = 0; lane < accounts->budget_count; lane++) {
        const struct account *account = accounts->lanes[lane].first;
        for (; account != NULL; account = account->next) {
            size_t at = world_account_by_number(world, account->number);
            if (at != SIZE_MAX)
                check_amounts(world, instance, at, account);
            else if (account->held > 0 || account->ceiling > 0)
                world_fail(world, "I4",
                           "an account that was neither granted nor committed is used");
        }
    }
}

/* An account that is spent on is known to its process, as long as its window lasts. */
static void check_remembered(struct world *world, const struct instance *instance, size_t at)
{
    const struct sim_account *account = &world->accounts[at];
    uint64_t number = account->name.account;
    struct text key = text_make((const char *)&number, sizeof(number));
    if (world->journals[instance->journal].billed[at] == 0 ||
        account->name.until_s < instance_wall_s(world, instance) || world->profile.jumps)
        return;
    if (check_find(instance->core, number) == NULL &&
        table_get(&instance->core->accounts.restored, key) == NULL)
        world_fail(world, "I0", "%s: billed, and forgotten", world_name(world, at));
}

/* ---- an account ---- */

void check_account(struct world *world, size_t at)
{
    const struct sim_account *account = &world->accounts[at];
    int64_t over = account->over + account->lies * world_step(world, at);
    if (account->billed > account->most + over)
        world_fail(world, "T", "%s: billed %lld > %lld + %lld", world_name(world, at),
                   (long long)account->billed, (long long)account->most, (long long)over);
    for (size_t of = 0; of < world->journal_count; of++) {
        const struct journal *journal = &world->journals[of];
        if (journal->billed[at] > journal->ceiling[at] + journal->over[at])
            world_fail(world, "I4", "%s: billed %lld > %lld on disk of journal %zu",
                       world_name(world, at), (long long)journal->billed[at],
                       (long long)journal->ceiling[at], of + 1);
    }
}

static int64_t sum_of_grants(const struct world *world, size_t account)
{
    int64_t sum = 0;
    for (size_t at = 0; at < world->journal_count; at++)
        sum += network_granted(world, account, at);
    return sum;
}

static int64_t sum_of_ceilings(const struct world *world, size_t account)
{
    int64_t sum = 0;
    for (size_t at = 0; at < world->journal_count; at++)
        sum += world->journals[at].ceiling[account];
    return sum;
}

/* What a journal says that its process may spend. */
static void check_grants(struct world *world, size_t account)
{
    for (size_t at = 0; !world->doubt && at < world->journal_count; at++) {
        int64_t ceiling = world->journals[at].ceiling[account];
        int64_t over = world->journals[at].over[account];
        if (ceiling > 0 && ceiling > network_granted(world, account, at) + over)
            world_fail(world, "I2", "%s: journal %zu has %lld, and was granted %lld",
                       world_name(world, account), at + 1, (long long)ceiling,
                       (long long)network_granted(world, account, at));
    }
}

static void check_total(struct world *world, size_t account)
{
    int64_t total = network_total(world, account);
    if (total != sum_of_grants(world, account))
        world_fail(world, "I3", "%s: G is %lld, and the grants' sum %lld",
                   world_name(world, account), (long long)total,
                   (long long)sum_of_grants(world, account));
    /* Where the store was set back, it may think that more is out than there is. */
    int64_t out = world->set_back ? sum_of_ceilings(world, account) : total;
    if (!world->doubt && out > world->accounts[account].most + over_of(world, account))
        world_fail(world, "I3", "%s: granted %lld > %lld + %lld", world_name(world, account),
                   (long long)out, (long long)world->accounts[account].most,
                   (long long)over_of(world, account));
}

/* Alone, an instance is granted what its limit leaves. */
static void check_alone(struct world *world, size_t account)
{
    for (size_t at = 0; at < world->journal_count; at++) {
        if (world->journals[at].ceiling[account] >
            world->accounts[account].most + over_of(world, account))
            world_fail(world, "I3", "%s: the ceiling is %lld > %lld", world_name(world, account),
                       (long long)world->journals[at].ceiling[account],
                       (long long)world->accounts[account].most);
    }
}

static void check_granted(struct world *world, size_t account)
{
    if (!world->profile.shared) {
        check_alone(world, account);
        return;
    }
    check_total(world, account);
    check_grants(world, account);
}

void check_all(struct world *world)
{
    for (size_t at = 0; at < world->profile.instances; at++) {
        const struct instance *instance = &world->instances[at];
        check_instance(world, instance);
        for (size_t account = 0; instance->up && account < world->account_count; account++)
            check_remembered(world, instance, account);
    }
    for (size_t account = 0; account < world->account_count; account++) {
        check_account(world, account);
        check_granted(world, account);
    }
}

/* ---- what the store did ---- */

static size_t find_journal(const struct world *world, const char *id)
{
    size_t at = 0;
    while (at < world->journal_count && strcmp(world->journals[at].id, id) != 0)
        at++;
    ASSERT(at < world->journal_count);
    return at;
}

static void check_fresh(struct world *world, struct server *server,
                        const struct store_request *request, const struct store_reply *reply)
{
    size_t at = find_journal(world, request->journal);
    bool newer = request->incarnation > server->incarnation[at] ||
                 (request->incarnation == server->incarnation[at] &&
                  request->sequence > server->sequence[at]);
    if (!newer)
        world_fail(world, "I5", "%lld.%lld of journal %zu is applied after %lld.%lld",
                   (long long)request->incarnation, (long long)request->sequence, at + 1,
                   (long long)server->incarnation[at], (long long)server->sequence[at]);
    server->incarnation[at] = request->incarnation;
    server->sequence[at] = request->sequence;
    if (request->kind == STORE_JOIN) {
        server->registered[at] = true;
        if (world->journals[at].joined_at < 0)
            world->journals[at].joined_at = world->now;
        return;
    }
    if (request->kind != STORE_EPOCH &&
        (request->epoch != reply->epoch || strcmp(request->fence, reply->fence) != 0))
        world_fail(world, "I5", "what is applied is of epoch %lld and %s, and the store's is %lld",
                   (long long)request->epoch, request->fence, (long long)reply->epoch);
}

/* The store knows again what was granted: all have said so in a later epoch. */
static void note_epoch(struct world *world, struct server *server, const struct store_reply *reply)
{
    server->epoch = reply->epoch;
    if (server != &world->servers[world->primary] && reply->epoch >= world->doubt_epoch &&
        reply->epoch > world->servers[world->primary].epoch) {
        /* All went back to the server that was left: so the other one must not be believed. */
        world->doubt = true;
        world->set_back = true;
        world->doubt_epoch = reply->epoch;
    }
    if (server != &world->servers[world->primary] || !world->doubt || world->careless ||
        reply->recovering || reply->unfenced || reply->epoch <= world->doubt_epoch)
        return;
    world_say(world, "epoch %lld is open", (long long)reply->epoch);
    world->doubt = false;
}

/* While the epoch is open, what an instance states can only lower what it was granted. */
static void check_sync(struct world *world, const struct store_reply *reply)
{
    for (size_t at = 0; !reply->recovering && at < reply->row_count; at++) {
        if (reply->rows[at].granted > world->before[at])
            world_fail(world, "I3", "a SYNC raises what was granted: %lld, and was %lld",
                       (long long)reply->rows[at].granted, (long long)world->before[at]);
    }
}

void check_applied(struct world *world, struct server *server, const struct store_request *request,
                   const struct store_reply *reply)
{
    bool applied = reply->verdict == STORE_OK || reply->verdict == STORE_RECOVERING;
    if (applied && request->kind == STORE_LEAVE && request->whose[0] != 0)
        server->registered[find_journal(world, request->whose)] = false;
    if (applied && request->kind != STORE_LEAVE && request->kind != STORE_INIT)
        check_fresh(world, server, request, reply);
    if (applied && request->kind == STORE_SYNC)
        check_sync(world, reply);
    note_epoch(world, server, reply);
    if (server != &world->servers[world->primary])
        return;
    for (size_t at = 0; applied && at < request->row_count; at++) {
        size_t account = world_account_by_number(world, request->rows[at].account);
        if (account != SIZE_MAX)
            check_granted(world, account);
    }
}

/* ---- limits that were lowered ---- */

/* What instances have, may come to have by what is under way, or could have spent. */
static int64_t all_that_is_out(const struct world *world, size_t account)
{
    int64_t sum = 0;
    for (size_t at = 0; at < world->journal_count; at++) {
        int64_t granted = world->profile.shared ? network_granted(world, account, at) : 0;
        int64_t ceiling = world->journals[at].ceiling[account];
        sum += granted > ceiling ? granted : ceiling;
    }
    return sum;
}

void check_lower(struct world *world)
{
    size_t newest = world->version_count - 1;
    if (world->doubt || world->now < world->version_at + 6 * SECOND)
        return;
    for (size_t at = 0; at < world->profile.instances; at++) {
        if (world->instances[at].up && world->instances[at].version != newest)
            return;
    }
    for (size_t account = 0; account < world->account_count; account++) {
        int64_t limit = world_limit(world, account, newest);
        int64_t out = all_that_is_out(world, account);
        int64_t *most = &world->accounts[account].most;
        int64_t lower = out > limit ? out : limit;
        if (lower < *most)
            *most = lower;
    }
}
