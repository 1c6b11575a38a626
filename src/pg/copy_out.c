/* copy_out - see copy_out.h. */
#include "pg/copy_out.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/copy.h"
#include "pg/wire.h"

enum {
    HEADER_BYTES = 5,
    COPY_SLACK_BYTES = 16,  /* one vector */
    COPY_SHORT_BYTES = 128, /* above it copy_small() is as good, and needs no room */

    /* A backend sends 8 KiB at a time; to be woken for each costs both sides more than the bytes
     * do.  So in a stream that flows, a reader that finds little rests this long, in which a fast
     * backend fills less than half of a socket's usual 208 KiB. */
    GATHER_US = 400,
    GATHER_BELOW_BYTES = 64 * 1024,
    GATHER_AFTER_BYTES = 1024 * 1024, /* small tables are not worth a rest */
};

void
copy_out_open(struct copy_out *out)
{
    *out = (struct copy_out){.buffer = malloc(COPY_OUT_BUFFER_BYTES + COPY_SLACK_BYTES)};
    if (out->buffer == NULL)
        memory_exhausted(COPY_OUT_BUFFER_BYTES);
}

void
copy_out_close(struct copy_out *out)
{
    free(out->buffer);
    out->buffer = NULL;
}

/* Bring at least one more byte behind what is there.  Without wait it may bring none. */
static bool
refill(struct copy_out *out, bool wait, bool *got_some, struct fault *fault)
{
    size_t held = out->end - out->begin, got;

    assert(held < COPY_OUT_BUFFER_BYTES);
    if (out->begin > 0) {
        memmove(out->buffer, out->buffer + out->begin, held);
        out->begin = 0;
        out->end = held;
    }
    got = wire_take(out->conn, out->buffer + held, COPY_OUT_BUFFER_BYTES - held);
    if (got == 0 && wait && out->flowed > GATHER_AFTER_BYTES &&
        out->last_read < GATHER_BELOW_BYTES)
        usleep(GATHER_US);
    if (got == 0 &&
        !wire_read(out->conn, out->buffer + held, COPY_OUT_BUFFER_BYTES - held, wait, &got, fault))
        return false;
    out->end += got;
    out->flowed += got;
    if (got > 0)
        out->last_read = got;
    *got_some = got > 0;
    return true;
}

/* The length in the header at at; it counts itself. */
static size_t
message_bytes(const uint8_t *at)
{
    return (size_t) at[1] << 24 | (size_t) at[2] << 16 | (size_t) at[3] << 8 | at[4];
}

/* What stands at the next message boundary. */
enum next { NEXT_FAILED, NEXT_WAIT, NEXT_ROW, NEXT_END };

/* Look at the next message, without taking it; notices and parameter changes are passed over. */
static enum next
look(struct copy_out *out, bool wait, struct fault *fault)
{
    assert(out->row_left == 0);
    for (;;) {
        size_t held = out->end - out->begin;
        if (held >= HEADER_BYTES) {
            uint8_t type = out->buffer[out->begin];
            size_t bytes = message_bytes(out->buffer + out->begin);
            if (bytes < 4) {
                fault_set(fault, out->conn->side, "the server sent a message of %zu bytes", bytes);
                return NEXT_FAILED;
            }
            if (type == 'd')
                return NEXT_ROW;
            if (type != 'N' && type != 'S' && type != 'A')
                return NEXT_END;
            if (bytes >= COPY_OUT_BUFFER_BYTES) {
                fault_set(fault, out->conn->side, "the server sent a notice of %zu bytes", bytes);
                return NEXT_FAILED;
            }
            if (held > bytes) {
                out->begin += bytes + 1;
                continue;
            }
        }
        bool got_some;
        if (!refill(out, wait, &got_some, fault))
            return NEXT_FAILED;
        if (!got_some)
            return NEXT_WAIT;
    }
}

/* Give libpq the server's answer to the statement, and not one byte of what follows: it would make
 * room for the whole of a first row, 900 MB if need be, as soon as it saw its header. */
static bool
answer_return(struct copy_out *out, struct fault *fault)
{
    size_t bytes = message_bytes(out->buffer + out->begin) + 1;

    while (out->end - out->begin < bytes) {
        bool got_some;
        if (bytes >= COPY_OUT_BUFFER_BYTES)
            return fault_set(fault, out->conn->side, "the server sent an answer of %zu bytes",
                             message_bytes(out->buffer + out->begin));
        if (!refill(out, true, &got_some, fault))
            return false;
    }
    wire_return(out->conn, out->buffer + out->begin, bytes);
    out->begin += bytes;
    return true;
}

