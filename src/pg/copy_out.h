/* copy_out - a COPY … TO STDOUT as the source of a corridor, cut into volumes at row boundaries.
 *
 *      message:  'd' | length (4 bytes, counts itself) | one row with its newline
 *
 * The rows are framed off the wire (wire.h); the bytes of a long row walk on before the row has
 * ended, so memory does not depend on the width of a row.  In the text format they are looked at:
 * what PostgreSQL would not write goes no further (rows.h), and each message is one row.
 *
 * Life:   copy_out_open takes the buffer; per table copy_out_begin, then while copy_out_next says
 *         that there is a row: copy_out_init gives the source of one more volume; copy_out_close.
 * Limits: COPY_OUT_BUFFER_BYTES of memory.
 * Threads: one at a time; volumes of one COPY come one after the other. */
#ifndef PG_COPY_OUT_H
#define PG_COPY_OUT_H

#include <stdint.h>

#include "codec/rows.h"
#include "flow/stage.h"
#include "pg/conn.h"

enum { COPY_OUT_BUFFER_BYTES = 256 * 1024 }; /* one recv() takes what the socket holds */

struct copy_out {
    struct stage stage;
    struct pg_session *conn;
    uint8_t *buffer;
    size_t begin, end;       /* bytes of the wire not looked at yet */
    uint64_t flowed;         /* bytes read off the wire since copy_out_begin */
    size_t last_read;        /* bytes that the last read brought */
    size_t row_left;         /* bytes of the current row still to come */
    uint64_t rows;           /* begun in this volume */
    uint64_t rows_total;     /* begun since copy_out_begin */
    struct rows seen;        /* what they are in text */
    bool binary;             /* the last "row" is the format's end; the server does not count it */
    _Atomic uint64_t *moved; /* counts them too, for whoever watches; may be NULL */
    const _Atomic uint64_t *stored_bytes; /* of this volume so far, counted at the other end */
    uint64_t stored_bytes_max;
};

void copy_out_open(struct copy_out *out);
void copy_out_close(struct copy_out *out);

/* Start the COPY, which says FORMAT binary when binary is set; other statements may stand before it
 * in sql, to save an answer's way for each.  doing is for the sentence, as in pg_query(). */
bool copy_out_begin(struct copy_out *out, struct pg_session *conn, const char *doing,
                    const char *sql, bool binary, struct fault *fault);

/* Whether another row waits.  *more false: the COPY is over, the server's count of its rows is
 * ours, and the connection is free. */
bool copy_out_next(struct copy_out *out, const char *doing, bool *more, struct fault *fault);

/* The source of one volume: it ends when the COPY does, or at the first row boundary after
 * *stored_bytes has reached stored_bytes_max.  rows tells afterwards how many rows went out. */
struct stage *copy_out_init(struct copy_out *out, const _Atomic uint64_t *stored_bytes,
                            uint64_t stored_bytes_max);

#endif
