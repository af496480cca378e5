/*
 * Lanes: what defines a budget, and so the numbers of its accounts, and the line of these.
 */
#include "budget/account.h"

#include <stdlib.h>

/* ---- identity ---- */

static void put_part(struct buffer *out, struct text part)
{
    buffer_put_int(out, (int64_t)part.size);
    buffer_put_byte(out, ':');
    buffer_put(out, part);
    buffer_put_byte(out, '\n');
}

/* As its sub-buckets are: lengths that are rounded to the same are the same. */
static void put_length(struct buffer *out, const struct budget *budget)
{
    const struct window window = window_rolling(budget->rolling_s, 0);
    buffer_put_int(out, window.end_s);
    buffer_put_byte(out, '\n');
}

/* Everything that defines a budget's accounts but its name and limits. Matches stand in the order
 * of the scopes, so that writing them in another order changes nothing. */
static void define(struct buffer *out, const struct budget *budget)
{
    put_part(out, text_of(scope_name(budget->scope)));
    put_part(out, text_of(window_name(budget->window)));
    if (budget->window == WINDOW_ROLLING)
        put_length(out, budget);
    else
        put_part(out, budget->timezone);
    for (int scope = 0; scope < SCOPE_COUNT; scope++) {
        for (size_t at = 0; at < budget->match_count; at++) {
            if (budget->match[at].scope != (enum scope)scope)
                continue;
            put_part(out, text_of(scope_name((enum scope)scope)));
            put_part(out, budget->match[at].pattern);
        }
    }
}

/* charge.h */
static uint64_t number_bucket(uint64_t number, const struct window *window)
{
    int64_t bucket_s = window->end_s - window->start_s;
    int64_t bucket = bucket_s == 0 ? 0 : window->start_s / bucket_s;
    return charge_sibling(number & ~(CHARGE_BUCKETS - 1), bucket);
}

/* Neither a unit nor a window's id holds a line break, and the scope's id stands last: no two
 * accounts have the same text. */
uint64_t lane_number(const struct lane *lane, struct hasher *hasher, const struct account_key *key)
{
    const struct text parts[] = {
        buffer_text(&lane->definition),
        text_of(unit_name(key->unit)),
        TEXT("\n"),
        lane->rolling ? TEXT_NONE : text_of(key->window->id),
        TEXT("\n"),
        key->id,
    };
    uint8_t digest[HASH_SIZE];
    hasher_digest(hasher, parts, sizeof(parts) / sizeof(parts[0]), digest);
    uint64_t number = 0;
    for (int i = 0; i < 8; i++)
        number = number << 8 | digest[i];
    return lane->rolling ? number_bucket(number, key->window) : number;
}

/* ---- opening and closing ---- */

static bool may_limit(const struct budget *budget, enum unit unit)
{
    ASSERT(budget->limit[unit] <= MONEY_MOST.nano);
    if (budget->limit[unit] != LIMIT_NONE)
        return true;
    for (size_t at = 0; at < budget->override_count; at++) {
        if (budget->overrides[at].limit[unit] != LIMIT_NONE)
            return true;
    }
    return false;
}

static bool share_accounts(const struct lane *a, const struct lane *b)
{
    if (!text_equal(buffer_text(&a->definition), buffer_text(&b->definition)))
        return false;
    for (int unit = 0; unit < UNIT_COUNT; unit++) {
        if (a->limits[unit] && b->limits[unit])
            return true;
    }
    return false;
}

static void check_apart(const struct lane *lanes, size_t budget)
{
    for (size_t other = 0; other < budget; other++)
        ASSERT(!share_accounts(&lanes[budget], &lanes[other]));
}

struct lane *lanes_open(const struct budget *budgets, size_t count)
{
    struct lane *lanes = memory_new((count + 1) * sizeof(*lanes));
    for (size_t budget = 0; budget < count; budget++) {
        ASSERT(budgets[budget].zone != NULL);
        define(&lanes[budget].definition, &budgets[budget]);
        lanes[budget].rolling = budgets[budget].window == WINDOW_ROLLING;
        for (int unit = 0; unit < UNIT_COUNT; unit++)
            lanes[budget].limits[unit] = may_limit(&budgets[budget], (enum unit)unit);
        if (budgets[budget].scope != SCOPE_REQUEST)
            check_apart(lanes, budget);
    }
    return lanes;
}

void lane_close(struct lane *lane)
{
    struct account *account = lane->first;
    while (account != NULL) {
        struct account *next = account->next;
        free(account);
        account = next;
    }
    buffer_close(&lane->definition);
}

/* ---- its accounts ---- */

void lane_remove(struct lane *lane, struct account *account)
{
    if (account->previous != NULL)
        account->previous->next = account->next;
    else
        lane->first = account->next;
    if (account->next != NULL)
        account->next->previous = account->previous;
    else
        lane->last = account->previous;
}

void lane_append(struct lane *lane, struct account *account)
{
    account->previous = lane->last;
    account->next = NULL;
    if (lane->last != NULL)
        lane->last->next = account;
    else
        lane->first = account;
    lane->last = account;
}
