/* The world's definitions, its queue of events, and the loop that takes one after the other. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- chance ---- */

/* SplitMix64 (G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number
 * generators"). */
static uint64_t mix(uint64_t mixed)
{
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}

static uint64_t draw(struct world *world)
{
    return mix(world->random += UINT64_C(0x9e3779b97f4a7c15));
}

int64_t lot_below(const struct world *world, int lot, int64_t bound)
{
    uint64_t drawn = mix(world->seed + (uint64_t)(lot + 1) * UINT64_C(0xa0761d6478bd642f));
    return (int64_t)(drawn % (uint64_t)bound);
}

int64_t below(struct world *world, int64_t bound)
{
    return (int64_t)(draw(world) % (uint64_t)bound);
}

bool chance(struct world *world, int thousandths)
{
    return thousandths > 0 && below(world, 1000) < thousandths;
}

int64_t around(struct world *world, int64_t mean)
{
    return 1 + below(world, mean + 1) + (chance(world, 100) ? below(world, 8 * mean + 1) : 0);
}

/* ---- the queue: a heap, the earliest first; of one moment in the order of their making ---- */

/* In one number, so that it is compared and moved at once: when (26 bits), which in the order of
 * making (24), and where the event is (14). */
enum { PLACE_BITS = 14, ORDER_BITS = 24 };
_Static_assert(END_AT < INT64_C(1) << (64 - PLACE_BITS - ORDER_BITS), "nothing happens later");

static size_t place_of(uint64_t entry)
{
    return (size_t)(entry & ((UINT64_C(1) << PLACE_BITS) - 1));
}

static void queue_grow(struct world *world)
{
    size_t room = world->queue_room == 0 ? 1024 : 2 * world->queue_room;
    ASSERT(room <= (size_t)1 << PLACE_BITS);
    world->queue = memory_resize(world->queue, room * sizeof(world->queue[0]));
    world->events = memory_resize(world->events, room * sizeof(world->events[0]));
    world->places = memory_resize(world->places, room * sizeof(world->places[0]));
    for (size_t at = world->queue_room; at < room; at++)
        world->places[at] = at;
    world->queue_room = room;
}

struct event *world_at(struct world *world, int64_t at, enum event_kind kind, size_t who,
                       uint64_t what)
{
    if (world->queued == world->queue_room)
        queue_grow(world);
    uint64_t when = (uint64_t)(at < END_AT ? at : END_AT), order = ++world->order;
    size_t place = world->places[world->queued], hole = world->queued++;
    ASSERT(order < UINT64_C(1) << ORDER_BITS);
    uint64_t entry = (when << ORDER_BITS | order) << PLACE_BITS | place;
    uint64_t *queue = world->queue;
    for (; hole > 0 && entry < queue[(hole - 1) / 2]; hole = (hole - 1) / 2)
        queue[hole] = queue[(hole - 1) / 2];
    queue[hole] = entry;
    world->events[place] = (struct event){.at = at, .kind = kind, .who = who, .what = what};
    return &world->events[place];
}

static struct event take_event(struct world *world)
{
    uint64_t *queue = world->queue;
    size_t place = place_of(queue[0]), count = --world->queued, hole = 0;
    uint64_t last = queue[count];
    for (size_t child = 1; child < count; child = 2 * hole + 1) {
        child += child + 1 < count && queue[child + 1] < queue[child] ? 1 : 0;
        if (last < queue[child])
            break;
        queue[hole] = queue[child];
        hole = child;
    }
    queue[hole] = last;
    world->places[count] = place;
    return world->events[place];
}

/* ---- what it says ---- */

void world_say(struct world *world, const char *format, ...)
{
    if (!world->trace)
        return;
    va_list arguments;
    va_start(arguments, format);
    printf("%9.3f  ", (double)world->now / 1e6);
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
}

