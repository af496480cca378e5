/* `purser check`: what it prints, where, and its exit status. Runs in the repository's root. */
#include <stdio.h>
#include <unistd.h>

#include "../unit.h"
#include "cli/check.h"

struct told {
    int status;
    char out[65536], err[65536];
};

/* Sends a stream to a file while the command runs. */
static int divert(FILE *stream, FILE *file)
{
    int kept = dup(fileno(stream));
    fflush(stream);
    ck_assert_int_ge(dup2(fileno(file), fileno(stream)), 0);
    return kept;
}

static void restore(FILE *stream, int kept, FILE *file, char *text)
{
    fflush(stream);
    ck_assert_int_ge(dup2(kept, fileno(stream)), 0);
    close(kept);
    rewind(file);
    text[fread(text, 1, 65535, file)] = '\0';
    fclose(file);
}

static void run(struct told *told, int argc, char **argv)
{
    FILE *out = tmpfile();
    FILE *err = tmpfile();
    ck_assert_ptr_nonnull(out);
    ck_assert_ptr_nonnull(err);
    int kept_out = divert(stdout, out);
    int kept_err = divert(stderr, err);
    told->status = cli_check(argc, argv);
    restore(stdout, kept_out, out, told->out);
    restore(stderr, kept_err, err, told->err);
}

#define RUN(...)                                                                                   \
    char *arguments[] = {"check", __VA_ARGS__};                                                    \
    static struct told told;                                                                       \
    run(&told, (int)UNIT_COUNT(arguments), arguments)

START_TEST(says_that_a_good_file_is_good)
{
    setenv("OPENAI_API_KEY", "sk-test", 1);
    setenv("PURSER_KEY", "0123456789abcdef", 1);
    RUN("config/minimal.yaml");
    ck_assert_str_eq(told.err, "");
    ck_assert_str_eq(told.out,
                     "config/minimal.yaml: OK: 1 upstream, 1 key, 1 budget; 0 warnings\n");
    ck_assert_int_eq(told.status, 0);
}
END_TEST

START_TEST(tells_the_faults_of_a_bad_file_on_standard_error)
{
    RUN("tests/fuzz/corpus/config/faults.yaml", "--print");
    ck_assert_int_eq(told.status, 1);
    ck_assert_str_eq(told.out, "");
    ck_assert_ptr_nonnull(strstr(told.err, "faults.yaml:1: error: there is no option \"lisen\""));
    ck_assert_ptr_nonnull(strstr(told.err, "faults.yaml:25: error: budgets[5]"));
}
END_TEST

START_TEST(prints_what_is_in_force)
{
    setenv("OPENAI_API_KEY", "sk-test", 1);
    setenv("PURSER_KEY", "0123456789abcdef", 1);
    RUN("--print", "config/minimal.yaml");
    ck_assert_int_eq(told.status, 0);
    ck_assert_ptr_nonnull(strstr(told.out, "    api_key: (hidden)\n"));
    ck_assert_ptr_null(strstr(told.out, "sk-test"));
}
END_TEST

START_TEST(checks_the_environment_without_a_file)
{
    setenv("OPENAI_API_KEY", "sk-test", 1);
    unsetenv("PURSER_BUDGET_USD");
    char *arguments[] = {"check"};
    static struct told told;
    run(&told, 1, arguments);
    ck_assert_int_eq(told.status, 0);
    ck_assert_ptr_nonnull(strstr(told.err, "warning: NO BUDGET"));
    ck_assert_str_eq(told.out, "the environment: OK: 1 upstream, 0 keys, 0 budgets; 1 warning\n");
}
END_TEST

START_TEST(prints_the_reference)
{
    RUN("--reference");
    ck_assert_int_eq(told.status, 0);
    ck_assert_ptr_nonnull(strstr(told.out, "\nlisten: 127.0.0.1:8080 "));
}
END_TEST

START_TEST(explains_its_usage)
{
    RUN("--frobnicate");
    ck_assert_int_eq(told.status, 2);
    ck_assert_ptr_nonnull(strstr(told.err, "usage: purser check"));
}
END_TEST

UNIT_MAIN(says_that_a_good_file_is_good, tells_the_faults_of_a_bad_file_on_standard_error,
          prints_what_is_in_force, checks_the_environment_without_a_file, prints_the_reference,
          explains_its_usage)
