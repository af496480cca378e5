/*
 * The event loop, with a fake clock and pipes.
 */
#include "../unit.h"
#include "base/loop.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <unistd.h>

static struct clock_fake fake;
static struct loop *loop;

static void set_up(void)
{
    fake = clock_fake_at(INT64_C(1795292100000000));
    loop = loop_open(&fake.clock);
}

static void tear_down(void)
{
    loop_close(loop);
}

static void turn_after(int64_t us)
{
    clock_fake_advance(&fake, us);
    loop_turn(loop, 0);
}

/* ---- descriptors ---- */

/* One end of a pipe that counts its events, and on an event takes out watches or stops the loop. */
struct reader {
    int ends[2];
    struct loop_watch *watch;
    struct reader *victim; /* whose watch to take out, may be itself */
    int calls;
    uint32_t events;
};

static void reader_ready(void *context, uint32_t events)
{
    struct reader *reader = context;
    reader->calls++;
    reader->events = events;
    if (reader->victim != NULL) {
        loop_unwatch(loop, reader->victim->watch);
        reader->victim->watch = NULL;
    }
}

static void reader_open(struct reader *reader)
{
    *reader = (struct reader){0};
    ck_assert_int_eq(pipe(reader->ends), 0);
    reader->watch = loop_watch(loop, reader->ends[0], EPOLLIN, reader_ready, reader);
}

static void reader_write(struct reader *reader)
{
    ck_assert_int_eq(write(reader->ends[1], "x", 1), 1);
}

static void reader_close(struct reader *reader)
{
    loop_unwatch(loop, reader->watch);
    close(reader->ends[0]);
    close(reader->ends[1]);
}

START_TEST(says_when_a_descriptor_can_be_read)
{
    set_up();
    struct reader reader;
    reader_open(&reader);
    loop_turn(loop, 0);
    ck_assert_int_eq(reader.calls, 0);
    reader_write(&reader);
    loop_turn(loop, -1);
    ck_assert_int_eq(reader.calls, 1);
    ck_assert_uint_eq(reader.events, EPOLLIN);
    reader_close(&reader);
    tear_down();
}
END_TEST

START_TEST(a_watch_may_change_what_it_waits_for)
{
    set_up();
    struct reader reader;
    reader_open(&reader);
    reader_write(&reader);
    loop_rewatch(loop, reader.watch, 0);
    loop_turn(loop, 0);
    ck_assert_int_eq(reader.calls, 0);
    loop_rewatch(loop, reader.watch, EPOLLIN);
    loop_turn(loop, -1);
    ck_assert_int_eq(reader.calls, 1);
    reader_close(&reader);
    tear_down();
}
END_TEST

START_TEST(a_watch_taken_out_is_not_called_for_events_already_fetched)
{
    set_up();
    struct reader first;
    struct reader second;
    reader_open(&first);
    reader_open(&second);
    first.victim = &second;
    second.victim = &first;
    reader_write(&first);
    reader_write(&second);
    loop_turn(loop, -1);
    ck_assert_int_eq(first.calls + second.calls, 1);
    reader_close(&first);
    reader_close(&second);
    tear_down();
}
END_TEST

START_TEST(a_watch_may_take_itself_out)
{
    set_up();
    struct reader reader;
    reader_open(&reader);
    reader.victim = &reader;
    reader_write(&reader);
    loop_turn(loop, -1);
    loop_turn(loop, 0);
    ck_assert_int_eq(reader.calls, 1);
    reader_close(&reader);
    tear_down();
}
END_TEST

START_TEST(serves_more_descriptors_than_one_wait_fetches)
{
    set_up();
    enum { MANY = 300 };
    static struct reader readers[MANY];
    for (int i = 0; i < MANY; i++) {
        reader_open(&readers[i]);
        readers[i].victim = &readers[i];
        reader_write(&readers[i]);
    }
    loop_turn(loop, 0);
    loop_turn(loop, 0);
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(readers[i].calls, 1);
        reader_close(&readers[i]);
    }
    tear_down();
}
END_TEST

/* ---- timers ---- */

struct alarm {
    struct loop_timer timer;
    int calls;
    int64_t again_us; /* sets itself again, -1: not */
    int64_t want_us;  /* for the model: when it is to be called, 0: not */
};

static void alarm_due(void *context)
{
    struct alarm *alarm = context;
    alarm->calls++;
    ck_assert_int_eq(alarm->timer.at_us, 0);
    if (alarm->again_us >= 0)
        loop_timer_set(loop, &alarm->timer, alarm->again_us);
}

static struct alarm alarm_make(void)
{
    return (struct alarm){.timer = {.due = alarm_due}, .again_us = -1};
}

START_TEST(a_timer_is_due_once_and_not_too_early)
{
    set_up();
    struct alarm alarm = alarm_make();
    alarm.timer.context = &alarm;
    loop_timer_set(loop, &alarm.timer, 1000);
    turn_after(999);
    ck_assert_int_eq(alarm.calls, 0);
    turn_after(1);
    ck_assert_int_eq(alarm.calls, 1);
    turn_after(5000);
    ck_assert_int_eq(alarm.calls, 1);
    tear_down();
}
END_TEST

