/* env - see env.h.  The walk over the variables; the only getenv() and setenv() of replica. */
#include "env/env.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/tame.h"
#include "env/env_table.h"
#include "env/env_uri.h"

/* Of a wrong value; a whole file of rules in a sentence helps nobody. */
enum { SHOWN_BYTES_MAX = 80 };

const struct env_row env_rows[ENV_VARIABLES_COUNT] = {
#define VAR(member, name, type, standard, min, max, choices, secret, section, commands, sentence) \
    {name,     type,     standard, min, max, choices, secret, section, \
     commands, sentence, offsetof(struct env, member)},
#include "env/env.def"
#undef VAR
};

void
env_mistake(struct env *env, const char *format, ...)
{
    char sentence[MISTAKE_BYTES_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    if (env->mistakes.size > 0)
        text_add(&env->mistakes, "\n");
    text_add_tame(&env->mistakes, sentence);
}

const char *
env_shown(struct env *env, const struct env_row *row, const char *value)
{
    if (row != NULL && row->secret)
        return "not valid";
    if (row != NULL && row->type == TYPE_PLACE)
        value = env_place_safe(&env->arena, value);

    size_t size = strlen(value);
    bool cut = size > SHOWN_BYTES_MAX;
    if (cut)
        for (size = SHOWN_BYTES_MAX; ((unsigned char) value[size] & 0xc0) == 0x80 && size > 0;)
            size--;
    return arena_print(&env->arena, "'%.*s%s'", (int) size, value, cut ? "..." : "");
}

const char *
variable_find(char *const *variables, const char *name)
{
    size_t size = strlen(name);

    for (; *variables != NULL; variables++)
        if (strncmp(*variables, name, size) == 0 && (*variables)[size] == '=')
            return (*variables)[size + 1] == '\0' ? NULL : *variables + size + 1;
    return NULL;
}

const char *
env_foreign(const char *name)
{
    assert(strncmp(name, ENV_PREFIX, strlen(ENV_PREFIX)) != 0);
    return getenv(name);
}

/* Read at most one byte more than is allowed, so that a device without end does no harm. */
static bool
file_read(int fd, struct text *text)
{
    char piece[4096];

    while (text->size <= ENV_FILE_BYTES_MAX) {
        ssize_t got = read(fd, piece, sizeof piece);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0;
        text_add_bytes(text, piece, (size_t) got);
    }
    return true;
}

static bool
file_load(const char *path, struct text *text)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return false;
    bool ok = file_read(fd, text);
    int error = errno;
    close(fd);
    errno = error;
    return ok;
}

static void
newline_drop(struct text *text)
{
    if (text->size > 0 && text->data[text->size - 1] == '\n')
        text->size--;
    if (text->size > 0 && text->data[text->size - 1] == '\r' && text->data[text->size] == '\n')
        text->size--;
}

/* An empty file is a mistake, although an empty variable is not: a mount that went wrong must not
 * turn a dump with rules into one without. */
const char *
variable_file(struct env *env, const char *name, const char *path)
{
    struct text text = {0};
    const char *value = NULL;
    const char *shown = env_shown(env, NULL, path);

    if (!file_load(path, &text))
        env_mistake(env, "%s_FILE: unable to read %s: %s", name, shown, strerror(errno));
    else if (text.size > ENV_FILE_BYTES_MAX)
        env_mistake(env, "%s_FILE: %s is larger than 1 MiB", name, shown);
    else if (text.size > 0 && memchr(text.data, '\0', text.size) != NULL)
        env_mistake(env, "%s_FILE: %s holds a zero byte, which no value can", name, shown);
    else {
        newline_drop(&text);
        if (text.size == 0)
            env_mistake(env, "%s_FILE: %s is empty; unset the variable if that is meant", name,
                        shown);
        else
            value = arena_copy(&env->arena, text.data, text.size);
    }
    text_free(&text);
    return value;
}

/* Find NAME or NAME_FILE and say which it was. */
static const char *
value_find(struct env *env, char *const *variables, const char *name, enum env_origin *origin)
{
    const char *file_name = arena_print(&env->arena, "%s_FILE", name);
    const char *value = variable_find(variables, name), *path = variable_find(variables, file_name);

    *origin = ENV_DEFAULT;
    if (value != NULL && path != NULL) {
        *origin = ENV_WRONG;
        env_mistake(env, "%s and %s are both set; unset one of them", name, file_name);
        return NULL;
    }
    if (value != NULL) {
        *origin = ENV_GIVEN;
        return value;
    }
    if (path == NULL)
        return NULL;
    value = variable_file(env, name, path);
    *origin = value == NULL ? ENV_WRONG : ENV_FILE;
    return value;
}

