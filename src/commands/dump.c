/* dump - a database, or a chosen part of it, into the store.
 *
 *     leader   begin ── export snapshot ── read catalog ── bind rules ──────────────── commit
 *     schema                  pg_dump pre-data                     data, post-data
 *     workers                                   import ── table, …
 *     store                   pre-data.sql      1.sql 2.sql 3.sql …               manifest.json
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
#include "pg/pg_dump.h"
#include "pg/recode.h"
#include "pg/sql_source.h"

/* The way of a volume through a dump.  Restore is the same corridor walked back. */
static bool
volume_dump(struct worker *worker, struct dump *dump, const struct table_masks *masks,
            const struct text *preamble, struct manifest_object *volume, struct fault *fault)
{
    struct flow *flow = &worker->flow;
    char path[STORE_NAME_MAX];
    snprintf(path, sizeof path, "%s/%s", dump->manifest.name, volume->name);
    struct stage *put = store_put_init(&worker->put, dump->store, path);

    flow_begin(flow);
    flow_add(flow, copy_out_init(&worker->copy_out, &worker->put.bytes, dump->env->volume_bytes));
    flow_seam(flow);
    if (masks->ruled_count > 0)
        flow_add(flow, transform_init(&worker->transform, masks));
    flow_add(flow, frame_on_init(&worker->frame_on, preamble, &dump->progress.plain_bytes));
    if (dump->env->compress)
        flow_add(flow, compress_init(&worker->compress));
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

/* COPY with every column named, generated ones left out; an extension's configuration table gives
 * only the rows that its condition calls the user's. */
static void
copy_statement(struct text *sql, const struct table *table)
{
    struct text columns = {0};

    for (size_t i = 0; i < table->columns_count; i++) {
        if (table->columns[i].generated)
            continue;
        text_add(&columns, columns.size == 0 ? "" : ", ");
        text_add_name(&columns, table->columns[i].name);
    }
    text_add(sql, "COPY ");
    if (table->condition == NULL)
        text_add_name_pair(sql, table->schema, table->name);
    if (table->condition == NULL && columns.size > 0)
        text_addf(sql, " (%s)", text_of(&columns));
    if (table->condition != NULL) {
        text_addf(sql, "(SELECT %s FROM ONLY ", text_of(&columns));
        text_add_name_pair(sql, table->schema, table->name);
        text_addf(sql, " %s)", table->condition);
    }
    text_add(sql, " TO STDOUT");
    text_free(&columns);
}

static bool
table_lock(struct worker *worker, const struct table *table, struct fault *fault)
{
    struct text sql = {0};

    /* NOWAIT: the leader holds the same lock; if an ALTER queues between, to wait would be a
     * deadlock that the server cannot see (research note 4.1.7). */
    text_add(&sql, "LOCK TABLE ONLY ");
    text_add_name_pair(&sql, table->schema, table->name);
    text_add(&sql, " IN ACCESS SHARE MODE NOWAIT");
    bool locked = pg_run(&worker->conn, "lock the table", text_of(&sql), fault);
    text_free(&sql);
    return locked;
}

/* The table's next volume, in an array that doubles. */
static struct manifest_object *
volume_add(struct dump *dump, struct manifest_table *entry, unsigned number)
{
    char name[VOLUME_NAME_MAX];
    size_t count = entry->volumes_count;

    volume_name(name, number, dump->suffix);
    pthread_mutex_lock(&dump->lock);
    entry->volumes = arena_grow(&dump->arena, entry->volumes, count, sizeof *entry->volumes);
    struct manifest_object *volume = &entry->volumes[entry->volumes_count++];
    volume->name = arena_text(&dump->arena, name);
    pthread_mutex_unlock(&dump->lock);
    return volume;
}

static bool
volumes_dump(struct worker *worker, struct dump *dump, const struct table_masks *masks,
             struct manifest_table *entry, const char *doing, struct fault *fault)
{
    for (;;) {
        bool more;
        if (!copy_out_next(&worker->copy_out, doing, &more, fault))
            return false;
        if (!more)
            return true;
        unsigned number = atomic_fetch_add(&dump->volumes, 1) + 1;
        struct manifest_object *volume = volume_add(dump, entry, number);
        struct text preamble = {0};
        volume_preamble(&preamble, dump->manifest.name, dump->manifest.encoding, entry, number);
        bool done = volume_dump(worker, dump, masks, &preamble, volume, fault);
        text_free(&preamble);
        if (!done)
            return false;
        entry->rows += volume->rows;
    }
}

static bool
table_dump(struct worker *worker, size_t index, struct fault *fault)
{
    struct dump *dump = worker->crew->command;
    const struct table *table = dump->queue[index];
    struct text sql = {0}, doing = {0};

    text_add(&doing, "copy ");
    text_add_name_pair(&doing, table->schema, table->name);
    copy_statement(&sql, table);
    bool done = table_lock(worker, table, fault) &&
                copy_out_begin(&worker->copy_out, &worker->conn, text_of(&doing), text_of(&sql),
                               fault) &&
                volumes_dump(worker, dump, &dump->masks[table - dump->catalog.tables],
                             dump->entries[index], text_of(&doing), fault);
    if (done) {
        progress_add_table(&dump->progress);
        log_debug("dumped %s.%s: %llu rows", table->schema, table->name,
                  (unsigned long long) dump->entries[index]->rows);
    } else {
        fault_because(fault, "while dumping %s.%s", table->schema, table->name);
    }
    text_free(&sql);
    text_free(&doing);
    return done;
}

static bool
worker_join(struct worker *worker, struct fault *fault)
{
    struct dump *dump = worker->crew->command;
    worker->copy_out.moved = &dump->progress.rows;
    return pg_open(&worker->conn, dump->env->from, ERR_SOURCE, dump->stop, fault) &&
           snapshot_import(&worker->conn, &dump->snapshot, fault);
}

/* Not wanted: statements that a selection has made impossible, and a setting that servers before 17
 * do not know. */
static bool
keep_statement(const void *argument, const char *sql)
{
    const struct catalog *catalog = argument;

    for (size_t i = 0; i < catalog->lost_count; i++) {
        size_t size = strlen(catalog->lost[i]);
        if (strncmp(sql, catalog->lost[i], size) == 0 && strchr(" (;\n", sql[size]) != NULL)
            return false;
    }
    return strcmp(sql, "SET transaction_timeout = 0;") != 0;
}

/* The way of the schema's text: pg_dump, as a child, in place of COPY. */
static bool
script_dump(struct worker *worker, struct dump *dump, struct sql_source *sql, uint64_t bytes_max,
            const char *name, struct manifest_object *object, struct fault *fault)
{
    struct flow *flow = &worker->flow;

    object->name = name;
    char *path = arena_print(&dump->arena, "%s/%s", dump->manifest.name, name);
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

    manifest->more_data = arena_grow(&dump->arena, manifest->more_data, count,
                                     sizeof *manifest->more_data);
    manifest->more_data_count++;
    *name = arena_text(&dump->arena, data_piece_name(text, (unsigned) count + 2, dump->suffix));
    return &manifest->more_data[count];
}

static bool
section_dump(struct worker *worker, struct dump *dump, enum pg_dump_section section,
             const char *file, struct manifest_object *object, struct fault *fault)
{
    const char *name = arena_print(&dump->arena, "%s.sql%s", file, dump->suffix);
    /* Only large objects have no limit of their own. */
    uint64_t bytes_max = section == SECTION_DATA ? dump->env->volume_bytes : UINT64_MAX;
    struct pg_dump pg_dump;
    struct sql_source sql;

    sql_source_open(&sql, pg_dump_init(&pg_dump, &dump->leader, &dump->snapshot, &dump->catalog,
                                       section), keep_statement, &dump->catalog);
    bool done = script_dump(worker, dump, &sql, bytes_max, name, object, fault);
    while (done && sql.more) {
        object = piece_add(dump, &name);
        done = script_dump(worker, dump, &sql, bytes_max, name, object, fault);
    }
    sql_source_close(&sql);
    return done;
}

bool
dump_wishes_read(struct dump *dump, struct wishes *wishes, struct pg_session *conn,
                 struct fault *fault)
{
    const struct {
        const char *variable, *text;
        struct patterns *patterns;
    } lists[] = {
        {"REPLICA_TABLES", dump->env->tables, &wishes->selection.tables},
        {"REPLICA_SKIP_TABLES", dump->env->skip_tables, &wishes->selection.skip_tables},
        {"REPLICA_SKIP_DATA", dump->env->skip_data, &wishes->selection.skip_data},
    };
    const char *text;

    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        text = lists[i].text;
        if (conn != NULL)
            text = pg_recode(conn, &dump->arena, lists[i].variable, text, fault);
        if (text == NULL ||
            !patterns_read(&dump->arena, lists[i].variable, text, lists[i].patterns, fault))
            return false;
    }
    text = dump->env->transform;
    if (conn != NULL)
        text = pg_recode(conn, &dump->arena, "REPLICA_TRANSFORM", text, fault);
    wishes->rules = text == NULL ? NULL : rules_read(&dump->arena, text, fault);
    return wishes->rules != NULL;
}

