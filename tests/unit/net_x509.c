/* net_x509 - reading certificates: elements, names, dates, and what is none. */
#include <bearssl.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/pem.h"
#include "net/x509.h"
#include "support_tls.h"

/* ---- DER ------------------------------------------------------------------------------ */

static void
test_elements(void **state)
{
    (void) state;
    static const uint8_t data[] = {0x30, 3, 1, 2, 3, 0x04, 0x81, 1, 9, 0x05, 0};
    struct der rest = {data, sizeof data}, body;
    uint8_t tag;

    assert_false(der_expect(&rest, DER_SET, &body));
    assert_true(der_expect(&rest, DER_SEQUENCE, &body));
    assert_true(der_is(&body, "\x01\x02\x03", 3));
    assert_true(der_option(&rest, DER_BOOLEAN, &body));
    assert_null(body.data);
    assert_true(der_option(&rest, DER_OCTET_STRING, &body));
    assert_true(der_is(&body, "\x09", 1));
    assert_true(der_take(&rest, &tag, &body));
    assert_int_equal(tag, 5);
    assert_int_equal(body.size, 0);
    assert_false(der_take(&rest, &tag, &body));
    assert_true(der_option(&rest, DER_BOOLEAN, &body));
}

/* What is none leaves the cursor where it was. */
static void
test_no_elements(void **state)
{
    (void) state;
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {
        {"", 0},
        {"\x30", 1},
        {"\x30\x01", 2},                     /* too short */
        {"\x30\x80\x00\x00", 4},             /* of indefinite length */
        {"\x30\x82\x00", 3},                 /* without its whole length */
        {"\x30\x84\xff\xff\xff\xff\x00", 7}, /* 4 GiB */
        {"\x30\x85\x00\x00\x00\x00\x00", 7}, /* a length of five bytes */
        {"\x1f\x01\x00", 3},                 /* a tag of two bytes */
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct der rest = {(const uint8_t *) bad[i].bytes, bad[i].size}, body = {0};
        uint8_t tag = 0;
        assert_false(der_take(&rest, &tag, &body));
        assert_int_equal(rest.size, bad[i].size);
        assert_null(body.data);
    }
}

static void
test_identifiers(void **state)
{
    (void) state;
    static const struct {
        const char *bytes;
        const char *text;
    } oids[] = {
        {"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a", "RSA-PSS (1.2.840.113549.1.1.10)"},
        {"\x55\x1d\x1e", "nameConstraints (2.5.29.30)"},
        {"\x2b\x65\x70", "Ed25519 (1.3.101.112)"},
        {"\x88\x37\x03", "2.999.3"},
        {"\x01", "0.1"},
        {"\xff\xff", ""}, /* no end */
        {"", ""},
    };
    char text[X509_OID_BYTES];

    for (size_t i = 0; i < sizeof oids / sizeof oids[0]; i++) {
        struct der oid = {(const uint8_t *) oids[i].bytes, strlen(oids[i].bytes)};
        assert_string_equal(x509_oid_text(&oid, text), oids[i].text);
    }
    uint8_t large[200];
    memset(large, 0xff, sizeof large);
    for (size_t i = 9; i < sizeof large; i += 10)
        large[i] = 0x7f;
    struct der oid = {large, sizeof large};
    assert_in_range(strlen(x509_oid_text(&oid, text)), 40, DER_OID_TEXT_BYTES - 1);
}

/* ---- names ---------------------------------------------------------------------------- */

/* Entries of a subjectAltName in short: "d:" a name, "a:" an address of 4 or 16 bytes in hex. */
static void
entries_add(struct bytes *bytes, const char *const *entries)
{
    for (; *entries != NULL; entries++) {
        const char *value = *entries + 2;
        uint8_t header[2] = {0x82, (uint8_t) strlen(value)}, address[16];
        if ((*entries)[0] == 'd') {
            bytes_add(bytes, header, 2);
            bytes_add(bytes, value, strlen(value));
            continue;
        }
        header[0] = 0x87;
        header[1] = (uint8_t) (strlen(value) / 2);
        for (size_t i = 0; i < header[1]; i++) {
            char two[3] = {value[2 * i], value[2 * i + 1], '\0'};
            address[i] = (uint8_t) strtoul(two, NULL, 16);
        }
        bytes_add(bytes, header, 2);
        bytes_add(bytes, address, header[1]);
    }
}

