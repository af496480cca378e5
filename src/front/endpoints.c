/* purser's own endpoints. */
#include "front/endpoints.h"

#include <stdlib.h>

#include "base/json.h"
#include "pipeline/figures.h"
#include "pipeline/refusal.h"

#define VIEWS_MOST 1000

/* ---- queries ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool percent_decode(struct arena *arena, struct text raw, bool form, struct text *plain)
{
    char *out = arena_new(arena, raw.size + 1);
    size_t size = 0;
    for (size_t i = 0; i < raw.size; i++) {
        char c = raw.at[i];
        if (c == '%') {
            if (i + 3 > raw.size)
                return false;
            int high = hex_digit(raw.at[i + 1]), low = hex_digit(raw.at[i + 2]);
            if (high < 0 || low < 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (form && c == '+') {
            c = ' ';
        }
        out[size++] = c;
    }
    *plain = text_make(out, size);
    return true;
}

static void answer(struct request *request, struct buffer *body)
{
    buffer_put_byte(body, '\n');
    reply_header(&request->reply, "Content-Type", "application/json");
    reply_whole_take(&request->reply, 200, body);
}

/* ---- health ---- */

void endpoint_healthz(struct request *request, struct text rest)
{
    (void)rest;
    struct buffer body = {0};
    buffer_put(&body, TEXT("{\"status\":\"ok\",\"version\":\"" PURSER_VERSION "\"}"));
    answer(request, &body);
}

/* While no budget can grow, calls are admitted still as far as the ceilings are. */
static bool could_admit(struct request *request)
{
    struct worker *worker = request->worker;
    return treasury_grants(worker->house->treasury) ||
           gate_has_room(worker->house->gate, loop_wall_us(worker->loop) / 1000000);
}

static void refuse_to_admit(struct request *request)
{
    struct treasury *treasury = request->worker->house->treasury;
    struct fault brief;
    treasury_trouble(treasury, &brief);
    bool said = brief.message[0] != '\0';
    refuse(
        request, REFUSAL_STORE_AWAY, NULL,
        "A budget that each call needs cannot grow, and what it had is used up: %s%s%s%s; see the "
        "log.",
        lease_state_why(treasury_state(treasury), treasury_grants(treasury)), said ? " (" : "",
        brief.message, said ? ")" : "");
}

void endpoint_readyz(struct request *request, struct text rest)
{
    (void)rest;
    struct house *house = request->worker->house;
    if (atomic_load(&house->stopping)) {
        refuse(request, REFUSAL_SHUTTING_DOWN, NULL, "purser is shutting down.");
    } else if (ledger_failing(house->ledger)) {
        refuse(request, REFUSAL_LEDGER, NULL, "The ledger cannot be written; see the log.");
    } else if (!could_admit(request)) {
        refuse_to_admit(request);
    } else if (atomic_load(&house->unread)) {
        refuse(request, REFUSAL_STORE_AWAY, NULL,
               "The keys and budgets that were made at run time are not read yet; see the log.");
    } else {
        struct buffer body = {0};
        buffer_put(&body, TEXT("{\"status\":\"ready\""));
        json_put_text_member(&body, TEXT("store"),
                             text_of(lease_state_name(treasury_state(house->treasury))));
        json_put_int_member(&body, TEXT("not_in_force"), (int64_t)atomic_load(&house->misfits));
        buffer_put_byte(&body, '}');
        answer(request, &body);
    }
}

/* ---- budget ---- */

/* Hundredths of a percent of the enforced limit, spent and reserved together. */
static int64_t used_bp(const struct account_view *view)
{
    __int128 used = (__int128)view->spent + view->elsewhere + view->held;
    if (view->limit <= 0)
        return used > 0 || view->limit == 0 ? 10000 : 0;
    __int128 bp = used * 10000 / view->limit;
    return bp > 1000000 ? 1000000 : (int64_t)bp;
}

static const char *status_of(const struct account_view *view)
{
    int64_t bp = used_bp(view);
    return bp >= 10000 ? "exhausted" : bp >= 8000 ? "warning" : "ok";
}

static void put_moment(struct buffer *out, const char *name, int64_t seconds)
{
    char stamp[CLOCK_STAMP_SIZE];
    if (seconds == WINDOW_FOREVER) {
        json_put_raw_member(out, text_of(name), TEXT("null"));
        return;
    }
    clock_stamp(seconds * 1000000, stamp);
    json_put_text_member(out, text_of(name), text_of(stamp));
}

