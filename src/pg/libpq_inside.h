/* libpq_inside - libpq's internal header, seen as libpq itself saw it when it was compiled.
 *
 * libpq alone is built with USE_SSL and without a TLS library (vendor/postgresql.sh); a file that
 * reads its structures under other defines could see their fields at other places.  So nobody else
 * includes libpq-int.h, and this header comes first in the files that need it. */
#ifndef PG_LIBPQ_INSIDE_H
#define PG_LIBPQ_INSIDE_H

#define USE_SSL 1
#include <postgres_fe.h>

#include <libpq-int.h>

#if defined(USE_OPENSSL) || defined(ENABLE_GSS) || defined(ENABLE_SSPI)
#error "vendor/postgresql.sh builds libpq with neither OpenSSL nor GSSAPI"
#endif
_Static_assert(PG_VERSION_NUM >= 180000 && PG_VERSION_NUM < 190000,
               "the seams below libpq were written for PostgreSQL 18");

/* Whether libpq finds the first and the last field that differ between builds where we do. */
static inline bool
libpq_inside_agrees(const PGconn *pq)
{
    return PQsslInUse((PGconn *) pq) == pq->ssl_in_use &&
           PQerrorMessage(pq) == pq->errorMessage.data;
}

#endif
