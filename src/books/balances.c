/*
 * Balances: accounts by their id, and open holds.
 */
#include "books/balances.h"

#include <stdlib.h>

#include "base/table.h"
#include "books/forfeits.h"
#include "books/holds.h"

/* An account; the texts of its charge lie behind it. */
struct balance {
    struct charge charge;
    int64_t forfeited; /* of charge.amount */
    int64_t disowned;  /* not in charge.amount any more */
    char texts[];
};

struct balances {
    struct table accounts; /* by the eight bytes of charge.account */
    struct holds holds;
    struct forfeits forfeits;
};

static struct text key_of(const uint64_t *account)
{
    return text_make((const char *)account, sizeof(*account));
}

static void forget_accounts(struct table *accounts)
{
    size_t at = 0;
    void *balance = NULL;
    while (table_next(accounts, &at, NULL, &balance))
        free(balance);
    table_close(accounts);
}

struct balances *balances_open(void)
{
    return memory_new(sizeof(struct balances));
}

void balances_close(struct balances *balances)
{
    if (balances == NULL)
        return;
    forget_accounts(&balances->accounts);
    holds_close(&balances->holds);
    forfeits_close(&balances->forfeits);
    free(balances);
}

/* ---- the fold ---- */

static struct text keep(char **room, struct text text)
{
    char *place = *room;
    if (text.size > 0)
        memcpy(place, text.at, text.size);
    *room += text.size;
    return text_make(place, text.size);
}

static struct balance *balance_new(const struct charge *charge)
{
    struct balance *balance = memory_new(sizeof(*balance) + charge->budget.size + charge->id.size);
    char *room = balance->texts;
    balance->charge = *charge;
    balance->charge.overdraft = 0; /* that is a line's */
    balance->charge.budget = keep(&room, charge->budget);
    balance->charge.id = keep(&room, charge->id);
    return balance;
}

/* Amounts come from files too, where anything may stand: a sum stops at the end of its range. */
static int64_t add_within_range(int64_t a, int64_t b)
{
    int64_t sum = 0;
    if (!__builtin_add_overflow(a, b, &sum))
        return sum;
    return b > 0 ? INT64_MAX : INT64_MIN;
}

/* A line of a session that began later: what was spent before counts no more. What was disowned is
 * still asked for where another instance's spend is stated. */
static void begin_anew(struct balance *balance, int64_t since_s)
{
    balance->charge.since_s = since_s;
    balance->charge.amount = 0;
    balance->forfeited = 0;
}

/* What comes from before the session began is added, but not taken off: that is counted no more. */
static struct balance *balances_add(struct balances *balances, const struct charge *charge)
{
    struct balance *balance = table_get(&balances->accounts, key_of(&charge->account));
    if (balance == NULL) {
        balance = balance_new(charge);
        table_put(&balances->accounts, key_of(&charge->account), balance);
        return balance;
    }
    if (charge->amount >= 0 && charge->since_s > balance->charge.since_s)
        begin_anew(balance, charge->since_s);
    if (charge->amount > 0 || charge->since_s == balance->charge.since_s)
        balance->charge.amount = add_within_range(balance->charge.amount, charge->amount);
    if (balance->charge.until_s < charge->until_s)
        balance->charge.until_s = charge->until_s;
    return balance;
}

static int64_t taken_off(const struct charge *charge)
{
    if (charge->amount >= 0)
        return 0;
    return charge->amount < -INT64_MAX ? INT64_MAX : -charge->amount;
}

/* A charge says until when a session is remembered as its call was admitted: it was used until that
 * ended, `ran_s` later. */
static void add_all(struct balances *balances, const struct entry *entry, int64_t ran_s)
{
    for (size_t i = 0; i < entry->charge_count; i++) {
        const struct charge *charge = &entry->charges[i];
        struct balance *balance = balances_add(balances, charge);
        int64_t until_s = charge->until_s;
        if (charge->since_s > 0 && ran_s > 0 && until_s < WINDOW_FOREVER - ran_s)
            until_s += ran_s;
        if (balance->charge.until_s < until_s)
            balance->charge.until_s = until_s;
        if (entry->kind == ENTRY_FORFEIT)
            balance->forfeited = add_within_range(balance->forfeited, charge->amount);
        if (entry->kind == ENTRY_DISOWN)
            balance->disowned = add_within_range(balance->disowned, taken_off(charge));
    }
}

/* Somebody has looked: what is not given back was used. */
static void clear_up(struct balances *balances, const struct entry *forfeit)
{
    for (size_t i = 0; i < forfeit->charge_count; i++) {
        const struct charge *charge = &forfeit->charges[i];
        struct balance *balance = table_get(&balances->accounts, key_of(&charge->account));
        if (balance == NULL || charge->amount <= 0 || charge->since_s < balance->charge.since_s)
            continue;
        bool more = balance->forfeited > charge->amount;
        balance->forfeited = more ? balance->forfeited - charge->amount : 0;
    }
}

