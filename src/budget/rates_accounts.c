/*
 * Rate limits' accounts: their identity, how they appear and go, and how their minute slides.
 */
#include "budget/rates_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SWEEP_BUCKETS 2
/* How far a new id looks for an account that nothing counts on any more. */
#define CROWDED_BUCKETS 64

/* ---- opening and closing ---- */

struct rates_core *rates_open(size_t most)
{
    ASSERT(most > 0);
    struct rates_core *core = memory_new(sizeof *core);
    core->bucket_count = 16;
    while (core->bucket_count < most)
        core->bucket_count *= 2;
    core->buckets = memory_new(core->bucket_count * sizeof *core->buckets);
    core->most = most;
    core->hasher = hasher_open();
    return core;
}

void rates_close(struct rates_core *core)
{
    if (core == NULL)
        return;
    ASSERT(core->passes == 0);
    for (size_t i = 0; i < core->bucket_count; i++) {
        while (core->buckets[i] != NULL) {
            struct rates_account *account = core->buckets[i];
            core->buckets[i] = account->next;
            free(account->loans);
            free(account);
        }
    }
    table_close(&core->by_number);
    hasher_close(core->hasher);
    free(core->buckets);
    free(core);
}

/* ---- identity ---- */

static uint64_t first_bits(const uint8_t digest[HASH_SIZE])
{
    uint64_t number = 0;
    for (int i = 0; i < 8; i++)
        number = number << 8 | digest[i];
    return number;
}

static uint64_t number_of_text(struct buffer *text)
{
    uint8_t digest[HASH_SIZE];
    hash_text(buffer_text(text), digest);
    buffer_close(text);
    return first_bits(digest);
}

static void put_limits(struct buffer *out, struct text id, const int64_t limit[RATED_COUNT])
{
    buffer_printf(out, "%zu:%.*s", id.size, TEXT_ARG(id));
    for (int rated = 0; rated < RATED_COUNT; rated++)
        buffer_printf(out, " %lld", (long long)limit[rated]);
    buffer_put_byte(out, '\n');
}

/* Matches in the order of the scopes: writing them in another order changes nothing. */
void rates_seal(struct rate_limit *limit)
{
    const struct budget *who = &limit->who;
    struct buffer definition = {0}, limits = {0};
    buffer_printf(&definition, "rate %s\n", scope_name(who->scope));
    for (int scope = 0; scope < SCOPE_COUNT; scope++) {
        for (size_t at = 0; at < who->match_count; at++) {
            struct text pattern = who->match[at].pattern;
            if (who->match[at].scope == (enum scope)scope)
                buffer_printf(&definition, "%s %zu:%.*s\n", scope_name((enum scope)scope),
                              pattern.size, TEXT_ARG(pattern));
        }
    }
    put_limits(&limits, TEXT_NONE, limit->limit);
    for (size_t at = 0; at < limit->override_count; at++)
        put_limits(&limits, limit->overrides[at].id, limit->overrides[at].limit);
    limit->number = number_of_text(&definition);
    limit->version = number_of_text(&limits);
}

static uint64_t account_number(struct rates_core *core, uint64_t limits_number, struct text id)
{
    char hex[20];
    snprintf(hex, sizeof hex, "%016" PRIx64 " ", limits_number);
    const struct text parts[] = {text_of(hex), id};
    uint8_t digest[HASH_SIZE];
    hasher_digest(core->hasher, parts, 2, digest);
    return first_bits(digest);
}

static struct text number_key(const uint64_t *number)
{
    return text_make((const char *)number, sizeof *number);
}

/* ---- time ---- */

static int64_t subwindow_of(int64_t now_us)
{
    return now_us / RATES_SUBWINDOW_US;
}

/* Soon after boot a minute reaches back below 0. */
size_t rates_slot(int64_t subwindow)
{
    return (size_t)((subwindow % RATES_COUNTING + RATES_COUNTING) % RATES_COUNTING);
}

static void empty_slot(struct rates_account *account, unsigned rated, size_t slot)
{
    struct rates_ring *ring = &account->rings[rated];
    ring->sum -= ring->used[slot];
    ring->used[slot] = 0;
    if (account->loans == NULL)
        return;
    struct rates_loan *loan = &account->loans[rated];
    loan->share[slot] = loan->told[slot] = loan->others[slot] = 0;
    loan->dry_until_us = 0;
}

