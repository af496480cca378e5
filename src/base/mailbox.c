/*
 * Mailboxes: a list under a lock, and an eventfd that is written when the list stops being empty.
 *
 * The eventfd is watched edge-triggered, where each write makes an event, so that it need never be
 * read: one system call less per burst. The owner takes the whole list at once; letters that
 * arrive meanwhile find an empty list and wake the loop again.
 */
#include "base/mailbox.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct mailbox {
    struct loop *loop;
    void (*deliver)(void *context, struct letter *letter);
    void *context;
    int fd;
    struct loop_watch *watch;
    struct letter *taken; /* of the owner's thread alone: being delivered */

    pthread_mutex_t lock; /* guards what follows */
    struct letter *first;
    struct letter *last;
};

static struct letter *take_all(struct mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    struct letter *first = mailbox->first;
    mailbox->first = NULL;
    mailbox->last = NULL;
    pthread_mutex_unlock(&mailbox->lock);
    return first;
}

static struct letter *unlink_first(struct letter **list)
{
    struct letter *letter = *list;
    if (letter != NULL) {
        *list = letter->next;
        letter->next = NULL;
    }
    return letter;
}

/* The list stands in the mailbox while it is worked on, because a delivery may close the mailbox:
 * that empties the list and so ends this. */
static void deliver_taken(void *context, uint32_t events)
{
    struct mailbox *mailbox = context;
    struct letter *letter = NULL;
    (void)events;
    mailbox->taken = take_all(mailbox);
    while ((letter = unlink_first(&mailbox->taken)) != NULL)
        mailbox->deliver(mailbox->context, letter);
}

struct mailbox *mailbox_open(struct loop *loop,
                             void (*deliver)(void *context, struct letter *letter), void *context)
{
    ASSERT(deliver != NULL);
    struct mailbox *mailbox = memory_new(sizeof(*mailbox));
    mailbox->loop = loop;
    mailbox->deliver = deliver;
    mailbox->context = context;
    pthread_mutex_init(&mailbox->lock, NULL);
    mailbox->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ASSERT(mailbox->fd >= 0);
    mailbox->watch = loop_watch(loop, mailbox->fd, EPOLLIN | EPOLLET, deliver_taken, mailbox);
    return mailbox;
}

static void free_all(struct letter **list)
{
    struct letter *letter = NULL;
    while ((letter = unlink_first(list)) != NULL)
        letter_free(letter);
}

void mailbox_close(struct mailbox *mailbox)
{
    if (mailbox == NULL)
        return;
    loop_unwatch(mailbox->loop, mailbox->watch);
    close(mailbox->fd);
    free_all(&mailbox->taken);
    struct letter *posted = take_all(mailbox);
    free_all(&posted);
    pthread_mutex_destroy(&mailbox->lock);
    loop_defer(mailbox->loop, free, mailbox);
}

struct letter *letter_new(uint64_t to, int kind)
{
    struct letter *letter = memory_new(sizeof(*letter));
    letter->to = to;
    letter->kind = kind;
    return letter;
}

void letter_free(struct letter *letter)
{
    if (letter == NULL)
        return;
    if (letter->body != NULL && letter->body_free != NULL)
        letter->body_free(letter->body);
    free(letter);
}

void mailbox_post(struct mailbox *mailbox, struct letter *letter)
{
    letter->next = NULL;
    pthread_mutex_lock(&mailbox->lock);
    bool was_empty = mailbox->first == NULL;
    if (was_empty)
        mailbox->first = letter;
    else
        mailbox->last->next = letter;
    mailbox->last = letter;
    /* Before the letter can be taken: who has got his last one may close the mailbox at once. */
    int result = was_empty ? eventfd_write(mailbox->fd, 1) : 0;
    ASSERT(result == 0);
    pthread_mutex_unlock(&mailbox->lock);
}
