/* env - everything that a user can say, read once from the environment.
 *
 *     env.def ──────┬── env.c         the walk: values, files, mistakes
 *                   ├── env_value.c   REPLICA_JOBS=4  -> env.jobs
 *                   ├── name.c        REPLICA_JBOS=4  -> "did you mean REPLICA_JOBS?"
 *                   └── env_print.c   -> env, help, docs/configuration.md
 *     command.def ───── command.c     which command, and is what it needs at its two ends
 *     foreign.def ───── env_foreign.c AWS_REGION=eu-1  -> env.foreign.region
 *
 * There are no configuration files and no flags.  Each variable X may be given as X_FILE, the path
 * of a file that holds the value.  All mistakes are collected, none is the first one, and a
 * variable of ours that does not exist is a mistake, too: a misspelt REPLICA_TRANSFORM must not
 * become a dump in the clear.
 *
 * Life:   env_read; then the struct is read-only; env_free.  Every text lives as long as the
 *         struct and is never NULL: what is not set is "".
 * Limits: a value from a file has at most ENV_FILE_BYTES_MAX bytes.
 * Threads: env_read before any other thread starts, since it may set PGPASSWORD; then any. */
#ifndef ENV_ENV_H
#define ENV_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/text.h"

enum { ENV_FILE_BYTES_MAX = 1024 * 1024 };

/* What a URL in REPLICA_FROM or REPLICA_TO points at. */
enum place {
    PLACE_NONE,     /* not set */
    PLACE_POSTGRES, /* postgres://, postgresql://, or postgres: for the PG* variables alone */
    PLACE_DIR,      /* file:///dir, a store */
    PLACE_STDOUT,   /* stdout: */
    PLACE_S3,       /* s3://bucket/prefix, a store */
    PLACE_UNKNOWN,
};

enum command {
    COMMAND_NONE,
#define COMMAND(code, name, run, from, to, sentence) code,
#include "env/command.def"
#undef COMMAND
    COMMANDS_COUNT
};

enum progress_mode { PROGRESS_AUTO, PROGRESS_YES, PROGRESS_NO };

/* REPLICA_LARGE_OBJECTS. */
enum env_large_objects { ENV_LARGE_AUTO, ENV_LARGE_YES, ENV_LARGE_NO };

/* REPLICA_S3_PATH_STYLE and REPLICA_S3_SSE. */
enum env_path_style { ENV_STYLE_AUTO, ENV_STYLE_PATH, ENV_STYLE_HOST };
enum env_sse { ENV_SSE_AUTO, ENV_SSE_AES256, ENV_SSE_KMS, ENV_SSE_KMS_DSSE };

/* Where a value comes from.  ENV_WRONG: what was given is a mistake, so the default stands. */
enum env_origin { ENV_DEFAULT, ENV_GIVEN, ENV_FILE, ENV_WRONG };

enum env_variable {
#define VAR(member, ...) ENV_VARIABLE_##member,
#include "env/env.def"
#undef VAR
    ENV_VARIABLES_COUNT
};

/* What others' variables say, as it was given.  A *_file is a path. */
struct env_foreign {
#define FOREIGN(member, ...) const char *member;
#include "env/foreign.def"
#undef FOREIGN
};

struct env {
    enum command command;  /* never COMMAND_NONE once read without mistakes */
    const char *from, *to; /* as given: may hold a password, so print env_place_safe() of it */
    const char *store;     /* the one of the two that is the command's store, or "" */
    const char *tables, *skip_tables, *skip_data; /* patterns; see pg/pattern.h */
    enum env_large_objects large_objects;
    const char *transform;                        /* rules; see transform/transform.h */
    const char *dump;                             /* "latest" or a dump's name */
    bool compress;
    int compress_level; /* of zstd, -5 .. 19 */
    enum env_path_style s3_path_style;
    enum env_sse s3_sse;
    const char *s3_kms_key, *s3_storage_class;
    struct env_foreign foreign;
    bool clean, owners, privileges, secrets;
    unsigned jobs; /* 1 .. 64 */
    uint64_t memory_bytes;
    uint64_t volume_bytes;
    enum log_format log_format;
    enum log_level log_level;
    enum progress_mode progress;

    bool markdown;             /* `env --markdown` */
    const char *compression;   /* REPLICA_COMPRESS as text: "none", "zstd:3" */
    const char *command_given; /* REPLICA_COMMAND as text, or "" */
    struct text mistakes;      /* one sentence a line */
    enum env_origin origins[ENV_VARIABLES_COUNT];
    struct arena arena; /* holds every text above */
};

/* Read everything.
 * arguments  what stands behind the program's name in argv, ended by NULL.
 * variables  the environment, "NAME=value" each, ended by NULL; it must outlive env.
 * Returns false when env->mistakes holds something and the command is not one that only prints a
 * reference (help, version, transformers, env --markdown).  It is not a struct fault, because a
 * fault is one sentence and here all of them count; the kind would be ERR_CONFIG.  What could not
 * be read has its default, so env->log_format holds in any case.
 * PGPASSWORD_FILE, when given, becomes PGPASSWORD in the process's own environment, for libpq. */
bool env_read(struct env *env, char *const *arguments, char *const *variables);
void env_free(struct env *env);

/* The value of a variable that is not ours (PGHOST, ...), or NULL. */
const char *env_foreign(const char *name);

/* What kind of place a URL is.  "" is PLACE_NONE. */
enum place env_place(const char *url);

/* Whether dumps can lie there. */
bool env_place_is_store(enum place place);

/* A form of the URL that may be printed: without password, secret parameters, or control
 * characters.  When it is in doubt what a piece is, the piece is left out. */
const char *env_place_safe(struct arena *arena, const char *url);

/* The name of a command, as the user writes it; "" for COMMAND_NONE. */
const char *env_command_name(enum command command);

/* Add the effective values to a text, one variable a line, secrets left out. */
void env_add_values(const struct env *env, struct text *text);

/* Add one more line in the same form, for a variable that is not ours. */
void env_add_value(const char *name, const char *value, struct text *text);

/* Add what `replica help` prints. */
void env_add_help(struct text *text);

/* Add docs/configuration.md.  It depends on the tables alone, not on machine or environment. */
void env_add_markdown(struct text *text);

#endif
