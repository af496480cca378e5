/* Amounts: reading, printing, arithmetic. */
#include <stdio.h>

#include "../unit.h"
#include "money/money.h"

#define UNTOUCHED 12345

static int64_t parsed(const char *text)
{
    struct money amount = {UNTOUCHED};
    bool good = money_parse(text_of(text), &amount);
    ck_assert_msg(good, "\"%s\" is refused", text);
    return amount.nano;
}

static void refused(const char *text)
{
    struct money amount = {UNTOUCHED};
    ck_assert_msg(!money_parse(text_of(text), &amount), "\"%s\" is accepted", text);
    ck_assert_int_eq(amount.nano, UNTOUCHED);
}

START_TEST(reads_decimal_dollars)
{
    ck_assert_int_eq(parsed("50"), 50000000000);
    ck_assert_int_eq(parsed("0.005476"), 5476000);
    ck_assert_int_eq(parsed(".5"), 500000000);
    ck_assert_int_eq(parsed("0"), 0);
    ck_assert_int_eq(parsed("0.000000001"), 1);
    ck_assert_int_eq(parsed("000123.450"), 123450000000);
    ck_assert_int_eq(parsed("4000000000"), MONEY_MOST.nano);
    ck_assert_int_eq(parsed("4000000000.000000000000000000000000"), MONEY_MOST.nano);
}
END_TEST

START_TEST(reads_exponents)
{
    ck_assert_int_eq(parsed("1e-6"), 1000);
    ck_assert_int_eq(parsed("1E+3"), 1000000000000);
    ck_assert_int_eq(parsed("2.5e1"), 25000000000);
    ck_assert_int_eq(parsed("0.0000025e6"), 2500000000);
    ck_assert_int_eq(parsed("10000000000e-10"), 1000000000);
    ck_assert_int_eq(parsed("0e999999999999999999999999"), 0);
    ck_assert_int_eq(parsed("0.0e-999999999999999999999999"), 0);
}
END_TEST

START_TEST(refuses_what_is_no_decimal)
{
    const char *bad[] = {"",     " ",     "-1",    "+1",  "-0",  "1.", ".",     "e5",
                         ".e5",  "1e",    "1e+",   "1e-", "1 ",  " 1", "1,5",   "0x10",
                         "1e5.", "1.2.3", "1e1e1", "NaN", "inf", "$5", "1_000", "٣"};
    for (size_t at = 0; at < UNIT_COUNT(bad); at++) {
        refused(bad[at]);
    }
}
END_TEST

START_TEST(refuses_what_does_not_fit)
{
    const char *bad[] = {"4000000000.000000001",
                         "4000000001",
                         "9223372036.854775808",
                         "99999999999999999999999999",
                         "1e10",
                         "1e999999999999999999999",
                         "0.0000000001",
                         "1.0000000001",
                         "1e-10",
                         "1e-999999999999999999999",
                         "0.00000000012345678901234567890"};
    for (size_t at = 0; at < UNIT_COUNT(bad); at++) {
        refused(bad[at]);
    }
}
END_TEST

START_TEST(reads_any_scale_up_to_a_most)
{
    int64_t value = UNTOUCHED;
    ck_assert(money_parse_scaled(TEXT("0.15"), 6, 1000000, &value));
    ck_assert_int_eq(value, 150000);
    ck_assert(money_parse_scaled(TEXT("1"), 6, 1000000, &value));
    ck_assert_int_eq(value, 1000000);
    ck_assert(!money_parse_scaled(TEXT("1.000001"), 6, 1000000, &value));
    ck_assert(!money_parse_scaled(TEXT("0.0000005"), 6, 1000000, &value));
    ck_assert_int_eq(value, 1000000);
    ck_assert(money_parse_scaled(TEXT("9223372036854775807"), 0, INT64_MAX, &value));
    ck_assert_int_eq(value, INT64_MAX);
    ck_assert(!money_parse_scaled(TEXT("9223372036854775808"), 0, INT64_MAX, &value));
}
END_TEST

START_TEST(a_long_run_of_zeros_changes_nothing)
{
    struct buffer text = {0};
    buffer_put(&text, TEXT("0."));
    for (int i = 0; i < 5000; i++) {
        buffer_put_byte(&text, '0');
    }
    buffer_put(&text, TEXT("7e5000"));
    int64_t value = UNTOUCHED;
    ck_assert(money_parse_scaled(buffer_text(&text), 1, INT64_MAX, &value));
    ck_assert_int_eq(value, 7);
    buffer_close(&text);
}
END_TEST

