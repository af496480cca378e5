/* The lessor, in front of a server that says what a script wants it to. */
#include "budget/lessor.h"

#include <arpa/inet.h>
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../unit.h"

#define JOURNAL "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SHA     "0123456789abcdef0123456789abcdef01234567"
#define INFO    "=redis_version:7.0.15\r\nrole:master\r\nmaxmemory_policy:noeviction\r\n"
#define GOOD    "(0 f1 1 0 0 5 1 0 1 0 9 a:1.1 10 10 10 0 0 0 0)"

/* What comes must begin with `command`; the answer is
 *     "=text"   a string        "(1 f1 …)"   a list; what is no number is a string
 *     "%…"      the rest, a %d in it replaced by the server's port
 *     ""        silence         NULL         the connection is closed
 * or what goes on the wire as it stands. */
struct line {
    const char *command, *answer;
};

static struct {
    int listener, port;
    pthread_t thread;
    const struct line *lines;
    size_t count, at;
    char wrong[200]; /* what came instead */
    struct lessor *lessor;
    struct store_row row;
    struct store_request request;
    struct store_reply reply;
} fake;

/* ---- the server ---- */

static void put_list(struct buffer *out, const char *list)
{
    struct buffer elements = {0};
    size_t count = 0;
    struct text rest = text_slice(text_of(list), 1, strlen(list) - 1);
    while (rest.size > 0) {
        struct text word = text_split(&rest, ' ');
        int64_t number;
        if (text_to_int(word, &number))
            buffer_printf(&elements, ":%lld\r\n", (long long)number);
        else
            buffer_printf(&elements, "$%zu\r\n%.*s\r\n", word.size, TEXT_ARG(word));
        count++;
    }
    buffer_printf(out, "*%zu\r\n", count);
    buffer_put(out, buffer_text(&elements));
    buffer_close(&elements);
}

static void put_answer(struct buffer *out, const char *answer)
{
    const char *place = strstr(answer, "%d");
    if (answer[0] == '(')
        put_list(out, answer);
    else if (answer[0] == '=')
        buffer_printf(out, "$%zu\r\n%s\r\n", strlen(answer + 1), answer + 1);
    else if (answer[0] == '%')
        buffer_printf(out, "%.*s%d%s", (int)(place - answer - 1), answer + 1, fake.port, place + 2);
    else
        buffer_put(out, text_of(answer));
}

static void join_words(const redisReply *command, struct buffer *words)
{
    for (size_t i = 0; i < command->elements; i++) {
        buffer_put(words, i == 0 ? TEXT("") : TEXT(" "));
        buffer_put(words, text_of(command->element[i]->str));
    }
}

/* False: the connection is to be closed. */
static bool play(int client, const redisReply *command)
{
    struct buffer words = {0}, out = {0};
    join_words(command, &words);
    const struct line *line = fake.at < fake.count ? &fake.lines[fake.at] : NULL;
    bool right = line != NULL && text_starts(buffer_text(&words), text_of(line->command));
    if (!right && fake.wrong[0] == '\0')
        snprintf(fake.wrong, sizeof(fake.wrong), "line %zu: %s", fake.at, buffer_string(&words));
    fake.at++;
    if (right && line->answer != NULL)
        put_answer(&out, line->answer);
    bool sent = out.size == 0 || send(client, out.at, out.size, MSG_NOSIGNAL) > 0;
    buffer_close(&words);
    buffer_close(&out);
    return right && line->answer != NULL && sent;
}

static void serve_client(int client)
{
    redisReader *reader = redisReaderCreate();
    char bytes[4096];
    bool open = true;
    for (ssize_t got; open && (got = recv(client, bytes, sizeof(bytes), 0)) > 0;) {
        redisReaderFeed(reader, bytes, (size_t)got);
        void *command = NULL;
        while (open && redisReaderGetReply(reader, &command) == REDIS_OK && command != NULL) {
            open = play(client, command);
            freeReplyObject(command);
        }
    }
    redisReaderFree(reader);
    close(client);
}

