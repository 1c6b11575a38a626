/* mask_choices - how many results each transformer may make of one value: by that a rule is held
 * against a unique constraint before the first byte (constraints.h).  A result that must differ
 * from the original is one less; nobody counts that. */
#include <math.h>

#include "transform/mask.h"

enum {
    CHARACTERS_ALL = 62,   /* of random texts: digits, small and large letters */
    CHARACTERS_LOWER = 36, /* of addresses */
    CARD_DRAWN = 14,       /* digits of a card that are drawn: neither the first nor the last */
};

static const double dates = 81 * 365.25, day_seconds = 86400; /* 1950 to 2030 */

double
choices_one(const struct mask *mask, const struct value *value, struct kept *kept)
{
    (void) mask, (void) value, (void) kept;
    return 1;
}

double
choices_date(const struct mask *mask, const struct value *value, struct kept *kept)
{
    (void) value, (void) kept;
    return mask->column->kind == VALUE_TIMESTAMP ? dates * day_seconds : dates;
}

static size_t
smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool
is_negative(const struct value *value)
{
    return value->size > 0 && value->data[0] == '-';
}

/* Other digits in the same places; what happens to be the original is replaced by any number. */
static double
choices_digits(const struct value *value, struct kept *kept)
{
    size_t whole = 0, fraction = 0;
    bool point = false;

    for (size_t i = is_negative(value); i < value->size && value->data[i] != 'e'; i++) {
        bool digit = value->data[i] >= '0' && value->data[i] <= '9';
        point = point || value->data[i] == '.';
        whole += digit && !point;
        fraction += digit && point;
    }
    *kept = (struct kept){.shape = (whole * TRANSFORM_FIELD_BYTES + fraction) * 2 +
                                   is_negative(value), .others = true};
    return pow(10, (double) (whole + fraction > 0 ? whole + fraction : 1));
}

double
choices_random(const struct mask *mask, const struct value *value, struct kept *kept)
{
    switch (mask->column->kind) {
    case VALUE_TEXT:
        return pow(CHARACTERS_ALL, (double) smaller(value->characters, mask->room));
    case VALUE_INTEGER:
        kept->shape = is_negative(value);
        return pow(2, mask->column->byte_width * 8 - 1);
    case VALUE_NUMERIC:
    case VALUE_FLOAT:
        return choices_digits(value, kept);
    case VALUE_BOOLEAN:
        return 2;
    case VALUE_UUID:
        return pow(2, 122);
    default:
        return choices_date(mask, value, kept);
    }
}

/* A column of one character gets an initial. */
double
choices_first_name(const struct mask *mask, const struct value *value, struct kept *kept)
{
    (void) value, (void) kept;
    return mask->choices > 0 ? (double) mask->choices : 26;
}

double
choices_email(const struct mask *mask, const struct value *value, struct kept *kept)
{
    const uint8_t *domain;
    size_t size, local;

    if (mask_email_parts(mask, value, &domain, &size, &local))
        *kept = (struct kept){.data = domain, .size = size};
    return pow(CHARACTERS_LOWER, (double) (local > 0 ? local : mask->room));
}

/* What says no more than its first character gets another one, or where numeric(p,s) holds no
 * digit before the point, up to six. */
double
choices_keep_first(const struct mask *mask, const struct value *value, struct kept *kept)
{
    size_t negative = is_negative(value);

    if (mask->column->kind == VALUE_TEXT)
        return value->characters > 1 ? 1 : CHARACTERS_ALL;
    if (value->size == 0)
        return 1;
    if (value->size > negative && value->data[negative] >= '0' && value->data[negative] <= '9' &&
        !numbers_same(value->data, value->size, value->data, negative + 1))
        return 1;
    kept->shape = negative;
    return mask->column->precision > 0 && mask->column->scale >= mask->column->precision ? 1e6 : 10;
}

/* The forms of mask_phone_number: the first digits are 2 to 9. */
double
choices_phone(const struct mask *mask, const struct value *value, struct kept *kept)
{
    (void) value, (void) kept;
    return mask->room >= 10 ? 8e6 : 8 * pow(10, (double) smaller(mask->room, 9) - 1);
}

double
choices_card(const struct mask *mask, const struct value *value, struct kept *kept)
{
    (void) mask, (void) value, (void) kept;
    return pow(10, CARD_DRAWN);
}
