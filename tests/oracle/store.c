/*
 * store.lua against store.c: random operations on both, every reply compared. Starts a redis-server
 * of its own on a socket in a new folder, and ends it.
 *
 *     store [operations [seed]]
 *
 * The operations are those of instances that know more or less what goes on: most are in order,
 * some are doubled, late, of another epoch or of strangers; now and then the server's fence changes
 * or everything is gone.
 */
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../unit/random.h"
#include "budget/store_wire.h"
#include "money/charge.h"
#include "server.h"

#define BATCH     256
#define INSTANCES 7
#define ACCOUNTS  40

struct instance {
    char journal[STORE_JOURNAL_SIZE];
    char fence[STORE_FENCE_SIZE];
    int64_t epoch, incarnation, sequence, instances, heard;
    int64_t applied; /* the last sequence that was */
};

struct operation {
    struct store_request request;
    struct store_row *rows;
    struct store_roster roster;
    struct store_reply reply; /* C's */
};

static const struct charge what = {.budget = {"a \"budget\"", 10}, .id = {"x\ty", 3}};
static uint64_t state;
static struct store *store;
static struct oracle_server *server;
static char sha[STORE_SHA_SIZE];
static struct instance instances[INSTANCES];
static struct operation operations[BATCH];
static struct store_request last; /* sent again now and then; without its rows */
static struct store_row last_rows[STORE_ROWS_MOST];
static struct store_roster last_roster;
static int64_t verdicts[STORE_AWAY], grown, reconciled, told;

static uint64_t any(uint64_t below)
{
    return random_next(&state) % below;
}

static bool once_in(uint64_t times)
{
    return any(times) == 0;
}

/* ---- the server ---- */

static void read_fence(void)
{
    const char *script = "local replication = redis.call('INFO', 'replication') "
                         "return {string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') .. "
                         "'.' .. string.match(replication, 'master_replid:(%x+)'), "
                         "tonumber(string.match(replication, 'repl_backlog_active:(%d)')), "
                         "string.match(replication, 'second_repl_offset:(-?%d+)')}";
    redisReply *reply = redisCommand(server->link, "EVAL %s 0", script);
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY || reply->elements != 3)
        oracle_give_up("no fence");
    store_set_fence(store, reply->element[0]->str);
    store_set_replicas(store, reply->element[1]->integer == 1);
    store_set_promoted(store, strcmp(reply->element[2]->str, "-1") != 0);
    freeReplyObject(reply);
}

/* A promotion, or a wipe. */
static void disturb(void)
{
    if (once_in(3)) {
        oracle_server_say(server, "FLUSHALL");
        store_close(store);
        store = store_open();
    } else {
        oracle_server_say(server, "REPLICAOF 127.0.0.1 1");
        oracle_server_say(server, "REPLICAOF NO ONE");
    }
    read_fence();
}

/* ---- what instances ask ---- */

static int64_t amount(void)
{
    switch (any(8)) {
    case 0:
        return 0;
    case 1:
        return (int64_t)any((uint64_t)STORE_MOST + 1);
    case 2:
        return STORE_MOST;
    case 3:
        return (int64_t)any(1000000);
    default:
        return (int64_t)any(200);
    }
}

static void make_row(enum store_kind kind, struct store_row *row)
{
    /* Some are the sub-buckets of two groups. */
    uint64_t account = any(ACCOUNTS) * UINT64_C(0x123456789abcdef1);
    bool rolling = once_in(3);
    if (rolling)
        account =
            charge_sibling((1 + any(2)) * UINT64_C(0x123456789abcdef1), (int64_t)any(60) - 30);
    *row = (struct store_row){.account = account,
                              .limit = once_in(9) ? amount() : 5000,
                              .until_s = once_in(3)   ? 5
                                         : once_in(2) ? INT64_C(4000000000)
                                                      : WINDOW_FOREVER,
                              .spent = amount()};
    if (kind != STORE_MOVE && once_in(2))
        row->limit = LIMIT_NONE;
    if (kind == STORE_SYNC || kind == STORE_RECONCILE)
        row->value = amount();
    if (once_in(9))
        row->what = &what;
    row->anew = (kind == STORE_SYNC || kind == STORE_MOVE) && once_in(5);
    if (row->anew)
        row->spent = 0;
    if (row->anew && once_in(2))
        row->beginning = 1 + (int64_t)any(3);
    if (kind != STORE_MOVE)
        return;
    row->least = once_in(3) ? amount() : 0;
    row->most = once_in(2) ? amount() : 0;
    row->give = once_in(3) ? amount() : 0;
    row->charge = once_in(9) ? amount() : 0;
    if (row->least + row->most == 0 && once_in(2))
        row->limit = LIMIT_NONE;
    row->rolling = rolling;
}

