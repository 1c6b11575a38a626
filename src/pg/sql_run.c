/* sql_run - see sql_run.h. */
#include "pg/sql_run.h"

#include <string.h>

static bool
is_copy(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

/* Read all answers to the statement.  Returns how many there were; -1 with the fault.  A COPY is
 * not gone on with: the connection is of no use then, and closed with the rest of the run. */
static int
answers_read(struct pg_session *conn, const char *doing, enum err err, struct fault *fault)
{
    struct fault failed = {0};
    int count = 0;

    for (;;) {
        struct fault waiting = {0};
        PGresult *result = pg_result(conn, &waiting);
        if (result == NULL) {
            fault_hand_over(fault, &failed);
            fault_hand_over(fault, &waiting);
            return fault->err == ERR_NONE ? count : -1;
        }
        if (is_copy(result)) {
            PQclear(result);
            fault_set(fault, err, "unable to %s: it starts a COPY, which no statement of a dump"
                      " does", doing);
            return -1;
        }
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE)
            pg_failed(conn, doing, result, &failed);
        else
            PQclear(result);
        count++;
    }
}

static bool
session_is(struct pg_session *conn, const char *doing, const struct sql_state *state, enum err err,
           struct fault *fault)
{
    PGTransactionStatusType transaction = PQtransactionStatus(conn->pq);
    const char *strings = PQparameterStatus(conn->pq, "standard_conforming_strings");

    if (transaction != (state->open ? PQTRANS_INTRANS : PQTRANS_IDLE))
        return fault_set(fault, err, state->open
                         ? "unable to %s: it ends the transaction that it stands in"
                         : "unable to %s: it leaves a transaction open", doing);
    if (state->encoding >= 0 && PQclientEncoding(conn->pq) != state->encoding)
        return fault_set(fault, err, "unable to %s: it changes client_encoding to %s", doing,
                         pg_encoding_to_char(PQclientEncoding(conn->pq)));
    if (state->strings_set && strings != NULL &&
        strcmp(strings, state->standard_strings ? "on" : "off") != 0)
        return fault_set(fault, err, "unable to %s: it turns standard_conforming_strings %s", doing,
                         strings);
    return true;
}

bool
sql_run(struct pg_session *conn, const char *doing, const char *sql, const struct sql_state *state,
        enum err err, struct fault *fault)
{
    conn->sqlstate[0] = '\0';
    if (PQsendQuery(conn->pq, sql) == 0)
        return pg_failed(conn, doing, NULL, fault);
    int answers = answers_read(conn, doing, err, fault);
    if (answers < 0)
        return false;
    if (answers > 1)
        return fault_set(fault, err, "unable to %s: the server has found %d statements in it",
                         doing, answers);
    return session_is(conn, doing, state, err, fault);
}
