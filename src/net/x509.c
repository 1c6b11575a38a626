/* x509 - see x509.h.
 *
 *     Certificate  SEQUENCE
 *       tbs        SEQUENCE
 *         version [0]?  serial  signature  issuer  validity  subject  key  [1]?  [2]?
 *         extensions [3]?  SEQUENCE of { identifier, critical?, value }
 *       signature algorithm
 *       signature
 */
#include "net/x509.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- object identifiers --------------------------------------------------------------- */

#define RSA "\x2a\x86\x48\x86\xf7\x0d\x01\x01"
#define ECDSA "\x2a\x86\x48\xce\x3d\x04"
#define EC_KEY "\x2a\x86\x48\xce\x3d\x02\x01"
#define NIST "\x60\x86\x48\x01\x65\x03\x04"
#define EXTENSION "\x55\x1d"
#define ACCESS "\x2b\x06\x01\x05\x05\x07\x01"

static const struct {
    const char *bytes;
    int hash; /* of a signature */
    bool strong;
    const char *name;
} identifiers[] = {
    {RSA "\x01", 0, false, "RSA"},
    {RSA "\x04", br_sha256_ID, false, "RSA with MD5"},
    {RSA "\x05", br_sha256_ID, false, "RSA with SHA-1"},
    {RSA "\x0a", 0, false, "RSA-PSS"},
    {RSA "\x0b", br_sha256_ID, true, "RSA with SHA-256"},
    {RSA "\x0c", br_sha384_ID, true, "RSA with SHA-384"},
    {RSA "\x0d", br_sha512_ID, true, "RSA with SHA-512"},
    {RSA "\x0e", br_sha224_ID, true, "RSA with SHA-224"},
    {ECDSA "\x01", br_sha256_ID, false, "ECDSA with SHA-1"},
    {ECDSA "\x03\x01", br_sha224_ID, true, "ECDSA with SHA-224"},
    {ECDSA "\x03\x02", br_sha256_ID, true, "ECDSA with SHA-256"},
    {ECDSA "\x03\x03", br_sha384_ID, true, "ECDSA with SHA-384"},
    {ECDSA "\x03\x04", br_sha512_ID, true, "ECDSA with SHA-512"},
    {EC_KEY, 0, false, "EC"},
    {"\x2b\x65\x70", 0, false, "Ed25519"},
    {"\x2b\x65\x71", 0, false, "Ed448"},
    {NIST "\x03\x11", 0, false, "ML-DSA-44"},
    {NIST "\x03\x12", 0, false, "ML-DSA-65"},
    {NIST "\x03\x13", 0, false, "ML-DSA-87"},
    {EXTENSION "\x1e", 0, false, "nameConstraints"},
    {EXTENSION "\x20", 0, false, "certificatePolicies"},
    {EXTENSION "\x21", 0, false, "policyMappings"},
    {EXTENSION "\x24", 0, false, "policyConstraints"},
    {EXTENSION "\x25", 0, false, "extendedKeyUsage"},
    {EXTENSION "\x36", 0, false, "inhibitAnyPolicy"},
};

enum { IDENTIFIERS = sizeof identifiers / sizeof identifiers[0] };

/* Critical extensions that BearSSL knows or may pass over. */
static const char *const extensions_known[] = {
    EXTENSION "\x09", EXTENSION "\x0e", EXTENSION "\x0f", EXTENSION "\x11",
    EXTENSION "\x12", EXTENSION "\x13", EXTENSION "\x1f", EXTENSION "\x20",
    EXTENSION "\x23", EXTENSION "\x2e", ACCESS "\x01",    ACCESS "\x0b",
};

static bool
is_identifier(const struct der *oid, const char *bytes)
{
    return der_is(oid, bytes, strlen(bytes));
}

const char *
x509_oid_text(const struct der *oid, char text[static X509_OID_BYTES])
{
    char numbers[DER_OID_TEXT_BYTES];

    der_oid_text(oid, numbers);
    snprintf(text, X509_OID_BYTES, "%s", numbers);
    for (size_t i = 0; i < IDENTIFIERS; i++)
        if (is_identifier(oid, identifiers[i].bytes))
            snprintf(text, X509_OID_BYTES, "%s (%s)", identifiers[i].name, numbers);
    return text;
}

int
x509_signature_hash(const struct x509 *x509)
{
    for (size_t i = 0; i < IDENTIFIERS; i++)
        if (is_identifier(&x509->signature, identifiers[i].bytes))
            return identifiers[i].hash;
    return 0;
}

