/* copy_in - see copy_in.h. */
#include "pg/copy_in.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "pg/wire.h"

enum { PIECE_BYTES_MAX = 256 * 1024 }; /* what libpq buffers at once */

static const char gave_up[] = "replica gave up: the volume did not arrive whole";

bool
copy_in_begin(struct copy_in *in, struct pg_session *conn, const char *doing, const char *sql,
              struct fault *fault)
{
    *in = (struct copy_in){.conn = conn, .doing = doing,
                           .encoding = PQclientEncoding(conn->pq)};

    PGresult *result = pg_query(conn, doing, sql, fault);
    if (result == NULL)
        return false;
    ExecStatusType status = PQresultStatus(result);
    PQclear(result);
    if (status != PGRES_COPY_IN)
        return fault_set(fault, conn->side, "unable to %s: the server started no COPY", doing);
    return true;
}

/* Take the server's verdict on the COPY: its row count, or its complaint. */
static bool
verdict(struct copy_in *in, struct fault *fault)
{
    bool counted = false;

    for (;;) {
        struct fault waiting = {0};
        PGresult *result = pg_result(in->conn, &waiting);
        if (result == NULL && waiting.err != ERR_NONE) {
            fault_hand_over(fault, &waiting);
            return false;
        }
        if (result == NULL)
            break;
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            return pg_failed(in->conn, in->doing, result, fault);
        in->rows = strtoull(PQcmdTuples(result), NULL, 10);
        PQclear(result);
        counted = true;
    }
    if (!counted)
        return fault_set(fault, in->conn->side,
                         "unable to %s: the server did not say how many rows it took", in->doing);
    /* A function that a CHECK or a trigger calls may set it: what comes next would be misread. */
    return PQclientEncoding(in->conn->pq) == in->encoding ||
           fault_set(fault, in->conn->side,
                     "unable to %s: a function that it calls changes client_encoding to %s",
                     in->doing, pg_encoding_to_char(PQclientEncoding(in->conn->pq)));
}

/* Is the complaint about what is in a row? */
static bool
of_the_data(const char *sqlstate)
{
    return strncmp(sqlstate, "22", 2) == 0 || strncmp(sqlstate, "23", 2) == 0;
}

/* The server has refused a row while we still send: its complaint is the cause.  It has left the
 * COPY and passes over what is still under way. */
static enum step
refused(struct copy_in *in, struct fault *fault)
{
    in->done = true;
    PQputCopyEnd(in->conn->pq, gave_up); /* does nothing when we have ended the COPY already */
    if (verdict(in, fault)) {
        fault_set(fault, in->conn->side, "unable to %s: the server ended the COPY early",
                  in->doing);
        return STEP_FAILED;
    }
    if (!in->hears_out || !of_the_data(in->conn->sqlstate))
        return STEP_FAILED;
    in->refusal = *fault;
    *fault = (struct fault){0};
    return STEP_AGAIN;
}

/* Has the server said something meanwhile that ends the COPY? */
static bool
error_waits(struct copy_in *in)
{
    struct pollfd readable = {.fd = PQsocket(in->conn->pq), .events = POLLIN};

    if (poll(&readable, 1, 0) > 0)
        PQconsumeInput(in->conn->pq); /* a connection that broke is noticed by the next flush */
    return wire_error_waits(in->conn);
}

/* libpq can't send: because the server is gone, perhaps with a last word. */
static enum step
broken(struct copy_in *in, struct fault *fault)
{
    if (error_waits(in))
        return refused(in, fault);
    pg_failed(in->conn, in->doing, NULL, fault);
    return STEP_FAILED;
}

static enum step
copy_in_step(struct stage *stage, struct source_span *source, struct target_span *target, bool last,
             struct fault *fault)
{
    struct copy_in *in = (struct copy_in *) stage;
    (void) target;

    if (in->refusal.err != ERR_NONE) {
        source->used = source->size;
        if (!last)
            return STEP_AGAIN;
        fault_hand_over(fault, &in->refusal);
        return STEP_FAILED;
    }
    if (last) {
        if (PQputCopyEnd(in->conn->pq, NULL) < 0)
            return broken(in, fault);
        in->done = true;
        return verdict(in, fault) ? STEP_DONE : STEP_FAILED;
    }

    size_t size = source->size - source->used;
    if (size > PIECE_BYTES_MAX)
        size = PIECE_BYTES_MAX;
    if (PQputCopyData(in->conn->pq, (const char *) source->data + source->used, (int) size) <= 0)
        return broken(in, fault);
    source->used += size;
    if (in->moved != NULL)
        atomic_fetch_add_explicit(in->moved, size, memory_order_relaxed);
    struct fault flushing = {0};
    bool flushed = pg_flush(in->conn, &flushing);
    if (flushing.err != ERR_STOPPED && error_waits(in))
        return refused(in, fault);
    fault_hand_over(fault, &flushing);
    return flushed ? STEP_AGAIN : STEP_FAILED;
}

static void
copy_in_free(struct stage *stage)
{
    struct copy_in *in = (struct copy_in *) stage;
    if (in->done || PQstatus(in->conn->pq) != CONNECTION_OK)
        return;

    /* Best effort: the connection is closed after a failure, and a COPY cut off is undone as
     * well. */
    if (PQputCopyEnd(in->conn->pq, gave_up) > 0)
        PQflush(in->conn->pq);
}

static const struct stage_ops copy_in_ops = {
    .name = "copy in",
    .step = copy_in_step,
    .free = copy_in_free,
};

struct stage *
copy_in_init(struct copy_in *in)
{
    in->stage.ops = &copy_in_ops;
    return &in->stage;
}
