/*
 * Recovery where budgets are shared: which of what the ledger has above the ceilings is charged to
 * the store, and which is disowned.
 */
#include "cli/recovery.h"

#include "../books/desk.h"
#include "budget/ceilings.h"

#define STEP STORE_USD_STEP

/* A data directory, and what a process has opened of it. */
struct place {
    struct desk desk;
    char path[128];
    struct ceilings *ceilings;
    struct vault *vault;
    struct fault fault;
};

static void open_vault(struct place *place, const char *boot)
{
    place->ceilings = ceilings_open(place->path, &place->fault);
    ck_assert_msg(place->ceilings != NULL, "%s", place->fault.message);
    place->vault = vault_open(place->path, text_of(boot), &place->fault);
    ck_assert_msg(place->vault != NULL, "%s", place->fault.message);
}

static void close_vault(struct place *place)
{
    vault_close(place->vault, false);
    ceilings_close(place->ceilings);
}

static struct place place_make(void)
{
    struct place place = {.desk = desk_make()};
    (void)snprintf(place.path, sizeof(place.path), "%s/ceilings.db", place.desk.dir.path);
    return place;
}

/* With a vault that was granted so much, to be remembered until then. */
static struct place place_granted_until(int64_t ceiling, int64_t until_s)
{
    struct place place = place_make();
    struct charge row = sample_charge(1, ceiling);
    row.until_s = until_s;
    open_vault(&place, "boot-1");
    ck_assert(vault_accept(place.vault, &place.fault));
    ck_assert(vault_note(place.vault, &row, 1, SAMPLE_S, &place.fault));
    close_vault(&place);
    return place;
}

static struct place place_granted(int64_t ceiling)
{
    return place_granted_until(ceiling, SAMPLE_S + 7200);
}

static void place_end(struct place *place)
{
    sample_dir_remove(&place->desk.dir);
}

/* ---- a start ---- */

static void recover_all(struct place *place, struct arena *arena)
{
    const struct core_options options = {
        .max_accounts = 10, .max_waiting = 1, .leased = true, .usd_step = STEP};
    struct recovery recovery = {.gate = gate_open(&options),
                                .ledger = place->desk.ledger,
                                .vault = place->vault,
                                .ledger_whole = true,
                                .shared = true,
                                .clock = &place->desk.clock.clock};
    bool good =
        vault_rows(place->vault, arena, &recovery.rows, &recovery.row_count, &place->fault) &&
        recover(&recovery, &place->fault);
    ck_assert_msg(good, "%s", place->fault.message);
    gate_close(recovery.gate);
}

/* What is spent on the account then, and its ceiling. */
static void start(struct place *place, const char *boot, int64_t spent, int64_t ceiling)
{
    struct arena arena = {0};
    const struct charge *rows = NULL;
    size_t count = 0;
    desk_open(&place->desk);
    open_vault(place, boot);
    recover_all(place, &arena);
    ck_assert_int_eq(desk_spent(&place->desk), spent);
    ck_assert(vault_rows(place->vault, &arena, &rows, &count, &place->fault));
    ck_assert_int_eq(count == 0 ? 0 : rows[0].amount, ceiling);
    arena_close(&arena);
    close_vault(place);
    desk_close(&place->desk);
}

/* ---- what the process before wrote ---- */

static void overrun(struct desk *desk)
{
    desk_call(desk, 1, 500 * STEP);
}

static void lose_an_end(struct desk *desk)
{
    desk_call(desk, 2, 150 * STEP);
    desk_note(desk, ENTRY_RESERVE, 3, 300 * STEP);
    desk_commit(desk);
}

START_TEST(an_overrun_is_charged_after_a_kill_and_after_a_loss_of_power)
{
    static const char *const boots[] = {"boot-1", "boot-2"};
    for (size_t i = 0; i < UNIT_COUNT(boots); i++) {
        struct place place = place_granted(200 * STEP);
        desk_die_after(&place.desk, overrun);
        start(&place, boots[i], 500 * STEP, 500 * STEP);
        start(&place, "boot-3", 500 * STEP, 500 * STEP);
        place_end(&place);
    }
}
END_TEST

START_TEST(a_hold_whose_end_was_lost_is_no_overrun)
{
    struct place place = place_granted(200 * STEP);
    desk_die_after(&place.desk, lose_an_end);
    start(&place, "boot-2", 200 * STEP, 200 * STEP);
    start(&place, "boot-3", 200 * STEP, 200 * STEP);
    place_end(&place);
}
END_TEST

START_TEST(no_more_is_disowned_than_what_was_given_up_at_this_start)
{
    struct place place = place_granted(200 * STEP);
    desk_die_after(&place.desk, lose_an_end);
    start(&place, "boot-1", 450 * STEP, 450 * STEP); /* given up, and charged */
    desk_die_after(&place.desk, overrun);
    start(&place, "boot-2", 950 * STEP, 950 * STEP);
    place_end(&place);

    place = place_granted(200 * STEP);
    desk_die_after(&place.desk, overrun);
    start(&place, "boot-1", 500 * STEP, 500 * STEP);
    desk_die_after(&place.desk, lose_an_end);
    start(&place, "boot-2", 650 * STEP, 650 * STEP);
    place_end(&place);
}
END_TEST

/* Another vault was charged with it; whether or not this one was opened before in vain. */
START_TEST(a_new_vault_begins_with_nothing)
{
    for (int openings = 0; openings < 2; openings++) {
        struct place place = place_make();
        desk_die_after(&place.desk, overrun);
        if (openings > 0) {
            open_vault(&place, "boot-1");
            close_vault(&place);
        }
        start(&place, "boot-1", 0, 0);
        desk_die_after(&place.desk, overrun); /* its own */
        start(&place, "boot-2", 500 * STEP, 500 * STEP);
        place_end(&place);
    }
}
END_TEST

/* Lines of the last use may be lost: then the vault alone knows how long it counts. */
START_TEST(what_power_may_have_lost_is_remembered_for_as_long_as_the_vault_says)
{
    struct place place = place_granted_until(1000 * STEP, SAMPLE_S + 20000);
    struct charge charge = {0};
    size_t at = 0;
    desk_die_after(&place.desk, overrun);
    start(&place, "boot-2", 1000 * STEP, 1000 * STEP);
    desk_open(&place.desk);
    ck_assert(ledger_next_balance(place.desk.ledger, &at, &charge));
    ck_assert_int_eq(charge.until_s, SAMPLE_S + 20000);
    desk_close(&place.desk);
    place_end(&place);
}
END_TEST

UNIT_MAIN(an_overrun_is_charged_after_a_kill_and_after_a_loss_of_power,
          a_hold_whose_end_was_lost_is_no_overrun,
          no_more_is_disowned_than_what_was_given_up_at_this_start, a_new_vault_begins_with_nothing,
          what_power_may_have_lost_is_remembered_for_as_long_as_the_vault_says)
