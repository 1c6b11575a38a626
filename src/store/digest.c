/* digest - see digest.h. */
#include "store/digest.h"

#include <string.h>

static const char digits[] = "0123456789abcdef";

const char *
digest_text(char text[static DIGEST_TEXT_MAX], const uint8_t digest[static 32])
{
    for (int i = 0; i < 32; i++) {
        text[2 * i] = digits[digest[i] >> 4];
        text[2 * i + 1] = digits[digest[i] & 15];
    }
    text[64] = '\0';
    return text;
}

bool
digest_read(const char *text, uint8_t digest[static 32])
{
    if (strlen(text) != 64 || strspn(text, digits) != 64)
        return false;
    for (int i = 0; i < 32; i++) {
        size_t high = (size_t) (strchr(digits, text[2 * i]) - digits);
        size_t low = (size_t) (strchr(digits, text[2 * i + 1]) - digits);
        digest[i] = (uint8_t) (high << 4 | low);
    }
    return true;
}
