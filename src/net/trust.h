/* trust - the certificates of the authorities we believe, as BearSSL wants them.
 *
 * A scratch image has no bundle, so the build embeds the machine's own
 * (/etc/ssl/certs/ca-certificates.crt).  A file or a directory named by the user replaces it whole.
 *
 * Life:   trust_open or trust_open_system; many connections may use it; trust_close.
 * An authority is believed whatever its dates and extensions say; it needs no parent among the
 * others.  A certificate that is no authority's stands for its owner alone: the server that shows
 * it is believed.
 *
 * Limits: TRUST_FILE_BYTES_MAX of PEM, TRUST_ANCHORS_MAX certificates.
 * Threads: read-only once open. */
#ifndef NET_TRUST_H
#define NET_TRUST_H

#include <bearssl.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/fault.h"

enum { TRUST_FILE_BYTES_MAX = 16 * 1024 * 1024, TRUST_ANCHORS_MAX = 4096 };

struct trust {
    br_x509_trust_anchor *anchors;
    size_t anchors_count;
    const char *origin; /* "the authorities in /etc/ca.pem", "the 142 authorities built into …" */
};

/* Open what a PEM file, a directory of PEM files (or several, "a:b"), or both hold; NULL or "" is
 * none.  Without either: what is embedded.  In a file, text around certificates is passed over, but
 * one that cannot be read is a failure, and so is a file without any that BearSSL can use; a key of
 * an unknown kind is passed over.  Files of a directory that hold none are passed over.  A last
 * line without a newline is fine.
 * Returns NULL with err and a sentence naming the file. */
struct trust *trust_open(const char *file, const char *directory, enum err err,
                         struct fault *fault);

/* The same for the names given to trust_system_set(): SSL_CERT_FILE and SSL_CERT_DIR. */
struct trust *trust_open_system(enum err err, struct fault *fault);

/* Name what stands in for the embedded bundle; once, before threads.  The texts are kept, not
 * copied. */
void trust_system_set(const char *file, const char *directory);

/* NULL is allowed. */
void trust_close(struct trust *trust);

#endif
