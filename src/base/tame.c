/* tame - see tame.h. */
#include "base/tame.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* The ranges of the second byte shut out overlong forms, surrogates and what lies above 10FFFF. */
size_t
utf8_read(const char *at, const char *end, unsigned *point)
{
    const unsigned char *byte = (const unsigned char *) at;
    unsigned char low = 0x80, high = 0xbf;
    size_t size;

    assert(at < end);
    *point = byte[0];
    if (byte[0] < 0x80)
        return 1;
    if (byte[0] < 0xc2 || byte[0] > 0xf4)
        return 0;
    size = byte[0] < 0xe0 ? 2 : byte[0] < 0xf0 ? 3 : 4;
    if ((size_t) (end - at) < size)
        return 0;

    if (byte[0] == 0xe0)
        low = 0xa0;
    else if (byte[0] == 0xed)
        high = 0x9f;
    else if (byte[0] == 0xf0)
        low = 0x90;
    else if (byte[0] == 0xf4)
        high = 0x8f;
    *point = byte[0] & (0xffu >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        if (byte[i] < low || byte[i] > high)
            return 0;
        *point = *point << 6 | (byte[i] & 0x3f);
        low = 0x80;
        high = 0xbf;
    }
    return size;
}

bool
point_is_wild(unsigned point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0) ||
           (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
}

/* The next character as it may be shown, 1..TAME_BYTES_MAX bytes; *at moves behind it. */
static size_t
next(const char **at, const char *end, char shown[static TAME_BYTES_MAX + 1])
{
    static const char letters[] = "nrt", meanings[] = "\n\r\t";
    unsigned point;
    size_t size = utf8_read(*at, end, &point);
    const char *begin = *at, *letter;

    *at += size == 0 ? 1 : size;
    if (size > 0 && !point_is_wild(point)) {
        memcpy(shown, begin, size);
        return size;
    }
    letter = point == 0 ? NULL : strchr(meanings, (int) point);
    if (size == 1 && letter != NULL)
        return (size_t) snprintf(shown, TAME_BYTES_MAX + 1, "\\%c", letters[letter - meanings]);
    return (size_t) snprintf(shown, TAME_BYTES_MAX + 1, size > 1 ? "\\u%04x" : "\\x%02x",
                             size > 1 ? point : (unsigned char) *begin);
}

void
text_add_tame(struct text *text, const char *words)
{
    const char *end = words + strlen(words);
    char shown[TAME_BYTES_MAX + 1];

    while (words < end) {
        size_t size = next(&words, end, shown);
        text_add_bytes(text, shown, size);
    }
}

bool
tame_copy(char *target, size_t target_size, const char *words)
{
    const char *end = words + strlen(words);
    char shown[TAME_BYTES_MAX + 1];
    size_t used = 0, size = 0;

    assert(target_size > 0);
    while (words < end) {
        size = next(&words, end, shown);
        if (used + size >= target_size)
            break;
        memcpy(target + used, shown, size);
        used += size;
        size = 0;
    }
    target[used] = '\0';
    return size == 0;
}
