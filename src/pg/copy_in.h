/* copy_in - a COPY … FROM STDIN as the target of a corridor.
 *
 * The rows become the table's only when the stage is DONE: freed before that, the server is told to
 * give up (CopyFail) and keeps none of them.
 *
 * Life:   copy_in_begin starts the statement; copy_in_init gives the target; rows tells afterwards
 *         how many the server took.
 * Limits: libpq holds what one step was given, at most a ring, until the server took it.
 * Threads: one at a time. */
#ifndef PG_COPY_IN_H
#define PG_COPY_IN_H

#include <stdint.h>

#include "flow/stage.h"
#include "pg/conn.h"

struct copy_in {
    struct stage stage;
    struct pg_session *conn;
    const char *doing;
    uint64_t rows;
    int encoding;            /* of the session; loading rows must leave it as it is */
    _Atomic uint64_t *moved; /* counts bytes while they pass, for whoever watches; may be NULL */
    bool done;
    bool hears_out;          /* the source proves only at its end that it is whole */
    struct fault refusal;    /* then: what the server said of a row, while the rest is read */
};

/* doing must outlive the stage.  hears_out, which may be set between the two: when the server
 * refuses a row for what is in it (SQLSTATE classes 22 and 23, PostgreSQL's appendix of error
 * codes), read the source to its end before saying so, for damage that shows there, by a checksum,
 * would be the cause. */
bool copy_in_begin(struct copy_in *in, struct pg_session *conn, const char *doing, const char *sql,
                   struct fault *fault);
struct stage *copy_in_init(struct copy_in *in);

#endif