static void *serve(void *unused)
{
    (void)unused;
    for (int client; (client = accept(fake.listener, NULL, NULL)) >= 0;)
        serve_client(client);
    return NULL;
}

static void begin(const char *format, int64_t wait_replicas, const struct line *lines, size_t count)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    fake.listener = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fake.listener, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(fake.listener, 8), 0);
    ck_assert_int_eq(getsockname(fake.listener, (struct sockaddr *)&address, &size), 0);
    fake.port = ntohs(address.sin_port);
    fake.lines = lines;
    fake.count = count;
    ck_assert_int_eq(pthread_create(&fake.thread, NULL, serve, NULL), 0);

    struct buffer text = {0};
    struct redis_url url;
    struct fault fault;
    put_answer(&text, format);
    ck_assert_msg(redis_url_parse(buffer_text(&text), &url, &fault), "%s", fault.message);
    buffer_close(&text);
    struct lessor_options options = {
        .url = &url, .timeout_ms = 10000, .wait_replicas = wait_replicas};
    fake.lessor = lessor_open(&options);
    fake.row = (struct store_row){
        .account = 7, .limit = 100, .least = 10, .most = 20, .until_s = WINDOW_FOREVER};
    fake.request = (struct store_request){.kind = STORE_MOVE,
                                          .journal = JOURNAL,
                                          .fence = "f1",
                                          .epoch = 1,
                                          .incarnation = 1,
                                          .sequence = 1,
                                          .rows = &fake.row,
                                          .row_count = 1};
}

#define BEGIN(url, wait, lines) begin(url, wait, lines, UNIT_COUNT(lines))
#define PLAIN                   "%redis://127.0.0.1:%d"

static enum store_verdict ask(void)
{
    lessor_ask(fake.lessor, &fake.request, &fake.reply);
    return fake.reply.verdict;
}

/* Everything was said as the script has it. */
static void end(void)
{
    lessor_close(fake.lessor);
    shutdown(fake.listener, SHUT_RDWR);
    pthread_join(fake.thread, NULL);
    close(fake.listener);
    ck_assert_msg(fake.wrong[0] == '\0', "%s", fake.wrong);
    ck_assert_uint_eq(fake.at, fake.count);
}

static void expect_trouble(const char *what)
{
    ck_assert_msg(strstr(lessor_trouble(fake.lessor), what) != NULL, "\"%s\"",
                  lessor_trouble(fake.lessor));
}

/* ---- tests ---- */

START_TEST(an_operation_is_one_command)
{
    static const struct line lines[] = {
        {"INFO", INFO},
        {"SCRIPT LOAD -- The store's operations", "=" SHA},
        {"EVALSHA " SHA " 3 {purser}:meta {purser}:nodes {purser}:a:0000000000000007 move " JOURNAL
         " f1 1 1 1 0 0 0 0   0 0  100 0 10 20 0 0 0 0 0",
         GOOD},
        {"EVALSHA " SHA, GOOD},
    };
    BEGIN(PLAIN, 0, lines);
    ck_assert_int_eq(ask(), STORE_OK);
    ck_assert_str_eq(lessor_trouble(fake.lessor), "");
    ck_assert_str_eq(fake.reply.fence, "f1");
    ck_assert_int_eq(fake.reply.gseq, 5);
    ck_assert_uint_eq(fake.reply.row_count, 1);
    ck_assert_int_eq(fake.reply.rows[0].moved, 10);
    ck_assert_int_eq(ask(), STORE_OK);
    end();
}
END_TEST

START_TEST(says_who_it_is_and_chooses_its_database)
{
    static const struct line lines[] = {
        {"AUTH purser se cret", "+OK\r\n"}, {"SELECT 3", "+OK\r\n"}, {"INFO", INFO},
        {"SCRIPT LOAD", "=" SHA},           {"EVALSHA", GOOD},
    };
    BEGIN("%redis://purser:se%20cret@127.0.0.1:%d/3", 0, lines);
    ck_assert_int_eq(ask(), STORE_OK);
    end();
}
END_TEST

