/*
 * Requests to instances, the calls that are made of them, and what upstreams bill.
 *
 * An upstream bills what it has worked at once, and goes on when the instance that asked has died.
 * What is honest stays within the input's bound and the output that was relied on; now and then one
 * lies, and bills more. Costs are worked out here once more, in integers of 128 bits, and not by
 * the functions that are tested.
 */
#include "sim.h"

/* ---- calls ---- */

static struct call *call_new(struct world *world)
{
    if (world->free_count == 0)
        return NULL;
    struct call *call = &world->calls[world->free_calls[--world->free_count]];
    *call = (struct call){.serial = ++world->serial};
    return call;
}

static size_t index_of(const struct world *world, const struct call *call)
{
    return (size_t)(call - world->calls);
}

static void call_free(struct world *world, struct call *call)
{
    for (size_t at = 0; at < call->count; at++)
        idle_close(world, call->accounts[at]);
    call->serial = 0;
    world->free_calls[world->free_count++] = index_of(world, call);
}

static bool is_alive(const struct world *world, const struct call *call)
{
    const struct instance *instance = &world->instances[call->instance];
    return instance->up && instance->life == call->life;
}

static void next(struct world *world, struct call *call, enum event_kind kind, int64_t after)
{
    world_at(world, world->now + after, kind, index_of(world, call), call->serial);
}

/* None so long any more that it runs still when all is judged. */
static int64_t step_us(struct world *world)
{
    return world->now < QUIET_AT ? around(world, 400 * MS) : 1 + below(world, 400 * MS);
}

/* ---- money, once more ---- */

static int64_t cost_of(const struct price *price, int64_t input, int64_t output)
{
    const struct rates *rates = &price->tiers[0].rates;
    __int128 pico = (__int128)input * rates->pico[BUCKET_INPUT] +
                    (__int128)output * rates->pico[BUCKET_OUTPUT] + price->request_pico;
    return (int64_t)((pico + 999) / 1000);
}

static void amounts_of(const struct call *call, int64_t input, int64_t output,
                       int64_t amounts[UNIT_COUNT])
{
    amounts[UNIT_USD] = cost_of(call->price, input, output);
    amounts[UNIT_TOKENS] = input + output;
    amounts[UNIT_REQUESTS] = 1;
}

static void shipped_cost(struct world *world, const struct call *call, struct spend *used)
{
    struct usage_buckets usage = {.tokens = {0}};
    usage.tokens[BUCKET_INPUT] = call->input;
    usage.tokens[BUCKET_OUTPUT] = call->output;
    struct money cost = price_cost(call->price, &usage);
    if (cost.nano != call->billed[UNIT_USD])
        world_fail(world, "I0", "a call that costs %lld is booked with %lld",
                   (long long)call->billed[UNIT_USD], (long long)cost.nano);
    *used = (struct spend){{cost.nano, call->input + call->output, 1}};
}

/* ---- bills ---- */

static void bill_account(struct world *world, const struct call *call, size_t at, int64_t more,
                         int64_t lied)
{
    struct sim_account *account = &world->accounts[at];
    struct journal *journal = &world->journals[call->journal];
    account->billed += more;
    account->over += lied;
    account->lies += lied > 0 ? 1 : 0;
    if (idle_is_session(world, at) && call->forgotten)
        more = lied = 0;
    journal->billed[at] += more;
    journal->over[at] += lied;
    check_account(world, at);
}

/* What the call has used by now is billed. */
static void bill(struct world *world, struct call *call)
{
    int64_t now[UNIT_COUNT], most[UNIT_COUNT], more[UNIT_COUNT], lied[UNIT_COUNT];
    amounts_of(call, call->input, call->output, now);
    amounts_of(call, call->bound.input_tokens, call->bound.choices * call->relied_output, most);
    for (int unit = 0; unit < UNIT_COUNT; unit++) {
        int64_t lies = now[unit] > most[unit] ? now[unit] - most[unit] : 0;
        more[unit] = now[unit] - call->billed[unit];
        lied[unit] = lies - call->lied[unit];
        call->billed[unit] = now[unit];
        call->lied[unit] = lies;
    }
    for (size_t at = 0; at < call->count; at++) {
        enum unit unit = world->accounts[call->accounts[at]].name.unit;
        bill_account(world, call, call->accounts[at], more[unit], lied[unit]);
    }
}

