/* Motions: changes of keys, budgets and limits. */
#include "cli/motion.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"

/* What makes a key known to people and to programs that look for lost secrets; 192 random bits. */
#define KEY_PREFIX      "sk-purser-"
#define KEY_RANDOM_SIZE 24
#define KEY_SIZE        (sizeof(KEY_PREFIX) + 2 * (size_t)KEY_RANDOM_SIZE)

struct chamber {
    struct motion *motion;
    const struct petition *petition;
    const struct config *config;
    const struct bylaws *bylaws;
    int64_t now_ms, version;
};

/* ---- what is there ---- */

static const struct config_key *find_key(const struct config *config, struct text id, bool *own)
{
    for (size_t i = 0; i < config->key_count; i++) {
        *own = i < config->own_key_count;
        if (text_equal(config->keys[i].id, id))
            return &config->keys[i];
    }
    return NULL;
}

static const struct budget *find_budget(const struct config *config, struct text name, bool *own)
{
    for (size_t i = 0; i < config->budget_count; i++) {
        *own = i < config->own_budget_count;
        if (text_equal(config->budgets[i].name, name))
            return &config->budgets[i];
    }
    return NULL;
}

static bool is_held(const struct bylaws *bylaws, enum bylaw_kind kind, struct text id)
{
    const struct bylaw *bylaw = bylaws_find(bylaws, kind, id);
    return bylaw != NULL && bylaw->body.size > 0;
}

/* Also where it does not fit to this instance's file, and holds elsewhere. */
static bool is_there(const struct chamber *chamber, enum bylaw_kind kind, struct text id)
{
    bool own;
    bool in_force = kind == BYLAW_KEY ? find_key(chamber->config, id, &own) != NULL
                                      : find_budget(chamber->config, id, &own) != NULL;
    return in_force || is_held(chamber->bylaws, kind, id);
}

/* ---- answers ---- */

static enum bell_result refuse(struct chamber *chamber, enum bell_result result, const char *format,
                               struct text name)
{
    struct buffer *out = &chamber->motion->answer;
    struct text shown = text_slice(name, 0, BYLAW_ID_MOST);
    buffer_clear(out);
    for (struct text rest = text_of(format); rest.at != NULL;) {
        buffer_put(out, text_split(&rest, '%'));
        if (rest.at != NULL)
            buffer_put(out, shown);
    }
    return result;
}

static void begin_answer(struct chamber *chamber, const char *object, const char *member,
                         struct text name)
{
    struct buffer *out = &chamber->motion->answer;
    chamber->motion->about = name;
    buffer_put_byte(out, '{');
    json_put_text_member(out, TEXT("object"), text_of(object));
    json_put_text_member(out, text_of(member), name);
}

/* ---- changes ---- */

static struct bylaw *change(struct chamber *chamber, enum bylaw_kind kind, struct text id,
                            struct text body)
{
    struct motion *motion = chamber->motion;
    ASSERT(motion->count < MOTION_MOST);
    struct bylaw *bylaw = &motion->changes[motion->count++];
    *bylaw = (struct bylaw){.kind = kind,
                            .id = id,
                            .version = chamber->version++,
                            .at_s = chamber->now_ms / 1000,
                            .body = body};
    return bylaw;
}

static void take_back(struct chamber *chamber, enum bylaw_kind kind, struct text id)
{
    if (is_held(chamber->bylaws, kind, id))
        (void)change(chamber, kind, id, TEXT(""));
}

/* ---- bodies ---- */

static struct json_value body_of(const struct petition *petition)
{
    struct json_value body;
    enum json_error error = json_parse(petition->body, &body, NULL);
    ASSERT(error == JSON_OK);
    return body;
}

