/* Pledges: asking, and settling in the end. */
#include "pipeline/pledge.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/log.h"
#include "gear/cost.h"
#include "pipeline/errand.h"
#include "pipeline/objects.h"

#define ANSWER_MOST (32 * 1024 * 1024) /* a response with all it said */

enum progress { PROGRESS_NONE, PROGRESS_RUNNING, PROGRESS_ENDED };

static enum progress progress_of(struct json_value object)
{
    static const char *const running[] = {"validating", "in_progress", "finalizing", "cancelling",
                                          "queued"};
    static const char *const ended[] = {"completed", "failed", "expired", "cancelled",
                                        "incomplete"};
    struct json_value status;
    if (!json_member(object, TEXT("status"), &status))
        return PROGRESS_NONE;
    for (size_t i = 0; i < sizeof running / sizeof *running; i++) {
        if (json_is(status, text_of(running[i])))
            return PROGRESS_RUNNING;
    }
    for (size_t i = 0; i < sizeof ended / sizeof *ended; i++) {
        if (json_is(status, text_of(ended[i])))
            return PROGRESS_ENDED;
    }
    return PROGRESS_NONE;
}

static enum object_kind kind_of(const struct call *call)
{
    return endpoint_facts(call->endpoint)->by_file ? OBJECT_BATCH : OBJECT_RESPONSE;
}

/* A batch never tells its usage in its first answer, however soon it ended. */
void pledge_look(struct call *call)
{
    bool batch = kind_of(call) == OBJECT_BATCH;
    struct text answer = buffer_text(&call->answer);
    struct json_value object;
    if (json_parse(answer, &object, NULL) != JSON_OK)
        return;
    enum progress progress = progress_of(object);
    bool pending = progress == PROGRESS_RUNNING || (batch && progress == PROGRESS_ENDED);
    if (pending && objects_id_of(answer, &call->arena, &call->pending) && batch)
        buffer_put(&call->pending_answer, answer);
}

/* ---- life ---- */

static void ask(void *context);

static struct pledge *pledge_new(struct worker *worker, int64_t made_s)
{
    struct pledge *pledge = memory_new(sizeof *pledge);
    pledge->worker = worker;
    pledge->timer.due = ask;
    pledge->timer.context = pledge;
    pledge->made_s = made_s;
    pledge->patience = patience_begin(worker->terms->poll_us, made_s * 1000000);
    pledge->next = worker->pledges;
    pledge->previous = &worker->pledges;
    if (pledge->next != NULL)
        pledge->next->previous = &pledge->next;
    worker->pledges = pledge;
    loop_timer_set(worker->loop, &pledge->timer, pledge->patience.wait_us);
    atomic_fetch_add(&worker->house->pledges, 1);
    return pledge;
}

static void release(void *thing)
{
    struct pledge *pledge = thing;
    buffer_close(&pledge->answer);
    buffer_close(&pledge->shown);
    results_close(&pledge->results);
    arena_close(&pledge->arena);
    free(pledge);
}

/* How many of them cannot be asked. */
static void count_tried(struct pledge *pledge, bool was, bool is)
{
    atomic_size_t *tried = &pledge->worker->house->pledges_tried;
    if (is && !was)
        atomic_fetch_add(tried, 1);
    if (was && !is)
        atomic_fetch_sub(tried, 1);
}

static void pledge_close(struct pledge *pledge)
{
    count_tried(pledge, patience_is_tried(&pledge->patience), false);
    atomic_fetch_sub(&pledge->worker->house->pledges, 1);
    loop_timer_cancel(pledge->worker->loop, &pledge->timer);
    errand_close(pledge->errand);
    pledge->errand = NULL;
    *pledge->previous = pledge->next;
    if (pledge->next != NULL)
        pledge->next->previous = pledge->previous;
    loop_defer(pledge->worker->loop, release, pledge);
}

static void order(struct worker *worker, const struct deed *deed)
{
    bool taken = registrar_ask(worker->house->registrar, deed); /* it logs what it cannot do */
    (void)taken;
}

/* What of the hold stands in no line of the ledger. */
static void note_hold(struct pledge *pledge)
{
    struct text facts =
        arena_printf(&pledge->arena, "%" PRId64 " %" PRId64 " %u", pledge->held.input_tokens,
                     pledge->held.output_tokens, pledge->held.bound.services);
    struct deed deed = {.kind = DEED_CLAIM,
                        .object = pledge->object,
                        .key = pledge->entry.key,
                        .made_s = pledge->made_s,
                        .notes = {.about = buffer_text(&pledge->shown), .facts = facts}};
    if (pledge->credential.size == 0)
        deed.notes.call = pledge->entry.call;
    if (deed.notes.about.size > CEILINGS_NOTE_MOST / 2)
        deed.notes.about = TEXT_NONE;
    order(pledge->worker, &deed);
    deed.kind = DEED_NOTE; /* a response may have been claimed already, without the notes */
    order(pledge->worker, &deed);
}

