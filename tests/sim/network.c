/*
 * Between instances and the store: messages are lost, doubled, late and so out of order; servers
 * stall, restart, lose what they acknowledged, and take each other's place.
 *
 * A reply reaches nobody who does not wait for it any more: it belongs to a connection that was
 * given up. A late request is applied all the same.
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>

/* Its rows and its roster lie behind it, without what is not there of them: there are thousands of
 * messages in a world. */
struct message {
    struct store_request request;
    size_t instance, server;
    uint64_t action;
    struct store_row rows[];
};

static void set_fence(struct world *world, struct server *server)
{
    char fence[STORE_FENCE_SIZE];
    snprintf(fence, sizeof(fence), "run%d.replication%d", server->run, server->replication);
    store_set_fence(server->store, fence);
    store_set_replicas(server->store, !world->profile.lonely);
    world_say(world, "server %zu is now %s", (size_t)(server - world->servers), fence);
}

void network_open(struct world *world)
{
    world->servers[0] = (struct server){
        .store = store_open(), .run = ++world->runs, .replication = ++world->replications};
    world->servers[1] = (struct server){.store = store_open(),
                                        .run = ++world->runs,
                                        .replication = world->replications,
                                        .empty = true};
    set_fence(world, &world->servers[0]);
    set_fence(world, &world->servers[1]);
    store_init(world->servers[0].store, "run1.replication1");
    world->replica.store = store_copy(world->servers[0].store);
}

void network_close(struct world *world)
{
    for (size_t at = 0; at < SERVERS; at++)
        store_close(world->servers[at].store);
    store_close(world->replica.store);
}

/* ---- messages ---- */

static size_t roster_size(const struct store_roster *roster)
{
    return offsetof(struct store_roster, at) + roster->count * sizeof(roster->at[0]);
}

static struct message *message_new(const struct store_request *request)
{
    size_t rows = request->row_count * sizeof(request->rows[0]);
    size_t names = request->roster == NULL ? 0 : roster_size(request->roster);
    struct message *message = memory_new(sizeof(*message) + rows + names);
    message->request = *request;
    message->request.label = TEXT("sim");
    message->request.rows = message->rows;
    if (rows > 0)
        memcpy(message->rows, request->rows, rows);
    if (names > 0)
        message->request.roster =
            memcpy(&message->rows[request->row_count], request->roster, names);
    return message;
}

void network_drop(void *load)
{
    free(load);
}

static int64_t delay(struct world *world)
{
    int64_t late = chance(world, world->profile.late) ? below(world, 3 * SECOND) : 0;
    return around(world, world->profile.latency_us) + late;
}

static void post(struct world *world, const struct store_request *request,
                 const struct instance *instance)
{
    struct message *message = message_new(request);
    message->instance = (size_t)(instance - world->instances);
    message->server = instance->route;
    message->action = instance->action;
    world_at(world, world->now + delay(world), EVENT_REQUEST, message->instance, 0)->load = message;
}

static const char *const KINDS[] = {
    [STORE_INIT] = "INIT", [STORE_JOIN] = "JOIN",   [STORE_MOVE] = "MOVE",
    [STORE_SYNC] = "SYNC", [STORE_EPOCH] = "EPOCH", [STORE_READY] = "READY",
    [STORE_BEAT] = "BEAT", [STORE_LEAVE] = "LEAVE", [STORE_RECONCILE] = "RECONCILE"};
static const char *const VERDICTS[] = {
    [STORE_OK] = "OK",       [STORE_OLD_FENCE] = "OLD_FENCE", [STORE_RECOVERING] = "RECOVERING",
    [STORE_STALE] = "STALE", [STORE_STRANGER] = "STRANGER",   [STORE_EMPTY] = "EMPTY",
    [STORE_AWAY] = "AWAY"};

void network_send(struct world *world, struct instance *instance,
                  const struct store_request *request)
{
    size_t who = (size_t)(instance - world->instances);
    bool lost = instance->cut || chance(world, world->profile.lost);
    if (!lost)
        post(world, request, instance);
    if (!lost && chance(world, world->profile.doubled))
        post(world, request, instance);
    int64_t timeout = 200 * MS + below(world, 300 * MS);
    world_at(world, world->now + timeout, EVENT_TIMEOUT, who, instance->action);
}

static void say_rows(struct world *world, const struct store_request *request,
                     const struct store_reply *reply)
{
    for (size_t at = 0; world->trace && at < request->row_count; at++) {
        const struct store_row *row = &request->rows[at];
        size_t account = world_account_by_number(world, row->account);
        if (at < reply->row_count)
            world_say(world,
                      "    account %zu: least %lld most %lld give %lld charge %lld value %lld: "
                      "moved %lld, has %lld of %lld",
                      account, (long long)row->least, (long long)row->most, (long long)row->give,
                      (long long)row->charge, (long long)row->value,
                      (long long)reply->rows[at].moved, (long long)reply->rows[at].granted,
                      (long long)reply->rows[at].total);
    }
}

