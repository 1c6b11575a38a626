/* decompress - see decompress.h. */
#define ZSTD_STATIC_LINKING_ONLY
#include "codec/decompress.h"

#include <assert.h>
#include <inttypes.h>
#include <zstd.h>
#include <zstd_errors.h>

uint64_t
decompress_bytes(int level)
{
    unsigned window_log = DECOMPRESS_WINDOW_LOG_MAX;

    if (level != DECOMPRESS_LEVEL_ANY)
        window_log = ZSTD_getCParams(level, ZSTD_CONTENTSIZE_UNKNOWN, 0).windowLog;
    return ZSTD_estimateDStreamSize((size_t) 1 << window_log);
}

static enum step
decompress_failed(const struct decompress *decompress, size_t result, struct fault *fault)
{
    switch (ZSTD_getErrorCode(result)) {
    case ZSTD_error_memory_allocation:
        fault_set(fault, ERR_INTERNAL, "out of memory for the window of a zstd frame");
        break;
    case ZSTD_error_frameParameter_windowTooLarge:
        if (decompress->window_log < DECOMPRESS_WINDOW_LOG_MAX)
            fault_set(fault, ERR_CONFIG,
                      "the zstd frame needs a window of more than %d MiB, for which REPLICA_MEMORY "
                      "leaves no room: set it higher, or use fewer REPLICA_JOBS",
                      1 << (decompress->window_log - 20));
        else
            fault_set(fault, ERR_INTEGRITY,
                      "the zstd frame needs a window of more than %d MiB, which is the limit",
                      1 << (DECOMPRESS_WINDOW_LOG_MAX - 20));
        break;
    case ZSTD_error_prefix_unknown:
        fault_set(fault, ERR_INTEGRITY, "no zstd frame near byte %" PRIu64, decompress->bytes);
        break;
    default:
        fault_set(fault, ERR_INTEGRITY, "compressed data is damaged near byte %" PRIu64 ": %s",
                  decompress->bytes, ZSTD_getErrorName(result));
    }
    return STEP_FAILED;
}

static enum step
decompress_step(struct stage *stage, struct source_span *source, struct target_span *target,
                bool last, struct fault *fault)
{
    struct decompress *decompress = (struct decompress *) stage;
    ZSTD_inBuffer in = {.src = source->data, .size = source->size, .pos = source->used};
    ZSTD_outBuffer out = {.dst = target->data, .size = target->size, .pos = target->used};

    if (last && !decompress->in_frame)
        return STEP_DONE;

    size_t result = ZSTD_decompressStream(decompress->context, &out, &in);
    bool moved = in.pos > source->used || out.pos > target->used;
    decompress->bytes += in.pos - source->used;
    source->used = in.pos;
    target->used = out.pos;
    if (ZSTD_isError(result))
        return decompress_failed(decompress, result, fault);

    decompress->in_frame = result != 0;
    if (last && !decompress->in_frame)
        return STEP_DONE;
    if (moved)
        return STEP_AGAIN;
    fault_set(fault, ERR_INTEGRITY,
              "compressed data is cut short: it ends at byte %" PRIu64 ", inside a zstd frame",
              decompress->bytes);
    return STEP_FAILED;
}

static const struct stage_ops decompress_ops = {.name = "decompress", .step = decompress_step};

unsigned
decompress_window_log(uint64_t bytes)
{
    unsigned log = DECOMPRESS_WINDOW_LOG_LEAST;

    while (log < DECOMPRESS_WINDOW_LOG_MAX && ZSTD_estimateDStreamSize((size_t) 2 << log) <= bytes)
        log++;
    return log;
}

void
decompress_open(struct decompress *decompress, unsigned window_log)
{
    assert(window_log == 0 || (window_log >= DECOMPRESS_WINDOW_LOG_LEAST &&
                               window_log <= DECOMPRESS_WINDOW_LOG_MAX));

    *decompress = (struct decompress){
        .stage.ops = &decompress_ops,
        .context = ZSTD_createDCtx(),
        .window_log = window_log == 0 ? (unsigned) DECOMPRESS_WINDOW_LOG_MAX : window_log,
    };
    if (decompress->context == NULL)
        memory_exhausted(ZSTD_estimateDCtxSize());
    size_t set = ZSTD_DCtx_setParameter(decompress->context, ZSTD_d_windowLogMax,
                                        (int) decompress->window_log);
    assert(!ZSTD_isError(set));
}

void
decompress_close(struct decompress *decompress)
{
    ZSTD_freeDCtx(decompress->context);
    *decompress = (struct decompress){0};
}

struct stage *
decompress_init(struct decompress *decompress)
{
    assert(decompress->context != NULL);
    size_t reset = ZSTD_DCtx_reset(decompress->context, ZSTD_reset_session_only);
    assert(!ZSTD_isError(reset));
    decompress->bytes = 0;
    decompress->in_frame = true;
    return &decompress->stage;
}
