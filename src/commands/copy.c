/* copy - a database, or a chosen part of it, into another one, with no store between.
 *
 *     source        snapshot ─ pg_dump: pre-data    COPY out, by pieces    data, post-data
 *                                          │                  │                  │
 *     destination   empty?              CREATE …           COPY in            indexes …     count
 *
 * The first half is dump's, the second restore's, and the corridor is both without what lies in the
 * store: no frame, no compression, no digest.  What proves that all has arrived are the counts: the
 * server's of what it sent and of what it took, piece by piece, and of every table in the end. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "commands/commands.h"
#include "commands/dump.h"
#include "commands/rights.h"
#include "commands/script.h"
#include "pg/sql_source.h"

struct copy {
    struct dump dump;
    struct restore restore;
};

static const _Atomic uint64_t no_bytes = 0; /* pieces are not cut into volumes */

/* The way of a piece through a copy. */
static bool
piece_walk(struct worker *worker, struct copy *copy, const struct dump_piece *piece,
           struct fault *fault)
{
    struct flow *flow = &worker->flow;

    flow_begin(flow);
    flow_add(flow, copy_out_init(&worker->copy_out, &no_bytes, UINT64_MAX));
    if (piece->masks->ruled_count > 0) {
        flow_seam(flow);
        flow_add(flow, transform_init(&worker->transform, piece->masks));
    }
    if (piece->table->bytes >= SEAMS_FROM_BYTES)
        flow_seam(flow);
    flow_add(flow, copy_in_init(&worker->copy_in));
    worker->copy_in.moved = &copy->dump.progress.plain_bytes;
    return flow_run(flow, fault);
}

/* Both servers have half as much to do with rows in the binary format, but rules are for text, and
 * the forms of users' types are not for certain the same at both ends.  An older destination may
 * read a newer value as another one, without a word; its text it refuses. */
static bool
piece_is_binary(const struct copy *copy, const struct dump_piece *piece)
{
    return piece->masks->ruled_count == 0 && piece->table->portable &&
           copy->restore.conn.server_version / 10000 >= copy->dump.leader.server_version / 10000;
}

/* The server at one end counts what it sent, the other one what it took. */
static bool
piece_copy(struct worker *worker, struct copy *copy, struct dump_piece *piece, const char *doing,
           struct fault *fault)
{
    const struct load_way way = {
        .frozen = piece->whole && piece->table->late == 0 &&
                  restore_freezes(&copy->restore, piece->entry, piece->table->bytes),
        .binary = piece_is_binary(copy, piece),
    };
    struct text sql = {0};
    bool more;

    restore_copy_statement(&sql, piece->entry, way, true);
    bool done = copy_in_begin(&worker->copy_in, &worker->target, doing, text_of(&sql), fault) &&
                piece_walk(worker, copy, piece, fault) &&
                copy_out_next(&worker->copy_out, doing, &more, fault);
    text_free(&sql);
    if (!done)
        return false;
    piece->rows = worker->copy_out.rows_total;
    if (worker->copy_in.rows != piece->rows)
        return fault_set(fault, ERR_INTEGRITY,
                         "the source sent %llu rows, the destination took %llu",
                         (unsigned long long) piece->rows,
                         (unsigned long long) worker->copy_in.rows);
    return !way.frozen || pg_run(&worker->target, "commit the rows of a table", "COMMIT", fault);
}

static bool
copy_job(struct worker *worker, size_t index, struct fault *fault)
{
    struct copy *copy = worker->crew->command;
    struct dump_piece *piece = &copy->dump.queue[index];
    struct text doing = {0};
    bool binary = piece_is_binary(copy, piece), more;
    bool done = dump_piece_begin(&copy->dump, worker, piece, binary, &doing, fault) &&
                copy_out_next(&worker->copy_out, text_of(&doing), &more, fault) &&
                (!more || piece_copy(worker, copy, piece, text_of(&doing), fault));

    if (done)
        dump_piece_end(&copy->dump, piece);
    else
        fault_because(fault, "while copying %s.%s", piece->table->schema, piece->table->name);
    text_free(&doing);
    return done;
}