static void put_window(struct buffer *out, const struct account_view *view)
{
    json_put_name(out, TEXT("window"));
    if (view->scope == SCOPE_REQUEST) {
        buffer_put(out, TEXT("null"));
        return;
    }
    buffer_put_byte(out, '{');
    json_put_text_member(out, TEXT("kind"), text_of(window_name(view->window.kind)));
    bool total = view->window.kind == WINDOW_TOTAL;
    put_moment(out, "start", total ? WINDOW_FOREVER : view->window.start_s);
    put_moment(out, "end", view->window.end_s);
    buffer_put_byte(out, '}');
}

/* What several keys share shows an ordinary key its state, not its amounts. */
static bool amounts_shown(const struct request *request, const struct account_view *view)
{
    bool own = view->scope == SCOPE_KEY || view->scope == SCOPE_SESSION ||
               view->scope == SCOPE_USER || view->scope == SCOPE_REQUEST;
    bool alone = request->terms->admission.mode == ADMISSION_OPEN;
    return request->admin || own || alone || request->terms->show_shared;
}

void endpoint_put_budget(struct buffer *out, const struct request *request,
                         const struct account_view *view)
{
    bool amounts = amounts_shown(request, view);
    int64_t bp = used_bp(view);
    buffer_put(out, out->at[out->size - 1] == '}' ? TEXT(",{") : TEXT("{"));
    json_put_text_member(out, TEXT("name"), view->budget);
    json_put_text_member(out, TEXT("scope"), text_of(scope_name(view->scope)));
    json_put_text_member(out, TEXT("id"), text_of(view->id));
    json_put_text_member(out, TEXT("unit"), text_of(unit_name(view->unit)));
    put_window(out, view);
    if (amounts)
        figures_put(out, view);
    json_put_name(out, TEXT("used_percent"));
    buffer_printf(out, "%lld.%02lld", (long long)(bp / 100), (long long)(bp % 100));
    json_put_text_member(out, TEXT("status"), text_of(status_of(view)));
    figures_put_reset(out, view);
    buffer_put_byte(out, '}');
}

static void put_amount(struct buffer *out, const char *name, int64_t nano)
{
    json_put_name(out, text_of(name));
    figures_put_amount(out, UNIT_USD, nano);
}

/* The tightest USD budget again, at the top, for simple clients. */
static void put_tightest(struct buffer *out, const struct account_view *views, size_t count)
{
    const struct account_view *tightest = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct account_view *view = &views[i];
        if (view->unit != UNIT_USD || view->scope == SCOPE_REQUEST)
            continue;
        if (tightest == NULL || figures_remaining(view) < figures_remaining(tightest))
            tightest = view;
    }
    if (tightest == NULL) {
        buffer_put(out, TEXT(",\"limit_usd\":null,\"usage_usd\":null,"
                             "\"limit_remaining_usd\":null"));
        return;
    }
    put_amount(out, "limit_usd", tightest->limit);
    put_amount(out, "usage_usd", figures_spent(tightest));
    put_amount(out, "limit_remaining_usd", figures_remaining(tightest));
}

bool endpoint_guest_unknown(struct request *request)
{
    if (request->terms->admission.mode != ADMISSION_PASSTHROUGH || request->admin ||
        house_knows_guest(request->worker->house, request->key->id))
        return false;
    refuse(request, REFUSAL_INVALID_KEY, NULL,
           "In passthrough mode purser answers for a key only after an upstream has accepted it; "
           "make a call first.");
    return true;
}

void endpoint_budget(struct request *request, struct text rest)
{
    (void)rest;
    if (endpoint_guest_unknown(request))
        return;
    struct worker *worker = request->worker;
    if (request->key != NULL && !pipeline_name_session(request))
        return;
    struct account_view *views = arena_new(&request->arena, VIEWS_MOST * sizeof *views);
    size_t count = gate_view(worker->house->gate, &request->subject, request->admin,
                             loop_wall_us(worker->loop) / 1000000, views, VIEWS_MOST);
    struct buffer body = {0};
    size_t shown = 0;
    buffer_put(&body, TEXT("{\"object\":\"list\",\"data\":["));
    for (size_t i = 0; i < count; i++) {
        endpoint_put_budget(&body, request, &views[i]);
        if (amounts_shown(request, &views[i]))
            views[shown++] = views[i];
    }
    buffer_put_byte(&body, ']');
    put_tightest(&body, views, shown);
    json_put_text_member(&body, TEXT("store"),
                         text_of(lease_state_name(treasury_state(worker->house->treasury))));
    buffer_put_byte(&body, '}');
    answer(request, &body);
}
