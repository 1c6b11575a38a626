/* worker - what one of REPLICA_JOBS needs to move tables: a connection and a corridor with its
 * rooms; and the crew of them, which share one list of jobs.
 *
 * Life:   crew_run takes the memory of all workers, starts one thread each, and returns when the
 *         jobs are done or one failed, which throws the stop switch for all.
 * Limits: the plan's worker_bytes for each (memory.h).
 * Threads: each worker is used by its thread alone. */
#ifndef COMMANDS_WORKER_H
#define COMMANDS_WORKER_H

#include <pthread.h>

#include "base/stop.h"
#include "codec/compress.h"
#include "codec/decompress.h"
#include "commands/memory.h"
#include "commands/progress.h"
#include "env/env.h"
#include "flow/flow.h"
#include "pg/copy_in.h"
#include "pg/copy_out.h"
#include "store/frame.h"
#include "store/put.h"
#include "transform/transform.h"

/* Threads of its own do not pay for a table or a volume that is through before they run: 0.15 ms
 * for each. */
enum { SEAMS_FROM_BYTES = 1024 * 1024 };

struct worker {
    struct crew *crew;
    struct pg_session conn;
    struct pg_session target;     /* copy: the other end */
    struct flow flow;
    pthread_t thread;
    struct copy_out copy_out;     /* dump: the stages in the order of the bytes */
    struct transform transform;
    struct frame_on frame_on;
    struct compress compress;
    struct store_put put;
    struct store_get get;         /* restore: the same, walked back */
    struct decompress decompress;
    struct frame_off frame_off;
    struct copy_in copy_in;
};

struct crew {
    const struct env *env;
    const struct memory_plan *memory;
    struct stop *stop;
    void *command;                /* the command's own struct */
    size_t jobs_count;
    bool dumps;                   /* which of the stages' memory is needed */
    bool copies;                  /* it dumps, but into no store: nothing is compressed */
    bool (*begin)(struct worker *worker, struct fault *fault);  /* connect */
    bool (*job)(struct worker *worker, size_t index, struct fault *fault);
    bool (*end)(struct worker *worker, struct fault *fault); /* all went well; may be NULL */
    _Atomic size_t next;
    pthread_mutex_t lock;         /* of fault */
    struct fault fault;
};

/* Take and return a worker's memory; a command uses one of its own for the objects that hold
 * SQL. */
void worker_open(struct worker *worker, struct crew *crew);
void worker_close(struct worker *worker);

/* Run all jobs on size workers; jobs are taken in the order of their index. */
bool crew_run(struct crew *crew, unsigned size, struct fault *fault);

#endif
