/* s3_date - see s3_date.h. */
#include "s3/s3_date.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

struct moment {
    unsigned year, month, day, hour, minute, second; /* month and day from 1 */
};

static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char day_names[] = "MonTueWedThuFriSatSun";

/* Take exactly `digits` digits. */
static bool
number_take(const char **at, unsigned digits, unsigned *number)
{
    *number = 0;
    for (unsigned i = 0; i < digits; i++, (*at)++) {
        if (!isdigit((unsigned char) **at))
            return false;
        *number = *number * 10 + (unsigned) (**at - '0');
    }
    return true;
}

static bool
text_take(const char **at, const char *expected)
{
    size_t size = strlen(expected);

    if (strncmp(*at, expected, size) != 0)
        return false;
    *at += size;
    return true;
}

/* Take one of the names, three letters each. */
static bool
name_take(const char **at, const char *names, unsigned *index)
{
    for (*index = 0; names[*index * 3] != '\0'; (*index)++)
        if (strncmp(*at, names + *index * 3, 3) == 0) {
            *at += 3;
            return true;
        }
    return false;
}

static unsigned
month_days(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

/* A leap second counts as the first second of the next minute. */
static bool
moment_ms(const struct moment *moment, uint64_t *epoch_ms)
{
    uint64_t days = 0;

    if (moment->year < 1970 || moment->month < 1 || moment->month > 12 || moment->day < 1 ||
        moment->day > month_days(moment->year, moment->month) || moment->hour > 23 ||
        moment->minute > 59 || moment->second > 60)
        return false;
    for (unsigned year = 1970; year < moment->year; year++)
        days += month_days(year, 2) == 29 ? 366 : 365;
    for (unsigned month = 1; month < moment->month; month++)
        days += month_days(moment->year, month);
    days += moment->day - 1;
    *epoch_ms = (((days * 24 + moment->hour) * 60 + moment->minute) * 60 + moment->second) * 1000;
    return true;
}

static bool
clock_take(const char **at, struct moment *moment)
{
    return number_take(at, 2, &moment->hour) && text_take(at, ":") &&
           number_take(at, 2, &moment->minute) && text_take(at, ":") &&
           number_take(at, 2, &moment->second);
}

bool
s3_date_http(const char *text, uint64_t *epoch_ms)
{
    struct moment moment;
    unsigned weekday;

    if (!name_take(&text, day_names, &weekday) || !text_take(&text, ", ") ||
        !number_take(&text, 2, &moment.day) || !text_take(&text, " ") ||
        !name_take(&text, month_names, &moment.month) || !text_take(&text, " ") ||
        !number_take(&text, 4, &moment.year) || !text_take(&text, " ") ||
        !clock_take(&text, &moment) || strcmp(text, " GMT") != 0)
        return false;
    moment.month++;
    return moment_ms(&moment, epoch_ms);
}

bool
s3_date_iso(const char *text, uint64_t *epoch_ms)
{
    struct moment moment;
    uint64_t ms;
    unsigned thousandths = 0;

    if (!number_take(&text, 4, &moment.year) || !text_take(&text, "-") ||
        !number_take(&text, 2, &moment.month) || !text_take(&text, "-") ||
        !number_take(&text, 2, &moment.day) || !text_take(&text, "T") ||
        !clock_take(&text, &moment))
        return false;
    if (*text == '.') {
        text++;
        unsigned weight = 100;
        if (!isdigit((unsigned char) *text))
            return false;
        for (; isdigit((unsigned char) *text); text++, weight /= 10)
            thousandths += weight * (unsigned) (*text - '0');
    }
    if (strcmp(text, "Z") != 0 || !moment_ms(&moment, &ms))
        return false;
    *epoch_ms = ms + thousandths;
    return true;
}
