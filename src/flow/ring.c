/* ring - see ring.h.
 *
 * Only a side that sleeps is signalled: a writer, which sleeps only before a full ring, once half
 * of it is free; a reader, which sleeps only before an empty one, once half of it is full, or the
 * writer has closed.  On one CPU a switch for every window would cost more than the copying: with
 * halves a dump of 0.6 GB has 21,000 of them, with quarters and the first byte 45,000.
 *
 * That cannot deadlock.  While the writer sleeps, the ring was full, so the reader was woken; it
 * never waits until it has taken all, and by then half was free.  While the reader sleeps, the
 * writer never waits before the ring is full, and by then half was full.  What a writer leaves in
 * the ring while it waits for the world comes with its next bytes, or when it closes. */
#include "flow/ring.h"

#include <assert.h>

void
ring_init(struct ring *ring, uint8_t *storage, size_t size)
{
    assert(size >= 1 && size <= RING_BYTES_MAX);
    *ring = (struct ring){.storage = storage, .size = size, .wake_bytes = (size + 1) / 2};
    pthread_mutex_init(&ring->lock, NULL);
    pthread_cond_init(&ring->moved, NULL);
}

void
ring_free(struct ring *ring)
{
    pthread_cond_destroy(&ring->moved);
    pthread_mutex_destroy(&ring->lock);
}

/* Sleep until the other side, or a failure, wakes us. */
static void
ring_sleep(struct ring *ring, bool *sleeps)
{
    *sleeps = true;
    pthread_cond_wait(&ring->moved, &ring->lock);
    *sleeps = false;
}

/* Both sides never sleep at once, so the one signal cannot reach the wrong one. */
static void
ring_wake(struct ring *ring, bool *sleeps)
{
    if (*sleeps)
        pthread_cond_signal(&ring->moved);
    *sleeps = false;
}

bool
ring_reserve(struct ring *ring, struct target_span *span)
{
    pthread_mutex_lock(&ring->lock);
    while (!ring->failed && ring->written - ring->read == ring->size)
        ring_sleep(ring, &ring->writer_sleeps);
    bool usable = !ring->failed;
    if (usable) {
        size_t at = ring->written % ring->size;
        size_t room = ring->size - (size_t) (ring->written - ring->read);
        *span = (struct target_span){.data = ring->storage + at,
                                     .size = room < ring->size - at ? room : ring->size - at};
        assert(span->size > 0);
    }
    pthread_mutex_unlock(&ring->lock);
    return usable;
}

void
ring_commit(struct ring *ring, size_t size)
{
    pthread_mutex_lock(&ring->lock);
    ring->written += size;
    assert(ring->written - ring->read <= ring->size);
    if (ring->written - ring->read >= ring->wake_bytes)
        ring_wake(ring, &ring->reader_sleeps);
    pthread_mutex_unlock(&ring->lock);
}

bool
ring_peek(struct ring *ring, struct source_span *span)
{
    pthread_mutex_lock(&ring->lock);
    while (!ring->failed && !ring->closed && ring->written == ring->read)
        ring_sleep(ring, &ring->reader_sleeps);
    bool usable = !ring->failed;
    if (usable) {
        size_t at = ring->read % ring->size, held = (size_t) (ring->written - ring->read);
        *span = (struct source_span){.data = ring->storage + at,
                                     .size = held < ring->size - at ? held : ring->size - at};
        assert(span->size > 0 || ring->closed);
    }
    pthread_mutex_unlock(&ring->lock);
    return usable;
}

void
ring_consume(struct ring *ring, size_t size)
{
    pthread_mutex_lock(&ring->lock);
    ring->read += size;
    assert(ring->read <= ring->written);
    size_t room = ring->size - (size_t) (ring->written - ring->read);
    if (room >= ring->wake_bytes)
        ring_wake(ring, &ring->writer_sleeps);
    pthread_mutex_unlock(&ring->lock);
}

void
ring_close(struct ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    ring->closed = true;
    pthread_cond_broadcast(&ring->moved);
    pthread_mutex_unlock(&ring->lock);
}

void
ring_fail(struct ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    ring->failed = true;
    pthread_cond_broadcast(&ring->moved);
    pthread_mutex_unlock(&ring->lock);
}
