/*
 * POST /costs: books a cost from elsewhere against the budgets of its caller. It is a fact, like a
 * settlement: it may leave a budget overdrawn, which then refuses later calls.
 *
 * A booking with an idempotency key asks the clerk first whether the ledger has it; until it is in
 * the ledger or given up no other booking of that name begins.
 */
#include <stdio.h>

#include "base/log.h"
#include "front/endpoints.h"
#include "pipeline/figures.h"
#include "pipeline/refusal.h"

enum { BODY_MOST_BYTES = 65536, VIEWS_MOST = 200 };

struct booking {
    struct text service, label, idempotency_key;
    struct money cost;
    struct text name; /* "<key id>\n<idempotency key>" */
};

/* ---- the body ---- */

static bool refuse_member(struct request *request, int status, const char *code, struct text param,
                          const char *why)
{
    struct body_error error = {.status = status, .code = code, .param = param};
    snprintf(error.message, sizeof error.message, "%.*s%s%s", TEXT_ARG(param),
             param.size > 0 ? ": " : "", why);
    refuse_body(request, &error);
    return false;
}

enum member { MEMBER_SERVICE, MEMBER_COST, MEMBER_LABEL, MEMBER_IDEMPOTENCY_KEY, MEMBER_COUNT };

static const struct text member_names[MEMBER_COUNT] = {
    [MEMBER_SERVICE] = {"service", 7},
    [MEMBER_COST] = {"cost_usd", 8},
    [MEMBER_LABEL] = {"label", 5},
    [MEMBER_IDEMPOTENCY_KEY] = {"idempotency_key", 15},
};

static bool read_members(struct request *request, struct json_value body,
                         struct json_value members[MEMBER_COUNT])
{
    struct json_walk walk = json_walk(body);
    struct text name;
    struct json_value value;
    while (json_next(&walk, &name, &value)) {
        int at = 0;
        while (at < MEMBER_COUNT && !json_name_equal(name, member_names[at]))
            at++;
        if (at == MEMBER_COUNT)
            return refuse_member(
                request, 400, "unknown_member", text_slice(name, 0, 100),
                "there is no such member; there are service, cost_usd, label and idempotency_key");
        if (members[at].raw.size > 0)
            return refuse_member(request, 400, "duplicate_member", member_names[at],
                                 "stands twice");
        members[at] = value;
    }
    return true;
}

/* A text that books and logs can hold. */
static bool read_name(struct request *request, enum member member, struct json_value value,
                      size_t most, struct text *name)
{
    if (value.raw.size == 0 || value.kind == JSON_NULL)
        return true;
    struct text plain = json_string(&request->arena, value);
    bool good = value.kind == JSON_STRING && plain.size > 0 && plain.size <= most;
    for (size_t i = 0; good && i < plain.size; i++)
        good = (unsigned char)plain.at[i] >= 0x20 && plain.at[i] != 0x7f;
    if (good) {
        *name = plain;
        return true;
    }
    const char *why = arena_printf(&request->arena, "a text of 1 to %zu printable bytes", most).at;
    return refuse_member(request, 400, "invalid_value", member_names[member], why);
}

/* A number, or the same as text, for clients whose numbers are binary fractions. */
static bool read_cost(struct request *request, struct json_value value, struct money *cost)
{
    struct text digits =
        value.kind == JSON_STRING ? json_string(&request->arena, value) : value.raw;
    bool right_kind = value.kind == JSON_NUMBER || value.kind == JSON_STRING;
    if (right_kind && money_parse(digits, cost))
        return true;
    bool missing = value.raw.size == 0;
    return refuse_member(request, 400, missing ? "missing_member" : "invalid_value",
                         member_names[MEMBER_COST],
                         missing ? "is missing; it is the cost in dollars"
                                 : "dollars, 0 to 4000000000, with at most 9 decimals");
}

