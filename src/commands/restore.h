/* restore - what the chapters of a restore share.
 *
 *     restore.c         the way of the bytes: objects, volumes, workers
 *     restore_look.c    is the dump there and whole?  before the destination is touched
 *     restore_claim.c   the destination is one run's alone
 *     restore_empty.c   is the destination empty?  REPLICA_CLEAN makes it so
 *     restore_load.c    which worker loads what, and whether frozen
 *     restore_sql.c     statements of pre-data, data and post-data
 *     restore_check.c   rows counted against the manifest, ANALYZE
 *
 * Life:   one per run of the command.   Threads: the crew's workers read it. */
#ifndef COMMANDS_RESTORE_H
#define COMMANDS_RESTORE_H

#include "commands/worker.h"
#include "pg/sql_dialect.h"
#include "pg/sql_target.h"
#include "store/manifest.h"

/* One job of a worker: a volume, or all volumes of a table, then in one transaction. */
struct load {
    const struct manifest_table *table;
    const struct manifest_object *volumes;
    size_t volumes_count;
    bool last;                    /* of its table */
    bool whole;                   /* it may be frozen */
};

/* Tables whose rows TRUNCATE must not, or may not, remove: sorted. */
struct thaw {
    const char *schema, *name;
};

struct thaws {
    struct thaw *tables;
    size_t count;
};

struct restore {
    const struct env *env;
    struct stop *stop;
    struct store *store;
    struct arena arena;
    struct manifest manifest;
    struct pg_session conn;       /* runs whatever has to be in order */
    struct memory_plan memory;
    unsigned workers;             /* as the plan says */
    struct load *queue;           /* what to load, of the largest tables first, the late ones last
                                     and in their order */
    size_t queue_count;
    size_t early;                 /* how many of it stand before the late ones */
    struct thaws thaws;           /* tables that can't be loaded frozen */
    struct text last;             /* statements that come after everything else */
    struct sql_dialect dialect;   /* that the destination understands */
    struct progress progress;
};

/* Connect to the destination, in the encoding of the dump.  restore->conn comes first; all others
 * go to the server that it has reached. */
bool restore_connect(struct restore *restore, struct pg_session *conn, struct fault *fault);

/* The advisory lock that a run holds at its destination from before the first change to its end: an
 * advisory lock is one database's, asks for no right, and goes with its session, so a run that is
 * killed lets go.  The bytes of "replica", then 1; as pg_locks shows it, classid 1919250540 and
 * objid 1768120577. */
#define RESTORE_CLAIM 0x7265706c69636101

/* Hold the destination for this run, on restore->conn.  ERR_LOCKED when another run does and does
 * not end within three seconds. */
bool restore_claim(struct restore *restore, struct fault *fault);

/* The same refusal where another run holds it now, without holding it. */
bool restore_unclaimed(struct restore *restore, struct fault *fault);

/* Use the encoding of the dump. */
bool restore_encoding(struct restore *restore, struct pg_session *conn, struct fault *fault);

/* Ask the store for one listing: every object must be there with its size (ERR_INTEGRITY).  The
 * largest one is opened, too, which an archived one can't be (ERR_STORE).  objects receives how
 * many there are. */
bool restore_objects(struct restore *restore, size_t *objects, struct fault *fault);

/* Hand over the statements of pre-data and post-data. */
bool restore_schema(struct restore *restore, sql_statement_fn *statement, void *argument,
                    struct fault *fault);

/* Look for the objects, and read the schema's text to its end: what is missing or damaged there,
 * what the destination's role may not do, and its version can't be told (ERR_TARGET), is found
 * while it is what it was. */
bool restore_look(struct restore *restore, struct fault *fault);

/* What the destination's version makes of a schema's statements, asked before it gets any of them.
 * Init; the statements in their order, also as an sql_statement_fn whose argument it is; end. */
struct outlook {
    const struct env *env;
    struct sql_dialect dialect;
    struct text rewritten, said; /* of one statement */
    struct text refused, lost;   /* in words */
    size_t refused_count, lost_count;
    sql_statement_fn *next;      /* is handed what will be run; NULL: nobody */
    void *argument;              /* of next */
};

void outlook_init(struct outlook *outlook, const struct restore *restore, sql_statement_fn *next,
                  void *argument);
bool outlook_statement(void *outlook, const char *sql, struct fault *fault);

/* False (ERR_TARGET) with what the destination can't be told; else said, when not NULL, receives
 * what will be left out.  Frees. */
bool outlook_end(struct outlook *outlook, struct text *said, struct fault *fault);

/* Refuse a destination that is not empty (ERR_TARGET), or empty it when REPLICA_CLEAN says so. */
bool restore_empty(struct restore *restore, struct fault *fault);

/* Refuse a destination that may neither stay as it is nor be emptied (ERR_TARGET).  count receives
 * how much a restore would collide with, example one of it, from the arena. */
bool restore_may_empty(struct restore *restore, unsigned long *count, const char **example,
                       struct fault *fault);

/* Say which default privileges the destination gives to what a restore creates; nothing when there
 * are none, which is what a new database has. */
bool restore_defaults(struct restore *restore, struct text *warning, struct fault *fault);

/* Fill the queue from the manifest.  Returns how many tables have rows to load. */
size_t restore_plan(struct restore *restore);

/* Ask the destination, once the tables are there, which of them can't be loaded frozen. */
bool restore_thaws(struct restore *restore, struct fault *fault);

/* Whether a table may be loaded by COPY FREEZE: in the transaction that has just emptied it.  Its
 * rows then need neither hint bits nor a vacuum, and count(*) finds them by an index.  bytes is
 * what there is to load: for little, a new file for the table costs more than it brings. */
bool restore_freezes(const struct restore *restore, const struct manifest_table *table,
                     uint64_t bytes);

/* How rows are loaded. */
struct load_way {
    bool frozen; /* within BEGIN, TRUNCATE, …, COMMIT */
    bool binary; /* they come in COPY's binary format */
};

/* Add the COPY, with its options; and before it, for the first one of a frozen load, what begins
 * it. */
void restore_copy_statement(struct text *sql, const struct manifest_table *table,
                            struct load_way way, bool first);

/* Read one SQL object of the dump, checked against the manifest and by the guard, and hand over
 * each statement. */
bool restore_statements(struct restore *restore, const struct manifest_object *object,
                        struct sql_guard *guard, sql_statement_fn *statement, void *argument,
                        struct fault *fault);

/* Run the statements of one SQL object.  The guard is one for all objects of a script.  parallel:
 * those that may, beside each other on connections of their own. */
bool restore_sql(struct restore *restore, const struct manifest_object *object, bool parallel,
                 struct sql_guard *guard, struct fault *fault);

/* End a script, of one object or more: it must be whole, and nothing that it has set stays behind
 * in the session. */
bool restore_sql_end(struct restore *restore, const struct sql_guard *guard, struct fault *fault);

/* A runner of statements on the restore's connections, some of them beside each other when parallel
 * is set; script.h. */
struct script *restore_script(struct restore *restore, bool parallel,
                              const struct sql_guard *guard, struct fault *fault);

/* Make the event triggers, which would fire for what else there is to do, and change what is
 * counted. */
bool restore_last(struct restore *restore, struct fault *fault);

/* Count the rows of every table against the manifest, and ANALYZE. */
bool restore_check(struct restore *restore, struct fault *fault);

#endif
