/* The reader of uploaded files: asked from a loop, answered by letters. Run it under TSan too. */
#include "../unit.h"
#include "gear/reader.h"

enum { FILES = 20, LINES = 500 };

#define LINE                                                                                       \
    "{\"custom_id\":\"a\",\"method\":\"POST\",\"url\":\"/v1/chat/completions\",\"body\":"          \
    "{\"model\":\"m\",\"max_tokens\":3,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}}\n"

static struct clock_fake fake;
static struct loop *loop;
static struct mailbox *mailbox;
static struct reader *reader;
static uint64_t answered[FILES + 1]; /* whom, in order */
static size_t count;

static void deliver(void *context, struct letter *letter)
{
    struct reading *reading = letter->body;
    (void)context;
    ck_assert_int_eq(letter->kind, READER_LETTER_ANSWER);
    ck_assert_int_eq(reading->jobs.lines, (int64_t)letter->to + LINES);
    ck_assert_int_eq(reading->jobs.output_tokens, 3 * reading->jobs.lines);
    ck_assert_int_eq(reading->jobs.faulty_line, 0);
    ck_assert_uint_eq(reading->bytes.size, 4 + (size_t)reading->jobs.lines * strlen(LINE));
    answered[count++] = letter->to;
    letter_free(letter);
}

static void open_all(void)
{
    count = 0;
    fake = clock_fake_at(0);
    loop = loop_open(&fake.clock);
    mailbox = mailbox_open(loop, deliver, NULL);
    reader = reader_open();
}

static void close_all(void)
{
    reader_close(reader);
    mailbox_close(mailbox);
    loop_close(loop);
}

/* A file of `to` more lines than LINES, with something before it in the body. */
static void ask(uint64_t to)
{
    struct reading *reading = memory_new(sizeof *reading);
    buffer_put(&reading->bytes, TEXT("form"));
    for (uint64_t i = 0; i < LINES + to; i++)
        buffer_put(&reading->bytes, TEXT(LINE));
    reading->file = text_from(buffer_text(&reading->bytes), 4);
    reading->mailbox = mailbox;
    reading->to = to;
    reader_ask(reader, reading);
}

START_TEST(answers_in_the_order_of_asking_with_the_bytes)
{
    open_all();
    for (uint64_t to = 1; to <= FILES; to++)
        ask(to);
    while (count < FILES)
        loop_turn(loop, 1000);
    for (uint64_t to = 1; to <= FILES; to++)
        ck_assert_uint_eq(answered[to - 1], to);
    close_all();
}
END_TEST

START_TEST(ends_in_the_midst_of_its_work)
{
    open_all();
    struct reading *reading = memory_new(sizeof *reading);
    reading->mailbox = mailbox;
    reader_ask(reader, reading);
    ask(2);
    close_all(); /* what was answered meanwhile goes with the mailbox */
}
END_TEST

START_TEST(what_waits_at_the_end_is_freed)
{
    open_all();
    for (uint64_t to = 1; to <= FILES; to++)
        ask(to);
    close_all();
    ck_assert_uint_eq(count, 0);
}
END_TEST

UNIT_MAIN(answers_in_the_order_of_asking_with_the_bytes, ends_in_the_midst_of_its_work,
          what_waits_at_the_end_is_freed)
