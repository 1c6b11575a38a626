/* dump - a database, or a chosen part of it, into the store.
 *
 *     leader   begin ── export snapshot ── read catalog ── bind rules ───────────────── commit
 *     workers                                               pg_dump's three sections, tables, …
 *     store                                   pre-data.sql 1.sql data.sql 2.sql …  manifest.json
 *
 * Everything that can be wrong with the configuration, the rights or the rules fails before the
 * first object.  The dump exists from the moment its manifest does. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "commands/commands.h"
#include "commands/dump.h"
#include "commands/open_store.h"
#include "pg/sql_source.h"

/* The way of a volume through a dump.  Restore is the same corridor walked back. */
static bool
volume_dump(struct worker *worker, struct dump *dump, const struct dump_piece *piece,
            const struct text *preamble, struct manifest_object *volume, struct fault *fault)
{
    const struct table_masks *masks = piece->masks;
    struct flow *flow = &worker->flow;
    bool seams = piece->table->bytes >= SEAMS_FROM_BYTES;
    char path[STORE_NAME_MAX];
    snprintf(path, sizeof path, "%s/%s", dump->manifest.name, volume->name);
    struct stage *put = store_put_init(&worker->put, dump->store, path);

    flow_begin(flow);
    flow_add(flow, copy_out_init(&worker->copy_out, &worker->put.bytes, dump->env->volume_bytes));
    if (seams)
        flow_seam(flow);
    if (masks->ruled_count > 0)
        flow_add(flow, transform_init(&worker->transform, masks));
    flow_add(flow, frame_on_init(&worker->frame_on, preamble, &dump->progress.plain_bytes));
    if (dump->env->compress)
        flow_add(flow, compress_init(&worker->compress));
    if (seams)
        flow_seam(flow);
    flow_add(flow, put);
    if (!flow_run(flow, fault))
        return false;

    volume->rows = worker->copy_out.rows;
    volume->plain_bytes = worker->frame_on.bytes;
    volume->stored_bytes = worker->put.bytes;
    memcpy(volume->sha256, worker->put.digest, sizeof volume->sha256);
    progress_add_stored(&dump->progress, volume->stored_bytes);
    return true;
}

/* The piece's next volume, in an array that doubles. */
static struct manifest_object *
volume_add(struct dump *dump, struct dump_piece *piece, unsigned number)
{
    char name[VOLUME_NAME_MAX];

    volume_name(name, number, dump->suffix);
    pthread_mutex_lock(&dump->lock);
    piece->volumes = arena_grow(&dump->arena, piece->volumes, piece->volumes_count,
                                sizeof *piece->volumes);
    struct manifest_object *volume = &piece->volumes[piece->volumes_count++];
    volume->name = arena_text(&dump->arena, name);
    pthread_mutex_unlock(&dump->lock);
    return volume;
}

static bool
volumes_dump(struct worker *worker, struct dump *dump, struct dump_piece *piece, const char *doing,
             struct fault *fault)
{
    for (;;) {
        bool more;
        if (!copy_out_next(&worker->copy_out, doing, &more, fault))
            return false;
        if (!more)
            return true;
        unsigned number = atomic_fetch_add(&dump->volumes, 1) + 1;
        struct manifest_object *volume = volume_add(dump, piece, number);
        struct text preamble = {0};
        volume_preamble(&preamble, dump->manifest.name, dump->manifest.encoding, piece->entry,
                        number);
        bool done = volume_dump(worker, dump, piece, &preamble, volume, fault);
        text_free(&preamble);
        if (!done)
            return false;
        piece->rows += volume->rows;
    }
}

static bool
piece_dump(struct worker *worker, struct dump *dump, struct dump_piece *piece, struct fault *fault)
{
    struct text doing = {0};
    bool done = dump_piece_begin(dump, worker, piece, false, &doing, fault) &&
                volumes_dump(worker, dump, piece, text_of(&doing), fault);

    if (done)
        dump_piece_end(dump, piece);
    else
        fault_because(fault, "while dumping %s.%s", piece->table->schema, piece->table->name);
    text_free(&doing);
    return done;
}

/* The way of the schema's text: pg_dump, as a child, in place of COPY. */
static bool
script_dump(struct worker *worker, struct dump *dump, struct sql_source *sql, uint64_t bytes_max,
            const char *name, struct manifest_object *object, struct fault *fault)
{
    struct flow *flow = &worker->flow;

    object->name = name;
    char *path = arena_print(&dump->scripts, "%s/%s", dump->manifest.name, name);
    struct stage *put = store_put_init(&worker->put, dump->store, path);
    flow_begin(flow);
    flow_add(flow, sql_source_init(sql, &worker->put.bytes, bytes_max));
    if (dump->env->compress) {
        flow_seam(flow);
        flow_add(flow, compress_init(&worker->compress));
    }
    flow_seam(flow);
    flow_add(flow, put);
    if (!flow_run(flow, fault))
        return fault_because(fault, "while dumping %s", name);

    if (sql->filter.longest > dump->manifest.longest_statement)
        dump->manifest.longest_statement = sql->filter.longest;
    object->plain_bytes = sql->bytes;
    object->stored_bytes = worker->put.bytes;
    memcpy(object->sha256, worker->put.digest, sizeof object->sha256);
    return true;
}