static bool
worker_join(struct worker *worker, struct fault *fault)
{
    struct copy *copy = worker->crew->command;
    return dump_join(&copy->dump, worker, fault) &&
           restore_connect(&copy->restore, &worker->target, fault);
}

/* As in a dump. */
static bool
worker_part(struct worker *worker, struct fault *fault)
{
    struct copy *copy = worker->crew->command;
    return dump_check_names(&copy->dump, HOLD_NAMES, fault);
}

/* The next section of the schema's text: pg_dump's child at one end, statements at the other. */
static bool
section_walk(struct copy *copy, const char *name, bool parallel, struct sql_guard *guard,
             struct fault *fault)
{
    struct script *script = restore_script(&copy->restore, parallel, guard, fault);
    struct fault walked = {0};
    struct sql_target target;
    struct sql_source source;
    struct flow flow;

    if (script == NULL)
        return fault_because(fault, "while copying the schema");
    flow_init(&flow, copy->dump.stop, copy->dump.memory.ring_bytes);
    flow_begin(&flow);
    sql_source_open(&source, pg_dump_section(&copy->dump.pg_dump), NULL, dump_keep_statement,
                    &copy->dump.catalog);
    flow_add(&flow, sql_source_init(&source, &no_bytes, UINT64_MAX));
    flow_seam(&flow);
    flow_add(&flow, sql_target_init(&target, (struct sql_promise){.guard = guard}, script_statement,
                                    script));
    flow_run(&flow, &walked);
    sql_source_close(&source);
    flow_free(&flow);
    return script_end(script, &walked, fault) || fault_because(fault, "while copying %s", name);
}

static bool
section_copy(struct copy *copy, const char *name, bool parallel, struct fault *fault)
{
    bool transactions = strcmp(name, "data") == 0;
    struct sql_guard guard;

    return sql_guard_init(&guard, copy->dump.manifest.encoding, transactions, ERR_SOURCE, fault) &&
           section_walk(copy, name, parallel, &guard, fault) &&
           restore_sql_end(&copy->restore, &guard, fault);
}

/* Advisory locks are per database and need no right: one that the leader holds can't be had there
 * a second time. */
static bool
lock_differs(struct copy *copy, struct fault *fault)
{
    struct text sql = {0};
    uint64_t key;

    random_bytes(&key, sizeof key);
    text_addf(&sql, "SELECT pg_catalog.pg_try_advisory_lock(%lld)", (long long) (key >> 1));
    PGresult *ours = pg_query(&copy->dump.leader, "mark the source", text_of(&sql), fault);
    PGresult *theirs = ours == NULL ? NULL : pg_query(&copy->restore.conn, "look for the mark",
                                                      text_of(&sql), fault);
    if (theirs != NULL && PQgetvalue(theirs, 0, 0)[0] != 't')
        fault_set(fault, ERR_CONFIG, "REPLICA_FROM and REPLICA_TO are the same database, %s",
                  PQdb(copy->restore.conn.pq));
    PQclear(ours);
    PQclear(theirs);
    text_free(&sql);
    return fault->err == ERR_NONE;
}

/* What a database keeps on every server that replays its cluster's WAL. */
struct origin {
    char oid[16];
    char cluster[24]; /* initdb's number; "" where the role may not ask for it */
    bool standby;
};

