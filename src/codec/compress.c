/* compress - see compress.h.  zstd works in a piece of memory given to it once, so it can neither
 * allocate on the way nor outgrow what compress_bytes() promised.
 *
 * Left to itself, zstd streams through a ring of its own, one window long, and looks back across
 * its seam nearly all the time, by its slowest code.  Here the bytes of a frame lie in one row,
 * which zstd is told to trust (ZSTD_c_stableInBuffer): measured on mixed text at level 3, 8 % less
 * CPU time for the whole dump. */
#define ZSTD_STATIC_LINKING_ONLY
#include "codec/compress.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

/* A frame is at least this long, and twice its window: shorter ones would forget too often. */
enum { FRAME_BYTES_MIN = 4 * 1024 * 1024, LEVEL_TUNED = 3 };

/* Level 3, the default, tuned to COPY's text, in which values begin anywhere and repeat by six
 * bytes and more: no matches shorter than that, and tables and a window that stay in a cache
 * of 1 MiB.  Measured beside `zstd -3`, size and pace: mixed text +0.1 %, 1.16 times; prose +1.0 %,
 * 1.12; jsonb and numbers -3.2 %, 1.21; bytea -6.3 %, 1.16; pagila -3.2 %, 1.12. */
static const struct {
    ZSTD_cParameter parameter;
    int value;
} tuned[] = {
    {ZSTD_c_windowLog, 20},
    {ZSTD_c_chainLog, 15},
    {ZSTD_c_minMatch, 6},
};

static size_t
frame_bytes(int level)
{
    size_t window = (size_t) 1 << ZSTD_getCParams(level, ZSTD_CONTENTSIZE_UNKNOWN, 0).windowLog;
    return 2 * window > FRAME_BYTES_MIN ? 2 * window : FRAME_BYTES_MIN;
}

static void
parameters_set(ZSTD_CCtx_params *parameters, int level)
{
    size_t set = ZSTD_CCtxParams_init(parameters, level);
    assert(!ZSTD_isError(set));
    set = ZSTD_CCtxParams_setParameter(parameters, ZSTD_c_checksumFlag, 1);
    assert(!ZSTD_isError(set));
    set = ZSTD_CCtxParams_setParameter(parameters, ZSTD_c_stableInBuffer, 1);
    assert(!ZSTD_isError(set));
    for (size_t i = 0; level == LEVEL_TUNED && i < sizeof tuned / sizeof *tuned; i++) {
        set = ZSTD_CCtxParams_setParameter(parameters, tuned[i].parameter, tuned[i].value);
        assert(!ZSTD_isError(set));
    }
}

static ZSTD_CCtx_params *
parameters_make(int level)
{
    ZSTD_CCtx_params *parameters = ZSTD_createCCtxParams();
    if (parameters == NULL)
        memory_exhausted(sizeof(void *));
    parameters_set(parameters, level);
    return parameters;
}

static size_t
context_bytes(const ZSTD_CCtx_params *parameters)
{
    size_t bytes = ZSTD_estimateCStreamSize_usingCCtxParams(parameters);
    assert(!ZSTD_isError(bytes));
    return bytes;
}

uint64_t
compress_bytes(int level)
{
    assert(level >= COMPRESS_LEVEL_MIN && level <= COMPRESS_LEVEL_MAX);
    ZSTD_CCtx_params *parameters = parameters_make(level);
    uint64_t bytes = context_bytes(parameters) + frame_bytes(level);
    ZSTD_freeCCtxParams(parameters);
    return bytes;
}

/* Lay as much of the source behind the frame's bytes as there is room for. */
static void
frame_take(struct compress *compress, struct source_span *source)
{
    size_t room = compress->frame_bytes_max - compress->frame_size;
    size_t size = source->size - source->used;

    if (size > room)
        size = room;
    if (size > 0)
        memcpy(compress->frame + compress->frame_size, source->data + source->used, size);
    compress->frame_size += size;
    source->used += size;
}

static enum step
compress_step(struct stage *stage, struct source_span *source, struct target_span *target,
              bool last, struct fault *fault)
{
    struct compress *compress = (struct compress *) stage;

    frame_take(compress, source);
    if (last && compress->frame_size == 0 && compress->frames > 0)
        return STEP_DONE;

    /* Whole blocks, but for a frame's last: zstd would remember that it still wants the rest of a
     * piece even across a reset of the session. */
    bool end = last || compress->frame_size == compress->frame_bytes_max;
    size_t offered = end ? compress->frame_size
                         : compress->frame_size - compress->frame_size % ZSTD_BLOCKSIZE_MAX;
    if (offered == compress->frame_used && !end)
        return STEP_AGAIN;

    ZSTD_inBuffer in = {compress->frame, offered, compress->frame_used};
    ZSTD_outBuffer out = {target->data, target->size, target->used};
    size_t left = ZSTD_compressStream2(compress->context, &out, &in,
                                       end ? ZSTD_e_end : ZSTD_e_continue);
    compress->frame_used = in.pos;
    target->used = out.pos;
    if (ZSTD_isError(left)) {
        fault_set(fault, ERR_INTERNAL, "unable to compress: %s", ZSTD_getErrorName(left));
        return STEP_FAILED;
    }
    if (!end || left > 0)
        return STEP_AGAIN;
    compress->frame_size = compress->frame_used = 0;
    compress->frames++;
    return last ? STEP_DONE : STEP_AGAIN;
}

static const struct stage_ops compress_ops = {.name = "compress", .step = compress_step};

void
compress_open(struct compress *compress, int level)
{
    ZSTD_CCtx_params *parameters = parameters_make(level);
    size_t bytes = context_bytes(parameters), frame = frame_bytes(level);

    *compress = (struct compress){.stage.ops = &compress_ops, .memory = malloc(bytes + frame),
                                  .frame_bytes_max = frame};
    if (compress->memory == NULL)
        memory_exhausted(bytes + frame);
    compress->frame = (uint8_t *) compress->memory + bytes;
    compress->context = ZSTD_initStaticCStream(compress->memory, bytes);
    assert(compress->context != NULL);
    size_t set = ZSTD_CCtx_setParametersUsingCCtxParams(compress->context, parameters);
    assert(!ZSTD_isError(set));
    ZSTD_freeCCtxParams(parameters);
}

void
compress_close(struct compress *compress)
{
    free(compress->memory);
    *compress = (struct compress){0};
}

struct stage *
compress_init(struct compress *compress)
{
    assert(compress->context != NULL);
    size_t reset = ZSTD_CCtx_reset(compress->context, ZSTD_reset_session_only);
    assert(!ZSTD_isError(reset));
    compress->frame_size = compress->frame_used = compress->frames = 0;
    return &compress->stage;
}
