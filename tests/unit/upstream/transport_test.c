/* Transfers: how requests are sent, on which connection, and what their ends mean. */
#include "scene.h"

#define LARGE (10 * 1024 * 1024)

/* A large body whose every byte tells its place. */
static struct buffer large_body(void)
{
    struct buffer body = {0};
    buffer_reserve(&body, LARGE);
    for (size_t i = 0; i < LARGE; i++)
        body.at[i] = (char)(i % 251);
    body.size = LARGE;
    return body;
}

START_TEST(sends_one_request_and_reads_its_answer)
{
    struct scene scene;
    struct buffer seen = {0};
    char want[512];
    scene_open(&scene);
    scene_start(&scene);
    ck_assert_int_eq(transfer_ended(scene.transfer), TRANSFER_RUNNING);
    ck_assert_int_eq(transfer_status(scene.transfer), 0);
    ck_assert(!transfer_all_sent(scene.transfer));
    int fd = scene_accept(&scene);
    scene_hear(&scene, fd, &seen);
    struct text host = text_slice(text_of(scene.url), 7, strlen(scene.url) - 8);
    (void)snprintf(want, sizeof(want),
                   "POST /v1/chat HTTP/1.1\r\nHost: %.*s\r\nContent-Length: 13\r\nX-One: 1\r\n"
                   "X-Two: 2\r\n\r\n{\"model\":\"m\"}",
                   TEXT_ARG(host));
    UNIT_TEXT(buffer_text(&seen), want);
    ck_assert(transfer_all_sent(scene.transfer));
    scene_say(&scene, fd, TEXT("HTTP/1.1 201 Created\r\nOne: 1\r\nContent-Length: 2\r\n\r\nok"));
    scene_expect(&scene, TRANSFER_COMPLETE);
    ck_assert_int_eq(transfer_status(scene.transfer), 201);
    UNIT_TEXT(transfer_header(scene.transfer, TEXT("one")), "1");
    ck_assert_ptr_null(transfer_header(scene.transfer, TEXT("two")).at);
    UNIT_TEXT(buffer_text(&scene.body), "ok");
    scene_end(&scene);
    buffer_close(&seen);
    close(fd);
    scene_close(&scene);
}
END_TEST

START_TEST(the_next_call_takes_the_same_connection)
{
    struct scene scene;
    struct buffer seen = {0};
    scene_open(&scene);
    scene_start(&scene);
    int fd = scene_serve(&scene);
    scene_say(&scene, fd, TEXT(SCENE_OK));
    scene_expect(&scene, TRANSFER_COMPLETE);
    scene_end(&scene);
    for (int i = 0; i < 3; i++) {
        scene_start(&scene);
        scene_hear(&scene, fd, &seen);
        scene_say(&scene, fd, TEXT(SCENE_OK));
        scene_expect(&scene, TRANSFER_COMPLETE);
        UNIT_TEXT(buffer_text(&scene.body), "ok");
        scene_end(&scene);
    }
    ck_assert_int_lt(scene_knock(&scene), 0);
    buffer_close(&seen);
    close(fd);
    scene_close(&scene);
}
END_TEST

/* One call; returns its connection, which is idle then. */
static int make_idle(struct scene *scene)
{
    scene_start(scene);
    int fd = scene_serve(scene);
    scene_say(scene, fd, TEXT(SCENE_OK));
    scene_expect(scene, TRANSFER_COMPLETE);
    scene_end(scene);
    return fd;
}

static void check_new_connection(struct scene *scene)
{
    scene_start(scene);
    int fd = scene_serve(scene);
    scene_say(scene, fd, TEXT(SCENE_OK));
    scene_expect(scene, TRANSFER_COMPLETE);
    scene_end(scene);
    close(fd);
}

START_TEST(an_idle_connection_that_was_closed_is_not_taken)
{
    struct scene scene;
    scene_open(&scene);
    close(make_idle(&scene));
    scene_turns(&scene, 3);
    check_new_connection(&scene);
    scene_turns(&scene, 3);
    scene_hang_up(make_idle(&scene), true);
    scene_turns(&scene, 3);
    check_new_connection(&scene);
    scene_close(&scene);
}
END_TEST