static void use_more(struct world *world, struct call *call)
{
    int64_t most = call->bound.choices * call->relied_output;
    if (call->input == 0)
        call->input = chance(world, 400) || call->probe
                          ? call->bound.input_tokens
                          : below(world, call->bound.input_tokens + 1);
    if (call->output < most)
        call->output +=
            chance(world, 300) ? most - call->output : below(world, most - call->output + 1);
    bill(world, call);
}

static void lie(struct world *world, struct call *call)
{
    call->input += call->bound.input_tokens + below(world, 1000);
    world_say(world, "call %llu lies", (unsigned long long)call->serial);
    bill(world, call);
}

/* ---- grants ---- */

/* What is held must cover whatever is honest. */
static void check_bound(struct world *world, const struct call *call)
{
    int64_t most[UNIT_COUNT];
    amounts_of(call, call->bound.input_tokens, call->bound.choices * call->held_output, most);
    for (size_t at = 0; at < call->count; at++) {
        enum unit unit = world->accounts[call->accounts[at]].name.unit;
        if (call->need[unit] < most[unit])
            world_fail(world, "I0", "call %llu may cost %lld and holds %lld on %s",
                       (unsigned long long)call->serial, (long long)most[unit],
                       (long long)call->need[unit], world_name(world, call->accounts[at]));
    }
}

/* Ids of windows never go back, as long as a process lives. */
static void check_window(struct world *world, struct instance *instance,
                         const struct charge *charge)
{
    char *last = instance->windows[charge->scope];
    if (strcmp(charge->window, last) < 0)
        world_fail(world, "window", "%s comes after %s", charge->window, last);
    memcpy(last, charge->window, sizeof(charge->window));
}

static void take_account(struct world *world, const struct call *call, size_t at)
{
    struct instance *instance = &world->instances[call->instance];
    if (idle_is_session(world, at)) {
        const struct account *now = check_find(instance->core, world->accounts[at].name.account);
        idle_note_forgotten(world, instance, at, now);
        idle_note_use(world, instance, at);
    }
    idle_open(world, call, at);
}

/* Takes over what the grant says is held now. */
static void take_charges(struct world *world, struct call *call, const struct grant *grant)
{
    struct instance *instance = &world->instances[call->instance];
    ASSERT(grant->charge_count <= STAKES);
    for (size_t at = 0; at < call->count; at++) {
        instance->held[call->accounts[at]] -=
            call->need[world->accounts[call->accounts[at]].name.unit];
        idle_close(world, call->accounts[at]);
    }
    call->count = grant->charge_count;
    for (size_t at = 0; at < grant->charge_count; at++) {
        const struct charge *charge = &grant->charges[at];
        call->accounts[at] = world_account(world, charge);
        call->need[charge->unit] = charge->amount;
        instance->held[call->accounts[at]] += charge->amount;
        take_account(world, call, call->accounts[at]);
    }
    call->max_output = grant->max_output;
    call->held_output = grant->held_output;
    check_bound(world, call);
}

static void granted(struct world *world, struct call *call)
{
    const struct grant *grant = &world->grant;
    call->waiter = 0;
    call->hold = grant->hold;
    call->begun_s = world_wall_s(world);
    take_charges(world, call, grant);
    world_say(world, "  call %llu is granted: output %lld of %lld",
              (unsigned long long)call->serial, (long long)grant->held_output,
              (long long)grant->max_output);
    if (call->hold == 0)
        call_free(world, call);
    else
        next(world, call, EVENT_SEND, below(world, 2 * MS));
}

static void decided(struct world *world, struct call *call)
{
    if (world->grant.verdict == VERDICT_GRANTED) {
        world->admitted += call->probe ? 1 : 0;
        granted(world, call);
        return;
    }
    const struct account_view *blocking = &world->grant.blocking;
    world_say(world, "  call %llu is refused: %d", (unsigned long long)call->serial,
              (int)world->grant.verdict);
    if (world->grant.verdict == VERDICT_EXHAUSTED)
        world_say(world, "    %s/%s: %lld spent, %lld elsewhere", scope_name(blocking->scope),
                  blocking->id, (long long)blocking->spent, (long long)blocking->elsewhere);
    call_free(world, call);
}

/* ---- asking ---- */

static struct text pick(struct world *world, const char *const *names, int64_t count)
{
    return text_of(names[below(world, count)]);
}