static void check_put(int64_t nano, const char *want)
{
    struct buffer out = {0};
    money_put(&out, (struct money){nano});
    UNIT_TEXT(buffer_text(&out), want);
    buffer_close(&out);
}

START_TEST(puts_exact_dollars_without_needless_zeros)
{
    check_put(0, "0");
    check_put(5476000, "0.005476");
    check_put(-1500000000, "-1.5");
    check_put(50000000000, "50");
    check_put(1, "0.000000001");
    check_put(100000000000, "100");
    check_put(INT64_MAX, "9223372036.854775807");
    check_put(INT64_MIN, "-9223372036.854775808");
}
END_TEST

START_TEST(shows_people_at_least_two_decimals)
{
    char out[MONEY_STRING_SIZE];
    ck_assert_str_eq(money_string((struct money){5476000}, out), "$0.005476");
    ck_assert_str_eq(money_string((struct money){50000000000}, out), "$50.00");
    ck_assert_str_eq(money_string((struct money){1500000000}, out), "$1.50");
    ck_assert_str_eq(money_string(MONEY_ZERO, out), "$0.00");
    ck_assert_str_eq(money_string((struct money){-20000000}, out), "-$0.02");
    ck_assert_str_eq(money_string((struct money){INT64_MIN}, out), "-$9223372036.854775808");
    ck_assert_str_eq(money_string(MONEY_MOST, out), "$4000000000.00");
}
END_TEST

START_TEST(what_is_put_reads_back_the_same)
{
    uint64_t state = 88172645463325252;
    for (int round = 0; round < 20000; round++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        struct money amount = {(int64_t)(state >> (state % 61 + 1)) % MONEY_MOST.nano};
        struct buffer out = {0};
        money_put(&out, amount);
        struct money back = {UNTOUCHED};
        ck_assert(money_parse(buffer_text(&out), &back));
        ck_assert_int_eq(back.nano, amount.nano);
        buffer_close(&out);
    }
}
END_TEST

START_TEST(adds_subtracts_and_compares)
{
    struct money one = {1};
    struct money two = {2};
    ck_assert_int_eq(money_add(one, two).nano, 3);
    ck_assert_int_eq(money_subtract(one, two).nano, -1);
    ck_assert_int_eq(money_add(MONEY_MOST, MONEY_MOST).nano, 8000000000000000000);
    ck_assert_int_lt(money_compare(one, two), 0);
    ck_assert_int_gt(money_compare(two, one), 0);
    ck_assert_int_eq(money_compare(two, two), 0);
    ck_assert_int_eq(money_least(one, two).nano, 1);
    ck_assert_int_eq(money_least(two, one).nano, 1);
}
END_TEST

START_TEST(what_is_finer_than_a_unit_may_be_rounded_up)
{
    static const struct {
        const char *text;
        int64_t want;
    } cases[] = {{"1.5e-07", 150000},
                 {"0.0000000000001", 1},
                 {"1e-300", 1},
                 {"0", 0},
                 {"1.0000000000001", 1000000000001},
                 {"2e-12", 2},
                 {"1.00e-12", 1},
                 {"0.00e-99", 0}};
    int64_t value = 0;
    for (size_t at = 0; at < UNIT_COUNT(cases); at++) {
        ck_assert(money_parse_scaled_up(text_of(cases[at].text), 12, 2000000000000, &value));
        ck_assert_msg(value == cases[at].want, "%s gives %lld", cases[at].text, (long long)value);
    }
    ck_assert(!money_parse_scaled_up(TEXT("2.0000000000001"), 12, 2000000000000, &value));
    ck_assert(!money_parse_scaled_up(TEXT("-1e-30"), 12, 2000000000000, &value));
    ck_assert(!money_parse_scaled_up(TEXT("1e300"), 12, 2000000000000, &value));
}
END_TEST

UNIT_MAIN(what_is_finer_than_a_unit_may_be_rounded_up, reads_decimal_dollars, reads_exponents,
          refuses_what_is_no_decimal, refuses_what_does_not_fit, reads_any_scale_up_to_a_most,
          a_long_run_of_zeros_changes_nothing, puts_exact_dollars_without_needless_zeros,
          shows_people_at_least_two_decimals, what_is_put_reads_back_the_same,
          adds_subtracts_and_compares)
