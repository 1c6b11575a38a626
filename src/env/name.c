/* name - names that are nearly ours, and names that only look like ours. */
#include <string.h>

#include "base/nearest.h"
#include "env/env_table.h"

/* Further away than a third of its length, a name is another word and no misspelling. */
static unsigned
steps_max(const char *name)
{
    return (unsigned) strlen(name) / 3 + 1;
}

const char *
name_nearest(struct arena *arena, const char *name)
{
    const char *word = name + strlen(ENV_PREFIX);
    struct nearest nearest = {.wanted = word, .steps_max = steps_max(word)};

    for (size_t i = 0; i < 2 * ENV_VARIABLES_COUNT; i++) {
        const char *candidate = env_rows[i / 2].name;
        if (i % 2 == 1)
            candidate = arena_print(arena, "%s_FILE", candidate);
        nearest_offer(&nearest, candidate + strlen(ENV_PREFIX), candidate);
    }
    return nearest.best;
}

const char *
name_nearest_command(const char *name)
{
    struct nearest nearest = {.wanted = name, .steps_max = steps_max(name)};

    for (size_t i = COMMAND_NONE + 1; i < COMMANDS_COUNT; i++)
        nearest_offer(&nearest, command_rows[i].name, command_rows[i].name);
    return nearest.best;
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