void pledge_open(struct call *call)
{
    ASSERT(call->pending.size > 0);
    ASSERT(!call->taken_over);
    struct pledge *pledge = pledge_new(call->worker, loop_wall_us(call->worker->loop) / 1000000);
    pledge->arena = call->arena;
    call->arena = (struct arena){0};
    pledge->entry = call->entry;
    pledge->held = call->held;
    pledge->object = (struct object){kind_of(call), call->entry.upstream, call->pending};
    pledge->shown = call->pending_answer;
    call->pending_answer = (struct buffer){0};
    if (call->terms->admission.mode == ADMISSION_PASSTHROUGH)
        pledge->credential = arena_copy(&pledge->arena, call->credential);
    note_hold(pledge);
}

void pledges_renew(struct worker *worker)
{
    for (struct pledge *pledge = worker->pledges; pledge != NULL; pledge = pledge->next) {
        if (pledge->errand != NULL || pledge->settled || !patience_is_tried(&pledge->patience))
            continue;
        patience_renew(&pledge->patience, worker->terms->poll_us);
        loop_timer_set(worker->loop, &pledge->timer, pledge->patience.wait_us);
    }
}

void pledges_close(struct worker *worker)
{
    while (worker->pledges != NULL) {
        struct pledge *pledge = worker->pledges;
        if (!pledge->settled && pledge->held.hold != 0)
            gate_settle(worker->house->gate, pledge->held.hold, &(struct spend){{0}}, NULL);
        pledge_close(pledge);
    }
}

/* ---- settling ---- */

static void book(struct pledge *pledge)
{
    struct entry *entry = &pledge->entry;
    struct worker *worker = pledge->worker;
    const struct spend used = {{
        [UNIT_USD] = entry->cost.nano,
        [UNIT_TOKENS] = entry->prompt_tokens + entry->completion_tokens,
        [UNIT_REQUESTS] = 1,
    }};
    struct charge *charges = (struct charge *)(uintptr_t)pledge->held.charges;
    for (size_t i = 0; i < pledge->held.charge_count; i++)
        charges[i].amount = used.amount[charges[i].unit];
    entry->charges = charges;
    entry->charge_count = pledge->held.charge_count;
    struct money over = MONEY_ZERO;
    worker_book(worker, pledge->held.hold, &used, &over);
    char amount[MONEY_STRING_SIZE];
    if (over.nano > 0)
        log_error("%.*s: upstream %.*s billed %s more than its bound; booked as a fact",
                  TEXT_ARG(entry->call), TEXT_ARG(entry->upstream), money_string(over, amount));
}

/* The note goes in a later turn: the line is written at the end of this one, and until then a crash
 * must find the hold as it was. */
static void settle(struct pledge *pledge, const char *stop_reason)
{
    struct entry *entry = &pledge->entry;
    struct worker *worker = pledge->worker;
    char cost[MONEY_STRING_SIZE];
    book(pledge);
    entry->kind = ENTRY_SETTLE;
    entry->wall_us = loop_wall_us(worker->loop);
    entry->status = 200;
    entry->stop_reason = text_of(stop_reason);
    entry->duration_ms = entry->wall_us / 1000 - pledge->made_s * 1000;
    entry->hold = MONEY_ZERO;
    ledger_note(worker->batch, entry);
    log_info("%.*s: %.*s of key %.*s is settled: tokens=%lld+%lld cost=%s stop=%s",
             TEXT_ARG(entry->call), TEXT_ARG(pledge->object.id), TEXT_ARG(entry->key),
             (long long)entry->prompt_tokens, (long long)entry->completion_tokens,
             money_string(entry->cost, cost), stop_reason);
    pledge->settled = true;
    loop_timer_set(worker->loop, &pledge->timer, 0);
}

static void settle_hold(struct pledge *pledge, const char *why)
{
    struct entry *entry = &pledge->entry;
    log_warn("%.*s: what %.*s used will not be known (%s): its hold is booked",
             TEXT_ARG(entry->call), TEXT_ARG(pledge->object.id), why);
    entry->prompt_tokens = pledge->held.input_tokens;
    entry->completion_tokens = pledge->held.output_tokens;
    entry->cost = pledge->held.amount;
    entry->usage_source = USAGE_BOUND;
    settle(pledge, "unknown");
}