static enum store_kind any_kind(void)
{
    static const enum store_kind kinds[] = {
        STORE_MOVE, STORE_MOVE, STORE_MOVE, STORE_MOVE,  STORE_MOVE,  STORE_MOVE, STORE_MOVE,
        STORE_SYNC, STORE_SYNC, STORE_BEAT, STORE_EPOCH, STORE_READY, STORE_JOIN,
    };
    if (once_in(20))
        return STORE_RECONCILE;
    if (once_in(50))
        return STORE_INIT;
    return once_in(40) ? STORE_LEAVE : kinds[any(sizeof(kinds) / sizeof(kinds[0]))];
}

static void make_rows(struct operation *operation)
{
    struct store_request *request = &operation->request;
    if (request->kind != STORE_MOVE && request->kind != STORE_SYNC && request->kind != STORE_BEAT &&
        request->kind != STORE_RECONCILE)
        return;
    request->row_count = any(5);
    if (once_in(2000))
        request->row_count = STORE_ROWS_MOST;
    for (size_t i = 0; i < request->row_count; i++)
        make_row(request->kind, &operation->rows[i]);
}

/* Some have said what is named of them, some less, some more; and now and then somebody is named
 * that never says anything. */
static void make_roster(struct store_roster *roster)
{
    roster->count = 0;
    for (size_t i = 0; i < INSTANCES; i++) {
        struct store_seat *seat = &roster->at[roster->count];
        if (once_in(2))
            continue;
        memcpy(seat->journal, instances[i].journal, sizeof(seat->journal));
        seat->incarnation = once_in(20) ? (int64_t)any(9) : instances[i].incarnation;
        seat->sequence = once_in(3) ? (int64_t)any(100) : instances[i].sequence;
        roster->count++;
    }
    if (once_in(50))
        roster->at[roster->count++] =
            (struct store_seat){.journal = "stranger", .incarnation = 1, .sequence = 1};
}

/* An operator knows what that journal did last, mostly. */
static void make_statement(struct store_request *request)
{
    const struct instance *whose = &instances[any(INSTANCES)];
    memcpy(request->whose, whose->journal, sizeof(request->whose));
    request->incarnation = whose->incarnation;
    request->sequence = once_in(9) ? (int64_t)any(100) : whose->applied;
}

static void make(struct operation *operation, struct instance *instance)
{
    struct store_request *request = &operation->request;
    *request = (struct store_request){.kind = any_kind(), .rows = operation->rows};
    memcpy(request->journal, instance->journal, sizeof(request->journal));
    memcpy(request->fence, instance->fence, sizeof(request->fence));
    memcpy(request->whose, instances[any(INSTANCES)].journal, sizeof(request->whose));
    request->label = TEXT("an instance \"with\"\r\nspecial letters");
    request->epoch = once_in(40) ? (int64_t)any(20) : instance->epoch;
    request->now_s = (int64_t)any(UINT64_C(4000000000));
    if (once_in(100)) {
        instance->incarnation++;
        instance->sequence = 0;
    }
    request->incarnation = instance->incarnation;
    request->sequence = ++instance->sequence;
    request->complete = once_in(2);
    request->lost = once_in(100);
    request->known = once_in(9) ? (int64_t)any(30) : 0;
    request->vouches = once_in(5) ? instance->heard : 0;
    request->instances = once_in(10) ? (int64_t)any(INSTANCES) : 0;
    request->roster = &operation->roster;
    operation->roster.count = 0;
    if ((request->kind == STORE_EPOCH || request->kind == STORE_SYNC) && once_in(25))
        make_roster(&operation->roster);
    make_rows(operation);
    if (request->kind == STORE_RECONCILE)
        make_statement(request);
    if (once_in(30)) {
        *request = last;
        request->rows = operation->rows;
        request->roster = &operation->roster;
        operation->roster = last_roster;
        memcpy(operation->rows, last_rows, sizeof(last_rows[0]) * last.row_count);
    } else if (once_in(20)) {
        last = *request;
        last_roster = operation->roster;
        memcpy(last_rows, operation->rows, sizeof(last_rows[0]) * last.row_count);
    }
}

static void learn(struct instance *instance, const struct operation *operation)
{
    const struct store_reply *reply = &operation->reply;
    bool done = reply->verdict == STORE_OK || reply->verdict == STORE_RECOVERING;
    bool own = strcmp(operation->request.journal, instance->journal) == 0 &&
               operation->request.sequence == instance->sequence;
    if (operation->request.kind == STORE_RECONCILE)
        reconciled += done;
    else if (done && own && operation->request.kind != STORE_LEAVE)
        instance->applied = instance->sequence;
    instance->heard = reply->gseq;
    if (reply->verdict == STORE_OK && operation->request.kind == STORE_JOIN) {
        instance->epoch = reply->epoch;
        memcpy(instance->fence, reply->fence, sizeof(instance->fence));
    }
    if (reply->verdict == STORE_OK && operation->request.kind == STORE_EPOCH)
        instance->epoch = reply->epoch;
}

/* ---- comparing ---- */

