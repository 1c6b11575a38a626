/* decompress - any bytes into the decompressor, with windows that the first two bytes choose.  What comes
 * out is bounded, so that a bomb of zeros costs no more than its bytes; contract and memory are watched
 * by stage_step()'s assertions and the sanitizers. */
#include "codec/decompress.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW_MAX = 4096, OUTPUT_MAX = 1 << 22 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Step once with windows of exact size.  Returns the bytes consumed. */
static size_t
step_once(struct stage *stage, const uint8_t *data, size_t left, size_t room, enum step *step,
          size_t *produced)
{
    uint8_t *in = malloc(left), *out = malloc(room);
    struct source_span source = {.data = in, .size = left};
    struct target_span target = {.data = out, .size = room};
    struct fault fault = {0};

    if (left > 0)
        memcpy(in, data, left);
    *step = stage_step(stage, &source, &target, left == 0, &fault);
    *produced += target.used;
    free(in);
    free(out);
    return source.used;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t source_window = 1 + (size_t) data[0] * WINDOW_MAX / 256;
    size_t target_window = 1 + (size_t) data[1] * WINDOW_MAX / 256, produced = 0;
    struct decompress unzip;
    enum step step = STEP_AGAIN;

    data += 2;
    size -= 2;
    decompress_open(&unzip, 0);
    struct stage *stage = decompress_init(&unzip);
    while (step == STEP_AGAIN && produced < OUTPUT_MAX) {
        size_t left = size < source_window ? size : source_window;
        size_t used = step_once(stage, data, left, target_window, &step, &produced);
        data += used;
        size -= used;
    }
    stage_free(stage);
    decompress_close(&unzip);
    return 0;
}
