/* The bell. */
#include "gear/bell.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct ringer {
    struct ringer *next;
    struct mailbox *mailbox;
    uint64_t to;
    struct petition petition; /* its texts are in the arena */
    struct arena arena;
};

struct bell {
    int fd;
    pthread_mutex_t lock; /* guards what follows */
    struct ringer *ringers;
    bool silent;
};

struct bell *bell_open(void)
{
    struct bell *bell = memory_new(sizeof *bell);
    bell->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ASSERT(bell->fd >= 0);
    pthread_mutex_init(&bell->lock, NULL);
    return bell;
}

void bell_close(struct bell *bell)
{
    if (bell == NULL)
        return;
    ASSERT(bell->ringers == NULL);
    close(bell->fd);
    pthread_mutex_destroy(&bell->lock);
    free(bell);
}

static void free_ringer(struct ringer *ringer)
{
    arena_close(&ringer->arena);
    free(ringer);
}

bool bell_ring(struct bell *bell, struct mailbox *mailbox, uint64_t to,
               const struct petition *petition)
{
    struct ringer *ringer = memory_new(sizeof *ringer);
    *ringer = (struct ringer){.mailbox = mailbox, .to = to, .petition.kind = petition->kind};
    ringer->petition.name = arena_copy(&ringer->arena, petition->name);
    ringer->petition.body = arena_copy(&ringer->arena, petition->body);
    ringer->petition.id = arena_copy(&ringer->arena, petition->id);
    pthread_mutex_lock(&bell->lock);
    bool heard = !bell->silent;
    if (heard) {
        ringer->next = bell->ringers;
        bell->ringers = ringer;
    }
    pthread_mutex_unlock(&bell->lock);
    if (!heard) {
        free_ringer(ringer);
        return false;
    }
    ssize_t put = write(bell->fd, &(uint64_t){1}, sizeof(uint64_t));
    ASSERT(put == (ssize_t)sizeof(uint64_t) || errno == EAGAIN);
    return true;
}

int bell_fd(const struct bell *bell)
{
    return bell->fd;
}

/* Quiet first: who rings after that makes it readable again. */
static struct ringer *take_ringers(struct bell *bell, bool silent)
{
    uint64_t rung;
    ssize_t got = read(bell->fd, &rung, sizeof rung);
    ASSERT(got == (ssize_t)sizeof rung || errno == EAGAIN);
    pthread_mutex_lock(&bell->lock);
    struct ringer *ringers = bell->ringers;
    bell->ringers = NULL;
    bell->silent = bell->silent || silent;
    pthread_mutex_unlock(&bell->lock);
    return ringers;
}

struct ringer *bell_hear(struct bell *bell)
{
    return take_ringers(bell, false);
}

/* Who rang last stands first. */
struct ringer *bell_pick(struct ringer **ringers)
{
    struct ringer **first = NULL;
    for (struct ringer **at = ringers; *at != NULL; at = &(*at)->next)
        first = (*at)->petition.kind == PETITION_RELOAD ? first : at;
    if (first == NULL)
        return NULL;
    struct ringer *picked = *first;
    *first = picked->next;
    picked->next = NULL;
    return picked;
}

const struct petition *bell_petition(const struct ringer *ringer)
{
    return &ringer->petition;
}

void bell_silence(struct bell *bell)
{
    bell_answer(take_ringers(bell, true), BELL_STOPPING, TEXT_NONE);
}

static void free_text(void *body)
{
    buffer_close(body);
    free(body);
}

void bell_answer(struct ringer *ringers, enum bell_result result, struct text text)
{
    while (ringers != NULL) {
        struct ringer *next = ringers->next;
        struct letter *letter = letter_new(ringers->to, BELL_LETTER_ANSWER);
        struct buffer *copy = memory_new(sizeof *copy);
        buffer_put(copy, text);
        letter->value = result;
        letter->body = copy;
        letter->body_free = free_text;
        mailbox_post(ringers->mailbox, letter);
        free_ringer(ringers);
        ringers = next;
    }
}