void world_fail(struct world *world, const char *invariant, const char *format, ...)
{
    if (world->failure[0] != 0)
        return;
    va_list arguments;
    va_start(arguments, format);
    int size = snprintf(world->failure, sizeof(world->failure), "%s: at %.3f s: ", invariant,
                        (double)world->now / 1e6);
    vsnprintf(world->failure + size, sizeof(world->failure) - (size_t)size, format, arguments);
    va_end(arguments);
    world_say(world, "FAILED  %s", world->failure);
}

/* ---- definitions ---- */

/* Each has a scope of its own, so an account's scope tells its budget. */
static const enum scope SCOPES[BUDGETS] = {SCOPE_GLOBAL, SCOPE_TEAM, SCOPE_KEY, SCOPE_MODEL};

/* Where an account's number stands in `slots`, or should: an open table that is never full. */
static size_t slot_of(const struct world *world, uint64_t number)
{
    /* The last bits of most numbers are those of few sub-buckets. */
    size_t at = (size_t)((number * UINT64_C(0x9e3779b97f4a7c15)) >> 32) % SLOTS;
    while (world->slots[at].account != 0 && world->slots[at].number != number)
        at = (at + 1) % SLOTS;
    return at;
}

size_t world_account_by_number(const struct world *world, uint64_t number)
{
    return world->slots[slot_of(world, number)].account - 1; /* SIZE_MAX if it is 0 */
}

int64_t world_step(const struct world *world, size_t account)
{
    return world->accounts[account].name.unit == UNIT_USD ? USD_STEP : 1;
}

int64_t world_limit(const struct world *world, size_t account, size_t version)
{
    const struct sim_account *known = &world->accounts[account];
    const struct budget *budget = &world->budgets[known->budget];
    int64_t limit = world->limits[version][known->budget][known->name.unit];
    limit = (int64_t)((__int128)limit * (10000 - budget->buffer_bp) / 10000);
    return limit - limit % world_step(world, account);
}

const char *world_name(const struct world *world, size_t account)
{
    static char name[STAKES][160];
    static size_t next;
    char *out = name[next++ % STAKES];
    const struct charge *charge = &world->accounts[account].name;
    snprintf(out, sizeof(name[0]), "%s/%s/%s/%s", scope_name(charge->scope),
             world->accounts[account].id, unit_name(charge->unit), charge->window);
    return out;
}

/* The highest limit that anybody may know; and of a rolling window what stood before, and counts
 * still. */
static int64_t first_most(const struct world *world, size_t account)
{
    size_t newest = world->version_count - 1, earlier = world->accounts[account].earlier;
    int64_t most = 0;
    if (earlier != NOBODY && span_next(world, earlier, earlier) == account) {
        int64_t limit = world_limit(world, account, newest);
        int64_t before = world->accounts[earlier].most;
        return before > limit ? before : limit;
    }
    for (size_t version = 0; version < world->version_count; version++) {
        int64_t limit = world_limit(world, account, version);
        most = limit > most ? limit : most;
    }
    return most;
}

size_t world_account(struct world *world, const struct charge *charge)
{
    size_t at = world_account_by_number(world, charge->account);
    if (at != SIZE_MAX)
        return at;
    ASSERT(world->account_count < ACCOUNTS);
    size_t slot = slot_of(world, charge->account);
    at = world->account_count++;
    world->slots[slot].number = charge->account;
    world->slots[slot].account = world->account_count;
    struct sim_account *account = &world->accounts[at];
    account->name = *charge;
    ASSERT(charge->id.size <= SUBJECT_MAX_ID);
    memcpy(account->id, charge->id.at, charge->id.size);
    account->name.id = text_make(account->id, charge->id.size);
    account->name.budget = TEXT_NONE;
    while (account->budget < BUDGETS - 1 && world->budgets[account->budget].scope != charge->scope)
        account->budget++;
    span_join(world, at);
    account->most = first_most(world, at);
    world_say(world, "account %zu is %s, limit %lld", at, world_name(world, at),
              (long long)account->most);
    return at;
}