START_TEST(a_wrong_password_is_said_without_it)
{
    static const struct line lines[] = {
        {"AUTH secret", "-WRONGPASS invalid username-password pair\r\n"},
    };
    BEGIN("%redis://:secret@127.0.0.1:%d", 0, lines);
    ck_assert_int_eq(ask(), STORE_AWAY);
    expect_trouble("WRONGPASS");
    ck_assert_str_eq(lessor_brief(fake.lessor),
                     "it does not take the user and password of store.redis: correct them there "
                     "(WRONGPASS invalid username-password pair)");
    ck_assert_ptr_null(strstr(lessor_trouble(fake.lessor), "secret"));
    end();
}
END_TEST

START_TEST(what_an_operator_can_mend_is_said_with_what_to_do)
{
    static const struct {
        const char *error, *advice;
    } refusals[] = {
        {"-NOPERM User purser has no permissions to run the 'hset' command\r\n", "README lists it"},
        {"-ERR The user executing the script can't run this command or subcommand script: 1\r\n",
         "README lists it"},
        {"-ERR ACL failure in script: User purser has no permissions\r\n", "README lists it"},
        {"-READONLY You can't write against a read only replica.\r\n", "name its master"},
        {"-NOAUTH Authentication required.\r\n", "redis://user:password@host"},
        {"-MISCONF Redis is configured to save RDB snapshots\r\n", "see its log"},
        {"-OOM command not allowed when used memory > 'maxmemory'.\r\n", "maxmemory)"},
    };
    for (size_t i = 0; i < UNIT_COUNT(refusals); i++) {
        const struct line lines[] = {
            {"INFO", INFO}, {"SCRIPT LOAD", "=" SHA}, {"EVALSHA", refusals[i].error}};
        memset(&fake, 0, sizeof(fake));
        begin(PLAIN, 0, lines, UNIT_COUNT(lines));
        ck_assert_int_eq(ask(), STORE_AWAY);
        expect_trouble(refusals[i].advice);
        ck_assert_ptr_nonnull(strstr(lessor_brief(fake.lessor), refusals[i].advice));
        end();
    }
}
END_TEST

START_TEST(a_script_that_the_server_forgot_is_loaded_again)
{
    static const struct line lines[] = {
        {"INFO", INFO},
        {"SCRIPT LOAD", "=" SHA},
        {"EVALSHA", "-NOSCRIPT No matching script. Please use EVAL.\r\n"},
        {"SCRIPT LOAD", "=" SHA},
        {"EVALSHA", GOOD},
    };
    BEGIN(PLAIN, 0, lines);
    ck_assert_int_eq(ask(), STORE_OK);
    end();
}
END_TEST

START_TEST(goes_where_a_cluster_sends_it)
{
    static const struct line lines[] = {
        {"INFO", INFO}, {"SCRIPT LOAD", "=" SHA}, {"EVALSHA", "%-MOVED 3999 127.0.0.1:%d\r\n"},
        {"INFO", INFO}, {"SCRIPT LOAD", "=" SHA}, {"EVALSHA", GOOD},
    };
    BEGIN(PLAIN, 0, lines);
    ck_assert_int_eq(ask(), STORE_OK);
    end();
}
END_TEST

START_TEST(is_not_sent_around_for_ever)
{
    static const struct line lines[] = {
        {"INFO", INFO}, {"SCRIPT LOAD", "=" SHA}, {"EVALSHA", "%-MOVED 3999 127.0.0.1:%d\r\n"},
        {"INFO", INFO}, {"SCRIPT LOAD", "=" SHA}, {"EVALSHA", "%-MOVED 3999 127.0.0.1:%d\r\n"},
        {"INFO", INFO}, {"SCRIPT LOAD", "=" SHA}, {"EVALSHA", "%-MOVED 3999 127.0.0.1:%d\r\n"},
        {"INFO", INFO}, {"SCRIPT LOAD", "=" SHA}, {"EVALSHA", "%-MOVED 3999 127.0.0.1:%d\r\n"},
    };
    BEGIN(PLAIN, 0, lines);
    ck_assert_int_eq(ask(), STORE_AWAY);
    end();
}
END_TEST

