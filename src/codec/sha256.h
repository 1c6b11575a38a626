/* sha256 - SHA-256 (FIPS 180-4), by the CPU's own instructions where it has them: x86's SHA
 * extensions, ARMv8's SHA2; asked for at run time.
 *
 * BearSSL's portable code is the fallback, and the twin that the fast one is tested against;
 * the two share one state, so the fast one only has to know whole blocks.  Measured on one core:
 * 330 MB/s by BearSSL, 1,800 MB/s by x86 instructions; that is a tenth of a dump's CPU time.
 *
 * Life:   sha256_init, sha256_update any number of times, sha256_out; may be copied.
 * Threads: one per context. */
#ifndef CODEC_SHA256_H
#define CODEC_SHA256_H

#include <bearssl.h>
#include <stdbool.h>

struct sha256 {
    br_sha256_context context;
    bool fast;
};

void sha256_init(struct sha256 *sha256);

/* The same without the CPU's instructions, for tests. */
void sha256_init_portable(struct sha256 *sha256);

void sha256_update(struct sha256 *sha256, const void *data, size_t size);

/* The digest of what was fed so far; more may follow. */
void sha256_out(const struct sha256 *sha256, uint8_t digest[static 32]);

/* Whether this CPU has the instructions. */
bool sha256_is_fast(void);

#endif
