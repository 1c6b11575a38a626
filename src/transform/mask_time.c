/* mask_time - the transformers that make dates, times and uuids, in the forms that every
 * DateStyle reads. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

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

void
mask_random_date(const struct mask *mask, const struct value *value, struct random *random,
                 struct result *result)
{
    (void) value;
    char text[64];
    unsigned year = YEAR_FIRST + (unsigned) random_below(random, YEAR_LAST - YEAR_FIRST + 1);
    unsigned month = 1 + (unsigned) random_below(random, 12);
    unsigned day = 1 + (unsigned) random_below(random, month_days(year, month));
    unsigned second = (unsigned) random_below(random, 24 * 60 * 60);
    int size = snprintf(text, sizeof text, "%04u-%02u-%02u", year, month, day);

    if (mask->column->kind == VALUE_TIMESTAMP)
        size += snprintf(text + size, sizeof text - (size_t) size, " %02u:%02u:%02u%s",
                         second / 3600, second / 60 % 60, second % 60,
                         mask->column->with_zone ? "+00" : "");
    assert(size > 0 && (size_t) size < sizeof text);
    result_add(result, text, (size_t) size);
}

/* RFC 9562, version 4: four bits of version, two of variant, the rest random. */
void
mask_random_uuid(const struct mask *mask, const struct value *value, struct random *random,
                 struct result *result)
{
    (void) mask, (void) value;
    char text[37];
    uint64_t high = random_next(random), low = random_next(random);

    high = (high & ~UINT64_C(0xF000)) | 0x4000;
    low = (low & ~(UINT64_C(3) << 62)) | UINT64_C(2) << 62;
    snprintf(text, sizeof text, "%08x-%04x-%04x-%04x-%012llx", (unsigned) (high >> 32),
             (unsigned) (high >> 16 & 0xFFFF), (unsigned) (high & 0xFFFF), (unsigned) (low >> 48),
             (unsigned long long) (low & UINT64_C(0xFFFFFFFFFFFF)));
    result_add(result, text, sizeof text - 1);
}
