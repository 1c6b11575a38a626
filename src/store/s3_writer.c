/* s3_writer - see s3_writer.h.  The lock guards the buffers' states, the parts and the fault; the
 * bytes of a buffer belong to whoever its state says. */
#include "store/s3_writer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/s3_take.h"

enum buffer_state {
    BUFFER_FREE,   /* the writer may fill it */
    BUFFER_QUEUED, /* waits for an uploader */
    BUFFER_SENT,   /* an uploader's, until its ETag is in hand */
};

struct buffer {
    enum buffer_state state;
    uint8_t *data;
    size_t size;
    unsigned part; /* from 1 on */
};

struct s3_writer {
    struct store_writer writer;
    struct s3_writer *next; /* while idle */
    char name[STORE_NAME_MAX + 1], key[S3_KEY_MAX + 1];
    uint8_t *memory;
    size_t part_bytes;
    struct buffer buffers[S3_BUFFERS];
    unsigned buffers_count;
    struct buffer *filling;
    bool multipart;
    struct s3_upload upload;
    struct s3_part *parts;
    unsigned parts_count, parts_capacity;
    uint64_t bytes;
    pthread_t threads[S3_PARTS_AT_ONCE];
    unsigned threads_count;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool quitting;
    struct fault fault; /* the first of a part */
};

static struct s3_store *
store_of(const struct s3_writer *writer)
{
    return (struct s3_store *) writer->writer.store;
}

/* ---- uploaders ------------------------------------------------------------------------------ */

/* The first part in the queue; after a failure there is none, and the others are dropped. */
static struct buffer *
queued_find(struct s3_writer *writer)
{
    struct buffer *first = NULL;

    for (unsigned i = 0; i < writer->buffers_count; i++) {
        struct buffer *buffer = &writer->buffers[i];
        if (buffer->state != BUFFER_QUEUED)
            continue;
        if (writer->fault.err != ERR_NONE)
            buffer->state = BUFFER_FREE;
        else if (first == NULL || buffer->part < first->part)
            first = buffer;
    }
    return first;
}

static void
part_send(struct s3_writer *writer, struct buffer *buffer)
{
    struct s3_store *store = store_of(writer);
    struct fault fault = {0};
    struct s3_part part;

    buffer->state = BUFFER_SENT;
    pthread_mutex_unlock(&writer->lock);
    bool sent = s3_upload_part(store->s3, &writer->upload, buffer->part, buffer->data, buffer->size,
                               &part, &fault);
    if (sent)
        s3_take_touch(store);
    pthread_mutex_lock(&writer->lock);

    if (sent)
        writer->parts[buffer->part - 1] = part;
    else
        fault_hand_over(&writer->fault, &fault);
    buffer->state = BUFFER_FREE;
    pthread_cond_broadcast(&writer->changed);
}

static void *
uploader_run(void *argument)
{
    struct s3_writer *writer = argument;

    pthread_mutex_lock(&writer->lock);
    while (!writer->quitting) {
        struct buffer *buffer = queued_find(writer);
        if (buffer != NULL)
            part_send(writer, buffer);
        else
            pthread_cond_wait(&writer->changed, &writer->lock);
    }
    pthread_mutex_unlock(&writer->lock);
    return NULL;
}

/* One buffer fills while the others are under way.  One uploader is slow but enough. */
static bool
uploaders_start(struct s3_writer *writer, struct fault *fault)
{
    pthread_attr_t attributes;
    int error = 0;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, S3_STACK_BYTES);
    while (writer->threads_count < writer->buffers_count - 1 && error == 0) {
        error = pthread_create(&writer->threads[writer->threads_count], &attributes, uploader_run,
                               writer);
        writer->threads_count += error == 0;
    }
    pthread_attr_destroy(&attributes);
    return writer->threads_count > 0 ||
           fault_set(fault, ERR_INTERNAL, "unable to start an uploader: %s", strerror(error));
}

/* ---- parts ---------------------------------------------------------------------------------- */

static struct buffer *
free_find(struct s3_writer *writer)
{
    for (unsigned i = 0; i < writer->buffers_count; i++)
        if (writer->buffers[i].state == BUFFER_FREE)
            return &writer->buffers[i];
    return NULL;
}

