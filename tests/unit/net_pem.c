/* net_pem - PEM as people and editors write it. */
#include <stdlib.h>
#include <unistd.h>

#include "net/pem.h"
#include "support_tls.h"

#define BEGIN "-----BEGIN CERTIFICATE-----\n"
#define END "-----END CERTIFICATE-----\n"

static void
test_shapes(void **state)
{
    (void) state;
    static const char *const texts[] = {
        BEGIN "aGVsbG8=\n" END,
        BEGIN "aGVs\nbG8=\n-----END CERTIFICATE-----", /* no newline at the end */
        "-----BEGIN CERTIFICATE-----\r\naGVsbG8=\r\n-----END CERTIFICATE-----\r\n",
        "\xef\xbb\xbf" BEGIN "aGVsbG8=\n" END,
        "subject=CN\n\nissuer=x\n" BEGIN "aGVsbG8=\n" END "more\n-----BEGIN\n",
        BEGIN "  aGVs bG8=\n\n" END,
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct arena arena = {0};
        struct pem pem;
        assert_true(pem_decode(&arena, texts[i], strlen(texts[i]), &pem));
        assert_int_equal(pem.count, 1);
        assert_string_equal(pem.objects[0].name, "CERTIFICATE");
        assert_int_equal(pem.objects[0].size, 5);
        assert_memory_equal(pem.objects[0].data, "hello", 5);
        assert_false(pem.encrypted);
        arena_free(&arena);
    }
}

static void
test_many(void **state)
{
    (void) state;
    struct bytes text = {0};
    struct arena arena = {0};
    struct pem pem;

    for (int i = 0; i < 1000; i++) {
        const char *one = i % 2 == 0 ? BEGIN "aGVsbG8=\r\n" END
                                     : "-----BEGIN EC PRIVATE KEY-----\r\nYQ==\r\n"
                                       "-----END EC PRIVATE KEY-----\r\n";
        bytes_add(&text, one, strlen(one));
    }
    assert_true(pem_decode(&arena, text.data, text.size, &pem));
    assert_int_equal(pem.count, 1000);
    for (size_t i = 0; i < 1000; i++) {
        assert_string_equal(pem.objects[i].name, i % 2 == 0 ? "CERTIFICATE" : "EC PRIVATE KEY");
        assert_int_equal(pem.objects[i].size, i % 2 == 0 ? 5 : 1);
    }
    assert_memory_equal(pem.objects[998].data, "hello", 5);
    arena_free(&arena);
    bytes_free(&text);
}

static void
test_damage(void **state)
{
    (void) state;
    static const char *const texts[] = {
        BEGIN "aGVsbG8=\n",          BEGIN, BEGIN "aGVs!G8=\n" END,
        BEGIN "aGVsbG8\n" END,       BEGIN "aGVsbG8=\n-----EMD CERTIFICATE-----\n",
        BEGIN "aGVsbG8=\n" END BEGIN, BEGIN "aGVsbG8==\n" END, BEGIN "aGVsbG9=\n" END,
        BEGIN "aGVsbG8=a\n" END,     BEGIN "=\n" END,          BEGIN "aGVsb\n" END,
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct arena arena = {0};
        struct pem pem;
        assert_false(pem_decode(&arena, texts[i], strlen(texts[i]), &pem));
        assert_int_equal(pem.count, 0);
        arena_free(&arena);
    }
}

static void
test_nothing(void **state)
{
    (void) state;
    static const char *const texts[] = {"", "\n", "hello", "-----BEGIN", "-----END X-----\n"};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct arena arena = {0};
        struct pem pem;
        assert_true(pem_decode(&arena, texts[i], strlen(texts[i]), &pem));
        assert_int_equal(pem.count, 0);
        arena_free(&arena);
    }
}

static void
test_encrypted(void **state)
{
    (void) state;
    static const char text[] = "-----BEGIN RSA PRIVATE KEY-----\n"
                               "Proc-Type: 4,ENCRYPTED\n"
                               "DEK-Info: AES-128-CBC,00112233\n"
                               "\n"
                               "aGVsbG8=\n"
                               "-----END RSA PRIVATE KEY-----\n" BEGIN "aGVsbG8=\n" END;
    struct arena arena = {0};
    struct pem pem;

    assert_true(pem_decode(&arena, text, sizeof text - 1, &pem));
    assert_true(pem.encrypted);
    assert_int_equal(pem.count, 1);
    assert_string_equal(pem.objects[0].name, "CERTIFICATE");
    arena_free(&arena);
}

static void
test_files(void **state)
{
    (void) state;
    static const char text[] = BEGIN "aGVsbG8=\n" END;
    struct arena arena = {0};
    struct fault fault = {0};
    struct pem pem;

    certs_write("text.pem", text, sizeof text - 1);
    assert_true(pem_file_read(&arena, certs_path("text.pem"), "key", &pem, ERR_STORE, &fault));
    assert_int_equal(pem.count, 1);
    certs_write("some.der", "\x30\x03\x02\x01\x07", 5);
    assert_true(pem_file_read(&arena, certs_path("some.der"), "key", &pem, ERR_STORE, &fault));
    assert_int_equal(pem.count, 1);
    assert_string_equal(pem.objects[0].name, "");
    assert_int_equal(pem.objects[0].size, 5);
    assert_false(pem_file_read(&arena, certs_path("none"), "key", &pem, ERR_STORE, &fault));
    assert_int_equal(fault.err, ERR_STORE);
    assert_non_null(strstr(fault.text, "unable to read the key in "));
    fault = (struct fault){0};
    assert_false(pem_file_read(&arena, certs_path("."), "key", &pem, ERR_STORE, &fault));
    fault = (struct fault){0};
    certs_write("damaged.pem", BEGIN, sizeof BEGIN - 1);
    assert_false(pem_file_read(&arena, certs_path("damaged.pem"), "key", &pem, ERR_STORE, &fault));
    assert_non_null(strstr(fault.text, "damaged.pem holds damaged PEM"));
    arena_free(&arena);
}

static void
test_large_file(void **state)
{
    (void) state;
    struct arena arena = {0};
    struct fault fault = {0};
    struct pem pem;

    certs_write("large.pem", "", 0);
    assert_int_equal(truncate(certs_path("large.pem"), PEM_FILE_BYTES_MAX + 1), 0);
    assert_false(pem_file_read(&arena, certs_path("large.pem"), "key", &pem, ERR_STORE, &fault));
    arena_free(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),    cmocka_unit_test(test_many),
        cmocka_unit_test(test_damage),    cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_encrypted), cmocka_unit_test(test_files),
        cmocka_unit_test(test_large_file),
    };
    return cmocka_run_group_tests(tests, certs_begin, certs_end);
}
