/* net_x509_check - chains that are believed, and the sentence for each one that is not.  Chains are
 * pushed straight into the checker, as the TLS engine does, without any TLS. */
#include "net/x509_check.h"

#include <stdio.h>

#include "base/clock.h"
#include "net/pem.h"
#include "support_tls.h"

enum { DAY_MS = 86400 * 1000 };

/* One chain of files, checked; which authority, name and time is said before. */
struct trial {
    const char *authority; /* NULL: the trust of the group's CA */
    const char *name;
    bool blind; /* without trust */
    uint64_t at_ms; /* the clock; 0: now */
    size_t piece; /* bytes that come at once; 0: 256, as the engine does */
};

static void
chain_push(struct x509_check *check, const struct pem *pem, size_t piece)
{
    for (size_t i = 0; i < pem->count; i++) {
        const struct pem_object *object = &pem->objects[i];
        check->vtable->start_cert(&check->vtable, (uint32_t) object->size);
        for (size_t at = 0; at < object->size; at += piece)
            check->vtable->append(&check->vtable, object->data + at,
                                  object->size - at < piece ? object->size - at : piece);
        check->vtable->end_cert(&check->vtable);
    }
}

/* The verdict, 0 for good; the sentence when it is not.  files: NAMEs of NAME.pem, one behind the
 * other. */
static unsigned
try_chain(const struct trial *trial, const char *const *files, struct x509_check *check,
          struct fault *fault)
{
    char authority[64];
    struct trust *trust = NULL;
    unsigned verdict;

    snprintf(authority, sizeof authority, "%s.pem",
             trial->authority == NULL ? "ca" : trial->authority);
    if (!trial->blind) {
        trust = trust_open(certs_path(authority), NULL, ERR_STORE, fault);
        if (trust == NULL)
            fail_msg("%s", fault->text);
    }
    x509_check_init(check, trust, trial->name, br_ec_get_default());
    if (trial->at_ms != 0)
        x509_check_at(check, trial->at_ms);
    check->vtable->start_chain(&check->vtable, "ignored");
    for (; *files != NULL; files++) {
        struct arena arena = {0};
        struct pem pem;
        char file[64];
        snprintf(file, sizeof file, "%s.pem", *files);
        if (!pem_file_read(&arena, certs_path(file), "chain", &pem, ERR_STORE, fault))
            fail_msg("%s", fault->text);
        chain_push(check, &pem, trial->piece == 0 ? 256 : trial->piece);
        arena_free(&arena);
    }
    verdict = check->vtable->end_chain(&check->vtable);
    unsigned usages;
    assert_int_equal(check->vtable->get_pkey(&check->vtable, &usages) != NULL, verdict == 0);
    if (verdict != 0)
        x509_check_explain(check, "db:5432", ERR_STORE, fault);
    trust_close(trust);
    return verdict;
}

#define FILES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void
expect_good(const struct trial *trial, const char *const *files)
{
    static struct x509_check check;
    struct fault fault = {0};

    if (try_chain(trial, files, &check, &fault) != 0)
        fail_msg("%s", fault.text);
}

static void
expect_bad(const struct trial *trial, const char *const *files, unsigned verdict,
           const char *sentence)
{
    static struct x509_check check;
    struct fault fault = {0};
    unsigned found = try_chain(trial, files, &check, &fault);

    assert_string_equal(fault.text, sentence);
    assert_int_equal(found, verdict);
    assert_int_equal(fault.err, ERR_STORE);
}

/* For sentences with the directory's name or a time in them. */
static void
expect_bad_like(const struct trial *trial, const char *const *files, unsigned verdict,
                const char *begin, const char *end)
{
    static struct x509_check check;
    struct fault fault = {0};
    unsigned found = try_chain(trial, files, &check, &fault);
    size_t size = strlen(fault.text), begin_size = strlen(begin), end_size = strlen(end);

    if (size < begin_size + end_size || memcmp(fault.text, begin, begin_size) != 0 ||
        strcmp(fault.text + size - end_size, end) != 0)
        fail_msg("%s", fault.text);
    assert_int_equal(found, verdict);
}

/* ---- certificates of the whole group --------------------------------------------------- */