START_TEST(nor_if_the_loop_has_not_noticed_yet)
{
    struct scene scene;
    scene_open(&scene);
    close(make_idle(&scene));
    check_new_connection(&scene);
    scene_turns(&scene, 3);
    scene_hang_up(make_idle(&scene), true);
    check_new_connection(&scene);
    scene_close(&scene);
}
END_TEST

START_TEST(nor_one_with_bytes_that_nobody_asked_for)
{
    struct scene scene;
    scene_open(&scene);
    int fd = make_idle(&scene);
    ck_assert_int_eq(send(fd, "HTTP/1.1 408", 12, MSG_NOSIGNAL), 12);
    check_new_connection(&scene);
    close(fd);
    scene_close(&scene);
}
END_TEST

START_TEST(nor_one_that_said_close)
{
    struct scene scene;
    scene_open(&scene);
    scene_start(&scene);
    int fd = scene_serve(&scene);
    scene_say(&scene, fd,
              TEXT("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"));
    scene_expect(&scene, TRANSFER_COMPLETE);
    scene_end(&scene);
    check_new_connection(&scene);
    close(fd);
    scene_close(&scene);
}
END_TEST

START_TEST(nor_one_with_bytes_behind_the_answer)
{
    struct scene scene;
    scene_open(&scene);
    scene_start(&scene);
    int fd = scene_serve(&scene);
    scene_say(&scene, fd, TEXT(SCENE_OK SCENE_OK));
    scene_expect(&scene, TRANSFER_COMPLETE);
    UNIT_TEXT(buffer_text(&scene.body), "ok");
    scene_end(&scene);
    check_new_connection(&scene);
    close(fd);
    scene_close(&scene);
}
END_TEST

/* The upstream of one reload is not the upstream of the next. */
START_TEST(an_idle_connection_outlives_the_upstream_it_was_made_for)
{
    struct scene scene;
    struct buffer seen = {0};
    scene_open(&scene);
    struct upstream *first = memory_new(sizeof *first);
    *first = scene.upstream;
    first->ca = first->proxy = TEXT("");
    scene.ask.upstream = first;
    int fd = make_idle(&scene);
    free(first);
    scene.ask.upstream = &scene.upstream;
    scene_start(&scene);
    scene_hear(&scene, fd, &seen);
    scene_say(&scene, fd, TEXT(SCENE_OK));
    scene_expect(&scene, TRANSFER_COMPLETE);
    scene_end(&scene);
    buffer_close(&seen);
    close(fd);
    scene_close(&scene);
}
END_TEST

START_TEST(connections_of_another_trust_or_place_are_not_taken)
{
    struct scene scene;
    int port;
    char elsewhere[128];
    scene_open(&scene);
    int fd = make_idle(&scene);
    struct upstream other = scene.upstream;
    other.ca = TEXT("/other/ca.pem");
    scene.ask.upstream = &other;
    check_new_connection(&scene);
    scene.ask.upstream = &scene.upstream;
    ck_assert_int_eq(sscanf(scene.url, "http://127.0.0.1:%d", &port), 1);
    (void)snprintf(elsewhere, sizeof(elsewhere), "http://localhost:%d/v1/chat", port);
    scene.ask.url = text_of(elsewhere);
    check_new_connection(&scene);
    close(fd);
    scene_close(&scene);
}
END_TEST

START_TEST(a_refused_connection_sent_nothing)
{
    struct scene scene;
    int port;
    scene_open(&scene);
    close(scene_listen(1, &port)); /* nobody listens there now */
    (void)snprintf(scene.url, sizeof(scene.url), "http://127.0.0.1:%d/v1/chat", port);
    scene.ask.url = text_of(scene.url);
    scene_start(&scene);
    scene_expect(&scene, TRANSFER_NOT_SENT);
    ck_assert_msg(strstr(transfer_why(scene.transfer), "refused") != NULL ||
                      strstr(transfer_why(scene.transfer), "connect") != NULL,
                  "%s", transfer_why(scene.transfer));
    scene_end(&scene);
    scene_close(&scene);
}
END_TEST

START_TEST(a_name_that_nobody_knows_sent_nothing)
{
    struct scene scene;
    scene_open(&scene);
    scene.upstream.connect_ms = 5000; /* where no name server answers at all */
    scene.ask.url = TEXT("http://nowhere.invalid:80/v1/chat");
    scene_start(&scene);
    scene_expect(&scene, TRANSFER_NOT_SENT);
    ck_assert_msg(strstr(transfer_why(scene.transfer), "esolv") != NULL, "%s",
                  transfer_why(scene.transfer));
    scene_end(&scene);
    scene_close(&scene);
}
END_TEST