static bool
origin_read(struct pg_session *conn, struct origin *origin, struct fault *fault)
{
    PGresult *result = pg_query(conn, "ask which database it is",
        "SELECT oid, pg_catalog.pg_is_in_recovery(), pg_catalog.has_function_privilege("
        "pg_catalog.to_regprocedure('pg_catalog.pg_control_system()'), 'EXECUTE')"
        " FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()", fault);
    if (result == NULL)
        return false;
    snprintf(origin->oid, sizeof origin->oid, "%s", PQgetvalue(result, 0, 0));
    origin->standby = PQgetvalue(result, 0, 1)[0] == 't';
    bool asks = PQgetvalue(result, 0, 2)[0] == 't';
    PQclear(result);
    if (!asks)
        return true;

    result = pg_query(conn, "ask which cluster it is",
                      "SELECT system_identifier FROM pg_catalog.pg_control_system()", fault);
    if (result != NULL)
        snprintf(origin->cluster, sizeof origin->cluster, "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
    return result != NULL;
}

/* No lock reaches a standby, which replays all that its primary does: a primary that is emptied
 * empties it.  A promoted clone of the cluster can't be told from the primary, nor any cluster from
 * it that keeps its number to itself; both are refused where the database's number is the same. */
static bool
origin_differs(struct copy *copy, struct fault *fault)
{
    struct origin source = {0}, target = {0};

    if (!origin_read(&copy->dump.leader, &source, fault))
        return false;
    if (!source.standby)
        return true;
    if (!origin_read(&copy->restore.conn, &target, fault))
        return false;
    bool known = source.cluster[0] != '\0' && target.cluster[0] != '\0';
    if (strcmp(source.oid, target.oid) != 0 ||
        (known && strcmp(source.cluster, target.cluster) != 0))
        return true;
    if (!known)
        return fault_set(fault, ERR_CONFIG,
                         "REPLICA_FROM is a standby, and REPLICA_TO may be its primary: database %s"
                         " has the same oid, and a role may not call pg_control_system(); grant"
                         " EXECUTE on it, or copy into a database made anew by CREATE DATABASE",
                         PQdb(copy->restore.conn.pq));
    return fault_set(fault, ERR_CONFIG,
                     "REPLICA_FROM is a standby, and REPLICA_TO is the same database, %s, at its"
                     " primary or at a promoted clone of the same cluster, which can't be told"
                     " apart; if it is a clone, copy into a database made anew by CREATE DATABASE",
                     PQdb(copy->restore.conn.pq));
}

/* REPLICA_CLEAN would empty the source. */
static bool
ends_differ(struct copy *copy, struct fault *fault)
{
    return lock_differs(copy, fault) && origin_differs(copy, fault);
}

/* Late tables come when all others are there, and by one connection. */
static bool
rows_copy(struct copy *copy, struct fault *fault)
{
    struct dump *dump = &copy->dump;
    struct crew crew = {.env = dump->env, .memory = &dump->memory, .stop = dump->stop,
                        .command = copy, .copies = true, .dumps = true,
                        .jobs_count = dump->early, .begin = worker_join, .job = copy_job,
                        .end = worker_part};
    struct crew alone = crew;

    alone.next = dump->early;
    alone.jobs_count = dump->queued;
    return crew_run(&crew, dump->memory.jobs, fault) &&
           (dump->early == dump->queued || crew_run(&alone, 1, fault));
}

/* What a superuser, too, has to have at the destination: roles and tablespaces. */
static bool
names_roles(struct copy *copy, bool *names, struct fault *fault)
{
    PGresult *result = pg_query(&copy->dump.leader, "look for roles and tablespaces",
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_policy WHERE polroles <> '{0}')"
        " OR EXISTS (SELECT FROM pg_catalog.pg_user_mappings WHERE umuser <> 0)"
        " OR EXISTS (SELECT FROM pg_catalog.pg_class WHERE reltablespace >= 16384)", fault);

    *names = result != NULL && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return result != NULL;
}

/* The schema's text is read once more only where the destination could lack something of it:
 * rights, roles, or the words of a newer source. */
static bool
schema_fits(struct copy *copy, struct fault *fault)
{
    const struct env *env = copy->dump.env;
    struct rights rights = {0};
    struct outlook outlook;
    bool names = false;

    outlook_init(&outlook, &copy->restore, rights_statement, &rights);
    bool done = rights_begin(&rights, &copy->restore, fault) && names_roles(copy, &names, fault);
    bool older = outlook.dialect.major < copy->dump.leader.server_version / 10000;
    if (done && (older || !rights.super || names || env->owners || env->privileges))
        done = dump_schema(&copy->dump, outlook_statement, &outlook, fault);
    bool known = outlook_end(&outlook, NULL, fault);
    return rights_told(&rights, fault) && known && done;
}

