/* `purser budget reconcile`. */
#include "cli/reconcile.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/table.h"
#include "books/replay.h"
#include "cli/budget_list.h"

#define NANO_IN_MICRO 1000

struct reconciling {
    struct lessor *lessor;
    const struct registry *registry;
    const struct registry_member *whose;
    const struct reconcile_order *order;
    struct census census;
    struct table spent; /* by account, of the ledger: struct charge, spent and held */
    struct store_row *rows;
    size_t row_count;
};

static bool fail(const char *reason)
{
    (void)fprintf(stderr, "purser budget: %s\n", reason);
    return false;
}

/* ---- the command line ---- */

static bool take_value(const char **value, const char *next)
{
    if (next == NULL || *value != NULL)
        return false;
    *value = next;
    return true;
}

int reconcile_order_take(struct reconcile_order *order, const char *word, const char *next)
{
    if (strcmp(word, "--yes") == 0)
        return order->yes = true;
    if (strcmp(word, "--ledger") == 0)
        return take_value(&order->ledger, next) ? 2 : 0;
    if (strcmp(word, "--account") == 0)
        return take_value(&order->account, next) ? 2 : 0;
    if (strcmp(word, "--spent") == 0)
        return take_value(&order->spent, next) ? 2 : 0;
    if (word[0] == '-' || order->node != NULL)
        return 0;
    order->node = word;
    return 1;
}

bool reconcile_order_is_fine(const struct reconcile_order *order)
{
    bool one = order->account != NULL;
    bool says = one || order->ledger != NULL;
    return order->node != NULL && one == (order->spent != NULL) &&
           !(one && order->ledger != NULL) && (says || !order->yes);
}

/* ---- whose ---- */

static bool choose(struct reconciling *it)
{
    bool several = false;
    struct text name = text_of(it->order->node);
    it->whose = registry_find(it->registry, name, false, &several);
    if (it->whose != NULL)
        return true;
    if (several)
        return fail("several that have left are called so: name one by the first 4 or more "
                    "letters of its id (purser budget list)");
    if (registry_find(it->registry, name, true, &several) != NULL || several)
        return fail("it has not left: if it will never come back, let it go first (purser budget "
                    "leave)");
    return fail(
        "no instance is called so, and no id begins with that, of which 4 letters are needed "
        "(purser budget list)");
}

static const struct census_share *share_of(const struct reconciling *it, size_t account)
{
    return census_share_of(&it->census.at[account], it->whose->journal);
}

/* ---- what is said ---- */

static void state(struct reconciling *it, size_t account, int64_t value)
{
    it->rows[it->row_count++] = (struct store_row){
        .account = it->census.at[account].what.account, .limit = LIMIT_NONE, .value = value};
}

/* Into the store's units, rounded up. */
static int64_t stored(enum unit unit, int64_t amount)
{
    int64_t value =
        unit == UNIT_USD ? amount / NANO_IN_MICRO + (amount % NANO_IN_MICRO > 0) : amount;
    return value < STORE_MOST ? value : STORE_MOST;
}

static bool read_amount(enum unit unit, const char *typed, int64_t *value)
{
    struct money amount;
    int64_t count = 0;
    if (unit == UNIT_USD) {
        if (!money_parse(text_of(typed), &amount))
            return false;
        *value = stored(unit, amount.nano);
        return true;
    }
    if (!text_to_int(text_of(typed), &count) || count < 0)
        return false;
    *value = stored(unit, count);
    return true;
}

static bool state_account(struct reconciling *it)
{
    uint64_t number = 0;
    int64_t value = 0;
    if (!census_number(text_of(it->order->account), &number))
        return fail("an account's number has 16 digits and letters (purser budget list)");
    size_t at = 0;
    while (at < it->census.count && it->census.at[at].what.account != number)
        at++;
    const struct census_share *share = at < it->census.count ? share_of(it, at) : NULL;
    if (share == NULL)
        return fail("it has nothing of that account");
    if (!it->census.at[at].named)
        return fail("no instance has said in which unit that account counts");
    if (!read_amount(it->census.at[at].what.unit, it->order->spent, &value))
        return fail("--spent is an amount of the account's unit: 1.25 dollars, or a whole number");
    if (value < share->spent)
        return fail("it has told itself that it spent more than that");
    state(it, at, value);
    return true;
}

/* ---- what its ledger says ---- */

static void add_charge(struct table *spent, const struct charge *charge)
{
    struct text key = text_make((const char *)&charge->account, sizeof(charge->account));
    struct charge *sum = table_get(spent, key);
    if (sum == NULL) {
        sum = memory_new(sizeof(*sum));
        sum->unit = charge->unit;
        table_put(spent, key, sum);
    }
    if (charge->amount > 0 && __builtin_add_overflow(sum->amount, charge->amount, &sum->amount))
        sum->amount = INT64_MAX;
}

static void add_up(struct table *spent, const struct balances *balances)
{
    struct charge charge;
    const struct entry *hold = NULL;
    size_t at = 0;
    while (balances_next(balances, &at, &charge))
        add_charge(spent, &charge);
    at = 0; /* it may be this one that had spent it */
    while (balances_next_disowned(balances, &at, &charge))
        add_charge(spent, &charge);
    at = 0;
    while (balances_next_hold(balances, &at, &hold)) {
        for (size_t i = 0; i < hold->charge_count; i++)
            add_charge(spent, &hold->charges[i]);
    }
}

