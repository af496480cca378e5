/* What the operator asks of a running purser: /admin/... */
#include "front/endpoints.h"

#include <inttypes.h>

#include "base/json.h"
#include "base/log.h"
#include "gear/bell.h"
#include "pipeline/refusal.h"

/* ---- reload ---- */

void endpoint_reload(struct request *request, struct text rest)
{
    (void)rest;
    struct worker *worker = request->worker;
    const struct petition petition = {.kind = PETITION_RELOAD};
    if (!bell_ring(worker->house->bell, worker->mailbox, request->id, &petition))
        refuse(request, REFUSAL_SHUTTING_DOWN, NULL, "purser is shutting down.");
}

/* ---- the cache ---- */

static void answer(struct request *request, struct buffer *body)
{
    buffer_put(body, TEXT("}\n"));
    reply_header(&request->reply, "Content-Type", "application/json");
    reply_whole_take(&request->reply, 200, body);
}

static void put_rules(struct buffer *out, const struct recall_rules *rules)
{
    static const char *const spaces[] = {
        [RECALL_PER_KEY] = "key",
        [RECALL_PER_TEAM] = "team",
        [RECALL_FOR_ALL] = "global",
    };
    const char *mode = !rules->on ? "off" : rules->normalized ? "normalized" : "exact";
    json_put_text_member(out, TEXT("mode"), text_of(mode));
    json_put_text_member(out, TEXT("namespace"), text_of(spaces[rules->space]));
    json_put_int_member(out, TEXT("ttl_seconds"), rules->ttl_us / 1000000);
}

/* Hundredths are cut off: 100 is all of them. */
static void put_percent(struct buffer *out, const char *name, uint64_t part, uint64_t whole)
{
    json_put_name(out, text_of(name));
    if (whole == 0) {
        buffer_put(out, TEXT("null"));
        return;
    }
    uint64_t hundredths = (uint64_t)((unsigned __int128)part * 10000 / whole);
    buffer_printf(out, "%" PRIu64 ".%02" PRIu64, hundredths / 100, hundredths % 100);
}

static void put_counts(struct buffer *out, struct house *house)
{
    uint64_t count[RECALL_STATE_COUNT];
    for (size_t i = 0; i < RECALL_STATE_COUNT; i++)
        count[i] = atomic_load(&house->recalled[i]);
    uint64_t hits = count[RECALL_HIT] + count[RECALL_FOLLOW];
    json_put_int_member(out, TEXT("hits"), (int64_t)hits);
    json_put_int_member(out, TEXT("joined"), (int64_t)count[RECALL_FOLLOW]);
    json_put_int_member(out, TEXT("misses"), (int64_t)count[RECALL_MISS]);
    json_put_int_member(out, TEXT("bypassed"), (int64_t)count[RECALL_BYPASS]);
    put_percent(out, "hit_percent", hits, hits + count[RECALL_MISS]);
}

static void put_stats(struct buffer *out, const struct cache_stats *stats)
{
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"input_hits", stats->parts_known},
        {"input_misses", stats->parts_missing},
        {"flights", stats->flights},
        {"entries", stats->entries},
        {"bytes", stats->bytes},
        {"max_bytes", stats->bytes_most},
        {"stored", stats->stored},
        {"evicted", stats->evicted},
        {"expired", stats->expired},
        {"too_large", stats->too_large},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        json_put_int_member(out, text_of(rows[i].name), (int64_t)rows[i].value);
}

void endpoint_cache(struct request *request, struct text rest)
{
    (void)rest;
    struct house *house = request->worker->house;
    struct cache_stats stats;
    struct buffer body = {0};
    cache_read_stats(house->cache, &stats);
    buffer_put(&body, TEXT("{\"object\":\"cache\""));
    put_rules(&body, &request->terms->recall);
    put_counts(&body, house);
    put_stats(&body, &stats);
    answer(request, &body);
}

void endpoint_clear(struct request *request, struct text rest)
{
    (void)rest;
    struct buffer body = {0};
    size_t entries = cache_clear(request->worker->house->cache);
    log_info("%s: the cache was cleared of %zu answers", request->name, entries);
    buffer_put(&body, TEXT("{\"object\":\"cache.cleared\""));
    json_put_int_member(&body, TEXT("entries"), (int64_t)entries);
    answer(request, &body);
}
