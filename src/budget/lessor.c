/*
 * The lessor's connection: made when it is needed, left at the first doubt.
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#include "budget/lessor.h"
#include "budget/redis_errors.h"
#include "budget/redis_link.h"
#include "budget/redis_words.h"
#include "budget/store_wire.h"

#define BACKOFF_LEAST_MS 50
#define BACKOFF_MOST_MS  1000
#define BY_LINK          "Redis at " /* and host and ": " begin what a link says */
#define BY_REDIS         "Redis: "   /* likewise what is explained, without addresses */
#define SILENT_S         3           /* a replica says each second how far it is */
#define TRIES            4           /* one, another after NOSCRIPT, two after MOVED */

/* Redis 6.2: what store.lua is written for. */
#define MAJOR_LEAST 6
#define MINOR_LEAST 2

struct lessor {
    struct redis_url url;
    struct text script;
    int64_t timeout_ms, wait_replicas;
    struct redis_link *link;
    char sha[STORE_SHA_SIZE];
    size_t turn;             /* the host to try next */
    struct redis_host moved; /* where a Cluster has sent us */
    bool has_moved;
    int64_t backoff_ms, retry_us;
    struct buffer out;
    struct fault trouble; /* empty: none */
    bool waits;           /* it is that replicas do not confirm a JOIN */
};

struct lessor *lessor_open(const struct lessor_options *options)
{
    struct lessor *lessor = memory_new(sizeof(*lessor));
    ASSERT(options->url->host_count > 0);
    lessor->url = *options->url;
    lessor->script = options->script.size > 0 ? options->script : store_script();
    lessor->timeout_ms = options->timeout_ms;
    lessor->wait_replicas = options->wait_replicas;
    return lessor;
}

void lessor_close(struct lessor *lessor)
{
    if (lessor == NULL)
        return;
    redis_link_close(lessor->link);
    buffer_close(&lessor->out);
    free(lessor);
}

const char *lessor_trouble(const struct lessor *lessor)
{
    return lessor->trouble.message;
}

const char *lessor_brief(const struct lessor *lessor)
{
    const char *trouble = lessor->trouble.message;
    const char *why = strstr(trouble, ": ");
    if (lessor->waits)
        return "not all of its replicas confirm that this instance joins";
    bool plain = strncmp(trouble, BY_LINK, sizeof(BY_LINK) - 1) == 0 ||
                 strncmp(trouble, BY_REDIS, sizeof(BY_REDIS) - 1) == 0;
    return plain && why != NULL ? why + 2 : "";
}

static void hang_up(struct lessor *lessor)
{
    redis_link_close(lessor->link);
    lessor->link = NULL;
}

/* ---- is this server the right one? ---- */

/* The value of "name:" at the beginning of a line. */
static struct text info_value(struct text info, struct text name)
{
    while (info.at != NULL) {
        struct text line = text_split(&info, '\n');
        if (text_starts(line, name))
            return text_trim(text_from(line, name.size));
    }
    return TEXT_NONE;
}

static bool is_new_enough(struct text version)
{
    int64_t major = 0, minor = 0;
    struct text rest = version;
    return text_to_int(text_split(&rest, '.'), &major) &&
           text_to_int(text_split(&rest, '.'), &minor) &&
           (major > MAJOR_LEAST || (major == MAJOR_LEAST && minor >= MINOR_LEAST));
}

static bool check_info(struct text info, struct fault *fault)
{
    struct text version = info_value(info, TEXT("redis_version:"));
    struct text role = info_value(info, TEXT("role:"));
    struct text policy = info_value(info, TEXT("maxmemory_policy:"));
    if (!is_new_enough(version))
        return fault_set(fault, "its version is %.*s, and 6.2 is needed", TEXT_ARG(version));
    if (!text_equal(role, TEXT("master")))
        return fault_set(fault, "it is a replica");
    if (policy.at != NULL && !text_equal(policy, TEXT("noeviction")))
        return fault_set(fault,
                         "its maxmemory-policy is %.*s: what was granted could vanish; set "
                         "it to noeviction",
                         TEXT_ARG(policy));
    return true;
}