/* What the batch says succeeded; an answer that ends with its connection may have lost some.
 * `else_whole`: of a batch that does not say it. */
static bool results_are_whole(const struct pledge *pledge, bool else_whole)
{
    struct json_value batch, counts, completed;
    int64_t told = 0;
    bool says = json_parse(buffer_text(&pledge->shown), &batch, NULL) == JSON_OK &&
                json_member(batch, TEXT("request_counts"), &counts) &&
                json_member(counts, TEXT("completed"), &completed) && json_int(completed, &told);
    return says ? pledge->results.succeeded >= told : else_whole;
}

static void settle_results(struct pledge *pledge)
{
    struct entry *entry = &pledge->entry;
    const struct results *results = &pledge->results;
    if (results->unclear) {
        settle_hold(pledge, "its results do not tell their usage");
        return;
    }
    entry->prompt_tokens = results->prompt_tokens;
    entry->cached_tokens = results->cached_tokens;
    entry->cache_write_tokens = results->cache_write_tokens;
    entry->completion_tokens = results->completion_tokens;
    entry->reasoning_tokens = results->reasoning_tokens;
    entry->usage_source = USAGE_REPORTED;
    entry->cost = results->cost;
    if (money_compare(results->standard, results->cost) > 0)
        entry->saved[SAVING_BATCH] = money_subtract(results->standard, results->cost);
    settle(pledge, "stop");
}

/* The price of the moment in which it was made, if its model still has one. */
static const struct model *model_of(const struct pledge *pledge)
{
    const struct terms *terms = pledge->worker->terms;
    const struct upstream *upstream = errand_upstream(terms, pledge->object.upstream);
    struct text asked = pledge->entry.model_requested, sent;
    if (upstream == NULL || !upstream_serves(upstream, asked, &sent))
        return NULL;
    return route_price(terms, upstream, sent, asked, pledge->made_s);
}

/* ---- what the upstream says ---- */

/* For how long it was so is in `patience`. */
static const char *reason_of(const struct pledge *pledge, enum patience_end end)
{
    if (end == PATIENCE_ENDED)
        return "it came to no end";
    return pledge->reading ? "its results are gone, or not whole"
                           : "its provider does not know it any more";
}

static void ask_later(struct pledge *pledge, enum news news)
{
    struct worker *worker = pledge->worker;
    struct patience *patience = &pledge->patience;
    bool was = patience_is_tried(patience);
    enum patience_end end = patience_take(patience, news, loop_wall_us(worker->loop));
    count_tried(pledge, was, patience_is_tried(patience));
    if (end != PATIENCE_WAITS)
        settle_hold(pledge, reason_of(pledge, end));
    else
        loop_timer_set(worker->loop, &pledge->timer, patience->wait_us);
}

/* A batch that was not begun has no results, and need not say how many. */
static bool has_failed(struct json_value batch)
{
    return json_member_is(batch, TEXT("status"), TEXT("failed"));
}

static void read_results(struct pledge *pledge, struct json_value batch)
{
    struct json_value file;
    const struct model *model = model_of(pledge);
    if (!json_member(batch, TEXT("output_file_id"), &file) || file.kind != JSON_STRING) {
        if (results_are_whole(pledge, has_failed(batch))) /* no line has succeeded */
            settle_results(pledge);
        else
            settle_hold(pledge, "it names no results");
    } else if (model == NULL && pledge->held.amount.nano > 0) {
        settle_hold(pledge, "its model has no price any more");
    } else {
        pledge->reading = true;
        ask(pledge);
    }
}

static void settle_response(struct pledge *pledge, struct text answer)
{
    struct entry *entry = &pledge->entry;
    const struct model *model = model_of(pledge);
    struct answer_report report;
    answer_read(answer, &report);
    objects_claim_items(pledge->worker, (struct output){pledge->object.upstream, entry->key, true},
                        answer);
    if (report.usage_result != USAGE_FOUND) {
        settle_hold(pledge, "it tells no usage");
        return;
    }
    if (model == NULL && pledge->held.amount.nano > 0) {
        settle_hold(pledge, "its model has no price any more");
        return;
    }
    enum service service;
    bool told = model != NULL && service_named(report.service_tier, &service) &&
                price_of_service(&model->price, service) != NULL;
    unsigned services =
        told ? SERVICE_BIT(service) : pledge->held.bound.services | SERVICE_BIT(SERVICE_STANDARD);
    entry->prompt_tokens = report.usage.prompt;
    entry->cached_tokens = report.usage.cached;
    entry->cache_write_tokens = report.usage.cache_write;
    entry->completion_tokens = report.usage.completion;
    entry->reasoning_tokens = report.usage.reasoning;
    entry->usage_source = USAGE_REPORTED;
    entry->service_tier = told ? text_of(service_name(service)) : TEXT_NONE;
    if (model != NULL)
        entry->cost = cost_of_usage(&report.usage, &model->price, services);
    settle(pledge, "stop");
}

