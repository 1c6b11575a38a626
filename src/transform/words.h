/* words - questions to eight bytes at once, by arithmetic: short values are not worth a vector, and
 * a call of musl's memchr() costs more than they do.
 *
 * Threads: any. */
#ifndef TRANSFORM_WORDS_H
#define TRANSFORM_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { WORD_BYTES = 8 };

/* Eight bytes; their order is the machine's. */
static inline uint64_t
word_load(const uint8_t *data)
{
    uint64_t word;
    memcpy(&word, data, sizeof word);
    return word;
}

/* 1 to 7 bytes, some of them twice, filled up with a letter. */
static inline uint64_t
word_load_few(const uint8_t *data, size_t size)
{
    uint32_t first, last;

    if (size < 4)
        return UINT64_C(0x7878787878000000) | (uint64_t) data[0] << 16 |
               (uint64_t) data[size / 2] << 8 | data[size - 1];
    memcpy(&first, data, sizeof first);
    memcpy(&last, data + size - sizeof last, sizeof last);
    return (uint64_t) first << 32 | last;
}

/* Whether one of the bytes is below the limit, at most 128. */
static inline bool
word_has_below(uint64_t word, uint8_t limit)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    return ((word - ones * limit) & ~word & ones << 7) != 0;
}

/* Whether one of them is this one. */
static inline bool
word_has(uint64_t word, uint8_t byte)
{
    return word_has_below(word ^ UINT64_C(0x0101010101010101) * byte, 1);
}

/* Whether all of them are ASCII. */
static inline bool
word_is_ascii(uint64_t word)
{
    return (word & UINT64_C(0x8080808080808080)) == 0;
}

/* How many of them continue a character of UTF-8: 10xxxxxx. */
static inline size_t
word_continuations(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    return (size_t) ((word >> 7 & ~(word >> 6) & ones) * ones >> 56);
}

#endif
