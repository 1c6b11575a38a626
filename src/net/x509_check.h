/* x509_check - BearSSL's check of a chain, with our own eyes beside it.
 *
 *     TLS engine ── certificates ──▶ x509_check ──▶ br_x509_minimal   signatures, dates, authority
 *                                        ╰────────▶ x509               names, addresses, facts
 *
 * BearSSL decides about the chain.  We compare the name, since it passes over iPAddress entries;
 * refuse what is not meant for servers; and remember enough of the certificate that mattered to say
 * in a sentence why it was refused.
 *
 * Life:   x509_check_init; hand &check.vtable to br_ssl_engine_set_x509; after a failed handshake
 *         x509_check_explain.  One handshake each.
 * Limits: X509_CERTIFICATE_BYTES_MAX for the server's own certificate.  Threads: one at a time. */
#ifndef NET_X509_CHECK_H
#define NET_X509_CHECK_H

#include <bearssl.h>

#include "base/fault.h"
#include "net/trust.h"
#include "net/x509.h"

enum {
    X509_CERTIFICATE_BYTES_MAX = 16 * 1024,
    X509_RSA_BITS_MIN = 2048, /* what public authorities have issued since 2014 */
};

/* Verdicts of ours, beside BearSSL's BR_ERR_X509_*, which end at 62. */
enum {
    X509_TOO_LARGE = 96,
    X509_UNREADABLE,
    X509_NAME_DAMAGED,
    X509_NOT_FOR_SERVERS,
    X509_ISSUER_UNREADABLE,
    X509_ISSUER_NOT_FOR_SERVERS,
    X509_ISSUER_CONSTRAINED,
};

/* What is told of one certificate of the chain, 0 being the server's own. */
struct x509_report {
    unsigned index;
    bool read;
    bool self_signed, signature_strong;
    int64_t not_before_s, not_after_s;
    char subject[X509_NAME_BYTES], issuer[X509_NAME_BYTES];
    char signature[X509_OID_BYTES], key[X509_OID_BYTES], unknown[X509_OID_BYTES];
    bool issuer_name_known; /* an authority bears that name */
};

struct x509_check {
    const br_x509_class *vtable; /* first: by it BearSSL calls us */
    const struct trust *trust;   /* NULL: only the key is taken */
    const char *name;            /* NULL: not compared */
    uint64_t now_ms;
    union {
        br_x509_minimal_context minimal; /* with trust */
        br_x509_decoder_context decoder; /* without */
    } engine;
    unsigned count;    /* certificates seen whole */
    bool decided;      /* BearSSL made up its mind; what still comes is not looked at */
    bool ended;        /* the chain has been seen whole */
    /* 0, BR_ERR_X509_* or one of ours: of the server's own certificate, of the first issuer that we
     * refuse, and of the chain. */
    unsigned name_verdict, issuer_verdict, verdict;
    char issuer[X509_NAME_BYTES]; /* that issuer */
    struct x509_report report;      /* of the last certificate before it was decided */
    char names[X509_NAMES_BYTES];
    uint8_t digest[64]; /* of the server's certificate, RFC 5929 */
    size_t digest_size;
    bool too_large;
    size_t size; /* of the certificate that is coming in */
    uint8_t certificate[X509_CERTIFICATE_BYTES_MAX];
};

/* Get ready for one chain.  ec verifies signatures. */
void x509_check_init(struct x509_check *check, const struct trust *trust, const char *name,
                     const br_ec_impl *ec);

/* Check as if it were then, milliseconds since 1970 UTC; without it, it is now. */
void x509_check_at(struct x509_check *check, uint64_t epoch_ms);

/* Say why the chain of peer was refused.  Always returns false. */
bool x509_check_explain(const struct x509_check *check, const char *peer, enum err err,
                        struct fault *fault);

#endif
