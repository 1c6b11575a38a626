/* env_value - text to value and back, one pair of functions per type of env.def. */
#include <assert.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "env/machine.h"
#include "env/env_table.h"

enum {
    JOBS_AUTO_MAX = 8, /* more connections are more than a source in use likes unasked */
    COMPRESS_LEVEL_MIN = -5,
    COMPRESS_LEVEL_MAX = 19, /* from 20 on, zstd wants hundreds of MiB per stream */
};

static const uint64_t MEMORY_AUTO_MAX = 256ull << 20;

_Static_assert(sizeof(enum log_format) == sizeof(unsigned) &&
                   sizeof(enum log_level) == sizeof(unsigned) &&
                   sizeof(enum progress_mode) == sizeof(unsigned) &&
                   sizeof(enum env_large_objects) == sizeof(unsigned) &&
                   sizeof(enum env_path_style) == sizeof(unsigned) &&
                   sizeof(enum env_sse) == sizeof(unsigned),
               "choice_set writes any of them as unsigned");
_Static_assert(LOG_TEXT == 0 && LOG_JSON == 1 && LOG_ERROR == 0 && LOG_DEBUG == 3 &&
                   PROGRESS_NO == 2 && ENV_LARGE_NO == 2 && ENV_STYLE_HOST == 2 &&
                   ENV_SSE_KMS_DSSE == 3,
               "the choices of env.def stand in the order of their enums");

static const struct {
    const char *suffix;
    unsigned shift;
} units[] = {
    {"GiB", 30}, {"MiB", 20}, {"KiB", 10}, {"G", 30}, {"M", 20}, {"K", 10}, {"B", 0}, {"", 0},
};

/* Read digits up to the first other byte.  False without one, or when it is over 64 bits. */
static bool
digits_read(const char **text, uint64_t *number)
{
    const char *at = *text;

    *number = 0;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(*number, 10, number) ||
            __builtin_add_overflow(*number, (uint64_t) (*at - '0'), number))
            return false;
    bool any = at != *text;
    *text = at;
    return any;
}

static bool
bytes_read(const char *text, uint64_t *bytes)
{
    uint64_t number;
    if (!digits_read(&text, &number))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(text, units[i].suffix) == 0) {
            *bytes = number << units[i].shift;
            return *bytes >> units[i].shift == number;
        }
    return false;
}

void
env_bytes_add(uint64_t bytes, struct text *text)
{
    for (size_t i = 0; i < 3; i++)
        if (bytes != 0 && bytes % (1ull << units[i].shift) == 0) {
            text_addf(text, "%llu%s", (unsigned long long) bytes >> units[i].shift,
                      units[i].suffix);
            return;
        }
    text_addf(text, "%llu", (unsigned long long) bytes);
}

static void *
member(const struct env *env, const struct env_row *row)
{
    return (char *) env + row->offset;
}

static bool
text_set(struct env *env, const struct env_row *row, const char *text)
{
    *(const char **) member(env, row) = text;
    return true;
}

static bool
place_set(struct env *env, const struct env_row *row, const char *text)
{
    return env_place(text) != PLACE_UNKNOWN && text_set(env, row, text);
}

static bool
command_set(struct env *env, const struct env_row *row, const char *text)
{
    return (*text == '\0' || command_find(text) != COMMAND_NONE) && text_set(env, row, text);
}

static bool
yes_no_set(struct env *env, const struct env_row *row, const char *text)
{
    bool yes = strcmp(text, "yes") == 0;
    if (!yes && strcmp(text, "no") != 0)
        return false;
    *(bool *) member(env, row) = yes;
    return true;
}

static bool
choice_set(struct env *env, const struct env_row *row, const char *text)
{
    size_t size = strlen(text);
    const char *choice = row->choices;

    for (unsigned i = 0;; i++) {
        size_t length = strcspn(choice, "|");
        if (length == size && memcmp(choice, text, size) == 0) {
            memcpy(member(env, row), &i, sizeof i);
            return true;
        }
        if (choice[length] == '\0')
            return false;
        choice += length + 1;
    }
}

static unsigned
jobs_auto(void)
{
    unsigned cpus = machine_cpus("");
    return cpus < JOBS_AUTO_MAX ? cpus : JOBS_AUTO_MAX;
}

static bool
count_set(struct env *env, const struct env_row *row, const char *text)
{
    uint64_t number = jobs_auto();
    if (strcmp(text, AUTO_JOBS) != 0 && (!digits_read(&text, &number) || *text != '\0'))
        return false;
    if (number < row->min || number > row->max)
        return false;
    assert(row->max <= UINT_MAX);
    *(unsigned *) member(env, row) = (unsigned) number;
    return true;
}

