/*
 * Mailboxes, within one thread and between threads. Run it under TSan too.
 */
#include "../unit.h"
#include "base/mailbox.h"

#include <pthread.h>

enum { SENDERS = 2, LETTERS_PER_SENDER = 20000 };

static struct clock_fake fake;
static struct loop *loop;
static struct mailbox *mailbox;

/* What the owner saw. */
static int64_t values[8];
static size_t value_count;
static int bodies_freed;
static bool post_again;
static bool close_at_first;

static void body_freed(void *body)
{
    bodies_freed++;
    free(body);
}

static void deliver(void *context, struct letter *letter)
{
    ck_assert_ptr_eq(context, &values);
    ck_assert_uint_lt(value_count, 8);
    values[value_count++] = letter->value;
    if (post_again) {
        post_again = false;
        mailbox_post(mailbox, letter);
        return;
    }
    letter_free(letter);
    if (close_at_first) {
        mailbox_close(mailbox);
        mailbox = NULL;
    }
}

static void set_up(void)
{
    fake = clock_fake_at(INT64_C(1795292100000000));
    loop = loop_open(&fake.clock);
    mailbox = mailbox_open(loop, deliver, &values);
    value_count = 0;
    bodies_freed = 0;
    post_again = false;
    close_at_first = false;
}

static void tear_down(void)
{
    mailbox_close(mailbox);
    loop_close(loop);
}

static void post_value(int64_t value)
{
    struct letter *letter = letter_new(7, 3);
    letter->value = value;
    letter->body = malloc(1);
    letter->body_free = body_freed;
    mailbox_post(mailbox, letter);
}

START_TEST(a_letter_carries_what_it_was_given)
{
    set_up();
    struct letter *letter = letter_new(7, 3);
    ck_assert_uint_eq(letter->to, 7);
    ck_assert_int_eq(letter->kind, 3);
    ck_assert_ptr_null(letter->body);
    letter_free(letter);
    letter_free(NULL);
    tear_down();
}
END_TEST

START_TEST(delivers_a_burst_in_one_turn_and_in_order)
{
    set_up();
    for (int64_t i = 0; i < 5; i++)
        post_value(i);
    ck_assert_uint_eq(value_count, 0);
    loop_turn(loop, -1);
    ck_assert_uint_eq(value_count, 5);
    for (int64_t i = 0; i < 5; i++)
        ck_assert_int_eq(values[i], i);
    ck_assert_int_eq(bodies_freed, 5);
    loop_turn(loop, 0);
    ck_assert_uint_eq(value_count, 5);
    tear_down();
}
END_TEST

START_TEST(each_burst_wakes_the_loop)
{
    set_up();
    for (size_t i = 1; i <= 3; i++) {
        post_value(1);
        loop_turn(loop, -1);
        ck_assert_uint_eq(value_count, i);
    }
    tear_down();
}
END_TEST

START_TEST(a_letter_posted_on_while_delivering_comes_in_the_next_turn)
{
    set_up();
    post_again = true;
    post_value(1);
    post_value(2);
    loop_turn(loop, -1);
    ck_assert_uint_eq(value_count, 2);
    loop_turn(loop, -1);
    ck_assert_uint_eq(value_count, 3);
    ck_assert_int_eq(values[2], 1);
    ck_assert_int_eq(bodies_freed, 2);
    tear_down();
}
END_TEST

START_TEST(closing_frees_letters_nobody_took)
{
    set_up();
    post_value(1);
    post_value(2);
    mailbox_close(mailbox);
    mailbox = NULL;
    ck_assert_int_eq(bodies_freed, 2);
    ck_assert_uint_eq(value_count, 0);
    tear_down();
}
END_TEST

START_TEST(the_owner_may_close_it_while_letters_are_delivered)
{
    set_up();
    close_at_first = true;
    post_value(1);
    post_value(2);
    post_value(3);
    loop_turn(loop, -1);
    ck_assert_uint_eq(value_count, 1);
    ck_assert_int_eq(bodies_freed, 3);
    loop_turn(loop, 0);
    tear_down();
}
END_TEST

/* ---- threads ---- */