/* A subject whose common name is this: UTF8String, or BMPString. */
static void
subject_add(struct bytes *bytes, uint8_t tag, const void *name, size_t size)
{
    uint8_t head[] = {0x30, (uint8_t) (size + 11), 0x31, (uint8_t) (size + 9), 0x30,
                      (uint8_t) (size + 7), 0x06, 3, 0x55, 0x04, 0x03, tag, (uint8_t) size};
    bytes_add(bytes, head, sizeof head);
    bytes_add(bytes, name, size);
}

static enum x509_match
match(const char *common, const char *const *entries, const char *name)
{
    struct bytes alt = {0}, subject = {0};
    struct x509 x509 = {0};

    entries_add(&alt, entries);
    if (common != NULL)
        subject_add(&subject, DER_UTF8, common, strlen(common));
    x509.alt_names = (struct der){alt.data, alt.size};
    x509.subject = (struct der){subject.data, subject.size};
    enum x509_match result = x509_match(&x509, name);
    bytes_free(&alt);
    bytes_free(&subject);
    return result;
}

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NONE ((const char *const[]){NULL})

static void
test_host_names(void **state)
{
    (void) state;
    static const struct {
        const char *pattern, *name;
        bool matches;
    } cases[] = {
        {"db.example.com", "db.example.com", true},
        {"DB.Example.COM", "db.eXample.com", true},
        {"db.example.com", "db.example.com.", true},
        {"db.example.com", "db.example.co", false},
        {"db.example.com", "b.example.com", false},
        {"db.example.com", "", false},
        {"*.example.com", "db.example.com", true},
        {"*.example.com", "DB.EXAMPLE.COM.", true},
        {"*.example.com", "example.com", false},
        {"*.example.com", ".example.com", false},
        {"*.example.com", "a.b.example.com", false},
        {"*.example.com", "*.example.com", true},
        {"d*.example.com", "db.example.com", false},
        {"*b.example.com", "db.example.com", false},
        {"db.*.com", "db.example.com", false},
        {"*.*.com", "db.example.com", false},
        {"*.com", "example.com", false},
        {"*.", "example.", false},
        {"*", "example", false},
        {"*.example.com", "10.example.com", true},
        {"localhost", "localhost", true},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char entry[64];
        snprintf(entry, sizeof entry, "d:%s", cases[i].pattern);
        enum x509_match expected = cases[i].matches ? X509_MATCHES : X509_DIFFERS;
        if (match("other", NAMES("d:first.example", entry), cases[i].name) != expected ||
            match(cases[i].pattern, NONE, cases[i].name) != expected)
            fail_msg("%s against %s", cases[i].pattern, cases[i].name);
    }
}

static void
test_addresses(void **state)
{
    (void) state;
    static const char ip4[] = "a:0a000005", ip6[] = "a:20010db8000000000000000000000001";

    assert_int_equal(match(NULL, NAMES(ip4, ip6), "10.0.0.5"), X509_MATCHES);
    assert_int_equal(match(NULL, NAMES(ip4, ip6), "10.0.0.6"), X509_DIFFERS);
    assert_int_equal(match(NULL, NAMES(ip4, ip6), "2001:db8::1"), X509_MATCHES);
    assert_int_equal(match(NULL, NAMES(ip4, ip6), "2001:0DB8:0:0::1"), X509_MATCHES);
    assert_int_equal(match(NULL, NAMES(ip4, ip6), "2001:db8::2"), X509_DIFFERS);
    /* Neither a name for an address, nor a wildcard, nor an address of another length. */
    assert_int_equal(match(NULL, NAMES("d:10.0.0.5"), "10.0.0.5"), X509_DIFFERS);
    assert_int_equal(match(NULL, NAMES("d:*.0.0.5"), "10.0.0.5"), X509_DIFFERS);
    assert_int_equal(match(NULL, NAMES("a:0a0000"), "10.0.0.5"), X509_DIFFERS);
    assert_int_equal(match("*.0.0.5", NONE, "10.0.0.5"), X509_DIFFERS);
}

