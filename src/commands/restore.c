/* restore - a dump out of the store into an empty database.
 *
 *     store         manifest  pre-data.sql   1.sql 2.sql …      data.sql   post-data.sql
 *     destination   empty?    CREATE …       COPY, by workers   setval …   indexes, keys, …  count
 *                                                                               event triggers
 *
 * The first statement, row or checksum that fails ends it.  A volume's rows become visible only
 * once its checksum was right. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "commands/commands.h"
#include "commands/open_store.h"
#include "commands/restore.h"

/* SQL_ASCII means bytes of any kind, which the server would take unchecked: let it check them
 * against its own encoding. */
bool
restore_encoding(struct restore *restore, struct pg_session *conn, struct fault *fault)
{
    bool any = strcmp(restore->manifest.encoding, "SQL_ASCII") == 0;
    struct text sql = {0};
    text_addf(&sql, "SET client_encoding = '%s'",
              any ? pg_encoding(conn) : restore->manifest.encoding);
    if (restore->manifest.lc_monetary != NULL)
        text_addf(&sql, "; SET lc_monetary = '%s'", restore->manifest.lc_monetary);
    bool done = pg_run(conn, "use the encoding and the locale of the dump", text_of(&sql), fault);
    text_free(&sql);
    return done;
}

bool
restore_connect(struct restore *restore, struct pg_session *conn, struct fault *fault)
{
    bool first = conn == &restore->conn;
    if (first && !pg_open(conn, restore->env->to, ERR_TARGET, restore->stop, fault))
        return false;
    if (!first && !pg_open_beside(conn, restore->env->to, &restore->conn, fault))
        return false;
    if (first)
        sql_dialect_init(&restore->dialect, conn->server_version);
    return restore_encoding(restore, conn, fault);
}

static bool
worker_connect(struct worker *worker, struct fault *fault)
{
    return restore_connect(worker->crew->command, &worker->conn, fault);
}

