/* scan - where the tabs and newlines of COPY text are, 64 bytes at once.
 *
 *     a b c → d e → f ↵ g …        bytes
 *     0 0 0 1 0 0 1 0 0 0 …        tabs        a bit for each byte, the lowest first,
 *     0 0 0 0 0 0 0 0 1 0 …        newlines    a word for each block
 *
 * Making the two rows of bits is the only work that looks at every byte, and the only code that
 * differs by machine: AVX2 where the CPU and the kernel have it, else SSE2; NEON; or words of
 * eight bytes anywhere.  What walks along the bits is the same everywhere, and counts a block's
 * tabs at once.
 *
 * Life:   scan_begin, then scan_tabs and scan_field forward only; the bytes must stay where they
 *         are.  Nothing to free.
 * Limits: 4 KiB are looked at ahead.   Threads: one per struct scan. */
#ifndef TRANSFORM_SCAN_H
#define TRANSFORM_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SCAN_BLOCK_BYTES = 64,
    SCAN_BLOCKS_MAX = 64, /* the bits take 1 KiB, which stays in the first-level cache */
};

struct scan {
    const uint8_t *begin, *end;  /* the bytes whose bits are there */
    const uint8_t *source_end;
    uint64_t tabs[SCAN_BLOCKS_MAX], newlines[SCAN_BLOCKS_MAX];
};

/* Start on size bytes; none is looked at yet. */
void scan_begin(struct scan *scan, const uint8_t *source, size_t size);

/* Go on from at until *tabs tabs have been passed, or to a newline, or to end, which is at most the
 * source's.  *tabs >= 1.  Returns the place behind the last of the tabs (*tabs is 0 then), or the
 * newline's place, or end; *tabs is how many are missing. */
const uint8_t *scan_tabs(struct scan *scan, const uint8_t *at, const uint8_t *end, size_t *tabs);

/* The place of the first tab or newline from at on, or the source's end. */
const uint8_t *scan_field(struct scan *scan, const uint8_t *at);

/* Make the bits of whole blocks; reads nothing but them. */
typedef void scan_blocks_fn(const uint8_t *blocks, size_t count, uint64_t *tabs,
                            uint64_t *newlines);

/* What this machine can run: the portable way first, the one that is used last. */
struct scan_way {
    const char *name;
    scan_blocks_fn *blocks;
    bool (*has)(void);
};
size_t scan_ways(const struct scan_way **ways);

#endif