/* The common name counts only where no entry of the kind in question stands. */
static void
test_common_names(void **state)
{
    (void) state;
    static const char ip4[] = "a:0a000005";

    assert_int_equal(match("db", NONE, "db"), X509_MATCHES);
    assert_int_equal(match("db", NAMES("d:other"), "db"), X509_DIFFERS);
    assert_int_equal(match("db", NAMES(ip4), "db"), X509_MATCHES);
    assert_int_equal(match("10.0.0.6", NAMES(ip4), "10.0.0.6"), X509_DIFFERS);
    assert_int_equal(match("10.0.0.6", NAMES("d:other"), "10.0.0.6"), X509_MATCHES);
    assert_int_equal(match(NULL, NONE, "db"), X509_DIFFERS);
}

static void
test_damaged_names(void **state)
{
    (void) state;
    static const uint8_t zero[] = "\x82\x08" "good\0bad", cut[] = "\x82\x09good";
    struct bytes subject = {0};
    struct x509 x509 = {.alt_names = {zero, sizeof zero - 1}};

    assert_int_equal(x509_match(&x509, "good"), X509_DAMAGED);
    assert_int_equal(x509_match(&x509, "10.0.0.5"), X509_DAMAGED);
    x509.alt_names = (struct der){cut, sizeof cut - 1};
    assert_int_equal(x509_match(&x509, "good"), X509_DAMAGED);
    x509.alt_names = (struct der){0};
    subject_add(&subject, DER_UTF8, "good\0bad", 8);
    x509.subject = (struct der){subject.data, subject.size};
    assert_int_equal(x509_match(&x509, "good"), X509_DAMAGED);
    bytes_free(&subject);
}

static void
test_names_for_people(void **state)
{
    (void) state;
    const struct {
        const char *const *entries;
        const char *text;
    } lists[] = {
        {NONE, "common"},
        {NAMES("d:a"), "a"},
        {NAMES("d:a", "a:0a000005"), "a and 10.0.0.5"},
        {NAMES("d:a", "d:b", "d:c", "d:d", "d:e"), "a, b, c, d and e"},
        {NAMES("d:a", "d:b", "d:c", "d:d", "d:e", "d:f"), "a, b, c, d, e and 1 more"},
        {NAMES("d:a\nb\x1b[1m\xff"), "a?b?[1m?"},
        {NAMES("a:20010db8000000000000000000000001"), "2001:db8::1"},
        {NAMES("a:0a0000"), "common"},
    };
    struct bytes subject = {0};
    char text[X509_NAMES_BYTES];

    subject_add(&subject, DER_UTF8, "common", 6);
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct bytes alt = {0};
        entries_add(&alt, lists[i].entries);
        struct x509 x509 = {.subject = {subject.data, subject.size},
                            .alt_names = {alt.data, alt.size}};
        assert_string_equal(x509_names_text(&x509, text), lists[i].text);
        bytes_free(&alt);
    }
    bytes_free(&subject);
}

static void
test_subjects_for_people(void **state)
{
    (void) state;
    char text[X509_NAME_BYTES], long_name[200];
    struct bytes subject = {0};
    struct der name;

    subject_add(&subject, DER_UTF8, "Caf\xc3\xa9\r\n", 7);
    name = (struct der){subject.data, subject.size};
    assert_string_equal(x509_name_text(&name, text), "CN=Caf\xc3\xa9??");
    bytes_free(&subject);
    subject_add(&subject, DER_BMP, "\0C\0A\x20\xac", 6);
    name = (struct der){subject.data, subject.size};
    assert_string_equal(x509_name_text(&name, text), "CN=CA?");
    bytes_free(&subject);
    memset(long_name, 'x', sizeof long_name);
    subject_add(&subject, DER_UTF8, long_name, 110);
    name = (struct der){subject.data, subject.size};
    assert_int_equal(strlen(x509_name_text(&name, text)), 113);
    bytes_free(&subject);
    name = (struct der){0};
    assert_string_equal(x509_name_text(&name, text), "an empty name");
}

