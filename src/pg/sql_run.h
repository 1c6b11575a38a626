/* sql_run - one statement of a dump's script, run, and the session looked at behind it.
 *
 * A statement that is more than one, starts a COPY, or leaves another transaction, encoding or
 * meaning of backslashes behind than the guard (sql_guard.h) has seen in the text, is none of a
 * dump: what follows would be undone, swallowed or misread.
 *
 * Threads: one at a time. */
#ifndef PG_SQL_RUN_H
#define PG_SQL_RUN_H

#include "pg/conn.h"
#include "pg/sql_guard.h"

/* Run it; doing is as for pg_run(), err as for sql_guard_init(). */
bool sql_run(struct pg_session *conn, const char *doing, const char *sql,
             const struct sql_state *state, enum err err, struct fault *fault);

#endif
