/* Motions: what there is, as JSON. */
#include "base/clock.h"
#include "base/json.h"
#include "cli/motion.h"

static void put_names(struct buffer *out, const char *member, const struct config_texts *texts)
{
    json_put_name(out, text_of(member));
    buffer_put_byte(out, '[');
    for (size_t i = 0; i < texts->count; i++) {
        if (i > 0)
            buffer_put_byte(out, ',');
        json_put_string(out, texts->at[i]);
    }
    buffer_put_byte(out, ']');
}

static void put_made(struct buffer *out, const struct bylaw *bylaw)
{
    char stamp[CLOCK_STAMP_SIZE];
    json_put_text_member(out, TEXT("source"), bylaw == NULL ? TEXT("file") : TEXT("run time"));
    if (bylaw == NULL)
        return;
    clock_stamp(bylaw->at_s * 1000000, stamp);
    json_put_text_member(out, TEXT("made_at"), text_of(stamp));
}

static void put_id(struct buffer *out, const char *member, struct text id)
{
    if (id.size > 0)
        json_put_text_member(out, text_of(member), id);
    else
        json_put_raw_member(out, text_of(member), TEXT("null"));
}

/* ---- keys ---- */

static bool is_for_key(const struct budget *budget, struct text id)
{
    for (size_t i = 0; i < budget->match_count; i++)
        if (budget->match[i].scope == SCOPE_KEY && text_matches(id, budget->match[i].pattern))
            return true;
    return false;
}

/* Those that name it. */
static void put_budgets(struct buffer *out, const struct config *config, struct text id)
{
    bool first = true;
    json_put_name(out, TEXT("budgets"));
    buffer_put_byte(out, '[');
    for (size_t i = 0; i < config->budget_count; i++) {
        if (!is_for_key(&config->budgets[i], id))
            continue;
        buffer_put(out, first ? TEXT("") : TEXT(","));
        json_put_string(out, config->budgets[i].name);
        first = false;
    }
    buffer_put_byte(out, ']');
}

static void put_key(struct buffer *out, const struct config *config, size_t at,
                    const struct bylaws *bylaws)
{
    const struct config_key *key = &config->keys[at];
    bool own = at < config->own_key_count;
    const struct bylaw *bylaw = own ? NULL : bylaws_find(bylaws, BYLAW_KEY, key->id);
    buffer_put(out, at > 0 ? TEXT(",{") : TEXT("{"));
    json_put_text_member(out, TEXT("id"), key->id);
    put_made(out, bylaw);
    put_id(out, "last4", bylaw == NULL ? TEXT_NONE : bylaw->last4);
    put_id(out, "user", key->user);
    put_id(out, "team", key->team);
    put_names(out, "tags", &key->tags);
    put_names(out, "models", &key->models);
    put_budgets(out, config, key->id);
    buffer_put_byte(out, '}');
}

void motion_list_keys(struct buffer *out, const struct config *config, const struct bylaws *bylaws)
{
    buffer_put(out, TEXT("{\"object\":\"list\",\"data\":["));
    for (size_t i = 0; i < config->key_count; i++)
        put_key(out, config, i, bylaws);
    buffer_put(out, TEXT("]}\n"));
}

/* ---- budgets ---- */

static void put_limits(struct buffer *out, const int64_t limits[UNIT_COUNT])
{
    for (unsigned unit = 0; unit < UNIT_COUNT; unit++) {
        int64_t limit = limits[unit];
        json_put_name(out, text_of(unit_name((enum unit)unit)));
        if (limit == LIMIT_NONE)
            buffer_put(out, TEXT("null"));
        else if (unit == UNIT_USD)
            money_put(out, (struct money){limit});
        else
            buffer_put_int(out, limit);
    }
}

static void put_overrides(struct buffer *out, const struct budget *budget)
{
    json_put_name(out, TEXT("overrides"));
    buffer_put_byte(out, '{');
    for (size_t i = 0; i < budget->override_count; i++) {
        json_put_name(out, budget->overrides[i].id);
        buffer_put_byte(out, '{');
        put_limits(out, budget->overrides[i].limit);
        buffer_put_byte(out, '}');
    }
    buffer_put_byte(out, '}');
}

static void put_match(struct buffer *out, const struct budget *budget)
{
    json_put_name(out, TEXT("match"));
    buffer_put_byte(out, '{');
    for (size_t i = 0; i < budget->match_count; i++)
        json_put_text_member(out, text_of(scope_name(budget->match[i].scope)),
                             budget->match[i].pattern);
    buffer_put_byte(out, '}');
}

static void put_budget(struct buffer *out, const struct config *config, size_t at,
                       const struct bylaws *bylaws)
{
    const struct budget *budget = &config->budgets[at];
    bool own = at < config->own_budget_count;
    const struct bylaw *limits = bylaws_find(bylaws, BYLAW_LIMITS, budget->name);
    bool request = budget->scope == SCOPE_REQUEST;
    buffer_put(out, at > 0 ? TEXT(",{") : TEXT("{"));
    json_put_text_member(out, TEXT("name"), budget->name);
    put_made(out, own ? NULL : bylaws_find(bylaws, BYLAW_BUDGET, budget->name));
    json_put_text_member(out, TEXT("scope"), text_of(scope_name(budget->scope)));
    put_id(out, "window", request ? TEXT_NONE : text_of(window_name(budget->window)));
    put_match(out, budget);
    put_limits(out, budget->limit);
    put_overrides(out, budget);
    json_put_bool_member(out, TEXT("limits_set"), limits != NULL && limits->body.size > 0);
    buffer_put_byte(out, '}');
}

void motion_list_budgets(struct buffer *out, const struct config *config,
                         const struct bylaws *bylaws)
{
    buffer_put(out, TEXT("{\"object\":\"list\",\"data\":["));
    for (size_t i = 0; i < config->budget_count; i++)
        put_budget(out, config, i, bylaws);
    buffer_put(out, TEXT("]}\n"));
}