/* A text that may name a bylaw; the configuration's check knows the letters. */
static bool read_name(struct chamber *chamber, struct json_value body, const char *member,
                      struct text *name)
{
    struct json_value value;
    if (!json_member(body, text_of(member), &value) || value.kind != JSON_STRING)
        return false;
    *name = json_string(&chamber->motion->arena, value);
    return name->size > 0 && name->size <= BYLAW_ID_MOST;
}

/* The members of `body` but `without`, behind what is in `out`. */
static void put_members(struct chamber *chamber, struct buffer *out, struct json_value body,
                        const struct text *without)
{
    struct json_walk walk = json_walk(body);
    struct json_value value;
    struct text raw;
    while (json_next(&walk, &raw, &value)) {
        struct text plain = json_name(&chamber->motion->arena, raw);
        if (without == NULL || !text_equal(plain, *without))
            json_put_raw_member(out, plain, value.raw);
    }
}

static struct text end_body(struct chamber *chamber, struct buffer *body)
{
    buffer_put_byte(body, '}');
    struct text kept = arena_copy(&chamber->motion->arena, buffer_text(body));
    buffer_close(body);
    return kept;
}

/* ---- keys ---- */

static void make_secret(char secret[KEY_SIZE])
{
    uint8_t random[KEY_RANDOM_SIZE];
    ssize_t got = getrandom(random, sizeof random, 0);
    ASSERT(got == (ssize_t)sizeof random);
    memcpy(secret, KEY_PREFIX, sizeof(KEY_PREFIX) - 1);
    hash_hex(random, sizeof random, secret + sizeof(KEY_PREFIX) - 1);
}

static struct text key_body(struct chamber *chamber, struct json_value body, struct text secret)
{
    uint8_t digest[HASH_SIZE];
    char hex[HASH_HEX_SIZE];
    struct buffer out = {0};
    hash_text(secret, digest);
    hash_hex(digest, HASH_SIZE, hex);
    buffer_printf(&out, "{\"hash\":\"sha256:%s\"", hex);
    put_members(chamber, &out, body, &TEXT("budget"));
    return end_body(chamber, &out);
}

/* `budget: {usd: 5, window: month}` of a key: a budget of its name, for it alone. */
static struct text own_budget(struct chamber *chamber, struct json_value budget, struct text id)
{
    struct buffer out = {0};
    buffer_put_byte(&out, '{');
    json_put_text_member(&out, TEXT("name"), id);
    json_put_text_member(&out, TEXT("scope"), TEXT("key"));
    buffer_put(&out, TEXT(",\"match\":{"));
    json_put_text_member(&out, TEXT("key"), id);
    buffer_put_byte(&out, '}');
    put_members(chamber, &out, budget, NULL);
    return end_body(chamber, &out);
}

static enum bell_result add_own_budget(struct chamber *chamber, struct json_value body,
                                       struct text id)
{
    struct json_value budget;
    if (!json_member(body, TEXT("budget"), &budget))
        return BELL_DONE;
    if (budget.kind != JSON_OBJECT)
        return refuse(chamber, BELL_BAD,
                      "budget must be a mapping like {\"usd\": 5, \"window\": \"month\"}.",
                      TEXT_NONE);
    if (is_there(chamber, BYLAW_BUDGET, id))
        return refuse(chamber, BELL_FIXED,
                      "There is a budget called \"%\" already, as this key's own would be.", id);
    (void)change(chamber, BYLAW_BUDGET, id, own_budget(chamber, budget, id));
    return BELL_DONE;
}

static void tell_secret(struct chamber *chamber, struct text id, struct text secret)
{
    char stamp[CLOCK_STAMP_SIZE];
    struct buffer *out = &chamber->motion->answer;
    clock_stamp(chamber->now_ms * 1000, stamp);
    begin_answer(chamber, "key", "id", id);
    json_put_text_member(out, TEXT("key"), secret);
    json_put_text_member(out, TEXT("last4"), text_from(secret, secret.size - 4));
    json_put_text_member(out, TEXT("made_at"), text_of(stamp));
}

