/* sha256 - see sha256.h. */
#include "codec/sha256.h"

#include <assert.h>

enum { BLOCK_BYTES = 64 };

#if defined(__x86_64__) || defined(__aarch64__)

/* FIPS 180-4, 4.2.2: the fractions of the cube roots of the first 64 primes. */
static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
    0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
    0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

#endif

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

bool
sha256_is_fast(void)
{
    unsigned a, b, c, d;

    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_SSSE3) == 0 || (c & bit_SSE4_1) == 0)
        return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & bit_SHA) != 0;
}

/* Intel's instructions keep the state as ABEF and CDGH, and take four rounds of message words at a
 * time (Intel Software Developer's Manual, SHA256RNDS2, SHA256MSG1, SHA256MSG2). */
__attribute__((target("sha,sse4.1"))) static void
blocks_take(uint32_t state[static 8], const uint8_t *data, size_t count)
{
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i dcba = _mm_loadu_si128((const __m128i *) state);
    __m128i hgfe = _mm_loadu_si128((const __m128i *) (state + 4));
    __m128i cdab = _mm_shuffle_epi32(dcba, 0xb1), efgh = _mm_shuffle_epi32(hgfe, 0x1b);
    __m128i abef = _mm_alignr_epi8(cdab, efgh, 8), cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);

    for (; count > 0; count--, data += BLOCK_BYTES) {
        __m128i abef_before = abef, cdgh_before = cdgh, words[4];
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            __m128i *now = &words[i & 3];
            const __m128i last = words[(i + 3) & 3];
            if (i < 4)
                *now = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *) data + i), big_endian);
            else
                *now = _mm_sha256msg2_epu32(
                    _mm_add_epi32(_mm_sha256msg1_epu32(*now, words[(i + 1) & 3]),
                                  _mm_alignr_epi8(last, words[(i + 2) & 3], 4)), last);
            __m128i sum = _mm_add_epi32(
                *now, _mm_loadu_si128((const __m128i *) (round_constants + 4 * i)));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }

    __m128i feba = _mm_shuffle_epi32(abef, 0x1b), dchg = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128((__m128i *) state, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *) (state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

#elif defined(__aarch64__)

#include <arm_neon.h>
#include <sys/auxv.h>

enum { HWCAP_OF_SHA2 = 1 << 6 }; /* Linux, arch/arm64: HWCAP_SHA2 */

bool
sha256_is_fast(void)
{
    return (getauxval(AT_HWCAP) & HWCAP_OF_SHA2) != 0;
}

/* ARM's instructions keep the state as it is, and take four rounds of message words at a time (Arm
 * Architecture Reference Manual, SHA256H, SHA256H2, SHA256SU0, SHA256SU1). */
__attribute__((target("+crypto"))) static void
blocks_take(uint32_t state[static 8], const uint8_t *data, size_t count)
{
    uint32x4_t abcd = vld1q_u32(state), efgh = vld1q_u32(state + 4);

    for (; count > 0; count--, data += BLOCK_BYTES) {
        uint32x4_t abcd_before = abcd, efgh_before = efgh, words[4];
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            uint32x4_t *now = &words[i & 3];
            if (i < 4)
                *now = vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(data + 16 * i)));
            else
                *now = vsha256su1q_u32(vsha256su0q_u32(*now, words[(i + 1) & 3]),
                                       words[(i + 2) & 3], words[(i + 3) & 3]);
            uint32x4_t sum = vaddq_u32(*now, vld1q_u32(round_constants + 4 * i)), old = abcd;
            abcd = vsha256hq_u32(abcd, efgh, sum);
            efgh = vsha256h2q_u32(efgh, old, sum);
        }
        abcd = vaddq_u32(abcd, abcd_before);
        efgh = vaddq_u32(efgh, efgh_before);
    }
    vst1q_u32(state, abcd);
    vst1q_u32(state + 4, efgh);
}

#else

bool
sha256_is_fast(void)
{
    return false;
}

static void
blocks_take(uint32_t state[static 8], const uint8_t *data, size_t count)
{
    (void) state, (void) data;
    assert(count == 0);
}

#endif

void
sha256_init(struct sha256 *sha256)
{
    br_sha256_init(&sha256->context);
    sha256->fast = sha256_is_fast();
}

void
sha256_init_portable(struct sha256 *sha256)
{
    br_sha256_init(&sha256->context);
    sha256->fast = false;
}

/* BearSSL takes what does not fill a block; whole blocks go to its state directly. */
void
sha256_update(struct sha256 *sha256, const void *data, size_t size)
{
    br_sha256_context *context = &sha256->context;
    const uint8_t *at = data;

    if (sha256->fast) {
        size_t lead = -context->count % BLOCK_BYTES;
        if (lead > size)
            lead = size;
        br_sha256_update(context, at, lead);
        at += lead;
        size -= lead;

        size_t blocks = size / BLOCK_BYTES;
        blocks_take(context->val, at, blocks);
        context->count += blocks * BLOCK_BYTES;
        at += blocks * BLOCK_BYTES;
        size -= blocks * BLOCK_BYTES;
    }
    br_sha256_update(context, at, size);
}

void
sha256_out(const struct sha256 *sha256, uint8_t digest[static 32])
{
    br_sha256_out(&sha256->context, digest);
}
