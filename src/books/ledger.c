/*
 * The ledger's life: opening with replay, appending, rotating, closing.
 */
#include "books/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/condition.h"
#include "base/log.h"
#include "books/ledger_state.h"
#include "books/replay.h"

static const int64_t DAY_US = INT64_C(86400000000);

/* ---- the directory ---- */

static bool make_dirs(const char *path, struct fault *fault)
{
    char *copy = memory_copy(text_of(path));
    bool good = true;
    for (char *end = copy + 1; good && *copy != '\0'; end++) {
        if (*end != '/' && *end != '\0')
            continue;
        bool last = *end == '\0';
        *end = '\0';
        if (mkdir(copy, 0700) != 0 && errno != EEXIST)
            good = fault_set(fault, "the directory %s cannot be made: %s", copy, strerror(errno));
        if (last)
            break;
        *end = '/';
    }
    free(copy);
    return good;
}

static bool say_who_locks(int fd, const char *dir, struct fault *fault)
{
    char pid[24] = "";
    if (pread(fd, pid, sizeof(pid) - 1, 0) < 0)
        pid[0] = '\0';
    return fault_set(fault,
                     "another purser (process %s) writes the ledger in %s: stop it, or give this "
                     "one a data_dir of its own",
                     pid[0] == '\0' ? "unknown" : pid, dir);
}

/* Takes the directory's lock; it is held as long as the descriptor is open. */
static int take_lock(int dir_fd, const char *dir, struct fault *fault)
{
    int fd = openat(dir_fd, "journal.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        fault_set(fault, "%s/journal.lock cannot be opened: %s", dir, strerror(errno));
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        say_who_locks(fd, dir, fault);
        close(fd);
        return -1;
    }
    char pid[24];
    int size = snprintf(pid, sizeof(pid), "%d", (int)getpid());
    /* Without the number a second process still does not start; it only cannot say whom it met. */
    if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)size, 0) != size)
        log_warn("%s/journal.lock cannot be written: %s", dir, strerror(errno));
    return fd;
}

static bool take_directory(struct ledger *ledger, const char *dir, struct fault *fault)
{
    if (!make_dirs(dir, fault))
        return false;
    ledger->journal.dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (ledger->journal.dir_fd < 0)
        return fault_set(fault, "the directory %s cannot be opened: %s", dir, strerror(errno));
    ledger->lock_fd = take_lock(ledger->journal.dir_fd, dir, fault);
    return ledger->lock_fd >= 0;
}

/* ---- lines of the ledger itself ---- */

static void put_open(struct ledger *ledger)
{
    struct entry entry = {.kind = ENTRY_OPEN,
                          .wall_us = clock_wall_us(ledger->clock),
                          .price_version = text_of(ledger->price_version),
                          .ttft_ms = -1,
                          .duration_ms = -1};
    size_t start = ledger->out.size;
    entry_put(&ledger->out, &entry, text_of(ledger->node));
    json_put_text_member(&ledger->out, TEXT("chained_to"), text_of(ledger->chain.place.hash));
    balances_put(&ledger->out, ledger->balances);
    chain_seal(&ledger->chain, &ledger->out, start);
}

static void put_entry(struct ledger *ledger, const struct entry *entry)
{
    size_t start = ledger->out.size;
    entry_put(&ledger->out, entry, text_of(ledger->node));
    chain_seal(&ledger->chain, &ledger->out, start);
}

/* The forfeit of a hold: all of it is booked, as nobody knows what the provider billed. */
static struct entry forfeit_of(const struct entry *hold, int64_t wall_us)
{
    struct entry forfeit = *hold;
    forfeit.kind = ENTRY_FORFEIT;
    forfeit.wall_us = wall_us;
    forfeit.cost = hold->hold;
    forfeit.usage_source = USAGE_BOUND;
    return forfeit;
}

/* A sum, of which nobody refunds a part: so without their names. */
static void note_given_up(struct ledger *ledger, const struct entry *forfeit)
{
    struct entry sum = *forfeit;
    sum.call = TEXT_NONE;
    sum.request_id = TEXT_NONE;
    (void)balances_apply(ledger->given_up, &sum);
}

static bool is_kept(const struct table *kept, const struct entry *hold)
{
    return kept != NULL && table_get(kept, hold->call) != NULL;
}