bool
x509_signature_strong(const struct x509 *x509)
{
    for (size_t i = 0; i < IDENTIFIERS; i++)
        if (is_identifier(&x509->signature, identifiers[i].bytes))
            return identifiers[i].strong;
    return false;
}

bool
x509_serves(const struct x509 *x509)
{
    static const char server[] = "\x2b\x06\x01\x05\x05\x07\x03\x01", any[] = EXTENSION "\x25\x00";
    struct der purpose, rest = x509->purposes;

    if (!x509->purposes_given)
        return true;
    while (der_expect(&rest, DER_OID, &purpose))
        if (der_is(&purpose, server, sizeof server - 1) || der_is(&purpose, any, sizeof any - 1))
            return true;
    return false;
}

/* ---- the walk ------------------------------------------------------------------------- */

/* A decimal number of some digits; -1 when they are none. */
static int
digits_read(const uint8_t *at, size_t count)
{
    int number = 0;

    for (; count > 0; count--, at++) {
        if (*at < '0' || *at > '9')
            return -1;
        number = number * 10 + (*at - '0');
    }
    return number;
}

/* YYMMDDHHMMSSZ until 2049, YYYYMMDDHHMMSSZ from then on (RFC 5280 section 4.1.2.5). */
static bool
time_read(struct der *rest, int64_t *seconds)
{
    uint8_t tag;
    struct der body;

    if (!der_take(rest, &tag, &body))
        return false;
    size_t year_digits = tag == DER_UTC_TIME ? 2 : 4;
    if ((tag != DER_UTC_TIME && tag != DER_GENERALIZED_TIME) || body.size != year_digits + 11 ||
        body.data[body.size - 1] != 'Z')
        return false;

    const uint8_t *at = body.data + year_digits;
    int year = digits_read(body.data, year_digits);
    struct tm tm = {.tm_mon = digits_read(at, 2) - 1,
                    .tm_mday = digits_read(at + 2, 2),
                    .tm_hour = digits_read(at + 4, 2),
                    .tm_min = digits_read(at + 6, 2),
                    .tm_sec = digits_read(at + 8, 2)};
    if (year < 0 || tm.tm_mon < 0 || tm.tm_mon > 11 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
        tm.tm_hour < 0 || tm.tm_hour > 23 || tm.tm_min < 0 || tm.tm_min > 59 || tm.tm_sec < 0 ||
        tm.tm_sec > 60)
        return false;
    if (year_digits == 2)
        year += year < 50 ? 2000 : 1900;
    tm.tm_year = year - 1900;
    *seconds = timegm(&tm);
    return true;
}

/* A whole SEQUENCE, with its tag and length. */
static bool
sequence_whole(struct der *rest, struct der *whole)
{
    struct der body, before = *rest;

    if (!der_expect(rest, DER_SEQUENCE, &body))
        return false;
    *whole = (struct der){before.data, before.size - rest->size};
    return true;
}

/* The object identifier an AlgorithmIdentifier begins with; of its parameters, another one. */
static bool
algorithm_read(struct der *rest, struct der *oid, struct der *parameter)
{
    struct der body;
    return der_expect(rest, DER_SEQUENCE, &body) && der_expect(&body, DER_OID, oid) &&
           der_option(&body, DER_OID, parameter);
}

static bool
extension_is_known(const struct der *oid)
{
    for (size_t i = 0; i < sizeof extensions_known / sizeof extensions_known[0]; i++)
        if (is_identifier(oid, extensions_known[i]))
            return true;
    return false;
}

static bool
extension_read(struct der *list, struct x509 *x509)
{
    struct der extension, oid, critical, value;

    if (!der_expect(list, DER_SEQUENCE, &extension) || !der_expect(&extension, DER_OID, &oid) ||
        !der_option(&extension, DER_BOOLEAN, &critical) ||
        !der_expect(&extension, DER_OCTET_STRING, &value))
        return false;
    if (critical.size == 1 && critical.data[0] != 0 && !x509->unknown_given &&
        !extension_is_known(&oid)) {
        x509->unknown = oid;
        x509->unknown_given = true;
    }
    if (is_identifier(&oid, EXTENSION "\x13")) {
        struct der constraints, flag;
        if (!der_expect(&value, DER_SEQUENCE, &constraints) ||
            !der_option(&constraints, DER_BOOLEAN, &flag))
            return false;
        x509->authority = flag.size == 1 && flag.data[0] != 0;
        return true;
    }
    if (is_identifier(&oid, EXTENSION "\x1e"))
        x509->constrained = true;
    if (is_identifier(&oid, EXTENSION "\x11")) {
        x509->alt_names_given = true;
        return der_expect(&value, DER_SEQUENCE, &x509->alt_names);
    }
    if (is_identifier(&oid, EXTENSION "\x25")) {
        x509->purposes_given = true;
        return der_expect(&value, DER_SEQUENCE, &x509->purposes);
    }
    return true;
}

