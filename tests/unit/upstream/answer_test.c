/* Answers as transfers hand them out: framing, compression, back-pressure. */
#include "scene.h"
#include "squeeze.h"
#include "wire/http1.h"

/* The answer arrives as written, in pieces of `step` bytes; `hang_up` ends the connection. */
static int answer_in_steps(struct scene *scene, struct text answer, size_t step, bool hang_up)
{
    scene_start(scene);
    int fd = scene_serve(scene);
    for (size_t at = 0; at < answer.size; at += step) {
        struct text piece = text_slice(answer, at, at + step);
        /* bytes behind the end of an answer may find the connection closed */
        if (send(fd, piece.at, piece.size, MSG_NOSIGNAL) < 0)
            break;
        scene_turns(scene, 2);
    }
    if (hang_up)
        scene_hang_up(fd, false);
    return fd;
}

struct answer_case {
    const char *answer;
    const char *body;
    enum transfer_end end;
    int status;
    bool hang_up;
};

static void check_cases(const struct answer_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        static const size_t steps[] = {1, 13, 100000};
        for (size_t j = 0; j < UNIT_COUNT(steps); j++) {
            struct scene scene;
            scene_open(&scene);
            int fd = answer_in_steps(&scene, text_of(cases[i].answer), steps[j], cases[i].hang_up);
            scene_expect(&scene, cases[i].end);
            ck_assert_int_eq(transfer_status(scene.transfer), cases[i].status);
            UNIT_TEXT(buffer_text(&scene.body), cases[i].body);
            scene_end(&scene);
            if (!cases[i].hang_up)
                close(fd);
            scene_close(&scene);
        }
    }
}

START_TEST(reads_bodies_of_every_framing)
{
    static const struct answer_case cases[] = {
        {SCENE_OK, "ok", TRANSFER_COMPLETE, 200, false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
         "abcde", TRANSFER_COMPLETE, 200, false},
        {"HTTP/1.1 200 OK\r\n\r\nto the end", "to the end", TRANSFER_COMPLETE, 200, true},
        {"HTTP/1.0 200 OK\r\nServer: old\r\n\r\nold", "old", TRANSFER_COMPLETE, 200, true},
        {"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold", "old", TRANSFER_COMPLETE, 200, false},
        {"HTTP/1.1 100 Continue\r\n\r\n" SCENE_OK, "ok", TRANSFER_COMPLETE, 200, false},
        {"HTTP/1.1 204 No Content\r\n\r\n", "", TRANSFER_COMPLETE, 204, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", TRANSFER_COMPLETE, 200, false},
    };
    check_cases(cases, UNIT_COUNT(cases));
}
END_TEST

START_TEST(refuses_broken_answers)
{
    static const struct answer_case cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", "",
         TRANSFER_UNANSWERED, 0, false},
        {"SSH-2.0-OpenSSH_9.2\r\n\r\n", "", TRANSFER_UNANSWERED, 0, false},
        {"", "", TRANSFER_UNANSWERED, 0, true},
        {"HTTP/1.1 100 Continue\r\n\r\n", "", TRANSFER_UNANSWERED, 0, true},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nx", "abc", TRANSFER_CUT,
         200, false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", "abc",
         TRANSFER_CUT, 200, true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "abc", TRANSFER_CUT, 200, true},
    };
    check_cases(cases, UNIT_COUNT(cases));
}
END_TEST

START_TEST(a_huge_head_is_refused)
{
    struct scene scene;
    struct buffer head = {0};
    buffer_put(&head, TEXT("HTTP/1.1 200 OK\r\n"));
    while (head.size <= HTTP1_HEAD_MOST)
        buffer_put(&head, TEXT("X-Filler: 0123456789012345678901234567890123456789\r\n"));
    scene_open(&scene);
    int fd = answer_in_steps(&scene, buffer_text(&head), 65536, false);
    scene_expect(&scene, TRANSFER_UNANSWERED);
    scene_end(&scene);
    buffer_close(&head);
    close(fd);
    scene_close(&scene);
}
END_TEST

