/* export - a dump as one SQL text on stdout, for psql or a file; no database needed.
 *
 *     pre-data.sql ─▶ statements, each looked at ┐
 *     1.sql 2.sql …   frame and rows looked at   ├─▶ stdout
 *     data.sql, post-data.sql   as pre-data      ┘
 *
 * Volumes are SQL already and pass as they lie in the store; of the schema's statements those that
 * REPLICA_OWNERS and REPLICA_PRIVILEGES do not want are left out.  All is checked as a restore
 * checks it, but what turns out to be wrong at an object's end has gone to stdout by then.  So:
 *
 * - psql is told to stop at the first error, and a failed export ends with one, in the middle of
 *   rows as anywhere: who reads a part of it can't take it for the whole.
 * - psql reads each byte as we have read it, whoever wrote the store: no row is anything to psql
 *   (rows.h), no statement leaves it in another state than we know (sql_guard.h, sql_target.h). */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "commands/commands.h"
#include "commands/open_store.h"
#include "commands/script.h"
#include "commands/worker.h"
#include "pg/sql_target.h"

enum { LAST_WORD_MS = 1000 };

static const char first_line[] = "\\set ON_ERROR_STOP on\n";

/* A row that no table takes: an end mark that is not alone on its line.  A statement that is
 * none. */
static const char last_row[] = "\n\\.replica export failed: what stands above is not whole\n";
static const char last_statement[] =
    "\nreplica export failed: what stands above is not whole;\n";

struct stdout_target {
    struct stage stage;
    struct stop *stop;
    size_t write_max;
    uint64_t written; /* of the current object */
    bool broken;      /* nothing can be written any more */
};

static enum step
stdout_step(struct stage *stage, struct source_span *source, struct target_span *target, bool last,
            struct fault *fault)
{
    struct stdout_target *out = (struct stdout_target *) stage;
    (void) target;

    if (last)
        return STEP_DONE;
    size_t size = source->size - source->used;
    if (size > out->write_max)
        size = out->write_max;
    for (;;) {
        if (stop_wait(out->stop, STDOUT_FILENO, POLLOUT, -1, fault) < 0)
            return STEP_FAILED;
        ssize_t written = write(STDOUT_FILENO, source->data + source->used, size);
        if (written > 0) {
            source->used += (size_t) written;
            out->written += (size_t) written;
            return STEP_AGAIN;
        }
        if (written < 0 && errno != EINTR && errno != EAGAIN) {
            out->broken = true;
            fault_set(fault, ERR_TARGET, "unable to write to stdout: %s", strerror(errno));
            return STEP_FAILED;
        }
    }
}

static const struct stage_ops stdout_ops = {.name = "stdout", .step = stdout_step};

/* A pipe that is ready takes PIPE_BUF bytes at once (POSIX, write()); a longer write would block
 * where the stop switch is not heard.  Nor may the pipe be made not to block: others share it. */
static struct stage *
stdout_init(struct stdout_target *out, struct stop *stop)
{
    struct stat status;
    bool file = fstat(STDOUT_FILENO, &status) == 0 && S_ISREG(status.st_mode);

    *out = (struct stdout_target){.stage.ops = &stdout_ops, .stop = stop,
                                  .write_max = file ? SIZE_MAX : PIPE_BUF};
    return &out->stage;
}

/* Write what fits at once, for who reads it may have stopped to. */
static void
stdout_say(struct stdout_target *out, const char *words)
{
    struct pollfd writable = {.fd = STDOUT_FILENO, .events = POLLOUT};

    _Static_assert(sizeof last_row <= PIPE_BUF && sizeof last_statement <= PIPE_BUF, "one write");
    if (!out->broken && poll(&writable, 1, LAST_WORD_MS) > 0)
        out->broken = write(STDOUT_FILENO, words, strlen(words)) < 0;
}

struct export {
    const struct env *env;
    struct stop *stop;
    struct store *store;
    struct arena arena;
    struct manifest manifest;
    struct memory_plan memory;
    struct worker clerk;
    struct stdout_target out;
    uint64_t rows_from; /* behind so many bytes of the current object, psql takes rows */
    struct sql_dialect dialect; /* of the server that the dump was made of */
};

static bool
keep_statement(const void *argument, const char *sql)
{
    const struct env *env = argument;
    return script_wants(env->owners, env->privileges, sql);
}

/* The way of an object, but for its middle. */
static bool
object_export(struct export *export, const struct manifest_object *object, const char *path,
              struct stage *middle, struct fault *fault)
{
    struct flow *flow = &export->clerk.flow;

    flow_begin(flow);
    flow_add(flow, store_get_init(&export->clerk.get, export->store, path, object->stored_bytes,
                                  object->sha256));
    if (strcmp(export->manifest.compression, "none") != 0)
        flow_add(flow, decompress_init(&export->clerk.decompress));
    flow_seam(flow);
    flow_add(flow, middle);
    flow_add(flow, stdout_init(&export->out, export->stop));
    return flow_run(flow, fault) || fault_because(fault, "while exporting %s", path);
}

