/* fixed_value - whether a column would take the value of fixed(...): better said before the dump
 * than by the restore.  Stricter than the server where that keeps the check small (no
 * hexadecimal, no 'today'). */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "transform/mask.h"

static const char digits[] = "0123456789";

static bool
check_text(const struct column *column, const char *value, struct text *why)
{
    bool bytes = strcmp(column->base_type, "name") == 0;
    size_t size = strlen(value), limit = (size_t) column->length_max;

    while (column->blank_padded && size > 0 && value[size - 1] == ' ')
        size--;
    size_t length = bytes ? size : utf8_characters((const uint8_t *) value, size);
    if (limit == 0 || length <= limit)
        return true;
    text_addf(why, "the value has %zu %s, the column holds %zu", length,
              bytes ? "bytes" : "characters", limit);
    return false;
}

static bool
check_integer(const struct column *column, const char *value, struct text *why)
{
    const char *number = value + (value[0] == '-' || value[0] == '+');
    long long max = (long long) ((UINT64_C(1) << (column->byte_width * 8 - 1)) - 1);

    if (number[0] == '\0' || number[strspn(number, digits)] != '\0') {
        text_add(why, "the value is not an integer");
        return false;
    }
    errno = 0;
    long long read = strtoll(value, NULL, 10);
    if (errno == 0 && read <= max && read >= -max - 1)
        return true;
    text_addf(why, "the value is out of range: %lld to %lld", -max - 1, max);
    return false;
}

/* Read digits[.digits][e[+-]digits]; where the three pieces begin. */
static bool
decimal_read(const char *at, const char **whole, const char **fraction, const char **exponent)
{
    at += *at == '-' || *at == '+';
    *whole = at;
    size_t count = strspn(at, digits);
    at += count;
    *fraction = at;
    if (*at == '.') {
        *fraction = ++at;
        count += strspn(at, digits);
        at += strspn(at, digits);
    }
    *exponent = at;
    if (count > 0 && (*at == 'e' || *at == 'E')) {
        at++;
        at += *at == '-' || *at == '+';
        count = strspn(at, digits);
        at += count;
    }
    return count > 0 && *at == '\0';
}

/* The server would round what has too many decimals, and might round it up and out of range. */
static bool
check_numeric(const struct column *column, const char *value, struct text *why)
{
    const char *whole, *fraction, *exponent;

    if (strcasecmp(value, "nan") == 0)
        return true;
    if (!decimal_read(value, &whole, &fraction, &exponent)) {
        text_add(why, "the value is not a number");
        return false;
    }
    if (column->precision == 0)
        return true;
    if (*exponent != '\0') {
        text_add(why, "write the value without an exponent");
        return false;
    }
    const char *fraction_end = exponent;
    whole += strspn(whole, "0");
    size_t whole_size = strspn(whole, digits), zeros = 0;
    while (fraction_end > fraction && fraction_end[-1] == '0')
        fraction_end--;
    while (zeros < whole_size && whole[whole_size - zeros - 1] == '0')
        zeros++;
    long room = (long) column->precision - column->scale;
    bool rounded = fraction_end - fraction > (column->scale > 0 ? column->scale : 0) ||
                   (column->scale < 0 && whole_size > 0 && zeros < (size_t) -column->scale);
    if (!rounded && (long) whole_size <= (room > 0 ? room : 0)) {
        size_t leading = strspn(fraction, "0");
        if (room >= 0 || fraction_end <= fraction || (long) leading >= -room)
            return true;
    }
    text_addf(why, "the value does not fit numeric(%d,%d)", column->precision, column->scale);
    return false;
}

static bool
check_float(const struct column *column, const char *value, struct text *why)
{
    static const char *const names[] = {"nan", "infinity", "-infinity"};
    const char *whole, *fraction, *exponent;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(value, names[i]) == 0)
            return true;
    if (!decimal_read(value, &whole, &fraction, &exponent)) {
        text_add(why, "the value is not a number");
        return false;
    }
    double number = fabs(strtod(value, NULL));
    bool narrow = column->byte_width == 4;
    bool zero = strspn(whole, "0.") == (size_t) (exponent - whole);
    if (number <= (narrow ? (double) FLT_MAX : DBL_MAX) &&
        (zero || number >= (narrow ? (double) FLT_MIN : DBL_MIN)))
        return true;
    text_add(why, "the value is out of range");
    return false;
}

