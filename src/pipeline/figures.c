/* The figures of an account, for GET /budget and for refusals. */
#include "pipeline/figures.h"

#include "base/clock.h"
#include "base/json.h"

void figures_put_amount(struct buffer *out, enum unit unit, int64_t amount)
{
    if (unit == UNIT_USD)
        money_put(out, (struct money){amount});
    else
        buffer_put_int(out, amount);
}

int64_t figures_spent(const struct account_view *view)
{
    int64_t sum = 0;
    return __builtin_add_overflow(view->spent, view->elsewhere, &sum) ? INT64_MAX : sum;
}

int64_t figures_remaining(const struct account_view *view)
{
    __int128 left = (__int128)view->limit - view->spent - view->elsewhere - view->held;
    return left > 0 ? (int64_t)left : 0;
}

static void put(struct buffer *out, const char *name, const struct account_view *view,
                int64_t amount)
{
    json_put_name(out, text_of(name));
    figures_put_amount(out, view->unit, amount);
}

void figures_put(struct buffer *out, const struct account_view *view)
{
    put(out, "limit", view, view->limit);
    put(out, "limit_configured", view, view->limit_configured);
    put(out, "spent", view, figures_spent(view));
    put(out, "reserved", view, view->held);
    put(out, "remaining", view, figures_remaining(view));
    put(out, "forfeited", view, view->forfeited);
    put(out, "ceiling", view, view->ceiling);
    put(out, "overdraft", view, view->overdraft);
    put(out, "spent_elsewhere", view, view->elsewhere);
}

void figures_put_reset(struct buffer *out, const struct account_view *view)
{
    char stamp[CLOCK_STAMP_SIZE];
    if (view->resets_s == WINDOW_FOREVER) {
        json_put_raw_member(out, TEXT("resets_at"), TEXT("null"));
        return;
    }
    clock_stamp(view->resets_s * 1000000, stamp);
    json_put_text_member(out, TEXT("resets_at"), text_of(stamp));
}