static int
group_begin(void **state)
{
    if (certs_begin(state) != 0)
        return -1;
    certs_make(&(struct cert){.name = "ca", .subject = "/CN=Test CA", .extensions = CA_EXTENSIONS});
    certs_make(&(struct cert){.name = "middle",
                              .subject = "/CN=Middle CA",
                              .issuer = "ca",
                              .extensions = CA_EXTENSIONS});
    certs_make(&(struct cert){.name = "leaf",
                              .issuer = "ca",
                              .extensions = "subjectAltName=DNS:db.example.com,DNS:*.wild.example,"
                                            "IP:10.0.0.5,IP:2001:db8::1\n"});
    certs_make(&(struct cert){
        .name = "below", .issuer = "middle", .extensions = "subjectAltName=DNS:db.example.com\n"});
    return 0;
}

/* ---- what is believed ------------------------------------------------------------------ */

static void
test_good_chains(void **state)
{
    (void) state;
    expect_good(&(struct trial){0}, FILES("leaf"));
    expect_good(&(struct trial){0}, FILES("below", "middle"));
    expect_good(&(struct trial){0}, FILES("below", "middle", "ca"));
    /* What comes behind the authority is not looked at. */
    expect_good(&(struct trial){0}, FILES("below", "middle", "leaf"));
    expect_good(&(struct trial){.authority = "middle"}, FILES("below"));
    for (size_t piece = 1; piece < 40; piece++)
        expect_good(&(struct trial){.name = "db.example.com", .piece = piece},
                    FILES("below", "middle"));
}

static void
test_good_names(void **state)
{
    (void) state;
    static const char *const names[] = {"db.example.com", "DB.EXAMPLE.COM", "a.wild.example",
                                        "10.0.0.5", "2001:db8::1"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        expect_good(&(struct trial){.name = names[i]}, FILES("leaf"));
}

/* A certificate that signs itself is believed when it is named, as an authority or as itself. */
static void
test_self_signed(void **state)
{
    (void) state;
    certs_make(&(struct cert){.name = "self", .extensions = "subjectAltName=DNS:self"});
    certs_make(&(struct cert){.name = "self-ca", .extensions = CA_EXTENSIONS});
    expect_good(&(struct trial){.authority = "self", .name = "self"}, FILES("self"));
    expect_good(&(struct trial){.authority = "self-ca", .name = "self-ca"}, FILES("self-ca"));
    /* One that is no authority's vouches for nobody else. */
    certs_make(&(struct cert){.name = "child", .issuer = "self"});
    expect_bad_like(&(struct trial){.authority = "self"}, FILES("child"), BR_ERR_X509_NOT_TRUSTED,
                    "the certificate of db:5432 was issued by CN=self, ", "/self.pem");
}

static void
test_key_kinds(void **state)
{
    (void) state;
    static const char *const kinds[] = {"P-384", "P-521", "RSA-2048", "RSA-4096"};

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        certs_make(&(struct cert){.name = kinds[i], .issuer = "ca", .key = kinds[i]});
        expect_good(&(struct trial){0}, FILES(kinds[i]));
        char root[32], leaf[32];
        snprintf(root, sizeof root, "ca-%s", kinds[i]);
        snprintf(leaf, sizeof leaf, "by-%s", kinds[i]);
        certs_make(
            &(struct cert){.name = root, .key = kinds[i], .extensions = CA_EXTENSIONS});
        certs_make(&(struct cert){.name = leaf, .issuer = root, .sign = "-sha384"});
        expect_good(&(struct trial){.authority = root}, FILES(leaf));
    }
}

/* Without trust only the key counts. */
static void
test_blind(void **state)
{
    (void) state;
    certs_make(&(struct cert){.name = "blind",
                              .days = "-1",
                              .extensions = "extendedKeyUsage=critical,clientAuth"});
    expect_good(&(struct trial){.blind = true, .name = "whatever"}, FILES("blind"));
    expect_good(&(struct trial){.blind = true}, FILES("leaf", "below"));
    certs_make(&(struct cert){.name = "edwards", .issuer = "ca", .key = "ED25519"});
    expect_bad(&(struct trial){.blind = true}, FILES("edwards"), BR_ERR_X509_UNSUPPORTED,
               "the certificate of db:5432 holds a key of the kind Ed25519 (1.3.101.112); replica "
               "accepts RSA up to 4096 bits and EC on P-256, P-384 and P-521");
}

