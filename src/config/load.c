/*
 * From bytes to a configuration: parse, read by the table, complete what follows from other
 * options, check.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

#include "config/address.h"
#include "config/amend.h"
#include "config/check.h"
#include "config/environment.h"
#include "config/reader.h"

#define FILE_MOST      ((size_t)1024 * 1024)
#define SESSION_IDLE_S ((int64_t)30 * 86400)

/* ---- what follows from other options ---- */

/* `path`, taken from `folder` unless it is absolute or empty. */
static struct text resolve(struct config *config, struct text folder, struct text path)
{
    if (folder.size == 0 || path.size == 0 || path.at[0] == '/')
        return path;
    return arena_printf(&config->arena, "%.*s/%.*s", TEXT_ARG(folder), TEXT_ARG(path));
}

/* Without its slash; empty for a file of the working directory. */
static struct text folder_of(struct text path)
{
    while (path.size > 0 && path.at[path.size - 1] != '/')
        path.size--;
    return path.size > 1 ? text_slice(path, 0, path.size - 1) : path;
}

static void complete_paths(struct config *config)
{
    struct text folder = folder_of(config->path);
    config->data_dir = resolve(config, folder, config->data_dir);
    config->ledger_dir = resolve(config, config->data_dir, config->ledger_dir);
    config->store_ca = resolve(config, folder, config->store_ca);
    config->store_cert = resolve(config, folder, config->store_cert);
    config->store_key = resolve(config, folder, config->store_key);
    for (size_t i = 0; i < config->prices.count; i++)
        config->prices.at[i] = resolve(config, folder, config->prices.at[i]);
    for (size_t i = 0; i < config->upstream_count; i++)
        config->upstreams[i].ca = resolve(config, folder, config->upstreams[i].ca);
}

static void complete_providers(struct config *config)
{
    for (size_t i = 0; i < config->upstream_count; i++) {
        struct config_upstream *upstream = &config->upstreams[i];
        struct address address;
        if (upstream->provider.size == 0 && address_from_url(upstream->base_url, &address, NULL))
            upstream->provider = address_provider(address.host);
    }
}

/* Budgets of one time zone share it. */
static const struct zone *find_zone(struct reader *reader, size_t budget)
{
    const struct budget *budgets = reader->config->budgets;
    for (size_t i = 0; i < budget; i++)
        if (text_equal(budgets[i].timezone, budgets[budget].timezone))
            return budgets[i].zone;
    struct fault fault;
    const struct zone *zone = zone_open(NULL, budgets[budget].timezone, &fault);
    if (zone == NULL)
        reader_report(reader, FINDING_ERROR, reader_line(reader, "budgets", budget, "timezone"),
                      "budgets[%zu].timezone: %s: write a name like UTC or Europe/Madrid", budget,
                      fault.message);
    return zone;
}

static void complete_budgets(struct reader *reader)
{
    for (size_t i = 0; i < reader->config->budget_count; i++) {
        struct budget *budget = &reader->config->budgets[i];
        bool session = budget->scope == SCOPE_SESSION;
        budget->zone = find_zone(reader, i);
        if (budget->idle_s < 0)
            budget->idle_s = session ? SESSION_IDLE_S : 0;
    }
}

/* For those who find something wrong later. */
static void complete_lines(struct reader *reader)
{
    struct config *config = reader->config;
    config->price_lines =
        arena_new(&config->arena, config->prices.count * sizeof(*config->price_lines));
    for (size_t i = 0; reader->has_lines && i < config->prices.count; i++)
        config->price_lines[i] = reader_line(reader, "prices", i, NULL);
    config->unpriced_line = reader->has_lines ? reader_line(reader, "unpriced", 0, NULL) : 0;
}

/* ---- the document ---- */

static void report_syntax(struct reader *reader, const yaml_parser_t *parser, struct text yaml)
{
    struct text rest = yaml, line = TEXT_NONE;
    for (size_t i = 0; i <= parser->problem_mark.line && rest.at != NULL; i++)
        line = text_split(&rest, '\n');
    bool reference = text_find(line, TEXT("${"), 0) != SIZE_MAX;
    reader_report(reader, FINDING_ERROR, (int)parser->problem_mark.line + 1,
                  "this is not YAML: %s%s",
                  parser->problem == NULL ? "it cannot be read" : parser->problem,
                  reference ? "; inside {..} and [..] write quotes around \"${NAME}\"" : "");
}

static void check_single(struct reader *reader, yaml_parser_t *parser)
{
    yaml_document_t next;
    if (!yaml_parser_load(parser, &next)) {
        reader_report(reader, FINDING_ERROR, (int)parser->problem_mark.line + 1,
                      "this is not YAML: %s", parser->problem);
        return;
    }
    if (yaml_document_get_root_node(&next) != NULL)
        reader_report(reader, FINDING_ERROR, (int)next.start_mark.line + 1,
                      "a second document begins here (---): write everything into one");
    yaml_document_delete(&next);
}

