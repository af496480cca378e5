/* Workers: ids, the end of turns, and how they come to an end. */
#include "../books/sample.h"
#include "pipeline/pipeline.h"
#include "upstream/connection.h"

/* A worker with a ledger of its own. */
struct shop {
    struct clock_fake clock;
    struct sample_dir dir;
    struct house house;
    struct worker worker;
};

static void shop_open(struct shop *shop)
{
    struct fault fault;
    struct ledger_replay replay;
    *shop = (struct shop){.clock = clock_fake_at(SAMPLE_US), .dir = sample_dir_make()};
    const struct ledger_options options = {.dir = shop->dir.path,
                                           .node = TEXT("test"),
                                           .clock = &shop->clock.clock,
                                           .fsync_ms = 50,
                                           .rotate_bytes = 1 << 28,
                                           .price_version = TEXT("0")};
    connections_prepare();
    shop->house.ledger = ledger_open(&options, &replay, &fault);
    ck_assert_ptr_nonnull(shop->house.ledger);
    ledger_start(shop->house.ledger);
    struct terms *terms = terms_new();
    worker_open(&shop->worker, &shop->house, terms, &shop->clock.clock);
    terms_drop(terms);
}

static void shop_close(struct shop *shop)
{
    worker_close(&shop->worker);
    ledger_close(shop->house.ledger);
    connections_forget();
    sample_dir_remove(&shop->dir);
}

START_TEST(request_ids_tell_their_time_and_are_distinct)
{
    struct shop shop;
    char id[1000][REQUEST_ID_SIZE], want[17];
    shop_open(&shop);
    (void)snprintf(want, sizeof(want), "req_%012llx", (unsigned long long)(SAMPLE_US / 1000));
    for (size_t i = 0; i < UNIT_COUNT(id); i++) {
        worker_request_id(&shop.worker, id[i]);
        ck_assert_uint_eq(strlen(id[i]), REQUEST_ID_SIZE - 1);
        ck_assert_uint_eq(strspn(id[i] + 4, "0123456789abcdef"), 24);
        ck_assert_mem_eq(id[i], want, 16);
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(id[i], id[j]);
    }
    shop_close(&shop);
}
END_TEST

START_TEST(ids_of_two_workers_differ)
{
    struct shop shops[2];
    char id[2][REQUEST_ID_SIZE];
    for (int i = 0; i < 2; i++) {
        shop_open(&shops[i]);
        worker_request_id(&shops[i].worker, id[i]);
    }
    ck_assert_str_ne(id[0], id[1]);
    for (int i = 0; i < 2; i++)
        shop_close(&shops[i]);
}
END_TEST

START_TEST(lines_noted_in_a_turn_are_written_at_its_end)
{
    struct shop shop;
    char call[48];
    shop_open(&shop);
    struct entry entry = sample_entry(ENTRY_REFUSE, sample_call(1, call), NULL);
    ck_assert(!worker_has_work(&shop.worker));
    ledger_note(shop.worker.batch, &entry);
    ck_assert(worker_has_work(&shop.worker));
    loop_turn(shop.worker.loop, 0);
    ck_assert(!worker_has_work(&shop.worker));
    ck_assert(ledger_batch_empty(shop.worker.batch));
    shop_close(&shop);
}
END_TEST

START_TEST(what_is_noted_last_is_not_lost)
{
    struct shop shop;
    char call[48];
    shop_open(&shop);
    struct entry entry = sample_entry(ENTRY_REFUSE, sample_call(1, call), NULL);
    ledger_note(shop.worker.batch, &entry);
    shop_close(&shop); /* asserts that the batch is written */
}
END_TEST

#define NOT_ITS_OWN 99 /* the kind of a letter */

static int letters;

static void take_letter(void *context, struct letter *letter)
{
    ck_assert_ptr_eq(context, &letters);
    ck_assert_int_eq(letter->kind, NOT_ITS_OWN);
    letters++;
    letter_free(letter);
}

