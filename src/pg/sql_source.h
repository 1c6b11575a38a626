/* sql_source - SQL text at the beginning of a corridor, by statements, cut into objects.
 *
 *     inner source ──▶ sql_filter ──▶ … store_put        one flow for each object
 *                          │
 *                          └─ cut between two statements, once the object has its size
 *
 * What pg_dump says of large objects has no limit, and an object of a store has one.  The pieces,
 * put together again in their order, are the text; one alone need not be a whole transaction.
 *
 * Life:   sql_source_open around another source, which it owns from then on; for each object
 *         sql_source_init gives the stage of one flow; when `more` is set after that flow, another
 *         object follows; sql_source_close.
 * Limits: those of sql_filter.  An object outgrows its size by what is under way to the store.
 * Threads: one at a time. */
#ifndef PG_SQL_SOURCE_H
#define PG_SQL_SOURCE_H

#include <stdatomic.h>

#include "pg/sql_target.h"

enum { SQL_SOURCE_WINDOW_BYTES = 16 * 1024 };

struct sql_source {
    struct stage stage;
    struct stage *inner;
    struct sql_filter filter;
    struct source_span held;               /* what the filter has not taken yet, in the window */
    bool inner_ended, ended;
    bool more;                             /* the text goes on in another object */
    uint64_t bytes;                        /* of SQL in the current object */
    const _Atomic uint64_t *stored_bytes;  /* how large the current object is in the store */
    uint64_t stored_bytes_max;
    uint8_t window[SQL_SOURCE_WINDOW_BYTES];
};

/* guard, which may be NULL, looks at each statement; keep and argument are as for
 * sql_filter_init(). */
void sql_source_open(struct sql_source *source, struct stage *inner, struct sql_guard *guard,
                     sql_keep_fn *keep, const void *argument);

/* Begin an object, which is cut when *stored_bytes has reached stored_bytes_max. */
struct stage *sql_source_init(struct sql_source *source, const _Atomic uint64_t *stored_bytes,
                              uint64_t stored_bytes_max);

/* Free the filter and the inner source.  A zeroed struct is allowed. */
void sql_source_close(struct sql_source *source);

#endif