static bool read_body(struct request *request, struct booking *booking)
{
    struct json_value body;
    struct json_value members[MEMBER_COUNT] = {{0}};
    if (request->bytes.size > BODY_MOST_BYTES)
        return refuse_member(request, 413, "body_too_large", TEXT_NONE,
                             "A cost is told in at most 64 KB.");
    if (json_parse(buffer_text(&request->bytes), &body, NULL) != JSON_OK ||
        body.kind != JSON_OBJECT)
        return refuse_member(request, 400, "invalid_json", TEXT_NONE,
                             "The body must be a JSON object with service and cost_usd.");
    if (!read_members(request, body, members) ||
        !read_name(request, MEMBER_SERVICE, members[MEMBER_SERVICE], 64, &booking->service) ||
        !read_name(request, MEMBER_LABEL, members[MEMBER_LABEL], 256, &booking->label) ||
        !read_name(request, MEMBER_IDEMPOTENCY_KEY, members[MEMBER_IDEMPOTENCY_KEY], 128,
                   &booking->idempotency_key) ||
        !read_cost(request, members[MEMBER_COST], &booking->cost))
        return false;
    return booking->service.size > 0 ||
           refuse_member(request, 400, "missing_member", member_names[MEMBER_SERVICE],
                         "is missing; it names what the cost is of");
}

/* ---- booking ---- */

static bool may_book(struct request *request)
{
    if (request->admin || request->key->may_book)
        return true;
    return refuse_member(request, 403, "booking_not_allowed", TEXT_NONE,
                         "This key may not book costs. Its entry in the configuration needs "
                         "may_book: true; the admin token may, too.");
}

static struct entry describe(struct request *request, const struct booking *booking)
{
    const struct subject *subject = &request->subject;
    struct text name = text_of(request->name);
    return (struct entry){
        .wall_us = loop_wall_us(request->worker->loop),
        .request_id = name,
        .call = arena_join(&request->arena, (struct text[]){name, TEXT(".1")}, 2),
        .attempt = 1,
        .endpoint = TEXT("costs"),
        .service = booking->service,
        .key = subject->id[SCOPE_KEY],
        .user = subject->id[SCOPE_USER],
        .team = subject->id[SCOPE_TEAM],
        .session = request->session,
        .label = request->label,
        .idempotency_key = booking->idempotency_key,
        .tags = subject->tags,
        .tag_count = subject->tag_count,
        .ttft_ms = -1,
        .duration_ms = -1,
    };
}

/* Its lines go to the ledger at once, both or none: what is answered to be booked is booked. */
static bool write_lines(struct request *request, const struct booking *booking,
                        const struct grant *grant)
{
    struct entry entry = describe(request, booking);
    struct fault fault;
    struct charge *charges = arena_new(&request->arena, grant->charge_count * sizeof *charges);
    for (size_t i = 0; i < grant->charge_count; i++) {
        if (grant->charges[i].unit != UNIT_USD)
            continue;
        charges[entry.charge_count] = grant->charges[i];
        charges[entry.charge_count++].amount = booking->cost.nano;
    }
    entry.charges = charges;
    struct ledger_batch *batch = ledger_batch_open(request->worker->house->ledger);
    entry.kind = ENTRY_RESERVE;
    entry.hold = booking->cost;
    ledger_note(batch, &entry);
    entry.kind = ENTRY_SETTLE;
    entry.hold = MONEY_ZERO;
    entry.cost = booking->cost;
    entry.status = 200;
    ledger_note(batch, &entry);
    bool written = ledger_commit(batch, &fault);
    ledger_batch_close(batch);
    if (!written)
        log_error("%s: the cost cannot be booked: %s", request->name, fault.message);
    return written;
}

static void put_budgets(struct buffer *out, struct request *request)
{
    struct worker *worker = request->worker;
    struct account_view *views = arena_new(&request->arena, VIEWS_MOST * sizeof *views);
    size_t count = gate_view(worker->house->gate, &request->subject, false,
                             loop_wall_us(worker->loop) / 1000000, views, VIEWS_MOST);
    bool exhausted = false;
    json_put_name(out, TEXT("budgets"));
    buffer_put_byte(out, '[');
    for (size_t i = 0; i < count; i++) {
        const struct account_view *view = &views[i];
        if (view->unit != UNIT_USD || view->scope == SCOPE_MODEL || view->scope == SCOPE_UPSTREAM ||
            view->scope == SCOPE_REQUEST)
            continue;
        endpoint_put_budget(out, request, view);
        exhausted = exhausted || figures_remaining(view) == 0;
    }
    buffer_put_byte(out, ']');
    json_put_bool_member(out, TEXT("exhausted"), exhausted);
}