static void show(struct pledge *pledge, struct text answer)
{
    if (text_equal(answer, buffer_text(&pledge->shown)))
        return;
    buffer_clear(&pledge->shown);
    buffer_put(&pledge->shown, answer);
    objects_show(pledge->worker, &pledge->object, pledge->entry.key, answer);
}

static void say_silent(const struct pledge *pledge, int status)
{
    log_warn("%.*s: upstream %.*s does not tell how far %.*s is (status %d); its hold stays, and "
             "it is asked again",
             TEXT_ARG(pledge->entry.call), TEXT_ARG(pledge->object.upstream),
             TEXT_ARG(pledge->object.id), status);
}

static void take_object(struct pledge *pledge)
{
    struct text answer = buffer_text(&pledge->answer);
    struct json_value object;
    enum progress progress =
        json_parse(answer, &object, NULL) == JSON_OK ? progress_of(object) : PROGRESS_NONE;
    if (progress != PROGRESS_NONE && pledge->object.kind == OBJECT_BATCH)
        show(pledge, answer);
    if (progress == PROGRESS_NONE)
        say_silent(pledge, 200);
    if (progress != PROGRESS_ENDED)
        ask_later(pledge, progress == PROGRESS_RUNNING ? NEWS_RUNNING : NEWS_NONE);
    else if (pledge->object.kind == OBJECT_BATCH)
        read_results(pledge, object);
    else
        settle_response(pledge, answer);
}

static void finish(struct pledge *pledge)
{
    struct errand *errand = pledge->errand;
    bool answered = errand_answered(errand);
    int status = answered ? transfer_status(errand->transfer) : 0;
    bool to_its_close = answered && transfer_until_close(errand->transfer);
    pledge->errand = NULL;
    errand_close(errand);
    if (status == 200 && !pledge->reading) {
        take_object(pledge);
        return;
    }
    if (status == 200)
        results_end(&pledge->results);
    bool whole = status == 200 && results_are_whole(pledge, !to_its_close);
    if (whole) {
        settle_results(pledge);
        return;
    }
    say_silent(pledge, status);
    bool lost = status == 404 || status == 410 || status == 200;
    ask_later(pledge, lost ? NEWS_LOST : NEWS_NONE);
}

static void news(void *context)
{
    struct pledge *pledge = context;
    struct transfer *transfer = pledge->errand->transfer;
    struct text bytes = transfer_body(transfer);
    if (transfer_status(transfer) == 200 && pledge->reading)
        results_feed(&pledge->results, bytes);
    else if (pledge->answer.size + bytes.size <= ANSWER_MOST)
        buffer_put(&pledge->answer, bytes);
    transfer_taken(transfer);
    if (errand_over(pledge->errand))
        finish(pledge);
}

/* ---- asking ---- */

static struct text path_of(const struct pledge *pledge, struct arena *arena)
{
    struct json_value batch, file;
    if (pledge->object.kind == OBJECT_RESPONSE)
        return arena_join(arena, (struct text[]){TEXT("/responses/"), pledge->object.id}, 2);
    if (!pledge->reading)
        return arena_join(arena, (struct text[]){TEXT("/batches/"), pledge->object.id}, 2);
    struct text id = TEXT_NONE;
    if (json_parse(buffer_text(&pledge->shown), &batch, NULL) == JSON_OK &&
        json_member(batch, TEXT("output_file_id"), &file) && file.kind == JSON_STRING)
        id = json_string(arena, file);
    if (!objects_is_id(id))
        return TEXT_NONE;
    return arena_join(arena, (struct text[]){TEXT("/files/"), id, TEXT("/content")}, 3);
}

static void begin_results(struct pledge *pledge)
{
    static const struct price nothing = {.tier_count = 1, .tiers = {{.above_input_tokens = -1}}};
    const struct model *model = model_of(pledge);
    results_close(&pledge->results);
    pledge->results = (struct results){.price = model != NULL ? &model->price : &nothing};
}

