/* copy_value - see copy_value.h. */
#include "transform/copy_value.h"

#include <string.h>

static const char letters[] = "bfnrtv", letter_bytes[] = "\b\f\n\r\t\v";

bool
copy_value_is_null(const uint8_t *data, size_t size)
{
    return size == 2 && data[0] == '\\' && data[1] == 'N';
}

static int
hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Read one escape behind its backslash.  Returns the bytes read, 0 when it may go on behind the
 * end. */
static size_t
escape_read(const uint8_t *data, size_t size, bool cut, uint8_t *byte)
{
    const char *letter = memchr(letters, data[0], sizeof letters - 1);
    size_t at = 1, most = 3;
    unsigned number = 0;

    *byte = data[0];
    if (letter != NULL)
        *byte = (uint8_t) letter_bytes[letter - letters];
    if (data[0] >= '0' && data[0] <= '7') {
        for (at = 0; at < most && at < size && data[at] >= '0' && data[at] <= '7'; at++)
            number = number * 8 + (data[at] - '0');
        *byte = (uint8_t) number;
    } else if (data[0] == 'x') {
        for (; at < most && at < size && hex_digit(data[at]) >= 0; at++)
            number = number * 16 + (unsigned) hex_digit(data[at]);
        if (at > 1)
            *byte = (uint8_t) number;
    } else {
        most = 1;
    }
    return cut && at == size && at < most ? 0 : at;
}

size_t
copy_value_read(uint8_t *data, size_t size, bool cut)
{
    uint8_t *first = size > 0 ? memchr(data, '\\', size) : NULL;
    if (first == NULL)
        return size;

    size_t from = (size_t) (first - data), to = from;
    while (from < size) {
        if (data[from] != '\\') {
            data[to++] = data[from++];
            continue;
        }
        if (++from == size)
            break;
        size_t used = escape_read(data + from, size - from, cut, &data[to]);
        if (used == 0)
            break;
        from += used;
        to++;
    }
    return to;
}

size_t
copy_value_write(const uint8_t *data, size_t size, uint8_t *target)
{
    size_t to = 0;

    for (size_t i = 0; i < size; i++) {
        const char *byte =
            data[i] > '\r' ? NULL : memchr(letter_bytes, data[i], sizeof letters - 1);
        if (byte != NULL || data[i] == '\\')
            target[to++] = '\\';
        target[to++] = byte != NULL ? (uint8_t) letters[byte - letter_bytes] : data[i];
    }
    return to;
}