static enum bell_result make_key(struct chamber *chamber)
{
    char secret[KEY_SIZE];
    struct json_value body = body_of(chamber->petition), value;
    struct text id;
    if (!read_name(chamber, body, "id", &id))
        return refuse(chamber, BELL_BAD, "A key needs an id, a text of 1 to 64 letters.",
                      TEXT_NONE);
    if (json_member(body, TEXT("key"), &value) || json_member(body, TEXT("hash"), &value))
        return refuse(chamber, BELL_BAD,
                      "The key itself is made by purser: leave out key and hash.", TEXT_NONE);
    if (is_there(chamber, BYLAW_KEY, id))
        return refuse(chamber, BELL_FIXED, "There is a key \"%\" already: delete it first.", id);
    enum bell_result result = add_own_budget(chamber, body, id);
    if (result != BELL_DONE)
        return result;
    make_secret(secret);
    struct text plain = text_of(arena_copy(&chamber->motion->arena, text_of(secret)).at);
    change(chamber, BYLAW_KEY, id, key_body(chamber, body, plain))->last4 =
        text_from(plain, plain.size - 4);
    tell_secret(chamber, id, plain);
    return BELL_DONE;
}

static bool has_one_member(struct json_value object)
{
    struct json_walk walk = json_walk(object);
    struct json_value value;
    struct text name;
    return json_next(&walk, &name, &value) && !json_next(&walk, &name, &value);
}

/* Whether the budget of that name is the key's own, as add_own_budget makes it. It need not fit to
 * this instance's file; what stands there under that name has its own limits. */
static bool is_own_budget(const struct chamber *chamber, struct text id)
{
    struct json_value body, match;
    bool of_file = false;
    const struct bylaw *bylaw = bylaws_find(chamber->bylaws, BYLAW_BUDGET, id);
    if (find_budget(chamber->config, id, &of_file) != NULL && of_file)
        return false;
    if (bylaw == NULL || json_parse(bylaw->body, &body, NULL) != JSON_OK)
        return false;
    return json_member_is(body, TEXT("scope"), TEXT("key")) &&
           json_member(body, TEXT("match"), &match) && has_one_member(match) &&
           json_member_is(match, TEXT("key"), id);
}

/* What may be changed elsewhere at the same time comes first: if that overrules it, nothing is done
 * yet. */
static enum bell_result delete_key(struct chamber *chamber)
{
    struct text id = chamber->petition->name;
    bool own = false;
    bool there = find_key(chamber->config, id, &own) != NULL;
    if (there && own)
        return refuse(chamber, BELL_FIXED,
                      "The key \"%\" stands in the configuration file: take it out there.", id);
    if (!is_held(chamber->bylaws, BYLAW_KEY, id))
        return refuse(chamber, BELL_MISSING, "There is no key \"%\".", id);
    bool has_budget = is_own_budget(chamber, id);
    if (has_budget)
        take_back(chamber, BYLAW_LIMITS, id);
    take_back(chamber, BYLAW_KEY, id);
    if (has_budget)
        take_back(chamber, BYLAW_BUDGET, id);
    begin_answer(chamber, "key.deleted", "id", id);
    return BELL_DONE;
}

/* ---- budgets ---- */

static enum bell_result put_budget(struct chamber *chamber)
{
    struct json_value body = body_of(chamber->petition);
    struct text name;
    bool own = false;
    if (!read_name(chamber, body, "name", &name))
        return refuse(chamber, BELL_BAD, "A budget needs a name, a text of 1 to 63 letters.",
                      TEXT_NONE);
    if (find_budget(chamber->config, name, &own) != NULL && own)
        return refuse(chamber, BELL_FIXED,
                      "The budget \"%\" stands in the configuration file: change it there, or its "
                      "limits by POST /admin/budgets/{name}/limits.",
                      name);
    (void)change(chamber, BYLAW_BUDGET, name, chamber->petition->body);
    take_back(chamber, BYLAW_LIMITS, name);
    begin_answer(chamber, "budget", "name", name);
    return BELL_DONE;
}