static void
value_mistake(struct env *env, const struct env_row *row, const char *value)
{
    const char *shown = env_shown(env, row, value);
    struct text allowed = {0};

    if (row->type == TYPE_PLACE && strncmp(value, "file:", 5) == 0)
        env_mistake(env,
                    "%s is %s: a directory has three slashes and an absolute path, file:///dir",
                    row->name, shown);
    else {
        env_value_add_allowed(row, &allowed);
        env_mistake(env, "%s is %s; allowed is %s", row->name, shown, text_of(&allowed));
    }
    text_free(&allowed);
}

/* A URI that libpq might read otherwise than it was meant. */
static void
uri_check(struct env *env, const char *name, const char *uri)
{
    if (env_place(uri) != PLACE_POSTGRES || strcmp(uri, "postgres:") == 0)
        return;
    const char *mistake = uri_mistake(uri), *meant = uri_parameter_meant(uri);
    if (mistake != NULL)
        env_mistake(env,
                    "%s is no URI of PostgreSQL that can be read in one way only: %s%s%s; in a "
                    "user, a password and a database write / as %%2F, @ as %%40, ? as %%3F, %% as "
                    "%%25 and a blank as %%20",
                    name, mistake, meant == NULL ? "" : ", perhaps it is meant to be ",
                    meant == NULL ? "" : meant);
}

static void
rows_read(struct env *env, char *const *variables)
{
    for (size_t i = 0; i < ENV_VARIABLES_COUNT; i++) {
        const struct env_row *row = &env_rows[i];
        const char *value = value_find(env, variables, row->name, &env->origins[i]);
        if (value != NULL && !env_value_set(env, row, value)) {
            env->origins[i] = ENV_WRONG;
            value_mistake(env, row, value);
        }
    }
}

static bool
name_is_known(const char *name, size_t size)
{
    for (size_t i = 0; i < ENV_VARIABLES_COUNT; i++) {
        size_t length = strlen(env_rows[i].name);
        if (size < length || memcmp(name, env_rows[i].name, length) != 0)
            continue;
        if (size == length || (size == length + 5 && memcmp(name + length, "_FILE", 5) == 0))
            return true;
    }
    return false;
}

static void
unknown_mistake(struct env *env, const char *name)
{
    const char *nearest = name_nearest(&env->arena, name);

    if (nearest != NULL)
        env_mistake(env, "%s is unknown; did you mean %s?", env_shown(env, NULL, name), nearest);
    else
        env_mistake(env, "%s is unknown; `replica help` lists the variables",
                    env_shown(env, NULL, name));
}

static void
unknown_find(struct env *env, char *const *variables)
{
    for (; *variables != NULL; variables++) {
        size_t size = strcspn(*variables, "=");
        const char *value = *variables + size + ((*variables)[size] == '=');
        if (strncmp(*variables, ENV_PREFIX, strlen(ENV_PREFIX)) != 0 || *value == '\0')
            continue;
        const char *name = arena_copy(&env->arena, *variables, size);
        if (!name_is_known(name, size) && !name_is_kubernetes(name, value))
            unknown_mistake(env, name);
    }
}

/* libpq has PGPASSFILE, whose format no mounted secret has; a file with nothing but the password is
 * what Kubernetes and Docker give. */
static void
password_read(struct env *env, char *const *variables)
{
    enum env_origin origin;
    const char *password = value_find(env, variables, "PGPASSWORD", &origin);

    if (origin == ENV_FILE && setenv("PGPASSWORD", password, 1) != 0)
        memory_exhausted(strlen(password));
}

bool
env_read(struct env *env, char *const *arguments, char *const *variables)
{
    *env = (struct env){0};
    for (size_t i = 0; i < ENV_VARIABLES_COUNT; i++) {
        bool valid = env_rows[i].type == TYPE_PLACE ||
                     env_value_set(env, &env_rows[i], env_rows[i].standard);
        assert(valid);
    }
    env->from = env->to = env->store = "";

    unknown_find(env, variables);
    rows_read(env, variables);
    uri_check(env, "REPLICA_FROM", env->from);
    uri_check(env, "REPLICA_TO", env->to);
    password_read(env, variables);
    foreign_read(env, variables);
    command_choose(env, arguments);
    return env->mistakes.size == 0 || command_is_reference(env);
}

void
env_free(struct env *env)
{
    text_free(&env->mistakes);
    arena_free(&env->arena);
}
