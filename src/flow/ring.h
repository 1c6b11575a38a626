/* ring - a bounded byte queue between exactly two threads.
 *
 *      storage:  [ . . . x x x x x x x . . . . ]
 *                        ^ read        ^ written        x: committed, not yet consumed
 *
 * Life:   ring_init; then reserve/commit by the writer, peek/consume by the reader; ring_close by
 *         the writer; ring_fail by anyone, any time.  The storage is the caller's; ring_free ends
 *         the locks.
 * Limits: 1 byte .. 1 GiB.   Threads: one writer, one reader.   Lock: leaf, calls no one. */
#ifndef FLOW_RING_H
#define FLOW_RING_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/stage.h"

enum { RING_BYTES_MAX = 1 << 30 };

struct ring {
    uint8_t *storage;
    size_t size;
    size_t wake_bytes; /* a sleeping side is woken once so much is free, or full */
    pthread_mutex_t lock;
    pthread_cond_t moved;
    uint64_t written, read; /* ever */
    bool closed, failed, writer_sleeps, reader_sleeps;
};

void ring_init(struct ring *ring, uint8_t *storage, size_t size);
void ring_free(struct ring *ring);

/* Wait for room and show what lies contiguous, at least one byte.
 * Returns false if the ring failed; span is then untouched. */
bool ring_reserve(struct ring *ring, struct target_span *span);

/* Hand size bytes of the reserved span to the reader; 0 is allowed. */
void ring_commit(struct ring *ring, size_t size);

/* Wait for bytes, or the end, and show what lies contiguous without copying; an empty span means
 * end of stream.  Returns false if the ring failed; span is then untouched.
 * The bytes stay valid until ring_consume(). */
bool ring_peek(struct ring *ring, struct source_span *span);

/* Give size peeked bytes back as room; 0 is allowed. */
void ring_consume(struct ring *ring, size_t size);

/* The writer has no more. */
void ring_close(struct ring *ring);

/* Wake both sides and let every call from now on return false. */
void ring_fail(struct ring *ring);

#endif