static bool
extensions_read(struct der *tbs, struct x509 *x509)
{
    struct der skipped, wrapped, list;

    if (!der_option(tbs, DER_CONTEXT + 1, &skipped) ||
        !der_option(tbs, DER_CONTEXT + 2, &skipped) ||
        !der_option(tbs, DER_CONTEXT_CONSTRUCTED + 3, &wrapped))
        return false;
    if (wrapped.data == NULL)
        return true;
    if (!der_expect(&wrapped, DER_SEQUENCE, &list))
        return false;
    while (list.size > 0)
        if (!extension_read(&list, x509))
            return false;
    return true;
}

bool
x509_read(const void *data, size_t size, struct x509 *x509)
{
    struct der rest = {data, size}, certificate, tbs, skipped, dates, key;

    *x509 = (struct x509){0};
    return der_expect(&rest, DER_SEQUENCE, &certificate) &&
           der_expect(&certificate, DER_SEQUENCE, &tbs) &&
           der_option(&tbs, DER_CONTEXT_CONSTRUCTED, &skipped) &&
           der_expect(&tbs, DER_INTEGER, &skipped) && der_expect(&tbs, DER_SEQUENCE, &skipped) &&
           sequence_whole(&tbs, &x509->issuer) && der_expect(&tbs, DER_SEQUENCE, &dates) &&
           time_read(&dates, &x509->not_before_s) && time_read(&dates, &x509->not_after_s) &&
           sequence_whole(&tbs, &x509->subject) && der_expect(&tbs, DER_SEQUENCE, &key) &&
           algorithm_read(&key, &x509->key, &x509->curve) &&
           der_expect(&key, DER_BIT_STRING, &x509->key_bits) && extensions_read(&tbs, x509) &&
           algorithm_read(&certificate, &x509->signature, &skipped);
}

/* ---- keys ------------------------------------------------------------------------------ */

/* A positive INTEGER without the zeros before it. */
static bool
integer_read(struct der *rest, unsigned char **data, size_t *size)
{
    struct der body;

    if (!der_expect(rest, DER_INTEGER, &body))
        return false;
    while (body.size > 0 && body.data[0] == 0)
        body = (struct der){body.data + 1, body.size - 1};
    *data = (unsigned char *) body.data;
    *size = body.size;
    return body.size > 0 && body.size <= BR_X509_BUFSIZE_SIG;
}

bool
x509_public_key(const struct x509 *x509, br_x509_pkey *key)
{
    static const struct {
        const char *oid;
        size_t oid_size;
        int curve;
        size_t size; /* of an uncompressed point */
    } curves[] = {{"\x2a\x86\x48\xce\x3d\x03\x01\x07", 8, BR_EC_secp256r1, 65},
                  {"\x2b\x81\x04\x00\x22", 5, BR_EC_secp384r1, 97},
                  {"\x2b\x81\x04\x00\x23", 5, BR_EC_secp521r1, 133}};
    struct der numbers, bits = x509->key_bits;

    /* The first byte counts the bits that are missing at the end: none. */
    if (bits.size == 0 || bits.data[0] != 0)
        return false;
    bits = (struct der){bits.data + 1, bits.size - 1};
    if (is_identifier(&x509->key, RSA "\x01")) {
        key->key_type = BR_KEYTYPE_RSA;
        return der_expect(&bits, DER_SEQUENCE, &numbers) &&
               integer_read(&numbers, &key->key.rsa.n, &key->key.rsa.nlen) &&
               integer_read(&numbers, &key->key.rsa.e, &key->key.rsa.elen);
    }
    key->key_type = BR_KEYTYPE_EC;
    key->key.ec.q = (unsigned char *) bits.data;
    key->key.ec.qlen = bits.size;
    if (!is_identifier(&x509->key, EC_KEY))
        return false;
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++)
        if (der_is(&x509->curve, curves[i].oid, curves[i].oid_size)) {
            key->key.ec.curve = curves[i].curve;
            return bits.size == curves[i].size;
        }
    return false;
}
