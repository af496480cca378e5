/* `purser budget`: one operation of an operator's on the store. */
#include "cli/budget_command.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "budget/registry.h"
#include "cli/budget_list.h"
#include "cli/budget_set.h"
#include "cli/operator.h"
#include "cli/reconcile.h"
#include "cli/refund.h"
#include "config/store_url.h"

#define TIMEOUT_MS     5000
#define PATIENCE_MS    15000 /* of init, while Redis still starts */
#define PAUSE_MS       250
#define ALIVE_S        10 /* an instance that was seen so lately is not made to leave */
#define INSTANCES_MOST 10000

static const char manual[] =
    "usage: purser budget init --config FILE [--if-empty] [--instances N]\n"
    "       purser budget list --config FILE\n"
    "       purser budget leave NODE --config FILE [--force]\n"
    "       purser budget reconcile NODE [--ledger DIR | --account NUMBER --spent AMOUNT] [--yes]\n"
    "                               --config FILE\n"
    "       purser budget set NAME [USD] [--tokens N] [--requests N] [--id ID] --config FILE\n"
    "       purser budget set NAME --reset [--id ID] --config FILE\n"
    "       purser budget refund [REQUEST_ID [--usd N] [--tokens N] | --all [--yes]] --config "
    "FILE\n"
    "\n"
    "init, list, leave and reconcile speak to the Redis that instances share for their budgets\n"
    "(store.redis in FILE); purser need not run. set and refund, and list without a Redis, ask "
    "the\n"
    "running purser, at FILE's `listen` with its auth.admin_token. ${NAME} in FILE is taken from\n"
    "the environment.\n"
    "\n"
    "  init    sets up a store that is empty; until then nobody can spend. After a loss of data\n"
    "          name by --instances how many instances were there before: the store opens when so\n"
    "          many of them have told what they hold; new ones are not counted. Without it the\n"
    "          store opens at once, unless an instance remembers others: for a new installation\n"
    "          --if-empty: a store that is set up already is no mistake\n"
    "  list    how the store stands, which instances it knows, and of each account what was\n"
    "          granted and spent, by whom. Without a Redis: what the running purser says of it\n"
    "  leave   lets an instance go that will not come back, so that the others need not wait for\n"
    "          it. NODE is its label, or the first 4 or more letters of its id. What it was\n"
    "          granted stays charged until its budgets' windows end. New instances wait for one\n"
    "          that is not new: if none is left, `leave` those who are gone. `leave unknown` is "
    "for\n"
    "          those whom `list` cannot show: new ones wait and nobody else is listed; init\n"
    "          --instances said too many; a store that recovers has lost one with its data, and\n"
    "          who remembers it does so as an earlier purser did, by number\n"
    "          --force: although it was seen in the last 10 seconds; or although the store "
    "recovers\n"
    "          and may have forgotten a part of what that one was granted (unless\n"
    "          store.wait_replicas saw to it that it has not, and the store has not lost it\n"
    "          altogether): if it has spent that, it can be\n"
    "          spent a second time. `unknown` always needs it\n"
    "  reconcile  of an instance that has left and will not come back, because its data_dir is\n"
    "          lost: lists what it was granted, all of which is charged as if it were spent. Says\n"
    "          what it really spent, and the rest goes back to its budgets, with --yes. If it "
    "spent\n"
    "          more than is said, that is spent twice\n"
    "          --ledger DIR: all that its ledger says, calls in flight at their holds. Only if\n"
    "          the ledger is whole: the process ended or was killed, its machine was not lost\n"
    "          --account NUMBER --spent AMOUNT: of one account, in dollars, tokens or requests,\n"
    "          as the provider's bill shows it\n"
    "          Nothing is given back of what the instance itself had told that it spent; saying "
    "the\n"
    "          same again changes nothing\n"
    "  set     other limits for a budget: dollars, tokens, requests. They hold at once, also "
    "where\n"
    "          less is left than was spent, and at all instances that share a Redis; they are "
    "kept\n"
    "          over restarts, and what the file says is what --reset goes back to\n"
    "          --id ID: for this id of the budget's scope alone, as its `overrides` do\n"
    "  refund  lists what this instance has forfeited, which means booked as spent without "
    "knowing\n"
    "          whether it was used: calls in flight when purser died, and what may have been used\n"
    "          before the machine or the ledger was lost. Compare it with the provider's bill.\n"
    "          REQUEST_ID gives back what that one booked: a `refund` line in the ledger takes it\n"
    "          off the costs, and its budgets have the room again. Do so only for what the\n"
    "          provider did not bill: else that is spent twice. What was refunded is not listed\n"
    "          any more\n"
    "          --usd N, --tokens N: gives back so much of it alone, no more than was forfeited;\n"
    "          the rest is taken as spent, and cannot be given back later\n"
    "          --all: everything that is listed; only with --yes\n";

