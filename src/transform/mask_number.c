/* mask_number - the transformers of numbers.  A number keeps its sign, so that columns which
 * demand a positive one still take it, and for numeric its count of digits, so that it fits
 * wherever it stood. */
#include <assert.h>
#include <string.h>

#include "transform/mask.h"

enum {
    CARD_DIGITS = 16,
    TEMPLATE_DIGITS = 6, /* before the point, where the value gives no shape: NaN, Infinity */
};

/* -0012.50: sign, digits before and after the point. */
struct number {
    bool negative;
    const uint8_t *whole, *fraction;
    size_t whole_size, fraction_size;
    bool plain; /* nothing else stands in the text, and there is a digit */
};

static size_t
digits_count(const uint8_t *data, const uint8_t *end)
{
    const uint8_t *at = data;

    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return (size_t) (at - data);
}

static struct number
number_of(const uint8_t *data, size_t size)
{
    const uint8_t *at = data, *end = data + size;
    struct number number = {.negative = size > 0 && data[0] == '-'};

    at += number.negative;
    number.whole = at;
    number.whole_size = digits_count(at, end);
    at += number.whole_size;
    number.fraction = at;
    if (at < end && *at == '.') {
        number.fraction = ++at;
        number.fraction_size = digits_count(at, end);
        at += number.fraction_size;
    }
    number.plain = at == end && number.whole_size + number.fraction_size > 0;
    return number;
}

static bool
number_is_zero(const struct number *number)
{
    return number->whole_size == 0 && number->fraction_size == 0;
}

static void
number_trim(struct number *number)
{
    while (number->whole_size > 0 && number->whole[0] == '0') {
        number->whole++;
        number->whole_size--;
    }
    while (number->fraction_size > 0 && number->fraction[number->fraction_size - 1] == '0')
        number->fraction_size--;
    if (number_is_zero(number))
        number->negative = false;
}

bool
numbers_same(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
    struct number x = number_of(a, a_size), y = number_of(b, b_size);

    if (!x.plain || !y.plain)
        return a_size == b_size && memcmp(a, b, a_size) == 0;
    number_trim(&x);
    number_trim(&y);
    return x.negative == y.negative && x.whole_size == y.whole_size &&
           x.fraction_size == y.fraction_size && memcmp(x.whole, y.whole, x.whole_size) == 0 &&
           memcmp(x.fraction, y.fraction, x.fraction_size) == 0;
}

static void
add_number(struct result *result, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;

    do
        digits[--at] = (char) ('0' + number % 10);
    while ((number /= 10) > 0);
    for (; at < sizeof digits; at++)
        result_put(result, digits[at]);
}

static void
add_digit(struct result *result, struct random *random, unsigned least)
{
    result_put(result, (char) ('0' + least + random_below(random, 10 - least)));
}

void
mask_random_integer(const struct mask *mask, const struct value *value, struct random *random,
                    struct result *result)
{
    unsigned width = (unsigned) mask->column->byte_width;
    assert(width == 2 || width == 4 || width == 8);
    uint64_t max = (UINT64_C(1) << (width * 8 - 1)) - 1;

    if (value->size > 0 && value->data[0] == '-') {
        result_put(result, '-');
        add_number(result, 1 + random_below(random, max + 1));
    } else {
        add_number(result, random_below(random, max + 1));
    }
}

/* A number out of nothing that numeric(precision, scale) takes; precision 0 is not declared. */
static void
add_template(struct result *result, struct random *random, int precision, int scale)
{
    int whole = precision == 0 ? 3 : precision - (scale > 0 ? scale : 0);

    for (int i = 0; i < whole && i < TEMPLATE_DIGITS; i++)
        add_digit(result, random, i == 0);
    if (whole <= 0)
        result_put(result, '0');
    if (scale < 0)
        result_fill(result, '0', (size_t) -scale);
    if (scale > 0)
        result_put(result, '.');
    for (int i = 0; i < scale; i++)
        if (i < scale - precision)
            result_put(result, '0');
        else
            add_digit(result, random, 0);
}