START_TEST(tells_all_headers_once_the_head_is_whole)
{
    struct scene scene;
    struct text name, value;
    size_t at = 0;
    scene_open(&scene);
    scene_start(&scene);
    int fd = scene_serve(&scene);
    scene_say(&scene, fd, TEXT("HTTP/1.1 200 OK\r\nOne: 1\r\n"));
    ck_assert_int_eq(transfer_status(scene.transfer), 0);
    scene_say(&scene, fd, TEXT("ONE: 2\r\nContent-Length: 3\r\n\r\n"));
    SCENE_UNTIL(&scene, transfer_status(scene.transfer) == 200);
    UNIT_TEXT(transfer_header(scene.transfer, TEXT("oNE")), "1");
    ck_assert(transfer_next_header(scene.transfer, &at, &name, &value));
    ck_assert(transfer_next_header(scene.transfer, &at, &name, &value));
    UNIT_TEXT(name, "ONE");
    UNIT_TEXT(value, "2");
    ck_assert(transfer_next_header(scene.transfer, &at, &name, &value));
    ck_assert(!transfer_next_header(scene.transfer, &at, &name, &value));
    scene_end(&scene);
    close(fd);
    scene_close(&scene);
}
END_TEST

/* ---- compression ---- */

/* A counted answer of that coding whose body is the first `size` bytes of `packed`. */
static struct buffer coded_answer(const char *coding, const struct buffer *packed, size_t size)
{
    struct buffer answer = {0};
    buffer_printf(&answer, "HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %zu\r\n\r\n",
                  coding, size);
    buffer_put(&answer, text_slice(buffer_text(packed), 0, size));
    return answer;
}

START_TEST(compressed_answers_are_handed_out_plain)
{
    static const struct {
        const char *coding;
        int bits;
    } cases[] = {{"gzip", 31}, {"GZIP", 31}, {"x-gzip", 31}, {"deflate", 15}};
    static const size_t steps[] = {1, 7, 100000};
    const char *plain = "data: {\"choices\":[]}\n\ndata: {\"choices\":[]}\n\n";
    for (size_t i = 0; i < UNIT_COUNT(cases) * UNIT_COUNT(steps); i++) {
        struct scene scene;
        scene_open(&scene);
        struct buffer packed = squeeze(text_of(plain), cases[i / 3].bits);
        struct buffer answer = coded_answer(cases[i / 3].coding, &packed, packed.size);
        int fd = answer_in_steps(&scene, buffer_text(&answer), steps[i % 3], false);
        scene_expect(&scene, TRANSFER_COMPLETE);
        ck_assert(transfer_decoded(scene.transfer));
        UNIT_TEXT(buffer_text(&scene.body), plain);
        scene_end(&scene);
        buffer_close(&packed);
        buffer_close(&answer);
        close(fd);
        scene_close(&scene);
    }
}
END_TEST

START_TEST(the_head_alone_tells_that_the_body_will_be_undone)
{
    struct scene scene;
    scene_open(&scene);
    scene_start(&scene);
    int fd = scene_serve(&scene);
    scene_say(&scene, fd,
              TEXT("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 99\r\n\r\n"));
    SCENE_UNTIL(&scene, transfer_status(scene.transfer) == 200);
    ck_assert(transfer_decoded(scene.transfer));
    scene_end(&scene);
    close(fd);
    scene_close(&scene);
}
END_TEST

START_TEST(a_compressed_answer_without_a_body_is_whole)
{
    static const struct answer_case cases[] = {
        {"HTTP/1.1 204 No\r\nContent-Encoding: gzip\r\n\r\n", "", TRANSFER_COMPLETE, 204, false},
        {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n", "",
         TRANSFER_COMPLETE, 200, false},
        {"HTTP/1.1 429 No\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
         "0\r\n\r\n",
         "", TRANSFER_COMPLETE, 429, false},
    };
    check_cases(cases, UNIT_COUNT(cases));
}
END_TEST

