/* name - names that are nearly ours, and names that only look like ours. */
#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "env/env_table.h"

static size_t
least(size_t one, size_t other)
{
    return one < other ? one : other;
}

/* Letters of either case are the same: REPLICA_jobs is a near miss, not four mistakes. */
static bool
same(char one, char other)
{
    return toupper((unsigned char) one) == toupper((unsigned char) other);
}

/* Optimal string alignment: three rows of the matrix are enough. */
size_t
name_distance(const char *one, const char *other)
{
    size_t rows[3][NAME_BYTES_MAX + 1], one_size = strlen(one), other_size = strlen(other);
    if (one_size > NAME_BYTES_MAX || other_size > NAME_BYTES_MAX)
        return SIZE_MAX;

    for (size_t j = 0; j <= other_size; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= one_size; i++) {
        size_t *row = rows[i % 3], *above = rows[(i - 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= other_size; j++) {
            size_t replaced = same(one[i - 1], other[j - 1]) ? 0 : 1;
            row[j] = least(above[j - 1] + replaced, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && same(one[i - 1], other[j - 2]) && same(one[i - 2], other[j - 1]))
                row[j] = least(row[j], rows[(i - 2) % 3][j - 2] + 1);
        }
    }
    return rows[one_size % 3][other_size];
}

/* Further away than a third of its length, a name is another word and no misspelling. */
static size_t
distance_max(const char *name)
{
    return strlen(name) / 3 + 1;
}

const char *
name_nearest(struct arena *arena, const char *name)
{
    const char *word = name + strlen(ENV_PREFIX), *nearest = NULL;
    size_t nearest_distance = distance_max(word) + 1;

    for (size_t i = 0; i < 2 * ENV_VARIABLES_COUNT; i++) {
        const char *candidate = env_rows[i / 2].name;
        if (i % 2 == 1)
            candidate = arena_print(arena, "%s_FILE", candidate);
        size_t distance = name_distance(word, candidate + strlen(ENV_PREFIX));
        if (distance < nearest_distance) {
            nearest_distance = distance;
            nearest = candidate;
        }
    }
    return nearest;
}

const char *
name_nearest_command(const char *name)
{
    const char *nearest = NULL;
    size_t nearest_distance = distance_max(name) + 1;

    for (size_t i = COMMAND_NONE + 1; i < COMMANDS_COUNT; i++) {
        size_t distance = name_distance(name, command_rows[i].name);
        if (distance < nearest_distance) {
            nearest_distance = distance;
            nearest = command_rows[i].name;
        }
    }
    return nearest;
}

static bool
starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool
ends(const char *text, const char *with)
{
    size_t size = strlen(text), length = strlen(with);
    return size >= length && strcmp(text + size - length, with) == 0;
}

/* "5432_TCP", "5432_TCP_ADDR" and the like. */
static bool
is_port_detail(const char *text)
{
    static const char *const protocols[] = {"_TCP", "_UDP", "_SCTP"};
    static const char *const details[] = {"", "_PROTO", "_PORT", "_ADDR"};
    size_t digits = strspn(text, "0123456789");

    for (size_t i = 0; digits > 0 && i < sizeof protocols / sizeof *protocols; i++) {
        if (!starts(text + digits, protocols[i]))
            continue;
        for (size_t j = 0; j < sizeof details / sizeof *details; j++)
            if (strcmp(text + digits + strlen(protocols[i]), details[j]) == 0)
                return true;
    }
    return false;
}

/* For each Service there are NAME_SERVICE_HOST, NAME_SERVICE_PORT, NAME_SERVICE_PORT_<port's name>,
 * and in the manner of Docker's links NAME_PORT and
 * NAME_PORT_<number>_<protocol>[_PROTO|_PORT|_ADDR]. NAME is REPLICA, or REPLICA_ and more. */
bool
name_is_kubernetes(const char *name, const char *value)
{
    const char *word = name + strlen(ENV_PREFIX);

    if (strcmp(word, "PORT") == 0 || starts(word, "PORT_") || starts(word, "SERVICE_"))
        return true;
    if (ends(word, "_SERVICE_HOST") || ends(word, "_SERVICE_PORT") ||
        strstr(word, "_SERVICE_PORT_") != NULL)
        return true;
    if (ends(word, "_PORT"))
        return starts(value, "tcp://") || starts(value, "udp://") || starts(value, "sctp://");
    for (const char *at = word; (at = strstr(at, "_PORT_")) != NULL; at++)
        if (is_port_detail(at + strlen("_PORT_")))
            return true;
    return false;
}