START_TEST(sentinels_tell_the_master)
{
    static const struct line lines[] = {
        {"PING", "+PONG\r\n"},
        {"SENTINEL get-master-addr-by-name mymaster", "*-1\r\n"},
        {"PING", "-NOAUTH Authentication required.\r\n"},
        {"AUTH pw", "+OK\r\n"},
        {"SENTINEL get-master-addr-by-name mymaster", "%*2\r\n$9\r\n127.0.0.1\r\n$5\r\n%d\r\n"},
        {"AUTH pw", "+OK\r\n"},
        {"INFO", INFO},
        {"SCRIPT LOAD", "=" SHA},
        {"EVALSHA", GOOD},
    };
    char url[100] = "";
    BEGIN("redis+sentinel://:pw@127.0.0.1:1/mymaster", 0, lines);
    lessor_close(fake.lessor);
    snprintf(url, sizeof(url), "redis+sentinel://:pw@127.0.0.1:%d,127.0.0.1:%d/mymaster", fake.port,
             fake.port);
    struct redis_url parsed;
    ck_assert(redis_url_parse(text_of(url), &parsed, NULL));
    struct lessor_options options = {.url = &parsed, .timeout_ms = 10000};
    fake.lessor = lessor_open(&options);
    ck_assert_int_eq(ask(), STORE_AWAY);
    expect_trouble("does not know a master called mymaster");
    ck_assert_str_eq(lessor_brief(fake.lessor), "");
    ck_assert_int_eq(ask(), STORE_OK);
    end();
}
END_TEST

START_TEST(growth_counts_when_enough_replicas_have_it)
{
    static const struct line lines[] = {
        {"INFO", INFO},
        {"SCRIPT LOAD", "=" SHA},
        {"EVALSHA", GOOD},
        {"WAIT 2 ", ":2\r\n"},
        {"EVALSHA", "(0 f1 1 0 0 5 1 0 1 0 9 a:1.1 0 0 0 0 0 0 0)"},
        {"EVALSHA", GOOD},
        {"WAIT 2 ", ":1\r\n"},
    };
    BEGIN(PLAIN, 2, lines);
    ck_assert_int_eq(ask(), STORE_OK);
    fake.row.least = fake.row.most = 0;
    ck_assert_int_eq(ask(), STORE_OK);
    fake.row.least = 10;
    ck_assert_int_eq(ask(), STORE_AWAY);
    expect_trouble("1 of 2 replicas");
    end();
}
END_TEST

/* Found by the simulator: a failover that loses a JOIN of which nobody else has heard. */
START_TEST(who_joins_is_in_when_all_replicas_know)
{
#define JOINED "(0 f1 1 0 0 5 1 0 1 0 9 a:1.1)"
    static const struct line lines[] = {
        {"INFO", INFO},
        {"SCRIPT LOAD", "=" SHA},
        {"EVALSHA", JOINED},
        {"INFO replication", "=role:master\r\nconnected_slaves:2\r\n"},
        {"WAIT 2 ", ":2\r\n"},
        {"EVALSHA", JOINED},
        {"INFO replication", "=connected_slaves:0\r\n"},
        {"EVALSHA", JOINED},
        {"INFO replication", "=connected_slaves:4\r\n"
                             "slave0:ip=10.0.0.7,port=6379,state=online,offset=14,lag=12\r\n"
                             "slave1:ip=10.0.0.8,port=6379,state=online,offset=42,lag=1\r\n"
                             "slave2:ip=::1,port=6380,state=wait_bgsave,offset=0,lag=0\r\n"
                             "slave3:ip=10.0.0.9\r\n"
                             "slave_repl:none\r\n"},
        {"WAIT 4 ", ":1\r\n"},
    };
    BEGIN(PLAIN, 0, lines);
    fake.request.kind = STORE_JOIN;
    fake.request.row_count = 0;
    ck_assert_int_eq(ask(), STORE_OK);
    ck_assert(!fake.reply.replicated); /* who knows which others there are */
    ck_assert(fake.reply.vouched);
    ck_assert(!fake.reply.alone);
    ck_assert_int_eq(ask(), STORE_OK);
    ck_assert(!lessor_waits(fake.lessor));
    ck_assert_int_eq(ask(), STORE_AWAY);
    expect_trouble("1 of 4 replicas");
    ck_assert_ptr_nonnull(strstr(lessor_brief(fake.lessor), "replicas"));
    ck_assert_ptr_null(strstr(lessor_brief(fake.lessor), "10.0.0.7"));
    expect_trouble("(silent: 10.0.0.7:6379, ::1:6380, 10.0.0.9:)");
    ck_assert(lessor_waits(fake.lessor));
    end();
}
END_TEST