/* The next piece of the data script, in an array that doubles. */
static struct manifest_object *
piece_add(struct dump *dump, const char **name)
{
    struct manifest *manifest = &dump->manifest;
    size_t count = manifest->more_data_count;
    char text[VOLUME_NAME_MAX];

    manifest->more_data = arena_grow(&dump->scripts, manifest->more_data, count,
                                     sizeof *manifest->more_data);
    manifest->more_data_count++;
    *name = arena_text(&dump->scripts, data_piece_name(text, (unsigned) count + 2, dump->suffix));
    return &manifest->more_data[count];
}

static bool
section_dump(struct worker *worker, struct dump *dump, const char *file, uint64_t bytes_max,
             struct manifest_object *object, struct fault *fault)
{
    const char *name = arena_print(&dump->scripts, "%s.sql%s", file, dump->suffix);
    bool transactions = strcmp(file, "data") == 0;
    struct sql_dialect dialect;
    struct sql_source sql;
    struct sql_guard guard;

    if (!sql_guard_init(&guard, dump->manifest.encoding, transactions, ERR_SOURCE, fault))
        return false;
    sql_dialect_init_stored(&dialect, dump->leader.server_version);
    sql_source_open(&sql, pg_dump_section(&dump->pg_dump), &guard, dump_keep_statement,
                    &dump->catalog);
    sql.filter.dialect = &dialect;
    sql.filter.cuts_secrets = !dump->env->secrets;
    bool done = script_dump(worker, dump, &sql, bytes_max, name, object, fault);
    while (done && sql.more) {
        object = piece_add(dump, &name);
        done = script_dump(worker, dump, &sql, bytes_max, name, object, fault);
    }
    sql_source_close(&sql);
    sql_dialect_free(&dialect);
    return done && sql_guard_end(&guard, fault);
}

/* The schema's text needs none of the rows, so it is written while they are copied.  pg_dump has
 * read all of it before it writes the first line.  Only large objects have no limit of their
 * own. */
static bool
scripts_dump(struct worker *worker, struct dump *dump, struct fault *fault)
{
    struct manifest *manifest = &dump->manifest;

    return section_dump(worker, dump, "pre-data", UINT64_MAX, &manifest->pre_data, fault) &&
           dump_check_names(dump, HOLD_SCRIPTS, fault) &&
           section_dump(worker, dump, "data", dump->env->volume_bytes, &manifest->data, fault) &&
           section_dump(worker, dump, "post-data", UINT64_MAX, &manifest->post_data, fault);
}

static bool
worker_join(struct worker *worker, struct fault *fault)
{
    return dump_join(worker->crew->command, worker, fault);
}

/* What it has opened by names it still holds, so nobody can have dropped what stood in between. */
static bool
worker_part(struct worker *worker, struct fault *fault)
{
    return dump_check_names(worker->crew->command, HOLD_NAMES, fault);
}

static bool
dump_job(struct worker *worker, size_t index, struct fault *fault)
{
    struct dump *dump = worker->crew->command;

    return index == 0 ? scripts_dump(worker, dump, fault)
                      : piece_dump(worker, dump, &dump->queue[index - 1], fault);
}

/* What killed runs left is no reason to fail: the next run tries again. */
static void
dump_sweep(struct dump *dump)
{
    struct fault fault = {0};

    if (!dump->store->ops->sweep(dump->store, &fault) && fault.err != ERR_STOPPED)
        log_warning("unable to clear away what other runs may have left: %s", fault.text);
}

static bool
dump_begin(struct dump *dump, struct fault *fault)
{
    struct manifest *manifest = &dump->manifest;

    dump->store = open_store(dump->env, dump->env->to, true, dump->stop, fault);
    if (dump->store != NULL)
        dump->store->limits = dump->memory.store;
    if (dump->store == NULL || !dump_name_take(dump->store, &dump->arena, &manifest->name, fault))
        return false;
    dump_sweep(dump);
    manifest->format = MANIFEST_FORMAT;
    if (!dump_name_read(manifest->name, &manifest->created_ms))
        return fault_set(fault, ERR_INTERNAL, "%s is not a dump's name", manifest->name);
    dump_describe(dump);
    manifest->compression = dump->env->compression;
    dump->suffix = object_suffix(manifest->compression);
    return true;
}

static bool
dump_end(struct dump *dump, struct fault *fault)
{
    struct manifest *manifest = &dump->manifest;

    manifest->finished_ms = clock_epoch_ms();
    return manifest_write(dump->store, manifest, &dump->written, fault);
}

