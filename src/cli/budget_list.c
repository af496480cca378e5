/* `purser budget list`. */
#include "cli/budget_list.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "cli/operator.h"

#define NANO_IN_MICRO 1000

/* ---- words ---- */

/* What another machine has said: what is no letter of a name is not sent to a terminal. */
static void print_foreign(struct text said, int width)
{
    char shown[65] = "-";
    size_t size = said.size < sizeof(shown) - 1 ? said.size : sizeof(shown) - 1;
    for (size_t i = 0; i < size; i++) {
        shown[i] = said.at[i] > 0x20 && said.at[i] < 0x7f ? said.at[i] : '?';
        shown[i + 1] = '\0';
    }
    printf("%-*s", width, shown);
}

const char *budget_amount(const struct census_account *account, int64_t stored,
                          char out[BUDGET_AMOUNT_SIZE])
{
    char dollars[MONEY_STRING_SIZE];
    if (!account->named)
        (void)snprintf(out, BUDGET_AMOUNT_SIZE, "%" PRId64, stored);
    else if (account->what.unit == UNIT_USD)
        (void)snprintf(out, BUDGET_AMOUNT_SIZE, "%s",
                       money_string((struct money){stored * NANO_IN_MICRO}, dollars));
    else
        (void)snprintf(out, BUDGET_AMOUNT_SIZE, "%" PRId64 " %s", stored,
                       unit_name(account->what.unit));
    return out;
}

void budget_print_account(const struct census_account *account)
{
    const struct charge *what = &account->what;
    printf("%016" PRIx64 "  ", what->account);
    if (!account->named) {
        printf("(no instance has said what it is)");
        return;
    }
    print_foreign(what->budget, 0);
    printf("  %s ", scope_name(what->scope));
    print_foreign(what->id, 0);
    printf("  ");
    print_foreign(text_of(what->window), 0);
}

/* ---- instances ---- */

static void print_ago(int64_t seen_s)
{
    int64_t ago_s = clock_wall_us(clock_real()) / 1000000 - seen_s;
    if (ago_s < 0)
        ago_s = 0;
    if (ago_s < 120)
        printf("seen %lld s ago", (long long)ago_s);
    else if (ago_s < 7200)
        printf("seen %lld min ago", (long long)(ago_s / 60));
    else
        printf("seen %lld h ago", (long long)(ago_s / 3600));
}

static void print_member(const struct registry *registry, const struct registry_member *member)
{
    const char *state = !member->registered     ? "left"
                        : !registry->recovering ? (member->is_new ? "new" : "in")
                        : member->present       ? "has synced"
                                                : "awaited";
    print_foreign(member->label, 24);
    printf("  %.12s  %-10s  ", member->journal, state);
    if (member->last_s == 0)
        printf("not seen by this store: others remember it");
    else
        print_ago(member->last_s);
    printf("\n");
}

/* ---- accounts ---- */

static const struct registry_member *member_of(const struct registry *registry, const char *journal)
{
    for (size_t i = 0; i < registry->count; i++)
        if (strcmp(registry->members[i].journal, journal) == 0)
            return &registry->members[i];
    return NULL;
}

static void print_share(const struct registry *registry, const struct census_account *account,
                        const struct census_share *share)
{
    const struct registry_member *member = member_of(registry, share->journal);
    char granted[BUDGET_AMOUNT_SIZE], spent[BUDGET_AMOUNT_SIZE];
    if (strcmp(share->journal, STORE_GONE) == 0) {
        printf("    spent, and forgotten by the instance that did: %s\n",
               budget_amount(account, share->granted, granted));
        return;
    }
    printf("    ");
    print_foreign(member != NULL ? member->label : TEXT("?"), 24);
    printf("  %.12s  granted %s, spent %s%s\n", share->journal,
           budget_amount(account, share->granted, granted),
           budget_amount(account, share->spent, spent),
           member != NULL && member->registered ? "" : ", has left");
}

