/*
 * Money: amounts in nano-dollars, read and printed as decimal text.
 *
 * A decimal is read as (significant digits, power of ten) without zeros at either end, so that
 * what fits is known before anything is multiplied and the length of the text does not matter.
 */
#include "money/money.h"

#include <inttypes.h>
#include <stdio.h>

#define NANO_PER_USD   1000000000
#define NANO_DECIMALS  9
#define EXPONENT_CLAMP 1000000000000000 /* beyond any text's length: nothing can bring it back */

struct decimal {
    int64_t digits; /* without zeros at the end */
    int64_t power;  /* value = digits × 10^power */
};

struct money money_add(struct money a, struct money b)
{
    struct money sum;
    ASSERT(!__builtin_add_overflow(a.nano, b.nano, &sum.nano));
    return sum;
}

struct money money_subtract(struct money a, struct money b)
{
    struct money difference;
    ASSERT(!__builtin_sub_overflow(a.nano, b.nano, &difference.nano));
    return difference;
}

int money_compare(struct money a, struct money b)
{
    return (a.nano > b.nano) - (a.nano < b.nano);
}

struct money money_least(struct money a, struct money b)
{
    return a.nano < b.nano ? a : b;
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* value = value × 10^power; false if that leaves the range. */
static bool scale_up(int64_t *value, int64_t power)
{
    if (*value == 0) {
        return true;
    }
    for (; power > 0; power--) {
        if (__builtin_mul_overflow(*value, 10, value)) {
            return false;
        }
    }
    return true;
}

/* Takes a run of digits from the front of `rest`. Zeros wait in the power until a later digit
 * shows that they count. False: no digits, or more significant ones than fit. */
static bool read_digits(struct text *rest, struct decimal *decimal)
{
    size_t at = 0;
    for (; at < rest->size && is_digit(rest->at[at]); at++) {
        if (rest->at[at] == '0') {
            decimal->power += decimal->digits != 0;
            continue;
        }
        if (!scale_up(&decimal->digits, decimal->power + 1) ||
            __builtin_add_overflow(decimal->digits, rest->at[at] - '0', &decimal->digits)) {
            return false;
        }
        decimal->power = 0;
    }
    *rest = text_from(*rest, at);
    return at > 0;
}

/* The digits behind the point: read as if there were no point, then shifted back. */
static bool read_fraction(struct text *rest, struct decimal *decimal)
{
    size_t before = rest->size;
    if (!read_digits(rest, decimal)) {
        return false;
    }
    decimal->power -= (int64_t)(before - rest->size);
    return true;
}

/* "[+-]digits" to the end of the text. */
static bool read_exponent(struct text rest, int64_t *exponent)
{
    bool negative = text_starts(rest, TEXT("-"));
    if (negative || text_starts(rest, TEXT("+"))) {
        rest = text_from(rest, 1);
    }
    int64_t size = 0;
    for (size_t at = 0; at < rest.size; at++) {
        if (!is_digit(rest.at[at])) {
            return false;
        }
        size = size < EXPONENT_CLAMP ? size * 10 + (rest.at[at] - '0') : EXPONENT_CLAMP;
    }
    *exponent = negative ? -size : size;
    return rest.size > 0;
}

static bool read_decimal(struct text rest, struct decimal *decimal)
{
    *decimal = (struct decimal){0};
    bool has_point_first = text_starts(rest, TEXT("."));
    if (!has_point_first && !read_digits(&rest, decimal)) {
        return false;
    }
    if (text_starts(rest, TEXT("."))) {
        rest = text_from(rest, 1);
        if (!read_fraction(&rest, decimal)) {
            return false;
        }
    }
    if (rest.size == 0) {
        return true;
    }
    int64_t exponent = 0;
    if (!text_starts_nocase(rest, TEXT("e")) || !read_exponent(text_from(rest, 1), &exponent)) {
        return false;
    }
    decimal->power += exponent;
    return true;
}

/* digits × 10^power as a whole number of 0 to `most`. */
static bool to_whole(const struct decimal *decimal, int64_t power, int64_t most, int64_t *value)
{
    int64_t scaled = decimal->digits;
    if (scaled != 0 && (power < 0 || !scale_up(&scaled, power) || scaled > most)) {
        return false;
    }
    *value = scaled;
    return true;
}

bool money_parse_scaled(struct text text, int scale, int64_t most, int64_t *value)
{
    struct decimal decimal;
    return read_decimal(text, &decimal) && to_whole(&decimal, decimal.power + scale, most, value);
}

bool money_parse_scaled_up(struct text text, int scale, int64_t most, int64_t *value)
{
    struct decimal decimal;
    if (!read_decimal(text, &decimal)) {
        return false;
    }
    int64_t power = decimal.power + scale;
    bool finer = false;
    for (; power < 0 && decimal.digits != 0; power++) {
        finer = finer || decimal.digits % 10 != 0;
        decimal.digits /= 10;
    }
    decimal.digits += finer;
    return to_whole(&decimal, power < 0 ? 0 : power, most, value);
}

bool money_parse(struct text dollars, struct money *amount)
{
    return money_parse_scaled(dollars, NANO_DECIMALS, MONEY_MOST.nano, &amount->nano);
}

/* Exact decimal dollars without a sign, with at least `least_decimals`. At most 20 characters. */
static int print_dollars(uint64_t nano, int least_decimals, char out[MONEY_STRING_SIZE])
{
    char digits[MONEY_STRING_SIZE];
    int at = MONEY_STRING_SIZE;
    uint64_t whole = nano / NANO_PER_USD, part = nano % NANO_PER_USD;
    for (int i = 0; i < NANO_DECIMALS; i++, part /= 10)
        digits[--at] = (char)('0' + part % 10);
    digits[--at] = '.';
    do {
        digits[--at] = (char)('0' + whole % 10);
        whole /= 10;
    } while (whole > 0);
    int size = MONEY_STRING_SIZE - at;
    memcpy(out, digits + at, (size_t)size);
    int shortest = size - NANO_DECIMALS + least_decimals;
    while (size > shortest && out[size - 1] == '0') {
        size--;
    }
    if (out[size - 1] == '.') {
        size--;
    }
    out[size] = '\0';
    return size;
}

/* Without overflow for INT64_MIN. */
static uint64_t magnitude(struct money amount)
{
    return amount.nano < 0 ? -(uint64_t)amount.nano : (uint64_t)amount.nano;
}

void money_put(struct buffer *out, struct money amount)
{
    char dollars[MONEY_STRING_SIZE];
    int size = print_dollars(magnitude(amount), 0, dollars);
    if (amount.nano < 0) {
        buffer_put_byte(out, '-');
    }
    buffer_put(out, text_make(dollars, (size_t)size));
}

const char *money_string(struct money amount, char out[MONEY_STRING_SIZE])
{
    char dollars[MONEY_STRING_SIZE];
    int size = print_dollars(magnitude(amount), 2, dollars);
    snprintf(out, MONEY_STRING_SIZE, "%s$%.*s", amount.nano < 0 ? "-" : "", size, dollars);
    return out;
}
