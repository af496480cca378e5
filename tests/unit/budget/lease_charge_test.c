/* What a shared lease charges: bills above what was held, in the steps that the store counts in. */
#include "tenant.h"

static void bill(struct tenant *t, int64_t nano, int64_t charge, int64_t ceiling)
{
    core_reserve_fact(t->f.core, &t->f.subject, t->f.now_s, &t->f.grant);
    ck_assert_int_eq(t->f.grant.verdict, VERDICT_GRANTED);
    fixture_settle(&t->f, t->f.grant.hold, nano);
    const struct store_request *move = must_ask(t, STORE_MOVE);
    ck_assert_int_eq(move->rows[0].charge, charge);
    answer(t, 0, (ceiling + MICRO - 1) / MICRO);
    ck_assert_int_eq(must_note(t), ceiling);
    must_rest(t);
}

START_TEST(what_is_charged_in_whole_steps_leaves_nothing_to_spend)
{
    struct tenant t;
    tenant_open_entered(&t, 200 * MICRO);
    bill(&t, 115 * MICRO + 337, 116, 115 * MICRO + 337);
    bill(&t, 100, 0, 115 * MICRO + 437);
    bill(&t, 563, 0, 116 * MICRO);
    bill(&t, 1, 1, 116 * MICRO + 1);
    wait_for(&t, 83); /* all that is left */
    ck_assert_int_eq(must_ask(&t, STORE_MOVE)->rows[0].least, 83);
    answer(&t, 83, 200);
    ck_assert_int_eq(must_note(&t), 199 * MICRO + 1);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    fixture_settle(&t.f, t.f.grant.hold, 83 * MICRO);
    struct ask ask = fixture_ask(&t.f, 0, 1);
    ck_assert_int_eq(fixture_reserve_ask(&t.f, &ask), VERDICT_EXHAUSTED);
    must_rest(&t);
    tenant_close(&t);
}
END_TEST

UNIT_MAIN(what_is_charged_in_whole_steps_leaves_nothing_to_spend)