/* ---- what is not ----------------------------------------------------------------------- */

static void
test_wrong_names(void **state)
{
    (void) state;
    static const char *const names[] = {"b.example.com", "a.b.wild.example", "wild.example",
                                        "10.0.0.6", "leaf", "2001:db8::2"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char sentence[256];
        snprintf(sentence, sizeof sentence,
                 "the certificate of db:5432 was issued for db.example.com, *.wild.example, "
                 "10.0.0.5 and 2001:db8::1, not for %s", names[i]);
        expect_bad(&(struct trial){.name = names[i]}, FILES("leaf"), BR_ERR_X509_BAD_SERVER_NAME,
                   sentence);
    }
    /* It is the first certificate's names that count, however long the chain. */
    expect_bad(&(struct trial){.name = "other"}, FILES("below", "middle"),
               BR_ERR_X509_BAD_SERVER_NAME,
               "the certificate of db:5432 was issued for db.example.com, not for other");
    certs_make(&(struct cert){.name = "nameless", .subject = "/O=Nobody", .issuer = "ca"});
    expect_bad(&(struct trial){.name = "other"}, FILES("nameless"), BR_ERR_X509_BAD_SERVER_NAME,
               "the certificate of db:5432 names no host; it was not issued for other");
    certs_make(&(struct cert){.name = "zero",
                              .issuer = "ca",
                              .extensions = "subjectAltName=DER:30058203610062\n"});
    expect_bad(&(struct trial){.name = "a"}, FILES("zero"), X509_NAME_DAMAGED,
               "the certificate of db:5432 bears a damaged name, or one with a zero byte in it");
}

static void
test_dates(void **state)
{
    (void) state;
    uint64_t now_ms = clock_epoch_ms();

    expect_bad_like(&(struct trial){.at_ms = now_ms + 31ULL * DAY_MS}, FILES("leaf"),
                    BR_ERR_X509_EXPIRED,
                    "the certificate of db:5432 has expired: it was valid until 20", "Z");
    expect_bad_like(&(struct trial){.at_ms = now_ms - 2ULL * DAY_MS}, FILES("leaf"),
                    BR_ERR_X509_EXPIRED,
                    "the certificate of db:5432 is not valid before 20", "Z");
    certs_make(&(struct cert){.name = "old", .issuer = "ca", .days = "-1"});
    expect_bad_like(&(struct trial){0}, FILES("old"), BR_ERR_X509_EXPIRED,
                    "the certificate of db:5432 has expired: it was valid until 20", "Z");
    certs_make(&(struct cert){
        .name = "old-ca", .issuer = "ca", .days = "-1", .extensions = CA_EXTENSIONS});
    certs_make(&(struct cert){.name = "below-old", .issuer = "old-ca"});
    expect_bad_like(&(struct trial){0}, FILES("below-old", "old-ca"), BR_ERR_X509_EXPIRED,
                    "the certificate CN=old-ca in the chain of db:5432 has expired: it was valid "
                    "until 20", "Z");

    expect_bad_like(&(struct trial){.at_ms = 999}, FILES("leaf"), BR_ERR_X509_EXPIRED,
                    "the certificate of db:5432 is not valid before 20",
                    "Z; this machine's clock says 1970-01-01T00:00:00Z");
}