static bool same(const struct store_reply *a, const struct store_reply *b)
{
    if (a->verdict != b->verdict || strcmp(a->fence, b->fence) != 0 || a->epoch != b->epoch ||
        a->recovering != b->recovering || a->unfenced != b->unfenced || a->gseq != b->gseq ||
        a->instances != b->instances || a->absent != b->absent || a->vouched != b->vouched ||
        a->alone != b->alone || a->changed != b->changed || a->row_count != b->row_count ||
        !store_roster_equal(&a->roster, &b->roster))
        return false;
    for (size_t i = 0; i < a->row_count; i++) {
        const struct store_answer *one = &a->rows[i], *other = &b->rows[i];
        if (one->moved != other->moved || one->granted != other->granted ||
            one->total != other->total || one->elsewhere != other->elsewhere ||
            one->wanted != other->wanted || one->beside_granted != other->beside_granted ||
            one->beside_spent != other->beside_spent)
            return false;
    }
    return true;
}

static void show(const char *who, const struct store_reply *reply)
{
    printf("%s: verdict %d epoch %" PRId64 " recovering %d unfenced %d gseq %" PRId64
           " instances %" PRId64 " absent %" PRId64 " vouched %d alone %d changed %" PRId64
           " roster %zu fence %s\n",
           who, (int)reply->verdict, reply->epoch, reply->recovering, reply->unfenced, reply->gseq,
           reply->instances, reply->absent, reply->vouched, reply->alone, reply->changed,
           reply->roster.count, reply->fence);
    for (size_t i = 0; i < reply->row_count && i < 8; i++)
        printf("  moved %" PRId64 " granted %" PRId64 " total %" PRId64 " elsewhere %" PRId64
               " wanted %d\n",
               reply->rows[i].moved, reply->rows[i].granted, reply->rows[i].total,
               reply->rows[i].elsewhere, reply->rows[i].wanted);
}

static bool compare(const struct operation *operation)
{
    static struct store_reply reply;
    struct fault fault = {0};
    redisReply *answer = oracle_server_next(server);
    bool read = store_wire_read(answer, &operation->request, &reply, &fault);
    bool agree = read && same(&operation->reply, &reply);
    if (!agree) {
        printf("they differ on kind %d of %s, %zu rows%s%s\n", (int)operation->request.kind,
               operation->request.journal, operation->request.row_count, read ? "" : ": ",
               read                                ? ""
               : answer->type == REDIS_REPLY_ERROR ? answer->str
                                                   : fault.message);
        show("C  ", &operation->reply);
        if (read)
            show("Lua", &reply);
    }
    freeReplyObject(answer);
    return agree;
}

static bool run_batch(void)
{
    struct buffer out = {0};
    for (size_t i = 0; i < BATCH; i++) {
        struct instance *instance = &instances[any(INSTANCES)];
        make(&operations[i], instance);
        store_apply(store, &operations[i].request, &operations[i].reply);
        verdicts[operations[i].reply.verdict]++;
        told += operations[i].reply.roster.count > 0;
        for (size_t row = 0; row < operations[i].reply.row_count; row++)
            grown += operations[i].reply.rows[row].moved > 0;
        learn(instance, &operations[i]);
        buffer_clear(&out);
        store_wire_put(&out, sha, &operations[i].request);
        oracle_server_put(server, buffer_text(&out));
    }
    buffer_close(&out);
    for (size_t i = 0; i < BATCH; i++)
        if (!compare(&operations[i]))
            return false;
    return true;
}

static void prepare(void)
{
    store = store_open();
    for (size_t i = 0; i < INSTANCES; i++) {
        snprintf(instances[i].journal, sizeof(instances[i].journal), "%032zx", i + 1);
        instances[i].incarnation = 1;
    }
    for (size_t i = 0; i < BATCH; i++)
        operations[i].rows = memory_new(STORE_ROWS_MOST * sizeof(struct store_row));
    oracle_server_load(server, store_script(), sha);
    read_fence();
}

int main(int argc, char **argv)
{
    int64_t count = 1000000, seed = 1;
    if ((argc > 1 && !text_to_int(text_of(argv[1]), &count)) ||
        (argc > 2 && !text_to_int(text_of(argv[2]), &seed)))
        oracle_give_up("usage: store [operations [seed]]");
    state = (uint64_t)seed;
    server = oracle_server_open();
    prepare();
    bool agree = true;
    int64_t done = 0;
    for (; agree && done < count; done += BATCH) {
        if (once_in(25))
            disturb();
        agree = run_batch();
    }
    oracle_server_close(server);
    printf("seed %" PRId64 ": %" PRId64 " operations: ok %" PRId64 ", old fence %" PRId64
           ", recovering %" PRId64 ", stale %" PRId64 ", stranger %" PRId64 ", empty %" PRId64
           "; %" PRId64 " accounts grew, %" PRId64 " reconciliations, %" PRId64 " rosters\n",
           seed, done, verdicts[STORE_OK], verdicts[STORE_OLD_FENCE], verdicts[STORE_RECOVERING],
           verdicts[STORE_STALE], verdicts[STORE_STRANGER], verdicts[STORE_EMPTY], grown,
           reconciled, told);
    printf("%d passed, %d failed\n", agree, !agree);
    return agree ? 0 : 1;
}
