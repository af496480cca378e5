/*
 * Budgets in one process, of which the n-th call fails, for every n: ceilings.db, the ledger,
 * recovery and the treasury as a house has them, some calls, and the start after it. What a process
 * takes a second for is tried here in some milliseconds, so allocations can be tried one by one.
 *
 *     LD_PRELOAD=nth_call.so FAULT_... budgets FOLDER FIRST STRIDE
 *
 * Each life is a child. It may serve, refuse to start with a reason, or (malloc) end with an
 * assertion. The one after it, in this boot or in another, must find: bill ≤ spent ≤ limit.
 */
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "budget/ceilings.h"
#include "budget/treasury.h"
#include "cli/recovery.h"

enum { CALLS = 8, COST = 10, HELD = 100, LIMIT = 450, REFUSED = 3, SECONDS_MOST = 30 };

/* As in nth_call.c. */
struct control {
    _Atomic int64_t at, lasts, count, failed, resynced;
};

struct life {
    struct budget budget;
    struct core_options options;
    struct price price; /* of output alone: a token costs 2 nano-dollars */
    struct subject subject;
    struct ceilings *ceilings;
    struct vault *vault;
    struct ledger *ledger;
    struct gate *gate;
    struct treasury *treasury;
    struct ledger_batch *batch;
    struct loop *loop;
    struct mailbox *mailbox;
    uint64_t unwritten[CALLS]; /* holds whose end is not in the ledger yet */
    size_t unwritten_count;
    int left;
    int64_t *bill; /* what the provider has worked; shared with the parent */
};

/* ---- opening ---- */

static bool open_books(struct life *life, const char *folder, struct text boot, bool *lines,
                       struct fault *fault)
{
    char path[256], dir[256];
    struct ledger_replay replay;
    (void)snprintf(path, sizeof(path), "%s/ceilings.db", folder);
    (void)snprintf(dir, sizeof(dir), "%s/ledger", folder);
    const struct ledger_options options = {.dir = dir,
                                           .node = TEXT("node"),
                                           .clock = clock_real(),
                                           .fsync_ms = 1,
                                           .rotate_bytes = 1 << 20};
    life->ceilings = ceilings_open(path, fault);
    if (life->ceilings == NULL)
        return false;
    life->ledger = ledger_open(&options, &replay, fault);
    if (life->ledger == NULL)
        return false;
    *lines = replay.lines > 0;
    life->vault = vault_open(path, boot, fault);
    return life->vault != NULL;
}

static void set_rules(struct life *life)
{
    life->budget = (struct budget){.name = TEXT("all"),
                                   .scope = SCOPE_GLOBAL,
                                   .window = WINDOW_TOTAL,
                                   .timezone = TEXT("UTC"),
                                   .zone = zone_open(NULL, TEXT("UTC"), NULL),
                                   .limit = {LIMIT_NONE, LIMIT_NONE, LIMIT_NONE}};
    life->budget.limit[UNIT_USD] = LIMIT;
    life->options = (struct core_options){.budgets = &life->budget,
                                          .budget_count = 1,
                                          .clamp = CLAMP_ALWAYS,
                                          .min_output_tokens = 10,
                                          .max_waiting = 8,
                                          .max_accounts = 100,
                                          .leased = true,
                                          .lease_s = 2,
                                          .usd_step = 1};
    life->price.tier_count = 1;
    life->price.tiers[0].above_input_tokens = -1;
    life->price.tiers[0].rates.pico[BUCKET_OUTPUT] = 2000;
    life->subject.id[SCOPE_GLOBAL] = TEXT("all");
}

static bool open_life(struct life *life, const char *folder, struct text boot, struct fault *fault)
{
    bool lines = false;
    struct arena arena = {0};
    if (!open_books(life, folder, boot, &lines, fault))
        return false;
    set_rules(life);
    life->gate = gate_open(&life->options);
    struct recovery recovery = {.gate = life->gate,
                                .ledger = life->ledger,
                                .vault = life->vault,
                                .ledger_whole = lines,
                                .clock = clock_real()};
    if (!vault_rows(life->vault, &arena, &recovery.rows, &recovery.row_count, fault) ||
        !recover(&recovery, fault))
        return false;
    const struct treasury_options options = {
        .gate = life->gate, .vault = life->vault, .clock = clock_real()};
    life->treasury = treasury_open(&options, recovery.rows, recovery.row_count);
    arena_close(&arena);
    ledger_start(life->ledger);
    return true;
}

/* ---- calls ---- */

static struct entry entry_of(const struct life *life, enum entry_kind kind, char name[16])
{
    (void)snprintf(name, 16, "req_%d.1", life->left);
    return (struct entry){.kind = kind,
                          .wall_us = clock_wall_us(clock_real()),
                          .request_id = text_make(name, strlen(name) - 2),
                          .call = text_of(name),
                          .attempt = 1,
                          .ttft_ms = -1,
                          .duration_ms = -1};
}

static bool write_lines(struct life *life)
{
    struct fault fault;
    if (!ledger_commit(life->batch, &fault))
        return false;
    gate_release(life->gate, life->unwritten, life->unwritten_count);
    life->unwritten_count = 0;
    return true;
}

static void end_call(struct life *life, struct grant *grant, const struct spend *used)
{
    char name[16];
    struct entry entry = entry_of(life, ENTRY_SETTLE, name);
    for (size_t at = 0; at < grant->charge_count; at++)
        grant->charges[at].amount = used->amount[grant->charges[at].unit];
    entry.cost = (struct money){used->amount[UNIT_USD]};
    entry.charges = grant->charges;
    entry.charge_count = grant->charge_count;
    ledger_note(life->batch, &entry);
    gate_book(life->gate, grant->hold, used, NULL);
    life->unwritten[life->unwritten_count++] = grant->hold;
    (void)write_lines(life);
}

