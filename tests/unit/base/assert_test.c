/* What a failed assertion leaves behind. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit.h"

/* Runs `crash` in a child and returns what it said on standard error; it must abort. */
static struct text last_words(void (*crash)(void), char *room, size_t size)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        crash();
        _exit(0);
    }
    close(ends[1]);
    size_t used = 0;
    ssize_t got;
    while ((got = read(ends[0], room + used, size - used)) > 0)
        used += (size_t)got;
    close(ends[0]);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGABRT);
    return text_make(room, used);
}

static void crash_plainly(void)
{
    int apples = 1;
    ASSERT(apples == 2);
}

static void crash_after_many_steps(void)
{
    char id[] = "req-a";
    for (char letter = 'a'; letter <= 'z'; letter++) {
        id[4] = letter;
        assert_trace(id, "admit");
    }
    assert_trace("evil\033[2J\n", "route");
    assert_trace("a-very-long-id-a-very-long-id-a-very-long-id-a-very-long-id", "settle");
    crash_plainly();
}

START_TEST(an_assertion_that_holds_does_nothing)
{
    int evaluated = 0;
    ASSERT(++evaluated == 1);
    ck_assert_int_eq(evaluated, 1);
}
END_TEST

START_TEST(names_the_condition_and_the_place)
{
    char room[4096];
    struct text said = last_words(crash_plainly, room, sizeof(room));
    ck_assert_uint_ne(text_find(said, TEXT("assertion failed: apples == 2 ("), 0), SIZE_MAX);
    ck_assert_uint_ne(text_find(said, TEXT("assert_test.c:"), 0), SIZE_MAX);
    ck_assert_uint_ne(text_find(said, TEXT("crash_plainly"), 0), SIZE_MAX);
}
END_TEST

START_TEST(prints_the_last_sixteen_steps_in_order)
{
    char room[4096];
    struct text said = last_words(crash_after_many_steps, room, sizeof(room));
    ck_assert_uint_eq(text_find(said, TEXT("req-l: admit"), 0), SIZE_MAX);
    size_t m = text_find(said, TEXT("req-m: admit"), 0);
    size_t z = text_find(said, TEXT("req-z: admit"), 0);
    ck_assert_uint_ne(m, SIZE_MAX);
    ck_assert_uint_ne(z, SIZE_MAX);
    ck_assert_uint_lt(m, z);
    ck_assert_uint_ne(text_find(said, TEXT("evil?[2J?: route"), z), SIZE_MAX);
    ck_assert_uint_ne(text_find(said, TEXT("long-id-a-: settle"), z), SIZE_MAX);
}
END_TEST

UNIT_MAIN(an_assertion_that_holds_does_nothing, names_the_condition_and_the_place,
          prints_the_last_sixteen_steps_in_order)
