/* From a configuration to a house: each module gets its own options, nobody else sees the whole. */
#include "cli/house.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/log.h"
#include "budget/rates_wire.h"
#include "cli/recovery.h"
#include "config/store_url.h"
#include "pipeline/pledge.h"

/* Longer than a failover of Redis within one machine's room takes to be noticed, and shorter than
 * callers wait for a budget (admission.wait_ms). */
#define STORE_TIMEOUT_MS 1000

static void say_replay(const struct ledger_replay *replay)
{
    char amount[MONEY_STRING_SIZE];
    if (replay->torn_bytes > 0)
        log_warn("the ledger's last line was torn: %zu bytes were cut off and kept aside",
                 replay->torn_bytes);
    if (replay->forfeits > 0)
        log_warn("calls in flight when the last process died: %zu, booked in full, %s",
                 replay->forfeits, money_string(replay->forfeited, amount));
    log_info("ledger: %zu lines replayed", replay->lines);
}

static bool make_folder(struct text path, struct fault *fault)
{
    char *name = memory_copy(path);
    bool fine = mkdir(name, 0700) == 0 || errno == EEXIST;
    if (!fine)
        fault_set(fault, "data_dir: cannot make %s: %s", name, strerror(errno));
    free(name);
    return fine;
}

static bool open_ledger(struct estate *estate, struct fault *fault)
{
    const struct config *config = estate->config;
    struct ledger_replay replay;
    const struct ledger_options options = {
        .dir = arena_copy(&estate->arena, config->ledger_dir).at,
        .node = config->node,
        .clock = clock_real(),
        .fsync_ms = config->fsync_ms,
        .rotate_bytes = config->rotate_bytes,
        .price_version = catalog_version(estate->terms->catalog),
        .kept = &estate->pledged,
    };
    estate->house.ledger = ledger_open(&options, &replay, fault);
    if (estate->house.ledger == NULL)
        return false;
    estate->ledger_whole = replay.lines > 0;
    say_replay(&replay);
    return true;
}

static bool open_ceilings(struct estate *estate, struct fault *fault)
{
    struct text dir = estate->config->data_dir;
    const char *path = arena_printf(&estate->arena, "%.*s/ceilings.db", TEXT_ARG(dir)).at;
    if (!make_folder(dir, fault))
        return false;
    estate->ceilings = ceilings_open(path, fault);
    if (estate->ceilings == NULL || !ceilings_list_open(estate->ceilings, &estate->arena,
                                                        &estate->open, &estate->open_count, fault))
        return false;
    for (size_t i = 0; i < estate->open_count; i++) {
        struct text call = estate->open[i].owned.notes.call;
        if (table_get(&estate->pledged, call) == NULL)
            table_put(&estate->pledged, call, estate);
    }
    return true;
}

/* No provider keeps them for so long: OpenAI for 30 days. */
#define RESPONSES_KEPT_S (400 * INT64_C(86400))

static bool forget_old_responses(struct estate *estate, struct fault *fault)
{
    int64_t before_s = clock_wall_us(clock_real()) / 1000000 - RESPONSES_KEPT_S;
    static const enum object_kind kinds[] = {OBJECT_RESPONSE, OBJECT_ITEM};
    bool good = true;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t dropped = CEILINGS_DROP_MOST;
        while (good && dropped == CEILINGS_DROP_MOST)
            good = ceilings_drop_older(estate->ceilings, kinds[i], before_s, &dropped, fault);
    }
    return good;
}

/* ---- pledges of the process before ---- */

static const struct entry *find_hold(const struct ledger *ledger, struct text call)
{
    const struct entry *entry = NULL;
    size_t at = 0;
    while (ledger_next_hold(ledger, &at, &entry)) {
        if (text_equal(entry->call, call))
            return entry;
    }
    return NULL;
}

void estate_resume(struct estate *estate, struct worker *worker)
{
    size_t resumed = 0;
    for (size_t i = 0; i < estate->open_count; i++) {
        const struct open_object *open = &estate->open[i];
        const struct entry *entry = find_hold(estate->house.ledger, open->owned.notes.call);
        const struct deed done = {
            .kind = DEED_NOTE, .object = open->object, .notes = {.call = TEXT("")}};
        if (entry != NULL) {
            pledge_resume(worker, &(struct pledge_rest){entry, open});
            resumed++;
        } else if (!registrar_ask(estate->house.registrar, &done)) {
            break; /* the next start tells it again */
        }
    }
    if (resumed > 0)
        log_info("%zu batches and background responses of the process before are followed on",
                 resumed);
}

static bool is_shared(const struct estate *estate)
{
    return estate->config->store_redis.size > 0;
}

struct core_options estate_budgets(const struct estate *estate, const struct config *config)
{
    return (struct core_options){
        .budgets = config->budgets,
        .budget_count = config->budget_count,
        .clamp = draft_clamp(config),
        .min_output_tokens = config->min_output_tokens,
        .default_max_output = config->default_max_output,
        .max_waiting = (size_t)config->max_waiting,
        .max_accounts = (size_t)estate->config->accounts,
        .leased = true,
        .lease_s = config->lease_s,
        .usd_step = is_shared(estate) ? STORE_USD_STEP : 1,
    };
}

static bool open_vault(struct estate *estate, struct fault *fault)
{
    struct text dir = estate->config->data_dir;
    const char *path = arena_printf(&estate->arena, "%.*s/ceilings.db", TEXT_ARG(dir)).at;
    estate->vault = vault_open(path, vault_boot(&estate->arena), fault);
    return estate->vault != NULL;
}

