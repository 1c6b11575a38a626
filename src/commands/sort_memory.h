/* sort_memory - how much memory the destination takes to build an index: maintenance_work_mem.
 *
 * More of it is slower, once the rows are sorted in one merge: what is sorted in memory at once
 * should fit the processor's cache.  5 M e-mail addresses, PostgreSQL 15, one process: 7.7 s with 8
 * MiB, 8.3 s with 16, 9.4 s with 64, 11.6 s with 256, 12.9 s with 1 GiB.
 *
 * Life:   planned once the rows are there; nothing to free.   Threads: plain data. */
#ifndef COMMANDS_SORT_MEMORY_H
#define COMMANDS_SORT_MEMORY_H

#include <stdint.h>

#include "pg/conn.h"

struct sort_memory {
    /* For an index that is built beside others: the least that sorts the largest table's rows in
     * one merge, at least 16 MiB.  Below 64 MiB PostgreSQL starts no parallel workers. */
    uint64_t busy_kib;

    /* For one that has the destination to itself, whose parallel workers share it, and for a
     * foreign key, which hashes: what the destination is set to, or if that is more, a share of an
     * eighth of what its effective_cache_size says, 1 GiB at most.  (PostgreSQL's defaults, 4 GiB
     * and 64 MiB, give two helpers 256 MiB each.) */
    uint64_t idle_kib;
};

/* Ask the destination, for so many helpers at once, of 1 on. */
bool sort_memory_plan(struct pg_session *conn, unsigned helpers, struct sort_memory *memory,
                      struct fault *fault);

bool sort_memory_set(struct pg_session *conn, uint64_t kib, struct fault *fault);

#endif
