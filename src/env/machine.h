/* machine - what this machine, or the container we are in, lets us use.
 *
 * A container's limits stand in its control groups, version 1 or 2, and a limit higher up in the
 * tree holds as well; the smallest one counts.  Inside a container the path that /proc/self/cgroup
 * names may not exist, since only its end is mounted, so every level that is there is asked.
 *
 * root is put before /proc and /sys: "" but in tests.  Threads: any. */
#ifndef ENV_MACHINE_H
#define ENV_MACHINE_H

#include <stdint.h>

/* The CPUs we may use, at least 1: those of the scheduler's mask that the quota pays for. */
unsigned machine_cpus(const char *root);

/* The memory limit of our control groups in bytes, or UINT64_MAX without one. */
uint64_t machine_memory_bytes(const char *root);

#endif
