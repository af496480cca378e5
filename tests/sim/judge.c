/*
 * What must be true once all is well again: nobody waits, nothing is held, what nobody uses has
 * come back, and whatever the limits leave is admitted.
 *
 * Left out is what the protocol leaves to an operator: a store that was lost together with an
 * instance's journal, and so waits for ever.
 */
#include "budget/headroom.h"
#include "sim.h"

/* ---- after the traffic ---- */

static void judge_account(struct world *world, const struct instance *instance,
                          const struct account *account)
{
    size_t at = world_account_by_number(world, account->number);
    if (at == SIZE_MAX)
        return;
    if (account->held != 0)
        world_fail(world, "liveness", "%s holds %lld, and no call runs", world_name(world, at),
                   (long long)account->held);
    if (instance->busy != LEASE_REST)
        return; /* of these, nobody knows yet */
    if (account->growing.wants || account->growing.asked || account->pins > 0)
        world_fail(world, "liveness", "%s of instance %zu is still about to grow or give",
                   world_name(world, at), (size_t)(instance - world->instances));
    if (account->over > 0 || account->spent > account->ceiling)
        world_fail(world, "liveness", "%s: an overrun of %lld was never charged (%lld of %lld)",
                   world_name(world, at), (long long)account->over, (long long)account->spent,
                   (long long)account->ceiling);
    if (account->used_s + HEADROOM_IDLE_S >= instance->core->now_s)
        return; /* by a call that ended late: it is not idle yet */
    int64_t idle = account->ceiling - account->spent;
    if (idle >= world_step(world, at) && !world->profile.jumps)
        world_fail(world, "liveness", "%s of instance %zu keeps %lld that it does not use",
                   world_name(world, at), (size_t)(instance - world->instances), (long long)idle);
}

static void judge_instance(struct world *world, const struct instance *instance)
{
    size_t at = (size_t)(instance - world->instances);
    if (!instance->up) {
        world_fail(world, "liveness", "instance %zu does not run", at);
        return;
    }
    if (core_waiting(instance->core) > 0 || core_any_wake(instance->core))
        world_fail(world, "liveness", "somebody still waits at instance %zu", at);
    if (core_open_holds(instance->core) > 0)
        world_fail(world, "liveness", "%zu holds of instance %zu are open",
                   core_open_holds(instance->core), at);
    enum lease_state state = lease_state(instance->lease);
    if (state != (world->profile.shared ? LEASE_OPEN : LEASE_EMBEDDED) ||
        !lease_grants(instance->lease))
        world_fail(world, "liveness", "the lease of instance %zu is in state %d", at, (int)state);
    for (size_t lane = 0; lane < instance->core->accounts.budget_count; lane++) {
        const struct account *account = instance->core->accounts.lanes[lane].first;
        for (; account != NULL; account = account->next)
            judge_account(world, instance, account);
    }
}

/* What the store has granted a living instance is what that has on disk. */
static void judge_grants(struct world *world, size_t account)
{
    int64_t step = world_step(world, account);
    if (world->accounts[account].name.until_s < world_wall_s(world))
        return; /* by a clock set back; it is over, and may be forgotten */
    if (idle_is_session(world, account))
        return; /* of one that an instance has forgotten it goes when the store does, too */
    for (size_t at = 0; at < world->journal_count; at++) {
        const struct journal *journal = &world->journals[at];
        int64_t idle = network_granted(world, account, at) - journal->ceiling[account];
        if (!journal->gone && journal->drawn[account] > 0 && idle < 0)
            world_fail(world, "liveness", "%s: the store was not told of what journal %zu drew",
                       world_name(world, account), at + 1);
        if (!journal->gone && idle >= step && !check_may_forget(world, journal->instance))
            world_fail(world, "liveness", "%s: journal %zu was granted %lld that it does not know",
                       world_name(world, account), at + 1, (long long)idle);
    }
}

/* ---- whatever is left is admitted ---- */

/* So many input tokens cost no more than that. */
static int64_t tokens_for(const struct price *price, int64_t nano)
{
    __int128 pico = (__int128)nano * 1000 - price->request_pico;
    return pico <= 0 ? 0 : (int64_t)(pico / price->tiers[0].rates.pico[BUCKET_INPUT]);
}

/* What of an account is spent, or may be; with the rounding to steps of each. */
static int64_t spent_of(const struct world *world, size_t account)
{
    int64_t sum = 0;
    for (size_t at = 0; at < world->journal_count; at++) {
        const struct journal *journal = &world->journals[at];
        int64_t spent = world->profile.shared ? network_granted(world, account, at)
                                              : world->instances[journal->instance].spent[account];
        sum += spent > 0 ? spent + world_step(world, account) : 0;
    }
    return sum;
}

static bool is_of(const struct world *world, size_t account, const struct account_view *view)
{
    const struct charge *name = &world->accounts[account].name;
    return name->scope == view->scope && name->unit == view->unit &&
           text_equal(name->id, text_of(view->id));
}

/* Its spend counts in the window that is shown. */
static bool counts(const struct world *world, size_t account, const struct account_view *view)
{
    if (span_rolls(world, account))
        return span_counts(world, account, view->window.end_s);
    return strcmp(world->accounts[account].name.window, view->window.id) == 0;
}

