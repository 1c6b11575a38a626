/* export - a dump as one SQL text on stdout, for psql or a file; no database needed.
 *
 *     pre-data.sql ─▶ statements ┐
 *     1.sql 2.sql …  as they are ├─▶ stdout
 *     data.sql, post-data.sql   ─┘
 *
 * Volumes are SQL already and pass as they lie in the store, each checked against the manifest; of
 * the schema's statements those that REPLICA_OWNERS and REPLICA_PRIVILEGES do not want are left
 * out. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "commands/commands.h"
#include "commands/open_store.h"
#include "commands/script.h"
#include "commands/worker.h"
#include "pg/sql_target.h"

struct stdout_target {
    struct stage stage;
    struct stop *stop;
    size_t write_max;
};

static enum step
stdout_step(struct stage *stage, struct source_span *source, struct target_span *target, bool last,
            struct fault *fault)
{
    const struct stdout_target *out = (struct stdout_target *) stage;
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
            return STEP_AGAIN;
        }
        if (written < 0 && errno != EINTR && errno != EAGAIN) {
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

struct export {
    const struct env *env;
    struct stop *stop;
    struct store *store;
    struct arena arena;
    struct manifest manifest;
    struct memory_plan memory;
    struct worker clerk;
};

static bool
keep_statement(const void *argument, const char *sql)
{
    const struct env *env = argument;
    return script_wants(env->owners, env->privileges, sql);
}

static bool
object_export(struct export *export, const struct manifest_object *object, bool statements,
              struct fault *fault)
{
    struct flow *flow = &export->clerk.flow;
    struct sql_filter filter;
    struct stdout_target out;
    char path[STORE_NAME_MAX];

    snprintf(path, sizeof path, "%s/%s", export->manifest.name, object->name);
    flow_begin(flow);
    flow_add(flow, store_get_init(&export->clerk.get, export->store, path, object->stored_bytes,
                                  object->sha256));
    if (strcmp(export->manifest.compression, "none") != 0)
        flow_add(flow, decompress_init(&export->clerk.decompress));
    flow_seam(flow);
    if (statements)
        flow_add(flow, sql_filter_init(&filter, keep_statement, export->env));
    flow_add(flow, stdout_init(&out, export->stop));
    return flow_run(flow, fault) || fault_because(fault, "while exporting %s", path);
}

static bool
table_export(struct export *export, const struct manifest_table *table, struct fault *fault)
{
    bool done = true;

    for (size_t i = 0; i < table->volumes_count && done; i++)
        done = object_export(export, &table->volumes[i], false, fault);
    return done;
}

static bool
export_walk(struct export *export, struct fault *fault)
{
    const struct manifest *manifest = &export->manifest;
    size_t late_count;
    const struct manifest_table **late = manifest_late(&export->arena, manifest, &late_count);
    bool done = object_export(export, &manifest->pre_data, true, fault);

    for (size_t i = 0; i < manifest->tables_count && done; i++)
        done = manifest->tables[i].late > 0 || table_export(export, &manifest->tables[i], fault);
    for (size_t i = 0; i < late_count && done; i++)
        done = table_export(export, late[i], fault);
    done = done && object_export(export, &manifest->data, true, fault);
    for (size_t i = 0; i < manifest->more_data_count && done; i++)
        done = object_export(export, &manifest->more_data[i], true, fault);
    return done && object_export(export, &manifest->post_data, true, fault);
}

bool
export_run(const struct env *env, struct stop *stop, struct fault *fault)
{
    struct export export = {.env = env, .stop = stop};
    struct crew crew = {.env = env, .memory = &export.memory, .stop = stop};

    export.store = open_store(env, env->from, false, stop, fault);
    bool done = export.store != NULL &&
                manifest_read(export.store, env->dump, &export.arena, &export.manifest, fault) &&
                memory_for_manifest(env, MEMORY_EXPORT, &export.manifest, &export.memory, fault);
    if (done) {
        memory_log(&export.memory, LOG_INFO);
        worker_open(&export.clerk, &crew);
        done = export_walk(&export, fault);
        worker_close(&export.clerk);
    }
    if (done)
        log_info("exported %s: %llu rows", export.manifest.name,
                 (unsigned long long) export.manifest.rows);
    if (export.store != NULL)
        store_close(export.store);
    arena_free(&export.arena);
    return done;
}
