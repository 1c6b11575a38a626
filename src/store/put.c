/* put - see put.h; get.c holds the other end. */
#include "store/put.h"

static bool
begin(struct store_put *put, struct fault *fault)
{
    if (put->writer == NULL)
        put->writer = put->store->ops->put_begin(put->store, put->name, fault);
    return put->writer != NULL;
}

static enum step
finish(struct store_put *put, struct fault *fault)
{
    struct store_writer *writer = put->writer;

    put->writer = NULL; /* the commit frees it, whether it succeeds or not */
    if (!put->store->ops->put_commit(writer, fault))
        return STEP_FAILED;
    sha256_out(&put->sha256, put->digest);
    return STEP_DONE;
}

static enum step
put_step(struct stage *stage, struct source_span *source, struct target_span *target, bool last,
         struct fault *fault)
{
    struct store_put *put = (struct store_put *) stage;
    const uint8_t *data = source->data + source->used;
    size_t size = source->size - source->used;

    (void) target;
    if (stop_requested(put->store->stop)) {
        fault_set(fault, ERR_STOPPED, "stopped while writing %s", put->name);
        return STEP_FAILED;
    }
    if (!begin(put, fault))
        return STEP_FAILED;
    if (last)
        return finish(put, fault);

    if (!put->store->ops->put_write(put->writer, data, size, fault))
        return STEP_FAILED;
    sha256_update(&put->sha256, data, size);
    atomic_fetch_add_explicit(&put->bytes, size, memory_order_relaxed);
    source->used = source->size;
    return STEP_AGAIN;
}

static void
put_free(struct stage *stage)
{
    struct store_put *put = (struct store_put *) stage;

    if (put->writer != NULL)
        put->store->ops->put_abort(put->writer);
    put->writer = NULL;
}

static const struct stage_ops put_ops = {.name = "put", .step = put_step, .free = put_free};

struct stage *
store_put_init(struct store_put *put, struct store *store, const char *name)
{
    put->stage.ops = &put_ops;
    put->store = store;
    put->writer = NULL;
    put->name = name;
    atomic_init(&put->bytes, 0);
    sha256_init(&put->sha256);
    return &put->stage;
}
