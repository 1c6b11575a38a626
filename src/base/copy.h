/* copy - memcpy() for sizes that are few bytes more often than not.
 *
 * musl's memcpy() is "rep movsq" on x86: some 35 cycles before the first byte moves, and a call.
 * Here whatever is below COPY_SMALL_BYTES moves in whole words that overlap at the end, inline.
 *
 * Threads: any. */
#ifndef BASE_COPY_H
#define BASE_COPY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { COPY_SMALL_BYTES = 1024 };

/* Copy size bytes; nothing outside of them is read or written.  The two do not overlap. */
static inline void
copy_small(uint8_t *target, const uint8_t *source, size_t size)
{
    if (size >= COPY_SMALL_BYTES) {
        memcpy(target, source, size);
    } else if (size >= 16) {
        size_t at = 0;
        for (; at + 32 < size; at += 32) {
            memcpy(target + at, source + at, 16);
            memcpy(target + at + 16, source + at + 16, 16);
        }
        if (at + 16 < size)
            memcpy(target + at, source + at, 16);
        memcpy(target + size - 16, source + size - 16, 16);
    } else if (size >= 8) {
        memcpy(target, source, 8);
        memcpy(target + size - 8, source + size - 8, 8);
    } else if (size >= 4) {
        memcpy(target, source, 4);
        memcpy(target + size - 4, source + size - 4, 4);
    } else if (size > 0) {
        target[0] = source[0];
        target[size / 2] = source[size / 2];
        target[size - 1] = source[size - 1];
    }
}

#endif