/* A port whose queue is full: its connections never stand. */
static int listen_deaf(struct scene *scene, int *crowd, int crowd_size)
{
    int port;
    int deaf = scene_listen(0, &port);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < crowd_size; i++) {
        crowd[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(crowd[i], (struct sockaddr *)&address, sizeof(address));
    }
    (void)snprintf(scene->url, sizeof(scene->url), "http://127.0.0.1:%d/v1/chat", port);
    scene->ask.url = text_of(scene->url);
    return deaf;
}

START_TEST(a_connection_that_never_stands_sent_nothing)
{
    struct scene scene;
    int crowd[4];
    scene_open(&scene);
    int deaf = listen_deaf(&scene, crowd, 4);
    scene.upstream.connect_ms = 30;
    scene_start(&scene);
    scene_expect(&scene, TRANSFER_NOT_SENT);
    scene_end(&scene);
    for (int i = 0; i < 4; i++)
        close(crowd[i]);
    close(deaf);
    scene_close(&scene);
}
END_TEST

START_TEST(a_transfer_can_be_closed_while_it_connects)
{
    struct scene scene;
    int crowd[4];
    scene_open(&scene);
    int deaf = listen_deaf(&scene, crowd, 4);
    for (int turns = 0; turns < 4; turns++) {
        scene_start(&scene);
        scene_turns(&scene, turns);
        scene_end(&scene);
        scene_turns(&scene, 2);
        ck_assert_int_eq(scene.progress, 0);
    }
    scene.ask.url = TEXT("http://nowhere.invalid:80/v1/chat");
    scene_start(&scene);
    scene_turn(&scene);
    scene_end(&scene);
    for (int i = 0; i < 4; i++)
        close(crowd[i]);
    close(deaf);
    scene_close(&scene);
}
END_TEST

START_TEST(a_large_body_reaches_a_slow_reader_whole)
{
    struct scene scene;
    struct buffer body = large_body(), seen = {0};
    scene_open(&scene);
    for (int i = 0; i < 3; i++) /* cut into pieces at odd places */
        scene.pieces[i] = text_slice(buffer_text(&body), (size_t)i * 3333331,
                                     i == 2 ? LARGE : (size_t)(i + 1) * 3333331);
    scene_start(&scene);
    int fd = scene_accept(&scene);
    scene_turns(&scene, 5);
    ck_assert(!transfer_all_sent(scene.transfer));
    while (!scene_is_request(&seen)) {
        scene_read(fd, &seen, 30011);
        scene_turn(&scene);
    }
    struct text sent = text_from(buffer_text(&seen), seen.size - LARGE);
    ck_assert(text_equal(sent, buffer_text(&body)));
    SCENE_UNTIL(&scene, transfer_all_sent(scene.transfer));
    scene_say(&scene, fd, TEXT(SCENE_OK));
    scene_expect(&scene, TRANSFER_COMPLETE);
    scene_end(&scene);
    buffer_close(&body);
    buffer_close(&seen);
    close(fd);
    scene_close(&scene);
}
END_TEST

/* Starts a transfer with a large body, of which the other side reads a little. */
static int serve_large(struct scene *scene, const struct buffer *body)
{
    struct buffer seen = {0};
    scene->pieces[1] = buffer_text(body);
    scene_start(scene);
    int fd = scene_accept(scene);
    scene_turns(scene, 3);
    scene_read(fd, &seen, 100000);
    scene_turns(scene, 3);
    ck_assert(!transfer_all_sent(scene->transfer));
    buffer_close(&seen);
    return fd;
}

START_TEST(a_connection_that_dies_under_the_body_did_not_send_it)
{
    struct scene scene;
    struct buffer body = large_body();
    for (int reset = 0; reset < 2; reset++) {
        scene_open(&scene);
        int fd = serve_large(&scene, &body);
        scene_hang_up(fd, reset == 1);
        scene_expect(&scene, TRANSFER_NOT_SENT);
        ck_assert_str_ne(transfer_why(scene.transfer), "");
        scene_end(&scene);
        scene_close(&scene);
    }
    buffer_close(&body);
}
END_TEST