static bool refund(struct balances *balances, const struct entry *entry)
{
    const struct entry *forfeit = forfeits_find(&balances->forfeits, entry);
    if (forfeit == NULL)
        return false;
    clear_up(balances, forfeit);
    forfeits_forget(&balances->forfeits, entry);
    add_all(balances, entry, 0);
    return true;
}

bool balances_apply(struct balances *balances, const struct entry *entry)
{
    if (entry->kind == ENTRY_RESERVE)
        return holds_add(&balances->holds, entry);
    if (entry->kind == ENTRY_EXTEND)
        return holds_extend(&balances->holds, entry);
    if (entry->kind == ENTRY_REFUND)
        return refund(balances, entry);
    int64_t made_us = entry->wall_us;
    if (entry->kind == ENTRY_DISOWN)
        add_all(balances, entry, 0);
    if (entry->kind != ENTRY_SETTLE && entry->kind != ENTRY_FORFEIT)
        return true;
    if (!holds_end(&balances->holds, entry->call, &made_us) && entry->call.size > 0)
        return false;
    if (entry->kind == ENTRY_FORFEIT)
        forfeits_add(&balances->forfeits, entry);
    add_all(balances, entry, (entry->wall_us - made_us) / 1000000);
    return true;
}

void balances_sweep(struct balances *balances, int64_t now_s)
{
    size_t at = 0;
    void *value = NULL;
    while (table_next(&balances->accounts, &at, NULL, &value)) {
        struct balance *balance = value;
        if (balance->charge.until_s > now_s)
            continue;
        table_remove(&balances->accounts, key_of(&balance->charge.account));
        free(balance);
    }
}

/* ---- walks ---- */

size_t balances_open_holds(const struct balances *balances)
{
    return balances->holds.count;
}

bool balances_next(const struct balances *balances, size_t *at, struct charge *charge)
{
    void *balance = NULL;
    if (!table_next(&balances->accounts, at, NULL, &balance))
        return false;
    *charge = ((const struct balance *)balance)->charge;
    return true;
}

bool balances_next_forfeited(const struct balances *balances, size_t *at, struct charge *charge)
{
    void *value = NULL;
    while (table_next(&balances->accounts, at, NULL, &value)) {
        const struct balance *balance = value;
        if (balance->forfeited <= 0)
            continue;
        *charge = balance->charge;
        charge->amount = balance->forfeited;
        return true;
    }
    return false;
}

bool balances_next_disowned(const struct balances *balances, size_t *at, struct charge *charge)
{
    void *value = NULL;
    while (table_next(&balances->accounts, at, NULL, &value)) {
        const struct balance *balance = value;
        if (balance->disowned <= 0)
            continue;
        *charge = balance->charge;
        charge->amount = balance->disowned;
        return true;
    }
    return false;
}

bool balances_next_hold(const struct balances *balances, size_t *at, const struct entry **entry)
{
    return holds_next(&balances->holds, at, entry);
}

bool balances_next_forfeit(const struct balances *balances, const void **at,
                           const struct entry **entry)
{
    const struct forfeit *before = *at;
    const struct forfeit *next = before == NULL ? balances->forfeits.oldest : before->newer;
    if (next == NULL)
        return false;
    *at = next;
    *entry = &next->copy.entry;
    return true;
}

/* ---- the open line ---- */

static void put_part(struct buffer *out, const char *name, int64_t amount)
{
    if (amount != 0)
        json_put_int_member(out, text_of(name), amount);
}

static void put_balance(struct buffer *out, const struct balance *balance)
{
    entry_put_charge(out, &balance->charge);
    ASSERT(out->at[out->size - 1] == '}');
    out->size--;
    put_part(out, "forfeited", balance->forfeited);
    put_part(out, "disowned", balance->disowned);
    buffer_put_byte(out, '}');
}

static void put_forfeits(struct buffer *out, const struct balances *balances)
{
    const struct entry *forfeit = NULL;
    const void *at = NULL;
    json_put_name(out, TEXT("forfeits"));
    buffer_put_byte(out, '[');
    for (bool first = true; balances_next_forfeit(balances, &at, &forfeit); first = false) {
        if (!first)
            buffer_put_byte(out, ',');
        entry_put(out, forfeit, TEXT_NONE);
        buffer_put_byte(out, '}');
    }
    buffer_put_byte(out, ']');
}