struct core_options world_rules(struct world *world, size_t version, struct budget budgets[BUDGETS])
{
    struct core_options rules = world->rules;
    size_t count = 0;
    for (size_t at = 0; at < BUDGETS; at++) {
        bool limited = false;
        for (int unit = 0; unit < UNIT_COUNT; unit++)
            limited = limited || world->limits[version][at][unit] != LIMIT_NONE;
        if (!limited)
            continue;
        budgets[count] = world->budgets[at];
        memcpy(budgets[count].limit, world->limits[version][at], sizeof(budgets[0].limit));
        count++;
    }
    rules.budgets = budgets;
    rules.budget_count = count;
    return rules;
}

/* What a usual call costs in each unit. */
static void usual_call(const struct world *world, int64_t usual[UNIT_COUNT])
{
    const struct rates *rates = &world->prices[0].tiers[0].rates;
    usual[UNIT_USD] =
        (rates->pico[BUCKET_INPUT] + rates->pico[BUCKET_OUTPUT]) / 1000 * world->tokens / 2;
    usual[UNIT_TOKENS] = world->tokens;
    usual[UNIT_REQUESTS] = 1;
}

/* Some seeds are about calls that cost less than the store can count, some about amounts that no
 * double can hold. */
static void make_prices(struct world *world)
{
    static const int64_t SCALES[] = {1000000, 1000000, 1000000, 3000000, 3000, PRICE_MOST_PICO};
    int64_t scale = SCALES[below(world, 6)];
    world->tokens = scale == PRICE_MOST_PICO ? 1000000 : 1000;
    for (size_t at = 0; at < PRICES; at++) {
        struct price *price = &world->prices[at];
        price->tier_count = 1;
        price->tiers[0].above_input_tokens = -1;
        int64_t input = scale - below(world, scale / 2), output = scale - below(world, scale / 2);
        for (int bucket = 0; bucket < BUCKET_COUNT; bucket++) {
            bool out = bucket == BUCKET_OUTPUT || bucket == BUCKET_AUDIO_OUTPUT ||
                       bucket == BUCKET_REASONING || bucket == BUCKET_IMAGE_OUTPUT;
            price->tiers[0].rates.pico[bucket] = out ? output : input;
        }
        price->request_pico = chance(world, 200) ? scale : 0;
    }
}

static void make_limits(struct world *world)
{
    static const int64_t CALLS_WORTH[] = {5, 20, 60, 200, 800};
    int64_t usual[UNIT_COUNT];
    usual_call(world, usual);
    for (size_t at = 0; at < BUDGETS; at++) {
        for (int unit = 0; unit < UNIT_COUNT; unit++) {
            bool limited = unit == UNIT_USD ? chance(world, 600) : chance(world, 250);
            int64_t worth = CALLS_WORTH[below(world, 5)];
            int64_t limit = usual[unit] * worth + below(world, usual[unit] * worth + 1);
            world->limits[0][at][unit] = limited ? limit : LIMIT_NONE;
        }
    }
    if (world->limits[0][0][UNIT_USD] == LIMIT_NONE)
        world->limits[0][0][UNIT_USD] = usual[UNIT_USD] * 100;
    world->version_count = 1;
}

static void make_budgets(struct world *world)
{
    static const char *const NAMES[BUDGETS] = {"all", "teams", "keys", "models"};
    static const enum window_kind WINDOWS[] = {WINDOW_HOUR, WINDOW_HOUR, WINDOW_DAY, WINDOW_TOTAL};
    for (size_t at = 0; at < BUDGETS; at++)
        world->budgets[at] = (struct budget){.name = text_of(NAMES[at]),
                                             .scope = SCOPES[at],
                                             .window = WINDOWS[below(world, 4)],
                                             .timezone = TEXT("UTC"),
                                             .zone = world->zone,
                                             .buffer_bp = chance(world, 200) ? 1000 : 0};
    make_limits(world);
}