static bool read_ledger(struct reconciling *it)
{
    struct ledger_file newest;
    struct ledger_file own = files_make(0, it->whose->label, 1);
    struct fault fault;
    struct balances *balances = balances_open();
    bool good = replay_look(it->order->ledger, balances, &newest, &fault);
    if (!good)
        (void)fail(fault.message);
    else if (!files_same_node(&own, &newest))
        good = fail("that ledger was written under another label than this instance's");
    if (good)
        add_up(&it->spent, balances);
    balances_close(balances);
    return good;
}

static bool fail_at_ledger(void)
{
    return fail("that ledger tells of less than the instance itself has told: it is another one's, "
                "or not whole");
}

/* An account that the ledger does not have any more, because it ended, stays as it is. */
static bool state_ledger(struct reconciling *it)
{
    size_t known = 0, unknown = 0;
    if (!read_ledger(it))
        return false;
    for (size_t at = 0; at < it->census.count; at++) {
        const struct census_account *account = &it->census.at[at];
        const struct census_share *share = share_of(it, at);
        struct text key =
            text_make((const char *)&account->what.account, sizeof(account->what.account));
        const struct charge *said = table_get(&it->spent, key);
        int64_t value = said == NULL ? 0 : stored(said->unit, said->amount);
        if (share == NULL)
            continue;
        known += said != NULL;
        unknown += said == NULL && share->spent > 0;
        if (said != NULL && value < share->spent)
            return fail_at_ledger();
        if (said != NULL || share->spent == 0)
            state(it, at, value);
    }
    return known > 0 || unknown == 0 || fail_at_ledger();
}

/* ---- telling ---- */

static const struct store_row *row_of(const struct reconciling *it, uint64_t account)
{
    for (size_t i = 0; i < it->row_count; i++)
        if (it->rows[i].account == account)
            return &it->rows[i];
    return NULL;
}

static void print_account(const struct reconciling *it, size_t at)
{
    const struct census_account *account = &it->census.at[at];
    const struct census_share *share = share_of(it, at);
    const struct store_row *row = row_of(it, account->what.account);
    char granted[BUDGET_AMOUNT_SIZE], spent[BUDGET_AMOUNT_SIZE];
    if (share == NULL || share->granted == 0)
        return;
    budget_print_account(account);
    printf("  granted %s, told that it spent %s", budget_amount(account, share->granted, granted),
           budget_amount(account, share->spent, spent));
    if (row != NULL && row->value < share->granted)
        printf("; %s goes back", budget_amount(account, share->granted - row->value, granted));
    printf("\n");
}

/* ---- doing ---- */

static bool put(struct reconciling *it, size_t first, size_t count)
{
    static const char *const reasons[] = {
        [STORE_OLD_FENCE] = "the store recovers, or has just begun a new epoch: try again later",
        [STORE_RECOVERING] = "the store recovers: try again later",
        [STORE_STALE] = "it has come back meanwhile: nothing was given back",
        [STORE_STRANGER] = "it has not left, or the store has forgotten it: nothing was given back",
        [STORE_EMPTY] = "the store is empty",
    };
    struct store_request request = {.kind = STORE_RECONCILE,
                                    .epoch = it->registry->epoch,
                                    .incarnation = it->whose->incarnation,
                                    .sequence = it->whose->sequence,
                                    .rows = &it->rows[first],
                                    .row_count = count};
    struct store_reply *reply = memory_new(sizeof(*reply));
    memcpy(request.whose, it->whose->journal, sizeof(request.whose));
    memcpy(request.fence, it->registry->fence, sizeof(request.fence));
    lessor_ask(it->lessor, &request, reply);
    enum store_verdict verdict = reply->verdict;
    free(reply);
    if (verdict == STORE_OK)
        return true;
    if (verdict != STORE_AWAY)
        return fail(reasons[verdict]);
    (void)fail(lessor_trouble(it->lessor));
    return fail("nobody knows whether it was done: say it again, nothing goes back twice");
}

static bool carry_out(struct reconciling *it)
{
    if (it->registry->recovering)
        return fail("the store recovers: nothing is given back until it is open");
    for (size_t first = 0; first < it->row_count; first += STORE_ROWS_MOST) {
        size_t left = it->row_count - first;
        if (!put(it, first, left < STORE_ROWS_MOST ? left : STORE_ROWS_MOST))
            return false;
    }
    printf("done: what it had not spent belongs to its budgets again\n");
    return true;
}

static bool reconcile(struct reconciling *it)
{
    bool says = it->order->ledger != NULL || it->order->account != NULL;
    if (it->order->ledger != NULL ? !state_ledger(it) : says && !state_account(it))
        return false;
    for (size_t at = 0; at < it->census.count; at++)
        print_account(it, at);
    if (it->order->yes)
        return carry_out(it);
    if (says)
        printf("nothing was given back yet: add --yes, if it has spent no more than that\n");
    return true;
}

int reconcile_run(struct lessor *lessor, struct arena *arena, const struct registry *registry,
                  const struct reconcile_order *order)
{
    struct reconciling it = {.lessor = lessor, .registry = registry, .order = order};
    struct fault fault;
    bool good = choose(&it);
    if (good && !census_read(lessor, arena, &it.census, &fault))
        good = fail(fault.message);
    if (good) {
        it.rows = arena_new(arena, (it.census.count + 1) * sizeof(*it.rows));
        good = reconcile(&it);
    }
    size_t at = 0;
    void *sum = NULL;
    while (table_next(&it.spent, &at, NULL, &sum))
        free(sum);
    table_close(&it.spent);
    census_close(&it.census);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
