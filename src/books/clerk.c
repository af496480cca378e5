/*
 * The clerk: a thread with a queue of questions. Between questions it keeps the roll-ups fed, so
 * that the first question after a busy day is not a slow one.
 */
#include "books/clerk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/condition.h"
#include "base/log.h"
#include "books/costs.h"

enum { WAITING_MOST = 256, IDLE_S = 30 };

struct question {
    struct question *next;
    struct arena arena;
    struct books_query query; /* its texts are in the arena */
};

struct clerk {
    int dir_fd;
    struct rollup *rollup; /* the thread's */
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    struct question *first;
    struct question *last;
    size_t waiting;
    bool stopping;
};

/* ---- questions ---- */

static struct text keep(struct arena *arena, struct text text)
{
    return text.at == NULL ? text : arena_copy(arena, text);
}

static struct question *question_new(const struct books_query *query)
{
    struct question *question = memory_new(sizeof(*question));
    struct books_query *own = &question->query;
    *own = *query;
    own->request_id = keep(&question->arena, query->request_id);
    own->booking = keep(&question->arena, query->booking);
    own->error = keep(&question->arena, query->error);
    for (int i = 0; i < GROUP_COUNT; i++) {
        own->filter[i] = keep(&question->arena, query->filter[i]);
        own->after[i] = keep(&question->arena, query->after[i]);
    }
    return question;
}

static void question_free(struct question *question)
{
    arena_close(&question->arena);
    free(question);
}

bool clerk_ask(struct clerk *clerk, const struct books_query *query)
{
    pthread_mutex_lock(&clerk->lock);
    bool room = clerk->waiting < WAITING_MOST && !clerk->stopping;
    if (room) {
        struct question *question = question_new(query);
        if (clerk->first == NULL)
            clerk->first = question;
        else
            clerk->last->next = question;
        clerk->last = question;
        clerk->waiting++;
        pthread_cond_signal(&clerk->wake);
    }
    pthread_mutex_unlock(&clerk->lock);
    return room;
}

static struct question *take_first(struct clerk *clerk)
{
    struct question *question = clerk->first;
    if (question == NULL)
        return NULL;
    clerk->first = question->next;
    clerk->waiting--;
    return question;
}

/* The next question; NULL when nothing was asked for a while, or at the end. */
static struct question *wait_for_question(struct clerk *clerk, bool *stopping)
{
    const struct timespec until = condition_moment_in(IDLE_S * 1000);
    int result = 0;
    pthread_mutex_lock(&clerk->lock);
    while (clerk->first == NULL && !clerk->stopping && result != ETIMEDOUT)
        result = pthread_cond_timedwait(&clerk->wake, &clerk->lock, &until);
    struct question *question = clerk->stopping ? NULL : take_first(clerk);
    *stopping = clerk->stopping;
    pthread_mutex_unlock(&clerk->lock);
    return question;
}

static bool is_stopping(struct clerk *clerk)
{
    pthread_mutex_lock(&clerk->lock);
    bool stopping = clerk->stopping;
    pthread_mutex_unlock(&clerk->lock);
    return stopping;
}

/* ---- answers ---- */

/* False if the books cannot be read, or the clerk is to stop. */
static bool catch_up(struct clerk *clerk)
{
    struct fault fault;
    enum rollup_fed fed = ROLLUP_MORE;
    while (fed == ROLLUP_MORE && !is_stopping(clerk))
        fed = rollup_feed(clerk->rollup, clerk->dir_fd, &fault);
    if (fed == ROLLUP_FAILED)
        log_error("%s", fault.message);
    return fed == ROLLUP_ALL;
}

static void answer_from_rollup(struct clerk *clerk, const struct books_query *query,
                               struct books_answer *answer)
{
    static void (*const answers[])(struct rollup *, const struct books_query *,
                                   struct books_answer *) = {
        [BOOKS_SUMS] = costs_of_sums,
        [BOOKS_RECENT] = costs_of_recent,
        [BOOKS_BOOKING] = costs_of_booking,
    };
    if (catch_up(clerk))
        answers[query->subject](clerk->rollup, query, answer);
    else
        costs_failed(answer);
}

static void answer_question(struct clerk *clerk, const struct books_query *query)
{
    struct books_answer *answer = memory_new(sizeof(*answer));
    answer->subject = query->subject;
    buffer_put(&answer->ticket, query->booking);
    if (query->subject == BOOKS_REQUEST)
        costs_of_request(clerk->dir_fd, query, answer);
    else
        answer_from_rollup(clerk, query, answer);
    struct letter *letter = letter_new(query->to, BOOKS_LETTER_ANSWER);
    letter->body = answer;
    letter->body_free = books_answer_free;
    mailbox_post(query->mailbox, letter);
}

static void *clerk_run(void *context)
{
    struct clerk *clerk = context;
    bool stopping = false;
    (void)catch_up(clerk);
    while (!stopping) {
        struct question *question = wait_for_question(clerk, &stopping);
        if (question != NULL) {
            answer_question(clerk, &question->query);
            question_free(question);
        } else if (!stopping) {
            (void)catch_up(clerk);
        }
    }
    return NULL;
}

/* ---- opening and closing ---- */

static void clerk_free(struct clerk *clerk)
{
    struct question *question = NULL;
    while ((question = take_first(clerk)) != NULL)
        question_free(question);
    rollup_close(clerk->rollup);
    if (clerk->dir_fd >= 0)
        close(clerk->dir_fd);
    pthread_cond_destroy(&clerk->wake);
    pthread_mutex_destroy(&clerk->lock);
    free(clerk);
}

static struct clerk *clerk_new(void)
{
    struct clerk *clerk = memory_new(sizeof(*clerk));
    condition_open(&clerk->wake);
    pthread_mutex_init(&clerk->lock, NULL);
    return clerk;
}

struct clerk *clerk_open(const char *dir, const char *database, struct fault *fault)
{
    struct clerk *clerk = clerk_new();
    clerk->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (clerk->dir_fd < 0) {
        fault_set(fault, "the ledger's directory %s cannot be opened: %s", dir, strerror(errno));
        clerk_free(clerk);
        return NULL;
    }
    clerk->rollup = rollup_open(database, fault);
    if (clerk->rollup == NULL) {
        clerk_free(clerk);
        return NULL;
    }
    int result = pthread_create(&clerk->thread, NULL, clerk_run, clerk);
    ASSERT(result == 0);
    return clerk;
}

void clerk_close(struct clerk *clerk)
{
    if (clerk == NULL)
        return;
    pthread_mutex_lock(&clerk->lock);
    clerk->stopping = true;
    pthread_cond_signal(&clerk->wake);
    pthread_mutex_unlock(&clerk->lock);
    pthread_join(clerk->thread, NULL);
    clerk_free(clerk);
}
