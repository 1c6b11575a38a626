/* compress - plain bytes in, zstd frames out.
 *
 *      plain ──▶ [ header | blocks … | checksum of the plain bytes ] [ header | … ] …
 *
 * The frames, of 4 MiB of plain bytes or twice the level's window, are what `zstd -d` reads as one
 * text: no dictionary, content checksum on, size unknown in advance.  Empty input gives a valid
 * frame of nothing.  "No compression" is a corridor without this stage.
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
    uint8_t *frame;              /* so does this: the plain bytes of the frame in the making */
    size_t frame_bytes_max, frame_size, frame_used;
    size_t frames;               /* done since compress_init */
};

/* Memory that compress_open() takes at this level. */
uint64_t compress_bytes(int level);

/* Take the memory for one worker.  Running out ends the process (memory_exhausted()). */
void compress_open(struct compress *compress, int level);
void compress_close(struct compress *compress);

/* Begin a frame. */
struct stage *compress_init(struct compress *compress);

#endif
