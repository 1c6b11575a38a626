/* restore - what the chapters of a restore share.
 *
 *     restore.c         the way of the bytes: objects, volumes, workers
 *     restore_empty.c   is the destination empty?  REPLICA_CLEAN makes it so
 *     restore_sql.c     statements of pre-data, data and post-data, some of them beside each other
 *     restore_check.c   rows counted against the manifest, ANALYZE
 *
 * Life:   one per run of the command.   Threads: the crew's workers read it. */
#ifndef COMMANDS_RESTORE_H
#define COMMANDS_RESTORE_H

#include "commands/worker.h"
#include "pg/sql_target.h"
#include "store/manifest.h"

struct restore {
    const struct env *env;
    struct stop *stop;
    struct store *store;
    struct arena arena;
    struct manifest manifest;
    struct pg_session conn;       /* runs whatever has to be in order */
    unsigned workers;
    struct volume_job *queue;     /* volumes, those of the largest tables first */
    size_t queue_count;
    struct progress progress;
};

/* Connect to the destination, in the encoding of the dump. */
bool restore_connect(struct restore *restore, struct pg_session *conn, struct fault *fault);

/* Refuse a destination that is not empty (ERR_TARGET), or empty it when REPLICA_CLEAN says so. */
bool restore_empty(struct restore *restore, struct fault *fault);

/* Count what a restore would collide with.  example receives one of them, from the arena. */
bool restore_leftovers(struct restore *restore, unsigned long *count, char **example,
                       struct fault *fault);

/* Read one SQL object of the dump, checked against the manifest, and hand over each statement. */
bool restore_statements(struct restore *restore, const struct manifest_object *object,
                        sql_statement_fn *statement, void *argument, struct fault *fault);

/* Run the statements of one SQL object.  parallel: those that may, beside each other on connections
 * of their own. */
bool restore_sql(struct restore *restore, const struct manifest_object *object, bool parallel,
                 struct fault *fault);

/* Whether a statement is wanted under REPLICA_OWNERS and REPLICA_PRIVILEGES; for restore and
 * export. */
bool statement_wanted(const struct env *env, const char *sql);

/* Count the rows of every table against the manifest, and ANALYZE. */
bool restore_check(struct restore *restore, struct fault *fault);

#endif