/* Let libpq have the next answer: of a statement before the COPY, of the COPY, or an error.  NULL
 * without a fault: there is none any more. */
static PGresult *
answer_take(struct copy_out *out, struct fault *fault)
{
    if (look(out, true, fault) == NEXT_FAILED)
        return NULL;
    uint8_t type = out->buffer[out->begin];
    if (type == 'C' || type == 'H') { /* CommandComplete, CopyOutResponse */
        if (!answer_return(out, fault))
            return NULL;
    } else {
        wire_return(out->conn, out->buffer + out->begin, out->end - out->begin);
        out->begin = out->end = 0;
    }
    return pg_result(out->conn, fault);
}

bool
copy_out_begin(struct copy_out *out, struct pg_session *conn, const char *doing, const char *sql,
               bool binary, struct fault *fault)
{
    out->conn = conn;
    out->begin = out->end = out->row_left = 0;
    out->rows_total = 0;
    out->binary = binary;
    out->flowed = 0;
    if (PQsendQuery(conn->pq, sql) == 0)
        return fault_set(fault, conn->side, "unable to %s: %s", doing, PQerrorMessage(conn->pq));
    if (!pg_flush(conn, fault))
        return false;
    for (;;) {
        struct fault waiting = {0};
        PGresult *result = answer_take(out, &waiting);
        fault_hand_over(fault, &waiting);
        if (waiting.err != ERR_NONE)
            return false;
        ExecStatusType status = PQresultStatus(result);
        if (result != NULL && (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE))
            return pg_failed(conn, doing, result, fault);
        PQclear(result);
        if (status == PGRES_COPY_OUT)
            return true;
        if (status != PGRES_COMMAND_OK)
            return fault_set(fault, conn->side, "unable to %s: the server started no COPY", doing);
    }
}

/* From CopyDone on, or from the error that ends the COPY, libpq reads again. */
static bool
hand_back(struct copy_out *out, struct fault *fault)
{
    char *row = NULL;
    int status;

    wire_return(out->conn, out->buffer + out->begin, out->end - out->begin);
    out->begin = out->end = 0;
    while ((status = PQgetCopyData(out->conn->pq, &row, 1)) == 0)
        if (!pg_wait(out->conn, fault))
            return false;
    assert(status < 0);
    return true;
}

/* The end of the statement: nothing but the server's own count proves that it is whole.  (In the
 * binary format the header stands in the first message, and the end mark is one of its own:
 * PostgreSQL's copyto.c.) */
static bool
check_count(struct copy_out *out, const char *doing, struct fault *fault)
{
    bool counted = false;

    for (;;) {
        struct fault waiting = {0};
        PGresult *result = pg_result(out->conn, &waiting);
        if (result == NULL && waiting.err != ERR_NONE) {
            fault_hand_over(fault, &waiting);
            return false;
        }
        if (result == NULL)
            break;
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            return pg_failed(out->conn, doing, result, fault);
        uint64_t rows = strtoull(PQcmdTuples(result), NULL, 10);
        out->rows_total -= out->binary && out->rows_total > 0;
        PQclear(result);
        counted = true;
        if (rows != out->rows_total)
            return fault_set(fault, out->conn->side,
                             "unable to %s: the server counts %llu rows, %llu arrived", doing,
                             (unsigned long long) rows, (unsigned long long) out->rows_total);
    }
    return counted || fault_set(fault, out->conn->side,
                                "unable to %s: the server did not say how many rows it sent",
                                doing);
}

bool
copy_out_next(struct copy_out *out, const char *doing, bool *more, struct fault *fault)
{
    enum next next = look(out, true, fault);

    *more = next == NEXT_ROW;
    if (next == NEXT_FAILED)
        return false;
    if (next == NEXT_ROW)
        return true;
    return hand_back(out, fault) && check_count(out, doing, fault);
}

/* Move bytes of the current row; true when the row is through. */
static bool
move_row(struct copy_out *out, struct target_span *target)
{
    size_t size = out->row_left, held = out->end - out->begin, room = target->size - target->used;

    if (size > held)
        size = held;
    if (size > room)
        size = room;
    memcpy(target->data + target->used, out->buffer + out->begin, size);
    target->used += size;
    out->begin += size;
    out->row_left -= size;
    return out->row_left == 0;
}