/* ---- whole certificates --------------------------------------------------------------- */

static struct pem
read_certificate(struct arena *arena, const char *name)
{
    struct fault fault = {0};
    struct pem pem;

    if (!pem_file_read(arena, certs_path(name), "certificate", &pem, ERR_CONFIG, &fault))
        fail_msg("%s", fault.text);
    return pem;
}

static void
test_reading(void **state)
{
    (void) state;
    struct arena arena = {0};
    char text[X509_OID_BYTES], name[X509_NAME_BYTES];
    struct x509 x509;

    certs_make(&(struct cert){.name = "whole", .subject = "/C=DE/O=Example GmbH/OU=Test"});
    struct pem pem = read_certificate(&arena, "whole.pem");
    assert_true(x509_read(pem.objects[0].data, pem.objects[0].size, &x509));
    assert_string_equal(x509_name_text(&x509.subject, name), "C=DE, O=Example GmbH, OU=Test");
    assert_true(der_is(&x509.issuer, x509.subject.data, x509.subject.size));
    assert_int_equal(x509.not_after_s - x509.not_before_s, 30 * 86400);
    assert_string_equal(x509_oid_text(&x509.signature, text),
                        "ECDSA with SHA-256 (1.2.840.10045.4.3.2)");
    assert_string_equal(x509_oid_text(&x509.key, text), "EC (1.2.840.10045.2.1)");
    assert_int_equal(x509_signature_hash(&x509), br_sha256_ID);
    assert_true(x509_signature_strong(&x509) && x509_serves(&x509) && !x509.unknown_given);
    arena_free(&arena);
}

static void
test_reading_extensions(void **state)
{
    (void) state;
    static const struct {
        const char *lines;
        bool serves;
        const char *unknown;
    } cases[] = {
        {"extendedKeyUsage=serverAuth", true, NULL},
        {"extendedKeyUsage=clientAuth,serverAuth", true, NULL},
        {"extendedKeyUsage=2.5.29.37.0", true, NULL},
        {"extendedKeyUsage=clientAuth", false, NULL},
        {"extendedKeyUsage=critical,clientAuth", false, "extendedKeyUsage (2.5.29.37)"},
        {"keyUsage=critical,digitalSignature\nbasicConstraints=critical,CA:FALSE", true, NULL},
        {"nameConstraints=critical,permitted;DNS:example.com", true, "nameConstraints (2.5.29.30)"},
        {"nameConstraints=permitted;DNS:example.com", true, NULL},
        {"1.2.3.4=critical,DER:0500", true, "1.2.3.4"},
    };
    char text[X509_OID_BYTES];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena arena = {0};
        struct x509 x509;
        certs_make(&(struct cert){.name = "extended", .extensions = cases[i].lines});
        struct pem pem = read_certificate(&arena, "extended.pem");
        assert_true(x509_read(pem.objects[0].data, pem.objects[0].size, &x509));
        assert_int_equal(x509_serves(&x509), cases[i].serves);
        assert_int_equal(x509.unknown_given, cases[i].unknown != NULL);
        if (cases[i].unknown != NULL)
            assert_string_equal(x509_oid_text(&x509.unknown, text), cases[i].unknown);
        arena_free(&arena);
    }
}

/* Every certificate that is cut is refused, without a look beyond its end; and one that is changed
 * in any byte is read or refused, no more. */
