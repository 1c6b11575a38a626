/* support_windows - pushes bytes through a stage window by window; see support.h. */
#include <stdlib.h>

#include "support.h"

static const size_t window_sizes[] = {1, 2, 3, 7, 64, 4096};
enum { WINDOW_SIZES = sizeof window_sizes / sizeof *window_sizes, STEPS_MAX = 1 << 28 };

/* Step once with windows of exact size, so that the address sanitizer sees a byte too far. */
static enum step
push_once(struct stage *stage, const uint8_t *input, size_t left, size_t *consumed,
          size_t target_window, struct bytes *result, struct fault *fault)
{
    uint8_t *in = malloc(left), *out = malloc(target_window);
    struct source_span source = {.data = in, .size = left};
    struct target_span target = {.data = out, .size = target_window};

    if (left > 0)
        memcpy(in, input, left);
    enum step step = stage_step(stage, &source, &target, left == 0, fault);
    *consumed += source.used;
    if (result != NULL)
        bytes_add(result, out, target.used);
    free(in);
    free(out);
    return step;
}

bool
windows_push(struct stage *stage, const void *input, size_t size, size_t source_window,
             size_t target_window, struct bytes *result, struct fault *fault)
{
    size_t used = 0;

    for (unsigned steps = 0; steps < STEPS_MAX; steps++) {
        size_t left = size - used < source_window ? size - used : source_window;
        const uint8_t *at = left == 0 ? NULL : (const uint8_t *) input + used;
        enum step step = push_once(stage, at, left, &used, target_window, result, fault);
        if (step != STEP_AGAIN)
            return step == STEP_DONE;
    }
    fail_msg("the stage %s never ends", stage->ops->name);
    return false;
}

/* One pass from begin to end. */
static bool
pass(const struct windows_stage *how, const void *input, size_t size, size_t source_window,
     size_t target_window, struct bytes *result, struct fault *fault)
{
    struct stage *stage = how->begin(how->context);
    bool done = windows_push(stage, input, size, source_window, target_window, result, fault);

    stage_free(stage);
    if (how->end != NULL)
        how->end(how->context);
    return done;
}

static void
pass_same(const struct windows_stage *how, const void *input, size_t size, size_t source_window,
          size_t target_window, const struct bytes *expected)
{
    struct bytes result = {0};
    struct fault fault = {0};

    if (!pass(how, input, size, source_window, target_window, &result, &fault))
        fail_msg("windows of %zu and %zu bytes: %s", source_window, target_window, fault.text);
    if (result.size != expected->size ||
        (result.size > 0 && memcmp(result.data, expected->data, result.size) != 0))
        fail_msg("windows of %zu and %zu bytes give another output: %zu bytes instead of %zu",
                 source_window, target_window, result.size, expected->size);
    bytes_free(&result);
}

static void
pass_same_all(const struct windows_stage *how, const void *input, size_t size,
              const struct bytes *expected)
{
    for (int i = 0; i < WINDOW_SIZES; i++)
        for (int j = 0; j < WINDOW_SIZES; j++)
            pass_same(how, input, size, window_sizes[i], window_sizes[j], expected);
}

void
windows_check(const struct windows_stage *stage, const struct windows_stage *inverse,
              const void *input, size_t size, const struct bytes *expected, struct bytes *first)
{
    struct bytes output = {0};
    struct bytes original = {.data = (uint8_t *) (uintptr_t) input, .size = size};
    struct fault fault = {0};

    if (!pass(stage, input, size, 65536, 65536, &output, &fault))
        fail_msg("windows of 64 KiB: %s", fault.text);
    if (expected != NULL)
        assert_bytes_equal(&output, expected);
    pass_same_all(stage, input, size, &output);
    if (inverse != NULL)
        pass_same_all(inverse, output.data, output.size, &original);
    if (first != NULL)
        bytes_add(first, output.data, output.size);
    bytes_free(&output);
}

/* Every offset to 200, then some: a hundred at most. */
static size_t
offset_next(size_t offset, size_t size)
{
    return offset < 200 ? offset + 1 : offset + 1 + size / 100;
}

void
windows_check_abandoned(const struct windows_stage *how, const void *input, size_t size)
{
    struct bytes expected = {0};
    struct fault fault = {0};

    assert_true(pass(how, input, size, 64, 64, &expected, &fault));
    for (size_t offset = 0; offset <= size; offset = offset_next(offset, size)) {
        struct stage *stage = how->begin(how->context);
        for (size_t used = 0; used < offset;) {
            size_t left = offset - used < 64 ? offset - used : 64;
            const uint8_t *at = (const uint8_t *) input + used;
            enum step step = push_once(stage, at, left, &used, 64, NULL, &fault);
            assert_int_equal(step, STEP_AGAIN);
        }
        stage_free(stage);
        if (how->end != NULL)
            how->end(how->context);
        pass_same(how, input, size, 4096, 4096, &expected);
    }
    bytes_free(&expected);
}

void
windows_check_truncated(const struct windows_stage *how, const void *input, size_t size,
                        size_t minimum, enum err err)
{
    for (size_t offset = minimum; offset < size; offset = offset_next(offset, size)) {
        struct fault fault = {0};
        if (pass(how, input, offset, 7, 64, NULL, &fault))
            fail_msg("%zu of %zu bytes pass for the whole", offset, size);
        assert_int_equal(fault.err, err);
        assert_true(strlen(fault.text) > 0);
    }
}