static bool check_server(struct lessor *lessor, struct fault *fault)
{
    const char *const words[] = {"INFO"};
    redisReply *reply = redis_link_ask(lessor->link, words, 1, fault);
    struct fault told;
    if (reply == NULL)
        return false;
    bool good = reply->type == REDIS_REPLY_STRING
                    ? check_info(text_make(reply->str, (size_t)reply->len), fault)
                    : fault_set(fault, "it does not answer INFO: %s",
                                redis_errors_tell(
                                    reply->type == REDIS_REPLY_ERROR ? reply->str : NULL, &told));
    freeReplyObject(reply);
    return good;
}

static bool load_script(struct lessor *lessor, struct fault *fault)
{
    const char *const words[] = {"SCRIPT", "LOAD", lessor->script.at};
    redisReply *reply = redis_link_ask(lessor->link, words, 3, fault);
    struct fault told;
    if (reply == NULL)
        return false;
    bool good = reply->type == REDIS_REPLY_STRING && reply->len == STORE_SHA_SIZE - 1 &&
                strspn(reply->str, "0123456789abcdef") == STORE_SHA_SIZE - 1;
    if (good)
        memcpy(lessor->sha, reply->str, STORE_SHA_SIZE);
    else
        fault_set(fault, "it does not take the script: %s",
                  redis_errors_tell(reply->type == REDIS_REPLY_ERROR ? reply->str : NULL, &told));
    freeReplyObject(reply);
    return good;
}

/* ---- finding it ---- */

static bool read_master(const redisReply *reply, struct redis_host *host)
{
    int64_t port = 0;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_STRING)
        return false;
    size_t size = (size_t)reply->element[0]->len;
    if (size == 0 || size >= sizeof(host->name) ||
        !text_to_int(text_of(reply->element[1]->str), &port) || port < 1 || port > 65535)
        return false;
    memcpy(host->name, reply->element[0]->str, size + 1);
    host->port = (int)port;
    return true;
}

static bool ask_sentinel(const struct lessor *lessor, const struct redis_host *sentinel,
                         struct redis_host *host, struct fault *fault)
{
    const char *const words[] = {"SENTINEL", "get-master-addr-by-name", lessor->url.master};
    struct redis_link *link =
        redis_link_open(&lessor->url, sentinel, true, lessor->timeout_ms, fault);
    redisReply *reply = link == NULL ? NULL : redis_link_ask(link, words, 3, fault);
    bool good = reply != NULL && read_master(reply, host);
    if (reply != NULL && !good)
        fault_set(fault, "the Sentinel at %s:%d does not know a master called %s", sentinel->name,
                  sentinel->port, lessor->url.master);
    if (reply != NULL)
        freeReplyObject(reply);
    redis_link_close(link);
    return good;
}

static bool connect_to(struct lessor *lessor, struct fault *fault)
{
    const struct redis_host *listed = &lessor->url.hosts[lessor->turn];
    struct redis_host host = lessor->has_moved ? lessor->moved : *listed;
    bool sentinels = lessor->url.master[0] != '\0';
    if (sentinels && !ask_sentinel(lessor, listed, &host, fault))
        return false;
    lessor->link = redis_link_open(&lessor->url, &host, false, lessor->timeout_ms, fault);
    if (lessor->link == NULL)
        return false;
    if (check_server(lessor, fault) && load_script(lessor, fault))
        return true;
    hang_up(lessor);
    bool named = fault == NULL || strncmp(fault->message, BY_LINK, sizeof(BY_LINK) - 1) == 0;
    return named ? false : fault_prefix(fault, BY_LINK "%s", host.name);
}

static bool connect_again(struct lessor *lessor, struct fault *fault)
{
    if (clock_steady_us(clock_real()) < lessor->retry_us)
        return false; /* with the fault of the last time */
    if (connect_to(lessor, fault)) {
        lessor->backoff_ms = 0;
        return true;
    }
    lessor->has_moved = false;
    lessor->turn = (lessor->turn + 1) % lessor->url.host_count;
    if (lessor->turn == 0) { /* all of them were tried */
        int64_t next = 2 * lessor->backoff_ms;
        lessor->backoff_ms = next < BACKOFF_LEAST_MS  ? BACKOFF_LEAST_MS
                             : next > BACKOFF_MOST_MS ? BACKOFF_MOST_MS
                                                      : next;
        lessor->retry_us = clock_steady_us(clock_real()) + lessor->backoff_ms * 1000;
    }
    return false;
}

