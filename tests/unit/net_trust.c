/* net_trust - authorities out of files, directories and the program itself. */
#include "net/trust.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/pem.h"
#include "net/trust_bundle.h"
#include "support_tls.h"

static int
group_begin(void **state)
{
    if (certs_begin(state) != 0)
        return -1;
    certs_make(&(struct cert){.name = "one", .extensions = CA_EXTENSIONS});
    certs_make(&(struct cert){.name = "two", .key = "RSA-2048", .extensions = CA_EXTENSIONS});
    certs_make(&(struct cert){.name = "self"});
    certs_make(&(struct cert){.name = "edwards", .key = "ED25519", .extensions = CA_EXTENSIONS});
    certs_join("both.pem", "one.pem", "two.pem");
    certs_join("mixed.pem", "edwards.pem", "one.pem");
    return 0;
}

static struct trust *
open_file(const char *name)
{
    struct fault fault = {0};
    struct trust *trust = trust_open(certs_path(name), NULL, ERR_CONFIG, &fault);

    if (trust == NULL)
        fail_msg("%s", fault.text);
    return trust;
}

static void
expect_refused(const char *file, const char *directory, const char *part)
{
    struct fault fault = {0};

    assert_null(trust_open(file, directory, ERR_CONFIG, &fault));
    assert_int_equal(fault.err, ERR_CONFIG);
    if (strstr(fault.text, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", fault.text, part);
}

static void
test_files(void **state)
{
    (void) state;
    struct trust *trust = open_file("both.pem");
    char origin[512];

    assert_int_equal(trust->anchors_count, 2);
    assert_int_equal(trust->anchors[0].pkey.key_type, BR_KEYTYPE_EC);
    assert_int_equal(trust->anchors[1].pkey.key_type, BR_KEYTYPE_RSA);
    assert_int_equal(trust->anchors[1].pkey.key.rsa.nlen, 256);
    assert_int_equal(trust->anchors[0].flags & BR_X509_TA_CA, BR_X509_TA_CA);
    assert_int_equal(trust->anchors[0].dn.data[0], 0x30);
    assert_int_equal(trust->anchors[0].dn.len, trust->anchors[0].dn.data[1] + 2u);
    snprintf(origin, sizeof origin, "the authorities in %s", certs_path("both.pem"));
    assert_string_equal(trust->origin, origin);
    trust_close(trust);

    trust = open_file("self.pem");
    assert_int_equal(trust->anchors_count, 1);
    assert_int_equal(trust->anchors[0].flags & BR_X509_TA_CA, 0);
    trust_close(trust);

    openssl("x509", "-in", "one.pem", "-outform", "DER", "-out", "one.der", NULL);
    trust = open_file("one.der");
    assert_int_equal(trust->anchors_count, 1);
    trust_close(trust);
    trust_close(NULL);
}

/* An anchor without its key was what others made of a file that ends within its last line. */
static void
test_no_last_newline(void **state)
{
    (void) state;
    struct stat stat_of;

    certs_join("short.pem", "one.pem", "two.pem");
    assert_int_equal(stat(certs_path("short.pem"), &stat_of), 0);
    assert_int_equal(truncate(certs_path("short.pem"), stat_of.st_size - 1), 0);
    struct trust *trust = open_file("short.pem");
    assert_int_equal(trust->anchors_count, 2);
    assert_int_equal(trust->anchors[1].pkey.key.rsa.nlen, 256);
    trust_close(trust);
    assert_int_equal(truncate(certs_path("short.pem"), stat_of.st_size - 2), 0);
    trust = open_file("short.pem"); /* a dash less does no harm */
    assert_int_equal(trust->anchors_count, 2);
    trust_close(trust);
    assert_int_equal(truncate(certs_path("short.pem"), stat_of.st_size - 40), 0);
    expect_refused(certs_path("short.pem"), NULL, "damaged PEM");
}

/* A kind of key that BearSSL does not know is passed over, as long as there is another. */
static void
test_unknown_keys(void **state)
{
    (void) state;
    struct trust *trust = open_file("mixed.pem");

    assert_int_equal(trust->anchors_count, 1);
    trust_close(trust);
    expect_refused(certs_path("edwards.pem"), NULL,
                   "edwards.pem holds no certificate with an RSA key of at most 4096 bits");
}

static void
test_no_authorities(void **state)
{
    (void) state;
    static const char garbage[] = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n"
                                  "-----END CERTIFICATE-----\n";

    certs_write("empty.pem", "", 0);
    certs_write("garbage.pem", garbage, sizeof garbage - 1);
    certs_join("worse.pem", "one.pem", "garbage.pem");
    expect_refused(certs_path("none.pem"), NULL, "unable to read the authorities in /");
    expect_refused(certs_path("empty.pem"), NULL, "empty.pem holds no certificate");
    expect_refused(certs_path("one.key"), NULL, "one.key holds no certificate");
    expect_refused(certs_path("garbage.pem"), NULL, "certificate 1 of ");
    expect_refused(certs_path("worse.pem"), NULL, "certificate 2 of ");
    expect_refused(NULL, certs_path("none"), "unable to read the authorities in /");
    expect_refused(certs_path("none.pem"), certs_path("."), "none.pem");
}

/* The directory of the tests holds keys, requests and damaged files, too. */
static void
test_directories(void **state)
{
    (void) state;
    char twice[600], origin[1200];
    struct fault fault = {0};

    assert_int_equal(mkdir(certs_path(".hidden"), 0700), 0);
    expect_refused(NULL, certs_path(".hidden"), "holds a certificate");
    assert_int_equal(symlink("../one.pem", certs_path(".hidden/one.0")), 0);
    assert_int_equal(symlink("nowhere", certs_path(".hidden/dangling.0")), 0);
    assert_int_equal(mkdir(certs_path(".hidden/below.pem"), 0700), 0);
    certs_write(".hidden/README", "notes\n", 6);
    struct trust *trust = trust_open(NULL, certs_path(".hidden"), ERR_CONFIG, &fault);
    assert_non_null(trust);
    assert_int_equal(trust->anchors_count, 1);
    trust_close(trust);

    snprintf(twice, sizeof twice, "%s::%s", certs_path(".hidden"), certs_path(".hidden"));
    trust = trust_open(certs_path("both.pem"), twice, ERR_CONFIG, &fault);
    assert_non_null(trust);
    assert_int_equal(trust->anchors_count, 4);
    snprintf(origin, sizeof origin, "the authorities in %s and %s", certs_path("both.pem"), twice);
    assert_string_equal(trust->origin, origin);
    trust_close(trust);

    static const char *const names[] = {".hidden/one.0", ".hidden/dangling.0", ".hidden/README"};
    for (int i = 0; i < 3; i++)
        assert_int_equal(unlink(certs_path(names[i])), 0);
    assert_int_equal(rmdir(certs_path(".hidden/below.pem")), 0);
    assert_int_equal(rmdir(certs_path(".hidden")), 0);
}

static void
test_bundle(void **state)
{
    (void) state;
    struct fault fault = {0};
    struct trust *trust = trust_open("", "", ERR_CONFIG, &fault);
    char origin[64];

    if (trust == NULL)
        fail_msg("%s", fault.text);
    assert_in_range(trust->anchors_count, 20, TRUST_ANCHORS_MAX);
    snprintf(origin, sizeof origin, "the %zu authorities built into replica", trust->anchors_count);
    assert_string_equal(trust->origin, origin);
    assert_int_equal(trust_bundle_end[0], '\0');
    trust_close(trust);
}

static void
name_add(void *context, const void *data, size_t size)
{
    bytes_add(context, data, size);
}

/* Each certificate of the bundle, as BearSSL's own decoders see it. */
static void
test_bundle_against_bearssl(void **state)
{
    (void) state;
    struct arena arena = {0};
    struct fault fault = {0};
    struct trust *trust = trust_open(NULL, NULL, ERR_CONFIG, &fault);
    struct pem pem;
    size_t at = 0;

    assert_non_null(trust);
    assert_true(pem_decode(&arena, trust_bundle, (size_t) (trust_bundle_end - trust_bundle), &pem));
    for (size_t i = 0; i < pem.count; i++) {
        struct bytes name = {0};
        br_x509_decoder_context decoder;
        br_x509_decoder_init(&decoder, name_add, &name);
        br_x509_decoder_push(&decoder, pem.objects[i].data, pem.objects[i].size);
        const br_x509_pkey *key = br_x509_decoder_get_pkey(&decoder);
        if (key != NULL) {
            const br_x509_trust_anchor *anchor = &trust->anchors[at++];
            assert_true(at <= trust->anchors_count);
            assert_int_equal(anchor->dn.len, name.size);
            assert_memory_equal(anchor->dn.data, name.data, name.size);
            assert_int_equal(anchor->flags != 0, br_x509_decoder_isCA(&decoder) != 0);
            assert_int_equal(anchor->pkey.key_type, key->key_type);
            if (key->key_type == BR_KEYTYPE_EC) {
                assert_int_equal(anchor->pkey.key.ec.curve, key->key.ec.curve);
                assert_int_equal(anchor->pkey.key.ec.qlen, key->key.ec.qlen);
                assert_memory_equal(anchor->pkey.key.ec.q, key->key.ec.q, key->key.ec.qlen);
            } else {
                assert_int_equal(anchor->pkey.key.rsa.nlen, key->key.rsa.nlen);
                assert_memory_equal(anchor->pkey.key.rsa.n, key->key.rsa.n, key->key.rsa.nlen);
                assert_int_equal(anchor->pkey.key.rsa.elen, key->key.rsa.elen);
                assert_memory_equal(anchor->pkey.key.rsa.e, key->key.rsa.e, key->key.rsa.elen);
            }
        }
        bytes_free(&name);
    }
    assert_int_equal(at, trust->anchors_count);
    trust_close(trust);
    arena_free(&arena);
}

static void
test_system(void **state)
{
    (void) state;
    struct fault fault = {0};
    struct trust *trust = trust_open_system(ERR_CONFIG, &fault);

    assert_non_null(trust);
    assert_non_null(strstr(trust->origin, "built into replica"));
    trust_close(trust);
    trust_system_set(certs_path("one.pem"), NULL);
    trust = trust_open_system(ERR_CONFIG, &fault);
    assert_non_null(trust);
    assert_int_equal(trust->anchors_count, 1);
    trust_close(trust);
    trust_system_set(NULL, NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),        cmocka_unit_test(test_no_last_newline),
        cmocka_unit_test(test_unknown_keys), cmocka_unit_test(test_no_authorities),
        cmocka_unit_test(test_directories),  cmocka_unit_test(test_bundle),
        cmocka_unit_test(test_system),       cmocka_unit_test(test_bundle_against_bearssl),
    };
    return cmocka_run_group_tests(tests, group_begin, certs_end);
}
