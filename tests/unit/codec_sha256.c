/* sha256: FIPS vectors, and the fast code against its portable twin at every offset and length. */
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "codec/sha256.h"
#include "support.h"

static void
digest_check(const char *text, size_t repeats, const char *wanted)
{
    for (int portable = 0; portable <= 1; portable++) {
        struct sha256 sha256;
        uint8_t digest[32];
        char hex[65];
        (portable ? sha256_init_portable : sha256_init)(&sha256);
        for (size_t i = 0; i < repeats; i++)
            sha256_update(&sha256, text, strlen(text));
        sha256_out(&sha256, digest);
        for (int i = 0; i < 32; i++)
            snprintf(hex + 2 * i, 3, "%02x", digest[i]);
        assert_string_equal(hex, wanted);
    }
}

/* FIPS 180-2, appendix B. */
static void
test_vectors(void **state)
{
    (void) state;
    digest_check("", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    digest_check("abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest_check("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
                 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    digest_check("a", 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void
test_twins(void **state)
{
    static uint8_t data[1024];
    (void) state;

    if (!sha256_is_fast())
        print_message("this CPU has no SHA-256 instructions: the portable code is its own twin\n");
    random_bytes(data, sizeof data);
    for (size_t offset = 0; offset < 65; offset++) {
        for (size_t size = 0; size <= 400; size++) {
            struct sha256 fast, portable;
            uint8_t one[32], other[32];
            sha256_init(&fast);
            sha256_init_portable(&portable);
            sha256_update(&fast, data + offset, size);
            sha256_update(&fast, data + offset + size, size % 67);
            sha256_update(&portable, data + offset, size + size % 67);
            sha256_out(&fast, one);
            sha256_out(&portable, other);
            assert_memory_equal(one, other, sizeof one);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_twins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