static void note_before(struct world *world, const struct server *server,
                        const struct store_request *request)
{
    ASSERT(request->row_count <= ACCOUNTS);
    for (size_t at = 0; at < request->row_count; at++)
        world->before[at] =
            store_granted(server->store, request->rows[at].account, request->journal);
}

static void apply(struct world *world, struct server *server, const struct store_request *request)
{
    store_set_time(server->store, world_wall_s(world));
    idle_look(world);
    if (request->kind == STORE_SYNC)
        note_before(world, server, request);
    idle_note_gone(world, server, -1);
    store_apply(server->store, request, &world->reply);
    idle_note_gone(world, server, 1);
    if (request->kind != STORE_BEAT || world->reply.verdict != STORE_OK)
        world_say(world,
                  "  server %zu: %s of %.1s, %lld.%lld, epoch %lld: %s (epoch %lld%s, %lld of "
                  "%lld absent)",
                  (size_t)(server - world->servers), KINDS[request->kind], request->journal,
                  (long long)request->incarnation, (long long)request->sequence,
                  (long long)request->epoch, VERDICTS[world->reply.verdict],
                  (long long)world->reply.epoch, world->reply.recovering ? ", recovering" : "",
                  (long long)world->reply.absent, (long long)world->reply.instances);
    say_rows(world, request, &world->reply);
    check_applied(world, server, request, &world->reply);
}

/* A reply up to its last row, and behind that its roster. */
static size_t size_of(const struct store_reply *reply)
{
    return offsetof(struct store_reply, rows) + reply->row_count * sizeof(reply->rows[0]);
}

static void send_reply(struct world *world, const struct message *message)
{
    if (chance(world, world->profile.lost) || world->instances[message->instance].cut)
        return;
    size_t rows = size_of(&world->reply), names = roster_size(&world->reply.roster);
    unsigned char *copy = memory_new(rows + names);
    memcpy(copy, &world->reply, rows);
    memcpy(copy + rows, &world->reply.roster, names);
    world_at(world, world->now + delay(world), EVENT_REPLY, message->instance, message->action)
        ->load = copy;
}

/* A server that was left is nobody's replica as long as somebody takes it for the first one. */
static bool is_a_replica(const struct world *world, size_t server)
{
    for (size_t at = 0; at < world->profile.instances; at++)
        if (world->instances[at].route == server)
            return false;
    return true;
}

static void replicate_to(struct world *world, struct server *other, const struct server *server)
{
    network_copy(world, other, server);
    other->replication = server->replication; /* its run id stays its own */
    set_fence(world, other);
}

/* A JOIN is answered when all replicas have it that the server has (WAIT). One that was left
 * behind has none. */
static void replicate_join(struct world *world, const struct server *server, size_t journal)
{
    size_t other = 1 - world->primary;
    if (server != &world->servers[world->primary])
        return;
    if (!network_has(world, &world->replica, journal))
        network_copy(world, &world->replica, server);
    if (!network_has(world, &world->servers[other], journal) && is_a_replica(world, other))
        replicate_to(world, &world->servers[other], server);
}

/* Where store.wait_replicas names all servers, nothing that they do not all have is answered. */
static bool is_confirmed(struct world *world, const struct server *server)
{
    size_t other = 1 - world->primary;
    if (server != &world->servers[world->primary] || !is_a_replica(world, other))
        return false;
    network_copy(world, &world->replica, server);
    replicate_to(world, &world->servers[other], server);
    return true;
}

static bool is_answered(struct world *world, const struct server *server,
                        const struct message *message)
{
    bool joins = message->request.kind == STORE_JOIN;
    bool waits = joins || message->request.kind == STORE_MOVE;
    bool applied = world->reply.verdict == STORE_OK;
    if (joins && applied)
        replicate_join(world, server, world->instances[message->instance].journal);
    world->reply.replicated = joins && world->profile.confirms;
    return !world->profile.confirms || !waits || !applied || is_confirmed(world, server);
}

void network_request(struct world *world, void *load)
{
    struct message *message = load;
    struct server *server = &world->servers[message->server];
    if (server->stalled_until > world->now) {
        world_at(world, server->stalled_until, EVENT_REQUEST, message->instance, 0)->load = message;
        return;
    }
    apply(world, server, &message->request);
    if (is_answered(world, server, message))
        send_reply(world, message);
    free(message);
}

void network_reply(struct world *world, struct instance *instance, void *load)
{
    const unsigned char *copy = load;
    size_t rows = size_of(load);
    const struct store_roster *roster = (const void *)(copy + rows);
    memcpy(&world->reply, copy, rows);
    memcpy(&world->reply.roster, roster, roster_size(roster));
    free(load);
    instance_replied(world, instance, &world->reply);
}