/* One instance after the other has to do with it, more often than others. */
static struct text pick_session(struct world *world, size_t instance)
{
    static const char *const SESSIONS[] = {"k1/a", "k2/b"};
    size_t usual = instance + (size_t)(world->now / (8 * SECOND));
    bool others = world->now < world->lone_until && world->lone != instance;
    if (chance(world, 300) || others)
        return TEXT_NONE;
    return text_of(SESSIONS[chance(world, 700) ? usual % 2 : (size_t)below(world, 2)]);
}

static void random_subject(struct world *world, size_t instance, struct subject *subject)
{
    static const char *const KEYS[IDS] = {"k1", "k2", "k3", "k4",  "k5",  "k6",
                                          "k7", "k8", "k9", "k10", "k11", "k12"};
    static const char *const TEAMS[] = {"red", "blue"};
    static const char *const MODELS[] = {"large", "small"};
    *subject = (struct subject){0};
    subject->id[SCOPE_GLOBAL] = TEXT("all");
    subject->id[SCOPE_TEAM] = pick(world, TEAMS, 2);
    subject->id[SCOPE_KEY] = pick(world, KEYS, world->profile.crowded ? IDS : 2);
    subject->id[SCOPE_MODEL] = pick(world, MODELS, 2);
    if (world->profile.idle)
        subject->id[SCOPE_SESSION] = pick_session(world, instance);
}

static void reserve(struct world *world, struct call *call, struct ask *ask)
{
    struct instance *instance = &world->instances[call->instance];
    call->life = instance->life;
    call->journal = instance->journal;
    call->price = ask->price;
    call->bound = ask->bound;
    call->slice = ask->slice_tokens;
    instance_check_clock(world, instance);
    ask->now_s = instance_wall_s(world, instance);
    ask->cookie =
        (struct cookie){.owner = world, .number = call->serial * CALLS + index_of(world, call)};
    world_say(world, "instance %zu: call %llu asks: key %.*s, team %.*s, input %lld, output %lld",
              call->instance, (unsigned long long)call->serial,
              TEXT_ARG(ask->subject->id[SCOPE_KEY]), TEXT_ARG(ask->subject->id[SCOPE_TEAM]),
              (long long)ask->bound.input_tokens, (long long)ask->wanted_output);
    core_reserve(instance->core, ask, &world->grant);
    for (size_t at = 0; world->grant.verdict == VERDICT_GRANTED && at < world->grant.charge_count;
         at++)
        check_window(world, instance, &world->grant.charges[at]);
    if (world->grant.verdict == VERDICT_WAIT) {
        call->waiter = world->grant.waiter;
        world_say(world, "  call %llu waits", (unsigned long long)call->serial);
        next(world, call, EVENT_TIME_UP, world->profile.wait_us);
    } else {
        decided(world, call);
    }
    instance_go_on(world, instance);
    check_instance(world, instance);
}

static void ask_at_random(struct world *world, size_t at)
{
    struct subject subject;
    struct call *call = call_new(world);
    if (call == NULL)
        return;
    random_subject(world, at, &subject);
    struct ask ask = {.subject = &subject,
                      .price = &world->prices[below(world, PRICES)],
                      .bound = {.input_tokens = 1 + below(world, world->tokens),
                                .choices = chance(world, 900) ? 1 : 2},
                      .wanted_output = 1 + below(world, world->tokens),
                      .named = !chance(world, world->profile.unnamed)};
    if (chance(world, world->profile.rolls))
        ask.slice_tokens = 20 + below(world, world->tokens / 5);
    call->instance = at;
    call->steps = (int)below(world, 5);
    reserve(world, call, &ask);
}

void traffic_arrive(struct world *world, size_t at)
{
    struct instance *instance = &world->instances[at];
    if (world->now >= QUIET_AT || instance->closing)
        return;
    world_at(world, world->now + around(world, world->profile.arrive_us), EVENT_ARRIVE, at,
             instance->life);
    ask_at_random(world, at);
}

void traffic_probe(struct world *world, size_t at, const struct subject *subject, int64_t input)
{
    struct call *call = call_new(world);
    ASSERT(call != NULL);
    struct ask ask = {.subject = subject,
                      .price = &world->prices[0],
                      .bound = {.input_tokens = input, .choices = 1, .output_free = true},
                      .named = true};
    call->instance = at;
    call->probe = true;
    world->probes++;
    reserve(world, call, &ask);
}

/* ---- waiting ---- */

void traffic_wakes(struct world *world, struct instance *instance)
{
    struct cookie cookie;
    while (instance->up && core_next_wake(instance->core, &cookie, &world->grant)) {
        struct call *call = &world->calls[cookie.number % CALLS];
        if (cookie.owner != world || call->serial != cookie.number / CALLS || call->waiter == 0) {
            world_fail(world, "liveness", "somebody is woken who does not wait");
            return;
        }
        decided(world, call);
    }
}

