/* wire - the one seam below libpq's COPY functions: the raw bytes of a connection.
 *
 * libpq connects, authenticates and starts the COPY; then the rows are read here, since
 * PQgetCopyData() holds whole rows (a row may have 1 GB) and costs a malloc, a copy and a free
 * each.
 *
 * Life:   after PGRES_COPY_OUT: wire_take once, wire_read any number of times, wire_return once
 *         with the bytes of everything that is not CopyData; from then on the connection is libpq's
 *         again.
 * Source: PostgreSQL documentation, "Frontend/Backend Protocol", COPY operations and message
 *         formats. */
#ifndef PG_WIRE_H
#define PG_WIRE_H

#include <stddef.h>

#include "pg/conn.h"

/* Take the bytes that libpq has read ahead, at most size (the caller's buffer is larger than what
 * libpq reads at once; more is left for the next call).  Returns how many, perhaps
 * none. */
size_t wire_take(struct pg_session *conn, void *data, size_t size);

/* Read what the server sent, waiting for it when wait is set.  *got is 0 only when it would have
 * waited.  A closed connection is a failure, since a COPY ends with a message. */
bool wire_read(struct pg_session *conn, void *data, size_t size, bool wait, size_t *got,
               struct fault *fault);

/* Wait until the server has sent something.  A source that is silent is waited for without end,
 * since nobody can tell a stopped one from a slow one; a warning a minute says so. */
bool wire_wait(struct pg_session *conn, struct fault *fault);

/* Whether the TLS session holds bytes that it has taken off the socket: no poll() shows them. */
bool wire_holds(const struct pg_session *conn);

/* Whether an error of the server waits among the bytes that libpq has read ahead: while a COPY FROM
 * STDIN goes on libpq itself looks at it only in the end, after all rows were sent in vain. */
bool wire_error_waits(const struct pg_session *conn);

/* Give bytes back to libpq, as if it had read them, before those that it still holds. */
void wire_return(struct pg_session *conn, const void *data, size_t size);

#endif