struct order {
    const struct verb *verb;
    const char *path, *node;
    bool if_empty, force;
    int64_t instances;
    struct refund_order refund;
    struct limits_order limits;
    struct reconcile_order reconcile;
};

struct office {
    const struct order *order;
    struct lessor *lessor;
    int64_t wait_replicas;
    struct arena arena;
    struct store_request request;
    struct store_reply reply;
};

struct verb {
    const char *name;
    bool of_node;
    int (*run)(struct office *office); /* of the store */
    /* Of the running purser; where there is `run` too: without a Redis. */
    int (*ask)(const struct order *order, const struct config *config);
    /* One of its words, what follows it (or NULL); 0: it is none, else how many were taken. */
    int (*take)(struct order *order, const char *word, const char *next);
    bool (*is_fine)(const struct order *order);
};

static int64_t now_s(void)
{
    return clock_wall_us(clock_real()) / 1000000;
}

static int fail(const char *reason)
{
    (void)fprintf(stderr, "purser budget: %s\n", reason);
    return EXIT_FAILURE;
}

static int fail_at_verdict(const struct office *office)
{
    static const char *const reasons[] = {
        [STORE_OLD_FENCE] = "the store has just begun a new epoch, or waits for one: try again",
        [STORE_RECOVERING] = "the store recovers: try again",
        [STORE_STALE] = "the store is set up already",
        [STORE_STRANGER] = "the store waits for no such instance",
        [STORE_EMPTY] = "the store is empty: purser budget init sets it up",
    };
    if (office->reply.verdict == STORE_AWAY)
        return fail(lessor_trouble(office->lessor));
    return fail(reasons[office->reply.verdict]);
}

/* ---- init ---- */

/* A compose file starts this beside Redis. Asking again is safe: what is set up stays. */
static void ask_patiently(struct office *office)
{
    int64_t until_us = clock_steady_us(clock_real()) + PATIENCE_MS * INT64_C(1000);
    for (;;) {
        lessor_ask(office->lessor, &office->request, &office->reply);
        if (office->reply.verdict != STORE_AWAY || clock_steady_us(clock_real()) > until_us)
            return;
        (void)poll(NULL, 0, PAUSE_MS);
    }
}

static int init(struct office *office)
{
    /* The time, so that a store set up anew has another epoch than the one that was lost. */
    office->request.kind = STORE_INIT;
    office->request.epoch = clock_wall_us(clock_real()) / 1000;
    office->request.instances = office->order->instances;
    ask_patiently(office);
    if (office->reply.verdict == STORE_STALE && office->order->if_empty) {
        printf("the store is set up already\n");
        return EXIT_SUCCESS;
    }
    if (office->reply.verdict != STORE_OK)
        return fail_at_verdict(office);
    if (office->order->instances > 0)
        printf("the store is set up; it opens when %lld instances have told what they hold\n",
               (long long)office->order->instances);
    else
        printf("the store is set up and open\n");
    return EXIT_SUCCESS;
}

static bool look(struct office *office, struct registry *registry)
{
    struct fault fault;
    if (registry_read(office->lessor, &office->arena, registry, &fault) && registry->there)
        return true;
    (void)fail(registry->there ? fault.message
                               : "the store is empty: purser budget init sets it up");
    return false;
}

/* ---- list, reconcile ---- */

static int list(struct office *office)
{
    struct registry registry = {.there = true};
    if (!look(office, &registry))
        return EXIT_FAILURE;
    return budget_list(office->lessor, &office->arena, &registry);
}

static int ask_list(const struct order *order, const struct config *config)
{
    (void)order;
    return budget_list_alone(config);
}

static int reconcile(struct office *office)
{
    struct registry registry = {.there = true};
    if (!look(office, &registry))
        return EXIT_FAILURE;
    return reconcile_run(office->lessor, &office->arena, &registry, &office->order->reconcile);
}