START_TEST(a_timer_set_later_is_due_at_the_later_time_alone)
{
    set_up();
    struct alarm alarm = alarm_make();
    alarm.timer.context = &alarm;
    loop_timer_set(loop, &alarm.timer, 1000);
    turn_after(500);
    loop_timer_set(loop, &alarm.timer, 1000);
    turn_after(999);
    ck_assert_int_eq(alarm.calls, 0);
    turn_after(1);
    ck_assert_int_eq(alarm.calls, 1);
    tear_down();
}
END_TEST

START_TEST(a_timer_set_earlier_is_due_at_the_earlier_time)
{
    set_up();
    struct alarm alarm = alarm_make();
    alarm.timer.context = &alarm;
    loop_timer_set(loop, &alarm.timer, 1000000);
    loop_timer_set(loop, &alarm.timer, 10);
    turn_after(10);
    ck_assert_int_eq(alarm.calls, 1);
    turn_after(1000000);
    ck_assert_int_eq(alarm.calls, 1);
    tear_down();
}
END_TEST

START_TEST(a_cancelled_timer_is_never_due)
{
    set_up();
    struct alarm alarm = alarm_make();
    alarm.timer.context = &alarm;
    loop_timer_cancel(loop, &alarm.timer);
    loop_timer_set(loop, &alarm.timer, 10);
    loop_timer_cancel(loop, &alarm.timer);
    ck_assert_int_eq(alarm.timer.at_us, 0);
    turn_after(1000);
    ck_assert_int_eq(alarm.calls, 0);
    tear_down();
}
END_TEST

START_TEST(a_timer_that_sets_itself_again_is_due_once_a_turn)
{
    set_up();
    struct alarm alarm = alarm_make();
    alarm.timer.context = &alarm;
    alarm.again_us = 0;
    loop_timer_set(loop, &alarm.timer, -5);
    turn_after(1);
    ck_assert_int_eq(alarm.calls, 1);
    turn_after(1);
    ck_assert_int_eq(alarm.calls, 2);
    loop_timer_cancel(loop, &alarm.timer);
    tear_down();
}
END_TEST

START_TEST(a_timer_for_the_end_of_time_is_allowed)
{
    set_up();
    struct alarm alarm = alarm_make();
    alarm.timer.context = &alarm;
    loop_timer_set(loop, &alarm.timer, INT64_MAX);
    turn_after(INT64_C(1) << 60);
    ck_assert_int_eq(alarm.calls, 0);
    loop_timer_cancel(loop, &alarm.timer);
    tear_down();
}
END_TEST

START_TEST(a_wait_ends_when_a_timer_is_due)
{
    set_up();
    struct alarm alarm = alarm_make();
    alarm.timer.context = &alarm;
    loop_timer_set(loop, &alarm.timer, 1);
    clock_fake_advance(&fake, 1);
    loop_turn(loop, -1);
    ck_assert_int_eq(alarm.calls, 1);
    tear_down();
}
END_TEST

/* Sets, moves and cancels one of many timers, and notes in `want_us` what must come of it. */
static void disturb(struct alarm *alarm)
{
    if (rand() % 4 == 0) {
        loop_timer_cancel(loop, &alarm->timer);
        alarm->want_us = 0;
    } else {
        int64_t delay_us = 1 + rand() % 1000;
        loop_timer_set(loop, &alarm->timer, delay_us);
        alarm->want_us = loop_steady_us(loop) + delay_us;
    }
}

START_TEST(a_thousand_timers_set_moved_and_cancelled_are_each_due_in_time)
{
    set_up();
    enum { MANY = 1000, TURNS = 3000 };
    static struct alarm alarms[MANY];
    srand(1);
    for (int i = 0; i < MANY; i++) {
        alarms[i] = alarm_make();
        alarms[i].timer.context = &alarms[i];
    }
    for (int turn = 0; turn < TURNS; turn++) {
        for (int i = 0; i < 20; i++)
            disturb(&alarms[rand() % MANY]);
        turn_after(rand() % 20);
        for (int i = 0; i < MANY; i++) {
            bool due = alarms[i].want_us != 0 && alarms[i].want_us <= loop_steady_us(loop);
            if (alarms[i].calls != due)
                ck_abort_msg("turn %d: called %d times, not %d", turn, alarms[i].calls, due);
            alarms[i].calls = 0;
            alarms[i].want_us = due ? 0 : alarms[i].want_us;
        }
    }
    for (int i = 0; i < MANY; i++)
        loop_timer_cancel(loop, &alarms[i].timer);
    tear_down();
}
END_TEST

/* ---- the end of a turn ---- */

static char order[32];
static size_t order_size;

static void note(char what)
{
    ck_assert_uint_lt(order_size + 1, sizeof(order));
    order[order_size++] = what;
    order[order_size] = '\0';
}