static bool
check_boolean(const struct column *column, const char *value, struct text *why)
{
    static const char *const names[] = {"true", "false", "yes", "no", "on", "off", "1", "0",
                                        "t", "f", "y", "n"};

    (void) column;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(value, names[i]) == 0)
            return true;
    text_add(why, "the value is not a boolean: true or false");
    return false;
}

/* A number of exactly so many digits; *at moves behind it. */
static bool
number_read(const char **at, size_t size, unsigned low, unsigned high, unsigned *number)
{
    *number = 0;
    for (size_t i = 0; i < size; i++, ++*at) {
        if (**at < '0' || **at > '9')
            return false;
        *number = *number * 10 + (unsigned) (**at - '0');
    }
    return *number >= low && *number <= high;
}

static bool
expect(const char **at, char c)
{
    if (**at != c)
        return false;
    ++*at;
    return true;
}

static bool
date_read(const char **at)
{
    unsigned year, month, day;

    return number_read(at, 4, 1, 9999, &year) && expect(at, '-') &&
           number_read(at, 2, 1, 12, &month) && expect(at, '-') &&
           number_read(at, 2, 1, 31, &day) && day <= month_days(year, month);
}

/* hours:minutes[:seconds[.fraction]] */
static bool
time_read(const char **at)
{
    unsigned part;

    if (!number_read(at, 2, 0, 23, &part) || !expect(at, ':') || !number_read(at, 2, 0, 59, &part))
        return false;
    if (**at != ':')
        return true;
    ++*at;
    if (!number_read(at, 2, 0, 59, &part))
        return false;
    if (**at == '.') {
        size_t count = strspn(++*at, digits);
        *at += count;
        return count > 0;
    }
    return true;
}

/* Z, +hh or +hh:mm; nothing is fine too. */
static bool
zone_read(const char **at)
{
    unsigned part;

    if (**at == '\0' || expect(at, 'Z'))
        return true;
    return (expect(at, '+') || expect(at, '-')) && number_read(at, 2, 0, 15, &part) &&
           (**at == '\0' || (expect(at, ':') && number_read(at, 2, 0, 59, &part)));
}

static bool
check_time(const struct column *column, const char *value, struct text *why)
{
    const char *at = value;
    bool stamp = column->kind == VALUE_TIMESTAMP;

    if (strcasecmp(value, "infinity") == 0 || strcasecmp(value, "-infinity") == 0)
        return true;
    bool good = date_read(&at);
    if (good && stamp && (*at == ' ' || *at == 'T')) {
        at++;
        good = time_read(&at) && (!column->with_zone || zone_read(&at));
    }
    if (good && *at == '\0')
        return true;
    text_addf(why, "the value is not a valid %s%s", stamp ? "time: YYYY-MM-DD HH:MM:SS" : "date: "
              "YYYY-MM-DD", column->with_zone ? "+HH:MM" : "");
    return false;
}

static bool
check_uuid(const struct column *column, const char *value, struct text *why)
{
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    static const char hex[] = "0123456789abcdefABCDEF";
    bool good = strlen(value) == sizeof form - 1;

    (void) column;
    for (size_t i = 0; good && i < sizeof form - 1; i++)
        good = form[i] == '-' ? value[i] == '-' : strchr(hex, value[i]) != NULL;
    if (!good)
        text_addf(why, "the value is not a uuid: %s", form);
    return good;
}

bool
fixed_value_check(const struct column *column, const char *value, struct text *why)
{
    static bool (*const by_kind[])(const struct column *, const char *, struct text *) = {
        [VALUE_OTHER] = NULL,         [VALUE_TEXT] = check_text,
        [VALUE_INTEGER] = check_integer, [VALUE_NUMERIC] = check_numeric,
        [VALUE_FLOAT] = check_float,  [VALUE_BOOLEAN] = check_boolean,
        [VALUE_DATE] = check_time,    [VALUE_TIMESTAMP] = check_time,
        [VALUE_UUID] = check_uuid,
    };

    return by_kind[column->kind] == NULL || by_kind[column->kind](column, value, why);
}