static void
test_unknown_authorities(void **state)
{
    (void) state;
    certs_make(&(struct cert){.name = "stranger", .extensions = CA_EXTENSIONS});
    expect_bad_like(&(struct trial){.authority = "stranger"}, FILES("leaf"),
                    BR_ERR_X509_NOT_TRUSTED,
                    "the certificate of db:5432 was issued by CN=Test CA, which is none of the "
                    "authorities in /", "/stranger.pem");
    expect_bad_like(&(struct trial){.authority = "stranger"}, FILES("below", "middle"),
                    BR_ERR_X509_NOT_TRUSTED,
                    "the chain of db:5432 leads to CN=Test CA, which is none of the authorities "
                    "in /", "/stranger.pem");
    /* The server forgot its intermediate. */
    expect_bad_like(&(struct trial){0}, FILES("below"), BR_ERR_X509_NOT_TRUSTED,
                    "the certificate of db:5432 was issued by CN=Middle CA, which is none of ",
                    "/ca.pem");
    expect_bad_like(&(struct trial){0}, FILES("stranger"), BR_ERR_X509_NOT_TRUSTED,
                    "the certificate of db:5432 is signed by itself and is none of ", "/ca.pem");
    /* An authority made anew under its old name. */
    certs_make(&(struct cert){
        .name = "again", .subject = "/CN=Test CA", .extensions = CA_EXTENSIONS});
    expect_bad_like(&(struct trial){.authority = "again"}, FILES("leaf"), BR_ERR_X509_NOT_TRUSTED,
                    "the certificate of db:5432 was issued by CN=Test CA, but another one than "
                    "that of the same name among the authorities in /", "/again.pem");
}

static void
test_broken_chains(void **state)
{
    (void) state;
    expect_bad(&(struct trial){0}, FILES("below", "leaf"), BR_ERR_X509_DN_MISMATCH,
               "the certificate CN=leaf in the chain of db:5432 did not issue the one before it: a "
               "chain must come in order");
    certs_make(&(struct cert){.name = "pretender",
                              .subject = "/CN=Middle CA",
                              .issuer = "ca",
                              .extensions = CA_EXTENSIONS});
    expect_bad(&(struct trial){0}, FILES("below", "pretender"), BR_ERR_X509_BAD_SIGNATURE,
               "the certificate CN=Middle CA in the chain of db:5432 did not sign the one before "
               "it, though it bears the name of its issuer");
    certs_make(&(struct cert){.name = "by-leaf", .issuer = "leaf"});
    expect_bad(&(struct trial){0}, FILES("by-leaf", "leaf"), BR_ERR_X509_NOT_CA,
               "the certificate CN=leaf in the chain of db:5432 issued the one before it without "
               "being an authority for so long a chain (basicConstraints)");
    certs_make(&(struct cert){.name = "mute",
                              .issuer = "ca",
                              .extensions = "basicConstraints=critical,CA:TRUE\n"
                                            "keyUsage=digitalSignature\n"});
    certs_make(&(struct cert){.name = "by-mute", .issuer = "mute"});
    expect_bad(&(struct trial){0}, FILES("by-mute", "mute"), BR_ERR_X509_FORBIDDEN_KEY_USAGE,
               "the certificate CN=mute in the chain of db:5432 may not issue certificates "
               "(keyUsage)");
}

static void
test_extensions(void **state)
{
    (void) state;
    certs_make(&(struct cert){.name = "narrow",
                              .issuer = "ca",
                              .extensions = CA_EXTENSIONS
                              "nameConstraints=critical,permitted;DNS:example.com\n"});
    certs_make(&(struct cert){.name = "by-narrow", .issuer = "narrow"});
    expect_bad(&(struct trial){0}, FILES("by-narrow", "narrow"), BR_ERR_X509_CRITICAL_EXTENSION,
               "the certificate CN=narrow in the chain of db:5432 has a critical extension that "
               "replica cannot check: nameConstraints (2.5.29.30); it is believed only when it "
               "stands itself among the authorities");
    expect_good(&(struct trial){.authority = "narrow"}, FILES("by-narrow", "narrow"));
    certs_make(&(struct cert){
        .name = "odd", .issuer = "ca", .extensions = "1.2.3.4=critical,DER:0500\n"});
    expect_bad(&(struct trial){0}, FILES("odd"), BR_ERR_X509_CRITICAL_EXTENSION,
               "the certificate of db:5432 has a critical extension that replica cannot check: "
               "1.2.3.4");
    certs_make(&(struct cert){
        .name = "client", .issuer = "ca", .extensions = "extendedKeyUsage=clientAuth"});
    expect_bad(&(struct trial){0}, FILES("client"), X509_NOT_FOR_SERVERS,
               "the certificate of db:5432 is not meant for a server (extendedKeyUsage)");
}