/* Appends a forfeit for each open hold that nobody goes on with. */
static bool forfeit_holds(struct ledger *ledger, const struct table *kept,
                          struct ledger_replay *replay, struct fault *fault)
{
    struct chain_place before = ledger->chain.place;
    int64_t now_us = clock_wall_us(ledger->clock);
    size_t at = 0;
    const struct entry *hold = NULL;
    buffer_clear(&ledger->out);
    while (balances_next_hold(ledger->balances, &at, &hold)) {
        if (is_kept(kept, hold))
            continue;
        struct entry forfeit = forfeit_of(hold, now_us);
        put_entry(ledger, &forfeit);
        replay->forfeits++;
        if (__builtin_add_overflow(replay->forfeited.nano, hold->hold.nano,
                                   &replay->forfeited.nano))
            replay->forfeited = MONEY_MOST;
    }
    if (replay->forfeits == 0)
        return true;
    if (!ledger_append(ledger, before, fault))
        return false;
    at = 0;
    while (balances_next_hold(ledger->balances, &at, &hold)) {
        if (is_kept(kept, hold))
            continue;
        struct entry forfeit = forfeit_of(hold, now_us);
        note_given_up(ledger, &forfeit);
        (void)balances_apply(ledger->balances, &forfeit);
        at = 0;
    }
    return true;
}

/* ---- appending ---- */

/* The bookkeeper may sleep, and is who tries again. */
static void begin_failing(struct ledger *ledger)
{
    if (!atomic_exchange(&ledger->write_failing, true))
        pthread_cond_signal(&ledger->wake);
}

bool ledger_append(struct ledger *ledger, struct chain_place before, struct fault *fault)
{
    if (!journal_write(&ledger->journal, buffer_text(&ledger->out), fault)) {
        ledger->chain.place = before;
        begin_failing(ledger);
        return false;
    }
    if (atomic_load_explicit(&ledger->write_failing, memory_order_relaxed))
        atomic_store(&ledger->write_failing, false);
    if (!ledger->dirty) {
        ledger->dirty = true;
        pthread_cond_signal(&ledger->wake);
    }
    return true;
}

bool ledger_append_open(struct ledger *ledger, struct fault *fault)
{
    struct chain_place before = ledger->chain.place;
    buffer_clear(&ledger->out);
    put_open(ledger);
    return ledger_append(ledger, before, fault);
}

static void retire(struct ledger *ledger, int fd)
{
    if (fd < 0)
        return;
    struct retired *retired = memory_new(sizeof(*retired));
    *retired = (struct retired){.next = ledger->retired, .fd = fd, .spoiled = ledger->renew};
    ledger->retired = retired;
}

void ledger_sweep(struct ledger *ledger)
{
    int64_t passed_us = clock_steady_us(ledger->clock) - ledger->begun_steady_us;
    int64_t latest_us = ledger->begun_us + passed_us;
    int64_t now_us = clock_wall_us(ledger->clock);
    balances_sweep(ledger->balances, (now_us < latest_us ? now_us : latest_us) / 1000000);
}

static bool rotate(struct ledger *ledger, struct fault *fault)
{
    struct chain_place before = ledger->chain.place;
    int64_t now_us = clock_wall_us(ledger->clock);
    int old_fd = -1;
    ledger_sweep(ledger);
    buffer_clear(&ledger->out);
    put_open(ledger);
    struct ledger_file next =
        journal_next_file(&ledger->journal, text_of(ledger->node), now_us / DAY_US);
    if (!journal_begin(&ledger->journal, &next, buffer_text(&ledger->out), &old_fd, fault)) {
        ledger->chain.place = before;
        begin_failing(ledger);
        return false;
    }
    retire(ledger, old_fd);
    ledger->renew = false;
    ledger->dirty = true;
    ledger->new_name = true;
    pthread_cond_signal(&ledger->wake);
    return true;
}

bool ledger_rotate_if_due(struct ledger *ledger, struct fault *fault)
{
    const struct journal *journal = &ledger->journal;
    bool due = journal->fd < 0 || ledger->renew ||
               journal->size - journal->begun >= ledger->rotate_bytes ||
               clock_wall_us(ledger->clock) / DAY_US > journal->file.day;
    return !due || rotate(ledger, fault);
}

bool ledger_failing(const struct ledger *ledger)
{
    return atomic_load_explicit(&ledger->write_failing, memory_order_relaxed) ||
           atomic_load_explicit(&ledger->sync_failing, memory_order_relaxed);
}

/* ---- opening and closing ---- */

static struct ledger *ledger_new(const struct ledger_options *options)
{
    struct ledger *ledger = memory_new(sizeof(*ledger));
    ledger->node = memory_copy(options->node);
    ledger->price_version = memory_copy(options->price_version);
    ledger->clock = options->clock;
    ledger->begun_us = clock_wall_us(ledger->clock);
    ledger->begun_steady_us = clock_steady_us(ledger->clock);
    ledger->fsync_ms = options->fsync_ms;
    ledger->rotate_bytes = options->rotate_bytes;
    ledger->lock_fd = -1;
    ledger->journal = (struct journal){.dir_fd = -1, .fd = -1};
    ledger->balances = balances_open();
    ledger->given_up = balances_open();
    chain_open(&ledger->chain);
    pthread_mutex_init(&ledger->lock, NULL);
    condition_open(&ledger->wake);
    return ledger;
}

