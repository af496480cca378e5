/*
 * Where accounts are found: by a hash of what a call knows about them.
 */
#include "budget/account.h"

#include <stddef.h>

#define CACHE_LINE 64

void chains_open(struct accounts *accounts, size_t most)
{
    accounts->chain_count = 16;
    while (accounts->chain_count < most)
        accounts->chain_count *= 2;
    accounts->chains = memory_new(accounts->chain_count * sizeof(struct chain));
}

uint64_t account_hash(const struct account_key *key)
{
    uint64_t hash = text_hash(key->id);
    hash ^= (uint64_t)(key->budget * UNIT_COUNT + key->unit) * UINT64_C(0x9e3779b97f4a7c15);
    hash ^= (uint64_t)key->window->start_s * UINT64_C(0xc2b2ae3d27d4eb4f);
    return hash ^ hash >> 32;
}

static struct chain *chain_of(const struct accounts *accounts, uint64_t hash)
{
    return &accounts->chains[hash & (accounts->chain_count - 1)];
}

static bool account_is(const struct account *account, const struct account_key *key)
{
    return account->budget == key->budget && account->unit == key->unit &&
           account->window.start_s == key->window->start_s && text_equal(account->id, key->id);
}

struct account *chains_find(const struct accounts *accounts, const struct account_key *key,
                            uint64_t hash)
{
    struct account *account = chain_of(accounts, hash)->first;
    while (account != NULL && !(account->hash == hash && account_is(account, key)))
        account = account->next_in_chain;
    return account;
}

void chains_add(struct accounts *accounts, struct account *account, int64_t due_s)
{
    struct chain *chain = chain_of(accounts, account->hash);
    if (chain->first == NULL || due_s < chain->due_s)
        chain->due_s = due_s;
    account->next_in_chain = chain->first;
    chain->first = account;
}

void chains_expect(const struct accounts *accounts, uint64_t hash)
{
    __builtin_prefetch(chain_of(accounts, hash));
}

void account_expect(const struct accounts *accounts, uint64_t hash)
{
    const char *account = (const char *)chain_of(accounts, hash)->first;
    for (size_t at = offsetof(struct account, growing.wants);
         account != NULL && at <= sizeof(struct account); at += CACHE_LINE)
        __builtin_prefetch(account + at);
}
