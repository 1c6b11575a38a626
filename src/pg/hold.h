/* hold - that what a dump's snapshot shows is what its locks keep, and its names lead to.
 *
 * A snapshot shows rows as they were; names are resolved, files are read and definitions are
 * deparsed as they are.  Who commits an ALTER, a TRUNCATE or a swap of two names between the two
 * makes a table empty, or another one, without an error.  So all tables are locked, and then it is
 * asked whether anything has been altered between snapshot and lock.  The question is cheap: a row
 * of the system's catalogs that somebody has updated or deleted since stays visible to the
 * snapshot, and bears the number of who did it.
 *
 *      row as the snapshot sees it     xmin 700   xmax 0      nobody has touched it
 *                                      xmin 700   xmax 812    812 has; if it committed, a new
 *      row as it is now                xmin 812               connection sees what 812 has made
 *
 * xmax is never taken back, so a name that was changed and changed again is noticed as well.  What
 * a lock on a table does not keep (the names of schemas, all about views, sequences, types and
 * functions) is asked for again when it has been relied upon.
 *
 * Threads: one at a time for a connection.
 * Source: PostgreSQL documentation, "System Columns", "Explicit Locking"; heap_update() sets xmax.
 * Updates in place (ANALYZE, CREATE INDEX) leave it alone, and change nothing that matters here. */
#ifndef PG_HOLD_H
#define PG_HOLD_H

#include "base/text.h"
#include "pg/catalog.h"

enum { HOLD_LOCK_SECONDS = 60, HOLD_TRIES_MAX = 6 };

/* What has been relied upon since the snapshot. */
enum hold_moment {
    HOLD_TABLES = 1,   /* that the tables now locked are those of the catalog */
    HOLD_COLUMNS = 2,  /* and that they have its columns */
    HOLD_SCRIPTS = 4,  /* pg_dump has read all it writes */
    HOLD_NAMES = 8,    /* COPY has found tables by the names of schema and table, and holds them */
    HOLD_ROWS = 16,    /* all rows are read, and written by the definitions of their types */
};

enum hold_locked {
    HOLD_FAILED,
    HOLD_AGAIN, /* a table has gone or become something else: it may go well a second time */
    HOLD_DONE,
};

/* Lock what the catalog takes, tables that hold no rows included: whatever pg_dump locks.  Takes no
 * snapshot.  Waits HOLD_LOCK_SECONDS at most for each table, for a queue behind somebody's ALTER
 * must not grow without end, and then names who is in the way.  But for HOLD_DONE the fault is set
 * (ERR_SOURCE) and the transaction void. */
enum hold_locked hold_lock(struct pg_session *conn, const struct catalog *catalog,
                           struct fault *fault);

/* Whether the role must lock, and so be able to read, a table. */
bool hold_wants(const struct table *table);

/* Ask what has been altered since the snapshot of conn.  moved receives it for a sentence, as
 * "table a.b"; it stays empty when nothing has.  Where something may have been, a connection is
 * opened beside conn, by uri, to see what is there now. */
bool hold_ask(struct pg_session *conn, const char *uri, const struct catalog *catalog,
              enum hold_moment moment, struct text *moved, struct fault *fault);

/* The same as a demand: what has been altered is a fault (ERR_SOURCE). */
bool hold_check(struct pg_session *conn, const char *uri, const struct catalog *catalog,
                enum hold_moment moment, struct fault *fault);

#endif
