/*
 * GET /metrics: what Prometheus scrapes, in its text format (version 0.0.4). Every metric has one
 * row of its name, type and meaning; labels are of bounded number.
 */
#include <inttypes.h>

#include "front/endpoints.h"
#include "pipeline/figures.h"
#include "pipeline/refusal.h"

#define SUMS_MOST 1000 /* budgets and units that are told */

static void begin(struct buffer *out, const char *name, const char *type, const char *help)
{
    buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_gauge(struct buffer *out, const char *name, const char *help, uint64_t value)
{
    begin(out, name, "gauge", help);
    buffer_printf(out, "%s %" PRIu64 "\n", name, value);
}

/* The inside of a label's quotes. */
static void put_escaped(struct buffer *out, struct text plain)
{
    for (size_t i = 0; i < plain.size; i++) {
        char c = plain.at[i];
        if (c == '\\' || c == '"')
            buffer_put_byte(out, '\\');
        buffer_put(out, c == '\n' ? TEXT("\\n") : text_make(&c, 1));
    }
}

static void put_of_model(struct buffer *out, const char *name, struct text model)
{
    buffer_printf(out, "%s{model=\"", name);
    put_escaped(out, model);
    buffer_put_byte(out, '"');
}

/* ---- requests ---- */

static void put_calls(struct buffer *out, const struct tallies *tallies)
{
    static const char *const statuses[] = {"2xx", "3xx", "4xx", "5xx"};
    begin(out, "purser_calls_total", "counter",
          "Calls at upstreams that were booked, by endpoint and the status the client got.");
    for (int endpoint = 0; endpoint < ENDPOINT_COUNT; endpoint++) {
        for (int status = 0; status < TALLY_STATUS_COUNT; status++) {
            uint64_t calls =
                tallies_calls(tallies, (enum endpoint)endpoint, (enum tally_status)status);
            if (calls > 0)
                buffer_printf(
                    out, "purser_calls_total{endpoint=\"%s\",status=\"%s\"} %" PRIu64 "\n",
                    endpoint_facts((enum endpoint)endpoint)->name, statuses[status], calls);
        }
    }
}

/* Several refusals may have one code. */
static bool has_code_before(int refusal)
{
    for (int other = 0; other < refusal; other++) {
        if (strcmp(refusal_code((enum refusal)other), refusal_code((enum refusal)refusal)) == 0)
            return true;
    }
    return false;
}

static void put_refusals(struct buffer *out, const struct tallies *tallies)
{
    begin(out, "purser_refusals_total", "counter", "Answers that are errors of purser's own.");
    for (int refusal = 0; refusal < REFUSAL_COUNT; refusal++) {
        const char *code = refusal_code((enum refusal)refusal);
        uint64_t sum = 0;
        for (int other = refusal; !has_code_before(refusal) && other < REFUSAL_COUNT; other++) {
            bool same = strcmp(refusal_code((enum refusal)other), code) == 0;
            sum += same ? tallies_refusals(tallies, (size_t)other) : 0;
        }
        if (sum > 0)
            buffer_printf(out, "purser_refusals_total{code=\"%s\"} %" PRIu64 "\n", code, sum);
    }
}

static void put_rate_limited(struct buffer *out, const struct tallies *tallies)
{
    begin(out, "purser_rate_limited_total", "counter",
          "Refusals by rate limits, by what was full.");
    for (int rated = 0; rated < RATED_COUNT; rated++)
        buffer_printf(out, "purser_rate_limited_total{limit=\"%s\"} %" PRIu64 "\n",
                      rated_name((enum rated)rated),
                      tallies_refusals(tallies, (size_t)(REFUSAL_RATE_REQUESTS + rated)));
}

/* ---- models ---- */

static void put_costs(struct buffer *out, const struct tally_sum *sums, size_t count)
{
    begin(out, "purser_cost_usd_total", "counter", "What was booked for calls.");
    for (size_t i = 0; i < count; i++) {
        put_of_model(out, "purser_cost_usd_total", sums[i].name);
        buffer_printf(out, "} %" PRIu64 ".%09" PRIu64 "\n", sums[i].cost_nano / 1000000000,
                      sums[i].cost_nano % 1000000000);
    }
    begin(out, "purser_model_calls_total", "counter", "Calls that were booked.");
    for (size_t i = 0; i < count; i++) {
        put_of_model(out, "purser_model_calls_total", sums[i].name);
        buffer_printf(out, "} %" PRIu64 "\n", sums[i].calls);
    }
}

static void put_models(struct request *request, struct buffer *out)
{
    static const char *const kinds[] = {"prompt", "cached", "completion", "reasoning"};
    struct tally_sum *sums = arena_new(&request->arena, (TALLY_MODELS_MOST + 1) * sizeof *sums);
    size_t count = tallies_models(&request->worker->house->tallies, sums);
    put_costs(out, sums, count);
    begin(out, "purser_tokens_total", "counter",
          "Tokens that were booked; prompt has cached ones in it, completion reasoning.");
    for (size_t i = 0; i < count; i++) {
        for (int kind = 0; kind < TALLY_TOKEN_COUNT; kind++) {
            put_of_model(out, "purser_tokens_total", sums[i].name);
            buffer_printf(out, ",kind=\"%s\"} %" PRIu64 "\n", kinds[kind], sums[i].tokens[kind]);
        }
    }
}

static void put_drift(struct request *request, struct buffer *out)
{
    static const char *const names[] = {"purser_prompts_compared_total",
                                        "purser_prompts_different_total", "purser_prompt_ratio"};
    static const char *const helps[] = {
        "Prompts whose reported tokens were compared with a count.",
        "Of those, the ones that were reported otherwise; with a public tokeniser there are none.",
        "Reported tokens for each that was counted, in o200k_base: the largest of the last 64."};
    struct drift_view *views = arena_new(&request->arena, DRIFT_MODELS_MOST * sizeof *views);
    size_t count = drift_view(&request->worker->house->drift, views);
    for (int row = 0; row < 3; row++) {
        begin(out, names[row], row < 2 ? "counter" : "gauge", helps[row]);
        for (size_t i = 0; i < count; i++) {
            put_of_model(out, names[row], views[i].name);
            buffer_printf(out, ",tokeniser=\"%s\"} ", views[i].exact ? "public" : "unknown");
            if (row < 2)
                buffer_put_int(out, row == 0 ? views[i].samples : views[i].different);
            else
                buffer_printf(out, "%lld.%03lld", (long long)(views[i].permille / 1000),
                              (long long)(views[i].permille % 1000));
            buffer_put_byte(out, '\n');
        }
    }
}

/* ---- the house ---- */

static void put_cache(struct house *house, struct buffer *out)
{
    static const struct {
        const char *result;
        enum recall_state state;
    } rows[] = {{"hit", RECALL_HIT},
                {"joined", RECALL_FOLLOW},
                {"miss", RECALL_MISS},
                {"bypass", RECALL_BYPASS}};
    struct cache_stats stats;
    begin(out, "purser_cache_requests_total", "counter",
          "Requests by what the cache had for them.");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        buffer_printf(out, "purser_cache_requests_total{result=\"%s\"} %" PRIu64 "\n",
                      rows[i].result, (uint64_t)atomic_load(&house->recalled[rows[i].state]));
    cache_read_stats(house->cache, &stats);
    put_gauge(out, "purser_cache_entries", "Answers in memory.", stats.entries);
    put_gauge(out, "purser_cache_bytes", "Memory that they take.", stats.bytes);
}

static void put_house(struct house *house, struct buffer *out)
{
    begin(out, "purser_build_info", "gauge", "The version that runs.");
    buffer_put(out, TEXT("purser_build_info{version=\"" PURSER_VERSION "\"} 1\n"));
    put_gauge(out, "purser_calls_in_flight", "Calls at upstreams now.", atomic_load(&house->calls));
    put_gauge(out, "purser_open_holds", "Holds on budgets now.", gate_open_holds(house->gate));
    put_gauge(out, "purser_pledges",
              "Batches and background responses whose provider is asked how far they are.",
              atomic_load(&house->pledges));
    put_gauge(out, "purser_pledges_unanswered",
              "Of those, the ones whose provider refused the last question, or gave no answer.",
              atomic_load(&house->pledges_tried));
    put_gauge(out, "purser_rate_accounts", "Callers, models and upstreams counted for rate limits.",
              rates_gate_accounts(house->rates));
    put_gauge(out, "purser_ledger_failing", "1 while the ledger cannot be written.",
              ledger_failing(house->ledger) ? 1 : 0);
    put_gauge(out, "purser_not_in_force",
              "Keys and budgets made at run time that this instance's file contradicts.",
              atomic_load(&house->misfits));
    put_gauge(out, "purser_stopping", "1 once it has been told to stop.",
              atomic_load(&house->stopping) ? 1 : 0);
}

/* ---- budgets ---- */

static void put_store(const struct treasury *treasury, struct buffer *out)
{
    begin(out, "purser_store_state", "gauge", "1 for how the store of budgets is, 0 else.");
    for (int state = 0; state < LEASE_STATE_COUNT; state++)
        buffer_printf(out, "purser_store_state{state=\"%s\"} %d\n",
                      lease_state_name((enum lease_state)state),
                      treasury_state(treasury) == (enum lease_state)state);
    put_gauge(out, "purser_budgets_grow", "0 while no budget can grow.",
              treasury_grants(treasury) ? 1 : 0);
}

static void put_rates_store(const struct warden *warden, struct buffer *out)
{
    if (warden == NULL)
        return;
    put_gauge(out, "purser_rates_shared", "0 while the store of rate limits does not answer.",
              warden_is_heard(warden) ? 1 : 0);
    put_gauge(out, "purser_rates_instances", "Instances that share rate limits; 0: not known.",
              (size_t)warden_instances(warden));
    begin(out, "purser_rates_operations_total", "counter",
          "Asked of the store of rate limits; one is for many requests.");
    buffer_printf(out, "purser_rates_operations_total %lld\n",
                  (long long)warden_operations(warden));
}

static void put_sum(struct buffer *out, const char *name, const struct budget_sum *sum,
                    int64_t amount)
{
    buffer_printf(out, "%s{budget=\"", name);
    put_escaped(out, sum->budget);
    buffer_printf(out, "\",scope=\"%s\",unit=\"%s\"} ", scope_name(sum->scope),
                  unit_name(sum->unit));
    figures_put_amount(out, sum->unit, amount);
    buffer_put_byte(out, '\n');
}

static void put_budgets(struct request *request, struct buffer *out)
{
    static const struct {
        const char *name, *help;
        size_t offset;
    } rows[] = {
        {"purser_budget_spent", "Spent in this window by this instance, in all its accounts.",
         offsetof(struct budget_sum, spent)},
        {"purser_budget_reserved", "Held by calls under way.", offsetof(struct budget_sum, held)},
        {"purser_budget_ceiling", "How far this instance may spend without asking for more.",
         offsetof(struct budget_sum, ceiling)},
        {"purser_budget_overdraft",
         "Of the ceiling: what no store has granted, because none answered.",
         offsetof(struct budget_sum, overdraft)},
        {"purser_budget_forfeited", "Of what is spent: booked without knowing that it was used.",
         offsetof(struct budget_sum, forfeited)},
    };
    struct worker *worker = request->worker;
    struct budget_sum *sums = arena_new(&request->arena, SUMS_MOST * sizeof *sums);
    size_t count =
        gate_sums(worker->house->gate, loop_wall_us(worker->loop) / 1000000, sums, SUMS_MOST);
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        begin(out, rows[row].name, "gauge", rows[row].help);
        for (size_t i = 0; i < count; i++) {
            int64_t amount;
            memcpy(&amount, (const char *)&sums[i] + rows[row].offset, sizeof(amount));
            put_sum(out, rows[row].name, &sums[i], amount);
        }
    }
}

void endpoint_metrics(struct request *request, struct text rest)
{
    (void)rest;
    struct house *house = request->worker->house;
    struct buffer body = {0};
    put_house(house, &body);
    put_store(house->treasury, &body);
    put_rates_store(house->warden, &body);
    put_budgets(request, &body);
    put_calls(&body, &house->tallies);
    put_refusals(&body, &house->tallies);
    put_rate_limited(&body, &house->tallies);
    put_models(request, &body);
    put_drift(request, &body);
    put_cache(house, &body);
    reply_header(&request->reply, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    reply_whole_take(&request->reply, 200, &body);
}