static void answer(struct request *request, const struct booking *booking, struct text booked_as,
                   bool repeated)
{
    struct buffer body = {0};
    buffer_put_byte(&body, '{');
    json_put_text_member(&body, TEXT("object"), TEXT("cost"));
    json_put_text_member(&body, TEXT("request_id"), booked_as);
    json_put_text_member(&body, TEXT("service"), booking->service);
    json_put_name(&body, TEXT("cost_usd"));
    money_put(&body, booking->cost);
    json_put_int_member(&body, TEXT("cost_nano_usd"), booking->cost.nano);
    json_put_bool_member(&body, TEXT("repeated"), repeated);
    put_budgets(&body, request);
    buffer_put(&body, TEXT("}\n"));
    reply_header(&request->reply, "Content-Type", "application/json");
    reply_whole_take(&request->reply, 200, &body);
}

static void book(struct request *request, const struct booking *booking)
{
    struct house *house = request->worker->house;
    struct grant *grant = arena_new(&request->arena, sizeof *grant);
    gate_reserve_fact(house->gate, &request->subject, loop_wall_us(request->worker->loop) / 1000000,
                      grant);
    if (grant->verdict != VERDICT_GRANTED) {
        refuse_verdict(request, grant);
        return;
    }
    bool written = write_lines(request, booking, grant);
    struct spend used = {{[UNIT_USD] = written ? booking->cost.nano : 0}};
    if (grant->hold != 0)
        gate_settle(house->gate, grant->hold, &used, NULL);
    if (!written) {
        refuse(request, REFUSAL_LEDGER, NULL,
               "The cost was not booked: the ledger cannot be written; see the log.");
        return;
    }
    char cost[MONEY_STRING_SIZE];
    request->outcome.logged = true;
    if (request->terms->log_access)
        log_info("%s 200 costs key=%.*s service=%.*s cost=%s", request->name,
                 TEXT_ARG(request->admin ? TEXT("(admin)") : request->subject.id[SCOPE_KEY]),
                 TEXT_ARG(booking->service), money_string(booking->cost, cost));
    answer(request, booking, text_of(request->name), false);
}

/* ---- once for an idempotency key ---- */

static void ask_clerk(struct request *request, struct booking *booking)
{
    struct house *house = request->worker->house;
    struct text parts[] = {request->subject.id[SCOPE_KEY], TEXT("\n"), booking->idempotency_key};
    booking->name = arena_join(&request->arena, parts, sizeof parts / sizeof *parts);
    if (!house_begin_booking(house, booking->name)) {
        refuse_member(request, 409, "booking_in_progress", member_names[MEMBER_IDEMPOTENCY_KEY],
                      "another request with it is being booked; try again");
        return;
    }
    request->booking = booking;
    struct books_query query = {.to = request->id,
                                .mailbox = request->worker->mailbox,
                                .subject = BOOKS_BOOKING,
                                .booking = booking->name};
    if (clerk_ask(house->clerk, &query))
        return;
    house_end_booking(house, booking->name);
    refuse(request, REFUSAL_BOOKS_BUSY, NULL,
           "Too many questions to the books are waiting for an answer.");
}

static void answer_again(struct request *request, struct text line)
{
    const struct booking *booking = request->booking;
    struct entry before;
    bool same = entry_read(line, &request->arena, &before, NULL) &&
                money_compare(before.cost, booking->cost) == 0 &&
                text_equal(before.service, booking->service);
    if (same)
        answer(request, booking, before.request_id, true);
    else
        refuse_member(request, 409, "idempotency_key_reused", member_names[MEMBER_IDEMPOTENCY_KEY],
                      "it named another cost before; take another for this one");
}

void endpoint_booking_answer(struct house *house, struct request *request,
                             struct books_answer *found)
{
    if (request != NULL) {
        ASSERT(request->booking != NULL);
        if (found->status == 404)
            book(request, request->booking);
        else if (found->status == 200)
            answer_again(request, buffer_text(&found->body));
        else
            endpoint_books_answer(request, found);
    }
    house_end_booking(house, buffer_text(&found->ticket));
}

void endpoint_book(struct request *request, struct text rest)
{
    (void)rest;
    struct booking *booking = arena_new(&request->arena, sizeof *booking);
    if (atomic_load(&request->worker->house->stopping)) {
        refuse(request, REFUSAL_SHUTTING_DOWN, NULL, "purser is shutting down.");
        return;
    }
    if (!pipeline_check_json(request) || !may_book(request) || !read_body(request, booking))
        return;
    request->body.label = booking->label;
    if (request->key != NULL && !pipeline_name_caller(request))
        return;
    if (request->key == NULL)
        request->label = booking->label;
    request->subject.id[SCOPE_SERVICE] = booking->service;
    if (booking->idempotency_key.size > 0)
        ask_clerk(request, booking);
    else
        book(request, booking);
}
