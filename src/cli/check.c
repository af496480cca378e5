/*
 * `purser check`: tells everything that is wrong with a configuration, at once.
 */
#include "cli/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/draft.h"
#include "cli/usage.h"
#include "config/config.h"

static const char manual[] =
    "usage: purser check [--print] [[--config] FILE]\n"
    "       purser check --reference\n"
    "\n"
    "Tells all mistakes of a configuration at once; without FILE, of the environment.\n"
    "The exit status is 1 if it cannot be used.\n"
    "\n"
    "  --print      what it says in full, with the defaults; secrets are hidden\n"
    "  --reference  every option there is, its default and what it is for\n";

struct check_options {
    bool print, reference;
    const char *path; /* NULL: the environment */
};

static bool parse_arguments(int argc, char **argv, struct check_options *options)
{
    *options = (struct check_options){0};
    for (int i = 1; i < argc; i++) {
        struct text argument = text_of(argv[i]);
        if (text_equal(argument, TEXT("--print")))
            options->print = true;
        else if (text_equal(argument, TEXT("--reference")))
            options->reference = true;
        else if (text_equal(argument, TEXT("--config")) && i + 1 < argc && options->path == NULL)
            options->path = argv[++i];
        else if (text_starts(argument, TEXT("-")) || options->path != NULL)
            return false;
        else
            options->path = argv[i];
    }
    return true;
}

static void flush(struct buffer *buffer, FILE *file)
{
    if (buffer->size > 0)
        (void)fwrite(buffer->at, 1, buffer->size, file);
    buffer_close(buffer);
}

static void check_prices(const struct config *config, struct findings *findings)
{
    struct catalog *catalog = draft_catalog(config, findings);
    if (catalog != NULL)
        config_check_prices(config, catalog, findings);
    catalog_close(catalog);
}

static void put_count(struct buffer *out, const char *before, size_t count, const char *what)
{
    buffer_printf(out, "%s%zu %s%s", before, count, what, count == 1 ? "" : "s");
}

static void put_summary(struct buffer *out, const struct config *config,
                        const struct findings *findings)
{
    bool file = config->path.size > 0;
    buffer_printf(out, "%.*s: ", TEXT_ARG(file ? config->path : TEXT("the environment")));
    put_count(out, "OK: ", config->upstream_count, "upstream");
    put_count(out, ", ", config->key_count, "key");
    put_count(out, ", ", config->budget_count, "budget");
    put_count(out, "; ", findings->count + findings->dropped - findings->errors, "warning");
    buffer_put_byte(out, '\n');
}

static int check(const struct check_options *options)
{
    struct findings findings = {0};
    struct buffer told = {0}, out = {0};
    struct config *config = draft_read(options->path, &findings);
    if (config != NULL)
        check_prices(config, &findings);
    findings_print(&findings, text_of(options->path), &told);
    flush(&told, stderr);
    bool good = findings.errors == 0;
    if (good && options->print)
        config_print(config, &out);
    else if (good)
        put_summary(&out, config, &findings);
    flush(&out, stdout);
    config_close(config);
    findings_close(&findings);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int cli_check(int argc, char **argv)
{
    struct check_options options;
    if (usage_asked(argc, argv, manual))
        return EXIT_SUCCESS;
    if (!parse_arguments(argc, argv, &options)) {
        (void)fprintf(stderr, "%s", manual);
        return 2;
    }
    if (!options.reference)
        return check(&options);
    struct buffer out = {0};
    config_print_reference(&out);
    flush(&out, stdout);
    return EXIT_SUCCESS;
}
