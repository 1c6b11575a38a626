/* progress - how far a run has come: a live line on a terminal, a log line now and then elsewhere.
 *
 *     dump  12/40 tables  1.2 GiB  4.1 M rows  180 MiB/s  ~3 min left  [=====>    ]
 *
 * Workers add to counters, without order and without a lock; one thread of its own looks at them
 * every PROGRESS_LIVE_MS.  The share that is done, and with it the time left, is bytes moved by
 * bytes estimated: the estimate is of pages on the source's disk, which COPY text only resembles,
 * hence the "~", and hence no 100 % before every table is done.
 *
 * Life:   progress_begin; progress_add_* by anyone; progress_end, which removes the live line and
 *         joins.  Between begin and end the struct does not move.
 * Limits: none.   Threads: add any; begin and end one. */
#ifndef COMMANDS_PROGRESS_H
#define COMMANDS_PROGRESS_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "env/env.h"

enum {
    PROGRESS_LIVE_MS = 500,
    PROGRESS_LOG_MS = 10000,
    PROGRESS_SAMPLES = 20, /* the rate is that of the last 10 s */
    PROGRESS_LINE_MAX = 200,
    PROGRESS_LINE_BYTES = 128, /* a cache line, and the neighbour that comes with it */
};

/* What has been counted at one moment. */
struct progress_count {
    uint64_t at_ms; /* since progress_begin */
    uint64_t rows, plain_bytes, stored_bytes, tables_done;
};

struct progress {
    const char *label; /* "dump", "restore" */
    uint64_t tables_total;
    uint64_t bytes_total; /* estimate; 0 = unknown, then no bar and no time left */
    enum progress_mode mode;
    bool running;
    bool ended; /* guarded by lock, as is wake */
    uint64_t begun_ms;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct progress_count samples[PROGRESS_SAMPLES]; /* the thread's own */
    size_t samples_count;

    /* Written by all workers, so away from what they only read. */
    alignas(PROGRESS_LINE_BYTES) _Atomic uint64_t rows;
    _Atomic uint64_t plain_bytes, stored_bytes, tables_done;
};

/* Start to count from zero, and to show it if mode says so.  label outlives the run.  A thread that
 * cannot be started is a warning: the run matters more than its display. */
void progress_begin(struct progress *progress, const char *label, uint64_t tables_total,
                    uint64_t bytes_total, enum progress_mode mode);
void progress_end(struct progress *progress);

/* What has been counted so far, for a closing sentence. */
struct progress_count progress_now(struct progress *progress);

/* Write the line for two moments.  before is the older one, from which the rate is taken.
 * width is the line's greatest length in bytes; a piece that does not fit is left out.  width 0
 * stands for a log line: all pieces, but no bar. */
void progress_line(char line[static PROGRESS_LINE_MAX], const struct progress *progress,
                   const struct progress_count *before, const struct progress_count *now,
                   size_t width);

static inline void
progress_add_rows(struct progress *progress, uint64_t rows)
{
    atomic_fetch_add_explicit(&progress->rows, rows, memory_order_relaxed);
}

/* Bytes of COPY text, before compression. */
static inline void
progress_add_plain(struct progress *progress, uint64_t bytes)
{
    atomic_fetch_add_explicit(&progress->plain_bytes, bytes, memory_order_relaxed);
}

/* Bytes as they lie in the store. */
static inline void
progress_add_stored(struct progress *progress, uint64_t bytes)
{
    atomic_fetch_add_explicit(&progress->stored_bytes, bytes, memory_order_relaxed);
}

static inline void
progress_add_table(struct progress *progress)
{
    atomic_fetch_add_explicit(&progress->tables_done, 1, memory_order_relaxed);
}

#endif
