/* s3_crc32c - known values, and the CPU's instruction against its portable twin. */
#include "s3/crc32c.h"
#include "support.h"

/* RFC 3720, appendix B.4, and the check value of the catalogues. */
static void
test_known(void **state)
{
    (void) state;
    uint8_t zeros[32] = {0}, ones[32], up[32], down[32];

    memset(ones, 0xff, sizeof ones);
    for (uint8_t i = 0; i < 32; i++) {
        up[i] = i;
        down[i] = (uint8_t) (31 - i);
    }
    assert_int_equal(crc32c("", 0), 0);
    assert_int_equal(crc32c("123456789", 9), 0xe3069283);
    assert_int_equal(crc32c(zeros, sizeof zeros), 0x8a9136aa);
    assert_int_equal(crc32c(ones, sizeof ones), 0x62a8ab43);
    assert_int_equal(crc32c(up, sizeof up), 0x46dd794e);
    assert_int_equal(crc32c(down, sizeof down), 0x113fdb5c);
    assert_int_equal(crc32c_portable("123456789", 9), 0xe3069283);
    assert_int_equal(crc32c_portable(up, sizeof up), 0x46dd794e);
}

/* Every offset within a word, every length around the steps of eight. */
static void
test_twin(void **state)
{
    (void) state;
    struct bytes noise = {0};

    bytes_add_noise(&noise, 32, 1100);
    for (size_t offset = 0; offset < 16; offset++)
        for (size_t size = 0; size < 1084; size = size < 70 ? size + 1 : size * 2 - 60)
            assert_int_equal(crc32c(noise.data + offset, size),
                             crc32c_portable(noise.data + offset, size));
    bytes_free(&noise);
    print_message("the CPU %s the instruction\n", crc32c_is_fast() ? "has" : "does not have");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_twin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
