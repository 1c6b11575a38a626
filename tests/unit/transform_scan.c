/* transform_scan - every kind of instructions against the portable way, at every offset and length,
 * flush against pages that can't be read; and the walk along the bits against one byte by byte. */
#include <sys/mman.h>
#include <unistd.h>

#include "support.h"
#include "transform/scan.h"

enum { OFFSETS = 64, LENGTHS = 200, BLOCKS = 5 };

/* A page between two that nobody may touch. */
static uint8_t *page;
static size_t page_bytes;

static int
setup(void **state)
{
    (void) state;
    page_bytes = (size_t) sysconf(_SC_PAGESIZE);
    uint8_t *memory = mmap(NULL, 3 * page_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    page = memory + page_bytes;
    return mprotect(page, page_bytes, PROT_READ | PROT_WRITE);
}

static int
teardown(void **state)
{
    (void) state;
    return munmap(page - page_bytes, 3 * page_bytes);
}

/* COPY text of every density, and the bytes that arithmetic takes for tabs most easily. */
static void
fill(uint8_t *data, size_t size, uint64_t seed)
{
    static const uint8_t near[] = {8, 9, 10, 11, 0x89, 0x8a, 0, 1, 0x7f, 0x80, 0xff, 0x49};
    uint64_t noise = seed * 2 + 1;

    for (size_t i = 0; i < size; i++)
        data[i] = noise_next(&noise) % (1 + seed % 9) != 0
                      ? (uint8_t) ('a' + noise_next(&noise) % 26)
                      : near[noise_next(&noise) % sizeof near];
}

/* The lowest bit is the first byte's: said by one byte at a time, for the portable way too. */
static void
test_bits(void **state)
{
    (void) state;
    const struct scan_way *ways;
    size_t count = scan_ways(&ways);

    assert_string_equal(ways[0].name, "portable");
    for (size_t way = 0; way < count; way++)
        for (int place = 0; place < SCAN_BLOCK_BYTES; place++)
            for (int byte = 0; byte < 256; byte++) {
                uint64_t tabs = 99, newlines = 99, bit = UINT64_C(1) << place;
                memset(page, 'x', SCAN_BLOCK_BYTES);
                page[place] = (uint8_t) byte;
                ways[way].blocks(page, 1, &tabs, &newlines);
                assert_true(tabs == (byte == '\t' ? bit : 0));
                assert_true(newlines == (byte == '\n' ? bit : 0));
            }
}

static void
test_twins(void **state)
{
    (void) state;
    const struct scan_way *ways;
    size_t count = scan_ways(&ways);

    for (size_t way = 0; way < count; way++) {
        print_message("this machine has %s\n", ways[way].name);
        for (size_t offset = 0; offset < OFFSETS; offset++)
            for (size_t blocks = 0; blocks <= BLOCKS; blocks++) {
                uint64_t bits[2][BLOCKS + 1], twin[2][BLOCKS + 1];
                size_t size = blocks * SCAN_BLOCK_BYTES;
                memset(bits, 0x5a, sizeof bits);
                memset(twin, 0x5a, sizeof twin);
                for (int flush = 0; flush <= 1; flush++) { /* with either page */
                    uint8_t *data = flush == 0 ? page + offset : page + page_bytes - size;
                    fill(data, size, offset * 7 + blocks);
                    ways[way].blocks(data, blocks, bits[0], bits[1]);
                    ways[0].blocks(data, blocks, twin[0], twin[1]);
                    assert_memory_equal(bits, twin, sizeof bits);
                }
            }
    }
}

/* What scan_tabs() promises, byte by byte. */
static size_t
tabs_slowly(const uint8_t *data, size_t at, size_t end, size_t *tabs)
{
    for (; at < end && data[at] != '\n'; at++)
        if (data[at] == '\t' && --*tabs == 0)
            return at + 1;
    return at;
}

static void
walk_check(const uint8_t *data, size_t size, size_t offset)
{
    struct scan scan;

    for (size_t wanted = 1; wanted < 20; wanted += 1 + wanted / 3) {
        size_t at = offset < size ? offset : size;
        scan_begin(&scan, data, size);
        while (at < size) {
            size_t end = size - (size - at) * (wanted % 3) / 4, slow = wanted, tabs = wanted;
            size_t stop = tabs_slowly(data, at, end, &slow);
            assert_ptr_equal(scan_tabs(&scan, data + at, data + end, &tabs), data + stop);
            assert_int_equal(tabs, slow);
            for (at = stop; at < size && data[at] != '\t' && data[at] != '\n';)
                at++;
            assert_ptr_equal(scan_field(&scan, data + stop), data + at);
            at++;
        }
    }
}

static void
test_walk(void **state)
{
    (void) state;
    for (size_t size = 0; size <= LENGTHS; size++)
        for (size_t offset = 0; offset < OFFSETS; offset++) {
            uint8_t *data = page + page_bytes - size;
            fill(data, size, size * 3 + offset);
            walk_check(data, size, offset);
        }
}

/* More than is looked ahead at once, and sizes around it. */
static void
test_long_walk(void **state)
{
    (void) state;
    enum { AHEAD = SCAN_BLOCK_BYTES * SCAN_BLOCKS_MAX };
    struct bytes bytes = {0};

    bytes_add_rows(&bytes, 3, 3 * AHEAD);
    for (size_t size = AHEAD - 3; size < AHEAD + 70; size++)
        walk_check(bytes.data, size, size % 64);
    walk_check(bytes.data, bytes.size, 17);
    memset(bytes.data, 'x', bytes.size);
    walk_check(bytes.data, bytes.size, 0);
    memset(bytes.data, '\t', bytes.size);
    walk_check(bytes.data, bytes.size, 1);
    bytes_free(&bytes);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bits),
        cmocka_unit_test(test_twins),
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_long_walk),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