void traffic_time_up(struct world *world, size_t at)
{
    struct call *call = &world->calls[at];
    if (call->waiter == 0)
        return;
    if (!is_alive(world, call)) {
        call_free(world, call);
        return;
    }
    struct instance *instance = &world->instances[call->instance];
    instance_check_clock(world, instance);
    if (chance(world, 200) && core_leave(instance->core, call->waiter)) {
        world_say(world, "call %llu leaves", (unsigned long long)call->serial);
        call_free(world, call);
    } else if (core_time_is_up(instance->core, call->waiter, instance_wall_s(world, instance),
                               &world->grant)) {
        world_say(world, "call %llu has waited long enough", (unsigned long long)call->serial);
        decided(world, call);
    } else {
        world_fail(world, "liveness", "one that waits is unknown, and was not woken");
    }
    instance_go_on(world, instance);
    check_instance(world, instance);
}

/* ---- running ---- */

static void settle(struct world *world, struct call *call, const struct spend *used)
{
    struct instance *instance = &world->instances[call->instance];
    for (size_t at = 0; at < call->count; at++) {
        size_t account = call->accounts[at];
        enum unit unit = world->accounts[account].name.unit;
        instance->held[account] -= call->need[unit];
        instance->spent[account] += used->amount[unit];
        idle_note_use(world, instance, account);
    }
    call->begun_s = instance->core->now_s; /* for the ledger it was used until then */
    disk_note(world, call, LINE_SETTLE, used->amount);
    core_settle(instance->core, call->hold, used, NULL);
    instance_go_on(world, instance);
    check_instance(world, instance);
}

void traffic_send(struct world *world, size_t at)
{
    struct call *call = &world->calls[at];
    if (!is_alive(world, call)) {
        call_free(world, call);
        return;
    }
    if (world->now < world->instances[call->instance].fails_until) {
        settle(world, call, &(struct spend){{0}});
        call_free(world, call);
        return;
    }
    disk_note(world, call, LINE_RESERVE, call->need);
    call->relied_output = call->held_output;
    call->sent = true;
    if (chance(world, 500) || call->probe)
        use_more(world, call);
    next(world, call, EVENT_STEP, step_us(world));
}

static void end(struct world *world, struct call *call)
{
    struct spend used = {{call->need[0], call->need[1], call->need[2]}};
    bool lies = chance(world, world->profile.lies);
    use_more(world, call);
    if (lies)
        lie(world, call);
    if (is_alive(world, call)) {
        /* One whose bill nobody knows is booked in full. */
        if (lies || !chance(world, world->profile.posts))
            shipped_cost(world, call, &used);
        settle(world, call, &used);
    }
    call_free(world, call);
}

static bool extend(struct world *world, struct call *call)
{
    struct instance *instance = &world->instances[call->instance];
    if (!is_alive(world, call) || call->slice == 0 || call->held_output >= call->max_output)
        return false;
    core_extend(instance->core, call->hold, call->held_output + call->slice, &world->grant);
    bool fine = world->grant.verdict == VERDICT_GRANTED;
    if (fine)
        take_charges(world, call, &world->grant);
    instance_go_on(world, instance);
    check_instance(world, instance);
    return fine;
}

void traffic_step(struct world *world, size_t at)
{
    struct call *call = &world->calls[at];
    if (call->steps-- <= 0) {
        end(world, call);
        return;
    }
    if (extend(world, call)) {
        next(world, call, EVENT_RELY, below(world, 5 * MS));
        return;
    }
    use_more(world, call);
    next(world, call, EVENT_STEP, step_us(world));
}

void traffic_rely(struct world *world, size_t at)
{
    struct call *call = &world->calls[at];
    if (is_alive(world, call)) {
        disk_note(world, call, LINE_EXTEND, call->need);
        call->relied_output = call->held_output;
    }
    use_more(world, call);
    next(world, call, EVENT_STEP, step_us(world));
}

void traffic_finish(struct world *world, size_t at)
{
    struct call *call = &world->calls[at];
    uint64_t serial = call->serial;
    if (call->waiter != 0)
        traffic_time_up(world, at);
    if (call->serial == serial && !call->sent)
        traffic_send(world, at);
    if (call->serial == serial)
        end(world, call);
}
