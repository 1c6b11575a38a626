/* cpu_twins - what has a machine's own instructions, against its portable twin, in a program small
 * enough to be crossed and run under qemu: tests/live/test_arm64.py builds it.  The same comparisons
 * as in tests/unit (codec_sha256, s3_crc32c, transform_scan), which run on the machine that builds.
 *
 * Prints what this CPU has, one word a line; exits 1 with a sentence on the first difference. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "codec/sha256.h"
#include "s3/crc32c.h"
#include "transform/scan.h"

enum { OFFSETS = 64, LENGTHS = 320, BLOCKS = 4 };

static uint8_t *page;
static size_t page_bytes;
static uint64_t noise = 1;

static uint8_t
next_byte(void)
{
    noise = noise * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint8_t) (noise >> 56);
}

static void
same(const char *what, size_t offset, size_t size, const void *one, const void *other, size_t bytes)
{
    if (memcmp(one, other, bytes) == 0)
        return;
    printf("%s differs from its twin at offset %zu, length %zu\n", what, offset, size);
    exit(1);
}

static void
sha256_check(size_t offset, const uint8_t *data, size_t size)
{
    struct sha256 fast, portable;
    uint8_t one[32], other[32];

    sha256_init(&fast);
    sha256_init_portable(&portable);
    sha256_update(&fast, data, size / 3);
    sha256_update(&fast, data + size / 3, size - size / 3);
    sha256_update(&portable, data, size);
    sha256_out(&fast, one);
    sha256_out(&portable, other);
    same("sha256", offset, size, one, other, sizeof one);
}

static void
crc32c_check(size_t offset, const uint8_t *data, size_t size)
{
    uint32_t one = crc32c(data, size), other = crc32c_portable(data, size);
    same("crc32c", offset, size, &one, &other, sizeof one);
}

static void
scan_check(size_t offset, const uint8_t *data, size_t size)
{
    const struct scan_way *ways;
    size_t count = scan_ways(&ways), blocks = size / SCAN_BLOCK_BYTES;

    if (blocks > BLOCKS)
        return;
    for (size_t way = 1; way < count; way++) {
        uint64_t one[2][BLOCKS] = {{0}}, other[2][BLOCKS] = {{0}};
        ways[way].blocks(data, blocks, one[0], one[1]);
        ways[0].blocks(data, blocks, other[0], other[1]);
        same(ways[way].name, offset, size, one, other, sizeof one);
    }
}

/* Every offset and length, and every length flush against the page that can't be read. */
static void
check_all(void (*check)(size_t offset, const uint8_t *data, size_t size))
{
    for (size_t size = 0; size <= LENGTHS; size++) {
        for (size_t offset = 0; offset < OFFSETS; offset++)
            check(offset, page + offset, size);
        check(page_bytes - size, page + page_bytes - size, size);
    }
}

/* Known answers: the twins may not be wrong together. */
static void
check_known(void)
{
    static const uint8_t wanted[32] = {
        0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
        0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    static const uint8_t crc_wanted[4] = {0xe3, 0x06, 0x92, 0x83};
    struct sha256 sha256;
    uint8_t digest[32];
    uint32_t crc = crc32c("123456789", 9);
    uint8_t crc_bytes[] = {(uint8_t) (crc >> 24), (uint8_t) (crc >> 16), (uint8_t) (crc >> 8), (uint8_t) crc};

    sha256_init(&sha256);
    sha256_update(&sha256, "abc", 3);
    sha256_out(&sha256, digest);
    same("sha256 of abc", 0, 3, digest, wanted, sizeof digest);
    same("crc32c of 123456789", 0, 9, crc_bytes, crc_wanted, sizeof crc_bytes);
}

int
main(void)
{
    const struct scan_way *ways;
    size_t count = scan_ways(&ways);

    page_bytes = (size_t) sysconf(_SC_PAGESIZE);
    uint8_t *memory = mmap(NULL, 2 * page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory + page_bytes, page_bytes, PROT_NONE) != 0) {
        perror("mmap");
        return 1;
    }
    page = memory;
    for (size_t i = 0; i < page_bytes; i++) {
        uint8_t byte = next_byte();
        page[i] = byte < 40 ? '\t' : byte < 60 ? '\n' : next_byte();
    }
    check_known();
    check_all(sha256_check);
    check_all(crc32c_check);
    check_all(scan_check);
    if (sha256_is_fast())
        puts("sha256");
    if (crc32c_is_fast())
        puts("crc32c");
    for (size_t way = 1; way < count; way++)
        puts(ways[way].name);
    return 0;
}
