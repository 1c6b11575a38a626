/* tls_backend - the TLS that libpq looks for: its pgtls_* functions, over net/tls.h.
 *
 * libpq is compiled for TLS but with no library (vendor/postgresql.sh); what it leaves undefined is
 * defined here, so that every connection of replica, the linked-in pg_dump's among them, can be
 * encrypted.  libpq declares these functions itself (libpq-int.h, libpq-fe.h).
 *
 * Life:   libpq's: pgtls_open_client at a connection's first step, pgtls_close at its end.
 * Limits: one record (16 KiB) each way is held per connection.
 * Threads: one at a time per connection, as with libpq; the list of sessions has a lock. */
#ifndef PG_TLS_BACKEND_H
#define PG_TLS_BACKEND_H

#include <libpq-fe.h>

/* Why the TLS session of a connection failed, "" when it did not. */
const char *tls_backend_complaint(const PGconn *conn);

#endif
