/* conn - one connection to PostgreSQL, by libpq, that blocks only where the stop switch is heard.
 *
 * Life:   pg_open; then queries, one at a time; pg_close, also after a failed pg_open.
 * Limits: connecting takes at most CONNECT_SECONDS, or connect_timeout of the URI or
 *         PGCONNECT_TIMEOUT.  Statements have no deadline of ours (a CREATE INDEX may take hours);
 *         a dead peer is found by TCP keepalives within about a minute; one that dies while we send
 *         to it in the same time when it is the source (tcp_user_timeout), in about 15 minutes when
 *         it is the destination (the kernel's tcp_retries2).  A living destination may stand still
 *         for ever.  The URI may say otherwise.
 * Threads: one at a time. */
#ifndef PG_CONN_H
#define PG_CONN_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "base/fault.h"
#include "base/stop.h"

enum {
    CONNECT_SECONDS = 30,
    CANCEL_MS = 3000,
    ANSWERS_MAX = 1000, /* to one string of statements; ours hold some twenty */
};

struct pg_session {
    PGconn *pq;
    struct stop *stop;
    enum err side;      /* ERR_SOURCE or ERR_TARGET: whose fault a failure is */
    int server_version; /* 150018 for 15.18 */
    unsigned answers;   /* to what is under way, so far */
    char sqlstate[6];   /* of the last failed statement, "" when the server gave none */
    int backend_pid;    /* of the session that serves us */
    bool pooled;        /* through a pooler, in session mode */
    bool warned;        /* of settings that can't be had */
};

/* Connect to what uri names ("postgres:" alone: the PG* variables), make sure that the session is
 * ours alone (pooler.h), and set it up: every timeout off, values and SQL read and written in one
 * way, no search_path, row security an error instead of a filter (settings.def); text in the
 * server's own encoding. */
bool pg_open(struct pg_session *conn, const char *uri, enum err side, struct stop *stop,
             struct fault *fault);

/* Connect once more, by the same URI, to the very server that first has reached: a name may have
 * several addresses, and a URI several hosts.  first is open; it gives the side and the switch. */
bool pg_open_beside(struct pg_session *conn, const char *uri, const struct pg_session *first,
                    struct fault *fault);

/* The same without a single statement. */
bool pg_reach_beside(struct pg_session *conn, const char *uri, const struct pg_session *first,
                     struct fault *fault);

/* Cancel what runs, within CANCEL_MS, and let go.  A zeroed struct is allowed. */
void pg_close(struct pg_session *conn);

/* Run one statement.  doing completes the sentence "unable to <doing>: <what the server said>".
 * Returns its result, to be PQclear()ed by the caller, or NULL with the fault. */
PGresult *pg_query(struct pg_session *conn, const char *doing, const char *sql,
                   struct fault *fault);

/* The same for a statement whose result nobody needs. */
bool pg_run(struct pg_session *conn, const char *doing, const char *sql, struct fault *fault);

/* The next result of a statement that is under way, waiting for it; NULL with a fault when stopped
 * or disconnected, NULL without one at the end. */
PGresult *pg_result(struct pg_session *conn, struct fault *fault);

/* Turn a failed result into a fault and clear it; NULL stands for what libpq itself complains of.
 * What shows rows goes to the log, at debug level: DETAIL, CONTEXT, values that are refused.
 * Always returns false. */
bool pg_failed(struct pg_session *conn, const char *doing, PGresult *result, struct fault *fault);

/* Wait until the server has said something more, and let libpq take it. */
bool pg_wait(struct pg_session *conn, struct fault *fault);

/* Send everything libpq holds back. */
bool pg_flush(struct pg_session *conn, struct fault *fault);

/* The server's version for people, "15.18"; encoding of the database, "UTF8". */
const char *pg_version_text(const struct pg_session *conn);
const char *pg_encoding(const struct pg_session *conn);

#endif
