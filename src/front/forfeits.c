/* What was booked without knowing whether it was used: GET /admin/forfeits, and giving it back. */
#include "front/endpoints.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/log.h"
#include "pipeline/figures.h"
#include "pipeline/refusal.h"

#define SHOWN_MOST 1000

static void put_stamp(struct buffer *out, int64_t wall_us)
{
    char stamp[CLOCK_STAMP_SIZE];
    clock_stamp(wall_us, stamp);
    json_put_text_member(out, TEXT("timestamp"), text_of(stamp));
}

static void put_cost(struct buffer *out, const char *name, struct money cost)
{
    json_put_name(out, text_of(name));
    money_put(out, cost);
}

static void put_account(struct buffer *out, const struct charge *charge)
{
    buffer_put_byte(out, '{');
    json_put_text_member(out, TEXT("budget"), charge->budget);
    json_put_text_member(out, TEXT("scope"), text_of(scope_name(charge->scope)));
    json_put_text_member(out, TEXT("id"), charge->id);
    json_put_text_member(out, TEXT("unit"), text_of(unit_name(charge->unit)));
    json_put_text_member(out, TEXT("window"), text_of(charge->window));
    json_put_name(out, TEXT("amount"));
    figures_put_amount(out, charge->unit, charge->amount);
    buffer_put_byte(out, '}');
}

/* A forfeit without a call is what was lost with the machine, or with the ledger. */
static const char *reason_of(const struct entry *forfeit)
{
    return forfeit->call.size > 0 ? "in_flight" : "lost";
}

static void put_forfeit(struct buffer *out, const struct entry *forfeit)
{
    buffer_put_byte(out, '{');
    json_put_text_member(out, TEXT("request_id"), forfeit->request_id);
    json_put_text_member(out, TEXT("call"), forfeit->call);
    put_stamp(out, forfeit->wall_us);
    json_put_text_member(out, TEXT("reason"), text_of(reason_of(forfeit)));
    put_cost(out, "cost_usd", forfeit->cost);
    json_put_text_member(out, TEXT("model"), forfeit->model);
    json_put_text_member(out, TEXT("key"), forfeit->key);
    json_put_name(out, TEXT("accounts"));
    buffer_put_byte(out, '[');
    for (size_t i = 0; i < forfeit->charge_count; i++) {
        if (i > 0)
            buffer_put_byte(out, ',');
        put_account(out, &forfeit->charges[i]);
    }
    buffer_put(out, TEXT("]}"));
}

static struct money sum_of(const struct ledger_forfeits *forfeits)
{
    struct money sum = MONEY_ZERO;
    for (size_t i = 0; i < forfeits->count; i++) {
        if (__builtin_add_overflow(sum.nano, forfeits->at[i].entry.cost.nano, &sum.nano))
            return MONEY_MOST;
    }
    return sum;
}

static void answer(struct request *request, const char *object,
                   const struct ledger_forfeits *forfeits)
{
    struct buffer body = {0};
    buffer_put_byte(&body, '{');
    json_put_text_member(&body, TEXT("object"), text_of(object));
    json_put_int_member(&body, TEXT("count"), (int64_t)forfeits->count);
    put_cost(&body, "cost_usd", sum_of(forfeits));
    json_put_name(&body, TEXT("data"));
    buffer_put_byte(&body, '[');
    for (size_t i = 0; i < forfeits->count && i < SHOWN_MOST; i++) {
        if (i > 0)
            buffer_put_byte(&body, ',');
        put_forfeit(&body, &forfeits->at[i].entry);
    }
    buffer_put(&body, TEXT("]}\n"));
    reply_header(&request->reply, "Content-Type", "application/json");
    reply_whole_take(&request->reply, 200, &body);
}

void endpoint_forfeits(struct request *request, struct text rest)
{
    (void)rest;
    struct ledger_forfeits forfeits;
    ledger_forfeits(request->worker->house->ledger, TEXT_NONE, &forfeits);
    answer(request, "list", &forfeits);
    ledger_forfeits_close(&forfeits);
}