static void take(struct life *life, struct grant *grant)
{
    char name[16];
    struct entry entry = entry_of(life, ENTRY_RESERVE, name);
    life->left--;
    if (grant->verdict != VERDICT_GRANTED)
        return;
    life->left++;
    entry.hold = grant->amount;
    entry.charges = grant->charges;
    entry.charge_count = grant->charge_count;
    ledger_note(life->batch, &entry);
    if (write_lines(life)) {
        *life->bill += COST;
        end_call(life, grant, &(struct spend){{COST, COST, 1}});
    } else {
        bool withdrawn = ledger_withdraw(life->batch, entry.call);
        ASSERT(withdrawn);
        gate_settle(life->gate, grant->hold, &(struct spend){{0, 0, 0}}, NULL);
    }
    life->left--;
}

static void next_call(struct life *life)
{
    while (life->left > 0) {
        struct grant grant;
        const struct ask plain = {.subject = &life->subject,
                                  .price = &life->price,
                                  .bound = {.choices = 1},
                                  .wanted_output = HELD / 2,
                                  .named = true,
                                  .now_s = clock_wall_us(clock_real()) / 1000000};
        struct ask ask = plain;
        gate_reserve(life->gate, &ask, life->mailbox, 1, &grant);
        if (grant.verdict == VERDICT_WAIT)
            return;
        take(life, &grant);
    }
    loop_stop(life->loop);
}

static void deliver(void *context, struct letter *letter)
{
    take(context, letter->body);
    letter_free(letter);
    next_call(context);
}

static void work(struct life *life)
{
    life->left = CALLS;
    life->loop = loop_open(clock_real());
    life->mailbox = mailbox_open(life->loop, deliver, life);
    life->batch = ledger_batch_open(life->ledger);
    next_call(life);
    if (life->left > 0)
        loop_run(life->loop);
    (void)write_lines(life);
    ledger_batch_close(life->batch);
    treasury_retire(life->treasury);
    mailbox_close(life->mailbox);
    loop_close(life->loop);
}

/* ---- lives ---- */

static void close_life(struct life *life)
{
    treasury_close(life->treasury);
    gate_close(life->gate);
    ceilings_close(life->ceilings);
    vault_close(life->vault, ledger_close(life->ledger));
}

static int live(const char *folder, int64_t *bill)
{
    struct fault fault = {""};
    struct life life = {.bill = bill};
    if (!open_life(&life, folder, TEXT("a-boot"), &fault))
        return fault.message[0] == '\0' ? EXIT_FAILURE : REFUSED;
    work(&life);
    close_life(&life);
    return EXIT_SUCCESS;
}

static int check(const char *folder, int64_t bill, struct text boot)
{
    struct fault fault = {""};
    struct life life = {0};
    struct account_view view;
    if (!open_life(&life, folder, boot, &fault)) {
        printf("the next start fails: %s\n", fault.message);
        return EXIT_FAILURE;
    }
    size_t found =
        gate_view(life.gate, &life.subject, true, clock_wall_us(clock_real()) / 1000000, &view, 1);
    int64_t spent = found > 0 ? view.spent : 0;
    bool good = bill <= spent && spent <= LIMIT && (found == 0 || view.ceiling <= LIMIT);
    if (!good)
        printf("billed %lld, spent %lld of %d\n", (long long)bill, (long long)spent, LIMIT);
    close_life(&life);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *ftw)
{
    (void)stat;
    (void)kind;
    return ftw->level == 0 ? 0 : remove(path);
}

static int end_of(pid_t child)
{
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* -1: something does not hold; 0: there were fewer such calls; 1: there were so many. */
static int try_one(struct control *control, int64_t *bill, const char *folder, int64_t number)
{
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    *bill = 0;
    control->count = control->failed = control->resynced = 0;
    control->at = number;
    pid_t child = fork();
    if (child == 0) {
        alarm(SECONDS_MOST);
        _exit(live(folder, bill));
    }
    int end = end_of(child);
    bool reached = control->failed > 0;
    control->at = 0;
    bool dies = strcmp(getenv("FAULT_CALL"), "malloc") == 0 && end == -SIGABRT;
    bool fine = (end == EXIT_SUCCESS && (reached || *bill == CALLS * COST)) ||
                (reached && (end == REFUSED || dies));
    if (!fine || control->resynced > 0) {
        printf("the %lldth: ended with %d, billed %lld, synced again %lld times\n",
               (long long)number, end, (long long)*bill, (long long)control->resynced);
        return -1;
    }
    child = fork();
    if (child == 0) {
        alarm(SECONDS_MOST);
        int result = check(folder, *bill, number % 2 == 0 ? TEXT("a-boot") : TEXT("another"));
        fflush(stdout);
        _exit(result);
    }
    end = end_of(child);
    if (end != EXIT_SUCCESS)
        printf("the %lldth: the life after it ended with %d\n", (long long)number, end);
    return end != EXIT_SUCCESS ? -1 : reached;
}

int main(int argc, char **argv)
{
    int result = 1;
    int64_t number = argc == 4 ? strtoll(argv[2], NULL, 10) : 0;
    int64_t stride = argc == 4 ? strtoll(argv[3], NULL, 10) : 0;
    int fd = open(getenv("FAULT_CONTROL"), O_RDWR | O_CLOEXEC);
    ASSERT(number > 0 && stride > 0 && fd >= 0);
    struct control *control =
        mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    int64_t *bill =
        mmap(NULL, sizeof(*bill), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT(control != MAP_FAILED && bill != MAP_FAILED);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (; result == 1; number += stride)
        result = try_one(control, bill, argv[1], number);
    printf("up to the %lldth\n", (long long)(number - stride));
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
