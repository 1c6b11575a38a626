/* codec_compress - levels, reuse, memory, and the form of a frame. */
#include <zstd.h>

#include "codec/compress.h"
#include "codec/decompress.h"
#include "support.h"

static void
zip_bytes(struct compress *zip, const struct bytes *plain, struct bytes *zipped)
{
    struct fault fault = {0};
    struct stage *stage = compress_init(zip);

    assert_true(windows_push(stage, plain->data, plain->size, 65536, 65536, zipped, &fault));
    stage_free(stage);
}

/* Every level gives a frame that zstd itself reads in one call, with a checksum and no
 * dictionary. */
static void
test_levels(void **state)
{
    (void) state;
    struct bytes plain = {0};

    bytes_add_rows(&plain, 1, 200000);
    for (int level = COMPRESS_LEVEL_MIN; level <= COMPRESS_LEVEL_MAX; level++) {
        struct compress zip;
        struct bytes zipped = {0};
        uint8_t *again = test_malloc(plain.size);
        compress_open(&zip, level);
        zip_bytes(&zip, &plain, &zipped);
        assert_true(zipped.size < plain.size / 2);
        assert_int_equal(ZSTD_decompress(again, plain.size, zipped.data, zipped.size), plain.size);
        assert_memory_equal(again, plain.data, plain.size);
        assert_int_equal(zipped.data[4] & 4, 4); /* the checksum's flag */
        assert_int_equal(zipped.data[4] & 3, 0); /* no dictionary */
        test_free(again);
        bytes_free(&zipped);
        compress_close(&zip);
    }
    bytes_free(&plain);
}

/* More than one frame: around its end, where a frame of nothing must not follow, and with windows
 * that leave a frame's last bytes waiting. */
static void
test_frames(void **state)
{
    (void) state;
    enum { FRAME = 4 << 20 };
    static const struct {
        size_t size, frames;
    } tries[] = {{0, 1},     {FRAME - 1, 1}, {FRAME, 1},
                 {FRAME + 1, 2}, {2 * FRAME, 2}, {2 * FRAME + 131073, 3}};
    struct compress zip;
    struct bytes plain = {0};

    bytes_add_rows(&plain, 3, 3 * FRAME);
    compress_open(&zip, 3);
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        struct bytes piece = {.data = plain.data, .size = tries[i].size}, zipped = {0}, again = {0};
        struct fault fault = {0};
        struct decompress unzip;
        assert_true(plain.size >= tries[i].size);
        struct stage *stage = compress_init(&zip);
        assert_true(windows_push(stage, piece.data, piece.size, 100003, 777, &zipped, &fault));
        size_t frames = 0;
        for (size_t at = 0; at < zipped.size; frames++)
            at += ZSTD_findFrameCompressedSize(zipped.data + at, zipped.size - at);
        assert_int_equal(frames, tries[i].frames);
        decompress_open(&unzip, 0);
        stage = decompress_init(&unzip);
        assert_true(windows_push(stage, zipped.data, zipped.size, 999, 65536, &again, &fault));
        assert_bytes_equal(&again, &piece);
        decompress_close(&unzip);
        bytes_free(&zipped);
        bytes_free(&again);
    }
    compress_close(&zip);
    bytes_free(&plain);
}

/* A context used again, also after it was left in the middle, gives what a new one gives. */
static void
test_reuse(void **state)
{
    (void) state;
    struct compress zip;
    struct bytes plain = {0}, first = {0}, second = {0};
    struct fault fault = {0};
    uint8_t out[10];

    bytes_add_rows(&plain, 2, 150000);
    compress_open(&zip, 3);
    zip_bytes(&zip, &plain, &first);
    struct stage *stage = compress_init(&zip);
    struct source_span source = {.data = plain.data, .size = plain.size};
    struct target_span target = {.data = out, .size = sizeof out};
    assert_int_equal(stage_step(stage, &source, &target, false, &fault), STEP_AGAIN);
    stage_free(stage);
    zip_bytes(&zip, &plain, &second);
    assert_bytes_equal(&first, &second);
    bytes_free(&plain);
    bytes_free(&first);
    bytes_free(&second);
    compress_close(&zip);
}

/* What restore plans with: the window in the frame is never more than decompress_bytes() says. */
static void
test_memory(void **state)
{
    (void) state;
    for (int level = COMPRESS_LEVEL_MIN; level <= COMPRESS_LEVEL_MAX; level++) {
        assert_true(compress_bytes(level) > 1 << 20);
        assert_true(compress_bytes(level) < 120 << 20);
        assert_true(decompress_bytes(level) < 9 << 20);
    }
    assert_true(compress_bytes(3) < 6 << 20);
    assert_true(decompress_bytes(3) < 3 << 20);
    assert_true(decompress_bytes(DECOMPRESS_LEVEL_ANY) > 128 << 20);
    assert_true(decompress_bytes(DECOMPRESS_LEVEL_ANY) < 129 << 20);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_reuse),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
