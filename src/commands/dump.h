/* dump - what the chapters of a dump share.
 *
 *     dump.c          the way of the bytes, from the snapshot to the manifest
 *     dump_source.c   the source's end of it, which is also that of check and copy
 *     dump_plan.c     which tables, in which pieces and order, and through which root they return
 *
 * Life:   one per run of the command.   Threads: the crew's workers read it; once they run, lock
 * guards arena, and scripts is that worker's which writes the schema's text. */
#ifndef COMMANDS_DUMP_H
#define COMMANDS_DUMP_H

#include "commands/worker.h"
#include "pg/catalog.h"
#include "pg/hold.h"
#include "pg/pg_dump.h"
#include "pg/snapshot.h"
#include "pg/sql_split.h"
#include "store/manifest.h"

/* What a worker copies at a time: a table, or the rows in some blocks of a large one's heap.  The
 * pieces of a table have every row of it once: they meet at block boundaries, and the last one has
 * no end. */
struct dump_piece {
    const struct table *table;
    const struct table_masks *masks;
    struct manifest_table *entry;
    bool whole;
    uint64_t begin, end;             /* blocks, end excluded; 0: to the end of the table */
    struct manifest_object *volumes; /* what it became, in order */
    size_t volumes_count;
    uint64_t rows;
    _Atomic unsigned *left;          /* pieces of this table that are still to be copied */
};

struct dump {
    const struct env *env;
    struct stop *stop;
    struct store *store;
    struct arena arena;
    struct arena scripts;           /* the names of the schema's objects */
    pthread_mutex_t lock;           /* of arena, and of volumes' arrays in it */
    struct pg_session leader;
    pthread_mutex_t asking;         /* of leader, while workers run */
    struct snapshot snapshot;
    struct memory_plan memory;
    struct catalog catalog;
    struct table_masks *masks;      /* masks[i] belongs to catalog.tables[i] */
    bool masked;                    /* one of them has a rule */
    struct manifest manifest;
    enum manifest_state written;    /* how far it came into the store */
    const char *suffix;             /* of object names: ".zst" or "" */
    struct pg_dump pg_dump;         /* writes the schema's text */
    struct dump_piece *queue;       /* what to copy, of the largest table first; those of one table
                                       stand together, in its order */
    size_t queued;
    bool loads;                     /* what is copied is loaded at once: late tables stand last in
                                       the queue, in their order */
    size_t early;                   /* then, how many pieces stand before them */
    _Atomic unsigned volumes;       /* numbers given so far */
    struct progress progress;
};

/* What the user asked for, parsed. */
struct wishes {
    struct selection selection;
    const struct rules *rules;
};

/* Read the variables that name tables and columns; through the connection once there is one (else
 * NULL), whose database may have another encoding than the environment. */
bool dump_wishes_read(struct dump *dump, struct wishes *wishes, struct pg_session *conn,
                      struct fault *fault);

/* Refuse a foreign table (ERR_CONFIG) that is a partition of a table whose rows have to be loaded
 * through their root: COPY would send some of them to the foreign server, and count(*) would count
 * what lies there.  Needs catalog and masks. */
bool dump_routes_check(struct dump *dump, struct fault *fault);

/* Whether large objects travel; by REPLICA_LARGE_OBJECTS, and when it is auto as pg_dump --table
 * does: not with a list of tables. */
bool dump_takes_large_objects(const struct env *env);

/* Bind the rules to the catalog, asking the leader's server about fixed values and about what
 * constrains the rows, and check what follows for the partitions.  The report receives what is
 * worth a warning: what the rules do not hide, and what may refuse their results. */
bool dump_bind(struct dump *dump, const struct wishes *wishes, struct rules_report *report,
               struct fault *fault);

/* Everything that reads but does not write: connect, export the snapshot, read the catalog, bind
 * the rules, hold the tables. */
bool dump_prepare(struct dump *dump, struct wishes *wishes, struct fault *fault);

/* What the manifest says of the source. */
void dump_describe(struct dump *dump);

/* Fill the manifest's tables and the queue, in pieces for this many workers.  bytes receives the
 * size of what is queued, on the source's disk; tables how many there are. */
void dump_plan(struct dump *dump, unsigned workers, uint64_t *bytes, size_t *tables);

/* Give the manifest what the pieces have become. */
void dump_gather(struct dump *dump);

/* Connect a worker and let it see what the leader sees. */
bool dump_join(struct dump *dump, struct worker *worker, struct fault *fault);

/* Start the COPY of a piece: worker->copy_out is then ready for copy_out_next().  doing is added
 * to, for sentences. */
bool dump_piece_begin(struct dump *dump, struct worker *worker, const struct dump_piece *piece,
                      bool binary, struct text *doing, struct fault *fault);

/* Refuse to go on (ERR_SOURCE) when what was relied upon has been altered since the snapshot. */
bool dump_check_names(struct dump *dump, enum hold_moment moment, struct fault *fault);

/* A piece is through; counts the table when it was its last one. */
void dump_piece_end(struct dump *dump, struct dump_piece *piece);

/* Whether a statement of the schema's text is wanted: an sql_keep_fn on the catalog. */
bool dump_keep_statement(const void *catalog, const char *sql);

/* Hand over the wanted statements of the schema's text, of a pg_dump only for that; no large
 * objects. */
bool dump_schema(struct dump *dump, sql_statement_fn *statement, void *argument,
                 struct fault *fault);

#endif