/* Copy a few bytes in whole vectors, over the end of both: a call of memcpy() costs more than the
 * row.  Both sides have COPY_SLACK_BYTES of room behind size. */
static void
copy_short(uint8_t *target, const uint8_t *source, size_t size)
{
    for (size_t at = 0; at < size; at += COPY_SLACK_BYTES)
        memcpy(target + at, source + at, COPY_SLACK_BYTES);
}

static bool
volume_is_full(const struct copy_out *out)
{
    return out->rows > 0 && *out->stored_bytes >= out->stored_bytes_max;
}

/* Move the rows that lie whole in the buffer and fit whole into the target: all but a few of them.
 * Stops, without looking closer, at whatever is not one of those. */
static void
move_whole_rows(struct copy_out *out, struct target_span *target)
{
    const uint8_t *at = out->buffer + out->begin, *end = out->buffer + out->end;
    uint8_t *to = target->data + target->used, *limit = target->data + target->size;

    while (end - at >= HEADER_BYTES && at[0] == 'd' && !volume_is_full(out)) {
        size_t bytes = message_bytes(at), size = bytes - 4;
        if (bytes < 4 || size > (size_t) (end - at - HEADER_BYTES) || size > (size_t) (limit - to))
            break;
        if (size <= COPY_SHORT_BYTES && (size_t) (limit - to) >= size + COPY_SLACK_BYTES)
            copy_short(to, at + HEADER_BYTES, size);
        else
            copy_small(to, at + HEADER_BYTES, size);
        at += HEADER_BYTES + size;
        to += size;
        out->rows++;
    }
    out->begin = (size_t) (at - out->buffer);
    target->used = (size_t) (to - target->data);
}

/* Fill the target as far as bytes are at hand; wait only while it is still empty. */
static enum step
fill(struct copy_out *out, struct target_span *target, struct fault *fault)
{
    size_t before = target->used;

    while (target->used < target->size) {
        if (out->row_left == 0) {
            move_whole_rows(out, target);
            if (volume_is_full(out))
                return STEP_DONE;
            if (target->used == target->size)
                return STEP_AGAIN;
            switch (look(out, target->used == before, fault)) {
            case NEXT_FAILED:
                return STEP_FAILED;
            case NEXT_WAIT:
                return STEP_AGAIN;
            case NEXT_END:
                return STEP_DONE;
            case NEXT_ROW:
                out->row_left = message_bytes(out->buffer + out->begin) - 4;
                out->begin += HEADER_BYTES;
                out->rows++;
            }
        }
        if (!move_row(out, target) && out->begin == out->end) {
            bool got_some;
            if (!refill(out, target->used == before, &got_some, fault))
                return STEP_FAILED;
            if (!got_some)
                return STEP_AGAIN;
        }
    }
    return STEP_AGAIN;
}

/* What was moved must be rows of COPY's text; and at the end as many as there were messages. */
static bool
look_at_rows(struct copy_out *out, const uint8_t *data, size_t size, bool last, struct fault *fault)
{
    static const char name[] = "what the source sent";

    return rows_look(&out->seen, data, size, out->conn->side, name, fault) &&
           (!last || rows_whole(&out->seen, out->rows, out->conn->side, name, fault));
}

static enum step
copy_out_step(struct stage *stage, struct source_span *source, struct target_span *target,
              bool last, struct fault *fault)
{
    struct copy_out *out = (struct copy_out *) stage;
    uint64_t rows = out->rows;
    size_t before = target->used;
    (void) source;
    (void) last;

    enum step step = fill(out, target, fault);
    if (step != STEP_FAILED && !out->binary &&
        !look_at_rows(out, target->data + before, target->used - before, step == STEP_DONE,
                      fault)) {
        target->used = before;
        return STEP_FAILED;
    }
    out->rows_total += out->rows - rows;
    if (out->moved != NULL)
        atomic_fetch_add_explicit(out->moved, out->rows - rows, memory_order_relaxed);
    return step;
}

static const struct stage_ops copy_out_ops = {.name = "copy out", .step = copy_out_step};

struct stage *
copy_out_init(struct copy_out *out, const _Atomic uint64_t *stored_bytes, uint64_t stored_bytes_max)
{
    out->stage.ops = &copy_out_ops;
    out->rows = 0;
    out->seen = (struct rows){0};
    out->stored_bytes = stored_bytes;
    out->stored_bytes_max = stored_bytes_max;
    return &out->stage;
}