static void order_clear(void)
{
    order_size = 0;
    order[0] = '\0';
}

static void release_late(void *thing)
{
    note(*(const char *)thing);
}

static void release(void *thing)
{
    note(*(const char *)thing);
    loop_defer(loop, release_late, "z");
}

static void timer_due(void *context)
{
    (void)context;
    note('t');
    loop_defer(loop, release, "x");
}

static bool first_hook(void *context)
{
    (void)context;
    note('1');
    loop_defer(loop, release_late, "y");
    return false;
}

static int busy_turns;

static bool second_hook(void *context)
{
    (void)context;
    note('2');
    return busy_turns-- > 0;
}

START_TEST(a_turn_runs_events_then_timers_then_hooks_then_releases)
{
    set_up();
    struct loop_timer timer = {.due = timer_due};
    order_clear();
    loop_at_turn_end(loop, first_hook, NULL);
    loop_at_turn_end(loop, second_hook, NULL);
    loop_timer_set(loop, &timer, 1);
    turn_after(1);
    ck_assert_str_eq(order, "t12xyz");
    tear_down();
}
END_TEST

START_TEST(after_a_hook_that_made_work_the_next_turn_does_not_sleep)
{
    set_up();
    order_clear();
    busy_turns = 2;
    loop_at_turn_end(loop, second_hook, NULL);
    loop_turn(loop, 0);
    loop_turn(loop, -1);
    loop_turn(loop, -1);
    ck_assert_str_eq(order, "222");
    tear_down();
}
END_TEST

START_TEST(the_smallest_cap_ends_the_next_wait)
{
    set_up();
    loop_cap_wait(loop, 1);
    loop_cap_wait(loop, INT64_C(3600000000));
    loop_cap_wait(loop, -1);
    loop_turn(loop, -1);
    tear_down();
}
END_TEST

START_TEST(what_is_deferred_outside_a_turn_is_released_when_the_loop_closes)
{
    set_up();
    order_clear();
    struct loop *other = loop_open(&fake.clock);
    loop_defer(other, release_late, "a");
    loop_close(other);
    ck_assert_str_eq(order, "a");
    tear_down();
}
END_TEST

/* ---- running ---- */

START_TEST(time_stands_still_within_a_turn)
{
    set_up();
    int64_t steady_us = loop_steady_us(loop);
    int64_t wall_us = loop_wall_us(loop);
    clock_fake_advance(&fake, 5);
    ck_assert_int_eq(loop_steady_us(loop), steady_us);
    loop_turn(loop, 0);
    ck_assert_int_eq(loop_steady_us(loop), steady_us + 5);
    ck_assert_int_eq(loop_wall_us(loop), wall_us + 5);
    tear_down();
}
END_TEST

static void stop_when_due(void *context)
{
    note('s');
    loop_stop(context);
}

START_TEST(stops_from_within_a_turn_and_can_run_again)
{
    set_up();
    order_clear();
    for (int i = 0; i < 2; i++) {
        struct loop_timer timer = {.due = stop_when_due, .context = loop};
        loop_timer_set(loop, &timer, 1);
        clock_fake_advance(&fake, 1);
        loop_run(loop);
    }
    ck_assert_str_eq(order, "ss");
    tear_down();
}
END_TEST

static void *stop_from_outside(void *context)
{
    loop_stop(context);
    return NULL;
}

START_TEST(stops_from_another_thread_while_it_sleeps)
{
    set_up();
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, stop_from_outside, loop), 0);
    loop_run(loop);
    pthread_join(thread, NULL);
    tear_down();
}
END_TEST

START_TEST(closing_no_loop_is_fine)
{
    set_up();
    loop_close(NULL);
    loop_unwatch(loop, NULL);
    tear_down();
}
END_TEST

UNIT_MAIN(says_when_a_descriptor_can_be_read, a_watch_may_change_what_it_waits_for,
          a_watch_taken_out_is_not_called_for_events_already_fetched, a_watch_may_take_itself_out,
          serves_more_descriptors_than_one_wait_fetches, a_timer_is_due_once_and_not_too_early,
          a_timer_set_later_is_due_at_the_later_time_alone,
          a_timer_set_earlier_is_due_at_the_earlier_time, a_cancelled_timer_is_never_due,
          a_timer_that_sets_itself_again_is_due_once_a_turn, a_timer_for_the_end_of_time_is_allowed,
          a_wait_ends_when_a_timer_is_due,
          a_thousand_timers_set_moved_and_cancelled_are_each_due_in_time,
          a_turn_runs_events_then_timers_then_hooks_then_releases,
          after_a_hook_that_made_work_the_next_turn_does_not_sleep,
          the_smallest_cap_ends_the_next_wait,
          what_is_deferred_outside_a_turn_is_released_when_the_loop_closes,
          time_stands_still_within_a_turn, stops_from_within_a_turn_and_can_run_again,
          stops_from_another_thread_while_it_sleeps, closing_no_loop_is_fine)