START_TEST(who_joins_is_everywhere_when_so_many_replicas_know_as_there_are)
{
    static const struct line lines[] = {
        {"INFO", INFO},        {"SCRIPT LOAD", "=" SHA},
        {"EVALSHA", JOINED},   {"INFO replication", "=connected_slaves:1\r\n"},
        {"WAIT 2 ", ":2\r\n"},
    };
    BEGIN(PLAIN, 2, lines);
    fake.request.kind = STORE_JOIN;
    fake.request.row_count = 0;
    ck_assert_int_eq(ask(), STORE_OK);
    ck_assert(fake.reply.replicated);
    end();
}
END_TEST

START_TEST(servers_that_cannot_be_trusted_are_not_used)
{
    static const struct {
        struct line line;
        const char *says;
    } servers[] = {
        {{"INFO", "=redis_version:6.0.16\r\nrole:master\r\n"}, "6.2 is needed"},
        {{"INFO", "=redis_version:x\r\nrole:master\r\n"}, "6.2 is needed"},
        {{"INFO", "=redis_version:7.0.0\r\nrole:slave\r\n"}, "it is a replica"},
        {{"INFO", "=redis_version:7.0.0\r\nrole:master\r\nmaxmemory_policy:volatile-lru\r\n"},
         "maxmemory-policy is volatile-lru"},
        {{"INFO", "-NOPERM this user has no permissions\r\n"}, "forbids this user"},
        {{"INFO", ":1\r\n"}, "it is no Redis"},
        {{"INFO", NULL}, "Server closed the connection"},
        {{"INFO", "HTTP/1.1 400 Bad Request\r\n"}, "Protocol error"},
    };
    for (size_t i = 0; i < UNIT_COUNT(servers); i++) {
        memset(&fake, 0, sizeof(fake));
        begin(PLAIN, 0, &servers[i].line, 1);
        ck_assert_int_eq(ask(), STORE_AWAY);
        expect_trouble(servers[i].says);
        ck_assert_int_eq(ask(), STORE_AWAY); /* put off: nothing is said to the server */
        expect_trouble(servers[i].says);
        end();
    }
}
END_TEST

