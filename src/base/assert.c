/*
 * What happens when an assertion fails: say what broke and what the thread was doing, then abort.
 * Nothing here allocates or locks, because the heap may be what broke.
 */
#include "base/assert.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEPS   16
#define ID_SIZE 48

struct step {
    char request_id[ID_SIZE];
    const char *name; /* NULL: never used */
};

static _Thread_local struct {
    struct step steps[STEPS];
    unsigned next;
} trace;

void assert_trace(const char *request_id, const char *step)
{
    struct step *slot = &trace.steps[trace.next % STEPS];
    size_t size = strnlen(request_id, ID_SIZE - 1);
    memcpy(slot->request_id, request_id, size);
    slot->request_id[size] = '\0';
    slot->name = step;
    trace.next++;
}

/* Request ids may come from clients: they must not draw on the operator's terminal. */
static void hide_controls(char *id)
{
    for (; *id != '\0'; id++)
        if (*id < ' ' || *id > '~')
            *id = '?';
}

static void print_steps(void)
{
    for (unsigned i = 0; i < STEPS; i++) {
        struct step *step = &trace.steps[(trace.next + i) % STEPS];
        if (step->name == NULL)
            continue;
        hide_controls(step->request_id);
        dprintf(STDERR_FILENO, "  %s: %s\n", step->request_id, step->name);
    }
}

_Noreturn void assert_failed(const char *condition, const char *file, int line, const char *where)
{
    dprintf(STDERR_FILENO, "assertion failed: %s (%s:%d, %s)\n", condition, file, line, where);
    print_steps();
    abort();
}