/* A tiny limit gives the least that may be said; the command then tells how much it needs. */
static uint64_t
memory_auto(const struct env_row *row)
{
    uint64_t bytes = machine_memory_bytes("") / 2;
    if (bytes < row->min)
        return row->min;
    return bytes < MEMORY_AUTO_MAX ? bytes : MEMORY_AUTO_MAX;
}

static bool
bytes_set(struct env *env, const struct env_row *row, const char *text)
{
    uint64_t bytes;
    if (strcmp(text, AUTO_MEMORY) == 0)
        bytes = memory_auto(row);
    else if (!bytes_read(text, &bytes))
        return false;
    if (bytes < row->min || bytes > row->max)
        return false;
    *(uint64_t *) member(env, row) = bytes;
    return true;
}

static bool
compression_set(struct env *env, const struct env_row *row, const char *text)
{
    const char *at = text;
    uint64_t number = 0;
    bool compress = strcmp(text, "none") != 0, minus = false;

    if (compress) {
        if (strncmp(at, "zstd:", 5) != 0)
            return false;
        minus = at[5] == '-';
        at += minus ? 6 : 5;
        if (!digits_read(&at, &number) || *at != '\0')
            return false;
        if (number > (minus ? -COMPRESS_LEVEL_MIN : COMPRESS_LEVEL_MAX))
            return false;
    }
    env->compress = compress;
    env->compress_level = minus ? -(int) number : (int) number;
    return text_set(env, row, text);
}

static bool (*const setters[])(struct env *, const struct env_row *, const char *) = {
    [TYPE_TEXT] = text_set,       [TYPE_PLACE] = place_set,
    [TYPE_COMMAND] = command_set, [TYPE_YES_NO] = yes_no_set,
    [TYPE_CHOICE] = choice_set,   [TYPE_COUNT] = count_set,
    [TYPE_BYTES] = bytes_set,     [TYPE_COMPRESSION] = compression_set,
};

bool
env_value_set(struct env *env, const struct env_row *row, const char *text)
{
    return setters[row->type](env, row, text);
}

static void
add_choices(const char *choices, struct text *text)
{
    for (const char *at = choices; *at != '\0';) {
        size_t length = strcspn(at, "|");
        text_add_bytes(text, at, length);
        at += length;
        if (*at == '|' && strchr(++at, '|') != NULL)
            text_add(text, ", ");
        else if (at[-1] == '|')
            text_add(text, " or ");
    }
}

static void
add_commands(struct text *text)
{
    for (size_t i = COMMAND_NONE + 1; i < COMMANDS_COUNT; i++)
        text_addf(text, "%s%s", command_rows[i].name, i + 2 < COMMANDS_COUNT ? ", " :
                  i + 2 == COMMANDS_COUNT ? " or " : "");
}

void
env_value_add_allowed(const struct env_row *row, struct text *text)
{
    switch (row->type) {
    case TYPE_TEXT:
    case TYPE_PLACE:
    case TYPE_COMPRESSION:
        text_add(text, row->choices);
        break;
    case TYPE_COMMAND:
        add_commands(text);
        break;
    case TYPE_YES_NO:
        text_add(text, "yes or no");
        break;
    case TYPE_CHOICE:
        add_choices(row->choices, text);
        break;
    case TYPE_COUNT:
        text_addf(text, "%llu to %llu", (unsigned long long) row->min,
                  (unsigned long long) row->max);
        break;
    case TYPE_BYTES:
        env_bytes_add(row->min, text);
        text_add(text, " to ");
        env_bytes_add(row->max, text);
        break;
    }
}

static void
add_choice(const char *choices, unsigned index, struct text *text)
{
    while (index-- > 0)
        choices = strchr(choices, '|') + 1;
    text_add_bytes(text, choices, strcspn(choices, "|"));
}

void
env_value_add(const struct env *env, const struct env_row *row, struct text *text)
{
    unsigned choice;
    struct arena arena = {0};

    switch (row->type) {
    case TYPE_PLACE:
        text_add(text, env_place_safe(&arena, *(const char **) member(env, row)));
        arena_free(&arena);
        break;
    case TYPE_TEXT:
    case TYPE_COMMAND:
    case TYPE_COMPRESSION:
        text_add(text, *(const char **) member(env, row));
        break;
    case TYPE_YES_NO:
        text_add(text, *(bool *) member(env, row) ? "yes" : "no");
        break;
    case TYPE_CHOICE:
        memcpy(&choice, member(env, row), sizeof choice);
        add_choice(row->choices, choice, text);
        break;
    case TYPE_COUNT:
        text_addf(text, "%u", *(unsigned *) member(env, row));
        break;
    case TYPE_BYTES:
        env_bytes_add(*(uint64_t *) member(env, row), text);
        break;
    }
}