START_TEST(one_that_dies_behind_the_body_leaves_it_unanswered)
{
    struct scene scene;
    for (int way = 0; way < 3; way++) {
        scene_open(&scene);
        scene_start(&scene);
        int fd = scene_serve(&scene);
        if (way == 2)
            scene_say(&scene, fd, TEXT("HTTP/1.1 200 OK\r\nContent-Le"));
        scene_hang_up(fd, way == 1);
        scene_expect(&scene, TRANSFER_UNANSWERED);
        ck_assert_str_ne(transfer_why(scene.transfer), "");
        scene_end(&scene);
        scene_close(&scene);
    }
}
END_TEST

START_TEST(one_that_dies_in_the_answer_cuts_it)
{
    struct scene scene;
    for (int reset = 0; reset < 2; reset++) {
        scene_open(&scene);
        scene_start(&scene);
        int fd = scene_serve(&scene);
        scene_say(&scene, fd, TEXT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"));
        scene_hang_up(fd, reset == 1);
        scene_expect(&scene, TRANSFER_CUT);
        UNIT_TEXT(buffer_text(&scene.body), "hell");
        ck_assert_int_eq(transfer_status(scene.transfer), 200);
        scene_end(&scene);
        scene_close(&scene);
    }
}
END_TEST

#define TOO_LARGE "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!"

START_TEST(an_early_answer_counts_though_the_body_was_not_sent)
{
    struct scene scene;
    struct buffer body = large_body();
    enum { STAYS, CLOSES, RESETS };
    for (int way = STAYS; way <= RESETS; way++) {
        scene_open(&scene);
        int fd = serve_large(&scene, &body);
        ck_assert_int_eq(send(fd, TOO_LARGE, sizeof(TOO_LARGE) - 1, MSG_NOSIGNAL),
                         sizeof(TOO_LARGE) - 1);
        if (way != STAYS)
            scene_hang_up(fd, way == RESETS);
        scene_expect(&scene, TRANSFER_COMPLETE);
        ck_assert_int_eq(transfer_status(scene.transfer), 413);
        UNIT_TEXT(buffer_text(&scene.body), "no!");
        ck_assert(!transfer_all_sent(scene.transfer));
        scene_end(&scene);
        scene.pieces[1] = TEXT("");
        check_new_connection(&scene);
        if (way == STAYS)
            close(fd);
        scene_close(&scene);
    }
    buffer_close(&body);
}
END_TEST

START_TEST(an_answer_that_does_not_begin_is_late)
{
    struct scene scene;
    scene_open(&scene);
    scene_start(&scene);
    int fd = scene_serve(&scene);
    clock_fake_advance(&scene.clock, 29 * 1000000);
    scene_turns(&scene, 3);
    ck_assert_int_eq(transfer_ended(scene.transfer), TRANSFER_RUNNING);
    clock_fake_advance(&scene.clock, 2 * 1000000);
    scene_expect(&scene, TRANSFER_LATE);
    ck_assert_int_eq(scene.progress, 1);
    scene_end(&scene);
    close(fd);
    scene_close(&scene);
}
END_TEST

START_TEST(a_head_that_drips_is_late_too)
{
    struct scene scene;
    scene_open(&scene);
    scene_start(&scene);
    int fd = scene_serve(&scene);
    for (int i = 0; i < 4 && transfer_ended(scene.transfer) == TRANSFER_RUNNING; i++) {
        (void)send(fd, "HTTP/1.1 100 \r\n\r\n", 17, MSG_NOSIGNAL);
        scene_turns(&scene, 3);
        clock_fake_advance(&scene.clock, 10 * 1000000);
        scene_turns(&scene, 3);
    }
    scene_expect(&scene, TRANSFER_LATE);
    scene_end(&scene);
    close(fd);
    scene_close(&scene);
}
END_TEST

START_TEST(time_that_runs_out_under_the_body_did_not_send_it)
{
    struct scene scene;
    struct buffer body = large_body();
    scene_open(&scene);
    int fd = serve_large(&scene, &body);
    clock_fake_advance(&scene.clock, 31 * 1000000);
    scene_expect(&scene, TRANSFER_NOT_SENT);
    scene_end(&scene);
    buffer_close(&body);
    close(fd);
    scene_close(&scene);
}
END_TEST

START_TEST(an_answer_that_falls_silent_is_cut)
{
    struct scene scene;
    scene_open(&scene);
    scene_start(&scene);
    int fd = scene_serve(&scene);
    scene_say(&scene, fd, TEXT("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n"));
    for (int i = 0; i < 5; i++) { /* slow, but not silent */
        scene_say(&scene, fd, TEXT("x"));
        scene_turns(&scene, 2);
        clock_fake_advance(&scene.clock, 9 * 1000000);
        scene_turns(&scene, 2);
        ck_assert_int_eq(transfer_ended(scene.transfer), TRANSFER_RUNNING);
    }
    clock_fake_advance(&scene.clock, 2 * 1000000);
    scene_expect(&scene, TRANSFER_CUT);
    UNIT_TEXT(buffer_text(&scene.body), "xxxxx");
    scene_end(&scene);
    close(fd);
    scene_close(&scene);
}
END_TEST

static void close_it(struct scene *scene)
{
    scene_end(scene);
    scene->then = NULL;
}

START_TEST(a_transfer_can_be_closed_from_its_own_progress)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", /* goes on */
        SCENE_OK,                                       /* is over */
        "nonsense\r\n\r\n",
    };
    for (size_t i = 0; i < UNIT_COUNT(answers); i++) {
        struct scene scene;
        scene_open(&scene);
        scene_start(&scene);
        int fd = scene_serve(&scene);
        scene.then = close_it;
        ck_assert_int_gt(send(fd, answers[i], strlen(answers[i]), MSG_NOSIGNAL), 0);
        SCENE_UNTIL(&scene, scene.transfer == NULL);
        scene_turns(&scene, 3);
        ck_assert_int_eq(scene.progress, 1);
        close(fd);
        scene_close(&scene);
    }
}
END_TEST