/* Authorities that public ones have bound by extensions which BearSSL passes over. */
static void
test_bound_issuers(void **state)
{
    (void) state;
    certs_make(&(struct cert){.name = "mail",
                              .issuer = "ca",
                              .extensions = CA_EXTENSIONS "extendedKeyUsage=emailProtection\n"});
    certs_make(&(struct cert){.name = "by-mail", .issuer = "mail"});
    expect_bad(&(struct trial){0}, FILES("by-mail", "mail"), X509_ISSUER_NOT_FOR_SERVERS,
               "the certificate CN=mail in the chain of db:5432 may not issue those of servers "
               "(extendedKeyUsage)");
    certs_make(
        &(struct cert){.name = "below-mail", .issuer = "mail", .extensions = CA_EXTENSIONS});
    certs_make(&(struct cert){.name = "deep", .issuer = "below-mail"});
    expect_bad(&(struct trial){0}, FILES("deep", "below-mail", "mail"),
               X509_ISSUER_NOT_FOR_SERVERS,
               "the certificate CN=mail in the chain of db:5432 may not issue those of servers "
               "(extendedKeyUsage)");
    certs_make(&(struct cert){.name = "company",
                              .issuer = "ca",
                              .extensions = CA_EXTENSIONS
                              "nameConstraints=permitted;DNS:example.com\n"});
    certs_make(&(struct cert){.name = "by-company", .issuer = "company"});
    expect_bad(&(struct trial){0}, FILES("by-company", "company"), X509_ISSUER_CONSTRAINED,
               "the certificate CN=company in the chain of db:5432 may issue for certain names "
               "only (nameConstraints), which replica cannot check; it is believed only when it "
               "stands itself among the authorities");
    expect_bad(&(struct trial){.name = "other"}, FILES("by-company", "company"),
               BR_ERR_X509_BAD_SERVER_NAME,
               "the certificate of db:5432 was issued for by-company, not for other");
    expect_good(&(struct trial){.authority = "company"}, FILES("by-company", "company"));
    certs_make(&(struct cert){.name = "web",
                              .issuer = "ca",
                              .extensions = CA_EXTENSIONS
                              "extendedKeyUsage=clientAuth,serverAuth\n"});
    certs_make(&(struct cert){.name = "by-web", .issuer = "web"});
    expect_good(&(struct trial){0}, FILES("by-web", "web"));
    expect_good(&(struct trial){.blind = true}, FILES("by-mail", "mail"));
}

static void
test_weakness(void **state)
{
    (void) state;
    certs_make(&(struct cert){.name = "sha1", .issuer = "ca", .sign = "-sha1"});
    expect_bad(&(struct trial){0}, FILES("sha1"), BR_ERR_X509_UNSUPPORTED,
               "the certificate of db:5432 is signed with ECDSA with SHA-1 (1.2.840.10045.4.1); "
               "replica accepts RSA (PKCS#1 v1.5) and ECDSA with SHA-2");
    certs_make(&(struct cert){.name = "short", .issuer = "ca", .key = "RSA-1024"});
    expect_bad(&(struct trial){0}, FILES("short"), BR_ERR_X509_WEAK_PUBLIC_KEY,
               "the certificate of db:5432 has an RSA key of less than 2048 bits");
    certs_make(&(struct cert){.name = "edwards-ca", .key = "ED25519", .extensions = CA_EXTENSIONS});
    certs_make(&(struct cert){.name = "by-edwards", .issuer = "edwards-ca"});
    expect_bad(&(struct trial){0}, FILES("by-edwards"), BR_ERR_X509_UNSUPPORTED,
               "the certificate of db:5432 is signed with Ed25519 (1.3.101.112); replica accepts "
               "RSA (PKCS#1 v1.5) and ECDSA with SHA-2");
    certs_make(&(struct cert){.name = "large", .issuer = "ca", .key = "RSA-4352"});
    expect_bad(&(struct trial){0}, FILES("large"), BR_ERR_X509_LIMIT_EXCEEDED,
               "the certificate of db:5432 holds a key of the kind RSA (1.2.840.113549.1.1.1); "
               "replica accepts RSA up to 4096 bits and EC on P-256, P-384 and P-521");
}