/* ---- leave ---- */

/* NULL, and said why, unless there is exactly one. */
static const struct registry_member *choose(const struct registry *registry, struct text name)
{
    bool several = false, several_left = false;
    const struct registry_member *chosen = registry_find(registry, name, true, &several);
    if (chosen != NULL)
        return chosen;
    if (several)
        (void)fail("several instances are called so: name one by the first 4 or more letters of "
                   "its id (purser budget list)");
    else if (registry_find(registry, name, false, &several_left) != NULL || several_left)
        (void)fail("it has left already");
    else
        (void)fail("no instance is called so, and no id begins with that, of which 4 letters are "
                   "needed (purser budget list)");
    return NULL;
}

/* What an older copy of the store remembers of it may be too little; and one that has lost it has
 * nothing, whatever replicas have confirmed: others have named it. NULL: nobody knows it. */
static bool may_be_forgotten(const struct office *office, const struct registry *registry,
                             const struct registry_member *member)
{
    return member == NULL ||
           (registry->recovering && (office->wait_replicas == 0 || !member->stated));
}

static const char forgotten[] =
    "the store may not know all that this one was granted: what it has spent of that could be "
    "spent again. Start it once more, or --force";
static const char unknown[] =
    "the store does not know what that one was granted: all that it has spent could be spent "
    "again. If none is left that could be started, --force";

/* One that is unknown, let go twice, would be two. */
static int fail_at_lost_reply(const struct office *office)
{
    (void)fail(lessor_trouble(office->lessor));
    return fail("it may have been done all the same: look at `purser budget list` before you say "
                "it again");
}

static int let_go(struct office *office, const struct registry *registry,
                  const struct registry_member *member)
{
    if (may_be_forgotten(office, registry, member) && !office->order->force)
        return fail(member == NULL ? unknown : forgotten);
    if (member != NULL)
        memcpy(office->request.whose, member->journal, sizeof(office->request.whose));
    office->request.kind = STORE_LEAVE;
    office->request.epoch = registry->epoch;
    lessor_ask(office->lessor, &office->request, &office->reply);
    if (office->reply.verdict == STORE_AWAY)
        return fail_at_lost_reply(office);
    if (office->reply.verdict != STORE_OK)
        return fail_at_verdict(office);
    puts(may_be_forgotten(office, registry, member)
             ? "it is not waited for any more; of what it was granted stays charged what the store "
               "knows"
             : "it is not waited for any more; what it was granted stays charged");
    return EXIT_SUCCESS;
}

static int leave(struct office *office)
{
    struct registry registry = {.there = true};
    struct text name = text_of(office->order->node);
    if (!look(office, &registry))
        return EXIT_FAILURE;
    if (text_equal(name, TEXT("unknown")))
        return let_go(office, &registry, NULL);
    const struct registry_member *member = choose(&registry, name);
    if (member == NULL)
        return EXIT_FAILURE;
    if (!office->order->force && now_s() - member->last_s < ALIVE_S)
        return fail("it was seen in the last 10 seconds: end it first (or --force)");
    return let_go(office, &registry, member);
}

/* ---- the command line ---- */

static int take_reconcile(struct order *order, const char *word, const char *next)
{
    return reconcile_order_take(&order->reconcile, word, next);
}

static bool is_reconcile(const struct order *order)
{
    return reconcile_order_is_fine(&order->reconcile);
}

static int take_refund(struct order *order, const char *word, const char *next)
{
    struct refund_order *refund = &order->refund;
    if (strcmp(word, "--all") == 0)
        return refund->all = true;
    if (strcmp(word, "--yes") == 0)
        return refund->yes = true;
    bool usd = strcmp(word, "--usd") == 0;
    if (next != NULL && (usd || strcmp(word, "--tokens") == 0)) {
        *(usd ? &refund->usd : &refund->tokens) = next;
        return 2;
    }
    if (word[0] == '-' || refund->name != NULL)
        return 0;
    refund->name = word;
    return 1;
}

static bool is_refund(const struct order *order)
{
    return refund_order_is_fine(&order->refund);
}

static int ask_refund(const struct order *order, const struct config *config)
{
    return refund_run(config, &order->refund);
}

