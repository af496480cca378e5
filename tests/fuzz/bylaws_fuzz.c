/*
 * What a Redis or a file holds as keys and budgets made at run time: whatever the lines are, each
 * is read or refused; what was read is put and read again alike; merged in two orders it is one
 * set; and a configuration takes it or refuses it with a finding.
 */
#include "budget/bylaws.h"
#include "config/config.h"
#include "fuzz.h"

static const char basis_yaml[] =
    "keys: [{id: alice, key: key-of-alice-0123456, team: research}]\n"
    "upstreams: [{name: openai, base_url: \"https://api.openai.com/v1\", api_key: sk-upstream}]\n"
    "budgets: [{name: daily, scope: global, window: day, usd: 5}]\n";

static const char *environment(const char *name)
{
    ASSERT(strcmp(name, "SECRET") != 0); /* nobody may ask for it */
    return NULL;
}

static void check_line(const struct bylaw *bylaw)
{
    struct arena arena = {0};
    struct buffer line = {0};
    struct bylaw again;
    bylaw_put_line(&line, bylaw);
    bool good = bylaw_read_line(buffer_text(&line), &arena, &again, NULL);
    ASSERT(good);
    ASSERT(again.kind == bylaw->kind);
    ASSERT(again.version == bylaw->version);
    ASSERT(text_equal(again.id, bylaw->id));
    ASSERT(again.body.size == bylaw->body.size);
    ASSERT(text_find(buffer_text(&line), TEXT("\n"), 0) == SIZE_MAX);
    buffer_close(&line);
    arena_close(&arena);
}

static void amend(const struct bylaws *bylaws)
{
    static const enum amendment kinds[] = {AMEND_KEY, AMEND_BUDGET, AMEND_LIMITS};
    struct arena arena = {0};
    struct findings findings = {0};
    struct config_amendment *at =
        arena_new(&arena, (bylaws_count(bylaws) + 1) * sizeof(struct config_amendment));
    struct config_amendments amendments = {.at = at};
    for (size_t i = 0; i < bylaws_count(bylaws); i++) {
        const struct bylaw *bylaw = bylaws_at(bylaws, i);
        if (bylaw->body.size > 0)
            at[amendments.count++] =
                (struct config_amendment){kinds[bylaw->kind], bylaw->id, bylaw->body};
    }
    struct config *basis =
        config_load_text(text_of(basis_yaml), "fuzz.yaml", environment, &findings);
    ASSERT(basis != NULL);
    struct config *config = config_amend(basis, &amendments, environment, &findings);
    ASSERT((config == NULL) == (findings.errors > 0));
    ASSERT(config == NULL || config->key_count >= config->own_key_count);
    ASSERT(config == NULL || config->own_key_count == 1);
    ASSERT(config == NULL || config->own_budget_count == 1);
    config_close(config);
    config_close(basis);
    findings_close(&findings);
    arena_close(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text lines[64], rest = text_make((const char *)data, size);
    size_t count = 0;
    struct arena arena = {0};
    struct bylaws *forward = bylaws_open(), *backward = bylaws_open();
    struct bylaw bylaw;
    while (rest.size > 0 && count < sizeof lines / sizeof *lines)
        lines[count++] = text_split(&rest, '\n');
    for (size_t i = 0; i < count; i++) {
        if (!bylaw_read_line(lines[i], &arena, &bylaw, NULL))
            continue;
        check_line(&bylaw);
        (void)bylaws_merge(forward, &bylaw);
    }
    for (size_t i = count; i-- > 0;)
        if (bylaw_read_line(lines[i], &arena, &bylaw, NULL))
            (void)bylaws_merge(backward, &bylaw);
    ASSERT(bylaws_count(forward) == bylaws_count(backward));
    for (size_t i = 0; i < bylaws_count(forward); i++)
        ASSERT(text_equal(bylaws_line(forward, i), bylaws_line(backward, i)));
    amend(forward);
    bylaws_close(forward);
    bylaws_close(backward);
    arena_close(&arena);
    return 0;
}
