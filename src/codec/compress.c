/* compress - see compress.h.  zstd works in a piece of memory given to it once, so it can neither
 * allocate on the way nor outgrow what compress_bytes() promised. */
#define ZSTD_STATIC_LINKING_ONLY
#include "codec/compress.h"

#include <assert.h>
#include <stdlib.h>
#include <zstd.h>

uint64_t
compress_bytes(int level)
{
    assert(level >= COMPRESS_LEVEL_MIN && level <= COMPRESS_LEVEL_MAX);
    return ZSTD_estimateCStreamSize(level);
}

static enum step
compress_step(struct stage *stage, struct source_span *source, struct target_span *target,
              bool last, struct fault *fault)
{
    struct compress *compress = (struct compress *) stage;
    ZSTD_inBuffer in = {.src = source->data, .size = source->size, .pos = source->used};
    ZSTD_outBuffer out = {.dst = target->data, .size = target->size, .pos = target->used};

    ZSTD_EndDirective order = last ? ZSTD_e_end : ZSTD_e_continue;
    size_t left = ZSTD_compressStream2(compress->context, &out, &in, order);
    source->used = in.pos;
    target->used = out.pos;
    if (ZSTD_isError(left)) {
        fault_set(fault, ERR_INTERNAL, "unable to compress: %s", ZSTD_getErrorName(left));
        return STEP_FAILED;
    }
    return last && left == 0 ? STEP_DONE : STEP_AGAIN;
}

static const struct stage_ops compress_ops = {.name = "compress", .step = compress_step};

void
compress_open(struct compress *compress, int level)
{
    size_t bytes = (size_t) compress_bytes(level);

    *compress = (struct compress){.stage.ops = &compress_ops, .memory = malloc(bytes)};
    if (compress->memory == NULL)
        memory_exhausted(bytes);
    compress->context = ZSTD_initStaticCStream(compress->memory, bytes);
    assert(compress->context != NULL);
    size_t set = ZSTD_CCtx_setParameter(compress->context, ZSTD_c_compressionLevel, level);
    assert(!ZSTD_isError(set));
    set = ZSTD_CCtx_setParameter(compress->context, ZSTD_c_checksumFlag, 1);
    assert(!ZSTD_isError(set));
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
    return &compress->stage;
}