START_TEST(a_compressed_answer_that_is_damaged_or_short_is_cut)
{
    struct buffer packed = squeeze(TEXT("a text of some length, so that it takes bytes"), 31);
    for (size_t size = 1; size < packed.size; size += 7) {
        struct scene scene;
        scene_open(&scene);
        struct buffer answer = coded_answer("gzip", &packed, size);
        int fd = answer_in_steps(&scene, buffer_text(&answer), 100000, false);
        scene_expect(&scene, TRANSFER_CUT);
        scene_end(&scene);
        buffer_close(&answer);
        close(fd);
        scene_close(&scene);
    }
    struct scene scene;
    scene_open(&scene);
    packed.at[0] = 'x';
    struct buffer answer = coded_answer("gzip", &packed, packed.size);
    int fd = answer_in_steps(&scene, buffer_text(&answer), 100000, false);
    scene_expect(&scene, TRANSFER_CUT);
    scene_end(&scene);
    buffer_close(&answer);
    buffer_close(&packed);
    close(fd);
    scene_close(&scene);
}
END_TEST

static void hold_it(struct scene *scene)
{
    transfer_hold(scene->transfer, true);
}

/* What has come of it is undone in pieces. */
START_TEST(a_compressed_answer_that_is_held_can_be_read_to_its_end)
{
    enum { SIZE = 1024 * 1024 };
    struct scene scene;
    scene_open(&scene);
    char *zeros = memory_new(SIZE);
    struct buffer packed = squeeze(text_make(zeros, SIZE), 31);
    struct buffer answer = coded_answer("gzip", &packed, packed.size);
    scene.then = hold_it;
    scene_start(&scene);
    int fd = scene_serve(&scene);
    scene_say(&scene, fd, buffer_text(&answer));
    SCENE_UNTIL(&scene, scene.body.size > 0);
    ck_assert_int_eq(transfer_ended(scene.transfer), TRANSFER_RUNNING);
    ck_assert_uint_eq(transfer_body(scene.transfer).size, 0);
    while (transfer_read(scene.transfer)) {
        buffer_put(&scene.body, transfer_body(scene.transfer));
        transfer_taken(scene.transfer);
    }
    ck_assert_int_eq(transfer_ended(scene.transfer), TRANSFER_COMPLETE);
    ck_assert_uint_eq(scene.body.size, SIZE);
    scene_end(&scene);
    free(zeros);
    buffer_close(&packed);
    buffer_close(&answer);
    close(fd);
    scene_close(&scene);
}
END_TEST

#define BOMB (64 * 1024 * 1024)

static size_t taken;

/* Drops what is there: only its size counts. */
static void count_body(struct scene *scene)
{
    taken += transfer_body(scene->transfer).size;
    transfer_taken(scene->transfer);
}

START_TEST(a_small_answer_that_unfolds_to_much_comes_in_small_parts)
{
    struct scene scene;
    char *zeros = memory_new(BOMB);
    struct buffer packed = squeeze(text_make(zeros, BOMB), 31);
    free(zeros);
    struct buffer answer = coded_answer("gzip", &packed, packed.size);
    buffer_put(&answer, TEXT("bytes behind"));
    ck_assert_uint_lt(answer.size, BOMB / 500);
    scene_open(&scene);
    scene.leave = true;
    scene.then = count_body;
    taken = 0;
    int fd = answer_in_steps(&scene, buffer_text(&answer), answer.size, false);
    scene_expect(&scene, TRANSFER_COMPLETE);
    ck_assert_uint_eq(taken, BOMB);
    ck_assert_uint_le(scene.largest, 300 * 1024);
    scene_end(&scene);
    buffer_close(&packed);
    buffer_close(&answer);
    close(fd);
    scene.leave = false; /* bytes behind: that connection is not taken again */
    scene.then = NULL;
    scene_start(&scene);
    close(scene_accept(&scene));
    scene_end(&scene);
    scene_close(&scene);
}
END_TEST

