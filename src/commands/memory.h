/* memory - the sum: what a run takes at most, and how it is made to fit REPLICA_MEMORY.
 *
 *     4 MiB for itself ┐
 *     4 MiB for pg_dump├─ once        memory: at most 58 MiB: 4.0 MiB for itself, 4.0 MiB for
 *     … for the catalog┘                      pg_dump, 0 B for the catalog, 2 workers of 24.7 MiB
 *     rings, zstd, … ─── per worker           each; REPLICA_MEMORY allows 256 MiB
 *
 * One table (memory.c) says what counts, with a sentence for each; the printed line, `check` and
 * the refusal are made from it.  What is counted is resident memory: the pages that are touched,
 * those of the executable included, of replica and of the pg_dump that it runs, together.  The sum
 * is whole MiB, so that the minimum which a refusal names is exactly the least that serves.
 *
 * When the budget is short the steps of a ladder are taken, as few as help: smaller rings; two
 * buffers for parts instead of three, so one upload at a time; fewer workers; the refusal.
 *
 * What the budget has left behind the sum is given away as limits: to SQL statements that are
 * longer than the sum counts (the longest function of a dump; what the manifest says of a restore,
 * or MEMORY_STATEMENT_BYTES), and to windows of zstd frames that others have made.
 *
 * Not in the sum: what a server makes libpq hold that it was not asked for.
 *
 * Life:   the size of what has to be held is found out first (memory_for_…), then a plan is made;
 *         it is read-only afterwards.
 * Threads: any. */
#ifndef COMMANDS_MEMORY_H
#define COMMANDS_MEMORY_H

#include "base/log.h"
#include "base/text.h"
#include "env/env.h"
#include "pg/conn.h"
#include "store/manifest.h"
#include "store/store.h"

enum {
    MEMORY_STATEMENT_BYTES = 128 * 1024,
};

enum memory_use {
    MEMORY_DUMP,    /* database to store */
    MEMORY_RESTORE, /* store to database */
    MEMORY_COPY,    /* database to database */
    MEMORY_EXPORT,  /* store to stdout */
    MEMORY_LOOK,    /* list and show: no bytes walk */
};

/* What a plan depends on. */
struct memory_need {
    enum memory_use use;
    bool s3;               /* the store's kind */
    bool compress;         /* are the volumes compressed, and how */
    int level;
    unsigned jobs;         /* wished for */
    uint64_t volume_bytes; /* REPLICA_VOLUME_SIZE */
    uint64_t budget_bytes;
    uint64_t catalog_bytes; /* names of tables and columns, or the manifest */
    uint64_t schema_bytes;  /* what pg_dump holds of them */
    uint64_t statement_bytes; /* of the longest SQL statement that is known */
};

struct memory_plan {
    unsigned jobs;
    size_t ring_bytes;
    struct store_limits store; /* parts of an upload, and how many wait at once */
    uint64_t worker_bytes, total_bytes;
    uint64_t statement_bytes_max; /* of an SQL statement: what was counted, and half of the rest */
    unsigned window_log;          /* of the frames that are read: the other half, of each worker */
    struct memory_need need;   /* what it was made for */
};

/* Make a plan that fits; ERR_CONFIG, naming the least that would do, when there is none. */
bool memory_plan_make(const struct memory_need *need, struct memory_plan *plan,
                      struct fault *fault);

/* The plan as one sentence. */
void memory_describe(const struct memory_plan *plan, struct text *said);

/* Plan for a dump, or a copy when REPLICA_TO is a database, from what the source's catalog counts;
 * conn may be NULL, which stands for an empty database. */
bool memory_for_dump(const struct env *env, struct pg_session *conn, struct memory_plan *plan,
                     struct fault *fault);

/* Plan for whatever reads a dump, by its manifest; NULL stands for one that is not known. */
bool memory_for_manifest(const struct env *env, enum memory_use use,
                         const struct manifest *manifest, struct memory_plan *plan,
                         struct fault *fault);

/* Log the sum, with a warning when fewer workers run than REPLICA_JOBS asks for. */
void memory_log(const struct memory_plan *plan, enum log_level level);

/* What a budget leaves for a manifest or an index while it is read, when held_bytes are in memory
 * for good, and for what a listing gives. */
uint64_t memory_document_bytes(uint64_t budget_bytes, uint64_t held_bytes);
uint64_t memory_listing_bytes(uint64_t budget_bytes);

#endif