/* Short enough to turn while the world lasts; where there are many ids, not often. */
static int64_t rolling_length(const struct world *world, size_t budget)
{
    static const int64_t GLOBAL_S[] = {24, 30, 48, 100, 600};
    static const int64_t FEW_S[] = {48, 70, 120, 240, 600};
    static const int64_t MANY_S[] = {240, 300, 480, 600, 2400};
    int64_t which = lot_below(world, LOT_BUDGETS + 4 * (int)budget, 5);
    if (SCOPES[budget] == SCOPE_GLOBAL)
        return GLOBAL_S[which];
    return SCOPES[budget] == SCOPE_KEY ? MANY_S[which] : FEW_S[which];
}

/* As the configuration may have it: dollars alone, of windows that end. */
static void make_open(struct world *world, size_t budget)
{
    static const int64_t CALLS_WORTH[] = {1, 3, 10, 50};
    int64_t usual[UNIT_COUNT];
    if (lot_below(world, LOT_BUDGETS + 4 * (int)budget + 2, 1000) < 200)
        return;
    usual_call(world, usual);
    int64_t worth = CALLS_WORTH[lot_below(world, LOT_BUDGETS + 4 * (int)budget + 3, 4)];
    world->budgets[budget].away_open = usual[UNIT_USD] * worth + 7;
    world->limits[0][budget][UNIT_TOKENS] = LIMIT_NONE;
    world->limits[0][budget][UNIT_REQUESTS] = LIMIT_NONE;
}

/* So many times a limit; none if there is none. */
static int64_t most_of(int64_t limit, int64_t times)
{
    if (limit == LIMIT_NONE)
        return LIMIT_NONE;
    return limit < MONEY_MOST.nano / times ? times * limit : MONEY_MOST.nano;
}

/* Of one unit: there are many sub-buckets. */
static void make_rolling(struct world *world, size_t budget)
{
    int kept = (int)lot_below(world, LOT_BUDGETS + 4 * (int)budget + 2, UNIT_COUNT);
    int64_t *limit = world->limits[0][budget];
    world->budgets[budget].window = WINDOW_ROLLING;
    world->budgets[budget].rolling_s = rolling_length(world, budget);
    for (int tries = 0; tries < UNIT_COUNT && limit[kept] == LIMIT_NONE; tries++)
        kept = (kept + 1) % UNIT_COUNT;
    for (int unit = 0; unit < UNIT_COUNT; unit++)
        limit[unit] = unit == kept ? limit[unit] : LIMIT_NONE;
}

/* The last budget is of sessions, and ends often; the others do not end first. */
static void make_sessions(struct world *world)
{
    static const int64_t CALLS_WORTH[] = {3, 6, 12, 20};
    static const int64_t IDLE_S[] = {60, 600, 3600};
    struct budget *sessions = &world->budgets[BUDGETS - 1];
    int64_t usual[UNIT_COUNT], *limit = world->limits[0][BUDGETS - 1];
    usual_call(world, usual);
    bool open = lot_below(world, LOT_SESSIONS + 4, 1000) < 600;
    for (size_t at = 0; at < BUDGETS - 1; at++) {
        if (open) {
            world->budgets[at].away_open = 50 * usual[UNIT_USD];
            world->limits[0][at][UNIT_TOKENS] = LIMIT_NONE;
            world->limits[0][at][UNIT_REQUESTS] = LIMIT_NONE;
        }
        if (world->budgets[at].window == WINDOW_HOUR)
            world->budgets[at].window = WINDOW_DAY;
        for (int unit = 0; unit < UNIT_COUNT; unit++)
            world->limits[0][at][unit] = most_of(world->limits[0][at][unit], 8);
    }
    sessions->name = TEXT("sessions");
    sessions->scope = SCOPE_SESSION;
    sessions->window = WINDOW_TOTAL;
    sessions->away_open = 0;
    sessions->idle_s = IDLE_S[lot_below(world, LOT_SESSIONS, 3)];
    limit[UNIT_USD] = limit[UNIT_TOKENS] = limit[UNIT_REQUESTS] = LIMIT_NONE;
    int kept = lot_below(world, LOT_SESSIONS + 1, 1000) < 800 ? UNIT_USD : UNIT_TOKENS;
    int64_t worth = CALLS_WORTH[lot_below(world, LOT_SESSIONS + 2, 4)];
    limit[kept] = usual[kept] * worth + lot_below(world, LOT_SESSIONS + 3, usual[kept]);
}

