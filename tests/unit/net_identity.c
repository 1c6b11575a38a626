/* net_identity - a client's certificate and key, in every shape that people keep them in.  That
 * servers accept them is shown in net_tls. */
#include "net/identity.h"

#include "support_tls.h"

static int
group_begin(void **state)
{
    if (certs_begin(state) != 0)
        return -1;
    certs_make(&(struct cert){.name = "ec"});
    certs_make(&(struct cert){.name = "p384", .key = "P-384"});
    certs_make(&(struct cert){.name = "p521", .key = "P-521"});
    certs_make(&(struct cert){.name = "rsa", .key = "RSA-2048"});
    /* certs_make() would give it four primes, and BearSSL reads two. */
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:4096", "-out",
            "rsa4096.key", NULL);
    certs_make(&(struct cert){.name = "rsa4096"});
    certs_make(&(struct cert){.name = "other"});
    certs_make(&(struct cert){.name = "edwards", .key = "ED25519"});
    return 0;
}

static void
expect_good(const char *certificate, const char *key)
{
    struct fault fault = {0};
    struct identity *identity =
        identity_open(certs_path(certificate), certs_path(key), ERR_CONFIG, &fault);

    if (identity == NULL)
        fail_msg("%s", fault.text);
    identity_close(identity);
}

static void
expect_bad(const char *certificate, const char *key, const char *part)
{
    struct fault fault = {0};

    assert_null(identity_open(certs_path(certificate), certs_path(key), ERR_CONFIG, &fault));
    assert_int_equal(fault.err, ERR_CONFIG);
    if (strstr(fault.text, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", fault.text, part);
}

static void
test_shapes(void **state)
{
    (void) state;
    openssl("ec", "-in", "ec.key", "-out", "ec-legacy.key", NULL);
    openssl("ec", "-in", "ec.key", "-outform", "DER", "-out", "ec-legacy.der", NULL);
    openssl("pkcs8", "-topk8", "-nocrypt", "-in", "ec.key", "-outform", "DER", "-out", "ec.der",
            NULL);
    openssl("rsa", "-in", "rsa.key", "-traditional", "-out", "rsa-legacy.key", NULL);
    openssl("rsa", "-in", "rsa.key", "-traditional", "-outform", "DER", "-out", "rsa-legacy.der",
            NULL);
    openssl("ecparam", "-name", "prime256v1", "-out", "parameters.pem", NULL);
    certs_join("ec-parameters.key", "parameters.pem", "ec-legacy.key");
    certs_join("ec-both.pem", "ec.pem", "ec.key");
    certs_join("ec-chain.pem", "ec.pem", "other.pem");
    openssl("x509", "-in", "ec.pem", "-outform", "DER", "-out", "ec-certificate.der", NULL);

    static const char *const pairs[][2] = {
        {"ec.pem", "ec.key"},
        {"ec.pem", "ec-legacy.key"},
        {"ec.pem", "ec-legacy.der"},
        {"ec.pem", "ec.der"},
        {"ec.pem", "ec-parameters.key"},
        {"ec-both.pem", "ec-both.pem"},
        {"ec-chain.pem", "ec.key"},
        {"ec-certificate.der", "ec.key"},
        {"p384.pem", "p384.key"},
        {"p521.pem", "p521.key"},
        {"rsa.pem", "rsa.key"},
        {"rsa.pem", "rsa-legacy.key"},
        {"rsa.pem", "rsa-legacy.der"},
        {"rsa4096.pem", "rsa4096.key"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        expect_good(pairs[i][0], pairs[i][1]);
    identity_close(NULL);
}

static void
test_wrong_keys(void **state)
{
    (void) state;
    static const char *const keys[] = {"other.key", "p384.key", "rsa.key"};

    for (size_t i = 0; i < 3; i++)
        expect_bad("ec.pem", keys[i], ".key does not belong to the certificate in /");
    expect_bad("rsa.pem", "ec.key", "the private key in /");
    certs_make(&(struct cert){.name = "rsa2", .key = "RSA-2048"});
    expect_bad("rsa.pem", "rsa2.key", "rsa2.key does not belong to the certificate in /");
    expect_bad("rsa.pem", "rsa4096.key", "rsa4096.key does not belong to the certificate in /");
    certs_make(&(struct cert){.name = "large", .key = "RSA-4096"});
    expect_bad("large.pem", "rsa4096.key", "rsa4096.key does not belong to the certificate in /");
    expect_bad("large.pem", "large.key", "large.key cannot be used: replica reads RSA keys up to");
    certs_make(&(struct cert){.name = "huge", .key = "RSA-4352"});
    expect_bad("huge.pem", "huge.key", "huge.pem cannot be used: replica reads RSA keys up to");
}

static void
test_encrypted_keys(void **state)
{
    (void) state;
    openssl("pkcs8", "-topk8", "-in", "ec.key", "-passout", "pass:secret", "-out", "locked.key",
            NULL);
    openssl("rsa", "-in", "rsa.key", "-traditional", "-aes128", "-passout", "pass:secret", "-out",
            "locked-legacy.key", NULL);
    expect_bad("ec.pem", "locked.key", "locked.key is encrypted; replica needs it without a pass");
    expect_bad("rsa.pem", "locked-legacy.key", "locked-legacy.key is encrypted");
}

static void
test_useless_files(void **state)
{
    (void) state;
    certs_write("empty", "", 0);
    certs_write("short.der", "\x30\x05\x02\x01\x00", 5);
    expect_bad("none", "ec.key", "unable to read the client certificate in /");
    expect_bad("ec.pem", "none", "unable to read the private key in /");
    expect_bad("empty", "ec.key", "empty holds no certificate");
    expect_bad("ec.key", "ec.key", "ec.key holds no certificate");
    expect_bad("ec.pem", "empty", "empty holds no private key");
    expect_bad("ec.pem", "ec.pem", "ec.pem holds no private key");
    expect_bad("short.der", "ec.key", "short.der cannot be used");
    expect_bad("ec.pem", "short.der", "the private key in /");
    expect_bad("edwards.pem", "edwards.key", "edwards.pem cannot be used: replica reads RSA keys");
    expect_bad("ec.pem", "edwards.key", "edwards.key cannot be used: replica reads RSA keys");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_wrong_keys),
        cmocka_unit_test(test_encrypted_keys),
        cmocka_unit_test(test_useless_files),
    };
    return cmocka_run_group_tests(tests, group_begin, certs_end);
}
