/* tls_engine - which parts of BearSSL a session is made of, and what they are called.
 *
 * BearSSL's "full" client speaks TLS 1.0, CBC, RSA key exchange and SHA-1 too; ours is put together
 * from what is safe, the fastest implementation of each that this processor has.
 *
 * Threads: any. */
#ifndef NET_TLS_ENGINE_H
#define NET_TLS_ENGINE_H

#include <bearssl.h>

/* Make a client engine that has everything but certificates, buffers and a name.  ec is filled, and
 * must stay: its curve arithmetic, which refuses points of small order. */
void tls_engine_init(br_ssl_client_context *client, br_ec_impl *ec);

/* Of an agreed suite: "ECDHE-RSA-AES128-GCM-SHA256", and the bits of its key; "" and 0 for none. */
const char *tls_engine_suite_name(unsigned suite);
unsigned tls_engine_suite_bits(unsigned suite);

#endif
