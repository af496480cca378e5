/*
 * A redis-server for an oracle: on a socket in a new folder, ended with it. Whatever goes wrong
 * ends the program.
 */
#ifndef PURSER_TESTS_ORACLE_SERVER_H
#define PURSER_TESTS_ORACLE_SERVER_H

#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"

struct oracle_server {
    char folder[40], socket[64];
    pid_t child;
    redisContext *link;
};

static _Noreturn inline void oracle_give_up(const char *why)
{
    fprintf(stderr, "oracle: %s\n", why);
    exit(1);
}

static inline struct oracle_server *oracle_server_open(void)
{
    struct oracle_server *server = memory_new(sizeof *server);
    snprintf(server->folder, sizeof server->folder, "/tmp/purser-oracle-XXXXXX");
    if (mkdtemp(server->folder) == NULL)
        oracle_give_up("cannot make a folder");
    snprintf(server->socket, sizeof server->socket, "%s/s", server->folder);
    server->child = fork();
    if (server->child == 0) {
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", server->socket,
               "--save", "", "--appendonly", "no", "--dir", server->folder, "--logfile",
               "/dev/null", (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 1000; i++) {
        server->link = redisConnectUnix(server->socket);
        if (server->link != NULL && server->link->err == 0)
            return server;
        redisFree(server->link);
        usleep(10000);
    }
    oracle_give_up("redis-server does not start");
}

static inline void oracle_server_close(struct oracle_server *server)
{
    kill(server->child, SIGTERM);
    waitpid(server->child, NULL, 0);
    redisFree(server->link);
    unlink(server->socket);
    rmdir(server->folder);
    free(server);
}

/* Queues a command in Redis's protocol. */
static inline void oracle_server_put(struct oracle_server *server, struct text command)
{
    if (redisAppendFormattedCommand(server->link, command.at, command.size) != REDIS_OK)
        oracle_give_up(server->link->errstr);
}

/* The answer to the next one that was queued; the caller frees it. */
static inline redisReply *oracle_server_next(struct oracle_server *server)
{
    void *answer = NULL;
    if (redisGetReply(server->link, &answer) != REDIS_OK)
        oracle_give_up(server->link->errstr);
    return answer;
}

static inline void oracle_server_say(struct oracle_server *server, const char *command)
{
    redisReply *reply = redisCommand(server->link, command);
    if (reply == NULL || reply->type == REDIS_REPLY_ERROR)
        oracle_give_up(reply == NULL ? server->link->errstr : reply->str);
    freeReplyObject(reply);
}

static inline void oracle_server_load(struct oracle_server *server, struct text script,
                                      char sha[41])
{
    redisReply *reply = redisCommand(server->link, "SCRIPT LOAD %s", script.at);
    if (reply == NULL || reply->type != REDIS_REPLY_STRING)
        oracle_give_up(reply != NULL && reply->type == REDIS_REPLY_ERROR
                           ? reply->str
                           : "the script is not taken");
    memcpy(sha, reply->str, 41);
    freeReplyObject(reply);
}

#endif
