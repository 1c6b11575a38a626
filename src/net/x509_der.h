/* x509_der - a cursor over DER (X.690): elements one after the other, never a byte beyond them.
 *
 *     30 0d 06 09 2a 86 48 …     tag, length, body
 *     tag len ╰──── body ────
 *
 * Only what certificates are made of: tags of one byte, definite lengths of at most 4 bytes.
 * Nothing is allocated; all spans point into the caller's bytes.  Threads: any. */
#ifndef NET_X509_DER_H
#define NET_X509_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that are DER, or the body of an element; {NULL, 0} is none. */
struct der {
    const uint8_t *data;
    size_t size;
};

enum {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_OID = 0x06,
    DER_UTF8 = 0x0c,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_BMP = 0x1e,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
    DER_CONTEXT = 0x80,             /* [0], primitive; add the number */
    DER_CONTEXT_CONSTRUCTED = 0xa0, /* [0], constructed */
};

/* Take the next element off the front of rest.  False, with rest as it was, at the end or when what
 * is there is no element. */
bool der_take(struct der *rest, uint8_t *tag, struct der *body);

/* The same, for an element that must have this tag. */
bool der_expect(struct der *rest, uint8_t tag, struct der *body);

/* Take it when it has this tag; body is {NULL, 0} when it has not.  False only for what is no
 * element; the end is fine. */
bool der_option(struct der *rest, uint8_t tag, struct der *body);

/* Whether the bytes are these. */
bool der_is(const struct der *der, const void *data, size_t size);

enum { DER_OID_TEXT_BYTES = 96 };

/* An object identifier's body as "1.2.840.113549", cut when it is longer than that. */
const char *der_oid_text(const struct der *oid, char text[static DER_OID_TEXT_BYTES]);

#endif
