/*
 * Findings: everything that is wrong, collected, so that one run of `purser check` tells it all.
 */
#include <stdio.h>
#include <stdlib.h>

#include "config/config.h"

void findings_close(struct findings *findings)
{
    free(findings->at);
    *findings = (struct findings){0};
}

/* What is quoted comes from a file or the environment: it must not move a terminal's cursor. */
static void make_printable(char *message)
{
    for (; *message != '\0'; message++)
        if ((unsigned char)*message < 0x20 || *message == 0x7f)
            *message = '?';
}

void findings_add(struct findings *findings, enum finding_kind kind, int line, const char *format,
                  ...)
{
    findings->errors += kind == FINDING_ERROR;
    if (findings->count == FINDINGS_MOST) {
        findings->dropped++;
        return;
    }
    if (findings->at == NULL)
        findings->at = memory_new(FINDINGS_MOST * sizeof(struct finding));
    struct finding *finding = &findings->at[findings->count++];
    *finding = (struct finding){.kind = kind, .line = line};
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(finding->message, sizeof(finding->message), format, arguments);
    va_end(arguments);
    make_printable(finding->message);
}

static void print(const struct findings *findings, bool errors_only, struct text path,
                  struct buffer *out)
{
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->at[i];
        if (errors_only && finding->kind != FINDING_ERROR)
            continue;
        buffer_put(out, path);
        if (path.size > 0 && finding->line > 0)
            buffer_printf(out, ":%d", finding->line);
        buffer_printf(out, "%s%s: %s\n", path.size > 0 ? ": " : "",
                      finding->kind == FINDING_ERROR ? "error" : "warning", finding->message);
    }
    if (findings->dropped > 0)
        buffer_printf(out, "... and %zu more\n", findings->dropped);
}

void findings_print(const struct findings *findings, struct text path, struct buffer *out)
{
    print(findings, false, path, out);
}

void findings_print_errors(const struct findings *findings, struct text path, struct buffer *out)
{
    print(findings, true, path, out);
}
