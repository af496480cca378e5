/* The registrar: what was claimed is seen by whoever asks later; and what is noted of objects. */
#include "budget/registrar.h"

#include <sqlite3.h>
#include <stdio.h>

#include "../disk.h"
#include "../unit.h"

#define ANSWERS_MOST 300

struct office {
    char dir[64], path[128];
    struct fault fault;
    struct loop *loop;
    struct mailbox *mailbox;
    struct ceilings *ceilings;
    struct registrar *registrar;
    struct letter *answers[ANSWERS_MOST];
    size_t count;
};

static void take(void *context, struct letter *letter)
{
    struct office *office = context;
    ck_assert_int_eq(letter->kind, REGISTRAR_LETTER_ANSWER);
    ck_assert_uint_lt(office->count, ANSWERS_MOST);
    office->answers[office->count++] = letter;
}

static void office_open(struct office *office)
{
    *office = (struct office){.dir = "/tmp/purser-registrar-XXXXXX"};
    ck_assert_ptr_nonnull(mkdtemp(office->dir));
    (void)snprintf(office->path, sizeof(office->path), "%s/ceilings.db", office->dir);
    office->ceilings = ceilings_open(office->path, &office->fault);
    ck_assert_ptr_nonnull(office->ceilings);
    office->registrar = registrar_open(office->ceilings);
    office->loop = loop_open(clock_real());
    office->mailbox = mailbox_open(office->loop, take, office);
}

static void office_close(struct office *office)
{
    registrar_close(office->registrar);
    mailbox_close(office->mailbox);
    for (size_t i = 0; i < office->count; i++)
        letter_free(office->answers[i]);
    loop_close(office->loop);
    ceilings_close(office->ceilings);
    disk_remove(office->dir);
}

static struct object batch_of(const char *id)
{
    return (struct object){OBJECT_BATCH, TEXT("openai"), text_of(id)};
}

static struct deed claim_of(const char *id, const char *key)
{
    return (struct deed){
        .kind = DEED_CLAIM, .object = batch_of(id), .key = text_of(key), .made_s = 100};
}

static void ask(struct office *office, struct deed deed)
{
    deed.mailbox = office->mailbox;
    deed.to = 7;
    ck_assert(registrar_ask(office->registrar, &deed));
}

static const struct deed_answer *answer(struct office *office, size_t number)
{
    while (office->count <= number)
        loop_turn(office->loop, 1000);
    ck_assert_uint_eq(office->answers[number]->to, 7);
    return office->answers[number]->body;
}

START_TEST(who_asks_after_a_claim_finds_it)
{
    struct office office;
    office_open(&office);
    struct deed silent = claim_of("b1", "alice");
    silent.notes.about = TEXT("{\"id\":\"b1\"}");
    ck_assert(registrar_ask(office.registrar, &silent)); /* nobody waits for it */
    ask(&office, (struct deed){.kind = DEED_LOOK, .object = batch_of("b1")});
    ask(&office, claim_of("b1", "bob"));
    ask(&office, (struct deed){.kind = DEED_LOOK, .object = batch_of("b2")});
    const struct deed_answer *look = answer(&office, 0);
    ck_assert(!look->failed);
    ck_assert_int_eq(look->owner, OWNER_KNOWN);
    UNIT_TEXT(look->owned.key, "alice");
    UNIT_TEXT(look->owned.notes.about, "{\"id\":\"b1\"}");
    ck_assert_int_eq(look->owned.made_s, 100);
    ck_assert_int_eq(answer(&office, 1)->claim, CLAIM_FOREIGN);
    ck_assert_int_eq(answer(&office, 2)->owner, OWNER_NOBODY);
    office_close(&office);
}
END_TEST

START_TEST(many_that_wait_are_answered_in_their_order)
{
    struct office office;
    office_open(&office);
    char ids[ANSWERS_MOST][8];
    for (size_t i = 0; i < ANSWERS_MOST; i++) {
        (void)snprintf(ids[i], sizeof(ids[i]), "b%zu", i);
        ask(&office, i % 2 == 0 ? claim_of(ids[i], "alice")
                                : (struct deed){.kind = DEED_LOOK, .object = batch_of(ids[i - 1])});
    }
    for (size_t i = 0; i < ANSWERS_MOST; i++) {
        const struct deed_answer *given = answer(&office, i);
        ck_assert_int_eq(given->kind, i % 2 == 0 ? DEED_CLAIM : DEED_LOOK);
        ck_assert(!given->failed);
        ck_assert(i % 2 == 0 || given->owner == OWNER_KNOWN);
    }
    office_close(&office);
}
END_TEST

START_TEST(what_is_not_named_in_a_note_stays)
{
    struct office office;
    office_open(&office);
    struct deed claim = claim_of("b1", "alice");
    claim.notes = (struct object_notes){TEXT("a1"), TEXT("f1"), TEXT("req_1.1")};
    ask(&office, claim);
    ask(&office,
        (struct deed){.kind = DEED_NOTE, .object = batch_of("b1"), .notes.about = TEXT("a2")});
    ask(&office, (struct deed){.kind = DEED_LOOK, .object = batch_of("b1")});
    ask(&office,
        (struct deed){.kind = DEED_NOTE, .object = batch_of("b1"), .notes.call = TEXT("")});
    ask(&office, (struct deed){.kind = DEED_LOOK, .object = batch_of("b1")});
    const struct object_notes *notes = &answer(&office, 2)->owned.notes;
    UNIT_TEXT(notes->about, "a2");
    UNIT_TEXT(notes->facts, "f1");
    UNIT_TEXT(notes->call, "req_1.1");
    ck_assert_uint_eq(answer(&office, 4)->owned.notes.call.size, 0);
    office_close(&office);
}
END_TEST