/* ---- servers ---- */

void network_copy(struct world *world, struct server *to, const struct server *from)
{
    struct store *copy = store_copy(from->store);
    store_close(to->store);
    to->store = copy;
    to->empty = from->empty;
    to->epoch = from->epoch;
    to->taken_at = world->now;
    memcpy(to->incarnation, from->incarnation, sizeof(to->incarnation));
    memcpy(to->sequence, from->sequence, sizeof(to->sequence));
    memcpy(to->left, from->left, sizeof(to->left));
}

void network_rename(struct world *world, struct server *server, bool restarted)
{
    if (restarted)
        server->run = ++world->runs;
    server->replication = ++world->replications;
    set_fence(world, server);
}

void network_replicate(struct world *world)
{
    if (chance(world, 400))
        network_copy(world, &world->replica, &world->servers[world->primary]);
}

void network_wipe(struct world *world, struct server *server)
{
    store_close(server->store);
    server->store = store_open();
    server->empty = true;
    memset(server->incarnation, 0, sizeof(server->incarnation));
    memset(server->sequence, 0, sizeof(server->sequence));
    memset(server->left, 0, sizeof(server->left));
    network_rename(world, server, true);
}

/* ---- an operator's words ---- */

void network_leave(struct world *world, size_t journal)
{
    struct server *server = &world->servers[world->primary];
    struct store_request request = {.kind = STORE_LEAVE, .epoch = server->epoch};
    memcpy(request.whose, world->journals[journal].id, sizeof(request.whose));
    apply(world, server, &request);
    if (world->reply.verdict != STORE_OK)
        return;
    (void)store_has(server->store, request.whose, &server->left[journal]);
    world->journals[journal].left = true;
}

void network_leave_unknown(struct world *world)
{
    struct server *server = &world->servers[world->primary];
    struct store_request request = {.kind = STORE_LEAVE, .epoch = server->epoch};
    apply(world, server, &request);
}

void network_reconcile(struct world *world, size_t journal)
{
    struct server *server = &world->servers[world->primary];
    struct journal *lost = &world->journals[journal];
    struct store_row rows[ACCOUNTS];
    struct store_request look = {.kind = STORE_INIT};
    struct store_request request = {
        .kind = STORE_RECONCILE, .rows = rows, .row_count = world->account_count};
    struct store_seat last;
    bool has = store_has(server->store, lost->id, &last);
    request.incarnation = last.incarnation;
    request.sequence = last.sequence;
    for (size_t at = 0; at < world->account_count; at++) {
        int64_t step = world_step(world, at);
        rows[at] = (struct store_row){.account = world->accounts[at].name.account,
                                      .limit = LIMIT_NONE,
                                      .value = (lost->billed[at] + step - 1) / step};
        /* What else it had on its disk is of no use to anybody. */
        if (lost->gone && !has && lost->ceiling[at] > lost->billed[at])
            lost->ceiling[at] = lost->billed[at];
    }
    apply(world, server, &look); /* there is one: it says fence and epoch, and does nothing */
    request.epoch = world->reply.epoch;
    memcpy(request.fence, world->reply.fence, sizeof(request.fence));
    memcpy(request.whose, lost->id, sizeof(request.whose));
    apply(world, server, &request);
}

void network_init(struct world *world, int64_t instances)
{
    struct server *server = &world->servers[world->primary];
    struct store_request request = {
        .kind = STORE_INIT, .epoch = 1000 + world->runs, .instances = instances};
    apply(world, server, &request);
    server->empty = false;
}

/* ---- what a server knows ---- */

static int64_t in_units(const struct world *world, size_t account, int64_t amount)
{
    return amount * world_step(world, account);
}

int64_t network_granted_by(const struct world *world, const struct server *server, size_t account,
                           size_t journal)
{
    return in_units(world, account,
                    store_granted(server->store, world->accounts[account].name.account,
                                  world->journals[journal].id));
}

bool network_has(const struct world *world, const struct server *server, size_t journal)
{
    struct store_seat last;
    return store_has(server->store, world->journals[journal].id, &last);
}

int64_t network_granted(const struct world *world, size_t account, size_t journal)
{
    return network_granted_by(world, &world->servers[world->primary], account, journal);
}

int64_t network_gone_by(const struct world *world, const struct server *server, size_t account)
{
    return in_units(world, account,
                    store_gone(server->store, world->accounts[account].name.account));
}

int64_t network_gone(const struct world *world, size_t account)
{
    return network_gone_by(world, &world->servers[world->primary], account);
}

int64_t network_total(const struct world *world, size_t account)
{
    return in_units(
        world, account,
        store_total(world->servers[world->primary].store, world->accounts[account].name.account));
}
