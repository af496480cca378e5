/*
 * The invariants, as budget-protocol has them (T: what is billed; L_eff: the limit, or if that was
 * lowered what was granted above it; over: lies; drawn: what instances took while no store answered
 * them, as their budget lets them).
 *
 *     I0  T ≤ spent + held of the process, and of one call: what may be billed ≤ its hold
 *     I1  spent + held ≤ c + over
 *     I2  c ≤ g + drawn, as long as the store has lost nothing
 *     I3  G ≤ L_eff + over + drawn, and so is Σ (spent + held + ghost)
 *     I4  c ≤ what the journal has on disk; and T ≤ that + over, even when nobody runs
 *     I5  what is applied is of the fence, the epoch, and newer than what was
 *     I6  held and spent of the core are what calls hold and what was booked, exactly
 *     I7  drawn is booked as overdraft, and no more than the budget allows each instance
 *     T   T ≤ L_eff + over + drawn
 *
 * I3 and T are of accounts of calendar windows, and of every span of a rolling window (spans.c);
 * all others of each account. Of sessions (idle.c) T counts since they began anew, and I2 and I3
 * do not hold: the store forgets one that an instance knows still, and is told of it again.
 */
#include "sim.h"

/* Lies, and what they may be charged for once more, because the store counts in steps; drawn. */
static int64_t over_of(const struct world *world, size_t account)
{
    const struct sim_account *known = &world->accounts[account];
    return known->drawn + known->over + known->excess +
           (known->lies + (known->excess > 0 ? JOURNALS : 0)) * world_step(world, account);
}

/* Of what is billed; what is booked after a loss is not. Only of sub-buckets a step's rest may be
 * spent. */
static int64_t billed_over(const struct world *world, size_t account)
{
    const struct sim_account *known = &world->accounts[account];
    int64_t rounded = span_rolls(world, account) ? known->lies * world_step(world, account) : 0;
    return known->drawn + known->over + rounded;
}