static enum bell_result delete_budget(struct chamber *chamber)
{
    struct text name = chamber->petition->name;
    bool own = false;
    if (find_budget(chamber->config, name, &own) != NULL && own)
        return refuse(chamber, BELL_FIXED,
                      "The budget \"%\" stands in the configuration file: take it out there.",
                      name);
    if (!is_held(chamber->bylaws, BYLAW_BUDGET, name))
        return refuse(chamber, BELL_MISSING, "There is no budget \"%\".", name);
    take_back(chamber, BYLAW_LIMITS, name);
    take_back(chamber, BYLAW_BUDGET, name);
    begin_answer(chamber, "budget.deleted", "name", name);
    return BELL_DONE;
}

static bool is_limit(struct text name)
{
    for (unsigned unit = 0; unit < UNIT_COUNT; unit++)
        if (json_name_equal(name, text_of(unit_name((enum unit)unit))))
            return true;
    return false;
}

static bool are_limits(struct json_value body)
{
    struct json_walk walk = json_walk(body);
    struct json_value value;
    struct text name;
    size_t count = 0;
    while (json_next(&walk, &name, &value)) {
        if (!is_limit(name))
            return false;
        count++;
    }
    return count > 0;
}

/* What was set for that budget before; of another kind: nothing was. */
static struct json_value held_limits(const struct chamber *chamber)
{
    struct json_value body = {0};
    const struct bylaw *bylaw = bylaws_find(chamber->bylaws, BYLAW_LIMITS, chamber->petition->name);
    if (bylaw == NULL || json_parse(bylaw->body, &body, NULL) != JSON_OK)
        return (struct json_value){0};
    return body;
}

static void put_units(struct buffer *out, struct json_value limits)
{
    struct json_value limit;
    for (unsigned unit = 0; unit < UNIT_COUNT; unit++) {
        struct text name = text_of(unit_name((enum unit)unit));
        if (json_member(limits, name, &limit))
            json_put_raw_member(out, name, limit.raw);
    }
}

/* Those of all ids but the petition's as they are; its own if there are any `limits`. */
static void put_overrides(struct chamber *chamber, struct buffer *out, struct json_value held,
                          struct json_value limits)
{
    struct buffer inside = {0};
    struct json_value overrides = {0};
    struct text id = chamber->petition->id;
    (void)json_member(held, TEXT("overrides"), &overrides);
    buffer_put_byte(&inside, '{');
    put_members(chamber, &inside, overrides, id.size > 0 ? &id : NULL);
    if (id.size > 0 && limits.kind == JSON_OBJECT)
        json_put_raw_member(&inside, id, limits.raw);
    buffer_put_byte(&inside, '}');
    if (inside.size > 2)
        json_put_raw_member(out, TEXT("overrides"), buffer_text(&inside));
    buffer_close(&inside);
}

/* What is set from now on: `limits` for the budget or the id; null: those of the file again. */
static struct text limits_body(struct chamber *chamber, struct json_value limits)
{
    struct buffer out = {0};
    struct json_value held = held_limits(chamber);
    buffer_put_byte(&out, '{');
    put_units(&out, chamber->petition->id.size > 0 ? held : limits);
    put_overrides(chamber, &out, held, limits);
    return end_body(chamber, &out);
}

static void begin_limits_answer(struct chamber *chamber, const char *object)
{
    begin_answer(chamber, object, "name", chamber->petition->name);
    if (chamber->petition->id.size == 0)
        return;
    json_put_text_member(&chamber->motion->answer, TEXT("id"), chamber->petition->id);
    chamber->motion->about = chamber->petition->id;
}