/* The leader's COMMIT proves that the snapshot and the locks held till the end. */
static bool
dump_walk(struct dump *dump, struct fault *fault)
{
    struct crew crew = {.env = dump->env, .memory = &dump->memory, .stop = dump->stop,
                        .command = dump, .jobs_count = 1 + dump->queued, .dumps = true,
                        .begin = worker_join, .job = dump_job, .end = worker_part};

    pg_dump_open(&dump->pg_dump, &dump->leader, &dump->snapshot, &dump->catalog);
    bool done = crew_run(&crew, dump->memory.jobs, fault) &&
                dump_check_names(dump, HOLD_ROWS, fault) &&
                pg_run(&dump->leader, "end the dump's transaction", "COMMIT", fault);
    dump_gather(dump);
    return done && dump_end(dump, fault);
}

static const char *
object_path(struct dump *dump, const struct manifest_object *object)
{
    return arena_print(&dump->arena, "%s/%s", dump->manifest.name, object->name);
}

/* What a failed dump has written is of no use: no manifest names it.  The switch, which ends
 * whatever still waits, also bounds how long a store may take to remove it. */
static void
dump_undo(struct dump *dump)
{
    const struct manifest *manifest = &dump->manifest;
    const struct manifest_object *scripts[] = {&manifest->pre_data, &manifest->data,
                                               &manifest->post_data};
    size_t count = 0, most = sizeof scripts / sizeof *scripts;
    struct fault fault = {0};

    most += manifest->more_data_count;
    for (size_t i = 0; i < manifest->tables_count; i++)
        most += manifest->tables[i].volumes_count;
    const char **names = arena_array(&dump->arena, most, sizeof *names);
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
        if (scripts[i]->name != NULL)
            names[count++] = object_path(dump, scripts[i]);
    for (size_t i = 0; i < manifest->more_data_count; i++)
        names[count++] = object_path(dump, &manifest->more_data[i]);
    for (size_t i = 0; i < manifest->tables_count; i++)
        for (size_t j = 0; j < manifest->tables[i].volumes_count; j++)
            names[count++] = object_path(dump, &manifest->tables[i].volumes[j]);
    stop_request(dump->stop, 0);
    if (!dump->store->ops->remove_all(dump->store, names, count, &fault))
        log_warning("objects of %s may be left, without a manifest: %s", manifest->name,
                    fault.text);
}

static void
dump_report(const struct dump *dump, uint64_t begun_ms)
{
    const struct manifest *manifest = &dump->manifest;
    uint64_t ms = clock_ms() - begun_ms;
    char plain[16], stored[16], rate[16], duration[32];

    log_info("%s: %zu table%s, %llu row%s, %s as %s, %s, %s/s", manifest->name,
             manifest->tables_count, text_plural(manifest->tables_count),
             (unsigned long long) manifest->rows, text_plural(manifest->rows),
             text_bytes(plain, manifest->plain_bytes), text_bytes(stored, manifest->stored_bytes),
             clock_duration(duration, ms),
             text_bytes(rate, manifest->plain_bytes * 1000 / (ms + 1)));
}

static bool
dump_command(struct dump *dump, struct fault *fault)
{
    uint64_t bytes, begun_ms = clock_ms();
    struct wishes wishes;
    size_t tables;

    /* What even an empty database takes is known without a connection. */
    if (!memory_for_dump(dump->env, NULL, &dump->memory, fault) ||
        !dump_prepare(dump, &wishes, fault))
        return false;
    memory_log(&dump->memory, LOG_INFO);
    if (!dump_begin(dump, fault))
        return false;
    dump_plan(dump, dump->memory.jobs, &bytes, &tables);
    log_info("dumping %s (PostgreSQL %s, %s) to %s: %zu table%s, %zu rule%s",
             dump->manifest.database, dump->manifest.server_version, dump->manifest.encoding,
             dump->manifest.name, tables, text_plural(tables), rules_count(wishes.rules),
             text_plural(rules_count(wishes.rules)));
    progress_begin(&dump->progress, "dump", tables, bytes, dump->env->progress);
    bool done = dump_walk(dump, fault);
    progress_end(&dump->progress);
    if (done)
        dump_report(dump, begun_ms);
    else if (dump->written == MANIFEST_NONE)
        dump_undo(dump);
    return done;
}

bool
dump_run(const struct env *env, struct stop *stop, struct fault *fault)
{
    struct dump dump = {.env = env, .stop = stop};

    pthread_mutex_init(&dump.lock, NULL);
    pthread_mutex_init(&dump.asking, NULL);
    bool done = dump_command(&dump, fault);
    if (!done)
        stop_request(stop, 0); /* whoever tidies up after a failure gets seconds, not minutes */
    pg_dump_close(&dump.pg_dump);
    pg_close(&dump.leader);
    if (dump.store != NULL)
        store_close(dump.store);
    pthread_mutex_destroy(&dump.asking);
    pthread_mutex_destroy(&dump.lock);
    arena_free(&dump.scripts);
    arena_free(&dump.arena);
    return done;
}