/* Everything that reads but does not write: what is to be done, and whether it can be. */
static bool
dump_prepare(struct dump *dump, struct wishes *wishes, struct fault *fault)
{
    struct pg_session *leader = &dump->leader;

    return dump_wishes_read(dump, wishes, NULL, fault) &&
           pg_open(leader, dump->env->from, ERR_SOURCE, dump->stop, fault) &&
           dump_wishes_read(dump, wishes, leader, fault) &&
           snapshot_export(leader, &dump->snapshot, fault) &&
           catalog_read(leader, &wishes->selection, &dump->arena, &dump->catalog, fault) &&
           rules_bind(wishes->rules, &dump->catalog, &dump->arena, &dump->masks, fault);
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
    if (dump->store == NULL || !dump_name_take(dump->store, &dump->arena, &manifest->name, fault))
        return false;
    dump_sweep(dump);
    manifest->format = MANIFEST_FORMAT;
    if (!dump_name_read(manifest->name, &manifest->created_ms))
        return fault_set(fault, ERR_INTERNAL, "%s is not a dump's name", manifest->name);
    manifest->replica_version = REPLICA_VERSION;
    manifest->server_version = arena_text(&dump->arena, pg_version_text(&dump->leader));
    manifest->database = arena_text(&dump->arena, PQdb(dump->leader.pq));
    manifest->encoding = arena_text(&dump->arena, pg_encoding(&dump->leader));
    manifest->lsn = dump->snapshot.lsn;
    manifest->snapshot = dump->snapshot.id;
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

/* The bytes, in the order of a restore; the leader's COMMIT proves that the snapshot held till the
 * end. */
static bool
dump_walk(struct dump *dump, unsigned workers, size_t queued, struct fault *fault)
{
    struct manifest *manifest = &dump->manifest;
    struct crew crew = {.env = dump->env, .stop = dump->stop, .command = dump, .jobs_count = queued,
                        .dumps = true, .begin = worker_join, .job = table_dump};
    struct worker clerk; /* writes the objects that hold SQL */

    worker_open(&clerk, &crew);
    bool done = section_dump(&clerk, dump, SECTION_PRE_DATA, "pre-data", &manifest->pre_data,
                             fault);
    worker_close(&clerk);
    done = done && crew_run(&crew, workers, fault);
    worker_open(&clerk, &crew);
    done = done && section_dump(&clerk, dump, SECTION_DATA, "data", &manifest->data, fault) &&
           section_dump(&clerk, dump, SECTION_POST_DATA, "post-data", &manifest->post_data,
                        fault) &&
           pg_run(&dump->leader, "end the dump's transaction", "COMMIT", fault);
    worker_close(&clerk);
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

    log_info("%s: %zu tables, %llu rows, %s as %s, %s, %s/s", manifest->name,
             manifest->tables_count, (unsigned long long) manifest->rows,
             text_bytes(plain, manifest->plain_bytes), text_bytes(stored, manifest->stored_bytes),
             clock_duration(duration, ms),
             text_bytes(rate, manifest->plain_bytes * 1000 / (ms + 1)));
}

static bool
dump_command(struct dump *dump, struct fault *fault)
{
    uint64_t bytes, begun_ms = clock_ms();
    struct wishes wishes;
    unsigned workers;
    size_t queued;

    if (!crew_size(dump->env, true, &workers, fault) || !dump_prepare(dump, &wishes, fault) ||
        !dump_begin(dump, fault))
        return false;
    dump_plan(dump, &bytes, &queued);
    log_info("dumping %s (PostgreSQL %s, %s) to %s: %zu tables, %zu rules",
             dump->manifest.database, dump->manifest.server_version, dump->manifest.encoding,
             dump->manifest.name, queued, rules_count(wishes.rules));
    progress_begin(&dump->progress, "dump", queued, bytes, dump->env->progress);
    bool done = dump_walk(dump, workers, queued, fault);
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
    bool done = dump_command(&dump, fault);
    if (!done)
        stop_request(stop, 0); /* whoever tidies up after a failure gets seconds, not minutes */
    pg_close(&dump.leader);
    if (dump.store != NULL)
        store_close(dump.store);
    pthread_mutex_destroy(&dump.lock);
    arena_free(&dump.arena);
    return done;
}