static void
test_damage(void **state)
{
    (void) state;
    struct arena arena = {0};
    struct x509 x509;

    certs_make(&(struct cert){.name = "damaged",
                              .extensions = "subjectAltName=DNS:a.example,IP:::1\n"
                                            "extendedKeyUsage=serverAuth"});
    struct pem pem = read_certificate(&arena, "damaged.pem");
    for (size_t size = 0; size < pem.objects[0].size; size++) {
        uint8_t *copy = malloc(size);
        memcpy(copy, pem.objects[0].data, size);
        assert_false(x509_read(copy, size, &x509));
        free(copy);
    }
    for (size_t at = 0; at < pem.objects[0].size; at++) {
        char text[X509_NAMES_BYTES];
        pem.objects[0].data[at] ^= 0x80;
        if (x509_read(pem.objects[0].data, pem.objects[0].size, &x509)) {
            x509_match(&x509, "a.example");
            x509_names_text(&x509, text);
            x509_name_text(&x509.subject, text);
        }
        pem.objects[0].data[at] ^= 0x80;
    }
    arena_free(&arena);
}

/* Dates of both kinds, and what is no date: the validity of a certificate made of nothing else. */
static bool
dates_read(const char *first, const char *second, struct x509 *x509)
{
    struct bytes bytes = {0};
    uint8_t validity[64] = {0x30};
    size_t sizes[] = {strlen(first), strlen(second)};

    validity[1] = (uint8_t) (sizes[0] + sizes[1] + 4);
    uint8_t *at = validity + 2;
    for (int i = 0; i < 2; i++) {
        *at++ = sizes[i] == 15 ? DER_GENERALIZED_TIME : DER_UTC_TIME;
        *at++ = (uint8_t) sizes[i];
        memcpy(at, i == 0 ? first : second, sizes[i]);
        at += sizes[i];
    }
    static const uint8_t before[] = {0x02, 1, 1, 0x30, 0, 0x30, 0};
    static const uint8_t behind[] = {0x30, 0, 0x30, 7, 0x30, 3, 0x06, 1, 0x2a, 0x03, 0};
    static const uint8_t signature[] = {0x30, 3, 0x06, 1, 0x2a};
    size_t tbs = sizeof before + (size_t) (at - validity) + sizeof behind;
    uint8_t heads[] = {0x30, (uint8_t) (tbs + 2 + sizeof signature), 0x30, (uint8_t) tbs};
    bytes_add(&bytes, heads, sizeof heads);
    bytes_add(&bytes, before, sizeof before);
    bytes_add(&bytes, validity, (size_t) (at - validity));
    bytes_add(&bytes, behind, sizeof behind);
    bytes_add(&bytes, signature, sizeof signature);
    bool read = x509_read(bytes.data, bytes.size, x509);
    bytes_free(&bytes);
    return read;
}

static void
test_dates(void **state)
{
    (void) state;
    static const char *const bad[] = {
        "261122120000",   "261122120000+", "26112212000Z",    "261322120000Z",  "260022120000Z",
        "261100120000Z",  "261132120000Z", "261122240000Z",   "261122126000Z",  "261122120061Z",
        "2 1122120000Z",  "",              "20261122120000+", "2026112212000Z",
    };
    struct x509 x509;

    assert_true(dates_read("261122120000Z", "20500101000000Z", &x509));
    assert_int_equal(x509.not_before_s, 1795348800);
    assert_int_equal(x509.not_after_s, 2524608000);
    assert_true(dates_read("500101000000Z", "99991231235959Z", &x509));
    assert_int_equal(x509.not_before_s, -631152000);
    assert_int_equal(x509.not_after_s, 253402300799);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (dates_read(bad[i], "20500101000000Z", &x509))
            fail_msg("\"%s\" was taken for a date", bad[i]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elements),
        cmocka_unit_test(test_no_elements),
        cmocka_unit_test(test_identifiers),
        cmocka_unit_test(test_host_names),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_common_names),
        cmocka_unit_test(test_damaged_names),
        cmocka_unit_test(test_names_for_people),
        cmocka_unit_test(test_subjects_for_people),
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_reading_extensions),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_dates),
    };
    return cmocka_run_group_tests(tests, certs_begin, certs_end);
}
