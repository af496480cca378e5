/*
 * The registrar: a thread with a queue. A commit costs about a millisecond however much is in it,
 * so everything that waits goes into one; answers leave after it.
 */
#include "budget/registrar.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/log.h"

struct order {
    struct order *next;
    struct arena arena;
    struct deed deed; /* its texts are in the arena */
    struct deed_answer *answer;
};

struct registrar {
    struct ceilings *ceilings; /* the thread's */
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    struct order *first, **last;
    size_t waiting;
    bool stopping;
};

/* ---- the queue ---- */

/* What is not there stays not there: to a note that is something else than nothing. */
static struct text keep(struct arena *arena, struct text text)
{
    return text.at == NULL ? text : arena_copy(arena, text);
}

static struct order *order_new(const struct deed *deed)
{
    struct order *order = memory_new(sizeof(*order));
    struct arena *arena = &order->arena;
    struct deed *own = &order->deed;
    *own = *deed;
    own->object.upstream = keep(arena, deed->object.upstream);
    own->object.id = keep(arena, deed->object.id);
    own->key = keep(arena, deed->key);
    own->notes.about = keep(arena, deed->notes.about);
    own->notes.facts = keep(arena, deed->notes.facts);
    own->notes.call = keep(arena, deed->notes.call);
    own->query.purpose = keep(arena, deed->query.purpose);
    own->query.key = keep(arena, deed->query.key);
    own->query.after.upstream = keep(arena, deed->query.after.upstream);
    own->query.after.id = keep(arena, deed->query.after.id);
    return order;
}

bool registrar_ask(struct registrar *registrar, const struct deed *deed)
{
    pthread_mutex_lock(&registrar->lock);
    bool room = registrar->waiting < REGISTRAR_WAITING_MOST && !registrar->stopping;
    if (room) {
        struct order *order = order_new(deed);
        *registrar->last = order;
        registrar->last = &order->next;
        registrar->waiting++;
        pthread_cond_signal(&registrar->wake);
    }
    pthread_mutex_unlock(&registrar->lock);
    if (!room && deed->mailbox == NULL)
        log_error("%.*s is not noted in ceilings.db: too much is waiting for the disk",
                  TEXT_ARG(deed->object.id));
    return room;
}

/* All that waits; NULL at the end. */
static struct order *take_all(struct registrar *registrar)
{
    pthread_mutex_lock(&registrar->lock);
    while (registrar->first == NULL && !registrar->stopping)
        pthread_cond_wait(&registrar->wake, &registrar->lock);
    struct order *all = registrar->first;
    registrar->first = NULL;
    registrar->last = &registrar->first;
    registrar->waiting = 0;
    pthread_mutex_unlock(&registrar->lock);
    return all;
}

/* ---- deeds ---- */

static bool do_claim(struct ceilings *ceilings, const struct deed *deed, struct deed_answer *answer,
                     struct fault *fault)
{
    struct text owner;
    bool fresh = ceilings_owner(ceilings, &deed->object, &owner, fault) == OWNER_NOBODY;
    answer->claim = ceilings_claim(ceilings, &deed->object, deed->key, deed->made_s, fault);
    if (!fresh)
        return answer->claim != CLAIM_FAILED;
    return answer->claim == CLAIM_FOREIGN ||
           (answer->claim == CLAIM_NOTED &&
            ceilings_note(ceilings, &deed->object, &deed->notes, fault));
}

static bool do_note(struct ceilings *ceilings, const struct deed *deed, struct deed_answer *answer,
                    struct fault *fault)
{
    (void)answer;
    return ceilings_note(ceilings, &deed->object, &deed->notes, fault);
}

static bool do_forget(struct ceilings *ceilings, const struct deed *deed,
                      struct deed_answer *answer, struct fault *fault)
{
    (void)answer;
    return ceilings_forget(ceilings, &deed->object, fault);
}