static void
parts_grow(struct s3_writer *writer)
{
    if (writer->parts_count < writer->parts_capacity)
        return;
    unsigned capacity = writer->parts_capacity * 2 + 16;
    struct s3_part *parts = reallocarray(writer->parts, capacity, sizeof *parts);
    if (parts == NULL)
        memory_exhausted(capacity * sizeof *parts);
    writer->parts = parts;
    writer->parts_capacity = capacity;
}

/* Hand the filled buffer to the uploaders. */
static bool
part_queue(struct s3_writer *writer, struct fault *fault)
{
    if (writer->parts_count == S3_PARTS_MAX)
        return fault_set(fault, ERR_STORE,
                         "%s has more than %d parts of %zu MiB, all that S3 takes", writer->name,
                         S3_PARTS_MAX, writer->part_bytes >> 20);
    if (!writer->multipart) {
        if (!uploaders_start(writer, fault) ||
            !s3_upload_begin(store_of(writer)->s3, writer->key, &writer->upload, fault))
            return false;
        writer->multipart = true;
    }
    pthread_mutex_lock(&writer->lock);
    parts_grow(writer);
    writer->filling->part = ++writer->parts_count;
    writer->filling->state = BUFFER_QUEUED;
    writer->filling = NULL;
    pthread_cond_broadcast(&writer->changed);
    pthread_mutex_unlock(&writer->lock);
    return true;
}

/* Wait for a free buffer.  The uploaders hear the stop switch, so there will be one. */
static bool
buffer_take(struct s3_writer *writer, struct fault *fault)
{
    pthread_mutex_lock(&writer->lock);
    while (writer->fault.err == ERR_NONE && (writer->filling = free_find(writer)) == NULL)
        pthread_cond_wait(&writer->changed, &writer->lock);
    fault_hand_over(fault, &writer->fault);
    pthread_mutex_unlock(&writer->lock);
    if (writer->filling == NULL)
        return false;
    writer->filling->size = 0;
    return true;
}

/* Wait until no buffer is with an uploader. */
static bool
parts_wait(struct s3_writer *writer, struct fault *fault)
{
    pthread_mutex_lock(&writer->lock);
    for (unsigned i = 0; i < writer->buffers_count; i++)
        while (writer->buffers[i].state != BUFFER_FREE)
            pthread_cond_wait(&writer->changed, &writer->lock);
    bool whole = writer->fault.err == ERR_NONE;
    fault_hand_over(fault, &writer->fault);
    pthread_mutex_unlock(&writer->lock);
    return whole;
}

/* ---- the object ----------------------------------------------------------------------------- */

static size_t
part_bytes(const struct store_limits *limits)
{
    return limits->part_bytes == 0 ? (size_t) S3_PART_BYTES : limits->part_bytes;
}

static unsigned
buffers_count(const struct store_limits *limits)
{
    assert(limits->buffers == 0 ||
           (limits->buffers >= S3_BUFFERS_MIN && limits->buffers <= S3_BUFFERS));
    return limits->buffers == 0 ? (unsigned) S3_BUFFERS : limits->buffers;
}

uint64_t
s3_writer_bytes(const struct store_limits *limits)
{
    uint64_t buffers = buffers_count(limits);

    return buffers * part_bytes(limits) + (buffers - 1) * (S3_STACK_BYTES + S3_CONNECTION_BYTES);
}

static struct s3_writer *
writer_make(struct store *store)
{
    struct s3_writer *writer = calloc(1, sizeof *writer);

    if (writer == NULL)
        memory_exhausted(sizeof *writer);
    writer->part_bytes = part_bytes(&store->limits);
    writer->buffers_count = buffers_count(&store->limits);
    writer->memory = malloc(writer->buffers_count * writer->part_bytes);
    if (writer->memory == NULL)
        memory_exhausted(writer->buffers_count * writer->part_bytes);
    for (unsigned i = 0; i < writer->buffers_count; i++)
        writer->buffers[i].data = writer->memory + i * writer->part_bytes;
    writer->writer.store = store;
    pthread_mutex_init(&writer->lock, NULL);
    pthread_cond_init(&writer->changed, NULL);
    return writer;
}