static int64_t billed_of(const struct world *world, size_t account)
{
    return world->accounts[account].billed;
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

bool check_forgot_drawn(const struct world *world, const struct account *account)
{
    return world->profile.crowded && account->overdraft == 0 && account->ceiling == 0 &&
           account->spent == 0;
}

bool check_may_forget(const struct world *world, size_t instance)
{
    return world->instances[instance].life > 1 || world->set_back || world->profile.disk_fails;
}

static void check_amounts(struct world *world, struct instance *instance, size_t at,
                          const struct account *account)
{
    const struct journal *journal = &world->journals[instance->journal];
    int64_t over = account->over;
    idle_note_forgotten(world, instance, at, account);
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
    if (account->overdraft != instance->drawn[at] && !check_forgot_drawn(world, account))
        world_fail(world, "I7", "%s: the overdraft is %lld, and what was drawn %lld",
                   world_name(world, at), (long long)account->overdraft,
                   (long long)instance->drawn[at]);
    if (account->ceiling > journal->ceiling[at])
        world_fail(world, "I4", "%s: the ceiling is %lld, and %lld on disk", world_name(world, at),
                   (long long)account->ceiling, (long long)journal->ceiling[at]);
    if (journal->billed[at] > account->spent + account->held + journal->over[at])
        world_fail(world, "I0", "%s: billed %lld > spent %lld + held %lld", world_name(world, at),
                   (long long)journal->billed[at], (long long)account->spent,
                   (long long)account->held);
}

/* `all`: also sub-buckets that are over, and nobody holds anything on. */
static void check_accounts(struct world *world, struct instance *instance, bool all)
{
    const struct accounts *accounts = &instance->core->accounts;
    for (size_t lane = 0; lane < accounts->budget_count; lane++) {
        const struct account *account = accounts->lanes[lane].first;
        for (; account != NULL; account = account->next) {
            if (!all && account->pins == 0 && group_is_past(account))
                continue;
            size_t at = world_account_by_number(world, account->number);
            if (at != SIZE_MAX)
                check_amounts(world, instance, at, account);
            else if (account->held > 0 || account->ceiling > 0)
                world_fail(world, "I4",
                           "an account that was neither granted nor committed is used");
        }
    }
}

void check_instance(struct world *world, struct instance *instance)
{
    if (instance->up && world->failure[0] == 0)
        check_accounts(world, instance, false);
}

/* Of a rolling window only what counts. */
static bool must_remember(const struct world *world, const struct instance *instance, size_t at)
{
    const struct sim_account *account = &world->accounts[at];
    int64_t now_s = instance_wall_s(world, instance);
    if (idle_is_session(world, at))
        return now_s <= instance->until_s[at];
    if (account->name.until_s < now_s)
        return false;
    return !span_rolls(world, at) || span_counts(world, at, now_s);
}

/* An account that is spent on is known to its process, as long as its window lasts. */
static void check_remembered(struct world *world, const struct instance *instance, size_t at)
{
    const struct sim_account *account = &world->accounts[at];
    uint64_t number = account->name.account;
    struct text key = text_make((const char *)&number, sizeof(number));
    if (world->journals[instance->journal].billed[at] == 0 || world->profile.jumps ||
        !must_remember(world, instance, at))
        return;
    if (check_find(instance->core, number) == NULL &&
        table_get(&instance->core->accounts.restored, key) == NULL)
        world_fail(world, "I0", "%s: billed, and forgotten", world_name(world, at));
}

/* ---- an account ---- */

/* The span that ends with `last` has no more than it may. */
static void check_span(struct world *world, const char *invariant, size_t last, __int128 sum,
                       __int128 over)
{
    if (invariant[0] != 'T' && idle_lapses(world, last))
        return;
    if (sum > world->accounts[last].most + over)
        world_fail(world, invariant, "%s: %s %lld > %lld + %lld", world_name(world, last),
                   invariant[0] == 'T' ? "billed" : "granted or used", (long long)sum,
                   (long long)world->accounts[last].most, (long long)over);
}

static void check_billed(struct world *world, size_t last)
{
    check_span(world, "T", last, span_sum(world, last, billed_of),
               span_sum(world, last, billed_over));
}

static void check_noted(struct world *world, size_t at)
{
    for (size_t of = 0; of < world->journal_count; of++) {
        const struct journal *journal = &world->journals[of];
        if (journal->billed[at] > journal->ceiling[at] + journal->over[at])
            world_fail(world, "I4", "%s: billed %lld > %lld on disk of journal %zu",
                       world_name(world, at), (long long)journal->billed[at],
                       (long long)journal->ceiling[at], of + 1);
    }
}

void check_account(struct world *world, size_t at)
{
    for (size_t last = at; last != NOBODY; last = span_next(world, at, last))
        check_billed(world, last);
    check_noted(world, at);
}

static int64_t sum_of_ceilings(const struct world *world, size_t account)
{
    int64_t sum = 0;
    for (size_t at = 0; at < world->journal_count; at++)
        sum += world->journals[at].ceiling[account];
    return sum;
}

/* What a journal says that its process may spend, it was granted or drew. */
static void check_grant(struct world *world, size_t account, size_t at, int64_t granted)
{
    const struct journal *journal = &world->journals[at];
    int64_t ceiling = journal->ceiling[account];
    if (idle_is_session(world, account) || idle_is_over(world, at, account))
        return;
    if (ceiling > 0 && ceiling > granted + journal->over[account] + journal->drawn[account])
        world_fail(world, "I2", "%s: journal %zu has %lld, and was granted %lld",
                   world_name(world, account), at + 1, (long long)ceiling, (long long)granted);
}

static void check_grants(struct world *world, size_t account)
{
    int64_t sum = network_gone(world, account), total = network_total(world, account);
    for (size_t at = 0; at < world->journal_count; at++) {
        int64_t granted = network_granted(world, account, at);
        if (!world->doubt)
            check_grant(world, account, at, granted);
        sum += granted;
    }
    if (total != sum)
        world_fail(world, "I3", "%s: G is %lld, and the grants' sum %lld",
                   world_name(world, account), (long long)total, (long long)sum);
}

/* Alone, an instance is granted what its limit leaves. Where the store was set back, it may think
 * that more is out than there is. */
static int64_t out_of(const struct world *world, size_t account)
{
    if (!world->profile.shared || world->set_back)
        return sum_of_ceilings(world, account);
    return network_total(world, account);
}

static void check_granted(struct world *world, size_t account)
{
    if (!world->doubt)
        check_span(world, "I3", account, span_sum(world, account, out_of),
                   span_sum(world, account, over_of));
}

/* On the account, of the journal that moved it, and in the spans that it lies in. */
static void check_moved(struct world *world, size_t account, size_t journal)
{
    for (size_t last = account; last != NOBODY; last = span_next(world, account, last))
        check_granted(world, last);
    if (!world->doubt)
        check_grant(world, account, journal, network_granted(world, account, journal));
}

/* ---- Σ (spent + held + ghost) ---- */

static int64_t used_of(const struct world *world, size_t account)
{
    int64_t used = 0;
    for (size_t at = 0; at < world->journal_count; at++) {
        const struct journal *journal = &world->journals[at];
        const struct instance *instance = &world->instances[journal->instance];
        bool runs = instance->up && instance->journal == at;
        used +=
            runs ? instance->spent[account] + instance->held[account] : journal->billed[account];
    }
    return used;
}

static int64_t total_of(const struct world *world, size_t account)
{
    return world->totals[account];
}

/* Each account is counted once, for all the spans that it lies in. */
static void check_spans(struct world *world, int64_t (*of)(const struct world *, size_t))
{
    for (size_t account = 0; account < world->account_count; account++)
        world->totals[account] = of(world, account);
    for (size_t account = 0; account < world->account_count; account++)
        check_span(world, "I3", account, span_sum(world, account, total_of),
                   span_sum(world, account, over_of));
}

void check_all(struct world *world)
{
    for (size_t at = 0; at < world->profile.instances; at++) {
        struct instance *instance = &world->instances[at];
        if (instance->up)
            check_accounts(world, instance, true);
        for (size_t account = 0; instance->up && account < world->account_count; account++)
            check_remembered(world, instance, account);
    }
    for (size_t account = 0; account < world->account_count; account++) {
        check_billed(world, account);
        check_noted(world, account);
        if (world->profile.shared)
            check_grants(world, account);
    }
    check_spans(world, used_of);
    if (!world->doubt)
        check_spans(world, out_of);
}

void check_overdraft(struct world *world, size_t account, int64_t booked, int64_t drawn)
{
    const struct budget *budget = &world->budgets[world->accounts[account].budget];
    bool may = world->accounts[account].name.unit == UNIT_USD && !span_rolls(world, account);
    int64_t allowed = may ? budget->away_open : 0;
    if (booked != drawn)
        world_fail(world, "I7", "%s: an overdraft of %lld is booked as %lld",
                   world_name(world, account), (long long)drawn, (long long)booked);
    if (drawn > allowed)
        world_fail(world, "I7", "%s: overdrawn by %lld > %lld", world_name(world, account),
                   (long long)drawn, (long long)allowed);
}

/* ---- what the store did ---- */

static size_t find_journal(const struct world *world, const char *id)
{
    size_t at = 0;
    while (at < world->journal_count && world->journals[at].id[0] != id[0])
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
        if (world->journals[at].joined_at < 0)
            world->journals[at].joined_at = world->now;
        return;
    }
    if (request->kind != STORE_EPOCH &&
        (request->epoch != reply->epoch || strcmp(request->fence, reply->fence) != 0))
        world_fail(world, "I5", "what is applied is of epoch %lld and %s, and the store's is %lld",
                   (long long)request->epoch, request->fence, (long long)reply->epoch);
}