/* In the store's units: what was granted of an account that the world does not know. */
static int64_t unknown_total(const struct world *world, uint64_t number)
{
    if (world_account_by_number(world, number) != NOBODY)
        return 0;
    return store_total(world->servers[world->primary].store, number);
}

/* What was granted and nobody noted: a process died before it could, and nobody will use it any
 * more. Of a rolling window it comes back when its sub-bucket ceases to count. */
static int64_t unnoted(const struct world *world, const struct instance *instance,
                       const struct account_view *view)
{
    const struct accounts *accounts = &instance->core->accounts;
    struct account_key key = {.unit = view->unit, .id = text_of(view->id), .window = &view->window};
    while (!text_equal(accounts->budgets[key.budget].name, view->budget))
        key.budget++;
    const struct budget *budget = &accounts->budgets[key.budget];
    uint64_t number = accounts_number(accounts, &key);
    int64_t step = view->unit == UNIT_USD ? USD_STEP : 1;
    if (!world->profile.shared)
        return 0;
    if (budget->window != WINDOW_ROLLING)
        return unknown_total(world, number) * step;
    uint64_t last = span_number(budget, number, view->window.end_s);
    int64_t sum = 0;
    for (int64_t back = 0; back < WINDOW_ROLLING_SPAN; back++)
        sum += unknown_total(world, charge_sibling(last, -back)) * step;
    return sum;
}

/* What instances know, and the store has forgotten since; the one that is asked, also of others. */
static int64_t spent_of_session(const struct world *world, size_t account,
                                const struct account_view *view)
{
    bool shared = world->profile.shared;
    int64_t sum = shared ? network_total(world, account) : 0, known = view->spent + view->elsewhere;
    for (size_t at = 0; at < world->profile.instances; at++) {
        const struct instance *instance = &world->instances[at];
        int64_t granted = shared ? network_granted(world, account, instance->journal) : 0;
        int64_t untold = instance->spent[account] - granted;
        sum += (untold > 0 ? untold : 0) + world_step(world, account);
    }
    return sum > known ? sum : known;
}

/* One that has gone may have been granted something on an account that no journal names. */
static bool has_anybody_gone(const struct world *world)
{
    for (size_t at = 0; at < world->journal_count; at++) {
        if (world->journals[at].gone)
            return true;
    }
    return false;
}

/* In input tokens. */
static int64_t left_on(const struct world *world, const struct instance *instance,
                       const struct account_view *view)
{
    int64_t limit = view->limit - view->limit % (view->unit == UNIT_USD ? USD_STEP : 1);
    int64_t left = has_anybody_gone(world) ? 0 : limit - limit / 50;
    left -= unnoted(world, instance, view);
    for (size_t at = 0; at < world->account_count; at++) {
        if (!is_of(world, at, view))
            continue;
        if (idle_is_session(world, at))
            left -= spent_of_session(world, at, view);
        else if (counts(world, at, view))
            left -= spent_of(world, at);
    }
    left = left > 0 ? left : 0;
    if (view->unit == UNIT_REQUESTS)
        return left > 0 ? INT64_MAX : 0;
    return view->unit == UNIT_USD ? tokens_for(&world->prices[0], left) : left;
}

static int64_t left_of(const struct world *world, const struct instance *instance,
                       const struct subject *subject)
{
    struct account_view views[BUDGETS * UNIT_COUNT];
    int64_t left = INT64_MAX;
    size_t count = core_view(instance->core, subject, false, instance_wall_s(world, instance),
                             views, BUDGETS * UNIT_COUNT);
    for (size_t at = 0; at < count; at++) {
        int64_t here = left_on(world, instance, &views[at]);
        left = here < left ? here : left;
    }
    return left;
}

/* An instance that was idle asks for nearly all that is left of the tightest account. */
static void probe(struct world *world, size_t at)
{
    static const char *const TEAMS[] = {"red", "blue"};
    struct instance *instance = &world->instances[at];
    struct subject subject = {0};
    subject.id[SCOPE_GLOBAL] = TEXT("all");
    subject.id[SCOPE_TEAM] = text_of(TEAMS[below(world, 2)]);
    subject.id[SCOPE_KEY] = TEXT("k1");
    subject.id[SCOPE_MODEL] = TEXT("small");
    subject.id[SCOPE_SESSION] = TEXT("k1/a");
    int64_t left = left_of(world, instance, &subject);
    world_say(world, "instance %zu: left is %lld", at, (long long)left);
    if (left > 0 && left < INT64_C(1000000000000) && !world->profile.crowded)
        traffic_probe(world, at, &subject, left);
}

void judge(struct world *world)
{
    if (world->stuck)
        return;
    for (size_t at = 0; at < world->profile.instances && world->failure[0] == 0; at++)
        judge_instance(world, &world->instances[at]);
    for (size_t account = 0; world->profile.shared && account < world->account_count; account++)
        judge_grants(world, account);
    if (world->failure[0] == 0)
        probe(world, (size_t)below(world, (int64_t)world->profile.instances));
}

void judge_end(struct world *world)
{
    check_all(world);
    if (world->admitted < world->probes && !world->stuck)
        world_fail(world, "liveness", "what is left is not admitted");
}
