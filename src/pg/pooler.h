/* pooler - is the session ours alone, or lent for one transaction at a time?
 *
 * pgbouncer with pool_mode = transaction or statement, and its like, give a server's session to
 * whoever asks next.  What we set there would stay for the applications of the pool, and what they
 * have set would hold for us: floats cut to six digits, a search_path of theirs.  Nor would locks
 * and snapshots hold.  So such a pooler is recognised before the first statement that changes
 * anything, and refused.  In session mode a pooler is as good as the server.
 *
 * Evidence, for none of them says what it is:
 *  - A pooler tells its clients a process id of its own making (BackendKeyData of PostgreSQL's
 *    protocol), a server its own: where it is that of pg_backend_pid(), nobody stands between.
 *  - Else a second connection is opened.  While ours is idle, nobody else can be given its backend
 *    in session mode; in the other modes the pool gives it to the second one, or gives us another
 *    one for our next transaction.
 * Threads: one at a time; first is only read. */
#ifndef PG_POOLER_H
#define PG_POOLER_H

#include "pg/conn.h"

/* Refuse a session, just connected by the URI, that is not ours alone.  first is one that has
 * passed, to the same server, or NULL; with it no further connection is made.  Sets
 * conn->backend_pid and conn->pooled. */
bool pooler_refuse(struct pg_session *conn, const char *uri, const struct pg_session *first,
                   struct fault *fault);

#endif
