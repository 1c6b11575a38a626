/* codec_decompress - what `zstd -d` takes is taken; everything else is refused with a sentence. */
#define ZSTD_STATIC_LINKING_ONLY
#include <stdlib.h>
#include <zstd.h>

#include "codec/decompress.h"
#include "support.h"

static struct decompress unzip;

static void
add_frame(struct bytes *bytes, const void *plain, size_t size)
{
    size_t bound = ZSTD_compressBound(size);
    uint8_t *frame = malloc(bound);
    size_t length = ZSTD_compress(frame, bound, plain, size, 3);

    assert_false(ZSTD_isError(length));
    bytes_add(bytes, frame, length);
    free(frame);
}

static bool
unzip_bytes(const struct bytes *zipped, struct bytes *plain, struct fault *fault)
{
    struct stage *stage = decompress_init(&unzip);
    bool done = windows_push(stage, zipped->data, zipped->size, 7, 11, plain, fault);

    stage_free(stage);
    return done;
}

static void
assert_refused(const struct bytes *zipped, const char *words)
{
    struct bytes plain = {0};
    struct fault fault = {0};

    assert_false(unzip_bytes(zipped, &plain, &fault));
    assert_int_equal(fault.err, ERR_INTEGRITY);
    if (strstr(fault.text, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", fault.text, words);
    bytes_free(&plain);
}

static struct stage *
decompress_begin(void *context)
{
    return decompress_init(context);
}

static const struct windows_stage unzip_stage = {.begin = decompress_begin, .context = &unzip};

/* Frames with and without content, and one to be skipped, in a row. */
static void
test_frames(void **state)
{
    (void) state;
    static const uint8_t skippable[] = {0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'a', 'b', 'c'};
    struct bytes zipped = {0}, expected = {0};

    add_frame(&zipped, "first ", 6);
    add_frame(&zipped, "", 0);
    bytes_add(&zipped, skippable, sizeof skippable);
    add_frame(&zipped, "second", 6);
    bytes_add(&expected, "first second", 12);
    windows_check(&unzip_stage, NULL, zipped.data, zipped.size, &expected, NULL);
    bytes_free(&zipped);
    bytes_free(&expected);
}

static void
test_nothing_is_no_frame(void **state)
{
    (void) state;
    assert_refused(&(struct bytes){0}, "ends at byte 0");
}

static void
test_garbage(void **state)
{
    (void) state;
    struct bytes zipped = {0};

    bytes_add(&zipped, "COPY public.film FROM stdin;", 28);
    assert_refused(&zipped, "no zstd frame");
    zipped.size = 0;
    add_frame(&zipped, "rows", 4);
    bytes_add(&zipped, "and more", 8);
    assert_refused(&zipped, "no zstd frame");
    zipped.size -= 7;
    zipped.data[zipped.size - 1] = 0x28; /* how a frame begins */
    assert_refused(&zipped, "cut short");
    bytes_free(&zipped);
}

/* A flipped bit anywhere is refused; our frames have a checksum, and the header is not covered by
 * it, so a flip there may pass when it changes nothing that counts. */
static void
test_flipped_bits(void **state)
{
    (void) state;
    struct bytes rows = {0}, zipped = {0};
    ZSTD_CCtx *context = ZSTD_createCCtx();

    bytes_add_rows(&rows, 3, 2000);
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    size_t bound = ZSTD_compressBound(rows.size);
    uint8_t *frame = malloc(bound);
    size_t size = ZSTD_compress2(context, frame, bound, rows.data, rows.size);
    assert_false(ZSTD_isError(size));
    bytes_add(&zipped, frame, size);
    for (size_t bit = 0; bit < size * 8; bit++) {
        struct bytes plain = {0};
        struct fault fault = {0};
        zipped.data[bit / 8] ^= (uint8_t) (1 << bit % 8);
        if (unzip_bytes(&zipped, &plain, &fault))
            assert_bytes_equal(&plain, &rows);
        else
            assert_int_equal(fault.err, ERR_INTEGRITY);
        zipped.data[bit / 8] ^= (uint8_t) (1 << bit % 8);
        bytes_free(&plain);
    }
    free(frame);
    ZSTD_freeCCtx(context);
    bytes_free(&rows);
    bytes_free(&zipped);
}

/* A frame may ask for 128 MiB, but not for more. */
static void
test_window_limit(void **state)
{
    (void) state;
    /* magic, no checksum and no size, window 2^(10 + exponent), then a last raw block "x" */
    uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0, 0x09, 0x00, 0x00, 'x'};
    struct bytes zipped = {.data = frame, .size = sizeof frame}, plain = {0};
    struct fault fault = {0};

    frame[5] = (uint8_t) ((DECOMPRESS_WINDOW_LOG_MAX - 10) << 3);
    assert_true(unzip_bytes(&zipped, &plain, &fault));
    assert_int_equal(plain.size, 1);
    assert_int_equal(plain.data[0], 'x');
    frame[5] = (uint8_t) ((DECOMPRESS_WINDOW_LOG_MAX - 9) << 3);
    assert_refused(&zipped, "128 MiB");
    frame[5] = (uint8_t) ((DECOMPRESS_WINDOW_LOG_MAX - 10) << 3 | 1);
    assert_refused(&zipped, "128 MiB");
    bytes_free(&plain);
}

/* What REPLICA_MEMORY leaves room for is less. */
static void
test_window_of_a_plan(void **state)
{
    (void) state;
    uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0, 0x09, 0x00, 0x00, 'x'};
    struct bytes zipped = {.data = frame, .size = sizeof frame}, plain = {0};
    struct fault fault = {0};

    for (unsigned log = DECOMPRESS_WINDOW_LOG_LEAST; log < DECOMPRESS_WINDOW_LOG_MAX; log++) {
        decompress_close(&unzip);
        decompress_open(&unzip, log);
        frame[5] = (uint8_t) ((log - 10) << 3);
        assert_true(unzip_bytes(&zipped, &plain, &fault));
        frame[5] = (uint8_t) ((log - 9) << 3);
        assert_false(unzip_bytes(&zipped, &plain, &fault));
        assert_int_equal(fault.err, ERR_CONFIG);
        assert_non_null(strstr(fault.text, "for which REPLICA_MEMORY leaves no room"));
        fault = (struct fault){0};
    }
    bytes_free(&plain);
    assert_int_equal(decompress_window_log(0), DECOMPRESS_WINDOW_LOG_LEAST);
    assert_int_equal(decompress_window_log(UINT64_MAX), DECOMPRESS_WINDOW_LOG_MAX);
    for (uint64_t bytes = decompress_bytes(3); bytes < 1u << 28; bytes += 1 << 20)
        assert_true((1u << decompress_window_log(bytes)) <= bytes);
    for (int level = 1; level <= 19; level++) /* what is counted for our own frames serves them */
        assert_true(decompress_window_log(decompress_bytes(level)) >= 20);
    decompress_close(&unzip);
    decompress_open(&unzip, 0);
}

/* After a failure the next volume is read as if nothing had been. */
static void
test_after_failure(void **state)
{
    (void) state;
    struct bytes zipped = {0}, plain = {0};
    struct fault fault = {0};

    bytes_add(&zipped, "garbage", 7);
    assert_refused(&zipped, "no zstd frame");
    zipped.size = 0;
    add_frame(&zipped, "rows", 4);
    assert_true(unzip_bytes(&zipped, &plain, &fault));
    assert_int_equal(plain.size, 4);
    windows_check_truncated(&unzip_stage, zipped.data, zipped.size, 0, ERR_INTEGRITY);
    bytes_free(&zipped);
    bytes_free(&plain);
}

static int
setup(void **state)
{
    (void) state;
    decompress_open(&unzip, 0);
    return 0;
}

static int
teardown(void **state)
{
    (void) state;
    decompress_close(&unzip);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames),       cmocka_unit_test(test_nothing_is_no_frame),
        cmocka_unit_test(test_garbage),      cmocka_unit_test(test_flipped_bits),
        cmocka_unit_test(test_window_limit), cmocka_unit_test(test_after_failure),
        cmocka_unit_test(test_window_of_a_plan),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
