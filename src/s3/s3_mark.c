/* s3_mark - see s3_mark.h. */
#include "s3/s3_mark.h"

#include <stdint.h>

#include "base/random.h"

void
s3_mark_draw(char mark[static S3_MARK_MAX])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[S3_MARK_MAX / 2];

    random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        mark[2 * i] = digits[bytes[i] >> 4];
        mark[2 * i + 1] = digits[bytes[i] & 15];
    }
    mark[2 * sizeof bytes] = '\0';
}