struct counts {
    struct loop *loop;
    int64_t next[SENDERS]; /* the value each sender's next letter must have */
    int total;
};

struct sender {
    struct mailbox *to;
    uint64_t number;
};

static void *send_all(void *context)
{
    const struct sender *sender = context;
    for (int64_t i = 0; i < LETTERS_PER_SENDER; i++) {
        struct letter *letter = letter_new(sender->number, 0);
        letter->value = i;
        letter->body = malloc(16);
        letter->body_free = free;
        mailbox_post(sender->to, letter);
    }
    return NULL;
}

static void count(void *context, struct letter *letter)
{
    struct counts *counts = context;
    if (letter->value != counts->next[letter->to]++)
        ck_abort_msg("a letter was lost or overtaken");
    letter_free(letter);
    if (++counts->total == SENDERS * LETTERS_PER_SENDER)
        loop_stop(counts->loop);
}

START_TEST(two_threads_post_and_no_letter_is_lost_or_overtaken)
{
    set_up();
    struct counts counts = {.loop = loop};
    struct mailbox *shared = mailbox_open(loop, count, &counts);
    struct sender senders[SENDERS];
    pthread_t threads[SENDERS];
    for (uint64_t i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.to = shared, .number = i};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, send_all, &senders[i]), 0);
    }
    loop_run(loop);
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_int_eq(counts.next[i], LETTERS_PER_SENDER);
    }
    mailbox_close(shared);
    tear_down();
}
END_TEST

enum { CLOSINGS = 300 };

static void note_last(void *context, struct letter *letter)
{
    bool *got = context;
    *got = true;
    letter_free(letter);
}

static void *post_one(void *context)
{
    mailbox_post(context, letter_new(0, 0));
    return NULL;
}

/* The poster may still be in mailbox_post. (It is TSan that sees whether it touches the mailbox
 * then; the letter is found without waiting for the loop to be woken.) */
START_TEST(who_has_got_the_last_letter_may_close_at_once)
{
    set_up();
    for (int i = 0; i < CLOSINGS; i++) {
        bool got = false;
        struct mailbox *brief = mailbox_open(loop, note_last, &got);
        pthread_t thread;
        ck_assert_int_eq(pthread_create(&thread, NULL, post_one, brief), 0);
        while (!got)
            loop_turn(loop, 1000);
        mailbox_close(brief);
        loop_turn(loop, 0);
        pthread_join(thread, NULL);
    }
    tear_down();
}
END_TEST

/* Each side sends what it got back, one less, until nothing is left. */
struct side {
    struct loop *loop;
    struct mailbox *mine;
    struct mailbox *others;
};

static void return_one_less(void *context, struct letter *letter)
{
    struct side *side = context;
    bool last = letter->value <= 1;
    letter->value--;
    mailbox_post(side->others, letter);
    if (last)
        loop_stop(side->loop);
}

static void *run_loop(void *context)
{
    loop_run(context);
    return NULL;
}

START_TEST(two_loops_play_a_letter_back_and_forth)
{
    set_up();
    struct loop *other = loop_open(clock_real());
    struct side here = {.loop = loop};
    struct side there = {.loop = other};
    here.mine = there.others = mailbox_open(loop, return_one_less, &here);
    there.mine = here.others = mailbox_open(other, return_one_less, &there);
    struct letter *ball = letter_new(0, 0);
    ball->value = 2001;
    mailbox_post(there.mine, ball);

    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, run_loop, other), 0);
    loop_run(loop);
    pthread_join(thread, NULL);
    mailbox_close(here.mine);
    mailbox_close(there.mine);
    loop_close(other);
    tear_down();
}
END_TEST

UNIT_MAIN(a_letter_carries_what_it_was_given, delivers_a_burst_in_one_turn_and_in_order,
          each_burst_wakes_the_loop, a_letter_posted_on_while_delivering_comes_in_the_next_turn,
          closing_frees_letters_nobody_took, the_owner_may_close_it_while_letters_are_delivered,
          two_threads_post_and_no_letter_is_lost_or_overtaken,
          two_loops_play_a_letter_back_and_forth, who_has_got_the_last_letter_may_close_at_once)
