/* compress - plain bytes in, one zstd frame out.
 *
 *      plain ──▶ [ header | blocks … | checksum of the plain bytes ]
 *
 * The frame is what `zstd -d` reads: no dictionary, content checksum on, size unknown in advance.
 * Empty input gives a valid frame of nothing.  "No compression" is a corridor without this stage.
 *
 * Life:   compress_open takes all memory for one worker; then any number of volumes, each begun by
 *         compress_init; compress_close.  The stage's free() keeps the memory.  A volume may be
 *         left at any point; the next compress_init forgets it.
 * Limits: levels COMPRESS_LEVEL_MIN .. COMPRESS_LEVEL_MAX; memory compress_bytes(level), taken
 *         once.
 * Threads: one per struct compress. */
#ifndef CODEC_COMPRESS_H
#define CODEC_COMPRESS_H

#include <stdint.h>

#include "flow/stage.h"

enum {
    COMPRESS_LEVEL_MIN = -5,
    COMPRESS_LEVEL_MAX = 19, /* above it the windows, and with them the reader's memory, explode */
};

struct compress {
    struct stage stage;
    void *memory;
    struct ZSTD_CCtx_s *context; /* lies in memory */
};

/* Memory that compress_open() takes at this level: 1.3 MiB at 1, 3.5 MiB at 3, 90 MiB at 19. */
uint64_t compress_bytes(int level);

/* Take the memory for one worker.  Running out ends the process (memory_exhausted()). */
void compress_open(struct compress *compress, int level);
void compress_close(struct compress *compress);

/* Begin a frame. */
struct stage *compress_init(struct compress *compress);

#endif