/* The way of a volume through a restore: dump.c's corridor walked back. */
static bool
volume_walk(struct worker *worker, const struct manifest_object *volume, const char *path,
            const struct text *preamble, struct fault *fault)
{
    struct restore *restore = worker->crew->command;
    struct flow *flow = &worker->flow;
    bool seams = volume->plain_bytes >= SEAMS_FROM_BYTES;

    flow_begin(flow);
    flow_add(flow, store_get_init(&worker->get, restore->store, path, volume->stored_bytes,
                                  volume->sha256));
    if (seams)
        flow_seam(flow);
    if (strcmp(restore->manifest.compression, "none") != 0)
        flow_add(flow, decompress_init(&worker->decompress));
    flow_add(flow, frame_off_init(&worker->frame_off, preamble, path, volume,
                                  &restore->progress.plain_bytes));
    if (seams)
        flow_seam(flow);
    worker->copy_in.hears_out = true;
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
volume_load(struct worker *worker, const struct load *load, const struct manifest_object *volume,
            bool frozen, struct fault *fault)
{
    struct restore *restore = worker->crew->command;
    const struct manifest *manifest = &restore->manifest;
    const struct manifest_table *table = load->table;
    struct text sql = {0}, doing = {0}, preamble = {0};
    char path[STORE_NAME_MAX];
    unsigned number = 0;

    snprintf(path, sizeof path, "%s/%s", manifest->name, volume->name);
    text_addf(&doing, "load %s into ", volume->name);
    text_add_name_pair(&doing, table->schema, table->name);
    restore_copy_statement(&sql, table, (struct load_way){.frozen = frozen},
                           volume == load->volumes);
    volume_number(volume->name, object_suffix(manifest->compression), &number);
    volume_preamble(&preamble, manifest->name, manifest->encoding, table, number);
    bool done = copy_in_begin(&worker->copy_in, &worker->conn, text_of(&doing), text_of(&sql),
                              fault) &&
                volume_walk(worker, volume, path, &preamble, fault);
    if (!done)
        fault_because(fault, "while restoring %s.%s from %s", table->schema, table->name, path);
    text_free(&preamble);
    text_free(&doing);
    text_free(&sql);
    return done;
}

/* The rows of a frozen load become visible together, once the last checksum was right. */
static bool
load_job(struct worker *worker, size_t index, struct fault *fault)
{
    struct restore *restore = worker->crew->command;
    const struct load *load = &restore->queue[index];
    uint64_t bytes = 0;
    bool done = true;

    for (size_t i = 0; i < load->volumes_count; i++)
        bytes += load->volumes[i].plain_bytes;
    bool frozen = load->whole && restore_freezes(restore, load->table, bytes);
    for (size_t i = 0; i < load->volumes_count && done; i++)
        done = volume_load(worker, load, &load->volumes[i], frozen, fault);
    if (done && frozen)
        done = pg_run(&worker->conn, "commit the rows of a table", "COMMIT", fault) ||
               fault_because(fault, "while restoring %s.%s", load->table->schema,
                             load->table->name);
    if (done && load->last)
        progress_add_table(&restore->progress);
    return done;
}

/* The pieces are one text: a transaction may begin in one and end in the next. */
static bool
data_restore(struct restore *restore, struct fault *fault)
{
    const struct manifest *manifest = &restore->manifest;
    struct sql_guard guard;
    bool done = sql_guard_init(&guard, manifest->encoding, true, ERR_INTEGRITY, fault) &&
                restore_sql(restore, &manifest->data, false, &guard, fault);

    for (size_t i = 0; i < manifest->more_data_count && done; i++)
        done = restore_sql(restore, &manifest->more_data[i], false, &guard, fault);
    return done && restore_sql_end(restore, &guard, fault);
}

static bool
schema_restore(struct restore *restore, const struct manifest_object *section, bool parallel,
               struct fault *fault)
{
    struct sql_guard guard;

    return sql_guard_init(&guard, restore->manifest.encoding, false, ERR_INTEGRITY, fault) &&
           restore_sql(restore, section, parallel, &guard, fault) &&
           restore_sql_end(restore, &guard, fault);
}

/* Late tables come when all others are there, and by one connection. */
static bool
rows_restore(struct restore *restore, struct fault *fault)
{
    struct crew crew = {.env = restore->env, .memory = &restore->memory, .stop = restore->stop,
                        .command = restore, .jobs_count = restore->early,
                        .begin = worker_connect, .job = load_job};
    struct crew alone = crew;

    alone.next = restore->early;
    alone.jobs_count = restore->queue_count;
    return crew_run(&crew, restore->workers, fault) &&
           (restore->early == restore->queue_count || crew_run(&alone, 1, fault));
}

static bool
restore_walk(struct restore *restore, struct fault *fault)
{
    const struct manifest *manifest = &restore->manifest;

    return restore_look(restore, fault) && restore_empty(restore, fault) &&
           schema_restore(restore, &manifest->pre_data, false, fault) &&
           restore_thaws(restore, fault) && rows_restore(restore, fault) &&
           data_restore(restore, fault) &&
           schema_restore(restore, &manifest->post_data, true, fault) &&
           restore_check(restore, fault) && restore_last(restore, fault);
}

static void
restore_report(const struct restore *restore, uint64_t begun_ms)
{
    const struct manifest *manifest = &restore->manifest;
    uint64_t ms = clock_ms() - begun_ms;
    char plain[16], rate[16], duration[32];

    log_info("restored %s into %s: %zu table%s, %llu row%s counted, %s, %s, %s/s", manifest->name,
             PQdb(restore->conn.pq), manifest->tables_count, text_plural(manifest->tables_count),
             (unsigned long long) manifest->rows, text_plural(manifest->rows),
             text_bytes(plain, manifest->plain_bytes), clock_duration(duration, ms),
             text_bytes(rate, manifest->plain_bytes * 1000 / (ms + 1)));
}

static bool
restore_command(struct restore *restore, struct fault *fault)
{
    uint64_t begun_ms = clock_ms();

    restore->store = open_store(restore->env, restore->env->from, false, restore->stop, fault);
    if (restore->store == NULL ||
        !manifest_read(restore->store, restore->env->dump, &restore->arena, &restore->manifest,
                       fault) ||
        !memory_for_manifest(restore->env, MEMORY_RESTORE, &restore->manifest, &restore->memory,
                             fault))
        return false;
    struct sql_guard guard;
    if (!sql_guard_init(&guard, restore->manifest.encoding, false, ERR_INTEGRITY, fault))
        return false;
    memory_log(&restore->memory, LOG_INFO);
    restore->workers = restore->memory.jobs;
    size_t tables = restore_plan(restore);
    if (!restore_connect(restore, &restore->conn, fault) || !restore_claim(restore, fault))
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
    text_free(&restore.last);
    sql_dialect_free(&restore.dialect);
    if (restore.store != NULL)
        store_close(restore.store);
    arena_free(&restore.arena);
    return done;
}