/* Other digits in the same places.  Places that the declaration keeps at zero stay zero: those
 * before the point of numeric(2,2), the first two behind it of numeric(2,4), the last three of
 * numeric(5,-3). */
static void
add_shaped(struct result *result, struct random *random, const struct number *shape, int precision,
           int scale)
{
    size_t zeros_behind = scale < 0 ? (size_t) -scale : 0;
    size_t zeros_first = precision > 0 && scale > precision ? (size_t) (scale - precision) : 0;
    bool zero_whole = precision > 0 && precision <= scale;

    for (size_t i = 0; i < shape->whole_size; i++)
        if (zero_whole || shape->whole_size - i <= zeros_behind)
            result_put(result, '0');
        else
            add_digit(result, random, i == 0 && (shape->whole_size > 1 || shape->negative));
    if (shape->fraction_size > 0)
        result_put(result, '.');
    for (size_t i = 0; i < shape->fraction_size; i++)
        if (i < zeros_first)
            result_put(result, '0');
        else
            add_digit(result, random, 0);
}

/* Where the shape allows one number only, as 0 in numeric(2,-3), the template takes over. */
static void
add_random(struct result *result, const struct value *value, struct random *random, int precision,
           int scale)
{
    struct number shape = number_of(value->data, value->size);
    size_t sign_size = shape.negative;

    if (shape.negative)
        result_put(result, '-');
    if (shape.whole_size > 0)
        add_shaped(result, random, &shape, precision, scale);
    if (shape.whole_size == 0 ||
        numbers_same(value->data, value->size, result->data, result->size)) {
        result->size = sign_size;
        add_template(result, random, precision, scale);
    }
}

void
mask_random_numeric(const struct mask *mask, const struct value *value, struct random *random,
                    struct result *result)
{
    add_random(result, value, random, mask->column->precision, mask->column->scale);
}

/* Without its exponent, the other digits cannot leave the range. */
void
mask_random_float(const struct mask *mask, const struct value *value, struct random *random,
                  struct result *result)
{
    (void) mask;
    add_random(result, value, random, 0, 0);
}

/* Drawn without a look at the value: see transform.h. */
void
mask_random_boolean(const struct mask *mask, const struct value *value, struct random *random,
                    struct result *result)
{
    (void) mask, (void) value;
    result_add(result, random_next(random) >> 63 ? "t" : "f", 1);
}

/* 12.50 becomes 1, -12 becomes -1.  What says no more than its first digit - 7, 7.00 - gets
 * another. */
void
mask_keep_first_number(const struct mask *mask, const struct value *value, struct random *random,
                       struct result *result)
{
    int precision = mask->column->precision, scale = mask->column->scale;
    bool holds_digit = precision == 0 || (scale >= 0 && scale < precision);
    struct number number = number_of(value->data, value->size);

    if (number.negative)
        result_put(result, '-');
    if (number.whole_size > 0)
        result_add(result, number.whole, 1);
    if (number.whole_size > 0 &&
        !numbers_same(value->data, value->size, result->data, result->size))
        return;

    result->size = number.negative;
    if (!holds_digit)
        add_template(result, random, precision, scale);
    else
        add_digit(result, random, number.negative);
}

/* The first digit is that of a large issuer, so that software which looks at it agrees. */
void
mask_credit_card(const struct mask *mask, const struct value *value, struct random *random,
                 struct result *result)
{
    (void) mask, (void) value;
    char digits[CARD_DIGITS] = {'4'};
    unsigned sum = 0;
    uint64_t draws[] = {random_next(random), random_next(random)}; /* seven digits of each */

    for (size_t i = 1; i < CARD_DIGITS - 1; i++)
        digits[i] = (char) ('0' + random_digit(&draws[i % 2], 10));
    for (size_t i = 0; i < CARD_DIGITS - 1; i++) {
        unsigned digit = (unsigned) (digits[i] - '0') << (i % 2 == 0);
        sum += digit > 9 ? digit - 9 : digit;
    }
    digits[CARD_DIGITS - 1] = (char) ('0' + (10 - sum % 10) % 10);
    result_add(result, digits, sizeof digits);
}
