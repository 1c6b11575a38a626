/* tls - the client's end of a TLS 1.2 session (RFC 5246) over BearSSL, on a socket that never
 * blocks.
 *
 * ECDHE with AES-GCM or ChaCha20-Poly1305 only; SNI (RFC 6066) for names, never for addresses; ALPN
 * (RFC 7301); session resumption; no renegotiation.  Whoever calls waits for the socket himself,
 * so that libpq and our own HTTP client can share it.
 *
 *     tls_begin ── tls_handshake ⟲ WANT_* ── OK ── tls_read / tls_write ⟲ ── tls_end
 *
 * What is checked is the caller's choice (libpq's sslmode asks for each of these):
 *     trust == NULL                  nothing; whoever answers is believed
 *     trust, check_name == false     the chain leads to an authority, and is in date
 *     trust, check_name == true      … and the certificate is made out to `name`
 * A name is compared with dNSName entries (a wildcard stands for the whole leftmost label), an
 * address with iPAddress entries (RFC 5280, RFC 6125); the common name counts only when there is no
 * subjectAltName of the kind in question.
 *
 * Failures say which certificate, name or date was wrong: "the certificate of db.example.com:5432
 * was issued for a.example.com and b.example.com, not for db.example.com", "… expired on
 * 2026-01-01T00:00:00Z; this machine's clock says 2026-11-22T…", "… was issued by CN=Test CA, which
 * is none of the authorities in /etc/ca.pem", "db:5432 wants TLS 1.3; replica speaks TLS 1.2".
 *
 * Life:   tls_begin on a connected socket, which stays the caller's; tls_end frees, closes nothing.
 * Limits: TLS_SESSION_BYTES of memory each.  Threads: one at a time. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <bearssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "net/identity.h"
#include "net/trust.h"

enum { TLS_SESSION_BYTES = 64 * 1024, TLS_NAME_BYTES = 256 };

enum tls_step {
    TLS_FAILED,     /* the fault says why; the session is dead */
    TLS_WANT_READ,  /* again when the socket is readable */
    TLS_WANT_WRITE, /* again when it is writable */
    TLS_OK,
    TLS_CLOSED,     /* tls_read only: the peer ended the session properly (close_notify) */
};

/* A session to resume; zeroed before its first use.  It is only resumed for the same name, with the
 * same checks, since no certificate is shown again.  Not shared between threads: copy it. */
struct tls_resume {
    br_ssl_session_parameters parameters;
    const struct trust *trust;
    bool check_name;
    char name[TLS_NAME_BYTES];
    bool valid;
};

struct tls_config {
    const char *peer;                /* "db.example.com:5432", for sentences */
    const char *name;                /* a DNS name or an IP address (no brackets), as given */
    bool check_name;
    bool send_name;                  /* SNI, when name is no address */
    const struct trust *trust;       /* NULL: nothing is checked */
    const struct identity *identity; /* NULL: none is presented */
    const char *alpn;                /* "http/1.1", "postgresql", or NULL */
    bool alpn_required;              /* a server that does not confirm it is refused */
    struct tls_resume *resume;       /* in and out; or NULL */
    enum err err;                    /* the kind of every failure */
};

struct tls;

/* Begin a session; nothing is sent yet.  All that config points to must outlive it. */
struct tls *tls_begin(int fd, const struct tls_config *config);

/* Go on with the handshake.  When it is TLS_OK the peer has been checked as asked. */
enum tls_step tls_handshake(struct tls *tls, struct fault *fault);

/* Read some bytes, at most size (> 0).  TLS_OK: *got > 0.  A connection that ends without
 * close_notify is TLS_FAILED: it may have been cut by anyone. */
enum tls_step tls_read(struct tls *tls, void *data, size_t size, size_t *got, struct fault *fault);

/* Take some bytes; *took may be less than size, also 0 with WANT_*.  TLS_OK: *took > 0.  What was
 * taken may still wait inside until tls_flush(). */
enum tls_step tls_write(struct tls *tls, const void *data, size_t size, size_t *took,
                        struct fault *fault);

/* Send what was taken.  TLS_OK: all of it has gone to the socket. */
enum tls_step tls_flush(struct tls *tls, struct fault *fault);

/* Bytes that tls_read() gives without a look at the socket. */
size_t tls_pending(const struct tls *tls);

/* Whether the handshake failed because the peer was not believed or not understood: trying again
 * cannot help. */
bool tls_refused(const struct tls *tls);

/* The digest that stands for the server's certificate in channel binding "tls-server-end-point"
 * (RFC 5929 section 4.1): of the DER certificate, by the hash of its signature, SHA-256 for MD5 and
 * SHA-1.  Returns its size, 28 .. 64, or 0 when the signature's hash is unknown, or when the
 * session was resumed, which shows no certificate: who binds to it must not resume. */
size_t tls_certificate_hash(const struct tls *tls, uint8_t digest[static 64]);

/* What was agreed, for PQsslAttribute and debug lines: "TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256". */
const char *tls_version_name(const struct tls *tls);
const char *tls_cipher_name(const struct tls *tls);
unsigned tls_cipher_bits(const struct tls *tls);

/* The protocol agreed by ALPN, or "". */
const char *tls_alpn(const struct tls *tls);

/* Say goodbye (close_notify) as far as it goes without waiting, and free.  NULL is allowed. */
void tls_end(struct tls *tls);

#endif