static bool do_look(struct ceilings *ceilings, const struct deed *deed, struct deed_answer *answer,
                    struct fault *fault)
{
    answer->owner = ceilings_look(ceilings, &deed->object, &answer->arena, &answer->owned, fault);
    return answer->owner != OWNER_FAILED;
}

static bool do_list(struct ceilings *ceilings, const struct deed *deed, struct deed_answer *answer,
                    struct fault *fault)
{
    return ceilings_list(ceilings, &deed->query, &answer->arena, &answer->page, fault);
}

static void do_one(struct ceilings *ceilings, struct order *order)
{
    static bool (*const deeds[])(struct ceilings *, const struct deed *, struct deed_answer *,
                                 struct fault *) = {
        [DEED_CLAIM] = do_claim, [DEED_NOTE] = do_note, [DEED_FORGET] = do_forget,
        [DEED_LOOK] = do_look,   [DEED_LIST] = do_list,
    };
    struct fault fault;
    const struct deed *deed = &order->deed;
    order->answer = memory_new(sizeof(*order->answer));
    order->answer->kind = deed->kind;
    order->answer->failed = !deeds[deed->kind](ceilings, deed, order->answer, &fault);
    if (order->answer->failed)
        log_error("%.*s: %s", TEXT_ARG(deed->object.id), fault.message);
}

/* ---- answers ---- */

static void answer_free(void *body)
{
    struct deed_answer *answer = body;
    arena_close(&answer->arena);
    free(answer);
}

static void answer_one(struct order *order, bool committed)
{
    const struct deed *deed = &order->deed;
    bool changes = deed->kind <= DEED_FORGET;
    order->answer->failed = order->answer->failed || (changes && !committed);
    if (deed->mailbox == NULL) {
        answer_free(order->answer);
    } else {
        struct letter *letter = letter_new(deed->to, REGISTRAR_LETTER_ANSWER);
        letter->body = order->answer;
        letter->body_free = answer_free;
        mailbox_post(deed->mailbox, letter);
    }
    arena_close(&order->arena);
    free(order);
}

static bool only_questions(const struct order *order)
{
    while (order != NULL && order->deed.kind > DEED_FORGET)
        order = order->next;
    return order == NULL;
}

static void carry_out(struct ceilings *ceilings, struct order *all)
{
    struct fault fault;
    bool alone = only_questions(all);
    bool committed = alone || ceilings_begin(ceilings, &fault);
    bool begun = committed && !alone;
    for (struct order *order = all; order != NULL; order = order->next)
        do_one(ceilings, order);
    if (begun)
        committed = ceilings_commit(ceilings, &fault);
    if (!committed)
        log_error("what was to be noted is lost: %s", fault.message);
    while (all != NULL) {
        struct order *next = all->next;
        answer_one(all, committed);
        all = next;
    }
}

static void *registrar_run(void *context)
{
    struct registrar *registrar = context;
    struct order *all;
    while ((all = take_all(registrar)) != NULL)
        carry_out(registrar->ceilings, all);
    return NULL;
}

/* ---- opening and closing ---- */

struct registrar *registrar_open(struct ceilings *ceilings)
{
    struct registrar *registrar = memory_new(sizeof(*registrar));
    registrar->ceilings = ceilings;
    registrar->last = &registrar->first;
    pthread_mutex_init(&registrar->lock, NULL);
    pthread_cond_init(&registrar->wake, NULL);
    int result = pthread_create(&registrar->thread, NULL, registrar_run, registrar);
    ASSERT(result == 0);
    return registrar;
}

void registrar_close(struct registrar *registrar)
{
    if (registrar == NULL)
        return;
    pthread_mutex_lock(&registrar->lock);
    registrar->stopping = true;
    pthread_cond_signal(&registrar->wake);
    pthread_mutex_unlock(&registrar->lock);
    pthread_join(registrar->thread, NULL);
    pthread_cond_destroy(&registrar->wake);
    pthread_mutex_destroy(&registrar->lock);
    free(registrar);
}
