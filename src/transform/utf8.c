/* utf8 - see mask.h.  Strict: no overlong forms, no surrogates, nothing above U+10FFFF. */
#include "transform/mask.h"
#include "transform/words.h"

/* Bytes of the character at data, or 0 when it is not a whole valid one. */
static size_t
character_size(const uint8_t *data, size_t size)
{
    uint8_t lead = data[0], low = 0x80, high = 0xBF;
    size_t wanted = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;

    if (lead > 0xF4 || wanted > size)
        return 0;
    if (lead == 0xE0)
        low = 0xA0;
    if (lead == 0xED)
        high = 0x9F;
    if (lead == 0xF0)
        low = 0x90;
    if (lead == 0xF4)
        high = 0x8F;
    for (size_t i = 1; i < wanted; i++) {
        if (data[i] < low || data[i] > high)
            return 0;
        low = 0x80;
        high = 0xBF;
    }
    return wanted;
}

bool
utf8_is_ascii(const uint8_t *data, size_t size)
{
    size_t at = 0;

    for (; size - at >= WORD_BYTES; at += WORD_BYTES)
        if (!word_is_ascii(word_load(data + at)))
            return false;
    return at == size || word_is_ascii(word_load_few(data + at, size - at));
}

size_t
utf8_valid_size(const uint8_t *data, size_t size)
{
    size_t at = 0;

    while (at < size) {
        if (size - at >= WORD_BYTES && word_is_ascii(word_load(data + at))) {
            at += WORD_BYTES;
            continue;
        }
        size_t character = data[at] < 0x80 ? 1 : character_size(data + at, size - at);
        if (character == 0)
            break;
        at += character;
    }
    return at;
}

size_t
utf8_characters(const uint8_t *data, size_t size)
{
    size_t characters = 0, i = 0;

    for (; size - i >= WORD_BYTES; i += WORD_BYTES)
        characters += WORD_BYTES - word_continuations(word_load(data + i));
    for (; i < size; i++)
        characters += (data[i] & 0xC0) != 0x80;
    return characters;
}

size_t
utf8_prefix(const uint8_t *data, size_t size, size_t characters)
{
    size_t at = 0;

    for (; at < size; at++)
        if ((data[at] & 0xC0) != 0x80 && characters-- == 0)
            break;
    return at;
}