/* ---- back-pressure ---- */

#define MUCH (32 * 1024 * 1024)

/* Sends what the other side's sockets take of `rest`. */
static void push(struct scene *scene, int fd, struct text *rest)
{
    for (int i = 0; i < 200; i++) {
        ssize_t size = send(fd, rest->at, rest->size, MSG_NOSIGNAL);
        *rest = text_from(*rest, size > 0 ? (size_t)size : 0);
        scene_turn(scene);
    }
}

static struct buffer much(void)
{
    struct buffer answer = {0};
    buffer_printf(&answer, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", MUCH);
    buffer_reserve(&answer, MUCH);
    for (size_t i = 0; i < MUCH; i++)
        answer.at[answer.size + i] = (char)(i % 251);
    answer.size += MUCH;
    return answer;
}

START_TEST(a_body_that_nobody_takes_pauses_the_upstream)
{
    struct scene scene;
    struct buffer answer = much();
    struct text rest = buffer_text(&answer);
    scene_open(&scene);
    scene.leave = true;
    scene_start(&scene);
    int fd = scene_serve(&scene);
    push(&scene, fd, &rest);
    ck_assert_uint_gt(rest.size, MUCH / 4);
    ck_assert_uint_le(transfer_body(scene.transfer).size, 320 * 1024);
    clock_fake_advance(&scene.clock, 60 * 1000000); /* silence of our own making */
    scene_turns(&scene, 3);
    ck_assert_int_eq(transfer_ended(scene.transfer), TRANSFER_RUNNING);
    scene.leave = false;
    scene_progress(&scene);
    scene_say(&scene, fd, rest);
    scene_expect(&scene, TRANSFER_COMPLETE);
    ck_assert(
        text_equal(buffer_text(&scene.body), text_from(buffer_text(&answer), answer.size - MUCH)));
    scene_end(&scene);
    buffer_close(&answer);
    close(fd);
    scene_close(&scene);
}
END_TEST

START_TEST(a_transfer_that_is_held_pauses_the_upstream)
{
    struct scene scene;
    struct buffer answer = much();
    struct text rest = buffer_text(&answer);
    scene_open(&scene);
    scene_start(&scene);
    int fd = scene_serve(&scene);
    transfer_hold(scene.transfer, true);
    push(&scene, fd, &rest);
    ck_assert_uint_gt(rest.size, MUCH / 4);
    ck_assert_uint_eq(scene.body.size, 0);
    transfer_hold(scene.transfer, false);
    scene_say(&scene, fd, rest);
    scene_expect(&scene, TRANSFER_COMPLETE);
    ck_assert_uint_eq(scene.body.size, MUCH);
    scene_end(&scene);
    buffer_close(&answer);
    close(fd);
    scene_close(&scene);
}
END_TEST

START_TEST(idle_time_begins_anew_after_a_hold)
{
    struct scene scene;
    scene_open(&scene);
    scene_start(&scene);
    int fd = scene_serve(&scene);
    scene_say(&scene, fd, TEXT("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nx"));
    scene_turns(&scene, 3);
    transfer_hold(scene.transfer, true);
    for (int i = 0; i < 4; i++) { /* 19 seconds; idle is 10 */
        clock_fake_advance(&scene.clock, 4750000);
        scene_turns(&scene, 3);
    }
    transfer_hold(scene.transfer, false);
    clock_fake_advance(&scene.clock, 9 * 1000000);
    scene_turns(&scene, 3);
    ck_assert_int_eq(transfer_ended(scene.transfer), TRANSFER_RUNNING);
    clock_fake_advance(&scene.clock, 2 * 1000000);
    scene_expect(&scene, TRANSFER_CUT);
    scene_end(&scene);
    close(fd);
    scene_close(&scene);
}
END_TEST

START_TEST(an_upstream_that_hangs_up_while_held_is_noticed_later_and_costs_no_turns)
{
    for (int reset = 0; reset < 2; reset++) {
        struct scene scene;
        scene_open(&scene);
        scene_start(&scene);
        int fd = scene_serve(&scene);
        scene_say(&scene, fd, TEXT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"));
        scene_turns(&scene, 3);
        transfer_hold(scene.transfer, true);
        ck_assert_int_eq(send(fd, "abc", 3, MSG_NOSIGNAL), 3);
        scene_hang_up(fd, reset == 1);
        scene.progress = 0;
        scene_turns(&scene, 50);
        ck_assert_int_le(scene.progress, 2);
        ck_assert_int_eq(transfer_ended(scene.transfer), TRANSFER_RUNNING);
        transfer_hold(scene.transfer, false);
        scene_expect(&scene, TRANSFER_CUT);
        UNIT_TEXT(buffer_text(&scene.body), "abc");
        scene_end(&scene);
        scene_close(&scene);
    }
}
END_TEST

START_TEST(what_has_come_can_be_read_at_once_though_it_is_held)
{
    struct scene scene;
    scene_open(&scene);
    scene_start(&scene);
    int fd = scene_serve(&scene);
    scene_say(&scene, fd, TEXT("HTTP/1.1 200 OK\r\nContent-Length: 300004\r\n\r\none"));
    SCENE_UNTIL(&scene, scene.body.size == 3);
    transfer_hold(scene.transfer, true);
    int progress = scene.progress;
    struct buffer more = {0}, got = {0};
    for (int i = 0; i < 300000; i++)
        buffer_put_byte(&more, 'x');
    struct text rest = buffer_text(&more);
    while (got.size < more.size) {
        ssize_t size = send(fd, rest.at, rest.size, MSG_NOSIGNAL | MSG_DONTWAIT);
        rest = text_from(rest, size > 0 ? (size_t)size : 0);
        if (transfer_read(scene.transfer))
            buffer_put(&got, transfer_body(scene.transfer));
        transfer_taken(scene.transfer);
    }
    ck_assert_int_eq(scene.progress, progress);
    ck_assert_uint_eq(got.size, more.size);
    ck_assert(!transfer_read(scene.transfer));
    ck_assert_int_eq(transfer_ended(scene.transfer), TRANSFER_RUNNING);
    scene_say(&scene, fd, TEXT("y"));
    scene_expect(&scene, TRANSFER_COMPLETE);
    ck_assert(!transfer_read(scene.transfer));
    scene_end(&scene);
    buffer_close(&more);
    buffer_close(&got);
    close(fd);
    scene_close(&scene);
}
END_TEST

START_TEST(nothing_has_come_before_there_is_a_connection)
{
    struct scene scene;
    scene_open(&scene);
    scene_start(&scene);
    ck_assert(!transfer_read(scene.transfer));
    ck_assert_int_eq(transfer_ended(scene.transfer), TRANSFER_RUNNING);
    ck_assert_uint_eq(transfer_body(scene.transfer).size, 0);
    scene_end(&scene);
    scene_close(&scene);
}
END_TEST

UNIT_MAIN(a_compressed_answer_that_is_held_can_be_read_to_its_end, reads_bodies_of_every_framing,
          refuses_broken_answers, a_huge_head_is_refused, tells_all_headers_once_the_head_is_whole,
          compressed_answers_are_handed_out_plain,
          the_head_alone_tells_that_the_body_will_be_undone,
          a_compressed_answer_without_a_body_is_whole,
          a_compressed_answer_that_is_damaged_or_short_is_cut,
          a_small_answer_that_unfolds_to_much_comes_in_small_parts,
          a_body_that_nobody_takes_pauses_the_upstream, a_transfer_that_is_held_pauses_the_upstream,
          idle_time_begins_anew_after_a_hold,
          an_upstream_that_hangs_up_while_held_is_noticed_later_and_costs_no_turns,
          what_has_come_can_be_read_at_once_though_it_is_held,
          nothing_has_come_before_there_is_a_connection)