START_TEST(objects_with_open_holds_are_found_after_a_restart)
{
    struct office office;
    office_open(&office);
    for (int i = 3; i > 0; i--) {
        char id[4], call[16];
        (void)snprintf(id, sizeof(id), "b%d", i);
        (void)snprintf(call, sizeof(call), "req_%d.1", i);
        struct deed claim = claim_of(id, "alice");
        claim.made_s = i;
        claim.notes.call = i == 2 ? TEXT_NONE : text_of(call);
        ask(&office, claim);
    }
    registrar_close(office.registrar); /* carries out what was asked */
    office.registrar = NULL;
    ceilings_close(office.ceilings);
    office.ceilings = ceilings_open(office.path, &office.fault);
    struct arena arena = {0};
    const struct open_object *rows;
    size_t count;
    ck_assert(ceilings_list_open(office.ceilings, &arena, &rows, &count, &office.fault));
    ck_assert_uint_eq(count, 2);
    UNIT_TEXT(rows[0].object.id, "b1");
    UNIT_TEXT(rows[1].object.id, "b3");
    UNIT_TEXT(rows[1].owned.notes.call, "req_3.1");
    UNIT_TEXT(rows[1].owned.key, "alice");
    ck_assert_int_eq(rows[1].object.kind, OBJECT_BATCH);
    arena_close(&arena);
    office_close(&office);
}
END_TEST

START_TEST(a_page_tells_what_is_noted)
{
    struct office office;
    office_open(&office);
    struct deed claim = claim_of("b1", "alice");
    claim.notes.about = TEXT("{}");
    ask(&office, claim);
    ask(&office, (struct deed){.kind = DEED_LIST,
                               .query = {.kind = OBJECT_BATCH, .key = TEXT("alice"), .most = 10}});
    const struct objects_page *page = &answer(&office, 1)->page;
    ck_assert_uint_eq(page->count, 1);
    UNIT_TEXT(page->rows[0].about, "{}");
    office_close(&office);
}
END_TEST

START_TEST(what_cannot_be_written_is_told)
{
    struct office office;
    office_open(&office);
    disk_limit_files(0);
    ask(&office, claim_of("b1", "alice"));
    ck_assert(answer(&office, 0)->failed);
    disk_limit_files(RLIM_INFINITY);
    ask(&office, (struct deed){.kind = DEED_LOOK, .object = batch_of("b1")});
    ck_assert_int_eq(answer(&office, 1)->owner, OWNER_NOBODY);
    ask(&office, claim_of("b1", "bob"));
    ck_assert(!answer(&office, 2)->failed);
    office_close(&office);
}
END_TEST

/* As the release before had it. */
START_TEST(a_file_of_version_1_is_taken_over)
{
    struct office office;
    office_open(&office);
    registrar_close(office.registrar);
    office.registrar = NULL;
    ceilings_close(office.ceilings);
    ck_assert_int_eq(remove(office.path), 0);
    sqlite3 *db = NULL;
    ck_assert_int_eq(sqlite3_open(office.path, &db), SQLITE_OK);
    ck_assert_int_eq(
        sqlite3_exec(
            db,
            "CREATE TABLE component (name TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT "
            "ROWID; PRAGMA application_id = 0x70757273;"
            "CREATE TABLE objects (kind TEXT NOT NULL, upstream BLOB NOT NULL, id BLOB NOT NULL,"
            " key BLOB NOT NULL, made_s INTEGER NOT NULL, PRIMARY KEY (kind, upstream, id));"
            "CREATE INDEX objects_of_key ON objects (kind, key, made_s, upstream, id);"
            "CREATE INDEX objects_by_age ON objects (kind, made_s);"
            "INSERT INTO component VALUES ('objects', 1);"
            "INSERT INTO objects VALUES ('batch', CAST('openai' AS BLOB), CAST('b1' AS BLOB),"
            " CAST('alice' AS BLOB), 5)",
            NULL, NULL, NULL),
        SQLITE_OK);
    (void)sqlite3_close(db);
    office.ceilings = ceilings_open(office.path, &office.fault);
    ck_assert_msg(office.ceilings != NULL, "%s", office.fault.message);
    struct arena arena = {0};
    struct owned owned;
    struct object object = batch_of("b1");
    ck_assert_int_eq(ceilings_look(office.ceilings, &object, &arena, &owned, &office.fault),
                     OWNER_KNOWN);
    UNIT_TEXT(owned.key, "alice");
    ck_assert_uint_eq(owned.notes.call.size, 0);
    arena_close(&arena);
    office_close(&office);
}
END_TEST

UNIT_MAIN(who_asks_after_a_claim_finds_it, many_that_wait_are_answered_in_their_order,
          what_is_not_named_in_a_note_stays, objects_with_open_holds_are_found_after_a_restart,
          a_page_tells_what_is_noted, what_cannot_be_written_is_told,
          a_file_of_version_1_is_taken_over)