void ledger_reprice(struct ledger *ledger, struct text price_version)
{
    char *fresh = memory_copy(price_version);
    pthread_mutex_lock(&ledger->lock);
    char *before = ledger->price_version;
    ledger->price_version = fresh;
    pthread_mutex_unlock(&ledger->lock);
    free(before);
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

static void free_retired(struct retired *list)
{
    while (list != NULL) {
        struct retired *next = list->next;
        close(list->fd);
        free(list);
        list = next;
    }
}

static void ledger_free(struct ledger *ledger)
{
    free_retired(ledger->retired);
    close_fd(ledger->journal.fd);
    close_fd(ledger->journal.dir_fd);
    close_fd(ledger->lock_fd);
    pthread_cond_destroy(&ledger->wake);
    pthread_mutex_destroy(&ledger->lock);
    chain_close(&ledger->chain);
    balances_close(ledger->balances);
    balances_close(ledger->given_up);
    buffer_close(&ledger->out);
    free(ledger->node);
    free(ledger->price_version);
    free(ledger);
}

/* Continues the newest file, or begins another: either way with an open line. */
static bool begin_process(struct ledger *ledger, struct fault *fault)
{
    struct ledger_file own = files_make(0, text_of(ledger->node), 1);
    if (ledger->journal.fd >= 0 && !files_same_node(&own, &ledger->journal.file))
        return rotate(ledger, fault);
    int before = ledger->journal.fd;
    if (!ledger_rotate_if_due(ledger, fault))
        return false;
    return ledger->journal.fd != before || ledger_append_open(ledger, fault);
}

struct ledger *ledger_open(const struct ledger_options *options, struct ledger_replay *replay,
                           struct fault *fault)
{
    struct ledger *ledger = ledger_new(options);
    struct replay_counts counts = {0};
    struct ledger_replay found = {0};
    if (!take_directory(ledger, options->dir, fault) ||
        !replay_run(&ledger->journal, &ledger->chain, ledger->balances, &counts, fault) ||
        !begin_process(ledger, fault) || !forfeit_holds(ledger, options->kept, &found, fault)) {
        ledger_free(ledger);
        return NULL;
    }
    found.lines = counts.lines;
    found.torn_bytes = counts.torn_bytes;
    *replay = found;
    return ledger;
}

bool ledger_next_balance(const struct ledger *ledger, size_t *at, struct charge *charge)
{
    return balances_next(ledger->balances, at, charge);
}

bool ledger_next_forfeited(const struct ledger *ledger, size_t *at, struct charge *charge)
{
    return balances_next_forfeited(ledger->balances, at, charge);
}

bool ledger_next_given_up(const struct ledger *ledger, size_t *at, struct charge *charge)
{
    return balances_next(ledger->given_up, at, charge);
}

bool ledger_next_hold(const struct ledger *ledger, size_t *at, const struct entry **entry)
{
    return balances_next_hold(ledger->balances, at, entry);
}

void ledger_start(struct ledger *ledger)
{
    ASSERT(!ledger->started);
    int result = pthread_create(&ledger->bookkeeper, NULL, ledger_bookkeeper, ledger);
    ASSERT(result == 0);
    ledger->started = true;
}

/* The last line of a process. Without it the next one finds the same balances. */
static void write_close(struct ledger *ledger)
{
    struct entry entry = {.kind = ENTRY_CLOSE,
                          .wall_us = clock_wall_us(ledger->clock),
                          .ttft_ms = -1,
                          .duration_ms = -1};
    struct chain_place before = ledger->chain.place;
    struct fault fault;
    buffer_clear(&ledger->out);
    put_entry(ledger, &entry);
    if (!ledger_append(ledger, before, &fault))
        log_error("the ledger is closed without its last line: %s", fault.message);
}

bool ledger_close(struct ledger *ledger)
{
    if (ledger == NULL)
        return false;
    pthread_mutex_lock(&ledger->lock);
    ledger->stopping = true;
    pthread_cond_signal(&ledger->wake);
    pthread_mutex_unlock(&ledger->lock);
    if (ledger->started)
        pthread_join(ledger->bookkeeper, NULL);

    pthread_mutex_lock(&ledger->lock);
    write_close(ledger);
    /* Twice: a failed sync begins another file, which has the balances and wants its own. */
    ledger_sync_round(ledger);
    if (ledger->dirty)
        ledger_sync_round(ledger);
    bool safe = !ledger->dirty && !ledger_failing(ledger);
    pthread_mutex_unlock(&ledger->lock);
    ledger_free(ledger);
    return safe;
}
