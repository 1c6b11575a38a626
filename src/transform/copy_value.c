/* copy_value - see copy_value.h. */
#include "transform/copy_value.h"

#include <string.h>

#include "base/copy.h"
#include "transform/words.h"

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

bool
copy_value_is_plain(const uint8_t *data, size_t size)
{
    size_t at = 0;

    for (; size - at >= WORD_BYTES; at += WORD_BYTES)
        if (word_has(word_load(data + at), '\\'))
            return false;
    return at == size || !word_has(word_load_few(data + at, size - at), '\\');
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

/* What stands behind the backslash for this byte; 0: it needs none. */
static uint8_t
letter_of(uint8_t byte)
{
    static const char by_byte[] = "btnvfr"; /* from \b, 8, to \r, 13 */

    if (byte >= '\b' && byte <= '\r')
        return (uint8_t) by_byte[byte - '\b'];
    return byte == '\\' ? byte : 0;
}

static size_t
bytes_write(const uint8_t *data, size_t size, uint8_t *target)
{
    size_t to = 0;

    for (size_t i = 0; i < size; i++) {
        uint8_t letter = letter_of(data[i]);
        if (letter != 0)
            target[to++] = '\\';
        target[to++] = letter != 0 ? letter : data[i];
    }
    return to;
}

/* Whether eight bytes may need an escape. */
static bool
word_is_doubtful(uint64_t word)
{
    return word_has_below(word, '\r' + 1) || word_has(word, '\\');
}

size_t
copy_value_write(const uint8_t *data, size_t size, uint8_t *target)
{
    size_t at = 0, to = 0;

    for (; size - at >= WORD_BYTES; at += WORD_BYTES) {
        uint64_t word = word_load(data + at);
        if (word_is_doubtful(word)) {
            to += bytes_write(data + at, WORD_BYTES, target + to);
        } else {
            memcpy(target + to, &word, sizeof word);
            to += sizeof word;
        }
    }
    size_t left = size - at;
    if (left == 0)
        return to;
    if (word_is_doubtful(word_load_few(data + at, left)))
        return to + bytes_write(data + at, left, target + to);
    copy_small(target + to, data + at, left);
    return to + left;
}
