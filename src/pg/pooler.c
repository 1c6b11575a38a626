/* pooler - see pooler.h. */
#include "pg/pooler.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "pg/settings.h"

enum {
    /* An idle pool betrays itself in the first round, one that takes turns in the second; a busy
     * one might lend the right backends by chance, but not again and again. */
    ROUNDS = 4,
    TURNS = 3,
};

static const char ask[] = "SELECT pg_catalog.pg_backend_pid()";

static bool
is_lent(const struct pg_session *conn, struct fault *fault)
{
    return fault_set(fault, conn->side,
                     "the %s is reached through a connection pooler that gives each transaction "
                     "another session (as pgbouncer does with pool_mode = transaction): settings, "
                     "locks and snapshots would not hold there, and would leak to others; connect "
                     "to PostgreSQL itself, or to a pool with pool_mode = session",
                     conn->side == ERR_SOURCE ? "source" : "destination");
}

/* Whose session answers?  A role's statement_timeout may be shorter than any statement. */
static bool
backend_ask(struct pg_session *conn, int *pid, struct fault *fault)
{
    struct fault cut = {0};
    PGresult *result = NULL;

    for (int tried = 0; result == NULL && tried < SETTINGS_TRIES; tried++) {
        cut = (struct fault){0};
        result = pg_query(conn, "ask for the backend", ask, &cut);
        if (result == NULL && strcmp(conn->sqlstate, SETTINGS_CUT_SHORT) != 0)
            break;
    }
    if (result == NULL) {
        fault_hand_over(fault, &cut);
        return false;
    }
    bool said = PQntuples(result) == 1 && PQnfields(result) == 1;
    if (said)
        *pid = (int) strtol(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return said || fault_set(fault, conn->side,
                             "unable to ask for the backend: the server gave no number");
}

/* Ask several times; it must be the same backend each time. */
static bool
backend_stays(struct pg_session *conn, struct fault *fault)
{
    int pid;

    for (int turn = 0; turn < TURNS; turn++) {
        if (!backend_ask(conn, &pid, fault))
            return false;
        if (pid != conn->backend_pid)
            return is_lent(conn, fault);
    }
    return true;
}

/* Hold a backend in a transaction on the other connection, and see whether ours is still there. */
static bool
round_pass(struct pg_session *conn, struct pg_session *other, struct fault *fault)
{
    struct fault refused = {0};
    int pid;

    if (!pg_run(other, "begin a transaction", "BEGIN", &refused)) {
        if (strstr(refused.text, "pooling mode") != NULL)
            return is_lent(conn, fault);
        fault_hand_over(fault, &refused);
        return false;
    }
    if (!backend_ask(other, &pid, fault))
        return false;
    if (pid == conn->backend_pid || pid != other->backend_pid)
        return is_lent(conn, fault);
    return backend_stays(conn, fault) && pg_run(other, "end a transaction", "ROLLBACK", fault) &&
           backend_stays(conn, fault);
}

static bool
session_is_ours(struct pg_session *conn, const char *uri, struct fault *fault)
{
    struct pg_session other = {0};
    bool ours = pg_reach_beside(&other, uri, conn, fault) &&
                backend_ask(&other, &other.backend_pid, fault);

    if (ours && other.backend_pid == conn->backend_pid)
        ours = is_lent(conn, fault);
    for (int round = 0; ours && round < ROUNDS; round++)
        ours = round_pass(conn, &other, fault);
    pg_close(&other);
    return ours;
}

bool
pooler_refuse(struct pg_session *conn, const char *uri, const struct pg_session *first,
              struct fault *fault)
{
    if (!backend_ask(conn, &conn->backend_pid, fault))
        return false;
    if (first != NULL && first->backend_pid == conn->backend_pid)
        return is_lent(conn, fault);
    conn->pooled = PQbackendPID(conn->pq) != conn->backend_pid;
    if (!conn->pooled)
        return true;
    if (first != NULL)
        return backend_stays(conn, fault);
    if (!session_is_ours(conn, uri, fault))
        return false;
    log_debug("the %s is reached through a connection pooler in session mode",
              conn->side == ERR_SOURCE ? "source" : "destination");
    return true;
}