START_TEST(letters_that_are_not_the_pipelines_are_passed_on)
{
    struct shop shop;
    shop_open(&shop);
    letters = 0;
    shop.worker.on_letter = take_letter;
    shop.worker.letter_context = &letters;
    mailbox_post(shop.worker.mailbox, letter_new(7, NOT_ITS_OWN));
    for (int i = 0; i < 100 && letters == 0; i++)
        loop_turn(shop.worker.loop, 10);
    ck_assert_int_eq(letters, 1);
    shop_close(&shop);
}
END_TEST

START_TEST(with_nothing_under_way_there_is_nothing_to_end)
{
    struct shop shop;
    shop_open(&shop);
    worker_end_all(&shop.worker);
    loop_turn(shop.worker.loop, 0);
    ck_assert(!worker_has_work(&shop.worker));
    shop_close(&shop);
}
END_TEST

START_TEST(a_request_dies_with_its_reply)
{
    struct shop shop;
    shop_open(&shop);
    struct request *request = request_open(&shop.worker);
    request->headers[0] = (struct request_header){TEXT("Content-Type"), TEXT("text/plain")};
    request->headers[1] = (struct request_header){TEXT("content-type"), TEXT("second")};
    request->header_count = 2;
    UNIT_TEXT(request_header(request, "CONTENT-TYPE"), "text/plain");
    ck_assert_ptr_null(request_header(request, "Content").at);
    ck_assert_str_eq(request->reply.headers[0].name, "x-purser-request-id");
    ck_assert_str_eq(request->reply.headers[0].value, request->name);
    ck_assert_ptr_eq(roster_find(&shop.worker.requests, request->id), request);
    uint64_t id = request->id;
    request_close(request);
    ck_assert_ptr_null(roster_find(&shop.worker.requests, id));
    request_close(NULL);
    shop_close(&shop);
}
END_TEST

/* Terms that count in `basis` how often they were freed. */
static void note_freed(void *basis)
{
    ++*(int *)basis;
}

static struct terms *counted_terms(int *freed)
{
    struct terms *terms = terms_new();
    terms->basis = freed;
    terms->basis_free = note_freed;
    return terms;
}

START_TEST(terms_go_with_their_last_user)
{
    int freed = 0;
    struct terms *terms = counted_terms(&freed);
    ck_assert_uint_eq((uintptr_t)&terms->users % 64, 0);
    ck_assert_ptr_eq(terms_take(terms), terms);
    terms_drop(terms);
    ck_assert_int_eq(freed, 0);
    terms_drop(terms);
    ck_assert_int_eq(freed, 1);
    terms_drop(NULL);
}
END_TEST

START_TEST(a_request_keeps_the_terms_under_which_it_was_complete)
{
    struct shop shop;
    int freed[3] = {0};
    struct terms *terms[3];
    shop_open(&shop);
    for (size_t i = 0; i < UNIT_COUNT(terms); i++)
        terms[i] = counted_terms(&freed[i]);
    worker_adopt(&shop.worker, terms[0]);
    struct request *request = request_open(&shop.worker);
    ck_assert_ptr_eq(request->terms, terms[0]);
    worker_adopt(&shop.worker, terms[1]);
    ck_assert_ptr_eq(request->terms, terms[0]);
    request_complete(request);
    ck_assert_ptr_eq(request->terms, terms[1]);
    ck_assert_int_eq(freed[0], 1);
    worker_adopt(&shop.worker, terms[2]);
    loop_turn(shop.worker.loop, 0);
    ck_assert_int_eq(freed[1], 0);
    request_close(request);
    loop_turn(shop.worker.loop, 0);
    ck_assert_int_eq(freed[1], 1);
    ck_assert_int_eq(freed[2], 0);
    shop_close(&shop);
    ck_assert_int_eq(freed[2], 1);
}
END_TEST

UNIT_MAIN(request_ids_tell_their_time_and_are_distinct, ids_of_two_workers_differ,
          lines_noted_in_a_turn_are_written_at_its_end, what_is_noted_last_is_not_lost,
          letters_that_are_not_the_pipelines_are_passed_on,
          with_nothing_under_way_there_is_nothing_to_end, a_request_dies_with_its_reply,
          terms_go_with_their_last_user, a_request_keeps_the_terms_under_which_it_was_complete)
