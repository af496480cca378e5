/* The bell: workers ring, the main thread hears and answers. Run it under TSan too. */
#include <poll.h>
#include <pthread.h>

#include "../unit.h"
#include "gear/bell.h"

enum { RINGERS = 4, RINGS_OF_EACH = 2000 };

static const struct petition reload = {.kind = PETITION_RELOAD};
static size_t delivered[3]; /* by result */

static void deliver(void *context, struct letter *letter)
{
    const struct buffer *text = letter->body;
    (void)context;
    ck_assert_int_eq(letter->kind, BELL_LETTER_ANSWER);
    ck_assert_uint_eq(text->size, letter->value == BELL_STOPPING ? 0 : 4);
    delivered[letter->value]++;
    letter_free(letter);
}

static bool is_heard(const struct bell *bell, int wait_ms)
{
    struct pollfd ear = {.fd = bell_fd(bell), .events = POLLIN};
    return poll(&ear, 1, wait_ms) == 1;
}

START_TEST(is_readable_from_the_first_ring_until_it_is_heard)
{
    struct clock_fake fake = clock_fake_at(0);
    struct loop *loop = loop_open(&fake.clock);
    struct mailbox *mailbox = mailbox_open(loop, deliver, NULL);
    struct bell *bell = bell_open();
    ck_assert(!is_heard(bell, 0));
    ck_assert_ptr_null(bell_hear(bell));
    ck_assert(bell_ring(bell, mailbox, 1, &reload));
    ck_assert(bell_ring(bell, mailbox, 2, &reload));
    ck_assert(is_heard(bell, 0));
    struct ringer *ringers = bell_hear(bell);
    ck_assert(!is_heard(bell, 0));
    ck_assert(bell_ring(bell, mailbox, 3, &reload)); /* too late for these */
    bell_answer(ringers, BELL_REFUSED, TEXT("text"));
    loop_turn(loop, 0);
    ck_assert_uint_eq(delivered[BELL_REFUSED], 2);
    bell_silence(bell);
    ck_assert(!bell_ring(bell, mailbox, 4, &reload));
    loop_turn(loop, 0);
    ck_assert_uint_eq(delivered[BELL_STOPPING], 1);
    mailbox_close(mailbox);
    bell_close(bell);
    loop_close(loop);
}
END_TEST

START_TEST(petitions_are_picked_in_the_order_of_ringing_and_reloads_stay)
{
    struct clock_fake fake = clock_fake_at(0);
    struct loop *loop = loop_open(&fake.clock);
    struct mailbox *mailbox = mailbox_open(loop, deliver, NULL);
    struct bell *bell = bell_open();
    char name[] = "first";
    const struct petition first = {PETITION_DELETE_KEY, text_of(name), TEXT(""), TEXT("")};
    const struct petition second = {PETITION_MAKE_KEY, TEXT(""), TEXT("{\"id\":1}"), TEXT("")};
    ck_assert(bell_ring(bell, mailbox, 1, &first));
    ck_assert(bell_ring(bell, mailbox, 2, &reload));
    ck_assert(bell_ring(bell, mailbox, 3, &second));
    name[0] = '?'; /* it was copied */
    struct ringer *ringers = bell_hear(bell);
    struct ringer *one = bell_pick(&ringers), *two = bell_pick(&ringers);
    ck_assert(text_equal(bell_petition(one)->name, TEXT("first")));
    ck_assert(text_equal(bell_petition(two)->body, TEXT("{\"id\":1}")));
    ck_assert_ptr_null(bell_pick(&ringers));
    ck_assert_int_eq(bell_petition(ringers)->kind, PETITION_RELOAD);
    size_t before = delivered[BELL_DONE];
    bell_answer(one, BELL_DONE, TEXT("text"));
    bell_answer(two, BELL_DONE, TEXT("text"));
    bell_answer(ringers, BELL_DONE, TEXT("text"));
    loop_turn(loop, 0);
    ck_assert_uint_eq(delivered[BELL_DONE] - before, 3);
    mailbox_close(mailbox);
    bell_silence(bell);
    bell_close(bell);
    loop_close(loop);
}
END_TEST

struct tower {
    struct bell *bell;
    struct mailbox *mailbox;
    size_t refused; /* rings that nobody would hear */
};

static void *ring(void *context)
{
    struct tower *tower = context;
    for (int i = 0; i < RINGS_OF_EACH; i++)
        tower->refused += bell_ring(tower->bell, tower->mailbox, 7, &reload) ? 0 : 1;
    return NULL;
}

START_TEST(every_ring_of_every_thread_is_answered_once)
{
    struct clock_fake fake = clock_fake_at(0);
    struct loop *loop = loop_open(&fake.clock);
    struct mailbox *mailbox = mailbox_open(loop, deliver, NULL);
    struct bell *bell = bell_open();
    struct tower towers[RINGERS];
    pthread_t threads[RINGERS];
    for (int i = 0; i < RINGERS; i++) {
        towers[i] = (struct tower){.bell = bell, .mailbox = mailbox};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ring, &towers[i]), 0);
    }
    for (int i = 0; i < 100 && is_heard(bell, 1000); i++)
        bell_answer(bell_hear(bell), BELL_DONE, TEXT("text"));
    bell_silence(bell);
    size_t answered = RINGERS * RINGS_OF_EACH;
    for (int i = 0; i < RINGERS; i++) {
        pthread_join(threads[i], NULL);
        answered -= towers[i].refused;
    }
    loop_turn(loop, 0);
    ck_assert_uint_eq(delivered[BELL_DONE] + delivered[BELL_STOPPING], answered);
    mailbox_close(mailbox);
    bell_close(bell);
    loop_close(loop);
}
END_TEST

UNIT_MAIN(petitions_are_picked_in_the_order_of_ringing_and_reloads_stay,
          is_readable_from_the_first_ring_until_it_is_heard,
          every_ring_of_every_thread_is_answered_once)
