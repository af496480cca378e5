/*
 * Connections: TLS in front of `openssl s_server`, whose standard input and output are what the
 * other side says and hears; and how many idle connections are kept for how long.
 */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include "scene.h"

extern char **environ;

/* ---- the other side with TLS ---- */

struct secure {
    char dir[64], key[96], certificate[96];
    pid_t pid;
    int in, out; /* to its input, from its output */
};

static pid_t spawn(char *const arguments[], int in, int out)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    if (in >= 0)
        posix_spawn_file_actions_adddup2(&actions, in, 0);
    if (out >= 0)
        posix_spawn_file_actions_adddup2(&actions, out, 1);
    ck_assert_int_eq(posix_spawnp(&pid, "openssl", &actions, NULL, arguments, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static void make_certificate(const struct secure *secure)
{
    char *const arguments[] = {"openssl",
                               "req",
                               "-x509",
                               "-newkey",
                               "ec",
                               "-pkeyopt",
                               "ec_paramgen_curve:P-256",
                               "-nodes",
                               "-days",
                               "2",
                               "-subj",
                               "/CN=fake",
                               "-addext",
                               "subjectAltName=IP:127.0.0.1",
                               "-keyout",
                               (char *)(uintptr_t)secure->key,
                               "-out",
                               (char *)(uintptr_t)secure->certificate,
                               NULL};
    int status;
    pid_t pid = spawn(arguments, -1, -1);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}

/* Reads what the server says of itself up to the port it was given. */
static int read_port(const struct secure *secure)
{
    struct buffer said = {0};
    size_t at, end = SIZE_MAX;
    int64_t port;
    while (end == SIZE_MAX) {
        buffer_reserve(&said, 256);
        ssize_t size = read(secure->out, said.at + said.size, 256);
        ck_assert_int_gt(size, 0);
        said.size += (size_t)size;
        at = text_find(buffer_text(&said), TEXT("ACCEPT 127.0.0.1:"), 0);
        end = at == SIZE_MAX ? at : text_find(buffer_text(&said), TEXT("\n"), at);
    }
    ck_assert(text_to_int(text_slice(buffer_text(&said), at + 17, end), &port));
    buffer_close(&said);
    return (int)port;
}

static void secure_open(struct secure *secure, struct scene *scene)
{
    int in[2], out[2];
    (void)snprintf(secure->dir, sizeof(secure->dir), "/tmp/purser-tls-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(secure->dir));
    (void)snprintf(secure->key, sizeof(secure->key), "%s/key", secure->dir);
    (void)snprintf(secure->certificate, sizeof(secure->certificate), "%s/cert", secure->dir);
    make_certificate(secure);
    ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
    char *const arguments[] = {"openssl",   "s_server", "-accept",           "127.0.0.1:0", "-key",
                               secure->key, "-cert",    secure->certificate, NULL};
    secure->pid = spawn(arguments, in[0], out[1]);
    close(in[0]);
    close(out[1]);
    secure->in = in[1];
    secure->out = out[0];
    int port = read_port(secure);
    ck_assert_int_eq(fcntl(secure->out, F_SETFL, O_NONBLOCK), 0);
    (void)snprintf(scene->url, sizeof(scene->url), "https://127.0.0.1:%d/v1/chat", port);
    scene->ask.url = text_of(scene->url);
}

static void secure_close(struct secure *secure)
{
    int status;
    kill(secure->pid, SIGKILL);
    waitpid(secure->pid, &status, 0);
    close(secure->in);
    close(secure->out);
    unlink(secure->key);
    unlink(secure->certificate);
    rmdir(secure->dir);
}

/* Turns until the server has heard `what` (again). */
static void secure_hear(struct secure *secure, struct scene *scene, struct text what)
{
    struct buffer heard = {0};
    time_t last = time(NULL) + 20;
    while (text_find(buffer_text(&heard), what, 0) == SIZE_MAX) {
        buffer_reserve(&heard, 65536);
        ssize_t size = read(secure->out, heard.at + heard.size, 65536);
        heard.size += size > 0 ? (size_t)size : 0;
        scene_turn(scene);
        ck_assert(time(NULL) < last);
    }
    buffer_close(&heard);
}

static void secure_say(struct secure *secure, struct text bytes)
{
    ck_assert_int_eq(write(secure->in, bytes.at, bytes.size), (ssize_t)bytes.size);
}

START_TEST(a_server_that_nobody_vouches_for_gets_nothing)
{
    struct scene scene;
    struct secure secure;
    scene_open(&scene);
    secure_open(&secure, &scene);
    scene_start(&scene);
    scene_expect(&scene, TRANSFER_NOT_SENT);
    ck_assert_msg(strstr(transfer_why(scene.transfer), "certificate") != NULL, "%s",
                  transfer_why(scene.transfer));
    scene_end(&scene);
    secure_close(&secure);
    scene_close(&scene);
}
END_TEST

START_TEST(a_server_of_another_name_gets_nothing)
{
    struct scene scene;
    struct secure secure;
    scene_open(&scene);
    secure_open(&secure, &scene);
    struct arena arena = {0};
    struct text port = text_from(scene.ask.url, strlen("https://127.0.0.1"));
    scene.ask.url = arena_join(&arena, (struct text[]){TEXT("https://localhost"), port}, 2);
    scene.upstream.ca = text_of(secure.certificate);
    scene_start(&scene);
    scene_expect(&scene, TRANSFER_NOT_SENT);
    scene_end(&scene);
    arena_close(&arena);
    secure_close(&secure);
    scene_close(&scene);
}
END_TEST

START_TEST(calls_go_through_tls_on_one_connection)
{
    struct scene scene;
    struct secure secure;
    scene_open(&scene);
    secure_open(&secure, &scene);
    scene.upstream.ca = text_of(secure.certificate);
    for (int i = 0; i < 3; i++) { /* the server takes one connection at a time */
        scene_start(&scene);
        secure_hear(&secure, &scene, TEXT("{\"model\":\"m\"}"));
        ck_assert(transfer_all_sent(scene.transfer));
        secure_say(&secure, TEXT(SCENE_OK));
        scene_expect(&scene, TRANSFER_COMPLETE);
        UNIT_TEXT(buffer_text(&scene.body), "ok");
        scene_end(&scene);
    }
    secure_close(&secure);
    scene_turns(&scene, 3); /* the idle connection is closed, not taken */
    scene_start(&scene);
    scene_expect(&scene, TRANSFER_NOT_SENT);
    scene_end(&scene);
    scene_close(&scene);
}
END_TEST

START_TEST(large_bodies_go_through_tls_both_ways)
{
    enum { SIZE = 3 * 1024 * 1024 };
    struct scene scene;
    struct secure secure;
    struct buffer body = {0};
    scene_open(&scene);
    secure_open(&secure, &scene);
    scene.upstream.ca = text_of(secure.certificate);
    while (body.size < SIZE)
        buffer_put(&body, TEXT("xxxxxxxxxxxxxxx\n"));
    scene.pieces[1] = buffer_text(&body);
    scene_start(&scene);
    secure_hear(&secure, &scene, TEXT("xxx\n\"m\"}"));
    SCENE_UNTIL(&scene, transfer_all_sent(scene.transfer));
    char head[128];
    (void)snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", body.size);
    secure_say(&secure, text_of(head));
    ck_assert_int_eq(fcntl(secure.in, F_SETFL, O_NONBLOCK), 0);
    struct text rest = buffer_text(&body);
    transfer_hold(scene.transfer, true); /* bytes wait above the socket, too */
    for (int i = 0; rest.size > 0 || transfer_ended(scene.transfer) == TRANSFER_RUNNING; i++) {
        ssize_t size = write(secure.in, rest.at, rest.size < 9973 ? rest.size : 9973);
        rest = text_from(rest, size > 0 ? (size_t)size : 0);
        scene_turn(&scene);
        transfer_hold(scene.transfer, i % 4 != 0);
        ck_assert_int_lt(i, 20000);
    }
    transfer_hold(scene.transfer, false);
    scene_expect(&scene, TRANSFER_COMPLETE);
    ck_assert(text_equal(buffer_text(&scene.body), buffer_text(&body)));
    scene_end(&scene);
    buffer_close(&body);
    secure_close(&secure);
    scene_close(&scene);
}
END_TEST

START_TEST(a_tls_connection_that_dies_in_the_answer_cuts_it)
{
    struct scene scene;
    struct secure secure;
    scene_open(&scene);
    secure_open(&secure, &scene);
    scene.upstream.ca = text_of(secure.certificate);
    scene_start(&scene);
    secure_hear(&secure, &scene, TEXT("{\"model\":\"m\"}"));
    secure_say(&secure, TEXT("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n11 bytes of"));
    SCENE_UNTIL(&scene, scene.body.size == 11);
    secure_close(&secure);
    scene_expect(&scene, TRANSFER_CUT);
    scene_end(&scene);
    scene_close(&scene);
}
END_TEST

/* ---- idle ones ---- */

/* Ends `count` calls that run at once; their connections (into `fds`) are idle then. */
static void make_idle(struct scene *scene, int *fds, int count)
{
    struct transfer *transfers[300];
    ck_assert_int_le(count, (int)UNIT_COUNT(transfers));
    for (int i = 0; i < count; i++) {
        scene_start(scene);
        transfers[i] = scene->transfer;
        fds[i] = scene_serve(scene);
    }
    for (int i = 0; i < count; i++) {
        scene->transfer = transfers[i];
        scene_say(scene, fds[i], TEXT(SCENE_OK));
        scene_expect(scene, TRANSFER_COMPLETE);
        scene_end(scene);
    }
}

/* The number of connections that purser has not closed. */
static int count_open(const int *fds, int count)
{
    int open = 0;
    for (int i = 0; i < count; i++) {
        char byte;
        open += recv(fds[i], &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN;
    }
    return open;
}

START_TEST(a_worker_keeps_256_idle_connections)
{
    enum { COUNT = 260 };
    int fds[COUNT];
    struct scene scene;
    scene_open(&scene);
    make_idle(&scene, fds, COUNT);
    scene_turns(&scene, 3);
    ck_assert_int_eq(count_open(fds, COUNT), 256);
    ck_assert_int_eq(count_open(fds, 4), 0); /* the oldest went */
    for (int i = 0; i < COUNT; i++)
        close(fds[i]);
    scene_close(&scene);
}
END_TEST

START_TEST(an_idle_connection_is_kept_for_a_minute_at_most)
{
    int fds[3];
    struct scene scene;
    scene_open(&scene);
    make_idle(&scene, fds, 3);
    for (int seconds = 0; seconds < 50; seconds += 5) {
        clock_fake_advance(&scene.clock, 5 * 1000000);
        scene_turns(&scene, 3);
    }
    ck_assert_int_eq(count_open(fds, 3), 3);
    for (int seconds = 50; seconds < 65; seconds += 5) {
        clock_fake_advance(&scene.clock, 5 * 1000000);
        scene_turns(&scene, 3);
    }
    ck_assert_int_eq(count_open(fds, 3), 0);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    scene_close(&scene);
}
END_TEST

START_TEST(a_renewal_ends_what_trusts_certificates_idle_or_in_use)
{
    int plain, idle, used, fresh;
    struct scene scene;
    scene_open(&scene);
    struct upstream other = scene.upstream;
    other.ca = TEXT("/other/ca.pem");
    make_idle(&scene, &plain, 1);
    scene.ask.upstream = &other;
    make_idle(&scene, &idle, 1);
    transport_renew(scene.transport);
    scene_start(&scene);
    used = scene_serve(&scene);
    ck_assert_int_eq(count_open(&idle, 1), 0);
    transport_renew(scene.transport);
    scene_say(&scene, used, TEXT(SCENE_OK));
    scene_expect(&scene, TRANSFER_COMPLETE);
    scene_end(&scene);
    make_idle(&scene, &fresh, 1);
    ck_assert_int_eq(count_open(&used, 1), 0);
    ck_assert_int_eq(count_open(&fresh, 1), 1);
    ck_assert_int_eq(count_open(&plain, 1), 1);
    for (int i = 0; i < 4; i++)
        close((int[]){plain, idle, used, fresh}[i]);
    scene_close(&scene);
}
END_TEST

UNIT_MAIN(a_server_that_nobody_vouches_for_gets_nothing, a_server_of_another_name_gets_nothing,
          calls_go_through_tls_on_one_connection, large_bodies_go_through_tls_both_ways,
          a_tls_connection_that_dies_in_the_answer_cuts_it, a_worker_keeps_256_idle_connections,
          an_idle_connection_is_kept_for_a_minute_at_most,
          a_renewal_ends_what_trusts_certificates_idle_or_in_use)
