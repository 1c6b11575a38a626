/* restore - a dump out of the store into an empty database.
 *
 *     store         manifest  pre-data.sql   1.sql 2.sql …      data.sql   post-data.sql
 *     destination   empty?    CREATE …       COPY, by workers   setval …   indexes, keys, …  count
 *
 * The first statement, row or checksum that fails ends it.  A volume's rows become visible only
 * once its checksum was right. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "commands/commands.h"
#include "commands/open_store.h"
#include "commands/restore.h"

struct volume_job {
    const struct manifest_table *table;
    const struct manifest_object *volume;
    unsigned number; /* in the dump */
};

bool
restore_connect(struct restore *restore, struct pg_session *conn, struct fault *fault)
{
    if (!pg_open(conn, restore->env->to, ERR_TARGET, restore->stop, fault))
        return false;

    /* SQL_ASCII means bytes of any kind, which the server would take unchecked: let it check them
     * against its own encoding. */
    bool any = strcmp(restore->manifest.encoding, "SQL_ASCII") == 0;
    struct text sql = {0};
    text_addf(&sql, "SET client_encoding = '%s'",
              any ? pg_encoding(conn) : restore->manifest.encoding);
    bool done = pg_run(conn, "use the encoding of the dump", text_of(&sql), fault);
    text_free(&sql);
    return done;
}

static bool
worker_connect(struct worker *worker, struct fault *fault)
{
    return restore_connect(worker->crew->command, &worker->conn, fault);
}

/* The way of a volume through a restore: dump.c's corridor walked back. */
static bool
volume_restore(struct worker *worker, const struct volume_job *job, const struct text *preamble,
               struct fault *fault)
{
    struct restore *restore = worker->crew->command;
    const struct manifest_object *volume = job->volume;
    struct flow *flow = &worker->flow;
    char path[STORE_NAME_MAX];

    snprintf(path, sizeof path, "%s/%s", restore->manifest.name, volume->name);
    flow_begin(flow);
    flow_add(flow, store_get_init(&worker->get, restore->store, path, volume->stored_bytes,
                                  volume->sha256));
    flow_seam(flow);
    if (strcmp(restore->manifest.compression, "none") != 0)
        flow_add(flow, decompress_init(&worker->decompress));
    flow_add(flow, frame_off_init(&worker->frame_off, preamble, path, volume->plain_bytes,
                                  &restore->progress.plain_bytes));
    flow_seam(flow);
    flow_add(flow, copy_in_init(&worker->copy_in));
    if (!flow_run(flow, fault))
        return false;
    if (worker->copy_in.rows != volume->rows)
        return fault_set(fault, ERR_INTEGRITY,
                         "the destination took %llu rows of %s, the manifest says %llu",
                         (unsigned long long) worker->copy_in.rows, path,
                         (unsigned long long) volume->rows);
    progress_add_rows(&restore->progress, volume->rows);
    progress_add_stored(&restore->progress, volume->stored_bytes);
    return true;
}

static bool
volume_job(struct worker *worker, size_t index, struct fault *fault)
{
    struct restore *restore = worker->crew->command;
    const struct volume_job *job = &restore->queue[index];
    struct text sql = {0}, doing = {0}, preamble = {0};

    text_addf(&doing, "load %s into ", job->volume->name);
    text_add_name_pair(&doing, job->table->schema, job->table->name);
    volume_copy(&sql, job->table);
    volume_preamble(&preamble, restore->manifest.name, restore->manifest.encoding, job->table,
                    job->number);
    bool done = copy_in_begin(&worker->copy_in, &worker->conn, text_of(&doing), text_of(&sql),
                              fault) &&
                volume_restore(worker, job, &preamble, fault);
    if (done && job->volume == &job->table->volumes[job->table->volumes_count - 1])
        progress_add_table(&restore->progress);
    if (!done)
        fault_because(fault, "while restoring %s.%s from %s/%s", job->table->schema,
                      job->table->name, restore->manifest.name, job->volume->name);
    text_free(&preamble);
    text_free(&doing);
    text_free(&sql);
    return done;
}

static int
by_size(const void *left, const void *right)
{
    const struct volume_job *a = left, *b = right;
    if (a->table != b->table && a->table->rows != b->table->rows)
        return (a->table->rows < b->table->rows) - (a->table->rows > b->table->rows);
    return (a->number > b->number) - (a->number < b->number);
}

