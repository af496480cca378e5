/*
 * How much output a request may have. All accounts of a unit are one number here, the least that is
 * left on any of them, because what fits there fits everywhere. After an overrun nothing is left,
 * not less: what needs nothing of a unit fits.
 */
#include "budget/demand.h"

/* Room per unit; INT64_MAX: not limited. */
struct room {
    int64_t of[UNIT_COUNT];
};

static int64_t least_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t limit_of(const struct account *account)
{
    return account->limit;
}

static struct room room_in(const struct places *places, int64_t (*of)(const struct account *))
{
    struct room room = {{INT64_MAX, INT64_MAX, INT64_MAX}};
    for (size_t at = 0; at < places->count; at++) {
        const struct account *account = places->accounts[at];
        int64_t left = of(account) < 0 ? 0 : of(account);
        room.of[account->unit] = least_of(room.of[account->unit], left);
    }
    return room;
}

static struct room with_request_limits(struct room room, const struct places *places)
{
    for (int unit = 0; unit < UNIT_COUNT; unit++) {
        if (places->request_limit[unit] != LIMIT_NONE)
            room.of[unit] = least_of(room.of[unit], places->request_limit[unit]);
    }
    return room;
}

static int64_t requests_of(const struct ask *ask)
{
    return ask->counted ? 0 : 1;
}

void demand_fill_need(const struct price *price, const struct bound *bound, int64_t output,
                      int64_t need[UNIT_COUNT])
{
    need[UNIT_USD] = price == NULL ? 0 : price_bound(price, bound, output).nano;
    need[UNIT_TOKENS] = bound_tokens(bound, output);
    need[UNIT_REQUESTS] = 1;
}

static void fill_need(const struct ask *ask, int64_t output, int64_t need[UNIT_COUNT])
{
    demand_fill_need(ask->price, &ask->bound, output, need);
    need[UNIT_REQUESTS] = requests_of(ask);
}

static bool fits(const int64_t need[UNIT_COUNT], const struct room *room)
{
    return need[UNIT_USD] <= room->of[UNIT_USD] && need[UNIT_TOKENS] <= room->of[UNIT_TOKENS] &&
           need[UNIT_REQUESTS] <= room->of[UNIT_REQUESTS];
}

/* The largest maximum in 0..most that fits; -1: not even 0. */
static int64_t affordable(const struct ask *ask, const struct room *room, int64_t most)
{
    if (room->of[UNIT_REQUESTS] < requests_of(ask))
        return -1;
    if (room->of[UNIT_TOKENS] != INT64_MAX)
        most = bound_affordable(&ask->bound, room->of[UNIT_TOKENS], most);
    if (most < 0 || room->of[UNIT_USD] == INT64_MAX)
        return most;
    return price_affordable(ask->price, &ask->bound, (struct money){room->of[UNIT_USD]}, most);
}

/* A quarter of what is left beyond the part that is the same for every maximum. */
static int64_t quarter_beyond(int64_t left, int64_t fixed)
{
    return left == INT64_MAX || left <= fixed ? left : fixed + (left - fixed) / 4;
}

static int64_t affordable_with_a_quarter(const struct ask *ask, const struct room *left,
                                         int64_t most)
{
    int64_t fixed[UNIT_COUNT];
    fill_need(ask, 0, fixed);
    struct room quarter = *left;
    quarter.of[UNIT_USD] = quarter_beyond(left->of[UNIT_USD], fixed[UNIT_USD]);
    quarter.of[UNIT_TOKENS] = quarter_beyond(left->of[UNIT_TOKENS], fixed[UNIT_TOKENS]);
    return affordable(ask, &quarter, most);
}

static void set_terms(const struct core_options *rules, const struct ask *ask,
                      struct demand *demand)
{
    bool capped = !ask->named && rules->default_max_output > 0;
    demand->ceiling = ask->bound.output_free ? 0 : ask->wanted_output;
    if (capped)
        demand->ceiling = least_of(demand->ceiling, rules->default_max_output);
    bool more = ask->least_output > rules->min_output_tokens;
    demand->least = least_of(more ? ask->least_output : rules->min_output_tokens, demand->ceiling);
    demand->may_clamp = !ask->bound.output_free && (rules->clamp == CLAMP_ALWAYS ||
                                                    (rules->clamp == CLAMP_ABSENT && !ask->named));
}

/* Its cost and tokens may be without a bound: then they are not told. */
static void assess_unlimited(const struct ask *ask, const struct room *left,
                             const struct room *limit, struct demand *demand)
{
    bool known = ask->bound.input_tokens < INT64_MAX && !ask->unbounded;
    int64_t wanted = ask->bound.output_free ? 0 : ask->wanted_output;
    *demand = (struct demand){
        .max_output = wanted, .held_output = wanted, .least = wanted, .ceiling = wanted};
    demand->need[UNIT_REQUESTS] = requests_of(ask);
    if (known && wanted < INT64_MAX)
        fill_need(ask, wanted, demand->need);
    demand->verdict = VERDICT_GRANTED;
    if (left->of[UNIT_REQUESTS] < requests_of(ask))
        demand->verdict = VERDICT_EXHAUSTED;
    if (limit->of[UNIT_REQUESTS] < requests_of(ask))
        demand->verdict = VERDICT_NEVER_FITS;
}