START_TEST(what_a_store_never_says_is_not_believed)
{
    static const char *const lies[] = {
        "(0 f1 1 0 0 5 1 0 1 0 9 a:1.1)",                    /* a row is missing */
        "(0 f1 1 0 0 5 1 0 1 0 9 a:1.1 10 10 10 0)",         /* half of one */
        "(0 f1 1 0 0 5 1 0 1 0 9 a:1.1 10 10 10 0 0 0 0 0)", /* one and a bit */
        "(0 f1 1 0 0 5 1 0 1 0 9 a:1.1 21 21 21 0 0 0 0)",   /* more than was asked */
        "(0 f1 1 0 0 5 1 0 1 0 9 a:1.1 10 9 10 0 0 0 0)",    /* grown by more than it has */
        "(0 f1 1 0 0 5 1 0 1 0 9 a:1.1 10 11 10 0 0 0 0)",   /* it has more than all */
        "(0 f1 1 0 0 5 1 0 1 0 9 a:1.1 10 10 101 0 0 0 0)",  /* above the limit */
        "(0 f1 1 0 0 5 1 0 1 0 9 a:1.1 -1 10 10 0 0 0 0)",   /* below zero */
        "(0 f1 1 0 0 5 1 0 1 0 9 a:1.1 10 10 10 0 2 0 0)",   /* neither yes nor no */
        "(0 f1 1 0 0 5 1 0 1 0 9 a:1.1 1 4000000000000001 4000000000000001 0 0 0 0)",
        "(0 f1 1 0 0 5 1 0 1 0 9 a:1.1 10 10 10 0 0 -1 0)", /* below zero */
        "(0 f1 1 0 0 5 1 0 1 0 9 a:1.1 x 10 10 0 0 0 0)",   /* no number */
        "(0 f2 1 0 0 5 1 0 1 0 9 a:1.1 10 10 10 0 0 0 0)",  /* done, under another fence */
        "(0 f1 2 0 0 5 1 0 1 0 9 a:1.1 10 10 10 0 0 0 0)",  /* epoch */
        "(0 f1 1 0 1 5 1 0 1 0 9 a:1.1 10 10 10 0 0 0 0)",  /* without a fence */
        "(0 f1 1 1 0 5 1 0 1 0 9 a:1.1 10 10 10 0 0 0 0)",  /* while it recovers */
        "(2 f1 1 0 0 5 1 0 1 0 9 a:1.1 0 10 10 0 0 0 0)",   /* recovering, and not */
        "(2 f1 1 1 0 5 1 0 1 0 9 a:1.1 1 10 10 0 0 0 0)",   /* recovering, and grown */
        "(1 f1 1 0 0 5 1 0 1 0 9 a:1.1 10 10 10 0 0 0 0)",  /* refused, with rows */
        "(6 f1 1 0 0 5 1 0 1 0 9 a:1.1)",                   /* no verdict of a store's */
        "(0 1 1 0 0 5 1 0 1 0 10 10 10 0 0 0 0)",           /* a number as fence */
        "*17\r\n:0\r\n$0\r\n\r\n:1\r\n:0\r\n:0\r\n:5\r\n:1\r\n:0\r\n:1\r\n:0\r\n:1\r\n:1\r\n:1\r\n:"
        "0\r\n:0\r\n:"
        "0\r\n:0\r\n",
        "(0 f1 1 0 0 5 1 0 2 0 9 a:1.1 10 10 10 0 0 0 0)",  /* vouched for, or not */
        "(0 f1 1 0 0 5 1 0 1 0 9 a 10 10 10 0 0 0 0)",      /* a name and nothing of it */
        "(0 f1 1 0 0 5 1 0 1 0 9 a:1 10 10 10 0 0 0 0)",    /* half of it */
        "(0 f1 1 0 0 5 1 0 1 0 9 :1.1 10 10 10 0 0 0 0)",   /* of nobody */
        "(0 f1 1 0 0 5 1 0 1 0 9 a:1.-1 10 10 10 0 0 0 0)", /* below zero */
        "(0 f1 1 0 0 5 1 0 1 0 9 4 10 10 10 0 0 0 0)",      /* a number */
        "(0 f1 1 0 0 5 1 0 1 0 -1 a:1.1 10 10 10 0 0 0 0)",
        "(0 f1 1 0 0 5 1 0 1 2 9 a:1.1 10 10 10 0 0 0 0)", /* alone, or not */
        "()",
        "*-1\r\n",
        "$-1\r\n",
        "+OK\r\n",
        ":1\r\n",
        "-ERR anything\r\n",
        "-MOVED 1 nowhere\r\n",
        "-MOVED 1 :0\r\n",
        "*100000\r\n#\r\n",
        "#\r\n",
        NULL,
    };
    for (size_t i = 0; i < UNIT_COUNT(lies); i++) {
        const struct line lines[] = {
            {"INFO", INFO}, {"SCRIPT LOAD", "=" SHA}, {"EVALSHA", lies[i]}};
        memset(&fake, 0, sizeof(fake));
        begin(PLAIN, 0, lines, UNIT_COUNT(lines));
        ck_assert_msg(ask() == STORE_AWAY, "%s is believed", lies[i]);
        ck_assert_str_ne(lessor_trouble(fake.lessor), "");
        ck_assert_uint_eq(fake.reply.row_count, 0);
        end();
    }
}
END_TEST

