/* identity - a client's own certificate and private key, for servers that ask for one.
 *
 * Certificate: PEM, its chain after it, in order.  Key: PEM, RSA or EC (P-256, P-384, P-521), as
 * PKCS#8 ("PRIVATE KEY") or legacy ("RSA PRIVATE KEY", "EC PRIVATE KEY"); or DER of the same.
 * An encrypted key is refused with a sentence of its own, and so is one that does not belong to the
 * certificate.
 *
 * Life:   identity_open; any number of handshakes; identity_close wipes the key.
 * Threads: read-only once open. */
#ifndef NET_IDENTITY_H
#define NET_IDENTITY_H

#include <bearssl.h>

#include "base/fault.h"

struct identity;

/* Returns NULL with err and a sentence that names the file. */
struct identity *identity_open(const char *certificate_file, const char *key_file, enum err err,
                               struct fault *fault);

/* Let a client engine present it. */
void identity_use(const struct identity *identity, br_ssl_client_context *client);

/* NULL is allowed. */
void identity_close(struct identity *identity);

#endif