static enum verdict unfit(const struct ask *ask, const struct room *limit,
                          const struct demand *demand)
{
    bool usd = limit->of[UNIT_USD] != INT64_MAX;
    if (usd && ask->price == NULL)
        return VERDICT_UNPRICED;
    if (ask->unbounded || ask->bound.input_tokens == INT64_MAX)
        return VERDICT_UNBOUNDED;
    if (!demand->may_clamp && demand->ceiling == INT64_MAX)
        return VERDICT_UNBOUNDED;
    return VERDICT_GRANTED;
}

static int64_t wish(const struct core_options *rules, const struct ask *ask,
                    const struct places *places, const struct demand *demand)
{
    if (ask->named || ask->bound.output_free || rules->clamp == CLAMP_NEVER)
        return demand->ceiling;
    struct room left = room_in(places, account_left);
    int64_t quarter = affordable_with_a_quarter(ask, &left, demand->ceiling);
    return quarter < demand->least ? demand->least : quarter;
}

static void refuse(const struct ask *ask, const struct room *limit, int64_t goal,
                   struct demand *demand)
{
    int64_t most = affordable(ask, limit, demand->ceiling);
    demand->verdict = most < goal ? VERDICT_NEVER_FITS : VERDICT_EXHAUSTED;
    demand->affordable = most < 0 ? 0 : most;
    fill_need(ask, goal, demand->need);
}

/* What is known of an ask's limits, with those of the request. */
struct rooms {
    struct room limit, left;
};

/* How much output fits what is left of every limit, and what that needs; false: too little, and
 * why. */
static bool assess_left(const struct ask *ask, const struct rooms *rooms, int64_t wished,
                        struct demand *demand)
{
    demand->max_output = wished;
    fill_need(ask, wished, demand->need);
    if (fits(demand->need, &rooms->left))
        return true;
    int64_t goal = demand->may_clamp ? demand->least : wished;
    demand->max_output = affordable(ask, &rooms->left, wished);
    if (demand->max_output < goal) {
        refuse(ask, &rooms->limit, goal, demand);
        return false;
    }
    fill_need(ask, demand->max_output, demand->need);
    return true;
}

static bool is_limited(const struct room *limit)
{
    return limit->of[UNIT_USD] != INT64_MAX || limit->of[UNIT_TOKENS] != INT64_MAX;
}

static bool is_rolling(const struct ask *ask, const struct places *places,
                       const struct demand *demand)
{
    if (ask->slice_tokens == 0 || !demand->may_clamp)
        return false;
    struct room accounts = room_in(places, limit_of);
    return is_limited(&accounts);
}

/* What of it is held from the beginning. */
static void set_hold(const struct ask *ask, const struct places *places, struct demand *demand)
{
    demand->held_output = demand->max_output;
    demand->rolling = is_rolling(ask, places, demand);
    if (!demand->rolling)
        return;
    int64_t least = demand->least + ask->slack_tokens;
    int64_t slice = ask->slice_tokens > least ? ask->slice_tokens : least;
    demand->held_output = least_of(slice, demand->max_output);
    fill_need(ask, demand->held_output, demand->need);
}

void demand_assess(const struct core_options *rules, const struct ask *ask,
                   const struct places *places, struct demand *demand)
{
    const struct rooms rooms = {
        .limit = with_request_limits(room_in(places, limit_of), places),
        .left = with_request_limits(room_in(places, account_left), places),
    };
    ASSERT(ask->slice_tokens >= 0);
    if (!is_limited(&rooms.limit)) {
        assess_unlimited(ask, &rooms.left, &rooms.limit, demand);
        return;
    }
    *demand = (struct demand){0};
    set_terms(rules, ask, demand);
    demand->verdict = unfit(ask, &rooms.limit, demand);
    if (demand->verdict == VERDICT_GRANTED &&
        assess_left(ask, &rooms, wish(rules, ask, places, demand), demand))
        set_hold(ask, places, demand);
}

/* The least output that must be held. */
static int64_t least_slice(const struct ask *ask, const struct demand *demand)
{
    if (!demand->rolling)
        return demand->least;
    return least_of(demand->least + ask->slack_tokens, demand->held_output);
}

/* The output that fits where there is so much room; -1: less than is worth the call, or it may not
 * be less. */
static int64_t shrunk_to(const struct ask *ask, const struct places *places,
                         const struct demand *demand, int64_t (*room)(const struct account *))
{
    struct room now = with_request_limits(room_in(places, room), places);
    if (demand->verdict != VERDICT_GRANTED || !demand->may_clamp)
        return -1;
    int64_t output = affordable(ask, &now, demand->held_output);
    return output < least_slice(ask, demand) ? -1 : output;
}

static int64_t within_reach(const struct account *account)
{
    return account_free(account) + account_obtainable(account);
}

bool demand_shrinks_once_grown(const struct ask *ask, const struct places *places,
                               const struct demand *demand)
{
    return shrunk_to(ask, places, demand, account_free) < 0 &&
           shrunk_to(ask, places, demand, within_reach) >= 0;
}

bool demand_shrink(const struct ask *ask, const struct places *places, struct demand *demand)
{
    ASSERT(demand->verdict == VERDICT_GRANTED);
    int64_t output = shrunk_to(ask, places, demand, account_free);
    if (output < 0)
        return false;
    demand->held_output = output;
    if (!demand->rolling)
        demand->max_output = output;
    fill_need(ask, output, demand->need);
    return true;
}
