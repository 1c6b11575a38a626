/* stage_windows - the codec's stages, pushed through with windows of every size. */
#include "codec/compress.h"
#include "codec/decompress.h"
#include "support.h"

static struct compress zip;
static struct decompress unzip;

static struct stage *
compress_begin(void *context)
{
    return compress_init(context);
}

static struct stage *
decompress_begin(void *context)
{
    return decompress_init(context);
}

static const struct windows_stage zip_stage = {.begin = compress_begin, .context = &zip};
static const struct windows_stage unzip_stage = {.begin = decompress_begin, .context = &unzip};

static struct stage *
faulty_begin(void *context)
{
    struct faulty *faulty = context, wanted = *faulty;
    struct stage *stage = faulty_init(faulty);
    faulty->expand = wanted.expand;
    faulty->shrink = wanted.shrink;
    faulty->hold = wanted.hold;
    return stage;
}

/* The driver itself, against a stage whose output is known. */
static void
test_driver(void **state)
{
    (void) state;
    static struct faulty faulty;
    static const struct windows_stage how = {.begin = faulty_begin, .context = &faulty};
    struct bytes expected = {0}, rows = {0};

    faulty = (struct faulty){.expand = 3, .shrink = 1, .hold = 2};
    bytes_add(&expected, "cccdddab", 8);
    windows_check(&how, NULL, "abcd", 4, &expected, NULL);
    faulty.hold = 0;
    faulty.expand = 1;
    bytes_add_rows(&rows, 1, 5000);
    windows_check(&how, &how, rows.data, rows.size, &rows, NULL);
    windows_check_abandoned(&how, rows.data, rows.size);
    bytes_free(&expected);
    bytes_free(&rows);
}

static void
check_both(const struct bytes *plain)
{
    struct bytes zipped = {0};

    windows_check(&zip_stage, &unzip_stage, plain->data, plain->size, NULL, &zipped);
    windows_check_abandoned(&zip_stage, plain->data, plain->size);
    windows_check_abandoned(&unzip_stage, zipped.data, zipped.size);
    windows_check_truncated(&unzip_stage, zipped.data, zipped.size, 0, ERR_INTEGRITY);
    bytes_free(&zipped);
}

static void
test_nothing(void **state)
{
    (void) state;
    check_both(&(struct bytes){0});
}

static void
test_sizes(void **state)
{
    (void) state;
    static const size_t sizes[] = {1, 2, 3, 63, 64, 65, 4097, 20000};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct bytes plain = {0};
        if (i % 2 == 0)
            bytes_add_rows(&plain, i, sizes[i]);
        else
            bytes_add_noise(&plain, i, sizes[i]);
        check_both(&plain);
        bytes_free(&plain);
    }
}

/* More than one block of 128 KiB, and a run that expands a thousandfold on the way back. */
static void
test_blocks(void **state)
{
    (void) state;
    struct bytes plain = {0}, zeros = {0};

    bytes_add_rows(&plain, 5, 140000);
    windows_check(&zip_stage, &unzip_stage, plain.data, plain.size, NULL, NULL);
    for (int i = 0; i < 150000; i++)
        bytes_add(&zeros, "", 1);
    windows_check(&zip_stage, &unzip_stage, zeros.data, zeros.size, NULL, NULL);
    bytes_free(&plain);
    bytes_free(&zeros);
}

static int
setup(void **state)
{
    (void) state;
    compress_open(&zip, 3);
    decompress_open(&unzip, 0);
    return 0;
}

static int
teardown(void **state)
{
    (void) state;
    compress_close(&zip);
    decompress_close(&unzip);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_driver),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_blocks),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