static bool
copy_walk(struct copy *copy, struct fault *fault)
{
    struct dump *dump = &copy->dump;
    struct restore *restore = &copy->restore;

    if (!schema_fits(copy, fault))
        return false;
    pg_dump_open(&dump->pg_dump, &dump->leader, &dump->snapshot, &dump->catalog);
    bool done = restore_empty(restore, fault) && section_copy(copy, "pre-data", false, fault) &&
                dump_check_names(dump, HOLD_SCRIPTS, fault) &&
                restore_thaws(restore, fault) && rows_copy(copy, fault) &&
                dump_check_names(dump, HOLD_ROWS, fault) &&
                section_copy(copy, "data", false, fault) &&
                section_copy(copy, "post-data", true, fault) &&
                pg_run(&dump->leader, "end the transaction at the source", "COMMIT", fault);
    if (!done)
        return false;
    dump_gather(dump);
    restore->manifest = dump->manifest;
    return restore_check(restore, fault) && restore_last(restore, fault);
}

static void
copy_report(const struct copy *copy, uint64_t begun_ms)
{
    const struct manifest *manifest = &copy->dump.manifest;
    uint64_t ms = clock_ms() - begun_ms, rows = 0, bytes = copy->dump.progress.plain_bytes;
    char plain[16], rate[16], duration[32];

    for (size_t i = 0; i < manifest->tables_count; i++)
        rows += manifest->tables[i].rows;
    log_info("copied %s into %s: %zu table%s, %llu row%s counted, %s, %s, %s/s",
             manifest->database, PQdb(copy->restore.conn.pq), manifest->tables_count,
             text_plural(manifest->tables_count), (unsigned long long) rows, text_plural(rows),
             text_bytes(plain, bytes), clock_duration(duration, ms),
             text_bytes(rate, bytes * 1000 / (ms + 1)));
}

/* Both ends are asked before the first statement changes one of them. */
static bool
copy_command(struct copy *copy, struct fault *fault)
{
    struct dump *dump = &copy->dump;
    struct restore *restore = &copy->restore;
    uint64_t bytes, begun_ms = clock_ms();
    struct wishes wishes;
    size_t tables;

    if (!memory_for_dump(dump->env, NULL, &dump->memory, fault) ||
        !dump_prepare(dump, &wishes, fault))
        return false;
    memory_log(&dump->memory, LOG_INFO);
    dump_describe(dump);
    dump->loads = true;
    dump_plan(dump, dump->memory.jobs, &bytes, &tables);
    restore->manifest = dump->manifest;
    restore->memory = dump->memory;
    restore->workers = dump->memory.jobs;
    if (!restore_connect(restore, &restore->conn, fault) || !ends_differ(copy, fault) ||
        !restore_claim(restore, fault))
        return false;
    log_info("copying %s (PostgreSQL %s, %s) into %s (PostgreSQL %s): %zu table%s, %zu rule%s",
             dump->manifest.database, dump->manifest.server_version, dump->manifest.encoding,
             PQdb(restore->conn.pq), pg_version_text(&restore->conn), tables, text_plural(tables),
             rules_count(wishes.rules), text_plural(rules_count(wishes.rules)));
    progress_begin(&dump->progress, "copy", tables, bytes, dump->env->progress);
    bool done = copy_walk(copy, fault);
    progress_end(&dump->progress);
    if (done)
        copy_report(copy, begun_ms);
    return done;
}

bool
copy_run(const struct env *env, struct stop *stop, struct fault *fault)
{
    struct copy copy = {.dump = {.env = env, .stop = stop}, .restore = {.env = env, .stop = stop}};

    pthread_mutex_init(&copy.dump.lock, NULL);
    pthread_mutex_init(&copy.dump.asking, NULL);
    bool done = copy_command(&copy, fault);
    pg_dump_close(&copy.dump.pg_dump);
    pg_close(&copy.dump.leader);
    pg_close(&copy.restore.conn);
    text_free(&copy.restore.last);
    pthread_mutex_destroy(&copy.dump.asking);
    sql_dialect_free(&copy.restore.dialect);
    pthread_mutex_destroy(&copy.dump.lock);
    arena_free(&copy.dump.arena);
    arena_free(&copy.restore.arena);
    return done;
}
