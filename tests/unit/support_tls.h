/* support_tls - certificates made by the openssl command, and a server made of BearSSL's own engine
 * at the other end of a socket pair.
 *
 *      tls_…()  ─ client_fd ═══ fd ─  peer_carry()  ─  br_ssl_server
 *
 * Nothing waits: the test's one thread turns both ends by hand, so that every run takes the same
 * steps, and a peer can be slow, cut or damaged at any byte. */
#ifndef UNIT_SUPPORT_TLS_H
#define UNIT_SUPPORT_TLS_H

#include "support.h"

#include <bearssl.h>

#include "base/arena.h"
#include "net/tls.h"

/* ---- certificates --------------------------------------------------------------------- */

/* A directory for this test program; certs_begin and certs_end are cmocka's setup and teardown of a
 * group. */
int certs_begin(void **state);
int certs_end(void **state);

/* A file in it; valid until the 8th next call. */
const char *certs_path(const char *name);

/* Run openssl in that directory; the last argument is NULL. */
void openssl(const char *first, ...) __attribute__((sentinel));

void certs_write(const char *name, const void *data, size_t size);

/* What to make.  NAME.key and NAME.pem come of it. */
struct cert {
    const char *name;
    const char *subject;    /* "/CN=Test CA"; NULL: "/CN=" and the name */
    const char *issuer;     /* its name; NULL: signed by itself */
    const char *key;        /* "P-256" (also for NULL), "P-384", "RSA-2048", "ED25519", … */
    const char *extensions; /* lines of an openssl extension file */
    const char *days;       /* from now; NULL: 30 */
    const char *sign;       /* an option more, such as "-sha1" */
};

void certs_make(const struct cert *cert);

#define CA_EXTENSIONS "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"

/* The concatenation of two files, as a third. */
void certs_join(const char *name, const char *first, const char *second);

/* ---- the peer ------------------------------------------------------------------------- */

struct peer {
    int fd, client_fd;
    size_t piece;  /* at most so many bytes are carried at once; 0 is no limit */
    bool closed;   /* its end of the socket pair */
    struct arena arena;
    br_ssl_server_context server;
    br_x509_minimal_context clients; /* checks the client's certificate */
    br_x509_certificate *chain;
    br_skey_decoder_context key;
    const char *alpn[1];
    uint8_t buffer[BR_SSL_BUFSIZE_BIDI];
};

/* A server with NAME.pem, or a chain file of that name, and a key; ready for a handshake after
 * peer_ready().  Settings go between the two. */
void peer_begin(struct peer *peer, const char *chain, const char *key);
void peer_ready(struct peer *peer);
void peer_end(struct peer *peer);

/* Ask for a client certificate that leads to one of these. */
void peer_wants(struct peer *peer, const struct trust *trust);

/* Move bytes between its engine and the socket, as far as goes without waiting. */
bool peer_carry(struct peer *peer);

/* Turn both ends until the client's handshake is over. */
enum tls_step peer_handshake(struct peer *peer, struct tls *tls, struct fault *fault);

/* Say something, all of it, while the client reads it; or hear it. */
void peer_write(struct peer *peer, const void *data, size_t size);
size_t peer_read(struct peer *peer, void *data, size_t size);

/* End the session properly; close the socket. */
void peer_goodbye(struct peer *peer);
void peer_close(struct peer *peer);

#endif
