/* The catalog: records for a time, families of snapshots, the stand-in, what is said once. */
#include "base/clock.h"
#include "models.h"

#define DAY 86400

static int64_t found_at(const struct catalog *catalog, const char *name, int64_t when_s)
{
    const struct model *model = catalog_find(catalog, TEXT(""), text_of(name), when_s);
    return model == NULL ? -1 : model->price.tiers[0].rates.pico[BUCKET_INPUT];
}

static void add_for(struct catalog *catalog, int64_t pico, int64_t from_s, int64_t until_s)
{
    struct model model = model_of("openai", "m", pico);
    struct text alias = TEXT("n");
    model.from_s = from_s;
    model.until_s = until_s;
    catalog_add(catalog, &model, &alias, 1);
}

START_TEST(the_record_in_force_applies)
{
    struct catalog *catalog = catalog_open();
    add_for(catalog, 1, 0, 10 * DAY);
    add_for(catalog, 2, 10 * DAY, 20 * DAY);
    catalog_seal(catalog);
    ck_assert_int_eq(found_at(catalog, "m", 0), 1);
    ck_assert_int_eq(found_at(catalog, "m", 10 * DAY - 1), 1);
    ck_assert_int_eq(found_at(catalog, "m", 10 * DAY), 2);
    ck_assert_int_eq(found_at(catalog, "n", 20 * DAY - 1), 2);
    ck_assert_int_eq(found_at(catalog, "n", 20 * DAY), -1);
    size_t at = 0;
    ck_assert_int_eq(catalog_next(catalog, &at)->from_s, 0);
    ck_assert_int_eq(catalog_next(catalog, &at)->from_s, 10 * DAY);
    ck_assert_ptr_null(catalog_next(catalog, &at));
    catalog_close(catalog);
}
END_TEST

START_TEST(a_dated_record_covers_for_its_time_and_a_later_undated_one_replaces_all)
{
    struct catalog *catalog = catalog_open();
    add_for(catalog, 1, 0, 0);
    add_for(catalog, 2, 10 * DAY, 20 * DAY);
    catalog_seal(catalog);
    ck_assert_int_eq(found_at(catalog, "m", 15 * DAY), 2);
    ck_assert_int_eq(found_at(catalog, "m", 25 * DAY), 1);
    catalog_close(catalog);
    catalog = catalog_open();
    add_for(catalog, 2, 10 * DAY, 20 * DAY);
    add_for(catalog, 3, 0, 0);
    catalog_seal(catalog);
    ck_assert_int_eq(found_at(catalog, "m", 15 * DAY), 3);
    size_t at = 0;
    ck_assert_ptr_nonnull(catalog_next(catalog, &at));
    ck_assert_ptr_null(catalog_next(catalog, &at));
    catalog_close(catalog);
}
END_TEST

START_TEST(dates_are_part_of_the_version)
{
    struct catalog *a = catalog_open();
    struct catalog *b = catalog_open();
    add_for(a, 1, 0, 0);
    add_for(b, 1, 0, 10 * DAY);
    catalog_seal(a);
    catalog_seal(b);
    ck_assert(!text_equal(catalog_version(a), catalog_version(b)));
    catalog_close(a);
    catalog_close(b);
}
END_TEST

START_TEST(only_a_date_at_its_end_makes_a_snapshot_of_a_family)
{
    UNIT_TEXT(catalog_family(TEXT("gpt-4o-2026-01-31")), "gpt-4o");
    UNIT_TEXT(catalog_family(TEXT("claude-x-20260131")), "claude-x");
    UNIT_TEXT(catalog_family(TEXT("gpt-4-0613")), "gpt-4");
    static const char *const others[] = {
        "gpt-4o",
        "gpt-4o-mini",
        "gpt-4o-2026-13-01",
        "gpt-4o-2026-01-32",
        "m-1999-01-01",
        "m-2026-1-1",
        "m-20261301",
        "m-20260100",
        "m-1301",
        "m-0000",
        "m-0132",
        "m-128",
        "-0613",
        "-2026-01-31",
        "2026-01-31",
        "m-2026-01-31-preview",
        "m_2026-01-31",
        "m-2026_01_31",
        "m@20260131",
        "m-2026-01-3x",
        "m-latest",
        "",
    };
    for (size_t at = 0; at < UNIT_COUNT(others); at++)
        ck_assert_msg(catalog_family(text_of(others[at])).size == 0, "%s", others[at]);
}
END_TEST

START_TEST(the_first_time_is_once_for_each_record)
{
    struct catalog *catalog = catalog_open();
    add(catalog, "openai", "a", 1);
    add(catalog, "openai", "b", 1);
    catalog_seal(catalog);
    const struct model *a = catalog_find(catalog, TEXT(""), TEXT("a"), 0);
    const struct model *b = catalog_find(catalog, TEXT(""), TEXT("b"), 0);
    ck_assert(catalog_first_time(catalog, a));
    ck_assert(!catalog_first_time(catalog, a));
    ck_assert(catalog_first_time(catalog, b));
    catalog_close(catalog);
}
END_TEST

START_TEST(a_stand_in_has_the_prices_but_not_the_limits)
{
    struct catalog *catalog = catalog_open();
    struct model model = model_of("openai", "m", 5);
    model.max_input_tokens = model.max_output_tokens = 100;
    catalog_add(catalog, &model, NULL, 0);
    add_for(catalog, 6, 10 * DAY, 0);
    ck_assert(!catalog_add_stand_in(catalog, TEXT("nobody")));
    ck_assert(catalog_add_stand_in(catalog, TEXT("m")));
    catalog_seal(catalog);
    const struct model *early =
        catalog_find(catalog, CATALOG_STAND_IN_PROVIDER, CATALOG_STAND_IN_NAME, 0);
    const struct model *late =
        catalog_find(catalog, CATALOG_STAND_IN_PROVIDER, CATALOG_STAND_IN_NAME, 11 * DAY);
    ck_assert_int_eq(early->price.tiers[0].rates.pico[BUCKET_OUTPUT], 5);
    ck_assert_int_eq(late->price.tiers[0].rates.pico[BUCKET_OUTPUT], 6);
    ck_assert_int_eq(early->max_input_tokens, 0);
    ck_assert_int_eq(early->max_output_tokens, 0);
    ck_assert(early->reasoning);
    catalog_close(catalog);
}
END_TEST

START_TEST(the_shipped_file_knows_changes_of_price)
{
    struct catalog *catalog = catalog_open();
    struct fault fault = {""};
    ck_assert_msg(catalog_load(catalog, PRICES, &fault), "%s", fault.message);
    catalog_seal(catalog);
    int64_t change_s = clock_days_from_civil(2025, 6, 10) * DAY;
    ck_assert_int_eq(found_at(catalog, "o3-2025-04-16", change_s - 1), 10000000);
    ck_assert_int_eq(found_at(catalog, "o3-2025-04-16", change_s), 2000000);
    catalog_close(catalog);
}
END_TEST

UNIT_MAIN(the_record_in_force_applies,
          a_dated_record_covers_for_its_time_and_a_later_undated_one_replaces_all,
          dates_are_part_of_the_version, only_a_date_at_its_end_makes_a_snapshot_of_a_family,
          the_first_time_is_once_for_each_record, a_stand_in_has_the_prices_but_not_the_limits,
          the_shipped_file_knows_changes_of_price)