static bool
script_export(struct export *export, const struct manifest_object *object, struct sql_guard *guard,
              struct fault *fault)
{
    struct sql_filter filter;
    char path[STORE_NAME_MAX];
    const struct sql_promise promise = {.guard = guard, .name = path,
                                        .bytes_wanted = object->plain_bytes};

    snprintf(path, sizeof path, "%s/%s", export->manifest.name, object->name);
    struct stage *middle = sql_filter_init(&filter, promise, keep_statement, export->env);
    sql_filter_for_psql(&filter);
    filter.dialect = &export->dialect;
    filter.cuts_secrets = !export->env->secrets;
    export->rows_from = UINT64_MAX;
    return object_export(export, object, path, middle, fault);
}

static bool
volume_export(struct export *export, const struct manifest_table *table,
              const struct manifest_object *volume, struct fault *fault)
{
    const struct manifest *manifest = &export->manifest;
    struct text preamble = {0};
    _Atomic uint64_t moved = 0;
    char path[STORE_NAME_MAX];
    unsigned number = 0;

    snprintf(path, sizeof path, "%s/%s", manifest->name, volume->name);
    volume_number(volume->name, object_suffix(manifest->compression), &number);
    volume_preamble(&preamble, manifest->name, manifest->encoding, table, number);
    export->rows_from = preamble.size;
    struct stage *middle = frame_check_init(&export->clerk.frame_off, &preamble, path, volume,
                                            &moved);
    bool done = object_export(export, volume, path, middle, fault);
    if (done)
        export->rows_from = UINT64_MAX;
    text_free(&preamble);
    return done;
}

static bool
table_export(struct export *export, const struct manifest_table *table, struct fault *fault)
{
    bool done = true;

    for (size_t i = 0; i < table->volumes_count && done; i++)
        done = volume_export(export, table, &table->volumes[i], fault);
    return done;
}

static bool
schema_export(struct export *export, const struct manifest_object *section, struct fault *fault)
{
    struct sql_guard guard;

    return sql_guard_init(&guard, export->manifest.encoding, false, ERR_INTEGRITY, fault) &&
           script_export(export, section, &guard, fault) && sql_guard_end(&guard, fault);
}

static bool
data_export(struct export *export, struct fault *fault)
{
    const struct manifest *manifest = &export->manifest;
    struct sql_guard guard;
    bool done = sql_guard_init(&guard, manifest->encoding, true, ERR_INTEGRITY, fault) &&
                script_export(export, &manifest->data, &guard, fault);

    for (size_t i = 0; i < manifest->more_data_count && done; i++)
        done = script_export(export, &manifest->more_data[i], &guard, fault);
    return done && sql_guard_end(&guard, fault);
}

static bool
export_walk(struct export *export, struct fault *fault)
{
    const struct manifest *manifest = &export->manifest;
    size_t late_count;
    const struct manifest_table **late = manifest_late(&export->arena, manifest, &late_count);

    stdout_say(&export->out, first_line);
    bool done = schema_export(export, &manifest->pre_data, fault);
    for (size_t i = 0; i < manifest->tables_count && done; i++)
        done = manifest->tables[i].late > 0 || table_export(export, &manifest->tables[i], fault);
    for (size_t i = 0; i < late_count && done; i++)
        done = table_export(export, late[i], fault);
    return done && data_export(export, fault) && schema_export(export, &manifest->post_data, fault);
}

/* Who will read the text is not known here: it is for the version that the dump was made of, which
 * newer ones understand, too. */
static int
server_version(const struct manifest *manifest)
{
    long major = strtol(manifest->server_version, NULL, 10);
    return (major > 0 && major < SQL_DIALECT_NEWEST ? (int) major : SQL_DIALECT_NEWEST) * 10000;
}

bool
export_run(const struct env *env, struct stop *stop, struct fault *fault)
{
    struct export export = {.env = env, .stop = stop, .rows_from = UINT64_MAX};
    struct crew crew = {.env = env, .memory = &export.memory, .stop = stop};

    export.store = open_store(env, env->from, false, stop, fault);
    bool done = export.store != NULL &&
                manifest_read(export.store, env->dump, &export.arena, &export.manifest, fault) &&
                memory_for_manifest(env, MEMORY_EXPORT, &export.manifest, &export.memory, fault);
    if (done) {
        memory_log(&export.memory, LOG_INFO);
        sql_dialect_init(&export.dialect, server_version(&export.manifest));
        worker_open(&export.clerk, &crew);
        done = export_walk(&export, fault);
        worker_close(&export.clerk);
        sql_dialect_free(&export.dialect);
    }
    if (!done)
        stdout_say(&export.out, export.out.written >= export.rows_from ? last_row : last_statement);
    if (done)
        log_info("exported %s: %llu row%s", export.manifest.name,
                 (unsigned long long) export.manifest.rows, text_plural(export.manifest.rows));
    if (export.store != NULL)
        store_close(export.store);
    arena_free(&export.arena);
    return done;
}