/* Two connections: neither budgets nor rate limits wait for the other. */
static bool open_lessors(struct estate *estate, struct fault *fault)
{
    struct redis_url url;
    if (!is_shared(estate))
        return true;
    if (!config_store_url(estate->config, &url, fault))
        return false;
    const struct lessor_options budgets = {.url = &url,
                                           .timeout_ms = STORE_TIMEOUT_MS,
                                           .wait_replicas = estate->config->wait_replicas};
    const struct lessor_options rates = {
        .url = &url, .script = rates_script(), .timeout_ms = STORE_TIMEOUT_MS};
    estate->lessor = lessor_open(&budgets);
    estate->rationer = lessor_open(&rates);
    return true;
}

static void open_rates(struct estate *estate)
{
    struct house *house = &estate->house;
    house->rates = rates_gate_open((size_t)estate->config->accounts);
    const struct warden_options options = {.gate = house->rates,
                                           .lessor = estate->rationer,
                                           .clock = clock_real(),
                                           .instances =
                                               vault_identity(estate->vault)->mark.instances};
    if (estate->rationer != NULL)
        house->warden = warden_open(&options);
}

/* Budgets as they were, and who lets their ceilings grow. */
static bool open_budgets(struct estate *estate, struct fault *fault)
{
    const struct core_options options = estate_budgets(estate, estate->config);
    struct arena arena = {0};
    struct house *house = &estate->house;
    house->gate = gate_open(&options);
    struct recovery recovery = {.gate = house->gate,
                                .ledger = house->ledger,
                                .vault = estate->vault,
                                .ledger_whole = estate->ledger_whole,
                                .shared = is_shared(estate),
                                .clock = clock_real()};
    const struct treasury_options treasury = {.gate = house->gate,
                                              .vault = estate->vault,
                                              .lessor = estate->lessor,
                                              .label = estate->config->node,
                                              .clock = clock_real()};
    bool good = vault_rows(estate->vault, &arena, &recovery.rows, &recovery.row_count, fault) &&
                recover(&recovery, fault) &&
                vault_rows(estate->vault, &arena, &recovery.rows, &recovery.row_count, fault);
    if (good)
        house->treasury = treasury_open(&treasury, recovery.rows, recovery.row_count);
    arena_close(&arena);
    return good;
}

static bool open_clerk(struct estate *estate, struct fault *fault)
{
    const struct config *config = estate->config;
    const char *dir = arena_copy(&estate->arena, config->ledger_dir).at;
    const char *database =
        arena_printf(&estate->arena, "%.*s/books.db", TEXT_ARG(config->data_dir)).at;
    estate->house.clerk = clerk_open(dir, database, fault);
    return estate->house.clerk != NULL;
}

static void open_cache(struct estate *estate)
{
    const struct cache_options options = {
        .bytes_most = (size_t)estate->config->cache_bytes,
        .ttl_us = estate->terms->recall.ttl_us,
    };
    struct house *house = &estate->house;
    ssize_t got = getrandom(house->secret, sizeof house->secret, 0);
    ASSERT(got == (ssize_t)sizeof house->secret);
    house->cache = cache_open(&options);
}

bool estate_open(struct estate *estate, struct terms *terms, struct fault *fault)
{
    *estate = (struct estate){
        .founding = terms_take(terms), .terms = terms_take(terms), .config = draft_config(terms)};
    estate->house.bell = bell_open();
    pthread_mutex_init(&estate->house.guests.lock, NULL);
    pthread_mutex_init(&estate->house.bookings.lock, NULL);
    drift_open(&estate->house.drift);
    open_cache(estate);
    if (open_ceilings(estate, fault) && forget_old_responses(estate, fault) &&
        open_ledger(estate, fault) && open_vault(estate, fault) && open_lessors(estate, fault) &&
        open_budgets(estate, fault)) {
        open_rates(estate);
        estate->house.registrar = registrar_open(estate->ceilings);
        estate->house.reader = reader_open();
        if (open_clerk(estate, fault))
            return true;
    }
    estate_close(estate);
    return false;
}

void estate_dismiss_writers(struct estate *estate)
{
    clerk_close(estate->house.clerk);
    estate->house.clerk = NULL;
    registrar_close(estate->house.registrar);
    estate->house.registrar = NULL;
    reader_close(estate->house.reader);
    estate->house.reader = NULL;
    treasury_retire(estate->house.treasury);
    warden_retire(estate->house.warden);
}

void estate_close(struct estate *estate)
{
    struct house *house = &estate->house;
    estate_dismiss_writers(estate);
    if (house->gate != NULL)
        ASSERT(gate_open_holds(house->gate) == 0);
    treasury_close(house->treasury);
    warden_close(house->warden);
    lessor_close(estate->lessor);
    lessor_close(estate->rationer);
    gate_close(house->gate);
    rates_gate_close(house->rates);
    cache_close(house->cache);
    ceilings_close(estate->ceilings);
    vault_close(estate->vault, ledger_close(house->ledger));
    bell_close(house->bell);
    table_close(&house->guests.accepted);
    table_close(&house->bookings.names);
    table_close(&estate->pledged);
    pthread_mutex_destroy(&house->guests.lock);
    pthread_mutex_destroy(&house->bookings.lock);
    drift_close(&house->drift);
    buffer_close(&estate->misfits);
    arena_close(&estate->arena);
    terms_drop(estate->terms);
    terms_drop(estate->founding);
    *estate = (struct estate){0};
}
