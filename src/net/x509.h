/* x509 - what a certificate says (RFC 5280): names, dates, signature; read, not believed.
 *
 * BearSSL checks chains, but tells only a number, and compares no addresses.  This is the reading
 * glass beside it: who is named, who issued, until when, what is unusual.
 *
 * Life:   x509_read; all spans point into the certificate's bytes, which must stay.
 * Threads: any. */
#ifndef NET_X509_H
#define NET_X509_H

#include <bearssl.h>

#include "net/x509_der.h"

enum { X509_NAME_BYTES = 192, X509_NAMES_BYTES = 1024, X509_NAMES_SHOWN_MAX = 5 };

struct x509 {
    struct der issuer, subject;             /* whole elements, as BearSSL keeps them */
    int64_t not_before_s, not_after_s;      /* since 1970 UTC */
    struct der signature, key;              /* object identifiers of the algorithms */
    struct der curve, key_bits;             /* of an EC key; the key itself */
    bool authority;                         /* basicConstraints say so */
    bool constrained;                       /* nameConstraints, critical or not */
    struct der alt_names, purposes;         /* bodies of subjectAltName and extendedKeyUsage */
    bool alt_names_given, purposes_given;
    struct der unknown;                     /* the first critical extension BearSSL refuses */
    bool unknown_given;
};

/* Read a certificate; false when it is none. */
bool x509_read(const void *data, size_t size, struct x509 *x509);

/* The common name as "CN=Test CA", or all of a name that has none: "O=Example, OU=Test".  Cut at
 * X509_NAME_BYTES; what cannot be printed is shown as '?'. */
const char *x509_name_text(const struct der *name, char text[static X509_NAME_BYTES]);

enum x509_match {
    X509_MATCHES,
    X509_DIFFERS,
    X509_DAMAGED, /* a name that is none, or holds a zero byte: an old trick to look like another */
};

/* Whether the certificate is made out to name, a DNS name or an address (RFC 6125).  A wildcard
 * stands for one whole leftmost label above at least two others; the common name counts when there
 * is no alternative name of the same kind. */
enum x509_match x509_match(const struct x509 *x509, const char *name);

/* The names it is made out to: "a.example.com, 10.0.0.1 and 3 more"; "" when there are none. */
const char *x509_names_text(const struct x509 *x509, char text[static X509_NAMES_BYTES]);

/* Its key, for BearSSL, pointing into the certificate; false when it is of a kind or a size that
 * BearSSL cannot use. */
bool x509_public_key(const struct x509 *x509, br_x509_pkey *key);

/* Whether it may serve as a server's: no extendedKeyUsage, or one that says so. */
bool x509_serves(const struct x509 *x509);

/* The hash of its signature, br_sha256_ID and so on, MD5 and SHA-1 counting as SHA-256 (RFC 5929
 * section 4.1); 0 when it is not known. */
int x509_signature_hash(const struct x509 *x509);

/* Whether its signature is one that may be believed: RSA (PKCS#1) or ECDSA over SHA-2. */
bool x509_signature_strong(const struct x509 *x509);

/* An object identifier for people: "RSA-PSS (1.2.840.113549.1.1.10)", or the numbers alone. */
enum { X509_OID_BYTES = DER_OID_TEXT_BYTES + 32 };
const char *x509_oid_text(const struct der *oid, char text[static X509_OID_BYTES]);

#endif
