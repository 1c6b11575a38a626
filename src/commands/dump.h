/* dump - what the chapters of a dump share.
 *
 *     dump.c        the way of the bytes, from the snapshot to the manifest
 *     dump_plan.c   which tables, in which order, and through which root they come back
 *
 * Life:   one per run of the command.   Threads: the crew's workers read it; lock guards arena. */
#ifndef COMMANDS_DUMP_H
#define COMMANDS_DUMP_H

#include "commands/worker.h"
#include "pg/catalog.h"
#include "pg/snapshot.h"
#include "store/manifest.h"

struct dump {
    const struct env *env;
    struct stop *stop;
    struct store *store;
    struct arena arena;
    pthread_mutex_t lock;           /* of arena, once the workers run */
    struct pg_session leader;
    struct snapshot snapshot;
    struct catalog catalog;
    struct table_masks *masks;      /* masks[i] belongs to catalog.tables[i] */
    struct manifest manifest;
    enum manifest_state written;    /* how far it came into the store */
    const char *suffix;             /* of object names: ".zst" or "" */
    const struct table **queue;     /* the tables to copy, largest first */
    struct manifest_table **entries; /* entries[i] belongs to queue[i] */
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

/* Fill the manifest's tables and the queue.  bytes receives the size of what is queued, on the
 * source's disk; queued how many tables. */
void dump_plan(struct dump *dump, uint64_t *bytes, size_t *queued);

#endif