static void read_document(struct reader *reader)
{
    reader_check_duplicates(reader);
    reader_read(reader, &options_root);
    complete_paths(reader->config);
    complete_providers(reader->config);
    complete_budgets(reader);
    complete_lines(reader);
    check_access(reader);
    check_upstreams(reader);
    check_budgets(reader);
    check_rates(reader);
    check_store(reader);
    check_optional_upstreams(reader);
}

static void parse(struct reader *reader, struct text yaml,
                  const struct config_amendments *amendments)
{
    yaml_parser_t parser;
    yaml_document_t document;
    if (yaml.size > FILE_MOST) {
        reader_report(reader, FINDING_ERROR, 0, "the file has more than %zu bytes: make it shorter",
                      FILE_MOST);
        return;
    }
    if (yaml_parser_initialize(&parser) == 0) {
        reader_report(reader, FINDING_ERROR, 0, "there is not enough memory to read it");
        return;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)yaml.at, yaml.size);
    if (yaml_parser_load(&parser, &document)) {
        reader->document = &document;
        if (yaml_document_get_root_node(&document) != NULL)
            check_single(reader, &parser);
        amend_document(reader, amendments);
        read_document(reader);
        yaml_document_delete(&document);
    } else {
        report_syntax(reader, &parser, yaml);
    }
    yaml_parser_delete(&parser);
}

/* In the order of the file; those of one line stay in the order in which they were found. */
static void sort_findings(struct findings *findings)
{
    for (size_t i = 1; i < findings->count; i++) {
        struct finding moving = findings->at[i];
        size_t to = i;
        for (; to > 0 && findings->at[to - 1].line > moving.line; to--)
            findings->at[to] = findings->at[to - 1];
        findings->at[to] = moving;
    }
}

static struct config *load(struct text yaml, struct text path,
                           const struct config_amendments *amendments, config_env *env,
                           struct findings *findings)
{
    size_t errors = findings->errors;
    struct config *config = memory_new(sizeof(*config));
    config->path = arena_copy(&config->arena, path);
    config->source = arena_copy(&config->arena, yaml);
    struct reader reader = {.config = config,
                            .env = env,
                            .findings = findings,
                            .has_lines = path.size > 0,
                            .comparisons = READER_MOST_COMPARED};
    parse(&reader, yaml, amendments);
    check_close_ids(&reader);
    config->own_key_count = config->key_count - reader.keys.added.count;
    config->own_budget_count = config->budget_count - reader.budgets.added.count;
    sort_findings(findings);
    if (findings->errors == errors)
        return config;
    config_close(config);
    return NULL;
}

struct config *config_load_text(struct text yaml, const char *path, config_env *env,
                                struct findings *findings)
{
    ASSERT(path != NULL);
    ASSERT(path[0] != '\0');
    return load(yaml, text_of(path), NULL, env, findings);
}

struct config *config_amend(const struct config *basis, const struct config_amendments *amendments,
                            config_env *env, struct findings *findings)
{
    return load(basis->source, basis->path, amendments, env, findings);
}

/* ---- files ---- */

static struct config *load_environment(const struct config_amendments *amendments, config_env *env,
                                       struct findings *findings)
{
    struct buffer yaml = {0};
    size_t errors = findings->errors;
    environment_put_yaml(&yaml, env, findings);
    struct config *config = NULL;
    if (findings->errors == errors)
        config = load(buffer_text(&yaml), TEXT_NONE, amendments, env, findings);
    buffer_close(&yaml);
    return config;
}

/* One byte over the limit is enough to know that a file is too long. */
static bool read_file(const char *path, struct buffer *out)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    buffer_reserve(out, FILE_MOST + 1);
    out->size = fread(out->at, 1, FILE_MOST + 1, file);
    bool good = !ferror(file);
    int reason = errno;
    (void)fclose(file);
    errno = reason;
    return good;
}

struct config *config_load_amended(const char *path, const struct config_amendments *amendments,
                                   config_env *env, struct findings *findings)
{
    if (path == NULL)
        return load_environment(amendments, env, findings);
    struct buffer yaml = {0};
    struct config *config = NULL;
    if (path[0] != '\0' && read_file(path, &yaml))
        config = load(buffer_text(&yaml), text_of(path), amendments, env, findings);
    else
        findings_add(findings, FINDING_ERROR, 0, "cannot read the file: %s", strerror(errno));
    buffer_close(&yaml);
    return config;
}

struct config *config_load(const char *path, config_env *env, struct findings *findings)
{
    return config_load_amended(path, NULL, env, findings);
}

static bool is_first_of_zone(const struct config *config, size_t budget)
{
    for (size_t i = 0; i < budget; i++)
        if (config->budgets[i].zone == config->budgets[budget].zone)
            return false;
    return true;
}

void config_close(struct config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < config->budget_count; i++)
        if (is_first_of_zone(config, i))
            zone_close((struct zone *)config->budgets[i].zone);
    arena_close(&config->arena);
    free(config);
}