struct pair {
    struct scene *scene;
    struct transfer *transfers[2];
};

/* Whichever ends first closes both. */
static void close_both(void *context)
{
    struct pair *pair = context;
    pair->scene->progress++;
    for (int i = 0; i < 2; i++) {
        transfer_close(pair->transfers[i]);
        pair->transfers[i] = NULL;
    }
}

START_TEST(a_transfer_can_be_closed_from_the_progress_of_another)
{
    struct scene scene;
    struct pair pair = {.scene = &scene};
    int port;
    scene_open(&scene);
    close(scene_listen(1, &port));
    (void)snprintf(scene.url, sizeof(scene.url), "http://127.0.0.1:%d/v1/chat", port);
    scene.ask.url = text_of(scene.url);
    scene.ask.progress = close_both;
    scene.ask.context = &pair;
    for (int i = 0; i < 2; i++)
        pair.transfers[i] = transfer_start(scene.transport, &scene.ask);
    SCENE_UNTIL(&scene, pair.transfers[0] == NULL);
    scene_turns(&scene, 3);
    ck_assert_int_eq(scene.progress, 1);
    scene_close(&scene);
}
END_TEST

UNIT_MAIN(sends_one_request_and_reads_its_answer, the_next_call_takes_the_same_connection,
          an_idle_connection_that_was_closed_is_not_taken, nor_if_the_loop_has_not_noticed_yet,
          nor_one_with_bytes_that_nobody_asked_for, nor_one_that_said_close,
          nor_one_with_bytes_behind_the_answer,
          an_idle_connection_outlives_the_upstream_it_was_made_for,
          connections_of_another_trust_or_place_are_not_taken, a_refused_connection_sent_nothing,
          a_name_that_nobody_knows_sent_nothing, a_connection_that_never_stands_sent_nothing,
          a_transfer_can_be_closed_while_it_connects, a_large_body_reaches_a_slow_reader_whole,
          a_connection_that_dies_under_the_body_did_not_send_it,
          one_that_dies_behind_the_body_leaves_it_unanswered, one_that_dies_in_the_answer_cuts_it,
          an_early_answer_counts_though_the_body_was_not_sent,
          an_answer_that_does_not_begin_is_late, a_head_that_drips_is_late_too,
          time_that_runs_out_under_the_body_did_not_send_it, an_answer_that_falls_silent_is_cut,
          a_transfer_can_be_closed_from_its_own_progress,
          a_transfer_can_be_closed_from_the_progress_of_another)
