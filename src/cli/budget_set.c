/* `purser budget set`: POST or DELETE /admin/budgets/NAME/limits. */
#include "cli/budget_set.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/operator.h"

#define COUNT_MOST INT64_C(1000000000000000)

static bool is_limit(enum unit unit, const char *typed)
{
    struct money amount;
    int64_t count = 0;
    if (unit == UNIT_USD)
        return money_parse(text_of(typed), &amount);
    return text_to_int(text_of(typed), &count) && count >= 0 && count <= COUNT_MOST;
}

bool limits_order_is_fine(const struct limits_order *order)
{
    bool any = false;
    for (int unit = 0; unit < UNIT_COUNT; unit++) {
        if (order->limit[unit] == NULL)
            continue;
        if (!is_limit((enum unit)unit, order->limit[unit]))
            return false;
        any = true;
    }
    return order->budget != NULL && any != order->reset;
}

/* A plain number, however it was typed. */
static void put_limit(struct buffer *body, enum unit unit, const char *typed)
{
    struct money amount = MONEY_ZERO;
    int64_t count = 0;
    buffer_printf(body, "%s\"%s\":", body->size > 1 ? "," : "", unit_name(unit));
    if (unit == UNIT_USD && money_parse(text_of(typed), &amount))
        money_put(body, amount);
    else if (text_to_int(text_of(typed), &count))
        buffer_put_int(body, count);
}

static void put_encoded(struct buffer *path, const char *name)
{
    for (const char *at = name; *at != '\0'; at++) {
        bool plain = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
                     (*at >= '0' && *at <= '9') || *at == '-' || *at == '_' || *at == '.';
        buffer_printf(path, plain ? "%c" : "%%%02x", (unsigned char)*at);
    }
}

static void put_path(struct buffer *path, const struct limits_order *order)
{
    buffer_put(path, TEXT("/admin/budgets/"));
    put_encoded(path, order->budget);
    buffer_put(path, TEXT("/limits"));
    if (order->id == NULL)
        return;
    buffer_put_byte(path, '/');
    put_encoded(path, order->id);
}

int limits_run(const struct config *config, const struct limits_order *order)
{
    struct buffer path = {0}, body = {0}, answer;
    struct json_value value;
    put_path(&path, order);
    buffer_put_byte(&body, '{');
    for (int unit = 0; unit < UNIT_COUNT; unit++) {
        if (order->limit[unit] != NULL)
            put_limit(&body, (enum unit)unit, order->limit[unit]);
    }
    buffer_put_byte(&body, '}');
    const struct operator_question question = {
        .config = config,
        .command = "budget",
        .method = order->reset ? "DELETE" : "POST",
        .path = buffer_text(&path),
        .body = order->reset ? TEXT_NONE : buffer_text(&body),
    };
    bool good = operator_ask(&question, &answer, &value);
    if (good) {
        operator_print_warnings(&question, value);
        printf("%s%s\n", order->reset ? "its configured limits hold again" : "it is in force here",
               config->store_redis.size > 0 ? ", and at other instances in a second" : "");
        buffer_close(&answer);
    }
    buffer_close(&path);
    buffer_close(&body);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
