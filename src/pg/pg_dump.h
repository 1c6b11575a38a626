/* pg_dump - the schema's text, written by PostgreSQL's own pg_dump, as the source of a corridor.
 *
 * pg_dump is linked in and run as a child: this executable under the name "pg_dump", which main()
 * sees.  The child gets the connection as PG* variables in its environment, never in its argv, and
 * the list of tables to leave out as a filter file on its standard input.
 *
 *      pre-data    CREATE of everything
 *      data        values of sequences, large objects; no rows
 *      post-data   indexes, constraints, triggers, ...
 *
 * Life:   pg_dump_init gives the source; the child starts with the first step; freed early, it is
 *         killed.
 * Limits: three descriptors; of its complaints PG_DUMP_COMPLAINT_BYTES are kept.
 * Threads: one at a time. */
#ifndef PG_PG_DUMP_H
#define PG_PG_DUMP_H

#include <sys/types.h>

#include "flow/stage.h"
#include "pg/catalog.h"
#include "pg/snapshot.h"

enum pg_dump_section { SECTION_PRE_DATA, SECTION_DATA, SECTION_POST_DATA };
enum { PG_DUMP_COMPLAINT_BYTES = 1024 };

struct pg_dump {
    struct stage stage;
    struct pg_session *conn;           /* whose database, and under which rights */
    const struct snapshot *snapshot;
    const struct catalog *catalog;  /* what is left out */
    enum pg_dump_section section;
    int part;                       /* the data section takes two runs */
    pid_t child;
    int out_fd, err_fd;
    size_t complaint_size;
    char complaint[PG_DUMP_COMPLAINT_BYTES];
};

struct stage *pg_dump_init(struct pg_dump *dump, struct pg_session *conn,
                           const struct snapshot *snapshot, const struct catalog *catalog,
                           enum pg_dump_section section);

#endif