static void give_room(struct gate *gate, const struct ledger_refunds *refunds)
{
    size_t most = 0, count = 0;
    for (size_t i = 0; i < refunds->whole.count; i++)
        most += refunds->whole.at[i].entry.charge_count;
    struct refund *rooms = memory_new((most + 1) * sizeof *rooms);
    for (size_t i = 0; i < refunds->whole.count; i++) {
        const struct entry *whole = &refunds->whole.at[i].entry;
        const struct entry *given = &refunds->given.at[i].entry;
        for (size_t at = 0; at < whole->charge_count; at++) {
            if (whole->charges[at].amount > 0)
                rooms[count++] = (struct refund){.account = whole->charges[at].account,
                                                 .since_s = whole->charges[at].since_s,
                                                 .given = given->charges[at].amount,
                                                 .forfeited = whole->charges[at].amount};
        }
    }
    gate_refund(gate, rooms, count);
    free(rooms);
}

static void refuse_too_much(struct request *request, const struct ledger_forfeits *whole)
{
    struct spend most = ledger_refund_most(whole);
    char amount[MONEY_STRING_SIZE];
    struct body_error error = {.status = 400, .code = "invalid_value"};
    (void)snprintf(error.message, sizeof error.message,
                   "That is more than was forfeited, %s and %lld tokens: nothing was given back. "
                   "Ask for no more than that, or for all of it (no amount).",
                   money_string((struct money){most.amount[UNIT_USD]}, amount),
                   (long long)most.amount[UNIT_TOKENS]);
    refuse_body(request, &error);
}

/* `part`: NULL: all of it. */
static void refund(struct request *request, struct text name, const struct spend *part)
{
    struct house *house = request->worker->house;
    struct ledger_refunds refunds;
    struct fault fault;
    if (!ledger_refund(house->ledger, name, part, &refunds, &fault)) {
        log_error("%s: nothing was refunded: %s", request->name, fault.message);
        refuse_without_ledger(request);
        return;
    }
    if (refunds.whole.count > refunds.given.count) {
        refuse_too_much(request, &refunds.whole);
        ledger_refunds_close(&refunds);
        return;
    }
    if (refunds.given.count == 0 && name.size > 0) {
        refuse(request, REFUSAL_NOT_FOUND, NULL,
               "Nothing is forfeited under that name, or it was refunded before (GET "
               "/admin/forfeits lists what is).");
        return;
    }
    char amount[MONEY_STRING_SIZE];
    give_room(house->gate, &refunds);
    log_info("%s: %zu forfeits were refunded, %s", request->name, refunds.given.count,
             money_string(sum_of(&refunds.given), amount));
    answer(request, "refund", &refunds.given);
    ledger_refunds_close(&refunds);
}

static bool read_amount(struct json_value value, struct text name, struct spend *part)
{
    struct money dollars;
    if (json_name_equal(name, TEXT("usd")) && value.kind == JSON_NUMBER &&
        money_parse(value.raw, &dollars)) {
        part->amount[UNIT_USD] = dollars.nano;
        return true;
    }
    return json_name_equal(name, TEXT("tokens")) && json_int(value, &part->amount[UNIT_TOKENS]) &&
           part->amount[UNIT_TOKENS] >= 0;
}

static bool read_part(struct request *request, struct spend *part)
{
    struct json_value body = {0}, value;
    struct text name;
    *part = (struct spend){{0}};
    bool good = json_parse(buffer_text(&request->bytes), &body, NULL) == JSON_OK &&
                body.kind == JSON_OBJECT;
    struct json_walk walk = json_walk(body);
    while (good && json_next(&walk, &name, &value))
        good = read_amount(value, name, part);
    if (good && (part->amount[UNIT_USD] > 0 || part->amount[UNIT_TOKENS] > 0))
        return true;
    struct body_error error = {.status = 400, .code = "invalid_value"};
    (void)snprintf(
        error.message, sizeof error.message,
        "What is given back of it is {\"usd\": 0.01, \"tokens\": 100}, or one of the two; "
        "without a body all of it.");
    refuse_body(request, &error);
    return false;
}

void endpoint_refund(struct request *request, struct text rest)
{
    struct text name;
    struct spend part;
    if (!percent_decode(&request->arena, rest, false, &name) || name.size == 0)
        refuse(request, REFUSAL_NOT_FOUND, NULL,
               "POST /admin/refunds/REQUEST_ID gives back what that request forfeited, POST "
               "/admin/refunds all there is.");
    else if (request->bytes.size == 0)
        refund(request, name, NULL);
    else if (pipeline_check_json(request) && read_part(request, &part))
        refund(request, name, &part);
}

void endpoint_refund_all(struct request *request, struct text rest)
{
    (void)rest;
    refund(request, TEXT_NONE, NULL);
}