void balances_put(struct buffer *out, const struct balances *balances)
{
    json_put_name(out, TEXT("balances"));
    buffer_put_byte(out, '[');
    size_t at = 0;
    void *balance = NULL;
    for (bool first = true; table_next(&balances->accounts, &at, NULL, &balance); first = false) {
        if (!first)
            buffer_put_byte(out, ',');
        put_balance(out, balance);
    }
    buffer_put_byte(out, ']');

    json_put_name(out, TEXT("holds"));
    buffer_put_byte(out, '[');
    at = 0;
    const struct entry *hold = NULL;
    for (bool first = true; balances_next_hold(balances, &at, &hold); first = false) {
        if (!first)
            buffer_put_byte(out, ',');
        entry_put(out, hold, TEXT_NONE);
        buffer_put_byte(out, '}');
    }
    buffer_put_byte(out, ']');
    put_forfeits(out, balances);
}

/* The elements of the array `name` of an open line. */
static bool walk_of(struct json_value open_line, struct text name, struct json_walk *walk,
                    struct fault *fault)
{
    struct json_value array;
    if (!json_member(open_line, name, &array) || array.kind != JSON_ARRAY)
        return fault_set(fault, "an open line without an array \"%.*s\"", TEXT_ARG(name));
    *walk = json_walk(array);
    return true;
}

/* Left out where it is 0. */
static bool read_part(struct json_value object, const char *name, int64_t *amount,
                      struct fault *fault)
{
    struct json_value value;
    *amount = 0;
    if (!json_member(object, text_of(name), &value) || json_int(value, amount))
        return true;
    return fault_set(fault, "an account whose \"%s\" is no whole number", name);
}

static bool read_account(struct balances *balances, struct json_value object, struct arena *arena,
                         struct fault *fault)
{
    struct charge charge;
    int64_t forfeited = 0, disowned = 0;
    if (!entry_read_charge(object, arena, &charge, fault) ||
        !read_part(object, "forfeited", &forfeited, fault) ||
        !read_part(object, "disowned", &disowned, fault))
        return false;
    struct balance *balance = balances_add(balances, &charge);
    balance->forfeited = add_within_range(balance->forfeited, forfeited);
    balance->disowned = add_within_range(balance->disowned, disowned);
    return true;
}

static bool read_accounts(struct balances *balances, struct json_walk walk, struct fault *fault)
{
    struct text name;
    struct json_value value;
    bool good = true;
    while (good && json_next(&walk, &name, &value)) {
        struct arena arena = {0};
        good = read_account(balances, value, &arena, fault);
        arena_close(&arena);
    }
    return good;
}

static bool read_holds(struct balances *balances, struct json_walk walk, struct fault *fault)
{
    struct text name;
    struct json_value value;
    bool good = true;
    while (good && json_next(&walk, &name, &value)) {
        struct arena arena = {0};
        struct entry entry;
        good = entry_read(value.raw, &arena, &entry, fault);
        if (good && (entry.kind != ENTRY_RESERVE || !holds_add(&balances->holds, &entry)))
            good = fault_set(fault, "an open line whose holds are not distinct reserve entries");
        arena_close(&arena);
    }
    return good;
}

/* Files of before have none. */
static bool read_forfeits(struct balances *balances, struct json_value open_line,
                          struct fault *fault)
{
    struct json_value array, value;
    struct text name;
    bool good = true;
    if (!json_member(open_line, TEXT("forfeits"), &array) || array.kind != JSON_ARRAY)
        return true;
    struct json_walk walk = json_walk(array);
    while (good && json_next(&walk, &name, &value)) {
        struct arena arena = {0};
        struct entry entry;
        good = entry_read(value.raw, &arena, &entry, fault);
        if (good && entry.kind == ENTRY_FORFEIT)
            forfeits_add(&balances->forfeits, &entry);
        else if (good)
            good = fault_set(fault, "an open line whose forfeits are no forfeit entries");
        arena_close(&arena);
    }
    return good;
}

bool balances_read(struct balances *balances, struct json_value open_line, struct fault *fault)
{
    struct json_walk accounts;
    struct json_walk holds;
    if (!walk_of(open_line, TEXT("balances"), &accounts, fault) ||
        !walk_of(open_line, TEXT("holds"), &holds, fault))
        return false;
    struct balances fresh = {0};
    bool good = read_accounts(&fresh, accounts, fault) && read_holds(&fresh, holds, fault) &&
                read_forfeits(&fresh, open_line, fault);
    if (good) {
        struct balances old = *balances;
        *balances = fresh;
        fresh = old;
    }
    forget_accounts(&fresh.accounts);
    holds_close(&fresh.holds);
    forfeits_close(&fresh.forfeits);
    return good;
}
