/* scan - see scan.h. */
#include "transform/scan.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

/* ---- a machine's way to make the bits ------------------------------------------------------ */

/* The high bit of each byte of the word that equals the pattern's, by arithmetic that carries
 * nothing from byte to byte. */
static uint64_t
bytes_equal(uint64_t word, uint64_t pattern)
{
    const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f);
    uint64_t differs = word ^ pattern;
    return ~(((differs & low) + low) | differs | low);
}

/* Those eight high bits side by side: the product brings bit 8i+7 to bit 56+i. */
static uint64_t
bits_gather(uint64_t high)
{
    return (high >> 7) * UINT64_C(0x0102040810204080) >> 56;
}

static void
blocks_portable(const uint8_t *blocks, size_t count, uint64_t *tabs, uint64_t *newlines)
{
    for (size_t block = 0; block < count; block++) {
        tabs[block] = newlines[block] = 0;
        for (int i = 0; i < SCAN_BLOCK_BYTES / 8; i++, blocks += 8) {
            uint64_t word;
            memcpy(&word, blocks, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
            word = __builtin_bswap64(word);
#endif
            uint64_t tab = bytes_equal(word, UINT64_C(0x0909090909090909));
            uint64_t newline = bytes_equal(word, UINT64_C(0x0a0a0a0a0a0a0a0a));
            tabs[block] |= bits_gather(tab) << 8 * i;
            newlines[block] |= bits_gather(newline) << 8 * i;
        }
    }
}

static bool
has_always(void)
{
    return true;
}

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

static void
blocks_sse2(const uint8_t *blocks, size_t count, uint64_t *tabs, uint64_t *newlines)
{
    const __m128i tab = _mm_set1_epi8('\t'), newline = _mm_set1_epi8('\n');

    for (size_t block = 0; block < count; block++) {
        uint64_t found = 0, stops = 0;
        for (int i = 0; i < 4; i++, blocks += 16) {
            __m128i bytes = _mm_loadu_si128((const void *) blocks);
            uint64_t tab_bits = (unsigned) _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, tab));
            uint64_t newline_bits = (unsigned) _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, newline));
            found |= tab_bits << 16 * i;
            stops |= newline_bits << 16 * i;
        }
        tabs[block] = found;
        newlines[block] = stops;
    }
}

__attribute__((target("avx2"))) static void
blocks_avx2(const uint8_t *blocks, size_t count, uint64_t *tabs, uint64_t *newlines)
{
    const __m256i tab = _mm256_set1_epi8('\t'), newline = _mm256_set1_epi8('\n');

    for (size_t block = 0; block < count; block++, blocks += SCAN_BLOCK_BYTES) {
        __m256i low = _mm256_loadu_si256((const void *) blocks);
        __m256i high = _mm256_loadu_si256((const void *) (blocks + 32));
        uint64_t found = (unsigned) _mm256_movemask_epi8(_mm256_cmpeq_epi8(high, tab));
        uint64_t stops = (unsigned) _mm256_movemask_epi8(_mm256_cmpeq_epi8(high, newline));
        tabs[block] =
            found << 32 | (unsigned) _mm256_movemask_epi8(_mm256_cmpeq_epi8(low, tab));
        newlines[block] =
            stops << 32 | (unsigned) _mm256_movemask_epi8(_mm256_cmpeq_epi8(low, newline));
    }
}

/* The CPU must know the instructions, and the kernel must save the registers they use: OSXSAVE
 * says that XGETBV may be asked, bits 1 and 2 of XCR0 are the two halves of the registers (Intel
 * Software Developer's Manual, "Detection of Intel AVX2"). */
static bool
has_avx2(void)
{
    unsigned a, b, c, d, low, high;

    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_OSXSAVE) == 0 || (c & bit_AVX) == 0)
        return false;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    if ((low & 6) != 6)
        return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & bit_AVX2) != 0;
}

#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__

#include <arm_neon.h>

/* NEON has no movemask: each byte keeps the bit of its place, and neighbours are added three
 * times. */
static uint64_t
bits_of(uint8x16x4_t bytes, uint8x16_t wanted)
{
    const uint8x16_t place = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    uint8x16_t a = vandq_u8(vceqq_u8(bytes.val[0], wanted), place);
    uint8x16_t b = vandq_u8(vceqq_u8(bytes.val[1], wanted), place);
    uint8x16_t c = vandq_u8(vceqq_u8(bytes.val[2], wanted), place);
    uint8x16_t d = vandq_u8(vceqq_u8(bytes.val[3], wanted), place);
    uint8x16_t sum = vpaddq_u8(vpaddq_u8(a, b), vpaddq_u8(c, d));
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(sum, sum)), 0);
}

static void
blocks_neon(const uint8_t *blocks, size_t count, uint64_t *tabs, uint64_t *newlines)
{
    const uint8x16_t tab = vdupq_n_u8('\t'), newline = vdupq_n_u8('\n');

    for (size_t block = 0; block < count; block++, blocks += SCAN_BLOCK_BYTES) {
        uint8x16x4_t bytes = vld1q_u8_x4(blocks);
        tabs[block] = bits_of(bytes, tab);
        newlines[block] = bits_of(bytes, newline);
    }
}