/* ---- asking ---- */

enum outcome { DONE, AGAIN, FAILED };

/* "MOVED 3999 127.0.0.1:6381"; without a host it is the one that said so. */
static bool read_moved(const char *error, struct redis_host *host)
{
    struct text rest = text_of(error);
    text_split(&rest, ' ');
    text_split(&rest, ' ');
    size_t colon = SIZE_MAX;
    for (size_t i = 0; i < rest.size; i++)
        if (rest.at[i] == ':')
            colon = i;
    int64_t port = 0;
    if (colon == SIZE_MAX || colon == 0 || colon >= sizeof(host->name) ||
        !text_to_int(text_from(rest, colon + 1), &port) || port < 1 || port > 65535)
        return false;
    memcpy(host->name, rest.at, colon);
    host->name[colon] = '\0';
    host->port = (int)port;
    return true;
}

/* Both errors mean that nothing was done. */
static enum outcome take_error(struct lessor *lessor, const char *error)
{
    struct fault *fault = &lessor->trouble;
    if (strncmp(error, "NOSCRIPT", 8) == 0 && load_script(lessor, fault))
        return AGAIN;
    struct redis_host host = {0};
    if (strncmp(error, "MOVED ", 6) == 0 && read_moved(error, &host)) {
        lessor->moved = host;
        lessor->has_moved = true;
        hang_up(lessor);
        return AGAIN;
    }
    struct fault told;
    bool explained = redis_errors_explain(error, &told);
    fault_set(fault, explained ? BY_REDIS "%s" : "Redis says: %s", told.message);
    return FAILED;
}

static bool may_grow(const struct store_request *request)
{
    for (size_t i = 0; i < request->row_count; i++)
        if (request->rows[i].least > 0 || request->rows[i].most > 0 || request->rows[i].charge > 0)
            return request->kind == STORE_MOVE;
    return false;
}

static bool enough_replicas(struct lessor *lessor, const redisReply *answer, int64_t replicas)
{
    if (answer->type == REDIS_REPLY_INTEGER && answer->integer >= replicas)
        return true;
    return fault_set(&lessor->trouble, "Redis: %lld of %lld replicas have confirmed in time",
                     answer->type == REDIS_REPLY_INTEGER ? answer->integer : 0LL,
                     (long long)replicas);
}

static enum outcome take_answer(struct lessor *lessor, const struct store_request *request,
                                const redisReply *answer, struct store_reply *reply)
{
    if (answer->type == REDIS_REPLY_ERROR)
        return take_error(lessor, answer->str);
    return store_wire_read(answer, request, reply, &lessor->trouble) ? DONE : FAILED;
}

static void put_wait(struct lessor *lessor, int64_t count)
{
    char replicas[24], timeout[24];
    const char *const words[] = {"WAIT", replicas, timeout};
    snprintf(replicas, sizeof(replicas), "%lld", (long long)count);
    snprintf(timeout, sizeof(timeout), "%lld", (long long)(lessor->timeout_ms / 2 + 1));
    redis_link_put_words(lessor->link, words, 3);
}

static struct text part_of(struct text line, struct text name)
{
    while (line.at != NULL) {
        struct text part = text_split(&line, ',');
        if (text_starts(part, name))
            return text_trim(text_from(part, name.size));
    }
    return TEXT_NONE;
}

/* Those who said nothing for seconds, or are not in step: of lines such as
 * "slave0:ip=10.0.0.7,port=6379,state=online,offset=14,lag=1" (redis.io/docs, INFO). */
static void name_silent(struct text info, struct buffer *out)
{
    while (info.at != NULL) {
        struct text line = text_split(&info, '\n');
        struct text name = text_split(&line, ':');
        struct text host = part_of(line, TEXT("ip=")), port = part_of(line, TEXT("port="));
        int64_t lag_s = 0;
        bool in_step = text_to_int(part_of(line, TEXT("lag=")), &lag_s) && lag_s < SILENT_S &&
                       text_equal(part_of(line, TEXT("state=")), TEXT("online"));
        if (!text_starts(name, TEXT("slave")) || host.at == NULL || in_step)
            continue;
        buffer_printf(out, "%s%.*s:%.*s", out->size == 0 ? " (silent: " : ", ", TEXT_ARG(host),
                      TEXT_ARG(port));
    }
    if (out->size > 0)
        buffer_put_byte(out, ')');
}

