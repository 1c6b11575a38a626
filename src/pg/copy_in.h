/* copy_in - a COPY … FROM STDIN as the target of a corridor.
 *
 * The rows become the table's only when the stage is DONE: freed before that, the server is told to
 * give up (CopyFail) and keeps none of them.
 *
 * Life:   copy_in_begin starts the statement; copy_in_init gives the target; rows tells afterwards
 *         how many the server took.
 * Limits: libpq holds what one step was given, at most a ring (1 MiB), until the server took it.
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
    _Atomic uint64_t *moved; /* counts bytes while they pass, for whoever watches; may be NULL */
    bool done;
};

/* doing must outlive the stage. */
bool copy_in_begin(struct copy_in *in, struct pg_session *conn, const char *doing, const char *sql,
                   struct fault *fault);
struct stage *copy_in_init(struct copy_in *in);

#endif
