/* tls_backend_options - what the ssl* parameters of a connection ask of its TLS session.
 *
 * libpq 18 has parsed them and checked their words; here they get the meaning that its
 * documentation gives them ("SSL Support"), files and all:
 *
 *     sslmode       disable allow prefer   require                     verify-ca   verify-full
 *     no root file  nothing is checked     nothing is checked          refused     refused
 *     root file     chain                  chain                       chain       chain and name
 *
 * The root file is sslrootcert, else ~/.postgresql/root.crt; "system" is trust_open_system().  The
 * client's certificate and key are sslcert and sslkey, else postgresql.crt and postgresql.key
 * there.  Without a home directory there are no such files.  What BearSSL cannot do (revocation
 * lists, other versions than TLS 1.2) is refused rather than passed over.
 *
 * Life:   tls_options_open, tls_options_close; the connection must outlive it. */
#ifndef PG_TLS_BACKEND_OPTIONS_H
#define PG_TLS_BACKEND_OPTIONS_H

#include <libpq-fe.h>

#include "base/fault.h"
#include "net/tls.h"

enum { TLS_PEER_BYTES_MAX = 300 }; /* a DNS name of 253, a port, brackets */

struct tls_options {
    struct tls_config config;
    struct trust *trust;
    struct identity *identity;
    char peer[TLS_PEER_BYTES_MAX];
};

/* Read the parameters of a connection for the host it is trying now, and the files they name. */
bool tls_options_open(struct tls_options *options, const PGconn *conn, struct fault *fault);

/* A zeroed struct is allowed. */
void tls_options_close(struct tls_options *options);

#endif
