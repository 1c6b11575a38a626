/* worker - see worker.h. */
#include "commands/worker.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum {
    WORKERS_MAX = 64,
    CONNECTION_BYTES = 512 * 1024 /* libpq's two buffers, grown to what we send */
};

static bool
compresses(const struct crew *crew)
{
    return crew->env->compress && !crew->copies;
}

void
worker_open(struct worker *worker, struct crew *crew)
{
    memset(worker, 0, sizeof *worker);
    worker->crew = crew;
    flow_init(&worker->flow, crew->stop);
    if (crew->dumps) {
        copy_out_open(&worker->copy_out);
        transform_open(&worker->transform);
        if (compresses(crew))
            compress_open(&worker->compress, crew->env->compress_level);
    } else {
        decompress_open(&worker->decompress);
    }
}

void
worker_close(struct worker *worker)
{
    pg_close(&worker->conn);
    pg_close(&worker->target);
    if (worker->crew->dumps) {
        copy_out_close(&worker->copy_out);
        transform_close(&worker->transform);
        if (compresses(worker->crew))
            compress_close(&worker->compress);
    } else {
        decompress_close(&worker->decompress);
    }
    flow_free(&worker->flow);
}

uint64_t
worker_bytes(const struct env *env, bool dumps)
{
    uint64_t bytes = FLOW_BYTES_MAX + CONNECTION_BYTES;

    if (!dumps)
        return bytes + decompress_bytes(COMPRESS_LEVEL_MAX) + store_reader_bytes(env->store);
    bytes += store_writer_bytes(env->store) + COPY_OUT_BUFFER_BYTES + 4 * TRANSFORM_FIELD_BYTES;
    return bytes + (env->compress ? compress_bytes(env->compress_level) : 0);
}

bool
crew_size(const struct env *env, bool dumps, unsigned *size, struct fault *fault)
{
    uint64_t each = worker_bytes(env, dumps), room = env->memory_bytes;
    char each_text[16], room_text[16];

    *size = env->jobs;
    if (*size > room / each)
        *size = (unsigned) (room / each);
    if (*size == 0)
        return fault_set(fault, ERR_CONFIG,
                         "REPLICA_MEMORY of %s is too little: one worker needs %s",
                         text_bytes(room_text, room), text_bytes(each_text, each));
    if (*size < env->jobs)
        log_warning("REPLICA_MEMORY of %s lets %u workers run, not the %u of REPLICA_JOBS",
                    text_bytes(room_text, room), *size, env->jobs);
    log_info("memory: %u workers of %s each, within %s", *size, text_bytes(each_text, each),
             text_bytes(room_text, room));
    return true;
}

static void
crew_fail(struct crew *crew, const struct fault *fault)
{
    pthread_mutex_lock(&crew->lock);
    if (crew->fault.err == ERR_NONE || crew->fault.err == ERR_STOPPED)
        crew->fault = *fault; /* who was only woken by the switch did not throw it */
    pthread_mutex_unlock(&crew->lock);
    stop_request(crew->stop, 0);
}

/* The connection is closed here, so that of many statements under way all are cancelled at once. */
static void *
worker_run(void *argument)
{
    struct worker *worker = argument;
    struct crew *crew = worker->crew;
    struct fault fault = {0};
    bool working = crew->begin(worker, &fault);

    while (working && !stop_requested(crew->stop)) {
        size_t index = atomic_fetch_add(&crew->next, 1);
        if (index >= crew->jobs_count)
            break;
        working = crew->job(worker, index, &fault);
    }
    if (!working)
        crew_fail(crew, &fault);
    pg_close(&worker->conn);
    pg_close(&worker->target);
    return NULL;
}

bool
crew_run(struct crew *crew, unsigned size, struct fault *fault)
{
    struct worker *workers = calloc(WORKERS_MAX, sizeof *workers);
    unsigned started = 0;

    if (workers == NULL)
        memory_exhausted(WORKERS_MAX * sizeof *workers);
    if (size > crew->jobs_count)
        size = (unsigned) crew->jobs_count;
    pthread_mutex_init(&crew->lock, NULL);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, FLOW_STACK_BYTES);
    for (; started < size; started++) {
        worker_open(&workers[started], crew);
        int error = pthread_create(&workers[started].thread, &attributes, worker_run,
                                   &workers[started]);
        if (error != 0) {
            worker_close(&workers[started]);
            fault_set(fault, ERR_INTERNAL, "unable to start a worker: %s", strerror(error));
            stop_request(crew->stop, 0);
            break;
        }
    }
    pthread_attr_destroy(&attributes);
    for (unsigned i = 0; i < started; i++) {
        pthread_join(workers[i].thread, NULL);
        worker_close(&workers[i]);
    }
    pthread_mutex_destroy(&crew->lock);
    free(workers);
    if (stop_requested(crew->stop) && crew->fault.err == ERR_NONE)
        fault_set(&crew->fault, ERR_STOPPED, "stopped");
    fault_hand_over(fault, &crew->fault);
    return fault->err == ERR_NONE;
}