static bool count_replicas(struct lessor *lessor, int64_t *count, struct buffer *silent)
{
    const char *const words[] = {"INFO", "replication"};
    redisReply *reply = redis_link_ask(lessor->link, words, 2, &lessor->trouble);
    if (reply == NULL)
        return false;
    bool good = reply->type == REDIS_REPLY_STRING &&
                text_to_int(info_value(text_make(reply->str, (size_t)reply->len),
                                       TEXT("connected_slaves:")),
                            count);
    if (good)
        name_silent(text_make(reply->str, (size_t)reply->len), silent);
    freeReplyObject(reply);
    return good || fault_set(&lessor->trouble, "Redis does not say how many replicas it has");
}

/* A promoted replica that lost a JOIN, and nobody else who has heard of it: then an epoch would
 * open without that instance. */
static bool is_joined_at_all(struct lessor *lessor, struct buffer *silent)
{
    int64_t replicas = 0;
    if (!count_replicas(lessor, &replicas, silent))
        return false;
    if (replicas < lessor->wait_replicas)
        replicas = lessor->wait_replicas;
    if (replicas == 0)
        return true;
    put_wait(lessor, replicas);
    redisReply *reply = redis_link_get(lessor->link, &lessor->trouble);
    bool good = reply != NULL && enough_replicas(lessor, reply, replicas);
    lessor->waits = reply != NULL && !good;
    if (lessor->waits)
        (void)fault_prefix(&lessor->trouble,
                           "who joins must be known to all replicas%.300s; Redis drops one that is "
                           "dead after its repl-timeout",
                           buffer_string(silent));
    if (reply != NULL)
        freeReplyObject(reply);
    return good;
}

static bool is_joined_everywhere(struct lessor *lessor)
{
    struct buffer silent = {0};
    bool good = is_joined_at_all(lessor, &silent);
    buffer_close(&silent);
    return good;
}

static enum outcome ask_once(struct lessor *lessor, const struct store_request *request,
                             struct store_reply *reply)
{
    bool waits = lessor->wait_replicas > 0 && may_grow(request);
    buffer_clear(&lessor->out);
    store_wire_put(&lessor->out, lessor->sha, request);
    redis_link_begin(lessor->link, lessor->timeout_ms);
    redis_link_put(lessor->link, buffer_text(&lessor->out));
    if (waits)
        put_wait(lessor, lessor->wait_replicas);
    redisReply *answer = redis_link_get(lessor->link, &lessor->trouble);
    redisReply *replicas =
        answer != NULL && waits ? redis_link_get(lessor->link, &lessor->trouble) : NULL;
    enum outcome outcome = FAILED;
    if (answer != NULL && (!waits || replicas != NULL))
        outcome = take_answer(lessor, request, answer, reply);
    if (outcome == DONE && waits && !enough_replicas(lessor, replicas, lessor->wait_replicas))
        outcome = FAILED;
    if (outcome == DONE && request->kind == STORE_JOIN && !is_joined_everywhere(lessor))
        outcome = FAILED;
    if (outcome == DONE)
        reply->replicated = request->kind == STORE_JOIN && lessor->wait_replicas > 0;
    if (answer != NULL)
        freeReplyObject(answer);
    if (replicas != NULL)
        freeReplyObject(replicas);
    return outcome;
}

bool lessor_waits(const struct lessor *lessor)
{
    return lessor->waits;
}

void lessor_ask(struct lessor *lessor, const struct store_request *request,
                struct store_reply *reply)
{
    enum outcome outcome = AGAIN;
    lessor->waits = false;
    for (int tried = 0; outcome == AGAIN && tried < TRIES; tried++) {
        if (lessor->link == NULL && !connect_again(lessor, &lessor->trouble))
            outcome = FAILED;
        else
            outcome = ask_once(lessor, request, reply);
    }
    if (outcome == DONE) {
        lessor->trouble = (struct fault){0};
        return;
    }
    hang_up(lessor);
    *reply = (struct store_reply){.verdict = STORE_AWAY};
}

