/*
 * The simulator: runs worlds, one for each seed, and says which failed.
 *
 *     simulator SEEDS [FIRST]         so many, from FIRST (1)
 *     simulator --seed N              one, with a trace of all that happens
 *     simulator --list FILE           those that a file lists, a number a line
 *     simulator --mutant SEEDS FILE   so many, and then those that the file lists, up to the first
 *                                     that an invariant catches
 */
#include "sim.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <time.h>

/* ---- what the shipped code finds in this program instead of its own ---- */

/* text_hash has a secret, and tables an order: here both are the same in each run. */
ssize_t getrandom(void *out, size_t size, unsigned flags);
ssize_t getrandom(void *out, size_t size, unsigned flags)
{
    (void)flags;
    memset(out, 42, size);
    return (ssize_t)size;
}

static struct {
    jmp_buf back;
    char what[300];
} asserted;

/* An assertion of the shipped code is a finding too, but not one of the checker. */
_Noreturn void assert_failed(const char *condition, const char *file, int line, const char *where)
{
    snprintf(asserted.what, sizeof(asserted.what), "assertion: %s (%s:%d, %s)", condition, file,
             line, where);
    longjmp(asserted.back, 1);
}

void assert_trace(const char *request_id, const char *step)
{
    (void)request_id;
    (void)step;
}

/* ---- runs ---- */

enum outcome { OUTCOME_GOOD, OUTCOME_FAILED, OUTCOME_ASSERTED };

struct run {
    char failure[300];
    uint64_t digest;
};

static enum outcome run(uint64_t seed, bool trace, struct run *run)
{
    /* What an assertion leaves behind is not freed. */
    if (setjmp(asserted.back) != 0) {
        memcpy(run->failure, asserted.what, sizeof(run->failure));
        return OUTCOME_ASSERTED;
    }
    struct world *world = world_open(seed, trace);
    bool good = world_run(world);
    memcpy(run->failure, world->failure, sizeof(run->failure));
    run->digest = world->digest;
    world_close(world);
    return good ? OUTCOME_GOOD : OUTCOME_FAILED;
}

static size_t run_many(uint64_t first, uint64_t count)
{
    size_t failed = 0;
    for (uint64_t seed = first; seed < first + count; seed++) {
        struct run now;
        if (run(seed, false, &now) == OUTCOME_GOOD)
            continue;
        printf("SEED=%llu: %s\n", (unsigned long long)seed, now.failure);
        fflush(stdout);
        failed++;
    }
    return failed;
}

static int run_one(uint64_t seed)
{
    struct run traced;
    if (run(seed, true, &traced) == OUTCOME_GOOD) {
        printf("SEED=%llu: good (%016llx)\n", (unsigned long long)seed,
               (unsigned long long)traced.digest);
        return 0;
    }
    printf("SEED=%llu: %s\n", (unsigned long long)seed, traced.failure);
    return 1;
}

static size_t run_list(const char *path, size_t *count)
{
    FILE *file = fopen(path, "r");
    unsigned long long seed;
    size_t failed = 0;
    if (file == NULL) {
        perror(path);
        return 1;
    }
    while (fscanf(file, "%llu%*[^\n]", &seed) == 1) {
        failed += run_many(seed, 1);
        (*count)++;
    }
    fclose(file);
    return failed;
}

/* What became of a mutant so far. */
struct trial {
    uint64_t asserted_at;
    bool caught;
};

/* Assertions of the mutated code do not count. */
static void try_mutant(struct trial *trial, uint64_t seed)
{
    struct run now;
    enum outcome outcome = run(seed, false, &now);
    if (outcome == OUTCOME_ASSERTED && trial->asserted_at == 0)
        trial->asserted_at = seed;
    if (outcome != OUTCOME_FAILED)
        return;
    trial->caught = true;
    printf("seed %llu: %s\n", (unsigned long long)seed, now.failure);
}

/* By the first `count` seeds, and then by those that are kept. */
static int run_mutant(uint64_t count, const char *path)
{
    struct trial trial = {0};
    FILE *kept = fopen(path, "r");
    unsigned long long seed = 0;
    if (kept == NULL) {
        perror(path);
        return 1;
    }
    while (!trial.caught && seed < count)
        try_mutant(&trial, ++seed);
    while (!trial.caught && fscanf(kept, "%llu%*[^\n]", &seed) == 1)
        try_mutant(&trial, seed);
    fclose(kept);
    if (!trial.caught && trial.asserted_at > 0)
        printf("lives (an assertion fails at seed %llu)\n", (unsigned long long)trial.asserted_at);
    else if (!trial.caught)
        printf("lives\n");
    return !trial.caught;
}

static uint64_t number(const char *digits)
{
    int64_t value = 0;
    return text_to_int(text_of(digits), &value) && value > 0 ? (uint64_t)value : 1;
}

int main(int count, char **arguments)
{
    const char *first = count > 1 ? arguments[1] : "1000";
    if (count > 2 && strcmp(first, "--seed") == 0)
        return run_one(number(arguments[2]));
    if (count > 3 && strcmp(first, "--mutant") == 0)
        return run_mutant(number(arguments[2]), arguments[3]);
    clock_t begun = clock();
    size_t seeds = 0, failed = 0;
    if (count > 2 && strcmp(first, "--list") == 0) {
        failed = run_list(arguments[2], &seeds);
    } else {
        seeds = number(first);
        failed = run_many(count > 2 ? number(arguments[2]) : 1, seeds);
    }
    long ms = (long)((clock() - begun) * 1000 / CLOCKS_PER_SEC);
    printf("%zu seeds in %ld ms of one core\n%zu passed, %zu failed\n", seeds, ms, seeds - failed,
           failed);
    return failed > 0;
}