static void ask(void *context)
{
    struct pledge *pledge = context;
    struct worker *worker = pledge->worker;
    if (pledge->settled) {
        order(worker, &(struct deed){.kind = DEED_NOTE,
                                     .object = pledge->object,
                                     .notes = {.call = TEXT("")}});
        pledge_close(pledge);
        return;
    }
    const struct upstream *upstream = errand_upstream(worker->terms, pledge->object.upstream);
    if (upstream == NULL) { /* a reload may bring it back */
        say_silent(pledge, 0);
        ask_later(pledge, NEWS_NONE);
        return;
    }
    struct errand *errand = errand_open(worker);
    const struct errand_target target = {
        .method = TEXT("GET"), .upstream = upstream, .path = path_of(pledge, &errand->arena)};
    if (target.path.size == 0) {
        errand_close(errand);
        settle_hold(pledge, "its results have no name");
        return;
    }
    buffer_clear(&pledge->answer);
    if (pledge->reading)
        begin_results(pledge);
    pledge->errand = errand;
    errand->news = news;
    errand->context = pledge;
    errand_start(errand, &target, NULL, pledge->credential);
}

/* ---- after a restart ---- */

static void name_subject(struct pledge *pledge, struct subject *subject)
{
    const struct entry *entry = &pledge->entry;
    *subject = (struct subject){.tag_count = entry->tag_count};
    subject->id[SCOPE_GLOBAL] = TEXT("all");
    subject->id[SCOPE_KEY] = entry->key;
    subject->id[SCOPE_USER] = entry->user;
    subject->id[SCOPE_TEAM] = entry->team;
    subject->id[SCOPE_SESSION] =
        arena_printf(&pledge->arena, "%.*s/%.*s", TEXT_ARG(entry->key), TEXT_ARG(entry->session));
    subject->id[SCOPE_MODEL] = entry->model;
    subject->id[SCOPE_UPSTREAM] = entry->upstream;
    subject->id[SCOPE_SERVICE] = entry->service;
    for (size_t i = 0; i < entry->tag_count; i++)
        subject->tags[i] = entry->tags[i];
}

static void hold_again(struct pledge *pledge)
{
    struct subject subject;
    struct grant grant;
    struct held *held = &pledge->held;
    const struct spend amounts = {{
        [UNIT_USD] = held->amount.nano,
        [UNIT_TOKENS] = held->input_tokens + held->output_tokens,
        [UNIT_REQUESTS] = 1,
    }};
    name_subject(pledge, &subject);
    gate_rehold(pledge->worker->house->gate, &subject, &amounts, pledge->entry.wall_us / 1000000,
                &grant);
    if (grant.verdict != VERDICT_GRANTED) {
        log_warn("%.*s: no account has room for its hold", TEXT_ARG(pledge->entry.call));
        return;
    }
    held->hold = grant.hold;
    held->charges = reserve_copy_charges(grant.charges, grant.charge_count, &pledge->arena);
    held->charge_count = grant.charge_count;
}

static struct text keep(struct arena *arena, struct text text)
{
    return text.at == NULL ? text : arena_copy(arena, text);
}

static void copy_entry(struct pledge *pledge, const struct entry *from)
{
    struct arena *arena = &pledge->arena;
    struct entry *entry = &pledge->entry;
    struct text *tags = arena_new(arena, from->tag_count * sizeof *tags);
    *entry = *from;
    struct text *const texts[] = {
        &entry->request_id, &entry->call,    &entry->model,         &entry->model_requested,
        &entry->endpoint,   &entry->service, &entry->key,           &entry->upstream,
        &entry->user,       &entry->team,    &entry->label,         &entry->session,
        &entry->cache,      &entry->route,   &entry->price_version,
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = keep(arena, *texts[i]);
    for (size_t i = 0; i < from->tag_count; i++)
        tags[i] = arena_copy(arena, from->tags[i]);
    entry->tags = tags;
    entry->charges = NULL;
    entry->charge_count = 0;
}

void pledge_resume(struct worker *worker, const struct pledge_rest *rest)
{
    const struct owned *owned = &rest->object->owned;
    struct pledge *pledge = pledge_new(worker, owned->made_s);
    struct text facts = owned->notes.facts;
    struct held *held = &pledge->held;
    copy_entry(pledge, rest->entry);
    pledge->object = (struct object){rest->object->object.kind, pledge->entry.upstream,
                                     arena_copy(&pledge->arena, rest->object->object.id)};
    held->amount = pledge->entry.hold;
    int64_t services = 0;
    if (!text_to_int(text_split(&facts, ' '), &held->input_tokens) ||
        !text_to_int(text_split(&facts, ' '), &held->output_tokens) ||
        !text_to_int(facts, &services))
        log_warn("%.*s: ceilings.db does not tell the tokens that it holds",
                 TEXT_ARG(pledge->entry.call));
    held->bound.services = (unsigned)services & ((1u << SERVICE_COUNT) - 1);
    hold_again(pledge);
}