static enum bell_result set_limits(struct chamber *chamber)
{
    struct text name = chamber->petition->name;
    struct json_value limits = body_of(chamber->petition);
    bool own;
    if (!are_limits(limits))
        return refuse(chamber, BELL_BAD,
                      "Name one or more of usd, tokens and requests, and nothing else.", TEXT_NONE);
    if (find_budget(chamber->config, name, &own) == NULL)
        return refuse(chamber, BELL_MISSING, "There is no budget \"%\".", name);
    struct text body = limits_body(chamber, limits);
    if (body.size > BYLAW_BODY_MOST)
        return refuse(chamber, BELL_BAD, "Too many limits of \"%\" were set already.", name);
    (void)change(chamber, BYLAW_LIMITS, name, body);
    begin_limits_answer(chamber, "budget.limits");
    return BELL_DONE;
}

static bool are_set(const struct chamber *chamber)
{
    struct json_value overrides, limits;
    struct text id = chamber->petition->id;
    if (id.size == 0)
        return is_held(chamber->bylaws, BYLAW_LIMITS, chamber->petition->name);
    return json_member(held_limits(chamber), TEXT("overrides"), &overrides) &&
           json_member(overrides, id, &limits);
}

static enum bell_result unset_limits(struct chamber *chamber)
{
    struct text name = chamber->petition->name;
    if (!are_set(chamber))
        return refuse(chamber, BELL_MISSING, "No limits of a budget \"%\" were set.", name);
    struct text body = limits_body(chamber, (struct json_value){0});
    if (chamber->petition->id.size == 0 || body.size == 2)
        take_back(chamber, BYLAW_LIMITS, name);
    else
        (void)change(chamber, BYLAW_LIMITS, name, body);
    begin_limits_answer(chamber, "budget.limits.deleted");
    return BELL_DONE;
}

/* ---- the whole ---- */

static enum bell_result list_keys(struct chamber *chamber)
{
    motion_list_keys(&chamber->motion->answer, chamber->config, chamber->bylaws);
    return BELL_DONE;
}

static enum bell_result list_budgets(struct chamber *chamber)
{
    motion_list_budgets(&chamber->motion->answer, chamber->config, chamber->bylaws);
    return BELL_DONE;
}

static bool is_question(enum petition_kind kind)
{
    return kind == PETITION_LIST_KEYS || kind == PETITION_LIST_BUDGETS;
}

enum bell_result motion_make(struct motion *motion, const struct petition *petition,
                             const struct config *config, const struct bylaws *bylaws)
{
    static enum bell_result (*const ways[])(struct chamber *) = {
        [PETITION_LIST_KEYS] = list_keys,   [PETITION_MAKE_KEY] = make_key,
        [PETITION_DELETE_KEY] = delete_key, [PETITION_LIST_BUDGETS] = list_budgets,
        [PETITION_PUT_BUDGET] = put_budget, [PETITION_DELETE_BUDGET] = delete_budget,
        [PETITION_SET_LIMITS] = set_limits, [PETITION_UNSET_LIMITS] = unset_limits,
    };
    *motion = (struct motion){0};
    int64_t now_ms = clock_wall_us(clock_real()) / 1000;
    struct chamber chamber = {.motion = motion,
                              .petition = petition,
                              .config = config,
                              .bylaws = bylaws,
                              .now_ms = now_ms,
                              .version = bylaws_next_version(bylaws, now_ms)};
    if (chamber.version > BYLAW_VERSION_MOST - MOTION_MOST && !is_question(petition->kind))
        return refuse(&chamber, BELL_FIXED,
                      "Some key or budget has the highest version there is, which purser does not "
                      "make: nothing can go before it. Take it out of bylaws.jsonl in each "
                      "data_dir, and out of the store, while no instance runs.",
                      TEXT_NONE);
    return ways[petition->kind](&chamber);
}

void motion_close(struct motion *motion)
{
    buffer_close(&motion->answer);
    arena_close(&motion->arena);
}