static void print_account(const struct registry *registry, const struct census_account *account)
{
    char limit[BUDGET_AMOUNT_SIZE], granted[BUDGET_AMOUNT_SIZE], spent[BUDGET_AMOUNT_SIZE];
    budget_print_account(account);
    printf("  limit %s, granted %s, spent %s\n",
           account->limit == LIMIT_NONE ? "-" : budget_amount(account, account->limit, limit),
           budget_amount(account, account->granted, granted),
           budget_amount(account, account->spent, spent));
    for (size_t i = 0; i < account->share_count; i++)
        if (account->shares[i].granted > 0 || account->shares[i].spent > 0)
            print_share(registry, account, &account->shares[i]);
}

static void print_crowd(const struct registry *registry)
{
    size_t count = 0;
    for (size_t i = 0; i < registry->count; i++)
        count += registry->members[i].registered && registry->members[i].stated;
    if (count > STORE_MEMBERS_MOST)
        printf("of more than %d instances none is told of the others, and these are %zu: let go "
               "those that are gone\n",
               STORE_MEMBERS_MOST, count);
}

int budget_list(struct lessor *lessor, struct arena *arena, const struct registry *registry)
{
    struct census census;
    struct fault fault;
    if (registry->recovering)
        printf("the store recovers: nothing is granted until %lld more have synced (epoch %lld)\n",
               (long long)registry->absent, (long long)registry->epoch);
    else
        printf("the store is open (epoch %lld)\n", (long long)registry->epoch);
    if (registry->nameless > 0)
        printf(
            "of these nobody has named %lld: they were counted (init --instances), or by a purser "
            "that kept no names; of one that will not come back: purser budget leave unknown "
            "--force\n",
            (long long)registry->nameless);
    print_crowd(registry);
    for (size_t i = 0; i < registry->count; i++)
        print_member(registry, &registry->members[i]);
    if (!census_read(lessor, arena, &census, &fault)) {
        (void)fprintf(stderr, "purser budget: its accounts are not listed: %s\n", fault.message);
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < census.count; i++)
        print_account(registry, &census.at[i]);
    census_close(&census);
    return EXIT_SUCCESS;
}

/* ---- without a Redis ---- */

/* As it stands in the answer: escapes stay. */
static struct text shown(struct json_value object, const char *name)
{
    struct json_value value;
    if (!json_member(object, text_of(name), &value))
        return TEXT("-");
    return json_shown(value);
}

static void print_row(struct json_value row)
{
    struct json_value window;
    bool dollars = text_equal(shown(row, "unit"), TEXT("usd"));
    bool windowed = json_member(row, TEXT("window"), &window) && window.kind == JSON_OBJECT;
    if (!windowed) /* of a request: nothing is counted */
        return;
    printf("%.*s  %.*s %.*s  %.*s", TEXT_ARG(shown(row, "name")), TEXT_ARG(shown(row, "scope")),
           TEXT_ARG(shown(row, "id")), TEXT_ARG(shown(window, "kind")));
    static const char *const members[] = {"limit", "spent", "reserved", "remaining", "ceiling"};
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        printf("%s %s %s%.*s", i == 0 ? " " : ",", members[i], dollars ? "$" : "",
               TEXT_ARG(shown(row, members[i])));
    if (dollars)
        printf("\n");
    else
        printf(" %.*s\n", TEXT_ARG(shown(row, "unit")));
}

int budget_list_alone(const struct config *config)
{
    const struct operator_question question = {
        .config = config, .command = "budget", .method = "GET", .path = TEXT("/budget")};
    struct buffer body;
    struct json_value answer, data, row;
    struct text name;
    if (!operator_ask(&question, &body, &answer))
        return EXIT_FAILURE;
    printf("budgets are not shared (store.redis); the running purser's store: %.*s\n",
           TEXT_ARG(shown(answer, "store")));
    if (json_member(answer, TEXT("data"), &data)) {
        struct json_walk walk = json_walk(data);
        while (json_next(&walk, &name, &row))
            print_row(row);
    }
    buffer_close(&body);
    return EXIT_SUCCESS;
}