static void
test_no_certificates(void **state)
{
    (void) state;
    struct bytes huge = {0};
    struct fault fault = {0};
    static struct x509_check check;
    struct trust *trust = trust_open(certs_path("ca.pem"), NULL, ERR_STORE, &fault);

    assert_non_null(trust);
    bytes_add_noise(&huge, 1, 2 * X509_CERTIFICATE_BYTES_MAX);
    memcpy(huge.data, "\x30\x82\x40\x00", 4);
    for (size_t size = 1; size <= huge.size; size = size * 2 + 1) {
        struct pem_object object = {.name = "", .data = huge.data, .size = size};
        x509_check_init(&check, trust, "db", br_ec_get_default());
        check.vtable->start_chain(&check.vtable, NULL);
        chain_push(&check, &(struct pem){.objects = &object, .count = 1}, 256);
        assert_int_not_equal(check.vtable->end_chain(&check.vtable), 0);
        fault = (struct fault){0};
        x509_check_explain(&check, "db:5432", ERR_STORE, &fault);
        assert_memory_equal(fault.text, "the certificate of db:5432 ", 27);
    }
    trust_close(trust);
    bytes_free(&huge);
}

/* A certificate too large for us is refused even if BearSSL, which reads in passing, finds it
 * good. */
static void
test_large_certificate(void **state)
{
    (void) state;
    struct bytes names = {0};

    bytes_add(&names, "subjectAltName=@names\n[names]\n", 29);
    for (int i = 0; i < 900; i++) {
        char line[64];
        snprintf(line, sizeof line, "DNS.%d=host-%05d.example.com\n", i, i);
        bytes_add(&names, line, strlen(line));
    }
    bytes_add(&names, "", 1);
    certs_make(
        &(struct cert){.name = "crowd", .issuer = "ca", .extensions = (const char *) names.data});
    expect_bad(&(struct trial){.name = "host-00000.example.com"}, FILES("crowd"), X509_TOO_LARGE,
               "the certificate of db:5432 is larger than 16384 bytes");
    bytes_free(&names);
}

/* The digest of channel binding, against openssl's own. */
static void
test_digests(void **state)
{
    (void) state;
    static const struct {
        const char *sign, *digest;
        size_t size;
    } cases[] = {{"-sha1", "-sha256", 32},
                 {"-sha224", "-sha224", 28},
                 {"-sha256", "-sha256", 32},
                 {"-sha384", "-sha384", 48},
                 {"-sha512", "-sha512", 64}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        static struct x509_check check;
        struct fault fault = {0};
        uint8_t expected[65];
        certs_make(&(struct cert){.name = "bound", .issuer = "ca", .sign = cases[i].sign});
        openssl("x509", "-in", "bound.pem", "-outform", "DER", "-out", "bound.der", NULL);
        openssl("dgst", cases[i].digest, "-binary", "-out", "bound.digest", "bound.der", NULL);
        try_chain(&(struct trial){.blind = true}, FILES("bound"), &check, &fault);
        FILE *file = fopen(certs_path("bound.digest"), "rb");
        assert_non_null(file);
        assert_int_equal(fread(expected, 1, sizeof expected, file), cases[i].size);
        fclose(file);
        assert_int_equal(check.digest_size, cases[i].size);
        assert_memory_equal(check.digest, expected, cases[i].size);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_chains),
        cmocka_unit_test(test_good_names),
        cmocka_unit_test(test_self_signed),
        cmocka_unit_test(test_key_kinds),
        cmocka_unit_test(test_blind),
        cmocka_unit_test(test_wrong_names),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_unknown_authorities),
        cmocka_unit_test(test_broken_chains),
        cmocka_unit_test(test_extensions),
        cmocka_unit_test(test_bound_issuers),
        cmocka_unit_test(test_weakness),
        cmocka_unit_test(test_no_certificates),
        cmocka_unit_test(test_large_certificate),
        cmocka_unit_test(test_digests),
    };
    return cmocka_run_group_tests(tests, group_begin, certs_end);
}
