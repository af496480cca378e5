/* Printing: config/purser.yaml is what the table says, and what is printed can be loaded again. */
#include "config/option.h"
#include "fixture.h"

static const char *example_env(const char *name)
{
    return strcmp(name, "PURSER_ADMIN_TOKEN") == 0 ? NULL : "a-value-for-everything";
}

static void read_file(const char *path, struct buffer *out)
{
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s: tests run in the repository's root", path);
    int byte;
    while ((byte = fgetc(file)) != EOF)
        buffer_put_byte(out, (char)byte);
    fclose(file);
}

START_TEST(documents_every_option_in_the_file_of_the_repository)
{
    struct buffer reference = {0}, file = {0};
    config_print_reference(&reference);
    read_file("config/purser.yaml", &file);
    ck_assert_msg(text_equal(buffer_text(&reference), buffer_text(&file)),
                  "write it anew: purser check --reference > config/purser.yaml");
    buffer_close(&reference);
    buffer_close(&file);
}
END_TEST

START_TEST(fits_into_100_columns)
{
    struct buffer reference = {0};
    config_print_reference(&reference);
    struct text rest = buffer_text(&reference);
    while (rest.size > 0)
        ck_assert_uint_le(text_split(&rest, '\n').size, 100);
    buffer_close(&reference);
}
END_TEST

static void check_rows(const struct option_table *table)
{
    for (const struct option *option = table->options; option->name != NULL; option++) {
        ck_assert_msg(option->help[0] != '\0', "%s has no help", option->name);
        if (option->table != NULL) {
            check_rows(option->table);
            continue;
        }
        ck_assert_msg(option->fallback != NULL || option->example != NULL,
                      "%s has neither default nor example", option->name);
        ck_assert_msg(option->fallback == NULL || (option->flags & OPTION_REQUIRED) == 0,
                      "%s is required and has a default", option->name);
        ck_assert_ptr_nonnull(option->kind->read);
        ck_assert_ptr_nonnull(option->kind->put);
    }
}

START_TEST(has_a_table_in_which_no_row_is_half_written)
{
    check_rows(&options_root);
}
END_TEST

START_TEST(loads_the_files_of_the_repository)
{
    static const char *const FILES[] = {"config/purser.yaml", "config/minimal.yaml"};
    for (size_t i = 0; i < UNIT_COUNT(FILES); i++) {
        struct findings findings = {0};
        struct config *config = config_load(FILES[i], example_env, &findings);
        ck_assert_msg(findings.count == 0, "%s", fixture_told(&findings));
        config_close(config);
    }
}
END_TEST

#define RICH                                                                                       \
    "listen: unix:/run/p.sock\n"                                                                   \
    "data_dir: /data\n"                                                                            \
    "allowed_origins: [\"https://a b\", \"*\"]\n"                                                  \
    "limits: {body_mb: 7}\n"                                                                       \
    "keys: [{id: a, key: 0123456789abcdef, team: t, may_set: []}]\n"                               \
    "upstreams:\n"                                                                                 \
    "  - {name: o, base_url: \"https://api.openai.com/v1\", api_key: k, aliases: {\"a:\": \"b, "   \
    "c\"},\n"                                                                                      \
    "     cancel_saves: no}\n"                                                                     \
    "models: [{name: m, input: 0.000001, cached_input: 12.5, output: 3}]\n"                        \
    "budgets:\n"                                                                                   \
    "  - {name: r, scope: request, usd: 1}\n"                                                      \
    "  - {name: b, scope: session, window: total, usd: 0.000000001, tokens: 9, idle: 36h,\n"       \
    "     buffer: 0.05%, match: {key: a, model: \"*\"}, overrides: {x: {usd: 3}, \"y z\": {usd: "  \
    "1, "                                                                                          \
    "tokens: 2}}}\n"

START_TEST(prints_what_loads_into_the_same)
{
    struct fixture fixture = fixture_load(RICH);
    ck_assert_msg(fixture.findings.count == 0, "%s", fixture_told(&fixture.findings));
    struct buffer once = {0}, twice = {0};
    config_print(fixture.config, &once);
    struct fixture again = fixture_load(buffer_string(&once));
    ck_assert_msg(again.config != NULL, "%s\n%s", fixture_told(&again.findings),
                  buffer_string(&once));
    config_print(again.config, &twice);
    /* ledger.dir is printed as it is in force, within data_dir, and is absolute here */
    UNIT_TEXT(buffer_text(&twice), buffer_string(&once));
    buffer_close(&once);
    buffer_close(&twice);
    fixture_close(&fixture);
    fixture_close(&again);
}
END_TEST

START_TEST(prints_values_as_they_were_meant)
{
    static const char *const PARTS[] = {
        "listen: unix:/run/p.sock\n",
        "allowed_origins: [\"https://a b\", \"*\"]\n",
        "  body_mb: 7\n",
        "  - id: a\n    key: (hidden)\n",
        "    may_set: []\n",
        "    cancel_saves: no\n",
        "    input: 0.000001\n    cached_input: 12.5\n    output: 3\n",
        "    usd: 0.000000001\n    tokens: 9\n    buffer: 0.05%\n",
        "    overrides: {x: {usd: 3}, \"y z\": {usd: 1, tokens: 2}}\n    idle: 36h\n",
        "    match: {key: a, model: \"*\"}\n",
    };
    struct fixture fixture = fixture_load(RICH);
    struct buffer out = {0};
    config_print(fixture.config, &out);
    for (size_t i = 0; i < UNIT_COUNT(PARTS); i++)
        ck_assert_msg(strstr(buffer_string(&out), PARTS[i]) != NULL, "no \"%s\" in:\n%s", PARTS[i],
                      buffer_string(&out));
    buffer_close(&out);
    fixture_close(&fixture);
}
END_TEST

START_TEST(hides_secrets)
{
    struct fixture fixture =
        fixture_load("auth: {admin_token: top-secret}\n"
                     "keys: [{id: a, key: top-secret-0123456789}]\n"
                     "upstreams: [{name: o, base_url: \"https://x\", api_key: top-secret,\n"
                     "  headers: {X-Api: top-secret}, query: {key: top-secret},\n"
                     "  proxy: \"http://u:top-secret@x\"}]\n" BUDGETS);
    ck_assert_msg(fixture.config != NULL, "%s", fixture_told(&fixture.findings));
    struct buffer out = {0};
    config_print(fixture.config, &out);
    ck_assert_ptr_null(strstr(buffer_string(&out), "top-secret"));
    ck_assert_ptr_nonnull(strstr(buffer_string(&out), "headers: {X-Api: (hidden)}\n"));
    ck_assert_ptr_nonnull(strstr(buffer_string(&out), "proxy: (hidden)\n"));
    buffer_close(&out);
    fixture_close(&fixture);
}
END_TEST

UNIT_MAIN(documents_every_option_in_the_file_of_the_repository, fits_into_100_columns,
          has_a_table_in_which_no_row_is_half_written, loads_the_files_of_the_repository,
          prints_what_loads_into_the_same, prints_values_as_they_were_meant, hides_secrets)
