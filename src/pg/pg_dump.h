/* pg_dump - the schema's text, written by PostgreSQL's own pg_dump, as the source of a corridor.
 *
 * pg_dump is linked in and run as a child: this executable under the name "pg_dump", which main()
 * sees.  The child gets the connection as PG* variables in its environment, never in its argv, and
 * the list of tables to leave out as a filter file on its standard input.
 *
 *      pre-data    CREATE of everything
 *      data        values of sequences, large objects if the catalog takes them; no rows
 *      post-data   indexes, constraints, triggers, ...
 *
 * One child writes all three, one after the other (pg_dump_sections.c): what costs time is that it
 * reads the catalog, and once is enough.
 *
 * Life:   pg_dump_open; then pg_dump_section, three times at most, gives the source of the next
 *         section, which must be read to its end before the one after it; pg_dump_close.  The child
 *         starts with the first step, and is killed by pg_dump_close when it has not ended; only
 *         the end of the last section says that it did well.
 * Limits: three descriptors, PG_DUMP_BUFFER_BYTES; of its complaints PG_DUMP_COMPLAINT_BYTES are
 *         kept.
 * Threads: one at a time. */
#ifndef PG_PG_DUMP_H
#define PG_PG_DUMP_H

#include <sys/types.h>

#include "flow/stage.h"
#include "pg/catalog.h"
#include "pg/snapshot.h"

enum {
    PG_DUMP_SECTIONS = 3,
    PG_DUMP_BUFFER_BYTES = 16 * 1024,
    PG_DUMP_COMPLAINT_BYTES = 1024,
};

struct pg_dump {
    struct stage stage;
    struct pg_session *conn;        /* whose database, and under which rights */
    const struct snapshot *snapshot;
    const struct catalog *catalog;  /* what is left out */
    unsigned sections;              /* begun so far */
    bool section_open, ended;
    pid_t child;
    int out_fd, err_fd;
    struct source_span held;        /* of the buffer: what the target has not taken yet */
    size_t complaint_size;
    char complaint[PG_DUMP_COMPLAINT_BYTES];
    uint8_t buffer[PG_DUMP_BUFFER_BYTES];
};

/* Nothing is started yet.  All three must outlive the struct. */
void pg_dump_open(struct pg_dump *dump, struct pg_session *conn, const struct snapshot *snapshot,
                  const struct catalog *catalog);

/* The source of the next section.  Its stage has no free(): the child goes on to the next one. */
struct stage *pg_dump_section(struct pg_dump *dump);

/* End the child, if there is one.  A zeroed struct is allowed. */
void pg_dump_close(struct pg_dump *dump);

#endif