struct store_writer *
s3_writer_begin(struct store *base, const char *name, struct fault *fault)
{
    struct s3_store *store = (struct s3_store *) base;

    (void) fault;
    assert(store_name_valid(name));
    pthread_mutex_lock(&store->lock);
    struct s3_writer *writer = store->idle;
    if (writer != NULL)
        store->idle = writer->next;
    pthread_mutex_unlock(&store->lock);
    if (writer == NULL)
        writer = writer_make(base);

    snprintf(writer->name, sizeof writer->name, "%s", name);
    s3_store_key(store, name, writer->key);
    writer->multipart = false;
    writer->parts_count = 0;
    writer->bytes = 0;
    writer->fault = (struct fault){0};
    writer->filling = &writer->buffers[0];
    writer->filling->size = 0;
    return &writer->writer;
}

bool
s3_writer_write(struct store_writer *base, const void *data, size_t size, struct fault *fault)
{
    struct s3_writer *writer = (struct s3_writer *) base;
    const uint8_t *at = data;

    while (size > 0) {
        /* A full buffer waits for one byte more: an object that ends here needs no parts. */
        if (writer->filling != NULL && writer->filling->size == writer->part_bytes &&
            !part_queue(writer, fault))
            return false;
        if (writer->filling == NULL && !buffer_take(writer, fault))
            return false;
        struct buffer *buffer = writer->filling;
        size_t room = writer->part_bytes - buffer->size, piece = size < room ? size : room;
        memcpy(buffer->data + buffer->size, at, piece);
        buffer->size += piece;
        writer->bytes += piece;
        at += piece;
        size -= piece;
    }
    return true;
}

static void
writer_release(struct s3_writer *writer)
{
    struct s3_store *store = store_of(writer);

    pthread_mutex_lock(&store->lock);
    writer->next = store->idle;
    store->idle = writer;
    pthread_mutex_unlock(&store->lock);
}

void
s3_writer_abort(struct store_writer *base)
{
    struct s3_writer *writer = (struct s3_writer *) base;
    struct s3_store *store = store_of(writer);
    struct fault given_up = {.err = ERR_STOPPED}, ignored = {0};

    if (writer->multipart) {
        pthread_mutex_lock(&writer->lock);
        fault_hand_over(&writer->fault, &given_up);
        queued_find(writer); /* drops them */
        pthread_mutex_unlock(&writer->lock);
        parts_wait(writer, &ignored);
        ignored = (struct fault){0};
        if (!s3_upload_abort(store->s3, &writer->upload, &ignored))
            s3_take_litter(store, ignored.text);
    }
    writer_release(writer);
}

bool
s3_writer_commit(struct store_writer *base, struct fault *fault)
{
    struct s3_writer *writer = (struct s3_writer *) base;
    struct s3 *s3 = store_of(writer)->s3;
    const struct buffer *only = writer->filling;

    if (!writer->multipart && only != NULL) {
        bool put = s3_put(s3, writer->key, only->data, only->size, NULL, NULL, NULL, fault);
        writer_release(writer);
        return put;
    }
    if (part_queue(writer, fault) && parts_wait(writer, fault) &&
        s3_upload_complete(s3, &writer->upload, writer->parts, writer->parts_count, writer->bytes,
                           fault)) {
        writer_release(writer);
        return true;
    }
    s3_writer_abort(base);
    return false;
}

static void
writer_free(struct s3_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    writer->quitting = true;
    pthread_cond_broadcast(&writer->changed);
    pthread_mutex_unlock(&writer->lock);
    for (unsigned i = 0; i < writer->threads_count; i++)
        pthread_join(writer->threads[i], NULL);
    pthread_mutex_destroy(&writer->lock);
    pthread_cond_destroy(&writer->changed);
    free(writer->parts);
    free(writer->memory);
    free(writer);
}

void
s3_writers_free(struct s3_store *store)
{
    while (store->idle != NULL) {
        struct s3_writer *writer = store->idle;
        store->idle = writer->next;
        writer_free(writer);
    }
}