START_TEST(a_sync_never_has_more_than_was_stated)
{
    static const struct line lines[] = {
        {"INFO", INFO},
        {"SCRIPT LOAD", "=" SHA},
        {"EVALSHA", "(0 f1 1 0 0 5 1 0 1 0 9 a:1.1 0 30 40 2 1 0 0)"},
        {"EVALSHA", "(0 f1 1 0 0 5 1 0 1 0 9 a:1.1 0 31 40 0 0 0 0)"},
    };
    BEGIN(PLAIN, 0, lines);
    fake.request.kind = STORE_SYNC;
    fake.row = (struct store_row){.account = 7, .value = 30, .limit = LIMIT_NONE};
    ck_assert_int_eq(ask(), STORE_OK);
    ck_assert(fake.reply.rows[0].wanted);
    ck_assert_int_eq(ask(), STORE_AWAY);
    end();
}
END_TEST

START_TEST(silence_ends)
{
    static const struct line lines[] = {{"INFO", INFO}, {"SCRIPT LOAD", "=" SHA}, {"EVALSHA", ""}};
    BEGIN("%redis://127.0.0.1:%d", 0, lines);
    lessor_close(fake.lessor);
    struct redis_url url = {.host_count = 1, .hosts = {{"127.0.0.1", fake.port}}};
    struct lessor_options options = {.url = &url, .timeout_ms = 50};
    fake.lessor = lessor_open(&options);
    ck_assert_int_eq(ask(), STORE_AWAY);
    expect_trouble("does not answer in time");
    end();
}
END_TEST

START_TEST(after_a_lost_answer_it_connects_anew)
{
    static const struct line lines[] = {
        {"INFO", INFO}, {"SCRIPT LOAD", "=" SHA}, {"EVALSHA", NULL},
        {"INFO", INFO}, {"SCRIPT LOAD", "=" SHA}, {"EVALSHA", GOOD},
    };
    BEGIN(PLAIN, 0, lines);
    ck_assert_int_eq(ask(), STORE_AWAY);
    ck_assert_int_eq(ask(), STORE_OK);
    end();
}
END_TEST

START_TEST(nobody_there_is_said)
{
    static const struct line none[1];
    begin(PLAIN, 0, none, 0);
    struct redis_url url = {.host_count = 1, .hosts = {{"/nonexistent/redis.sock", 0}}};
    struct lessor_options options = {.url = &url, .timeout_ms = 50};
    lessor_close(fake.lessor);
    fake.lessor = lessor_open(&options);
    ck_assert_int_eq(ask(), STORE_AWAY);
    expect_trouble("/nonexistent/redis.sock: No such file");
    end();
}
END_TEST

UNIT_MAIN(what_an_operator_can_mend_is_said_with_what_to_do, an_operation_is_one_command,
          says_who_it_is_and_chooses_its_database, a_wrong_password_is_said_without_it,
          a_script_that_the_server_forgot_is_loaded_again, goes_where_a_cluster_sends_it,
          is_not_sent_around_for_ever, sentinels_tell_the_master,
          growth_counts_when_enough_replicas_have_it, who_joins_is_in_when_all_replicas_know,
          who_joins_is_everywhere_when_so_many_replicas_know_as_there_are,
          servers_that_cannot_be_trusted_are_not_used, what_a_store_never_says_is_not_believed,
          a_sync_never_has_more_than_was_stated, silence_ends, after_a_lost_answer_it_connects_anew,
          nobody_there_is_said)
