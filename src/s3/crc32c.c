/* crc32c - see crc32c.h.
 *
 * The portable way takes eight bytes a step with eight tables ("slicing by 8"), which are made when
 * they are first needed: 8 KiB that a CPU with the instruction never touches. */
#include "s3/crc32c.h"

#include <pthread.h>
#include <string.h>

static const uint32_t polynomial = 0x82f63b78; /* bits reversed */

static uint32_t tables[8][256];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void
tables_make(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? polynomial : 0);
        tables[0][byte] = crc;
    }
    for (uint32_t byte = 0; byte < 256; byte++)
        for (int step = 1; step < 8; step++)
            tables[step][byte] =
                tables[step - 1][byte] >> 8 ^ tables[0][tables[step - 1][byte] & 0xff];
}

uint32_t
crc32c_portable(const void *data, size_t size)
{
    const uint8_t *at = data;
    uint32_t crc = ~(uint32_t) 0;

    pthread_once(&tables_once, tables_make);
    for (; size >= 8; size -= 8, at += 8) {
        uint32_t low = crc ^ ((uint32_t) at[0] | (uint32_t) at[1] << 8 | (uint32_t) at[2] << 16 |
                              (uint32_t) at[3] << 24);
        crc = tables[7][low & 0xff] ^ tables[6][low >> 8 & 0xff] ^ tables[5][low >> 16 & 0xff] ^
              tables[4][low >> 24] ^ tables[3][at[4]] ^ tables[2][at[5]] ^ tables[1][at[6]] ^
              tables[0][at[7]];
    }
    for (; size > 0; size--, at++)
        crc = crc >> 8 ^ tables[0][(crc ^ *at) & 0xff];
    return ~crc;
}

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

bool
crc32c_is_fast(void)
{
    unsigned a, b, c, d;

    return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_SSE4_2) != 0;
}

__attribute__((target("sse4.2"))) static uint32_t
crc32c_fast(const uint8_t *at, size_t size)
{
    uint64_t crc = ~(uint32_t) 0;

    for (; size >= 8; size -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        crc = _mm_crc32_u64(crc, word);
    }
    for (; size > 0; size--, at++)
        crc = _mm_crc32_u8((uint32_t) crc, *at);
    return ~(uint32_t) crc;
}

#elif defined(__aarch64__)

#include <sys/auxv.h>

enum { HWCAP_OF_CRC32 = 1 << 7 }; /* Linux, arch/arm64: HWCAP_CRC32 */

bool
crc32c_is_fast(void)
{
    return (getauxval(AT_HWCAP) & HWCAP_OF_CRC32) != 0;
}

__attribute__((target("+crc"))) static uint32_t
crc32c_fast(const uint8_t *at, size_t size)
{
    uint32_t crc = ~(uint32_t) 0;

    for (; size >= 8; size -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        crc = __builtin_aarch64_crc32cx(crc, word);
    }
    for (; size > 0; size--, at++)
        crc = __builtin_aarch64_crc32cb(crc, *at);
    return ~crc;
}

#else

bool
crc32c_is_fast(void)
{
    return false;
}

static uint32_t
crc32c_fast(const uint8_t *at, size_t size)
{
    return crc32c_portable(at, size);
}

#endif

uint32_t
crc32c(const void *data, size_t size)
{
    return crc32c_is_fast() ? crc32c_fast(data, size) : crc32c_portable(data, size);
}