static bool
plan_volumes(struct restore *restore, size_t *tables, struct fault *fault)
{
    const struct manifest *manifest = &restore->manifest;
    size_t volumes = 0;

    *tables = 0;
    for (size_t i = 0; i < manifest->tables_count; i++)
        volumes += manifest->tables[i].volumes_count;
    restore->queue = arena_array(&restore->arena, volumes, sizeof *restore->queue);
    for (size_t i = 0; i < manifest->tables_count; i++) {
        const struct manifest_table *table = &manifest->tables[i];
        *tables += table->volumes_count > 0;
        for (size_t j = 0; j < table->volumes_count; j++) {
            struct volume_job *job = &restore->queue[restore->queue_count++];
            *job = (struct volume_job){.table = table, .volume = &table->volumes[j]};
            if (!volume_number(job->volume->name, object_suffix(manifest->compression),
                               &job->number))
                return fault_set(fault, ERR_INTEGRITY, "%s is no volume's name", job->volume->name);
        }
    }
    qsort(restore->queue, restore->queue_count, sizeof *restore->queue, by_size);
    return true;
}

/* The pieces are one text: a transaction may begin in one and end in the next. */
static bool
data_restore(struct restore *restore, struct fault *fault)
{
    const struct manifest *manifest = &restore->manifest;
    bool done = restore_sql(restore, &manifest->data, false, fault);

    for (size_t i = 0; i < manifest->more_data_count && done; i++)
        done = restore_sql(restore, &manifest->more_data[i], false, fault);
    return done;
}

static bool
restore_walk(struct restore *restore, struct fault *fault)
{
    const struct manifest *manifest = &restore->manifest;
    struct crew crew = {.env = restore->env, .stop = restore->stop, .command = restore,
                        .jobs_count = restore->queue_count, .begin = worker_connect,
                        .job = volume_job};

    return restore_empty(restore, fault) &&
           restore_sql(restore, &manifest->pre_data, false, fault) &&
           crew_run(&crew, restore->workers, fault) && data_restore(restore, fault) &&
           restore_sql(restore, &manifest->post_data, true, fault) && restore_check(restore, fault);
}

static void
restore_report(const struct restore *restore, uint64_t begun_ms)
{
    const struct manifest *manifest = &restore->manifest;
    uint64_t ms = clock_ms() - begun_ms;
    char plain[16], rate[16], duration[32];

    log_info("restored %s into %s: %zu tables, %llu rows counted, %s, %s, %s/s", manifest->name,
             PQdb(restore->conn.pq), manifest->tables_count, (unsigned long long) manifest->rows,
             text_bytes(plain, manifest->plain_bytes), clock_duration(duration, ms),
             text_bytes(rate, manifest->plain_bytes * 1000 / (ms + 1)));
}

static bool
restore_command(struct restore *restore, struct fault *fault)
{
    uint64_t begun_ms = clock_ms();
    size_t tables;

    restore->store = open_store(restore->env, restore->env->from, false, restore->stop, fault);
    if (restore->store == NULL ||
        !manifest_read(restore->store, restore->env->dump, &restore->arena, &restore->manifest,
                       fault) ||
        !plan_volumes(restore, &tables, fault) ||
        !crew_size(restore->env, false, &restore->workers, fault) ||
        !restore_connect(restore, &restore->conn, fault))
        return false;
    log_info("restoring %s (%s, PostgreSQL %s, %s) into %s (PostgreSQL %s)", restore->manifest.name,
             restore->manifest.database, restore->manifest.server_version,
             restore->manifest.encoding, PQdb(restore->conn.pq), pg_version_text(&restore->conn));
    progress_begin(&restore->progress, "restore", tables, restore->manifest.plain_bytes,
                   restore->env->progress);
    bool done = restore_walk(restore, fault);
    progress_end(&restore->progress);
    if (done)
        restore_report(restore, begun_ms);
    return done;
}

bool
restore_run(const struct env *env, struct stop *stop, struct fault *fault)
{
    struct restore restore = {.env = env, .stop = stop};
    bool done = restore_command(&restore, fault);

    pg_close(&restore.conn);
    if (restore.store != NULL)
        store_close(restore.store);
    arena_free(&restore.arena);
    return done;
}
