/* One hash for each account, found by SCAN; store.lua says what is in them. */
#include "budget/census.h"

#include <stdlib.h>

#include "base/json.h"

#define PREFIX TEXT("{purser}:a:")
#define DIGITS 16

bool census_number(struct text digits, uint64_t *account)
{
    uint64_t number = 0;
    for (size_t i = 0; i < digits.size; i++) {
        char digit = digits.at[i];
        bool letter = digit >= 'a' && digit <= 'f';
        if (!letter && !(digit >= '0' && digit <= '9'))
            return false;
        number = number << 4 | (uint64_t)(letter ? digit - 'a' + 10 : digit - '0');
    }
    if (digits.size != DIGITS)
        return false;
    *account = number;
    return true;
}

/* ---- one account ---- */

static struct text word_of(struct json_value object, const char *name, struct arena *arena)
{
    struct json_value value;
    return json_member(object, text_of(name), &value) ? json_string(arena, value) : TEXT_NONE;
}

static bool unit_of(struct text name, enum unit *unit)
{
    for (int i = 0; i < UNIT_COUNT; i++) {
        if (!text_equal(name, text_of(unit_name((enum unit)i))))
            continue;
        *unit = (enum unit)i;
        return true;
    }
    return false;
}

/* As store_wire.c writes it. */
static void take_what(struct census_account *account, struct text said, struct arena *arena)
{
    struct charge what = {.account = account->what.account};
    struct json_value object;
    if (json_parse(said, &object, NULL) != JSON_OK)
        return;
    struct text window = word_of(object, "window", arena);
    what.budget = word_of(object, "budget", arena);
    what.id = word_of(object, "id", arena);
    if (!scope_parse(word_of(object, "scope", arena), &what.scope) ||
        !unit_of(word_of(object, "unit", arena), &what.unit) || window.size >= sizeof(what.window))
        return;
    if (window.size > 0)
        memcpy(what.window, window.at, window.size);
    account->what = what;
    account->named = true;
}

static struct census_share *share_of(struct census_account *account, struct text journal)
{
    for (size_t i = 0; i < account->share_count; i++)
        if (text_equal(text_of(account->shares[i].journal), journal))
            return &account->shares[i];
    struct census_share *share = &account->shares[account->share_count++];
    *share = (struct census_share){0};
    memcpy(share->journal, journal.at, journal.size);
    return share;
}

static void take_field(struct census_account *account, struct text name, struct text value,
                       struct arena *arena)
{
    int64_t amount = 0;
    if (text_equal(name, TEXT("d")))
        take_what(account, value, arena);
    if (!text_to_int(value, &amount))
        return;
    struct text journal = text_from(name, 2);
    bool of_journal = journal.size > 0 && journal.size < STORE_JOURNAL_SIZE;
    if (text_equal(name, TEXT("G")))
        account->granted = amount;
    else if (text_equal(name, TEXT("U")))
        account->spent = amount;
    else if (text_equal(name, TEXT("L")))
        account->limit = amount;
    else if (of_journal && text_starts(name, TEXT("g:")))
        share_of(account, journal)->granted = amount;
    else if (of_journal && text_starts(name, TEXT("u:")))
        share_of(account, journal)->spent = amount;
}

static void take_account(struct census *census, uint64_t number, const struct lessor_list *fields,
                         struct arena *arena)
{
    struct census_account account = {.what = {.account = number}, .limit = LIMIT_NONE};
    account.shares = arena_new(arena, (fields->count / 2 + 1) * sizeof(*account.shares));
    for (size_t i = 0; i + 1 < fields->count; i += 2)
        take_field(&account, fields->at[i], fields->at[i + 1], arena);
    if (census->count == census->room) {
        census->room = census->room == 0 ? 64 : 2 * census->room;
        census->at = memory_resize(census->at, census->room * sizeof(*census->at));
    }
    census->at[census->count++] = account;
}

/* ---- all of them ---- */

static bool read_account(struct lessor *lessor, struct text key, struct arena *arena,
                         struct census *census, struct fault *fault)
{
    char name[64];
    struct lessor_list fields;
    uint64_t number = 0;
    if (key.size >= sizeof(name) || !census_number(text_from(key, PREFIX.size), &number))
        return true;
    memcpy(name, key.at, key.size);
    name[key.size] = '\0';
    const char *const words[] = {"HGETALL", name};
    if (!lessor_read(lessor, words, 2, arena, &fields, fault))
        return false;
    if (fields.count > 0)
        take_account(census, number, &fields, arena);
    return true;
}

/* The cursor, then some keys. Its first question is of a key, so that a Cluster shows the way. */
static bool read_all(struct lessor *lessor, struct arena *arena, struct census *census,
                     struct fault *fault)
{
    const char *const find_node[] = {"HGETALL", "{purser}:meta"};
    struct lessor_list page;
    char cursor[24] = "0";
    bool good = lessor_read(lessor, find_node, 2, arena, &page, fault);
    do {
        const char *const words[] = {"SCAN", cursor, "MATCH", "{purser}:a:*", "COUNT", "1000"};
        good = good && lessor_read(lessor, words, 6, arena, &page, fault);
        if (good && (page.count == 0 || page.at[0].size >= sizeof(cursor)))
            good = fault_set(fault, "Redis answers SCAN with something else");
        for (size_t i = 1; good && i < page.count; i++)
            good = read_account(lessor, page.at[i], arena, census, fault);
        if (good) {
            memcpy(cursor, page.at[0].at, page.at[0].size);
            cursor[page.at[0].size] = '\0';
        }
    } while (good && strcmp(cursor, "0") != 0);
    return good;
}

static int compare_texts(struct text a, struct text b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size == 0 ? 0 : memcmp(a.at, b.at, size);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static int by_name(const void *a, const void *b)
{
    const struct charge *one = &((const struct census_account *)a)->what;
    const struct charge *other = &((const struct census_account *)b)->what;
    const int orders[] = {
        compare_texts(one->budget, other->budget),
        (int)one->unit - (int)other->unit,
        compare_texts(one->id, other->id),
        strcmp(one->window, other->window),
    };
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
        if (orders[i] != 0)
            return orders[i];
    return (one->account > other->account) - (one->account < other->account);
}

/* SCAN may name a key twice. */
static void drop_doubles(struct census *census)
{
    size_t kept = 0;
    for (size_t i = 0; i < census->count; i++) {
        if (kept > 0 && census->at[kept - 1].what.account == census->at[i].what.account)
            continue;
        census->at[kept++] = census->at[i];
    }
    census->count = kept;
}

bool census_read(struct lessor *lessor, struct arena *arena, struct census *census,
                 struct fault *fault)
{
    *census = (struct census){0};
    if (!read_all(lessor, arena, census, fault)) {
        census_close(census);
        return false;
    }
    if (census->count > 0)
        qsort(census->at, census->count, sizeof(*census->at), by_name);
    drop_doubles(census);
    return true;
}

void census_close(struct census *census)
{
    free(census->at);
    *census = (struct census){0};
}

const struct census_share *census_share_of(const struct census_account *account,
                                           const char *journal)
{
    for (size_t i = 0; i < account->share_count; i++)
        if (strcmp(account->shares[i].journal, journal) == 0)
            return &account->shares[i];
    return NULL;
}
