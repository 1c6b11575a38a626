/* worker - see worker.h. */
#include "commands/worker.h"

#include <stdlib.h>
#include <string.h>

enum { WORKERS_MAX = 64 };

static bool
compresses(const struct crew *crew)
{
    return crew->env->compress && !crew->copies;
}

void
worker_open(struct worker *worker, struct crew *crew)
{
    /* Only check works without a plan, when it has found that there is none. */
    size_t planned = crew->memory == NULL ? 0 : crew->memory->ring_bytes;

    memset(worker, 0, sizeof *worker);
    worker->crew = crew;
    flow_init(&worker->flow, crew->stop, planned == 0 ? (size_t) FLOW_RING_BYTES_MIN : planned);
    if (crew->dumps) {
        copy_out_open(&worker->copy_out);
        transform_open(&worker->transform);
        if (compresses(crew))
            compress_open(&worker->compress, crew->env->compress_level);
    } else {
        decompress_open(&worker->decompress,
                        crew->memory == NULL ? 0 : crew->memory->window_log);
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
    if (working && crew->end != NULL && !stop_requested(crew->stop))
        working = crew->end(worker, &fault);
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
