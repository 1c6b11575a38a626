/* mask_time - the transformers that make dates, times and uuids, in the forms that every
 * DateStyle reads. */
#include <assert.h>

#include "transform/mask.h"

enum { YEAR_FIRST = 1950, YEAR_LAST = 2030 };

unsigned
month_days(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    assert(month >= 1 && month <= 12);
    return days[month - 1] + (month == 2 && leap);
}

static void
two_put(struct result *result, unsigned number)
{
    result_put(result, (char) ('0' + number / 10));
    result_put(result, (char) ('0' + number % 10));
}

/* All that is drawn of one number: there are fewer than 2^32 seconds from 1950 to 2030. */
void
mask_random_date(const struct mask *mask, const struct value *value, struct random *random,
                 struct result *result)
{
    (void) value;
    uint64_t draw = random_next(random);
    unsigned year = YEAR_FIRST + random_digit(&draw, YEAR_LAST - YEAR_FIRST + 1);
    unsigned month = 1 + random_digit(&draw, 12);
    unsigned day = 1 + random_digit(&draw, month_days(year, month));

    two_put(result, year / 100);
    two_put(result, year % 100);
    result_put(result, '-');
    two_put(result, month);
    result_put(result, '-');
    two_put(result, day);
    if (mask->column->kind != VALUE_TIMESTAMP)
        return;
    result_put(result, ' ');
    two_put(result, random_digit(&draw, 24));
    result_put(result, ':');
    two_put(result, random_digit(&draw, 60));
    result_put(result, ':');
    two_put(result, random_digit(&draw, 60));
    if (mask->column->with_zone)
        result_add(result, "+00", 3);
}

/* RFC 9562, version 4: four bits of version, two of variant, the rest random. */
void
mask_random_uuid(const struct mask *mask, const struct value *value, struct random *random,
                 struct result *result)
{
    (void) mask, (void) value;
    static const char digits[] = "0123456789abcdef";
    uint64_t halves[] = {random_next(random), random_next(random)};

    halves[0] = (halves[0] & ~UINT64_C(0xF000)) | 0x4000;
    halves[1] = (halves[1] & ~(UINT64_C(3) << 62)) | UINT64_C(2) << 62;
    for (unsigned i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            result_put(result, '-');
        result_put(result, digits[halves[i / 16] >> (60 - i % 16 * 4) & 15]);
    }
}
