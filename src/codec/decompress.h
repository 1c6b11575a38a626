/* decompress - zstd frames in, plain bytes out; the inverse of compress.
 *
 * It takes what `zstd -d` takes: one frame or several in a row, with or without checksum, skippable
 * frames ignored.  Everything else fails with ERR_INTEGRITY and a sentence that says at which byte:
 * no frame at all (empty input too), a damaged one, one that ends too early, bytes behind the last
 * one.  Bytes that came out before a failure must be taken back by whoever received them.
 *
 * Life:   decompress_open takes the context for one worker; then any number of volumes, each begun
 *         by decompress_init; decompress_close.  The stage's free() keeps the memory.
 * Limits: a frame may ask for a window of at most 2^DECOMPRESS_WINDOW_LOG_MAX bytes, as with `zstd
 *         -d`, and of no more than decompress_open() was told; our own ask for 8 MiB at most.  The
 *         window is taken at a frame's header, once, and kept; decompress_bytes(level) says how
 *         much a frame of ours needs.
 * Threads: one per struct decompress. */
#ifndef CODEC_DECOMPRESS_H
#define CODEC_DECOMPRESS_H

#include <stdint.h>

#include "flow/stage.h"

enum {
    DECOMPRESS_WINDOW_LOG_MAX = 27,
    DECOMPRESS_WINDOW_LOG_LEAST = 20,
    DECOMPRESS_LEVEL_ANY = 1000,
};

struct decompress {
    struct stage stage;
    struct ZSTD_DCtx_s *context;
    unsigned window_log; /* of the largest window */
    uint64_t bytes; /* consumed, for sentences */
    bool in_frame;  /* a frame is owed: the first one, or one that has begun */
};

/* Memory for reading frames that compress made at this level: 2.5 MiB at 3, 8.5 MiB at 19; with
 * DECOMPRESS_LEVEL_ANY for whatever `zstd -d` would read: 128 MiB. */
uint64_t decompress_bytes(int level);

/* The largest window, as its binary logarithm, that so much memory serves; at least that of level
 * 3, DECOMPRESS_WINDOW_LOG_LEAST. */
unsigned decompress_window_log(uint64_t bytes);

/* Take the context for one worker, for windows of at most 2^window_log bytes; 0 stands for the
 * most.  Running out ends the process (memory_exhausted()). */
void decompress_open(struct decompress *decompress, unsigned window_log);
void decompress_close(struct decompress *decompress);

/* Begin a stream of frames. */
struct stage *decompress_init(struct decompress *decompress);

#endif