static void make_special(struct world *world)
{
    for (size_t at = 0; at < BUDGETS; at++) {
        bool rolls = lot_below(world, LOT_BUDGETS + 4 * (int)at + 1, 1000) < 500;
        if (world->profile.rolling && rolls) {
            make_rolling(world, at);
        } else if (world->profile.open) {
            make_open(world, at);
        }
    }
    if (world->profile.idle)
        make_sessions(world);
}

static size_t most_accounts(const struct world *world)
{
    if (world->profile.rolling)
        return world->profile.crowded ? 50 : ACCOUNTS;
    return world->profile.crowded ? 12 : 96;
}

static void make_rules(struct world *world)
{
    world->rules = (struct core_options){
        .clamp = chance(world, 700) ? CLAMP_ALWAYS : CLAMP_NEVER,
        .min_output_tokens = below(world, 60),
        .max_waiting = chance(world, 100) ? 2 : 64,
        .max_accounts = most_accounts(world),
        .leased = true,
        .lease_s = 2,
        .usd_step = USD_STEP,
    };
}

/* ---- opening and closing ---- */

/* Within the last minute of an hour more often than not. */
static int64_t first_moment(struct world *world)
{
    int64_t hour_s = INT64_C(1795262400) + 3600 * below(world, 24);
    return hour_s - (chance(world, 600) ? below(world, 60) : 120 + below(world, 3000));
}

struct world *world_open(uint64_t seed, bool trace)
{
    struct world *world = memory_resize(NULL, sizeof(*world));
    memset(world, 0, offsetof(struct world, journals));
    world->seed = seed;
    world->random = seed * UINT64_C(0xd1342543de82ef95) + 1;
    world->trace = trace;
    world->zone = zone_open(NULL, TEXT("UTC"), NULL);
    world->wall_s = first_moment(world);
    faults_profile(world);
    make_prices(world);
    make_budgets(world);
    make_special(world);
    make_rules(world);
    for (size_t at = CALLS; at > 0; at--) {
        world->calls[at - 1].serial = 0;
        world->free_calls[world->free_count++] = at - 1;
    }
    network_open(world);
    for (size_t at = 0; at < world->profile.instances; at++) {
        world->instances[at].journal = journal_new(world, at);
        world_at(world, 1 + below(world, chance(world, 800) ? 50 * MS : 10 * SECOND), EVENT_START,
                 at, world->instances[at].life);
    }
    world_at(world, 500 * MS, EVENT_TICK, 0, 0);
    world_at(world, around(world, world->profile.fault_us), EVENT_FAULT, 0, 0);
    world_at(world, HEAL_AT, EVENT_HEAL, 0, 0);
    world_at(world, JUDGE_AT, EVENT_JUDGE, 0, 0);
    if (world->profile.idle)
        world_at(world, 2 * SECOND, EVENT_LEAP, 0, 0);
    return world;
}

void world_close(struct world *world)
{
    for (size_t at = 0; at < INSTANCES; at++) {
        lease_close(world->instances[at].lease);
        core_close(world->instances[at].core);
    }
    for (size_t at = 0; at < world->journal_count; at++)
        journal_close(&world->journals[at]);
    for (size_t at = 0; at < world->queued; at++)
        network_drop(world->events[place_of(world->queue[at])].load);
    network_close(world);
    free(world->queue);
    free(world->events);
    free(world->places);
    zone_close(world->zone);
    free(world);
}

/* ---- running ---- */