static int take_limits(struct order *order, const char *word, const char *next)
{
    struct limits_order *limits = &order->limits;
    if (strcmp(word, "--reset") == 0)
        return limits->reset = true;
    if (strcmp(word, "--id") == 0 && next != NULL && next[0] != '\0') {
        limits->id = next;
        return 2;
    }
    for (int unit = 0; unit < UNIT_COUNT; unit++) {
        if (next == NULL || strncmp(word, "--", 2) != 0 ||
            strcmp(word + 2, unit_name((enum unit)unit)) != 0)
            continue;
        limits->limit[unit] = next;
        return 2;
    }
    if (word[0] == '-' || limits->limit[UNIT_USD] != NULL)
        return 0;
    if (limits->budget == NULL)
        limits->budget = word;
    else
        limits->limit[UNIT_USD] = word;
    return 1;
}

static bool is_limits(const struct order *order)
{
    return limits_order_is_fine(&order->limits);
}

static int ask_limits(const struct order *order, const struct config *config)
{
    return limits_run(config, &order->limits);
}

static const struct verb verbs[] = {
    {.name = "init", .run = init},
    {.name = "list", .run = list, .ask = ask_list},
    {.name = "leave", .of_node = true, .run = leave},
    {.name = "reconcile", .run = reconcile, .take = take_reconcile, .is_fine = is_reconcile},
    {.name = "set", .take = take_limits, .is_fine = is_limits, .ask = ask_limits},
    {.name = "refund", .take = take_refund, .is_fine = is_refund, .ask = ask_refund},
};

static const struct verb *verb_of(const char *name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static bool take_word(char **argv, int argc, int *at, struct order *order)
{
    bool init_only = order->verb->run == init;
    const char *word = argv[*at];
    const char *value = *at + 1 < argc ? argv[*at + 1] : NULL;
    if (strcmp(word, "--if-empty") == 0 && init_only)
        return order->if_empty = true;
    if (strcmp(word, "--force") == 0 && order->verb->of_node)
        return order->force = true;
    if (strcmp(word, "--config") == 0 && value != NULL) {
        order->path = argv[++*at];
        return true;
    }
    if (strcmp(word, "--instances") == 0 && value != NULL && init_only) {
        ++*at;
        return text_to_int(text_of(value), &order->instances) && order->instances >= 0 &&
               order->instances <= INSTANCES_MOST;
    }
    if (order->verb->take != NULL) {
        int taken = order->verb->take(order, word, value);
        *at += taken > 1 ? taken - 1 : 0;
        return taken > 0;
    }
    if (!order->verb->of_node || order->node != NULL || word[0] == '-')
        return false;
    order->node = word;
    return true;
}

static bool parse_arguments(int argc, char **argv, void *context, const char **path)
{
    struct order *order = context;
    order->verb = argc > 1 ? verb_of(argv[1]) : NULL;
    if (order->verb == NULL)
        return false;
    for (int at = 2; at < argc; at++)
        if (!take_word(argv, argc, &at, order))
            return false;
    if (order->verb->is_fine != NULL && !order->verb->is_fine(order))
        return false;
    *path = order->path;
    return *path != NULL && order->verb->of_node == (order->node != NULL);
}

static int run(const void *context, const struct config *config)
{
    const struct order *order = context;
    struct redis_url url;
    struct fault fault;
    bool alone = config->store_redis.size == 0;
    if (order->verb->ask != NULL && (alone || order->verb->run == NULL))
        return order->verb->ask(order, config);
    if (alone)
        return fail("the configuration names no Redis (store.redis): its budgets are not shared");
    if (!config_store_url(config, &url, &fault))
        return fail(fault.message);
    struct lessor_options options = {.url = &url, .timeout_ms = TIMEOUT_MS};
    struct office *office = memory_new(sizeof(*office));
    office->order = order;
    office->wait_replicas = config->wait_replicas;
    office->lessor = lessor_open(&options);
    int status = order->verb->run(office);
    lessor_close(office->lessor);
    arena_close(&office->arena);
    free(office);
    return status;
}

int cli_budget(int argc, char **argv)
{
    static const struct operator_command command = {manual, parse_arguments, run};
    struct order order = {0};
    signal(SIGPIPE, SIG_IGN); /* a Redis that hangs up is told of */
    return operator_command(&command, argc, argv, &order);
}