#endif

static const struct scan_way ways[] = {
    {"portable", blocks_portable, has_always},
#if defined(__x86_64__)
    {"SSE2", blocks_sse2, has_always},
    {"AVX2", blocks_avx2, has_avx2},
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    {"NEON", blocks_neon, has_always},
#endif
};

size_t
scan_ways(const struct scan_way **list)
{
    size_t count = sizeof ways / sizeof *ways;

    *list = ways;
    while (!ways[count - 1].has())
        count--;
    return count;
}

/* ---- the choice, once ---------------------------------------------------------------------- */

static scan_blocks_fn blocks_choose;

/* Every thread that comes here first chooses the same. */
static scan_blocks_fn *_Atomic blocks_chosen = blocks_choose;

static void
blocks_choose(const uint8_t *blocks, size_t count, uint64_t *tabs, uint64_t *newlines)
{
    const struct scan_way *list;
    size_t ways_count = scan_ways(&list);
    scan_blocks_fn *best = list[ways_count - 1].blocks;

    atomic_store_explicit(&blocks_chosen, best, memory_order_relaxed);
    best(blocks, count, tabs, newlines);
}

/* ---- the walk along the bits --------------------------------------------------------------- */

void
scan_begin(struct scan *scan, const uint8_t *source, size_t size)
{
    scan->begin = scan->end = source;
    scan->source_end = source + size;
}

/* Make the bits from at on.  A block that is not whole is made so with zeros, so that nothing
 * behind the source is read. */
static void
look_ahead(struct scan *scan, const uint8_t *at)
{
    scan_blocks_fn *make = atomic_load_explicit(&blocks_chosen, memory_order_relaxed);
    size_t left = (size_t) (scan->source_end - at), whole = left / SCAN_BLOCK_BYTES;

    assert(left > 0);
    scan->begin = at;
    if (whole > 0) {
        if (whole > SCAN_BLOCKS_MAX)
            whole = SCAN_BLOCKS_MAX;
        make(at, whole, scan->tabs, scan->newlines);
        scan->end = at + whole * SCAN_BLOCK_BYTES;
    } else {
        uint8_t block[SCAN_BLOCK_BYTES] = {0};
        memcpy(block, at, left);
        make(block, 1, scan->tabs, scan->newlines);
        scan->end = scan->source_end;
    }
}

/* Without the CPU's own instruction, which the oldest machines lack, a call into the compiler's
 * library would do this by tables. */
static size_t
bits_count(uint64_t bits)
{
    bits -= bits >> 1 & UINT64_C(0x5555555555555555);
    bits = (bits & UINT64_C(0x3333333333333333)) + (bits >> 2 & UINT64_C(0x3333333333333333));
    bits = (bits + (bits >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (size_t) (bits * UINT64_C(0x0101010101010101) >> 56);
}

const uint8_t *
scan_tabs(struct scan *scan, const uint8_t *at, const uint8_t *end, size_t *tabs)
{
    assert(*tabs >= 1);
    assert(end <= scan->source_end);
    while (at < end) {
        if (at >= scan->end)
            look_ahead(scan, at);
        size_t offset = (size_t) (at - scan->begin), block = offset / SCAN_BLOCK_BYTES;
        const uint8_t *first = scan->begin + block * SCAN_BLOCK_BYTES;
        uint64_t ahead = ~UINT64_C(0) << offset % SCAN_BLOCK_BYTES;
        if (end - first < SCAN_BLOCK_BYTES)
            ahead &= ~(~UINT64_C(0) << (end - first));

        uint64_t newlines = scan->newlines[block] & ahead, found = scan->tabs[block] & ahead;
        if (newlines != 0)
            found &= (newlines & -newlines) - 1;
        size_t count = bits_count(found);
        if (count >= *tabs) {
            for (; *tabs > 1; --*tabs)
                found &= found - 1;
            *tabs = 0;
            return first + __builtin_ctzll(found) + 1;
        }
        *tabs -= count;
        if (newlines != 0)
            return first + __builtin_ctzll(newlines);
        at = first + SCAN_BLOCK_BYTES;
    }
    return end;
}

const uint8_t *
scan_field(struct scan *scan, const uint8_t *at)
{
    while (at < scan->source_end) {
        if (at >= scan->end)
            look_ahead(scan, at);
        size_t offset = (size_t) (at - scan->begin), block = offset / SCAN_BLOCK_BYTES;
        const uint8_t *first = scan->begin + block * SCAN_BLOCK_BYTES;
        uint64_t found = (scan->tabs[block] | scan->newlines[block]) >> offset % SCAN_BLOCK_BYTES;
        if (found != 0)
            return at + __builtin_ctzll(found);
        at = first + SCAN_BLOCK_BYTES;
    }
    return scan->source_end;
}