static void tick(struct world *world)
{
    network_replicate(world);
    idle_look(world);
    for (size_t at = 0; at < world->journal_count; at++) {
        if (world->healed || chance(world, 50))
            faults_let_go(world, at);
        if ((world->now / (500 * MS) + (int64_t)at) % 12 == 0)
            faults_reconcile(world, at);
    }
    if (world->healed)
        faults_let_unknown_go(world);
    check_lower(world);
    check_all(world);
    world_at(world, world->now + 500 * MS, EVENT_TICK, 0, 0);
}

/* Those of a process that has ended since mean nobody. */
static bool is_of_now(const struct world *world, const struct event *event)
{
    switch (event->kind) {
    case EVENT_TIME_UP:
    case EVENT_SEND:
    case EVENT_STEP:
    case EVENT_RELY:
        return world->calls[event->who].serial == event->what;
    case EVENT_COMMITTED:
    case EVENT_TIMEOUT:
    case EVENT_REPLY:
        return world->instances[event->who].up &&
               world->instances[event->who].action == event->what &&
               world->instances[event->who].busy != LEASE_REST;
    case EVENT_TREASURY:
    case EVENT_SYNC:
    case EVENT_ARRIVE:
        return world->instances[event->who].up && world->instances[event->who].life == event->what;
    case EVENT_START:
        return !world->instances[event->who].up && world->instances[event->who].life == event->what;
    default:
        return true;
    }
}

static void happen(struct world *world, const struct event *event)
{
    struct instance *instance = &world->instances[event->who % INSTANCES];
    static void (*const ON_CALLS[])(struct world *, size_t) = {
        [EVENT_ARRIVE] = traffic_arrive, [EVENT_TIME_UP] = traffic_time_up,
        [EVENT_SEND] = traffic_send,     [EVENT_STEP] = traffic_step,
        [EVENT_RELY] = traffic_rely,     [EVENT_START] = instance_start};
    if (event->kind < sizeof(ON_CALLS) / sizeof(ON_CALLS[0]) && ON_CALLS[event->kind] != NULL) {
        ON_CALLS[event->kind](world, event->who);
        return;
    }
    switch (event->kind) {
    case EVENT_TREASURY:
        instance_woken(world, instance);
        return;
    case EVENT_COMMITTED:
        instance_committed(world, instance);
        return;
    case EVENT_REQUEST:
        network_request(world, event->load);
        return;
    case EVENT_REPLY:
        network_reply(world, instance, event->load);
        return;
    case EVENT_TIMEOUT:
        instance_replied(world, instance, NULL);
        return;
    case EVENT_SYNC:
        disk_sync(world, instance);
        return;
    case EVENT_ADOPT:
        instance_adopt(world, instance);
        return;
    case EVENT_ROUTE:
        instance->route = world->primary;
        return;
    case EVENT_TICK:
        tick(world);
        return;
    case EVENT_FAULT:
        faults_strike(world);
        return;
    case EVENT_LEAP:
        idle_leap(world, event->what == 1);
        return;
    case EVENT_HEAL:
        faults_heal(world);
        return;
    default:
        judge(world);
    }
}

static void remember(struct world *world, const struct event *event)
{
    world->digest = (world->digest ^ (uint64_t)event->at ^ (uint64_t)event->kind << 48 ^
                     (uint64_t)event->who << 56 ^ world->random) *
                    UINT64_C(0x100000001b3);
}

bool world_run(struct world *world)
{
    char faults[200];
    world_say(world, "seed %llu: %zu instances%s; %s", (unsigned long long)world->seed,
              world->profile.instances, world->profile.shared ? "" : " (embedded)",
              faults_list(world, faults));
    while (world->failure[0] == 0) {
        struct event event = take_event(world);
        if (event.at >= END_AT) {
            network_drop(event.load);
            break;
        }
        ASSERT(event.at >= world->now);
        world->now = event.at;
        if (is_of_now(world, &event)) {
            happen(world, &event);
            remember(world, &event);
        } else if (event.kind == EVENT_REPLY) {
            network_drop(event.load);
        }
    }
    if (world->failure[0] == 0)
        judge_end(world);
    return world->failure[0] == 0;
}
