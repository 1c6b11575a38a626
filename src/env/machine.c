/* machine - see machine.h. */
#include "env/machine.h"

#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MACHINE_FILE_BYTES = 8192 }; /* /proc/self/cgroup has some 14 lines */

/* Read the beginning of a small file.  A file that is not there reads as "". */
static bool
file_read(char buffer[static MACHINE_FILE_BYTES], const char *path)
{
    FILE *file = fopen(path, "re");
    size_t size = 0;

    if (file != NULL) {
        size = fread(buffer, 1, MACHINE_FILE_BYTES - 1, file);
        fclose(file);
    }
    buffer[size] = '\0';
    return size > 0;
}

/* Read the number of a limit, in a directory of a control group.  "max" and -1 are no limit. */
static bool
number_read(const char *directory, const char *name, uint64_t *number,
            char rest[static MACHINE_FILE_BYTES])
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/%s", directory, name);
    if (length < 0 || (size_t) length >= sizeof path || !file_read(rest, path))
        return false;
    if (rest[0] < '0' || rest[0] > '9')
        return false;
    char *end;
    *number = strtoull(rest, &end, 10);
    memmove(rest, end, strlen(end) + 1);
    return true;
}

static void
memory_look(const char *directory, uint64_t *least)
{
    static const char *const names[] = {"memory.max", "memory.limit_in_bytes"};
    char rest[MACHINE_FILE_BYTES];
    uint64_t bytes;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (number_read(directory, names[i], &bytes, rest) && bytes < *least)
            *least = bytes;
}

/* A quota of 150 ms in each 100 ms is one CPU and a half: two jobs can use it. */
static void
cpus_look(const char *directory, uint64_t *least)
{
    char rest[MACHINE_FILE_BYTES];
    uint64_t quota, period;

    if (number_read(directory, "cpu.max", &quota, rest))
        period = strtoull(rest, NULL, 10);
    else if (!number_read(directory, "cpu.cfs_quota_us", &quota, rest) ||
             !number_read(directory, "cpu.cfs_period_us", &period, rest))
        return;
    if (period == 0)
        return;

    uint64_t cpus = quota / period + (quota % period != 0);
    if (cpus < 1)
        cpus = 1;
    if (cpus < *least)
        *least = cpus;
}

/* Look at a group and at all those above it. */
static void
groups_climb(const char *mount, char *group, void (*look)(const char *, uint64_t *),
             uint64_t *least)
{
    char directory[PATH_MAX];

    for (;;) {
        int length = snprintf(directory, sizeof directory, "%s%s", mount, group);
        if (length > 0 && (size_t) length < sizeof directory)
            look(directory, least);
        char *slash = strrchr(group, '/');
        if (slash == NULL)
            return;
        *slash = '\0';
    }
}

/* Look at our groups in each hierarchy: lines of "<number>:<controllers>:<path>".  Version 2 has
 * one, without controllers; version 1 has one per controller or few, mounted under that name. */
static uint64_t
groups_least(const char *root, void (*look)(const char *, uint64_t *))
{
    char lines[MACHINE_FILE_BYTES], path[PATH_MAX], mount[PATH_MAX], *rest = lines, *line;
    uint64_t least = UINT64_MAX;

    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    file_read(lines, path);
    while ((line = strsep(&rest, "\n")) != NULL) {
        char *controllers = strchr(line, ':');
        char *group = controllers == NULL ? NULL : strchr(controllers + 1, ':');
        if (group == NULL)
            continue;
        *controllers++ = '\0';
        *group++ = '\0';
        int length = snprintf(mount, sizeof mount, "%s/sys/fs/cgroup%s%s", root,
                              *controllers ? "/" : "", controllers);
        if (length > 0 && (size_t) length < sizeof mount)
            groups_climb(mount, group, look, &least);
    }
    return least;
}

unsigned
machine_cpus(const char *root)
{
    cpu_set_t mask;
    uint64_t cpus = CPU_SETSIZE; /* the call fails only on a machine with more */

    if (sched_getaffinity(0, sizeof mask, &mask) == 0)
        cpus = (uint64_t) CPU_COUNT(&mask);
    uint64_t quota = groups_least(root, cpus_look);
    if (quota < cpus)
        cpus = quota;
    return cpus < 1 ? 1 : (unsigned) cpus;
}

uint64_t
machine_memory_bytes(const char *root)
{
    return groups_least(root, memory_look);
}
