/* Lines on standard error. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../unit.h"
#include "base/json.h"
#include "base/log.h"

static char said_room[1 << 20];

/* From here on standard error is a file in memory; each test is a process of its own. */
static int listen_in(void)
{
    int file = memfd_create("standard error", 0);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(fcntl(file, F_SETFL, O_APPEND), 0);
    ck_assert_int_eq(dup2(file, STDERR_FILENO), STDERR_FILENO);
    return file;
}

static struct text said(int file)
{
    ssize_t size = pread(file, said_room, sizeof(said_room), 0);
    ck_assert_int_ge(size, 0);
    return text_make(said_room, (size_t)size);
}

/* What stands behind the time and the level of a line. */
static struct text message_of(struct text line)
{
    return text_from(line, sizeof("2026-11-21T20:15:00.123456+00:00 error ") - 1);
}

START_TEST(writes_the_time_the_level_and_the_message)
{
    int file = listen_in();
    log_info("listening on port %d", 8080);
    struct text line = said(file);
    ck_assert(text_matches(text_slice(line, 0, 33), TEXT("20*-*-*T*:*:*.*+00:00 ")));
    UNIT_TEXT(text_from(line, 33), "info  listening on port 8080\n");
}
END_TEST

START_TEST(leaves_out_what_is_below_the_level)
{
    int file = listen_in();
    log_debug("a");
    ck_assert_uint_eq(said(file).size, 0);
    log_setup(LOG_WARN, LOG_TEXT);
    log_info("b");
    ck_assert_uint_eq(said(file).size, 0);
    log_setup(LOG_ERROR, LOG_TEXT);
    log_warn("c");
    ck_assert_uint_eq(said(file).size, 0);
    log_error("d");
    UNIT_TEXT(message_of(said(file)), "d\n");
}
END_TEST

START_TEST(nobody_can_forge_a_line_or_steer_a_terminal)
{
    int file = listen_in();
    log_error("%s", "a\nb\r\t\033[2J\x7f\\n \xC3\xA9\xC3\x80\xC2\xA0 \xC2\x85 \xFF \xE2\x82");
    UNIT_TEXT(
        message_of(said(file)),
        "a\\nb\\x0d\\x09\\x1b[2J\\x7f\\\\n \xC3\xA9\xC3\x80\xC2\xA0 \\xc2\\x85 \\xff \\xe2\\x82\n");
}
END_TEST

START_TEST(writes_json_on_request)
{
    int file = listen_in();
    log_setup(LOG_INFO, LOG_JSON);
    log_warn("a \"b\"\n%s", "\xFF");
    struct text line = said(file);
    struct json_value whole, value;
    ck_assert_int_eq(json_parse(line, &whole, NULL), JSON_OK);
    ck_assert_uint_eq(text_find(line, TEXT("\n"), 0), line.size - 1);
    ck_assert(json_member(whole, TEXT("timestamp"), &value));
    ck_assert_uint_eq(value.raw.size, 34);
    ck_assert(json_member(whole, TEXT("level"), &value));
    UNIT_TEXT(value.raw, "\"warn\"");
    ck_assert(json_member(whole, TEXT("message"), &value));
    UNIT_TEXT(value.raw, "\"a \\\"b\\\"\\n\xEF\xBF\xBD\"");
}
END_TEST

START_TEST(marks_a_message_that_was_cut)
{
    int file = listen_in();
    log_error("%*s", 2047, "x");
    ck_assert(text_ends(said(file), TEXT(" x\n")));
    log_error("%*s", 2048, "x");
    ck_assert(text_ends(said(file), TEXT("  ...\n")));
}
END_TEST

START_TEST(leaves_errno_alone)
{
    close(STDERR_FILENO);
    errno = ENOENT;
    log_error("nobody hears this");
    ck_assert_int_eq(errno, ENOENT);
}
END_TEST

static void *chatter(void *context)
{
    for (int i = 0; i < 500; i++)
        log_info("thread %s says the same thing again and again", (const char *)context);
    return NULL;
}

START_TEST(lines_of_threads_do_not_mix)
{
    int file = listen_in();
    static char names[4][2] = {"0", "1", "2", "3"};
    pthread_t threads[UNIT_COUNT(names)];
    for (size_t i = 0; i < UNIT_COUNT(names); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, chatter, names[i]), 0);
    for (size_t i = 0; i < UNIT_COUNT(names); i++)
        pthread_join(threads[i], NULL);
    struct text rest = said(file);
    for (size_t i = 0; i < 500 * UNIT_COUNT(names); i++) {
        struct text message = text_from(text_split(&rest, '\n'), 39);
        ck_assert_msg(text_matches(message, TEXT("thread * says the same thing again and again")),
                      "%.*s", TEXT_ARG(message));
        ck_assert_uint_eq(message.size, sizeof("thread 0 says the same thing again and again") - 1);
    }
    ck_assert_uint_eq(rest.size, 0);
}
END_TEST

UNIT_MAIN(writes_the_time_the_level_and_the_message, leaves_out_what_is_below_the_level,
          nobody_can_forge_a_line_or_steer_a_terminal, writes_json_on_request,
          marks_a_message_that_was_cut, leaves_errno_alone, lines_of_threads_do_not_mix)