static void put_call(struct lessor *lessor, struct text words, size_t count)
{
    buffer_clear(&lessor->out);
    redis_words_begin(&lessor->out, count + 2);
    redis_words_put(&lessor->out, TEXT("EVALSHA"));
    redis_words_put(&lessor->out, text_of(lessor->sha));
    buffer_put(&lessor->out, words);
    redis_link_begin(lessor->link, lessor->timeout_ms);
    redis_link_put(lessor->link, buffer_text(&lessor->out));
}

static enum outcome call_once(struct lessor *lessor, struct text words, size_t count,
                              redisReply **answer)
{
    put_call(lessor, words, count);
    *answer = redis_link_get(lessor->link, &lessor->trouble);
    if (*answer == NULL || (*answer)->type != REDIS_REPLY_ERROR)
        return *answer == NULL ? FAILED : DONE;
    enum outcome outcome = take_error(lessor, (*answer)->str);
    freeReplyObject(*answer);
    *answer = NULL;
    return outcome;
}

struct redisReply *lessor_call(struct lessor *lessor, struct text words, size_t count)
{
    enum outcome outcome = AGAIN;
    redisReply *answer = NULL;
    for (int tried = 0; outcome == AGAIN && tried < TRIES; tried++) {
        if (lessor->link == NULL && !connect_again(lessor, &lessor->trouble))
            outcome = FAILED;
        else
            outcome = call_once(lessor, words, count, &answer);
    }
    if (outcome == DONE)
        lessor->trouble = (struct fault){0};
    else
        hang_up(lessor);
    return answer;
}

void lessor_free(struct redisReply *answer)
{
    if (answer != NULL)
        freeReplyObject(answer);
}

/* Of a list and the lists in it: SIZE_MAX if there is anything else but strings. */
static size_t strings_in(const redisReply *reply, bool nested)
{
    size_t count = 0;
    for (size_t i = 0; i < reply->elements; i++) {
        const redisReply *element = reply->element[i];
        bool list = element->type == REDIS_REPLY_ARRAY && !nested;
        size_t more = list ? strings_in(element, true) : 1;
        if (more == SIZE_MAX || (!list && element->type != REDIS_REPLY_STRING))
            return SIZE_MAX;
        count += more;
    }
    return count;
}

static void put_strings(const redisReply *reply, struct arena *arena, struct lessor_list *list)
{
    for (size_t i = 0; i < reply->elements; i++) {
        const redisReply *element = reply->element[i];
        if (element->type == REDIS_REPLY_ARRAY)
            put_strings(element, arena, list);
        else
            list->at[list->count++] =
                arena_copy(arena, text_make(element->str, (size_t)element->len));
    }
}

static bool take_list(const redisReply *reply, struct arena *arena, struct lessor_list *list)
{
    size_t count = reply->type == REDIS_REPLY_ARRAY ? strings_in(reply, false) : SIZE_MAX;
    if (count == SIZE_MAX)
        return false;
    *list = (struct lessor_list){0};
    list->at = arena_new(arena, (count + 1) * sizeof(*list->at));
    put_strings(reply, arena, list);
    return true;
}

static enum outcome read_once(struct lessor *lessor, const char *const *words, size_t count,
                              struct arena *arena, struct lessor_list *list)
{
    struct fault *fault = &lessor->trouble;
    if (lessor->link == NULL && !connect_again(lessor, fault))
        return FAILED;
    redis_link_begin(lessor->link, lessor->timeout_ms);
    redisReply *reply = redis_link_ask(lessor->link, words, count, fault);
    enum outcome outcome = FAILED;
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR)
        outcome = take_error(lessor, reply->str);
    else if (reply != NULL && take_list(reply, arena, list))
        outcome = DONE;
    else if (reply != NULL)
        fault_set(fault, "Redis answers %s with something else", words[0]);
    if (reply != NULL)
        freeReplyObject(reply);
    if (outcome == FAILED)
        hang_up(lessor);
    return outcome;
}

bool lessor_read(struct lessor *lessor, const char *const *words, size_t count, struct arena *arena,
                 struct lessor_list *list, struct fault *fault)
{
    enum outcome outcome = AGAIN;
    for (int i = 0; i < TRIES && outcome == AGAIN; i++)
        outcome = read_once(lessor, words, count, arena, list);
    if (outcome == DONE) {
        lessor->trouble = (struct fault){0};
        return true;
    }
    *fault = lessor->trouble;
    return false;
}
