/* `purser budget refund`: asks the running purser, and prints what it says. */
#include "cli/refund.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/operator.h"

/* As it stands in the answer: escapes stay, so that nothing of it drives a terminal. */
static struct text shown(struct json_value object, const char *name)
{
    struct json_value value;
    if (!json_member(object, text_of(name), &value))
        return TEXT_NONE;
    return json_shown(value);
}

static void print_account(struct json_value account)
{
    bool dollars = text_equal(shown(account, "unit"), TEXT("usd"));
    printf("    %s%.*s%s%.*s of %.*s (%.*s %.*s, %.*s)\n", dollars ? "$" : "",
           TEXT_ARG(shown(account, "amount")), dollars ? "" : " ",
           TEXT_ARG(dollars ? TEXT_NONE : shown(account, "unit")),
           TEXT_ARG(shown(account, "budget")), TEXT_ARG(shown(account, "scope")),
           TEXT_ARG(shown(account, "id")), TEXT_ARG(shown(account, "window")));
}

static void print_forfeit(struct json_value forfeit)
{
    bool lost = text_equal(shown(forfeit, "reason"), TEXT("lost"));
    struct text model = shown(forfeit, "model");
    printf("%.*s  %.19s  $%.*s  %s%s%.*s\n", TEXT_ARG(shown(forfeit, "request_id")),
           shown(forfeit, "timestamp").size >= 19 ? shown(forfeit, "timestamp").at : "-",
           TEXT_ARG(shown(forfeit, "cost_usd")),
           lost ? "may have been used before the machine or the ledger was lost"
                : "was in flight when purser died",
           model.size > 0 ? ", " : "", TEXT_ARG(model));
    struct json_value accounts, account;
    struct text name;
    if (!json_member(forfeit, TEXT("accounts"), &accounts))
        return;
    struct json_walk walk = json_walk(accounts);
    while (json_next(&walk, &name, &account))
        print_account(account);
}

static void print_all(struct json_value answer, const char *what)
{
    struct json_value data, forfeit;
    struct text name;
    if (!json_member(answer, TEXT("data"), &data))
        return;
    struct json_walk walk = json_walk(data);
    while (json_next(&walk, &name, &forfeit))
        print_forfeit(forfeit);
    printf("%s: %.*s, $%.*s\n", what, TEXT_ARG(shown(answer, "count")),
           TEXT_ARG(shown(answer, "cost_usd")));
}

static struct text path_of(const struct refund_order *order, struct arena *arena)
{
    if (order->name == NULL)
        return order->all && order->yes ? TEXT("/admin/refunds") : TEXT("/admin/forfeits");
    struct buffer path = {0};
    buffer_put(&path, TEXT("/admin/refunds/"));
    for (const char *at = order->name; *at != '\0'; at++) {
        bool plain = (*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') || *at == '_' ||
                     *at == '.' || *at == '-' || (*at >= 'A' && *at <= 'Z');
        buffer_printf(&path, plain ? "%c" : "%%%02x", (unsigned char)*at);
    }
    struct text copy = arena_copy(arena, buffer_text(&path));
    buffer_close(&path);
    return copy;
}

bool refund_order_is_fine(const struct refund_order *order)
{
    struct money usd;
    int64_t tokens = 0;
    bool part = order->usd != NULL || order->tokens != NULL;
    if (order->usd != NULL && !money_parse(text_of(order->usd), &usd))
        return false;
    if (order->tokens != NULL && (!text_to_int(text_of(order->tokens), &tokens) || tokens < 0))
        return false;
    return !(order->all && order->name != NULL) && (order->all || !order->yes) &&
           (order->name != NULL || !part);
}

/* Plain numbers, however they were typed; empty: all of it. */
static struct text body_of(const struct refund_order *order, struct arena *arena)
{
    struct buffer body = {0};
    struct money usd;
    int64_t tokens = 0;
    buffer_put_byte(&body, '{');
    if (order->usd != NULL && money_parse(text_of(order->usd), &usd)) {
        json_put_name(&body, TEXT("usd"));
        money_put(&body, usd);
    }
    if (order->tokens != NULL && text_to_int(text_of(order->tokens), &tokens))
        json_put_int_member(&body, TEXT("tokens"), tokens);
    buffer_put_byte(&body, '}');
    struct text copy = body.size > 2 ? arena_copy(arena, buffer_text(&body)) : TEXT_NONE;
    buffer_close(&body);
    return copy;
}

int refund_run(const struct config *config, const struct refund_order *order)
{
    struct arena arena = {0};
    bool refunds = order->name != NULL || (order->all && order->yes);
    struct operator_question question = {.config = config,
                                         .command = "budget",
                                         .method = refunds ? "POST" : "GET",
                                         .path = path_of(order, &arena),
                                         .body = body_of(order, &arena)};
    struct buffer body;
    struct json_value answer;
    bool good = operator_ask(&question, &body, &answer);
    arena_close(&arena);
    if (!good)
        return EXIT_FAILURE;
    print_all(answer, refunds ? "refunded" : "forfeited and not refunded");
    if (order->all && !refunds)
        printf("nothing was refunded yet: add --yes, if nothing of it was used\n");
    buffer_close(&body);
    return EXIT_SUCCESS;
}
