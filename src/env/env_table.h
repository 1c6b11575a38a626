/* env_table - the rows of env.def, foreign.def and command.def as data, for the files of this room
 * only. */
#ifndef ENV_ENV_TABLE_H
#define ENV_ENV_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "env/env.h"

enum {
    MISTAKE_BYTES_MAX = 1024,
};

#define ENV_PREFIX "REPLICA_"

/* The names of defaults that machine.h works out. */
#define AUTO_JOBS "by CPUs, at most 8"
#define AUTO_MEMORY "half of the cgroup's limit, at most 256 MiB"

enum env_type {
    TYPE_TEXT,        /* const char * */
    TYPE_PLACE,       /* const char * */
    TYPE_COMMAND,     /* const char * */
    TYPE_YES_NO,      /* bool */
    TYPE_CHOICE,      /* an enum that counts from 0 */
    TYPE_COUNT,       /* unsigned */
    TYPE_BYTES,       /* uint64_t */
    TYPE_COMPRESSION, /* const char *, and env->compress and env->compress_level */
};

struct env_row {
    const char *name;
    enum env_type type;
    const char *standard; /* the default */
    uint64_t min, max;
    const char *choices;
    bool secret;
    const char *section, *commands, *sentence;
    size_t offset; /* of the member in struct env */
};

/* Count them. */
enum {
#define FOREIGN(member, ...) FOREIGN_##member,
#include "env/foreign.def"
#undef FOREIGN
    FOREIGN_COUNT
};

struct foreign_row {
    const char *name, *allowed;
    bool secret;
    const char *sentence;
    size_t offset; /* of the member in struct env_foreign */
};

/* What a command needs at one of its ends. */
enum command_end { END_ANY, END_POSTGRES, END_STORE, END_STDOUT, END_EITHER_STORE };

struct command_row {
    const char *name;
    enum command_end from, to;
    const char *sentence;
};

extern const struct env_row env_rows[ENV_VARIABLES_COUNT];
extern const struct foreign_row foreign_rows[FOREIGN_COUNT];
extern const struct command_row command_rows[COMMANDS_COUNT]; /* [COMMAND_NONE] is empty */

/* Add a sentence to the mistakes.  It is cut at MISTAKE_BYTES_MAX. */
void env_mistake(struct env *env, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A value as a sentence may show it: quoted, cut, without control characters and secrets. */
const char *env_shown(struct env *env, const struct env_row *row, const char *value);

/* The value of a variable, or NULL when it is not set or empty. */
const char *variable_find(char *const *variables, const char *name);

/* What a file holds, without one newline at its end.  NULL after a mistake, which names the
 * variable name_FILE. */
const char *variable_file(struct env *env, const char *name, const char *path);

/* Read the variables of foreign.def.  Only when one of the two ends is S3 are wrong ones mistakes:
 * who writes into a directory need not have his AWS_* in order. */
void foreign_read(struct env *env, char *const *variables);

/* Whether one of the two ends is S3. */
bool foreign_matters(const struct env *env);

/* The value of a row, "" when it is not set. */
const char *foreign_value(const struct env *env, const struct foreign_row *row);

/* Add what a row allows: "true or false". */
void foreign_add_allowed(const struct foreign_row *row, struct text *text);

/* The command of that name, or COMMAND_NONE. */
enum command command_find(const char *name);

/* Decide on the command by argument, REPLICA_COMMAND, or the two ends, and check the ends. */
void command_choose(struct env *env, char *const *arguments);

/* Whether what the command prints depends on no variable, so that mistakes in them don't matter. */
bool command_is_reference(const struct env *env);

/* Give a row's member the value that text stands for.
 * Returns false when it stands for none; the member is then untouched. */
bool env_value_set(struct env *env, const struct env_row *row, const char *text);

/* Add what a row allows: "yes or no", "1 to 64", "64KiB to 5GiB". */
void env_value_add_allowed(const struct env_row *row, struct text *text);

/* Add a row's present value in the form a user would write. */
void env_value_add(const struct env *env, const struct env_row *row, struct text *text);

/* Add a number of bytes exactly, in the largest unit that divides it: "256MiB", "1000". */
void env_bytes_add(uint64_t bytes, struct text *text);

/* The variable, or NAME_FILE of it, that was probably meant; NULL when none is near. */
const char *name_nearest(struct arena *arena, const char *name);

/* The command that was probably meant, or NULL. */
const char *name_nearest_command(const char *name);

/* Whether Kubernetes sets this variable for a Service called replica or replica-something. */
bool name_is_kubernetes(const char *name, const char *value);

#endif