void rates_turn(const struct rates_core *core, struct rates_account *account)
{
    int64_t subwindow = subwindow_of(core->now_us);
    int64_t first = account->newest + 1;
    if (subwindow - account->newest > RATES_COUNTING)
        first = subwindow - RATES_COUNTING + 1;
    for (int64_t next = first; next <= subwindow; next++) {
        for (unsigned rated = 0; rated < RATED_BY_MINUTE; rated++)
            empty_slot(account, rated, rates_slot(next));
    }
    if (account->newest < subwindow)
        account->newest = subwindow;
}

void rates_rebase(const struct rates_core *core, struct rates_account *account)
{
    account->newest = subwindow_of(core->now_us);
    for (unsigned rated = 0; rated < RATED_BY_MINUTE; rated++) {
        struct rates_ring *ring = &account->rings[rated];
        *ring = (struct rates_ring){.sum = ring->sum};
        ring->used[rates_slot(account->newest)] = ring->sum;
        account->loans[rated] = (struct rates_loan){0};
    }
    account->entered_us = account->told_us = 0;
    struct rates_loan *loan = &account->loans[RATED_PARALLEL];
    loan->dry_until_us = loan->refill_us = loan->granted_us = 0;
}

/* ---- accounts ---- */

static uint64_t hash_of(uint64_t limits_number, struct text id)
{
    uint64_t hash = text_hash(id) ^ limits_number;
    return hash ^ hash >> 32;
}

static struct rates_account *find(const struct rates_core *core, uint64_t limits_number,
                                  struct text id, uint64_t hash)
{
    struct rates_account *account = core->buckets[hash & (core->bucket_count - 1)];
    while (account != NULL && !(account->hash == hash && account->limits_number == limits_number &&
                                text_equal(account->id, id)))
        account = account->next;
    return account;
}

/* Crowded: what counts nothing goes at once. */
static bool is_over(struct rates_core *core, struct rates_account *account, bool crowded)
{
    int64_t subwindow = subwindow_of(core->now_us);
    if (account->pins > 0 || account->listed)
        return false;
    if (!crowded)
        return subwindow - account->newest >= RATES_COUNTING;
    rates_turn(core, account);
    return account->rings[RATED_REQUESTS].sum == 0 && account->rings[RATED_TOKENS].sum == 0;
}

static void sweep_bucket(struct rates_core *core, bool crowded)
{
    struct rates_account **link = &core->buckets[core->sweep_at];
    core->sweep_at = (core->sweep_at + 1) & (core->bucket_count - 1);
    while (*link != NULL) {
        struct rates_account *account = *link;
        if (!is_over(core, account, crowded)) {
            link = &account->next;
            continue;
        }
        *link = account->next;
        table_remove(&core->by_number, number_key(&account->number));
        core->count--;
        free(account->loans);
        free(account);
    }
}

static bool has_room(struct rates_core *core)
{
    for (int i = 0; i < CROWDED_BUCKETS && core->count >= core->most; i++)
        sweep_bucket(core, true);
    return core->count < core->most;
}

static struct rates_account *account_new(struct rates_core *core, const struct rate_limit *limit,
                                         struct text id, uint64_t hash)
{
    struct rates_account *account = memory_new(sizeof *account + id.size);
    memcpy(account + 1, id.at, id.size);
    account->id = text_make((const char *)(account + 1), id.size);
    account->hash = hash;
    account->limits_number = limit->number;
    account->limits_version = ~limit->version;
    account->number = account_number(core, limit->number, id);
    account->newest = subwindow_of(core->now_us);
    if (core->leased)
        account->loans = memory_new(RATED_COUNT * sizeof *account->loans);
    struct rates_account **bucket = &core->buckets[hash & (core->bucket_count - 1)];
    account->next = *bucket;
    *bucket = account;
    table_put(&core->by_number, number_key(&account->number), account);
    core->count++;
    return account;
}

/* NULL: there is no room for a new one. */
struct rates_account *rates_use(struct rates_core *core, const struct rate_limit *limit,
                                struct text id)
{
    uint64_t hash = hash_of(limit->number, id);
    struct rates_account *account = find(core, limit->number, id, hash);
    if (account == NULL && !has_room(core))
        return NULL;
    if (account == NULL)
        account = account_new(core, limit, id, hash);
    if (account->limits_version != limit->version) {
        account->limits_version = limit->version;
        for (int rated = 0; rated < RATED_COUNT; rated++)
            account->limit[rated] = rate_limit_of(limit, (enum rated)rated, id);
    }
    rates_turn(core, account);
    return account;
}

void rates_sweep(struct rates_core *core)
{
    for (int i = 0; i < SWEEP_BUCKETS; i++)
        sweep_bucket(core, false);
}

size_t rates_accounts(const struct rates_core *core)
{
    return core->count;
}