/* The store knows again what was granted: all have said so in a later epoch, and somebody may grow
 * there. */
static void note_epoch(struct world *world, struct server *server, const struct store_reply *reply)
{
    server->epoch = reply->epoch;
    if (server != &world->servers[world->primary] && reply->epoch >= world->doubt_epoch &&
        reply->epoch > world->servers[world->primary].epoch) {
        /* All went back to the server that was left: so the other one must not be believed. */
        idle_note_left(world, server);
        world->doubt = true;
        world->set_back = true;
        world->doubt_epoch = reply->epoch;
    }
    if (server != &world->servers[world->primary] || !world->doubt || world->careless ||
        reply->recovering || reply->unfenced || !reply->vouched ||
        reply->epoch <= world->doubt_epoch)
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
    bool reconciles = request->kind == STORE_RECONCILE;
    if (applied && request->kind != STORE_LEAVE && request->kind != STORE_INIT && !reconciles)
        check_fresh(world, server, request, reply);
    if (applied && request->kind == STORE_SYNC)
        check_sync(world, reply);
    note_epoch(world, server, reply);
    if (server != &world->servers[world->primary] || !applied || request->row_count == 0)
        return;
    size_t journal = find_journal(world, reconciles ? request->whose : request->journal);
    for (size_t at = 0; at < request->row_count; at++) {
        size_t account = world_account_by_number(world, request->rows[at].account);
        if (account != SIZE_MAX)
            check_moved(world, account, journal);
    }
}

/* ---- limits that were lowered ---- */

/* Of what a journal has, so much it drew. Where that can be forgotten, what was given back of it
 * lowers nothing: nobody knows of it then. */
static int64_t drawn_of(const struct world *world, size_t account, size_t journal, int64_t has)
{
    int64_t drawn = world->journals[journal].drawn[account];
    return world->profile.crowded && drawn > has ? has : drawn;
}

/* What instances have, may come to have by what is under way, or could have spent; but what they
 * drew is allowed them besides. */
static int64_t all_that_is_out(const struct world *world, size_t account)
{
    int64_t sum = 0;
    for (size_t at = 0; at < world->journal_count; at++) {
        int64_t granted = world->profile.shared ? network_granted(world, account, at) : 0;
        int64_t ceiling = world->journals[at].ceiling[account];
        int64_t has = granted > ceiling ? granted : ceiling;
        sum += has - drawn_of(world, account, at, has);
    }
    return sum;
}

static void lower(struct world *world, size_t account)
{
    int64_t limit = world_limit(world, account, world->version_count - 1);
    int64_t *most = &world->accounts[account].most;
    if (*most <= limit || idle_is_session(world, account)) /* who forgot it has spent it, too */
        return;
    __int128 out = span_sum(world, account, all_that_is_out);
    if (out < *most)
        *most = (int64_t)(out > limit ? out : limit);
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
    for (size_t account = 0; account < world->account_count; account++)
        lower(world, account);
}
